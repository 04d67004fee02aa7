"""Do lifelike simulated ECGs measure like real ones?

    python benchmarks/simulation_realism.py --real out/ptb-xl [--patients 1500] [--half odd] [--hospital lifelike]

`--real` is a cohort of real ECGs (``heartprint ingest ../shared/data/ptb-xl out/ptb-xl``). Simulates patients matched
to nothing, at 100 Hz, and measures the first ECG of each. Writes into `--out` (default ``out/simulation-realism``):

* ``realism.json`` and ``realism.md``: percentiles by sex, real beside simulated; how well boosted trees tell simulated
  from real; what simple features make of AF and sex in both; how alike two ECGs of one patient are in both;
* ``distributions.png``: measurements and simulated ECGs only (may be published);
* ``side-by-side.png``: real and simulated ECGs (shows patients; not for the repository).

Sizes of the simulator were set on the patients of the even half (stable hash of the patient id); ``--half odd``
compares with the others. No real ECG enters a simulated one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# One thread: boosted trees on few ECGs are slower with more, and other people's work may share the machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort, half_of_patients
from heartprint.cohorts.measure import measure_cohort
from heartprint.signals.beats import RATE, clean, find_beats, median_beat, windows
from heartprint.signals.leads import LEADS_12, TWELVE_FROM_EIGHT
from heartprint.signals.measurements import FEATURE_NAMES
from heartprint.simulation import simulate

Floats = npt.NDArray[np.float64]
PERCENTILES = (5, 25, 50, 75, 95)
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
NAMES = (*FEATURE_NAMES, *(f"s_mv_{lead}" for lead in CHEST))
SHOWN = (
    "rate_bpm", "rr_irregularity", "p_consistency", "pr_ms", "qrs_ms", "qtc_ms", "r_mv_I", "r_mv_II", "r_mv_V1",
    "r_mv_V3", "r_mv_V5", "s_mv_V1", "s_mv_V2", "s_mv_V3", "s_mv_V4", "t_mv_I", "t_mv_II", "t_mv_V2", "t_mv_V3",
    "t_mv_V5",
)  # fmt: skip
# Medians of men and women: ELSA-Brasil (11,094 adults without heart disease): Pinto-Filho 2017.
PUBLISHED = {"rate_bpm": (63.0, 66.0), "pr_ms": (164.0, 158.0), "qrs_ms": (92.0, 86.0), "qtc_ms": (410.0, 421.0)}


@dataclass(frozen=True)
class Group:
    """Measured ECGs: ``features`` ``(n, len(NAMES))``, sex, AF and patient of each."""

    name: str
    features: Floats
    female: npt.NDArray[np.bool_]
    af: npt.NDArray[np.bool_]
    patient: npt.NDArray[np.int64]
    first: npt.NDArray[np.bool_]


def s_depth(signal: npt.NDArray[np.float32], rate: float) -> Floats:
    """Deepest point of QRS below its start in V1-V6, mV, positive; NaN where no two beats are found."""
    ecg = clean(signal, rate)
    if ecg is None:
        return np.full(6, np.nan)
    at = np.rint(find_beats(ecg).positions).astype(np.int64)
    before, after = int(0.10 * RATE), int(0.12 * RATE)
    at = at[(at >= before) & (at + after <= ecg.signal.shape[1])]
    if len(at) < 2:
        return np.full(6, np.nan)
    beat = median_beat(windows(ecg.signal, at, before, after))
    level = beat[:, : int(0.03 * RATE)].mean(axis=1)
    depth: Floats = (level - beat.min(axis=1))[2:8]
    return depth


def measured(name: str, cohort: Cohort, rows: npt.NDArray[np.int64]) -> Group:
    features = np.asarray(measure_cohort(cohort), dtype=np.float64)[rows]
    rates = cohort.records["sampling_rate"].to_numpy()
    depths = np.stack([s_depth(cohort.signal(int(i)), float(rates[i])) for i in rows])
    patients = cohort.records["patient_id"].to_numpy()[rows]
    _, code = np.unique(patients, return_inverse=True)
    first = np.zeros(len(rows), dtype=np.bool_)
    first[np.unique(patients, return_index=True)[1]] = True
    sex = cohort.records["sex"].to_numpy()[rows]
    af = cohort.records["label_af"].to_numpy()[rows] == 1
    return Group(name, np.hstack([features, depths]), sex == "female", af, code, first)


def percentiles(group: Group) -> dict[str, dict[str, list[float]]]:
    table: dict[str, dict[str, list[float]]] = {}
    for j, name in enumerate(NAMES):
        table[name] = {}
        for sex, who in (("men", ~group.female), ("women", group.female)):
            table[name][sex] = [float(v) for v in np.nanpercentile(group.features[who & group.first, j], PERCENTILES)]
    return table


def interval(truth: npt.NDArray[np.bool_], score: Floats, patient: npt.NDArray[np.int64]) -> dict[str, float]:
    """AUROC with a 95 % bootstrap interval over patients."""
    from sklearn.metrics import roc_auc_score

    rng, values = np.random.default_rng(0), []
    order = np.argsort(patient, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(patient[order])) + 1)
    for _ in range(200):
        rows = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        if 0 < truth[rows].sum() < len(rows):
            values.append(roc_auc_score(truth[rows], score[rows]))
    low, high = np.percentile(values, (2.5, 97.5))
    return {"auroc": float(roc_auc_score(truth, score)), "low": float(low), "high": float(high)}


def cross_validated(
    model: Any, features: Floats, truth: npt.NDArray[np.bool_], patient: npt.NDArray[np.int64]
) -> dict[str, float]:
    from sklearn.model_selection import GroupKFold, cross_val_predict

    score = cross_val_predict(
        model, features, truth, groups=patient, cv=GroupKFold(5, shuffle=True, random_state=0), method="predict_proba"
    )
    return interval(truth, score[:, 1], patient)


def told_apart(real: Group, simulated: Group) -> tuple[dict[str, float], list[tuple[str, float]]]:
    """AUROC of boosted trees for simulated against real, and the single features that tell most."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    x = np.vstack([real.features, simulated.features])
    y = np.repeat([False, True], [len(real.features), len(simulated.features)])
    patient = np.concatenate([real.patient, simulated.patient + real.patient.max() + 1])
    both = cross_validated(HistGradientBoostingClassifier(max_iter=150, random_state=0), x, y, patient)
    alone = []
    for j, name in enumerate(NAMES):
        known = np.isfinite(x[:, j])
        area = float(roc_auc_score(y[known], x[known, j]))
        alone.append((name, max(area, 1 - area)))
    return both, sorted(alone, key=lambda pair: -pair[1])


