"""Are wrong sampling rates, scales and polarities found, and right ones left alone? Prints Markdown tables.

    python benchmarks/plausibility.py [--data ../shared/data] [--calibrate]

Every ECG of PTB-XL's subset (100 Hz) and of LUDB (500 Hz, whose raw integers are 1 uV; the gains in its headers are
wrong) is examined as it is and made wrong in each way. The thresholds were set on the patients of PTB-XL's even half
and on simulated ECGs; the odd half and LUDB are tests. An archive is 50 ECGs drawn at random, all wrong in the same
way; it is told when it is refused or cautioned as a whole, or none of its ECGs is taken. Exits with 1 if a bar is
missed. ``--calibrate`` prints the numbers that `heartprint.signals.plausibility` holds, measured on the even half.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.checks import Limits, examine
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import stable_hash
from heartprint.readers import PtbXl, Recording
from heartprint.readers.archive import Archive
from heartprint.readers.people import Rules
from heartprint.signals.leads import LEADS_8, LEADS_12
from heartprint.signals.measurements import measure
from heartprint.signals.plausibility import judge, screen

ROOT = Path(__file__).resolve().parents[1]
ARCHIVES, ARCHIVE_SIZE = 200, 50
BAR_SINGLE, BAR_ARCHIVE, BAR_WARNINGS = 0.95, 0.99, 0.01
# Users have recordings of a minute: here the length must not decide.
ANY_LENGTH = Limits(min_seconds=0.0)
NOTHING = dict.fromkeys(("age", "sex", "recorded_at"))
EIGHT = [LEADS_12.index(name) for name in LEADS_8]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ecg:
    """Twelve leads in mV at their true rate, Hz; ``even`` tells the half of the patients."""

    leads: Floats
    rate: float
    even: bool


@dataclass(frozen=True)
class Verdict:
    """What `examine` said: a code of refusal, codes of cautions, and the facts for the archive."""

    refused: str | None
    cautions: tuple[str, ...] = ()
    facts: dict[str, float] | None = None

    @property
    def told(self) -> bool:
        """Whether a user hears of it."""
        return self.refused is not None or bool(self.cautions)


def ptb_xl(data: Path) -> list[Ecg]:
    """PTB-XL's subset at 100 Hz."""
    ecgs = []
    for row in PtbXl().open(data / "ptb-xl").rows:
        recording = row.recording()
        assert isinstance(recording, Recording)
        order = [[name.lower() for name in recording.lead_names].index(lead.lower()) for lead in LEADS_12]
        ecgs.append(Ecg(recording.signal[order], recording.sampling_rate, stable_hash(row.patient_id) % 2 == 0))
    return ecgs


def ludb(data: Path) -> list[Ecg]:
    """LUDB at 500 Hz, from its raw integers."""
    import wfdb

    ecgs = []
    for number in range(1, 201):
        record = wfdb.rdrecord(str(data / "ludb" / "data" / str(number)), physical=False)
        order = [[name.lower() for name in record.sig_name].index(lead.lower()) for lead in LEADS_12]
        ecgs.append(Ecg(record.d_signal.T[order] / 1000.0, float(record.fs), False))
    return ecgs


def per_lead(scale: Callable[[Floats], Floats]) -> Callable[[Ecg], Ecg]:
    """A wrong way for each lead by itself."""
    return lambda ecg: replace(ecg, leads=np.stack([scale(lead) for lead in ecg.leads]))


def scaled(factor: float) -> Callable[[Ecg], Ecg]:
    """All leads by one factor."""
    return lambda ecg: replace(ecg, leads=ecg.leads * factor)


def counts(uv: float, mv_per_count: float) -> Callable[[Ecg], Ecg]:
    """Machine counts of some uV, read as if each were so many mV."""
    return lambda ecg: replace(ecg, leads=np.rint(ecg.leads * 1000.0 / uv) * mv_per_count)


