"""Bring run, encoder and model folders to the form in which a method owns its settings. To be run once.

    python benchmarks/convert_settings.py FOLDER [FOLDER ...]

Until the commit before this file, `temperature`, `pairs`, `augment` and the like were settings of every run, whether
its method looked at them or not. This moves those that the method has under `method`, and drops the others, in
`config.yaml` of runs and in `config.json` of encoder and model folders, whose checksums are written anew. Weights are
not touched. A folder that has the new form already is left alone. Checkpoints of unfinished runs are not converted.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from heartprint.foundation.files import write_json, write_text
from heartprint.pretraining.methods import get_method

MOVED = (
    "augment",
    "contrast_weight",
    "head_dim",
    "head_hidden",
    "pairs",
    "stretch_layouts",
    "target_weight",
    "temperature",
)


def converted(old: dict[str, Any]) -> dict[str, Any]:
    """Settings in the new form."""
    if isinstance(old.get("method"), dict):
        return old
    own = get_method(old["method"]).Settings.model_fields
    method = {"name": old["method"], **{name: old[name] for name in MOVED if name in old and name in own}}
    return {"method": method, **{name: value for name, value in old.items() if name not in (*MOVED, "method")}}


def convert_stages(pretraining: dict[str, Any] | None) -> None:
    """Convert the settings of a pretraining, and of those before it, in place."""
    while pretraining is not None:
        pretraining["settings"] = converted(pretraining["settings"])
        pretraining = pretraining.get("after")


def convert_folder(folder: Path) -> bool:
    """Convert one encoder or model folder; whether anything changed."""
    before = (folder / "config.json").read_bytes()
    config = json.loads(before)
    convert_stages((config["encoder"] if config["kind"] == "model" else config).get("pretraining"))
    write_json(folder / "config.json", config)
    after = (folder / "config.json").read_bytes()
    sums = (folder / "CHECKSUMS").read_text(encoding="utf-8")
    old, new = (hashlib.sha256(text).hexdigest() for text in (before, after))
    write_text(folder / "CHECKSUMS", sums.replace(f"{old}  config.json", f"{new}  config.json"))
    return old != new


def main() -> int:
    """Convert all that is named."""
    for folder in map(Path, sys.argv[1:]):
        run = folder / "config.yaml"
        if run.is_file():
            settings = converted(yaml.safe_load(run.read_text(encoding="utf-8")))
            write_text(run, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
            print(f"{run}: converted")
        for inner in (folder, folder / "encoder"):
            if (inner / "config.json").is_file():
                print(f"{inner}: {'converted' if convert_folder(inner) else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
