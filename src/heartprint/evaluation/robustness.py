"""How a model bears what happens to sheets: the camera's effects, layouts and styles that it has not seen.

One fixed set of conditions, seeded once and for all: two models, or one model on two days, see the same pictures of
the same ECGs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from heartprint.cohorts import Cohort
from heartprint.foundation.arrays import Image
from heartprint.foundation.prefetch import prefetch
from heartprint.foundation.progress import Progress, in_words
from heartprint.foundation.randomness import generator, stable_hash
from heartprint.metrics.bootstrap import study_resamples
from heartprint.sheets import LAYOUTS, STYLES, layouts_of
from heartprint.sheets.camera import EFFECTS, RECIPES, SEVERITIES, Ingredient, Recipe
from heartprint.sheets.camera.photograph import FINER
from heartprint.sheets.sampler import IMAGE

if TYPE_CHECKING:
    from heartprint.encoders import LoadedEncoder, LoadedModel
    from heartprint.encoders.bundle.config import ModelConfig

BATTERY_SEED = 2024
"""Of the set of pictures. Another seed is another set, whose figures cannot be compared with this one's."""
BATTERY_FILE, HEAT_MAP_FILE = "battery.csv", "battery.png"
MOST_ECGS = 500

Kind = Literal["clean", "effect", "recipe", "layout", "style"]
_TIMED = 3  # ECGs from whose time it is told how long all will take

BATTERY_COLUMNS: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "name": pl.String(),
    "severity": pl.Int64(),
    "seen": pl.Boolean(),
    **{name: pl.Float64() for name in ("auroc", "low", "high", "drop", "drop_low", "drop_high")},
}
"""Columns of ``battery.csv``: ``severity`` is 0 where there is none; ``seen`` says whether such sheets, be it at
another severity, were among those that the model learned from; ``drop`` is the AUROC on clean sheets minus this one, on
the same ECGs."""


@dataclass(frozen=True)
class Condition:
    """What happens to all sheets of one column of scores.

    Attributes:
        kind: ``clean``, an ``effect`` of the camera, a ``recipe`` of several, a ``layout`` or a ``style``.
        name: Name of it.
        severity: 1-5 for effects, else 0.
    """

    kind: Kind
    name: str
    severity: int = 0


def conditions(layout: str) -> tuple[Condition, ...]:
    """All conditions, the clean one first; ``layout`` is that of the sheets on which effects and styles are tried.

    Images have no other layout or style: theirs are the effects and recipes of the camera.
    """
    camera = (
        Condition("clean", layout),
        *(Condition("effect", name, severity) for name in EFFECTS for severity in SEVERITIES),
        *(Condition("recipe", name) for name, recipe in RECIPES.items() if recipe.ingredients),
    )
    if layout == IMAGE:
        return camera
    return (
        *camera,
        *(Condition("layout", name) for name in LAYOUTS if name != layout),
        *(Condition("style", name) for name in STYLES if name != next(iter(STYLES))),
    )


def _seen(config: ModelConfig) -> dict[Kind, set[str]]:
    """What the encoder's pretrainings, and full fine-tuning, drew sheets from: names by kind."""
    encoder, tuned = config.encoder, config.finetuning
    settings = [stage.settings for stage in encoder.stages]
    if tuned.mode == "full":
        settings.append(tuned.settings)
    names: dict[Kind, set[str]] = {"layout": set(encoder.layouts), "style": set(), "recipe": set(), "effect": set()}
    for one in settings:
        names["layout"].update(one.get("layouts", ()))
        names["style"].update(one.get("styles", ()))
        names["recipe"].update(one.get("recipes", ()))
    for recipe in names["recipe"] & set(RECIPES):
        names["effect"].update(ingredient.effect for ingredient in RECIPES[recipe].ingredients)
    if max((float(one.get("max_rotation_deg", 0.0)) for one in settings), default=0.0) > 0:
        names["effect"].add("rotation")
    return names


