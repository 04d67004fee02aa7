"""What the networks saw in a picture, in NumPy: cells, names, and how the sheet is turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.frames import frames
from heartprint.reading.network import (
    CELL,
    NAMES,
    PAGES,
    SHORTEST_PX,
    SURFACES,
    TURNS,
    Answer,
    PageNet,
    standardised,
)
from heartprint.reading.plane import Looks, mapped

MOST_LOOKS = 700
"""Cells that take part in finding a plane; of more, every so-manieth."""
_SHEET = (SURFACES.index("sheet"), SURFACES.index("strip"))
_LEAST_SURE = 0.5
_NAME_SURE = 0.5


@dataclass(frozen=True)
class Name:
    """A printed lead name that was found.

    Attributes:
        lead: The lead.
        at: x and y of its middle, px of the picture looked at.
        sure: 0-1.
    """

    lead: str
    at: tuple[float, float]
    sure: float


@dataclass(frozen=True)
class Edges:
    """How far the sheet's edges are from cells, as a network says that looks at rectified sheets.

    Attributes:
        at: ``(n, 2)`` middles of the cells, px.
        away_mm: ``(n, 4)``: left, upper, right, lower edge.
        spread_mm: ``(n, 4)`` their expected errors.
        weight: ``(n,)`` how sure it is that the cell shows the sheet.
    """

    at: Float64Array
    away_mm: Float64Array
    spread_mm: Float64Array
    weight: Float64Array


@dataclass(frozen=True)
class Glance:
    """What a network saw in one picture.

    Attributes:
        looks: What cells on the sheet say of the paper's axes, all named alike: the first is the one that runs from
            left to right.
        on_sheet: ``(m, 2)`` middles of the cells of the largest piece of sheet, px.
        surface: ``(h, w, 4)`` shares of `SURFACES` in each cell.
        page: Shares of `PAGES`.
        size: Height and width of the picture, px.
        turns: ``(8,)`` shares of `TURNS`; None of a finder, like what follows.
        edges: The sheet's edges.
        names: Lead names, the surest first.
    """

    looks: Looks
    on_sheet: Float64Array
    surface: Float64Array
    page: dict[str, float]
    size: tuple[int, int]
    turns: Float64Array | None = None
    edges: Edges | None = None
    names: tuple[Name, ...] = ()

    @property
    def sheet_share(self) -> Float64Array:
        """``(h, w)`` how surely each cell shows the sheet."""
        return np.asarray(self.surface[..., _SHEET].sum(-1), dtype=np.float64)


def glance(network: PageNet, picture: Image) -> Glance:
    """Let a network look at a grey picture ``(H, W)``."""
    with torch.inference_mode():
        pictures = padded(torch.from_numpy(np.ascontiguousarray(picture))[None, None])
        answer = network(pictures.to(memory_format=torch.channels_last))
    return understood(answer, picture.shape)


def padded(pictures: torch.Tensor) -> torch.Tensor:
    """Standardise ``(n, 1, H, W)`` uint8 and fill up to whole `SHORTEST_PX` with mean grey."""
    height, width = pictures.shape[-2:]
    down, right = -height % SHORTEST_PX, -width % SHORTEST_PX
    return torch.nn.functional.pad(standardised(pictures), (0, right, 0, down))


def understood(answer: Answer, size: tuple[int, ...]) -> Glance:
    """The answer to one picture of ``size`` px, in NumPy."""
    height, width = size[0], size[1]
    h, w = -(-height // CELL), -(-width // CELL)

    def cells(maps: torch.Tensor) -> Float64Array:
        return maps[0, :, :h, :w].permute(1, 2, 0).numpy().astype(np.float64)

    shares = cells(torch.softmax(answer.surface, dim=1))
    sure = shares[..., _SHEET].sum(-1)
    rows, columns = np.nonzero(_largest_piece(sure > _LEAST_SURE))
    on_sheet = np.column_stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL])
    if len(rows) > MOST_LOOKS:
        chosen = np.linspace(0, len(rows) - 1, MOST_LOOKS).astype(int)
        rows, columns = rows[chosen], columns[chosen]
    pick = (rows, columns)
    at = np.column_stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL])
    spread = np.exp(np.clip(cells(answer.frame_spread)[pick], -5.0, 1.0))
    scale = np.clip(cells(answer.scale)[pick], -4.0, 4.0)
    mm_per_px = frames(scale, cells(answer.quarter)[pick], sure[pick])
    px_per_mm = np.asarray(np.linalg.inv(mm_per_px), dtype=np.float64)
    looks = Looks(at, px_per_mm[:, :, 0], px_per_mm[:, :, 1], spread[:, [0, 1, 0, 1]], sure[pick])
    page = dict(zip(PAGES, torch.softmax(answer.page, dim=1)[0].tolist(), strict=True))
    seen = Glance(looks, on_sheet, shares, page, (height, width))
    if answer.turn is None or answer.edges is None or answer.edge_spread is None:
        return seen
    assert answer.name is not None and answer.name_at is not None
    turns = cells(torch.softmax(answer.turn, dim=1))[pick]
    edges = Edges(
        at,
        cells(answer.edges)[pick] * 100,
        np.exp(np.clip(cells(answer.edge_spread)[pick], -5.0, 1.0)) * 100,
        sure[pick],
    )
    names = names_in(torch.softmax(answer.name, dim=1)[0, :, :h, :w].numpy(), cells(answer.name_at), sure)
    mean = turns.mean(axis=0) if len(turns) else np.full(len(TURNS), 1 / len(TURNS))
    return Glance(looks, on_sheet, shares, page, (height, width), mean, edges, names)


def _largest_piece(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))


def names_in(shares: npt.NDArray[np.float32], name_at: Float64Array, sure: Float64Array) -> tuple[Name, ...]:
    """Cells around one name all name it: they vote for its place, and one name is kept for each."""
    best = shares.argmax(0)
    share = shares.max(0)
    rows, columns = np.nonzero((best > 0) & (share > _NAME_SURE) & (sure > 0.2))
    order = np.argsort(-share[rows, columns], kind="stable")
    kept: list[Name] = []
    for k in order:
        r, c = int(rows[k]), int(columns[k])
        x = (c + 0.5 + name_at[r, c, 0]) * CELL
        y = (r + 0.5 + name_at[r, c, 1]) * CELL
        lead = NAMES[int(best[r, c])]
        if all(np.hypot(x - one.at[0], y - one.at[1]) > 1.5 * CELL for one in kept):
            kept.append(Name(lead, (float(x), float(y)), float(share[r, c])))
    return tuple(kept)


def moved(names: tuple[Name, ...], matrix: Float64Array) -> tuple[Name, ...]:
    """Names seen in one picture, at their places in another: ``matrix`` is ``(3, 3)`` from the one to the other."""
    if not names:
        return ()
    places = mapped(matrix, np.array([one.at for one in names]))
    return tuple(Name(one.lead, (float(x), float(y)), one.sure) for one, (x, y) in zip(names, places, strict=True))
