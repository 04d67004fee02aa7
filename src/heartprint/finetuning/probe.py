"""The linear probe: the encoder stays as it is, a linear classifier reads its embeddings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort, Task
from heartprint.encoders import LoadedEncoder, LoadedModel, Seen, embed_cohort
from heartprint.finetuning.assemble import assemble
from heartprint.finetuning.config import FinetuneConfig
from heartprint.metrics.probe import fit_probe


def train_probe(
    loaded: LoadedEncoder,
    cohort: Cohort,
    labels: npt.NDArray[np.floating],
    *,
    task: Task,
    config: FinetuneConfig | None = None,
    embedding: npt.NDArray[np.float32] | None = None,
    progress: bool = True,
) -> LoadedModel:
    """Fit a class-balanced ridge classifier on standardised embeddings.

    Its penalty is chosen by cross-validation over the patients given; calibration and threshold use the out-of-fold
    scores of that cross-validation. Nothing but the labels given is used.

    Args:
        loaded: The encoder, on the device it is to use; not changed.
        cohort: The ECGs of the label budget and no others.
        labels: ``(n,)`` 0 or 1 in the cohort's order.
        task: The task that the labels answer.
        config: Settings (``seed``, ``draw``, ``layout``, ``sensitivity``, ``batch_size``).
        embedding: ``(n, D)`` if it has been computed before.
        progress: Whether to show progress.

    Returns:
        The model in memory; it shares the encoder with ``loaded``.

    Raises:
        HeartprintError: ``one-class-only``, ``too-few-patients``, ``not-finite``.
    """
    config = config or FinetuneConfig()
    if embedding is None:
        embedding = embed_cohort(loaded, cohort, layout=config.layout, batch_size=config.batch_size, progress=progress)
    probe = fit_probe(embedding, labels, cohort.patient_codes, seed=config.seed)
    weights, bias = probe.raw()
    return assemble(
        loaded,
        weights,
        bias,
        task=task,
        validation_labels=labels,
        validation_scores=probe.cross_fitted_scores,
        config=config.model_copy(update={"mode": "probe"}),
        cohort=cohort,
        labels=labels,
        notes={"penalty": probe.penalty, "calibrated_on": "out-of-fold scores", "folds": probe.n_folds},
        seen=loaded.seen | Seen.of(cohort),
    )
