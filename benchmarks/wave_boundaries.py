"""How far are our intervals from those that cardiologists marked? On LUDB, 200 real ECGs.

    python benchmarks/wave_boundaries.py DATA/ludb [--json]

`heartprint.signals.measurements` gives one QRS duration, PR and QT for an ECG. LUDB's cardiologists marked the start
and end of every P, QRS and T in every lead by itself. Both readings of "global" are shown: from the earliest start to
the latest end in any lead (as the CSE study has it, Willems 1985), and from the median start to the median end of the
leads (which one lead marked oddly cannot move). Of an ECG, the median of its beats. Limits of agreement are those of
Bland and Altman (1986): mean difference +- 1.96 standard deviations; ours minus theirs, in ms.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import wfdb

from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Ludb, ingest
from heartprint.signals.leads import LEADS_12
from heartprint.signals.measurements import measure

RATE = 500
SAME_BEAT = 60  # samples (120 ms) by which the peaks of one QRS may differ between leads
Wave = tuple[int, int, int]  # start, peak, end in samples
INTERVALS = ("qrs_ms", "pr_ms", "qt_ms")


def waves_of(record: Path, lead: str) -> dict[str, list[Wave]]:
    """The waves that were marked in one lead by kind; those without both boundaries are left out."""
    notes = wfdb.rdann(str(record), lead.lower())
    found: dict[str, list[Wave]] = {"p": [], "N": [], "t": []}
    marks = list(zip(notes.symbol, notes.sample, strict=True))
    for before, (symbol, at), after in zip(marks, marks[1:], marks[2:], strict=False):
        if symbol in found and before[0] == "(" and after[0] == ")":
            found[symbol].append((int(before[1]), int(at), int(after[1])))
    return found


def marked(leads: Sequence[dict[str, list[Wave]]], together: str) -> dict[str, float]:
    """QRS duration, PR and QT in ms that the cardiologists' marks give; NaN where there are none.

    Args:
        leads: What `waves_of` gave for each lead.
        together: ``widest`` (earliest start, latest end of any lead) or ``median`` (of the leads).
    """
    first, last = (min, max) if together == "widest" else (np.median, np.median)
    peaks = np.sort([peak for lead in leads for _, peak, _ in lead["N"]])
    if not len(peaks):
        return dict.fromkeys(INTERVALS, float("nan"))
    beats = np.split(peaks, np.flatnonzero(np.diff(peaks) > SAME_BEAT) + 1)
    centres = [float(np.median(beat)) for beat in beats if len(beat) >= 6]
    rows = []
    for i, centre in enumerate(centres):
        qrs = [w for lead in leads for w in lead["N"] if abs(w[1] - centre) <= SAME_BEAT]
        before = centres[i - 1] if i else -np.inf
        after = centres[i + 1] if i + 1 < len(centres) else np.inf
        # P belongs to the next QRS if nothing lies in between and it starts less than 400 ms before.
        p = [w for lead in leads for w in lead["p"] if max(before, centre - 0.4 * RATE) < w[1] < centre]
        t = [w for lead in leads for w in lead["t"] if centre < w[1] < min(after, centre + 0.6 * RATE)]
        onset, offset = float(first([w[0] for w in qrs])), float(last([w[2] for w in qrs]))
        rows.append(
            (
                offset - onset,
                onset - float(first([w[0] for w in p])) if len(p) >= 6 else np.nan,
                float(last([w[2] for w in t])) - onset if len(t) >= 6 else np.nan,
            )
        )
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return {
        name: float(np.nanmedian(column) * 1000 / RATE) if np.isfinite(column).any() else float("nan")
        for name, column in zip(INTERVALS, columns, strict=True)
    }


def agreement(ours: Iterable[float], theirs: Iterable[float]) -> dict[str, float]:
    """Bland and Altman's figures of ours minus theirs, ms."""
    one, other = np.array(list(ours)), np.array(list(theirs))
    difference = (one - other)[np.isfinite(one) & np.isfinite(other)]
    low, high = difference.mean() + 1.96 * difference.std(ddof=1) * np.array([-1, 1])
    return {
        "ecgs": len(difference),
        "only_ours": int((np.isfinite(one) & ~np.isfinite(other)).sum()),
        "only_theirs": int((~np.isfinite(one) & np.isfinite(other)).sum()),
        "median": float(np.median(difference)),
        "median_absolute": float(np.median(np.abs(difference))),
        "mean": float(difference.mean()),
        "low": float(low),
        "high": float(high),
        "within_20_ms": float((np.abs(difference) <= 20).mean()),
    }


def main() -> int:
    """Measure all ECGs and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("ludb", type=Path)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            cohort = ingest(Ludb(), chosen.ludb, Path(folder) / "ludb")
            found = [measure(cohort.signal(i), cohort.sampling_rate(i)) for i in range(len(cohort))]
            names = cohort.ecg_ids.tolist()
    except HeartprintError as error:
        print(error.message, file=sys.stderr)
        return 1
    waves = [[waves_of(chosen.ludb / "data" / name, lead) for lead in LEADS_12] for name in names]
    results = {}
    for together in ("widest", "median"):
        told = [marked(leads, together) for leads in waves]
        for name in INTERVALS:
            ours = [getattr(m, name) for m in found]
            results[f"{name.removesuffix('_ms').upper()}, {together}"] = agreement(ours, [t[name] for t in told])
    if chosen.json:
        print(json.dumps(results, indent=2))
        return 0
    print("| ours minus the cardiologists' | ECGs | median, ms | median abs. | mean (limits of agreement) | <= 20 ms |")
    print("|---|---|---|---|---|---|")
    for name, r in results.items():
        limits = f"{r['mean']:+.0f} ({r['low']:+.0f} to {r['high']:+.0f})"
        numbers = f"{r['ecgs']:.0f} | {r['median']:+.0f} | {r['median_absolute']:.0f} | {limits}"
        print(f"| {name} | {numbers} | {r['within_20_ms']:.0%} |")
    print(*(f"{n}: only ours {r['only_ours']}, only theirs {r['only_theirs']}" for n, r in results.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
