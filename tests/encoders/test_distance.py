"""How unlike a picture is to the sheets that an encoder knows."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from heartprint import HeartprintError
from heartprint.cohorts import Cohort, get_task
from heartprint.encoders import (
    EncoderConfig,
    LoadedEncoder,
    ModelConfig,
    Seen,
    build_encoder,
    embed_images,
    load_encoder,
    load_model,
    resolve_encoder,
    save_encoder,
    save_model,
)
from heartprint.encoders.bundle import known_sheets as known
from heartprint.encoders.bundle.distance import Distance, describe, digest
from heartprint.encoders.bundle.files import CHECKED_FILES, DISTANCE_FILE
from heartprint.encoders.bundle.known_sheets import distance_for, fit_distance, simulated_ecgs
from heartprint.encoders.bundle.shipped import SHIPPED_NAMES
from heartprint.encoders.networks.classifier import TaskModel
from heartprint.encoders.networks.registry import BACKBONES
from heartprint.evaluation.predict import predict
from heartprint.finetuning import FinetuneConfig, finetune, train_full
from heartprint.foundation.files import sha256_file
from heartprint.readers import ingest
from heartprint.sheets import PAPER_LAYOUTS, render
from tests.readers.pictures import image_cohort

TOLD = {"layouts": ("standard",), "baseline": "none", "encoder": "0" * 64}


def embeddings(n: int, d: int, seed: int) -> np.ndarray:
    """Rectified, skewed and correlated, as a network's are."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * 0.3 + 0.2, 0).astype(np.float32)


