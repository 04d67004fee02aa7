"""Runs a script beside this repository that knows the tree by earlier names: ``python old_names.py SCRIPT ...``."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

MOVED = {
    "heartprint.encoders.model_folder": "heartprint.encoders.bundle.folder",
    "tests.cohorts.hospital_files": "tests.readers.hospital_files",
}


class OldNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules under the names they had; they are imported when they are asked for, and not before."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module that has moved."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname in MOVED else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module under its name of today."""
        return importlib.import_module(MOVED[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed."""


if __name__ == "__main__":
    sys.meta_path.insert(0, OldNames())
    del sys.argv[0], sys.path[0]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
