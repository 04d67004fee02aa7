"""The files that verbs write, how they are known again, and the option to replace them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from heartprint.foundation.outputs import Output, claim_output

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what this command has written there; other things are left alone.")
]

PICTURE = Output(what="a picture that Heartprint drew", code="output-is-another-file", marker=b"Software\0Heartprint")
CARD = Output(what="a card of a cohort", code="output-is-another-file", marker=b'name="generator" content="Heartprint"')
PREDICTIONS = Output(
    what="a table of predictions", code="output-is-another-file", marker=b"ecg_id,patient_id,probability,logit,"
)
FILE_PREDICTIONS = Output(
    what="a table of predictions of files", code="output-is-another-file", marker=b"file,page,read_status,"
)
EMBEDDINGS = Output(what="a file of embeddings", code="output-is-another-file", marker=b"ecg_id.npy")
DUPLICATES = Output(
    what="a table of duplicates", code="output-is-another-file", marker=b"ecg_id,patient_id,other_ecg_id,"
)


def claim_file(out: Path, kind: Output, overwrite: bool) -> None:
    """Refuse a file that must not be replaced, before any work; see `claim_output`."""
    claim_output(Path(out), kind, overwrite=overwrite)
