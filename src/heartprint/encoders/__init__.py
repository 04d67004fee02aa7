"""Backbones, the page-to-tensor step, the model folder, embeddings.

The names below are imported when they are first used: torch takes seconds to load, and most of Heartprint does
without it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heartprint.encoders.backbones import BACKBONES, BackboneSpec, get_backbone
    from heartprint.encoders.config import (
        CohortSource,
        EncoderConfig,
        FinetuningSummary,
        ModelConfig,
        PretrainingSummary,
    )
    from heartprint.encoders.embedding import (
        choose_device,
        draw_cohort,
        embed_cohort,
        embed_pages,
        save_embeddings,
    )
    from heartprint.encoders.encoder import Encoder, build_encoder
    from heartprint.encoders.export import export_encoder
    from heartprint.encoders.model_folder import (
        LoadedEncoder,
        LoadedModel,
        load_encoder,
        load_model,
        save_encoder,
        save_model,
    )
    from heartprint.encoders.page_to_tensor import PageToTensor
    from heartprint.encoders.resolve import resolve_encoder
    from heartprint.encoders.seen import Seen, SimulatedSource
    from heartprint.encoders.task_model import TaskModel

_HOME = {
    "BACKBONES": "backbones",
    "BackboneSpec": "backbones",
    "CohortSource": "config",
    "Encoder": "encoder",
    "EncoderConfig": "config",
    "FinetuningSummary": "config",
    "LoadedEncoder": "model_folder",
    "LoadedModel": "model_folder",
    "ModelConfig": "config",
    "PageToTensor": "page_to_tensor",
    "PretrainingSummary": "config",
    "Seen": "seen",
    "SimulatedSource": "seen",
    "TaskModel": "task_model",
    "build_encoder": "encoder",
    "choose_device": "embedding",
    "draw_cohort": "embedding",
    "embed_cohort": "embedding",
    "embed_pages": "embedding",
    "export_encoder": "export",
    "get_backbone": "backbones",
    "load_encoder": "model_folder",
    "load_model": "model_folder",
    "resolve_encoder": "resolve",
    "save_embeddings": "embedding",
    "save_encoder": "model_folder",
    "save_model": "model_folder",
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
    "choose_device",
    "draw_cohort",
    "embed_cohort",
    "embed_pages",
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
