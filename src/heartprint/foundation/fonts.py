"""Letters for sheets and pages."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from heartprint.foundation.errors import HeartprintError


@lru_cache(maxsize=64)
def font(pixels: int, *, bold: bool = False) -> Any:
    """The sans-serif font that comes with matplotlib (DejaVu Sans), found without importing matplotlib.

    Args:
        pixels: Size in px.
        bold: Whether to take the bold cut.
    """
    from importlib.util import find_spec

    from PIL import ImageFont

    spec = find_spec("matplotlib")
    file = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / file if spec and spec.origin else None
    if path is None or not path.is_file():
        raise HeartprintError(
            "no-font", f"The font {file} that comes with matplotlib is not there. Install matplotlib again."
        )
    return ImageFont.truetype(str(path), size=pixels)
