"""Cohort folders that were changed: each change is refused with a code and a sentence, whoever opens the folder."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.cohorts import Cohort, write_cohort
from heartprint.cohorts.cohort import CAUTIONS_FILE, COHORT_FILE, DATA_FILES, FORMAT_VERSION, RECORDS_FILE
from heartprint.cohorts.upgrade import upgrade_cohort
from heartprint.cohorts.verify import verify_cohort
from heartprint.foundation.errors import HeartprintError

TAMPERED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile" / "tampered_cohorts.py"
N = 5


def made(folder: Path, kind: str = "waveform") -> Path:
    rng = np.random.default_rng(0)
    with write_cohort(folder, source="made for a test", label_names=["af"], kind=kind) as writer:  # type: ignore[arg-type]
        for i in range(N):
            about: dict[str, Any] = {"ecg_id": f"e{i}", "patient_id": f"p{i // 2}", "age": 50.0 + i, "sex": "female"}
            about["labels"] = {"af": float(i % 2)}
            if kind == "image":
                writer.add_image(rng.integers(0, 255, (40, 50), dtype=np.uint8), original=(80, 100), **about)
            else:
                writer.add(rng.integers(-900, 900, (8, 20), dtype=np.int16), sampling_rate=250.0, **about)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("whole")
    return {kind: made(root / kind, kind) for kind in DATA_FILES}


@pytest.fixture
def folder(whole: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole["waveform"], tmp_path / "c"))


@pytest.fixture
def images(whole: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole["image"], tmp_path / "i"))


def refused(folder: Path) -> HeartprintError:
    with pytest.raises(HeartprintError) as error:
        Cohort.open(folder)
    assert error.value.message.count("\n") == 0 and len(error.value.message) < 900
    return error.value


def table(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    change(pl.read_parquet(folder / RECORDS_FILE)).write_parquet(folder / RECORDS_FILE)


def first(column: str, value: Any) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Put a value into the first row of a column, whose type stays."""

    def change(records: pl.DataFrame) -> pl.DataFrame:
        cells = records[column].to_list()
        return records.with_columns(pl.Series(column, [value, *cells[1:]], dtype=records.schema[column]))

    return change


def info(folder: Path, **values: Any) -> None:
    raw = json.loads((folder / COHORT_FILE).read_text())
    (folder / COHORT_FILE).write_text(json.dumps(raw | values))


NAN, INF = float("nan"), float("inf")
WAVEFORM_CELLS = {
    "offset": [-1, -(2**63), 10**15, 2**63 - 1, 1, None],
    "n_samples": [-20, 0, 2**31 - 1, 21, None],
    "n_leads": [-8, 0, 1, 7, 9, 127, None],
    "sampling_rate": [0.0, -100.0, 1e-30, 1e30, NAN, INF, None],
    "uv_per_bit": [0.0, -1.0, 1e-30, 1e30, NAN, INF, None],
    "unit": ["furlong", "mV", "", None],
    "n_missing": [-1, 161, None],
    "n_clipped": [-1, 161, None],
    "waveform_hash": [None],
}
IMAGE_CELLS = {
    "offset": [-1, 10**15, 2**63 - 1, 1, None],
    "height": [-40, 0, 2**31 - 1, None],
    "width": [-50, 0, 2**31 - 1, None],
    "original_height": [-1, 0, None],
    "original_width": [-1, 0, None],
    "image_hash": [None],
}
CELLS = {
    "ecg_id": ["", None, "e1", "x" * 2000],
    "patient_id": ["", None, "a stranger", "x" * 2000],
    "kind": ["", "video", None],
    "sex": ["w", "Female", ""],
    "age": [-1.0, 131.0, INF, -INF],
    "label_af": [INF, -INF],
}


@pytest.mark.parametrize("column", [*CELLS, *WAVEFORM_CELLS])
def test_a_cell_that_cannot_be_is_refused(folder: Path, column: str) -> None:
    before = (folder / RECORDS_FILE).read_bytes()
    for value in (CELLS | WAVEFORM_CELLS)[column]:
        table(folder, first(column, value))
        assert refused(folder).code in ("cohort-damaged", "cohort-incomplete"), value
        (folder / RECORDS_FILE).write_bytes(before)
    Cohort.open(folder)


