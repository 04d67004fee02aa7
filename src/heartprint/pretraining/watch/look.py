"""One look at an encoder: what it does with the watched patients."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from heartprint._threads import small_matrices
from heartprint.cohorts import Cohort
from heartprint.cohorts.summary import GAPS, UNKNOWN_GAP, tasks_in
from heartprint.cohorts.tasks import Task, get_classes
from heartprint.encoders import EncoderConfig, LoadedEncoder, Seen
from heartprint.encoders.embedding import embed_cohort
from heartprint.encoders.networks.encoder import Encoder
from heartprint.foundation.arrays import Float64Array, Image
from heartprint.metrics.auroc import Interval
from heartprint.metrics.retrieval import (
    MIN_PATIENTS,
    Estimate,
    cosine_similarity,
    effective_rank,
    genuine_comparisons,
    identification_rates,
    mean_cosine,
    readable,
    verification,
)
from heartprint.pretraining.config import PretrainConfig
from heartprint.sheets import layouts_of

RESAMPLES = 200
"""Resamples behind an interval: enough to see whether a curve moves, and quick."""
MIN_CASES = 10
"""Patients of each class that a label needs to be watched."""
HARDEST = 5
RATES = ("rank_1", "rank_5", "equal_error_rate", "tar_far_1pct", "tar_far_0_1pct")
"""What is measured of recognition: identification at ranks 1 and 5, and verification (see `metrics.retrieval`)."""
SAME_LAYOUT = "same_layout_"
GAP_RATES = ("equal_error_rate", "tar_far_1pct")
GAP_CLASSES = {**{name: title for name, (title, _) in GAPS.items()}, UNKNOWN_GAP: "unknown"}


@dataclass(frozen=True)
class HardPair:
    """A genuine pair, and the ECG of somebody else that is most like its probe.

    Attributes:
        probe: Row of the watched ECG that is searched for, in the first layout.
        mate: Row of the same patient's ECG, in the other layout.
        impostor: Row of the most similar ECG of another patient, in the other layout.
        similarity: Cosine of probe and mate.
        impostor_similarity: Cosine of probe and impostor.
    """

    probe: int
    mate: int
    impostor: int
    similarity: float
    impostor_similarity: float


@dataclass(frozen=True)
class Look:
    """What was seen at a step.

    Attributes:
        step: Steps done.
        estimates: Name to number, all names of `Subjects.names`.
        gap_pairs: Gap class to number of genuine comparisons.
        hardest: The genuine pairs found hardest, one of each patient, the hardest first.
    """

    step: int
    estimates: dict[str, Estimate]
    gap_pairs: dict[str, int] = field(default_factory=dict)
    hardest: tuple[HardPair, ...] = ()


class Subjects:
    """The watched ECGs and what is asked of an encoder about them.

    Args:
        cohort: The watched ECGs.
        config: ``layouts``, ``image_size``, ``baseline``, ``backbone`` and ``watch.tasks``.

    Attributes:
        layouts: Layout of the probes, and of the gallery where the run has more than one.
        names: What is measured, in order.
        tasks: Labels that are read off the embeddings.

    Raises:
        HeartprintError: ``unknown-task`` or ``label-missing``.
    """

    def __init__(self, cohort: Cohort, config: PretrainConfig) -> None:
        self.cohort = cohort
        self.config = config
        self.patients = cohort.patient_codes
        self.layouts = layouts_of(cohort, tuple(dict.fromkeys(config.layouts)))[:2]
        self.tasks = _tasks(cohort, config)
        self._gaps = _gap_classes(cohort)
        self.names = (
            *RATES,
            *(SAME_LAYOUT + name for name in RATES if len(self.layouts) > 1),
            *(gap_name(name, gap) for gap in GAP_CLASSES for name in GAP_RATES),
            "effective_rank",
            "mean_cosine",
            *(f"{kind}_auroc_{task}" for task in self.tasks for kind in ("probe", "knn")),
        )

    def gap(self, one: int, other: int) -> str:
        """Gap class of two watched ECGs."""
        return list(GAP_CLASSES)[int(self._gaps[one, other])]

    def draw(self, row: int, layout: str) -> Image:
        """Draw a watched ECG as the encoder sees it at a look, upright: ``(S, S)`` uint8, white = 255."""
        return self.config.images.sheet(self.cohort, row, layout=layout)

    def reader(self, encoder: Encoder) -> LoadedEncoder:
        """The encoder as all the rest of Heartprint uses it."""
        config = self.config
        description = EncoderConfig.new(
            config.backbone, image_size=config.image_size, layouts=config.layouts, baseline=config.baseline
        )
        return LoadedEncoder(encoder, description, Seen(), "the encoder being trained")

    def look(self, encoder: Encoder, step: int) -> Look:
        """Embed every watched ECG upright in each of the layouts, in eval mode, and judge it.

        Nothing about the encoder changes, and nothing is drawn from torch's generators.
        """
        reader = self.reader(encoder)
        embeddings = [embed_cohort(reader, self.cohort, layout=name, progress=False) for name in self.layouts]
        with small_matrices():
            return self._judge(embeddings, step)

    def _judge(self, embeddings: list[npt.NDArray[np.float32]], step: int) -> Look:
        several = len(self.layouts) > 1
        similarity = cosine_similarity(embeddings[0], embeddings[1] if several else None)
        estimates, gap_pairs = self._recognition(similarity)
        if several:
            same, _ = self._recognition(cosine_similarity(embeddings[0]))
            estimates |= {SAME_LAYOUT + name: same[name] for name in RATES}
        n_patients = self.cohort.n_patients
        for name, value in (
            ("effective_rank", effective_rank(embeddings[0])),
            ("mean_cosine", mean_cosine(embeddings[0])),
        ):
            estimates[name] = Estimate(Interval(value, np.nan, np.nan), n_patients)
        for task in self.tasks:
            estimates |= self._reading(embeddings[0], task)
        return Look(step, {name: estimates[name] for name in self.names}, gap_pairs, self._hardest(similarity))

    def _recognition(self, similarity: Float64Array) -> tuple[dict[str, Estimate], dict[str, int]]:
        ranks = identification_rates(similarity, self.patients, n=RESAMPLES)
        whole, *parts = verification(
            similarity, self.patients, classes=self._gaps, n_classes=len(GAP_CLASSES), n=RESAMPLES
        )
        estimates = dict(zip(RATES, (*ranks, whole.equal_error_rate, *whole.true_accept_rates), strict=True))
        for gap, part in zip(GAP_CLASSES, parts, strict=True):
            values = part.equal_error_rate, part.true_accept_rates[0]
            estimates |= {gap_name(name, gap): value for name, value in zip(GAP_RATES, values, strict=True)}
        return estimates, {gap: part.n_genuine for gap, part in zip(GAP_CLASSES, parts, strict=True)}

    def _reading(self, embedding: npt.NDArray[np.float32], task: str) -> dict[str, Estimate]:
        labels = self.tasks[task].labels(self.cohort.records)
        n, reason = _enough(labels, self.patients)
        values: tuple[Interval | None, Interval | None] = (None, None)
        if not reason:
            values = readable(embedding, labels, self.patients, n=RESAMPLES)
        return {
            f"{kind}_auroc_{task}": Estimate(value, n, reason)
            for kind, value in zip(("probe", "knn"), values, strict=True)
        }

    def _hardest(self, similarity: Float64Array) -> tuple[HardPair, ...]:
        """Where an ECG of somebody else is most clearly preferred; the hardest pair of each patient."""
        genuine = genuine_comparisons(self.patients)
        impostor = self.patients[:, None] != self.patients[None]
        if not genuine.any() or not impostor.any():
            return ()
        preferred = np.where(impostor, similarity, -np.inf).argmax(axis=1)
        best = similarity[np.arange(len(similarity)), preferred]
        probes, mates = np.nonzero(genuine)
        order = np.argsort(similarity[probes, mates] - best[probes], kind="stable")
        _, first = np.unique(self.patients[probes[order]], return_index=True)
        return tuple(
            HardPair(int(p), int(m), int(preferred[p]), float(similarity[p, m]), float(best[p]))
            for p, m in ((probes[k], mates[k]) for k in order[np.sort(first)][:HARDEST])
        )


def gap_name(name: str, gap: str) -> str:
    """Name of a number over the genuine pairs of one gap class."""
    return f"{name}_gap_{gap}"


def _tasks(cohort: Cohort, config: PretrainConfig) -> dict[str, Task]:
    if config.watch.tasks is not None and len(cohort):
        why = "Watched tasks are measured by AUROC"
        tasks = {name: get_classes(name, cohort.records, why=why) for name in config.watch.tasks}
        for task in tasks.values():
            task.labels(cohort.records)  # says so now if the column is missing
        return tasks
    codes = cohort.patient_codes
    return {t.name: t for t in tasks_in(cohort.records) if not _enough(t.labels(cohort.records), codes)[1]}


def _enough(labels: npt.NDArray[np.float32], patients: npt.NDArray[np.int64]) -> tuple[int, str]:
    """Labelled patients, and why they are too few; empty if they suffice."""
    positive, negative = (len(np.unique(patients[labels == answer])) for answer in (1, 0))
    n = len(np.unique(patients[~np.isnan(labels)]))
    if n >= MIN_PATIENTS and min(positive, negative) >= MIN_CASES:
        return n, ""
    return n, (
        f"{positive} watched patients are positive and {negative} negative; {MIN_CASES} of each and {MIN_PATIENTS} "
        "in all are needed"
    )


def _gap_classes(cohort: Cohort) -> npt.NDArray[np.int64]:
    """``(n, n)`` class of the gap between every two ECGs, in the order of `GAP_CLASSES`."""
    dates = cohort.records["recorded_at"].dt.date().to_numpy().astype("datetime64[D]")
    days = np.abs(dates[:, None] - dates[None]).astype(np.float64)
    known = ~(np.isnat(dates)[:, None] | np.isnat(dates)[None])
    return np.where(known, np.searchsorted([most for _, most in GAPS.values()], days), len(GAPS)).astype(np.int64)