def simple_scores(group: Group) -> dict[str, dict[str, float]]:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    irregular = np.nan_to_num(group.features[:, NAMES.index("rr_irregularity")])
    unlike = -np.nan_to_num(group.features[:, NAMES.index("p_consistency")])
    logistic = make_pipeline(
        SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.1, max_iter=500)
    )
    return {
        "AF from rr_irregularity": interval(group.af, irregular, group.patient),
        "AF from p_consistency": interval(group.af, unlike, group.patient),
        "AF, logistic on all": cross_validated(logistic, group.features, group.af, group.patient),
        "female, logistic on all": cross_validated(logistic, group.features, group.female, group.patient),
    }


def likeness(group: Group, scale_by: Group) -> dict[str, float]:
    """Distance of two ECGs of one patient over that of two patients (medians), features scaled by ``scale_by``."""
    centre, spread = np.nanmedian(scale_by.features, axis=0), np.nanstd(scale_by.features, axis=0)
    z = np.clip(np.nan_to_num((group.features - centre) / spread), -5, 5)
    pairs = [np.flatnonzero(group.patient == p)[:2] for p in np.unique(group.patient)]
    same = np.array([np.sqrt(((z[a] - z[b]) ** 2).mean()) for a, b in (p for p in pairs if len(p) == 2)])
    rng = np.random.default_rng(0)
    other = rng.integers(0, len(z), (4000, 2))
    other = other[group.patient[other[:, 0]] != group.patient[other[:, 1]]]
    apart = np.sqrt(((z[other[:, 0]] - z[other[:, 1]]) ** 2).mean(axis=1))
    picks = rng.integers(0, len(same), (500, len(same)))
    ratios = np.median(same[picks], axis=1) / np.median(apart)
    return {
        "pairs": len(same),
        "ratio": float(np.median(same) / np.median(apart)),
        "low": float(np.percentile(ratios, 2.5)),
        "high": float(np.percentile(ratios, 97.5)),
    }


