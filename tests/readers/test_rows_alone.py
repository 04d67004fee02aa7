"""A file costs its own row alone: what arrays, HDF5, segments and memory may cost, and which command reads what."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts.cohort import REFUSED_FILE
from heartprint.foundation.errors import HeartprintError
from heartprint.readers import Files, Images, Table, ingest
from heartprint.readers import ingestion as ingestion_module
from heartprint.readers.formats.npy import mapped
from heartprint.readers.formats.wfdb import read_wfdb
from heartprint.readers.tracings import Tracings
from tests.cohorts.ecgs import twelve, write_record
from tests.foundation.bad_pictures import ECG_PDF, dicom, encoded, noise, pdf
from tests.readers.hospital_files import (
    write_dicom,
    write_edf,
    write_hl7,
    write_muse,
    write_philips,
    write_samples_csv,
    write_scp,
)

MB = 2**20
SETTINGS = settings(derandomize=True, deadline=None, max_examples=200)
TYPES = ("<f2", "<f4", "<f8", ">f4", ">f8", "<i2", ">i2", "<i4", "<i8", "|i1", "|u1", "<u2", "<u4")


@SETTINGS
@given(st.sampled_from(TYPES), st.lists(st.integers(1, 6), min_size=1, max_size=4), st.booleans())
def test_arrays_are_mapped_as_numpy_loads_them(dtype: str, shape: list[int], columns: bool) -> None:
    array = np.random.default_rng(0).integers(-100, 100, shape).astype(dtype)
    path = _FOLDER / "a.npy"
    np.save(path, np.asfortranarray(array) if columns else array)
    found = mapped(path)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, np.load(path))


@SETTINGS
@given(st.integers(0, 140), st.binary(min_size=1, max_size=6), st.integers(0, 300))
def test_no_damaged_array_does_more_than_be_refused(place: int, new: bytes, cut: int) -> None:
    path = _FOLDER / "b.npy"
    np.save(path, np.zeros((8, 3), dtype="<f4"))
    data = path.read_bytes()
    path.write_bytes((data[:place] + new + data[place + len(new) :])[: len(data) - cut])
    try:
        assert mapped(path).size < 100
    except HeartprintError as error:
        assert error.code in ("bad-array", "file-truncated")


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    """Sparse, as a hostile one would be; NumPy reads it before it looks at its length."""
    with (tmp_path / "a.npy").open("wb") as handle:
        handle.write(b"\x93NUMPY\x02\x00" + (2**32 - 1).to_bytes(4, "little"))
        handle.truncate(4 * 1024 * MB)
    tracemalloc.start()
    with pytest.raises(HeartprintError, match="4,294,967,295 bytes"):
        mapped(tmp_path / "a.npy")
    assert tracemalloc.get_traced_memory()[1] < MB
    tracemalloc.stop()


@pytest.mark.parametrize("chunks", [None, (2, 4096, 12), (4, 128, 1), (5, 4096, 5), (1, 4096, 12)])
def test_tracings_are_those_that_were_written(chunks: tuple[int, int, int] | None, tmp_path: Path) -> None:
    written = np.random.default_rng(0).normal(size=(7, 4096, 12)).astype("f4")
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("tracings", data=written, chunks=chunks, compression=chunks and "gzip")
    source = Tracings(tmp_path / "a.hdf5")
    for row in (6, 0, 1, 5, 4, 3, 2, 6):
        np.testing.assert_array_equal(source.recording(row).signal.T, written[row])


def test_chunks_are_unpacked_once_for_all_their_ecgs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("tracings", data=np.ones((40, 4096, 12), "f4"), chunks=(20, 64, 1), compression="gzip")
    source = Tracings(tmp_path / "a.hdf5")
    reads = []
    read = h5py.Dataset.__getitem__

    def counted(self: h5py.Dataset, args: object, **options: object) -> object:
        reads.append(args)
        return read(self, args, **options)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    for row in range(40):
        assert source.recording(row).signal.shape == (12, 4096)
    assert reads == [slice(0, 20, None), slice(20, 40, None)]


def test_small_chunks_that_hold_thousands_of_ecgs_together_are_refused(tmp_path: Path) -> None:
    """Each of them is small; but every row touches 1,536 of them, four gigabytes in all."""
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file.create_dataset("tracings", (20_000, 4096, 12), "f4", chunks=(20_000, 32, 1), compression="gzip")
    with pytest.raises(HeartprintError, match="3,932,160,000 bytes") as caught:
        Tracings(tmp_path / "a.hdf5").recording(0)
    assert caught.value.code == "file-too-large"


def segments(folder: Path, *parts: tuple[str, int]) -> Path:
    """Header of a recording of several segments."""
    whole = sum(n for _, n in parts)
    lines = [f"whole/{len(parts)} 12 100 {whole}", *(f"{name} {n}" for name, n in parts)]
    (folder / "whole.hea").write_text("\n".join(lines) + "\n")
    return folder / "whole.hea"


def test_segments_are_as_long_as_the_whole_says(tmp_path: Path) -> None:
    write_record(tmp_path, "one", twelve(), 100)
    whole = read_wfdb(segments(tmp_path, ("one", 1000), ("one", 1000))).signal
    one = read_wfdb(tmp_path / "one.hea").signal
    np.testing.assert_allclose(whole, np.hstack([one, one]), atol=1e-9)
    for parts in ((("one", 1000), ("one", 500)), (("whole", 500), ("whole", 500))):
        with pytest.raises(HeartprintError) as caught:
            read_wfdb(segments(tmp_path, *parts))
        assert caught.value.code == "header-mismatch"


def table(folder: Path, *names: str) -> Path:
    (folder / "t.csv").write_text("path,patient_id\n" + "".join(f"{name},p{k}\n" for k, name in enumerate(names)))
    return folder / "t.csv"


@pytest.mark.parametrize("where", ["read_part", "examine"])
def test_memory_that_a_row_used_up_costs_the_row(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", twelve())
    examine, calls = ingestion_module.examine, []

    def full_at_first(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return examine(*args, **options)  # type: ignore[arg-type]

    if where == "examine":
        monkeypatch.setattr(ingestion_module, "examine", full_at_first)
    else:
        monkeypatch.setattr("heartprint.readers.formats.npy.mapped", _full_for("a.npy"))
    cohort = ingest(Table(sampling_rate=100), table(tmp_path, "a.npy", "b.npy"), tmp_path / "c", workers=1)
    assert cohort.ecg_ids.tolist() == ["b"]
    assert pl.read_parquet(cohort.path / REFUSED_FILE)["code"].to_list() == ["too-much-memory"]


def _full_for(name: str) -> Callable[..., object]:
    def read(path: Path, *rest: str) -> object:
        if path.name == name:
            raise MemoryError
        return mapped(path, *rest)

    return read


def test_memory_that_is_gone_ends_the_ingestion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every row after it would be refused, and the cohort be a small one."""
    np.save(tmp_path / "a.npy", twelve())
    monkeypatch.setattr(ingestion_module, "_ROOM", 2**62)

    def full(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr(ingestion_module, "examine", full)
    with pytest.raises(MemoryError):
        ingest(Table(sampling_rate=100), table(tmp_path, "a.npy"), tmp_path / "c", workers=1)


SAMPLES: dict[str, Callable[[Path], object]] = {
    "a.dcm": lambda path: write_dicom(path, twelve(rate=500), 500),
    "a.edf": lambda path: write_edf(path, twelve(rate=500), 500),
    "hl7.xml": lambda path: write_hl7(path, twelve(rate=500), 500),
    "muse.xml": lambda path: write_muse(path, twelve(rate=500), 500),
    "philips.xml": lambda path: write_philips(path, twelve(rate=500), 500),
    "a.scp": lambda path: write_scp(path, twelve(rate=500), 500),
    "a.csv": lambda path: write_samples_csv(path, twelve(rate=500)),
    "a.npy": lambda path: np.save(path, twelve(rate=500)),
    "w.hea": lambda path: write_record(path.parent, "w", twelve(rate=500), 500),
}


def encapsulated(path: Path) -> None:
    import pydicom

    dicom(path, noise(40, 40))
    dataset = pydicom.dcmread(path)
    for name in ("PixelData", "Rows", "Columns"):
        del dataset[name]
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.104.1"
    dataset.EncapsulatedDocument = pdf(ECG_PDF)
    dataset.save_as(path)


def jpeg_2000(path: Path) -> None:
    import pydicom
    from pydicom.encaps import encapsulate
    from pydicom.uid import JPEG2000Lossless

    colour = noise(48, 64, 3)
    dicom(path, colour, "RGB")
    dataset = pydicom.dcmread(path)
    dataset.PixelData = encapsulate([encoded(colour, "JPEG2000", irreversible=False, no_jp2=True)])
    dataset.PhotometricInterpretation, dataset.file_meta.TransferSyntaxUID = "YBR_RCT", JPEG2000Lossless
    dataset.save_as(path)


def as_file(kind: str) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(encoded(noise(60, 80), kind))


PICTURES: dict[str, Callable[[Path], object]] = {
    **{f"a.{kind.lower()}": as_file(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP")},
    "a.pdf": lambda path: path.write_bytes(pdf(ECG_PDF)),
    "a.dcm": lambda path: dicom(path, noise(60, 80)),
    "jpeg-2000.dcm": jpeg_2000,
    "pdf.dcm": encapsulated,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_who_gives_samples_for_pictures_is_sent_to_the_other_command(name: str, tmp_path: Path) -> None:
    SAMPLES[name](tmp_path / name)
    with pytest.raises(HeartprintError) as caught:
        ingest(Images(), table(tmp_path, name), tmp_path / "c", workers=1)
    assert "'heartprint ingest files'" in caught.value.message and "no-image" in caught.value.message


@pytest.mark.parametrize("name", PICTURES)
def test_who_gives_pictures_for_samples_is_sent_to_the_other_command(name: str, tmp_path: Path) -> None:
    """And there they go in: nobody is sent in a circle."""
    (tmp_path / "src").mkdir()
    PICTURES[name](tmp_path / "src" / name)
    for reader in (Files(), Table(sampling_rate=500)):
        src = tmp_path / "src" if isinstance(reader, Files) else table(tmp_path / "src", name)
        with pytest.raises(HeartprintError) as caught:
            ingest(reader, src, tmp_path / "c", workers=1)
        assert "'heartprint ingest images'" in caught.value.message
    assert len(ingest(Images(), table(tmp_path / "src", name), tmp_path / "i", workers=1)) == 1


@pytest.fixture(scope="module", autouse=True)
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _FOLDER
    _FOLDER = tmp_path_factory.mktemp("rows")


_FOLDER = Path()
