"""What is printed in a notebook or a log names no patient, and nothing by which one could be looked up."""

from __future__ import annotations

import re
from pathlib import Path

from heartprint.encoders import Seen, load_encoder
from heartprint.finetuning import finetune
from tests.finetuning.tiny import make_cohort


def test_nothing_that_is_printed_names_a_patient(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path / "c", 12, 2, prefix="Erika-")
    model = finetune(
        cohort,
        task="tall",
        init="random",
        labels="all",
        out=tmp_path / "m",
        backbone="small",
        image_size=32,
        progress=False,
    )
    seen = Seen.of(cohort)
    things = [cohort, cohort.info, seen, model, model.encoder, load_encoder()]
    hashes = {str(h) for h in (*seen.patients.tolist(), *seen.ecgs.tolist())}
    for thing in things:
        said = f"{thing!r} {thing}"
        assert len(said) < 1000
        assert "Erika" not in said
        assert cohort.info.patient_key not in said and cohort.info.content_hash not in said
        assert not re.search(r"[0-9a-f]{16}|\d{12}", said), said
        assert not any(h[:8] in said for h in hashes)
