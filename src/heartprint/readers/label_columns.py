"""Columns that are labels: numbers, yes and no in several languages, or words of which some count as 1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heartprint.cohorts.tasks import TASKS
from heartprint.foundation.errors import HeartprintError, unknown_name
from heartprint.tables import fields
from heartprint.tables.column_names import LIKELY, likely, option
from heartprint.tables.delimited import Lines
from heartprint.tables.words import NO, YES

UNKNOWN = frozenset(
    ["-1", "?", "-", "unknown", "unclear", "unbekannt", "unklar", "k.a.", "inconnu", "inconnue", "desconocido"]
)
"""What it may say where nobody knows."""

_WHOLE = re.compile(r"-?\d+\.0+")
_MOST_WORDS, _LONGEST_WORD = 12, 40  # in a message


@dataclass(frozen=True)
class LabelColumn:
    """A column and what its cells mean.

    Attributes:
        column: Its name in the table.
        meaning: Of a cell, in small letters, "1", "0" or "" (missing); others mean what they say.
        words: What the user said counts as 1 and as 0.
    """

    column: str
    meaning: Mapping[str, str]
    words: str = ""

    def plain(self, cell: str) -> str:
        """A cell as a number, or empty."""
        return self.meaning.get(_key(cell), cell) if self.meaning else cell


def choose(
    src: Path, wanted: Sequence[str], others: Sequence[str], lines: Lines, named: Mapping[str, str], known: set[str]
) -> tuple[dict[str, LabelColumn], tuple[str, ...]]:
    """Choose a table's labels.

    Args:
        src: The table.
        wanted: Columns that are labels, or ``column=WORD|WORD`` or ``column=WORD:WORD``; if there are none, each column
            of numbers or of yes and no.
        others: Columns without a meaning of their own.
        lines: The rows.
        named: Column of a label that is called otherwise.
        known: Meanings that no column has, to say what may have been meant.

    Returns:
        Label name to column; sentences about what was taken and left out.

    Raises:
        HeartprintError: ``unknown-label-column``, ``reserved-label``, ``bad-label`` or ``bad-table``.
    """
    there, maybe = frozenset(others), {c: n for n, c in likely(others, known & set(LIKELY), exact=True).items()}
    renamed = {column: name for name, column in named.items()}
    labels: dict[str, LabelColumn] = {}
    notes: list[str] = []
    for word in wanted or others:
        asked, given, words = (word, "", "") if word in there else word.partition("=")
        column = named.get(asked, asked) if wanted else word
        if column not in there:
            raise unknown_name("label column", column, others)
        if given and not words:
            raise HeartprintError(
                "bad-options", f"--label {word} does not say which words count as 1, as in --label af=VHF."
            )
        called = asked if wanted else renamed.get(word, word)
        name = re.sub(r"[^0-9a-z]+", "_", called.lower().removeprefix("label_")).strip("_")
        counts = lines.counts(column)
        hint = f" If it is the {maybe[column]}, say {option({maybe[column]: column})}." if column in maybe else ""
        if words:
            label = LabelColumn(column, _by_words(column, words, counts), words)
        else:
            label = LabelColumn(column, _yes_and_no(column, counts, wanted=bool(wanted), task=name in TASKS))
        odd = None if words else next((cell for cell in counts if not _is_number(label.plain(cell))), None)
        if odd is not None and not wanted:
            notes.append(
                f"Column '{column}' was left out: '{odd[:_LONGEST_WORD]}' is not a number. Name it with --label to use "
                f"it all the same, or say which words count as 1: --label {option_word(column)}=WORD.{hint}"
            )
            continue
        _check_name(src, name, column, labels)
        labels[name] = label
        if label.meaning:
            notes.append(f"Label '{name}' from column '{column}': {_told(label, counts)}.")
        elif hint and not wanted:
            notes.append(f"Column '{column}' was taken as a label.{hint}")
    return labels, tuple(notes)


def option_word(column: str) -> str:
    """A column's name as it is to be typed."""
    return f'"{column}"' if re.search(r"[^\w.-]", column) else column


