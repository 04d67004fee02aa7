"""Pages of PDF, and images and PDFs in DICOM, to grey; run by `heartprint.foundation.picture_decoder`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.picture_rules import (
    LUMA,
    STRIP,
    Grey,
    Refused,
    check_pixels,
    chosen_page,
    highest_level,
    is_blank,
    shrunk,
    white_of,
)

_FINER = 2  # how much finer than wanted a PDF is drawn before it is averaged
_FILLED = 0.8  # of a page, by its only picture
_MOST_OVER_A_PICTURE = 5000  # pieces of text
_DEFERRED = 2**20  # bytes of an element that are not read unless they are asked for
_LOOKED_AT = 1200  # px of the longer side to which a picture is shrunk to see whether a window leaves it blank
_FACTS = (
    *("PatientID", "PatientSex", "PatientAge", "PatientBirthDate", "InstitutionName"),
    *("ManufacturerModelName", "Manufacturer", "AcquisitionDateTime"),
    *(f"{kind}{what}" for kind in ("Acquisition", "Content", "Study") for what in ("Date", "Time")),
)
_GREYS = ("MONOCHROME1", "MONOCHROME2")
# Of these the first of three channels is the luminance.
_LUMINANCE_FIRST = ("YBR_FULL", "YBR_FULL_422")

Levels = npt.NDArray[np.integer]


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


def pdf(source: Path | bytes, name: str, page: int | None, longest_side: int) -> Grey:
    """Draw a page of a PDF, twice as fine as wanted; one that is a single picture, no finer than that picture is.

    Raises:
        Refused: With code and message.
    """
    with (
        _opened(source, name) as document,
        contextlib.closing(document[chosen_page(name, page, len(document))]) as sheet,
    ):
        width, height = sheet.get_size()
        if not (width > 0 and height > 0):
            raise Refused("unreadable-file", f"The page of {name} has no size. Export it again.")
        scale = _FINER * longest_side / max(width, height)
        bitmap = sheet.render(scale=min(scale, _scale_of_picture(sheet) or scale), grayscale=True)
        drawn = bitmap.to_numpy()
        return np.array(drawn.reshape(drawn.shape[:2]), dtype=np.uint8)


def _scale_of_picture(sheet: Any) -> float | None:
    """Px a point of the picture that fills a page, as scanners write it; None for any other page.

    Text may lie over it, as scanners put it there for searching; lines may not: they could be an ECG.
    """
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE, FPDF_PAGEOBJ_TEXT

    pictures = []
    for k, part in enumerate(sheet.get_objects(max_depth=2)):
        if part.type == FPDF_PAGEOBJ_IMAGE:
            pictures.append(part)
        elif part.type != FPDF_PAGEOBJ_TEXT:
            return None
        if len(pictures) > 1 or k > _MOST_OVER_A_PICTURE:
            return None
    if not pictures:
        return None
    corners = np.array(pictures[0].get_quad_points(), dtype=np.float64)
    sides = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[3] - corners[0])
    width, height = sheet.get_size()
    if float(sides[0] * sides[1]) < _FILLED * width * height:
        return None
    return float(max(pictures[0].get_px_size() / np.maximum(sides, 1e-9)))


def count_in_pdf(source: Path | bytes, name: str) -> int:
    """Pages of a PDF.

    Raises:
        Refused: With code and message.
    """
    with _opened(source, name) as document:
        return len(document)


@contextlib.contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Any]:
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
        yield document


def dicom(path: Path, page: int | None, longest_side: int) -> tuple[Grey, dict[str, str]]:
    """Read an image or an encapsulated PDF (PS3.3 A.45.1) and what the file says of the ECG.

    Raises:
        Refused: With code and message.
    """
    import pydicom

    name = path.name
    about = pydicom.dcmread(path, stop_before_pixels=True, force=True, defer_size=_DEFERRED)
    facts = {key: " ".join(str(about.get(key)).split()) for key in _FACTS if about.get(key) is not None}
    if "EncapsulatedDocument" in about:
        return pdf(_document(about, name), name, page, longest_side), facts
    if about.get("Rows") is None or about.get("Columns") is None:
        raise Refused(
            "no-image",
            f"{name} holds a waveform and no image. Take it in with 'heartprint ingest files', or with 'heartprint "
            "ingest table'."
            if "WaveformSequence" in about
            else f"{name} holds neither an image nor a PDF. Export the ECG again.",
        )
    check_pixels(name, int(about.Columns), int(about.Rows))
    index = chosen_page(name, page, _frames(about))
    dataset = pydicom.dcmread(path, force=True)
    if "PixelData" not in dataset:
        raise Refused("no-image", f"{name} announces an image and holds none. Export it again.")
    return _image(dataset, name, index), facts


def count_in_dicom(path: Path) -> int:
    """Frames of an image, or pages of an encapsulated PDF.

    Raises:
        Refused: With code and message.
    """
    import pydicom

    about = pydicom.dcmread(path, stop_before_pixels=True, force=True, defer_size=_DEFERRED)
    if "EncapsulatedDocument" in about:
        return count_in_pdf(_document(about, path.name), path.name)
    return _frames(about)


def _frames(about: Any) -> int:
    return int(about.get("NumberOfFrames", None) or 1)


def _document(about: Any, name: str) -> bytes:
    kind = str(about.get("MIMETypeOfEncapsulatedDocument", None) or "")
    document = bytes(about.EncapsulatedDocument or b"")
    if b"%PDF-" not in document[:1024]:
        raise Refused(
            "no-image", f"{name} holds a document of the kind '{kind[:40]}' and no PDF. Export the ECG as PDF or image."
        )
    return document


def _image(dataset: Any, name: str, index: int) -> Grey:
    from pydicom.pixels.processing import apply_color_lut

    pixels, kind = _decompressed(dataset, name, index)
    bits = int(dataset.BitsStored)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        kind, bits = "RGB", 8 * pixels.dtype.itemsize
    if kind in _LUMINANCE_FIRST and pixels.ndim == 3:
        pixels, kind = pixels[..., 0], "MONOCHROME2"
    if kind in _GREYS and pixels.ndim == 2:
        return _from_levels(dataset, pixels, index, bits, kind)
    if kind == "RGB" and pixels.ndim == 3:
        white = white_of(highest_level(pixels[..., :3]), bits)
        weights = np.array(LUMA, dtype=np.float32) * np.float32(255.0 / white)
        return _in_strips(pixels, lambda levels: levels[..., :3].astype(np.float32) @ weights)
    raise Refused("unsupported-format", f"{name} has pixels of the kind '{kind}'. Export it in grey or RGB.")


def _decompressed(dataset: Any, name: str, index: int) -> tuple[Levels, str]:
    """``(h, w)`` or ``(h, w, 3)`` as stored, and what they are now: a codec may have turned YBR into RGB itself."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if not hasattr(dataset, "file_meta") or "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        uncompressed = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = uncompressed if little else ExplicitVRBigEndian
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decoder = get_decoder(syntax)
        known = decoder.is_available
    except NotImplementedError:
        known = False
    if not known:
        raise Refused(
            "unsupported-format",
            f"The pixels of {name} are compressed as '{syntax.name}', which is not read. Export it uncompressed.",
        )
    pixels, meta = decoder.as_array(dataset, index=index, raw=True)
    return np.asarray(pixels), str(meta["photometric_interpretation"])


