"""The contact page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heartprint.foundation.errors import HeartprintError
from heartprint.pages.contact_sheet import Section, contact_page, save_contact_page


def test_pictures_lie_in_their_cells(tmp_path: Path) -> None:
    pictures = [np.full((60, 90, 3), (200, 0, 0), dtype=np.uint8), np.full((400, 200, 3), (0, 200, 0), dtype=np.uint8)]
    sections = [
        Section(pictures, ["red", "green: more of it"], columns=2, cell_px=(100, 100)),
        Section([pictures[0]], ["again"], title="Below", columns=1, cell_px=(100, 100)),
    ]
    out = save_contact_page(sections, tmp_path / "new" / "page.png")
    page = np.asarray(Image.open(out))
    green = np.argwhere((page == (0, 200, 0)).all(axis=2))
    assert np.ptp(green, axis=0).tolist() == [99, 49]  # shrunk into its cell, in proportion
    red = np.argwhere((page == (200, 0, 0)).all(axis=2))
    assert len(red) == 2 * 60 * 90
    first = red[red[:, 0] < green[:, 0].max()]
    assert first[:, 0].min() == green[:, 0].min()
    assert first[:, 1].max() < green[:, 1].min()
    assert red[:, 0].max() > green[:, 0].max() + 60
    assert [p.name for p in out.parent.iterdir()] == ["page.png"]
    assert np.array_equal(contact_page(sections), page)


def test_mistakes_leave_no_file(tmp_path: Path) -> None:
    picture = np.zeros((5, 5), dtype=np.uint8)
    for pictures, captions, name, code in (
        ([picture], ["a"], "x.gif", "bad-path"),
        ([picture], [], "x.png", "bad-contact-page"),
        ([], [], "x.png", "bad-contact-page"),
    ):
        with pytest.raises(HeartprintError) as caught:
            save_contact_page([Section(pictures, captions)], tmp_path / name)
        assert caught.value.code == code
    assert not list(tmp_path.iterdir())
