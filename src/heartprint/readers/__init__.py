"""One file per source of ECGs; `ingest` turns any of them into a cohort."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from heartprint.cohorts.checks import Limits
from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.foundation.parallel import on_cluster
from heartprint.readers.challenge import Challenge
from heartprint.readers.code_15 import Code15
from heartprint.readers.echonext import EchoNext
from heartprint.readers.files import Files
from heartprint.readers.formats import FORMATS, Given, read_recording
from heartprint.readers.images import Images
from heartprint.readers.ingestion import ingest_source
from heartprint.readers.ludb import Ludb
from heartprint.readers.mimic_iv_ecg import MimicIvEcg
from heartprint.readers.people import Rules
from heartprint.readers.ptb import Ptb
from heartprint.readers.ptb_xl import PtbXl
from heartprint.readers.sami_trop import SamiTrop
from heartprint.readers.source import Details, ImageRecording, Reader, Recording, Row, Source
from heartprint.readers.table import Table

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
    "Ludb",
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
    "ludb": Ludb,
    "mimic-iv-ecg": MimicIvEcg,
    "ptb": Ptb,
    "ptb-xl": PtbXl,
    "sami-trop": SamiTrop,
    "table": Table,
}
"""The kinds of source by name."""


def ingest(
    reader: Reader | str,
    src: str | Path,
    out: str | Path,
    *,
    limits: Limits | None = None,
    trust_rate: bool = False,
    flat_leads: Literal["refuse", "missing"] = "refuse",
    workers: int | None = None,
    scheduler: str | None = None,
    unknown_patients: Literal["refuse", "separate"] = "refuse",
    overwrite: bool = False,
) -> Cohort:
    """Turn a source into a cohort folder.

    A record that cannot be used is left out and noted with a reason in ``refused.parquet``; the others go in. The
    same source gives the same bytes, however many processes read it. ``out`` appears, or with ``overwrite`` replaces
    an older cohort, only when all is written. What is killed goes on where it was when the same call is made again:
    files that have been read are not read again, unless the source's table or an option has changed.

    Args:
        reader: A reader with its options (``PtbXl(rate=500)``), or the name of one.
        src: Folder or file to read.
        out: Cohort folder to write.
        limits: What still passes for an ECG; the defaults if None.
        trust_rate: Take sampling rates as declared, however the ECGs look.
        flat_leads: Refuse an ECG with flat chest leads, or store these as missing.
        workers: Processes; None for all cores where that is worth their start. A backend that the caller has set with
            `joblib.parallel_config` is used.
        scheduler: Address or file of a Dask scheduler: its workers read. They must see ``src`` under the same path.
        unknown_patients: What becomes of ECGs without a patient id, or with one that stands for no one (``unknown``,
            ``000000``): ``refuse``, or ``separate``, each its own patient.
        overwrite: Whether an older cohort from the same kind of source, by the same options, may be replaced.

    Returns:
        The new cohort, opened.

    Raises:
        HeartprintError: ``unknown-reader``; what the reader raises for the source as a whole;
            what `claim_output` raises for ``out``, ``output-busy``, ``empty-cohort`` or ``disk-full``; ``bad-options``
            for less than one worker or another word for unknown patients; ``unknown-sex`` or ``ambiguous-dates`` if
            words or dates of the whole archive are not understood; ``implausible-rate``, ``implausible-amplitude`` or
            ``inverted-leads`` where most ECGs are alike in that; ``dask-missing``, ``cluster-unreachable`` or
            ``worker-died``.
    """
    if isinstance(reader, str):
        if reader not in READERS:
            raise unknown_name("reader", reader, READERS)
        reader = READERS[reader]()
    if workers is not None and workers < 1:
        raise HeartprintError("bad-options", f"{workers} workers can read nothing. Give 1 or more.")
    if flat_leads not in ("refuse", "missing"):
        raise HeartprintError("bad-options", f"flat_leads is 'refuse' or 'missing', not '{flat_leads}'.")
    limits = limits or Limits()
    if trust_rate or flat_leads != "refuse":
        limits = replace(limits, trust_rate=trust_rate or limits.trust_rate, flat_leads=flat_leads)
    # A worker of a cluster has a working folder of its own.
    src = Path(src).absolute()
    rules = Rules(unknown_patients)
    source = reader.open(src)
    # The folder of what is done lies beside the cohort: "." must have a name.
    out = Path(out) if Path(out).name else Path(out).absolute()
    with on_cluster(scheduler) if scheduler else contextlib.nullcontext():
        made_by = f"{src}\0{reader!r}"
        return ingest_source(source, out, limits, workers, made_by=made_by, rules=rules, overwrite=overwrite)
