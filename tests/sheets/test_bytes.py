"""The paper's layouts keep their bytes: whatever is added to layouts and styles, what was drawn stays as it was."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from heartprint.sheets import PAPER_LAYOUTS, Pose, raster, render
from heartprint.sheets import background as backgrounds
from heartprint.sheets import kernel_numpy as twin

SHORT_LAYOUTS = ("short_six_rows", "short_three_rows")
POSES = {"upright": None, "turned": Pose(7.0)}


def sawtooth() -> np.ndarray:
    """Eight leads of exact numbers, which no machine computes otherwise."""
    at = np.arange(5000)
    return np.stack([((at * (3 + lead)) % 640 - 320 + 16 * lead) / 512 for lead in range(8)]).astype(np.float32)


@pytest.mark.parametrize("layout", (*PAPER_LAYOUTS, *SHORT_LAYOUTS))
@pytest.mark.parametrize("pose", POSES)
def test_bytes_stay(layout: str, pose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The twin adds in one order on every machine; that the compiled kernel equals it is tested elsewhere.
    backgrounds.background.cache_clear()
    for place in (raster, backgrounds):
        monkeypatch.setattr(place, "compiled_or_numpy", lambda: twin)
    sheet = render(sawtooth(), 500, layout, 128, pose=POSES[pose])
    assert hashlib.sha256(sheet.tobytes()).hexdigest()[:16] == BYTES[layout, pose]


BYTES = {
    ("standard", "upright"): "48f9c43d7660c38b",
    ("standard", "turned"): "8cec8737c037ea75",
    ("two_rhythm", "upright"): "a48869633c1f819b",
    ("two_rhythm", "turned"): "124b3b6d702dcc2a",
    ("alternate", "upright"): "9c44c51a5a099303",
    ("alternate", "turned"): "bc5dc4ea04523fbf",
    ("shuffled", "upright"): "7e4f125890280e0d",
    ("shuffled", "turned"): "fa35cc874fc69a59",
    ("short_six_rows", "upright"): "4784e66bb3d50697",
    ("short_six_rows", "turned"): "1ff420ca55a2df46",
    ("short_three_rows", "upright"): "5492d22ff9c790d2",
    ("short_three_rows", "turned"): "9792bdf521e76136",
}
