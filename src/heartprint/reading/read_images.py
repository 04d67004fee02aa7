"""A cohort of read sheets: images are read before they are taken in; what cannot be read is refused with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heartprint.foundation.errors import Caution, HeartprintError
from heartprint.foundation.picture_rules import shrunk
from heartprint.readers.formats import dicom
from heartprint.readers.images import Images, opened
from heartprint.readers.source import READING, ImageRecording, Source
from heartprint.reading.answer import ReadPage
from heartprint.reading.page_reader import ReaderMaker, made, read_one, shipped_reader
from heartprint.reading.pictures_in import LONGEST_SIDE


@dataclass(frozen=True)
class ReadImages(Images):
    """Reader of a table or folder of images as `Images`, each read first: what is stored is the upright sheet.

    A page that the reader refuses is a refused row with the reader's reason. Its warnings are cautions, and so are
    areas of printed text that were painted over. How each page was read stands in ``reading.parquet``.

    Args:
        make: Makes the page reader, in each process.
    """

    make: ReaderMaker = field(default=shipped_reader, repr=False)

    def open(self, src: Path) -> Source:
        """Read the table; see `Images.open`."""
        source = super().open(src)
        return replace(source, settings={**source.settings, "read": made(self.make).version})

    def _recording(self, folder: Path, path: str, page: str) -> ImageRecording:
        file, number = self._file(folder, path, page)
        picture = opened(file, number, LONGEST_SIDE)
        reader = made(self.make)
        answer = read_one(reader, picture)
        if answer.sheet is None or answer.status in ("refused", "failed"):
            raise _refusal(answer)
        details = dicom.details_of(picture.facts)
        details = replace(
            details,
            cautions=(*details.cautions, *_cautions(answer)),
            facts={**details.facts, READING: _told(answer, reader.version)},
        )
        sheet = shrunk(answer.sheet, self.longest_side)
        return ImageRecording(sheet, picture.original, picture.facts.get("PatientID", ""), details)


def _refusal(answer: ReadPage) -> HeartprintError:
    if not answer.reasons:
        return HeartprintError("reading-failed", "The reader gave no sheet and no reason. Please report the picture.")
    return HeartprintError(answer.reasons[0].code, answer.reasons[0].message)


def _cautions(answer: ReadPage) -> list[Caution]:
    told = [Caution(reason.code, reason.message) for reason in answer.reasons]
    n = len(answer.text_boxes)
    if n:
        areas = "1 area of printed text was" if n == 1 else f"{n} areas of printed text were"
        told.append(Caution("text-painted-over", f"{areas} painted over in the sheet, so that no name is learned."))
    return told


def _told(answer: ReadPage, version: str) -> dict[str, Any]:
    along, up = answer.px_per_mm or (None, None)
    return {
        "status": answer.status,
        "reasons": " ".join(reason.code for reason in answer.reasons) or None,
        "turn_deg": answer.turn_deg,
        "mirrored": None if answer.mirrored is None else bool(answer.mirrored),
        "px_per_mm_time": _number(along),
        "px_per_mm_amplitude": _number(up),
        "speed_mm_per_s": _number(answer.speed_mm_per_s),
        "gain_mm_per_mv": _number(answer.gain_mm_per_mv),
        "layout": answer.layout,
        "layout_confidence": _number(answer.layout_confidence) if answer.layout else None,
        "n_leads": len(answer.leads),
        "n_text_boxes": len(answer.text_boxes),
        "reader": version,
    }


def _number(value: float | None) -> float | None:
    # The journal of an ingestion takes plain numbers.
    return None if value is None else float(value)
