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

READING_COLUMNS: dict[str, pl.DataType] = {
    "ecg_id": pl.String(),
    "status": pl.String(),
    "reasons": pl.String(),
    "turn_deg": pl.Int32(),
    "mirrored": pl.Boolean(),
    "px_per_mm_time": pl.Float64(),
    "px_per_mm_amplitude": pl.Float64(),
    "speed_mm_per_s": pl.Float64(),
    "gain_mm_per_mv": pl.Float64(),
    "layout": pl.String(),
    "layout_confidence": pl.Float64(),
    "n_leads": pl.Int32(),
    "n_text_boxes": pl.Int32(),
    "reader": pl.String(),
}
"""Columns of ``reading.parquet``: how each image of a cohort of read sheets was read."""


def columns_of(kind: Kind) -> dict[str, pl.DataType]:
    """Columns of ``records.parquet``, without the labels."""
    return IMAGE_COLUMNS if kind == "image" else RECORD_COLUMNS
