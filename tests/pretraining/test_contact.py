"""The page to look at before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from heartprint.cli.contact import contact
from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.pages import contact_sheet as pages
from heartprint.pretraining.config import PretrainConfig
from heartprint.pretraining.contact import _photos, save_contact
from heartprint.pretraining.methods import get_method

Make = Callable[..., PretrainConfig]


def test_it_shows_what_the_network_will_read(
    cohort: Cohort, config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[pages.Section] = []

    def keep(sections: list[pages.Section], out: Path) -> Path:
        shown.extend(sections)
        return out

    monkeypatch.setattr("heartprint.pretraining.contact.save_contact_page", keep)
    chosen = config(recipes=("phone",), styles=("random",), image_size=64)
    save_contact(cohort, chosen, tmp_path / "page.png", n=3)
    sheets, views = shown
    assert len(sheets.pictures) == 3
    assert "SIMULATED" in sheets.title
    assert len(views.pictures) == 6
    method = get_method("bcl")(cohort, chosen)
    expected = [view.page.tobytes() for item in range(method.n_items) for view in method.draw(0, item)]
    assert all(picture.tobytes() in expected for picture in views.pictures)
    for one, other in zip(views.captions[::2], views.captions[1::2], strict=True):
        assert one.partition("patient")[2] == other.partition("patient")[2]
        assert one != other
    said = " ".join([*sheets.captions, *views.captions])
    for ids in (cohort.ecg_ids, cohort.patient_ids):
        assert not [i for i in ids.tolist() if i in said], "no id of an ECG or a patient is on the page"
    assert all(0 <= int(c.split()[1].rstrip(":")) < len(cohort) for c in views.captions)


def test_the_verb_lays_photographs_beside(cohort: Cohort, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(np.full((300, 400, 3), (10, 200, 30), dtype=np.uint8)).save(photos / "a.png")
    (photos / "broken.jpg").write_bytes(b"no picture")
    Image.new("1", (13_000, 13_000), 1).save(photos / "bomb.png")
    assert [name for name, _ in _photos(photos)] == ["a.png"]
    app = typer.Typer()
    app.command()(contact)
    arguments = ["--out", str(tmp_path / "page.png"), "-n", "2", "-o", "image_size=64", "--beside", str(photos)]
    said = CliRunner().invoke(app, [str(cohort.path), *arguments], catch_exceptions=False)
    assert said.exit_code == 0
    page = np.asarray(Image.open(tmp_path / "page.png"))
    assert ((page == (10, 200, 30)).all(axis=2)).sum() > 90_000
    (photos / "a.png").unlink()
    with pytest.raises(HeartprintError) as caught:
        save_contact(cohort, PretrainConfig(image_size=64), tmp_path / "other.png", beside=photos)
    assert caught.value.code == "no-photographs"
    with pytest.raises(HeartprintError) as caught:
        save_contact(cohort, PretrainConfig(image_size=64), tmp_path / "other.gif")
    assert caught.value.code == "bad-path"
    assert not (tmp_path / "other.png").exists()


def test_a_cohort_without_pairs_says_so(single_ecgs: Cohort, tmp_path: Path) -> None:
    with pytest.raises(HeartprintError) as caught:
        save_contact(single_ecgs, PretrainConfig(image_size=64), tmp_path / "page.png")
    assert caught.value.code == "no-pairs"
    assert save_contact(single_ecgs, PretrainConfig(image_size=64, method="layouts"), tmp_path / "page.png").is_file()
