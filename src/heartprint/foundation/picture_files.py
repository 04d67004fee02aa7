"""PNG, JPEG, TIFF, BMP, WebP and HEIC to grey, upright; run by `heartprint.foundation.picture_decoder`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heartprint.foundation.picture_jpeg import check_amount
from heartprint.foundation.picture_rules import STRIP, Grey, Refused, check_pixels, chosen_page, highest_level, white_of

if TYPE_CHECKING:
    from PIL import Image

PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")

_MAGIC = (b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*", b"BM", b"RIFF")
KNOWN = "PNG, JPEG, TIFF, BMP, WebP, HEIC, PDF, DICOM"
_HEIF = "HEIF"
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_ORIENTATION = 0x0112
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF's orientation to PIL's Transpose
_PHOTOMETRIC, _BITS = 262, 258
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_ENOUGH = 1000  # pages of a TIFF; each is found through the one before
_DIM = 63  # of 255: the brightest level of colours whose 16 bits are not used


def picture(path: Path, page: int | None) -> Grey:
    """Read a picture as it lies upright.

    Returns:
        ``(h, w)``, white = 255.

    Raises:
        Refused: With code and message.
    """
    with _opened(path) as found:
        return _upright(found, path.name, page, path)


def count_in_picture(path: Path) -> int:
    """Pages of a TIFF, frames of an animation, pictures of a HEIC file; a thousand may mean more.

    Raises:
        Refused: With code and message.
    """
    with _opened(path) as found:
        return 1 if found.format in ("JPEG", "MPO") else _count_pages(found, None)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    from PIL import Image, UnidentifiedImageError

    name = path.name
    # By a handle, not by the name: files that Pillow maps into memory it turns wrongly.
    with path.open("rb") as handle:
        head = handle.read(12)
        handle.seek(0)
        heif = head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS
        if heif:
            _know_heif(name)
        try:
            opened = Image.open(handle, formats=(_HEIF,) if heif else PICTURES)
        except UnidentifiedImageError as error:
            if heif or head.startswith(_MAGIC):
                raise Refused(
                    "unreadable-file", f"{name} begins like a picture but is not a whole one. Fetch or export it again."
                ) from error
            raise Refused(
                "unknown-format", f"{name} is not a picture of a known format ({KNOWN}). Export it in one of these."
            ) from error
        with opened as found:
            yield found


def _know_heif(name: str) -> None:
    """Teach Pillow HEIC, the format of Apple's phones (ISO/IEC 23008-12)."""
    try:
        import pi_heif
    except ImportError as error:
        raise Refused(
            "unsupported-format",
            f"{name} is a HEIC picture, which needs another library. Install it: pip install pi-heif.",
        ) from error
    # One thread, and no preview: neither fits into the memory that a picture may take.
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.register_heif_opener(thumbnails=False)


