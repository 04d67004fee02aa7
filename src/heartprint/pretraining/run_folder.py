"""The folder of a run: what was asked for, what it learns from, how it goes."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

import heartprint
from heartprint.cohorts import Cohort
from heartprint.encoders.bundle.files import MODEL_OUTPUT
from heartprint.foundation.bounded import read_json
from heartprint.foundation.config import load_config, save_config
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path, write_json
from heartprint.foundation.outputs import refuse_foreign
from heartprint.pretraining.config import PretrainConfig, decisive
from heartprint.pretraining.curves import curves
from heartprint.sheets import layout_file_digests

CONFIG_FILE = "config.yaml"
NOTE_FILE = "run.json"
LOG_FILE = "log.csv"
CURVES_FILE = "curves.png"
CHECKPOINTS = "checkpoints"
TARGETS_FILE = "targets.npz"


class LogRow(NamedTuple):
    """One line of ``log.csv``.

    Attributes:
        step: Steps done.
        epoch: Pass over the items, from 0.
        loss: What is minimised.
        learning_rate: Of this step.
        images_per_s: Views learned from per second, drawing and everything else included.
        waiting_share: Share of the time spent waiting for sheets.
        measures: What the objective names (`Losses.named`), a column each.
    """

    step: int
    epoch: int
    loss: float
    learning_rate: float
    images_per_s: float
    waiting_share: float
    measures: Mapping[str, float]

    @property
    def cells(self) -> tuple[int | float, ...]:
        """The line as it is written."""
        return (*self[:-1], *self.measures.values())


class RunFolder:
    """Opens, describes and checks a run's folder.

    Args:
        path: The folder.
        config: The whole configuration.
        cohort: Exactly the ECGs that are learned from.
        labels: `labels_hash` of the cohort, if its labels are learned.
    """

    def __init__(self, path: Path, config: PretrainConfig, cohort: Cohort, labels: str | None = None) -> None:
        self.path = path
        self._labels = labels
        self.config = config
        self.note: dict[str, Any] = {
            "heartprint": heartprint.__version__,
            "status": "running",
            "cohort": describe(cohort),
        }

    @property
    def finished(self) -> bool:
        """Whether the encoder is written."""
        return str(self.note["status"]) == "finished"

    def check(self, *, resume: bool) -> None:
        """See whether a run can begin here, or whether the one in the folder is the same. Nothing is written.

        Raises:
            HeartprintError: ``output-exists`` if the folder is not empty and nothing is to be resumed; ``not-a-run``
                if it holds something else; ``output-has-other-files`` if more lies where the encoder is to go;
                ``config-changed`` or ``cohort-changed``.
        """
        occupied = self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir()))
        if occupied and not resume:
            raise HeartprintError(
                "output-exists",
                f"{self.path} exists already. Choose another --out, or go on with the run in it by --resume.",
            )
        if occupied and not (self.path / CONFIG_FILE).is_file():
            raise HeartprintError(
                "not-a-run", f"{self.path} holds no pretraining run (no {CONFIG_FILE}). Choose another --out."
            )
        if occupied:
            self._check_config()
            refuse_foreign(self.path / "encoder", MODEL_OUTPUT)
        if (self.path / NOTE_FILE).is_file():
            self._check_cohort()

    def start(self, started_from: str | None) -> None:
        """Write down what is about to run; settings that may change are kept as they are now.

        Args:
            started_from: SHA-256 of the weights of another pretraining that is gone on from.

        Raises:
            HeartprintError: ``config-changed`` if a run is resumed and ``init`` names other weights than it began
                with, or a layout's file defines another layout; ``cohort-changed`` if other labels are learned.
        """
        if self.note.setdefault("started_from", started_from) != started_from:
            raise HeartprintError(
                "config-changed",
                f"The run in {self.path} began from other weights than '{self.config.init}' has now. Give the encoder "
                "it began from, or choose another --out.",
            )
        files = layout_file_digests(list(self.config.all_layouts))
        for file, digest in self.note.setdefault("layout_files", files).items():
            if files.get(file) != digest:
                raise HeartprintError(
                    "config-changed",
                    f"The layout {file} is not what it was when the run in {self.path} began. Restore it, or choose "
                    "another --out.",
                )
        if self._labels is not None and self.note.setdefault("labels_hash", self._labels) != self._labels:
            raise HeartprintError(
                "cohort-changed",
                f"The run in {self.path} learned from other labels than the cohort has now. Restore them, or choose "
                "another --out.",
            )
        save_config(self.path / CONFIG_FILE, self.config)
        self.save()

    def save(self, **facts: Any) -> None:
        """Add facts to ``run.json``."""
        self.note |= facts
        write_json(self.path / NOTE_FILE, self.note)

    def _check_config(self) -> None:
        old = decisive(load_config(self.path / CONFIG_FILE, [], PretrainConfig))
        new = decisive(self.config)
        changed = [f"{key} was {old[key]}, is {new[key]}" for key in new if old[key] != new[key]]
        if changed:
            raise HeartprintError(
                "config-changed",
                f"The run in {self.path} was started with other settings ({'; '.join(changed)}), so it cannot be "
                "resumed with these. Leave them as they were, or choose another --out.",
            )

    def _check_cohort(self) -> None:
        try:
            old = read_note(self.path)
        except ValueError as error:
            raise HeartprintError(
                "not-a-run", f"{self.path / NOTE_FILE} cannot be read ({error}). Start again with another --out."
            ) from error
        was, status, was_hash = old["cohort"], old["status"], old["cohort"]["records_hash"]
        now = self.note["cohort"]
        if was_hash != now["records_hash"]:
            raise HeartprintError(
                "cohort-changed",
                f"The run in {self.path} learned from {was['n_ecgs']:,} ECGs of '{was['name']}', which are not the "
                f"{now['n_ecgs']:,} ECGs given now. Resume with the cohort it was started with, or choose another "
                "--out.",
            )
        self.note = old | {"status": "finished" if status == "finished" else "running"}


def read_note(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises:
        ValueError: If it does not describe a run.
    """
    note: dict[str, Any] = read_json(folder / NOTE_FILE)
    cohort = note.get("cohort") if isinstance(note, dict) else None
    wanted = {"name": str, "content_hash": str, "records_hash": str, "n_ecgs": int, "n_patients": int}
    if not isinstance(cohort, dict) or any(type(cohort.get(name)) is not kind for name, kind in wanted.items()):
        raise ValueError("it does not say what was learned from")
    if note.get("status") not in ("running", "stopped", "finished"):
        raise ValueError("it does not say how far the run is")
    return note


