"""The eight orientations come out alike, whatever the format: asserted by pixels."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from heartprint.foundation.pictures import read_picture

STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is stored so that obeying its note (TIFF 6.0, tag 274) brings it back."""
HEIGHT, WIDTH = 51, 83  # no multiples of 8 or 16: blocks, tiles and rows of bits end in the middle


def upright() -> Image.Image:
    """Blocks of black and grey that no turn and no mirror brings onto themselves."""
    pixels = np.full((HEIGHT, WIDTH), 255, dtype=np.uint8)
    pixels[:20, :30] = 0
    pixels[:20, 60:] = 0
    pixels[40:, :10] = 0
    return Image.fromarray(pixels)


def stored(orientation: int) -> Image.Image:
    turn = STORED[orientation]
    return upright() if turn is None else upright().transpose(turn)


def noted(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def tiff(mode: str | None = None, **options: object) -> Callable[[int], bytes]:
    def write(orientation: int) -> bytes:
        picture = stored(orientation)
        if mode == "I;16":
            picture = Image.fromarray(np.asarray(picture).astype(np.uint16) * 257)
        elif mode is not None:
            picture = picture.convert(mode)
        out = BytesIO()
        picture.save(out, "TIFF", tiffinfo={274: orientation}, **options)
        return out.getvalue()

    return write


def tiled(orientation: int) -> bytes:
    """A grey TIFF in tiles of 16 x 16, which Pillow reads and does not write."""
    pixels = np.asarray(stored(orientation))
    height, width = pixels.shape
    down, across = -(-height // 16), -(-width // 16)
    whole = np.zeros((16 * down, 16 * across), dtype=np.uint8)
    whole[:height, :width] = pixels
    tiles = whole.reshape(down, 16, across, 16).transpose(0, 2, 1, 3).reshape(-1, 256)
    places = [8 + 256 * k for k in range(len(tiles))]
    tables = 8 + 256 * len(tiles)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(274, 3, 1, orientation), (277, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16)]
    entries += [(324, 4, len(tiles), tables), (325, 4, len(tiles), tables + 4 * len(tiles))]
    directory = tables + 8 * len(tiles)
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + b"\0" * 4
    numbers = struct.pack(f"<{len(tiles)}I", *places) + struct.pack(f"<{len(tiles)}I", *[256] * len(tiles))
    return b"II*\0" + struct.pack("<I", directory) + tiles.tobytes() + numbers + body


def saved(kind: str, mode: str, **options: object) -> Callable[[int], bytes]:
    def write(orientation: int) -> bytes:
        out = BytesIO()
        stored(orientation).convert(mode).save(out, kind, exif=noted(orientation), **options)
        return out.getvalue()

    return write


KINDS: dict[str, Callable[[int], bytes]] = {
    "jpeg": saved("JPEG", "L", quality=95),
    "jpeg in colour": saved("JPEG", "RGB", quality=95, subsampling=2),
    "jpeg, progressive": saved("JPEG", "L", quality=95, progressive=True),
    "png": saved("PNG", "L"),
    "png in colour": saved("PNG", "RGB"),
    "png, palette": saved("PNG", "P"),
    "webp": saved("WEBP", "RGB", lossless=True),
    "tiff, grey": tiff(),
    "tiff, palette": tiff("P"),
    "tiff, 16 bits": tiff("I;16"),
    "tiff, colour": tiff("RGB"),
    "tiff, colour with alpha": tiff("RGBA"),
    "tiff, one bit": tiff("1"),
    "tiff, fax": tiff("1", compression="group4"),
    "tiff, LZW": tiff(compression="tiff_lzw"),
    "tiff, deflate": tiff("RGB", compression="tiff_adobe_deflate"),
    "tiff, JPEG": tiff("L", compression="jpeg", quality=95),
    "tiff, packbits": tiff(compression="packbits"),
    "tiff in tiles": tiled,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_eight_orientations_come_out_alike(kind: str, tmp_path: Path) -> None:
    expected = np.asarray(upright()).astype(int)
    for orientation in STORED:
        path = tmp_path / f"{orientation}.x"
        path.write_bytes(KINDS[kind](orientation))
        found = read_picture(path)
        assert found.original == (HEIGHT, WIDTH), orientation
        difference = np.abs(found.pixels - expected)
        if "jp" in kind.lower():  # the edges of a lossy picture are not exact
            assert (difference > 60).mean() < 0.01, orientation
        else:
            assert difference.max() <= 1, orientation


def test_every_page_has_an_orientation_of_its_own(tmp_path: Path) -> None:
    pages = [stored(orientation) for orientation in (1, 6, 3, 8)]
    for page, orientation in zip(pages, (1, 6, 3, 8), strict=True):
        page.encoderinfo = {"tiffinfo": {274: orientation}}
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    with Image.open(tmp_path / "a.tif") as opened:
        told = []
        for k in range(4):
            opened.seek(k)
            told.append(opened.tag_v2.get(274, 1))
    assert told == [1, 6, 3, 8]
    for page in range(1, 5):
        np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", page=page).pixels, np.asarray(upright()))


@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_picture_is_shrunk_like_an_upright_one(orientation: int, tmp_path: Path) -> None:
    for kind in ("tiff, grey", "png"):
        (tmp_path / "a").write_bytes(KINDS[kind](1))
        (tmp_path / "b").write_bytes(KINDS[kind](orientation))
        one, other = (read_picture(tmp_path / name, longest_side=60).pixels for name in ("a", "b"))
        np.testing.assert_array_equal(one, other)
