"""Where a known mark of the sheet lies in the picture, and the fused kernels against slow literal twins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from heartprint.foundation.randomness import generator
from heartprint.sheets import get_layout, get_style
from heartprint.sheets.background import background
from heartprint.sheets.camera import EFFECTS, Mapping, apply_effects, kernels, photograph_sheet, tiles
from heartprint.sheets.camera.geometry import frame_to_paper
from heartprint.sheets.camera.photograph import grid_beyond
from heartprint.sheets.camera.scene import Scene
from heartprint.sheets.style import placed

GEOMETRIC = ("rotation", "perspective", "curl", "folds", "crop", "margins", "desk")
MM = (250.0, 120.0)


def marked(x_mm: float, y_mm: float, size: int) -> np.ndarray:
    """A white sheet with one soft dark mark."""
    at = (np.arange(size) + 0.5) / size
    away = np.hypot((at[None, :] * MM[0] - x_mm) / MM[0], (at[:, None] * MM[1] - y_mm) / MM[1]) * size
    return np.rint(255 - 235 * np.exp(-((away / (size / 100)) ** 2))).astype(np.uint8)


def centre_of_ink(picture: np.ndarray, near: np.ndarray, reach: float) -> np.ndarray:
    """Centroid of what is darker than its surroundings near a point, px."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    close = np.hypot(x - near[0], y - near[1]) < reach
    ink = np.where(close, np.maximum(np.median(picture[close]) - 25 - picture.astype(float), 0), 0)
    assert ink.sum() > 50
    return np.array([(x * ink).sum(), (y * ink).sum()]) / ink.sum()


@pytest.mark.parametrize("name", [*GEOMETRIC, "all"])
@pytest.mark.parametrize("severity", [2, 5])
def test_a_mark_lies_where_the_mapping_says(name: str, severity: int) -> None:
    effects = [(n, min(severity, 3)) for n in GEOMETRIC] if name == "all" else [(name, severity)]
    seen = 0
    for seed in range(5):
        x_mm, y_mm = 40 + 34.0 * seed, 90 - 14.0 * seed
        photo = apply_effects(marked(x_mm, y_mm, 300), effects, generator(seed, "mark"), sheet_mm=MM)
        said = photo.mapping.picture_from_sheet([x_mm, y_mm])
        if not (12 < said[0] < 288 and 12 < said[1] < 288):
            continue
        seen += 1
        assert np.hypot(*(centre_of_ink(photo.picture, said, 9) - said)) < 1
    assert seen >= 2


def test_mapping_holds_from_twice_the_size_with_all_of_phone() -> None:
    for seed in range(8):
        sheet = marked(120, 60, 600)
        recipe = {"name": "x", "effects": {n: [1, 1, 3] for n in (*GEOMETRIC, "uneven_light", "cast")}}
        photo = photograph_sheet(sheet, 300, recipe=recipe, rng=generator(seed, "m"), sheet_mm=MM)
        said = photo.mapping.picture_from_sheet([120.0, 60.0])
        assert np.hypot(*(centre_of_ink(photo.picture, said, 9) - said)) < 1


def test_there_and_back() -> None:
    scene = Scene(MM[0] / MM[1])
    rng = generator(4, "back")
    for name in GEOMETRIC:
        EFFECTS[name].write(scene, EFFECTS[name].level(5), rng)
    mapping = scene.mapping((300, 400), MM)
    points = np.stack(np.meshgrid(np.linspace(0, 250, 21), np.linspace(0, 120, 11)), axis=-1)
    assert np.abs(mapping.sheet_from_picture(mapping.picture_from_sheet(points)) - points).max() < 1e-6


def test_nothing_moves_in_an_identity() -> None:
    mapping = Mapping(frame_to_paper(2.0, 0, (0, 0), 1, (0, 0)), np.empty((0, 5)), np.empty((0, 7)), 2.0, (10, 20), MM)
    assert mapping.picture_from_sheet([125.0, 30.0]) == pytest.approx([10.0, 2.5])


