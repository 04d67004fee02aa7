"""How deep grey becomes eight bits, and what is blank: asserted by pixels over PNG, TIFF and DICOM."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, TiffImagePlugin

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import read_picture
from tests.foundation.bad_pictures import dicom, encoded, noise


def code_of(path: Path) -> str:
    with pytest.raises(HeartprintError) as caught:
        read_picture(path)
    return caught.value.code


def apart(path: Path, expected: npt.NDArray[np.integer]) -> int:
    return int(np.abs(read_picture(path).pixels.astype(int) - expected).max())


def edited(path: Path, **values: object) -> Path:
    import pydicom

    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("bits", [10, 12, 15, 16])
def test_a_dead_pixel_does_not_make_night(bits: int, tmp_path: Path) -> None:
    grey = noise(120, 160)
    deep = ((grey.astype(np.uint32) * ((1 << bits) - 1) + 127) // 255).astype(np.uint16)
    deep[3, 3], grey[3, 3] = 65535, 255
    Image.fromarray(deep).save(tmp_path / "a.png")
    Image.fromarray(deep).save(tmp_path / "a.tif")
    dicom(tmp_path / "a.dcm", deep, bits=16)
    for name in ("a.png", "a.tif", "a.dcm"):
        assert apart(tmp_path / name, grey) <= 1, name


def test_white_that_is_zero_in_16_bits(tmp_path: Path) -> None:
    """Pillow inverts such a TIFF in eight bits and not in more."""
    grey = noise(60, 80)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.tif", tiffinfo=tags)
    with Image.open(tmp_path / "a.tif") as opened:
        assert getattr(opened, "tag_v2", {})[262] == 0
    assert apart(tmp_path / "a.tif", 255 - grey) == 0


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_of_16_bits(suffix: str, tmp_path: Path) -> None:
    """Used in full they are read; of which only the lowest are used they would be black, and are refused."""
    import cv2

    colour = noise(60, 80, 3)
    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), colour[..., ::-1].astype(np.uint16) * 257)
    assert apart(path, np.asarray(Image.fromarray(colour).convert("L"))) <= 1
    cv2.imwrite(str(path), colour.astype(np.uint16) * 4)
    assert code_of(path) == "unsupported-format"
    dicom(tmp_path / "a.dcm", colour.astype(np.uint16) * 4, "RGB", bits=16)
    assert apart(tmp_path / "a.dcm", np.asarray(Image.fromarray(colour).convert("L"))) <= 2


def test_the_noise_of_a_black_frame_is_not_made_bright(tmp_path: Path) -> None:
    dark = np.random.default_rng(0).integers(0, 4, (120, 160)).astype(np.uint16)
    Image.fromarray(dark).save(tmp_path / "a.png")
    dicom(tmp_path / "a.dcm", dark, bits=16)
    for name in ("a.png", "a.dcm"):
        assert code_of(tmp_path / name) == "blank-image"


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_dicom_windows_of_every_function(function: str, tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, literally."""
    stored = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    centre, width = 2000.0, 1500.0
    expected = np.empty(stored.shape)
    for place, x in np.ndenumerate(stored.astype(float)):
        if function == "SIGMOID":
            y = 255 / (1 + np.exp(-4 * (x - centre) / width))
        elif function == "LINEAR_EXACT":
            y = 0 if x <= centre - width / 2 else 255 if x > centre + width / 2 else ((x - centre) / width + 0.5) * 255
        else:
            low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
            y = 0 if x <= low else 255 if x > high else ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255
        expected[place] = y
    window = {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function}
    found = read_picture(edited(dicom(tmp_path / "a.dcm", stored, bits=12), **window)).pixels
    assert np.abs(found - expected).max() <= 0.51


