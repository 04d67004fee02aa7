"""Who the simulated patients are: sex, age, LVEF, and when they are seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.simulation.draws import BLOCK, MAX_VISITS, Draws
from heartprint.simulation.effects import Hospital, Lvef

FIRST_DAY = np.datetime64("2000-01-01T00:00:00", "s")
DAYS = 8036  # to the end of 2021


@dataclass(frozen=True)
class People:
    """A block of patients.

    Attributes:
        n_visits: ``(BLOCK,)`` ECGs of each patient, 1..MAX_VISITS.
        female: ``(BLOCK,)``.
        age: ``(BLOCK, MAX_VISITS)`` years at each visit.
        recorded_at: ``(BLOCK, MAX_VISITS)`` datetime64[s], ascending.
        gap: ``(BLOCK, MAX_VISITS)`` years since the visit before; 0 for the first.
        lvef: ``(BLOCK, MAX_VISITS)`` true LVEF in per cent; it drifts slowly.
        lvef_echo: ``(BLOCK, MAX_VISITS)`` as an echocardiogram reports it, whole per cent.
        severity: ``(BLOCK, MAX_VISITS)`` 0 with normal LVEF, 1 at 30 %.
        lasting: ``(BLOCK,)`` the severity that lasting findings follow: the first visit's, 0 where LVEF comes and goes.
    """

    n_visits: npt.NDArray[np.int64]
    female: npt.NDArray[np.bool_]
    age: Float64Array
    recorded_at: npt.NDArray[np.datetime64]
    gap: Float64Array
    lvef: Float64Array
    lvef_echo: Float64Array
    severity: Float64Array
    lasting: Float64Array


def draw_people(patient: Draws, visit: Draws, more_patient: Draws, more_visit: Draws, hospital: Hospital) -> People:
    """Draw sex, age, visits and LVEF of a block of patients.

    Args:
        patient: The patients' streams.
        visit: Their visits' streams.
        more_patient: Further streams of the patients, which only worlds beyond the teaching ones read.
        more_visit: The same of the visits.
        hospital: Where they are seen.
    """
    mix, plan, low = hospital.case_mix, hospital.effects.visits, hospital.effects.lvef
    n_visits = 1 + np.searchsorted(np.cumsum(plan.shares)[:-1], patient.uniform(), side="right")
    female = patient.happens(mix.women)
    first_age = np.clip(mix.age_mean + mix.age_sd * patient.normal(1)[..., 0], 18.0, 96.0)

    gap_days = np.exp(np.log(plan.gap_median_days) + plan.gap_log_sd * visit.normal(1)[..., 0])
    gap_days = np.clip(gap_days, 0.1, plan.gap_longest_days)
    gap_days[:, 0] = 0.0
    start = patient.uniform(0.0, DAYS - 400.0)
    # Whoever would still come after the last day comes more often instead.
    real = np.arange(MAX_VISITS) < n_visits[:, None]
    total = np.where(real, gap_days, 0.0).sum(axis=1)
    gap_days *= np.minimum(1.0, (DAYS - 1.0 - start) / np.maximum(total, 1e-9))[:, None]
    days = start[:, None] + np.cumsum(gap_days, axis=1)
    recorded_at = FIRST_DAY + np.round(days * 86400.0).astype("timedelta64[s]")
    age = first_age[:, None] + (days - start[:, None]) / 365.25

    which = patient.uniform()
    preserved = np.clip(low.preserved_mean + low.preserved_sd * patient.normal(1)[..., 0], 50.0, 75.0)
    mild = patient.uniform(40.0, 50.0)
    reduced = np.clip(low.reduced_mean + low.reduced_sd * patient.normal(1)[..., 0], 12.0, 39.5)
    start_lvef = np.where(
        which < mix.reduced_lvef, reduced, np.where(which < mix.reduced_lvef + mix.mildly_reduced_lvef, mild, preserved)
    )
    gap = gap_days / 365.25
    drift = np.cumsum(visit.normal(1)[..., 0] * np.sqrt(gap), axis=1) * low.drift_sd_per_sqrt_year
    lvef = np.clip(start_lvef[:, None] + drift, 10.0, 78.0)
    prone = np.zeros(BLOCK, dtype=np.bool_)
    if low.comes_and_goes:
        prone = more_patient.happens(low.comes_and_goes)
        passing = np.clip(low.reduced_mean + low.reduced_sd * more_visit.normal(1)[..., 0], 12.0, 39.5)
        lvef = np.where(prone[:, None] & more_visit.happens(low.chance_low), passing, lvef)
    lvef_echo = echo(lvef, visit.normal(1)[..., 0], low)
    severity = severity_of(lvef, low)
    lasting = np.where(prone, 0.0, severity[:, 0])
    if n_visits.shape != (BLOCK,):
        raise AssertionError("draws of another block size")
    return People(n_visits, female, age, recorded_at, gap, lvef, lvef_echo, severity, lasting)


def echo(lvef: Float64Array, error: Float64Array, low: Lvef) -> Float64Array:
    """LVEF as an echocardiogram reports it, whole per cent, from standard normal errors."""
    return np.asarray(np.rint(np.clip(lvef + low.echo_error_sd * error, 8.0, 80.0)))


def severity_of(lvef: Float64Array, low: Lvef) -> Float64Array:
    """How severe an LVEF in per cent is: 0 from normal on, 1 at 30 %, linear."""
    return np.asarray(np.maximum(0.0, (low.zero_at - lvef) / (low.zero_at - low.one_at)))
