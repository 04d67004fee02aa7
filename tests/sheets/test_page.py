"""The colour page and ``heartprint render``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heartprint.foundation.errors import HeartprintError
from heartprint.sheets import LAYOUTS
from heartprint.sheets.page import render_page, save_page
from heartprint.simulation import simulate
from tests.sheets.reference import synthetic_ecg


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cohort") / "simulated"
    simulate(out, 3, seed=0, progress=False)
    return out


def dark(page: np.ndarray) -> np.ndarray:
    return page.astype(int).sum(axis=2) < 200


@pytest.mark.parametrize("layout", ["standard", "alternate", "3x4_half_chest", "6x2_50", "single_column"])
def test_page_is_true_to_size(layout: str) -> None:
    sheet = LAYOUTS[layout]
    page = render_page(np.zeros((12, 5000), dtype=np.float32), 500, layout, 254)
    assert page.dtype == np.uint8
    # At 254 dpi a millimetre has 10 px; A4 across, and higher where the layout is.
    assert page.shape == (10 * max(210, round(sheet.height_mm + 30)), 2970, 3)
    rows = sorted({s.baseline_mm for s in sheet.strips})
    drawn_mm = sum(s.right_mm - s.left_mm for s in sheet.strips if s.baseline_mm == rows[0])
    long = np.flatnonzero(dark(page).sum(axis=1) > 8 * drawn_mm)
    found = long[np.concatenate([[True], np.diff(long) > 3])]
    assert len(found) == len(rows)
    assert np.abs(np.diff(found) - 10 * np.diff(rows)).max() <= 1


def test_calibration_pulse_is_one_millivolt_high() -> None:
    dpi = 254  # 10 px to the millimetre
    page = render_page(np.full((12, 5000), np.nan, dtype=np.float32), 500, "standard", dpi)
    left = round(10 * ((297 - 260) / 2))
    below_title = 450
    plateau, zero = (np.flatnonzero(dark(page)[below_title:1550, left + x]) for x in (45, 80))
    assert len(plateau) >= 4
    assert np.array_equal(plateau + 100, zero)  # four pulses, each 10 mm high
    standardised = render_page(np.full((12, 5000), np.nan, dtype=np.float32), 500, "standard", dpi, unit="z")
    assert not dark(standardised)[below_title:1550, left + 45].any()


def test_page_says_that_an_ecg_is_simulated() -> None:
    leads = synthetic_ecg(1)
    plain = render_page(leads, 500, dpi=100)
    said = render_page(leads, 500, dpi=100, simulated=True)
    changed = np.argwhere((plain != said).any(axis=2))
    assert len(changed) > 500
    assert changed[:, 0].max() < 45 / 25.4 * 100  # above the ECG


def test_verb_writes_a_png_that_prints_at_true_size(cohort: Path, tmp_path: Path) -> None:
    from heartprint.cohorts.cohort import Cohort

    ecg = str(Cohort.open(cohort).ecg_ids[0])
    out = save_page(cohort, ecg, tmp_path / "new" / "ecg.png", layout="alternate", dpi=120)
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.info["dpi"] == pytest.approx((120, 120), abs=0.1)
        page = np.asarray(picture)
    red = (page[..., 0] > 150) & (page[..., 1] < 60) & (page[..., 2] < 60)
    assert red.sum() > 200  # SIMULATED
    assert [p.name for p in out.parent.iterdir()] == ["ecg.png"]


def test_default_name_has_no_folder_in_it(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from heartprint.cohorts.cohort import Cohort

    monkeypatch.chdir(tmp_path)
    ecg = str(Cohort.open(cohort).ecg_ids[1])
    out = save_page(cohort, ecg, dpi=60)
    assert out.parent == Path()
    assert out.name.endswith("_standard.png")
    assert out.is_file()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ecg_id": "nobody"}, "unknown-ecg"),
        ({"layout": "shufled"}, "unknown-layout"),
        ({"dpi": 10}, "bad-dpi"),
        ({"dpi": 5000}, "bad-dpi"),
        ({"baseline": "mean"}, "unknown-baseline"),
        ({"out": "ecg.gif"}, "bad-path"),
        ({"cohort": "nowhere"}, "cohort-missing"),
    ],
)
def test_mistakes_leave_no_file(cohort: Path, tmp_path: Path, change: dict[str, object], code: str) -> None:
    from heartprint.cohorts.cohort import Cohort

    ecg = str(Cohort.open(cohort).ecg_ids[0])
    arguments: dict[str, object] = {"cohort": cohort, "ecg_id": ecg, "out": tmp_path / "x.png", **change}
    if "out" in change:
        arguments["out"] = tmp_path / str(change["out"])
    with pytest.raises(HeartprintError) as caught:
        save_page(**arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert not list(tmp_path.iterdir())


def test_unknown_ecg_names_the_nearest(cohort: Path, tmp_path: Path) -> None:
    from heartprint.cohorts.cohort import Cohort

    ecg = str(Cohort.open(cohort).ecg_ids[0])
    with pytest.raises(HeartprintError, match=f"nearest is '{ecg}'"):
        save_page(cohort, ecg + "x", tmp_path / "x.png")
