"""What ``config.json`` of an encoder or model folder says."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator

from heartprint.cohorts.cohort import Cohort
from heartprint.encoders.bundle.heads import MAX_HEADS, ClassHead, Head, only_class_head, twice
from heartprint.encoders.bundle.seen_patients import SimulatedSource
from heartprint.encoders.bundle.strict import Count, Finite, Seed, Sha256, Strict, Text
from heartprint.encoders.networks.preprocessing import PageToTensor

if TYPE_CHECKING:
    from heartprint.sheets import SheetSampler

FOLDER_VERSION = 2
"""Format of encoder and model folders; `heartprint.encoders.bundle.upgrade` turns version 1 into this one.

Version 1 gave the image size twice and did not count the labels that weights have learned from.
"""

Baseline = Literal["none", "median"]

Version = Annotated[int, Field(ge=FOLDER_VERSION, le=FOLDER_VERSION)]


def layouts_by_name(layouts: Iterable[str]) -> list[str]:
    """Layouts as a folder to pass on may name them: without the place where a user keeps the file of one."""
    return [PurePath(name).name if name.endswith((".yaml", ".yml")) else name for name in layouts]


class CohortSource(Strict):
    """Which ECGs something was learned from; names content, never a patient.

    ``simulation`` says how simulated patients can be made again.
    """

    name: Text
    content_hash: Text
    simulated: bool
    n_ecgs: Count
    n_patients: Count
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


class PretrainingSummary(Strict):
    """How an encoder learned without labels.

    ``batch_size`` counts items (patients or ECGs), ``temperature`` is None without a contrast, ``max_rotation_deg`` is
    the largest turn of a sheet in degrees, ``settings`` is the whole configuration of the run, ``after`` the
    pretraining that it went on from.
    """

    method: Text
    steps: Count
    batch_size: Count
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    max_rotation_deg: Annotated[float, Field(ge=0, le=360)]
    seed: Seed
    cohort: CohortSource
    settings: dict[str, Any] = Field(default_factory=dict)
    after: PretrainingSummary | None = None


class FinetuningSummary(Strict):
    """How a model learned from labels; ``n_labels`` counts every label used, for whatever purpose and head.

    ``n_positive`` counts the positive ones among those of classes. ``settings`` also says how a single head was fitted
    and calibrated; of several heads each says so itself.
    """

    mode: Literal["probe", "full"]
    n_labels: Count
    n_positive: Count
    seed: Seed
    draw: Count
    cohort: CohortSource
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _no_more_positive_than_labels(self) -> FinetuningSummary:
        if self.n_positive > self.n_labels:
            raise ValueError("there are more positive labels than labels")
        return self


class Sample(Strict):
    """The first values that the sample sheet must give (embedding, or two of each head; see `LoadedModel.sample`)."""

    sheet: Literal["sample_sheet.png"]
    expected: Annotated[tuple[Finite, ...], Field(min_length=1, max_length=64)]


class EncoderConfig(Strict):
    """An encoder: what it is, what it reads, how it came about.

    ``layouts`` that users wrote themselves are named by their file, without its folder. ``labels_learned`` counts the
    labels that these very weights have learned from, by full fine-tuning.
    ``weights_sha256``, ``versions`` and ``sample`` are filled in when the folder is written.
    """

    kind: Literal["encoder"] = "encoder"
    format_version: Version = FOLDER_VERSION
    backbone: Text
    embedding_dim: Annotated[int, Field(ge=1, le=2**20)]
    page_to_tensor: PageToTensor
    layouts: Annotated[tuple[Text, ...], Field(max_length=1000)] = ("standard",)
    baseline: Baseline = "none"
    initial_weights: Literal["random", "imagenet"] = "random"
    initial_seed: Seed = 0
    pretraining: PretrainingSummary | None = None
    labels_learned: Count = 0
    weights_sha256: Sha256 = ""
    versions: dict[Text, Text] = Field(default_factory=dict)
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
        from heartprint.encoders.networks.registry import get_backbone

        spec = get_backbone(backbone)
        page_to_tensor = spec.page_to_tensor(image_size)
        return cls(
            backbone=backbone,
            embedding_dim=spec.embedding_dim,
            page_to_tensor=page_to_tensor,
            layouts=tuple(dict.fromkeys(layouts_by_name(layouts))),
            baseline=baseline,
            initial_weights=initial_weights,
            initial_seed=initial_seed,
            pretraining=pretraining,
        )

    @property
    def image_size(self) -> int:
        """Side of the square sheets that it reads, px."""
        return self.page_to_tensor.image_size

    @property
    def images(self) -> SheetSampler:
        """What draws ECGs as it reads them, upright unless it is told otherwise."""
        from heartprint.sheets import SheetSampler

        return SheetSampler(baseline=self.baseline, size=self.image_size)

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


class ModelConfig(Strict):
    """A model: an encoder with linear heads, each of which answers a task.

    On disk a single head of classes stands at the top: see `heartprint.encoders.bundle.heads.to_disk`.
    """

    kind: Literal["model"] = "model"
    format_version: Version = FOLDER_VERSION
    encoder: EncoderConfig
    heads: Annotated[tuple[Head, ...], Field(min_length=1, max_length=MAX_HEADS)]
    finetuning: FinetuningSummary
    weights_sha256: Sha256 = ""
    versions: dict[Text, Text] = Field(default_factory=dict)
    sample: Sample | None = None

    @model_validator(mode="after")
    def _heads_agree(self) -> ModelConfig:
        if (name := twice([head.task for head in self.heads])) is not None:
            raise ValueError(f"the task '{name[:60]}' stands twice")
        positive = sum(head.n_positive for head in self.heads if isinstance(head, ClassHead))
        if (self.finetuning.n_labels, self.finetuning.n_positive) != (sum(h.n_labels for h in self.heads), positive):
            raise ValueError("the labels of its heads are not those that it learned from")
        return self

    @property
    def only(self) -> ClassHead:
        """The head of a model that has one, of classes.

        Raises:
            HeartprintError: ``several-heads`` or ``needs-classes``.
        """
        return only_class_head(self.heads, "This needs")

    @property
    def labels_simulated(self) -> bool:
        """Whether the labels that it learned its task from are of simulated patients."""
        return self.finetuning.cohort.simulated
