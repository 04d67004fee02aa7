"""The lifelike hospital: what befalls its patients, as their leads and its machines see it at each visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.simulation.conditions import (
    PACE_ATRIUM,
    PACE_BOTH,
    PACE_NONE,
    PACE_VENTRICLE,
    Body,
    Bools,
    befall,
    develops,
    digitalis,
    new_body,
)
from heartprint.simulation.draws import BLOCK, MAX_VISITS, Draws, rotation
from heartprint.simulation.effects import (
    DOWER,
    ECTOPIC_WAVES,
    NORMAL_WAVES,
    PACED_WAVES,
    REFERENCE_PR_S,
    REFERENCE_QRS_S,
    Conditions,
    Hospital,
)
from heartprint.simulation.events import (
    ATRIAL_TACHYCARDIA,
    JUNCTIONAL,
    LIFELIKE_ECG,
)
from heartprint.simulation.heart import QRS, REPOLARISATION, Heart, P
from heartprint.simulation.people import People
from heartprint.simulation.signature import ectopic_beat, fail_and_drift, lead_field, scale_waves, smooth_chest
from heartprint.simulation.synthesis import FIBRILLATION, FLUTTER, SINUS

_SHAPE = (BLOCK, MAX_VISITS)
_DELTA_S, _DELTA_CENTRE_S = 0.016, -0.008


@dataclass(frozen=True)
class Life:
    """A block of lifelike patients.

    Attributes:
        people: Who they are, with what their diseases did to LVEF.
        ecgs: ``(BLOCK, MAX_VISITS)`` of `LIFELIKE_ECG`, but for the noise.
        found: ``(BLOCK, MAX_VISITS)`` booleans: which condition each ECG has, by name.
    """

    people: People
    ecgs: npt.NDArray[np.void]
    found: dict[str, Bools]


def draw_life(
    d: Draws, v: Draws, more_d: Draws, more_v: Draws, people: People, heart: Heart, hospital: Hospital
) -> Life:
    """Draw what befalls a block of patients.

    Args:
        d: The patients' streams, as the teaching worlds use them.
        v: Their visits' streams.
        more_d: The patients' further streams, for what only this world has.
        more_v: The visits' further streams.
        people: Who they are.
        heart: Their stable hearts.
        hospital: A hospital with conditions.
    """
    sizes = hospital.effects.conditions
    if sizes is None:
        raise ValueError(f"the hospital '{hospital.name}' has no conditions")
    ecgs = np.zeros(_SHAPE, dtype=LIFELIKE_ECG)
    shares = np.cumsum([machine.share for machine in hospital.machines])
    machine = np.searchsorted(shares / shares[-1], more_v.uniform(), side="right")
    ecgs["machine"] = np.minimum(machine, len(shares) - 1)
    body = new_body(more_d, more_v, people, sizes, heart)
    befall(body)
    swaps = _swapped_electrodes(more_v, sizes)
    _draw_atria(d, v, body, hospital, ecgs)
    digitalis(body, (ecgs["rhythm"] == FIBRILLATION) | (body.people.lvef < 40.0))
    leads = _draw_signature(d, v, heart, body, hospital, swaps, ecgs)
    _draw_rhythm(d, v, body, leads, hospital, ecgs)
    flat = more_v.happens(sizes.electrodes.flat_chest_lead)
    ecgs["flat_lead"] = np.where(flat, 2 + (more_v.uniform() * 6).astype(np.int64), -1)
    body.found["swapped_limbs"] = np.any(swaps[..., :2, :] != np.eye(8)[:2], axis=(-1, -2))
    body.found["swapped_chest"] = np.any(swaps[..., 2:, :] != np.eye(8)[2:], axis=(-1, -2))
    return Life(body.people, ecgs, body.found)


def swap_matrices() -> tuple[Float64Array, ...]:
    """What swapped limb electrodes do to I, II, V1-V6: RA with LA, LA with LL, RA with LL.

    The mean of the three limbs, against which V1-V6 are measured, is the same as before.
    """
    out = []
    for rows in (((-1, 0), (-1, 1)), ((0, 1), (1, 0)), ((1, -1), (0, -1))):
        matrix = np.eye(8)
        matrix[:2, :2] = rows
        out.append(matrix)
    return tuple(out)


def _swapped_electrodes(v: Draws, sizes: Conditions) -> Float64Array:
    """Matrices ``(BLOCK, MAX_VISITS, 8, 8)`` from the leads as they should be to those recorded."""
    matrices = np.broadcast_to(np.eye(8), (*_SHAPE, 8, 8)).copy()
    u = v.uniform()
    below = 0.0
    for share, matrix in zip(sizes.electrodes.limb, swap_matrices(), strict=True):
        matrices[(u >= below) & (u < below + share)] = matrix
        below += share
    chest = v.happens(sizes.electrodes.chest)
    first = 2 + (v.uniform() * 5).astype(np.int64)
    for at in range(2, 7):
        who = chest & (first == at)
        matrices[who, at] = np.eye(8)[at + 1]
        matrices[who, at + 1] = np.eye(8)[at]
    return matrices


# --- the electrical signature -------------------------------------------------------------------------------------


def _draw_signature(
    d: Draws, v: Draws, heart: Heart, body: Body, hospital: Hospital, swaps: Float64Array, ecgs: npt.NDArray[np.void]
) -> Float64Array:
    """Fill waves and intervals of ``ecgs``; returns lead vectors ``(BLOCK, MAX_VISITS, 8, 3)``, swaps included."""
    effects, sizes, people = hospital.effects, body.sizes, body.people
    normal, low, passing = effects.normal, effects.lvef, effects.passing
    vector = body.vector
    answer = np.exp(low.response_log_sd * d.normal(4))[:, None] * people.severity[..., None]
    fail_and_drift(v, vector, heart, answer, people, effects)
    hidden = np.where(body.d.happens(sizes.rhythm.invisible_p), body.d.uniform(*sizes.rhythm.invisible_gain), 1.0)
    gain = scale_waves(d, v, vector, heart, answer, effects, hidden[:, None])

    other_p = _other_focus(body, vector[:, :, P])
    delta = body.delta * gain[..., None]
    vector = np.concatenate([vector, other_p, delta[:, :, None]], axis=2)
    position = heart.lie[:, None] + body.turn + np.array(passing.position_deg) * v.normal(3)
    vector = np.einsum("bvij,bvkj->bvki", rotation(position), vector)
    leads = lead_field(d, v, hospital)
    amplitude = np.einsum("bvlj,bvkj->bvkl", leads, vector)
    n = vector.shape[2]
    own_source = np.concatenate([d.normal(len(NORMAL_WAVES), 8), body.d.normal(n - len(NORMAL_WAVES), 8)], axis=1)
    own_source[..., 2:] = smooth_chest(own_source[..., 2:])
    reach = np.linalg.norm(np.array(DOWER), axis=1)
    amplitude += normal.nondipolar * own_source[:, None] * np.linalg.norm(vector, axis=-1)[..., None] * reach
    amplitude[:, :, QRS] *= np.array(sizes.qrs_leads)
    amplitude[:, :, REPOLARISATION] *= np.array(sizes.t_leads)

    wide = [ectopic_beat(body.d, effects.shapes) for _ in range(2)] + [_paced_beat(body)]
    beats = np.einsum("bvlj,bkj->bvkl", leads, np.concatenate(wide, axis=1)) * gain[..., None, None]
    amplitude = np.concatenate([amplitude, beats], axis=2)
    ecgs["amplitude"] = np.einsum("bvml,bvkl->bvkm", swaps, amplitude)

    body.qrs += low.qrs_s * answer[..., 3]
    body.pr += low.pr_s * people.severity + passing.pr_sd * v.normal(1)[..., 0]
    body.qtc += low.qrs_s * people.severity + passing.qtc_sd * v.normal(1)[..., 0]
    base = np.clip(heart.qrs, 0.068, 0.120) / REFERENCE_QRS_S
    _fill_times(body, base, ecgs)
    pr = np.clip(body.pr, 0.075, 0.420)
    ecgs["pr"] = pr
    for k in (*range(P.stop), len(NORMAL_WAVES), len(NORMAL_WAVES) + 1):
        ecgs["centre"][..., k] -= pr - REFERENCE_PR_S
    ecgs["qrs"] = np.clip(body.qrs, 0.066, 0.200)
    ecgs["qtc"] = np.clip(body.qtc, 0.345, 0.560)
    return np.asarray(np.einsum("bvml,bvlj->bvmj", swaps, leads))


def _other_focus(body: Body, sinus: Float64Array) -> Float64Array:
    """P waves ``(BLOCK, MAX_VISITS, 2, 3)`` from another place of the patient's atria: turned, often upside down."""
    turn = body.d.normal(3) * np.array([60.0, 35.0, 35.0]) + np.array([-60.0, 0.0, 0.0])
    turned = np.einsum("bij,bvkj->bvki", rotation(turn), sinus)
    return np.asarray(turned * body.d.uniform(0.7, 1.2)[:, None, None, None])


