"""Small random choices: numbers, colours, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from heartprint.sheets.style import WHITE, Colour

Item = TypeVar("Item")


def one_of(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """One of some things, each as likely as the others."""
    return items[int(rng.integers(len(items)))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two."""
    return float(rng.uniform(low, high))


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number between two, both included."""
    return int(rng.integers(low, high + 1))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Whether something happens."""
    return bool(rng.random() < probability)


def dark(rng: np.random.Generator, lightest: float = 0.35) -> Colour:
    """A dark colour for ink, mostly black."""
    if chance(rng, 0.5):
        return (between(rng, 0, 0.15),) * 3
    red, green, blue = (between(rng, 0, lightest) for _ in range(3))
    return red, green, blue


def light(rng: np.random.Generator, darkest: float = 0.88) -> Colour:
    """The colour of a paper, mostly white."""
    if chance(rng, 0.5):
        return WHITE
    red, green, blue = (between(rng, darkest, 1) for _ in range(3))
    return red, green, blue


def vivid(rng: np.random.Generator) -> Colour:
    """A full colour, as of charts and buttons."""
    hue, low, high = between(rng, 0, 6), between(rng, 0.05, 0.45), between(rng, 0.55, 0.95)
    up = low + (high - low) * (1 - abs(hue % 2 - 1))
    red, green, blue = (
        (high, up, low),
        (up, high, low),
        (low, high, up),
        (low, up, high),
        (up, low, high),
        (high, low, up),
    )[int(hue) % 6]
    return red, green, blue


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """A colour between two."""
    red, green, blue = (x + share * (y - x) for x, y in zip(a, b, strict=True))
    return red, green, blue


_TRAINING = "ba de fi go lu ma ne ri so tu van ler min tal cor pen dis ing ka mo sel ter on an re us"
_TEST = "sha qui zor ble tre wick ord ous ple cha ny eth gra jo xi umb fort hal ske vi ost ei yr dwe"
_SYLLABLES = {"training": _TRAINING.split(), "test": _TEST.split()}


def words(rng: np.random.Generator, count: int, variant: str = "training") -> str:
    """Words that mean nothing, of the syllables of a variant."""
    syllables = _SYLLABLES[variant]
    lengths = rng.integers(1, 5, count)
    return " ".join("".join(one_of(rng, syllables) for _ in range(length)) for length in lengths.tolist())
