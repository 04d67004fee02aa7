"""The encoders of a study: pretrained where asked, refused where they know the test, embedded once."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heartprint.cohorts import Cohort
from heartprint.encoders.bundle.shipped import SHIPPED_NAMES
from heartprint.evaluation.study.config import EncoderEntry, StudyConfig
from heartprint.evaluation.study.plan import ENGINE, Plan, cohort_digest, digest
from heartprint.foundation.bounded import BadFile, read_npz
from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import atomic_path

if TYPE_CHECKING:
    from heartprint.encoders.bundle.loaded import LoadedEncoder
    from heartprint.pretraining.config import PretrainConfig

_MAX_BYTES = 2**36
ALL_FOLDS = -1
"""Stands for an encoder that serves every fold."""


class Encoders:
    """Makes, checks and runs the encoders of a study, and keeps what they give.

    Args:
        plan: The study's plan.
        work: Folder for pretraining runs and embeddings.
        progress: Whether to show progress.
    """

    def __init__(self, plan: Plan, work: Path, *, progress: bool = True) -> None:
        self.plan = plan
        self.work = work
        self.progress = progress
        self._loaded: dict[tuple[str, int], LoadedEncoder] = {}
        self._cleared: set[tuple[str, int]] = set()
        self._shared: dict[str, bool] = {}

    def per_fold(self, entry: EncoderEntry) -> bool:
        """Whether each fold needs an encoder of its own, because it learns from patients that other folds test."""
        if entry.pretrain is None or entry.transductive or self.plan.n_folds == 1:
            return False
        cohort = entry.pretrain.cohort
        if cohort not in self._shared:
            folds = range(self.plan.n_folds)
            self._shared[cohort] = any(self._tested(cohort, fold).any() for fold in folds)
        return self._shared[cohort]

    def load(self, entry: EncoderEntry, fold: int) -> LoadedEncoder:
        """Give the encoder that serves a fold; it is pretrained first if need be.

        Raises:
            HeartprintError: ``patients-seen`` if it has seen patients that the fold tests and is not transductive.
        """
        from heartprint.training.device import choose_device

        which = fold if self.per_fold(entry) else ALL_FOLDS
        if (entry.name, which) not in self._loaded:
            # One encoder in memory: the study goes through them one after the other.
            self._loaded = {(entry.name, which): self._make(entry, which)}
            # Here, not where embeddings are computed: a resumed study reads them from disk and fine-tunes all the same.
            self._loaded[entry.name, which].encoder.to(choose_device())
        loaded = self._loaded[entry.name, which]
        if not entry.transductive and (entry.name, fold) not in self._cleared:
            self._refuse_seen(entry, loaded, fold)
            self._cleared.add((entry.name, fold))
        return loaded

    def origin(self, entry: EncoderEntry, fold: int) -> str:
        """Digest of the encoder's weights and of what it reads."""
        from heartprint.sheets import layout_file_digests

        c = self.load(entry, fold).config
        return digest(
            c.weights_sha256 or self._weights(entry, fold),
            c.page_to_tensor,
            c.baseline,
            self.plan.config.layout,
            *layout_file_digests([self.plan.config.layout]).values(),
        )

    def embedding(self, entry: EncoderEntry, fold: int, cohort: str) -> npt.NDArray[np.float32]:
        """``(n, D)`` embeddings of a home or external view, from disk if they were computed before."""
        from heartprint.encoders.embedding import embed_cohort

        view = self.plan.views[cohort]
        name = digest(ENGINE, self.origin(entry, fold), cohort_digest(view))
        loaded = self.load(entry, fold)

        def compute() -> npt.NDArray[np.float32]:
            announce(f"Embedding '{cohort}' with {entry.name}", self.progress)
            return embed_cohort(loaded, view, layout=self.plan.config.layout, progress=self.progress)

        return cached(self.work / "embeddings" / f"{entry.name}-{cohort}-{name}.npz", compute)

    def folds_of(self, entry: EncoderEntry) -> list[int]:
        """Folds that need an encoder of their own, or just the first."""
        return list(range(self.plan.n_folds)) if self.per_fold(entry) else [0]

    def pretrain_config(self, entry: EncoderEntry) -> PretrainConfig:
        """The whole configuration of one encoder's pretraining (see `pretrain_config`)."""
        return pretrain_config(self.plan.config, entry)

    def pretraining_cohort(self, entry: EncoderEntry, fold: int) -> Cohort:
        """What an encoder learns from: without the patients that the fold tests, unless it is transductive."""
        assert entry.pretrain is not None
        cohort = self.plan.cohorts[entry.pretrain.cohort]
        if entry.transductive:
            return cohort
        return cohort.take(np.flatnonzero(~self._tested(entry.pretrain.cohort, max(fold, 0))))

    def _make(self, entry: EncoderEntry, which: int) -> LoadedEncoder:
        from heartprint.encoders import resolve_encoder

        group = self.plan.config.groups[entry.group]
        if entry.pretrain is not None:
            loaded = resolve_encoder(str(self._pretrained(entry, which)))
        elif entry.init in ("random", "imagenet"):
            loaded = resolve_encoder(
                entry.init, backbone=group.backbone, image_size=group.image_size, seed=self.plan.config.seed
            )
            # All encoders of a group read the same sheets.
            baseline = group.pretraining.get("baseline", loaded.config.baseline)
            loaded = dataclasses.replace(loaded, config=loaded.config.model_copy(update={"baseline": baseline}))
        else:
            loaded = resolve_encoder(str(entry.init), unlabelled=True)
        return loaded

    def run_folder(self, entry: EncoderEntry, which: int) -> Path:
        """Where the pretraining of an encoder is kept, for a fold or for all of them (`ALL_FOLDS`).

        The name holds a key: another recipe gets another folder, and nothing that took days is overwritten.
        """
        from heartprint.encoders import resolve_encoder
        from heartprint.pretraining.methods import get_method
        from heartprint.pretraining.run_folder import labels_hash
        from heartprint.sheets import layout_file_digests

        config = self.pretrain_config(entry)
        cohort = self.pretraining_cohort(entry, which)
        more = list(layout_file_digests(list(config.all_layouts)).values())
        if config.init not in ("random", "imagenet"):
            more.append(resolve_encoder(config.init, unlabelled=True).config.weights_sha256)
        if get_method(config.method.name).learns_labels:
            more.append(labels_hash(cohort))
        key = digest(config.recipe(), cohort_digest(cohort), *more)
        return self.work / "pretraining" / f"{config.method.name}-{key}"

    def _pretrained(self, entry: EncoderEntry, which: int) -> Path:
        from heartprint.pretraining import pretrain
        from heartprint.pretraining.run_folder import is_finished

        run = self.run_folder(entry, which)
        # The encoder of a run that was killed in its last moments is there; the run goes on and tidies up.
        if not (run / "encoder").is_dir() or not is_finished(run):
            where = "" if which == ALL_FOLDS else f", fold {which + 1} of {self.plan.n_folds}"
            announce(f"Pretraining {self.plan.config.title_of(entry.name)}{where}", self.progress)
            cohort = self.pretraining_cohort(entry, which)
            pretrain(cohort, self.pretrain_config(entry), run, resume=True, progress=self.progress)
        return run

    def _tested(self, cohort: str, fold: int) -> npt.NDArray[np.bool_]:
        from heartprint.encoders import Seen

        tested = Seen()
        for part in self.plan.test_cohorts(fold):
            tested = tested | Seen.of(part)
        return tested.overlap(self.plan.cohorts[cohort])

    def _refuse_seen(self, entry: EncoderEntry, loaded: LoadedEncoder, fold: int) -> None:
        for part in self.plan.test_cohorts(fold):
            seen = loaded.seen.overlap(part)
            if seen.any():
                n = len(np.unique(part.patient_ids[seen]))
                raise HeartprintError(
                    "patients-seen",
                    f"Encoder '{entry.name}' has seen {n} patients of the test part of '{part.info.name}' in "
                    "pretraining. Pretrain it without them, or say 'transductive: true' for this encoder: the "
                    "report will then mark it.",
                )

    def _weights(self, entry: EncoderEntry, fold: int) -> str:
        state = self.load(entry, fold).encoder.state_dict()
        return digest(*(part for name, value in sorted(state.items()) for part in (name, value.cpu().numpy())))


