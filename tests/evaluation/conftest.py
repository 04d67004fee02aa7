from __future__ import annotations

from pathlib import Path

import pytest
import torch

from heartprint.encoders import LoadedModel, load_model
from heartprint.finetuning import finetune
from tests.finetuning.tiny import make_cohort


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model for ``tall`` in ``model``; the cohort that it learned from is in ``train``."""
    torch.set_num_threads(1)
    where = tmp_path_factory.mktemp("model")
    cohort = make_cohort(where / "train", 30, 2)
    finetune(
        cohort,
        task="tall",
        init="random",
        labels=16,
        out=where / "model",
        backbone="small",
        image_size=64,
        progress=False,
    )
    return where


@pytest.fixture(scope="module")
def model(folder: Path) -> LoadedModel:
    return load_model(folder / "model")
