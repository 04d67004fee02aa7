from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import typer
from scipy import signal
from typer.testing import CliRunner

from heartprint.cli.duplicates import duplicates
from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.duplicates import find_duplicates
from heartprint.cohorts.duplicates.waveforms import MIN_COHERENCE
from heartprint.foundation.errors import HeartprintError
from heartprint.signals.leads import TWELVE_FROM_EIGHT
from heartprint.simulation import simulate

Leads = npt.NDArray[np.float64]


def later(leads: Leads, samples: int) -> Leads:
    """What comes in at the edge is the mirror image of what is there."""
    padded = np.pad(leads, ((0, 0), (abs(samples), abs(samples))), mode="reflect")
    return padded[:, abs(samples) - samples : abs(samples) - samples + leads.shape[1]]


def filtered(leads: Leads, rate: int) -> Leads:
    return np.asarray(signal.sosfilt(signal.butter(2, [0.5, 40], "band", fs=rate, output="sos"), leads, axis=1))


CHANGES: dict[str, Callable[[Leads], tuple[Leads, int]]] = {
    "none": lambda x: (x, 100),
    "another rate": lambda x: (signal.resample_poly(x, 5, 2, axis=1), 250),
    "a second later": lambda x: (later(x, 100), 100),
    "a second earlier": lambda x: (later(x, -100), 100),
    "filter": lambda x: (filtered(x, 100), 100),
    "gain": lambda x: (0.98 * x, 100),
    "all": lambda x: (0.98 * filtered(later(signal.resample_poly(x, 5, 1, axis=1), 333), 500), 500),
}