def _paced_beat(body: Body) -> Float64Array:
    """Wave vectors ``(BLOCK, n, 3)`` of beats paced from the right ventricle; the lead's place differs a little."""
    vector = np.array([wave.vector for wave in PACED_WAVES])
    turned = np.einsum("bij,kj->bki", rotation(body.d.normal(3) * np.array([16.0, 14.0, 10.0])), vector)
    return np.asarray(turned * np.exp(0.2 * body.d.normal(1))[..., None])


def _fill_times(body: Body, base: Float64Array, ecgs: npt.NDArray[np.void]) -> None:
    """Centres and widths of all waves; QRS as wide as the patient's own conduction makes it."""
    for times in (body.centre, body.left, body.right):
        times[:, :, QRS] *= base[:, None, None]
    table = np.array(ECTOPIC_WAVES)
    for column, (name, own) in enumerate((("centre", body.centre), ("left", body.left), ("right", body.right))):
        delta = _DELTA_CENTRE_S if name == "centre" else _DELTA_S
        paced = [getattr(wave, name) for wave in PACED_WAVES]
        others = np.concatenate([[delta], table[:, column], table[:, column], paced])
        others = np.broadcast_to(others, (*_SHAPE, len(others)))
        ecgs[name] = np.concatenate([own, own[:, :, P], others], axis=-1)