def table(real: Group, simulated: Group, result: dict[str, Any]) -> str:
    def row(values: list[float]) -> str:
        digits = 0 if abs(values[2]) > 20 else 2
        if abs(values[2]) < 0.1:
            digits = 3
        return " / ".join(f"{v:.{digits}f}" for v in values)

    lines = [
        f"Real: {result['real']} ({real.first.sum()} patients). Simulated: {result['simulated']}"
        f" ({simulated.first.sum()} patients).",
        "",
        "| measurement | sex | real, 5/25/50/75/95 % | simulated | published median |",
        "|---|---|---|---|---|",
    ]
    for name in SHOWN:
        for k, sex in enumerate(("men", "women")):
            known = f"{PUBLISHED[name][k]:.0f}" if name in PUBLISHED else ""
            a, b = (row(result["percentiles"][w][name][sex]) for w in ("real", "simulated"))
            lines.append(f"| {name} | {sex} | {a} | {b} | {known} |")
    lines += ["", "| question | real | simulated |", "|---|---|---|"]
    for name in result["scores"]["real"]:
        a, b = (result["scores"][w][name] for w in ("real", "simulated"))
        lines.append(
            "| " + " | ".join([name, *(f"{x['auroc']:.3f} ({x['low']:.3f}-{x['high']:.3f})" for x in (a, b))]) + " |"
        )
    a, b = (result["likeness"][w] for w in ("real", "simulated"))
    text = [f"{x['ratio']:.2f} ({x['low']:.2f}-{x['high']:.2f}), {x['pairs']} pairs" for x in (a, b)]
    lines.append(f"| two ECGs of one patient / of two patients | {text[0]} | {text[1]} |")
    wide = [float(np.nanmean(g.features[:, NAMES.index("qrs_ms")] >= 120)) for g in (real, simulated)]
    lines.append(f"| QRS >= 120 ms | {wide[0]:.1%} | {wide[1]:.1%} |")
    apart = result["told_apart"]
    lines += [
        "",
        f"Boosted trees tell simulated from real with an AUROC of {apart['auroc']:.3f} "
        f"({apart['low']:.3f}-{apart['high']:.3f}).",
        "Alone, most telling: " + ", ".join(f"{n} {v:.2f}" for n, v in result["single"][:8]) + ".",
        "",
    ]
    return "\n".join(lines)


