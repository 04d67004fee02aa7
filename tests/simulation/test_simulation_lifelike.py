"""The lifelike hospital: every condition shows its hallmark; the teaching worlds keep their bytes."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from heartprint.cohorts import Cohort
from heartprint.signals.leads import LEADS_8, TWELVE_FROM_EIGHT
from heartprint.signals.measurements import Measurements, measure
from heartprint.simulation import simulate
from heartprint.simulation.draws import BLOCK
from heartprint.simulation.effects import EFFECTS, HOSPITALS, Chance
from heartprint.simulation.events import (
    CONDUCTED,
    EXTRA_A,
    MAX_EVENTS,
    MORE_NORMALS,
    MORE_UNIFORMS,
    PACED_BEAT,
    beats_of,
    draw_beats,
)
from heartprint.simulation.lifelike import swap_matrices
from heartprint.simulation.simulate import EXTRA_LABELS, Block, machine_of, make_block, samples_of
from heartprint.simulation.synthesis import FIBRILLATION, FLUTTER, RUN_IN_S, SINUS

LIFELIKE, PASSING = HOSPITALS["lifelike"], HOSPITALS["passing-lvef"]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
RATE = 500.0
V1, V2, V5 = LEADS_8.index("V1"), LEADS_8.index("V2"), LEADS_8.index("V5")
DISTURBING = (
    "paced", "lbbb", "rbbb", "incomplete_lbbb", "incomplete_rbbb", "nonspecific_delay", "pre_excitation",
    "first_degree", "infarct", "rvh", "left_anterior_block", "left_posterior_block", "swapped_limbs",
    "swapped_chest", "lungs",
)  # fmt: skip


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return [make_block(17, BLOCK * i, LIFELIKE) for i in range(12)]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("life") / "c", 250, seed=3, hospital="lifelike", progress=False)


def chosen(blocks: list[Block], name: str, most: int = 12) -> list[tuple[Block, int, int]]:
    """Up to ``most`` ECGs in which a condition (or none, ``""``) is the only one that disturbs QRS, axis or rhythm."""
    out = []
    for block in blocks:
        alone = block.found[name].copy() if name else np.ones(block.ecgs.shape, dtype=np.bool_)
        for other in DISTURBING:
            if other != name:
                alone &= ~block.found[other]
        if name != "flutter":
            alone &= (block.ecgs["rhythm"] == SINUS) | np.isin(name, ("atrial_tachycardia", "junctional"))
        if not name.startswith("av_"):
            alone &= block.ecgs["av"] == 0
        out += [(block, int(i), int(k)) for i, k in np.argwhere(alone)]
    assert len(out) >= 2, f"{name} is too rare to test"
    return out[:most]


def clean_signal(block: Block, i: int, k: int) -> tuple[Floats, Floats, Floats]:
    """An ECG without noise, mV ``(8, n)`` at 500 Hz, and its atrial and ventricular events."""
    rng = np.random.default_rng([i, k])
    normals, uniforms = rng.standard_normal(MORE_NORMALS), rng.random(MORE_UNIFORMS)
    atrial, ventricular = np.zeros((MAX_EVENTS, 5)), np.zeros((MAX_EVENTS, 4))
    n_a, n_v = beats_of(block.ecgs[i], k, normals, uniforms, 10.0, atrial, ventricular)
    out = np.zeros((int((10.0 + RUN_IN_S) * RATE), 8))
    draw_beats(block.ecgs[i], k, normals, atrial, n_a, ventricular, n_v, RATE, out)
    return out[int(RUN_IN_S * RATE) :].T, atrial[:n_a], ventricular[:n_v]


def measurements(blocks: list[Block], name: str) -> list[Measurements]:
    return [measure(clean_signal(*which)[0], RATE) for which in chosen(blocks, name)]


def median(blocks: list[Block], name: str, value: str) -> float:
    return float(np.nanmedian([getattr(m, value) for m in measurements(blocks, name)]))


def after_onset(block: Block, i: int, k: int, seconds: float) -> Floats:
    """Median over conducted beats of the leads ``seconds`` after QRS onset, against the start of QRS: ``(8,)`` mV."""
    signal, _, ventricular = clean_signal(block, i, k)
    onset = ventricular[(ventricular[:, 0] > 0.2) & (ventricular[:, 0] < 9.5), 0]
    at = np.rint(onset * RATE).astype(int)
    later: Floats = np.median(signal[:, at + round(seconds * RATE)] - signal[:, at - 5], axis=1)
    return later


# --- what stays as it was ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hospital", "expected"), [("internal", "1e438e944f3b"), ("external", "ba5c27a32a7c")])
def test_teaching_worlds_keep_their_bytes(hospital: str, expected: str) -> None:
    """The demo and its documented figures rest on these patients."""
    place = HOSPITALS[hospital]
    assert place.effects is EFFECTS
    assert place.effects.conditions is None
    block = make_block(7, BLOCK, place)
    bytes_ = b""
    for i in (0, 17, 99):
        samples, clipped = samples_of(block, i, 0, seed=7, hospital=place, rate=100)
        assert clipped == 0
        bytes_ += samples.tobytes()
    assert hashlib.sha256(bytes_).hexdigest()[:12] == expected


# --- the cohort --------------------------------------------------------------------------------------------------


def test_equal_seeds_and_more_patients(tmp_path: Path) -> None:
    few = simulate(tmp_path / "few", 20, seed=5, hospital="lifelike", progress=False)
    many = simulate(tmp_path / "many", BLOCK + 5, seed=5, hospital="lifelike", progress=False)
    assert many.records[: len(few)].equals(few.records)
    head = (few.path / "waveforms.i16").read_bytes()
    assert (many.path / "waveforms.i16").read_bytes()[: len(head)] == head
    other = simulate(tmp_path / "other", 20, seed=6, hospital="lifelike", progress=False)
    assert (other.path / "waveforms.i16").read_bytes()[: len(head)] != head


def test_samples_are_sound(cohort: Cohort) -> None:
    signals = np.stack([cohort.signal(i) for i in range(len(cohort))])
    assert cohort.info.simulated
    assert np.isfinite(signals).all()
    assert np.abs(signals).max() < 15.0
    assert cohort.records["n_clipped"].sum() == 0
    flat = signals.std(axis=-1) < 1e-6
    assert flat.any(axis=1).mean() < 0.03
    assert not flat[:, :2].any()
    assert {f"label_{name}" for name in EXTRA_LABELS} <= set(cohort.records.columns)


def test_a_machine_is_drawn_for_every_ecg(cohort: Cohort, blocks: list[Block]) -> None:
    assert cohort.records["device"].n_unique() == len(LIFELIKE.machines)
    assert cohort.records["uv_per_bit"].n_unique() >= 4
    several = cohort.records.group_by("patient_id").agg(cohort.records["device"].implode().explode().n_unique())
    assert len(several) == cohort.n_patients
    used = np.concatenate([b.ecgs["machine"].ravel() for b in blocks])
    shares = np.bincount(used) / len(used)
    np.testing.assert_allclose(shares, [m.share for m in LIFELIKE.machines], atol=0.02)
    assert machine_of(blocks[0], 0, 0, LIFELIKE) in LIFELIKE.machines


def test_chances_are_chances() -> None:
    conditions = LIFELIKE.effects.conditions
    assert conditions is not None
    for field in fields(conditions):
        group = getattr(conditions, field.name)
        if isinstance(group, tuple):
            continue
        assert type(group).__doc__
        for inner in fields(group):
            value = getattr(group, inner.name)
            if isinstance(value, Chance):
                assert 0 < value.base < 0.2
            if inner.name == "shares":
                assert sum(value) == pytest.approx(1.0)


def test_lasting_conditions_stay_and_some_develop(blocks: list[Block]) -> None:
    developed = 0
    for block in blocks:
        for name in ("lbbb", "lungs", "left_atrium", "turned_t"):
            there = block.found[name].astype(int)
            assert (np.diff(there, axis=1) >= 0).all(), name
            developed += int((np.diff(there, axis=1) > 0).sum())
    assert developed > 10
    passing = np.concatenate([b.found["ischaemia"] for b in blocks])
    assert (np.diff(passing.astype(int), axis=1) < 0).any(), "ischaemia passes"


def test_infarcts_between_visits_lower_lvef() -> None:
    falls = []
    for i in range(8):
        block = make_block(17, BLOCK * i, LIFELIKE)
        fresh = block.found["acute_infarct"][:, 1] & ~block.found["infarct"][:, 0]
        falls += list((block.people.lvef[:, 1] - block.people.lvef[:, 0])[fresh])
    assert np.mean(falls) < -2.0


# --- hallmarks, measured on waveforms without noise --------------------------------------------------------------


def test_plain_ecgs_are_normal(blocks: list[Block]) -> None:
    assert 120 < median(blocks, "", "pr_ms") < 200
    assert 80 <= median(blocks, "", "qrs_ms") < 108
    assert -20 < median(blocks, "", "axis_deg") < 70


def test_conduction(blocks: list[Block]) -> None:
    assert median(blocks, "first_degree", "pr_ms") > 205
    assert median(blocks, "pre_excitation", "pr_ms") < 125
    assert median(blocks, "pre_excitation", "qrs_ms") > median(blocks, "", "qrs_ms") + 5
    assert median(blocks, "lbbb", "qrs_ms") >= 125
    assert median(blocks, "rbbb", "qrs_ms") >= 115
    assert median(blocks, "nonspecific_delay", "qrs_ms") > 104
    assert median(blocks, "left_anterior_block", "axis_deg") < -20
    assert median(blocks, "left_posterior_block", "axis_deg") > 70
    for name, late in (("lbbb", -1), ("rbbb", 1)):
        v1 = np.median([after_onset(*which, 0.095)[V1] for which in chosen(blocks, name)])
        assert late * v1 > 0.1, f"the end of QRS in V1, {name}"


def events(blocks: list[Block], name: str) -> list[tuple[Floats, Floats]]:
    return [clean_signal(*which)[1:] for which in chosen(blocks, name)]


def within(times: Floats) -> Floats:
    kept: Floats = times[(times[:, 0] > 0) & (times[:, 0] < 9.5)]
    return kept


def test_dropped_beats(blocks: list[Block]) -> None:
    for atrial, ventricular in events(blocks, "av_two_to_one"):
        if not (atrial[:, 1] > 0.9).any() and (ventricular[:, 1] == CONDUCTED).all():
            assert abs(len(within(atrial)) - 2 * len(within(ventricular))) <= 2
    for atrial, ventricular in events(blocks, "av_complete"):
        assert len(within(ventricular)) < len(within(atrial))
        assert 60 / np.median(np.diff(ventricular[:, 0])) < 60
    longest = []
    for atrial, ventricular in events(blocks, "av_wenckebach"):
        rr = np.diff(ventricular[:, 0])
        assert len(within(ventricular)) < len(within(atrial))
        longest.append(rr.max() / np.median(rr))
    assert np.median(longest) > 1.3, "a pause when a beat is dropped"


def test_paced_beats_and_spikes(blocks: list[Block]) -> None:
    paced = chosen(blocks, "paced")
    ventricular = [w for w in paced if w[0].ecgs["pacing"][w[1:]] != 2]
    qrs = [measure(clean_signal(*w)[0], RATE).qrs_ms for w in ventricular]
    assert np.nanmedian(qrs) > 120
    assert any((clean_signal(*w)[1][:, 3] > 0).any() for w in paced), "atrial spikes"
    for which in ventricular[:6]:
        _, _, beats = clean_signal(*which)
        assert (beats[:, 1] == PACED_BEAT).mean() > 0.7
        assert (beats[:, 2] > 0).any()
    # A spike is still seen at the sampling rate of the smaller files, through the machine's filter.
    block, i, k = max(ventricular, key=lambda w: np.abs(w[0].ecgs["spike_ventricular"][w[1:]]).max())
    spiky = []
    for size in (1.0, 0.0):
        part = Block(block.first, block.people, block.ecgs.copy(), block.found)
        part.ecgs["spike_ventricular"][i, k] *= size
        samples, _ = samples_of(part, i, k, seed=17, hospital=LIFELIKE, rate=100)
        mv = samples * machine_of(part, i, k, LIFELIKE).uv_per_bit / 1000
        spiky.append(float(np.percentile(np.abs(np.diff(mv, n=2, axis=1)), 99)))
    assert spiky[0] > 1.15 * spiky[1]


def test_infarcts_and_st(blocks: list[Block]) -> None:
    normal = np.median([np.abs(after_onset(*w, 0.16)).max() for w in chosen(blocks, "")])
    acute = [
        np.abs(after_onset(b, i, k, 0.16)).max()
        for b in blocks
        for i, k in np.argwhere(b.found["acute_infarct"] & ~b.found["paced"] & (b.ecgs["rhythm"] == SINUS))[:6]
    ]
    assert np.median(acute) > normal + 0.05
    lower = np.median([after_onset(*w, 0.15)[V5] for w in chosen(blocks, "ischaemia")])
    assert lower < np.median([after_onset(*w, 0.15)[V5] for w in chosen(blocks, "")]) - 0.02
    raised = np.median([after_onset(*w, 0.15)[V5] for w in chosen(blocks, "pericarditis")])
    assert raised > np.median([after_onset(*w, 0.15)[V5] for w in chosen(blocks, "")]) + 0.04


def test_t_and_chambers(blocks: list[Block]) -> None:
    def t(name: str, lead: str) -> float:
        from heartprint.signals.leads import LEADS_12

        return float(np.nanmedian([m.t_mv[LEADS_12.index(lead)] for m in measurements(blocks, name)]))

    assert t("high_potassium", "V3") > 1.15 * t("", "V3")
    assert t("low_potassium", "V5") < 0.75 * t("", "V5")
    assert t("juvenile_t", "V2") < t("", "V2") - 0.15
    assert t("ischaemia", "V5") < 0.6 * t("", "V5")
    assert median(blocks, "rvh", "axis_deg") > 50
    assert median(blocks, "long_qt", "qtc_ms") > median(blocks, "", "qtc_ms") + 20
    r = [np.mean([m.r_mv[1] for m in measurements(blocks, name)]) for name in ("lungs", "")]
    assert r[0] < r[1] + 0.2


def test_rhythms(blocks: list[Block]) -> None:
    assert median(blocks, "atrial_tachycardia", "rate_bpm") > 100
    assert 38 < median(blocks, "junctional", "rate_bpm") < 66
    for atrial, _ in events(blocks, "junctional"):
        assert len(atrial) == 0
    sizes = np.concatenate([a[:, 2] for a, _ in events(blocks, "")])
    assert 0.02 < sizes.std() < 0.2, "P changes from beat to beat"
    wandering = [np.ptp(a[:, 1]) for a, _ in events(blocks, "wandering")]
    assert np.median(wandering) > 0.4
    for _, ventricular in events(blocks, "bigeminy"):
        assert 0.3 < (ventricular[:, 1] != CONDUCTED).mean() < 0.75
    extra = [np.isin(v[:, 1], (EXTRA_A, EXTRA_A + 1)).any() for _, v in events(blocks, "ventricular_ectopy")]
    assert np.mean(extra) > 0.3


def test_fibrillation_is_irregular_and_flutter_keeps_its_ratio(blocks: list[Block]) -> None:
    spread = []
    for block in blocks[:6]:
        for i, k in np.argwhere((block.ecgs["rhythm"] == FIBRILLATION) & (block.ecgs["pacing"] == 0)):
            if not block.ecgs["regular"][i, k]:
                rr = np.diff(clean_signal(block, int(i), int(k))[2][:, 0])
                spread.append(np.median(np.abs(np.diff(rr))) / rr.mean())
    assert 0.06 < np.median(spread) < 0.2
    waves = np.concatenate([np.abs(b.ecgs["f_leads"][b.ecgs["rhythm"] == FIBRILLATION]).max(axis=-1) for b in blocks])
    assert np.percentile(waves, 10) < 0.03 < 0.08 < np.percentile(waves, 90), "from fine to coarse"
    for block, i, k in chosen(blocks, "flutter"):
        e = block.ecgs[i, k]
        if e["flutter_ratio"] and not e["pacing"] and not e["ventricular_ectopy"]:
            rr = np.diff(clean_signal(block, i, k)[2][:, 0])
            assert np.median(rr) == pytest.approx(e["flutter_ratio"] / e["f_hz"], rel=0.05)
    label = np.concatenate([np.isin(b.ecgs["rhythm"], (FIBRILLATION, FLUTTER)).ravel() for b in blocks])
    assert 0.03 < label.mean() < 0.12


def test_swapped_electrodes_by_potentials(blocks: list[Block]) -> None:
    """A literal twin: nine potentials, two cables exchanged, leads as differences; Einthoven holds after it."""
    rng = np.random.default_rng(0)
    volts = rng.standard_normal((9, 50))

    def leads(v: Floats) -> Floats:
        ra, la, ll = v[:3]
        return np.vstack([la - ra, ll - ra, v[3:] - (ra + la + ll) / 3])

    for (a, b), matrix in zip(((0, 1), (1, 2), (0, 2)), swap_matrices(), strict=True):
        swapped = volts.copy()
        swapped[[a, b]] = volts[[b, a]]
        np.testing.assert_allclose(matrix @ leads(volts), leads(swapped), atol=1e-12)
        twelve = TWELVE_FROM_EIGHT @ leads(swapped)
        np.testing.assert_allclose(twelve[2], twelve[1] - twelve[0], atol=1e-12)
    shares = [np.mean([b.found[name].mean() for b in blocks]) for name in ("swapped_limbs", "swapped_chest")]
    assert 0.012 < shares[0] < 0.028
    assert 0.005 < shares[1] < 0.016
    r_in_one = []
    for block in blocks:
        e = block.ecgs
        negative = block.found["swapped_limbs"] & ~block.found["lbbb"]
        r_in_one += list(e["amplitude"][negative][:, 4, 0])
    assert np.mean(np.array(r_in_one) < 0) > 0.4, "RA and LA swapped turn lead I over, and they are half of the swaps"


# --- LVEF that passes --------------------------------------------------------------------------------------------


def test_passing_lvef_comes_and_goes() -> None:
    low = np.concatenate([make_block(2, BLOCK * i, PASSING).people.lvef < 40 for i in range(4)])
    assert 0.15 < low.mean() < 0.30
    changes = (low[:, 1:] != low[:, :-1]).any(axis=1)
    assert changes.mean() > 0.35
    block = make_block(2, 0, PASSING)
    assert (block.people.lasting == 0.0).mean() > 0.5
    assert "passing-lvef" in HOSPITALS
    assert PASSING.effects.normal == EFFECTS.normal
    assert PASSING.effects.sex == EFFECTS.sex


def test_in_the_passing_world_rhythm_says_nothing_about_the_patient() -> None:
    """AF at half of the visits of everybody, independent from visit to visit."""
    af = np.concatenate(
        [make_block(2, BLOCK * i, HOSPITALS["passing-state"]).ecgs["rhythm"] != SINUS for i in range(8)]
    )
    assert 0.46 < af.mean() < 0.54
    assert abs(np.corrcoef(af[:, 0], af[:, 1])[0, 1]) < 0.1


def test_a_cardiology_department_sees_more_of_the_same() -> None:
    ward, town = ([make_block(2, BLOCK * i, HOSPITALS[name]) for i in range(4)] for name in ("cardiology", "lifelike"))

    def share(blocks: list[Block]) -> tuple[float, float]:
        return (
            float(np.mean([block.ecgs["rhythm"] != SINUS for block in blocks])),
            float(np.mean([block.people.lvef < 40 for block in blocks])),
        )

    (af, low), (af_in_town, low_in_town) = share(ward), share(town)
    assert 0.18 < af < 0.32 and af > 2 * af_in_town
    assert low > 1.5 * low_in_town
    assert HOSPITALS["cardiology"].effects == HOSPITALS["lifelike"].effects
