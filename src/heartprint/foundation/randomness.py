"""Counter-based randomness: every draw is a pure function of (seed, purpose, counters).

Philox (Salmon et al., SC 2011) is a keyed bijection of a counter, so a stream can be opened at any point
without drawing what lies before it. Worker count, world size and restarts therefore cannot change a draw.
"""

from __future__ import annotations

import hashlib
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numpy.random.bit_generator import ISeedSequence


class _Key(ISeedSequence):
    """Hands Philox its key. Given as ``key=`` it comes after a seed from the system, which takes four times as long."""

    def __init__(self, key: npt.NDArray[np.uint64]) -> None:
        self._key = key

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> npt.NDArray[Any]:
        return self._key


def generator(seed: int, purpose: str, *counters: int) -> np.random.Generator:
    """Open the random stream that belongs to a seed, a purpose and up to three counters.

    Args:
        seed: The run's seed, any Python integer.
        purpose: What the draw is for (``"view"``, ``"bootstrap"``). Different purposes never share a stream.
        *counters: Up to three non-negative integers below 2**64, e.g. epoch, item, view.

    Returns:
        A NumPy generator. Equal arguments give equal streams on every machine; streams never overlap.
    """
    if len(counters) > 3:
        raise ValueError(f"at most three counters fit beside the stream position, got {len(counters)}")
    digest = hashlib.blake2b(f"{seed}\x1f{purpose}\x1f{len(counters)}".encode(), digest_size=16).digest()
    key = np.frombuffer(digest, dtype=np.uint64)
    words = np.zeros(4, dtype=np.uint64)  # word 0 is the position within the stream
    words[1 : 1 + len(counters)] = counters
    return np.random.Generator(np.random.Philox(cast(Any, _Key(key)), counter=words))


def stable_hash(text: str) -> int:
    """Hash a text to 64 bits, the same in every process and Python version (unlike ``hash``)."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
