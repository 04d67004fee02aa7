"""Columns of a cohort's tables."""

from __future__ import annotations

from typing import Literal

import polars as pl

Kind = Literal["waveform", "image"]
_OF_ANY_KIND = ("ecg_id", "patient_id", "recorded_at", "age", "sex", "site", "device", "kind")

RECORD_COLUMNS: dict[str, pl.DataType] = {
    "ecg_id": pl.String(),
    "patient_id": pl.String(),
    "recorded_at": pl.Datetime("us"),
    "age": pl.Float32(),
    "sex": pl.String(),
    "site": pl.String(),
    "device": pl.String(),
    "kind": pl.String(),
    "offset": pl.Int64(),
    "n_samples": pl.Int32(),
    "sampling_rate": pl.Float32(),
    "uv_per_bit": pl.Float32(),
    "n_leads": pl.Int8(),
    "unit": pl.String(),
    "n_missing": pl.Int32(),
    "n_clipped": pl.Int32(),
    "waveform_hash": pl.UInt64(),
}
"""Columns of ``records.parquet``; ``label_<name>`` columns (Float32, null = no label) follow."""

IMAGE_COLUMNS: dict[str, pl.DataType] = {
    **{name: kind for name, kind in RECORD_COLUMNS.items() if name in _OF_ANY_KIND},
    "offset": pl.Int64(),
    "height": pl.Int32(),
    "width": pl.Int32(),
    "original_height": pl.Int32(),
    "original_width": pl.Int32(),
    "image_hash": pl.UInt64(),
}
"""The same of a cohort of images: ``offset`` counts bytes of ``images.u8``."""

REFUSED_COLUMNS: dict[str, pl.DataType] = {
    "ecg_id": pl.String(),
    "path": pl.String(),
    "code": pl.String(),
    "message": pl.String(),
}
"""Columns of ``refused.parquet`` and ``cautions.parquet``."""


def columns_of(kind: Kind) -> dict[str, pl.DataType]:
    """Columns of ``records.parquet``, without the labels."""
    return IMAGE_COLUMNS if kind == "image" else RECORD_COLUMNS