def clocked(factor: float) -> Callable[[Ecg], Ecg]:
    """The same samples at a wrong sampling rate."""
    return lambda ecg: replace(ecg, rate=ecg.rate * factor)


RATES = {f"sampling rate x{factor:g}": clocked(factor) for factor in (0.1, 0.2, 0.5, 2.0, 5.0)}
OTHERS: dict[str, Callable[[Ecg], Ecg]] = {
    "amplitude x1000 (uV as mV)": scaled(1000.0),
    "amplitude /1000 (mV as uV)": scaled(0.001),
    "z per lead": per_lead(lambda lead: (lead - lead.mean()) / lead.std()),
    "one standard deviation for all": lambda ecg: replace(ecg, leads=ecg.leads / ecg.leads.std()),
    "min-max per lead, 0 to 1": per_lead(lambda lead: (lead - lead.min()) / np.ptp(lead)),
    "min-max of all leads, -1 to 1": lambda ecg: replace(
        ecg, leads=2 * (ecg.leads - ecg.leads.min()) / np.ptp(ecg.leads) - 1
    ),
    "largest value per lead 1": per_lead(lambda lead: lead / np.abs(lead).max()),
    "counts of 4.88 uV as mV": counts(4.88, 1.0),
    "counts of 4.88 uV as uV": counts(4.88, 0.001),
    "counts of 2.5 uV as uV": counts(2.5, 0.001),
    "upside down": scaled(-1.0),
}


def verdict(ecg: Ecg, limits: Limits | None = None) -> Verdict:
    """What `examine` says of an ECG."""
    try:
        got = examine(ecg.leads, LEADS_12, ecg.rate, limits=limits)
    except HeartprintError as error:
        return Verdict(error.code)
    return Verdict(None, tuple(c.code for c in got.cautions), dict(got.facts))


def archives_told(ecgs: Sequence[Ecg], verdicts: Sequence[Verdict], rng: np.random.Generator) -> float:
    """Share of random archives that are told as a whole."""
    told = 0
    for _ in range(ARCHIVES):
        chosen = rng.choice(len(ecgs), ARCHIVE_SIZE, replace=False)
        archive, taken = Archive(Rules()), 0
        for i in chosen.tolist():
            if verdicts[i].facts is not None:
                taken += 1
                about = {"patient_id": str(i), "sampling_rate": ecgs[i].rate}
                archive.add(str(i), {**NOTHING, **about}, verdicts[i].facts or {})
            else:
                archive.refuse(HeartprintError(str(verdicts[i].refused), ""))
        try:
            told += taken == 0 or bool(archive.judge())
        except HeartprintError:
            told += 1
    return told / ARCHIVES


def right(name: str, ecgs: Sequence[Ecg]) -> bool:
    """A line for ECGs as they are; True if none is refused and few are cautioned."""
    verdicts = [verdict(ecg) for ecg in ecgs]
    refused = [v for v in verdicts if v.refused]
    warned = [v for v in verdicts if v.refused is None and v.cautions]
    codes = Counter(code for v in verdicts for code in ((v.refused,) if v.refused else v.cautions))
    said = ", ".join(f"{code} {count}" for code, count in sorted(codes.items())) or "-"
    whole = archives_told(ecgs, verdicts, np.random.default_rng(0)) if len(ecgs) >= ARCHIVE_SIZE else 0.0
    share = len(warned) / len(ecgs)
    print(
        f"| {name} | {len(ecgs):,} | {len(refused)} | {len(warned)} ({share:.2%}) | {said} | {whole:.1%} |", flush=True
    )
    return not refused and share <= BAR_WARNINGS and whole == 0.0


