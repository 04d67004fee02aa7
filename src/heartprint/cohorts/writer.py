"""Writing a cohort: all of it or nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

import heartprint
from heartprint.cohorts.cohort import (
    CAUTIONS_FILE,
    COHORT_FILE,
    DATA_FILES,
    FORMAT_VERSION,
    MISSING,
    READING_FILE,
    RECORDS_FILE,
    REFUSED_FILE,
    content_hash,
)
from heartprint.cohorts.schema import READING_COLUMNS, REFUSED_COLUMNS, Kind, columns_of
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.foundation.files import atomic_folder, write_json
from heartprint.foundation.outputs import Output, refuse_foreign

_SEAL_EVERY = 65_536


class CohortWriter:
    """Collects ECGs, refusals and cautions; made by `write_cohort`, which puts the folder in place at the end.

    The same calls in the same order give the same bytes.
    """

    def __init__(self, folder: Path, data: BinaryIO, kind: Kind = "waveform") -> None:
        self._folder = folder
        self._data = data
        self._kind: Kind = kind
        self._content = hashlib.sha256()
        self._offset = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in columns_of(kind)}
        self._sealed: list[pl.DataFrame] = []
        self._n_sealed = 0
        self._labels: dict[str, tuple[array[int], array[float]]] = {}
        self._refused: list[dict[str, str | None]] = []
        self._cautions: list[dict[str, str | None]] = []
        self._read: list[dict[str, Any]] = []
        self._ids: set[str] = set()

    def __len__(self) -> int:
        return self._n_sealed + len(self._columns["ecg_id"])

    def add(
        self,
        samples: npt.NDArray[np.int16],
        *,
        ecg_id: str,
        patient_id: str,
        sampling_rate: float,
        uv_per_bit: float = 1.0,
        unit: str = "uV",
        recorded_at: Any = None,
        age: float | None = None,
        sex: str | None = None,
        site: str | None = None,
        device: str | None = None,
        labels: Mapping[str, float] | None = None,
        n_clipped: int = 0,
    ) -> None:
        """Add one ECG.

        Args:
            samples: ``(8 or 12, n)`` int16, -32768 = missing.
            ecg_id: Unique in the cohort.
            patient_id: Not empty.
            sampling_rate: Hz.
            uv_per_bit: Microvolts per stored step (thousandths of a standard deviation where unit is ``z``).
            unit: ``uV`` or ``z``.
            recorded_at: ``datetime`` or None if unknown.
            age: Years.
            sex: ``female``, ``male`` or None.
            site: Hospital or department.
            device: ECG machine.
            labels: Label name to value; absent = no label.
            n_clipped: Samples that did not fit into int16 and were clipped.

        Raises:
            HeartprintError: ``duplicate-ecg-id`` or ``missing-patient-id``.
        """
        data = np.ascontiguousarray(samples, dtype="<i2").tobytes()
        values = {
            "ecg_id": ecg_id,
            "patient_id": patient_id,
            "recorded_at": recorded_at,
            "age": age,
            "sex": sex,
            "site": site,
            "device": device,
            "n_samples": samples.shape[1],
            "sampling_rate": sampling_rate,
            "uv_per_bit": uv_per_bit,
            "n_leads": samples.shape[0],
            "unit": unit,
            "n_missing": int((samples == MISSING).sum()),
            "n_clipped": n_clipped,
        }
        self._add(data, samples.size, values, labels)

    def add_image(
        self,
        pixels: Image,
        *,
        ecg_id: str,
        patient_id: str,
        original: tuple[int, int],
        recorded_at: Any = None,
        age: float | None = None,
        sex: str | None = None,
        site: str | None = None,
        device: str | None = None,
        labels: Mapping[str, float] | None = None,
    ) -> None:
        """Add one ECG to a cohort of images; arguments as in `add`.

        Args:
            pixels: ``(h, w)`` uint8, white = 255.
            ecg_id: Unique in the cohort.
            patient_id: Not empty.
            original: Height and width of the picture before it was shrunk, px.
            recorded_at: ``datetime`` or None if unknown.
            age: Years.
            sex: ``female``, ``male`` or None.
            site: Hospital or department.
            device: ECG machine, scanner or camera.
            labels: Label name to value; absent = no label.

        Raises:
            HeartprintError: ``duplicate-ecg-id`` or ``missing-patient-id``.
        """
        values = {
            "ecg_id": ecg_id,
            "patient_id": patient_id,
            "recorded_at": recorded_at,
            "age": age,
            "sex": sex,
            "site": site,
            "device": device,
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "original_height": original[0],
            "original_width": original[1],
        }
        self._add(np.ascontiguousarray(pixels, dtype="u1").tobytes(), pixels.size, values, labels)

    def _add(self, data: bytes, size: int, values: dict[str, Any], labels: Mapping[str, float] | None) -> None:
        self.check_identity(values["ecg_id"], values["patient_id"])
        self._data.write(data)
        self._content.update(data)
        row = len(self)
        self._ids.add(values["ecg_id"])
        values |= {"kind": self._kind, "offset": self._offset, f"{self._kind}_hash": content_hash(data)}
        for name in self._columns:
            self._columns[name].append(values[name])
        for name, value in (labels or {}).items():
            rows, given = self._labels.setdefault(name, (array("q"), array("d")))
            rows.append(row)
            given.append(float(value))
        self._offset += size
        if row + 1 - self._n_sealed == _SEAL_EVERY:
            self._seal()

    def _seal(self) -> None:
        """Turn the latest rows into a table: a tenth of the memory of Python's lists."""
        self._sealed.append(pl.DataFrame(self._columns, schema=columns_of(self._kind)))
        self._n_sealed += self._sealed[-1].height
        self._columns = {name: [] for name in columns_of(self._kind)}

    def check_id(self, ecg_id: str) -> None:
        """Raise ``duplicate-ecg-id`` if there is an ECG of this name already."""
        if ecg_id in self._ids:
            raise HeartprintError(
                "duplicate-ecg-id",
                f"ECG '{ecg_id}' occurs more than once. Give every recording an ecg_id of its own.",
            )

    def check_identity(self, ecg_id: str, patient_id: str) -> None:
        """Raise the reason why an ECG of this name and patient cannot be added, if there is one."""
        self.check_id(ecg_id)
        if not patient_id:
            raise HeartprintError(
                "missing-patient-id",
                f"ECG '{ecg_id}' has no patient_id; without it patients cannot be kept apart. Fill the column.",
            )

    def refuse(self, ecg_id: str | None, path: str | None, error: HeartprintError) -> None:
        """Note that one source record was not taken, and why."""
        self._refused.append({"ecg_id": ecg_id, "path": path, "code": error.code, "message": error.message})

    def caution(self, ecg_id: str | None, path: str | None, caution: Caution) -> None:
        """Note what to know of an ECG that was taken all the same; without an id, of the whole archive."""
        self._cautions.append({"ecg_id": ecg_id, "path": path, "code": caution.code, "message": caution.message})

    def note_reading(self, ecg_id: str, how: Mapping[str, Any]) -> None:
        """Note how an image was read: values of `READING_COLUMNS`."""
        self._read.append({**how, "ecg_id": ecg_id})

    def finish(
        self,
        *,
        name: str,
        source: str,
        simulated: bool,
        label_names: Sequence[str],
        settings: Mapping[str, Any],
    ) -> None:
        """Write the tables and ``cohort.json``."""
        n = len(self)
        if n == 0:
            reasons = sorted({str(r["code"]) for r in self._refused})
            first = f" First reason: {self._refused[0]['message']}" if self._refused else ""
            raise HeartprintError(
                "empty-cohort",
                f"Not one ECG could be taken ({len(self._refused)} refused: {', '.join(reasons) or 'none found'})."
                f"{first}",
            )
        self._seal()
        records = pl.concat(self._sealed, rechunk=True)
        for label in sorted({*label_names, *self._labels}):
            rows, given = self._labels.get(label, (array("q"), array("d")))
            values, known = np.zeros(n, dtype=np.float64), np.zeros(n, dtype=np.bool_)
            values[rows], known[rows] = given, True
            answers = pl.when(pl.Series(known)).then(pl.Series(values)).cast(pl.Float32)
            records = records.with_columns(answers.alias(f"label_{label}"))
        content, public = content_digest(self._content, records)
        key = content
        if simulated and {"hospital", "seed"} <= settings.keys():
            # Equal seeds give the same people, at every rate and in any number: hashed alike, they are known again.
            people = json.dumps([settings["hospital"], settings["seed"]], sort_keys=True)
            key = hashlib.sha256(b"simulated patients" + people.encode()).hexdigest()
        records.write_parquet(self._folder / RECORDS_FILE)
        pl.DataFrame(self._refused, schema=REFUSED_COLUMNS).write_parquet(self._folder / REFUSED_FILE)
        pl.DataFrame(self._cautions, schema=REFUSED_COLUMNS).write_parquet(self._folder / CAUTIONS_FILE)
        if self._read:
            pl.DataFrame(self._read, schema=READING_COLUMNS).write_parquet(self._folder / READING_FILE)
        write_json(
            self._folder / COHORT_FILE,
            {
                "format_version": FORMAT_VERSION,
                "kind": self._kind,
                "name": name,
                "source": source,
                "simulated": simulated,
                "n_ecgs": n,
                "n_patients": records["patient_id"].n_unique(),
                "n_refused": len(self._refused),
                "n_cautions": len(self._cautions),
                "content_hash": public,
                "patient_key": key,
                "heartprint_version": heartprint.__version__,
                "settings": dict(settings),
            },
        )