@pytest.mark.parametrize("column", [*CELLS, *IMAGE_CELLS])
def test_a_cell_that_cannot_be_is_refused_of_images_too(images: Path, column: str) -> None:
    before = (images / RECORDS_FILE).read_bytes()
    for value in (CELLS | IMAGE_CELLS)[column]:
        table(images, first(column, value))
        assert refused(images).code in ("cohort-damaged", "cohort-incomplete"), value
        (images / RECORDS_FILE).write_bytes(before)
    Cohort.open(images)


def test_unknown_ages_sexes_dates_and_labels_are_no_damage(folder: Path) -> None:
    for column in ("age", "sex", "recorded_at", "label_af", "site", "device"):
        table(folder, first(column, None))
    table(folder, lambda t: t.with_columns(label_x=pl.lit(NAN, dtype=pl.Float32), label_n=pl.lit(3, dtype=pl.Int16)))
    assert len(Cohort.open(folder)) == N


@pytest.mark.parametrize("kind", list(DATA_FILES))
def test_any_other_type_of_a_column_is_refused(whole: dict[str, Path], tmp_path: Path, kind: str) -> None:
    records = pl.read_parquet(whole[kind] / RECORDS_FILE)
    for column, dtype in records.schema.items():
        folder = Path(shutil.copytree(whole[kind], tmp_path / f"{column}"))
        other = pl.lit("1") if dtype.is_numeric() else pl.lit(1.5)
        table(folder, lambda t, column=column, other=other: t.with_columns(other.alias(column)))  # type: ignore[misc]
        assert refused(folder).code == "cohort-damaged", column
        table(folder, lambda t, column=column: t.drop(column))  # type: ignore[misc]
        if not column.startswith("label_"):
            assert column in refused(folder).message
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.with_columns(offset=pl.col("offset").cast(pl.Float64) + 0.5),
        lambda t: t.with_columns(evil=pl.lit(1)),
        lambda t: t.with_columns(label_list=pl.lit([1.0])),
        lambda t: pl.concat([t, t.head(1)]),
        lambda t: t.head(2),
        lambda t: t.clear(),
        lambda t: t.with_columns(patient_id=pl.lit("one")),
        lambda t: t.with_columns(offset=pl.lit(0, dtype=pl.Int64)),
    ],
    ids=["float", "column", "list", "twice", "short", "empty", "patients", "overlap"],
)
def test_a_table_of_another_make_is_refused(folder: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    table(folder, change)
    assert refused(folder).code == "cohort-damaged"


def test_rows_in_another_order_are_the_same_cohort(folder: Path) -> None:
    before = Cohort.open(folder)
    table(folder, lambda t: t.reverse())
    after = Cohort.open(folder)
    np.testing.assert_array_equal(after.samples(0), before.samples(N - 1))


BAD_INFO: dict[str, list[Any]] = {
    "n_ecgs": ["5", 5.0, True, 0, -5, 10**300, 6],
    "n_patients": ["3", 3.0, -1, 2],
    "n_refused": ["0", -1, None],
    "n_cautions": ["0", -1, None],
    "simulated": ["no", 0, None],
    "kind": ["image", "video", 1, None],
    "name": [5, None, "x" * 20_000],
    "source": [5, None],
    "content_hash": ["", "0" * 63, "G" * 64, 5],
    "patient_key": ["zz", "00" * 1000, 5, None, "", "0" * 64 + "\n"],
    "settings": [[1], "x", None],
    "heartprint_version": [1, None],
    "evil": [1],
}


@pytest.mark.parametrize("name", BAD_INFO)
def test_a_description_of_other_types_is_refused(folder: Path, name: str) -> None:
    before = (folder / COHORT_FILE).read_bytes()
    for value in BAD_INFO[name]:
        info(folder, **{name: value})
        assert refused(folder).code in ("cohort-damaged", "cohort-incomplete"), value
        (folder / COHORT_FILE).write_bytes(before)


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b"[]", b"null", b'{"format_version": 3, "name": "\xff"}', b'{"format_version": NaN}']
)
def test_what_is_not_json_of_ours_is_refused(folder: Path, text: bytes) -> None:
    (folder / COHORT_FILE).write_bytes(text)
    assert refused(folder).code == "cohort-damaged"


@pytest.mark.parametrize(
    ("version", "word"),
    [(1, "check {} --upgrade"), (2, "check {} --upgrade"), (4, "newer version"), (True, "No version"), (3.0, "No ver")],
)
def test_another_version_names_the_remedy(folder: Path, version: Any, word: str) -> None:
    info(folder, format_version=version)
    error = refused(folder)
    assert error.code == "cohort-version"
    assert word.format(folder) in error.message