# --- rhythm -------------------------------------------------------------------------------------------------------


def _draw_atria(d: Draws, v: Draws, body: Body, hospital: Hospital, ecgs: npt.NDArray[np.void]) -> None:
    """What drives the atria at each visit: sinus node, fibrillation, flutter, another focus, or nothing."""
    af, more, rhythm, people = hospital.effects.af, body.sizes.fibrillation, body.sizes.rhythm, body.people
    odds = (
        af.log_odds_at_65
        + hospital.case_mix.af_log_odds
        + af.per_decade * (people.age[:, 0] - 65.0) / 10.0
        + af.per_severity * people.lasting
    )
    has_af = d.happens(1.0 / (1.0 + np.exp(-odds)))
    persistent = d.happens(af.persistent_share)
    burden = np.where(has_af, np.where(persistent, af.chance_persistent, af.chance_paroxysmal), 0.0)
    in_af = v.happens(burden[:, None])
    flutter = v.happens(more.flutter_share)
    u = body.v.uniform()
    other = np.select(
        [u < rhythm.atrial_tachycardia, u < rhythm.atrial_tachycardia + rhythm.junctional],
        [ATRIAL_TACHYCARDIA, JUNCTIONAL],
        SINUS,
    )
    plain = (body.av == 0) & (body.pacing == PACE_NONE)
    other = np.where(plain & ~body.found["pre_excitation"], other, SINUS)
    ecgs["rhythm"] = np.where(in_af, np.where(flutter, FLUTTER, FIBRILLATION), other)
    ecgs["av"] = np.where(in_af, 0, body.av)
    # An atrium that fibrillates cannot be paced or followed: the ventricle is paced, by few of the devices.
    pacing = np.where(in_af & (body.pacing == PACE_ATRIUM), PACE_NONE, body.pacing)
    pacing = np.where(in_af & (body.pacing == PACE_BOTH), PACE_VENTRICLE, pacing)
    ecgs["pacing"] = pacing
    body.found["paced"] = pacing != PACE_NONE
    body.found["av_wenckebach"], body.found["av_two_to_one"], body.found["av_complete"] = (
        ecgs["av"] == degree for degree in (1, 2, 3)
    )
    body.found["atrial_tachycardia"] = ecgs["rhythm"] == ATRIAL_TACHYCARDIA
    body.found["junctional"] = ecgs["rhythm"] == JUNCTIONAL
    body.found["flutter"] = ecgs["rhythm"] == FLUTTER


