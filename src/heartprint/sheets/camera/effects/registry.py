"""The registry of effects."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.sheets.camera.scene import Scene

Write = Callable[[Scene, float, np.random.Generator], None]
Five = tuple[float, float, float, float, float]

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Effect:
    """One thing that can happen to a sheet.

    Attributes:
        name: Name in recipes and batteries.
        description: What it imitates, one line.
        levels: What the severities 1 to 5 mean, in ``unit``.
        unit: What the levels are.
        write: Writes the effect into a scene, given a level and a source of randomness. How many numbers it draws
            does not depend on the level.
    """

    name: str
    description: str
    levels: Five
    unit: str
    write: Write

    def level(self, severity: float) -> float:
        """The level of a severity; between whole severities it is interpolated.

        Raises:
            HeartprintError: ``bad-severity``.
        """
        above = checked_severity(severity) - SEVERITIES[0]
        k = min(int(above), len(SEVERITIES) - 2)
        return self.levels[k] + (above - k) * (self.levels[k + 1] - self.levels[k])


EFFECTS: dict[str, Effect] = {}
"""All effects, by name."""


def effect(name: str, description: str, levels: Five, unit: str) -> Callable[[Write], Write]:
    """Register the decorated function as an effect."""

    def register(write: Write) -> Write:
        EFFECTS[name] = Effect(name, description, levels, unit, write)
        return write

    return register


def get_effect(name: str) -> Effect:
    """Look an effect up by name.

    Raises:
        HeartprintError: ``unknown-effect``, naming the nearest known one.
    """
    found = EFFECTS.get(name) if isinstance(name, str) else None
    if found is None:
        raise unknown_name("effect", str(name), EFFECTS)
    return found


def checked_severity(severity: float) -> float:
    """A severity from 1 to 5.

    Raises:
        HeartprintError: ``bad-severity``.
    """
    number = isinstance(severity, int | float | np.integer | np.floating) and not isinstance(severity, bool)
    if not number or not (math.isfinite(severity) and SEVERITIES[0] <= severity <= SEVERITIES[-1]):
        raise HeartprintError(
            "bad-severity",
            f"A severity is a number from {SEVERITIES[0]} (mild) to {SEVERITIES[-1]} (severe), not {severity!r}. "
            "Leave the effect out where nothing is to happen.",
        )
    return float(severity)
