"""The electrical signature at each visit: the stable heart, low LVEF, passing change, and the way to the leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heartprint.foundation.arrays import Float64Array
from heartprint.simulation.draws import BLOCK, MAX_VISITS, Draws, rotation
from heartprint.simulation.effects import (
    DOWER,
    ECTOPIC_WAVES,
    REFERENCE_PR_S,
    REFERENCE_QRS_S,
    Effects,
    Hospital,
)
from heartprint.simulation.effects.sizes import FindingShapes
from heartprint.simulation.heart import (
    APEX,
    BACK,
    LEFT_ATRIUM,
    N_WAVES,
    QRS,
    REPOLARISATION,
    ST,
    Heart,
    P,
    T,
    Z,
)
from heartprint.simulation.people import People


@dataclass(frozen=True)
class Signature:
    """Waves as the leads see them, for every patient and visit; first axes ``(BLOCK, MAX_VISITS)``.

    Attributes:
        centre: ``(..., N_ALL)`` s after QRS onset.
        left: ``(..., N_ALL)`` standard deviation of the rise, s.
        right: ``(..., N_ALL)`` standard deviation of the fall, s.
        amplitude: ``(..., N_ALL, 8)`` mV in `LEADS_8` order.
        qrs: ``(...)`` QRS duration, s.
        qtc: ``(...)`` QT after Fridericia, s.
        leads: ``(..., 8, 3)`` lead vectors.
    """

    centre: Float64Array
    left: Float64Array
    right: Float64Array
    amplitude: Float64Array
    qrs: Float64Array
    qtc: Float64Array
    leads: Float64Array


def draw_signature(d: Draws, v: Draws, heart: Heart, people: People, hospital: Hospital) -> Signature:
    """Draw how the hearts of a block of patients look at each visit."""
    effects = hospital.effects
    normal, low, passing = effects.normal, effects.lvef, effects.passing
    # How strongly each visit answers to LVEF: (B, V, 4) for the apex, the limb leads, T and the QRS duration.
    answer = np.exp(low.response_log_sd * d.normal(4))[:, None] * people.severity[..., None]

    vector = np.repeat(heart.vector[:, None], MAX_VISITS, axis=1)  # (B, V, K, 3)
    fail_and_drift(v, vector, heart, answer, people, effects)
    position = heart.lie[:, None] + np.array(passing.position_deg) * v.normal(3)
    vector = np.einsum("bvij,bvkj->bvki", rotation(position), vector)

    gain = scale_waves(d, v, vector, heart, answer, effects)

    leads = lead_field(d, v, hospital)
    amplitude = np.einsum("bvlj,bvkj->bvkl", leads, vector)
    own_source = d.normal(N_WAVES, 8)
    own_source[..., 2:] = smooth_chest(own_source[..., 2:])
    reach = np.linalg.norm(np.array(DOWER), axis=1)
    amplitude += normal.nondipolar * own_source[:, None] * np.linalg.norm(vector, axis=-1)[..., None] * reach
    ectopic = np.einsum("bvlj,bkj->bvkl", leads, ectopic_beat(d, effects.shapes)) * gain[..., None, None]

    qrs = np.clip(heart.qrs[:, None] + low.qrs_s * answer[..., 3], 0.068, 0.150)
    pr = heart.pr[:, None] + low.pr_s * people.severity + passing.pr_sd * v.normal(1)[..., 0]
    qtc = heart.qtc[:, None] + low.qrs_s * people.severity + passing.qtc_sd * v.normal(1)[..., 0]
    stretch = (qrs / REFERENCE_QRS_S * heart.block_width[:, None])[..., None]
    table = np.array(ECTOPIC_WAVES)

    def times(stable: Float64Array, column: int) -> Float64Array:
        own = np.repeat(stable[:, None], MAX_VISITS, axis=1)
        own[:, :, QRS] *= stretch
        return np.concatenate([own, np.broadcast_to(table[:, column], (BLOCK, MAX_VISITS, len(table)))], axis=-1)

    centre = times(heart.centre, 0)
    centre[:, :, P] -= (np.clip(pr, 0.105, 0.320) - REFERENCE_PR_S)[..., None]
    return Signature(
        centre=centre,
        left=times(heart.left, 1),
        right=times(heart.right, 2),
        amplitude=np.concatenate([amplitude, ectopic], axis=-2),
        qrs=qrs + heart.delay[:, None],
        qtc=np.clip(qtc, 0.350, 0.520),
        leads=leads,
    )


def fail_and_drift(
    v: Draws, vector: Float64Array, heart: Heart, answer: Float64Array, people: People, effects: Effects
) -> None:
    """Let low LVEF and time change the waves ``(BLOCK, MAX_VISITS, waves, 3)``, in place, and turn T.

    Args:
        v: The visits' streams.
        vector: mV, before the heart is turned in the chest.
        heart: The stable hearts.
        answer: ``(BLOCK, MAX_VISITS, 4)`` how strongly apex, limb leads, T and the QRS duration answer to low LVEF.
        people: For the time between visits.
        effects: Effect sizes.
    """
    low, passing = effects.lvef, effects.passing
    vector[:, :, APEX] *= np.clip(1.0 - low.apex_loss * answer[..., 0], -0.3, 1.0)[..., None]
    vector[:, :, BACK, Z] *= (1.0 + low.back_gain * answer[..., 0])[..., None]
    vector[:, :, QRS, :Z] *= np.clip(1.0 - low.limb_loss * answer[..., 1], 0.4, 1.0)[..., None, None]
    vector[:, :, LEFT_ATRIUM] *= (1.0 + low.left_atrium * answer[..., 1])[..., None]

    steps = np.cumsum(v.normal(N_WAVES, 3) * np.sqrt(people.gap)[..., None, None], axis=1)
    vector += passing.wave_drift * np.linalg.norm(vector, axis=-1, keepdims=True) * np.clip(steps, -3.0, 3.0)
    t_turn = heart.t_lie[:, None] + passing.t_turn_deg * v.normal(3)
    t_turn += np.array(low.t_turn_deg) * np.minimum(answer[..., 2:3], 2.5)
    vector[:, :, T] = np.einsum("bvij,bvkj->bvki", rotation(t_turn), vector[:, :, T])


def scale_waves(
    d: Draws,
    v: Draws,
    vector: Float64Array,
    heart: Heart,
    answer: Float64Array,
    effects: Effects,
    p_seen: Float64Array | float = 1.0,
) -> Float64Array:
    """Scale P, QRS and repolarisation in place, each patient's and visit's own way, and let ST differ.

    Args:
        d: The patients' streams.
        v: The visits' streams.
        vector: ``(BLOCK, MAX_VISITS, waves, 3)`` mV.
        heart: The stable hearts.
        answer: As in `fail_and_drift`.
        effects: Effect sizes.
        p_seen: A further factor on P, ``(BLOCK, 1)`` or one for all.

    Returns:
        ``(BLOCK, MAX_VISITS)`` the factor that all waves of a visit share.
    """
    normal, low, passing = effects.normal, effects.lvef, effects.passing
    gain: Float64Array = np.exp(passing.gain_log_sd * v.normal(1)[..., 0])
    p_gain = p_seen * np.exp(normal.p_gain_log_sd * d.normal(1) + passing.p_gain_log_sd * v.normal(1)[..., 0])
    t_gain = np.exp(low.t_gain_log * answer[..., 2] + passing.t_gain_log_sd * v.normal(1)[..., 0])
    for waves, own in ((P, p_gain), (QRS, heart.qrs_gain[:, None]), (REPOLARISATION, heart.t_gain[:, None] * t_gain)):
        vector[:, :, waves] *= (gain * own)[..., None, None]
    vector[:, :, ST] += passing.st_mv * v.normal(3)
    return gain


def smooth_chest(values: Float64Array) -> Float64Array:
    """Let neighbouring chest leads (last axis) share what they see; the variance of inner ones stays."""
    padded = np.concatenate([values[..., :1], values, values[..., -1:]], axis=-1)
    return np.asarray((0.35 * padded[..., :-2] + 0.65 * padded[..., 1:-1] + 0.35 * padded[..., 2:]) / 0.82)


def ectopic_beat(d: Draws, shape: FindingShapes) -> Float64Array:
    """Wave vectors ``(BLOCK, n, 3)`` in mV of each patient's own ventricular ectopic beat."""
    direction = d.normal(3)
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    size = shape.ectopic_mv * np.exp(shape.ectopic_log_sd * d.normal(1))
    turn = shape.ectopic_turn * d.normal(len(ECTOPIC_WAVES), 3)
    return np.asarray((direction[:, None] + turn) * (size * np.array(ECTOPIC_WAVES)[:, 3])[..., None])


