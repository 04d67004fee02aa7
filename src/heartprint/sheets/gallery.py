"""All layouts, or all styles, in one picture, each drawn with the same simulated ECG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.layout import Layout
from heartprint.sheets.look import font
from heartprint.sheets.raster import Floats, Page, render
from heartprint.sheets.style import ECG_PLOT, Style, placed

CELL_PX = (640, 480)
"""Width and height that a sheet may take."""

CAPTION_PX, GAP_PX = 44, 18
RATE = 500


def example_ecg(seed: int = 3) -> Floats:
    """A simulated ECG: ``(8, 5000)`` mV at 500 Hz."""
    from heartprint.cohorts.simulation.effects import HOSPITALS
    from heartprint.cohorts.simulation.simulate import machine_of, make_block, samples_of

    hospital = HOSPITALS["lifelike"]
    block = make_block(seed, 0, hospital)
    samples, _ = samples_of(block, 0, 0, seed=seed, hospital=hospital, rate=RATE)
    return samples.astype(np.float32) * np.float32(machine_of(block, 0, 0, hospital).uv_per_bit / 1000.0)


def contact_sheet(
    shown: Sequence[tuple[Layout, Style, str]], leads: npt.NDArray[np.floating], sampling_rate: float
) -> Page:
    """Draw one ECG in several layouts and styles, side by side, each in its true proportions.

    Args:
        shown: Layout, style and caption (``name: description``) of each sheet.
        leads: ``(8, n)`` or ``(12, n)`` mV.
        sampling_rate: Hz.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    from PIL import Image, ImageDraw

    sheets = []
    for layout, style, _ in shown:
        page = placed(layout, style)
        scale = min(CELL_PX[0] / page.width_mm, CELL_PX[1] / page.height_mm)
        size = (round(page.height_mm * scale), round(page.width_mm * scale))
        sheets.append(render(leads, sampling_rate, layout, size, style=style, colour=True))
    columns = max(1, round((len(shown) / 1.6) ** 0.5))
    rows = [range(first, min(first + columns, len(shown))) for first in range(0, len(shown), columns)]
    heights = [max(len(sheets[number]) for number in row) + CAPTION_PX + GAP_PX for row in rows]
    cell_w = CELL_PX[0] + GAP_PX
    picture = Image.new("RGB", (columns * cell_w + GAP_PX, sum(heights) + GAP_PX), (255, 255, 255))
    pen, y = ImageDraw.Draw(picture), GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for k, number in enumerate(row):
            x = GAP_PX + k * cell_w
            title, _, rest = shown[number][2].partition(": ")
            pen.text((x, y), title, fill=(0, 0, 0), font=font(17, bold=True))
            pen.text((x, y + 21), rest, fill=(60, 60, 60), font=font(13))
            picture.paste(Image.fromarray(sheets[number]), (x, y + CAPTION_PX))
        y += height
    return np.asarray(picture)


def save_contact_sheet(out: str | Path, layouts: Sequence[Layout], styles: Sequence[Style] = (ECG_PLOT,)) -> Path:
    """Draw every layout in every style with a simulated ECG and save it as a PNG file.

    Args:
        out: The file. Written whole or not at all.
        layouts: The layouts.
        styles: The styles.

    Raises:
        HeartprintError: ``bad-path``.
    """
    from PIL import Image

    from heartprint.foundation.files import atomic_path

    target = Path(out)
    if target.suffix.lower() != ".png" or target.is_dir():
        raise HeartprintError("bad-path", f"{target} is no PNG file. Give --out a name that ends in .png.")
    several = len(styles) > 1
    shown = [
        (layout, style, f"{style.name}: {style.description}" if several else f"{layout.name}: {layout.description}")
        for layout in layouts
        for style in styles
    ]
    page = contact_sheet(shown, example_ecg(), RATE)
    with atomic_path(target) as temporary:
        Image.fromarray(page).save(temporary, format="PNG")
    return target
