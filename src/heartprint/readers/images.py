"""Images of ECGs: a CSV table with one row per image file, or per page of one; or a folder of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.pictures import LONGEST_SIDE, Picture, count_pages, read_picture
from heartprint.readers.files import files_below
from heartprint.readers.formats import FORMATS, detect, dicom
from heartprint.readers.paths import file_name, locate
from heartprint.readers.source import Details, ImageRecording, LazyRows, Row, Source
from heartprint.readers.table import read_listed
from heartprint.tables import fields
from heartprint.tables.dates import Order

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096
KNOWN_COLUMNS = ("path", "page", "ecg_id", "patient_id", "date", "age", "sex", "site", "device")


@dataclass(frozen=True)
class Images:
    """Reader of a table of images: PNG, JPEG, TIFF, BMP, WebP, HEIC, pages of PDF, images in DICOM, told by content.

    Columns are those of `Table`; ``sampling_rate`` and ``unit`` have no meaning here. ``page`` names a page of a PDF or
    TIFF, or a frame of DICOM, from 1; it is needed where there are several. ``ecg_id`` defaults to the file's stem,
    with the page where one is named. What a row leaves empty a DICOM file may say.

    In place of a table a folder may be given: every page of every file below it is an image, and only a DICOM file can
    say whose. The path relative to the folder is then the ECG's id.

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
            HeartprintError: ``bad-size``, ``source-missing`` for a folder without files, or what `read_listed` raises.
        """
        if not SMALLEST_SIDE <= self.longest_side <= LARGEST_SIDE:
            raise HeartprintError(
                "bad-size",
                f"Images are kept with {SMALLEST_SIDE} to {LARGEST_SIDE} px along the longer side, not "
                f"{self.longest_side}. Change --longest-side.",
            )
        if src.is_dir():
            return self._open_folder(src)
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

    def _open_folder(self, src: Path) -> Source:
        pages = [(name, page) for name in files_below(src) for page in _pages(src / name)]
        if not pages:
            raise HeartprintError("source-missing", f"{src} holds no files. Give a folder of pictures, or a table.")

        def row(i: int) -> Row:
            name, page = pages[i]
            return Row(
                ecg_id=f"{name}_{page}" if page else name,
                patient_id="",
                path=name,
                details=Details,
                recording=partial(self._recording, src, name, page),
                patient_column="",
            )

        settings = {"reader": "images", "longest_side": self.longest_side}
        return Source("images", LazyRows(len(pages), row), (), settings, kind="image")

    def _recording(self, folder: Path, path: str, page: str) -> ImageRecording:
        file, number = self._file(folder, path, page)
        picture = opened(file, number, self.longest_side)
        return ImageRecording(
            picture.pixels, picture.original, picture.facts.get("PatientID", ""), dicom.details_of(picture.facts)
        )

    def _file(self, folder: Path, path: str, page: str) -> tuple[Path, int | None]:
        if not path:
            raise HeartprintError("file-missing", "The row names no file. Fill its column 'path'.")
        number = fields.number(page, "page", "no-such-page")
        if number is not None and number != int(number):
            raise HeartprintError("no-such-page", f"There is no page '{page}'. Correct the column 'page'.")
        return locate(folder, path), None if number is None else int(number)


def opened(file: Path, page: int | None, longest_side: int) -> Picture:
    """A picture; of a file of samples it is said what to do with it.

    Raises:
        HeartprintError: As `read_picture`.
    """
    try:
        return read_picture(file, page=page, longest_side=longest_side)
    except HeartprintError as error:
        form = detect(file) if error.code == "unknown-format" else None
        if form is None:
            raise
        raise HeartprintError(
            "no-image",
            f"{file.name} is not a picture: it holds the samples of an ECG ({FORMATS[form].title}). Take it in "
            "with 'heartprint ingest files' or 'heartprint ingest table'.",
        ) from error


def _pages(file: Path) -> list[str]:
    """The pages of a file that has several, from 1; an empty one stands for the only page, or what is no picture."""
    try:
        n = count_pages(file)
    except HeartprintError:
        return [""]
    return [str(page) for page in range(1, n + 1)] if n > 1 else [""]
