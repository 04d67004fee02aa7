"""Encoders and models that are ready to use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from heartprint.cohorts.tasks import Task
from heartprint.encoders.bundle.config import EncoderConfig, ModelConfig
from heartprint.encoders.bundle.distance import Distance
from heartprint.encoders.bundle.heads import ClassHead, NumberHead
from heartprint.encoders.bundle.seen_patients import Seen
from heartprint.encoders.networks.encoder import Encoder
from heartprint.encoders.networks.preprocessing import PageToTensor
from heartprint.foundation.arrays import Image, Images
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.metrics.calibration import PlattScaling

if TYPE_CHECKING:
    from heartprint.sheets import Pose


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder ready to use, with all that it needs to read an ECG.

    Attributes:
        encoder: In eval mode.
        config: What its ``config.json`` says (or would say).
        seen: Who took part in its pretraining.
        name: Where it comes from, for people.
        distance: How unlike the sheets that it knows a picture is; None where its folder does not say.
    """

    encoder: Encoder
    config: EncoderConfig
    seen: Seen
    name: str
    distance: Distance | None = None

    def __repr__(self) -> str:
        return f"<Encoder {self.name}: {self.config.backbone} at {self.config.image_size} px>"

    @property
    def page_to_tensor(self) -> PageToTensor:
        """The step from its images to its input."""
        return self.config.page_to_tensor

    def draw(
        self,
        leads: npt.NDArray[np.float32],
        sampling_rate: float,
        *,
        layout: str = "standard",
        pose: Pose | None = None,
    ) -> Image:
        """Draw an ECG as this encoder reads it.

        Args:
            leads: ``(8 or 12, n)`` float32 mV, NaN = missing.
            sampling_rate: Hz.
            layout: Name of the layout.
            pose: How the sheet lies; upright if None.

        Returns:
            ``(S, S)`` uint8, white = 255.
        """
        from heartprint.sheets import render

        return render(leads, sampling_rate, layout, self.config.image_size, pose=pose, baseline=self.config.baseline)


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to use: one encoder, a linear head for each task.

    Attributes:
        encoder: Its encoder, ready for `embed_images` and `embed_cohort`.
        weights: ``(H, D)`` float32 weights of the linear heads.
        bias: ``(H,)`` float64 offsets of the linear heads.
        config: What ``config.json`` says.
        seen: Who took part in pretraining or fine-tuning.
        name: Where it comes from, for people.
    """

    encoder: LoadedEncoder
    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float64]
    config: ModelConfig
    seen: Seen
    name: str

    def __repr__(self) -> str:
        return f"<Model {self.name}: {'; '.join(map(str, self.heads))}>"

    @property
    def heads(self) -> tuple[ClassHead | NumberHead, ...]:
        """Its heads, in the order of `weights`."""
        return self.config.heads

    @property
    def task(self) -> Task:
        """The task that it answers, if it is one of classes and the only one; otherwise `ModelConfig.only` raises."""
        return self.config.only.task

    @property
    def platt(self) -> PlattScaling:
        """From logit to probability, of the only head."""
        return self.config.only.platt

    @property
    def threshold(self) -> float:
        """Probability from which on an ECG is called positive, of the only head."""
        return self.config.only.threshold

    def of_tasks(self, *names: str) -> LoadedModel:
        """The same model with the heads of some tasks and no others.

        Raises:
            HeartprintError: ``unknown-task`` or ``task-twice``.
        """
        have = [head.task.name for head in self.heads]
        for k, name in enumerate(names):
            if name not in have:
                raise unknown_name("task", name, have)
            if name in names[:k]:
                raise HeartprintError("task-twice", f"The task '{name}' is named twice. Name each task once.")
        if list(names) == have:
            return self
        chosen = [have.index(name) for name in names]
        heads = tuple(self.heads[k] for k in chosen)
        tuned = self.config.finetuning
        learned = tuned.model_copy(
            update={
                "n_labels": sum(head.n_labels for head in heads),
                "n_positive": sum(head.n_positive for head in heads if isinstance(head, ClassHead)),
                "settings": tuned.settings | (heads[0].notes if len(heads) == 1 else {}),
            }
        )
        config = self.config.model_copy(update={"heads": heads, "finetuning": learned})
        return replace(self, weights=self.weights[chosen], bias=self.bias[chosen], config=config)

    def outputs(self, embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """What each head gives for embeddings ``(N, D)`` of its own encoder: ``(H, N)`` logits, or raw numbers.

        Raises:
            HeartprintError: ``not-finite``.
        """
        features = embedding.astype(np.float64)
        # A head at a time, so that an answer does not depend on what else the model answers.
        out = np.stack([features @ w.astype(np.float64) + b for w, b in zip(self.weights, self.bias, strict=True)])
        if not np.isfinite(out).all():
            raise self._not_finite()
        return out

    def score(self, images: Images, *, batch_size: int = 64) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Score grey images by the only head, which is one of classes.

        Args:
            images: ``(N, H, W)`` uint8, white = 255.
            batch_size: Images at a time.

        Returns:
            ``(N,)`` logits and ``(N,)`` probabilities.
        """
        return self.score_embeddings(embed_images(self.encoder, images, batch_size=batch_size))

    def score_embeddings(
        self, embedding: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Score embeddings ``(N, D)`` of its own encoder by the only head: ``(N,)`` logits and ``(N,)`` probabilities.

        Raises:
            HeartprintError: ``not-finite``; ``several-heads`` or ``needs-classes`` of another model.
        """
        platt = self.platt
        (logits,) = self.outputs(embedding)
        probabilities = platt(logits)
        if not np.isfinite(probabilities).all():
            raise self._not_finite()
        return logits, probabilities

    def sample(self, sheet: Image) -> tuple[float, ...]:
        """What one sheet ``(S, S)`` gives: of each head its output, and the probability or number that it means."""
        found: list[float] = []
        for head, (output,) in zip(self.heads, self.outputs(embed_images(self.encoder, sheet[None])), strict=True):
            answer = head.platt(output) if isinstance(head, ClassHead) else head.calibration(output)
            found += [float(output), float(answer)]
        return tuple(found)

    def _not_finite(self) -> HeartprintError:
        return HeartprintError(
            "not-finite",
            f"The model '{self.name}' gave scores that are not finite numbers. Check its folder with "
            "'heartprint check', or train it again.",
        )


def embed_images(loaded: LoadedEncoder, images: Images, *, batch_size: int = 64) -> npt.NDArray[np.float32]:
    """Embed grey images, on the device where the encoder is.

    Args:
        loaded: The encoder.
        images: ``(N, H, W)`` uint8, white = 255; other sizes than the encoder's are averaged over areas.
        batch_size: Images at a time; the result does not depend on it beyond the last float32 digits.

    Returns:
        ``(N, D)`` float32.

    Raises:
        HeartprintError: ``not-a-page`` or ``not-finite``.
    """
    encoder = loaded.encoder
    device = next(encoder.parameters()).device
    out = np.empty((len(images), encoder.embedding_dim), dtype=np.float32)
    training = encoder.training
    # Batch statistics would make an embedding depend on the images beside it.
    encoder.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                x = loaded.page_to_tensor(images[start : start + batch_size], device=device)
                out[start : start + batch_size] = encoder(x).float().cpu().numpy()
    finally:
        encoder.train(training)
    if not np.isfinite(out).all():
        raise HeartprintError(
            "not-finite",
            "The encoder gave embeddings that are not finite numbers; its training diverged. Pretrain it again "
            "with a lower learning rate.",
        )
    return out
