"""Patterns that are made once per process and then cropped at random places: noise, paper, crumples, desks, stains.

All are periodic, so that a crop may run over the edge, and all come from one fixed stream: equal in every process.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float32Array, Image
from heartprint.foundation.randomness import generator

Bytes = npt.NDArray[np.int8]

TILE = 512
"""Side of the tiles in px: a power of two, so that a kernel wraps with one `and`."""

UNIT = 32.0
"""Standard deviation of the tiles of noise: they are kept in bytes, so that a crop fits into the processor's cache."""

STAIN = 192
"""Side of the stains in px before they are stretched to their size."""

DESKS = ("oak", "walnut", "grey laminate", "blue cloth", "black", "white")


def smooth(name: str, index: int, sigma_x: float, sigma_y: float) -> Float32Array:
    """Periodic Gaussian noise with a mean of 0 and a standard deviation of 1."""
    white = generator(0, f"camera-{name}", index).standard_normal((TILE, TILE))
    fy = np.fft.fftfreq(TILE)[:, None]
    fx = np.fft.rfftfreq(TILE)[None, :]
    pass_low = np.exp(-2 * np.pi**2 * ((fx * sigma_x) ** 2 + (fy * sigma_y) ** 2))
    field = np.fft.irfft2(np.fft.rfft2(white) * pass_low, s=(TILE, TILE))
    field -= field.mean()
    return np.ascontiguousarray(field / field.std(), dtype=np.float32)


@functools.cache
def grain() -> Bytes:
    """``(512, 512)`` int8, sensor noise: mostly white, a little blotched as demosaicking leaves it."""
    return _standard(smooth("grain", 0, 0.35, 0.35) + np.float32(0.5) * smooth("grain", 1, 1.2, 1.2))


PAPER, CRUMPLE = 0, 1
"""Where each texture is in `textures`."""


@functools.cache
def textures() -> Bytes:
    """``(2, 512, 512)`` int8, what the light does on paper: its texture, its crumples."""
    return np.stack([_paper(), _crumple()])


def _paper() -> Bytes:
    """Fibres and clouds."""
    fibres = smooth("fibres", 0, 2.0, 0.5) + smooth("fibres", 1, 0.5, 2.0)
    return _standard(fibres + np.float32(1.2) * smooth("clouds", 0, 14, 14))


def _crumple() -> Bytes:
    """Facets that meet in creases, lit from one side."""
    light = np.zeros((TILE, TILE), dtype=np.float32)
    for index, sigma in enumerate((46.0, 22.0, 11.0)):
        # The absolute value of a smooth field has creases along its zero lines; its slope is the light.
        height = np.abs(smooth("crumple", index, sigma, sigma)) * np.float32(sigma)
        light += np.roll(height, 1, 1) - np.roll(height, -1, 1) + np.roll(height, 1, 0) - np.roll(height, -1, 0)
    soft = cv2.GaussianBlur(np.clip(light, -6, 6), (0, 0), 0.8, borderType=cv2.BORDER_REFLECT_101)
    return _standard(np.asarray(soft, dtype=np.float32))


@functools.cache
def desks() -> Image:
    """``(3, k, 512, 512)`` uint8: red, green and blue of each of `DESKS`."""
    boards = np.floor(np.arange(TILE) / 128.0)[:, None]
    wood = 0.6 * smooth("wood", 0, 90, 1.2) + 0.4 * smooth("wood", 1, 30, 5) + 0.5 * np.sin(boards * 2.3)
    wood = wood - 2.5 * (np.arange(TILE) % 128 < 2)[:, None]
    weave = np.sin(np.arange(TILE) * np.pi / 2)[None, :] * np.sin(np.arange(TILE) * np.pi / 2)[:, None]
    cloth = 0.5 * weave + smooth("cloth", 0, 20, 30) + 0.4 * smooth("cloth", 1, 0.6, 0.6)
    speckle = 0.6 * smooth("speckle", 0, 0.8, 0.8) + smooth("speckle", 1, 60, 60)
    made = (
        ((176, 136, 92), (16, 15, 12), wood),
        ((92, 62, 42), (14, 10, 8), wood[::-1]),
        ((150, 152, 154), (7, 7, 7), speckle),
        ((64, 92, 128), (10, 11, 13), cloth),
        ((34, 34, 37), (5, 5, 5), speckle),
        ((214, 212, 206), (5, 5, 6), speckle),
    )
    out = np.empty((3, len(made), TILE, TILE), dtype=np.uint8)
    for k, (colour, swing, pattern) in enumerate(made):
        for c in range(3):
            out[c, k] = np.clip(np.rint(colour[c] + swing[c] * pattern), 0, 255)
    return out


@functools.cache
def desks_grey() -> Image:
    """``(k, 512, 512)`` uint8: `desks` in grey (ITU-R BT.601)."""
    return np.rint(np.tensordot(np.array([0.299, 0.587, 0.114]), desks().astype(np.float64), axes=1)).astype(np.uint8)


@functools.cache
def stains() -> Float32Array:
    """``(k, 192, 192)`` how much of the light each stain swallows, 0-1: cups' rings, blots and splashes."""
    at = (np.arange(STAIN) + 0.5) / STAIN * 2 - 1
    radius = np.hypot(at[None, :], at[:, None])
    angle = np.arctan2(at[:, None], at[None, :])
    made = []
    for k in range(6):
        patch = slice(k * 40, k * 40 + STAIN)
        wobble = 0.05 * smooth("stain", 0, 26, 26)[patch, patch]
        cloud = 1 + 0.25 * smooth("stain", 1, 9, 9)[patch, patch]
        r = radius + wobble
        if k < 3:  # a ring, broken on one side
            ring = np.exp(-(((r - 0.82) / 0.035) ** 2)) + 0.35 * np.exp(-(((r - 0.72) / 0.1) ** 2))
            stain = ring * (0.65 + 0.35 * np.cos(angle - 1.9 * k)) * cloud + 0.1 * (r < 0.82)
        else:  # a blot, darkest at its rim, where it dried last
            r = r + 0.1 * np.sin(3 * angle + k) + 0.06 * np.sin(5 * angle + 2 * k)
            stain = (0.5 * cloud + 0.7 * np.exp(-(((r - 0.78) / 0.05) ** 2))) * np.clip((0.84 - r) / 0.04, 0, 1)
        made.append(np.clip(stain * np.clip((1 - radius) / 0.05, 0, 1), 0, 1))
    return np.ascontiguousarray(made, dtype=np.float32)


def _standard(field: npt.NDArray[np.floating]) -> Bytes:
    """Scale to a standard deviation of `UNIT`."""
    return np.ascontiguousarray(np.clip(np.rint((field - field.mean()) / field.std() * UNIT), -127, 127), dtype=np.int8)