def trace(axis: Any, signal: npt.NDArray[np.float32], rate: float, title: str) -> None:
    """One ECG in mV: three rows of four leads and lead II below."""
    leads = TWELVE_FROM_EIGHT @ signal
    n = int(2.5 * rate)
    for k in range(12):
        part = leads[k, (k // 3) * n : (k // 3 + 1) * n]
        axis.plot(np.arange(len(part)) / rate + (k // 3) * 2.5, part - 2.2 * (k % 3), "k", lw=0.5)
        axis.text((k // 3) * 2.5 + 0.05, 0.75 - 2.2 * (k % 3), LEADS_12[k], fontsize=5, color="0.4")
    axis.plot(np.arange(leads.shape[1]) / rate, leads[1] - 6.6, "k", lw=0.5)
    axis.set(xlim=(0, 10), ylim=(-8.4, 1.6))
    axis.set_title(title, fontsize=7)
    axis.axis("off")


def figures(out: Path, real: Group, simulated: Group, ecgs: dict[str, tuple[Cohort, npt.NDArray[np.int64]]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(6, 4, figsize=(12, 15))
    for axis, name in zip(axes[:5].ravel(), SHOWN, strict=True):
        j = NAMES.index(name)
        data, colours = [], []
        for who in (False, True):
            for group, colour in ((real, "0.55"), (simulated, "tab:blue")):
                values = group.features[(group.female == who) & group.first, j]
                data.append(values[np.isfinite(values)])
                colours.append(colour)
        boxes = axis.boxplot(data, whis=(5, 95), showfliers=False, patch_artist=True, widths=0.6)
        for box, colour in zip(boxes["boxes"], colours, strict=True):
            box.set_facecolor(colour)
        for line in boxes["medians"]:
            line.set_color("black")
        axis.set_xticks([1.5, 3.5], ["men", "women"])
        axis.set_title(name, fontsize=8)
        axis.tick_params(labelsize=7)
    cohort, rows = ecgs["simulated"]
    for k, axis in enumerate(axes[5]):
        trace(axis, cohort.signal(int(rows[17 * k + 4])), float(cohort.records["sampling_rate"][0]), "simulated")
    figure.suptitle(
        "Real PTB-XL (grey) and simulated (blue); boxes 25-75 %, whiskers 5-95 %; mV unless named", fontsize=9
    )
    figure.tight_layout(rect=(0, 0, 1, 0.985))
    figure.savefig(out / "distributions.png", dpi=80)
    plt.close(figure)

    figure, axes = plt.subplots(6, 2, figsize=(14, 24))
    for column, (name, (cohort, rows)) in enumerate(ecgs.items()):
        for k in range(6):
            i = int(rows[(k * len(rows)) // 6 + 3])
            trace(axes[k, column], cohort.signal(i), float(cohort.records["sampling_rate"][i]), name)
    figure.tight_layout()
    figure.savefig(out / "side-by-side.png", dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="cohort of real ECGs with sex and AF")
    parser.add_argument("--patients", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--hospital", default="lifelike")
    parser.add_argument("--half", choices=("even", "odd", "all"), default="odd")
    parser.add_argument("--out", type=Path, default=Path("out/simulation-realism"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    source = Cohort.open(options.real)
    if options.half != "all":
        source = half_of_patients(source, options.half)
    rows = np.arange(len(source))
    with tempfile.TemporaryDirectory() as folder:
        made = simulate(
            Path(folder) / "cohort", options.patients, seed=options.seed, hospital=options.hospital, progress=False
        )
        # One ECG of each patient; a second of every second one, for the pairs.
        number = np.concatenate([np.arange(n) for n in np.unique(made.patient_codes, return_counts=True)[1]])
        chosen = np.flatnonzero((number == 0) | ((number == 1) & (made.patient_codes % 2 == 0)))
        real, both = measured("real", source, rows), measured("simulated", made, chosen)
        one = both.first
        simulated = Group("simulated", both.features[one], both.female[one], both.af[one], both.patient[one], one[one])
        telling, single = told_apart(real, simulated)
        result: dict[str, Any] = {
            "real": f"{len(rows)} ECGs, {options.half} half of {options.real.name}",
            "simulated": f"{len(simulated.features)} ECGs, hospital {options.hospital}, seed {options.seed}",
            "percentiles": {g.name: percentiles(g) for g in (real, simulated)},
            "told_apart": telling,
            "single": single,
            "scores": {g.name: simple_scores(g) for g in (real, simulated)},
            "likeness": {"real": likeness(real, real), "simulated": likeness(both, real)},
        }
        (options.out / "realism.json").write_text(json.dumps(result, indent=1) + "\n")
        text = table(real, simulated, result)
        (options.out / "realism.md").write_text(text)
        print(text)
        figures(options.out, real, simulated, {"real": (source, rows), "simulated": (made, chosen[one])})


if __name__ == "__main__":
    main()
