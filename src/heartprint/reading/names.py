"""What the files of each picture are called: like the picture, with its folder or a number where that is taken."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from heartprint.foundation.files import sha256_file
from heartprint.reading.inputs import Input
from heartprint.reading.record import plain_name, read_record


def records_in(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The pages that a folder tells of, by name."""
    for path in sorted(folder.glob("*.json")):
        record = read_record(path)
        if record is not None:
            yield path, record


def names_for(inputs: Sequence[Input], out: Path) -> list[str]:
    """Give each file a name of its own, the one that it has already if it was read before.

    Names differ in more than capitals, so that every file system keeps them apart. They depend on the files and on
    what is in the folder, not on how far an earlier run came.

    Args:
        inputs: The files.
        out: Folder in which others may have been read before.
    """
    known: dict[str, tuple[str, str | None]] = {}  # name in small letters to file and its hash
    names: dict[str, str] = {}  # file to name
    for _, record in records_in(out):
        name = record["name"].removesuffix(f".p{record['page']}") if record["n_pages"] > 1 else record["name"]
        known[name.lower()] = record["file"], record["sha256"]
        names[_place(record["file"])] = name
    alike: dict[str, int] = defaultdict(int)
    for one in inputs:
        alike[plain_name(one.path.stem).lower()] += 1
    taken: set[str] = set()
    given: list[str | None] = [names.get(_place(one.shown)) for one in inputs]
    taken |= {name.lower() for name in given if name is not None}
    for k, one in enumerate(inputs):
        if given[k] is None:
            given[k] = next(
                name
                for name in _candidates(one, alone=alike[plain_name(one.path.stem).lower()] == 1)
                if name.lower() not in taken and (name.lower() not in known or _same(one, known[name.lower()][1]))
            )
            taken.add(str(given[k]).lower())
    return [str(name) for name in given]


def _candidates(one: Input, *, alone: bool) -> Iterator[str]:
    stem = plain_name(one.path.stem)
    if alone:
        yield stem
    in_folder = plain_name(f"{plain_name(one.path.absolute().parent.name)}_{stem}")
    yield in_folder
    number = 2
    while True:
        yield f"{in_folder[:110]}_{number}"
        number += 1


def _place(file: str) -> str:
    return os.path.abspath(file)  # noqa: PTH100  # no link is followed


def _same(one: Input, sha256: str | None) -> bool:
    """Whether a file is the one that was read under another path."""
    try:
        return sha256 is not None and one.path.is_file() and sha256_file(one.path) == sha256
    except OSError:
        return False