def literal(fitted: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Mahalanobis distances with the covariance of Ledoit & Wolf 2004, their section 3.2 letter by letter."""
    x = np.sign(fitted) * np.sqrt(np.abs(fitted.astype(np.float64)))
    mean = x.mean(axis=0)
    n, p = x.shape
    s = sum(np.outer(row - mean, row - mean) for row in x) / n
    m = np.trace(s) / p
    d2 = np.sum((s - m * np.eye(p)) ** 2) / p
    b2 = min(d2, sum(np.sum((np.outer(row - mean, row - mean) - s) ** 2) / p for row in x) / n**2)
    covariance = b2 / d2 * m * np.eye(p) + (d2 - b2) / d2 * s
    out = []
    for row in np.sign(asked) * np.sqrt(np.abs(asked.astype(np.float64))):
        out.append(np.sqrt((row - mean) @ np.linalg.solve(covariance, row - mean)))
    return np.array(out)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.integers(0, 1000), st.integers(2, 12), st.integers(30, 60))
def test_it_equals_a_literal_twin(seed: int, d: int, n: int) -> None:
    fitted, held_out = embeddings(n, d, seed), embeddings(40, d, seed + 1)
    distance = describe(fitted, held_out, **TOLD)
    assert distance is not None
    asked = np.concatenate([held_out, -3 * held_out])
    np.testing.assert_allclose(distance(asked), literal(fitted, asked), rtol=1e-4)
    assert distance.limit == pytest.approx(np.quantile(literal(fitted, held_out), 0.999), rel=1e-4)


@settings(derandomize=True, deadline=None, max_examples=12)
@given(st.integers(0, 1000), st.permutations(range(30)), st.integers(1, 30))
def test_neither_order_nor_company_changes_a_distance(seed: int, order: list[int], size: int) -> None:
    distance = describe(embeddings(50, 8, seed), embeddings(30, 8, seed + 1), **TOLD)
    assert distance is not None
    asked = embeddings(30, 8, seed + 2)
    whole = distance(asked)
    parts = np.concatenate([distance(asked[order[k : k + size]]) for k in range(0, 30, size)])
    np.testing.assert_allclose(parts, whole[order], rtol=1e-12)


def test_an_encoder_to_which_all_is_the_same_knows_nothing() -> None:
    assert describe(np.ones((20, 4), np.float32), np.ones((10, 4), np.float32), **TOLD) is None


@pytest.fixture(scope="module")
def loaded() -> LoadedEncoder:
    torch.set_num_threads(1)
    return resolve_encoder("random", backbone="small", image_size=64)


def test_the_same_encoder_gives_the_same_distance(loaded: LoadedEncoder) -> None:
    one = fit_distance(loaded, batch_size=100, progress=False)
    two = fit_distance(loaded, batch_size=7, progress=False)
    assert one is not None and two is not None
    assert one.limit == pytest.approx(two.limit, rel=1e-3)
    assert one.fitted == known.FITTED and one.held_out == known.HELD_OUT
    assert one.encoder == digest(loaded.encoder)


@pytest.mark.parametrize(
    ("of_encoder", "of_head", "expected"),
    [
        (("standard",), (), ("standard",)),
        (("3x4", "alternate", "standard", "2x6"), (), ("standard", "alternate")),
        (("3x4", "2x6"), (), ("3x4", "2x6")),
        (PAPER_LAYOUTS, ("3x4_ii", "standard"), (*PAPER_LAYOUTS, "3x4_ii")),
        (("standard", "left-behind.yaml"), ("gone.yaml",), ("standard",)),
        ((), (), ()),
    ],
)
def test_which_sheets_are_known(of_encoder: tuple, of_head: tuple, expected: tuple) -> None:
    assert known.known_layouts(of_encoder, of_head) == expected


def test_a_distance_is_made_again_where_it_does_not_fit(loaded: LoadedEncoder) -> None:
    first = distance_for(loaded, ["standard"], progress=False)
    assert first is not None
    having = dataclasses.replace(loaded, distance=first)
    assert distance_for(having, ["standard"], progress=False) is first
    # Another layout is within the limit as it is, or it is made known.
    lax, strict = (dataclasses.replace(first, limit=limit) for limit in (1e6, 1e-6))
    assert distance_for(dataclasses.replace(loaded, distance=lax), ["3x4_ii"], progress=False) is lax
    more = distance_for(dataclasses.replace(loaded, distance=strict), ["3x4_ii"], progress=False)
    assert more is not None and more.layouts == ("standard", "3x4_ii")
    other = dataclasses.replace(having, encoder=build_encoder("small", seed=8).eval())
    again = distance_for(other, ["standard"], progress=False)
    assert again is not None and again is not first and again.encoder == digest(other.encoder)
    median = dataclasses.replace(having, config=having.config.model_copy(update={"baseline": "median"}))
    assert distance_for(median, ["standard"], progress=False) is not first


def test_images_stand_in_where_no_sheet_can_be_drawn(
    loaded: LoadedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = image_cohort(tmp_path / "images", 30, 1)
    of_images = dataclasses.replace(loaded, config=loaded.config.model_copy(update={"layouts": ()}))
    assert distance_for(of_images, (), images, progress=False) is None, "too few"
    monkeypatch.setattr(known, "MIN_IMAGES", 30)
    distance = distance_for(of_images, (), images, progress=False)
    assert distance is not None and distance.layouts == ()
    assert distance.fitted + distance.held_out == 30 and distance.held_out > 5


# -- folders ----------------------------------------------------------------------------------------------------


CONFIG = EncoderConfig.new("small", image_size=64, layouts=("standard", "two_rhythm"))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("distance") / "e"
    return save_encoder(target, build_encoder("small", seed=3), CONFIG, distance=True, half=True)


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "e"))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_what_is_written_of_any_width_opens_again(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "FITTED", 12)
    monkeypatch.setattr(known, "HELD_OUT", 6)
    config = EncoderConfig.new(backbone, image_size=64)
    save_encoder(tmp_path / "e", build_encoder(backbone, seed=3), config, distance=True, half=True)
    distance = load_encoder(tmp_path / "e", verify=True).distance
    assert distance is not None and len(distance(np.zeros((1, config.embedding_dim), np.float32))) == 1


def resign(folder: Path) -> None:
    names = [*CHECKED_FILES, *([DISTANCE_FILE] if (folder / DISTANCE_FILE).exists() else [])]
    (folder / "CHECKSUMS").write_text("".join(f"{sha256_file(folder / n)}  {n}\n" for n in names))


def test_a_folder_gives_back_what_was_written(folder: Path, tmp_path: Path) -> None:
    loaded = load_encoder(folder, verify=True)
    distance = loaded.distance
    assert distance is not None and distance.layouts == ("standard", "two_rhythm")
    made = fit_distance(loaded, progress=False)
    assert made is not None
    for field in dataclasses.fields(Distance):
        np.testing.assert_array_equal(getattr(distance, field.name), getattr(made, field.name))
    again = save_encoder(tmp_path / "again", build_encoder("small", seed=3), CONFIG, distance=True, half=True)
    assert (again / DISTANCE_FILE).read_bytes() == (folder / DISTANCE_FILE).read_bytes()


def test_a_folder_without_it_still_opens(folder: Path) -> None:
    (folder / DISTANCE_FILE).unlink()
    with pytest.raises(HeartprintError) as caught:
        load_encoder(folder)
    assert caught.value.code == "model-damaged" and "is missing" in caught.value.message
    resign(folder)
    assert load_encoder(folder, verify=True).distance is None


def change(tensors: dict, told: dict, **values: object) -> tuple[dict, dict]:
    return tensors | {k: v for k, v in values.items() if k in tensors}, told | {
        k: v for k, v in values.items() if k not in tensors
    }


TAMPERED: dict[str, Callable[[dict, dict], tuple[dict, dict]]] = {
    "a limit of infinity": lambda t, h: change(t, h, limit=float("inf")),
    "a limit that is no number": lambda t, h: change(t, h, limit=float("nan")),
    "a limit of nothing": lambda t, h: change(t, h, limit=0.0),
    "a limit as text": lambda t, h: change(t, h, limit="40"),
    "no limit": lambda t, h: (t, {k: v for k, v in h.items() if k != "limit"}),
    "one entry more": lambda t, h: change(t, h, more=1),
    "sheets below zero": lambda t, h: change(t, h, fitted=-1),
    "true for a number": lambda t, h: change(t, h, held_out=True),
    "numbers for layouts": lambda t, h: change(t, h, layouts=[1]),
    "another encoder": lambda t, h: change(t, h, encoder="0" * 64),
    "a mean that is no number": lambda t, h: change(t, h, mean=t["mean"] * np.float32("nan")),
    "a mean of another length": lambda t, h: change(t, h, mean=t["mean"][1:]),
    "a mean of another type": lambda t, h: change(t, h, mean=t["mean"].astype(np.float16)),
    "a factor of zeros": lambda t, h: change(t, h, factor=t["factor"] * 0),
    "an infinite factor": lambda t, h: change(t, h, factor=t["factor"] + np.float32("inf")),
    "a full factor": lambda t, h: change(t, h, factor=t["factor"] + 1),
    "no factor": lambda t, h: ({"mean": t["mean"]}, h),
    "one tensor more": lambda t, h: ({**t, "more": t["mean"]}, h),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_distance_is_refused(how: str, folder: Path) -> None:
    file = folder / DISTANCE_FILE
    with safetensors.safe_open(file, framework="numpy") as opened:
        told = json.loads(opened.metadata()["distance"])
    tensors, told = TAMPERED[how](safetensors.numpy.load_file(file), told)
    safetensors.numpy.save_file(tensors, file, {"distance": json.dumps(told)})
    resign(folder)
    with pytest.raises(HeartprintError) as caught:
        load_encoder(folder)
    assert caught.value.code == "model-damaged" and DISTANCE_FILE in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 16, b"x" * 600_000], ids=len)
def test_what_is_no_distance_is_refused(content: bytes, folder: Path) -> None:
    (folder / DISTANCE_FILE).write_bytes(content)
    resign(folder)
    with pytest.raises(HeartprintError) as caught:
        load_encoder(folder)
    assert caught.value.code == "model-damaged"


@pytest.mark.parametrize("header", [{}, {"distance": "{"}, {"distance": "[" * 100_000}, {"distance": "3"}], ids=str)
def test_a_header_that_says_nothing_is_refused(header: dict[str, str], folder: Path) -> None:
    file = folder / DISTANCE_FILE
    safetensors.numpy.save_file(safetensors.numpy.load_file(file), file, header)
    resign(folder)
    with pytest.raises(HeartprintError) as caught:
        load_encoder(folder)
    assert caught.value.code == "model-damaged"


# -- models -----------------------------------------------------------------------------------------------------


def test_a_model_without_it_answers_warned(
    cohort: Cohort, model_config: ModelConfig, seen: Seen, tmp_path: Path
) -> None:
    save_model(tmp_path / "m", TaskModel(build_encoder("small", seed=3)), model_config, seen=seen)
    table = predict(tmp_path / "m", cohort, tmp_path / "p.csv", progress=False)
    assert set(table["status"]) == {"warned"} and table["distance"].is_null().all()
    assert table["probability"].is_not_null().all()
    assert all(r.startswith("no-distance: ") for r in table["reason"])
    assert "marks every answer `warned`" in (tmp_path / "m" / "README.md").read_text()


def test_a_probe_takes_its_encoder_s_distance(cohort: Cohort, folder: Path, tmp_path: Path) -> None:
    finetune(cohort, task="af", init=folder, labels="all", out=tmp_path / "m", progress=False)
    assert (tmp_path / "m" / DISTANCE_FILE).read_bytes() == (folder / DISTANCE_FILE).read_bytes()
    model = load_model(tmp_path / "m", verify=True)
    assert model.encoder.distance is not None
    table = predict(model, cohort, tmp_path / "p.csv", progress=False)
    warned = table["distance"] > model.encoder.distance.limit
    assert (table["status"] == "warned").to_list() == warned.to_list()
    assert [r is not None for r in table["reason"]] == warned.to_list()


def test_full_fine_tuning_makes_its_own(cohort: Cohort, folder: Path, tmp_path: Path) -> None:
    start = load_encoder(folder)
    config = FinetuneConfig(mode="full", epochs=1, min_steps=2, head_views=1, cross_fit_folds=2, batch_size=8)
    labels = cohort.labels("af")
    kept = train_full(start, cohort, labels, task=get_task("af"), config=config, progress=False)
    assert kept.encoder.distance is None, "that of the start would be of other weights"
    model = finetune(cohort, task="af", init=start, labels="all", out=tmp_path / "m", config=config, progress=False)
    assert model.encoder.distance is not None
    assert model.encoder.distance.encoder == digest(model.encoder.encoder) != digest(start.encoder)
    assert set(model.encoder.distance.layouts) == set(PAPER_LAYOUTS)
    assert load_model(tmp_path / "m").encoder.distance is not None


# -- the encoders that are shipped ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_shipped_encoders_know_sheets_from_other_pictures(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    loaded = load_encoder(name)
    distance, size = loaded.distance, loaded.config.image_size
    assert distance is not None and (distance.fitted, distance.held_out) == (1500, 1000)
    # Other patients than it was shown: the last of many.
    others = list(simulated_ecgs(2700))[-200:]
    sheets = np.array([loaded.draw(x, 100, layout=PAPER_LAYOUTS[k % 4]) for k, x in enumerate(others)])
    rng = np.random.default_rng(0)
    strange = {
        "blank": np.array([np.full((size, size), v, np.uint8) for v in range(0, 256, 15)]),
        "noise": rng.integers(0, 256, (20, size, size)).astype(np.uint8),
        "turned by 90": np.rot90(sheets[:60], 1, axes=(1, 2)).copy(),
        "turned by 270": np.rot90(sheets[:60], 3, axes=(1, 2)).copy(),
    }

    def warned(pages: np.ndarray) -> float:
        return float((distance(embed_images(loaded, pages)) > distance.limit).mean())

    assert warned(sheets) <= 0.01
    for what, pages in strange.items():
        assert warned(pages) >= (0.9 if "turned" in what else 0.95), what


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_shipped_distances_are_those_of_their_weights(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again with a tenth of the sheets, the limit is about where it is."""
    monkeypatch.setattr(known, "FITTED", 400)
    monkeypatch.setattr(known, "HELD_OUT", 100)
    loaded = load_encoder(name)
    again = fit_distance(loaded, progress=False)
    assert again is not None and loaded.distance is not None
    assert again.layouts == loaded.distance.layouts and again.encoder == loaded.distance.encoder
    np.testing.assert_allclose(again.mean, loaded.distance.mean, atol=0.1)


def test_images_are_warned_of_as_waveforms_are(cohort: Cohort, tmp_path: Path) -> None:
    """Sheets on their side in a cohort of images, by the model of a shipped encoder."""
    finetune(cohort, task="af", init="heartprint", labels="all", out=tmp_path / "m", progress=False)
    rows = ["patient_id,path"]
    for k, leads in enumerate(list(simulated_ecgs(2600))[-6:]):
        page = render(leads, 100, "standard", 512)
        Image.fromarray(np.rot90(page).copy() if k % 2 else page).save(tmp_path / f"{k}.png")
        rows.append(f"p{k},{k}.png")
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    images = ingest("images", tmp_path / "list.csv", tmp_path / "images")
    table = predict(tmp_path / "m", images, tmp_path / "p.csv", progress=False)
    assert table["status"].to_list() == ["scored", "warned"] * 3
    assert table["distance"].is_not_null().all() and table["probability"].is_not_null().all()
    assert [(r or "").split(":")[0] for r in table["reason"]] == ["", "unlike-known-sheets"] * 3
