"""Brings pretraining runs that were made before methods owned their settings (commit b016df5) to today's form.

    python benchmarks/convert_runs.py RUN...
    python benchmarks/convert_runs.py --study configs/comparison.yaml out/comparison

Copy them first: they are converted in place, and once. ``config.yaml`` gets the settings under the method that reads
them, ``log.csv`` and checkpoints today's names, and the encoder folder today's format; no weight changes. With
``--study`` the runs of a study are also given the names under which it looks for them, and are not trained again.
"""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import yaml

from heartprint.encoders.bundle.upgrade import upgrade_model
from heartprint.foundation.config import load_config, save_config
from heartprint.foundation.files import sha256_file, write_json
from heartprint.pretraining import PretrainConfig
from heartprint.pretraining.learner import Learner
from heartprint.pretraining.methods import get_method
from heartprint.pretraining.run_folder import CHECKPOINTS, CONFIG_FILE, LOG_FILE, LogRow, read_note
from heartprint.pretraining.targets import Targets, blank_targets
from heartprint.training.checkpoint import NOTE_FILE, STATE_FILE, checkpoints
from heartprint.training.distributed import Distributed

OF_METHODS = {
    *("augment", "pairs", "stretch_layouts", "temperature", "contrast_weight", "target_weight"),
    *("head_hidden", "head_dim"),
}
"""Settings that stood beside the run's own, whatever the method."""
COLUMNS = {"contrastive_accuracy": "partner_found", "measurement_error": "target_error"}


def new_settings(old: dict[str, Any]) -> dict[str, Any]:
    """A configuration of today from one of then."""
    own = get_method(old["method"]).Settings.model_fields
    method = {"name": old["method"], **{name: value for name, value in old.items() if name in own}}
    return {"method": method, **{k: v for k, v in old.items() if k not in OF_METHODS | {"method"}}}


def convert(run: Path) -> PretrainConfig | None:
    """Convert one run; None if it is of today's form already."""
    old = yaml.safe_load((run / CONFIG_FILE).read_text(encoding="utf-8"))
    if not isinstance(old["method"], str):
        return None
    config = PretrainConfig.model_validate(new_settings(old))
    learned = get_method(config.method.name).learns_measurements
    learner = Learner(config, 1, Distributed(), _blank_of(run) if learned else None)
    for folder in checkpoints(run / CHECKPOINTS):
        _rename_tensors(folder, set(learner.state()))
    _rename_columns(run / LOG_FILE, learner.objective.measures)
    if (run / "encoder").is_dir():
        upgrade_model(run / "encoder")
    save_config(run / CONFIG_FILE, config)
    return config


def _blank_of(run: Path) -> Targets:
    file = run / "targets.npz"
    return Targets.load(file, len(np.load(file, allow_pickle=False)["values"])) if file.is_file() else blank_targets()


def _rename_tensors(folder: Path, wanted: set[str]) -> None:
    tensors = safetensors.torch.load_file(folder / STATE_FILE)
    before = {re.sub(r"\bobjective\.(parts\.\w+\.)?", "", name): name for name in wanted}
    renamed = {before.get(name, name): value for name, value in tensors.items()}
    lacking = wanted - set(renamed)
    if lacking and not all(name.startswith("optimizer.") for name in lacking):
        raise SystemExit(f"{folder} lacks {sorted(lacking)[:3]}")
    safetensors.torch.save_file(renamed, folder / STATE_FILE)
    note = yaml.safe_load((folder / NOTE_FILE).read_text(encoding="utf-8"))
    write_json(folder / NOTE_FILE, {**note, "sha256": sha256_file(folder / STATE_FILE)})


def _rename_columns(file: Path, measures: tuple[str, ...]) -> None:
    with file.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    # What was not written then stays open: nan.
    names = [*LogRow._fields[:-1], *measures]
    with file.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(names)
        writer.writerows([row.get(COLUMNS.get(name, name)) or "nan" for name in names] for row in rows)


def rename_for_study(study: Path, out: Path) -> None:
    """Convert the runs of a study, and name them as it looks for them."""
    from heartprint.evaluation.study.config import StudyConfig
    from heartprint.evaluation.study.encoders import ALL_FOLDS, Encoders
    from heartprint.evaluation.study.plan import make_plan
    from heartprint.evaluation.study.run import _open_cohorts

    config = load_config(study, [], StudyConfig)
    work = out / "work"
    encoders = Encoders(make_plan(config, _open_cohorts(config, work / "cohorts", True)), work)
    runs = {
        (load_config(run / CONFIG_FILE, [], PretrainConfig).recipe(), read_note(run)["cohort"]["content_hash"]): run
        for run in (work / "pretraining").iterdir()
    }
    for entry in config.encoders:
        if entry.pretrain is None or encoders.per_fold(entry):
            continue
        learned_from = encoders.pretraining_cohort(entry, ALL_FOLDS).info.content_hash
        run = runs.get((encoders.pretrain_config(entry).recipe(), learned_from))
        folder = encoders.run_folder(entry, ALL_FOLDS)
        if run is not None and run != folder:
            run.rename(folder)
            print(f"{entry.name}: {run.name} -> {folder.name}")


def main() -> None:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--study", type=Path)
    given = parser.parse_args()
    runs = given.folders
    if given.study:
        runs = [run for out in given.folders for run in sorted((out / "work" / "pretraining").iterdir())]
    for run in runs:
        print(f"{run}: {'converted' if convert(run) else 'is of the form of today'}")
    for out in given.folders if given.study else ():
        rename_for_study(given.study, out)


if __name__ == "__main__":
    main()
