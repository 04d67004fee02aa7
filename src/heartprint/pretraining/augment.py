"""General-purpose augmentations of a finished image (Chen et al. 2020), on uint8."""

from __future__ import annotations

import math
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from heartprint.foundation.arrays import Image

Share = Annotated[float, Field(ge=0, le=1)]

_REFERENCE_SIZE = 224
_CROP_TRIES = 10
_LEVELS = np.arange(256, dtype=np.float64)


class AugmentConfig(BaseModel):
    """The image augmentations of ``simclr``, after Chen et al. 2020 (A Simple Framework for Contrastive Learning).

    Where Chen's values for photographs would spoil a sheet they are milder, so that the baseline is a fair one: a crop
    of 0.08 of an image holds two beats; a white image made brighter is blank. What has no meaning on a grey ECG sheet
    is left out: colour, and mirroring.

    Attributes:
        crop_scale: Least and largest share of the image's area that a random crop keeps (Chen: 0.08 to 1).
        crop_ratio: Least and largest width over height of the crop.
        jitter_probability: How often brightness and contrast change.
        brightness: Largest relative loss of brightness (Chen: 0.8, up or down).
        contrast: Largest relative change of contrast, up or down (Chen: 0.8).
        blur_probability: How often the image is blurred.
        blur_sigma: Least and largest standard deviation of the Gaussian blur, px at 224 px; scaled with the image.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crop_scale: tuple[Share, Share] = (0.2, 1.0)
    crop_ratio: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (3 / 4, 4 / 3)
    jitter_probability: Share = 0.8
    brightness: Share = 0.4
    contrast: Share = 0.4
    blur_probability: Share = 0.5
    blur_sigma: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.1, 2.0)

    @model_validator(mode="after")
    def _ordered(self) -> AugmentConfig:
        for name in ("crop_scale", "crop_ratio", "blur_sigma"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(
                    f"{name} needs a positive least value that is not above the largest, got {low}, {high}"
                )
        return self


def augment(image: Image, rng: np.random.Generator, config: AugmentConfig) -> Image:
    """Crop, change the intensity, blur: ``(S, S)`` uint8 -> ``(S, S)`` uint8, decided by ``rng``."""
    image = random_resized_crop(image, rng, config.crop_scale, config.crop_ratio)
    if rng.random() < config.jitter_probability:
        image = jitter(image, rng, config.brightness, config.contrast)
    if rng.random() < config.blur_probability:
        image = blur(image, rng, config.blur_sigma)
    return image


def random_resized_crop(
    image: Image, rng: np.random.Generator, scale: tuple[float, float], ratio: tuple[float, float]
) -> Image:
    """Cut a rectangle out and bring it back to the size of the image (Szegedy et al. 2015).

    Args:
        image: ``(H, W)`` uint8.
        rng: Decides.
        scale: Least and largest share of the area.
        ratio: Least and largest width over height; drawn evenly in its logarithm.
    """
    height, width = image.shape
    for _ in range(_CROP_TRIES):
        area = height * width * rng.uniform(*scale)
        shape = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            cut = image[top : top + h, left : left + w]
            shrinks = w > width or h > height
            return _uint8(
                cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
            )
    return image


def jitter(image: Image, rng: np.random.Generator, brightness: float, contrast: float) -> Image:
    """Multiply the brightness and the contrast about the mean, in random order, each by a random factor.

    Args:
        image: ``(H, W)`` uint8.
        rng: Decides.
        brightness: The factor lies between 1 - brightness and 1: paper is white already.
        contrast: The factor lies between 1 - contrast and 1 + contrast.
    """
    brighter = rng.uniform(1 - brightness, 1)
    starker = rng.uniform(1 - contrast, 1 + contrast)
    brightness_first = rng.random() < 0.5
    counts = np.bincount(image.ravel(), minlength=256)
    levels = _LEVELS
    for brighten in (brightness_first, not brightness_first):
        if brighten:
            levels = levels * brighter
        else:
            mean = float(counts @ levels) / image.size
            levels = (levels - mean) * starker + mean
        levels = np.clip(levels, 0, 255)
    return _uint8(cv2.LUT(image, np.rint(levels).astype(np.uint8)))


def blur(image: Image, rng: np.random.Generator, sigma: tuple[float, float]) -> Image:
    """Blur by a Gaussian; ``sigma`` is the least and largest standard deviation in px at 224 px."""
    width = rng.uniform(*sigma) * image.shape[1] / _REFERENCE_SIZE
    return _uint8(cv2.GaussianBlur(image, (0, 0), width, borderType=cv2.BORDER_REFLECT_101))


def _uint8(image: npt.NDArray[np.generic]) -> Image:
    return np.asarray(image, dtype=np.uint8)
