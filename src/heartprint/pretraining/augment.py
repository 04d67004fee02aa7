"""General-purpose augmentations of a finished image (Chen et al. 2020), on uint8."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.pretraining.config import AugmentConfig

Page = npt.NDArray[np.uint8]

_REFERENCE_SIZE = 224
_CROP_TRIES = 10
_LEVELS = np.arange(256, dtype=np.float64)


def augment(page: Page, rng: np.random.Generator, config: AugmentConfig) -> Page:
    """Crop, change the intensity, blur: ``(S, S)`` uint8 -> ``(S, S)`` uint8, decided by ``rng``."""
    page = random_resized_crop(page, rng, config.crop_scale, config.crop_ratio)
    if rng.random() < config.jitter_probability:
        page = jitter(page, rng, config.brightness, config.contrast)
    if rng.random() < config.blur_probability:
        page = blur(page, rng, config.blur_sigma)
    return page


def random_resized_crop(
    page: Page, rng: np.random.Generator, scale: tuple[float, float], ratio: tuple[float, float]
) -> Page:
    """Cut a rectangle out and bring it back to the size of the page (Szegedy et al. 2015).

    Args:
        page: ``(H, W)`` uint8.
        rng: Decides.
        scale: Least and largest share of the area.
        ratio: Least and largest width over height; drawn evenly in its logarithm.
    """
    height, width = page.shape
    for _ in range(_CROP_TRIES):
        area = height * width * rng.uniform(*scale)
        shape = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            cut = page[top : top + h, left : left + w]
            shrinks = w > width or h > height
            return _uint8(
                cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
            )
    return page


def jitter(page: Page, rng: np.random.Generator, brightness: float, contrast: float) -> Page:
    """Multiply the brightness and the contrast about the mean, in random order, each by a random factor.

    Args:
        page: ``(H, W)`` uint8.
        rng: Decides.
        brightness: The factor lies between 1 - brightness and 1: paper is white already.
        contrast: The factor lies between 1 - contrast and 1 + contrast.
    """
    brighter = rng.uniform(1 - brightness, 1)
    starker = rng.uniform(1 - contrast, 1 + contrast)
    brightness_first = rng.random() < 0.5
    counts = np.bincount(page.ravel(), minlength=256)
    levels = _LEVELS
    for brighten in (brightness_first, not brightness_first):
        if brighten:
            levels = levels * brighter
        else:
            mean = float(counts @ levels) / page.size
            levels = (levels - mean) * starker + mean
        levels = np.clip(levels, 0, 255)
    return _uint8(cv2.LUT(page, np.rint(levels).astype(np.uint8)))


def blur(page: Page, rng: np.random.Generator, sigma: tuple[float, float]) -> Page:
    """Blur by a Gaussian; ``sigma`` is the least and largest standard deviation in px at 224 px."""
    width = rng.uniform(*sigma) * page.shape[1] / _REFERENCE_SIZE
    return _uint8(cv2.GaussianBlur(page, (0, 0), width, borderType=cv2.BORDER_REFLECT_101))


def _uint8(image: npt.NDArray[np.generic]) -> Page:
    return np.asarray(image, dtype=np.uint8)
