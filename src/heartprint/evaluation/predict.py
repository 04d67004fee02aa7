"""A model's answer to every ECG of a cohort."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts import Cohort
from heartprint.encoders.bundle.heads import ClassHead, NumberHead
from heartprint.foundation.arrays import Images
from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.foundation.files import atomic_path, check_target
from heartprint.foundation.prefetch import prefetch
from heartprint.foundation.progress import Progress

if TYPE_CHECKING:
    from heartprint.encoders import LoadedEncoder, LoadedModel

_CLASS_COLUMNS: dict[str, pl.DataType] = {
    "probability": pl.Float64(),
    "logit": pl.Float64(),
    "above_threshold": pl.Boolean(),
}
_NUMBER_COLUMNS: dict[str, pl.DataType] = {"value": pl.Float64(), "low": pl.Float64(), "high": pl.Float64()}
_WHOSE: dict[str, pl.DataType] = {"ecg_id": pl.String(), "patient_id": pl.String()}
_HOW: dict[str, pl.DataType] = {"distance": pl.Float64(), "status": pl.String(), "reason": pl.String()}

PREDICTION_COLUMNS: dict[str, pl.DataType] = {**_WHOSE, **_CLASS_COLUMNS, **_HOW}
"""Columns of a prediction file of a model with one task, of classes; `prediction_columns` are those of any model.

``status`` is ``scored``, ``warned`` (scored, but the sheet is unlike those that the model knows, or the model cannot
tell) or ``refused``; ``reason`` says why it is not plainly scored. ``distance`` says how unlike, see
`heartprint.encoders.bundle.distance`.
"""

Failure = tuple[str, str]
_Batch = tuple[Images, dict[int, Failure]]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of ECGs in one or more layouts.

    Attributes:
        outputs: ``(n_heads, n_layouts, n)`` float64, what each head gave: logits, or raw numbers; NaN where the ECG
            was refused.
        distances: ``(n_layouts, n)`` float64, how unlike the known sheets each sheet is; NaN as well where the model
            cannot tell.
        warned: ``(n_layouts, n)`` whether an answer is in doubt: beyond the limit, or the model cannot tell.
        failures: Row to reason code and sentence.
    """

    outputs: npt.NDArray[np.float64]
    distances: npt.NDArray[np.float64]
    warned: npt.NDArray[np.bool_]
    failures: dict[int, Failure]


def prediction_columns(heads: Sequence[ClassHead | NumberHead]) -> dict[str, pl.DataType]:
    """Columns of the prediction file of a model: with several heads, or numbers, each column begins with the task."""
    if len(heads) == 1 and isinstance(heads[0], ClassHead):
        return PREDICTION_COLUMNS
    told: dict[str, pl.DataType] = {}
    for head in heads:
        own = _CLASS_COLUMNS if isinstance(head, ClassHead) else _NUMBER_COLUMNS
        told |= {f"{head.task.name}_{name}": kind for name, kind in own.items()}
    return {**_WHOSE, **told, **_HOW}


def answers(head: ClassHead | NumberHead, outputs: npt.NDArray[np.float64]) -> dict[str, pl.Series]:
    """What a head tells, by the names of its columns.

    Args:
        head: The head.
        outputs: ``(n,)`` of it, NaN where the ECG was refused.
    """
    if isinstance(head, NumberHead):
        return {
            name: pl.Series(found).fill_nan(None)
            for name, found in zip(_NUMBER_COLUMNS, head.values(outputs), strict=True)
        }
    probabilities = head.platt(outputs)
    above = [None if np.isnan(p) else bool(p >= head.threshold) for p in probabilities]
    return {
        "probability": pl.Series(probabilities).fill_nan(None),
        "logit": pl.Series(outputs).fill_nan(None),
        "above_threshold": pl.Series(above, dtype=pl.Boolean),
    }


def predict(
    model: str | Path | LoadedModel,
    cohort: Cohort,
    out: str | Path,
    *,
    layout: str = "standard",
    batch_size: int = 64,
    device: str = "auto",
    progress: bool = True,
) -> pl.DataFrame:
    """Score a cohort and write one row per ECG; the file is there whole or not at all.

    Args:
        model: Model folder, or a model in memory.
        cohort: The ECGs.
        out: CSV file to write (`prediction_columns`).
        layout: Layout of the sheets.
        batch_size: Sheets at a time.
        device: ``auto``, ``cpu`` or ``cuda``; for a model folder.
        progress: Whether to show progress.

    Returns:
        The table that was written, in the cohort's order.

    Raises:
        HeartprintError: ``output-not-writable``, ``unknown-layout``, ``out-of-memory``, ``disk-full``, what
            ``load_model`` raises.
    """
    check_target(Path(out))
    loaded = ready(model, device)
    scores = score_layouts(loaded, cohort, [layout], batch_size=batch_size, progress=progress)
    failed = [scores.failures.get(row) for row in range(len(cohort))]
    in_doubt = zip(scores.distances[0].tolist(), scores.warned[0].tolist(), strict=True)
    told = [f or (doubt(loaded, d) if warned else None) for f, (d, warned) in zip(failed, in_doubt, strict=True)]
    columns = prediction_columns(loaded.heads)
    told_by = [answers(head, outputs[0]) for head, outputs in zip(loaded.heads, scores.outputs, strict=True)]
    values = [column for of_head in told_by for column in of_head.values()]
    table = pl.DataFrame(
        {
            "ecg_id": cohort.records["ecg_id"],
            "patient_id": cohort.records["patient_id"],
            **dict(zip(list(columns)[len(_WHOSE) : -len(_HOW)], values, strict=True)),
            "distance": pl.Series(scores.distances[0]).fill_nan(None),
            "status": [
                "refused" if f else "warned" if w else "scored"
                for f, w in zip(failed, scores.warned[0].tolist(), strict=True)
            ],
            "reason": [f"{t[0]}: {t[1]}" if t else None for t in told],
        },
        schema=columns,
    )
    with atomic_path(Path(out)) as path:
        table.write_csv(path)
    return table


