"""A JPEG holds the pixels that its header promises, or is refused: decoders fill up with grey and say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import read_picture
from tests.foundation.bad_pictures import encoded, noise

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)


def claiming(data: bytes, height: int, width: int) -> bytes:
    """The same file with another size in its header."""
    at = next(data.find(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in data)
    return data[: at + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 9 :]


@SETTINGS
@given(
    st.integers(40, 200),
    st.integers(40, 200),
    st.sampled_from(["noise", "white below", "grey below", "lines"]),
    st.sampled_from([20, 75, 95, 100]),
    st.sampled_from(["L", "RGB", "CMYK"]),
    st.sampled_from([{}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 3}]),
)
def test_whole_jpegs_of_every_make_go_in(
    height: int, width: int, content: str, quality: int, mode: str, options: dict[str, object]
) -> None:
    pixels = noise(height, width)
    if content == "lines":
        pixels = np.full((height, width), 255, dtype=np.uint8)
        pixels[5::10] = 0
    elif content != "noise":
        pixels[height // 3 :] = 255 if content == "white below" else 128
    picture = Image.fromarray(pixels).convert(mode)
    path = _FOLDER / "whole.jpg"
    try:
        picture.save(path, "JPEG", quality=quality, **options)
    except OSError:  # Pillow's own encoder gives up on restart markers in a few small pictures
        return
    assert read_picture(path).pixels.shape == (height, width)


@SETTINGS
@given(st.sampled_from([1, 2]), st.integers(1, 20), st.integers(0, 12), st.booleans(), st.sampled_from(["L", "RGB"]))
def test_a_size_that_is_too_large_is_truncated(times: int, more: int, wider: int, progressive: bool, mode: str) -> None:
    """Whole blocks of 16 px more, to the right or below; the file ends, and closes, before they come."""
    height, width = 96, 128
    data = encoded(noise(height, width, 3), "JPEG", progressive=progressive)
    if mode == "L":
        data = encoded(noise(height, width), "JPEG", progressive=progressive)
    path = _FOLDER / "large.jpg"
    path.write_bytes(claiming(data, times * height + 16 * more, width + 16 * wider))
    assert code_of(path) == "file-truncated"


@SETTINGS
@given(st.integers(32, 80), st.booleans(), st.booleans())
def test_a_size_that_is_too_small_does_not_match(height: int, progressive: bool, white: bool) -> None:
    pixels = noise(96, 128)
    if white:
        pixels[40:60] = 255
    path = _FOLDER / "small.jpg"
    path.write_bytes(claiming(encoded(pixels, "JPEG", progressive=progressive), height, 128))
    assert code_of(path) == "header-mismatch"


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_cut_file_that_was_closed_again_is_truncated(keep: float, progressive: bool, tmp_path: Path) -> None:
    data = encoded(noise(200, 300), "JPEG")
    if progressive:  # cut within the first scan
        data = encoded(noise(200, 300), "JPEG", progressive=True)
        start = data.index(b"\xff\xda")
        end = data.index(b"\xff\xc4", start)
        cut = start + int(keep * (end - start))
    else:
        cut = int(keep * len(data))
    (tmp_path / "a.jpg").write_bytes(data[:cut].rstrip(b"\xff") + b"\xff\xd9")
    assert code_of(tmp_path / "a.jpg") == "file-truncated"


def test_a_preview_in_a_phones_jpeg_is_not_a_page(tmp_path: Path) -> None:
    picture = Image.fromarray(noise(96, 128))
    picture.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[picture.resize((64, 48))], quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert (opened.format, getattr(opened, "n_frames", 1)) == ("MPO", 2)
    assert read_picture(tmp_path / "a.jpg").pixels.shape == (96, 128)


def code_of(path: Path) -> str:
    try:
        read_picture(path)
    except HeartprintError as error:
        assert path.name in error.message and error.message.endswith(".")
        return error.code
    return "taken"


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _FOLDER
    _FOLDER = tmp_path_factory.mktemp("jpeg")


_FOLDER = Path()
