"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real ECGs for development; tests that need it skip where it is absent."""
    if not (SHARED_DATA / "ptb-xl").is_dir():
        pytest.skip(f"no real ECGs here: {SHARED_DATA} is absent")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def few_known_sheets() -> Iterator[None]:
    """Models that tests make are shown few sheets: what a distance is good for is measured with shipped encoders."""
    from heartprint.encoders.bundle import known_sheets

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_sheets, "FITTED", 60)
        patch.setattr(known_sheets, "HELD_OUT", 40)
        yield
