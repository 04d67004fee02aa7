"""The scene: all that effects have decided about one picture, and how it is then taken."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from heartprint.foundation.arrays import Float32Array, Float64Array, Image
from heartprint.sheets.camera import kernels, tiles
from heartprint.sheets.camera.geometry import RIDGE_FIELDS, WAVE_FIELDS, Mapping, frame_to_paper
from heartprint.sheets.look import LUMA

Colour = tuple[float, float, float]
Mark = Callable[[Image, "int | None"], None]
"""Draws onto the sheet, in place: the image and which of red, green, blue it is (None: grey)."""

Pass = Callable[[Image], Image]
"""Changes a finished picture, ``(H, W)`` or ``(H, W, 3)``."""

REFERENCE_PX = 300
"""Lengths of blur and the like are given in px of a picture of this side."""

_LEVELS = np.arange(256, dtype=np.float32)
_NOTHING = np.empty((0, 0), dtype=np.uint8)


@dataclass(frozen=True)
class Surround:
    """What the paper shows beyond the drawn sheet: a grid that runs on.

    Attributes:
        blank: ``(h, w)`` or ``(h, w, 3)`` uint8, paper without ECG at the scale of the sheet as drawn.
        cell: Left, upper edge, width and height of the cell of it that repeats, px; it shows what a sheet shows from
            its upper left corner.
    """

    blank: Image
    cell: tuple[float, float, float, float]


@dataclass
class Scene:
    """What is to happen to one sheet; effects write into it.

    Attributes:
        aspect: Width over height of the sheet in mm.
        rotation_deg: See `frame_to_paper`, like the next three.
        keystone: Likewise.
        zoom: Likewise.
        shift: Likewise.
        waves: See `Mapping`.
        ridges: See `Mapping`.
        desk: Index of the desk below the paper; None = the paper has no end.
        paper: How far the paper reaches beyond the sheet, left, up, right, down, in sheet heights.
        marks: What is drawn onto the sheet, with the order in which that happens.
        ink: Share of the ink that was printed.
        ink_x: Functions from a width in px to the share of the ink in each column.
        ink_y: Functions from a height in px to the share of the ink in each row.
        textures: Textures of the paper: index in `tiles.textures`, strength, row and column of the crop.
        tint: Factors for red, green and blue.
        slopes: See `survey` in the kernels, like the next two.
        shadows: Likewise.
        blobs: Likewise.
        optics: What the lens does, in order.
        tones: What happens to the levels, in order.
        noise: Standard deviation of the noise on white, grey levels.
        stripes: Systems of stripes: strength; radians per px at 300 px along x and y; curvature; phase.
        grain_at: Row and column where the noise's tile is cropped.
        file: What saving does, in order.
        grey: Whether colour is lost.
        view: ``(3, 3)`` from frame to paper, see `Mapping.to_paper`; it takes the place of turn, keystone, zoom and
            shift. None = those.
        backdrop: ``(512, 512)`` or ``(512, 512, 3)`` uint8: what lies below the paper, its longer side that of the
            picture; it takes the place of ``desk``.
        edge_shade: Share of the light that what lies below the paper loses at its edge.
        finer: How many px a side of each px of the picture is exposed with, and averaged.
    """

    aspect: float
    rotation_deg: float = 0.0
    keystone: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    waves: list[tuple[float, ...]] = field(default_factory=list)
    ridges: list[tuple[float, ...]] = field(default_factory=list)
    desk: int | None = None
    paper: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    marks: list[tuple[int, Mark]] = field(default_factory=list)
    ink: float = 1.0
    ink_x: list[Callable[[int], Float32Array]] = field(default_factory=list)
    ink_y: list[Callable[[int], Float32Array]] = field(default_factory=list)
    textures: list[tuple[int, float, int, int]] = field(default_factory=list)
    tint: Colour = (1.0, 1.0, 1.0)
    slopes: list[tuple[float, ...]] = field(default_factory=list)
    shadows: list[tuple[float, ...]] = field(default_factory=list)
    blobs: list[tuple[float, ...]] = field(default_factory=list)
    optics: list[Pass] = field(default_factory=list)
    tones: list[Callable[[Float32Array], Float32Array]] = field(default_factory=list)
    noise: float = 0.0
    stripes: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    grain_at: tuple[int, int] = (0, 0)
    file: list[Pass] = field(default_factory=list)
    grey: bool = False
    view: Float64Array | None = None
    backdrop: Image | None = None
    edge_shade: float = 0.5
    finer: int = 1

    @property
    def moves(self) -> bool:
        """Whether points of the sheet move: whether it should be drawn larger and resampled."""
        if self.view is not None:
            return True
        posed = self.rotation_deg != 0 or self.keystone != (0.0, 0.0) or self.zoom != 1 or self.shift != (0.0, 0.0)
        return posed or bool(self.waves) or bool(self.ridges)

    @property
    def lit(self) -> bool:
        """Whether the paper's look changes before the lens."""
        inked = self.ink != 1 or bool(self.ink_x) or bool(self.ink_y)
        shone = self.tint != (1.0, 1.0, 1.0) or bool(self.slopes) or bool(self.shadows) or bool(self.blobs)
        return inked or shone or bool(self.textures)

    def tinted(self, colour: Colour) -> None:
        """Multiply the light's colour."""
        r, g, b = self.tint
        self.tint = (r * colour[0], g * colour[1], b * colour[2])

    def mapping(self, size: tuple[int, int], sheet_mm: tuple[float, float]) -> Mapping:
        """The mapping between sheet and picture.

        Args:
            size: Height and width of the picture, px.
            sheet_mm: Width and height of the sheet, mm.
        """
        return Mapping(
            self._to_paper(),
            _rows(self.waves, WAVE_FIELDS),
            _rows(self.ridges, RIDGE_FIELDS),
            self.aspect,
            size,
            sheet_mm,
        )

    def _to_paper(self) -> Float64Array:
        if self.view is not None:
            return self.view
        return frame_to_paper(self.aspect, self.rotation_deg, self.keystone, self.zoom, self.shift)

    def take(self, sheet: Image, size: tuple[int, int], surround: Surround | None = None) -> Image:
        """Take the picture.

        Args:
            sheet: ``(h, w)`` or ``(h, w, 3)`` uint8, white = 255; left as it is.
            size: Height and width of the picture, px.
            surround: What the paper shows beyond the sheet; None = nothing.

        Returns:
            ``(H, W)`` or ``(H, W, 3)`` uint8, a fresh array.
        """
        colours = sheet.ndim == 3
        if colours and self.grey:
            sheet = grey_of(sheet)
            if surround is not None and surround.blank.ndim == 3:
                surround = Surround(grey_of(surround.blank), surround.cell)
        with one_thread():
            if sheet.ndim == 3:
                picture = np.stack([self._light(sheet[..., c], size, surround, c) for c in range(3)], axis=-1)
            else:
                picture = self._light(sheet, size, surround, None)
            for optic in self.optics:
                picture = optic(picture)
            self._record(picture)
            for save in self.file:
                picture = save(picture)
        if colours and picture.ndim == 2:
            picture = np.repeat(picture[..., None], 3, axis=-1)
        return np.ascontiguousarray(picture)

    def _light(self, plane: Image, size: tuple[int, int], surround: Surround | None, channel: int | None) -> Image:
        """From one plane of the sheet to one of the picture: marks, mapping, light."""
        # Writable even where nothing is written: the kernels would be compiled again for images that are not.
        plane = plane.copy() if self.marks else np.require(plane, requirements=["C", "W"])
        if self.marks:
            for _, mark in sorted(self.marks, key=lambda ordered: ordered[0]):
                mark(plane, channel)
        if not (self.moves or self.lit or plane.shape != size):
            return plane if self.marks else plane.copy()
        height, width = plane.shape
        size = (size[0] * self.finer, size[1] * self.finer)
        rows, columns = (-(-n // kernels.STEP) + 1 for n in size)
        nodes = np.empty((4, rows, columns), dtype=np.float32)
        kernels.survey(
            *size,
            height,
            width,
            self._to_paper(),
            self.aspect,
            _rows(self.waves, WAVE_FIELDS),
            _rows(self.ridges, RIDGE_FIELDS),
            _rows(self.slopes, 7),
            _rows(self.shadows, 5),
            _rows(self.blobs, 7),
            nodes,
        )
        # Where the picture has fewer pixels than the sheet, what it cannot show is taken out first: fine grids would
        # leave waves that no camera leaves.
        # A given view comes with a sheet that is drawn for it.
        coarser = math.sqrt(height * width / (size[0] * size[1])) / self.zoom if self.view is None else 1.0
        blank, cell = _NOTHING, (0.0, 0.0, 1.0, 1.0)
        if surround is not None:
            blank, cell = _cut(surround, channel)
            blank = _without_detail(blank, coarser)
        plane = _without_detail(plane, coarser)
        endless = (math.inf,) * 4
        left, up, right, down = (m * height for m in (self.paper if self._on_something else endless))
        x_px = width / (self.aspect * height)
        out = np.empty(size, dtype=np.uint8)
        kernels.expose(
            plane,
            nodes,
            _product(self.ink_x, width, self.ink),
            _product(self.ink_y, height, 1.0),
            np.array([-left * x_px, -up, width + right * x_px, height + down], dtype=np.float32),
            np.ascontiguousarray(blank),
            np.array(cell, dtype=np.float32),
            self._desk(channel),
            np.float32((REFERENCE_PX if self.backdrop is None else tiles.TILE) / max(size)),
            tiles.textures(),
            np.array([t[0] for t in self.textures], dtype=np.int64),
            np.array([t[1] for t in self.textures], dtype=np.float32),
            np.array([t[2:] for t in self.textures], dtype=np.int64).reshape(-1, 2),
            np.float32(level(self.tint, channel)),
            self.backdrop is not None,
            np.float32(self.edge_shade),
            out,
        )
        if self.finer == 1:
            return out
        coarse = (size[1] // self.finer, size[0] // self.finer)
        return np.asarray(cv2.resize(out, coarse, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    @property
    def _on_something(self) -> bool:
        return self.desk is not None or self.backdrop is not None

    def _desk(self, channel: int | None) -> Image:
        if self.backdrop is not None:
            if self.backdrop.ndim == 2:
                return np.ascontiguousarray(self.backdrop)
            return np.ascontiguousarray(grey_of(self.backdrop) if channel is None else self.backdrop[..., channel])
        if self.desk is None:
            return _NOTHING
        desks = tiles.desks_grey() if channel is None else tiles.desks()[channel]
        return np.ascontiguousarray(desks[self.desk])

    def _record(self, picture: Image) -> None:
        """What the sensor does, in place."""
        planes = [picture] if picture.ndim == 2 else [picture[..., c] for c in range(3)]
        if self.stripes:
            tables = self._stripe_tables(*picture.shape[:2])
            for plane in planes:
                kernels.interfere(plane, *tables)
        if not self.tones and self.noise == 0:
            return
        tone = _LEVELS
        for change in self.tones:
            tone = change(tone)
        # Photons: the variance of the noise grows with the light, above a floor.
        noise = self.noise * np.sqrt(np.float32(0.15) + np.float32(0.85 / 255) * np.clip(tone, 0, 255))
        for k, plane in enumerate(planes):
            kernels.sense(
                plane,
                tone.astype(np.float32),
                noise.astype(np.float32),
                tiles.grain(),
                self.grain_at[0] + 151 * k,
                self.grain_at[1] + 67 * k,
                plane,
            )

    def _stripe_tables(self, height: int, width: int) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
        unit = REFERENCE_PX / max(height, width)
        x, y = (np.arange(width) - width / 2) * unit, (np.arange(height) - height / 2) * unit
        tables: tuple[list[Float32Array], ...] = ([], [], [], [])
        for strength, along_x, along_y, bend, phase in self.stripes:
            angle_x = along_x * x + bend * x**2 / REFERENCE_PX + phase
            angle_y = along_y * y + bend * y**2 / REFERENCE_PX
            parts = (strength * np.cos(angle_x), strength * np.sin(angle_x), np.cos(angle_y), np.sin(angle_y))
            for table, part in zip(tables, parts, strict=True):
                table.append(part.astype(np.float32))
        cos_x, sin_x, cos_y, sin_y = (np.stack(table) for table in tables)
        return cos_x, sin_x, cos_y, sin_y


def level(colour: Colour, channel: int | None) -> float:
    """What a plane shows of a colour: one of red, green, blue, or its grey (ITU-R BT.601)."""
    return sum(w * c for w, c in zip(LUMA, colour, strict=True)) if channel is None else colour[channel]


def grey_of(image: Image) -> Image:
    """``(h, w, 3)`` uint8 in red, green, blue to ``(h, w)`` uint8."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


_threads_lock = threading.Lock()
_taking = 0
_threads_before = 0


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV works in the caller's thread alone: loaders already run one process or thread per core.

    Its setting is that of the process. Of callers in several threads the first changes it, the last gives it back.
    """
    global _taking, _threads_before
    with _threads_lock:
        if _taking == 0:
            _threads_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _taking += 1
    try:
        yield
    finally:
        with _threads_lock:
            _taking -= 1
            if _taking == 0:
                cv2.setNumThreads(_threads_before)


def _without_detail(plane: Image, coarser: float) -> Image:
    """Blur a plane that will be sampled every ``coarser`` px."""
    if coarser < 1.15:
        return plane
    sigma = 0.4 * math.sqrt(coarser**2 - 1)
    side = 3 if sigma < 0.8 else 5
    return np.asarray(cv2.GaussianBlur(plane, (side, side), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def _cut(surround: Surround, channel: int | None) -> tuple[Image, tuple[float, float, float, float]]:
    """The cell that repeats, with a border of four px, and where it lies in there."""
    left, top, wide, high = surround.cell
    x, y = max(int(left) - 4, 0), max(int(top) - 4, 0)
    patch = surround.blank[y : math.ceil(top + high) + 4, x : math.ceil(left + wide) + 4]
    if patch.ndim == 3:
        patch = patch[..., channel or 0]
    return patch.copy(), (left - x, top - y, wide, high)


def _rows(rows: list[tuple[float, ...]], fields: int) -> Float64Array:
    return np.array(rows, dtype=np.float64).reshape(-1, fields)


def _product(functions: list[Callable[[int], Float32Array]], length: int, factor: float) -> Float32Array:
    out = np.full(length, factor, dtype=np.float32)
    for function in functions:
        out *= function(length)
    return out