def _from_levels(dataset: Any, pixels: Levels, index: int, bits: int, kind: str) -> Grey:
    """Grey as the file wants it shown: by its table or window (PS3.3 C.11), else by the bits that are used."""
    slope, intercept = float(dataset.get("RescaleSlope", None) or 1), float(dataset.get("RescaleIntercept", None) or 0)
    shown = _window(dataset, index)
    falling = (kind == "MONOCHROME1") ^ (slope < 0 and shown is None)

    def turned(grey: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        return 255.0 - grey if falling else grey

    if shown is not None:
        as_wanted = shown
        grey = _in_strips(
            pixels, lambda levels: turned(as_wanted(levels.astype(np.float32) * np.float32(slope) + intercept))
        )
        if not is_blank(shrunk(grey, _LOOKED_AT)):
            return grey
        falling = (kind == "MONOCHROME1") ^ (slope < 0)
    black = min(0, int(pixels.min()))
    white = int(pixels.max()) if black < 0 else white_of(highest_level(pixels), bits)
    factor = np.float32(255.0 / max(white - black, 1))
    return _in_strips(pixels, lambda levels: turned((levels.astype(np.float32) - black) * factor))


def _in_strips(pixels: Levels, to_grey: Callable[[npt.NDArray[Any]], npt.NDArray[np.floating[Any]]]) -> Grey:
    grey = np.empty(pixels.shape[:2], dtype=np.uint8)
    for top in range(0, len(grey), STRIP):
        grey[top : top + STRIP] = np.clip(np.rint(to_grey(pixels[top : top + STRIP])), 0, 255)
    return grey


def _window(dataset: Any, index: int) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.floating[Any]]] | None:
    """What takes rescaled values to 0-255: the first table or window of the image, or of its frame."""
    for holder in (dataset, *_frame_groups(dataset, index)):
        tables = holder.get("VOILUTSequence", None)
        if tables:
            return _by_table(tables[0])
        centre, width = _first(holder.get("WindowCenter", None)), _first(holder.get("WindowWidth", None))
        function = str(holder.get("VOILUTFunction", None) or "LINEAR")
        if centre is not None and width is not None and width >= 1 and np.isfinite([centre, width]).all():
            return _by_window(centre, width, function)
    return None


def _frame_groups(dataset: Any, index: int) -> list[Any]:
    """Where images of several frames keep their windows."""
    shared = dataset.get("SharedFunctionalGroupsSequence", None) or []
    each = dataset.get("PerFrameFunctionalGroupsSequence", None) or []
    groups = [*each[index : index + 1], *shared[:1]]
    return [found[0] for group in groups if (found := group.get("FrameVOILUTSequence", None))]


def _first(value: Any) -> float | None:
    values = value if isinstance(value, list | tuple) or hasattr(value, "append") else [value]
    try:
        return float(values[0])
    except (TypeError, ValueError, IndexError):
        return None


def _by_window(
    centre: float, width: float, function: str
) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.floating[Any]]]:
    """A window as PS3.3 C.11.2.1.2 and C.11.2.1.3 define it."""
    if function == "SIGMOID":
        return lambda values: np.asarray(255.0 / (1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -80, 80))))
    if function == "LINEAR_EXACT":
        return lambda values: ((values - centre) / width + 0.5) * 255.0
    return lambda values: ((values - (centre - 0.5)) / max(width - 1.0, 1e-6) + 0.5) * 255.0


def _by_table(table: Any) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.floating[Any]]] | None:
    """A table as PS3.3 C.11.2.1.1 defines it."""
    n, first, bits = (int(value) for value in table.LUTDescriptor)
    n = n or 1 << 16
    data = table.LUTData
    if isinstance(data, bytes):
        data = np.frombuffer(data, np.uint8 if len(data) < 2 * n else "<u2")
    entries = np.asarray(data, dtype=np.float32)[:n]
    if not entries.size:
        return None
    scale = np.float32(255.0 / max(white_of(int(entries.max()), bits), 1))
    return lambda values: entries[np.clip(np.rint(values) - first, 0, len(entries) - 1).astype(np.int64)] * scale
