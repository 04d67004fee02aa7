"""Encoder and model folders that were changed with care (checksums made to fit): each change is refused or harmless."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from heartprint import HeartprintError
from heartprint.cohorts import Cohort
from heartprint.cohorts.tasks import REGRESSIONS
from heartprint.encoders import (
    EncoderConfig,
    ModelConfig,
    Seen,
    TaskModel,
    build_encoder,
    embed_images,
    load_encoder,
    load_model,
    save_encoder,
    save_model,
)
from heartprint.encoders.bundle.files import CHECKED_FILES, read_config
from heartprint.encoders.bundle.heads import NumberHead
from heartprint.encoders.bundle.sample import SAMPLE_RATE, sample_leads
from heartprint.encoders.bundle.upgrade import upgrade_model
from heartprint.encoders.bundle.verify import verify_model
from heartprint.metrics.regression import NumberCalibration

OLD_NAMES = Path(__file__).parents[1] / "old_names.py"
TAMPERED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile" / "tampered_models.py"
KINDS = ("encoder", "model")


@pytest.fixture
def folders(
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
    encoder_config: EncoderConfig,
    model_config: ModelConfig,
    seen: Seen,
) -> dict[str, Path]:
    """One of each kind, written once and copied."""
    root = tmp_path_factory.getbasetemp() / "untouched"
    if not root.exists():
        written(root, encoder_config, model_config, seen)
    return {kind: Path(shutil.copytree(root / kind, tmp_path / kind)) for kind in KINDS}


def written(root: Path, encoder_config: EncoderConfig, model_config: ModelConfig, seen: Seen) -> None:
    encoder = build_encoder("small", seed=3)
    head = TaskModel.from_linear(encoder, np.random.default_rng(1).normal(0, 0.3, 256), 0.25)
    save_encoder(root / "encoder", encoder, encoder_config, seen=seen)
    save_model(root / "model", head, model_config, seen=seen)


def resign(folder: Path) -> None:
    """Make hash and checksums right again, as somebody would who tampers with care."""
    try:
        raw = json.loads((folder / "config.json").read_text())
        raw["weights_sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        (folder / "config.json").write_text(json.dumps(raw))
    except (ValueError, TypeError, RecursionError):
        pass
    lines = [f"{hashlib.sha256((folder / f).read_bytes()).hexdigest()}  {f}\n" for f in CHECKED_FILES]
    (folder / "CHECKSUMS").write_text("".join(lines))


def resign_description(folder: Path) -> None:
    """The same where nothing but ``config.json`` was changed."""
    lines = (folder / "CHECKSUMS").read_text().splitlines()[1:]
    digest = hashlib.sha256((folder / "config.json").read_bytes()).hexdigest()
    (folder / "CHECKSUMS").write_text("\n".join([f"{digest}  config.json", *lines, ""]))


def refused(folder: Path, *, verify: bool = False) -> HeartprintError:
    with pytest.raises(HeartprintError) as error:
        load_encoder(folder, verify=verify)
    assert error.value.message.count("\n") == 0 and len(error.value.message) < 900
    assert [check.passed for check in verify_model(folder)][-1] is False
    return error.value


# -- weights ----------------------------------------------------------------------------------------------------------


def weights(change: Callable[[dict[str, np.ndarray]], Any]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return tamper


def one(value: float, part: str = "weight") -> Callable[[Path], None]:
    """Put a value into the last number of the last tensor of this name."""

    def change(tensors: dict[str, np.ndarray]) -> None:
        name = max(n for n in tensors if n.endswith(part))
        tensors[name].reshape(-1)[-1] = value

    return weights(change)


def header(head: object, data: bytes = b"", length: int | None = None) -> Callable[[Path], None]:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()

    def tamper(folder: Path) -> None:
        size = struct.pack("<Q", len(text) if length is None else length)
        (folder / "model.safetensors").write_bytes(size + text + data)

    return tamper


def tensor(shape: list[Any], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


WEIGHTS = {
    "nan": one(np.nan),
    "inf": one(np.inf),
    "nan bias": one(np.nan, "bias"),
    "nan mean": one(-np.inf, "running_mean"),
    "variance": one(-1e-3, "running_var"),
    "float64": weights(lambda t: t.update({n: v.astype("f8") for n, v in t.items()})),
    "int8": weights(lambda t: t.update({n: v.astype("i1") for n, v in t.items()})),
    "missing": weights(lambda t: t.pop(min(t))),
    "extra": weights(lambda t: t.update(evil=np.zeros(3, "f4"))),
    "shape": weights(lambda t: t.update({min(t): np.zeros((2, 2), "f4")})),
    "length": header({}, length=2**63),
    "90 MB of blanks": header(b" " * 5_000_000),
    "overlap": header({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, b"\0" * 12),
    "gap": header({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, b"\0" * 12),
    "beyond": header({"a": tensor([2**40], 0, 2**42)}, b"\0" * 8),
    "overflow": header({"a": tensor([2**32, 2**32], 0, 8)}, b"\0" * 8),
    "negative": header({"a": tensor([-1, -2], 0, 8)}, b"\0" * 8),
    "words": header({"a": tensor(["2"], 0, 8)}, b"\0" * 8),
    "types": header({"a": tensor([2], 0, 8, "PICKLE")}, b"\0" * 8),
    "list": header([1, 2]),
    "notes": header({"__metadata__": {"a": {"b": 1}}}),
    "deep": header(b"[" * 1_000_000),
    "empty": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "pickle": lambda folder: (folder / "model.safetensors").write_bytes(b"cos\nsystem\n(S'true'\ntR."),
}


@pytest.mark.parametrize("change", WEIGHTS)
def test_weights_that_cannot_be_are_refused(folders: dict[str, Path], change: str) -> None:
    for folder in folders.values():
        WEIGHTS[change](folder)
        resign(folder)
        assert refused(folder).code == "model-damaged"


# -- who took part ----------------------------------------------------------------------------------------------------


def seen_file(notes: str | None = None, **lists: np.ndarray) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        found = load_file(folder / "seen.safetensors") | lists
        save_file(
            {n: v for n, v in found.items() if v.ndim},
            folder / "seen.safetensors",
            None if notes is None else {"simulated": notes},
        )

    return tamper


def source(**values: Any) -> str:
    return json.dumps([{"hospital": "internal", "seed": 1, "patients": 9} | values])


U8 = np.arange(20, dtype=np.uint64)
SEEN = {
    "shape": seen_file(patients=np.zeros((5, 4), np.uint64)),
    "type": seen_file(patients=U8.astype(np.float32)),
    "signed": seen_file(ecgs=U8.astype(np.int64)),
    "unsorted": seen_file(patients=U8[::-1].copy()),
    "twice": seen_file(patients=np.zeros(20, np.uint64)),
    "nobody": seen_file(patients=U8[:0], ecgs=U8[:0]),
    "few": seen_file(patients=U8[:2]),
    "no ecgs": seen_file(ecgs=U8[:0]),
    "no list": seen_file(ecgs=np.array(0, np.uint64)),
    "another list": seen_file(others=U8),
    "deep": seen_file("[" * 100_000),
    "words": seen_file("nobody"),
    "keys": seen_file('[{"evil": 1}]'),
    "more keys": seen_file(source(evil=1)),
    "text": seen_file(source(patients="9")),
    "negative": seen_file(source(patients=-9)),
    "bool": seen_file(source(seed=True)),
    "no hospital": seen_file(source(hospital="")),
    "object": seen_file('{"hospital": "internal"}'),
}


@pytest.mark.parametrize("change", SEEN)
def test_lists_of_who_took_part_are_of_one_form_or_refused(folders: dict[str, Path], change: str) -> None:
    for folder in folders.values():
        SEEN[change](folder)
        resign(folder)
        error = refused(folder)
        assert error.code == "model-damaged" and "seen.safetensors" in error.message


# -- the description --------------------------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(value, dict | list) and not (path and path[-1] == "settings"):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


def put(raw: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        raw = raw[key]
    raw[path[-1]] = value


HOSTILE = [None, True, -1, 0, 2**70, 10**400, 1.5, -0.5, 5.0, 1e308, "1", "", "../../etc/passwd", "<script>", [], {}]


@pytest.mark.parametrize("kind", KINDS)
def test_any_value_of_the_description_is_right_or_refused(folders: dict[str, Path], kind: str) -> None:
    """Each value of ``config.json`` against hostile ones: no Python error, and finite scores where one is taken."""
    folder = folders[kind]
    original = (folder / "config.json").read_text()
    places = list(leaves(json.loads(original)))
    assert len(places) > 30
    for number, path in enumerate(places):
        for value in HOSTILE[number % 3 :: 3]:
            raw = json.loads(original)
            put(raw, path, value)
            (folder / "config.json").write_text(json.dumps(raw))
            resign_description(folder)
            try:
                read_config(folder)
            except HeartprintError as error:
                codes = ("model-damaged", "model-version", "unknown-backbone", "not-a-model")
                assert error.code in codes, (path, value)
                continue
            assert type(value) is not bool or "simulated" in path, (path, value)
            if {"page_to_tensor", "platt", "threshold"} & set(path):
                loaded = load_encoder(folder)
                page = loaded.draw(sample_leads(), SAMPLE_RATE)
                assert page.shape == (64, 64) and np.isfinite(embed_images(loaded, page[None])).all()


def config(*path: Any, value: Any) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        raw = json.loads((folder / "config.json").read_text())
        inner = (
            raw
            if raw["kind"] == "encoder" or path[0] in ("task", "platt", "threshold", "finetuning", "sample")
            else raw["encoder"]
        )
        put(inner, path, value)
        (folder / "config.json").write_text(json.dumps(raw))

    return tamper


def head(*path: Any, value: Any) -> Callable[[Path], None]:
    """Change what ``config.json`` of a model with several heads says of them."""

    def tamper(folder: Path) -> None:
        raw = json.loads((folder / "config.json").read_text())
        put(raw, ("heads", *path), value)
        (folder / "config.json").write_text(json.dumps(raw))

    return tamper


HEADS_VALUES = {
    "kind": head(0, "kind", value="regression"),
    "no kind": head(1, "kind", value="both"),
    "threshold 1": head(0, "threshold", value=1.0),
    "slope": head(0, "platt", "a", value=-1.0),
    "more positive": head(0, "n_positive", value=7),
    "number of labels": head(1, "n_labels", value=5),
    "sd 0": head(1, "calibration", "residual_sd", value=0.0),
    "sd nan": head(1, "calibration", "residual_sd", value=float("nan")),
    "sd inf": head(1, "calibration", "residual_sd", value=1e999),
    "falling": head(1, "calibration", "slope", value=-0.1),
    "offset": head(1, "calibration", "offset", value=float("inf")),
    "offset text": head(1, "calibration", "offset", value="1"),
    "range": head(1, "task", "lowest", value=95.0),
    "endless range": head(1, "task", "highest", value=float("inf")),
    "column": head(1, "task", "column", value="patient_id"),
    "unit": head(1, "task", "unit", value="%\x1b[31m"),
    "name": head(1, "task", "name", value="../x"),
    "twice": head(1, "task", "name", value="af"),
    "unknown": head(1, "temperature", value=1.0),
}


def several_heads(root: Path, model_config: ModelConfig, seen: Seen) -> Path:
    number = NumberHead(task=REGRESSIONS["lvef"], calibration=NumberCalibration(0.9, 5.0, 8.0), n_labels=4)
    learned = model_config.finetuning.model_copy(update={"n_labels": 10})
    config = model_config.model_copy(update={"heads": (model_config.only, number), "finetuning": learned})
    rules = np.random.default_rng(1).normal(0, 0.3, (2, 256))
    return save_model(
        root, TaskModel.from_linear(build_encoder("small", seed=3), rules, [0.25, 50.0]), config, seen=seen
    )


@pytest.mark.parametrize("change", HEADS_VALUES)
def test_heads_that_cannot_be_are_refused(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, model_config: ModelConfig, seen: Seen, change: str
) -> None:
    root = tmp_path_factory.getbasetemp() / "several"
    if not root.exists():
        several_heads(root, model_config, seen)
    folder = Path(shutil.copytree(root, tmp_path / "model"))
    assert all(check.passed for check in verify_model(folder))
    HEADS_VALUES[change](folder)
    resign(folder)
    assert refused(folder).code == "model-damaged"


def test_heads_that_are_missing_are_not_guessed(tmp_path: Path, model_config: ModelConfig, seen: Seen) -> None:
    folder = several_heads(tmp_path / "m", model_config, seen)
    original = json.loads((folder / "config.json").read_text())
    for k, name in ((0, "threshold"), (0, "platt"), (0, "task"), (1, "calibration"), (1, "n_labels")):
        raw = json.loads(json.dumps(original))
        del raw["heads"][k][name]
        (folder / "config.json").write_text(json.dumps(raw))
        resign(folder)
        assert name in refused(folder).message
    for heads in ([], original["heads"][:1], original["heads"] * 20):
        (folder / "config.json").write_text(json.dumps(original | {"heads": heads}))
        resign(folder)
        assert refused(folder).code == "model-damaged"
    (folder / "config.json").write_text(json.dumps(original))
    weights(lambda t: t.update({"head.weight": t["head.weight"][:1]}))(folder)
    resign(folder)
    assert "weights do not fit" in refused(folder).message


MODEL_VALUES = {
    "threshold 0": config("threshold", value=0.0),
    "threshold 1": config("threshold", value=1.0),
    "threshold 5": config("threshold", value=5.0),
    "threshold nan": config("threshold", value=float("nan")),
    "slope": config("platt", "a", value=-1.0),
    "offset": config("platt", "b", value=float("inf")),
    "positive": config("finetuning", "n_positive", value=7),
    "task": config("task", "name", value="../../x"),
    "task html": config("task", "name", value="<b>"),
    "task column": config("task", "column", value="patient_id"),
    "task title": config("task", "title", value="a\x1b[31mb"),
    "task value": config("task", "value", value=True),
}
ENCODER_VALUES = {
    "image size": config("page_to_tensor", "image_size", value=30_000),
    "second image size": config("image_size", value=128),
    "channels": config("page_to_tensor", "channels", value=3),
    "mean": config("page_to_tensor", "mean", value=1e30),
    "std": config("page_to_tensor", "std", value=1e-300),
    "numbers": config("embedding_dim", value=255),
    "layout": config("layouts", value=["no_such_layout"]),
    "layout path": config("layouts", value=["../../x.yaml"]),
    "layout html": config("layouts", value=["<b>.yaml"]),
    "stages": config("pretraining", "steps", value=-1),
    "turns": config("pretraining", "max_rotation_deg", value=float("nan")),
    "cohort": config("pretraining", "cohort", "name", value="a\nb"),
    "learned": config("labels_learned", value=-1),
    "inner version": config("format_version", value=1),
    "settings": config("pretraining", "settings", value=json.loads("[" * 250 + "]" * 250)),
}


@pytest.mark.parametrize("change", [*MODEL_VALUES, *ENCODER_VALUES])
def test_a_description_that_cannot_be_is_refused(folders: dict[str, Path], change: str) -> None:
    for kind in KINDS if change in ENCODER_VALUES else ("model",):
        (MODEL_VALUES | ENCODER_VALUES)[change](folders[kind])
        resign(folders[kind])
        assert refused(folders[kind]).code in ("model-damaged", "model-version")


def test_what_is_left_out_is_not_guessed(folders: dict[str, Path]) -> None:
    for kind, name in (
        ("encoder", "layouts"),
        ("encoder", "labels_learned"),
        ("model", "threshold"),
        ("model", "platt"),
    ):
        raw = json.loads((folders[kind] / "config.json").read_text())
        kept = raw.pop(name)
        (folders[kind] / "config.json").write_text(json.dumps(raw))
        resign(folders[kind])
        assert name in refused(folders[kind]).message
        (folders[kind] / "config.json").write_text(json.dumps(raw | {name: kept}))


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.binary(max_size=60), st.sampled_from(["config.json", "seen.safetensors", "model.safetensors"]))
def test_whatever_bytes_a_file_holds(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "bytes"
    if not folder.exists():
        save_encoder(folder, build_encoder("small", seed=3), EncoderConfig.new("small", image_size=64))
    kept = (folder / name).read_bytes()
    (folder / name).write_bytes(content)
    resign(folder)
    try:
        with pytest.raises(HeartprintError):
            load_encoder(folder)
    finally:
        (folder / name).write_bytes(kept)


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CHECKED_FILES, "CHECKSUMS"])
def test_links_pipes_and_huge_files_are_not_read(folders: dict[str, Path], tmp_path: Path, name: str) -> None:
    folder = folders["encoder"]
    shutil.copy(folder / name, tmp_path / "elsewhere")
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert "link" in refused(folder).message
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "plain file" in refused(folder).message
    (folder / name).unlink()
    (folder / name).mkdir()
    assert refused(folder).code == "model-damaged"
    (folder / name).rmdir()
    with (folder / name).open("wb") as handle:
        handle.truncate(2**40)
    assert "more than" in refused(folder).message


@pytest.mark.parametrize(
    "text", ["0" * 64 + "  ../../etc/passwd\n", "", "x\n" * 5, "\xff\n"], ids=["path", "empty", "words", "bytes"]
)
def test_checksums_of_another_form(folders: dict[str, Path], text: str) -> None:
    (folders["encoder"] / "CHECKSUMS").write_text(text, encoding="latin-1")
    assert refused(folders["encoder"]).code == "model-damaged"


def test_a_sample_sheet_that_unpacks_to_gigabytes_is_refused(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        for shape in ((6000, 6000), (65, 64)):
            cv2.imwrite(str(folder / "sample_sheet.png"), np.zeros(shape, np.uint8))
            resign(folder)
            assert refused(folder, verify=True).code == "model-damaged"
        (folder / "sample_sheet.png").write_text("x")
        resign(folder)
        assert refused(folder, verify=True).code == "model-damaged"


def test_the_sample_is_drawn_as_ecgs_are(folders: dict[str, Path]) -> None:
    """A description that lets ECGs be drawn in another way than the sample was is told by the sample."""
    for folder in folders.values():
        load_encoder(folder, verify=True)
        config("page_to_tensor", "mean", value=0.2)(folder)
        resign(folder)
        load_encoder(folder)
        assert refused(folder, verify=True).code == "sample-differs"


def test_scores_that_are_not_finite_are_no_scores(folders: dict[str, Path]) -> None:
    model = load_model(folders["model"])
    with pytest.raises(HeartprintError) as error:
        model.score_embeddings(np.full((2, 256), np.nan, dtype=np.float32))
    assert error.value.code == "not-finite"


# -- format 1 ---------------------------------------------------------------------------------------------------------


def first_format(folder: Path) -> Path:
    """What Heartprint wrote before format 2."""
    raw = json.loads((folder / "config.json").read_text())
    for part in (raw, raw.get("encoder")):
        if part is not None:
            part["format_version"] = 1
    encoder = raw if raw["kind"] == "encoder" else raw["encoder"]
    encoder["image_size"] = encoder["page_to_tensor"]["image_size"]
    del encoder["labels_learned"]
    (folder / "config.json").write_text(json.dumps(raw))
    resign(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_format_is_brought_up_to_date(folders: dict[str, Path], cohort: Cohort, kind: str) -> None:
    folder = folders[kind]
    then = {path.name: path.read_bytes() for path in folder.iterdir()}
    first_format(folder)
    error = refused(folder)
    assert error.code == "model-version" and f"heartprint check {folder} --upgrade" in error.message
    (folder / "notes.txt").write_text("mine")
    assert upgrade_model(folder) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == then | {"notes.txt": b"mine"}
    assert all(check.passed for check in verify_model(folder))
    assert upgrade_model(folder) is None
    assert not list(folder.parent.glob(".*"))


def test_labels_that_the_first_format_did_not_count_are_counted(folders: dict[str, Path]) -> None:
    folder = first_format(folders["model"])
    config("finetuning", "mode", value="full")(folder)
    resign(folder)
    assert upgrade_model(folder) == 1
    assert load_model(folder).config.encoder.labels_learned == 6


def test_two_image_sizes_are_not_brought_up_to_date(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        first_format(folder)
        config("image_size", value=128)(folder)
        resign(folder)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with pytest.raises(HeartprintError, match="two image sizes"):
            upgrade_model(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# -- the problem cases of the project ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not TAMPERED.is_file(), reason="the problem cases are not here")
def test_the_problem_cases_give_no_python_error(folders: dict[str, Path], cohort: Cohort, tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, str(OLD_NAMES), str(TAMPERED), str(folders["model"]), str(cohort.path)],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
    lines = [line for line in shown.stdout.splitlines() if line]
    assert len(lines) > 50
    assert not [line for line in lines if "!!!" in line or "DIED" in line]
    assert not (tmp_path / "PWNED").exists()
    # Names of these cases: nothing changed; the version of today, which was the next one when they were written; an
    # encoder of images has no layouts; a sheet that is read when a folder is verified, and refused then.
    taken = {line.split()[0] for line in lines if "OK logit" in line}
    assert taken <= {"control", "newer", "layouts_empty", "sheet_bomb", "sheet_text"}
    assert not [line for line in lines if line.startswith("sheet_") and "verify: model-damaged" not in line]
