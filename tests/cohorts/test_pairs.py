from __future__ import annotations

import datetime as dt
import itertools
import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from typer.testing import CliRunner

from heartprint.cohorts import Cohort, CohortInfo, FlowRow, PairPolicy, Pairs, policy_flow
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator, stable_hash
from tests.cohorts.ecgs import small_cohort

NEW_YEAR = dt.datetime(2020, 1, 1)
Row = tuple[str, float | None, str | None, str | None]

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["p", "q", "é", "z1", "\U0001f600"]),
        st.none() | st.integers(0, 12).map(lambda n: n / 2),
        st.sampled_from([None, "cart", "wall"]),
        st.sampled_from([None, "north", "south"]),
    ),
    min_size=1,
    max_size=16,
)
RELATIONS = st.sampled_from(["any", "same", "other"])
LIMITS = st.sampled_from([0, 0.5, 1, 2.25])


@st.composite
def policies(draw: st.DrawFn) -> PairPolicy:
    low, high = draw(LIMITS), draw(st.none() | LIMITS)
    return PairPolicy(
        min_gap_days=low,
        max_gap_days=None if high is None else low + high,
        unknown_gaps=draw(st.booleans()),
        device=draw(RELATIONS),
        site=draw(RELATIONS),
        single=draw(st.sampled_from(["leave_out", "stretches"])),
    )


def table(rows: list[Row], ids: list[str] | None = None) -> Cohort:
    """A cohort that is a table and nothing else: a waveform cannot be read."""
    patients, days, devices, sites = zip(*rows, strict=True)
    frame = pl.DataFrame(
        {
            "ecg_id": ids or [f"e{i}" for i in range(len(rows))],
            "patient_id": patients,
            "recorded_at": [None if d is None else NEW_YEAR + dt.timedelta(days=d) for d in days],
            "device": devices,
            "site": sites,
        },
        schema_overrides={"recorded_at": pl.Datetime("us"), "device": pl.String(), "site": pl.String()},
    )
    return as_cohort(frame)


def as_cohort(frame: pl.DataFrame) -> Cohort:
    info = CohortInfo(
        "test", "test", False, frame.height, frame["patient_id"].n_unique(), 0, 0, "waveform", "0", "0", "0"
    )
    return Cohort(Path("nowhere"), info, frame)


def related(one: str | None, other: str | None, relation: str) -> bool:
    if relation == "any":
        return True
    if one is None or other is None:
        return False
    return (one == other) == (relation == "same")


def literal_rules(policy: PairPolicy) -> list[tuple[str, Any]]:
    """Each rule that forbids something, as a question to two ECGs."""

    def gap(a: Row, b: Row) -> float | None:
        return None if a[1] is None or b[1] is None else abs(a[1] - b[1])

    rules: list[tuple[str, Any]] = []
    if not policy.unknown_gaps:
        rules.append(("unknown_gaps", lambda a, b: gap(a, b) is not None))
    if policy.min_gap_days:
        rules.append(("min_gap_days", lambda a, b: gap(a, b) is None or gap(a, b) >= policy.min_gap_days))
    if policy.max_gap_days is not None:
        rules.append(("max_gap_days", lambda a, b: gap(a, b) is None or gap(a, b) <= policy.max_gap_days))
    if policy.device != "any":
        rules.append(("device", lambda a, b: related(a[2], b[2], policy.device)))
    if policy.site != "any":
        rules.append(("site", lambda a, b: related(a[3], b[3], policy.site)))
    return rules


def literal_pairs(rows: list[Row], policy: PairPolicy) -> tuple[list[FlowRow], list[tuple[int, int]]]:
    """The slow truth: the flow, and every allowed pair of rows, i < j."""
    left = [(i, j) for i, j in itertools.combinations(range(len(rows)), 2) if rows[i][0] == rows[j][0]]
    flow = []
    for name, meets in [("all", lambda a, b: True), *literal_rules(policy)]:
        left = [(i, j) for i, j in left if meets(rows[i], rows[j])]
        ecgs = {row for pair in left for row in pair}
        flow.append(FlowRow(name, len(left), len({rows[i][0] for i in ecgs}), len(ecgs)))
    if policy.single == "stretches":
        paired = {rows[i][0] for i, _ in left}
        alone = sum(row[0] not in paired for row in rows)
        flow.append(FlowRow("single", len(left), len({row[0] for row in rows}), flow[-1].ecgs + alone))
    return flow, left