def is_finished(run: Path) -> bool:
    """Whether a run has written all it will; so it is taken to be if it has no note."""
    try:
        return bool(read_json(run / NOTE_FILE)["status"] == "finished")
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def describe(cohort: Cohort) -> dict[str, Any]:
    """Name a cohort, or the part of it that is learned from, without naming a patient."""
    digest = hashlib.sha256(cohort.info.content_hash.encode())
    for ecg_id, patient_id in zip(cohort.records["ecg_id"], cohort.records["patient_id"], strict=True):
        digest.update(f"{ecg_id}\x1f{patient_id}\x1e".encode())
    return {
        "name": cohort.info.name,
        "simulated": cohort.info.simulated,
        "content_hash": cohort.info.content_hash,
        "records_hash": digest.hexdigest(),
        "n_ecgs": len(cohort),
        "n_patients": cohort.n_patients,
    }


def labels_hash(cohort: Cohort) -> str:
    """SHA-256 of a cohort's labels, which ``content_hash`` does not cover: labels may be added and replaced."""
    columns = sorted(c for c in cohort.records.columns if c.startswith("label_"))
    return hashlib.sha256(cohort.records.select("ecg_id", *columns).write_csv().encode()).hexdigest()


def surroundings(device: torch.device) -> dict[str, Any]:
    """What a run computes with."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        "waiting": os.environ.get("OMP_WAIT_POLICY"),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }


class Log:
    """``log.csv`` and ``curves.png``.

    Args:
        folder: The run's folder.
        step: Steps done; later lines, of a run that went on after its last checkpoint, are dropped.
        measures: What the objective names, a column each.
    """

    def __init__(self, folder: Path, step: int, measures: Sequence[str]) -> None:
        self.folder = folder
        self.path = folder / LOG_FILE
        self.rows = [row for row in _read_log(self.path) if row.step <= step]
        with atomic_path(self.path) as new, new.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle)
            writer.writerow([*LogRow._fields[:-1], *measures])
            writer.writerows(row.cells for row in self.rows)

    def add(self, rows: list[LogRow]) -> None:
        """Append lines."""
        self.rows += rows
        with self.path.open("a", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows(row.cells for row in rows)

    def draw_curves(self, title: str) -> None:
        """Draw `curves` into ``curves.png``."""
        with atomic_path(self.folder / CURVES_FILE) as new:
            curves(self.rows, title).savefig(new, format="png", dpi=120)


def _read_log(path: Path) -> list[LogRow]:
    if not path.is_file():
        return []
    rows: list[LogRow] = []
    # A run that was killed while it wrote leaves half a line.
    with (
        path.open(newline="", encoding="utf-8", errors="replace") as handle,
        contextlib.suppress(KeyError, TypeError, ValueError, csv.Error),
    ):
        for line in csv.DictReader(handle):
            step, epoch = int(line.pop("step")), int(line.pop("epoch"))
            loss, rate, speed, waiting = (float(line.pop(name)) for name in LogRow._fields[2:-1])
            measures = {name: float(value) for name, value in line.items()}
            rows.append(LogRow(step, epoch, loss, rate, speed, waiting, measures))
    return rows
