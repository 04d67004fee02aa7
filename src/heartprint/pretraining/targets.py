"""What a sheet says of its own waveform, as numbers that an encoder can learn to read off it.

No label goes into them, no knowledge of the simulator, and nothing of the patient: every number is measured from the
waveform that is drawn (see `heartprint.signals.measurements`), so an unlabelled archive of real ECGs has them as well.
They do hold what passes: the irregularity of RR is most of what atrial fibrillation is. An encoder that learned them
is therefore never called merely biometric, and its comparisons say what it learned.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from heartprint.cohorts import Cohort
from heartprint.cohorts.measure import measure_cohort_with_beats
from heartprint.foundation.arrays import Float32Array
from heartprint.foundation.bounded import BadFile, parse_json, read_npz
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path
from heartprint.signals.measurements import FEATURE_NAMES

SHAPES = 64
"""Principal components of the median beat that are learned."""
_SHAPE_ECGS = 6000  # from which the components are taken; more change nothing that is seen
_MAX_BYTES = 2**36
_CLIP_MV, _CLIP_SHAPE = 3.0, 6.0


RHYTHM = ("rate_bpm", "rr_irregularity", "rr_variation", "p_consistency")
"""The measurements that are learned as a part of their own: four numbers that would drown among the rest."""


@dataclass(frozen=True)
class Targets:
    """What is to be read off the sheets of a cohort.

    Attributes:
        names: ``(k,)`` names: those of `RHYTHM`, the rest of `FEATURE_NAMES`, ``beat_01``..., and maybe ``label_...``.
        values: ``(n, k)`` float32, each about standard normal over the cohort, NaN = not measurable or not known.
        parts: Numbers of consecutive columns that are averaged together in the loss; the parts then count alike.
    """

    names: tuple[str, ...]
    values: Float32Array
    parts: tuple[int, ...]

    def save(self, path: Path) -> None:
        """Write them to an ``.npz`` without pickle, whole or not at all."""
        with atomic_path(path) as new, new.open("wb") as handle:
            np.savez(handle, about=np.array(json.dumps([self.names, self.parts])), values=self.values)

    @classmethod
    def load(cls, path: Path | BinaryIO, rows: int | None = None) -> Targets:
        """Read what `save` wrote.

        Args:
            path: The file.
            rows: ECGs that it must be of.

        Raises:
            HeartprintError: ``targets-damaged``.
        """
        try:
            about, values = read_npz(path, "about", "values", limit=_MAX_BYTES)
            names, parts = parse_json(str(about).encode())
            if values.dtype != np.float32 or values.ndim != 2 or np.isinf(values).any():
                raise BadFile("does not hold a table of numbers")
            if values.shape[1] != len(names) or not all(isinstance(name, str) for name in names):
                raise BadFile("does not name its columns")
            if not all(type(n) is int and n > 0 for n in parts) or sum(parts) != len(names):
                raise BadFile("has other parts than columns")
            if rows is not None and len(values) != rows:
                raise BadFile(f"has {len(values):,} rows for {rows:,} ECGs")
            return cls(tuple(names), values, tuple(parts))
        except (OSError, ValueError, TypeError) as error:
            raise HeartprintError(
                "targets-damaged",
                f"{path} cannot be read ({error}). Delete it; the run measures its ECGs again when it is resumed.",
            ) from error


def blank_targets(n_ecgs: int = 1) -> Targets:
    """Targets of some ECGs, all 0 and as many as a cohort usually has: to see what learning them costs."""
    parts = (len(RHYTHM), len(FEATURE_NAMES) - len(RHYTHM), SHAPES)
    names = tuple(f"number_{k + 1}" for k in range(sum(parts)))
    return Targets(names, np.zeros((n_ecgs, sum(parts)), dtype=np.float32), parts)


def measure_targets(cohort: Cohort, *, labels: bool = False, progress: bool = True) -> Targets:
    """Measure the targets of every ECG.

    Measurements are brought to a standard normal by their ranks (heavy tails, such as those of RR irregularity, would
    rule a squared error). The median beat of the eight leads is given by its first principal components over the
    cohort, scaled by the root of their spread: between plain mV, where the largest waves are all that counts, and
    whitening, where noise counts as much as P waves do.

    Args:
        cohort: ECGs.
        labels: Whether to add sex, age and the labels of the cohort's table.
        progress: Whether to show progress.
    """
    known = _labels(cohort) if labels else {}
    table, beats = measure_cohort_with_beats(cohort, n_jobs=-1, progress=progress)
    shapes = _shapes(beats)
    order = [FEATURE_NAMES.index(name) for name in RHYTHM]
    order += [k for k, name in enumerate(FEATURE_NAMES) if name not in RHYTHM]
    names = [FEATURE_NAMES[k] for k in order]
    names += [f"beat_{k + 1:02d}" for k in range(shapes.shape[1])]
    columns = [_normal_scores(table[:, order]), shapes, *(_standardised(value)[:, None] for value in known.values())]
    parts = (len(RHYTHM), len(order) - len(RHYTHM), shapes.shape[1], len(known))
    return Targets((*names, *known), np.concatenate(columns, axis=1), tuple(n for n in parts if n))


def _labels(cohort: Cohort) -> dict[str, Float32Array]:
    """What the table says of each ECG: ``label_...``, as floats, NaN = not known."""
    records = cohort.records
    out = {"label_female": (records["sex"] == "female").cast(pl.Float32), "label_age": records["age"]}
    out |= {name: records[name] for name in records.columns if name.startswith("label_")}
    return {name: series.cast(pl.Float32).fill_null(float("nan")).to_numpy() for name, series in out.items()}


def _standardised(values: Float32Array) -> Float32Array:
    known = values[~np.isnan(values)]
    if not known.size or known.std() == 0:
        return np.full_like(values, np.nan)
    return np.asarray((values - known.mean()) / known.std(), dtype=np.float32)


def _normal_scores(table: Float32Array) -> Float32Array:
    """Rank-based inverse normal transformation of each column (Blom 1958, with ranks - 1/2); NaN stays NaN."""
    from scipy.stats import norm, rankdata

    out = np.full_like(table, np.nan)
    for k in range(table.shape[1]):
        known = ~np.isnan(table[:, k])
        if known.any():
            ranks = rankdata(table[known, k])
            out[known, k] = norm.ppf((ranks - 0.5) / known.sum())
    return out


def _shapes(beats: Float32Array) -> Float32Array:
    """Principal components of ``(n, 8, samples)`` median beats: ``(n, SHAPES)``, NaN where a lead is missing."""
    flat = np.clip(beats.reshape(len(beats), -1), -_CLIP_MV, _CLIP_MV)
    whole = np.flatnonzero(~np.isnan(flat).any(axis=1))
    out = np.full((len(beats), SHAPES), np.nan, dtype=np.float32)
    if len(whole) <= SHAPES:
        return out[:, :0]
    mean = flat[whole].mean(axis=0)
    some = whole[np.linspace(0, len(whole) - 1, min(len(whole), _SHAPE_ECGS)).astype(np.int64)]
    _, _, axes = np.linalg.svd(flat[some] - mean, full_matrices=False)
    scores = (flat[whole] - mean) @ axes[:SHAPES].T
    scores /= np.sqrt(scores.std(axis=0) + 1e-6)
    out[whole] = np.clip(scores / scores.std(), -_CLIP_SHAPE, _CLIP_SHAPE)
    return out