def pretrain_config(config: StudyConfig, entry: EncoderEntry) -> PretrainConfig:
    """The whole configuration of one encoder's pretraining: its group's settings, and its own on top.

    Raises:
        HeartprintError: ``bad-config`` if a setting is unknown or impossible.
    """
    from heartprint.foundation.config import validate_config
    from heartprint.pretraining.config import PretrainConfig

    assert entry.pretrain is not None
    group = config.groups[entry.group]
    values = {
        "backbone": group.backbone,
        "image_size": group.image_size,
        "seed": config.seed,
        **group.pretraining,
        **entry.pretrain.settings,
        "method": entry.pretrain.method,
    }
    return validate_config(values, PretrainConfig, where=f"pretraining of encoder '{entry.name}'")


def feature_table(plan: Plan, cohort: str, work: Path, *, progress: bool = True) -> npt.NDArray[np.float32]:
    """``(n, k)`` waveform measurements of a home or external view, NaN = not measurable; from disk if possible."""
    from heartprint.cohorts.measure import measure_cohort
    from heartprint.signals.measurements import FEATURE_NAMES

    view = plan.views[cohort]

    def compute() -> npt.NDArray[np.float32]:
        announce(f"Measuring '{cohort}'", progress)
        return measure_cohort(view)

    return cached(
        work / "embeddings" / f"features-{cohort}-{digest(ENGINE, cohort_digest(view), FEATURE_NAMES)}.npz", compute
    )


