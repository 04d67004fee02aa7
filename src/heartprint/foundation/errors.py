"""The one exception type users see: a reason code and a sentence that names the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import NamedTuple

# Names and cells of damaged files stand in messages: no line break or escape sequence there may reach a terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class HeartprintError(Exception):
    """Something the user can mend.

    Args:
        code: Stable kebab-case reason code, for machines (``"wrong-lead-order"``).
        message: One clear sentence: what is wrong, where, and what to do next. Control characters in it
            become blanks.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = _CONTROLS.sub(" ", message)
        super().__init__(self.message)

    def __reduce__(self) -> tuple[type[HeartprintError], tuple[str, str]]:
        # Exceptions with two arguments do not survive the trip from a worker process without this.
        return type(self), (self.code, self.message)


class Caution(NamedTuple):
    """Something to know about an input that is used all the same.

    Attributes:
        code: Stable kebab-case reason code, as of a `HeartprintError`.
        message: One clear sentence: what is odd, what was made of it, and what to do if that is wrong.
    """

    code: str
    message: str


def unknown_name(kind: str, name: str, known: Iterable[str], *, few: bool = False) -> HeartprintError:
    """Build the error for a name that is in no registry, naming the nearest one that is.

    Args:
        kind: What was looked up, in the user's words (``"layout"``, ``"task"``).
        name: What the user wrote.
        known: All valid names.
        few: Name the nearest ones alone, for there are too many to list.

    Returns:
        An error with code ``unknown-<kind>``.
    """
    names = sorted(set(known))
    if few:
        close = difflib.get_close_matches(name, names, n=5, cutoff=0.4)
        hint = f" The nearest: {', '.join(close)}." if close else ""
        return HeartprintError(f"unknown-{kind.replace(' ', '-')}", f"There is no {kind} '{name}'.{hint}")
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return HeartprintError(
        f"unknown-{kind.replace(' ', '-')}",
        f"There is no {kind} '{name}'. {hint}Known: {', '.join(names)}.",
    )
