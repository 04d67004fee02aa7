"""The twelve leads and the eight that carry them.

Limb leads are differences of three potentials, so I and II determine III, aVR, aVL and aVF (Einthoven 1912;
Goldberger 1942). Eight leads are stored, twelve are computed in float32 when they are needed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

LEADS_8: tuple[str, ...] = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""Order of the stored leads."""

LEADS_12: tuple[str, ...] = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Order of the leads that users see."""

_LIMB = {
    "I": (1.0, 0.0),
    "II": (0.0, 1.0),
    "III": (-1.0, 1.0),
    "aVR": (-0.5, -0.5),
    "aVL": (1.0, -0.5),
    "aVF": (-0.5, 1.0),
}


def _matrix() -> npt.NDArray[np.float32]:
    matrix = np.zeros((12, 8), dtype=np.float32)
    for row, name in enumerate(LEADS_12):
        if name in _LIMB:
            matrix[row, :2] = _LIMB[name]
        else:
            matrix[row, LEADS_8.index(name)] = 1.0
    return matrix


TWELVE_FROM_EIGHT: npt.NDArray[np.float32] = _matrix()
"""``(12, 8)``: twelve leads = matrix @ eight leads."""
TWELVE_FROM_EIGHT.setflags(write=False)


def twelve_leads(leads: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Give twelve leads from eight; twelve are passed through.

    Args:
        leads: ``(8, n)`` in `LEADS_8` order or ``(12, n)`` in `LEADS_12` order, any unit, NaN = missing.

    Returns:
        ``(12, n)`` float32 in `LEADS_12` order, same unit. A sample missing in I or II is missing in all limb
        leads that need it.
    """
    if leads.shape[0] == 12:
        return np.ascontiguousarray(leads, dtype=np.float32)
    if leads.shape[0] != 8:
        raise ValueError(f"expected 8 or 12 leads, got an array of shape {leads.shape}")
    out = np.empty((12, leads.shape[1]), dtype=np.float32)
    one, two = leads[0], leads[1]
    out[0], out[1] = one, two
    out[2] = two - one
    out[3] = -(one + two) / 2
    out[4] = one - two / 2
    out[5] = two - one / 2
    out[6:] = leads[2:]
    return out
