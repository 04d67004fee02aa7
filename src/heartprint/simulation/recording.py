"""What belongs to one recording: rhythm, breathing, and noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.simulation.draws import BLOCK, MAX_VISITS, Draws
from heartprint.simulation.effects import Hospital
from heartprint.simulation.heart import chance
from heartprint.simulation.people import People
from heartprint.simulation.synthesis import ECG, FIBRILLATION, FLUTTER, SINUS


def draw_rhythm(
    d: Draws, v: Draws, people: People, leads: Float64Array, hospital: Hospital, ecgs: npt.NDArray[np.void]
) -> None:
    """Fill the rhythm fields of ``ecgs``, ``(BLOCK, MAX_VISITS)``: AF or sinus, rate, variation, ectopy, breathing."""
    effects = hospital.effects
    af, passing, normal, find, shape = effects.af, effects.passing, effects.normal, effects.findings, effects.shapes
    low, sex = effects.lvef, effects.sex
    age, severity = people.age, people.severity

    odds = (
        af.log_odds_at_65
        + hospital.case_mix.af_log_odds
        + af.per_decade * (age[:, 0] - 65.0) / 10.0
        + af.per_severity * people.lasting
    )
    has_af = d.happens(1.0 / (1.0 + np.exp(-odds)))
    persistent = d.happens(af.persistent_share)
    burden = np.where(has_af, np.where(persistent, af.chance_persistent, af.chance_paroxysmal), 0.0)
    in_af = v.happens(burden[:, None])
    flutter = v.happens(af.flutter_share)
    ecgs["rhythm"] = np.where(in_af, np.where(flutter, FLUTTER, FIBRILLATION), SINUS)

    own_rate = (
        normal.rate_per_min + normal.rate_sd * d.normal(1) + np.where(people.female, sex.rate_per_min, 0.0)[:, None]
    )
    rate = own_rate + low.rate_per_min * severity + passing.rate_sd * v.normal(1)[..., 0]
    ecgs["rr"] = 60.0 / np.clip(rate, 42.0, 135.0)
    lively = np.exp(passing.rsa_log_sd * v.normal(1)[..., 0] + effects.age.rsa_log * (age - 55.0))
    ecgs["rsa"] = np.minimum(passing.respiratory_arrhythmia * lively, 0.16)
    ecgs["mayer"] = np.minimum(passing.mayer_arrhythmia * lively, 0.08)
    multifocal = d.happens(chance(find.multifocal_rhythm, people))
    ecgs["jitter"] = np.where(multifocal, d.uniform(*shape.multifocal_jitter), passing.rr_jitter)[:, None]
    ecgs["respiration_hz"] = v.uniform(*passing.respiration_hz)
    ecgs["respiration_phase"] = v.uniform(0.0, 2 * np.pi)
    ecgs["respiration_gain"] = v.uniform(*passing.respiration_gain)
    for field, finding, per_beat in (
        ("atrial_ectopy", find.supraventricular_ectopy, shape.supraventricular_per_beat),
        ("ventricular_ectopy", find.ventricular_ectopy, shape.ventricular_per_beat),
    ):
        ecgs[field] = np.where(d.happens(chance(finding, people)), d.uniform(*per_beat), 0.0)[:, None]
    ecgs["impulses_hz"] = v.uniform(*af.impulses_hz)
    ecgs["refractory"] = v.uniform(*af.refractory_s)
    ecgs["concealed"] = af.concealed_s
    wave_hz = (v.uniform(*af.f_wave_hz), v.uniform(*af.flutter_hz))
    ecgs["f_hz"] = np.where(flutter, wave_hz[1], wave_hz[0])
    atrial = np.where(flutter[..., None], np.array(af.flutter_vector), np.array(af.f_wave_vector))
    atrial = atrial * np.exp(af.f_wave_log_sd * d.normal(1))[:, None] * np.exp(0.3 * v.normal(1))
    atrial = atrial + 0.3 * np.linalg.norm(atrial, axis=-1, keepdims=True) * d.normal(3)[:, None]
    ecgs["f_leads"] = np.einsum("bvlj,bvj->bvl", leads, atrial)
    # QT is reckoned from the mean RR, which in AF the node decides.
    node = ecgs["refractory"] * 1.05 + 1.0 / ecgs["impulses_hz"] + ecgs["concealed"]
    regular = v.happens(af.regular_share)
    escape = v.uniform(*af.regular_rr_s)
    ecgs["regular"] = regular
    ecgs["rr"] = np.where(ecgs["rhythm"] == SINUS, ecgs["rr"], np.where(regular, escape, node))


def draw_noise(v: Draws, hospital: Hospital, ecgs: npt.NDArray[np.void]) -> None:
    """Fill the noise fields of ``ecgs``. Takes no people: noise cannot depend on who they are."""
    machines = hospital.machines

    def of_machine(name: str) -> Float64Array:
        return np.asarray(np.array([getattr(machine, name) for machine in machines])[ecgs["machine"]])

    def level(name: str) -> Float64Array:
        shared = np.exp(of_machine("noise_log_sd")[..., None] * v.normal(1))
        return of_machine(name)[..., None] * shared * np.exp(0.4 * v.normal(9))

    def sign(values: Float64Array) -> Float64Array:
        return np.where(v.normal(9) < 0, -values, values)

    ecgs["breathing"] = sign(level("breathing_wander_mv"))
    ecgs["drift"] = level("drift_mv")
    ecgs["muscle"] = level("muscle_mv")
    ecgs["mains"] = sign(level("mains_mv"))
    ecgs["burst_gain"] = np.where(v.happens(of_machine("burst_share")), v.uniform(2.0, 5.0), 1.0)
    ecgs["burst_start"] = v.uniform(-1.0, 9.0)
    ecgs["burst_length"] = v.uniform(0.5, 4.0)
    moved = v.happens(of_machine("artefact_share"))
    ecgs["artefact_electrode"] = np.where(moved, v.uniform(0.0, 9.0).astype(np.int64), -1)
    ecgs["artefact_start"] = v.uniform(0.0, 9.5)
    ecgs["artefact_mv"] = v.uniform(0.2, 1.5) * np.where(v.happens(0.5), 1.0, -1.0)


def empty_ecgs() -> npt.NDArray[np.void]:
    """A block of ECG descriptions to fill: ``(BLOCK, MAX_VISITS)`` of `ECG`."""
    return np.zeros((BLOCK, MAX_VISITS), dtype=ECG)
