"""Letters for sheets and pages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from heartprint.foundation.errors import HeartprintError

Face = Literal["sans", "serif", "mono", "times"]

FILES: dict[Face, tuple[str, str]] = {
    "sans": ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"),
    "serif": ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"),
    "mono": ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf"),
    "times": ("STIXGeneral.ttf", "STIXGeneralBol.ttf"),
}
"""Regular and bold cut of each face."""


@lru_cache(maxsize=64)
def font(pixels: int, *, bold: bool = False, face: Face = "sans") -> Any:
    """A font that comes with matplotlib (DejaVu, STIX), found without importing matplotlib.

    Args:
        pixels: Size in px.
        bold: Whether to take the bold cut.
        face: Sans serif, serif, fixed width, or serif in the proportions of Times.
    """
    from importlib.util import find_spec

    from PIL import ImageFont

    spec = find_spec("matplotlib")
    file = FILES[face][bold]
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise HeartprintError(
            "no-font", f"The font {file} that comes with matplotlib is not there. Install matplotlib again."
        )
    return ImageFont.truetype(str(path), size=pixels)