def wrong(name: str, ecgs: Sequence[Ecg], way: Callable[[Ecg], Ecg], alone: bool) -> bool:
    """A line for ECGs made wrong in one way; True if both bars are met."""
    made = [way(ecg) for ecg in ecgs]
    verdicts = [verdict(ecg) for ecg in made]
    refused, told = np.mean([v.refused is not None for v in verdicts]), np.mean([v.told for v in verdicts])
    whole = archives_told(made, verdicts, np.random.default_rng(0))
    by_new = "-"
    # Below 50 Hz nothing is taken anyway.
    if alone and made[0].rate >= ANY_LENGTH.min_sampling_rate:
        free = [verdict(ecg, ANY_LENGTH) for ecg in made]
        found = [v.refused == "implausible-rate" or "implausible-rate" in v.cautions for v in free]
        by_new = f"{np.mean(found):.1%}, archive {archives_told(made, free, np.random.default_rng(0)):.1%}"
    codes = Counter(v.refused for v in verdicts if v.refused).most_common(2)
    said = ", ".join(f"{code} {count / len(ecgs):.0%}" for code, count in codes) or "-"
    print(f"| {name} | {refused:.1%} | {told:.1%} | {whole:.1%} | {by_new} | {said} |", flush=True)
    return told >= BAR_SINGLE and whole >= BAR_ARCHIVE


def cost(name: str, ecgs: Sequence[Ecg]) -> None:
    """Processor time that the judgement of rate and polarity adds."""
    began = time.process_time()
    for ecg in ecgs:
        judge(ecg.leads[EIGHT], ecg.rate)
    judged = time.process_time() - began
    began = time.process_time()
    for ecg in ecgs:
        examine(ecg.leads, LEADS_12, ecg.rate)
    whole = time.process_time() - began
    print(f"| {name} | {1000 * judged / len(ecgs):.2f} ms | {1000 * whole / len(ecgs):.2f} ms |", flush=True)


def calibrate(ecgs: Sequence[Ecg]) -> None:
    """Print what `heartprint.signals.plausibility` holds."""
    rows: list[Any] = []
    for ecg in ecgs:
        seen, found = screen(ecg.leads[EIGHT], ecg.rate), measure(ecg.leads[EIGHT], ecg.rate)
        rows.append(np.log([seen.rate_bpm, seen.frequency_hz, found.qrs_ms, found.qt_ms]))
    values = np.array(rows)
    values = values[np.isfinite(values).all(axis=1)]
    print("heart rate (1/min), median frequency of slopes (Hz), QRS (ms), QT (ms)")
    print("centre     ", np.exp(np.median(values, axis=0)).round(1).tolist())
    print("spread     ", values.std(axis=0).round(3).tolist())
    print("correlation", np.corrcoef(values.T).round(2).tolist())


def main() -> int:
    """Measure all."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options.add_argument("--calibrate", action="store_true")
    chosen = options.parse_args()
    first = ptb_xl(chosen.data)
    even, odd = [ecg for ecg in first if ecg.even], [ecg for ecg in first if not ecg.even]
    if chosen.calibrate:
        calibrate(even)
        return 0
    second = ludb(chosen.data)
    met = True
    print("| as they are | ECGs | refused | cautioned | codes | archives told |\n|---|---|---|---|---|---|")
    for name, ecgs in (("PTB-XL, even half (calibration)", even), ("PTB-XL, odd half", odd), ("LUDB", second)):
        met &= right(name, ecgs)
    for name, ecgs in (("PTB-XL", first), ("LUDB", second)):
        heads = ["refused", "refused or cautioned", f"archives of {ARCHIVE_SIZE} told"]
        heads += ["by the check of rates alone, whatever the length", "commonest refusals"]
        print(f"\n| {name}, made wrong | {' | '.join(heads)} |\n|---|---|---|---|---|---|")
        for way, make in (RATES | OTHERS).items():
            met &= wrong(way, ecgs, make, way in RATES)
    print("\n| cost per ECG | rate and polarity | whole examination |\n|---|---|---|")
    cost("PTB-XL, 100 Hz, 10 s", first[:300])
    cost("LUDB, 500 Hz, 10 s", second)
    print("\n" + ("All bars are met." if met else "A bar was missed."))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
