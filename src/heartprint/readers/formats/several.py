"""Files with several recordings, and recordings in several parts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from heartprint.foundation.errors import Caution, HeartprintError

_G = TypeVar("_G")
# Each is held against all before it; a real file has some dozens.
_MOST_GROUPS = 500

ENOUGH_LEADS = 8
"""Leads from which on a part of a file is a recording of its own, and not a rhythm strip."""
LONGEST_BEAT_S = 3.0
"""What is shorter is a median or representative beat, not a rhythm."""


def choose(recordings: Sequence[tuple[int, float]], name: str) -> tuple[int, tuple[Caution, ...]]:
    """Which of a file's recordings is taken: a rhythm before a beat, then most leads, then the longest, then the first.

    Args:
        recordings: Of each how many of the twelve leads it has, and how long it is in s.
        name: Of the file, for the caution.

    Returns:
        The number of the one that is taken, and what to say if there are others.
    """
    rhythm = [seconds > LONGEST_BEAT_S for _, seconds in recordings]
    best = max(range(len(recordings)), key=lambda i: (rhythm[i], *recordings[i], -i))
    n = sum(rhythm[i] and recordings[i][0] >= ENOUGH_LEADS for i in range(len(recordings)) if i != best)
    if n == 0:
        return best, ()
    more = "another recording, which was" if n == 1 else f"{n} other recordings, which were"
    return best, (
        Caution(
            "further-rhythms",
            f"{name} holds {more} not taken. To use {'it' if n == 1 else 'them'}, export each recording as a file of "
            "its own.",
        ),
    )


def joined(groups: Sequence[_G], about: Callable[[_G], tuple[Hashable, set[str]]], name: str) -> list[list[_G]]:
    """Groups of leads that are one recording.

    Args:
        groups: In the order of the file.
        about: Of each what must be the same in all (rate, length and start), and the leads that it has, which must be
            no other's.
        name: Of the file.

    Raises:
        HeartprintError: ``file-too-large``.
    """
    if len(groups) > _MOST_GROUPS:
        raise HeartprintError(
            "file-too-large",
            f"{name} has its leads in {len(groups):,} groups; up to {_MOST_GROUPS} are read. Export the resting ECG by "
            "itself.",
        )
    together: list[tuple[Hashable, set[str], list[_G]]] = []
    for group in groups:
        timing, leads = about(group)
        same = next((t for t in together if leads and t[0] == timing and not t[1] & leads), None)
        if same is None:
            together.append((timing, set(leads), [group]))
        else:
            same[1].update(leads)
            same[2].append(group)
    return [members for _, _, members in together]
