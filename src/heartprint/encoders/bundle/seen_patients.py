"""Which patients an encoder has seen, without saying who they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field

from heartprint.cohorts.cohort import Cohort, CohortInfo, seen_hashes


def _empty() -> npt.NDArray[np.uint64]:
    return np.empty(0, dtype=np.uint64)


@dataclass(frozen=True, order=True)
class SimulatedSource:
    """Where simulated patients come from; it stands for all of them.

    Equal seeds give equal patients, whatever their number and the sampling rate, so these three values recognise
    them where a list of hashed samples does not.

    Args:
        hospital: Name of the simulated hospital.
        seed: Seed of the simulation.
        patients: How many patients were simulated, the first of the seed.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    hospital: Annotated[str, Field(min_length=1, max_length=200)]
    seed: Annotated[int, Field(ge=-(2**127), lt=2**128)]
    patients: Annotated[int, Field(ge=1, lt=2**53)]

    @classmethod
    def of(cls, info: CohortInfo) -> SimulatedSource | None:
        """Read it from the description of a cohort; None if `heartprint simulate` did not make it."""
        try:
            s = info.settings
            found = cls(str(s["hospital"]["name"]), int(s["seed"]), int(s["patients"])) if info.simulated else None
            return found if found and found.hospital and found.patients > 0 else None
        except (KeyError, TypeError, ValueError):
            return None

    def holds(self, patient_ids: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Which ids of a simulated cohort (``hospital-seed-number``) belong to it: ``(n,)``."""
        prefix = f"{self.hospital}-{self.seed}-"
        numbers = ((p.startswith(prefix), p.removeprefix(prefix)) for p in patient_ids)
        return np.array([mine and n.isdecimal() and int(n) < self.patients for mine, n in numbers], dtype=np.bool_)


@dataclass(frozen=True)
class Seen:
    """Patients and ECGs that took part in making an encoder or model.

    Args:
        patients: Patient ids hashed with the key of their cohort (see `CohortInfo.patient_key`), sorted, unique.
            The key stays with the cohort, so nobody can guess ids from the list.
        ecgs: Hashes of the stored waveforms or images, sorted, unique. They recognise an ECG in another copy of its
            archive, where patients may have other ids.
        simulated: Sources of simulated patients, all of whom count as seen; in folders made to be passed on.
    """

    patients: npt.NDArray[np.uint64] = field(default_factory=_empty)
    ecgs: npt.NDArray[np.uint64] = field(default_factory=_empty)
    simulated: tuple[SimulatedSource, ...] = ()

    @classmethod
    def of(cls, cohort: Cohort) -> Seen:
        """Everybody in a cohort."""
        ids = cohort.records["patient_id"].unique().to_list()
        return cls(
            patients=seen_hashes(cohort.info.patient_key, ids),
            ecgs=np.unique(cohort.hashes),
        )

    def __repr__(self) -> str:
        sources = f", {len(self.simulated)} sources of simulated patients" if self.simulated else ""
        return f"<Seen: {len(self.patients):,} patients, {len(self.ecgs):,} ECGs{sources}>"

    def __or__(self, other: Seen) -> Seen:
        """Those seen by either."""
        return Seen(
            np.union1d(self.patients, other.patients),
            np.union1d(self.ecgs, other.ecgs),
            tuple(sorted({*self.simulated, *other.simulated})),
        )

    def __bool__(self) -> bool:
        return bool(len(self.patients) or len(self.ecgs) or self.simulated)

    def overlap(self, cohort: Cohort) -> npt.NDArray[np.bool_]:
        """Find the ECGs of a cohort whose patient was seen.

        A patient counts as seen if the hashed id is known, or if any one ECG of the patient is. A simulated patient
        also counts as seen if the patient's source is known.

        Returns:
            ``(n,)`` True where the ECG's patient was seen.
        """
        key = cohort.info.patient_key
        codes = cohort.patient_codes
        ids = np.unique(cohort.patient_ids)  # in the order of the codes
        by_id = np.array([seen_hashes(key, [p])[0] for p in ids.tolist()], dtype=np.uint64)
        known = np.isin(by_id, self.patients)
        known[codes[np.isin(cohort.hashes, self.ecgs)]] = True
        for source in self.simulated if cohort.info.simulated else ():
            known |= source.holds(ids.tolist())
        seen: npt.NDArray[np.bool_] = known[codes]
        return seen
