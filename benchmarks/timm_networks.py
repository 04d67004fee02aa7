"""Does a network of timm go the whole way by the command line alone, and is what cannot work refused in one sentence?

For each network: three pretraining steps on simulated patients, fine-tuning on 30 labels of AF, evaluation, export,
prediction, and `heartprint check` of every folder. The models have learned next to nothing: that each verb ends well
and how long it takes counts, not the AUROC. Then names and sizes that cannot work.

    python benchmarks/timm_networks.py [--folder out/timm-networks] [--networks timm/resnet18@96 ...] [--json]

A network is NAME@PIXELS. Verbs that are done in the folder are not run again. The first fine-tuning from an encoder
embeds some 2,500 known sheets, which is most of the time on CPUs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import heartprint

NETWORKS = (
    "timm/resnet18@96",
    "timm/convnext_femto@96",
    "timm/vit_tiny_patch16_224@224",
    "timm/efficientnet_b3@96",
)
# What is wrong, the settings of `heartprint pretrain`, and what its sentence must say.
REFUSED = (
    ("no such network", ["backbone=timm/resnet81"], ("unknown-backbone", "resnet18")),
    ("no such network", ["backbone=timm/vit_tiny_patch16_225"], ("unknown-backbone", "vit_tiny_patch16_224")),
    ("a path", ["backbone=timm/../../etc/passwd"], ("unknown-backbone",)),
    ("a network to fetch", ["backbone=timm/hf-hub:someone/model"], ("unknown-backbone",)),
    ("made for 224 px", ["backbone=timm/vit_tiny_patch16_224", "image_size=128"], ("bad-image-size", "224 px")),
    ("three channels only", ["backbone=timm/csatv2"], ("unusable-backbone", "timm/csatv2:colour")),
    ("no pooling", ["backbone=timm/mobilenetv5_300m_enc"], ("unusable-backbone", "no vector")),
)
FEW = ("steps=3", "batch_size=8", "workers=0")
COHORT, ECGS = "simulated", "simulated-for-evaluation"


def run(folder: Path, *words: str) -> tuple[int, float, str]:
    """Run the command in a folder: its exit code, seconds, and what it printed."""
    start = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(Path(heartprint.__file__).parents[1])}
    command = [sys.executable, "-m", "heartprint", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    return done.returncode, time.perf_counter() - start, done.stdout + done.stderr


def verbs(network: str, size: str, at: str) -> dict[str, list[str]]:
    """The commands by name; the folders of a network lie in ``at``."""
    settings = (f"backbone={network}", f"image_size={size}", *FEW)
    pretraining = [word for setting in settings for word in ("-o", setting)]
    made, encoder, model = f"{at}/run", f"{at}/encoder", f"{at}/model"
    scored = ["--resamples", "100", "--layout", "standard"]
    commands = {
        "pretrain": ["pretrain", COHORT, "--out", made, *pretraining],
        "finetune": ["finetune", COHORT, "--task", "af", "--init", made, "--labels", "30", "--out", model],
        "evaluate": ["evaluate", model, ECGS, "--out", f"{at}/evaluation", *scored],
        "export": ["export", made, encoder],
        "predict": ["predict", model, ECGS, "--out", f"{at}/predictions.csv"],
    }
    return commands | {f"check {Path(place).name}": ["check", place] for place in (made, encoder, model)}


def whole_way(folder: Path, network: str, size: str) -> dict[str, Any]:
    """Seconds by verb, the AUROC, the number of predictions, and what a verb that failed has said."""
    at = f"{network.replace('/', '-').replace(':', '-')}-{size}"
    kept = folder / at / "seconds.json"
    kept.parent.mkdir(exist_ok=True)
    seconds: dict[str, float] = json.loads(kept.read_text()) if kept.exists() else {}
    for verb, words in verbs(network, size, at).items():
        if verb in seconds:
            continue
        code, spent, said = run(folder, *words)
        if code:
            return {"network": network, "image_size": int(size), "seconds": seconds, "failed": f"{verb}: {said[-400:]}"}
        seconds[verb] = round(spent, 1)
        kept.write_text(json.dumps(seconds))
    metrics = json.loads((folder / at / "evaluation" / "metrics.json").read_text())
    predictions = len((folder / at / "predictions.csv").read_text().splitlines()) - 1
    done = {"network": network, "image_size": int(size), "seconds": seconds, "failed": ""}
    return done | {"auroc": metrics["layouts"]["standard"]["auroc"]["estimate"], "predictions": predictions}


def refusals(folder: Path) -> list[dict[str, Any]]:
    """What the command says to what cannot work, and whether it is what it should be."""
    rows = []
    for wrong, settings, words in REFUSED:
        options = [word for setting in (*settings, *FEW) for word in ("-o", setting)]
        code, spent, said = run(folder, "pretrain", COHORT, "--out", "refused", *options)
        said = said.strip()
        right = code == 2 and "\n" not in said and all(word in said for word in words)
        rows.append({"wrong": wrong, "settings": settings, "said": said, "seconds": round(spent, 1), "right": right})
    return rows


def main() -> int:
    """Run all networks and all refusals; exit with 1 if one of them went wrong."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path, default=Path("out/timm-networks"))
    options.add_argument("--networks", nargs="*", default=NETWORKS, metavar="NAME@PIXELS")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    folder = chosen.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for cohort, seed in ((COHORT, "1"), (ECGS, "2")):
        if not (folder / cohort).exists():
            code, _, said = run(folder, "simulate", cohort, "--patients", "80", "--seed", seed)
            if code:
                print(said, file=sys.stderr)
                return 1
    ways = [whole_way(folder, *network.split("@")) for network in chosen.networks]
    refused = refusals(folder)
    if chosen.json:
        print(json.dumps({"networks": ways, "refused": refused}, indent=2))
    else:
        names = list(verbs("", "", ""))
        print("| network | px |", " | ".join(f"{name}, s" for name in names), "| ECGs predicted | AUROC |")
        print("|---|---|", "---|" * (len(names) + 2), sep="")
        for way in ways:
            times = " | ".join(f"{way['seconds'].get(name, '-')}" for name in names)
            end = way["failed"] or f"{way['predictions']} | {way['auroc']:.3f}"
            print(f"| {way['network']} | {way['image_size']} | {times} | {end} |")
        print("\n| wrong | settings | said | as it should be |\n|---|---|---|---|")
        for row in refused:
            settings, right = " ".join(row["settings"]), "yes" if row["right"] else "NO"
            print(f"| {row['wrong']} | {settings} | {row['said']} | {right} |")
    return int(any(way["failed"] for way in ways) or not all(row["right"] for row in refused))


if __name__ == "__main__":
    sys.exit(main())