def test_a_window_that_shows_nothing_gives_way_to_the_data(tmp_path: Path) -> None:
    grey = noise(60, 80)
    deep = (grey.astype(np.uint32) * 1023 // 255).astype(np.uint16)
    for window in ({"WindowCenter": 30000, "WindowWidth": 100}, {"WindowCenter": 512, "WindowWidth": 0}):
        assert apart(edited(dicom(tmp_path / "a.dcm", deep, bits=16), **window), grey) <= 1


def test_a_window_of_the_frame(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    frames = np.stack([noise(60, 80).astype(np.uint16) * 16, noise(60, 80).astype(np.uint16) * 4])
    groups = []
    for centre, width in ((2048, 4096), (512, 1024)):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, width
        group.FrameVOILUTSequence = [window]
        groups.append(group)
    edited(dicom(tmp_path / "a.dcm", frames, frames=2, bits=16), PerFrameFunctionalGroupsSequence=groups)
    for page in (1, 2):
        found = read_picture(tmp_path / "a.dcm", page=page).pixels
        assert np.abs(found.astype(int) - noise(60, 80)).max() <= 1


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_signed_levels(kind: str, tmp_path: Path) -> None:
    grey = noise(60, 80)
    grey[0, :2] = 0, 255
    signed = (grey.astype(np.int16) - 128) * 8
    path = edited(dicom(tmp_path / "a.dcm", signed.view(np.uint16), kind, bits=16), PixelRepresentation=1)
    assert apart(path, grey if kind == "MONOCHROME2" else 255 - grey) <= 1


def test_luminance_of_ybr(tmp_path: Path) -> None:
    """Uncompressed, and as JPEG within DICOM."""
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGBaseline8Bit

    smooth = np.asarray(Image.fromarray(noise(15, 20, 3)).resize((200, 150), Image.Resampling.BICUBIC))
    expected = np.asarray(Image.fromarray(smooth).convert("L")).astype(int)
    ybr = np.asarray(Image.fromarray(smooth).convert("YCbCr"))
    dicom(tmp_path / "a.dcm", ybr, "RGB")
    assert apart(edited(tmp_path / "a.dcm", PhotometricInterpretation="YBR_FULL"), expected) <= 1
    dicom(tmp_path / "b.dcm", smooth, "RGB")
    dataset = pydicom.dcmread(tmp_path / "b.dcm")
    dataset.PixelData = encapsulate([encoded(smooth, "JPEG", quality=98, subsampling=0)])
    dataset.PhotometricInterpretation, dataset.file_meta.TransferSyntaxUID = "YBR_FULL", JPEGBaseline8Bit
    dataset.save_as(tmp_path / "b.dcm")
    found = read_picture(tmp_path / "b.dcm").pixels
    assert np.median(np.abs(found.astype(int) - expected)) <= 1 and np.abs(found.astype(int) - expected).max() < 20


def test_a_compression_that_is_not_read_is_named(tmp_path: Path) -> None:
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEGLSLossless

    dicom(tmp_path / "a.dcm", noise(50, 60))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.PixelData = encapsulate([b"\xff\xd8\xff\xf7" + bytes(100)])
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(HeartprintError, match="JPEG-LS") as caught:
        read_picture(tmp_path / "a.dcm")
    assert caught.value.code == "unsupported-format"


@pytest.mark.parametrize("deviation", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_noise_is_not_ink(deviation: float, tmp_path: Path) -> None:
    """An empty sheet from a scanner, in lossless and lossy files, evenly lit and not."""
    rng = np.random.default_rng(1)
    for lit in (np.full(900, 240.0), np.linspace(250, 190, 900)):
        sheet = lit + rng.normal(0, deviation, (600, 900))
        Image.fromarray(np.clip(np.rint(sheet), 0, 255).astype(np.uint8)).save(tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            picture.save(tmp_path / "a.jpg", quality=90)
        # Compression leaves some blocks of strong noise and smooths others: that is not told from faint ink.
        for name in ("a.png", "a.jpg") if deviation <= 1 else ("a.png",):
            assert code_of(tmp_path / name) == "blank-image", (name, lit[-1])


@pytest.mark.parametrize("layout", ["standard", "alternate", "shuffled"])
def test_faint_sheets_go_in(layout: str, tmp_path: Path) -> None:
    """Sheets whose ink is at most 20 levels darker than their paper, with and without noise."""
    from heartprint.sheets import render
    from tests.cohorts.ecgs import twelve

    drawn = render(twelve(10.0, 500), 500.0, layout=layout, size=700).astype(np.float64)
    rng = np.random.default_rng(2)
    for ink in (40, 20):
        for deviation in (0.0, 1.0):
            faint = 245 - ink * (255 - drawn) / (255 - drawn.min()) + rng.normal(0, deviation, drawn.shape)
            Image.fromarray(np.clip(np.rint(faint), 0, 255).astype(np.uint8)).save(tmp_path / "a.png")
            assert read_picture(tmp_path / "a.png").pixels.shape == drawn.shape, (ink, deviation)


def test_a_tiff_of_many_pages_is_not_counted_to_its_end(tmp_path: Path) -> None:
    grey = noise(40, 50)
    n, start = 20_000, 8 + grey.size
    tags = [(256, 4, 50), (257, 4, 40), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1)]
    tags += [(278, 4, 40), (279, 4, grey.size)]
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in tags)
    size = len(directory) + 4
    chain = b"".join(directory + struct.pack("<I", start + size * (k + 1) if k < n - 1 else 0) for k in range(n))
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", start) + grey.tobytes() + chain)
    began = time.perf_counter()
    assert code_of(tmp_path / "a.tif") == "several-pages"
    assert time.perf_counter() - began < 4
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", page=3).pixels, grey)