def content_digest(data: Any, records: pl.DataFrame) -> tuple[str, str]:
    """Hash a cohort's content: a secret one of which keys are made, and the public one that follows from it.

    Args:
        data: SHA-256 that all samples have gone into, ECG after ECG; the table is added to it.
        records: The table.

    Returns:
        Two SHA-256 in hex; the first cannot be found from the second.
    """
    for start in range(0, records.height, _SEAL_EVERY):
        part = records[start : start + _SEAL_EVERY]
        data.update(part.write_csv(include_header=start == 0).encode())
    secret = hashlib.sha256(b"patient key" + data.digest()).hexdigest()
    return secret, hashlib.sha256(secret.encode()).hexdigest()


@contextlib.contextmanager
def write_cohort(
    target: str | Path,
    *,
    source: str,
    simulated: bool = False,
    label_names: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    kind: Kind = "waveform",
) -> Iterator[CohortWriter]:
    """Write a cohort folder; it appears, or replaces the old one, only when everything is written.

    Args:
        target: The cohort's folder.
        source: Where the ECGs come from, for people.
        simulated: Whether the ECGs are simulated; shown wherever the cohort is used.
        label_names: Labels that have a column even if no ECG has one.
        settings: How the cohort was made, kept in ``cohort.json``.
        kind: ``waveform``, and ECGs are added by `CohortWriter.add`; or ``image``, by `CohortWriter.add_image`.

    Raises:
        HeartprintError: ``output-not-a-cohort`` if the target is something else, ``output-has-other-files`` if it holds
            more than a cohort, ``empty-cohort`` if nothing was added, ``disk-full``.
    """
    target = Path(target)
    refuse_foreign(target, COHORT_OUTPUT)
    with atomic_folder(target) as folder:
        with (folder / DATA_FILES[kind]).open("wb") as data:
            writer = CohortWriter(folder, data, kind)
            yield writer
        writer.finish(
            name=target.name,
            source=source,
            simulated=simulated,
            label_names=label_names,
            settings=settings or {},
        )


COHORT_OUTPUT = Output(
    what="a cohort",
    code="output-not-a-cohort",
    marker=COHORT_FILE,
    names=(COHORT_FILE, RECORDS_FILE, *DATA_FILES.values(), REFUSED_FILE, CAUTIONS_FILE, READING_FILE, "cohort.html"),
)
"""A cohort's folder; ``cohort.html`` is what ``heartprint card`` writes into it."""


def cohort_recipe(source: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a cohort, by name: where it comes from, and the options by which it was made."""
    return {"source": source, **{name: value for name, value in settings.items() if name not in _TOLD}}


def recipe_in(folder: Path) -> dict[str, Any] | None:
    """`cohort_recipe` of the cohort in a folder; None if it cannot be read."""
    try:
        said = json.loads((folder / COHORT_FILE).read_text(encoding="utf-8"))
        return cohort_recipe(said["source"], said["settings"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


_TOLD = ("notes", "labels")
"""Settings that tell of a cohort and do not decide it."""
