"""Gather real pictures that are no ECG from Debian packages, for training and testing the gate of a reader.

They stay on this machine: nothing of them is committed or shipped. Packages are downloaded with ``apt-get download``
and unpacked with ``dpkg-deb -x``, neither of which needs root; run ``apt-get update`` before. Training and test never
share a package. Needs Debian or a relative of it.

    python benchmarks/gather_pictures.py OUT

OUT then holds ``training/photographs``, ``training/charts``, ``test/photographs``, ``test/charts``, the packages'
copyright files in ``licences`` and ``sources.json``, which says what came from where under which licence. Exits 1 if a
package gave fewer than five pictures.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from PIL import Image

LONG_PX, SHORT_PX = 1024, 200
"""Longest side that is kept; pictures whose shorter side is smaller are icons and are left out."""

FEWEST = 5
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff")
MOST_OF_A_PACKAGE = 400
ALIKE = {"photographs": 8.0, "charts": 1.0}
"""Mean difference of levels below which two pictures are one; pages of text differ by little."""

PDF_PAGES, PDF_SCALE = 60, 1.2


@dataclass(frozen=True)
class Source:
    """A package, what to learn or to test with it, and what its pictures are."""

    package: str
    split: str
    kind: str


SOURCES = (
    Source("gnome-backgrounds", "training", "photographs"),
    Source("mate-backgrounds", "training", "photographs"),
    Source("python-skimage-doc", "training", "charts"),
    Source("python-sklearn-doc", "training", "charts"),
    Source("plasma-workspace-wallpapers", "test", "photographs"),
    Source("ukui-wallpapers", "test", "photographs"),
    Source("lomiri-wallpapers-16.04", "test", "photographs"),
    Source("lomiri-wallpapers-20.04", "test", "photographs"),
    Source("python-statsmodels-doc", "test", "charts"),
    Source("gnuplot-doc", "test", "charts"),
)


def unpacked(package: str, into: Path) -> tuple[Path, str]:
    """Download a package and unpack it; returns its tree and its version."""
    into.mkdir()
    subprocess.run(["apt-get", "download", package], cwd=into, check=True, capture_output=True)
    (archive,) = into.glob("*.deb")
    tree = into / "tree"
    subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
    version = subprocess.run(
        ["dpkg-deb", "-f", archive, "Version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    archive.unlink()
    return tree, version


def licences(copyright_text: str) -> list[str]:
    """Short names of the licences that a machine-readable copyright file tells, the most frequent first."""
    names = re.findall(r"^License:[ \t]*(\S[^\n]*)$", copyright_text, flags=re.MULTILINE)
    # An older file says it in a sentence.
    names = names or re.findall(r"Licensed under (?:the )?([^\n]*?)\.?$", copyright_text, flags=re.MULTILINE)
    return [name for name, _ in Counter(names).most_common()]


def pictures(tree: Path) -> Iterator[tuple[str, Image.Image]]:
    """Pictures of a package, the largest first, so that of several sizes of one the largest is met first."""
    files = [f for f in tree.rglob("*") if f.is_file() and not f.is_symlink()]
    drawn = [f for f in files if f.suffix.lower() in ENDINGS and "thumb" not in f.name]
    for file in sorted(drawn, key=lambda f: (-f.stat().st_size, str(f))):
        try:
            with Image.open(file) as picture:
                if min(picture.size) >= SHORT_PX:
                    picture.draft("RGB", (2 * LONG_PX, 2 * LONG_PX))
                    yield str(file.relative_to(tree)), on_white(picture)
        except (OSError, Image.DecompressionBombError) as error:
            print(f"  left out {file.name}: {error}")
    for file in sorted(f for f in files if f.suffix.lower() == ".pdf"):
        yield from pages(file, str(file.relative_to(tree)))


def pages(file: Path, name: str) -> Iterator[tuple[str, Image.Image]]:
    """Pages of a document, evenly over it."""
    import pypdfium2

    document = pypdfium2.PdfDocument(file)
    for number in sorted({int(n) for n in np.linspace(0, len(document) - 1, PDF_PAGES)}):
        yield f"{name}#{number + 1}", document[number].render(scale=PDF_SCALE).to_pil().convert("RGB")


def on_white(picture: Image.Image) -> Image.Image:
    """In colour; what can be seen through lies on white."""
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return picture.convert("RGB")


def looks(picture: Image.Image) -> npt.NDArray[np.int16]:
    """What the middle of a picture looks like from afar, which is the same in other sizes and proportions."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    middle = picture.convert("L").crop((left, top, left + side, top + side))
    return np.asarray(middle.resize((16, 16), Image.Resampling.BOX), dtype=np.int16)


def gather(source: Source, out: Path, work: Path, seen: list[npt.NDArray[np.int16]]) -> dict[str, object]:
    """Write the pictures of a package and tell about them."""
    tree, version = unpacked(source.package, work / source.package)
    folder = out / source.split / source.kind
    folder.mkdir(parents=True, exist_ok=True)
    text = (tree / "usr/share/doc" / source.package / "copyright").read_text(encoding="utf-8", errors="replace")
    (out / "licences").mkdir(exist_ok=True)
    (out / "licences" / f"{source.package}.txt").write_text(text, encoding="utf-8")
    names: dict[str, str] = {}
    for origin, picture in pictures(tree):
        if len(names) == MOST_OF_A_PACKAGE:
            break
        look = looks(picture)
        alike = ALIKE[source.kind]
        if look.std() < 2 or any(np.abs(look - other).mean() < alike for other in seen):
            continue
        seen.append(look)
        picture.thumbnail((LONG_PX, LONG_PX), Image.Resampling.LANCZOS)
        name = f"{source.package}_{len(names):04d}.{'jpg' if source.kind == 'photographs' else 'png'}"
        picture.save(folder / name, quality=90)
        names[name] = origin
    return {
        "package": source.package,
        "version": version,
        "split": source.split,
        "kind": source.kind,
        "count": len(names),
        "licences": licences(text),
        "pictures": names,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    told: list[dict[str, object]] = []
    seen: list[npt.NDArray[np.int16]] = []
    with tempfile.TemporaryDirectory() as work:
        for source in SOURCES:
            facts = gather(source, out, Path(work), seen)
            told.append(facts)
            named = ", ".join(cast(list[str], facts["licences"])) or "see its copyright file"
            print(f"{source.split:9} {source.kind:12} {facts['count']:4}  {source.package} ({named})", flush=True)
    (out / "sources.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    few = [facts["package"] for facts in told if cast(int, facts["count"]) < FEWEST]
    return 1 if few else 0


if __name__ == "__main__":
    sys.exit(main())