def add(writer, leads: Leads, rate: int, name: str, step: float = 1.0, *, standardised: bool = False) -> None:
    samples = np.clip(np.rint(np.nan_to_num(leads) * 1000 / step), -32767, 32767).astype(np.int16)
    unit = {"unit": "z"} if standardised else {}
    writer.add(samples, ecg_id=name, patient_id=f"patient {name}", sampling_rate=float(rate), uv_per_bit=step, **unit)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Patients with several ECGs each: alike, and no copies."""
    return simulate(tmp_path_factory.mktemp("archive") / "c", 120, hospital="lifelike", seed=5, progress=False)


@pytest.fixture(scope="module")
def copies(archive: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("copies") / "c"
    with write_cohort(folder, source="copies") as writer:
        for k, change in enumerate(CHANGES.values()):
            for row in range(10 * k, 10 * k + 10):
                leads, rate = change(archive.signal(row).astype(np.float64))
                # Microvolts to the step, as the archive has them: unchanged leads stay the same numbers.
                step = float(archive.records["uv_per_bit"][row])
                add(writer, leads, rate, str(archive.ecg_ids[row]), step)
    return Cohort.open(folder)


def test_every_kind_of_copy_is_found_and_nothing_else(archive: Cohort, copies: Cohort) -> None:
    table = find_duplicates(archive, copies, n_jobs=1)
    assert sorted(table["ecg_id"]) == sorted(archive.ecg_ids[: 10 * len(CHANGES)].tolist())
    assert (table["ecg_id"] == table["other_ecg_id"]).all()
    by_id = {row["ecg_id"]: row for row in table.to_dicts()}
    for k, name in enumerate(CHANGES):
        rows = [by_id[ecg_id] for ecg_id in archive.ecg_ids[10 * k : 10 * k + 10]]
        assert {row["kind"] for row in rows} == {"exact" if name == "none" else "near"}, name
        shift = {"a second later": 1.0, "a second earlier": -1.0, "all": 333 / 500}.get(name, 0.0)
        assert [row["shift_s"] for row in rows] == pytest.approx([shift] * 10, abs=0.016), name
    assert find_duplicates(archive, n_jobs=1).is_empty(), "two ECGs of one patient are no copies"


def test_the_number_of_processes_changes_nothing(archive: Cohort, copies: Cohort) -> None:
    assert find_duplicates(copies, archive, n_jobs=2).equals(find_duplicates(copies, archive, n_jobs=1))


def test_within_a_cohort_each_pair_is_named_once(archive: Cohort, tmp_path: Path) -> None:
    with write_cohort(tmp_path / "c", source="test") as writer:
        for row in range(12):
            add(writer, archive.signal(row).astype(np.float64), 100, str(row))
        for row in (3, 7):
            add(writer, 0.9 * later(archive.signal(row).astype(np.float64), 20), 100, f"copy {row}")
    table = find_duplicates(Cohort.open(tmp_path / "c"), n_jobs=1)
    assert {(a, b) for a, b in zip(table["ecg_id"], table["other_ecg_id"], strict=True)} == {
        ("3", "copy 3"),
        ("7", "copy 7"),
    }
    assert table["shift_s"].to_list() == pytest.approx([0.2, 0.2], abs=0.016)
    assert table["coherence"].min() > MIN_COHERENCE


def test_standardised_leads_are_compared_with_millivolts(archive: Cohort, tmp_path: Path) -> None:
    with write_cohort(tmp_path / "z", source="test") as writer:
        for row in range(10):
            twelve = TWELVE_FROM_EIGHT @ archive.signal(row)
            add(writer, twelve / twelve.std(axis=1, keepdims=True), 100, str(row), standardised=True)
    table = find_duplicates(Cohort.open(tmp_path / "z"), archive, n_jobs=1)
    assert sorted(table["ecg_id"], key=int) == [str(row) for row in range(10)]
    assert set(table["other_ecg_id"]) == set(archive.ecg_ids[:10].tolist())


def test_ecgs_too_short_to_be_compared_are_named(tmp_path: Path) -> None:
    with write_cohort(tmp_path / "c", source="test") as writer:
        add(writer, np.random.default_rng(0).normal(size=(8, 500)), 100, "brief")
    with pytest.raises(HeartprintError, match=r"'brief' lasts 5\.0 s") as caught:
        find_duplicates(Cohort.open(tmp_path / "c"), n_jobs=1)
    assert caught.value.code == "too-short"


def test_the_command_counts_what_would_leak(archive: Cohort, copies: Cohort, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(duplicates)
    runner = CliRunner()
    arguments = [str(archive.path), str(copies.path), "--jobs", "1"]
    told = runner.invoke(app, [*arguments, "--out", str(tmp_path / "d.csv")])
    assert told.exit_code == 0 and "70 pairs of duplicates" in told.stdout and "10 exact" in told.stdout
    assert len((tmp_path / "d.csv").read_text().splitlines()) == 71
    found = json.loads(runner.invoke(app, [*arguments, "--json"]).stdout)
    assert (found["pairs"], found["of_different_patient_ids"]) == (70, 70)
    alone = runner.invoke(app, [str(archive.path), "--jobs", "1"])
    assert "No duplicates in" in alone.stdout


def one_ecg(archive: Cohort, folder: Path, rows: list[int], change: str = "none") -> Cohort:
    with write_cohort(folder, source="test") as writer:
        for i, row in enumerate(rows):
            leads, rate = CHANGES[change](archive.signal(row).astype(np.float64))
            add(writer, leads, rate, f"{change} {i}", float(archive.records["uv_per_bit"][row]))
    return Cohort.open(folder)


@pytest.mark.parametrize("change", ["none", "another rate", "all"])
@pytest.mark.parametrize("n", [1, 2, 6, 40, 240])
def test_one_ecg_is_found_in_archives_of_any_size(change: str, n: int, archive: Cohort, tmp_path: Path) -> None:
    """Few ECGs have nothing in common but that they are copies: it must not be taken away before they are compared."""
    few = archive.take(np.arange(n))
    copy = one_ecg(archive, tmp_path / "copy", [0], change)
    kind = "exact" if change == "none" else "near"
    for first, second in ((few, copy), (copy, few)):
        table = find_duplicates(first, second, n_jobs=1)
        assert table["kind"].to_list() == [kind]
        assert {table["ecg_id"][0], table["other_ecg_id"][0]} == {few.ecg_ids[0], copy.ecg_ids[0]}


@pytest.mark.parametrize("n", [2, 3, 12, 60])
def test_copies_alone_do_not_hide_each_other(n: int, archive: Cohort, tmp_path: Path) -> None:
    table = find_duplicates(one_ecg(archive, tmp_path / "c", [5] * n), n_jobs=1)
    assert set(table["kind"]) == {"exact"}
    assert len(set(table["ecg_id"]) | set(table["other_ecg_id"])) == n
    pairs = table.select("ecg_id", "other_ecg_id").rows()
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    assert table["coherence"].min() == pytest.approx(1.0)


def test_many_copies_of_one_are_not_what_an_archive_has_in_common(archive: Cohort, tmp_path: Path) -> None:
    mostly = one_ecg(archive, tmp_path / "many", [5] * 100 + list(range(10, 40)))
    table = find_duplicates(mostly, one_ecg(archive, tmp_path / "one", [5], "all"), n_jobs=1)
    assert len(table) == 100 and set(table["kind"]) == {"near"}