class Unwritten(Exception):
    """A draw wants a number that the script does not have."""


class Script:
    """Stands in for a random generator: gives the numbers it is told to."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = iter(numbers)

    def integers(self, low: int, high: int | None = None) -> int:
        number = next(self.numbers, None)
        if number is None:
            raise Unwritten(0 if high is None else low, low if high is None else high)
        return number


def every_draw(pairs: Pairs, item: int) -> Counter[tuple[int, int]]:
    """The outcome of every sequence of random numbers that a draw can meet. All are equally likely."""
    outcomes: Counter[tuple[int, int]] = Counter()
    scripts: list[list[int]] = [[]]
    while scripts:
        script = scripts.pop()
        try:
            outcomes[pairs.draw(item, Script(script))] += 1  # type: ignore[arg-type]
        except Unwritten as range_:
            low, high = range_.args
            scripts += [[*script, number] for number in range(low, high)]
    return outcomes


@settings(deadline=None, max_examples=300)
@given(ROWS, policies(), st.integers(1, 9))
def test_flow_items_and_draws_equal_the_literal_ones(rows: list[Row], policy: PairPolicy, at_once: int) -> None:
    """Every allowed pair comes out of exactly as many sequences of random numbers as any other, in either order."""
    cohort = table(rows)
    with mock.patch("heartprint.cohorts.pairs._PAIRS_AT_ONCE", at_once):
        pairs = Pairs(cohort, policy)
    flow, allowed = literal_pairs(rows, policy)
    assert pairs.flow == policy_flow(cohort, policy) == flow
    paired = {rows[i][0] for i, _ in allowed}
    items = sorted({row[0] for row in rows} if policy.single == "stretches" else paired)
    assert len(pairs) == len(items)
    assert pairs.keys.tolist() == [stable_hash(patient) for patient in items]
    assert np.array_equal(pairs.patients, [cohort.patient_codes[cohort.patient_ids == p][0] for p in items])
    drawn = set()
    for item, patient in enumerate(items):
        expected = [(i, j) for pair in allowed for i, j in (pair, pair[::-1]) if rows[i][0] == patient]
        if patient not in paired:
            expected = [(i, i) for i, row in enumerate(rows) if row[0] == patient]
        assert every_draw(pairs, item) == Counter(expected)
        drawn |= {row for pair in expected for row in pair}
    assert pairs.rows.tolist() == sorted(drawn)


def old_pairs(cohort: Cohort, seed: int, epoch: int) -> list[tuple[int, int]]:
    """What method bcl drew before there were policies, literally: published figures rest on it."""
    codes = cohort.patient_codes
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = np.cumsum(counts) - counts
    chosen = counts >= 2
    ids = cohort.ecg_ids
    order = order[np.lexsort((ids[order], codes[order]))]
    drawn = []
    for start, n in zip(starts[chosen].tolist(), counts[chosen].tolist(), strict=True):
        rng = generator(seed, "pair", epoch, stable_hash(str(cohort.patient_ids[order[start]])))
        one, other = int(rng.integers(n)), int(rng.integers(n - 1))
        other += other >= one
        drawn.append((int(order[start + one]), int(order[start + other])))
    return drawn


def drawn_pairs(pairs: Pairs, seed: int, epoch: int) -> list[tuple[int, int]]:
    return [pairs.draw(i, generator(seed, "pair", epoch, int(pairs.keys[i]))) for i in range(len(pairs))]


@settings(deadline=None, max_examples=100)
@given(ROWS, st.data(), st.integers(0, 99), st.integers(0, 99))
def test_the_default_policy_draws_what_was_drawn_before(rows: list[Row], data: Any, seed: int, epoch: int) -> None:
    text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=3)
    ids = data.draw(st.lists(text, min_size=len(rows), max_size=len(rows), unique=True))
    cohort = table(rows, ids)
    assert drawn_pairs(Pairs(cohort), seed, epoch) == old_pairs(cohort, seed, epoch)


@settings(deadline=None, max_examples=100)
@given(ROWS, policies(), st.randoms(use_true_random=False))
def test_shuffled_rows_give_the_same_pairs(rows: list[Row], policy: PairPolicy, random: Any) -> None:
    cohort = table(rows)
    order = list(range(len(rows)))
    random.shuffle(order)
    moved = cohort.take(order)
    one, other = Pairs(cohort, policy), Pairs(moved, policy)
    assert one.flow == other.flow and np.array_equal(one.keys, other.keys)
    assert cohort.ecg_ids[one.rows].tolist() == sorted(moved.ecg_ids[other.rows], key=cohort.ecg_ids.tolist().index)
    for ours, theirs in zip(drawn_pairs(one, 3, 1), drawn_pairs(other, 3, 1), strict=True):
        assert cohort.ecg_ids[list(ours)].tolist() == moved.ecg_ids[list(theirs)].tolist()


def test_real_random_numbers_reach_every_pair_equally_often() -> None:
    rows: list[Row] = [("p", float(day), None, None) for day in range(6)]
    pairs = Pairs(table(rows), PairPolicy(min_gap_days=2))
    allowed = {(i, j) for i, j in itertools.permutations(range(6), 2) if abs(i - j) >= 2}
    counts = Counter(pairs.draw(0, generator(0, "pair", epoch)) for epoch in range(200 * len(allowed)))
    assert set(counts) == allowed
    # Five standard deviations; the draws are fixed by the seed.
    assert all(abs(n - 200) < 5 * 200**0.5 for n in counts.values())


def test_gaps_are_time_not_calendar_days() -> None:
    """An hour over midnight is not a day; limits are inclusive to the microsecond."""
    hour, second = 1 / 24, 1 / 86400
    cohort = table([("p", 0.99, None, None), ("p", 0.99 + hour, None, None)])
    assert policy_flow(cohort, PairPolicy(min_gap_days=1))[-1].pairs == 0
    day = table([("p", 0.0, None, None), ("p", 1.0, None, None)])
    assert policy_flow(day, PairPolicy(min_gap_days=1, max_gap_days=1))[-1].pairs == 1
    assert policy_flow(day, PairPolicy(min_gap_days=1 + second))[-1].pairs == 0
    assert policy_flow(day, PairPolicy(max_gap_days=1 - second))[-1].pairs == 0


def test_a_patient_with_hundreds_of_ecgs() -> None:
    """More pairs than are gone through at once; every ECG's partners are right."""
    rng = np.random.default_rng(0)
    n = 1500
    days, devices = rng.uniform(0, 900, n), rng.integers(0, 3, n)
    rows: list[Row] = [("many", float(d), str(k), None) for d, k in zip(days, devices, strict=True)]
    pairs = Pairs(table([*rows, ("few", 0.0, "0", None), ("few", 400.0, "1", None)]), PairPolicy(min_gap_days=90))
    allowed = np.abs(days[:, None] - days[None]) >= 90
    assert pairs.flow[0].pairs == n * (n - 1) // 2 + 1
    assert pairs.flow[-1] == FlowRow("min_gap_days", int(allowed.sum()) // 2 + 1, 2, int(allowed.any(1).sum()) + 2)
    for epoch in range(300):
        one, other = pairs.draw(1, generator(0, "pair", epoch))
        assert allowed[one, other]


@pytest.mark.parametrize(
    ("settings_", "rule"),
    [
        ({"unknown_gaps": False}, "unknown_gaps=false"),
        ({"min_gap_days": 30}, "min_gap_days=30"),
        ({"max_gap_days": 0.5}, "max_gap_days=0.5"),
        ({"device": "other", "site": "same"}, "device=other"),
        ({"min_gap_days": 3, "site": "other"}, "site=other"),
        ({"device": "other", "single": "stretches"}, "device=other"),
    ],
)
def test_the_rule_that_left_no_pair_is_named(settings_: dict[str, Any], rule: str) -> None:
    days: list[float | None] = [None, None] if "unknown_gaps" in settings_ else [0.0, 4.0]
    pairs = Pairs(table([("p", day, "cart", "north") for day in days]), PairPolicy(**settings_))
    with pytest.raises(HeartprintError) as caught:
        pairs.require_any("mine")
    assert caught.value.code == "no-pairs"
    assert f"pairs.{rule}. " in caught.value.message and "-o method.pairs." in caught.value.message
    assert rule.partition("=")[0] in caught.value.message.partition("-o method.pairs.")[2], (
        "the remedy is for that rule"
    )


def test_no_two_ecgs_of_anybody() -> None:
    pairs = Pairs(table([("p", 0.0, None, None), ("q", 0.0, None, None)]), PairPolicy(device="same"))
    assert len(pairs) == 0 and pairs.rows.size == 0
    with pytest.raises(HeartprintError, match="has two ECGs") as caught:
        pairs.require_any("mine")
    assert caught.value.code == "no-pairs"
    assert Pairs(table([("p", 0.0, None, None)]).take([])).flow == [FlowRow("all", 0, 0, 0)]


@pytest.mark.parametrize(
    "bad",
    [
        {"min_gap_days": -1},
        {"min_gap_days": float("nan")},
        {"max_gap_days": float("inf")},
        {"min_gap_days": 2, "max_gap_days": 1},
        {"device": "another"},
        {"single": "twice"},
        {"gap": 1},
    ],
)
def test_impossible_policies_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PairPolicy(**bad)


def info(cohort: Cohort, *options: str) -> Any:
    from heartprint.cli import info as command

    app = typer.Typer()
    app.command("info")(command.info)
    return CliRunner().invoke(app, [str(cohort.path), *options], env={"COLUMNS": "120"})


def test_info_tries_a_policy(tmp_path: Path) -> None:
    cohort = small_cohort(
        tmp_path / "c",
        ["a", "a", "a", "b", "b", "c"],
        recorded_at=[NEW_YEAR + dt.timedelta(days=d) for d in (0, 10, 40, 0, 50, 0)],
        device=["x", "x", "y", "x", "x", None],
    )
    default = json.loads(info(cohort, "--json").stdout)
    assert default["pair_flow"] == [{"rule": "all", "pairs": 4, "patients": 2, "ecgs": 5}]
    assert default["pair_policy"] == PairPolicy().model_dump()
    assert "pair policy" not in info(cohort).stdout, "the default policy has no rule to show"
    options = ("-o", "min_gap_days=30", "-o", "device=other", "-o", "single=stretches")
    tried = json.loads(info(cohort, *options, "--json").stdout)
    assert [tuple(row.values()) for row in tried["pair_flow"]] == [
        ("all", 4, 2, 5),
        ("min_gap_days", 3, 2, 5),
        ("device", 2, 1, 3),
        ("single", 2, 3, 6),
    ]
    assert {k: v for k, v in tried.items() if not k.startswith("pair_")} == {
        k: v for k, v in default.items() if not k.startswith("pair_")
    }
    lines = [line.split() for line in info(cohort, *options).stdout.splitlines()]
    for line in (
        ["min_gap_days=30", "3", "2", "5"],
        ["device=other", "2", "1", "3"],
        ["single=stretches", "2", "3", "6"],
    ):
        assert line in lines
    refused = info(cohort, "-o", "max_gap=3").exception
    assert isinstance(refused, HeartprintError) and "Did you mean 'max_gap_days'" in refused.message


@pytest.fixture(scope="module")
def million() -> Cohort:
    """A million ECGs of 200,000 patients: each has five, ten days and another device apart; rows by visit."""
    n, n_patients = 1_000_000, 200_000
    row = pl.int_range(n, eager=True)
    visit = row // n_patients
    frame = pl.DataFrame({"row": row, "visit": visit}).select(
        ecg_id=pl.format("ecg{}", "row"),
        patient_id=pl.format("patient{}", pl.col("row") % n_patients),
        recorded_at=pl.lit(NEW_YEAR) + pl.duration(days=10 * pl.col("visit")),
        device=pl.format("device{}", pl.col("visit") % 2),
    )
    return as_cohort(frame)


@pytest.mark.parametrize(
    ("policy", "per_patient"),
    [(PairPolicy(), [10]), (PairPolicy(min_gap_days=15, device="other"), [10, 6, 2])],
)
def test_a_million_ecgs(million: Cohort, policy: PairPolicy, per_patient: list[int]) -> None:
    pairs = Pairs(million, policy)
    assert len(pairs) == 200_000
    assert [row.pairs for row in pairs.flow] == [200_000 * n for n in per_patient]
    one, other = pairs.draw(123_456, generator(0, "pair", 0))
    assert one != other and one % 200_000 == other % 200_000
    assert len(pickle.dumps(pairs)) < 50e6, "every drawing process gets a copy"
