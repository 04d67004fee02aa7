"""How good the pictures of a cohort of images are, from some of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.cohorts.cohort import Cohort
from heartprint.evaluation.cohort_report.quality import drawn_rows
from heartprint.foundation.arrays import Float64Array, Image
from heartprint.foundation.progress import track

_SIDE = 8
_PAPER, _INK = 0.9, 0.01
_STEEPEST = 0.995


@dataclass(frozen=True)
class PictureQuality:
    """What was measured, one entry per measured picture. Grey levels are shares of white.

    Attributes:
        rows: Which pictures.
        paper: ``(n,)`` grey of the paper: the 90th percentile.
        contrast: ``(n,)`` paper minus the darkest hundredth.
        uneven: ``(n,)`` paper of the lightest part minus that of the darkest; a part is a 64th of the picture.
        sharpness: ``(n,)`` step between neighbouring px, the steepest 0.5 %, as a share of the contrast: 1 = from
            paper to ink within one px; 0 where there is no contrast.
    """

    rows: npt.NDArray[np.int64]
    paper: Float64Array
    contrast: Float64Array
    uneven: Float64Array
    sharpness: Float64Array


def measure_pictures(cohort: Cohort, at_most: int, seed: int = 0) -> PictureQuality:
    """Measure some of the pictures of a cohort of images.

    Args:
        cohort: Images.
        at_most: How many; drawn at random if there are more.
        seed: Seed of the draw.

    Raises:
        HeartprintError: ``no-image`` for a cohort of waveforms.
    """
    rows = drawn_rows(cohort, at_most, seed)
    found = [_one(cohort.image(int(row))) for row in track(rows, "Picture quality")]
    paper, contrast, uneven, sharpness = np.array(found, dtype=np.float64).reshape(-1, 4).T
    return PictureQuality(rows, paper, contrast, uneven, sharpness)


def _one(pixels: Image) -> tuple[float, float, float, float]:
    ink, paper = np.quantile(pixels, (_INK, _PAPER)) / 255
    parts = [
        np.quantile(part, _PAPER) / 255
        for band in np.array_split(pixels, min(_SIDE, pixels.shape[0]), axis=0)
        for part in np.array_split(band, min(_SIDE, pixels.shape[1]), axis=1)
    ]
    grey = pixels.astype(np.int16)
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    steepest = float(np.quantile(steps, _STEEPEST)) / 255 if steps.size else 0.0
    contrast = float(paper - ink)
    sharpness = min(1.0, steepest / contrast) if contrast > 0 else 0.0
    return float(paper), contrast, float(max(parts) - min(parts)), sharpness
