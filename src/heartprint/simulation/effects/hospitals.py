"""The simulated hospitals."""

from __future__ import annotations

from dataclasses import dataclass, replace

from heartprint.simulation.effects.conditions import Conditions
from heartprint.simulation.effects.sizes import (
    EFFECTS,
    AtrialFibrillation,
    Effects,
    Finding,
    Findings,
    FindingShapes,
    Lvef,
    Normal,
    PassingChange,
    Sex,
)


@dataclass(frozen=True)
class Machine:
    """An ECG machine, its surroundings and its users. Bandwidths: IEC 60601-2-25 and usual filter settings."""

    device: str
    uv_per_bit: float
    high_pass_hz: float
    low_pass_hz: float
    mains_hz: float
    mains_mv: float
    muscle_mv: float
    breathing_wander_mv: float
    drift_mv: float
    noise_log_sd: float
    burst_share: float
    artefact_share: float
    limb_on_torso_share: float
    share: float = 1.0  # of a hospital's ECGs, against its other machines
    limb_on_torso: tuple[float, float] = (0.80, 1.10)  # lead I smaller, II larger (Mason-Likar 1966; Papouchado 1987)


@dataclass(frozen=True)
class CaseMix:
    """Who comes to a hospital."""

    age_mean: float
    age_sd: float
    women: float
    reduced_lvef: float  # share below 40 %
    mildly_reduced_lvef: float  # share 40-49 %
    af_log_odds: float  # added to the odds of AF


@dataclass(frozen=True)
class Anatomy:
    """How a population's chests differ from Dower's torso."""

    frontal_deg: float
    horizontal_deg: float
    lead_gain_log: float
    chest_gain_tilt_log: float  # V1 smaller and V6 larger by this, or the reverse
    upward_extra: float


@dataclass(frozen=True)
class Hospital:
    """One simulated hospital: name, machines, case mix, anatomy, and the effect sizes that hold there."""

    name: str
    machines: tuple[Machine, ...]
    case_mix: CaseMix
    anatomy: Anatomy
    effects: Effects = EFFECTS


_LIFELIKE = Effects(
    normal=Normal(
        frontal_sd=10.0,
        horizontal_sd=9.0,
        sagittal_sd=6.0,
        t_scatter=0.10,
        t_angle_sd=4.0,
        t_follows=0.35,
        p_gain_log_sd=0.30,
        nondipolar=0.10,
    ),
    # Simonson 1960, Rijnbeek 2014, ELSA-Brasil, and medians of the development half of the real ECGs.
    sex=Sex(qrs_gain=1.02, qrs_back=0.93, qrs_apex=0.68, t_gain=0.97, t_front=0.55, qtc_s=0.017, st_gain=0.35),
    # About half the signs of the teaching worlds (ours): a failing heart often looks like others (Davie 1996).
    lvef=Lvef(
        t_gain_log=-0.45,
        t_turn_deg=(15.0, 30.0, 0.0),
        apex_loss=0.40,
        back_gain=0.12,
        limb_loss=0.12,
        left_atrium=0.35,
        qrs_s=0.008,
        response_log_sd=0.50,
    ),
    # Blocks, infarcts, turned T and ectopy develop there, so they are conditions and not findings.
    findings=Findings(
        **{
            name: Finding(0.0, 0.0, 0.0)
            for name in (
                "lbbb",
                "rbbb",
                "left_anterior_block",
                "anterior_infarct",
                "inferior_infarct",
                "turned_t",
                "multifocal_rhythm",
                "supraventricular_ectopy",
                "ventricular_ectopy",
            )
        },
        flat_t=Finding(0.06, 0.20, 0.04, 1.3),
    ),
    # Strain is seen in a fifth of LVH and seldom reaches V2-V4 (ours).
    shapes=FindingShapes(hypertrophy_strain_share=0.20),
    af=AtrialFibrillation(f_wave_log_sd=0.0, impulses_hz=(6.0, 9.5), refractory_s=(0.22, 0.55)),
    passing=PassingChange(
        rate_sd=9.0,
        respiratory_arrhythmia=0.018,
        rr_jitter=0.004,
        position_deg=(4.5, 5.0, 3.5),
        t_turn_deg=4.0,
        t_gain_log_sd=0.13,
        p_gain_log_sd=0.20,
    ),
    conditions=Conditions(),
)


def _cardiograph(
    name: str, uv_per_bit: float, band_hz: tuple[float, float], mains: tuple[float, float], noise: float, share: float
) -> Machine:
    """A machine of the lifelike hospital; mains in Hz and mV (little behind a notch), noise against the usual."""
    return Machine(
        device=f"simulated cardiograph {name}",
        uv_per_bit=uv_per_bit,
        high_pass_hz=band_hz[0],
        low_pass_hz=band_hz[1],
        mains_hz=mains[0],
        mains_mv=mains[1],
        muscle_mv=0.0045 * noise,
        breathing_wander_mv=0.018 * noise,
        drift_mv=0.028 * noise,
        noise_log_sd=0.65,
        burst_share=0.16,
        artefact_share=0.10,
        limb_on_torso_share=0.15,
        share=share,
    )


