"""Orders in which sheets show their leads."""

from __future__ import annotations

EINTHOVEN = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III", "V1", "V2", "V3", "V4", "V5", "V6")
"""Limb leads in the order of their angles in the frontal plane (Cabrera); -aVR is aVR upside down."""

ORDERS = {"standard": EINTHOVEN, "cabrera": CABRERA}


def dealt(columns: int, order: tuple[str, ...] = EINTHOVEN) -> tuple[tuple[str, ...], ...]:
    """Deal leads out to columns, column after column."""
    rows = len(order) // columns
    return tuple(order[k * rows : (k + 1) * rows] for k in range(columns))
