"""What only the lifelike hospital has: how common each condition is, and what it does. Sources in the package."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
Vector = tuple[float, float, float]
"""mV in Frank axes: x left, y down, z back."""


@dataclass(frozen=True)
class Chance:
    """How common a condition is among hospital patients.

    ``base`` is the chance in a man of 55 years at his first visit, ``per_decade_log`` its change with age,
    ``women_ratio`` the chance in women against men, ``per_year`` the chance that it develops in a year between visits.
    """

    base: float
    per_decade_log: float = 0.0
    women_ratio: float = 1.0
    per_year: float = 0.0


@dataclass(frozen=True)
class Conduction:
    """From the sinus node to the ventricles. Prevalence: Wagner 2020, checked by the named sources; sizes ours."""

    first_degree: Chance = Chance(0.032, 0.40, 0.75, 0.006)  # Cheng 2009; Wagner 2020: 3.7 %
    first_degree_s: Range = (0.045, 0.120)  # beyond the patient's own PR
    second_degree: float = 0.0006  # per visit; Wagner 2020: 0.06 %
    second_degree_if_first: float = 0.020
    wenckebach_share: float = 0.60
    third_degree: float = 0.0008  # Kojic 1999: 0.04 % of the community; Wagner 2020: 0.07 % of ECGs
    third_degree_if_first: float = 0.010
    escape_rr_s: Range = (1.10, 1.75)
    escape_wide_share: float = 0.45
    lbbb: Chance = Chance(0.009, 0.45, 1.0, 0.0020)  # Eriksson 1998; Wagner 2020: 2.5 %
    rbbb: Chance = Chance(0.020, 0.40, 0.5, 0.0025)  # Bussink 2013; Wagner 2020: 2.5 %
    incomplete_rbbb: Chance = Chance(0.055, 0.05, 0.5, 0.001)  # Bussink 2013; Wagner 2020: 5.1 %
    incomplete_lbbb: Chance = Chance(0.006, 0.30, 1.0, 0.001)
    nonspecific: Chance = Chance(0.022, 0.20, 0.7, 0.002)  # Aro 2011; Wagner 2020: 3.6 %
    left_anterior: Chance = Chance(0.060, 0.30, 0.7, 0.004)  # Elizari 2007; Wagner 2020: 7.5 %
    left_posterior: Chance = Chance(0.006, 0.10, 0.8, 0.0005)  # Wagner 2020: 0.8 %
    pre_excitation: Chance = Chance(0.003, -0.15)  # Munger 1993; Wagner 2020: 0.4 %
    completeness: Range = (0.80, 1.10)
    incompleteness: Range = (0.30, 0.55)
    lbbb_delay_s: float = 0.048
    rbbb_delay_s: float = 0.038
    nonspecific_stretch: Range = (1.18, 1.45)
    left_anterior_deg: float = -52.0
    left_posterior_deg: float = 65.0
    fascicle_qrs_s: float = 0.006
    # Three places of an accessory pathway and where the delta wave points: left free wall, right free wall, septum.
    delta_mv: tuple[Vector, ...] = ((-0.15, 0.25, -0.40), (0.45, -0.15, 0.30), (0.40, -0.40, -0.15))
    delta_pr_s: Range = (0.122, 0.155)  # from P to where QRS would begin; delta begins 0.04 s before


@dataclass(frozen=True)
class Chambers:
    """Enlarged chambers. Wagner 2020: LVH 10 %, RVH 0.6 %, left atrium 2.0 %, right atrium 0.5 %; shapes ours."""

    rvh: Chance = Chance(0.008, 0.10)
    rvh_mv: Vector = (-0.30, 0.06, -0.45)
    rvh_deg: float = 38.0
    left_atrium: Chance = Chance(0.035, 0.25, 1.0, 0.004)
    left_atrium_gain: float = 1.7
    left_atrium_delay_s: float = 0.014
    right_atrium: Chance = Chance(0.010, 0.10)
    right_atrium_gain: float = 1.8


@dataclass(frozen=True)
class Infarction:
    """Infarcts by territory and age. Territories, ST and Q: Thygesen 2018; shares: Wagner 2020; time course ours."""

    old: Chance = Chance(0.085, 0.22, 0.45)  # at the first visit; Wagner 2020: 25 % any, many of them doubtful
    acute_at_first: float = 0.010  # that a visit is for a fresh infarct, man of 55
    acute_later: float = 0.008
    # Anterior, septal, lateral, inferior, posterior: shares, and where the injured wall lies.
    shares: tuple[float, ...] = (0.26, 0.22, 0.09, 0.38, 0.05)
    walls: tuple[Vector, ...] = (
        (0.30, 0.05, -0.90),
        (-0.15, 0.10, -0.95),
        (0.95, -0.30, -0.05),
        (-0.10, 1.00, 0.05),
        (0.25, 0.20, 0.95),
    )
    size: Range = (0.5, 1.2)
    st_mv: float = 0.17
    q_mv: float = 0.24
    t_mv: float = 0.26
    st_days: float = 6.0  # ST falls by e in this time
    t_years: float = 0.4
    t_stays: float = 0.15
    lvef_loss: Range = (0.0, 18.0)  # per cent points, of the larger infarcts


@dataclass(frozen=True)
class Repolarisation:
    """ST and T, lasting or passing. Per-visit chances make them differ between two ECGs of one patient. Sizes ours."""

    coronary: Chance = Chance(0.14, 0.25, 0.7, 0.010)  # patients who may have ischaemia at a visit
    ischaemia_per_visit: float = 0.28  # Wagner 2020: ischaemic ST-T 6 %
    ischaemia_st_mv: Vector = (-0.075, -0.045, 0.035)
    ischaemia_t: Range = (-0.6, 0.6)
    early: Chance = Chance(0.050, -0.30, 0.35)  # Tikkanen 2009
    early_mv: Vector = (0.050, 0.045, -0.050)
    pericarditis: float = 0.002  # per visit
    pericarditis_mv: Vector = (0.085, 0.100, -0.060)
    digitalis_if_af_or_low: float = 0.16  # per visit; Wagner 2020: digitalis 0.8 %
    digitalis_mv: Vector = (-0.055, -0.040, 0.010)
    high_potassium: float = 0.006  # Diercks 2004; Wagner 2020: electrolytes 0.4 %
    high_potassium_t: Range = (1.4, 1.9)
    low_potassium: float = 0.015
    low_potassium_t: Range = (0.3, 0.6)
    flat_t_per_visit: float = 0.06  # Wagner 2020: nonspecific T in 11 %, not always lasting
    flat_t: Range = (0.2, 0.7)
    turned_t: Chance = Chance(0.012, 0.20, 1.1, 0.002)
    juvenile: Chance = Chance(0.005, -0.55, 2.0)  # Aro 2012; commoner below 25 years
    juvenile_mv: float = 0.22
    long_qt: Chance = Chance(0.006, 0.0, 1.4)
    long_qt_s: Range = (0.035, 0.080)
    drug_qt_per_visit: float = 0.035  # Wagner 2020: long QT 0.5 %; drugs prolong it less
    drug_qt_s: Range = (0.010, 0.045)


@dataclass(frozen=True)
class Habitus:
    """Build and lungs. Directions: Frank 1986, Harrigan & Jones 2002; sizes ours."""

    frontal_deg: float = -3.5  # per standard deviation of body mass
    qrs_gain_log: float = -0.05
    qrs_s: float = 0.0012
    lungs: Chance = Chance(0.035, 0.25, 0.8, 0.003)
    lungs_deg: float = 30.0
    lungs_gain: Range = (0.55, 0.85)
    lungs_apex: float = 0.60
    lungs_p: float = 1.35


@dataclass(frozen=True)
class Pacing:
    """Pacemakers. Wagner 2020: 1.4 % of ECGs paced. Spikes and shares of the modes ours."""

    present: Chance = Chance(0.006, 0.65, 0.8, 0.0020)
    shares: tuple[float, ...] = (0.35, 0.12, 0.53)  # ventricular, atrial, both
    rr_s: Range = (0.75, 1.02)
    av_delay_s: Range = (0.13, 0.20)
    spike_log_mv: float = -1.2  # log of the median spike in mV: bipolar leads show little, unipolar ones several mV
    spike_log_sd: float = 0.75
    bipolar_spike: float = 0.6


@dataclass(frozen=True)
class Rhythm:
    """Rhythms beside sinus and AF: Wagner 2020. RR: Task Force 1996, Kobayashi & Musha 1982. Sizes ours."""

    bradycardia: float = 0.022  # per visit, beyond what the spread of rates brings
    tachycardia: float = 0.015
    bradycardia_per_min: Range = (40.0, 52.0)
    tachycardia_per_min: Range = (105.0, 145.0)
    fractal: float = 0.008  # share of RR that wanders like 1/f, at 55 years
    marked_arrhythmia: float = 0.035  # sinus arrhythmia that is called so
    marked_gain: Range = (2.0, 5.0)
    wandering: float = 0.020
    atrial_tachycardia: float = 0.004
    atrial_tachycardia_rr_s: Range = (0.36, 0.52)
    junctional: float = 0.003
    junctional_rr_s: Range = (0.95, 1.45)
    # Beat-to-beat change of P, log-normal between patients: size (share), time (s), shape (share of another focus).
    p_size: float = 0.08
    p_time_s: float = 0.003
    p_shape: float = 0.07
    p_log_sd: float = 0.35
    beat_size: float = 0.012
    invisible_p: float = 0.015  # patients whose P is hardly seen
    invisible_gain: Range = (0.10, 0.40)
    atrial_ectopy: Chance = Chance(0.070, 0.35)
    atrial_per_beat: Range = (0.02, 0.16)
    ventricular_ectopy: Chance = Chance(0.080, 0.25, 0.9)  # Simpson 2002; Wagner 2020: 5 % of ECGs show one
    ventricular_per_beat: Range = (0.02, 0.14)
    ectopy_per_visit: float = 0.65  # that a patient prone to ectopy has it at a visit
    bigeminy: float = 0.06  # of those, Wagner 2020: 0.4 % of ECGs
    couplet: float = 0.12  # that an ectopic beat is followed by another
    multifocal: float = 0.20


@dataclass(frozen=True)
class Fibrillation:
    """AF and flutter, beside `AtrialFibrillation`. After Petrenas 2017 and Lian 2007; sizes ours."""

    f_size_log_sd: float = 0.75  # very fine to coarse ...
    f_size_largest: float = 1.2  # ... which is about 0.3 mV from trough to peak in V1 (ours)
    second_source: float = 0.6  # a second set of f-waves of this size and another rate
    irregularity: Range = (0.40, 0.95)  # 1: the node alone decides; less: drugs and tone even it out
    regularised: float = 0.03
    flutter_shares: tuple[float, ...] = (0.45, 0.10, 0.25, 0.20)  # 2:1, 3:1, 4:1, variable
    flutter_share: float = 0.045  # Wagner 2020: 73 flutter, 1,514 fibrillation
    paced_share: float = 0.03


@dataclass(frozen=True)
class Electrodes:
    """Swapped and loose electrodes. Rudiger 2007, Batchvarov 2007: 0.4-4 % of ECGs; shares ours."""

    # RA with LA, LA with LL, RA with LL.
    limb: tuple[float, ...] = (0.010, 0.006, 0.003)
    chest: float = 0.010  # two neighbouring chest electrodes
    flat_chest_lead: float = 0.004


@dataclass(frozen=True)
class Conditions:
    """All conditions of the lifelike hospital."""

    conduction: Conduction = Conduction()
    chambers: Chambers = Chambers()
    infarction: Infarction = Infarction()
    repolarisation: Repolarisation = Repolarisation()
    habitus: Habitus = Habitus()
    pacing: Pacing = Pacing()
    rhythm: Rhythm = Rhythm()
    fibrillation: Fibrillation = Fibrillation()
    electrodes: Electrodes = Electrodes()
    # What hospital beats have beyond the normal beat (ours, on medians of the real development half): last forces to
    # the right, which make S in V5-V6.
    more_terminal_mv: Vector = (-0.08, 0.06, 0.0)
    # Dower's leads are a mean torso's. What hospital ECGs have more or less in each lead (I, II, V1-V6), by wave; ours,
    # set on medians of the development half of the real ECGs.
    qrs_leads: tuple[float, ...] = (1.05, 0.98, 0.68, 0.92, 0.95, 1.03, 1.01, 0.92)
    t_leads: tuple[float, ...] = (1.25, 0.87, 0.70, 1.28, 0.87, 0.78, 0.77, 0.95)