def test_rotation_turns_counter_clockwise_as_a_pose_does() -> None:
    # A square sheet turned by 90 degrees would bring its right edge to the top.
    mapping = Mapping(
        frame_to_paper(1.0, 10.0, (0, 0), 1, (0, 0)), np.empty((0, 5)), np.empty((0, 7)), 1.0, (100, 100), (100, 100)
    )
    x, y = mapping.picture_from_sheet([100.0, 50.0])
    assert (x, y) == pytest.approx((50 + 50 * math.cos(math.radians(10)), 50 - 50 * math.sin(math.radians(10))))


def test_composed_view_equals_its_steps() -> None:
    """The written-out matrix against a product of matrices, inverted."""
    aspect, angle, gx, gy, zoom, shift = 2.1, math.radians(7.0), 0.1, -0.2, 1.2, (0.05, -0.03)
    tilt = np.array([[1.0, 0, 0], [0, 1.0, 0], [gx, gy, 1.0]])
    corners = tilt @ np.array([[sx * aspect / 2, sy / 2, 1.0] for sx in (-1, 1) for sy in (-1, 1)]).T
    low, high = (corners[:2] / corners[2]).min(axis=1), (corners[:2] / corners[2]).max(axis=1)
    fx, fy = aspect / (high[0] - low[0]), 1 / (high[1] - low[1])
    fit = np.array([[fx, 0, -fx * (low + high)[0] / 2], [0, fy, -fy * (low + high)[1] / 2], [0, 0, 1.0]])
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1.0]])
    view = np.array([[zoom, 0, -zoom * shift[0] * aspect], [0, zoom, -zoom * shift[1]], [0, 0, 1.0]])
    slow = np.linalg.inv(view @ turn @ fit @ tilt)
    fast = frame_to_paper(aspect, 7.0, (gx, gy), zoom, shift)
    assert fast / fast[2, 2] == pytest.approx(slow / slow[2, 2])


# --- kernels against literal twins --------------------------------------------------------------------------------


def random_scene(seed: int) -> Scene:
    scene, rng = Scene(MM[0] / MM[1]), generator(seed, "twin")
    for name in ("rotation", "perspective", "curl", "folds", "margins", "uneven_light", "shadow", "shadow", "glare"):
        EFFECTS[name].write(scene, EFFECTS[name].level(3), rng)
    return scene


