"""Pairs: two ECGs of one patient. A policy says which of them may be drawn, an index draws them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, model_validator

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import stable_hash

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Days = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Relation = Literal["any", "same", "other"]

ALL_PAIRS, STRETCHES = "all", "single"
"""Rows of a flow that are no rule of a pair: before any rule, and patients who give two stretches of one ECG."""
_PAIRS_AT_ONCE = 1 << 19
_REMEDIES = {
    "unknown_gaps": "Ingest the cohort with dates, or count pairs without them (-o method.pairs.unknown_gaps=true).",
    "min_gap_days": "Lower it (-o method.pairs.min_gap_days=0).",
    "max_gap_days": "Raise it, or lift it (-o method.pairs.max_gap_days=null).",
    "device": "Lift it (-o method.pairs.device=any); an ECG of unknown device is on neither side.",
    "site": "Lift it (-o method.pairs.site=any); an ECG of unknown site is on neither side.",
}


class PairPolicy(BaseModel):
    """Which two ECGs of a patient make a pair.

    A gap is the absolute difference of the two ``recorded_at`` in days of 24 hours, not in calendar days: two ECGs an
    hour apart over midnight have a gap of 1/24. Limits are inclusive.

    Attributes:
        min_gap_days: Least gap, days.
        max_gap_days: Largest gap, days; None is no limit.
        unknown_gaps: Whether pairs count of which one ECG or both lack a date; no limit holds for them.
        device: ``same`` or ``other``: both ECGs come from equal, or from different, recording devices. An ECG of
            unknown device is neither: its pairs pass ``any`` only.
        site: The same for the place of recording.
        single: What becomes of patients who have no such pair: ``leave_out``, or ``stretches``: they give two disjoint
            stretches of one ECG, as method ``segments`` does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_gap_days: Days = 0.0
    max_gap_days: Days | None = None
    unknown_gaps: bool = True
    device: Relation = "any"
    site: Relation = "any"
    single: Literal["leave_out", "stretches"] = "leave_out"

    @model_validator(mode="after")
    def _ordered(self) -> PairPolicy:
        if self.max_gap_days is not None and self.max_gap_days < self.min_gap_days:
            raise ValueError(f"max_gap_days ({self.max_gap_days:g}) is below min_gap_days ({self.min_gap_days:g})")
        return self

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the settings that can forbid a pair, in the order in which they are counted."""
        active = {
            "unknown_gaps": not self.unknown_gaps,
            "min_gap_days": self.min_gap_days > 0,
            "max_gap_days": self.max_gap_days is not None,
            "device": self.device != "any",
            "site": self.site != "any",
        }
        return tuple(name for name, holds in active.items() if holds)

    def written(self, setting: str) -> str:
        """A setting as one would write it: ``min_gap_days=30``."""
        value = getattr(self, setting)
        return f"{setting}={value:g}" if isinstance(value, float) else f"{setting}={str(value).lower()}"


@dataclass(frozen=True)
class FlowRow:
    """What a rule, and all before it, leave of a cohort.

    Attributes:
        rule: ``all`` for any two ECGs of one patient; then the names of the policy's settings; ``single`` at last if
            patients without a pair give two stretches of one ECG.
        pairs: Unordered pairs.
        patients: Patients who have one; in the row ``single`` all who can be drawn.
        ecgs: ECGs that are in one; in the row ``single`` all that can be drawn.
    """

    rule: str
    pairs: int
    patients: int
    ecgs: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class Pairs:
    """The pairs of a cohort under a policy, drawn one patient at a time. Made from the table, never from waveforms.

    An item is a patient. Items and their ECGs are in the order of their ids, so that shuffling the cohort's rows
    changes no pair.

    No list of pairs is kept. A policy without rules needs the number of each patient's ECGs alone. For any other the
    pairs are gone through once, half a million at a time, to count each ECG's partners; a draw looks up the ECG that
    holds the drawn number and finds its partners again. So the memory grows with the ECGs (up to 40 bytes each), and
    the time with the pairs: a patient with n ECGs has n(n-1)/2.

    Args:
        cohort: Its ``patient_id``, ``ecg_id`` and what the rules look at: ``recorded_at``, ``device``, ``site``.
        policy: Which pairs are allowed.

    Attributes:
        policy: Which pairs are allowed.
        flow: What each rule leaves, cumulatively.
        patients: ``(n_items,)`` patients that can be drawn (see `Cohort.patient_codes`), ascending.
        keys: ``(n_items,)`` uint64, hashes of their ids: what a random draw is to be keyed by.
        rows: Rows of the cohort that can be drawn, ascending.
    """

    def __init__(self, cohort: Cohort, policy: PairPolicy | None = None) -> None:
        self.policy = policy = policy or PairPolicy()
        records = cohort.records
        self._order = records.select(pl.arg_sort_by("patient_id", "ecg_id", maintain_order=True)).to_series().to_numpy()
        starts, counts = _runs(records["patient_id"].gather(self._order))
        self._rules = _Rules(records, self._order, policy) if policy.rules else None
        self._before: Ints | None = None
        any_two = np.repeat(counts >= 2, counts)
        self.flow = [_row(ALL_PAIRS, int((counts * (counts - 1) // 2).sum()), any_two, starts)]
        if self._rules is None:
            in_pair = any_two
        else:
            n_partners = self._count(starts, counts)
            in_pair = n_partners > 0
            self._before = np.concatenate([[0], np.cumsum(n_partners)])
        self._choose(records["patient_id"], starts, counts, in_pair)

    def __len__(self) -> int:
        """Number of items."""
        return len(self.patients)

    def draw(self, item: int, rng: np.random.Generator) -> tuple[int, int]:
        """Draw one allowed pair of a patient; each is as likely in either order.

        Args:
            item: Which patient.
            rng: Where the chance comes from.

        Returns:
            Rows of the two ECGs. They are the same ECG, each as likely, if the patient has no allowed pair and is to
            give two stretches.
        """
        start, n = int(self._starts[item]), int(self._counts[item])
        if not self._paired[item]:
            one = other = start + int(rng.integers(n))
        elif self._before is None:
            one, other = int(rng.integers(n)), int(rng.integers(n - 1))
            other += other >= one
            one, other = start + one, start + other
        else:
            number = int(rng.integers(self._before[start], self._before[start + n]))
            # ECGs without a partner begin where the next one does; the last that begins there has partners.
            one = start + int(np.searchsorted(self._before[start : start + n], number, side="right")) - 1
            other = int(self._partners(one, start, n)[number - self._before[one]])
        return int(self._order[one]), int(self._order[other])

    def require_any(self, name: str) -> None:
        """See that there are pairs.

        Args:
            name: The cohort's name, for the message.

        Raises:
            HeartprintError: ``no-pairs``, naming the rule that left none.
        """
        if self.flow[0].pairs == 0:
            raise HeartprintError(
                "no-pairs",
                f"No patient of '{name}' has two ECGs (in the period asked for), so there are no pairs. Use --method "
                "simclr or (of waveforms) layouts, which need one ECG per patient, or add ECGs.",
            )
        for before, row in zip(self.flow, self.flow[1:], strict=False):
            if row.pairs == 0:
                raise HeartprintError(
                    "no-pairs",
                    f"No pair of ECGs of '{name}' is left: none of the {before.pairs:,} "
                    f"{'pairs' if before.rule == ALL_PAIRS else 'pairs that the rules before it leave'} meets "
                    f"method.pairs.{self.policy.written(row.rule)}. {_REMEDIES[row.rule]}",
                )

    def _count(self, starts: Ints, counts: Ints) -> Ints:
        """``(n,)`` number of each ECG's partners; the flow is counted on the way."""
        assert self._rules is not None
        n_partners = np.zeros(len(self._order), dtype=np.int64)
        pairs = dict.fromkeys(self.policy.rules, 0)
        in_pair = {rule: np.zeros(len(self._order), dtype=np.bool_) for rule in self.policy.rules}
        for one, other in _every_pair(counts):
            for rule in self.policy.rules:
                allowed = self._rules.allow(rule, one, other)
                one, other = one[allowed], other[allowed]
                pairs[rule] += len(one)
                in_pair[rule][one] = in_pair[rule][other] = True
            np.add.at(n_partners, one, 1)
            np.add.at(n_partners, other, 1)
        self.flow += [_row(rule, pairs[rule], in_pair[rule], starts) for rule in self.policy.rules]
        return n_partners

    def _choose(self, patient_ids: pl.Series, starts: Ints, counts: Ints, in_pair: Mask) -> None:
        """Settle who can be drawn, and from which ECGs."""
        paired = _any(in_pair, starts)
        drawn = in_pair
        if self.policy.single == "stretches":
            drawn = in_pair | np.repeat(~paired, counts)
            self.flow.append(_row(STRETCHES, self.flow[-1].pairs, drawn, starts))
        self.patients = np.flatnonzero(_any(drawn, starts))
        self._starts, self._counts, self._paired = (a[self.patients] for a in (starts, counts, paired))
        ids = patient_ids.gather(self._order[self._starts])
        self.keys = np.fromiter((stable_hash(i) for i in ids), dtype=np.uint64, count=len(ids))
        self.rows = np.sort(self._order[drawn]).astype(np.int64)

    def _partners(self, one: int, start: int, n: int) -> Ints:
        assert self._rules is not None
        others: Ints = np.arange(start, start + n)
        others = others[others != one]
        for rule in self.policy.rules:
            others = others[self._rules.allow(rule, np.full_like(others, one), others)]
        return others


