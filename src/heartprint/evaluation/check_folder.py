"""Any folder that Heartprint writes: what it is, whether it is sound, and how it is brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from heartprint.foundation.checks import Check
from heartprint.foundation.errors import HeartprintError

FolderKind = Literal["cohort", "encoder or model", "run", "study"]


def kind_of(folder: Path) -> FolderKind:
    """Tell what a folder is by the files in it.

    Raises:
        HeartprintError: ``unknown-folder``.
    """
    marks: tuple[tuple[FolderKind, tuple[str, ...]], ...] = (
        ("cohort", ("cohort.json",)),
        ("encoder or model", ("config.json", "model.safetensors")),
        ("study", ("study.yaml",)),
        ("run", ("run.json", "checkpoints", "config.yaml")),
    )
    for kind, names in marks:
        if any((folder / name).exists() for name in names):
            return kind
    what = "There is no folder" if not folder.exists() else "Heartprint wrote no folder like"
    raise HeartprintError("unknown-folder", f"{what} {folder}. Give a cohort, run, encoder, model or study folder.")


def verified(folder: Path, kind: FolderKind, *, progress: bool = True) -> Iterator[Check]:
    """Check a folder; nothing in it is changed.

    Args:
        folder: The folder.
        kind: What it is.
        progress: Whether to show progress.

    Yields:
        One check after the other.
    """
    if kind == "cohort":
        from heartprint.cohorts.verify import verify_cohort

        yield from verify_cohort(folder, progress=progress)
    elif kind == "encoder or model":
        from heartprint.encoders.bundle.verify import verify_model

        yield from verify_model(folder)
    elif kind == "run":
        from heartprint.pretraining.verify import verify_run

        yield from verify_run(folder)
    else:
        from heartprint.evaluation.study.verify import verify_study

        yield from verify_study(folder, progress=progress)


def upgraded(folder: Path, kind: FolderKind) -> dict[str, int]:
    """Bring a folder, and what is inside of a run or study, up to date.

    Args:
        folder: The folder.
        kind: What it is.

    Returns:
        Path to the format that it had, of all folders that were of an earlier one.

    Raises:
        HeartprintError: What `upgrade_cohort` and `upgrade_model` raise.
    """
    from heartprint.cohorts.upgrade import upgrade_cohort
    from heartprint.encoders.bundle.upgrade import upgrade_model

    cohorts = {"cohort": [folder], "study": _parents(folder, "work/cohorts/*/cohort.json")}.get(kind, [])
    models = {
        "encoder or model": [folder],
        "run": _parents(folder, "encoder/config.json"),
        "study": _parents(folder, "work/pretraining/*/encoder/config.json"),
    }.get(kind, [])
    found = {str(path): upgrade_cohort(path) for path in cohorts}
    found |= {str(path): upgrade_model(path) for path in models}
    return {path: version for path, version in found.items() if version is not None}


def _parents(folder: Path, pattern: str) -> list[Path]:
    return sorted(path.parent for path in folder.glob(pattern))