def lead_field(d: Draws, v: Draws, hospital: Hospital) -> Float64Array:
    """Lead vectors ``(BLOCK, MAX_VISITS, 8, 3)``: Dower's, changed by the patient's torso and by electrodes."""
    normal, passing, house = hospital.effects.normal, hospital.effects.passing, hospital.anatomy
    dower = np.array(DOWER)
    direction = d.normal(8, 3)
    direction[:, 2:] = np.swapaxes(smooth_chest(np.swapaxes(direction[:, 2:], 1, 2)), 1, 2)
    field = dower + normal.lead_direction * np.linalg.norm(dower, axis=1)[:, None] * direction
    gain = normal.lead_gain_log_sd * d.normal(8) + house.lead_gain_log
    gain[:, 2:] += house.chest_gain_tilt_log * np.linspace(-1.0, 1.0, 6)
    field *= np.exp(gain)[..., None]

    chest = np.repeat(field[:, None, 2:], MAX_VISITS, axis=1)  # (B, V, 6, 3)
    at = np.arange(6) + passing.along_shared * v.normal(1) + passing.along_each * v.normal(6)
    below = np.clip(at, 0.0, 4.0).astype(np.int64)
    share = (np.clip(at, 0.0, 5.0) - below)[..., None]
    near, far = (np.take_along_axis(chest, (below + step)[..., None], axis=2) for step in (0, 1))
    chest = (1.0 - share) * near + share * far
    upward = passing.upward_mean + house.upward_extra + passing.upward_sd * v.normal(1)
    # V1 and V2 go up together and most; V4-V6 follow less (Wenger & Kligfield 1996).
    chest += (upward * np.linspace(1.0, 0.5, 6))[..., None] * np.array(passing.upward_effect)
    chest *= np.exp(passing.chest_gain_log_sd * v.normal(6))[..., None]
    torso = v.happens(hospital.machines[0].limb_on_torso_share)
    factor = np.where(torso[..., None], np.array(hospital.machines[0].limb_on_torso), 1.0)
    limb = field[:, None, :2] * factor[..., None]
    return np.concatenate([limb, chest], axis=2)
