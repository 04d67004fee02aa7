"""The process that opens untrusted pictures: PNG, JPEG, TIFF, BMP, pages of PDF, DICOM images, to small grey images.

It is started by `heartprint.foundation.pictures` and may die of what it reads. It imports little, so that it starts
quickly and has memory to spare under its limit.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Grey = npt.NDArray[np.uint8]

MEMORY = 430 * 2**20
"""Bytes of data that the process may have; with its code it stays below 512 MB."""
MAX_BYTES = 256 * 2**20
"""Largest file that is opened."""
MAX_PIXELS = 50 * 2**20
"""Most pixels of a picture, by its header: a page of A4 at 600 dpi has 35 million."""
MIN_SIDE = 32
"""Shortest side of a picture as it is kept, px."""
PICTURES = ("PNG", "JPEG", "TIFF", "BMP")

_MAGIC = (b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*", b"BM")
KNOWN = "PNG, JPEG, TIFF, BMP, PDF, DICOM"
_PDF_HEAD = 1024
_STRIP = 256  # rows that are made grey at a time: of the largest pictures there cannot be two in memory
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
    if isinstance(error, MemoryError) or ("insufficient" in said.lower() and "memory" in said.lower()):  # OpenCV's
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
        size = path.stat().st_size
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
    if head[128:132] == b"DICM":
        grey, facts = _dicom(path, page)
    elif b"%PDF-" in head:
        grey = _pdf(path, page, longest_side)
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
    if int(grey.min()) == int(grey.max()):
        raise Refused("blank-image", f"{name} shows nothing: all its pixels are equal. Export it again.")
    return grey, original, facts


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

    grey, orientation = _opened(path, page)  # in colour it is gone by now
    turn = _TURNS.get(orientation)
    return np.asarray(grey if turn is None else grey.transpose(Image.Transpose(turn)), dtype=np.uint8)


def _opened(path: Path, page: int | None) -> tuple[Image.Image, int]:
    """A picture in grey as it is stored, and its EXIF orientation."""
    from PIL import Image, UnidentifiedImageError

    name = path.name
    try:
        opened = Image.open(path, formats=PICTURES)
    except UnidentifiedImageError as error:
        with path.open("rb") as handle:
            if handle.read(4).startswith(_MAGIC):
                raise Refused(
                    "unreadable-file", f"{name} begins like a picture and is none. Fetch or export it again."
                ) from error
        raise Refused(
            "unknown-format", f"{name} is no picture of a known format ({KNOWN}). Export it in one of these."
        ) from error
    with opened as picture:
        _check_pixels(name, *picture.size)
        if picture.format == "TIFF":
            picture.seek(_chosen_page(name, page, getattr(picture, "n_frames", 1)))
            _check_pixels(name, *picture.size)
        else:  # a phone's JPEG may hold a preview as a second frame, which is no page
            _chosen_page(name, page, 1)
        orientation = _orientation(picture)
        if picture.mode == "RGB":
            picture.draft("L", None)  # a JPEG's luminance is there as it is; other formats take no notice
        return _grey(picture, name), orientation


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(0x0112, 1))
    except Exception:  # damaged notes about a picture do not damage the picture
        return 1


def _grey(picture: Image.Image, name: str) -> Image.Image:
    """Grey by ITU-R BT.601, on white where it is transparent, 16 bits as 8."""
    from PIL import Image

    picture.load()
    if picture.mode == "L" and "transparency" not in picture.info:
        return picture.copy()
    width, height = picture.size
    out = Image.new("L", picture.size)
    white = _white(picture)
    for top in range(0, height, _STRIP):
        out.paste(_grey_strip(picture.crop((0, top, width, min(height, top + _STRIP))), name, white), (0, top))
    return out


def _white(picture: Image.Image) -> int:
    """White of 16 bits; of scanners that write their 12 bits into them, white of those."""
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        highest = picture.getextrema()[1]
        if isinstance(highest, int | float) and 0xFF < highest <= 0xFFF:
            return 0xFFF
    return 0xFFFF


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


def _pdf(path: Path, page: int | None, longest_side: int) -> Grey:
    import pypdfium2

    name = path.name
    try:
        document = pypdfium2.PdfDocument(path)
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


def _dicom(path: Path, page: int | None) -> tuple[Grey, dict[str, str]]:
    import pydicom
    from pydicom.pixels.processing import apply_color_lut, convert_color_space
    from pydicom.pixels.utils import pixel_array

    name = path.name
    about = pydicom.dcmread(path, stop_before_pixels=True)
    if about.get("Rows") is None or about.get("Columns") is None:
        raise Refused(
            "no-image", f"{name} holds no image. If it holds a waveform, take it in with 'heartprint ingest files'."
        )
    _check_pixels(name, int(about.Columns), int(about.Rows))
    index = _chosen_page(name, page, int(about.get("NumberOfFrames", None) or 1))
    dataset = pydicom.dcmread(path)
    if "PixelData" not in dataset:
        raise Refused("no-image", f"{name} announces an image and holds none. Export it again.")
    pixels = pixel_array(dataset, index=index, raw=True)
    kind = str(dataset.PhotometricInterpretation)
    bits = int(dataset.BitsStored)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        bits = 8 * pixels.dtype.itemsize
    elif kind.startswith("YBR"):
        pixels = convert_color_space(pixels, kind, "RGB", per_frame=True)
    elif kind not in ("RGB", "MONOCHROME1", "MONOCHROME2"):
        raise Refused("unsupported-format", f"{name} has pixels of the kind '{kind}'. Export it in grey or RGB.")
    white = float((1 << bits) - 1)
    grey = np.empty(pixels.shape[:2], dtype=np.uint8)
    for top in range(0, len(grey), _STRIP):
        levels = pixels[top : top + _STRIP].astype(np.float32) * (255.0 / white)
        if levels.ndim == 3:
            levels = levels[..., :3] @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        if kind == "MONOCHROME1":
            levels = 255.0 - levels
        grey[top : top + _STRIP] = np.clip(np.rint(levels), 0, 255)
    facts = {key: " ".join(str(about.get(key)).split()) for key in _DICOM_FACTS if about.get(key) is not None}
    return grey, facts
