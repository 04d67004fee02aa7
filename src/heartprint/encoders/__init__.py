"""Networks, the folders that hold them, embeddings.

The names below are imported when they are first used: torch takes seconds to load, and most of Heartprint does
without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

_HOME = {
    "BACKBONES": "networks.registry",
    "BackboneSpec": "networks.registry",
    "CohortSource": "bundle.config",
    "Encoder": "networks.encoder",
    "EncoderConfig": "bundle.config",
    "FinetuningSummary": "bundle.config",
    "LoadedEncoder": "bundle.loaded",
    "LoadedModel": "bundle.loaded",
    "ModelConfig": "bundle.config",
    "PageToTensor": "networks.preprocessing",
    "PretrainingSummary": "bundle.config",
    "Seen": "bundle.seen_patients",
    "SimulatedSource": "bundle.seen_patients",
    "TaskModel": "networks.classifier",
    "build_encoder": "networks.encoder",
    "embed_cohort": "embedding",
    "embed_images": "bundle.loaded",
    "export_encoder": "bundle.export",
    "get_backbone": "networks.registry",
    "load_encoder": "bundle.folder",
    "load_model": "bundle.folder",
    "resolve_encoder": "bundle.resolve",
    "save_embeddings": "embedding",
    "save_encoder": "bundle.folder",
    "save_model": "bundle.folder",
}

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


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"heartprint.encoders.{_HOME[name]}"), name)
    raise AttributeError(f"module 'heartprint.encoders' has no attribute '{name}'")