def surveyed(scene: Scene, size: tuple[int, int], source: tuple[int, int]) -> np.ndarray:
    rows, columns = (-(-n // kernels.STEP) + 1 for n in size)
    nodes = np.empty((4, rows, columns), dtype=np.float32)
    mapping = scene.mapping(size, MM)
    kernels.survey(
        *size,
        *source,
        mapping.to_paper,
        scene.aspect,
        mapping.waves,
        mapping.ridges,
        np.array(scene.slopes).reshape(-1, 7),
        np.array(scene.shadows).reshape(-1, 5),
        np.array(scene.blobs).reshape(-1, 7),
        nodes,
    )
    return nodes


def slow_light(scene: Scene, size: tuple[int, int], x_px: float, y_px: float) -> tuple[float, float]:
    """Factor and glare at one point, written as the definitions read."""
    fx, fy, gain, dark = x_px / size[1] - 0.5, y_px / size[0] - 0.5, 1.0, 1.0
    view = scene.mapping(size, MM).to_paper @ np.array([fx * scene.aspect, fy, 1.0])
    p, q = view[:2] / view[2]
    for nx, ny, where, width, _, _, shade in scene.ridges:
        side = nx * p + ny * q - where
        gain *= 1 + shade * max(0.0, 1 - abs(side) / width) * float(np.clip(side / 0.01, -1, 1))
    for dx, dy, depth, vignette, kx, ky, phase in scene.slopes:
        fall = 0.5 + 0.7 * (dx * fx + dy * fy) + vignette * (fx**2 + fy**2) + 0.12 * math.sin(kx * fx + ky * fy + phase)
        gain *= 1 - depth * float(np.clip(fall, 0, 1.3))
    for nx, ny, where, softness, depth in scene.shadows:
        s = float(np.clip((nx * fx + ny * fy - where) / softness + 0.5, 0, 1))
        gain *= 1 - depth * (3 * s**2 - 2 * s**3)
    for cx, cy, rx, ry, c, s, strength in scene.blobs:
        dx, dy = (fx - cx) * scene.aspect, fy - cy
        inside = max(0.0, 1 - ((c * dx + s * dy) / rx) ** 2 - ((c * dy - s * dx) / ry) ** 2) ** 2
        if strength > 0:
            dark *= 1 - min(strength * inside, 1)
        else:
            gain *= 1 + strength * inside
    return gain, 1 - dark


@pytest.mark.parametrize("seed", range(4))
def test_survey_equals_its_twin(seed: int) -> None:
    scene, size, source = random_scene(seed), (56, 88), (120, 170)
    nodes = surveyed(scene, size, source)
    mapping = scene.mapping(size, MM)
    for j in range(nodes.shape[1]):
        for i in range(nodes.shape[2]):
            at = (i * kernels.STEP, j * kernels.STEP)
            sheet = mapping.sheet_from_picture(at) / MM * np.array([source[1], source[0]])
            assert nodes[:2, j, i] == pytest.approx(sheet, abs=1e-3)
            assert nodes[2:, j, i] == pytest.approx(slow_light(scene, size, *at), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("desk, bare, shade", [(False, False, 0.5), (True, False, 0.5), (True, True, 0.2)])
def test_expose_equals_its_twin(seed: int, desk: bool, bare: bool, shade: float) -> None:
    scene, size, (h, w) = random_scene(seed), (45, 61), (100, 130)
    rng = np.random.default_rng(seed)
    nodes = surveyed(scene, size, (h, w))
    source = rng.integers(0, 256, (h, w)).astype(np.uint8)
    blank = rng.integers(0, 256, (20, 20)).astype(np.uint8)
    cell = np.array([4, 5, 7.5, 9.25], dtype=np.float32)
    edge = np.array([-6, -3, w + 2, h + 5], dtype=np.float32) if desk else np.array([-np.inf, -np.inf, np.inf, np.inf])
    table = tiles.desks_grey()[0] if desk else np.empty((0, 0), dtype=np.uint8)
    ink_x, ink_y = (rng.uniform(0.3, 1, n).astype(np.float32) for n in (w, h))
    starts = np.array([[500, 490], [3, 70]])
    strengths = np.array([0.05, 0.1], dtype=np.float32)
    out = np.empty(size, dtype=np.uint8)
    kernels.expose(
        source, nodes, ink_x, ink_y, edge.astype(np.float32), blank, cell, table, np.float32(1.5),
        tiles.textures(), np.array([0, 1]), strengths, starts, np.float32(0.9), bare, np.float32(shade), out,
    )  # fmt: skip

    def fetch(page: np.ndarray, x: float, y: float) -> float:
        x, y = np.clip(x - 0.5, 0, page.shape[1] - 1), np.clip(y - 0.5, 0, page.shape[0] - 1)
        i, j = min(int(x), page.shape[1] - 2), min(int(y), page.shape[0] - 2)
        wx, wy = np.array([1 - (x - i), x - i]), np.array([1 - (y - j), y - j])
        return float(wy @ page[j : j + 2, i : i + 2].astype(float) @ wx)

    def between(field: np.ndarray, row: int, column: int) -> float:
        y, x = (row + 0.5) / kernels.STEP, (column + 0.5) / kernels.STEP
        j, i = int(y), int(x)
        return float(
            np.array([1 - (y - j), y - j]) @ field[j : j + 2, i : i + 2].astype(float) @ np.array([1 - (x - i), x - i])
        )

    slow = np.empty(size)
    for row in range(size[0]):
        for column in range(size[1]):
            x, y, gain, lift = (between(field, row, column) for field in nodes)
            on_sheet = 0 <= x <= w and 0 <= y <= h
            grey = fetch(source, x, y) if on_sheet else fetch(blank, cell[0] + x % cell[2], cell[1] + y % cell[3])
            c, r = int(np.clip(x - 0.5, 0, w - 1)), int(np.clip(y - 0.5, 0, h - 1))
            grey = 255 - (255 - grey) * ink_x[c] * ink_y[r]
            paper = 1.0
            if desk:
                inside = min(x - edge[0], edge[2] - x, y - edge[1], edge[3] - y)
                near = max(0.0, 1 + min(inside, 0) / (kernels.EDGE_SHADOW * h)) if inside < 0 else 1.0
                wood = table[int(row * 1.5), int(column * 1.5)] * (1 - shade * near**2)
                share = float(np.clip(0.5 + 0.5 * inside, 0, 1))
                grey = wood + (grey - wood) * share
                paper = share if bare else 1.0
            for kind in range(2):
                texture = tiles.textures()[kind, (row + starts[kind, 0]) % 512, (column + starts[kind, 1]) % 512]
                gain *= 1 + strengths[kind] * texture / tiles.UNIT * paper
            grey *= gain * 0.9
            slow[row, column] = np.clip(grey + lift * (255 - grey), 0, 255)
    # Where a point lies on the border of two pixels, the last bit decides which of the two the ink is that of.
    assert (np.abs(slow - out) > 1.01).mean() < 0.002
    assert np.median(np.abs(slow - out)) < 0.5


def test_sensor_equals_its_twin() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (40, 700)).astype(np.uint8)
    tone = np.linspace(20, 230, 256).astype(np.float32)
    noise = np.linspace(1, 9, 256).astype(np.float32)
    out = np.empty_like(picture)
    kernels.sense(picture, tone, noise, tiles.grain(), 500, 77, out)
    rows, columns = np.ix_((np.arange(40) + 500) % 512, (np.arange(700) + 77) % 512)
    slow = np.clip(tone[picture] + noise[picture] * tiles.grain()[rows, columns].astype(float) / tiles.UNIT, 0, 255)
    assert np.abs(slow - out).max() <= 0.51


def test_stripes_equal_their_twin() -> None:
    picture = np.full((30, 50), 180, dtype=np.uint8)
    y, x = np.mgrid[:30, :50].astype(float)
    a, b = 0.3 * x[0] + 0.01 * x[0] ** 2, 0.2 * y[:, 0]
    tables = (0.1 * np.cos(a), 0.1 * np.sin(a), np.cos(b), np.sin(b))
    kernels.interfere(picture, *(t[None].astype(np.float32) for t in tables))
    assert np.abs(picture - 180 * (1 + 0.1 * np.cos(a[None, :] + b[:, None]))).max() <= 0.51


def test_mirror_image_shines_through() -> None:
    page = np.random.default_rng(1).integers(0, 256, (9, 11)).astype(np.uint8)
    slow = page * (1 - 0.2 * (255.0 - page[:, ::-1]) / 255)
    slow[:, 5] = page[:, 5] * (1 - 0.2 * (255.0 - page[:, 5]) / 255)
    kernels.shine_through(page, 0.2)
    assert np.abs(page - slow).max() <= 0.51


def test_textures_and_noise_are_what_they_say() -> None:
    for tile in (tiles.grain(), *tiles.textures()):
        assert tile.shape == (tiles.TILE, tiles.TILE)
        assert abs(tile.mean()) < 1
        assert tile.std() == pytest.approx(tiles.UNIT, rel=0.06)
    assert tiles.stains().min() >= 0
    assert tiles.stains().max() <= 1


@pytest.mark.parametrize("style", ["ecg_plot", "green", "dots", "buff"])
@pytest.mark.parametrize("layout", ["standard", "two_rhythm"])
def test_the_grid_runs_on_where_the_sheet_ends(style: str, layout: str) -> None:
    """The cell that is repeated beyond a sheet, repeated over the sheet itself, is its grid."""
    sheet = placed(get_layout(layout), get_style(style))
    height, width = round(2 * sheet.height_mm), round(2 * sheet.width_mm)
    surround = grid_beyond(sheet, get_style(style), height, width)
    assert surround is not None
    left, top, wide, high = (round(v) for v in surround.cell)
    tiled = np.tile(surround.blank[top : top + high, left : left + wide], (height // high + 1, width // wide + 1))
    page = background(sheet, height, width, get_style(style)).image
    inner = (slice(12, height - 12), slice(12, width - 12))  # what a frame does not cover
    assert (tiled[inner] == page[inner]).mean() > 0.9  # the rest is names and separators
    assert np.ptp(tiled) > 5


def test_a_grid_with_an_end_has_one() -> None:
    style = get_style("report")
    assert grid_beyond(placed(get_layout("standard"), style), style, 300, 300) is None
