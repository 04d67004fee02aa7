"""Train the reader that comes with Heartprint: ``python -m heartprint.reading.learning CONFIG PATIENTS OUT``.

``make reader`` calls it for each network: the finder, the reader, which begins with the finder's weights, and the one
that looks closely at strips.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from heartprint.cohorts.cohort import Cohort
from heartprint.foundation.arrays import Image
from heartprint.foundation.config import load_config
from heartprint.foundation.errors import HeartprintError
from heartprint.reading.learning.crops import Crops
from heartprint.reading.learning.examples import Examples
from heartprint.reading.learning.train import ReaderConfig, train
from heartprint.reading.learning.views import Views

_EXAMPLES = {"finder": Examples, "reader": Views, "strips": Crops}


def main() -> int:
    """Parse, train, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="configs/reading/finder.yaml, reader.yaml or strips.yaml")
    parser.add_argument("patients", type=Path, help="a cohort of simulated waveforms")
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=Path, help="folder with photographs/ and charts/ that show no ECG")
    parser.add_argument("--init", type=Path, help="weights to begin with, as far as they fit")
    parser.add_argument("-o", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    try:
        config = load_config(options.config, options.overrides, ReaderConfig)
        examples = _EXAMPLES[config.kind](
            Cohort.open(options.patients),
            backgrounds=_pictures(options.pictures, "photographs"),
            charts=_pictures(options.pictures, "charts"),
            seed=config.seed,
        )
        print(f"Weights: {train(config, examples, options.out, init=options.init)}")
    except HeartprintError as error:
        print(f"heartprint: {error.message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command goes on.", file=sys.stderr)
        return 130
    return 0


def _pictures(folder: Path | None, kind: str) -> tuple[Image, ...]:
    """Pictures of a folder in grey, in the order of their names."""
    import cv2

    if folder is None:
        return ()
    paths = [path for path in sorted((folder / kind).rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".png")]
    read = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths)
    return tuple(np.asarray(picture, dtype=np.uint8) for picture in read if picture is not None)


if __name__ == "__main__":
    sys.exit(main())
