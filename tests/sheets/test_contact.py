"""The contact page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heartprint.foundation.errors import HeartprintError
from heartprint.sheets.contact import contact_page


def test_pictures_lie_in_their_cells(tmp_path: Path) -> None:
    pictures = [np.full((60, 90), 10, dtype=np.uint8), np.full((400, 200, 3), (0, 200, 0), dtype=np.uint8)]
    out = contact_page(pictures, ["grey", "green"], tmp_path / "new" / "page.png", cell=(100, 100), columns=2)
    page = np.asarray(Image.open(out))
    assert page[40, 40].tolist() == [10, 10, 10]
    assert page[80, 8 + 108 + 20].tolist() == [0, 200, 0]
    assert [p.name for p in out.parent.iterdir()] == ["page.png"]


def test_mistakes_leave_no_file(tmp_path: Path) -> None:
    picture = np.zeros((5, 5), dtype=np.uint8)
    for pictures, captions, name, code in (
        ([picture], ["a"], "x.gif", "bad-path"),
        ([picture], [], "x.png", "bad-contact-page"),
        ([], [], "x.png", "bad-contact-page"),
    ):
        with pytest.raises(HeartprintError) as caught:
            contact_page(pictures, captions, tmp_path / name)
        assert caught.value.code == code
    assert not list(tmp_path.iterdir())