def _check_name(src: Path, name: str, column: str, labels: Mapping[str, LabelColumn]) -> None:
    if not name or name in labels:
        raise HeartprintError(
            "bad-table", f"The columns of {src} give the label name '{name}' twice or empty. Rename '{column}'."
        )
    if name in TASKS and TASKS[name].column != f"label_{name}":
        raise HeartprintError(
            "reserved-label",
            f"The column '{column}' has the name of a built-in task that is answered from "
            f"'{TASKS[name].column.removeprefix('label_')}'. Rename it, or give that column instead.",
        )


def _yes_and_no(column: str, counts: Mapping[str, int], *, wanted: bool, task: bool) -> dict[str, str]:
    """What the cells of a column of yes and no mean; nothing for any other column."""
    keys = {_key(cell) for cell in counts if not fields.is_nothing(cell)}
    yes, no, unknown = keys & (YES | {"1"}), keys & (NO | {"0"}), keys & UNKNOWN
    others = keys - yes - no - unknown
    if not yes | no or keys <= {"0", "1", "true", "false"}:
        return {}
    # Of a column that is asked for, what else it says costs those rows alone.
    if others and (not wanted or any(map(_is_number, others))):
        return {}
    if keys == {"1", "-1"}:
        # As likely yes and no as yes and unknown.
        if not (wanted or task):
            return {}
        raise HeartprintError(
            "bad-label",
            f"Column '{column}' holds 1 and -1 and no 0. Say --label {option_word(column)}=1:-1 if -1 means no, and "
            f"--label {option_word(column)}=1:0 if it means unknown.",
        )
    return dict.fromkeys(yes, "1") | dict.fromkeys(no, "0") | dict.fromkeys(unknown, "")


def _by_words(column: str, words: str, counts: Mapping[str, int]) -> dict[str, str]:
    """What cells mean by ``WORD|WORD`` (1, all others 0) or ``WORD|WORD:WORD|WORD`` (1, 0, all others missing)."""
    first, colon, second = words.partition(":")
    ones, zeros = ({_key(w) for w in part.split("|") if w.strip()} for part in (first, second))
    keys = {_key(cell): cell for cell in counts if not fields.is_nothing(cell)}
    if not ones or (colon and not zeros) or ones & zeros or not ones & set(keys):
        what = f"never says {' or '.join(repr(w.strip()) for w in first.split('|'))}" if ones else "has no word for 1"
        raise HeartprintError(
            "bad-label",
            f"Column '{column}' {what}; it says {_counted(counts)}. Give words as in --label af=VHF or "
            "--label af=VHF:SR.",
        )
    unknown = set(keys) - ones - zeros if colon else (set(keys) & UNKNOWN) - ones
    left = set(keys) - ones - zeros - unknown
    unclear = [
        keys[key] for key in sorted(left) if any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", key) for one in ones)
    ]
    if unclear:
        # "VHF?" and "kein VHF" are not VHF, and whether they are its opposite is not for us to say.
        raise HeartprintError(
            "bad-label",
            f"Column '{column}' says '{unclear[0][:_LONGEST_WORD]}' too, which may be 1, 0 or unknown. Say which words "
            f"count as 0, and all others are missing: --label {option_word(column)}='{first}:WORD|WORD'. It says "
            f"{_counted(counts)}.",
        )
    return (
        dict.fromkeys(ones & set(keys), "1")
        | dict.fromkeys((zeros & set(keys)) | left, "0")
        | dict.fromkeys(unknown, "")
    )


def _told(label: LabelColumn, counts: Mapping[str, int]) -> str:
    parts = []
    for value, what in (("1", "1 is "), ("0", "0 is "), ("", "missing is ")):
        those = {cell: n for cell, n in counts.items() if cell and label.meaning.get(_key(cell)) == value}
        if those:
            parts.append(what + _counted(those))
    return "; ".join(parts)


def _counted(counts: Mapping[str, int]) -> str:
    shown = [f"'{c[:_LONGEST_WORD]}' ({n:,})" for c, n in counts.items() if c][:_MOST_WORDS]
    more = sum(1 for c in counts if c) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "") if shown else "nothing"


def _key(cell: str) -> str:
    """A word as it is compared: 1.0 is 1, and neither case nor blanks matter."""
    key = " ".join(cell.split()).lower()
    return key.partition(".")[0] if _WHOLE.fullmatch(key) else key


def _is_number(cell: str) -> bool:
    try:
        fields.number(cell, "", "bad-label")
    except HeartprintError:
        return False
    return True
