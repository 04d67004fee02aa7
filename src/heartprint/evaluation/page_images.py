"""The image that a network is shown of each page of a file: the sheet that was read, or the waveform drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from heartprint.cohorts.checks import examine
from heartprint.cohorts.cohort import MISSING
from heartprint.foundation.arrays import Image
from heartprint.foundation.errors import HeartprintError
from heartprint.readers.formats import Given, read_recording
from heartprint.reading.answer import ReadPage
from heartprint.reading.inputs import Input
from heartprint.reading.page_reader import ReaderMaker, failed, made, read_one
from heartprint.reading.pictures_in import pictures_in


@dataclass(frozen=True)
class ImageJob:
    """A file, and how its pages become images.

    Attributes:
        one: The file.
        make: Makes the reader.
        given: What files of samples cannot say themselves.
        size: Side of the images, px.
        layout: In which waveforms are drawn.
        baseline: What is done about their baseline, see `heartprint.sheets.render`.
    """

    one: Input
    make: ReaderMaker
    given: Given
    size: int
    layout: str
    baseline: Literal["none", "median"]


@dataclass(frozen=True, eq=False)
class PageImage:
    """A page as a network is shown it.

    Attributes:
        file: Path as it was given.
        page: Its number, from 1.
        read_status: The reader's status; ``drawn`` of a waveform.
        reasons: Codes and sentences.
        image: ``(size, size)`` uint8; None where there is nothing to show.
        turn_deg: See `ReadPage`; None of a waveform.
        mirrored: Likewise.
        layout: The layout that was recognised, or in which the waveform was drawn.
    """

    file: str
    page: int
    read_status: str
    reasons: tuple[tuple[str, str], ...]
    image: Image | None = None
    turn_deg: int | None = None
    mirrored: bool | None = None
    layout: str | None = None


def page_images(job: ImageJob) -> list[PageImage]:
    """The images of a file's pages, in order; every page gives one answer. To be called in any process."""
    if job.one.error is not None:
        return [_of(job, 1, failed(job.one.error))]
    pages = []
    for found in pictures_in(job.one.path):
        if found.picture is not None:
            pages.append(_of(job, found.page, read_one(made(job.make), found.picture)))
            continue
        assert found.error is not None
        if found.error.code == "holds-waveform":
            return [_drawn(job)]
        pages.append(_of(job, found.page, failed(found.error)))
    return pages


def page_images_after_death(job: ImageJob, error: HeartprintError) -> list[PageImage]:
    """What is said of a file that has killed the process that read it."""
    return [_of(job, 1, failed(error))]


def _of(job: ImageJob, page: int, answer: ReadPage) -> PageImage:
    from heartprint.sheets.stored import fitted

    readable = answer.status in ("ok", "warned") and answer.sheet is not None
    return PageImage(
        file=job.one.shown,
        page=page,
        read_status=answer.status,
        reasons=tuple((reason.code, _plain(reason.message)) for reason in answer.reasons),
        image=fitted(answer.sheet, job.size) if readable and answer.sheet is not None else None,
        turn_deg=answer.turn_deg,
        mirrored=answer.mirrored,
        layout=answer.layout,
    )


def _drawn(job: ImageJob) -> PageImage:
    """A waveform, held to the same rules as in a cohort and drawn as from one."""
    try:
        return _draw(job, job.one.path)
    except HeartprintError as error:
        return _of(job, 1, failed(error))
    except MemoryError:
        told = "It takes more memory to read than there is: it is damaged or far too large. Export it again."
        return _of(job, 1, failed(HeartprintError("too-much-memory", told)))
    except Exception as error:
        # A file nobody thought of must not cost the other ten thousand.
        shown = f"{type(error).__name__}: {error}".partition("\n")[0][:200]
        told = f"The file could not be read ({shown}). Check that it is whole and that you may read it."
        return _of(job, 1, failed(HeartprintError("unreadable-file", told)))


def _draw(job: ImageJob, path: Path) -> PageImage:
    from heartprint.sheets import render

    recording = read_recording(path, job.given)
    # Numbers that are far too large are refused in words; NumPy need not warn of them.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        examined = examine(
            recording.signal, recording.lead_names, recording.sampling_rate, standardised=recording.standardised
        )
    signal = examined.samples.astype(np.float32)
    signal *= np.float32(np.float32(examined.uv_per_bit) / np.float32(1000.0))
    signal[examined.samples == MISSING] = np.nan
    rate = float(np.float32(recording.sampling_rate))
    image = render(signal, rate, job.layout, job.size, baseline=job.baseline)
    cautions = (*recording.details.cautions, *recording.cautions, *examined.cautions)
    said = tuple((caution.code, caution.message) for caution in cautions)
    return PageImage(job.one.shown, 1, "drawn", said, image, layout=job.layout)


def _plain(message: str) -> str:
    # A file's name may have bytes that are no UTF-8.
    return message.encode("utf-8", "backslashreplace").decode()
