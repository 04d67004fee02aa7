"""What may be written where: the one rule of all verbs that write a folder or a file."""

from __future__ import annotations

import contextlib
import fnmatch
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from heartprint.foundation.errors import HeartprintError
from heartprint.foundation.files import check_target, clear_leftovers


@dataclass(frozen=True)
class Output:
    """A kind of folder or file that a verb writes, and how it is known again.

    Attributes:
        what: For people, with its article: ``a model folder``.
        code: Reason code where something else stands in its place.
        marker: File that every such folder holds, or bytes that every such file has.
        names: Patterns of the files and folders that such a folder may hold; empty where nothing is ever deleted.
    """

    what: str
    code: str
    marker: str | bytes
    names: tuple[str, ...] = ()

    def is_here(self, out: Path) -> bool:
        """Whether a folder or file of this kind is there."""
        if isinstance(self.marker, str):
            return (out / self.marker).is_file()
        with contextlib.suppress(OSError), out.open("rb") as handle:
            return self.marker in handle.read(_LOOKED_AT)
        return False

    def foreign(self, out: Path) -> list[str]:
        """Names in a folder that no verb has put there; they would be lost with it."""
        if not self.names or not out.is_dir():
            return []
        names = (file.name for file in out.iterdir())
        return sorted(name for name in names if not any(fnmatch.fnmatchcase(name, p) for p in (*self.names, *_LITTER)))


_LOOKED_AT = 1 << 16
_LITTER = (".DS_Store", "Thumbs.db", "desktop.ini", ".*.tmp")
"""What file managers leave in every folder that somebody looks at, and what killed verbs leave."""


def refuse_foreign(out: Path, kind: Output) -> None:
    """Refuse to replace what is not of this kind, or a folder that holds anything else beside it.

    Raises:
        HeartprintError: ``kind.code`` or ``output-has-other-files``.
    """
    if not _occupied(out):
        return
    if not kind.is_here(out):
        raise HeartprintError(
            kind.code,
            f"{out} exists and is not {kind.what}; it is left alone. Choose another output"
            f"{' folder' if isinstance(kind.marker, str) else ' file'}.",
        )
    foreign = kind.foreign(out)
    if foreign:
        raise HeartprintError(
            "output-has-other-files",
            f"{out} also holds files that Heartprint did not write ({_few(foreign)}); replacing the folder would "
            "delete them. Move them elsewhere, or choose another output folder.",
        )


def claim_output(
    out: Path,
    kind: Output,
    *,
    recipe: Mapping[str, Any] | None = None,
    recipe_of: Callable[[Path], Mapping[str, Any] | None] | None = None,
    overwrite: bool = False,
    resumes: bool = False,
) -> None:
    """Refuse, before any work, an output that must not be replaced: the one rule of all verbs.

    What is not there, or an empty folder, may be written. What the same verb has written by the same recipe may be
    replaced if that is asked for. Everything else is left alone, whatever is asked for: other files, an output of
    another kind or recipe, and a folder that holds anything that no verb has put there.

    Args:
        out: Folder or file to write.
        kind: What is to be written.
        recipe: What decides the output, by name; None if it is not known yet, or not kept with the output.
        recipe_of: Reads the recipe of what is there, None if it cannot be read; names that it does not give are not
            compared.
        overwrite: Whether the user has asked to replace it.
        resumes: Whether the verb takes up what is there and removes nothing: the same recipe may then always go on,
            and another one if that is asked for.

    Raises:
        HeartprintError: ``output-not-writable``; ``kind.code``; ``output-has-other-files``; ``output-differs`` for
            another recipe; ``output-exists``.
    """
    out = Path(out)
    folder = isinstance(kind.marker, str)
    clear_leftovers(out)
    check_target(out, folder=folder)
    refuse_foreign(out, kind)
    if not _occupied(out):
        return
    changed = _changed(out, recipe, recipe_of)
    if resumes and (overwrite or not changed):
        return
    if changed:
        remedy = (
            "Add --overwrite to go on there by the new one (what is finished is kept, the report is replaced)"
            if resumes
            else f"Choose another output {'folder' if folder else 'file'}"
        )
        raise HeartprintError(
            "output-differs",
            f"{out} holds {kind.what} of another recipe ({_few(changed, '; ')}); it is left alone. {remedy}, or remove "
            "that one first.",
        )
    if not overwrite:
        raise HeartprintError(
            "output-exists",
            f"{out} exists already. Add --overwrite to replace it, or choose another output "
            f"{'folder' if folder else 'file'}.",
        )


def plain(value: Any) -> Any:
    """A value as JSON gives it back, so that what is asked for and what was written compare."""
    return json.loads(json.dumps(value, default=str))


def _changed(
    out: Path, recipe: Mapping[str, Any] | None, recipe_of: Callable[[Path], Mapping[str, Any] | None] | None
) -> list[str]:
    if recipe is None or recipe_of is None:
        return []
    there = recipe_of(out)
    if there is None:
        return ["it cannot be read"]
    wanted = plain(dict(recipe))
    return [
        f"{name} was {_short(there[name])}, is {_short(value)}"
        for name, value in wanted.items()
        if name in there and plain(there[name]) != value
    ]


_MOST_NAMED = 4
_LONGEST = 60


def _occupied(out: Path) -> bool:
    return out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir())))


def _few(names: list[str], between: str = ", ") -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return between.join(names[:_MOST_NAMED]) + more


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