def _upright(found: Image.Image, name: str, page: int | None, path: Path) -> Grey:
    from PIL import Image

    check_pixels(name, *found.size)
    # What Pillow calls MPO is a phone's JPEG with a preview as a second frame, which is no page.
    n_pages = 1 if found.format in ("JPEG", "MPO") else _count_pages(found, page)
    index = chosen_page(name, page, n_pages, or_more=found.format == "TIFF" and n_pages == _ENOUGH)
    if index:
        found.seek(index)
        check_pixels(name, *found.size)
    bits = _stated_bits(found)
    inverted = _is_white_zero(found)
    # Pillow turns a TIFF itself while it loads it, and no other format; of a PNG asking for the tag loads it.
    orientation = 1 if found.format == "TIFF" else _orientation(found)
    if found.mode == "RGB":
        found.draft("L", None)  # a JPEG's luminance is there as it is; other formats take no notice
    grey = _grey(found, name, bits, inverted)
    if found.format in ("JPEG", "MPO"):
        width, height = grey.size
        last_block = grey.crop(((width - 1) // 8 * 8, (height - 1) // 8 * 8, width, height))
        levels = np.unique(np.asarray(last_block))
        check_amount(name, path.read_bytes(), int(levels[0]) if len(levels) == 1 else None)
    turn = _TURNS.get(orientation)
    return np.asarray(grey if turn is None else grey.transpose(Image.Transpose(turn)), dtype=np.uint8)


def _count_pages(found: Image.Image, page: int | None) -> int:
    """Pages of a TIFF, frames of an animation; of a TIFF no more are counted than are needed to choose one."""
    if found.format != "TIFF":
        return int(getattr(found, "n_frames", 1))
    n = 1
    with contextlib.suppress(EOFError):
        while n < max(_ENOUGH, page or 0):
            found.seek(n)
            n += 1
    found.seek(0)
    return n


def _orientation(found: Image.Image) -> int:
    try:
        return int(found.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged notes about a picture do not damage the picture
        return 1


def _tag(found: Image.Image, number: int) -> object:
    return getattr(found, "tag_v2", {}).get(number)


def _stated_bits(found: Image.Image) -> int:
    """Bits of a sample, by the header: more than eight or not is what matters."""
    of_tiff = _tag(found, _BITS)
    if isinstance(of_tiff, tuple) and of_tiff:
        return int(of_tiff[0])
    raw = [str(tile[3]) for tile in getattr(found, "tile", ())]
    return 16 if found.mode.startswith("I") or any(";16" in each for each in raw) else 8


def _is_white_zero(found: Image.Image) -> bool:
    """Whether 0 is white and Pillow has not seen to it, as it does with eight bits but not with more."""
    return _tag(found, _PHOTOMETRIC) == 0 and found.mode.startswith("I")


def _grey(found: Image.Image, name: str, bits: int, inverted: bool) -> Image.Image:
    """Grey by ITU-R BT.601, on white where it is transparent, more bits as eight."""
    from PIL import Image

    found.load()
    if found.mode == "L" and "transparency" not in found.info:
        return found.copy()
    if found.mode in ("I", "F") or found.mode.startswith("I;16"):
        return _from_deep(found, name, bits, inverted)
    if bits > 8 and _brightest(found) <= _DIM:
        raise Refused(
            "unsupported-format",
            f"{name} has colours of {bits} bits and uses only the lowest of them: it would be a black page. Export it "
            "in 8 bits.",
        )
    width, height = found.size
    out = Image.new("L", found.size)
    for top in range(0, height, STRIP):
        out.paste(_grey_strip(found.crop((0, top, width, min(height, top + STRIP))), name), (0, top))
    return out


def _brightest(found: Image.Image) -> float:
    """The brightest level of any colour; alpha is none."""
    extrema = found.getextrema()
    of_bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return float(max(high for band, (_, high) in zip(found.getbands(), of_bands, strict=True) if band.upper() != "A"))


def _from_deep(found: Image.Image, name: str, bits: int, inverted: bool) -> Image.Image:
    from PIL import Image

    deep = np.asarray(found)
    if found.mode == "F" or int(deep.min()) < 0 or int(deep.max()) > 0xFFFF:
        raise Refused(
            "unsupported-format", f"{name} has pixels of 32 bits, whose white is unknown. Export it in 8 bits."
        )
    white = white_of(highest_level(deep), bits)
    grey = np.empty(deep.shape, dtype=np.uint8)
    for top in range(0, len(deep), STRIP):
        levels = np.minimum(deep[top : top + STRIP].astype(np.uint32), white) * 255 // white
        grey[top : top + STRIP] = 255 - levels if inverted else levels
    return Image.fromarray(grey)


def _grey_strip(strip: Image.Image, name: str) -> Image.Image:
    from PIL import Image

    try:
        if strip.mode in _WITH_ALPHA or "transparency" in strip.info:
            coloured = strip.convert("RGBA")
            return Image.composite(coloured.convert("L"), Image.new("L", strip.size, 255), coloured.getchannel("A"))
        return strip.convert("L")
    except ValueError as error:
        raise Refused(
            "unsupported-format", f"{name} has colours of the kind '{strip.mode}'. Export it in grey or RGB."
        ) from error