def _draw_rate(d: Draws, v: Draws, body: Body, hospital: Hospital, ecgs: npt.NDArray[np.void]) -> None:
    """Sinus rate at each visit and how it varies within the ECG."""
    effects, rhythm, people = hospital.effects, body.sizes.rhythm, body.people
    normal, passing = effects.normal, effects.passing
    own = normal.rate_per_min + normal.rate_sd * d.normal(1)
    own = own + np.where(people.female, effects.sex.rate_per_min, 0.0)[:, None]
    rate = own + effects.lvef.rate_per_min * people.severity + passing.rate_sd * v.normal(1)[..., 0]
    u = body.v.uniform()
    slow, fast = u < rhythm.bradycardia, u > 1.0 - rhythm.tachycardia
    rate = np.where(slow, body.v.uniform(*rhythm.bradycardia_per_min), np.clip(rate, 44.0, 130.0))
    rate = np.where(fast, body.v.uniform(*rhythm.tachycardia_per_min), rate)
    ecgs["rr"] = 60.0 / rate
    # Fast hearts vary less (Task Force 1996).
    lively = np.exp(passing.rsa_log_sd * v.normal(1)[..., 0] + effects.age.rsa_log * (people.age - 55.0))
    lively *= np.clip(70.0 / rate, 0.3, 1.4)
    marked = body.v.happens(rhythm.marked_arrhythmia)
    lively *= np.where(marked, body.v.uniform(*rhythm.marked_gain), 1.0)
    ecgs["rsa"] = np.minimum(passing.respiratory_arrhythmia * lively, 0.20)
    ecgs["mayer"] = np.minimum(passing.mayer_arrhythmia * lively, 0.10)
    ecgs["fractal"] = np.minimum(rhythm.fractal * lively, 0.10)
    ecgs["jitter"] = passing.rr_jitter
    ecgs["respiration_hz"] = v.uniform(*passing.respiration_hz)
    ecgs["respiration_phase"] = v.uniform(0.0, 2 * np.pi)
    ecgs["respiration_gain"] = v.uniform(*passing.respiration_gain)
    body.found["marked_arrhythmia"] = marked


def _draw_ectopy(body: Body, ecgs: npt.NDArray[np.void]) -> None:
    """Atrial and ventricular extra beats of patients prone to them, at some visits."""
    rhythm = body.sizes.rhythm
    failing = body.d.happens(0.12 * body.people.lasting)[:, None]
    atrial = develops(rhythm.atrial_ectopy, body)
    ventricular = develops(rhythm.ventricular_ectopy, body) | failing
    atrial &= body.v.happens(rhythm.ectopy_per_visit)
    ventricular &= body.v.happens(rhythm.ectopy_per_visit)
    ecgs["atrial_ectopy"] = np.where(atrial, body.v.uniform(*rhythm.atrial_per_beat), 0.0)
    ecgs["ventricular_ectopy"] = np.where(ventricular, body.v.uniform(*rhythm.ventricular_per_beat), 0.0)
    ecgs["bigeminy"] = ventricular & body.v.happens(rhythm.bigeminy)
    ecgs["couplet"] = rhythm.couplet
    ecgs["multifocal"] = np.where(body.d.happens(rhythm.multifocal), 0.4, 0.0)[:, None]
    body.found |= {"atrial_ectopy": atrial, "ventricular_ectopy": ventricular, "bigeminy": ecgs["bigeminy"] != 0}


def _draw_p_changes(body: Body, ecgs: npt.NDArray[np.void]) -> None:
    """How much P changes from beat to beat, and who has a wandering pacemaker at a visit."""
    rhythm = body.sizes.rhythm
    much = np.exp(rhythm.p_log_sd * body.d.normal(1))
    for name in ("p_size", "p_time", "p_shape"):
        size = rhythm.p_time_s if name == "p_time" else getattr(rhythm, name)
        ecgs[name] = size * much * np.exp(0.3 * body.v.normal(1)[..., 0])
    wanders = body.v.happens(rhythm.wandering)
    ecgs["wander"] = np.where(wanders, body.v.uniform(0.5, 1.0), 0.0)
    ecgs["beat_size"] = rhythm.beat_size * np.exp(0.4 * body.v.normal(1)[..., 0])
    body.found["wandering"] = wanders & (ecgs["rhythm"] == SINUS)


def _draw_rhythm(
    d: Draws, v: Draws, body: Body, leads: Float64Array, hospital: Hospital, ecgs: npt.NDArray[np.void]
) -> None:
    """Fill the rhythm fields of ``ecgs``: rate, variation, extra beats, pacing, escape, f-waves."""
    conduction, rhythm = body.sizes.conduction, body.sizes.rhythm
    _draw_rate(d, v, body, hospital, ecgs)
    _draw_ectopy(body, ecgs)
    _draw_p_changes(body, ecgs)
    tachycardia = body.v.uniform(*rhythm.atrial_tachycardia_rr_s)
    junction = body.v.uniform(*rhythm.junctional_rr_s)
    ecgs["rr"] = np.select(
        [ecgs["rhythm"] == ATRIAL_TACHYCARDIA, ecgs["rhythm"] == JUNCTIONAL], [tachycardia, junction], ecgs["rr"]
    )
    # Dropped beats are seen when the sinus node is not slow.
    ecgs["rr"] = np.where(ecgs["av"] > 0, np.minimum(ecgs["rr"], 0.85), ecgs["rr"])
    ecgs["escape_rr"] = body.v.uniform(*conduction.escape_rr_s)
    ecgs["escape_wide"] = body.d.happens(conduction.escape_wide_share)[:, None]
    _draw_pacing(body, leads, ecgs)
    _draw_fibrillation(d, v, body, leads, hospital, ecgs)


