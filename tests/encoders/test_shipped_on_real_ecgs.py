"""What the shipped encoder is worth on real ECGs that it never saw, in small; at length in docs/results/encoder.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from heartprint.encoders import embed_cohort, resolve_encoder
from heartprint.foundation.randomness import stable_hash
from heartprint.metrics.auroc import auroc
from heartprint.metrics.probe import fit_probe
from heartprint.readers import PtbXl, ingest

FOLDS, DRAWS, LABELS = 5, 4, 150


def test_it_reads_real_ecgs_from_150_labels(shared_data: Path, tmp_path: Path) -> None:
    """Mean AUROC over folds and label draws; the bounds lie below the study's intervals (.94-.97, .77-.81)."""
    cohort = ingest(PtbXl(rate=100), shared_data / "ptb-xl", tmp_path / "ptb-xl")
    fold = np.array([stable_hash(f"fold {p}") % FOLDS for p in cohort.patient_ids.tolist()])
    means = {}
    for name in ("heartprint", "random"):
        embedding = embed_cohort(resolve_encoder(name, backbone="small"), cohort, progress=False)
        for task in ("af", "female"):
            labels = cohort.labels(task)
            found = []
            for f in range(FOLDS):
                train, test = (np.flatnonzero(known & ~np.isnan(labels)) for known in (fold != f, fold == f))
                for draw in range(DRAWS):
                    rng = np.random.default_rng([f, draw])
                    classes = [rng.permutation(train[labels[train] == answer]) for answer in (0, 1)]
                    share = LABELS / len(train)
                    rows = np.concatenate([c[: round(share * len(c))] for c in classes])
                    probe = fit_probe(embedding[rows], labels[rows], cohort.patient_codes[rows])
                    found.append(auroc(labels[test], probe.decision(embedding[test])))
            means[name, task] = float(np.mean(found))
    assert means["heartprint", "af"] >= 0.93 and means["heartprint", "female"] >= 0.76, means
    assert means["heartprint", "af"] - means["random", "af"] > 0.2, means
    assert means["heartprint", "female"] - means["random", "female"] > 0.15, means
