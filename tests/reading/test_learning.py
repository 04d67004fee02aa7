"""How the reader's networks are trained: examples that are functions of their number, losses, and going on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from heartprint.cohorts.cohort import Cohort
from heartprint.reading.learning.crops import CROPS, VIEWS, CropExample, Crops
from heartprint.reading.learning.examples import Examples
from heartprint.reading.learning.strip_loss import STRIP_WEIGHTS, CropTruth, strip_losses
from heartprint.reading.learning.train import Batch, ReaderConfig, Stage, train
from heartprint.reading.learning.truth import IGNORED
from heartprint.reading.learning.views import Views
from heartprint.reading.network import CELL
from heartprint.reading.strip_network import TURNS_SHOWN
from heartprint.reading.weights import KINDS, Kind, load_network
from heartprint.simulation import simulate
from tests.reading.fakes import strip_answer

KINDS_OF_EXAMPLES = {"finder": Examples, "reader": Views, "strips": Crops}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("learning") / "patients", 6, rate=100, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_training_goes_on_where_it_was_and_leaves_weights_that_open(kind: Kind, cohort: Cohort, tmp_path: Path) -> None:
    def config(steps: int) -> ReaderConfig:
        return ReaderConfig(
            kind=kind,
            stages=(Stage(longest_side=128, pictures=2 * steps),),
            batch_size=2,
            workers=0,
            threads=1,
            checkpoint_every=1,
        )

    examples = KINDS_OF_EXAMPLES[kind](cohort, seed=3)
    first = train(config(1), examples, tmp_path)
    before = load_network(first, kind).state_dict()
    after = load_network(train(config(3), examples, tmp_path), kind).state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert int(next(value for name, value in after.items() if name.endswith("num_batches_tracked"))) == 3


def test_crops_are_a_function_of_their_number(cohort: Cohort) -> None:
    crops = Crops(cohort, seed=5).sized(160)
    again = Crops(cohort, seed=5).sized(160)[7]
    other = crops[8]
    assert len(crops[7]) == len(again) == VIEWS * CROPS
    for one, two in zip(crops[7], again, strict=True):
        assert one.picture.tobytes() == two.picture.tobytes() and one.turn == two.turn
        assert one.picture.shape == (160, 160) and one.truth.name.shape == (160 // CELL, 160 // CELL)
    assert any(one.picture.tobytes() != two.picture.tobytes() for one, two in zip(again, other, strict=True))
    assert sum(TURNS_SHOWN) == pytest.approx(1.0)


def parts_of(crop: CropExample, **wrong: torch.Tensor) -> dict[str, float]:
    """Losses of an answer that tells the truth, but for some of it."""
    answer = strip_answer(crop.truth, crop.turn)
    answer = type(answer)(**{**answer.__dict__, **wrong})
    names = crop.truth.__dataclass_fields__
    truth = CropTruth(
        **{name: torch.from_numpy(np.asarray(getattr(crop.truth, name)))[None] for name in names},
        turn=torch.tensor([crop.turn]),
    )
    return {name: float(value) for name, value in strip_losses(answer, truth).items()}


def test_the_truth_costs_nothing_and_each_error_costs_its_part(cohort: Cohort) -> None:
    upright = next(
        crop
        for number in range(20)
        for crop in Crops(cohort, seed=5).sized(160)[number]
        if crop.turn == 0 and (crop.truth.name > 0).any() and (crop.truth.border > 0).any()
    )
    true = parts_of(upright)
    assert set(true) == set(STRIP_WEIGHTS)
    assert all(value < 1e-3 for name, value in true.items() if name != "row_spread")
    good = strip_answer(upright.truth, 0)
    for name, part in (("row", "row"), ("name_at", "name_at"), ("border_at", "border_at")):
        worse = parts_of(upright, **{name: getattr(good, name) + 0.5})
        assert worse[part] > 0.4
        assert all(worse[k] == pytest.approx(true[k]) for k in true if k not in (part, "row_spread"))
    for name, parts in (
        ("name", {"name"}),
        ("border", {"border"}),
        ("strip", {"strip"}),
        ("turn", {"turn", "turn_names"}),
    ):
        worse = parts_of(upright, **{name: -getattr(good, name)})
        assert all(worse[k] > 1.0 for k in parts), name
        assert all(worse[k] == pytest.approx(true[k]) for k in true if k not in parts)


def test_what_is_not_asked_costs_nothing(cohort: Cohort) -> None:
    crop = Crops(cohort, seed=5).sized(160)[0][0]
    crop.truth.without(np.ones(crop.truth.name.shape, dtype=bool))
    assert (crop.truth.name == IGNORED).all()
    wrong = {name: torch.full_like(value, 3.0) for name, value in strip_answer(crop.truth, crop.turn).__dict__.items()}
    assert all(value == 0 for name, value in parts_of(crop, **wrong).items() if name != "row_spread")


def test_names_of_a_turned_view_are_none(cohort: Cohort) -> None:
    """They cannot be read there: an answer that names them is wrong."""
    turned = next(
        crop
        for number in range(20)
        for crop in Crops(cohort, seed=5).sized(160)[number]
        if crop.turn != 0 and (crop.truth.name > 0).any()
    )
    assert parts_of(turned)["name"] < 1e-3
    assert parts_of(turned, name=strip_answer(turned.truth, 0).name)["name"] > 1.0


def test_a_batch_knows_which_network_it_is_for(cohort: Cohort) -> None:
    crops = Crops(cohort, seed=5).sized(160)[0][:3]
    batch = Batch(crops)
    assert batch.pictures.shape == (3, 1, 160, 160)
    with pytest.raises(AssertionError):
        Batch(Examples(cohort, seed=5).sized(128)[0][:1]).losses(strip_answer(crops[0].truth, 0))
