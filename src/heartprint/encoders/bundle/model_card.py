"""The card: what a folder's ``README.md`` tells people."""

from __future__ import annotations

from heartprint.cohorts.tasks import Task
from heartprint.encoders.bundle.config import CohortSource, EncoderConfig, ModelConfig, PretrainingSummary
from heartprint.encoders.bundle.distance import QUANTILE, Distance
from heartprint.encoders.bundle.heads import ClassHead, NumberHead
from heartprint.pages.markdown import code_span, in_markdown

_WARNING = "**Research software, not a medical device.** It must not be used to diagnose, treat or monitor anybody.\n"


def card(
    config: EncoderConfig | ModelConfig,
    *,
    half: bool = False,
    by_source: bool = False,
    distance: Distance | None = None,
    text: str = "",
) -> str:
    """Write the card of an encoder or model folder, in Markdown.

    Args:
        config: What the folder holds.
        half: Whether weights are stored as float16.
        by_source: Whether simulated patients that took part are named by their source.
        distance: What the folder holds of how unlike known sheets a picture is.
        text: What a person has written about it, in Markdown; goes to the end.
    """
    model = config if isinstance(config, ModelConfig) else None
    encoder = config.encoder if isinstance(config, ModelConfig) else config
    who = "keyed hashes of the patients that took part"
    if by_source:
        who = "who took part (simulated patients by hospital, seed and number, others by keyed hashes)"
    answered = ", ".join(in_markdown(head.task.title) for head in model.heads) if model else ""
    title = f"A Heartprint model: {answered}" if model else "A Heartprint encoder"
    lines = [f"# {title}", "", _WARNING]
    if model and model.labels_simulated:
        lines += [
            "**SIMULATED.** Its labels are of simulated patients. What it does on them shows a mechanism and proves "
            "nothing about real patients.\n",
        ]
    if encoder.simulated:
        lines += ["Encoder pretrained on simulated patients.\n"]
    if model:
        lines += _model_lines(model)
    lines += _encoder_lines(encoder)
    lines += _doubt_lines(distance, answers=model is not None)
    lines += [
        "## Use\n",
        "```sh",
        "heartprint predict FOLDER COHORT --out FILE.csv" if model else "heartprint embed FOLDER COHORT --out FILE.npz",
        "sha256sum -c CHECKSUMS  # is every file whole?",
        "```\n",
        "`sample_sheet.png` shows a simulated ECG as the network sees one; `config.json` says what it must give.",
        f"`seen.safetensors` holds {who}, so that they can be kept out of tests; no patient id is in this folder.\n",
        "## Made with\n",
        *(f"- {in_markdown(name)} {in_markdown(version)}" for name, version in config.versions.items()),
        f"- weights SHA-256 `{config.weights_sha256}`"
        f"{', stored as float16, computed with as float32' if half else ''}\n",
    ]
    if text.strip():
        lines += [text.strip() + "\n"]
    return "\n".join(lines)


def _model_lines(config: ModelConfig) -> list[str]:
    tuned = config.finetuning
    how = {"probe": "linear probe on a frozen encoder", "full": "fine-tuning of the whole network"}[tuned.mode]
    labels = f"- labels from {_cohort(tuned.cohort, 'SIMULATED')}"
    if len(config.heads) == 1:
        defined, learned, told = _head_lines(config.heads[0], how)
        return ["## Task\n", defined, learned, labels, f"{told}\n"]
    lines = [f"## {len(config.heads)} tasks, answered from one embedding\n", f"{labels}\n"]
    for head in config.heads:
        defined, learned, told = _head_lines(head, how)
        lines += [defined, f"  {learned}", f"  {told}"]
    return [*lines[:-1], f"{lines[-1]}\n"]