def doubt(model: LoadedModel, distance: float) -> Caution:
    """Why an answer is in doubt."""
    known = model.encoder.distance
    if known is None:
        return Caution(
            "no-distance",
            "This model cannot tell how unlike the sheets it knows this one is. Look at the picture, and make the "
            "model again with 'heartprint finetune'.",
        )
    return Caution(
        "unlike-known-sheets",
        f"Its distance of {distance:.1f} is beyond the limit of {known.limit:.1f}: it does not look like the sheets "
        "that the model knows. See whether it is an ECG, upright, cut to the sheet, and in a layout that the model "
        f"knows ({', '.join(known.layouts) or 'that of the images it learned from'}).",
    )


def ready(model: str | Path | LoadedModel, device: str = "auto") -> LoadedModel:
    """Load a model folder onto a device; a model in memory is passed through.

    Raises:
        HeartprintError: ``no-such-device``, what ``load_model`` raises.
    """
    from heartprint.encoders import load_model
    from heartprint.training.device import choose_device

    if not isinstance(model, str | Path):
        return model
    loaded = load_model(model)
    loaded.encoder.encoder.to(choose_device(device))
    return loaded


def score_layouts(
    model: LoadedModel, cohort: Cohort, layouts: Sequence[str], *, batch_size: int = 64, progress: bool = True
) -> Scores:
    """Score each ECG on one upright sheet per layout; an ECG that cannot be drawn does not stop the others.

    Args:
        model: The model, on the device it is to use.
        cohort: The ECGs.
        layouts: Names of the layouts.
        batch_size: Sheets at a time.
        progress: Whether to show progress.

    Raises:
        HeartprintError: ``unknown-layout``, ``needs-waveforms`` if images are asked for in a layout,
            ``out-of-memory``.
    """
    from heartprint.encoders import embed_images
    from heartprint.sheets import layouts_of
    from heartprint.training.out_of_memory import memory_explained

    layouts = layouts_of(cohort, layouts)
    known = model.encoder.distance
    outputs = np.full((len(model.heads), len(layouts), len(cohort)), np.nan)
    distances = np.full((len(layouts), len(cohort)), np.nan)
    failures: dict[int, Failure] = {}
    done = 0
    step = max(1, batch_size // len(layouts))
    shown_or_not = Progress("Scoring", len(cohort)) if progress else contextlib.nullcontext()
    with memory_explained(batch_size), shown_or_not as shown:
        for images, failed in _drawn(model.encoder, cohort, layouts, step):
            n = images.shape[1]
            embedding = embed_images(model.encoder, images.reshape(-1, *images.shape[2:]), batch_size=batch_size)
            # Once for all heads: the network is what takes the time.
            outputs[:, :, done : done + n] = model.outputs(embedding).reshape(-1, len(layouts), n)
            if known is not None:
                distances[:, done : done + n] = known(embedding).reshape(len(layouts), n)
            outputs[:, :, list(failed)] = distances[:, list(failed)] = np.nan
            failures |= failed
            done += n
            if shown is not None:
                shown.advance(n)
    # A distance that is no number is in doubt as well.
    warned = ~np.isnan(outputs[0]) & ~(distances <= (known.limit if known is not None else -np.inf))
    return Scores(outputs, distances, warned, failures)


def _drawn(encoder: LoadedEncoder, cohort: Cohort, layouts: Sequence[str], step: int) -> Iterator[_Batch]:
    """Images ``(n_layouts, <= step, S, S)`` and failures, in order, one batch ahead of the caller."""
    sampler = encoder.config.images

    def draw(start: int) -> _Batch:
        rows = range(start, min(start + step, len(cohort)))
        images = np.full((len(layouts), len(rows), sampler.size, sampler.size), 255, dtype=np.uint8)
        failed: dict[int, Failure] = {}
        for k, row in enumerate(rows):
            try:
                _check_readable(cohort, row)
                for image, layout in zip(images[:, k], layouts, strict=True):
                    image[...] = sampler.sheet(cohort, row, layout=layout)
            except HeartprintError as error:
                failed[row] = (error.code, error.message)
            except (ValueError, IndexError) as error:
                failed[row] = ("unreadable", f"This ECG cannot be drawn ({error}). Ingest it again.")
        return images, failed

    return prefetch(range(0, len(cohort), step), draw)


def _check_readable(cohort: Cohort, row: int) -> None:
    if cohort.kind == "image":  # looked at when it was taken in
        return
    rate = cohort.sampling_rate(row)
    if not np.isfinite(cohort.signal(row)).any():
        raise HeartprintError("no-signal", "Every sample of this ECG is missing. Export it again from its source.")
    if not rate > 0:
        raise HeartprintError("bad-sampling-rate", f"Its sampling rate is {rate:g} Hz. Correct it and ingest it again.")
