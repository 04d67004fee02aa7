"""What is written of a page: a JSON file, and a row of the table of all pages."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import heartprint
from heartprint.foundation.bounded import BadFile, read_json
from heartprint.reading.answer import Hints, ReadPage

FORMAT = 1
"""Version of the JSON files."""
COLUMNS = (
    *("file", "page", "n_pages", "name", "status", "reasons", "message", "turn_deg", "mirrored"),
    *("px_per_mm_time", "px_per_mm_amplitude", "speed_mm_per_s", "gain_mm_per_mv", "layout", "layout_confidence"),
    *("n_leads", "n_text_boxes", "sheet_width", "sheet_height", "by_hand", "sha256", "reader"),
)
"""Columns of ``pages.csv``."""

_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\ud800-\udfff]+')
_PAGE = re.compile(r"\.p(\d+)$")
_LONGEST = 120


def plain_name(text: str) -> str:
    """A name for files that every system takes, and that is no name of a page of another file."""
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFC", text)).strip(". ")[:_LONGEST]
    return _PAGE.sub(r"_p\1", name) or "picture"


def page_name(name: str, page: int, n_pages: int) -> str:
    """What the files of a page are called: like their picture, with the page where there are several."""
    return f"{name}.p{page}" if n_pages > 1 else name


def hints_told(hints: Hints | None) -> dict[str, Any]:
    """What was said by hand, as JSON writes it; empty if nothing was."""
    if hints is None:
        return {}
    told = {
        "turn_deg": hints.turn_deg,
        "mirrored": hints.mirrored,
        "corners": None if hints.corners is None else hints.corners.tolist(),
        "crop_mm": None if hints.crop_mm is None else list(hints.crop_mm),
        "layout": hints.layout,
        "keep_text": hints.keep_text or None,
    }
    return {name: value for name, value in told.items() if value is not None}


def page_record(
    answer: ReadPage,
    *,
    file: str,
    page: int,
    n_pages: int,
    name: str,
    sha256: str | None,
    reader: str,
    hints: Hints | None,
) -> dict[str, Any]:
    """All that is known of a page but its pixels.

    Args:
        answer: The reader's, places in px of the picture in the file.
        file: Path as it was given.
        page: Number of the page, from 1.
        n_pages: Pages of the file.
        name: Of the files that are written.
        sha256: Of the file; None where it cannot be read.
        reader: The reader's version.
        hints: What was said by hand.
    """
    told = answer.to_json()
    for reason in told["reasons"]:
        # A file's name may have bytes that are no UTF-8.
        reason["message"] = reason["message"].encode("utf-8", "backslashreplace").decode()
    return {
        "format": FORMAT,
        "file": file,
        "page": page,
        "n_pages": n_pages,
        "name": name,
        "sha256": sha256,
        "reader": reader,
        "heartprint": heartprint.__version__,
        "by_hand": hints_told(hints),
        **told,
    }


def text_of(record: Mapping[str, Any]) -> str:
    """The text of a page's JSON file: short lists stand on one line."""
    # Numbers may be NumPy's.
    text = json.dumps(record, indent=2, ensure_ascii=False, default=lambda value: value.item())
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


_NUMBERS = re.compile(r"\[([-+.\deE,\s]+)\]")


def is_current(record: Mapping[str, Any] | None, sha256: str | None, reader: str, hints: Hints | None) -> bool:
    """Whether a page need not be read again: the same file and reader, and nothing else said by hand.

    What was read with a hint stays when none is given: somebody has seen to it; but not words that were to be kept
    once. What failed is tried again, since the machine may have been at fault.
    """
    if record is None or sha256 is None:
        return False
    told = hints_told(hints)
    if record["by_hand"].get("keep_text", False) != told.get("keep_text", False):
        return False
    return (
        record["sha256"] == sha256
        and record["reader"] == reader
        and record["status"] != "failed"
        and (not told or record["by_hand"] == told)
    )


def read_record(path: Path) -> dict[str, Any] | None:
    """What `page_record` gave, from its file; None if the file is none of ours, or not there."""
    try:
        found = read_json(path)
    except (OSError, BadFile):
        return None
    ours = isinstance(found, dict) and found.get("format") == FORMAT and found.keys() >= _KEYS
    return found if ours else None


_KEYS = {"file", "page", "n_pages", "name", "sha256", "reader", "by_hand", "status", "reasons", "layout"}


def row_of(record: Mapping[str, Any]) -> list[Any]:
    """The row of a page in the table, in the order of `COLUMNS`; what is not known is empty."""
    px_per_mm = record.get("px_per_mm") or (None, None)
    sheet = record.get("sheet_size") or (None, None)
    reasons = record["reasons"]
    cells = {
        **record,
        "reasons": " ".join(reason["code"] for reason in reasons),
        "message": reasons[0]["message"] if reasons else None,
        "px_per_mm_time": _rounded(px_per_mm[0]),
        "px_per_mm_amplitude": _rounded(px_per_mm[1]),
        "layout": record["layout"]["name"],
        "layout_confidence": record["layout"]["confidence"] if record["layout"]["name"] else None,
        "n_leads": len(record.get("leads", ())),
        "n_text_boxes": len(record.get("text_boxes", ())),
        "sheet_width": sheet[1],
        "sheet_height": sheet[0],
        "by_hand": " ".join(record["by_hand"]),
    }
    return [cells.get(name) for name in COLUMNS]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
