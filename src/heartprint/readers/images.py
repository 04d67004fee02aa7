"""Images of ECGs: a CSV table with one row per image file, or per page of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import LONGEST_SIDE, read_picture
from heartprint.readers.formats import FORMATS, detect, dicom
from heartprint.readers.paths import file_name, locate
from heartprint.readers.source import ImageRecording, LazyRows, Row, Source
from heartprint.readers.table import read_listed
from heartprint.tables import fields
from heartprint.tables.dates import Order

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
KNOWN_COLUMNS = ("path", "page", "ecg_id", "patient_id", "date", "age", "sex", "site", "device")


@dataclass(frozen=True)
class Images:
    """Reader of a table of images: PNG, JPEG, TIFF, BMP, pages of PDF, images in DICOM, told by content.

    Columns are those of `Table`; ``sampling_rate`` and ``unit`` have no meaning here. ``page`` names a page of a PDF or
    TIFF, or a frame of DICOM, from 1; it is needed where there are several. ``ecg_id`` defaults to the file's stem,
    with the page where one is named. What a row leaves empty a DICOM file may say.

    Args:
        labels: Columns that are labels; see `Table`.
        longest_side: Px to which the longer side is shrunk, by averaging over areas; smaller images stay as they are.
        female: Further codes for female, e.g. ``("1",)``.
        male: Further codes for male.
        names: See `Table`.
        dates: ``day-first`` or ``month-first``: what comes first in a date such as 03/02/2019; found out if None.
    """

    labels: Sequence[str] = ()
    longest_side: int = LONGEST_SIDE
    female: Sequence[str] = ()
    male: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    dates: Order | None = None

    def open(self, src: Path) -> Source:
        """Read the table.

        Raises:
            HeartprintError: ``bad-size``, or what `read_listed` raises.
        """
        if not SMALLEST_SIDE <= self.longest_side <= LARGEST_SIDE:
            raise HeartprintError(
                "bad-size",
                f"Images are kept with {SMALLEST_SIDE} to {LARGEST_SIDE} px along the longer side, not "
                f"{self.longest_side}. Change --longest-side.",
            )
        listed = read_listed(
            src, self.labels, self.female, self.male, KNOWN_COLUMNS, names=self.names, order=self.dates
        )

        def row(i: int) -> Row:
            cells, details = listed.row(i)
            page = fields.identifier(cells.get("page", ""))
            own_name = Path(file_name(cells["path"])).stem + (f"_{page}" if page else "")
            return Row(
                ecg_id=fields.identifier(cells.get("ecg_id", "")) or (own_name if cells["path"] else ""),
                patient_id=fields.identifier(cells["patient_id"]),
                path=cells["path"],
                details=details,
                recording=partial(self._recording, src.parent, cells["path"], page),
            )

        rows = LazyRows(listed.n, row)
        settings = {"reader": "images", "labels": listed.labels, "longest_side": self.longest_side, **listed.settings}
        settings["dates"] = self.dates
        return Source(f"images {src.name}", rows, tuple(listed.labels), settings, listed.notes, (src,), "image")

    def _recording(self, folder: Path, path: str, page: str) -> ImageRecording:
        if not path:
            raise HeartprintError("file-missing", "The row names no file. Fill its column 'path'.")
        number = fields.number(page, "page", "no-such-page")
        if number is not None and number != int(number):
            raise HeartprintError("no-such-page", f"There is no page '{page}'. Correct the column 'page'.")
        file = locate(folder, path)
        try:
            picture = read_picture(file, page=None if number is None else int(number), longest_side=self.longest_side)
        except HeartprintError as error:
            form = detect(file) if error.code == "unknown-format" else None
            if form is None:
                raise
            raise HeartprintError(
                "no-image",
                f"{file.name} is not a picture: it holds the samples of an ECG ({FORMATS[form].title}). Take it in "
                "with 'heartprint ingest files' or 'heartprint ingest table'.",
            ) from error
        return ImageRecording(
            picture.pixels, picture.original, picture.facts.get("PatientID", ""), dicom.details_of(picture.facts)
        )
