"""The process that opens untrusted pictures: PNG, JPEG, TIFF, BMP, WebP, PDF, DICOM, to small grey images.

It is started by `heartprint.foundation.pictures` and may die of what it reads. It imports little, so that it starts
quickly and has memory to spare under its limit.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Grey = npt.NDArray[np.uint8]
Levels = Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]

MEMORY = 430 * 2**20
"""Bytes of data that the process may have; with its code it stays below 512 MB."""
MAX_BYTES = 256 * 2**20
"""Largest file that is opened."""
MAX_PIXELS = 50 * 2**20
"""Most pixels of a picture, by its header: a page of A4 at 600 dpi has 35 million."""
MIN_SIDE = 32
"""Shortest side of a picture as it is kept, px."""
PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")

_MAGIC = (b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*", b"BM", b"RIFF")
KNOWN = "PNG, JPEG, TIFF, BMP, WebP, PDF, DICOM"
_PDF_HEAD = 1024
_LEAST_CONTRAST = 8  # levels between the darkest and the lightest that stand out from their surroundings
_STANDING_OUT = 0.001  # share of the pixels that count as either
_SURROUNDINGS = 31  # px
_STRIP = 256  # rows that are made grey at a time: of the largest pictures there cannot be two in memory
_DEFERRED = 2**20  # bytes of an element that are not read unless they are asked for
_FINER = 2  # how much finer than wanted a PDF is drawn before it is averaged
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF's orientation to PIL's Transpose
_DICOM_FACTS = (
    *("PatientID", "PatientSex", "PatientAge", "PatientBirthDate", "InstitutionName"),
    *("ManufacturerModelName", "Manufacturer", "AcquisitionDateTime"),
    *(f"{kind}{what}" for kind in ("Acquisition", "Content", "Study") for what in ("Date", "Time")),
)


class Refused(Exception):
    """A picture that is not taken: a reason code and a sentence."""


def serve() -> None:
    """Answer requests until standard input ends: a line of JSON each, answered by one and the pixels."""
    _limit_memory()
    import cv2
    from PIL import Image

    cv2.setNumThreads(1)
    Image.init()
    Image.MAX_IMAGE_PIXELS = None  # checked here, against one limit for every format
    warnings.simplefilter("ignore")
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _answer(answers, {"ready": True})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        reply, data = answer(Path(request["path"]), request["page"], request["longest_side"])
        _answer(answers, reply, data)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: the checks of the header must do
        return
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(out: BinaryIO, reply: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(reply | {"bytes": len(data)}).encode() + b"\n" + data)
    out.flush()


def answer(path: Path, page: int | None, longest_side: int) -> tuple[dict[str, Any], bytes]:
    """Decode a picture: what is said of it, and its pixels; or why it is refused."""
    try:
        grey, original, facts = decode(path, page, longest_side)
    except Exception as error:
        code, message = _refusal(path.name, error).args
        return {"code": code, "message": message}, b""
    height, width = grey.shape
    return {"height": height, "width": width, "original": original, "facts": facts}, grey.tobytes()


def _refusal(name: str, error: Exception) -> Refused:
    """What a failed decoding is told as; decoders meet damaged files with many kinds of error."""
    if isinstance(error, Refused):
        return error
    said = str(error)
    if (
        isinstance(error, MemoryError)
        or "bad_alloc" in said
        or ("insufficient" in said.lower() and "memory" in said.lower())
    ):  # OpenCV's
        return Refused(
            "too-much-memory",
            f"{name} needs more memory to open than any picture of an ECG should. Export it again, smaller.",
        )
    code = "file-truncated" if "truncated" in said else "unreadable-file"
    shown = f"{type(error).__name__}: {said[:160]}" if said else type(error).__name__
    return Refused(code, f"{name} is not a whole picture ({shown}). Fetch or export it again.")


def decode(path: Path, page: int | None, longest_side: int) -> tuple[Grey, tuple[int, int], dict[str, str]]:
    """Read a picture as it lies upright, in grey, shrunk by averaging over areas.

    Args:
        path: The file.
        page: Number of the page, from 1; None = the only one.
        longest_side: Most pixels along the longer side; smaller pictures stay as they are.

    Returns:
        ``(h, w)`` uint8, white = 255; height and width before it was shrunk; what the file says of the ECG, as text.

    Raises:
        Refused: With code and message.
    """
    name = path.name
    try:
        status = path.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file")
        with path.open("rb") as handle:
            head = handle.read(_PDF_HEAD)
    except FileNotFoundError as error:
        raise Refused("file-missing", f"The file {name} is missing. Restore it or correct the path.") from error
    except OSError as error:
        raise Refused(
            "unreadable-file", f"{name} cannot be opened ({error.strerror}). Check that you may read it."
        ) from error
    if size == 0:
        raise Refused("file-truncated", f"{name} is empty. Fetch it again.")
    if size > MAX_BYTES:
        raise Refused("file-too-large", f"{name} has {size:,} bytes; up to {MAX_BYTES:,} are read. Export it smaller.")
    facts: dict[str, str] = {}
    if begins_like_dicom(head):
        grey, facts = _dicom(path, page, longest_side)
    elif b"%PDF-" in head:
        grey = _pdf(path, name, page, longest_side)
    else:
        grey = _picture(path, page)
    original = (int(grey.shape[0]), int(grey.shape[1]))
    grey = shrunk(grey, longest_side)
    if min(grey.shape) < MIN_SIDE:
        raise Refused(
            "image-too-small",
            f"{name} has {original[1]} x {original[0]} px: too small or too narrow for an ECG (at least {MIN_SIDE} px "
            "either way, as it is kept). Export it larger.",
        )
    if contrast(grey) < _LEAST_CONTRAST:
        raise Refused(
            "blank-image",
            f"{name} shows nothing that stands out from the page by {_LEAST_CONTRAST} of 255 levels of grey. Check "
            "that it is the right page, and export it again.",
        )
    return grey, original, facts


def begins_like_dicom(head: bytes) -> bool:
    """Whether a file begins as DICOM: ``DICM`` after 128 bytes, or at once with a data element of the first groups.

    Some archives leave out the preamble and even the meta information (PS3.10, 7.1).
    """
    if head[128:132] == b"DICM":
        return True
    group, element = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:4], "little")
    explicit = head[4:6] in (b"UL", b"OB", b"UI", b"SH", b"CS", b"DA", b"LO")
    implicit = 0 < int.from_bytes(head[4:8], "little") <= 64
    return (group == 2 and element in (0, 1, 2) and explicit) or (
        group == 8 and element in (0, 1, 5, 8, 0x12, 0x16, 0x18) and (explicit or implicit)
    )


def contrast(grey: Grey) -> float:
    """Levels between what is darker and what is lighter than its surroundings; an empty page has hardly any.

    What changes slowly, such as the light of a photograph, does not count, and neither do a few single pixels.
    """
    import cv2

    size = min(_SURROUNDINGS, *(side - 1 + side % 2 for side in grey.shape))
    mean = cv2.blur(grey, (size, size))
    counts = np.bincount((cv2.subtract(grey, mean, dtype=cv2.CV_16S) + 255).ravel(), minlength=511)
    share = np.cumsum(counts) / grey.size
    return float(np.searchsorted(share, 1 - _STANDING_OUT) - np.searchsorted(share, _STANDING_OUT))


def shrunk(grey: Grey, longest_side: int) -> Grey:
    """Average over areas until the longer side has at most so many pixels; the shape keeps its proportions."""
    import cv2

    height, width = grey.shape
    if max(height, width) <= longest_side:
        return np.ascontiguousarray(grey)
    scale = longest_side / max(height, width)
    target = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(grey, target, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _check_pixels(name: str, width: float, height: float) -> None:
    if width * height > MAX_PIXELS:
        raise Refused(
            "image-too-large",
            f"{name} says that it has {width:,} x {height:,} px; up to {MAX_PIXELS / 1e6:.0f} million are read. "
            "Export it smaller, or check that it is a picture of an ECG.",
        )


def _chosen_page(name: str, page: int | None, n_pages: int) -> int:
    """Index of the page."""
    if page is None and n_pages > 1:
        raise Refused(
            "several-pages", f"{name} has {n_pages:,} pages. Name the one to take in a column 'page', a row for each."
        )
    if page is not None and not 1 <= page <= n_pages:
        raise Refused("no-such-page", f"{name} has {n_pages:,} pages, not a page {page}. Correct the column 'page'.")
    return (page or 1) - 1


def _picture(path: Path, page: int | None) -> Grey:
    from PIL import Image

    # A file, not its name: of a name Pillow maps TIFFs into memory, in rows of the width that they have when turned.
    with path.open("rb") as file:
        grey, orientation = _opened(file, path, page)  # in colour it is gone by now
    turn = _TURNS.get(orientation)
    return np.asarray(grey if turn is None else grey.transpose(Image.Transpose(turn)), dtype=np.uint8)


def _opened(file: BinaryIO, path: Path, page: int | None) -> tuple[Image.Image, int]:
    """A picture in grey, and the EXIF orientation that is still to be obeyed."""
    from PIL import Image, UnidentifiedImageError

    name = path.name
    try:
        opened = Image.open(file, formats=PICTURES)
    except UnidentifiedImageError as error:
        with path.open("rb") as handle:
            if handle.read(4).startswith(_MAGIC):
                raise Refused(
                    "unreadable-file", f"{name} begins like a picture and is none. Fetch or export it again."
                ) from error
        raise Refused(
            "unknown-format", f"{name} is not a picture of a known format ({KNOWN}). Export it in one of these."
        ) from error
    with opened as picture:
        _check_pixels(name, *picture.size)
        if picture.format == "JPEG":  # a phone's JPEG may hold a preview as a second frame, which is not a page
            _chosen_page(name, page, 1)
        else:  # pages of a TIFF, frames of an animated PNG or WebP
            picture.seek(_chosen_page(name, page, getattr(picture, "n_frames", 1)))
            _check_pixels(name, *picture.size)
        if picture.mode == "RGB":
            picture.draft("L", None)  # a JPEG's luminance is there as it is; other formats take no notice
        picture.load()
        # Read only now: Pillow has turned a TIFF already while loading it, and taken its note away.
        orientation = _orientation(picture)
        return _grey(picture, name), orientation


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # damaged notes about a picture do not damage the picture
        return 1


def _grey(picture: Image.Image, name: str) -> Image.Image:
    """Grey by ITU-R BT.601, on white where it is transparent, 16 bits as 8."""
    from PIL import Image

    if picture.mode == "L" and "transparency" not in picture.info:
        return picture.copy()
    width, height = picture.size
    out = Image.new("L", picture.size)
    white = _white(picture)
    for top in range(0, height, _STRIP):
        out.paste(_grey_strip(picture.crop((0, top, width, min(height, top + _STRIP))), name, white), (0, top))
    return out


def _white(picture: Image.Image) -> int:
    """White of 16 bits; of scanners that write their 8, 10 or 12 bits into them, white of those."""
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        highest = picture.getextrema()[1]
        if isinstance(highest, int | float):
            return white_of(int(highest), 16)
    return 0xFFFF


def white_of(highest: int, bits: int) -> int:
    """White of a picture of so many bits: their largest number, or that of the bits that its brightest pixel needs.

    A page is mostly paper: if its brightest pixel does not reach half of white, fewer bits are in use than announced.
    """
    white = (1 << bits) - 1
    return white if 2 * highest > white or highest <= 0 else (1 << highest.bit_length()) - 1


def _grey_strip(strip: Image.Image, name: str, white: int) -> Image.Image:
    from PIL import Image

    if strip.mode in ("I", "F") or strip.mode.startswith("I;16"):
        deep = np.asarray(strip)
        if strip.mode == "F" or int(deep.min()) < 0 or int(deep.max()) > 0xFFFF:
            raise Refused(
                "unsupported-format", f"{name} has pixels of 32 bits, whose white is unknown. Export it in 8 bits."
            )
        return Image.fromarray((deep.astype(np.uint32) * 255 // white).astype(np.uint8))
    if strip.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in strip.info:
        coloured = strip.convert("RGBA")
        return Image.composite(coloured.convert("L"), Image.new("L", strip.size, 255), coloured.getchannel("A"))
    return strip.convert("L")


def _pdf(source: Path | bytes, name: str, page: int | None, longest_side: int) -> Grey:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise Refused("unsupported-format", f"{name} is protected by a password. Save it without one.") from error
        raise Refused("unreadable-file", f"{name} is not a whole PDF ({error}). Fetch or export it again.") from error
    with contextlib.closing(document):
        if len(document) == 0:
            raise Refused("no-image", f"{name} has no page. Export it again.")
        with contextlib.closing(document[_chosen_page(name, page, len(document))]) as sheet:
            width, height = sheet.get_size()
            if not (width > 0 and height > 0):
                raise Refused("unreadable-file", f"The page of {name} has no size. Export it again.")
            bitmap = sheet.render(scale=_FINER * longest_side / max(width, height), grayscale=True)
            drawn = bitmap.to_numpy()
            return np.array(drawn.reshape(drawn.shape[:2]), dtype=np.uint8)


def _dicom(path: Path, page: int | None, longest_side: int) -> tuple[Grey, dict[str, str]]:
    import pydicom
    from pydicom.pixels.processing import apply_color_lut, convert_color_space
    from pydicom.pixels.utils import pixel_array

    name = path.name
    about = pydicom.dcmread(path, stop_before_pixels=True, force=True, defer_size=_DEFERRED)
    facts = {key: " ".join(str(about.get(key)).split()) for key in _DICOM_FACTS if about.get(key) is not None}
    if "EncapsulatedDocument" in about:
        document = bytes(about.EncapsulatedDocument or b"")
        if b"%PDF-" not in document[:_PDF_HEAD]:
            raise Refused("no-image", f"{name} holds a document that is not a PDF. Export it as a PDF or an image.")
        return _pdf(document, name, page, longest_side), facts
    if about.get("Rows") is None or about.get("Columns") is None:
        raise Refused(
            "no-image", f"{name} holds no image. If it holds a waveform, take it in with 'heartprint ingest files'."
        )
    _check_pixels(name, int(about.Columns), int(about.Rows))
    index = _chosen_page(name, page, int(about.get("NumberOfFrames", None) or 1))
    dataset = pydicom.dcmread(path, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:  # without meta information it is the default of the standard
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    if "PixelData" not in dataset:
        raise Refused("no-image", f"{name} announces an image and holds none. Export it again.")
    pixels = pixel_array(dataset, index=index, raw=True)
    kind = str(dataset.PhotometricInterpretation)
    bits = int(dataset.BitsStored)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        bits = 8 * pixels.dtype.itemsize
    elif kind in ("YBR_RCT", "YBR_ICT"):
        pass  # transforms within JPEG 2000, which its decoder has undone
    elif kind.startswith("YBR"):
        pixels = convert_color_space(pixels, kind, "RGB", per_frame=True)
    elif kind not in ("RGB", "MONOCHROME1", "MONOCHROME2"):
        raise Refused("unsupported-format", f"{name} has pixels of the kind '{kind}'. Export it in grey or RGB.")
    levels_of = _window(dataset, pixels, bits) if kind.startswith("MONOCHROME") else _plain(float((1 << bits) - 1))
    grey = np.empty(pixels.shape[:2], dtype=np.uint8)
    for top in range(0, len(grey), _STRIP):
        levels = levels_of(pixels[top : top + _STRIP])
        if levels.ndim == 3:
            levels = levels[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        if kind == "MONOCHROME1":
            levels = 255.0 - levels
        grey[top : top + _STRIP] = np.clip(np.rint(levels), 0, 255)
    return grey, facts


def _plain(white: float) -> Levels:
    return lambda stored: stored.astype(np.float32) * (255.0 / white)


def _window(dataset: Any, pixels: npt.NDArray[Any], bits: int) -> Levels:
    """Stored values to 0-255: by the table or window that the file names (PS3.3, C.11.2), else by what is in use."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    if dataset.get("VOILUTSequence"):
        depth = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return lambda stored: (
            np.asarray(apply_voi_lut(apply_modality_lut(stored, dataset), dataset), dtype=np.float32)
            * (255.0 / ((1 << depth) - 1))
        )
    slope = float(dataset.get("RescaleSlope", None) or 1)
    intercept = float(dataset.get("RescaleIntercept", None) or 0)
    centre, width = (_first(dataset.get(f"Window{what}", None)) for what in ("Center", "Width"))
    if centre is not None and width is not None and width > 1:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    else:
        lowest = min(0, int(pixels.min()))
        low = slope * lowest + intercept
        high = slope * (lowest + white_of(int(pixels.max()) - lowest, bits)) + intercept
    scale = 255.0 / (high - low) if high != low else 0.0
    return lambda stored: ((stored.astype(np.float32) * slope + intercept) - low) * scale


def _first(value: Any) -> float | None:
    """The first of one or several numbers, None where there is none."""
    values = [value] if value is None or isinstance(value, str | float | int) else list(value)
    return None if not values or values[0] is None else float(values[0])
