"""Pictures that lie, stop early, swell or never end, and what each is refused for."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Grey = npt.NDArray[np.uint8]


def noise(height: int, width: int, channels: int = 0) -> npt.NDArray[np.uint8]:
    """Grey, or colour, of every level."""
    shape = (height, width, channels) if channels else (height, width)
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def encoded(pixels: npt.NDArray[np.uint8], kind: str, **options: object) -> bytes:
    """A picture as the bytes of a file."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int, data: bytes, *, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG file that says what it is told to say."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bmp(width: int, height: int, data: bytes) -> bytes:
    """A grey BMP file that says what it is told to say."""
    palette = b"".join(bytes((i, i, i, 0)) for i in range(256))
    start = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start)
    return head + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 0, 0, 2835, 2835, 256, 0) + palette + data


def tiff_claiming(width: int, height: int) -> bytes:
    """A TIFF file whose header claims a size, with a few bytes behind it."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, height), (279, 4, (width * height) & 0xFFFFFFFF)]
    body = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, k, 1, v) for t, k, v in tags) + b"\0" * 4
    return b"II*\0" + struct.pack("<I", 16) + b"\x80" * 8 + body


def pdf(
    content: bytes, *, pages: int = 1, forms: tuple[tuple[str, bytes], ...] = (), box: str = "0 0 600 400"
) -> bytes:
    """A PDF whose pages all show the same; forms may draw each other."""
    objects: list[bytes] = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    first_form = 4 + pages
    names = " ".join(f"/{name} {first_form + k} 0 R" for k, (name, _) in enumerate(forms))
    kids = " ".join(f"{4 + k} 0 R" for k in range(pages))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode())
    objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 3 0 R /Resources << /XObject << {names} >> >> >>"
    objects += [page.encode()] * pages
    for _, stream in forms:
        head = f"<< /Type /XObject /Subtype /Form /BBox [0 0 600 400] /Resources << /XObject << {names} >> >>"
        objects.append(head.encode() + b" /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(
        b"%010d 00000 n \n" % p for p in places
    )
    return out + table + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))


ECG_PDF = b"4 w 20 200 m 200 200 l 220 350 l 240 150 l 260 200 l 580 200 l S"


def endless_pdf() -> bytes:
    """Forms that each draw the next one many times over: a page of some kilobytes and 40 ** 7 lines."""
    forms = tuple((f"F{k}", (f"/F{k + 1} Do " * 40).encode()) for k in range(7))
    return pdf(b"/F0 Do", forms=(*forms, ("F7", ECG_PDF)))


def dicom(
    path: Path,
    pixels: npt.NDArray[np.unsignedinteger],
    kind: str = "MONOCHROME2",
    *,
    bits: int | None = None,
    rows: int | None = None,
    frames: int = 1,
    deflated: bool = False,
    patient_id: str = "d1",
) -> Path:
    """A secondary capture; ``rows`` is what its header claims."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        SecondaryCaptureImageStorage,
        generate_uid,
    )

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian if deflated else ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = SecondaryCaptureImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    ds.PatientID, ds.PatientSex, ds.PatientAge = patient_id, "F", "064Y"
    ds.PatientName = "Doe^Jane"
    ds.AcquisitionDateTime, ds.Manufacturer = "20190531140709", "ACME"
    shape = pixels.shape[1:] if frames > 1 else pixels.shape
    ds.Rows, ds.Columns = rows or shape[0], shape[1]
    ds.SamplesPerPixel = 3 if kind == "RGB" else 1
    if kind == "RGB":
        ds.PlanarConfiguration = 0
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.PhotometricInterpretation = kind
    ds.BitsAllocated = 8 * pixels.itemsize
    ds.BitsStored = bits or ds.BitsAllocated
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, 0
    data = pixels.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if pixels.itemsize == 2 else "OB"
    pydicom.dcmwrite(path, ds, enforce_file_format=True)
    return path


def _write(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


BAD: dict[str, tuple[str, Callable[[Path], object]]] = {
    "empty.png": ("file-truncated", _write(b"")),
    "cut.png": ("file-truncated", _write(encoded(noise(300, 400), "PNG")[:-40_000])),
    "cut.jpg": ("file-truncated", _write(encoded(noise(300, 400), "JPEG")[:-20_000])),
    "cut.bmp": ("file-truncated", _write(encoded(noise(300, 400), "BMP")[:-9_000])),
    "cut.tif": ("unreadable-file", _write(encoded(noise(300, 400), "TIFF", compression="tiff_lzw")[:-60_000])),
    "cut.pdf": ("unreadable-file", _write(pdf(ECG_PDF)[:90])),
    "letter.png": ("unknown-format", _write(b"Dear colleague, this is no picture." * 9)),
    "zeros.jpg": ("unknown-format", _write(bytes(5000))),
    "moving.gif": ("unknown-format", _write(encoded(noise(64, 64), "GIF"))),
    "drawing.svg": ("unknown-format", _write(b"<svg xmlns='http://www.w3.org/2000/svg'/>")),
    "bomb.png": ("image-too-large", _write(png(30_000, 30_000, zlib.compress(bytes(10_000_000), 9)))),
    "vast.png": ("image-too-large", _write(png(2**31 - 1, 2**31 - 1, zlib.compress(b"")))),
    "vast.bmp": ("image-too-large", _write(bmp(60_000, 60_000, bytes(100)))),
    "vast.tif": ("image-too-large", _write(tiff_claiming(2**30, 2**30))),
    "lying.png": ("file-truncated", _write(png(6000, 6000, zlib.compress(bytes(1000))))),
    "lying.bmp": ("file-truncated", _write(bmp(6000, 6000, bytes(1000)))),
    "lying.tif": ("file-truncated", _write(tiff_claiming(6000, 6000))),
    "narrow.png": ("image-too-small", _write(encoded(noise(8, 2000), "PNG"))),
    "tiny.png": ("image-too-small", _write(encoded(noise(20, 20), "PNG"))),
    "white.png": ("blank-image", _write(encoded(np.full((80, 80), 255, np.uint8), "PNG"))),
    "white.pdf": ("blank-image", _write(pdf(b""))),
    "two.pdf": ("several-pages", _write(pdf(ECG_PDF, pages=2))),
    "deep.tif": ("unsupported-format", lambda path: Image.fromarray(np.eye(64, dtype=np.float32)).save(path)),
    "lying.dcm": ("unreadable-file", lambda path: dicom(path, noise(64, 80), rows=5000)),
    "vast.dcm": ("image-too-large", lambda path: dicom(path, noise(2, 60_000), rows=60_000)),
    "frames.dcm": ("several-pages", lambda path: dicom(path, np.stack([noise(64, 80)] * 3), frames=3)),
    "cut.dcm": ("unreadable-file", lambda path: path.write_bytes(dicom(path, noise(64, 80)).read_bytes()[:700])),
    "folder.png": ("unreadable-file", lambda path: path.mkdir()),
    "absent.png": ("file-missing", lambda path: None),
}
"""File name to reason code and what writes the file."""


def swelling_dicom(path: Path) -> Path:
    """Half a megabyte that is 480 MB when it is inflated, and says that it is small."""
    return dicom(path, np.zeros((12_000, 40_000), np.uint8), rows=900, deflated=True)