def cached(path: Path, compute: Callable[[], npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Read an array from ``path``, or compute it and keep it there."""
    if path.is_file():
        with contextlib.suppress(OSError, BadFile):
            (values,) = read_npz(path, "values", limit=_MAX_BYTES)
            if values.dtype == np.float32 and values.ndim == 2:
                return values
    values = np.asarray(compute(), dtype=np.float32)
    with atomic_path(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, values=values)
    return values


def announce(what: str, progress: bool) -> None:
    """Name the stage of work that begins."""
    if progress:
        print(f"{what} ...", file=sys.stderr, flush=True)


def summary(entry: EncoderEntry, config: StudyConfig, loaded: LoadedEncoder, *, per_fold: bool) -> dict[str, Any]:
    """What the report says of one encoder.

    Returns:
        Plain values; ``recipe`` holds what must be equal for an equal comparison (None where it does not apply).
    """
    c = loaded.config
    p = c.pretraining
    settings = dict(p.settings) if p else {}
    recipe: dict[str, Any] = {"backbone": c.backbone, "image_size": c.image_size, "baseline": c.baseline}
    if p is not None:
        recipe |= {
            "steps": p.steps,
            "batch_size": p.batch_size,
            "temperature": p.temperature,
            "max_rotation_deg": p.max_rotation_deg,
        }
        recipe |= {k: v for k, v in settings.items() if k not in {*recipe, *_NOT_RECIPE}}
        method = settings.get("method")
        if isinstance(method, Mapping):
            recipe |= {k: v for k, v in method.items() if k not in _NOT_RECIPE}
    return {
        "name": entry.name,
        "title": config.title_of(entry.name),
        "group": entry.group,
        "init": entry.init if entry.init in ("random", "imagenet", *SHIPPED_NAMES, None) else "model folder",
        "method": p.method if p else None,
        "pretrained_on": p.cohort.model_dump() if p else None,
        "simulated": c.simulated,
        "transductive": entry.transductive,
        "per_fold": per_fold,
        "layouts": list(c.layouts),
        "initial_weights": c.initial_weights,
        "embedding_dim": c.embedding_dim,
        "recipe": recipe,
    }


_NOT_RECIPE = {"name", "method", "augment", "seed", "device", "workers", "precision", "epochs", "since", "until"}
_NOT_RECIPE |= {"checkpoint_every"}


def unequal(group: list[dict[str, Any]], reference: str) -> dict[str, list[str]]:
    """Find what makes a comparison within a group unequal.

    Args:
        group: Summaries of the encoders of one group (see `summary`).
        reference: Encoder the others are measured against; the first pretrained one if it is elsewhere.

    Returns:
        Encoder name to sentences like ``"steps 120, BCL has 200"``; an equal encoder has none.
    """
    standard = next((e for e in group if e["name"] == reference), None) or next(
        (e for e in group if e["method"]), group[0]
    )
    out: dict[str, list[str]] = {}
    for encoder in group:
        mine, theirs = encoder["recipe"], standard["recipe"]
        out[encoder["name"]] = [
            f"{key.replace('_', ' ')} {mine[key]}, {standard['title']} has {theirs[key]}"
            for key in mine
            if key in theirs and mine[key] != theirs[key]
        ]
    return out