def _draw_pacing(body: Body, leads: Float64Array, ecgs: npt.NDArray[np.void]) -> None:
    """Paced rates, delays and spikes; bipolar leads show spikes hardly, unipolar ones plainly."""
    sizes = body.sizes.pacing
    interval = body.d.uniform(*sizes.rr_s)[:, None] * np.exp(0.02 * body.v.normal(1)[..., 0])
    # Half of the two-chamber devices follow the sinus node and pace the ventricle alone.
    follows = (ecgs["pacing"] == PACE_BOTH) & body.v.happens(0.5)
    ecgs["pace_rr"] = np.where(follows, 0.0, interval)
    ecgs["pace_av"] = body.d.uniform(*sizes.av_delay_s)[:, None]
    size = np.exp(sizes.spike_log_mv + sizes.spike_log_sd * body.d.normal(1))
    size = size * np.where(body.d.happens(sizes.bipolar_spike), 0.6, 2.5)[:, None]
    for name, direction in (("spike_atrial", (-0.3, 0.6, -0.3)), ("spike_ventricular", (0.2, 0.9, -0.3))):
        own = np.array(direction) + 0.3 * body.d.normal(3)
        ecgs[name] = np.einsum("bvlj,bj->bvl", leads, own * size)


def _draw_fibrillation(
    d: Draws, v: Draws, body: Body, leads: Float64Array, hospital: Hospital, ecgs: npt.NDArray[np.void]
) -> None:
    """The AV node under fibrillation, and f-waves from very fine to coarse."""
    af, more = hospital.effects.af, body.sizes.fibrillation
    flutter = ecgs["rhythm"] == FLUTTER
    ecgs["impulses_hz"] = v.uniform(*af.impulses_hz)
    ecgs["refractory"] = v.uniform(*af.refractory_s)
    ecgs["concealed"] = af.concealed_s
    ecgs["irregularity"] = body.v.uniform(*more.irregularity)
    wave_hz = (v.uniform(*af.f_wave_hz), v.uniform(*af.flutter_hz))
    ecgs["f_hz"] = np.where(flutter, wave_hz[1], wave_hz[0])
    ecgs["f2_hz"] = ecgs["f_hz"] * body.v.uniform(0.80, 1.20)
    shares = np.cumsum(more.flutter_shares)[:-1]
    ecgs["flutter_ratio"] = np.array([2, 3, 4, 0])[np.searchsorted(shares, body.v.uniform(), side="right")]
    atrial = np.where(flutter[..., None], np.array(af.flutter_vector), np.array(af.f_wave_vector))
    size = np.exp(more.f_size_log_sd * body.d.normal(1))[:, None] * np.exp(0.3 * v.normal(1))
    size = np.minimum(size, more.f_size_largest)
    atrial = atrial * np.where(flutter[..., None], np.exp(0.4 * np.log(size)), size)
    length = np.linalg.norm(atrial, axis=-1, keepdims=True)
    atrial = atrial + 0.3 * length * d.normal(3)[:, None]
    second = more.second_source * length * body.d.normal(3)[:, None] / np.sqrt(3.0)
    second = np.where(flutter[..., None], 0.0, second)
    ecgs["f_leads"] = np.einsum("bvlj,bvj->bvl", leads, atrial)
    ecgs["f2_leads"] = np.einsum("bvlj,bvj->bvl", leads, second)
    regular = v.happens(more.regularised) & ~flutter
    escape = v.uniform(*af.regular_rr_s)
    node = ecgs["refractory"] * 1.05 + 1.0 / ecgs["impulses_hz"] + ecgs["concealed"]
    ratio = np.where(ecgs["flutter_ratio"] == 0, 3.0, ecgs["flutter_ratio"])
    in_af = (ecgs["rhythm"] == FIBRILLATION) | flutter
    ecgs["regular"] = regular
    ecgs["rr"] = np.where(in_af, np.where(flutter, ratio / ecgs["f_hz"], np.where(regular, escape, node)), ecgs["rr"])
