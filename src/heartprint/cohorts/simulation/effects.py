"""Every effect size of the simulated patients, with its source.

This is the one file to read, doubt and change. Figures marked *ours* are choices: where a source gives only a
direction, or where the size was set so that simulated ECGs look and measure like real ones. The simulation shows
mechanisms; it proves nothing about hospitals.

Sources:
    Dower 1980: Clin Cardiol 3:87. Lead vectors of the twelve leads in Frank coordinates.
    Edenbrandt & Pahlm 1988: J Electrocardiol 21:361. The same transformation, inverted and checked.
    McSharry 2003: IEEE Trans Biomed Eng 50:289. Beats as sums of Gaussian waves; breathing and Mayer waves in RR.
    Sameni 2007: EURASIP J Adv Signal Process 2007:043407. The waves as 3-D dipoles, noise included.
    Lian 2007: IEEE Trans Biomed Eng 54:1055. RR intervals in AF: atrial impulses at random, a refractory AV node,
        concealed conduction.
    Petrenas 2017: Physiol Meas 38:2058. Multi-lead paroxysmal AF, f-waves.
    Stridh & Sornmo 2001: IEEE Trans Biomed Eng 48:105. f-waves as harmonics with a modulated frequency.
    ELSA-Brasil (Pinto-Filho 2017, Arq Bras Cardiol 109:416): medians of 11,094 adults by sex.
    Palhares 2017: BMC Cardiovasc Disord 17:152. Limits of 486,014 primary-care patients.
    Rijnbeek 2014: J Electrocardiol 47:914. Age and sex trends of amplitudes, axis, QTc in 13,354 adults.
    Simonson 1960 (Sex differences in the electrocardiogram, 566 adults): precordial R, S and T smaller in women, limb
        leads hardly.
    Macfarlane 2001: J Electrocardiol 34(S):235. Upper limit of ST in V3 at 25 years: 0.31 mV men, 0.11 mV women.
    Surawicz & Parikh 2002: J Am Coll Cardiol 40:1870. A "male" ST pattern in 91 % of young men and 14 % of the oldest,
        a "female" one in about 80 % of women at all ages.
    Goldberger 1982: Pacing Clin Electrophysiol 5:593. Failing hearts: tall precordial QRS, low limb QRS, poor R
        progression.
    PMC3627277: 143 patients; QRS 124.5 +- 20.8 ms with LVEF < 50 %, 109.7 +- 13.1 ms without; odds ratios of the first
        and third of Goldberger's signs 8.3 and 8.9.
    PMC7483599: 297 patients; QS in V3 is the best single sign of low LVEF, horizontal QRS and T angles come next.
    Davie 1996: BMJ 312:222. Low LVEF seldom goes with a normal ECG.
    Das (Prolonged QRS duration and left axis deviation in LBBB, 300 patients): QRS duration and LVEF, r = -0.37.
    Kashani & Barold 2005: J Am Coll Cardiol 46:2183. QRS >= 120 ms in 14-47 % of heart failure.
    Go 2001: JAMA 285:2370. AF prevalence 0.1 % below 55 years, 9 % at 80 years and over.
    Maisel & Stevenson 2003: Am J Cardiol 91(6A):2D. AF in 10-35 % of heart failure.
    McLaughlin 1998: Eur Heart J 19:342. R in V5 varies by 20 % from day to day, 6 % from minute to minute.
    Schijvenaars 2008: J Electrocardiol 41:190. Electrode position is the largest technical source of variation.
    Wenger & Kligfield 1996: J Electrocardiol 29:179. Variability of precordial electrode placement.
    Year-to-year variation of the orthogonal ECG among 243 normal men (1984): hardly more than from day to day.
    Thavendiranathan 2013: J Am Coll Cardiol 61:77. Repeated echo LVEF differs by 5-10 points (95 %).
    Strauss 2011: Am J Cardiol 107:927. What makes a complete LBBB.

Sizes marked *ours* were judged by two things: the percentiles of the sources above, and pictures and percentiles of
real PTB-XL ECGs of the development subset (amplitudes by lead, intervals, noise). No real ECG enters a simulated one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wave:
    """One Gaussian wave of a beat (McSharry 2003) as a dipole (Sameni 2007).

    ``centre`` is in seconds after QRS onset at PR 160, QRS 92 and QT 400 ms; ``left`` and ``right`` are the standard
    deviations of its rise and fall in seconds; ``vector`` is its peak in mV, Frank axes: x left, y down, z back.
    """

    name: str
    centre: float
    left: float
    right: float
    vector: tuple[float, float, float]


REFERENCE_PR_S, REFERENCE_QRS_S, REFERENCE_QT_S = 0.160, 0.092, 0.400

# Placed (ours) so that the median beat has the lead amplitudes of Rijnbeek 2014 and the intervals of ELSA-Brasil.
NORMAL_WAVES: tuple[Wave, ...] = (
    Wave("P right atrium", -0.122, 0.018, 0.017, (0.026, 0.073, -0.047)),
    Wave("P left atrium", -0.090, 0.018, 0.018, (0.056, 0.047, 0.039)),
    Wave("QRS septum", 0.014, 0.006, 0.006, (-0.13, -0.02, -0.15)),
    Wave("QRS apex", 0.030, 0.0085, 0.0085, (0.68, 0.27, -0.44)),
    Wave("QRS left ventricle", 0.043, 0.0085, 0.0085, (1.14, 0.40, 0.56)),
    Wave("QRS base", 0.058, 0.008, 0.009, (0.02, 0.02, 0.88)),
    Wave("QRS terminal", 0.074, 0.007, 0.008, (-0.09, -0.05, 0.10)),
    Wave("ST", 0.160, 0.040, 0.060, (0.015, 0.010, -0.035)),
    Wave("T early", 0.272, 0.052, 0.040, (0.25, 0.105, -0.285)),
    Wave("T late", 0.310, 0.034, 0.030, (0.25, 0.105, -0.185)),
    Wave("U", 0.470, 0.030, 0.035, (0.012, 0.008, -0.020)),
)
N_P, N_QRS_END = 2, 7
"""Waves 0-1 are P, 2-6 are QRS, the rest are repolarisation."""

# Left bundle branch block: slow spread from right to left and back, discordant T. After Strauss 2011 (Am J Cardiol
# 107:927: no septal q, mid-QRS notching, >= 130-140 ms); vectors ours.
LBBB_WAVES: tuple[Wave, ...] = (
    *NORMAL_WAVES[:2],
    Wave("QRS septum", 0.020, 0.010, 0.010, (0.12, 0.05, -0.05)),
    Wave("QRS apex", 0.042, 0.013, 0.013, (0.70, 0.18, 0.50)),
    Wave("QRS left ventricle", 0.072, 0.016, 0.016, (0.72, 0.02, 1.00)),
    Wave("QRS base", 0.100, 0.015, 0.015, (0.72, -0.06, 0.62)),
    Wave("QRS terminal", 0.122, 0.010, 0.011, (0.22, -0.08, 0.15)),
    Wave("ST", 0.185, 0.035, 0.060, (-0.12, -0.01, -0.16)),
    Wave("T early", 0.290, 0.050, 0.042, (-0.20, -0.02, -0.24)),
    Wave("T late", 0.325, 0.034, 0.032, (-0.15, 0.00, -0.14)),
    Wave("U", 0.480, 0.030, 0.035, (0.0, 0.0, 0.0)),
)

# Right bundle branch block: a normal first half, then a slow vector to the right and forward; T turned in V1-V2.
RBBB_WAVES: tuple[Wave, ...] = (
    *NORMAL_WAVES[:2],
    Wave("QRS septum", 0.014, 0.006, 0.006, (-0.13, -0.02, -0.15)),
    Wave("QRS apex", 0.030, 0.0085, 0.0085, (0.66, 0.27, -0.37)),
    Wave("QRS left ventricle", 0.044, 0.0085, 0.0095, (1.05, 0.38, 0.48)),
    Wave("QRS base", 0.078, 0.013, 0.014, (-0.38, 0.00, -0.30)),
    Wave("QRS terminal", 0.104, 0.014, 0.016, (-0.50, 0.03, -0.48)),
    Wave("ST", 0.165, 0.040, 0.060, (0.03, 0.01, 0.04)),
    Wave("T early", 0.285, 0.050, 0.040, (0.20, 0.09, 0.12)),
    Wave("T late", 0.320, 0.034, 0.030, (0.17, 0.09, 0.08)),
    Wave("U", 0.475, 0.030, 0.035, (0.0, 0.0, 0.0)),
)

# A ventricular ectopic beat: its QRS points wherever its focus sends it, its T the other way (amplitudes relative).
ECTOPIC_WAVES: tuple[tuple[float, float, float, float], ...] = (
    # centre, left, right, factor on the patient's ectopic vector
    (0.040, 0.015, 0.016, 0.60),
    (0.078, 0.018, 0.018, 1.00),
    (0.118, 0.017, 0.018, 0.50),
    (0.320, 0.060, 0.045, -0.40),
)

# Dower 1980 / Edenbrandt & Pahlm 1988: rows I, II, V1-V6, columns x, y, z.
DOWER: tuple[tuple[float, float, float], ...] = (
    (0.632, -0.235, 0.059),
    (0.235, 1.066, -0.132),
    (-0.515, 0.157, -0.917),
    (0.044, 0.164, -1.387),
    (0.882, 0.098, -1.277),
    (1.213, 0.127, -0.601),
    (1.125, 0.127, -0.086),
    (0.831, 0.076, 0.230),
)


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
    """One simulated hospital: name, machine, case mix, anatomy."""

    name: str
    machine: Machine
    case_mix: CaseMix
    anatomy: Anatomy


HOSPITALS: dict[str, Hospital] = {
    hospital.name: hospital
    for hospital in (
        Hospital(
            "internal",
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
            CaseMix(
                age_mean=61.0, age_sd=15.0, women=0.50, reduced_lvef=0.15, mildly_reduced_lvef=0.09, af_log_odds=0.0
            ),
            Anatomy(frontal_deg=0.0, horizontal_deg=0.0, lead_gain_log=0.0, chest_gain_tilt_log=0.0, upward_extra=0.0),
        ),
        Hospital(
            "external",
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
            CaseMix(
                age_mean=67.0, age_sd=13.0, women=0.46, reduced_lvef=0.18, mildly_reduced_lvef=0.11, af_log_odds=0.15
            ),
            Anatomy(
                frontal_deg=-6.0, horizontal_deg=6.0, lead_gain_log=-0.10, chest_gain_tilt_log=0.08, upward_extra=0.25
            ),
        ),
    )
}


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


EFFECTS = Effects()