def test_only_plain_files_of_sane_size_are_read(folder: Path, tmp_path: Path) -> None:
    for name in (COHORT_FILE, RECORDS_FILE, DATA_FILES["waveform"]):
        kept = (folder / name).read_bytes()
        (tmp_path / "elsewhere").write_bytes(kept)
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "elsewhere")
        assert refused(folder).code == "cohort-damaged"
        (folder / name).unlink()
        (folder / name).write_bytes(kept)
    (tmp_path / "by-link").symlink_to(folder)
    Cohort.open(tmp_path / "by-link")
    os.truncate(folder / COHORT_FILE, 2**30)
    assert refused(folder).code == "cohort-damaged"


def test_a_few_bytes_cannot_announce_many_rows(folder: Path) -> None:
    """Equal rows are packed: a hundred million of them take some kilobytes, and gigabytes when they are read."""
    table(folder, lambda t: t[np.zeros(200_000, dtype=np.int64)])
    info(folder, n_ecgs=200_000)
    assert refused(folder).code == "cohort-incomplete"


def test_a_file_that_ends_within_a_sample_is_refused(folder: Path) -> None:
    with (folder / DATA_FILES["waveform"]).open("ab") as data:
        data.write(b"\0")
    assert "middle of a sample" in refused(folder).message


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_a_table_with_changed_bytes_opens_or_is_refused(whole: dict[str, Path], seed: int, footer: bool) -> None:
    """Whatever the bytes: a `HeartprintError`, or a cohort whose ECGs are those that were stored."""
    rng = np.random.default_rng(seed)
    content = bytearray((whole["waveform"] / RECORDS_FILE).read_bytes())
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little") if footer else 0
    for at in rng.integers(start, len(content), rng.integers(1, 6)):
        content[at] = rng.integers(256)
    folder = whole["waveform"].parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole["waveform"], folder)
    (folder / RECORDS_FILE).write_bytes(content)
    try:
        cohort = Cohort.open(folder)
        for row in range(len(cohort)):
            assert np.isfinite(cohort.signal(row)).all()
    except HeartprintError as error:
        assert error.code in ("cohort-damaged", "cohort-incomplete")


