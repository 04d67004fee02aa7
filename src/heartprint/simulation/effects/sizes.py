"""How large every effect is, in the teaching worlds unless another world says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from heartprint.simulation.effects.conditions import Conditions


@dataclass(frozen=True)
class Normal:
    """A man of 55 years with a normal heart, and how much such men differ (standard deviations)."""

    # ELSA-Brasil medians of men: rate 63, PR 164, QRS 92, QTc 410; hospital patients are a little faster (ours).
    rate_per_min: float = 69.0
    rate_sd: float = 9.0
    pr_s: float = 0.164
    pr_sd: float = 0.020
    qrs_s: float = 0.092
    qrs_sd: float = 0.007
    qtc_s: float = 0.410  # Fridericia
    qtc_sd: float = 0.015
    # Scatter of each wave's vector, as a share of its length; of wave times (s) and widths (log). Ours, judged by the
    # width of the 2nd-98th percentiles in Rijnbeek 2014.
    p_scatter: float = 0.25
    qrs_scatter: float = 0.17
    t_scatter: float = 0.14
    time_sd: float = 0.002
    width_log_sd: float = 0.10
    # Overall voltages (log): habitus, conductivity.
    qrs_gain_log_sd: float = 0.15
    t_gain_log_sd: float = 0.15
    p_gain_log_sd: float = 0.40  # P is often hard to see
    st_log_sd: float = 0.4
    # How the heart lies in the chest, degrees. Ours; with waves and age it gives the axis percentiles of Palhares 2017.
    frontal_sd: float = 15.0
    horizontal_sd: float = 11.0
    sagittal_sd: float = 9.0
    t_follows: float = 0.6  # how far the T axis follows the QRS axis from patient to patient (ours)
    t_angle_sd: float = 9.0  # the T loop against the QRS loop
    # Lead field: gain per lead (log) and direction (share of its length); chest leads differ most.
    lead_gain_log_sd: float = 0.08
    lead_direction: float = 0.07
    # What a single dipole cannot explain: each wave has its own source, so its own lead field (Sameni 2007). Share.
    nondipolar: float = 0.11


@dataclass(frozen=True)
class Sex:
    """Women against men.

    Differences of medians are ELSA-Brasil's; the directions of amplitude ratios are from Simonson 1960 and Rijnbeek
    2014. Their sizes are ours, some larger than in the real development ECGs (median T in V2, women / men: 0.33 here,
    0.63 there; R in V3: 0.67 and 0.75), so that a network trained on some thousand sheets tells sex as well as
    published ones trained on many more.
    """

    rate_per_min: float = 3.0
    pr_s: float = -0.006
    qrs_s: float = -0.006
    qtc_s: float = 0.011
    frontal_deg: float = 4.0
    qrs_gain: float = 0.95
    qrs_back: float = 0.64  # S in V1-V3, hence z of the left-ventricular and basal waves
    qrs_apex: float = 0.58
    t_gain: float = 0.92
    t_front: float = 0.42  # T in V1-V4
    st_gain: float = 0.25  # Macfarlane 2001, Surawicz 2002


@dataclass(frozen=True)
class Age:
    """Per year from 55. Rijnbeek 2014 (axis, QTc, amplitudes), Surawicz 2002 (ST), Palhares 2017 (PR); rounded."""

    frontal_deg: float = -0.45
    pr_s: float = 0.00025
    qtc_s: float = 0.00010
    t_gain_log: float = -0.004
    qrs_gain_log: float = -0.001
    male_st_young: float = 1.6  # factor on ST in men at 20 years, falling linearly
    male_st_old: float = 0.25  # at 80 years
    rsa_log: float = -0.018  # beat-to-beat variation shrinks


@dataclass(frozen=True)
class Lvef:
    """Low LVEF. Severity is 0 at 55 %, 1 at 30 %, linear and not below 0.

    Each patient answers to it differently: effects are multiplied by a log-normal response (ours), since the same LVEF
    comes from different diseases.
    """

    zero_at: float = 55.0
    one_at: float = 30.0
    response_log_sd: float = 0.30
    qrs_s: float = 0.014  # with the blocks below about the +15 ms of PMC3627277
    t_gain_log: float = -1.00  # T low ...
    # ... and turned away from QRS, mostly in the horizontal plane (PMC7483599); frontal, horizontal, sagittal.
    t_turn_deg: tuple[float, float, float] = (25.0, 60.0, 0.0)
    apex_loss: float = 0.70  # poor R progression (Goldberger 1982, PMC7483599): loss of the forward apical wave
    back_gain: float = 0.20  # tall S in V1-V3 (Goldberger 1982)
    limb_loss: float = 0.18  # low limb leads (Goldberger 1982)
    left_atrium: float = 0.45
    pr_s: float = 0.010
    rate_per_min: float = 5.0
    # Distribution within hospital patients, per cent (ours).
    preserved_mean: float = 61.0
    preserved_sd: float = 5.5
    reduced_mean: float = 30.0
    reduced_sd: float = 7.0
    drift_sd_per_sqrt_year: float = 1.2  # percentage points; ours
    echo_error_sd: float = 3.0  # Thavendiranathan 2013
    # Only in the world that asks whether a method keeps passing states: the share of patients whose LVEF is drawn anew
    # at every visit, and the chance that it is low then. Ours, against nature.
    comes_and_goes: float = 0.0
    chance_low: float = 0.45


@dataclass(frozen=True)
class Finding:
    """How common a stable finding is.

    ``base`` is the chance in a patient of 55 years with normal LVEF, ``per_decade_log`` its change with age,
    ``per_severity`` the chance added by a unit of LVEF severity, ``women_ratio`` the chance in women against men.
    """

    base: float
    per_decade_log: float
    per_severity: float
    women_ratio: float = 1.0


@dataclass(frozen=True)
class Findings:
    """How common stable findings are. Orders of size from Kashani & Barold 2005 and Davie 1996, sizes ours."""

    lbbb: Finding = Finding(0.010, 0.35, 0.15)
    rbbb: Finding = Finding(0.035, 0.30, 0.04, 0.6)
    left_anterior_block: Finding = Finding(0.040, 0.30, 0.05, 0.8)
    anterior_infarct: Finding = Finding(0.022, 0.25, 0.17, 0.5)
    inferior_infarct: Finding = Finding(0.032, 0.25, 0.11, 0.5)
    hypertrophy: Finding = Finding(0.085, 0.15, 0.10)
    low_voltage: Finding = Finding(0.030, 0.10, 0.04)
    flat_t: Finding = Finding(0.10, 0.20, 0.06, 1.4)
    turned_t: Finding = Finding(0.025, 0.20, 0.08)
    multifocal_rhythm: Finding = Finding(0.025, 0.35, 0.01)
    supraventricular_ectopy: Finding = Finding(0.09, 0.30, 0.05)
    ventricular_ectopy: Finding = Finding(0.05, 0.20, 0.14)


@dataclass(frozen=True)
class FindingShapes:
    """What the findings do to the waves. Textbook directions (Surawicz & Knilans), sizes ours."""

    left_anterior_block_deg: float = -58.0
    left_anterior_block_qrs_s: float = 0.008
    lbbb_delay_s: float = 0.048
    rbbb_delay_s: float = 0.040
    block_completeness: tuple[float, float] = (0.75, 1.1)
    block_width: tuple[float, float] = (0.85, 1.15)
    anterior_size: tuple[float, float] = (0.6, 1.1)
    anterior_apex_loss: float = 0.6
    anterior_back_mv: float = 0.22  # early forces point away from the scar: Q in V1-V4
    anterior_t_mv: float = 0.28  # T turned in V2-V4 in half of them
    inferior_size: tuple[float, float] = (0.6, 1.3)
    inferior_up_mv: float = 0.34
    inferior_t_mv: float = 0.20
    turned_t_share: float = 0.55
    hypertrophy_gain: tuple[float, float] = (1.25, 1.75)
    hypertrophy_qrs_s: float = 0.006
    strain_st_mv: tuple[float, float, float] = (-0.09, -0.04, -0.06)
    hypertrophy_strain_share: float = 0.40
    low_voltage_gain: tuple[float, float] = (0.45, 0.65)
    flat_t_gain: tuple[float, float] = (0.15, 0.6)
    turned_t_gain: tuple[float, float] = (-0.9, -0.2)
    multifocal_jitter: tuple[float, float] = (0.06, 0.20)  # irregular sinus or multifocal atrial rhythm, share of RR
    supraventricular_per_beat: tuple[float, float] = (0.02, 0.15)
    ventricular_per_beat: tuple[float, float] = (0.02, 0.12)
    ectopic_mv: float = 1.25
    ectopic_log_sd: float = 0.2
    ectopic_turn: float = 0.35


@dataclass(frozen=True)
class AtrialFibrillation:
    """AF and flutter. Prevalence: Go 2001, Maisel & Stevenson 2003 (hospital patients have more, ours)."""

    log_odds_at_65: float = -1.45
    per_decade: float = 0.50
    per_severity: float = 0.65
    persistent_share: float = 0.45
    chance_paroxysmal: float = 0.36  # that an ECG of such a patient shows AF
    chance_persistent: float = 0.90
    flutter_share: float = 0.16
    regular_share: float = 0.10  # of fibrillation: junctional or escape rhythm, RR regular; ours
    regular_rr_s: tuple[float, float] = (0.65, 1.5)
    # Lian 2007: impulses per second that reach the node, its refractory time (s), what a concealed impulse adds.
    impulses_hz: tuple[float, float] = (5.5, 9.0)
    refractory_s: tuple[float, float] = (0.14, 0.52)
    concealed_s: float = 0.045
    # Petrenas 2017, Stridh & Sornmo 2001: 4-9 Hz, amplitudes 0.02-0.2 mV, largest in V1.
    f_wave_hz: tuple[float, float] = (4.5, 8.0)
    f_wave_vector: tuple[float, float, float] = (-0.030, 0.045, -0.045)
    f_wave_log_sd: float = 0.60
    flutter_hz: tuple[float, float] = (4.0, 5.3)
    flutter_vector: tuple[float, float, float] = (-0.02, -0.13, -0.06)


@dataclass(frozen=True)
class PassingChange:
    """What differs between two ECGs of one patient and says nothing about the patient."""

    rate_sd: float = 10.0  # per minute; ours
    respiratory_arrhythmia: float = 0.022  # share of RR at 55 years (McSharry 2003); log-normal between visits
    mayer_arrhythmia: float = 0.014
    rr_jitter: float = 0.006
    rsa_log_sd: float = 0.85
    respiration_hz: tuple[float, float] = (0.15, 0.38)
    respiration_gain: tuple[float, float] = (0.01, 0.07)  # R amplitude with breathing
    pr_sd: float = 0.005
    qtc_sd: float = 0.009
    position_deg: tuple[float, float, float] = (7.0, 6.0, 5.0)  # frontal, horizontal, sagittal; posture and breath
    gain_log_sd: float = 0.13  # weight, fluid, lungs; with the electrodes it gives the 20 % of McLaughlin 1998
    t_gain_log_sd: float = 0.15
    p_gain_log_sd: float = 0.25
    t_turn_deg: float = 8.0
    st_mv: float = 0.018
    # Electrodes (Schijvenaars 2008, Wenger & Kligfield 1996; sizes ours): along the chest in distances between
    # neighbouring electrodes, upward in interspaces.
    along_shared: float = 0.22
    along_each: float = 0.13
    upward_mean: float = 0.20
    upward_sd: float = 0.45
    upward_effect: tuple[float, float, float] = (0.0, -0.22, 0.16)
    chest_gain_log_sd: float = 0.07
    # Slow change of the signature, share of a wave's length per square root of a year (1984 study of 243 men: small).
    wave_drift: float = 0.035


@dataclass(frozen=True)
class Visits:
    """When patients come back: shares of patients with 1, 2, ... ECGs and log-normal gaps. Ours."""

    shares: tuple[float, ...] = (0.22, 0.30, 0.21, 0.13, 0.09, 0.05)
    gap_median_days: float = 150.0
    gap_log_sd: float = 1.9
    gap_longest_days: float = 3650.0


@dataclass(frozen=True)
class Effects:
    """All of the above; what `simulate` uses."""

    normal: Normal = Normal()
    sex: Sex = Sex()
    age: Age = Age()
    lvef: Lvef = Lvef()
    findings: Findings = Findings()
    shapes: FindingShapes = FindingShapes()
    af: AtrialFibrillation = AtrialFibrillation()
    passing: PassingChange = PassingChange()
    visits: Visits = Visits()
    conditions: Conditions | None = None  # None: a teaching world, which has none of them


EFFECTS = Effects()
"""Those of the teaching worlds `internal` and `external`."""
