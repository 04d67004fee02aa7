"""Noise, blank paper and gradients.

Training: Gaussian-filtered noise; independent pixels; a colour or a linear gradient.
Test: sums of octaves, warped stripes (wood, marble) and cells; salt and pepper, lines, blocks and a television's snow;
vignettes, creases, fibres and halves of two colours.
"""

from __future__ import annotations

import cv2
import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.lookalikes.canvas import Canvas
from heartprint.lookalikes.choices import (
    between,
    chance,
    light,
    one_of,
    vivid,
    whole,
)


def clouds(rng: np.random.Generator, height: int, width: int) -> Float64Array:
    """``(height, width)`` in 0-255: value noise summed over octaves."""
    out, weight = np.zeros((height, width)), 1.0
    step = max(2, min(height, width) // 3)
    while step >= 1:
        coarse = rng.random((height // step + 2, width // step + 2))
        out += weight * np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
        step, weight = step // 2, 0.55 * weight
    return _levels(out)


def _levels(field: Float64Array) -> Float64Array:
    return np.asarray(255 * (field - field.min()) / max(float(np.ptp(field)), 1e-9))


def _tinted(field: Float64Array, rng: np.random.Generator) -> Float64Array:
    """From a field in 0-255 to colours, or grey."""
    if chance(rng, 0.4):
        return np.repeat(field[:, :, None], 3, axis=2)
    a, b = np.array(vivid(rng)), np.array(light(rng, 0.3))
    return np.asarray(255 * a + (b - a) * field[:, :, None])


def smooth_noise_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Filtered noise of one or two scales, the channels apart or together."""
    height, width = canvas.size
    channels = one_of(rng, (1, 3))
    out = np.zeros((height, width, channels))
    for _ in range(whole(rng, 1, 2)):
        sigma = float(np.exp(between(rng, np.log(1.5), np.log(60))))
        k = max(1, int(sigma / 3))  # coarse noise is filtered coarsely
        noise = rng.standard_normal((height // k + 4, width // k + 4, channels))
        soft = cv2.GaussianBlur(noise, (0, 0), sigma / k).reshape(noise.shape)
        soft = cv2.resize(soft / soft.std(), (width, height), interpolation=cv2.INTER_LINEAR).reshape(out.shape)
        out += soft
    level = 128 + between(rng, 15, 70) * out
    canvas.texture(np.repeat(level, 3 // channels, axis=2))


def smooth_noise_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Clouds, wood, marble, or cells."""
    height, width = canvas.size
    look = one_of(rng, ("clouds", "wood", "marble", "cells"))
    field = clouds(rng, height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    if look == "wood":
        warp = between(rng, 2, 12) * field / 255
        field = 127 + 127 * np.sin(
            2 * np.pi * (warp + between(rng, 1, 5) * x / width + between(rng, 0, 2) * y / height)
        )
    elif look == "marble":
        field = 255 * np.abs(
            np.sin(between(rng, 4, 20) * (x + y) / (height + width) + between(rng, 2, 7) * field / 255)
        )
    elif look == "cells":
        points = rng.random((whole(rng, 15, 120), 2)) * (height, width)
        coarse = 4
        gy, gx = np.mgrid[0:height:coarse, 0:width:coarse]
        near = np.full(gy.shape, np.inf)
        for py, px in points:
            near = np.minimum(near, np.hypot(gy - py, gx - px))
        field = _levels(np.asarray(cv2.resize(near, (width, height), interpolation=cv2.INTER_LINEAR)))
    canvas.texture(_tinted(field, rng))


def white_noise_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """Independent pixels, even or Gaussian, grey or coloured."""
    shape = (*canvas.size, one_of(rng, (1, 3)))
    if chance(rng, 0.5):
        noise = rng.uniform(0, 255, shape)
    else:
        noise = between(rng, 60, 220) + between(rng, 10, 90) * rng.standard_normal(shape)
    canvas.texture(np.repeat(noise, 3 // shape[2], axis=2))


def white_noise_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """Salt and pepper, lines, blocks, or a television's snow."""
    height, width = canvas.size
    look = one_of(rng, ("salt", "lines", "blocks", "snow"))
    if look == "salt":
        base, share = between(rng, 0, 255), between(rng, 0.02, 0.5)
        draw = rng.random((height, width))
        noise = np.where(draw < share / 2, 0.0, np.where(draw < share, 255.0, base))
    elif look == "lines":
        along = rng.uniform(0, 255, (height, 1)) if chance(rng, 0.5) else rng.uniform(0, 255, (1, width))
        noise = 0.7 * along + 0.3 * rng.uniform(0, 255, (height, width))
    elif look == "blocks":
        side = whole(rng, 2, 24)
        noise = (
            rng.uniform(0, 255, (height // side + 1, width // side + 1))
            .repeat(side, 0)
            .repeat(side, 1)[:height, :width]
        )
    else:
        bands = 60 * np.sin(np.arange(height)[:, None] / between(rng, 2, 60))
        noise = np.clip(40 * rng.poisson(between(rng, 0.5, 4), (height, width)) + bands, 0, 255)
    canvas.texture(noise)


def blank_training(canvas: Canvas, rng: np.random.Generator) -> None:
    """One colour, or a linear gradient between two, with a little grain."""
    height, width = canvas.size
    a = np.array(light(rng, 0.5) if chance(rng, 0.8) else vivid(rng))
    b = a if chance(rng, 0.4) else np.array(light(rng, 0.3))
    y, x = np.mgrid[0:height, 0:width]
    angle = between(rng, 0, 2 * np.pi)
    slope = np.cos(angle) * x / width + np.sin(angle) * y / height
    slope = ((slope - slope.min()) / max(float(np.ptp(slope)), 1e-9))[:, :, None]
    grain = between(rng, 0, 5) * rng.standard_normal((height, width, 1))
    canvas.texture(255 * (a + (b - a) * slope) + grain)


def blank_test(canvas: Canvas, rng: np.random.Generator) -> None:
    """A vignette, creases, fibres, or two halves."""
    height, width = canvas.size
    a, b = (255 * np.array(light(rng, 0.4)) for _ in range(2))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    look = one_of(rng, ("vignette", "creases", "fibres", "halves"))
    if look == "vignette":
        r = np.hypot((x - between(rng, 0, width)) / width, (y - between(rng, 0, height)) / height)
        page = a * (1 - between(rng, 0.2, 0.7) * np.clip(r, 0, 1) ** 2)[:, :, None]
    elif look == "creases":
        shade = np.zeros((height, width))
        for _ in range(whole(rng, 2, 14)):
            angle, offset = between(rng, 0, np.pi), between(rng, -0.5, 0.5) * (height + width)
            d = np.cos(angle) * (x - width / 2) + np.sin(angle) * (y - height / 2) - offset / 2
            shade += between(rng, -20, 20) * np.tanh(d / between(rng, 2, 60)) - between(rng, 0, 30) * np.exp(
                -((d / 1.5) ** 2)
            )
        page = a + shade[:, :, None]
    elif look == "fibres":
        noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), sigmaX=between(rng, 2, 9), sigmaY=0.8)
        page = a + (between(rng, 4, 14) * noise / noise.std())[:, :, None]
    else:
        slope = x / width if chance(rng, 0.5) else y / height
        page = np.where((slope < between(rng, 0.2, 0.8))[:, :, None], a, b)
    canvas.texture(page + 1.5 * rng.standard_normal((height, width, 1)))
