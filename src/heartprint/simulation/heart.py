"""The stable heart: a patient's own waves, with sex, age, conduction and findings in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.simulation.draws import Draws
from heartprint.simulation.effects import (
    LBBB_WAVES,
    N_P,
    N_QRS_END,
    NORMAL_WAVES,
    RBBB_WAVES,
    Effects,
    Finding,
    Hospital,
    Wave,
)
from heartprint.simulation.people import People

N_WAVES = len(NORMAL_WAVES)
P, QRS, REPOLARISATION = slice(0, N_P), slice(N_P, N_QRS_END), slice(N_QRS_END, N_WAVES)
SEPTUM, APEX, MAIN, BASE, TERMINAL = range(N_P, N_QRS_END)
BACK = slice(MAIN, BASE + 1)
"""The waves that make S in V1-V3."""
LEFT_ATRIUM, ST, T = 1, N_QRS_END, slice(N_QRS_END + 1, N_QRS_END + 3)
X, Y, Z = 0, 1, 2


@dataclass(frozen=True)
class Heart:
    """What stays with each patient of a block; first axis ``(BLOCK,)``.

    Attributes:
        centre: ``(..., N_WAVES)`` s after QRS onset, at the reference intervals.
        left: ``(..., N_WAVES)`` standard deviation of the rise, s.
        right: ``(..., N_WAVES)`` standard deviation of the fall, s.
        vector: ``(..., N_WAVES, 3)`` mV before gains and rotations.
        qrs_gain: ``(...)`` factor on QRS.
        t_gain: ``(...)`` factor on repolarisation; negative where T is turned.
        lie: ``(..., 3)`` how the heart lies, degrees (see `draws.rotation`).
        t_lie: ``(..., 3)`` the T loop against it, degrees.
        pr: ``(...)`` s.
        qrs: ``(...)`` s, without a block's delay.
        qtc: ``(...)`` s, Fridericia.
        delay: ``(...)`` s that a bundle branch block adds to QRS.
        block_width: ``(...)`` how slow the block is, 1 without one.
    """

    centre: Float64Array
    left: Float64Array
    right: Float64Array
    vector: Float64Array
    qrs_gain: Float64Array
    t_gain: Float64Array
    lie: Float64Array
    t_lie: Float64Array
    pr: Float64Array
    qrs: Float64Array
    qtc: Float64Array
    delay: Float64Array
    block_width: Float64Array


def chance(finding: Finding, people: People) -> Float64Array:
    """Chance ``(BLOCK,)`` that each patient has a stable finding, from age, sex and LVEF at the first visit."""
    decades = (people.age[:, 0] - 55.0) / 10.0
    base = finding.base * np.exp(finding.per_decade_log * decades) * np.where(people.female, finding.women_ratio, 1.0)
    return np.asarray(np.minimum(base + finding.per_severity * people.lasting, 0.6))


def draw_heart(d: Draws, people: People, hospital: Hospital) -> Heart:
    """Draw the stable hearts of a block of patients."""
    effects = hospital.effects
    normal, sex, years, shape, find = effects.normal, effects.sex, effects.age, effects.shapes, effects.findings
    women, age = people.female, people.age[:, 0]

    def has(finding: Finding) -> npt.NDArray[np.bool_]:
        return d.happens(chance(finding, people))

    def in_women(value: float, otherwise: float) -> Float64Array:
        return np.where(women, value, otherwise)

    lbbb, rbbb = has(find.lbbb), has(find.rbbb)
    rbbb &= ~lbbb
    narrow = ~lbbb & ~rbbb
    complete = d.uniform(*shape.block_completeness)
    block_width = np.where(narrow, 1.0, d.uniform(*shape.block_width))
    centre, left, right, vector = _mix(np.where(lbbb, complete, 0.0), np.where(rbbb, complete, 0.0))
    delay = block_width * complete * (lbbb * shape.lbbb_delay_s + rbbb * shape.rbbb_delay_s)

    scatter = np.full(N_WAVES, normal.qrs_scatter)
    scatter[P], scatter[REPOLARISATION] = normal.p_scatter, normal.t_scatter
    vector += scatter[:, None] * np.linalg.norm(vector, axis=-1, keepdims=True) * d.normal(N_WAVES, 3)
    width = np.exp(normal.width_log_sd * d.normal(N_WAVES))
    centre[:, QRS] += normal.time_sd * d.normal(N_QRS_END - N_P)

    youth = np.clip((80.0 - age) / 60.0, 0.0, 1.0)
    male_st = years.male_st_old + (years.male_st_young - years.male_st_old) * youth
    vector[:, QRS] *= in_women(sex.qrs_gain, 1.0)[:, None, None]
    vector[:, BACK, Z] *= in_women(sex.qrs_back, 1.0)[:, None]
    vector[:, APEX] *= in_women(sex.qrs_apex, 1.0)[:, None]
    vector[:, T] *= in_women(sex.t_gain, 1.0)[:, None, None]
    vector[:, T, Z] *= in_women(sex.t_front / sex.t_gain, 1.0)[:, None]
    vector[:, ST] *= (np.where(women, sex.st_gain, male_st) * np.exp(normal.st_log_sd * d.normal(1)[:, 0]))[:, None]
    qrs_gain = np.exp(normal.qrs_gain_log_sd * d.normal(1)[:, 0] + years.qrs_gain_log * (age - 55.0))
    t_gain = np.exp(normal.t_gain_log_sd * d.normal(1)[:, 0] + years.t_gain_log * (age - 55.0))

    anterior, inferior = has(find.anterior_infarct) & ~lbbb, has(find.inferior_infarct)
    t_after_infarct = d.happens(shape.turned_t_share)
    _scar(vector, d, anterior, inferior, t_after_infarct, effects)
    hypertrophy = has(find.hypertrophy) & narrow
    strain = hypertrophy & d.happens(shape.hypertrophy_strain_share)
    qrs_gain *= np.where(hypertrophy, d.uniform(*shape.hypertrophy_gain), 1.0)
    vector[:, ST] += np.where(strain, 1.0, 0.0)[:, None] * np.array(shape.strain_st_mv)
    low = np.where(has(find.low_voltage), d.uniform(*shape.low_voltage_gain), 1.0)
    qrs_gain *= low
    t_gain *= np.sqrt(low)
    t_gain *= np.where(has(find.flat_t), d.uniform(*shape.flat_t_gain), 1.0)
    t_gain *= np.where(has(find.turned_t) | strain, d.uniform(*shape.turned_t_gain), 1.0)

    lie = np.array([normal.frontal_sd, normal.horizontal_sd, normal.sagittal_sd]) * d.normal(3)
    lie[:, 0] += years.frontal_deg * (age - 55.0) + in_women(sex.frontal_deg, 0.0) + hospital.anatomy.frontal_deg
    lie[:, 1] += hospital.anatomy.horizontal_deg
    t_lie = normal.t_angle_sd * d.normal(3)
    t_lie[:, 0] -= (1.0 - normal.t_follows) * lie[:, 0]
    # A fascicular block turns QRS, not T.
    fascicle = has(find.left_anterior_block) & ~lbbb
    turn = np.where(fascicle, shape.left_anterior_block_deg, 0.0)
    lie[:, 0] += turn
    t_lie[:, 0] -= turn

    pr, qrs, qtc = (sd * d.normal(1)[:, 0] for sd in (normal.pr_sd, normal.qrs_sd, normal.qtc_sd))
    pr += normal.pr_s + in_women(sex.pr_s, 0.0) + years.pr_s * (age - 55.0)
    qtc += normal.qtc_s + in_women(sex.qtc_s, 0.0) + years.qtc_s * (age - 55.0) + 0.5 * delay
    qrs += normal.qrs_s + in_women(sex.qrs_s, 0.0)
    qrs += fascicle * shape.left_anterior_block_qrs_s + hypertrophy * shape.hypertrophy_qrs_s
    return Heart(
        centre, left * width, right * width, vector, qrs_gain, t_gain, lie, t_lie, pr, qrs, qtc, delay, block_width
    )


def _mix(lbbb: Float64Array, rbbb: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
    """Blend the three sets of waves by how complete each patient's blocks are."""

    def table(waves: tuple[Wave, ...], name: str) -> Float64Array:
        return np.array([getattr(w, name) for w in waves])

    def blend(name: str) -> Float64Array:
        sets = [table(waves, name) for waves in (NORMAL_WAVES, LBBB_WAVES, RBBB_WAVES)]
        shape = (-1, *[1] * sets[0].ndim)
        weights = [w.reshape(shape) for w in (1.0 - lbbb - rbbb, lbbb, rbbb)]
        return np.asarray(sum(w * s for w, s in zip(weights, sets, strict=True)))

    return blend("centre"), blend("left"), blend("right"), blend("vector")


def _scar(
    vector: Float64Array,
    d: Draws,
    anterior: npt.NDArray[np.bool_],
    inferior: npt.NDArray[np.bool_],
    turned: npt.NDArray[np.bool_],
    effects: Effects,
) -> None:
    """Old infarcts, in place: early forces point away from the scar, and often so does T."""
    shape = effects.shapes
    front = np.where(anterior, d.uniform(*shape.anterior_size), 0.0)
    below = np.where(inferior, d.uniform(*shape.inferior_size), 0.0)
    vector[:, APEX] *= (1.0 - shape.anterior_apex_loss * front)[:, None]
    for wave in (SEPTUM, APEX):
        vector[:, wave, Z] += shape.anterior_back_mv * front
        vector[:, wave, Y] -= shape.inferior_up_mv * below
    vector[:, T, Z] += (shape.anterior_t_mv * front * turned)[:, None]
    vector[:, T, Y] -= (shape.inferior_t_mv * below * turned)[:, None]
