"""The encoder that comes with the package: found by name, told apart from a folder, explained when broken.

A stand-in takes its place, except in the last class, which looks at the folder that is really shipped.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

import heartprint
from heartprint import HeartprintError
from heartprint.cli import embed, export, finetune
from heartprint.cohorts import Cohort
from heartprint.encoders import (
    EncoderConfig,
    LoadedEncoder,
    Seen,
    build_encoder,
    embed_cohort,
    embed_images,
    load_encoder,
    load_model,
    resolve_encoder,
    save_encoder,
)
from heartprint.encoders.bundle import shipped as shipped_encoder
from heartprint.encoders.bundle.files import CHECKED_FILES, CHECKSUMS_FILE, OPTIONAL_FILES
from heartprint.encoders.bundle.shipped import SHIPPED_NAMES
from tests.encoders.conftest import write_tiny

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shipped(tmp_path: Path, encoder_config: EncoderConfig, cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the shipped folder, outside the cohort's patients."""
    stranger = Seen.of(write_tiny(tmp_path / "stranger", seed=77))
    folder = save_encoder(
        tmp_path / "package" / "shipped", build_encoder("small", seed=4), encoder_config, half=True, seen=stranger
    )
    monkeypatch.setattr(shipped_encoder, "location", lambda _: folder)
    return folder


def code_of(name: str = "heartprint") -> tuple[str, str]:
    with pytest.raises(HeartprintError) as error:
        resolve_encoder(name)
    assert "\n" not in error.value.message
    return error.value.code, error.value.message


# -- the name ---------------------------------------------------------------------------------------------------


def test_the_name_gives_the_shipped_encoder(shipped: Path, cohort: Cohort) -> None:
    expected = embed_cohort(load_encoder(shipped), cohort, progress=False)
    for loaded in (
        resolve_encoder("heartprint"),
        heartprint.load_encoder(),
        heartprint.load_encoder("heartprint", verify=True),
    ):
        assert isinstance(loaded, LoadedEncoder)
        assert loaded.name == "heartprint"
        assert not loaded.encoder.training
        assert loaded.config.simulated
        np.testing.assert_array_equal(embed_cohort(loaded, cohort, progress=False), expected)


