"""What every reader gives: rows, each with a name, a way to its details and a way to its samples."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Recording:
    """Samples as a file has them.

    Attributes:
        signal: ``(k, n)`` in mV (standard deviations where ``standardised``), NaN = missing.
        lead_names: ``k`` names as written in the file.
        sampling_rate: Hz.
        standardised: Whether the leads were normalised one by one.
    """

    signal: npt.NDArray[np.float64]
    lead_names: tuple[str, ...]
    sampling_rate: float
    standardised: bool = False


@dataclass(frozen=True)
class Details:
    """What a table says about one ECG beside its samples; see `CohortWriter.add`."""

    recorded_at: dt.datetime | None = None
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    device: str | None = None
    labels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One source record. ``details`` and ``recording`` raise `HeartprintError` where the record is not usable."""

    ecg_id: str
    patient_id: str
    path: str
    details: Callable[[], Details]
    recording: Callable[[], Recording]


@dataclass(frozen=True)
class Source:
    """An opened source.

    Attributes:
        title: For people; without paths of this machine, so that the same data give the same cohort.
        rows: In the order of the source.
        label_names: Labels that get a column even if all are missing.
        settings: How it was read, kept in ``cohort.json``.
        notes: Sentences that whoever uses the cohort should know.
    """

    title: str
    rows: Sequence[Row]
    label_names: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Reader(Protocol):
    """A kind of source; its options are its fields."""

    def open(self, src: Path) -> Source:
        """Read the source's table; samples are read row by row later.

        Raises:
            HeartprintError: The source as a whole cannot be used.
        """
        ...
