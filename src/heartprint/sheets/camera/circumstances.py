"""What else happens to a picture, by where it comes from: a phone, a scanner, a screen, a copier, a file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from heartprint.foundation.arrays import Image
from heartprint.sheets.camera.scene import Scene

Range = tuple[float, float, float]
"""How often at severity 1, how often at severity 5, largest severity of the effect at severity 5."""


@dataclass(frozen=True)
class Source:
    """Where a picture comes from.

    Attributes:
        name: Its name.
        share: How often, of all pictures.
        flat: Whether there is no lens: the paper lies straight before it.
        effects: What may happen, in the order in which it happens where order matters.
    """

    name: str
    share: float
    flat: bool
    effects: dict[str, Range]

    def draw(self, rng: np.random.Generator, severity: float) -> tuple[tuple[str, float], ...]:
        """Draw effects and their severities. The same number of draws each time."""
        far = (severity - 1) / 4
        chances = rng.random((len(self.effects), 2)).tolist()
        return tuple(
            (name, 1 + (largest - 1) * (0.15 + 0.85 * far) * strength)
            for (name, (least, most, largest)), (chance, strength) in zip(self.effects.items(), chances, strict=True)
            if chance < least + far * (most - least)
        )


_ON_PAPER: dict[str, Range] = {
    "faint_print": (0.1, 0.35, 4),
    "streaks": (0.03, 0.12, 4),
    "bleed_through": (0.02, 0.1, 3),
    "stain": (0.02, 0.15, 4),
    "handwriting": (0.1, 0.3, 4),
    "highlighter": (0.04, 0.1, 3),
}

SOURCES = (
    Source(
        "phone",
        0.68,
        False,
        {
            "curl": (0.4, 0.85, 4.0),
            "folds": (0.2, 0.6, 4.0),
            **_ON_PAPER,
            "paper_texture": (0.7, 0.9, 4),
            "crumple": (0.1, 0.4, 4),
            "ageing": (0.1, 0.3, 5),
            "uneven_light": (0.9, 1.0, 5),
            "shadow": (0.25, 0.7, 5),
            "cast": (0.7, 0.95, 5),
            "glare": (0.04, 0.25, 3.5),
            "blur": (0.15, 0.6, 4),
            "motion_blur": (0.02, 0.25, 3),
            "low_resolution": (0.05, 0.3, 4),
            "sharpening": (0.3, 0.4, 4),
            "underexposure": (0.5, 0.75, 4.5),
            "overexposure": (0.08, 0.12, 3),
            "fade": (0.2, 0.5, 4.5),
            "noise": (0.7, 0.95, 4),
            "jpeg": (0.6, 0.85, 4.5),
        },
    ),
    Source(
        "scan",
        0.13,
        True,
        {
            "folds": (0.15, 0.35, 3),
            **_ON_PAPER,
            "specks": (0.3, 0.5, 4),
            "paper_texture": (0.4, 0.6, 3),
            "ageing": (0.2, 0.35, 4),
            "uneven_light": (0.2, 0.5, 2),
            "cast": (0.2, 0.3, 3),
            "blur": (0.2, 0.5, 3),
            "low_resolution": (0.1, 0.4, 4.5),
            "sharpening": (0.2, 0.4, 4),
            "fade": (0.2, 0.4, 4),
            "overexposure": (0.1, 0.3, 4),
            "noise": (0.3, 0.6, 3),
            "few_levels": (0.03, 0.06, 3),
            "jpeg": (0.6, 0.8, 4.5),
        },
    ),
    Source(
        "screen",
        0.08,
        False,
        {
            "uneven_light": (0.7, 0.9, 4),
            "cast": (0.6, 0.9, 5),
            "glare": (0.3, 0.6, 4),
            "blur": (0.3, 0.6, 3.5),
            "motion_blur": (0.03, 0.2, 2.5),
            "sharpening": (0.3, 0.4, 4),
            "underexposure": (0.5, 0.7, 4),
            "overexposure": (0.1, 0.3, 4),
            "fade": (0.3, 0.6, 4),
            "moire": (0.6, 0.9, 5),
            "pixel_grid": (0.4, 0.7, 4.5),
            "flicker": (0.2, 0.4, 4),
            "noise": (0.6, 0.8, 4),
            "jpeg": (0.7, 0.9, 4.5),
        },
    ),
    Source(
        "copy",
        0.06,
        True,
        {
            "folds": (0.1, 0.2, 2.5),
            "handwriting": (0.2, 0.3, 4),
            "specks": (0.5, 0.7, 4.5),
            "faint_print": (0.2, 0.4, 4),
            "streaks": (0.2, 0.4, 4),
            "fax": (0.25, 0.35, 3.5),
            "blur": (0.3, 0.4, 2.5),
            "photocopy": (0.6, 0.7, 4.5),
            "jpeg": (0.5, 0.7, 4),
        },
    ),
    Source(
        "file",
        0.05,
        True,
        {
            "handwriting": (0.02, 0.05, 2),
            "low_resolution": (0.1, 0.5, 4.5),
            "sharpening": (0.05, 0.1, 3),
            "few_levels": (0.05, 0.15, 4),
            "jpeg": (0.5, 0.8, 5),
        },
    ),
)
"""The five sources; their shares add up to 1."""


def draw_source(rng: np.random.Generator) -> Source:
    """Draw where a picture comes from."""
    left = float(rng.random())
    for source in SOURCES:
        left -= source.share
        if left < 0:
            return source
    return SOURCES[0]


def write(scene: Scene, rng: np.random.Generator, severity: float, source: Source) -> list[tuple[str, float]]:
    """Write what no effect of the registry is into a scene.

    Returns:
        What happened, with severities.
    """
    chances = rng.random(3)
    happened = []
    if not source.flat:
        happened.append(("vignette", vignette(scene, rng, severity)))
    if source.name == "phone" and chances[0] < 0.35:
        noise_reduction(scene, rng, severity)
        happened.append(("noise_reduction", severity))
    if chances[1] < 0.1 + 0.06 * severity:
        saved_before(scene, rng, severity)
        happened.append(("saved_before", severity))
    return happened


def vignette(scene: Scene, rng: np.random.Generator, severity: float) -> float:
    """Darken the corners, as a near lens does.

    Returns:
        How much, as a severity.
    """
    u = rng.random()
    depth = 0.04 + (0.1 + 0.08 * severity) * u**1.5
    # `survey` adds half the depth everywhere; the corners, at a squared distance of 0.5, lose the rest.
    scene.slopes.append((0.0, 0.0, depth, 1.4, 0.0, 0.0, 0.0))
    return 1.0 + 4.0 * u


def noise_reduction(scene: Scene, rng: np.random.Generator, severity: float) -> None:
    """Smooth away what a phone takes for noise, faint lines among it, before the file is written."""
    share = float((0.2 + 0.16 * severity) * rng.random())

    def smooth(picture: Image) -> Image:
        flat = cv2.medianBlur(picture, 3)
        return np.asarray(cv2.addWeighted(picture, 1 - share, flat, share, 0), dtype=np.uint8)

    scene.file.insert(0, smooth)


def saved_before(scene: Scene, rng: np.random.Generator, severity: float) -> None:
    """Send the picture through a messenger first: it is made smaller, saved, and made larger again by who opens it."""
    u = rng.random(2)
    share, quality = 1 - (0.08 + 0.09 * severity) * u[0], round(88 - 11 * severity * u[1])

    def send(picture: Image) -> Image:
        height, width = picture.shape[:2]
        small = cv2.resize(
            picture, (max(round(width * share), 8), max(round(height * share), 8)), interpolation=cv2.INTER_AREA
        )
        colours = picture.ndim == 3
        # OpenCV takes colours as blue, green, red.
        given = np.ascontiguousarray(small[..., ::-1]) if colours else small
        _, coded = cv2.imencode(".jpg", given, [cv2.IMWRITE_JPEG_QUALITY, quality])
        read = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR if colours else cv2.IMREAD_GRAYSCALE))
        read = np.ascontiguousarray(read[..., ::-1]) if colours else read
        return np.asarray(cv2.resize(read, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)

    scene.file.insert(0, send)


def coarse(scene: Scene, px_per_mm: float, dpi: float) -> None:
    """Lose what a copy of so many dots per inch cannot hold, where the picture could show more."""
    sigma = 0.45 * px_per_mm * 25.4 / dpi
    if sigma > 0.35:
        side = 2 * math.ceil(2.5 * sigma) + 1
        scene.optics.insert(
            0, lambda picture: np.asarray(cv2.GaussianBlur(picture, (side, side), sigma), dtype=np.uint8)
        )