def policy_flow(cohort: Cohort, policy: PairPolicy | None = None) -> list[FlowRow]:
    """Count what each rule of a policy leaves of a cohort, cumulatively and in a fixed order.

    Args:
        cohort: Any cohort; its table is read only.
        policy: The rules; those that forbid nothing by what they say have no row.

    Returns:
        The row ``all``, then one for each rule: unknown gaps, least gap, largest gap, device, site; then ``single`` if
        patients without a pair give two stretches of one ECG.
    """
    return Pairs(cohort, policy).flow


class _Rules:
    """What the rules look at, ECG by ECG in the index's order. No rule minds which ECG of a pair is the first."""

    def __init__(self, records: pl.DataFrame, order: npt.NDArray[Any], policy: PairPolicy) -> None:
        self._policy = policy
        rules = policy.rules
        # Null becomes NaT. What a policy does not look at is not kept.
        dated = any(rule in rules for rule in ("unknown_gaps", "min_gap_days", "max_gap_days"))
        self._times = records["recorded_at"].cast(pl.Datetime("us")).to_numpy()[order] if dated else None
        self._codes = {name: _codes(records[name])[order] for name in ("device", "site") if name in rules}

    def allow(self, rule: str, one: Ints, other: Ints) -> Mask:
        """``(k,)`` whether each of k pairs meets a rule."""
        if rule in self._codes:
            first, second = self._codes[rule][one], self._codes[rule][other]
            same: Mask = first == second
            known: Mask = (first >= 0) & (second >= 0)
            return known & (same if getattr(self._policy, rule) == "same" else ~same)
        assert self._times is not None
        gap = np.abs(self._times[one] - self._times[other])
        forbidden: Mask
        if rule == "unknown_gaps":
            forbidden = np.isnat(gap)
        else:
            limit = np.timedelta64(dt.timedelta(days=getattr(self._policy, rule)))
            # Nothing is smaller or larger than an unknown gap.
            forbidden = gap < limit if rule == "min_gap_days" else gap > limit
        return ~forbidden


