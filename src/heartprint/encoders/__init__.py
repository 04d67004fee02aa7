"""Networks, the folders that hold them, embeddings.

The names below are imported when they are first used: torch takes seconds to load, and most of Heartprint does
without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heartprint.foundation.lazily import names_of

if TYPE_CHECKING:
    from heartprint.encoders.bundle.config import (
        CohortSource,
        EncoderConfig,
        FinetuningSummary,
        ModelConfig,
        PretrainingSummary,
    )
    from heartprint.encoders.bundle.export import export_encoder
    from heartprint.encoders.bundle.folder import load_encoder, load_model, save_encoder, save_model
    from heartprint.encoders.bundle.loaded import LoadedEncoder, LoadedModel, embed_images
    from heartprint.encoders.bundle.resolve import resolve_encoder
    from heartprint.encoders.bundle.seen_patients import Seen, SimulatedSource
    from heartprint.encoders.embedding import embed_cohort, save_embeddings
    from heartprint.encoders.networks.classifier import TaskModel
    from heartprint.encoders.networks.encoder import Encoder, build_encoder
    from heartprint.encoders.networks.preprocessing import PageToTensor
    from heartprint.encoders.networks.registry import BACKBONES, BackboneSpec, get_backbone

__all__ = [
    "BACKBONES",
    "BackboneSpec",
    "CohortSource",
    "Encoder",
    "EncoderConfig",
    "FinetuningSummary",
    "LoadedEncoder",
    "LoadedModel",
    "ModelConfig",
    "PageToTensor",
    "PretrainingSummary",
    "Seen",
    "SimulatedSource",
    "TaskModel",
    "build_encoder",
    "embed_cohort",
    "embed_images",
    "export_encoder",
    "get_backbone",
    "load_encoder",
    "load_model",
    "resolve_encoder",
    "save_embeddings",
    "save_encoder",
    "save_model",
]

__getattr__ = names_of(
    __name__,
    {
        "bundle.config": "CohortSource EncoderConfig FinetuningSummary ModelConfig PretrainingSummary",
        "bundle.export": "export_encoder",
        "bundle.folder": "load_encoder load_model save_encoder save_model",
        "bundle.loaded": "LoadedEncoder LoadedModel embed_images",
        "bundle.resolve": "resolve_encoder",
        "bundle.seen_patients": "Seen SimulatedSource",
        "embedding": "embed_cohort save_embeddings",
        "networks.classifier": "TaskModel",
        "networks.encoder": "Encoder build_encoder",
        "networks.preprocessing": "PageToTensor",
        "networks.registry": "BACKBONES BackboneSpec get_backbone",
    },
)
