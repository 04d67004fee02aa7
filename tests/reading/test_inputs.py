"""What is named on the command line, as files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from heartprint.foundation.errors import HeartprintError
from heartprint.reading.by_hand import hints_of
from heartprint.reading.inputs import find_inputs
from heartprint.reading.record import page_name, plain_name


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.jpg", "a.jpg", "deep/c.png", ".hidden.jpg", ".git/x.jpg", "Thumbs.db", "r.hea", "r.dat", "s.dat"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*names: str, **options: object) -> list[str]:
    return [one.shown for one in find_inputs(names, **options)]  # type: ignore[arg-type]


def test_files_folders_patterns_and_lists(folder: Path) -> None:
    assert found("b.jpg", "a.jpg") == ["b.jpg", "a.jpg"]
    below = ["a.jpg", "b.jpg", "r.hea", "s.dat", "deep/c.png"]
    assert found(".") == below
    assert found("*.jpg") == ["a.jpg", "b.jpg"]
    assert found("**/*.png") == ["deep/c.png"]
    assert found("-", listing=BytesIO(b"deep\r\n\n a.jpg\nb.jpg\n")) == ["deep/c.png", " a.jpg", "b.jpg"]
    assert found("b.jpg", ".", "./b.jpg", str(folder / "b.jpg")) == [
        "b.jpg",
        *(name for name in below if name != "b.jpg"),
    ]
    assert found(".", leave_out=folder / "deep") == below[:-1]


def test_what_is_not_there_is_said(folder: Path) -> None:
    (folder / "empty").mkdir()
    one, two, three = find_inputs(["empty", "*.tif", "absent.jpg"])
    assert [one.error.code if one.error else None for one in (one, two, three)] == ["no-files", "no-files", None]
    (folder / "[1].jpg").touch()
    assert found("[1].jpg") == ["[1].jpg"], "a name is a name before it is a pattern"
    for names, listing in (((), None), (("-",), BytesIO(b"\n"))):
        with pytest.raises(HeartprintError) as caught:
            find_inputs(names, listing=listing)
        assert caught.value.code == "no-files"


def test_links_do_not_run_in_circles(folder: Path) -> None:
    (folder / "deep" / "again").symlink_to(folder)
    assert found("deep") == ["deep/c.png"]


def test_names_are_plain() -> None:
    assert plain_name('a/b:c*"?.') == "a_b_c_"
    assert plain_name("scan.p2") == "scan_p2" and page_name("scan", 2, 3) == "scan.p2"
    assert plain_name("...") == "picture" and plain_name("\udce9\n") == "_"
    assert len(plain_name("x" * 500)) == 120


def test_hints_by_hand() -> None:
    assert hints_of() is None
    corners = "10,20 110,20 110,90; 10 90"
    hints = hints_of(turn=90, corners=corners, layout="standard", mirrored=True)
    assert hints is not None and hints.corners is not None
    assert hints.corners.tolist() == [[10, 20], [110, 20], [110, 90], [10, 90]]
    assert hints.turn_deg == 90 and hints.mirrored
    hints = hints_of(crop="0,0,-5,2.5")
    assert hints is not None and hints.crop_mm == (0, 0, -5, 2.5)
    for wrong in (
        {"turn": 45},
        {"corners": "1,2,3"},
        {"corners": "0,0 1,1 2,2 3,3"},
        {"crop": "a,b,c,d"},
        {"corners": corners, "crop": "0,0,0,5"},
    ):
        with pytest.raises(HeartprintError) as caught:
            hints_of(**wrong)  # type: ignore[arg-type]
        assert caught.value.code == "bad-hint"
    with pytest.raises(HeartprintError) as caught:
        hints_of(layout="standart")
    assert caught.value.code == "unknown-layout"
