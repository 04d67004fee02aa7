"""What befalls a lifelike patient: each condition is one function that changes the heart at each visit.

Lasting conditions are there from the first visit or develop between two visits and stay (`develops`); passing ones are
drawn for each visit. All of it happens before the heart is turned in the chest and seen by the leads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from heartprint.foundation.arrays import Float64Array
from heartprint.simulation.draws import BLOCK, MAX_VISITS, Draws, rotation
from heartprint.simulation.effects import LBBB_WAVES, NORMAL_WAVES, RBBB_WAVES, Chance, Conditions, Lvef
from heartprint.simulation.effects.conditions import Vector
from heartprint.simulation.heart import (
    APEX,
    LEFT_ATRIUM,
    MAIN,
    QRS,
    REPOLARISATION,
    SEPTUM,
    ST,
    TERMINAL,
    Heart,
    P,
    T,
    Z,
)
from heartprint.simulation.people import People, severity_of

Bools = npt.NDArray[np.bool_]
RIGHT_ATRIUM, T_LATE, U = 0, T.stop - 1, T.stop
AV_NORMAL, AV_WENCKEBACH, AV_TWO_TO_ONE, AV_COMPLETE = range(4)
PACE_NONE, PACE_VENTRICLE, PACE_ATRIUM, PACE_BOTH = range(4)


@dataclass
class Body:
    """Hearts of a block of patients at each visit, first axes ``(BLOCK, MAX_VISITS)``; conditions change it in place.

    Attributes:
        d: The patients' further streams.
        v: The visits' further streams.
        people: Who they are.
        sizes: Sizes and chances of the conditions.
        centre: ``(..., K)`` s after QRS onset, of the waves of a beat.
        left: ``(..., K)`` rise, s.
        right: ``(..., K)`` fall, s.
        vector: ``(..., K, 3)`` mV before the heart is turned in the chest.
        delta: ``(..., 3)`` mV of the delta wave, 0 without pre-excitation.
        turn: ``(..., 3)`` degrees that the heart is turned further by build and lungs.
        pr: ``(...)`` s.
        qrs: ``(...)`` s.
        qtc: ``(...)`` s.
        av: ``(...)`` how the AV node conducts, ``AV_*``.
        pacing: ``(...)`` which chambers are paced, ``PACE_*``.
        found: ``(...)`` booleans: which condition each ECG has, by name.
    """

    d: Draws
    v: Draws
    people: People
    sizes: Conditions
    centre: Float64Array
    left: Float64Array
    right: Float64Array
    vector: Float64Array
    delta: Float64Array
    turn: Float64Array
    pr: Float64Array
    qrs: Float64Array
    qtc: Float64Array
    av: npt.NDArray[np.int64]
    pacing: npt.NDArray[np.int64]
    found: dict[str, Bools] = field(default_factory=dict)


def new_body(d: Draws, v: Draws, people: People, sizes: Conditions, heart: Heart) -> Body:
    """The hearts of a block of patients before anything has befallen them."""

    def each_visit(stable: Float64Array) -> Float64Array:
        return np.repeat(stable[:, None], MAX_VISITS, axis=1)

    shape = (BLOCK, MAX_VISITS)
    return Body(
        d=d, v=v, people=people, sizes=sizes,
        centre=each_visit(heart.centre), left=each_visit(heart.left), right=each_visit(heart.right),
        vector=each_visit(heart.vector), delta=np.zeros((*shape, 3)), turn=np.zeros((*shape, 3)),
        pr=each_visit(heart.pr), qrs=each_visit(heart.qrs), qtc=each_visit(heart.qtc),
        av=np.zeros(shape, dtype=np.int64), pacing=np.zeros(shape, dtype=np.int64),
    )  # fmt: skip


def at_first(chance: Chance, people: People) -> Float64Array:
    """Chance ``(BLOCK,)`` of a condition at the first visit, from age and sex."""
    decades = (people.age[:, 0] - 55.0) / 10.0
    women = np.where(people.female, chance.women_ratio, 1.0)
    return np.asarray(np.minimum(chance.base * np.exp(chance.per_decade_log * decades) * women, 0.5))


def develops(chance: Chance, body: Body) -> Bools:
    """Who has a lasting condition at each visit: from the first on, or since it developed between two visits."""
    yearly = chance.per_year * np.minimum(at_first(chance, body.people) / max(chance.base, 1e-9), 4.0)
    new = body.v.happens(1.0 - np.exp(-yearly[:, None] * body.people.gap))
    new[:, 0] = body.d.happens(at_first(chance, body.people))
    return np.asarray(np.logical_or.accumulate(new, axis=1))


def _size(body: Body, limits: tuple[float, float]) -> Float64Array:
    """A size that stays with each patient: ``(BLOCK, 1)``."""
    return body.d.uniform(*limits)[:, None]


def _add(body: Body, wave: int | slice, size: Float64Array | Bools, vector: Vector | Float64Array) -> None:
    """Add ``size`` ``(BLOCK, MAX_VISITS)`` times a vector to one or more waves."""
    change = np.asarray(size, dtype=np.float64)[..., None] * np.asarray(vector)
    body.vector[:, :, wave] += change[:, :, None] if isinstance(wave, slice) else change


def _multiply(body: Body, wave: int | slice, who: Bools, factor: Float64Array | float) -> None:
    gain = np.where(who, factor, 1.0)
    body.vector[:, :, wave] *= gain[..., None, None] if isinstance(wave, slice) else gain[..., None]


def _multiply_lateral_t(body: Body, who: Bools, factor: Float64Array) -> None:
    """Lower or turn T to the left and below; V1-V3 follow half of the way, as T turned there is rarer."""
    gain = np.where(who, factor, 1.0)[..., None, None]
    body.vector[:, :, T, :Z] *= gain
    body.vector[:, :, T, Z:] *= 0.5 * (1.0 + gain)


def usual_shape(body: Body) -> None:
    """What hospital beats have beyond the normal beat of the teaching worlds."""
    _add(body, TERMINAL, np.ones((BLOCK, MAX_VISITS)), body.sizes.more_terminal_mv)


# --- infarction ---------------------------------------------------------------------------------------------------


def infarction(body: Body) -> None:
    """Infarcts: fresh ones raise ST over their wall, then T turns away and Q stays; LVEF falls."""
    sizes, people = body.sizes.infarction, body.people
    d, v = body.d, body.v
    old = d.happens(at_first(sizes.old, people))
    old_years = -0.3 - 4.0 * np.log(1.0 - 0.999 * d.uniform())
    relative = at_first(sizes.old, people) / sizes.old.base
    rate = np.full((BLOCK, MAX_VISITS), sizes.acute_later)
    rate[:, 0] = sizes.acute_at_first
    fresh = v.happens(rate * relative[:, None])
    begun = np.logical_or.accumulate(fresh, axis=1)
    first = fresh & (np.cumsum(fresh, axis=1) == 1)
    age = people.age
    began = np.where(first, age - v.uniform(0.0, 2.0) / 365.25, 0.0).sum(axis=1)
    years = np.where(begun, age - began[:, None], np.where(old[:, None], age - age[:, :1] + old_years[:, None], -1.0))
    years = np.where(begun & (years < 0), 0.0, years)
    there = years >= 0
    which = np.searchsorted(np.cumsum(sizes.shares)[:-1], d.uniform(), side="right")
    wall = np.array(sizes.walls)[which][:, None]
    size = _size(body, sizes.size) * there
    days = np.maximum(years, 0.0) * 365.25
    fresh_st = size * np.exp(-days / sizes.st_days)
    scar = size * (0.5 + 0.5 * np.clip(days / 2.0, 0.0, 1.0))
    turned = size * (1 - np.exp(-days / 1.5)) * (sizes.t_stays + np.exp(-np.maximum(years, 0.0) / sizes.t_years))
    _add(body, ST, sizes.st_mv * fresh_st, wall)
    for wave in (SEPTUM, APEX):
        _add(body, wave, -sizes.q_mv * scar, wall)
    _add(body, T, 0.5 * sizes.st_mv * fresh_st - 0.5 * sizes.t_mv * turned, wall)
    lost = there & np.isin(which, (0, 1))[:, None]
    _multiply(body, APEX, lost, 1.0 - 0.5 * np.minimum(size, 1.0))
    # What the infarct takes from LVEF; earlier ones are in the patient's LVEF already.
    fall = np.where(begun, d.uniform(*sizes.lvef_loss)[:, None] * np.minimum(size, 1.0), 0.0)
    _lower_lvef(body, fall)
    body.found["infarct"] = there
    body.found["acute_infarct"] = there & (days < 3.0)


def _lower_lvef(body: Body, points: Float64Array) -> None:
    people, low = body.people, Lvef()
    lvef = np.maximum(people.lvef - points, 10.0)
    reported = np.maximum(people.lvef_echo - np.rint(people.lvef - lvef), 8.0)
    body.people = replace(people, lvef=lvef, lvef_echo=reported, severity=severity_of(lvef, low))


# --- conduction ---------------------------------------------------------------------------------------------------


def _differences() -> tuple[tuple[Float64Array, ...], tuple[Float64Array, ...]]:
    """Centres, rises, falls and vectors of LBBB and RBBB, less those of a normal beat."""

    def table(name: str, waves: object) -> Float64Array:
        return np.array([getattr(w, name) for w in waves])  # type: ignore[attr-defined]

    names = ("centre", "left", "right", "vector")
    left, right = (tuple(table(n, waves) - table(n, NORMAL_WAVES) for n in names) for waves in (LBBB_WAVES, RBBB_WAVES))
    return left, right


_LBBB, _RBBB = _differences()


def bundle_branch_block(body: Body) -> None:
    """Complete and incomplete LBBB and RBBB: the beat goes part of the way to theirs."""
    sizes, people = body.sizes.conduction, body.people
    # Failing hearts lose the left bundle more often (Kashani & Barold 2005).
    failing = body.d.happens(0.05 * people.lasting)
    left = develops(sizes.lbbb, body) | failing[:, None]
    right = develops(sizes.rbbb, body) & ~left
    part_right = develops(sizes.incomplete_rbbb, body) & ~left & ~right
    part_left = develops(sizes.incomplete_lbbb, body) & ~left & ~right & ~part_right
    whole, part = _size(body, sizes.completeness), _size(body, sizes.incompleteness)
    for amount, change, delay in (
        (np.where(left, whole, np.where(part_left, part, 0.0)), _LBBB, sizes.lbbb_delay_s),
        (np.where(right, whole, np.where(part_right, 0.8 * part, 0.0)), _RBBB, sizes.rbbb_delay_s),
    ):
        body.centre += amount[..., None] * change[0]
        body.left += amount[..., None] * change[1]
        body.right += amount[..., None] * change[2]
        body.vector += amount[..., None, None] * change[3]
        body.qrs += delay * amount
        body.qtc += 0.5 * delay * amount
    body.found |= {"lbbb": left, "rbbb": right, "incomplete_rbbb": part_right, "incomplete_lbbb": part_left}


def nonspecific_delay(body: Body) -> None:
    """Slow conduction everywhere: all of QRS stretched."""
    sizes = body.sizes.conduction
    slow = develops(sizes.nonspecific, body) & ~body.found["lbbb"] & ~body.found["rbbb"]
    stretch = np.where(slow, _size(body, sizes.nonspecific_stretch), 1.0)
    for times in (body.centre, body.left, body.right):
        times[:, :, QRS] *= stretch[..., None]
    body.qtc += 0.5 * body.qrs * (stretch - 1.0)
    body.qrs *= stretch
    body.found["nonspecific_delay"] = slow


def fascicular_block(body: Body) -> None:
    """Left anterior and left posterior fascicular block: QRS turns in the frontal plane, T does not."""
    sizes = body.sizes.conduction
    anterior = develops(sizes.left_anterior, body) & ~body.found["lbbb"]
    posterior = develops(sizes.left_posterior, body) & ~body.found["lbbb"] & ~anterior
    degrees = anterior * sizes.left_anterior_deg + posterior * sizes.left_posterior_deg
    _turn_qrs(body, degrees)
    body.qrs += sizes.fascicle_qrs_s * (anterior | posterior)
    body.found |= {"left_anterior_block": anterior, "left_posterior_block": posterior}


def _turn_qrs(body: Body, frontal_deg: Float64Array) -> None:
    turn = np.zeros((BLOCK, MAX_VISITS, 3))
    turn[..., 0] = frontal_deg
    body.vector[:, :, QRS] = np.einsum("bvij,bvkj->bvki", rotation(turn), body.vector[:, :, QRS])


def pre_excitation(body: Body) -> None:
    """An accessory pathway: short PR, a delta wave that points away from it, T against it."""
    sizes = body.sizes.conduction
    there = develops(sizes.pre_excitation, body) & ~body.found["lbbb"] & ~body.found["rbbb"]
    place = (body.d.uniform() * len(sizes.delta_mv)).astype(np.int64)
    delta = np.array(sizes.delta_mv)[place][:, None] * there[..., None]
    body.delta += delta
    body.vector[:, :, T] -= 0.35 * delta[:, :, None]
    body.pr = np.where(there, _size(body, sizes.delta_pr_s), body.pr)
    body.found["pre_excitation"] = there


def av_block(body: Body) -> None:
    """AV block: PR long, some beats dropped, or none conducted. The higher degrees come and go."""
    sizes = body.sizes.conduction
    open_path = ~body.found["pre_excitation"]
    first = develops(sizes.first_degree, body) & open_path
    body.pr += np.where(first, _size(body, sizes.first_degree_s), 0.0)
    chance = body.v.uniform()
    second = np.where(first, sizes.second_degree_if_first, sizes.second_degree)
    third = np.where(first, sizes.third_degree_if_first, sizes.third_degree)
    body.av = np.select(
        [
            chance < sizes.wenckebach_share * second,
            chance < second,
            chance < second + third,
        ],
        [AV_WENCKEBACH, AV_TWO_TO_ONE, AV_COMPLETE],
        AV_NORMAL,
    ) * open_path.astype(np.int64)
    body.found["first_degree"] = first & (body.av == AV_NORMAL)


def pacemaker(body: Body) -> None:
    """Pacemakers, given for age or after a complete block; the mode stays."""
    sizes = body.sizes.pacing
    present = develops(sizes.present, body)
    blocked = np.logical_or.accumulate(body.av == AV_COMPLETE, axis=1)
    present[:, 1:] |= blocked[:, :-1]
    mode = PACE_VENTRICLE + np.searchsorted(np.cumsum(sizes.shares)[:-1], body.d.uniform(), side="right")
    body.pacing = np.where(present, mode[:, None], PACE_NONE)
    body.av = np.where(present, AV_NORMAL, body.av)
    body.delta = np.where(present[..., None], 0.0, body.delta)
    body.found["paced"] = present


# --- chambers, build ----------------------------------------------------------------------------------------------


def enlarged_atria(body: Body) -> None:
    """Left atrium: late and large second half of P. Right atrium: tall first half."""
    sizes = body.sizes.chambers
    left, right = develops(sizes.left_atrium, body), develops(sizes.right_atrium, body)
    _multiply(body, LEFT_ATRIUM, left, sizes.left_atrium_gain)
    body.centre[:, :, LEFT_ATRIUM] += sizes.left_atrium_delay_s * left
    body.pr += sizes.left_atrium_delay_s * left
    _multiply(body, RIGHT_ATRIUM, right, sizes.right_atrium_gain)
    body.found |= {"left_atrium": left, "right_atrium": right}


def right_hypertrophy(body: Body) -> None:
    """RVH: forces to the right and forward, axis to the right, T turned in V1-V3."""
    sizes = body.sizes.chambers
    there = develops(sizes.rvh, body) & ~body.found["lbbb"] & ~body.found["rbbb"]
    _multiply(body, MAIN, there, 0.70)
    _add(body, slice(MAIN, TERMINAL + 1), there, np.array(sizes.rvh_mv) * 0.7)
    _turn_qrs(body, np.where(there, sizes.rvh_deg, 0.0))
    _add(body, T, there, (0.0, 0.0, 0.20))
    body.found["rvh"] = there


def build_and_lungs(body: Body) -> None:
    """Body mass turns the heart up and lowers voltage; lung disease turns it down and takes R from V1-V4."""
    sizes = body.sizes.habitus
    mass = body.d.normal(1) + 0.25 * body.v.normal(1)[..., 0]
    body.turn[..., 0] += sizes.frontal_deg * mass
    body.vector[:, :, QRS] *= np.exp(sizes.qrs_gain_log * mass)[..., None, None]
    body.qrs += sizes.qrs_s * mass
    lungs = develops(sizes.lungs, body)
    body.turn[..., 0] += sizes.lungs_deg * lungs
    gain = _size(body, sizes.lungs_gain)
    _multiply(body, QRS, lungs, gain)
    _multiply(body, REPOLARISATION, lungs, gain)
    _multiply(body, APEX, lungs, sizes.lungs_apex)
    _multiply(body, RIGHT_ATRIUM, lungs, sizes.lungs_p)
    body.found["lungs"] = lungs


# --- repolarisation -----------------------------------------------------------------------------------------------


def ischaemia(body: Body) -> None:
    """Passing ST depression and low or turned T in patients with narrow coronary arteries."""
    sizes = body.sizes.repolarisation
    now = develops(sizes.coronary, body) & body.v.happens(sizes.ischaemia_per_visit)
    _add(body, ST, now * body.v.uniform(0.3, 1.6), sizes.ischaemia_st_mv)
    _multiply_lateral_t(body, now, body.v.uniform(*sizes.ischaemia_t))
    body.found["ischaemia"] = now


def raised_st(body: Body) -> None:
    """Early repolarisation (lasting, waxing and waning), and the diffuse ST elevation of pericarditis (passing)."""
    sizes = body.sizes.repolarisation
    early = develops(sizes.early, body)
    _add(body, ST, early * body.v.uniform(0.3, 1.4), sizes.early_mv)
    _multiply(body, T, early, 1.15)
    inflamed = body.v.happens(sizes.pericarditis)
    _add(body, ST, inflamed * body.v.uniform(0.6, 1.4), sizes.pericarditis_mv)
    body.found |= {"early_repolarisation": early, "pericarditis": inflamed}


def digitalis(body: Body, likely: Bools) -> None:
    """Sagging ST, low T and a shorter QT, at some visits of patients with AF or low LVEF (``likely``)."""
    sizes = body.sizes.repolarisation
    now = body.v.happens(sizes.digitalis_if_af_or_low) & likely
    _add(body, ST, now * body.v.uniform(0.4, 1.4), sizes.digitalis_mv)
    _multiply(body, T, now, 0.6)
    body.qtc -= 0.018 * now
    body.found["digitalis"] = now


def electrolytes(body: Body) -> None:
    """High potassium: tall narrow T and small P. Low potassium: flat T, sagging ST, large U, longer QT. Both pass."""
    sizes = body.sizes.repolarisation
    high = body.v.happens(sizes.high_potassium)
    low = body.v.happens(sizes.low_potassium) & ~high
    _multiply(body, T, high, body.v.uniform(*sizes.high_potassium_t))
    _multiply(body, P, high, 0.6)
    for width in (body.left, body.right):
        width[:, :, T] *= np.where(high, 0.75, 1.0)[..., None]
    _multiply(body, T, low, body.v.uniform(*sizes.low_potassium_t))
    _multiply(body, U, low, 4.0)
    _add(body, ST, low, (-0.03, -0.02, 0.01))
    body.qtc += 0.015 * low
    body.found |= {"high_potassium": high, "low_potassium": low}


def other_t(body: Body) -> None:
    """T low at a visit, T turned for good, and the juvenile T turned in V1-V3."""
    sizes = body.sizes.repolarisation
    flat = body.v.happens(sizes.flat_t_per_visit)
    _multiply(body, T, flat, body.v.uniform(*sizes.flat_t))
    turned = develops(sizes.turned_t, body)
    _multiply_lateral_t(body, turned, body.d.uniform(-0.9, 0.0)[:, None])
    juvenile = develops(sizes.juvenile, body)
    _add(body, T, juvenile, (0.0, 0.0, sizes.juvenile_mv))
    body.found |= {"flat_t": flat, "turned_t": turned, "juvenile_t": juvenile}


def long_qt(body: Body) -> None:
    """QT long for good, or by a drug at a visit."""
    sizes = body.sizes.repolarisation
    lasting = develops(sizes.long_qt, body)
    drug = body.v.happens(sizes.drug_qt_per_visit)
    body.qtc += lasting * _size(body, sizes.long_qt_s) + drug * body.v.uniform(*sizes.drug_qt_s)
    body.found["long_qt"] = lasting


def befall(body: Body) -> None:
    """Let everything but AF and its company happen to a block of patients."""
    usual_shape(body)
    infarction(body)
    bundle_branch_block(body)
    nonspecific_delay(body)
    fascicular_block(body)
    pre_excitation(body)
    av_block(body)
    pacemaker(body)
    enlarged_atria(body)
    right_hypertrophy(body)
    build_and_lungs(body)
    ischaemia(body)
    raised_st(body)
    electrolytes(body)
    other_t(body)
    long_qt(body)
