"""What `heartprint check` finds: one line for each thing that was looked at."""

from __future__ import annotations

from typing import NamedTuple

from heartprint.foundation.errors import HeartprintError


class Check(NamedTuple):
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in kebab case.
        passed: Whether it is as it should be; None if that cannot be known.
        message: What was found, in one sentence or phrase.
        code: Reason code where it failed.
    """

    name: str
    passed: bool | None
    message: str
    code: str | None = None

    @classmethod
    def failed(cls, name: str, error: HeartprintError) -> Check:
        """A check that ended with an error."""
        return cls(name, False, error.message, error.code)