def choose_ecgs(cohort: Cohort, answers: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.int64]:
    """Rows of at most so many ECGs, as many cases as controls where there are, by a hash of their ids; in order."""
    rank = np.array([stable_hash(f"battery {ecg_id}") for ecg_id in cohort.ecg_ids.tolist()], dtype=np.uint64)
    cases, controls = (np.flatnonzero(answers == answer) for answer in (1, 0))
    cases, controls = (rows[np.argsort(rank[rows])] for rows in (cases, controls))
    n_cases = min(len(cases), max(most // 2, most - len(controls)))
    return np.sort(np.concatenate([cases[:n_cases], controls[: most - n_cases]]))


def run_battery(
    model: LoadedModel,
    cohort: Cohort,
    answers: npt.NDArray[np.float64],
    *,
    layout: str = "standard",
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    batch_size: int = 64,
    workers: int = 2,
    progress: bool = True,
) -> pl.DataFrame:
    """Score ECGs under all conditions.

    Args:
        model: The model, on the device it is to use.
        cohort: ECGs that can be drawn.
        answers: ``(n,)`` 1 or 0, both among them.
        layout: Layout of the sheets on which effects and styles are tried.
        level: Level of the intervals.
        resamples: Bootstrap resamples of patients, the same for all conditions.
        seed: Seed of the bootstrap; that of the pictures is fixed.
        batch_size: Sheets at a time.
        workers: Threads that draw.
        progress: Whether to show progress.

    Returns:
        A table with `BATTERY_COLUMNS`, a row per condition.

    Raises:
        HeartprintError: ``unknown-layout``, ``needs-waveforms``, ``one-class-only`` or ``out-of-memory``.
    """
    from heartprint.training.out_of_memory import memory_explained

    (layout,) = layouts_of(cohort, [layout])
    tried = conditions(layout)
    logits = np.empty((len(tried), len(cohort)))
    shown = Progress("Battery", len(cohort)) if progress else contextlib.nullcontext()
    began = time.monotonic()
    with memory_explained(batch_size), shown as bar:
        for row, images in enumerate(_drawn(model.encoder, cohort, tried, layout, workers)):
            logits[:, row], _ = model.score(images, batch_size=batch_size)
            if bar is not None:
                bar.advance()
                if row + 1 == min(_TIMED, len(cohort)):
                    seconds = in_words((time.monotonic() - began) / (row + 1) * len(cohort))
                    bar.say(f"The battery draws {len(cohort):,} ECGs in {len(tried)} ways each: about {seconds}.")
    values = study_resamples([scores[None] for scores in logits], answers, cohort.patient_codes, n=resamples, seed=seed)
    seen = _seen(model.config)
    rows = []
    for condition, one in zip(tried, values, strict=True):
        own, drop = one.interval(level), (values[0] - one).interval(level)
        known = condition.kind == "clean" or condition.name in seen[condition.kind]
        figures = (own.estimate, own.low, own.high, drop.estimate, drop.low, drop.high)
        rows.append((condition.kind, condition.name, condition.severity, known, *figures))
    return pl.DataFrame(rows, schema=BATTERY_COLUMNS, orient="row")


def draw_condition(
    encoder: LoadedEncoder,
    cohort: Cohort,
    row: int,
    condition: Condition,
    layout: str,
    *,
    fine: Image | None = None,
) -> Image:
    """Draw an ECG under one condition, as the encoder reads it. Its id decides, with the condition, all chance.

    Args:
        encoder: Says the size, and what is done about baseline wander.
        cohort: The ECGs.
        row: Which.
        condition: The condition.
        layout: Layout of the sheets on which effects, recipes and styles are tried.
        fine: What `SheetSampler.sheet` gives, `FINER`, if it is there already.

    Returns:
        ``(S, S)`` uint8, white = 255.
    """
    sampler = encoder.config.images
    if condition.kind == "style":
        return sampler.sheet(cohort, row, layout=layout, style=condition.name)
    if condition.kind in ("clean", "layout"):
        return sampler.sheet(cohort, row, layout=condition.name)
    if condition.kind == "effect":
        severity = float(condition.severity)
        recipe = Recipe(condition.name, "", (Ingredient(condition.name, 1.0, (severity, severity)),))
    else:
        recipe = RECIPES[condition.name]
    purpose = f"battery\x1f{condition.kind}\x1f{condition.name}"
    rng = generator(BATTERY_SEED, purpose, condition.severity, stable_hash(str(cohort.ecg_ids[row])))
    return sampler.photo(cohort, row, recipe, rng, layout=layout, sheet=fine)


def _drawn(
    encoder: LoadedEncoder, cohort: Cohort, tried: tuple[Condition, ...], layout: str, workers: int
) -> Iterator[Image]:
    """Of each ECG ``(conditions, S, S)``, a little ahead of the caller."""

    def draw(row: int) -> Image:
        fine = encoder.config.images.sheet(cohort, row, layout=layout, finer=FINER)
        return np.stack([draw_condition(encoder, cohort, row, one, layout, fine=fine) for one in tried])

    return prefetch(range(len(cohort)), draw, workers=workers)


def summarise_battery(table: pl.DataFrame) -> dict[str, Any]:
    """A few numbers for ``metrics.json``: by kind, the mean AUROC and drop, and the worst condition."""
    out: dict[str, Any] = {"seed": BATTERY_SEED, "clean": table.row(0, named=True)["auroc"]}
    for kind in ("effect", "recipe", "layout", "style"):
        part = table.filter((pl.col("kind") == kind) & ~pl.col("seen"))
        if len(part):
            worst = part.sort("auroc").row(0, named=True)
            out[kind] = {
                "conditions": len(part),
                "mean_auroc": float(part["auroc"].to_numpy().mean()),
                "mean_drop": float(part["drop"].to_numpy().mean()),
                "worst": {name: worst[name] for name in ("name", "severity", "auroc", "drop", "drop_low", "drop_high")},
            }
    return out


def draw_heat_map(table: pl.DataFrame, path: Path, title: str) -> None:
    """Draw the battery: a heat map of effects by severity, and beside it recipes, layouts and styles with intervals.

    Args:
        table: From `run_battery`.
        path: PNG file to write.
        title: One or two lines.
    """
    from matplotlib.figure import Figure

    effects = table.filter(pl.col("kind") == "effect")
    names = effects.group_by("name").agg(pl.col("auroc").mean()).sort("auroc", descending=True)["name"].to_list()
    grid = np.array(
        [
            [effects.filter((pl.col("name") == name) & (pl.col("severity") == s))["auroc"].item() for s in SEVERITIES]
            for name in names
        ]
    )
    clean = float(table.row(0, named=True)["auroc"])
    others = table.filter(pl.col("kind").is_in(["recipe", "layout", "style"]))
    height = max(4.0, 0.24 * max(len(names), len(others) + 2) + 1.6)
    figure = Figure(figsize=(11.0, height), layout="constrained")
    figure.suptitle(title, fontsize=10)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.1))
    # Half is chance; what is worse than chance is no better than it.
    picture = left.imshow(grid, aspect="auto", cmap="viridis", vmin=0.5, vmax=max(clean, 0.51))
    for (r, c), value in np.ndenumerate(grid):
        colour = "white" if value < 0.5 + 0.6 * (clean - 0.5) else "black"
        left.text(c, r, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=7, color=colour)
    left.set_xticks(range(len(SEVERITIES)), [str(s) for s in SEVERITIES])
    known = set(effects.filter(pl.col("seen"))["name"].to_list())
    left.set_yticks(range(len(names)), [_label(name, name in known) for name in names], fontsize=8)
    left.set(xlabel="Severity", title=f"AUROC under each effect (clean: {clean:.3f})")
    left.title.set_fontsize(9)
    figure.colorbar(picture, ax=left, shrink=0.6)
    shown = pl.concat(
        [others.filter(pl.col("kind") == kind).sort("auroc", descending=True) for kind in ("recipe", "layout", "style")]
    )
    at = np.arange(len(shown))
    auroc, low, high = (shown[name].to_numpy() for name in ("auroc", "low", "high"))
    colours = {"recipe": "#c2452d", "layout": "#0b5a8f", "style": "#7a9e5f"}
    for kind, colour in colours.items():
        rows = np.flatnonzero(shown["kind"].to_numpy() == kind)
        if not len(rows):
            continue
        error = np.maximum(0.0, np.stack([auroc[rows] - low[rows], high[rows] - auroc[rows]]))
        right.errorbar(auroc[rows], rows, xerr=error, fmt="o", color=colour, markersize=3.5, linewidth=1, label=kind)
    right.axvline(clean, color="0.5", linestyle="--", linewidth=1, label="clean")
    labels = [_label(name, seen) for name, seen in shown.select("name", "seen").rows()]
    right.set_yticks(at, labels, fontsize=8)
    right.set_ylim(len(shown) - 0.5, -0.5)
    right.set(xlabel="AUROC", title=f"Recipes of the camera{', layouts, styles' if 'layout' in shown['kind'] else ''}")
    right.title.set_fontsize(9)
    right.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False, fontsize=8, loc="best")
    figure.savefig(path, dpi=120)


def _label(name: str, seen: bool) -> str:
    return f"{name.replace('_', ' ')}{' (seen)' if seen else ''}"
