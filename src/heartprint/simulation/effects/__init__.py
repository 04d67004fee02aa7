"""Every effect size of the simulated patients, with its source.

This package is the place to read, doubt and change: `waves` (the beat), `sizes` (people, sex, age, LVEF, AF, visits),
`conditions` (what only the lifelike hospital has) and `hospitals`. Figures marked *ours* are choices: where a source
gives only a direction, or where the size was set so that simulated ECGs look and measure like real ones. The
simulation shows mechanisms; it proves nothing about hospitals.

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
    Wagner 2020: Sci Data 7:154. How often 21,799 hospital ECGs bear each statement (PTB-XL, published table).
    Cheng 2009: JAMA 301:2571. First-degree block in the community.
    Kojic 1999: J Intern Med 246:81 (Reykjavik Study): third-degree block 0.04 % of the community.
    Eriksson 1998: Circulation 98:2494. Bundle branch blocks: 1 % at 50, 17 % at 80 years.
    Bussink 2013: Eur Heart J 34:138. RBBB 1.4 / 0.5 %, incomplete 4.7 / 2.3 % of men / women.
    Elizari 2007: Circulation 115:1154. Left fascicular blocks.
    Aro 2011: Circ Arrhythm Electrophysiol 4:704. Nonspecific intraventricular delay 0.6 % of middle-aged people.
    Aro 2012: Circulation 125:2572. T turned in V1-V3 without disease, 0.5 %.
    Munger 1993: Circulation 87:866. Pre-excitation, 1-3 per 1,000.
    Tikkanen 2009: N Engl J Med 361:2529. Early repolarisation, 5.8 %.
    Thygesen 2018: J Am Coll Cardiol 72:2231. Fourth definition of infarction: ST, Q and their territories.
    Frank 1986: J Am Coll Cardiol 7:295. The ECG in obesity: leftward axis, longer QRS, low voltage 3.9 %.
    Harrigan & Jones 2002: BMJ 324:1223. The ECG in lung disease: vertical axis, low voltage, poor R progression.
    Diercks 2004: J Emerg Med 27:153. The ECG in electrolyte disorders.
    Simpson 2002: Am Heart J 143:535. Ventricular ectopy in 2 minutes: 6 % of middle-aged people.
    Rudiger 2007: Am J Emerg Med 25:174, and Batchvarov 2007: Europace 9:1081. Swapped electrodes: 0.4-4 % of ECGs.
    Kobayashi & Musha 1982: IEEE Trans Biomed Eng 29:456. Heart rate varies like 1/f.
    Task Force 1996: Circulation 93:1043. Respiratory and Mayer waves in RR.

Sizes marked *ours* were judged by two things: the percentiles of the sources above, and pictures and percentiles of
real PTB-XL ECGs of the development subset (amplitudes by lead, intervals, noise). No real ECG enters a simulated one.
"""

from heartprint.simulation.effects.conditions import Chance, Conditions
from heartprint.simulation.effects.hospitals import (
    HOSPITALS,
    Anatomy,
    CaseMix,
    Hospital,
    Machine,
)
from heartprint.simulation.effects.sizes import EFFECTS, Age, Effects, Finding, Lvef, Sex
from heartprint.simulation.effects.waves import (
    DOWER,
    ECTOPIC_WAVES,
    LBBB_WAVES,
    N_P,
    N_QRS_END,
    NORMAL_WAVES,
    PACED_WAVES,
    RBBB_WAVES,
    REFERENCE_PR_S,
    REFERENCE_QRS_S,
    REFERENCE_QT_S,
    Wave,
)

__all__ = [
    "DOWER",
    "ECTOPIC_WAVES",
    "EFFECTS",
    "HOSPITALS",
    "LBBB_WAVES",
    "NORMAL_WAVES",
    "N_P",
    "N_QRS_END",
    "PACED_WAVES",
    "RBBB_WAVES",
    "REFERENCE_PR_S",
    "REFERENCE_QRS_S",
    "REFERENCE_QT_S",
    "Age",
    "Anatomy",
    "CaseMix",
    "Chance",
    "Conditions",
    "Effects",
    "Finding",
    "Hospital",
    "Lvef",
    "Machine",
    "Sex",
    "Wave",
]