# -- samples against their hashes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(DATA_FILES))
def test_an_ecg_that_was_overwritten_is_refused_when_it_is_read(
    whole: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    folder = Path(shutil.copytree(whole[kind], tmp_path / "c"))
    data = bytearray((folder / DATA_FILES[kind]).read_bytes())
    data[len(data) // 2] ^= 1  # in the third of five
    (folder / DATA_FILES[kind]).write_bytes(data)
    cohort = Cohort.open(folder)
    read = cohort.image if kind == "image" else cohort.samples
    for row in (0, 1, 3, 4, 0):
        read(row)
    for part in (cohort, cohort.take([2, 0])):
        with pytest.raises(HeartprintError, match="'e2'") as error:
            (part.image if kind == "image" else part.signal)(list(part.ecg_ids).index("e2"))
        assert error.value.code == "cohort-damaged"


def states(folder: Path) -> dict[str, bool | None]:
    return {check.name: check.passed for check in verify_cohort(folder, progress=False)}


SOUND = {"table": True, "samples": True, "content": True, "refused": True, "cautions": True}


@pytest.mark.parametrize("kind", list(DATA_FILES))
def test_a_whole_cohort_is_verified(whole: dict[str, Path], kind: str) -> None:
    assert states(whole[kind]) == SOUND


def test_verification_finds_what_opening_does_not(folder: Path) -> None:
    data = bytearray((folder / DATA_FILES["waveform"]).read_bytes())
    data[0] ^= 1
    (folder / DATA_FILES["waveform"]).write_bytes(data)
    assert states(folder) == SOUND | {"samples": False, "content": False}
    data[0] ^= 1
    (folder / DATA_FILES["waveform"]).write_bytes(data)
    table(folder, first("age", 51.0))
    assert states(folder) == SOUND | {"content": False}
    info(folder, n_refused=7)
    (folder / CAUTIONS_FILE).unlink()
    assert states(folder) == SOUND | {"content": False, "refused": False, "cautions": False}
    info(folder, n_ecgs=7)
    assert states(folder) == {"table": False}


@pytest.mark.parametrize("name", ["refused.parquet", CAUTIONS_FILE])
def test_refusals_and_cautions_of_another_form(folder: Path, name: str) -> None:
    from heartprint.cohorts.summary import summarise

    for content in (pl.DataFrame({"x": [1]}), pl.DataFrame({"code": [1.5]}), None):
        if content is None:
            (folder / name).write_bytes(b"PAR1" * 9)
        else:
            content.write_parquet(folder / name)
        assert states(folder) == SOUND | {name.removesuffix(".parquet"): False}
        with pytest.raises(HeartprintError) as error:
            summarise(Cohort.open(folder))
        assert error.value.code == "cohort-damaged"


def test_a_label_of_two_is_no_answer_to_a_built_in_task(folder: Path) -> None:
    table(folder, first("label_af", 2.0))
    with pytest.raises(HeartprintError) as error:
        Cohort.open(folder).labels("af")
    assert error.value.code == "label-not-binary"


def test_labels_that_were_linked_since_do_not_change_the_content(folder: Path) -> None:
    table(folder, lambda t: t.with_columns(label_lvef=pl.lit(40.0, dtype=pl.Float32)))
    assert states(folder)["content"] is False
    info(folder, settings={"labels": {"lvef": {"file": "events.csv"}, "af": "AF"}})
    assert states(folder) == SOUND
    info(folder, settings={"labels": {"lvef": {"file": "events.csv"}, "af": {"file": "other.csv"}}})
    assert states(folder) == SOUND | {"content": None}, "a label that was replaced: what it was cannot be known"


# -- formats before this one ------------------------------------------------------------------------------------------


def old(folder: Path, version: int) -> Path:
    """What Heartprint wrote before format 3: no cautions, and the kind told by the version."""
    raw = json.loads((folder / COHORT_FILE).read_text())
    del raw["kind"], raw["n_cautions"]
    (folder / COHORT_FILE).write_text(json.dumps(raw | {"format_version": version}))
    (folder / CAUTIONS_FILE).unlink()
    return folder


@pytest.mark.parametrize(("version", "kind"), [(1, "waveform"), (2, "image")])
def test_earlier_formats_are_brought_up_to_date(
    whole: dict[str, Path], tmp_path: Path, version: int, kind: str
) -> None:
    folder = old(Path(shutil.copytree(whole[kind], tmp_path / "c")), version)
    kept = {name: (folder / name).read_bytes() for name in (RECORDS_FILE, DATA_FILES[kind], "refused.parquet")}  # type: ignore[index]
    assert refused(folder).code == "cohort-version"
    assert upgrade_cohort(folder) == version
    now, then = Cohort.open(folder).info, Cohort.open(whole[kind]).info
    assert (now.format_version, now.kind, now.n_cautions) == (FORMAT_VERSION, kind, 0)
    assert (now.content_hash, now.patient_key) == (then.content_hash, then.patient_key)
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert states(folder) == SOUND
    assert upgrade_cohort(folder) is None
    assert not list(tmp_path.glob(".*")) and not list(folder.glob(".*"))


def test_a_damaged_cohort_is_not_brought_up_to_date(folder: Path) -> None:
    old(folder, 1)
    table(folder, first("sampling_rate", 0.0))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(HeartprintError) as error:
        upgrade_cohort(folder)
    assert error.value.code == "cohort-damaged"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_version_killed_between_its_two_files_is_still_the_old_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old(folder, 1)
    with monkeypatch.context() as patch:
        patch.setattr("heartprint.cohorts.upgrade.write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            upgrade_cohort(folder)
    assert refused(folder).code == "cohort-version"
    assert upgrade_cohort(folder) == 1
    assert states(folder) == SOUND


# -- the problem cases of the project ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not TAMPERED.is_file(), reason="the problem cases are not here")
def test_the_problem_cases_give_no_python_error(tmp_path: Path) -> None:
    from heartprint.simulation import simulate

    simulate(tmp_path / "c", 20, seed=1, progress=False)
    shown = subprocess.run(
        [sys.executable, str(TAMPERED), str(tmp_path / "c")],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    assert shown.returncode == 0, shown.stderr
    lines = [line for line in shown.stdout.splitlines() if line]
    assert len(lines) > 50
    assert not [line for line in lines if "!!!" in line or "DIED" in line]
    # A copy of the file that is not used, a hash that only a reading of everything can hold against the samples.
    taken = {line.split()[0] for line in lines if "OK signal" in line}
    assert {name for name in taken if not name.startswith("fuzz")} <= {"both", "cj_hash"}