def _codes(column: pl.Series) -> npt.NDArray[np.int32]:
    """``(n,)`` a number for each different value, -1 for null."""
    numbers = column.cast(pl.Categorical).to_physical().cast(pl.Int32)
    return numbers.fill_null(-1).to_numpy()


def _runs(values: pl.Series) -> tuple[Ints, Ints]:
    """Begin and length of each run of equal values."""
    lengths = values.rle().struct.field("len").to_numpy().astype(np.int64)
    return np.cumsum(lengths) - lengths, lengths


def _any(flags: Mask, starts: Ints) -> Mask:
    """``(p,)`` whether any flag of each patient is set."""
    return np.logical_or.reduceat(flags, starts) if len(starts) else np.zeros(0, dtype=np.bool_)


def _row(rule: str, pairs: int, in_pair: Mask, starts: Ints) -> FlowRow:
    return FlowRow(rule, pairs, int(_any(in_pair, starts).sum()), int(in_pair.sum()))


def _every_pair(counts: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Every two ECGs of one patient once, as places in the index's order, about half a million pairs at a time."""
    ends = np.repeat(np.cumsum(counts), counts)
    later = ends - np.arange(len(ends)) - 1
    upto = np.cumsum(later)
    low = 0
    while low < len(ends):
        done = upto[low] - later[low]
        high = max(low + 1, int(np.searchsorted(upto, done + _PAIRS_AT_ONCE, side="right")))
        n = later[low:high]
        one = np.repeat(np.arange(low, high), n)
        other = np.arange(len(one)) - np.repeat(upto[low:high] - n - done, n) + one + 1
        yield one, other
        low = high
