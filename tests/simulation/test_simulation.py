"""Simulated cohorts: determinism, physiology, honesty."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from heartprint.cohorts import Cohort
from heartprint.foundation.errors import HeartprintError
from heartprint.simulation import effects as effects_module
from heartprint.simulation import simulate
from heartprint.simulation.draws import BLOCK, Draws, rotation
from heartprint.simulation.effects import EFFECTS, HOSPITALS, NORMAL_WAVES, Finding
from heartprint.simulation.recording import draw_noise, empty_ecgs
from heartprint.simulation.simulate import Block, make_block
from heartprint.simulation.synthesis import (
    _MAX_BEATS,
    ECG,
    FIBRILLATION,
    N_KNOTS,
    N_NORMALS,
    N_UNIFORMS,
    RUN_IN_S,
    SINUS,
    electrode_noise,
    heart,
    low_pass_coefficients,
    record,
    rhythm,
)

INTERNAL, EXTERNAL = HOSPITALS["internal"], HOSPITALS["external"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("simulated") / "internal", 400, seed=3, progress=False)


@pytest.fixture(scope="module")
def external(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return simulate(tmp_path_factory.mktemp("simulated") / "external", 400, seed=3, hospital="external", progress=False)


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return [make_block(11, BLOCK * i, INTERNAL) for i in range(12)]


def visited(block: Block) -> npt.NDArray[np.bool_]:
    return np.arange(block.ecgs.shape[1]) < block.people.n_visits[:, None]


def gather(blocks: list[Block], value: str) -> npt.NDArray[np.float64]:
    """One number per real visit, from the people or from the ECG descriptions."""
    parts = []
    for block in blocks:
        array = getattr(block.people, value) if hasattr(block.people, value) else block.ecgs[value]
        if array.ndim == 1:
            array = np.repeat(array[:, None], block.ecgs.shape[1], axis=1)
        parts.append(array[visited(block)])
    return np.concatenate(parts).astype(np.float64)


# --- determinism ------------------------------------------------------------------------------------------------


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate(tmp_path / name, 30, seed=5, progress=False)
    for file in ("waveforms.i16", "records.parquet"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    other = simulate(tmp_path / "c", 30, seed=6, progress=False)
    assert other.info.content_hash != Cohort.open(tmp_path / "a").info.content_hash


def test_more_patients_leave_the_first_as_they_are(tmp_path: Path) -> None:
    few = simulate(tmp_path / "few", BLOCK - 3, seed=5, progress=False)
    many = simulate(tmp_path / "many", BLOCK + 40, seed=5, progress=False)
    assert many.records[: len(few)].equals(few.records)
    head = (few.path / "waveforms.i16").read_bytes()
    assert (many.path / "waveforms.i16").read_bytes()[: len(head)] == head


def test_both_rates_show_the_same_patients(tmp_path: Path) -> None:
    low = simulate(tmp_path / "low", 6, seed=5, rate=100, progress=False)
    high = simulate(tmp_path / "high", 6, seed=5, rate=500, progress=False)
    same = ["ecg_id", "patient_id", "recorded_at", "age", "sex", "label_af", "label_lvef"]
    assert low.records.select(same).equals(high.records.select(same))
    assert high.signal(0).shape == (8, 5000)
    assert low.signal(0).shape == (8, 1000)
    alike = []
    for row in range(len(low)):
        a, b = (np.diff(x, axis=1).ravel() for x in (low.signal(row), high.signal(row)[:, ::5]))
        alike.append(np.corrcoef(a, b)[0, 1])
    assert np.median(alike) > 0.7, "noise differs, the hearts behind it are the same"


# --- the cohort -------------------------------------------------------------------------------------------------


def test_cohort_says_that_it_is_simulated(cohort: Cohort, external: Cohort) -> None:
    for c, hospital in ((cohort, "internal"), (external, "external")):
        assert c.info.simulated
        assert c.info.source.startswith("Simulated")
        assert c.records["device"].str.contains("simulated").all()
        assert c.records["site"].unique().to_list() == [f"simulated {hospital} hospital"]
    assert not set(cohort.patient_ids) & set(external.patient_ids)


def test_nothing_is_missing_clipped_or_flat(cohort: Cohort, external: Cohort) -> None:
    for c in (cohort, external):
        assert c.records["n_missing"].sum() == 0
        assert c.records["n_clipped"].sum() == 0
        signals = np.stack([c.signal(i) for i in range(len(c))])
        assert np.isfinite(signals).all()
        assert np.abs(signals).max() < 12.0
        assert signals.std(axis=-1).min() > 0.005
        assert (
            c.records.select(pl.col("age", "sex", "recorded_at", "label_af", "label_lvef").null_count().sum())
            .sum()
            .sum_horizontal()
            .item()
            == 0
        )


def test_visits(cohort: Cohort) -> None:
    r = cohort.records
    counts = r.group_by("patient_id").len()["len"].to_numpy()
    assert counts.min() == 1
    assert counts.max() <= 6
    assert (counts >= 2).mean() > 0.65
    per_patient = r.group_by("patient_id", maintain_order=True).agg(
        pl.col("recorded_at").diff().dt.total_seconds().alias("gap"), pl.col("age"), pl.col("sex").n_unique()
    )
    gaps = per_patient["gap"].explode().drop_nulls().to_numpy() / 86400.0
    assert (gaps > 0).all()
    assert np.quantile(gaps, 0.1) < 30 < 365 < np.quantile(gaps, 0.9)
    assert per_patient["sex"].max() == 1
    span = (r["recorded_at"].min(), r["recorded_at"].max())
    assert span[0].year >= 2000  # type: ignore[union-attr]
    assert span[1].year <= 2021  # type: ignore[union-attr]


def test_prevalences(blocks: list[Block]) -> None:
    assert 0.10 < (gather(blocks, "rhythm") != SINUS).mean() < 0.15
    assert 0.12 < (gather(blocks, "lvef_echo") < 40).mean() < 0.20
    assert 0.45 < gather(blocks, "female").mean() < 0.55
    other = [make_block(11, BLOCK * i, EXTERNAL) for i in range(6)]
    assert (gather(other, "rhythm") != SINUS).mean() > (gather(blocks, "rhythm") != SINUS).mean()
    assert gather(other, "age").mean() > gather(blocks, "age").mean() + 3


def test_external_hospital_is_another_machine(cohort: Cohort, external: Cohort) -> None:
    def hiss(c: Cohort) -> float:
        return float(np.median([np.median(np.abs(np.diff(c.signal(i), n=2, axis=1))) for i in range(300)]))

    assert cohort.records["uv_per_bit"][0] != external.records["uv_per_bit"][0]
    assert cohort.records["device"][0] != external.records["device"][0]
    assert cohort.info.settings["hospital"] != external.info.settings["hospital"]
    assert hiss(external) > 1.1 * hiss(cohort)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"n_patients": 0}, "bad-patient-count"),
        ({"n_patients": -3}, "bad-patient-count"),
        ({"n_patients": 2, "hospital": "extrenal"}, "unknown-hospital"),
        ({"n_patients": 2, "rate": 250}, "unsupported-rate"),
    ],
)
def test_bad_arguments(tmp_path: Path, arguments: dict[str, object], code: str) -> None:
    with pytest.raises(HeartprintError) as caught:
        simulate(tmp_path / "x", progress=False, **arguments)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert not (tmp_path / "x").exists()
    if code == "unknown-hospital":
        assert "external" in caught.value.message


# --- physiology, measured on noiseless beats ---------------------------------------------------------------------


def noiseless(ecgs: npt.NDArray[np.void], i: int, rate: float = 500.0) -> npt.NDArray[np.float64]:
    """One beat of ECG ``i`` without noise, ``(700, 8)`` at 500 Hz, its QRS onset at sample 200."""
    out = np.zeros((int(0.6 * rate) + 900, 8))
    onset, kind, slow = np.array([0.0]), np.array([0]), np.array([1.0])
    heart(ecgs, i, np.zeros(N_NORMALS), 1, onset, kind, slow, rate, out)
    start = int(RUN_IN_S * rate) - 200
    return out[start : start + 700]


@pytest.fixture(scope="module")
def beats(blocks: list[Block]) -> tuple[npt.NDArray[np.float64], pl.DataFrame]:
    """Noiseless beats at a rate of 60 of the first visits in sinus rhythm, and who they are."""
    signals, rows = [], []
    for block in blocks[:6]:
        ecgs = block.ecgs.copy()
        ecgs["respiration_gain"] = 0.0
        ecgs["rhythm"] = SINUS
        for i in range(BLOCK):
            signals.append(noiseless(ecgs[i], 0))
            rows.append(
                {
                    "female": bool(block.people.female[i]),
                    "age": float(block.people.age[i, 0]),
                    "lvef": float(block.people.lvef[i, 0]),
                    "qrs": float(ecgs["qrs"][i, 0]),
                }
            )
    return np.stack(signals), pl.DataFrame(rows)


def peaks(signals: npt.NDArray[np.float64], low: float, high: float) -> tuple[npt.NDArray[np.float64], ...]:
    part = signals[:, 200 + int(low * 500) : 200 + int(high * 500)]
    return part.max(axis=1), part.min(axis=1)


def test_normal_hearts_have_normal_beats(beats: tuple[npt.NDArray[np.float64], pl.DataFrame]) -> None:
    signals, who = beats
    normal = ((who["lvef"] > 55) & (who["qrs"] < 0.115)).to_numpy()
    r, s = peaks(signals[normal], 0.0, 0.12)
    t_high, t_low = peaks(signals[normal], 0.22, 0.40)
    p_high, _ = peaks(signals[normal], -0.25, -0.03)
    r50, s50 = np.median(r, axis=0), np.median(s, axis=0)
    lead = {name: i for i, name in enumerate(("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"))}
    # Wide limits around the medians of Rijnbeek 2014 and of the real development ECGs.
    for name, (low, high) in {
        "I": (0.4, 1.1),
        "II": (0.4, 1.2),
        "V1": (0.05, 0.45),
        "V4": (0.8, 2.0),
        "V5": (0.9, 2.0),
    }.items():
        assert low < r50[lead[name]] < high, name
    assert -1.8 < s50[lead["V2"]] < -0.7
    assert s50[lead["V6"]] > -0.4
    assert r50[lead["V1"]] < r50[lead["V3"]] < r50[lead["V5"]], "R grows across the chest"
    t50 = np.median(np.where(t_high > -t_low, t_high, t_low), axis=0)
    assert 0.15 < t50[lead["V2"]] < 0.7
    assert 0.2 < t50[lead["V4"]] < 0.8
    assert 0.05 < t50[lead["I"]] < 0.35
    assert 0.04 < np.median(p_high[:, lead["II"]]) < 0.20
    axis = np.degrees(
        np.arctan2((2 * r[:, 1] - r[:, 0]) / np.sqrt(3) + (2 * s[:, 1] - s[:, 0]) / np.sqrt(3), r[:, 0] + s[:, 0])
    )
    assert 0 < np.median(axis) < 60
    assert np.mean((axis > -90) & (axis < 120)) > 0.9


def test_intervals_are_physiological(blocks: list[Block]) -> None:
    qrs, qtc = gather(blocks, "qrs"), gather(blocks, "qtc")
    assert 0.080 < np.median(qrs) < 0.105
    assert qrs.min() >= 0.06
    assert qrs.max() < 0.22
    assert 0.40 < np.median(qtc) < 0.43
    assert 0.03 < (qrs > 0.120).mean() < 0.20
    sinus = gather(blocks, "rhythm") == SINUS
    rate = 60 / gather(blocks, "rr")[sinus]
    assert 62 < np.median(rate) < 82


def test_documented_effects_of_sex_age_and_lvef(beats: tuple[npt.NDArray[np.float64], pl.DataFrame]) -> None:
    signals, who = beats
    female, low = who["female"].to_numpy(), (who["lvef"] < 35).to_numpy()
    well = (who["lvef"] > 55).to_numpy()
    t_v2 = signals[:, 200 + 110 : 200 + 200, 3].max(axis=1)
    s_v2 = signals[:, 200:260, 3].min(axis=1)
    r_v3 = signals[:, 200:260, 4].max(axis=1)
    t_v5 = signals[:, 200 + 110 : 200 + 200, 6].max(axis=1)
    assert np.median(t_v2[female & well]) < 0.75 * np.median(t_v2[~female & well])
    assert np.median(s_v2[female & well]) > np.median(s_v2[~female & well])
    assert np.median(r_v3[low]) < 0.8 * np.median(r_v3[well]), "poor R progression"
    assert np.median(t_v5[low]) < 0.6 * np.median(t_v5[well]), "low T"
    assert who.filter(low)["qrs"].mean() > who.filter(well)["qrs"].mean() + 0.010  # type: ignore[operator]


def test_qt_follows_rate_slowly() -> None:
    block = make_block(2, 0, INTERNAL)
    ecgs = block.ecgs[0]

    def t_peak(slow_rr: float) -> int:
        out = np.zeros((1200, 8))
        heart(ecgs, 0, np.zeros(N_NORMALS), 1, np.array([0.0]), np.array([0]), np.array([slow_rr]), 500.0, out)
        return int(np.abs(out[500 + 90 : 900]).sum(axis=1).argmax())

    ecgs["rhythm"] = SINUS
    assert t_peak(0.6) < t_peak(0.8) < t_peak(1.1)


# --- rhythm -----------------------------------------------------------------------------------------------------


def beat_times(ecgs: npt.NDArray[np.void], i: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    onset, slow, before = np.empty(_MAX_BEATS), np.empty(_MAX_BEATS), np.empty(_MAX_BEATS)
    kind = np.empty(_MAX_BEATS, dtype=np.int64)
    n = rhythm(ecgs, i, rng.standard_normal(N_NORMALS), rng.random(N_UNIFORMS), 11.0, onset, kind, slow, before)
    return onset[:n], kind[:n]


def test_af_is_irregular_and_has_no_p(blocks: list[Block]) -> None:
    spread: dict[bool, list[float]] = {True: [], False: []}
    for block in blocks[:4]:
        ecgs = block.ecgs.copy()
        for i in range(BLOCK):
            fibrillates = bool(ecgs["rhythm"][i, 0] == FIBRILLATION) and not ecgs["regular"][i, 0]
            if not fibrillates and ecgs["rhythm"][i, 0] != SINUS:
                continue
            onset, kind = beat_times(ecgs[i], 0, i)
            rr = np.diff(onset)
            spread[fibrillates].append(float(np.median(np.abs(np.diff(rr))) / rr.mean()))
            assert onset[-1] > 11.0
            assert rr.min() > 0.26
            if fibrillates:
                assert not set(kind) & {0, 1}
    assert np.median(spread[True]) > 0.12
    assert np.median(spread[False]) < 0.04

    ecgs = blocks[0].ecgs[:1, :1].copy()
    ecgs["rhythm"] = SINUS
    with_p = noiseless(ecgs[0], 0)
    out = np.zeros_like(with_p)
    whole = np.zeros((1200, 8))
    heart(ecgs[0], 0, np.zeros(N_NORMALS), 1, np.array([0.0]), np.array([3]), np.array([1.0]), 500.0, whole)
    out = whole[300:1000]
    assert np.abs(with_p[60:180] - out[60:180]).max() > 0.02
    np.testing.assert_allclose(out[60:160], 0.0, atol=0.01)


def test_every_possible_rhythm_fills_the_ecg() -> None:
    ecgs = np.zeros((1, 1), dtype=ECG)
    ecgs["rr"], ecgs["impulses_hz"], ecgs["refractory"], ecgs["f_hz"] = 0.3, 9.0, 0.14, 5.3
    for mode in range(3):
        for regular in (0, 1):
            for ectopy in (0.0, 0.3):
                ecgs["rhythm"], ecgs["regular"], ecgs["ventricular_ectopy"] = mode, regular, ectopy
                onset, _ = beat_times(ecgs[0], 0, mode)
                assert onset[0] < 0
                assert onset[-1] > 10.0


# --- noise and machine ------------------------------------------------------------------------------------------


def test_noise_knows_nothing_of_the_patient(blocks: list[Block]) -> None:
    """`draw_noise` has no access to people; its levels are also uncorrelated with LVEF, sex and age."""
    assert set(draw_noise.__annotations__) == {"v", "hospital", "ecgs", "return"}
    lvef, female, age = gather(blocks, "lvef"), gather(blocks, "female"), gather(blocks, "age")
    n = len(lvef)
    passing = ["burst_gain", "burst_start", "artefact_mv", "respiration_hz", "respiration_phase", "respiration_gain"]
    values = [gather(blocks, name) for name in passing]
    for name in ("breathing", "drift", "muscle", "mains"):
        level = np.concatenate([np.log(np.abs(b.ecgs[name])).mean(axis=-1)[visited(b)] for b in blocks])
        values.append(level)
    for value in values:
        for trait in (lvef, female, age):
            assert abs(np.corrcoef(value, trait)[0, 1]) < 4.5 / np.sqrt(n)


def test_rate_depends_on_lvef_and_sex_by_the_documented_effects_only() -> None:
    """With those effects set to zero, nothing of rate or its variation is left to tell LVEF or sex."""
    without = replace(
        EFFECTS,
        sex=replace(EFFECTS.sex, rate_per_min=0.0),
        lvef=replace(EFFECTS.lvef, rate_per_min=0.0),
        af=replace(EFFECTS.af, per_severity=0.0),
    )
    blocks = [make_block(4, BLOCK * i, replace(INTERNAL, effects=without)) for i in range(16)]
    first = [b.ecgs[:, 0] for b in blocks]
    lvef = np.concatenate([b.people.lvef[:, 0] for b in blocks])
    female = np.concatenate([b.people.female for b in blocks]).astype(float)
    for name in ("rr", "rsa", "mayer", "rhythm"):
        value = np.concatenate([f[name] for f in first]).astype(float)
        for trait in (lvef, female):
            assert abs(np.corrcoef(value, trait)[0, 1]) < 4.5 / np.sqrt(len(lvef)), name


def test_dates_and_counts_tell_nothing(blocks: list[Block]) -> None:
    lvef = np.concatenate([b.people.lvef[:, 0] for b in blocks])
    female = np.concatenate([b.people.female for b in blocks]).astype(float)
    counts = np.concatenate([b.people.n_visits for b in blocks]).astype(float)
    start = np.concatenate([b.people.recorded_at[:, 0].astype(np.int64) for b in blocks]).astype(float)
    for value in (counts, start):
        for trait in (lvef, female):
            assert abs(np.corrcoef(value, trait)[0, 1]) < 4.5 / np.sqrt(len(lvef))


def test_electrode_noise_obeys_einthoven_and_wilson() -> None:
    """A literal twin: nine electrode potentials, leads as their differences."""
    rng = np.random.default_rng(0)
    ecgs = empty_ecgs()[:1, :1].copy()
    for name in ("breathing", "drift", "muscle", "mains"):
        ecgs[name] = 0.0
    ecgs["muscle"] = np.arange(1, 10) / 10
    ecgs["burst_gain"], ecgs["burst_start"], ecgs["artefact_electrode"] = 1.0, 99.0, -1
    white, knots = rng.standard_normal((9, 300)).astype(np.float32), rng.standard_normal((9, N_KNOTS))
    out = np.zeros((300, 8))
    electrode_noise(ecgs[0], 0, white, knots, 50.0, 500.0, out)
    ra, la, ll, *chest = (white * (np.arange(1, 10)[:, None] / 10)).astype(np.float64)
    np.testing.assert_allclose(out[:, 0], la - ra, atol=1e-6)
    np.testing.assert_allclose(out[:, 1], ll - ra, atol=1e-6)
    for k, electrode in enumerate(chest):
        np.testing.assert_allclose(out[:, 2 + k], electrode - (ra + la + ll) / 3, atol=1e-6)


def test_machine_filters_and_steps_like_scipy() -> None:
    from scipy.signal import butter, lfilter

    rng = np.random.default_rng(1)
    signal = rng.standard_normal((1000, 8)).cumsum(axis=0) * 0.02
    signal -= signal[0]
    out = np.empty((8, 1000), dtype=np.int16)
    assert record(signal, 500.0, low_pass_coefficients(40.0, 500.0), 0.05, 5.0, out) == 0
    low = lfilter(*butter(2, 40 / 250), signal, axis=0)
    a = 1 / (1 + 2 * np.pi * 0.05 / 500)
    expected = lfilter([a, -a], [1, -a], low, axis=0) * 1000 / 5
    assert np.abs(out.T - expected).max() <= 0.51


def test_clipping_is_counted_never_wrapped() -> None:
    signal = np.zeros((200, 8))
    signal[50:] = 400.0
    out = np.empty((8, 200), dtype=np.int16)
    clipped = record(signal, 100.0, low_pass_coefficients(40.0, 100.0), 0.05, 1.0, out)
    assert clipped > 0
    assert out.max() == 32767
    assert out.min() > -32768


# --- small parts ------------------------------------------------------------------------------------------------


def test_rotation_turns_the_axes_as_documented() -> None:
    left, down, back = np.eye(3)
    np.testing.assert_allclose(rotation(np.array([90.0, 0, 0])) @ left, down, atol=1e-12)
    np.testing.assert_allclose(rotation(np.array([0, 90.0, 0])) @ left, back, atol=1e-12)
    np.testing.assert_allclose(rotation(np.array([0, 0, 90.0])) @ down, back, atol=1e-12)
    r = rotation(np.random.default_rng(0).normal(0, 40, (7, 3)))
    np.testing.assert_allclose(r @ np.swapaxes(r, -1, -2), np.broadcast_to(np.eye(3), (7, 3, 3)), atol=1e-12)


def test_draws_refuse_to_run_dry() -> None:
    d = Draws(np.zeros((2, 3)), np.zeros((2, 1)))
    d.normal(3)
    with pytest.raises(ValueError, match="more normal draws"):
        d.normal(1)


def test_at_least_eight_waves_and_a_source_for_every_group_of_effects() -> None:
    assert len(NORMAL_WAVES) >= 8
    assert effects_module.__doc__ is not None
    for name in ("McSharry 2003", "Sameni 2007", "Dower 1980", "Rijnbeek 2014", "Palhares 2017", "Lian 2007"):
        assert name in effects_module.__doc__
    for field in fields(EFFECTS):
        group = getattr(HOSPITALS["lifelike"].effects, field.name)
        assert is_dataclass(group)
        assert type(group).__doc__


def test_every_finding_occurs_more_often_with_low_lvef() -> None:
    for field in fields(EFFECTS.findings):
        finding = getattr(EFFECTS.findings, field.name)
        assert isinstance(finding, Finding)
        assert 0 < finding.base < 0.2
        assert finding.per_severity >= 0


# --- the command line -------------------------------------------------------------------------------------------


def test_command_line(tmp_path: Path) -> None:
    import typer
    from typer.testing import CliRunner

    from heartprint.cli.simulate import simulate as verb

    app = typer.Typer()
    app.command()(verb)
    out = tmp_path / "cohort"
    result = CliRunner().invoke(app, [str(out), "--patients", "3", "--seed", "4", "--hospital", "external"])
    assert result.exit_code == 0, result.output
    assert "Simulated" in result.output
    assert Cohort.open(out).n_patients == 3
    wrong = CliRunner().invoke(app, [str(out), "--patients", "3", "--rate", "250"])
    assert isinstance(wrong.exception, HeartprintError)
    assert wrong.exception.code == "unsupported-rate"
    assert Cohort.open(out).n_patients == 3, "the old cohort stays usable"