def test_the_name_wins_over_a_folder_of_that_name(
    shipped: Path, tmp_path: Path, encoder_config: EncoderConfig, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = save_encoder("heartprint", build_encoder("small", seed=9), encoder_config, seen=seen)
    other = load_encoder(own).config.weights_sha256
    named = resolve_encoder("heartprint").config.weights_sha256
    assert named == heartprint.load_encoder("heartprint").config.weights_sha256 != other
    for path in ("./heartprint", Path("heartprint"), tmp_path / "heartprint"):
        assert resolve_encoder(path).config.weights_sha256 == other
        assert heartprint.load_encoder(path).config.weights_sha256 == other


def test_it_may_be_asked_to_be_of_a_kind(shipped: Path) -> None:
    assert resolve_encoder("heartprint", backbone="small", image_size=64).name == "heartprint"
    for wish in ({"backbone": "efficientnet_b3"}, {"image_size": 300}):
        with pytest.raises(HeartprintError, match="'heartprint' has") as error:
            resolve_encoder("heartprint", **wish)  # type: ignore[arg-type]
        assert error.value.code == "encoder-mismatch"


def test_it_can_be_read_from_inside_a_zip_file(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "site-packages.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in (*CHECKED_FILES, CHECKSUMS_FILE):
            file.write(shipped / name, f"heartprint/encoders/shipped/{name}")
    inside = zipfile.Path(archive, "heartprint/encoders/shipped/")
    monkeypatch.setattr(shipped_encoder, "location", lambda _: inside)
    found = load_encoder(verify=True)
    assert found.config.weights_sha256 == load_encoder(shipped).config.weights_sha256
    monkeypatch.setattr(shipped_encoder, "location", lambda _: zipfile.Path(archive, "heartprint/nothing/"))
    assert code_of()[0] == "shipped-encoder-missing"


def test_a_read_only_installation_will_do(shipped: Path) -> None:
    before = sorted(p.name for p in shipped.iterdir())
    for path in (*shipped.iterdir(), shipped):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        load_encoder(verify=True)
        assert sorted(p.name for p in shipped.iterdir()) == before
    finally:
        shipped.chmod(0o755)


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_it_is_no_model(name: str) -> None:
    with pytest.raises(HeartprintError, match=f"--init {name}") as error:
        load_model(name)
    assert error.value.code == "not-a-model"


# -- an installation that is broken -----------------------------------------------------------------------------


def test_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped_encoder, "location", lambda _: tmp_path / "shipped")
    for _ in range(2):
        code, message = code_of()
        assert code == "shipped-encoder-missing"
        for word in ("pip install", "./heartprint", "run folder"):
            assert word in message
        (tmp_path / "shipped").mkdir(exist_ok=True)  # an empty folder is no better
    with pytest.raises(HeartprintError) as error:
        heartprint.load_encoder()
    assert error.value.code == "shipped-encoder-missing"


@pytest.mark.parametrize("name", CHECKED_FILES)
def test_damaged(shipped: Path, name: str) -> None:
    content = bytearray((shipped / name).read_bytes())
    at = content.rindex(b"6") if name == "config.json" else len(content) // 2
    content[at] ^= 1
    (shipped / name).write_bytes(content)
    code, message = code_of()
    assert code == "model-damaged"
    assert "pip install --force-reinstall" in message


@pytest.mark.parametrize("name", ["model.safetensors", "seen.safetensors", "CHECKSUMS"])
def test_incomplete(shipped: Path, name: str) -> None:
    (shipped / name).unlink()
    code, message = code_of()
    assert code == "model-incomplete"
    assert name in message
    assert "pip install --force-reinstall" in message


# -- the verbs --------------------------------------------------------------------------------------------------

app = typer.Typer()
app.command("embed")(embed.embed)
app.command("export")(export.export)
app.command("finetune")(finetune.finetune)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_embed_by_name(shipped: Path, cohort: Cohort, tmp_path: Path) -> None:
    said = run("embed", "heartprint", cohort.path, "--out", tmp_path / "e.npz", "--device", "cpu")
    assert "256 numbers each" in said
    with np.load(tmp_path / "e.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["ecg_id"], cohort.ecg_ids)
        expected = embed_cohort(load_encoder(shipped), cohort, progress=False)
        np.testing.assert_allclose(file["embedding"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", ["probe", "full"])
def test_finetune_by_name(shipped: Path, tmp_path: Path, mode: str) -> None:
    from tests.finetuning.tiny import make_cohort

    torch.set_num_threads(1)
    ecgs = make_cohort(tmp_path / "c", 20, 1)
    before = {p.name: p.read_bytes() for p in shipped.iterdir()}
    run(
        *("finetune", ecgs.path, "--task", "tall", "--init", "heartprint", "--labels", 12, "--mode", mode),
        *("--out", tmp_path / "m", "-o", "batch_size=8", "-o", "epochs=1", "-o", "device=cpu"),
    )
    model = load_model(tmp_path / "m", verify=True)
    assert model.config.encoder.pretraining == load_encoder(shipped).config.pretraining
    assert {p.name: p.read_bytes() for p in shipped.iterdir()} == before


def test_help_is_quick_and_names_it() -> None:
    code = "import sys; from heartprint.cli.main import main\ntry: main()\nfinally: sys.exit('torch' in sys.modules)"
    for verb in ("embed", "finetune"):
        shown = subprocess.run(
            [sys.executable, "-c", code, verb, "--help"], check=False, capture_output=True, text=True
        )
        assert shown.returncode == 0, "torch was imported to show help"
        assert "heartprint" in shown.stdout
    code = "import sys, heartprint; sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'polars')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- the folder that is really shipped --------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED_NAMES)
class TestReallyShipped:
    @pytest.fixture
    def folder(self, name: str) -> Path:
        folder = shipped_encoder.location(name)
        assert isinstance(folder, Path)
        return folder

    def test_it_is_whole_and_reads_its_sample(self, name: str, folder: Path) -> None:
        loaded = load_encoder(name, verify=True)
        assert loaded.name == name
        assert not loaded.encoder.training
        assert {p.name for p in folder.iterdir()} == {*CHECKED_FILES, *OPTIONAL_FILES, CHECKSUMS_FILE}
        pages = np.zeros((1, loaded.config.image_size, loaded.config.image_size), dtype=np.uint8)
        assert np.isfinite(embed_images(loaded, pages)).all()

    def test_it_learned_from_simulated_patients_alone(self, name: str) -> None:
        loaded = load_encoder(name)
        assert loaded.config.simulated
        assert loaded.config.initial_weights == "random"
        assert loaded.seen, "nobody could tell that a simulated test cohort was learned from"
        assert loaded.config.stages
        for stage in loaded.config.stages:
            assert stage.cohort.simulation in loaded.seen.simulated

    def test_it_names_no_place_on_the_machine_that_made_it(self, folder: Path) -> None:
        for file in ("config.json", "README.md", "CHECKSUMS"):
            text = (folder / file).read_text(encoding="utf-8")
            assert not re.search(r"(?<![\w:/.)\]])/(?:home|root|work|tmp|mnt|data|Users)/|[A-Z]:\\", text), file

    def test_its_card_says_what_it_is_for(self, folder: Path) -> None:
        text = (folder / "README.md").read_text(encoding="utf-8")
        assert "Encoder pretrained on simulated patients." in text and "SIMULATED" not in text
        assert "marks an answer `warned`" in text and "upside-down" in text
        assert "not a medical device" in text
        assert "stored as float16" in text


def test_together_they_are_small() -> None:
    folders = [shipped_encoder.location(name) for name in SHIPPED_NAMES]
    assert sum(p.stat().st_size for f in folders if isinstance(f, Path) for p in f.iterdir()) <= 25_000_000


def test_the_wheel_takes_the_folder_along() -> None:
    """Hatch packs every file below the package that git does not ignore."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"] == {"packages": ["src/heartprint"]}
    assert set(build) == {"targets"}, "an exclude or only-include may leave the weights out"
    files = [
        f"src/heartprint/encoders/shipped/{n}/{f}"
        for n in SHIPPED_NAMES
        for f in (*CHECKED_FILES, *OPTIONAL_FILES, CHECKSUMS_FILE)
    ]
    if not (ROOT / ".git").exists():
        pytest.skip("no git checkout, so nothing is ignored")
    ignored = subprocess.run(
        ["git", "check-ignore", "--no-index", *files], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert ignored.stdout == ""
    assert ignored.returncode == 1
