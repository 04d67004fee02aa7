"""Pictures that are opened, and pictures that are refused: each by itself, in time; the next one is read as ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from heartprint.foundation import pictures
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import count_pages, read_picture
from tests.foundation.bad_pictures import BAD, ECG_PDF, dicom, encoded, endless_pdf, noise, pdf, swelling_dicom


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "good.png").write_bytes(encoded(noise(70, 90), "PNG"))
    return folder


def refused(path: Path) -> HeartprintError:
    with pytest.raises(HeartprintError) as caught:
        read_picture(path)
    return caught.value


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures_are_refused_in_time(name: str, folder: Path) -> None:
    code, write = BAD[name]
    write(folder / name)
    began = time.perf_counter()
    error = refused(folder / name)
    assert time.perf_counter() - began < 5
    assert error.code == code
    assert name in error.message and error.message.endswith(".") and "\n" not in error.message
    assert str(folder) not in error.message
    np.testing.assert_array_equal(read_picture(folder / "good.png").pixels, noise(70, 90))


def test_what_kills_its_decoder_is_one_refused_picture(folder: Path) -> None:
    (folder / "endless.pdf").write_bytes(endless_pdf())
    began = time.perf_counter()
    assert refused(folder / "endless.pdf").code in ("unreadable-file", "too-slow", "too-much-memory")
    assert time.perf_counter() - began < 5
    np.testing.assert_array_equal(read_picture(folder / "good.png").pixels, noise(70, 90))


def test_what_takes_too_long_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.tile(noise(500, 500), (6, 6))).save(folder / "long.png", compress_level=1)
    read_picture(folder / "good.png")
    monkeypatch.setattr(pictures, "SECONDS", 0.005)
    assert refused(folder / "long.png").code == "too-slow"
    monkeypatch.undo()
    assert read_picture(folder / "long.png").original == (3000, 3000)


@pytest.mark.slow
def test_the_largest_pictures_stay_below_512_mb(folder: Path) -> None:
    colour = np.ascontiguousarray(np.tile(noise(1024, 1024, 4), (6, 8, 1)))
    Image.fromarray(colour).save(folder / "large.png", compress_level=1)
    Image.fromarray(np.ascontiguousarray(colour[..., :3])).save(folder / "large.tif")
    for name in ("large.png", "large.tif", "bomb.dcm"):
        if name == "bomb.dcm":
            swelling_dicom(folder / name)
            assert refused(folder / name).code == "too-much-memory"
        else:
            assert read_picture(folder / name).original == (6144, 8192)
        process = pictures._decoder()._process
        assert process is not None
        status = Path(f"/proc/{process.pid}/status")
        if not status.is_file():
            pytest.skip("this system does not say how much memory a process has had")
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) * 1024 < 512 * 2**20, (name, peak)


def test_twelve_bits_in_sixteen_are_not_night(tmp_path: Path) -> None:
    grey = noise(60, 80)
    Image.fromarray(grey.astype(np.uint16) * 16 + 15).save(tmp_path / "a.tif")
    assert np.abs(read_picture(tmp_path / "a.tif").pixels.astype(int) - grey).max() <= 1


def test_what_lies_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("open('ran', 'w').close()")
    Image.fromarray(noise(60, 80)).save(tmp_path / "a.png")
    places = os.pathsep.join(str(Path(place).resolve()) for place in sys.path if place)
    program = "import sys; from pathlib import Path; from heartprint.foundation.pictures import read_picture; "
    done = subprocess.run(
        [sys.executable, "-P", "-c", program + "read_picture(Path('a.png'))"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": places},
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
def test_pixels_are_those_that_pillow_sees(kind: str, mode: str, tmp_path: Path) -> None:
    colour = Image.fromarray(noise(60, 80, 3))
    if mode == "I;16":
        picture = Image.fromarray(noise(60, 80).astype(np.uint16) * 257)
    else:
        picture = colour.convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(noise(60, 80)))
    path = tmp_path / f"picture.{kind.lower()}"
    try:
        picture.save(path, kind)
    except OSError:
        pytest.skip(f"{kind} knows no {mode}")
    with Image.open(path) as opened:
        if opened.mode == "I;16":
            expected = (np.asarray(opened) // 257).astype(np.uint8)
        elif opened.mode in ("RGBA", "LA"):
            white = Image.new("RGBA", opened.size, "white")
            expected = np.asarray(Image.alpha_composite(white, opened.convert("RGBA")).convert("L"))
        else:
            expected = np.asarray(opened.convert("L"))
    found = read_picture(path)
    assert found.original == (60, 80)
    assert np.abs(found.pixels.astype(int) - expected).max() <= (1 if "A" in mode else 0)


def test_jpeg_is_its_luminance_and_turned_as_it_says(tmp_path: Path) -> None:
    smooth = Image.fromarray(noise(15, 20, 3)).resize((200, 150), Image.Resampling.BICUBIC)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        smooth.save(tmp_path / "a.jpg", quality=95, exif=exif)
        with Image.open(tmp_path / "a.jpg") as opened:
            expected = np.asarray(ImageOps.exif_transpose(opened).convert("L")).astype(int)
        found = read_picture(tmp_path / "a.jpg").pixels
        assert found.shape == expected.shape
        # Colours that a screen cannot show are clipped on the way through RGB.
        assert np.median(np.abs(found - expected)) <= 1


def test_shrinking_averages_over_areas(tmp_path: Path) -> None:
    Image.fromarray(noise(300, 600)).save(tmp_path / "a.png")
    found = read_picture(tmp_path / "a.png", longest_side=200)
    blocks = noise(300, 600).reshape(100, 3, 200, 3).mean(axis=(1, 3))
    assert found.original == (300, 600)
    assert np.abs(found.pixels - blocks).max() <= 0.51
    assert read_picture(tmp_path / "a.png", longest_side=250).pixels.shape == (125, 250)
    assert read_picture(tmp_path / "a.png", longest_side=600).pixels.tobytes() == noise(300, 600).tobytes()


def test_pages(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(ECG_PDF, pages=3))
    page = read_picture(tmp_path / "a.pdf", page=2, longest_side=300)
    assert page.pixels.shape == (200, 300)
    # The line runs from (20, 200) of 600 x 400 points; PDF counts from below.
    assert page.pixels[100, 50] < 60 and page.pixels[60, 50] == 255 and page.pixels[100, 2] == 255
    first, *others = [Image.fromarray(noise(50, 60) // (k + 1)) for k in range(3)]
    first.save(tmp_path / "a.tif", save_all=True, append_images=others)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif", page=3).pixels, noise(50, 60) // 3)
    for name, page_number in (("a.pdf", 4), ("a.tif", 4), ("a.pdf", 0)):
        with pytest.raises(HeartprintError) as caught:
            read_picture(tmp_path / name, page=page_number)
        assert caught.value.code == "no-such-page"
    for name in ("a.pdf", "a.tif"):
        assert refused(tmp_path / name).code == "several-pages"


def test_dicom_images(tmp_path: Path) -> None:
    grey, colour = noise(50, 60), noise(50, 60, 3)
    found = read_picture(dicom(tmp_path / "a.dcm", grey))
    np.testing.assert_array_equal(found.pixels, grey)
    assert found.facts["PatientID"] == "d1" and found.facts["AcquisitionDateTime"] == "20190531140709"
    assert "PatientName" not in found.facts
    np.testing.assert_array_equal(read_picture(dicom(tmp_path / "b.dcm", grey, "MONOCHROME1")).pixels, 255 - grey)
    deep = ((grey.astype(np.uint32) * 4095 + 127) // 255).astype(np.uint16)
    found = read_picture(dicom(tmp_path / "c.dcm", deep, bits=12))
    assert np.abs(found.pixels.astype(int) - grey).max() <= 1
    found = read_picture(dicom(tmp_path / "d.dcm", colour, "RGB"))
    expected = np.asarray(Image.fromarray(colour).convert("L")).astype(int)
    assert np.abs(found.pixels - expected).max() <= 1


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    out = BytesIO()
    Image.fromarray(noise(50, 60)).save(out, "BMP")
    (tmp_path / "a.dcm").write_bytes(out.getvalue())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.dcm").pixels, noise(50, 60))


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
def test_the_bits_that_are_in_use_decide_what_is_white(bits: int, tmp_path: Path) -> None:
    """A scanner's 10 bits in 16 without a word about it: PNG, TIFF and DICOM come out alike."""
    grey = noise(60, 80)
    deep = ((grey.astype(np.uint32) * ((1 << bits) - 1) + 127) // 255).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.tif")
    Image.fromarray(deep).save(tmp_path / "a.png")
    dicom(tmp_path / "a.dcm", deep, bits=16)
    for name in ("a.tif", "a.png", "a.dcm"):
        assert np.abs(read_picture(tmp_path / name).pixels.astype(int) - grey).max() <= 1, name


def edited(path: Path, **values: object) -> Path:
    import pydicom

    dataset = pydicom.dcmread(path)
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save_as(path)
    return path


def test_a_dicom_window_is_obeyed(tmp_path: Path) -> None:
    """PS3.3 C.11.2.1.2.1, after the rescaling, with several windows the first; inverted for MONOCHROME1."""
    stored = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    expected = np.clip(((stored * 2.0 - 100) - (999.5 - 999 / 2)) / 999 * 255, 0, 255)
    window = {"WindowCenter": [1000, 5], "WindowWidth": [1000, 5], "RescaleSlope": 2, "RescaleIntercept": -100}
    for kind in ("MONOCHROME2", "MONOCHROME1"):
        found = read_picture(edited(dicom(tmp_path / "a.dcm", stored, kind, bits=12), **window)).pixels.astype(float)
        wanted = expected if kind == "MONOCHROME2" else 255 - expected
        assert np.abs(found - wanted).max() <= 0.51


def test_a_pdf_in_dicom_is_read_as_a_pdf(tmp_path: Path) -> None:
    import pydicom

    dicom(tmp_path / "a.dcm", noise(40, 40))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    for name in ("PixelData", "Rows", "Columns"):
        del dataset[name]
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocument = pdf(ECG_PDF, pages=2) + b"\0"
    dataset.save_as(tmp_path / "a.dcm")
    (tmp_path / "a.pdf").write_bytes(pdf(ECG_PDF, pages=2))
    found = read_picture(tmp_path / "a.dcm", page=2)
    np.testing.assert_array_equal(found.pixels, read_picture(tmp_path / "a.pdf", page=2).pixels)
    assert found.facts["PatientID"] == "d1"
    assert refused(tmp_path / "a.dcm").code == "several-pages"
    dataset.EncapsulatedDocument = b"<html></html> "
    dataset.save_as(tmp_path / "a.dcm")
    assert refused(tmp_path / "a.dcm").code == "no-image"


def test_colour_jpeg_2000_in_dicom(tmp_path: Path) -> None:
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    colour = noise(48, 64, 3)
    dicom(tmp_path / "a.dcm", colour, "RGB")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.PixelData = encapsulate([encoded(colour, "JPEG2000", irreversible=False, no_jp2=True)])
    dataset.PhotometricInterpretation, dataset.file_meta.TransferSyntaxUID = "YBR_RCT", JPEG2000Lossless
    dataset.save_as(tmp_path / "a.dcm")
    expected = np.asarray(Image.fromarray(colour).convert("L")).astype(int)
    assert np.abs(read_picture(tmp_path / "a.dcm").pixels - expected).max() <= 1


def test_dicom_without_preamble(tmp_path: Path) -> None:
    """Both without the 128 bytes and without any meta information, as old archives keep them."""
    import pydicom

    grey = noise(50, 60)
    dicom(tmp_path / "a.dcm", grey)
    (tmp_path / "b.dcm").write_bytes((tmp_path / "a.dcm").read_bytes()[132:])
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    del dataset.file_meta
    dataset.preamble = None
    dataset.save_as(tmp_path / "c.dcm", implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert (tmp_path / "c.dcm").read_bytes()[:2] == b"\x08\x00"
    for name in ("b.dcm", "c.dcm"):
        found = read_picture(tmp_path / name)
        np.testing.assert_array_equal(found.pixels, grey, err_msg=name)
        assert found.facts["PatientID"] == "d1"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_frame_of_an_animation_is_not_taken_unsaid(kind: str, tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(50, 60) // (k + 1)) for k in range(3)]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(tmp_path / "a.x", kind, save_all=True, append_images=frames[1:], **options)
    assert refused(tmp_path / "a.x").code == "several-pages"
    found = read_picture(tmp_path / "a.x", page=2).pixels.astype(int)
    assert np.abs(found - np.asarray(frames[1])).max() <= 1
    with pytest.raises(HeartprintError) as caught:
        read_picture(tmp_path / "a.x", page=4)
    assert caught.value.code == "no-such-page"


def test_an_empty_page_is_refused_and_a_faint_one_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    light = np.linspace(250, 170, 400)[None, :] + np.zeros((300, 1))
    paper = np.clip(light + rng.normal(0, 0.8, light.shape), 0, 255)
    faint = paper.copy()
    faint[150:152, 20:380] -= 12
    for name, page in (("empty.png", paper), ("faint.png", faint)):
        Image.fromarray(np.rint(page).astype(np.uint8)).save(tmp_path / name)
    assert refused(tmp_path / "empty.png").code == "blank-image"
    assert read_picture(tmp_path / "faint.png").pixels.shape == (300, 400)
    dark = np.full((300, 400), 3, dtype=np.uint8)
    dark[100:110] = 5
    Image.fromarray(dark).save(tmp_path / "dark.png")
    assert refused(tmp_path / "dark.png").code == "blank-image"


def test_heic_is_read_and_turned_as_it_says() -> None:
    """A phone's file: it says the turn twice, in its own box and in EXIF, and is turned once."""
    from tests.readers.pictures import drawing

    found = read_picture(Path(__file__).parent / "turned.heic")
    expected = np.rot90(drawing(3, size=(240, 320)), -1).astype(int)
    assert found.pixels.shape == (320, 240)
    assert np.abs(found.pixels - expected).mean() < 3


def test_a_cut_heic_is_refused(tmp_path: Path) -> None:
    whole = (Path(__file__).parent / "turned.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(whole[:-600])
    (tmp_path / "b.heic").write_bytes(whole[:40])
    assert refused(tmp_path / "a.heic").code in ("unreadable-file", "file-truncated")
    assert refused(tmp_path / "b.heic").code == "unreadable-file"


def test_pages_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(ECG_PDF, pages=7))
    frames = [Image.fromarray(noise(50, 60)) for _ in range(3)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(tmp_path / "a.jpg")
    dicom(tmp_path / "a.dcm", np.stack([noise(64, 80)] * 4), frames=4)
    found = {kind: count_pages(tmp_path / f"a.{kind}") for kind in ("pdf", "tif", "webp", "jpg", "dcm")}
    assert found["pdf"] == 7 and found["tif"] == 3 and found["jpg"] == 1 and found["dcm"] == 4
    assert found["webp"] in (1, 3)  # equal frames may be kept as one
    assert count_pages(Path(__file__).parent / "turned.heic") == 1


@pytest.mark.parametrize("name", BAD)
def test_counting_pages_breaks_on_nothing(name: str, folder: Path) -> None:
    if not (folder / name).exists():
        BAD[name][1](folder / name)
    began = time.perf_counter()
    try:
        assert count_pages(folder / name) >= 1
    except HeartprintError as error:
        assert error.message.endswith(".")
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("landscape", [False, True])
def test_a_page_that_is_one_picture_gives_that_picture(landscape: bool, tmp_path: Path) -> None:
    """As scanners write it, turned page or not: pixel for pixel, where it is not larger than wanted."""
    smooth = Image.fromarray(noise(30, 40)).resize((800, 600), Image.Resampling.BICUBIC)
    if landscape:
        smooth = smooth.transpose(Image.Transpose.ROTATE_90)
    smooth.save(tmp_path / "a.pdf", resolution=150, quality=95)
    found = read_picture(tmp_path / "a.pdf")
    expected = np.asarray(smooth).astype(int)
    assert found.original == expected.shape
    assert np.abs(found.pixels - expected).mean() < 2
    # A page of lines is drawn as finely as is wanted.
    (tmp_path / "b.pdf").write_bytes(pdf(ECG_PDF))
    assert max(read_picture(tmp_path / "b.pdf").original) == 2400
