"""What ``config.json`` of an encoder or model folder says."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.tasks import Task
from heartprint.encoders.page_to_tensor import PageToTensor
from heartprint.encoders.seen import SimulatedSource
from heartprint.metrics.calibration import PlattScaling

FOLDER_VERSION = 1
"""Format of encoder and model folders; another version is refused."""

Baseline = Literal["none", "median"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CohortSource(_Strict):
    """Which ECGs something was learned from; names content, never a patient.

    ``simulation`` says how simulated patients can be made again.
    """

    name: str
    content_hash: str
    simulated: bool
    n_ecgs: int
    n_patients: int
    simulation: SimulatedSource | None = None

    @classmethod
    def of(cls, cohort: Cohort) -> CohortSource:
        """Describe a cohort, or the part of it that was used."""
        return cls(
            name=cohort.info.name,
            content_hash=cohort.info.content_hash,
            simulated=cohort.info.simulated,
            n_ecgs=len(cohort),
            n_patients=cohort.n_patients,
            simulation=SimulatedSource.of(cohort.info),
        )


class PretrainingSummary(_Strict):
    """How an encoder learned without labels.

    ``batch_size`` counts items (patients or ECGs), ``temperature`` is None without a contrast, ``max_rotation_deg`` is
    the largest turn of a page in degrees, ``settings`` is the whole configuration of the run, ``after`` the pretraining
    that it went on from.
    """

    method: str
    steps: int
    batch_size: int
    temperature: float | None
    max_rotation_deg: float
    seed: int
    cohort: CohortSource
    settings: dict[str, Any] = Field(default_factory=dict)
    after: PretrainingSummary | None = None


class FinetuningSummary(_Strict):
    """How a model learned from labels; ``n_labels`` counts every label used, for whatever purpose."""

    mode: Literal["probe", "full"]
    n_labels: int
    n_positive: int
    seed: int
    draw: int
    cohort: CohortSource
    settings: dict[str, Any] = Field(default_factory=dict)


class Sample(_Strict):
    """The first values that the sample sheet must give (embedding, or logit and probability)."""

    sheet: str
    expected: tuple[float, ...]


class EncoderConfig(_Strict):
    """An encoder: what it is, what it reads, how it came about.

    ``labels_learned`` counts the labels that these very weights have learned from, by full fine-tuning.
    ``weights_sha256``, ``versions`` and ``sample`` are filled in when the folder is written.
    """

    kind: Literal["encoder"] = "encoder"
    format_version: int = FOLDER_VERSION
    backbone: str
    image_size: int
    embedding_dim: int
    page_to_tensor: PageToTensor
    layouts: tuple[str, ...] = ("standard",)
    baseline: Baseline = "none"
    initial_weights: Literal["random", "imagenet"] = "random"
    initial_seed: int = 0
    pretraining: PretrainingSummary | None = None
    labels_learned: int = 0
    weights_sha256: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    sample: Sample | None = None

    @classmethod
    def new(
        cls,
        backbone: str,
        *,
        image_size: int | None = None,
        layouts: tuple[str, ...] = ("standard",),
        baseline: Baseline = "none",
        initial_weights: Literal["random", "imagenet"] = "random",
        initial_seed: int = 0,
        pretraining: PretrainingSummary | None = None,
    ) -> EncoderConfig:
        """Describe an encoder by its backbone; everything that follows from the backbone is filled in.

        Raises:
            HeartprintError: ``unknown-backbone`` or ``bad-image-size``.
        """
        from heartprint.encoders.backbones import get_backbone

        spec = get_backbone(backbone)
        page_to_tensor = spec.page_to_tensor(image_size)
        return cls(
            backbone=backbone,
            image_size=page_to_tensor.image_size,
            embedding_dim=spec.embedding_dim,
            page_to_tensor=page_to_tensor,
            layouts=tuple(dict.fromkeys(layouts)),
            baseline=baseline,
            initial_weights=initial_weights,
            initial_seed=initial_seed,
            pretraining=pretraining,
        )

    @property
    def simulated(self) -> bool:
        """Whether simulated patients were among those it was pretrained on."""
        return any(stage.cohort.simulated for stage in self.stages)

    @property
    def stages(self) -> tuple[PretrainingSummary, ...]:
        """Its pretrainings, the latest first."""
        found: list[PretrainingSummary] = []
        stage = self.pretraining
        while stage is not None:
            found.append(stage)
            stage = stage.after
        return tuple(found)


class ModelConfig(_Strict):
    """A model: an encoder with a linear head that answers one task.

    ``platt`` turns the logit into a probability; an ECG is called positive if its probability is at least
    ``threshold``.
    """

    kind: Literal["model"] = "model"
    format_version: int = FOLDER_VERSION
    encoder: EncoderConfig
    task: Task
    platt: PlattScaling = PlattScaling(1.0, 0.0)
    threshold: float = 0.5
    finetuning: FinetuningSummary
    weights_sha256: str = ""
    versions: dict[str, str] = Field(default_factory=dict)
    sample: Sample | None = None

    @property
    def labels_simulated(self) -> bool:
        """Whether the labels that it learned its task from are of simulated patients."""
        return self.finetuning.cohort.simulated
