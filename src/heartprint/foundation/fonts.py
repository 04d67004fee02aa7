"""Letters for sheets and pages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from heartprint.foundation.errors import HeartprintError

Family = Literal["sans", "serif", "mono", "times"]

_FILES = {
    "sans": ("DejaVuSans", "DejaVuSans-Bold"),
    "serif": ("DejaVuSerif", "DejaVuSerif-Bold"),
    "mono": ("DejaVuSansMono", "DejaVuSansMono-Bold"),
    "times": ("STIXGeneral", "STIXGeneralBol"),
}
"""Files of the plain and of the bold cut."""


@lru_cache(maxsize=64)
def font(pixels: int, *, bold: bool = False, family: Family = "sans") -> Any:
    """A font that comes with matplotlib (DejaVu, STIX), found without importing matplotlib.

    Args:
        pixels: Size in px.
        bold: Whether to take the bold cut.
        family: Without serifs, with serifs, of one width for all letters, or like Times.
    """
    from importlib.util import find_spec

    from PIL import ImageFont

    spec = find_spec("matplotlib")
    file = f"{_FILES[family][bold]}.ttf"
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise HeartprintError(
            "no-font", f"The font {file} that comes with matplotlib is not there. Install matplotlib again."
        )
    return ImageFont.truetype(str(path), size=pixels)
