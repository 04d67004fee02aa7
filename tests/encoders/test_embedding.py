from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import heartprint
from heartprint import HeartprintError
from heartprint.cohorts import Cohort
from heartprint.encoders import (
    EncoderConfig,
    LoadedEncoder,
    Seen,
    build_encoder,
    embed_cohort,
    embed_images,
    resolve_encoder,
    save_embeddings,
    save_encoder,
)
from heartprint.training.device import choose_device


@pytest.fixture
def loaded() -> LoadedEncoder:
    return resolve_encoder("random", seed=1, image_size=96)


def test_the_embedding_depends_on_the_image_alone(loaded: LoadedEncoder, cohort: Cohort, tmp_path: Path) -> None:
    """Write each page to a PNG file, read the file, feed it: the embedding must be that of the cohort."""
    embedding = embed_cohort(loaded, cohort, progress=False)
    assert embedding.shape == (len(cohort), 256)
    assert embedding.dtype == np.float32
    for row in (0, 3, len(cohort) - 1):
        page = heartprint.render(cohort.signal(row), cohort.sampling_rate(row), "standard", 96)
        assert cv2.imwrite(str(tmp_path / "page.png"), page)
        read = cv2.imread(str(tmp_path / "page.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(embed_images(loaded, read[None])[0], embed_images(loaded, page[None])[0])
        np.testing.assert_allclose(
            embed_images(loaded, read[None])[0], embedding[row], rtol=0, atol=1e-5 * np.abs(embedding).max()
        )


def test_order_batch_size_and_batch_mates_change_nothing(loaded: LoadedEncoder, cohort: Cohort) -> None:
    whole = embed_cohort(loaded, cohort, progress=False)
    close = {"rtol": 0, "atol": 1e-5 * np.abs(whole).max()}
    np.testing.assert_array_equal(embed_cohort(loaded, cohort, progress=False), whole)
    for batch_size in (1, 3, len(cohort)):
        again = embed_cohort(loaded, cohort, batch_size=batch_size, progress=False)
        np.testing.assert_allclose(again, whole, **close)
    order = np.random.default_rng(0).permutation(len(cohort))
    np.testing.assert_allclose(embed_cohort(loaded, cohort.take(order), progress=False), whole[order], **close)
    # Different ECGs are told apart by more than the tolerance above.
    gaps = np.abs(whole[:, None] - whole[None]).max(-1)[~np.eye(len(cohort), dtype=bool)]
    assert gaps.min() > 100 * close["atol"]


def test_layouts_differ(loaded: LoadedEncoder, cohort: Cohort) -> None:
    one = embed_cohort(loaded, cohort.take([0]), progress=False)
    two = embed_cohort(loaded, cohort.take([0]), layout="shuffled", progress=False)
    assert np.abs(one - two).max() > 0.01 * np.abs(one).max()
    with pytest.raises(HeartprintError) as error:
        embed_cohort(loaded, cohort, layout="standrad", progress=False)
    assert error.value.code == "unknown-layout"


def test_an_encoder_in_training_is_embedded_in_eval_mode_and_put_back(cohort: Cohort) -> None:
    loaded = resolve_encoder("random", seed=1, image_size=96)
    expected = embed_cohort(loaded, cohort, progress=False)
    loaded.encoder.train()
    np.testing.assert_array_equal(embed_cohort(loaded, cohort, progress=False), expected)
    assert loaded.encoder.training
    assert not any(p.grad is not None for p in loaded.encoder.parameters())


def test_the_baseline_setting_is_part_of_the_drawing(cohort: Cohort) -> None:
    drifting = cohort.signal(0) + np.linspace(0, 0.8, 2500, dtype=np.float32)
    pages = {}
    for baseline in ("none", "median"):
        config = EncoderConfig.new("small", baseline=baseline)
        loaded = LoadedEncoder(build_encoder("small").eval(), config, resolve_encoder("random").seen, "test")
        pages[baseline] = loaded.draw(drifting, 250.0)
        expected = heartprint.render(drifting, 250.0, "standard", config.image_size, baseline=baseline)
        np.testing.assert_array_equal(pages[baseline], expected)
    assert not np.array_equal(pages["none"], pages["median"])


def test_drawing_streams_one_batch_ahead(
    loaded: LoadedEncoder, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    read: list[tuple[tuple[int, ...], int]] = []
    signal = cohort.signal

    class Watched(Cohort):
        def signal(self, row: int) -> np.ndarray:
            drawn.append(row)
            return signal(row)

    watched = Watched(cohort.path, cohort.info, cohort.records)

    def note(loaded: LoadedEncoder, pages: np.ndarray, **_: object) -> np.ndarray:
        assert pages.dtype == np.uint8
        read.append((pages.shape, len(drawn)))
        return embed_images(loaded, pages)

    monkeypatch.setattr("heartprint.encoders.embedding.embed_images", note)
    embed_cohort(loaded, watched, batch_size=2, progress=False)
    assert read[0][0] == (2, 96, 96)
    assert sum(shape[0] for shape, _ in read) == len(cohort)
    assert all(n <= 2 * (k + 2) for k, (_, n) in enumerate(read)), "no more than one batch ahead"
    assert drawn == list(range(len(cohort)))


def test_an_ecg_that_cannot_be_drawn_stops_with_its_error(loaded: LoadedEncoder, cohort: Cohort) -> None:
    class Broken(Cohort):
        def signal(self, row: int) -> np.ndarray:
            if row == 3:
                raise HeartprintError("cohort-damaged", "row 3 is gone")
            return super().signal(row)

    broken = Broken(cohort.path, cohort.info, cohort.records)
    with pytest.raises(HeartprintError) as error:
        embed_cohort(loaded, broken, batch_size=2, progress=False)
    assert error.value.code == "cohort-damaged"


def test_no_ecgs_no_embeddings(loaded: LoadedEncoder, cohort: Cohort) -> None:
    assert embed_cohort(loaded, cohort.take([]), progress=False).shape == (0, 256)
    assert embed_images(loaded, np.empty((0, 96, 96), np.uint8)).shape == (0, 256)


def test_a_diverged_encoder_is_not_passed_over(loaded: LoadedEncoder, cohort: Cohort) -> None:
    with torch.no_grad():
        next(loaded.encoder.parameters()).fill_(float("nan"))
    with pytest.raises(HeartprintError) as error:
        embed_cohort(loaded, cohort, progress=False)
    assert error.value.code == "not-finite"


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda")
    for name in ("cuda:99", "toaster"):
        with pytest.raises(HeartprintError) as error:
            choose_device(name)
        assert error.value.code == "no-such-device"


def test_the_file_loads_without_pickle(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.npz"
    save_embeddings(path, np.array(["ä1", "b"]), np.array(["p", "p"]), np.ones((2, 3), np.float32))
    with np.load(path, allow_pickle=False) as file:
        assert set(file) == {"ecg_id", "patient_id", "embedding"}
        assert file["ecg_id"].tolist() == ["ä1", "b"]
        assert file["patient_id"].dtype.kind == "U"
        assert file["embedding"].dtype == np.float32
    with pytest.raises(ValueError, match="lengths"):
        save_embeddings(path, np.array(["a"]), np.array(["p", "p"]), np.ones((2, 3), np.float32))
    assert [p.name for p in path.parent.iterdir()] == ["file.npz"]


# -- the command ------------------------------------------------------------------------------------------------


def command() -> typer.Typer:
    from heartprint.cli.embed import embed

    app = typer.Typer()
    app.command()(embed)
    return app


def test_the_command_embeds_a_run(tmp_path: Path, cohort: Cohort, encoder_config: EncoderConfig, seen: Seen) -> None:
    save_encoder(tmp_path / "run" / "encoder", build_encoder("small", seed=4), encoder_config, seen=seen)
    out = tmp_path / "out.npz"
    result = CliRunner().invoke(
        command(), [str(tmp_path / "run"), str(cohort.path), "--out", str(out), "--device", "cpu"]
    )
    assert result.exit_code == 0, result.output
    assert "simulated" in result.output
    with np.load(out, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["ecg_id"], cohort.ecg_ids)
        np.testing.assert_array_equal(file["patient_id"], cohort.patient_ids)
        expected = embed_cohort(resolve_encoder(tmp_path / "run"), cohort, progress=False)
        np.testing.assert_allclose(file["embedding"], expected, rtol=1e-5, atol=1e-6)


def test_the_command_refuses_without_leaving_a_file(tmp_path: Path, cohort: Cohort) -> None:
    out = tmp_path / "out.npz"
    for arguments, code in (
        (["imagenet", str(cohort.path), "--backbone", "small"], "no-offline-weights"),
        (["nowhere", str(cohort.path)], "unknown-encoder"),
        (["random", str(tmp_path / "nowhere")], "cohort-missing"),
        (["random", str(cohort.path), "--layout", "poster"], "unknown-layout"),
        (["random", str(cohort.path), "--device", "cuda:99"], "no-such-device"),
    ):
        result = CliRunner().invoke(command(), [*arguments, "--out", str(out)])
        assert isinstance(result.exception, HeartprintError)
        assert result.exception.code == code
        assert not out.exists()


def test_importing_the_room_does_not_import_torch() -> None:
    code = (
        "import sys; import heartprint.encoders, heartprint.encoders.bundle.config;"
        " import heartprint.encoders.networks.registry, heartprint.cli.embed; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
