"""The waves of a beat, and the leads that see them."""

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

# A beat paced from the right ventricular apex: slow, to the left, up and back, like LBBB with left axis; T against it.
# Directions textbook (Surawicz & Knilans), sizes ours.
PACED_WAVES: tuple[Wave, ...] = (
    Wave("paced early", 0.042, 0.016, 0.018, (0.45, -0.35, 0.30)),
    Wave("paced main", 0.084, 0.020, 0.020, (0.72, -0.70, 0.90)),
    Wave("paced late", 0.124, 0.017, 0.018, (0.32, -0.35, 0.50)),
    Wave("paced T", 0.330, 0.060, 0.045, (-0.26, 0.28, -0.42)),
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