def _head_lines(head: ClassHead | NumberHead, how: str) -> tuple[str, str, str]:
    """What a head answers, what it learned from, and how its answer comes about."""
    task = head.task
    named = f"- {in_markdown(task.title)} ({code_span(task.name)}): column {code_span(task.column)}"
    if isinstance(head, NumberHead):
        unit = f" {in_markdown(head.task.unit)}" if head.task.unit else ""
        made = head.calibration
        return (
            f"{named}, a number from {head.task.lowest:g} to {head.task.highest:g}{unit}",
            f"- learned by {how} from {head.n_labels:,} labels, counting every label used",
            f"- told after calibration (slope {made.slope:.4g}, offset {made.offset:.4g}), give or take "
            f"{made.residual_sd:.4g}{unit} (standard deviation)",
        )
    return (
        f"{named} {_RELATIONS[head.task.comparison]} {in_markdown(_values(head.task))}",
        f"- learned by {how} from {head.n_labels:,} labels ({head.n_positive:,} positive), counting every label used",
        f"- called positive at a probability of {head.threshold:.4g} or more, after Platt scaling "
        f"(slope {head.platt.a:.4g}, offset {head.platt.b:.4g})",
    )


_RELATIONS = {"equals": "=", "below": "<", "at_least": ">=", "in": "one of"}


def _values(task: Task) -> str:
    return ", ".join(map(str, task.value)) if isinstance(task.value, tuple) else str(task.value)


def _encoder_lines(config: EncoderConfig) -> list[str]:
    lines = [
        "## Encoder\n",
        f"- backbone {code_span(config.backbone)}, {config.image_size} x {config.image_size} px, "
        f"embedding of {config.embedding_dim} numbers",
        f"- began with {config.initial_weights} weights",
        f"- layouts: {in_markdown(', '.join(config.layouts)) or 'those of the images'}; "
        f"baseline handling: {config.baseline}",
    ]
    if config.labels_learned:
        lines.append(f"- its weights have learned from {config.labels_learned:,} labels, by full fine-tuning")
    if not config.stages:
        return [*lines, "- not pretrained on ECGs\n"]
    for how in reversed(config.stages):
        again = "then " if how.after is not None else ""
        temperature = "" if how.temperature is None else f", temperature {how.temperature:g}"
        lines += [
            f"- {again}pretrained by {code_span(how.method)}: {how.steps:,} steps of {how.batch_size:,} patients or "
            f"ECGs{temperature}, pages turned by up to {how.max_rotation_deg:g} degrees{_mixture(how)}, "
            f"seed {how.seed}",
            f"- {again}pretrained on {_cohort(how.cohort, 'simulated')}",
        ]
    return [*lines[:-1], f"{lines[-1]}\n"]


def _mixture(how: PretrainingSummary) -> str:
    """Styles and recipes of the camera, where there was more than the default one."""
    out = ""
    for name, default in (("styles", ["ecg_plot"]), ("recipes", ["clean"])):
        chosen = list(dict.fromkeys(how.settings.get(name, default)))
        if chosen != default:
            out += f", {name} {in_markdown(', '.join(map(str, chosen)))}"
    return out


def _doubt_lines(distance: Distance | None, *, answers: bool) -> list[str]:
    """What the folder's distance says, and what it does not see."""
    lines = ["## When it is in doubt\n"]
    if distance is None:
        if not answers:
            return []
        return [
            *lines,
            "Nothing here says how unlike the sheets it knows a picture is: `predict` marks every answer `warned`.\n",
        ]
    shown = "images that the encoder was shown ("
    if distance.layouts:
        shown = (
            f"clean, upright sheets in {in_markdown(', '.join(distance.layouts))} that the encoder was shown "
            "(of simulated patients: "
        )
    return [
        *lines,
        f"`predict` marks an answer `warned` where the sheet's `distance` is beyond {distance.limit:.1f}: it is unlike "
        f"the {shown}{distance.fitted:,} gave mean and covariance, and {100 * QUANTILE:g} % of {distance.held_out:,} "
        "others lie within).",
        "Not told apart from an ECG: a sheet upside-down or mirrored, and with some encoders printed text. A distance "
        "within the limit says that the picture looks like a sheet, not that the answer is right.\n",
    ]


def _cohort(cohort: CohortSource, simulated: str) -> str:
    kind = f"the {simulated} cohort" if cohort.simulated else "the cohort"
    made = ""
    if cohort.simulation:
        made = f", {in_markdown(cohort.simulation.hospital)} hospital, seed {cohort.simulation.seed}"
    return (
        f"{kind} '{in_markdown(cohort.name)}': {cohort.n_ecgs:,} ECGs of {cohort.n_patients:,} patients "
        f"(content {cohort.content_hash[:12]}{made})"
    )