# Filter settings as sold and used (IEC 60601-2-25; 40 Hz is common against muscle noise); shares ours. One machine came
# with patients from a country of 60 Hz.
_MACHINES = (
    _cardiograph("C", 1.0, (0.05, 150.0), (50.0, 0.0003), 1.0, 0.30),
    _cardiograph("D", 2.5, (0.05, 150.0), (50.0, 0.0020), 1.0, 0.25),
    _cardiograph("E", 4.88, (0.15, 100.0), (50.0, 0.0005), 0.9, 0.20),
    _cardiograph("F", 5.0, (0.50, 40.0), (50.0, 0.0030), 1.3, 0.12),
    _cardiograph("G", 4.88, (0.15, 35.0), (50.0, 0.0030), 1.4, 0.08),
    _cardiograph("H", 2.0, (0.05, 100.0), (60.0, 0.0020), 1.1, 0.05),
)

HOSPITALS: dict[str, Hospital] = {
    hospital.name: hospital
    for hospital in (
        Hospital(
            "internal",
            (
                Machine(
                    device="simulated cardiograph A",
                    uv_per_bit=2.5,
                    high_pass_hz=0.05,
                    low_pass_hz=150.0,
                    mains_hz=50.0,
                    mains_mv=0.002,
                    muscle_mv=0.0035,
                    breathing_wander_mv=0.015,
                    drift_mv=0.024,
                    noise_log_sd=0.80,
                    burst_share=0.15,
                    artefact_share=0.10,
                    limb_on_torso_share=0.10,
                ),
            ),
            CaseMix(
                age_mean=61.0, age_sd=15.0, women=0.50, reduced_lvef=0.15, mildly_reduced_lvef=0.09, af_log_odds=0.0
            ),
            Anatomy(frontal_deg=0.0, horizontal_deg=0.0, lead_gain_log=0.0, chest_gain_tilt_log=0.0, upward_extra=0.0),
        ),
        Hospital(
            "external",
            (
                Machine(
                    device="simulated cardiograph B",
                    uv_per_bit=4.88,
                    high_pass_hz=0.15,
                    low_pass_hz=35.0,
                    mains_hz=60.0,
                    mains_mv=0.004,
                    muscle_mv=0.007,
                    breathing_wander_mv=0.025,
                    drift_mv=0.040,
                    noise_log_sd=0.80,
                    burst_share=0.25,
                    artefact_share=0.16,
                    limb_on_torso_share=0.45,
                ),
            ),
            CaseMix(
                age_mean=67.0, age_sd=13.0, women=0.46, reduced_lvef=0.18, mildly_reduced_lvef=0.11, af_log_odds=0.15
            ),
            Anatomy(
                frontal_deg=-6.0, horizontal_deg=6.0, lead_gain_log=-0.10, chest_gain_tilt_log=0.08, upward_extra=0.25
            ),
        ),
        Hospital(
            "lifelike",
            _MACHINES,
            CaseMix(
                age_mean=60.0, age_sd=17.0, women=0.50, reduced_lvef=0.09, mildly_reduced_lvef=0.07, af_log_odds=-0.80
            ),
            Anatomy(frontal_deg=0.0, horizontal_deg=0.0, lead_gain_log=0.0, chest_gain_tilt_log=0.0, upward_extra=0.0),
            _LIFELIKE,
        ),
    )
}
"""Hospitals by name. `internal` and `external` are the teaching worlds of the demo: their bytes stay as they are."""

# The internal hospital, but low LVEF comes and goes with the visit and says nothing about who the patient is.
HOSPITALS["passing-lvef"] = replace(
    HOSPITALS["internal"],
    name="passing-lvef",
    case_mix=replace(HOSPITALS["internal"].case_mix, reduced_lvef=0.0, mildly_reduced_lvef=0.0),
    effects=replace(EFFECTS, lvef=replace(EFFECTS.lvef, comes_and_goes=0.5)),
)

# There, every patient also has AF at half of the visits: being in AF says nothing about who the patient is.
_PASSING = HOSPITALS["passing-lvef"]
HOSPITALS["passing-state"] = replace(
    _PASSING,
    name="passing-state",
    case_mix=replace(_PASSING.case_mix, af_log_odds=20.0),
    effects=replace(_PASSING.effects, af=replace(EFFECTS.af, persistent_share=0.0, chance_paroxysmal=0.5)),
)

# The people whom a cardiology department sees: the diseases are those of `lifelike`, only more common. AF in about
# every fourth ECG (ours), so that what is learned from its sheets has met enough of it.
HOSPITALS["cardiology"] = replace(
    HOSPITALS["lifelike"],
    name="cardiology",
    case_mix=CaseMix(
        age_mean=64.0, age_sd=15.0, women=0.47, reduced_lvef=0.22, mildly_reduced_lvef=0.12, af_log_odds=0.8
    ),
)
