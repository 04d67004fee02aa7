"""One file per source of ECGs; `ingest` turns any of them into a cohort."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heartprint.cohorts.checks import Limits, examine
from heartprint.cohorts.cohort import Cohort
from heartprint.cohorts.readers.challenge import Challenge
from heartprint.cohorts.readers.code_15 import Code15
from heartprint.cohorts.readers.echonext import EchoNext
from heartprint.cohorts.readers.files import Files
from heartprint.cohorts.readers.formats import FORMATS, Given, read_recording
from heartprint.cohorts.readers.images import Images
from heartprint.cohorts.readers.mimic_iv_ecg import MimicIvEcg
from heartprint.cohorts.readers.ptb import Ptb
from heartprint.cohorts.readers.ptb_xl import PtbXl
from heartprint.cohorts.readers.sami_trop import SamiTrop
from heartprint.cohorts.readers.source import Details, ImageRecording, Reader, Recording, Row, Source
from heartprint.cohorts.readers.table import Table
from heartprint.cohorts.writer import CohortWriter, write_cohort
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.progress import track

__all__ = [
    "FORMATS",
    "READERS",
    "Challenge",
    "Code15",
    "Details",
    "EchoNext",
    "Files",
    "Given",
    "ImageRecording",
    "Images",
    "MimicIvEcg",
    "Ptb",
    "PtbXl",
    "Reader",
    "Recording",
    "Row",
    "SamiTrop",
    "Source",
    "Table",
    "ingest",
    "read_recording",
]

READERS: Mapping[str, type[Reader]] = {
    "challenge": Challenge,
    "code-15": Code15,
    "echonext": EchoNext,
    "files": Files,
    "images": Images,
    "mimic-iv-ecg": MimicIvEcg,
    "ptb": Ptb,
    "ptb-xl": PtbXl,
    "sami-trop": SamiTrop,
    "table": Table,
}
"""The kinds of source by name."""


def ingest(reader: Reader | str, src: str | Path, out: str | Path, *, limits: Limits | None = None) -> Cohort:
    """Turn a source into a cohort folder.

    A record that cannot be used is left out and noted with a reason in ``refused.parquet``; the others go in. The
    same source gives the same bytes. ``out`` appears, or replaces an older cohort, only when all is written.

    Args:
        reader: A reader with its options (``PtbXl(rate=500)``), or the name of one.
        src: Folder or file to read.
        out: Cohort folder to write.
        limits: What still passes for an ECG; the defaults if None.

    Returns:
        The new cohort, opened.

    Raises:
        HeartprintError: ``unknown-reader``; what the reader raises for the source as a whole;
            ``output-not-a-cohort``, ``empty-cohort`` or ``disk-full``.
    """
    if isinstance(reader, str):
        if reader not in READERS:
            raise unknown_name("reader", reader, READERS)
        reader = READERS[reader]()
    limits = limits or Limits()
    source = reader.open(Path(src))
    checked = {"limits": limits.to_json()} if source.kind == "waveform" else {}
    settings = {**source.settings, **checked, "notes": list(source.notes)}
    with write_cohort(
        out, source=source.title, label_names=source.label_names, settings=settings, kind=source.kind
    ) as writer:
        for row in track(source.rows, f"Reading {source.title}"):
            _take(row, writer, limits)
    return Cohort.open(out)


def _take(row: Row, writer: CohortWriter, limits: Limits) -> None:
    try:
        if not row.ecg_id:
            raise HeartprintError("missing-ecg-id", "The row has no ecg_id. Fill the column.")
        writer.check_id(row.ecg_id)
        details = row.details()
        recording = _read(row)
        patient_id = row.patient_id or recording.patient_id
        writer.check_identity(row.ecg_id, patient_id)
        details = details.or_else(recording.details)
        known: dict[str, Any] = {
            "ecg_id": row.ecg_id,
            "patient_id": patient_id,
            "recorded_at": details.recorded_at,
            "age": details.age,
            "sex": details.sex,
            "site": details.site,
            "device": details.device,
            "labels": details.labels,
        }
        if isinstance(recording, ImageRecording):
            writer.add_image(recording.pixels, original=recording.original, **known)
            return
        examined = examine(
            recording.signal,
            recording.lead_names,
            recording.sampling_rate,
            standardised=recording.standardised,
            limits=limits,
        )
    except HeartprintError as error:
        writer.refuse(row.ecg_id or None, row.path or None, error)
        return
    writer.add(
        examined.samples,
        sampling_rate=recording.sampling_rate,
        uv_per_bit=examined.uv_per_bit,
        unit=examined.unit,
        n_clipped=examined.n_clipped,
        **known,
    )


def _read(row: Row) -> Recording | ImageRecording:
    try:
        return row.recording()
    except (HeartprintError, MemoryError):
        raise
    except Exception as error:
        # A file nobody thought of must not cost the other ten thousand.
        raise HeartprintError(
            "unreadable-file",
            f"The file could not be read ({type(error).__name__}: {error}). Check that it is whole and that you may "
            "read it.",
        ) from error
