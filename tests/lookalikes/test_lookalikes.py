"""Pictures that are no ECG, and pages that are nearly one."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.randomness import generator
from heartprint.lookalikes import LOOKALIKES, NEARLY, VARIANTS, Page, Variant, draw_lookalike, draw_nearly
from heartprint.sheets import get_layout, get_style, render
from heartprint.sheets.style import placed
from tests.sheets.reference import synthetic_ecg

SIZE_MM, SCALE = (120.0, 80.0), 2.0
ECGS = [synthetic_ecg(0), synthetic_ecg(1)]


def lookalike(name: str, variant: Variant, seed: int = 0) -> Image:
    return draw_lookalike(name, generator(seed, "test"), SCALE, variant=variant, size_mm=SIZE_MM, colour=True).image


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, Variant], Image]:
    return {(name, variant): lookalike(name, variant) for name in LOOKALIKES for variant in VARIANTS}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", LOOKALIKES)
def test_the_same_seed_draws_the_same_picture_of_the_size_asked_for(
    name: str, variant: Variant, drawn: dict[tuple[str, Variant], Image]
) -> None:
    image = drawn[name, variant]
    assert image.shape == (160, 240, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(lookalike(name, variant), image)
    assert not np.array_equal(lookalike(name, variant, seed=1), image)


def test_kinds_and_variants_differ(drawn: dict[tuple[str, Variant], Image]) -> None:
    for (one, a), (other, b) in itertools.combinations(drawn.items(), 2):
        assert np.abs(a.astype(int) - b).mean() > 0.5, (one, other)


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_variant_is_decided_by_another_function(name: str) -> None:
    kind = LOOKALIKES[name]
    assert kind.training is not kind.test
    assert kind.training.__name__ == f"{name}_training" and kind.test.__name__ == f"{name}_test"


@pytest.mark.parametrize("name", LOOKALIKES)
def test_sizes_and_resolution_are_drawn_where_none_are_given(name: str) -> None:
    page = draw_lookalike(name, generator(3, "free"))
    assert page.kind == name and page.sheets == ()
    assert 2 <= page.px_per_mm <= 6
    sides = [side / page.px_per_mm for side in page.image.shape[:2]]
    assert min(sides) > 49 and max(sides) < 301


def test_grey_and_colour_are_the_same_picture() -> None:
    grey, colour = (
        draw_lookalike("chart", generator(1, "grey"), 3.0, size_mm=(100, 60), colour=c).image for c in (False, True)
    )
    assert grey.shape == colour.shape[:2] == (180, 300)
    np.testing.assert_array_equal(grey, cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY))


def test_a_picture_is_the_same_at_every_resolution() -> None:
    """Millimetres decide what is drawn, pixels only how finely: noise alone is a matter of pixels."""
    for name in ("eeg", "ctg", "millimetre", "table", "music"):
        fine, coarse = (
            draw_lookalike(name, generator(5, "scale"), s, size_mm=SIZE_MM, colour=False).image for s in (6.0, 2.0)
        )
        shrunk = cv2.resize(fine, (240, 160), interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - coarse).mean() < 20, name


def test_ecg_paper_has_its_lines_where_millimetres_are() -> None:
    """The strongest period of the levels along either axis is 1 or 5 mm."""
    found = 0
    for seed in range(6):
        page = draw_lookalike("ecg_paper", generator(seed, "paper"), 4.0, size_mm=(200, 150), colour=False).image
        for axis in (0, 1):
            profile = page.mean(axis=axis)[80:-80]
            power = np.abs(np.fft.rfft((profile - profile.mean()) * np.hanning(len(profile)), 4096)) ** 2
            period_mm = 4096 / (np.argmax(power[40:]) + 40) / 4.0
            found += bool(min(abs(5.0 / k - period_mm) for k in range(1, 6)) < 0.05)
    assert found >= 11


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "eegs"}, "'eeg'"),
        ({"variant": "tests"}, "'test'"),
        ({"px_per_mm": 0.1}, "px per mm"),
        ({"size_mm": (10, 10)}, "40 to 500"),
    ],
)
def test_unknown_names_and_sizes_are_refused(change: dict[str, object], told: str) -> None:
    with pytest.raises(HeartprintError, match=told):
        draw_lookalike(**{"name": "eeg", "rng": generator(0, "bad")} | change)  # type: ignore[arg-type]


def test_pages_that_cannot_be_are_refused() -> None:
    rng = generator(0, "bad")
    with pytest.raises(HeartprintError, match="two_above"):
        draw_nearly("two", ECGS, 500, rng)
    with pytest.raises(HeartprintError, match="needs an ECG"):
        draw_nearly("one_lead", [], 500, rng)


# --- nearly an ECG --------------------------------------------------------------------------------------------------


def nearly(name: str, seed: int = 0, scale: float = 2.0, **more: object) -> Page:
    return draw_nearly(name, ECGS, 500, generator(seed, "nearly"), scale, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NEARLY)
def test_nearly_an_ecg_is_repeatable_and_knows_its_sheets(name: str) -> None:
    for seed in range(4):
        page, again = nearly(name, seed), nearly(name, seed)
        np.testing.assert_array_equal(page.image, again.image)
        assert page.sheets == again.sheets and page.kind == name
        height, width = (side / page.px_per_mm for side in page.image.shape[:2])
        assert len(page.sheets) == (2 if name.startswith("two") else 1)
        for left, top, right, bottom in page.sheets:
            inside = left > -0.6 and top > -0.6 and right < width + 0.6 and bottom < height + 0.6
            assert inside != name.endswith("half"), (seed, page.sheets, width, height)
        assert page.image.min() < 200


def test_halves_are_parts_of_the_sheet_that_they_name() -> None:
    layout, style = get_layout("3x4_ii"), get_style("pink")
    paper = placed(layout, style)
    size = (round(paper.height_mm * 2), round(paper.width_mm * 2))
    whole = render(ECGS[0], 500, layout, size, style=style, colour=True)
    for name in ("left_half", "right_half", "top_half", "bottom_half"):
        page = nearly(name, style=style, layouts=[layout])
        ((left, top, _, _),) = page.sheets
        row, column = round(-top * 2), round(-left * 2)
        height, width = page.image.shape[:2]
        np.testing.assert_array_equal(page.image, whole[row : row + height, column : column + width])
        assert 0.3 < height * width / whole[..., 0].size < 0.6


def test_two_sheets_are_where_they_are_said_to_be_and_apart() -> None:
    style = get_style("ecg_plot")  # with a black frame
    for name in ("two_above", "two_beside"):
        for seed in range(3):
            page = nearly(name, seed, 4.0, style=style, layouts=[get_layout("standard")])
            one, other = page.sheets
            assert one[2] <= other[0] + 0.3 or one[3] <= other[1] + 0.3
            for left, top, right, bottom in page.sheets:
                x0, y0, x1, y1 = (round(v * 4) for v in (left, top, right, bottom))
                sheet = page.image[y0:y1, x0:x1].mean(axis=2)
                for edge in (sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]):
                    assert edge.mean() < 190


def test_pages_with_missing_leads_draw_no_more_than_they_may(monkeypatch: pytest.MonkeyPatch) -> None:
    from heartprint.lookalikes import nearly as module

    shown: list[int] = []

    def watched(leads: Image, rate: float, layout: object, *args: object, **more: object) -> Image:
        shown.append(len(layout.leads))  # type: ignore[attr-defined]
        return np.zeros((*args[0], 3), dtype=np.uint8)  # type: ignore[misc]

    monkeypatch.setattr(module, "render", watched)
    for name in ("one_lead", "three_leads", "limb_leads", "chest_leads", "leads_missing", "rhythm_page"):
        shown.clear()
        for seed in range(60):
            nearly(name, seed)
        most = NEARLY[name].leads
        assert len(shown) == 60 and max(shown) <= most, name
        if name != "leads_missing":
            assert min(shown) == most
