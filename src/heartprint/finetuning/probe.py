"""Linear probes: the encoder stays as it is, linear rules read its embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import AnyTask, Cohort
from heartprint.encoders import LoadedEncoder, LoadedModel, Seen, embed_cohort
from heartprint.finetuning.assemble import Rule, assemble
from heartprint.finetuning.config import FinetuneConfig
from heartprint.finetuning.targets import Target, targets_of
from heartprint.metrics.probe import fit_probe, fit_regression


def train_probe(
    loaded: LoadedEncoder,
    cohort: Cohort,
    labels: npt.NDArray[np.floating] | Sequence[npt.NDArray[np.floating]],
    *,
    task: AnyTask | Sequence[AnyTask],
    config: FinetuneConfig | None = None,
    embedding: npt.NDArray[np.float32] | None = None,
    progress: bool = True,
) -> LoadedModel:
    """Fit a linear rule for each task on standardised embeddings: a class-balanced ridge classifier, or a ridge.

    Penalties are chosen by cross-validation over the patients given; calibration and threshold use the out-of-fold
    scores of that cross-validation. Nothing but the labels given is used, by each rule its own: several tasks give the
    rules that each would give alone.

    Args:
        loaded: The encoder, on the device it is to use; not changed.
        cohort: The ECGs of the label budgets and no others.
        labels: ``(n,)`` 0 or 1, or numbers, in the cohort's order; of several tasks ``(H, n)``, NaN where an ECG has
            no label of a task.
        task: The task that the labels answer, or several.
        config: Settings (``seed``, ``draw``, ``layout``, ``sensitivity``, ``batch_size``).
        embedding: ``(n, D)`` if it has been computed before.
        progress: Whether to show progress.

    Returns:
        The model in memory; it shares the encoder with ``loaded``.

    Raises:
        HeartprintError: ``one-class-only``, ``constant-target``, ``too-few-patients``, ``not-finite``.
    """
    config = config or FinetuneConfig()
    if embedding is None:
        embedding = embed_cohort(loaded, cohort, layout=config.layout, batch_size=config.batch_size, progress=progress)
    patients = cohort.patient_codes

    def rule(target: Target) -> Rule:
        fit = fit_regression if target.is_number else fit_probe
        probe = fit(embedding, target.labels, patients, seed=config.seed)
        weights, bias = probe.raw()
        notes = {"penalty": probe.penalty, "calibrated_on": "out-of-fold scores", "folds": probe.n_folds}
        return Rule(target, weights, bias, target.labels, probe.cross_fitted_scores, notes)

    return assemble(
        loaded,
        [rule(target) for target in targets_of(labels, task)],
        config=config.model_copy(update={"mode": "probe"}),
        cohort=cohort,
        notes={},
        seen=loaded.seen | Seen.of(cohort),
    )
