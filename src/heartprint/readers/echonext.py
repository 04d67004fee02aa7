"""EchoNext: ECGs with echocardiograms from Columbia University Irving Medical Center.

Elias P, Finer J, EchoNext: A Dataset for Detecting Echocardiogram-Confirmed Structural Heart Disease from ECGs,
PhysioNet, doi:10.13026/r9pp-3y42 (2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats.npy import mapped
from heartprint.readers.source import Details, LazyRows, Recording, Row, Source
from heartprint.signals.leads import LEADS_12
from heartprint.tables import fields
from heartprint.tables.delimited import read_frame
from heartprint.tables.words import codes_of_column

TABLE = "echonext_metadata_100k.csv"
SAMPLING_RATE = 250.0


@dataclass(frozen=True)
class EchoNext:
    """Reader of EchoNext.

    The label ``lvef`` is the column ``lvef_value``, in per cent. The leads are standardised: the unit is ``z``, and
    neither amplitude nor lead order can be checked. Only the year of an ECG is known, so it has no date.

    Args:
        female: Further codes for female in the column ``sex``.
        male: Further codes for male.
    """

    female: Sequence[str] = ()
    male: Sequence[str] = ()

    def open(self, src: Path) -> Source:
        """Read the table.

        Args:
            src: The folder that holds ``echonext_metadata_100k.csv`` and ``EchoNext_<split>_waveforms.npy``.

        Raises:
            HeartprintError: ``source-missing``, ``bad-table`` or ``unknown-sex``.
        """
        told: list[str] = []
        table = read_frame(
            src / TABLE,
            ["ecg_key", "patient_key", "split"],
            ["sex", "age_at_ecg", "lvef_value", "location_setting"],
            told,
        )
        # The n-th row of a split is the n-th ECG of its file.
        table = table.with_columns(pl.int_range(pl.len()).over("split").alias("place"))
        here = {path.name.lower(): path for path in sorted(src.glob("*.npy"))}
        counts = dict(table.group_by("split").len().iter_rows())
        files = {}
        for split, n in counts.items():
            name = f"EchoNext_{split}_waveforms.npy"
            files[split] = _Waveforms(here.get(name.lower(), src / name), n)
        words = table["sex"] if "sex" in table.columns else ()
        sexes = codes_of_column(words, f"column 'sex' of {TABLE}", self.female, self.male)

        def row(i: int) -> Row:
            line = table.row(i, named=True)
            file = files[line["split"]]
            return Row(
                ecg_id=fields.identifier(line["ecg_key"]),
                patient_id=fields.identifier(line["patient_key"]),
                path=file.path.name,
                details=partial(_details, line, sexes),
                recording=partial(file.recording, line["place"]),
                patient_column="patient_key",
            )

        notes = (
            *told,
            "EchoNext's leads are standardised: their heights cannot be compared, and their order cannot be checked.",
            "EchoNext gives only the year of an ECG: gaps between the ECGs of a patient are unknown.",
        )
        settings = {"reader": "echonext"}
        return Source("EchoNext", LazyRows(table.height, row), ("lvef",), settings, notes, (src / TABLE,))


class _Waveforms:
    """``(n, 1, 2500, 12)`` standardised samples of one split, mapped when first needed."""

    def __init__(self, path: Path, n: int) -> None:
        self.path = path
        self._n = n

    def __reduce__(self) -> tuple[type[_Waveforms], tuple[Path, int]]:
        # A worker maps the file itself; the map would travel as a copy.
        return type(self), (self.path, self._n)

    @cached_property
    def _array(self) -> npt.NDArray[np.floating[Any]]:
        if not self.path.is_file():
            raise HeartprintError("file-missing", f"The file {self.path.name} is missing. Fetch it.")
        array = mapped(self.path, "Fetch it again.")
        if array.dtype.kind != "f" or array.shape[1:] != (1, 2500, 12):
            raise HeartprintError(
                "bad-array", f"{self.path.name} has the shape {array.shape}, not (N, 1, 2500, 12). Fetch it again."
            )
        if array.shape[0] != self._n:
            raise HeartprintError(
                "header-mismatch",
                f"{self.path.name} has {array.shape[0]} ECGs, {TABLE} {self._n} of this split. They do not belong "
                "together; fetch both again.",
            )
        return array

    def recording(self, place: int) -> Recording:
        """One ECG in standard deviations."""
        with np.errstate(invalid="ignore"):
            signal = np.array(self._array[place, 0].T, dtype=np.float64)
        return Recording(signal, LEADS_12, SAMPLING_RATE, standardised=True)


def _details(line: Mapping[str, str], sexes: Mapping[str, str]) -> Details:
    said = fields.Reading()
    lvef = said(fields.lvef, line.get("lvef_value", ""), "lvef_value")
    return Details(
        age=said(fields.age_in_years, line.get("age_at_ecg", "")),
        sex=said.sex(line.get("sex", ""), sexes),
        site=fields.text(line.get("location_setting", "")),
        labels={} if lvef is None else {"lvef": lvef},
        cautions=said.cautions,
        facts=said.facts,
    )
