"""From the network's answer to what cells say of the paper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from heartprint.foundation.arrays import Float64Array, Image
from heartprint.reading.network import CELL, NAMES, PAGES, SHORTEST_PX, SURFACES, Answer, PageNet, standardised
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
class Glance:
    """What the network saw in one picture.

    Attributes:
        looks: What cells on the sheet say of it.
        surface: ``(h, w, 4)`` shares of `SURFACES` in each cell.
        names: Lead names, the surest first.
        page: Shares of `PAGES`.
        size: Height and width of the picture, px.
    """

    looks: Looks
    surface: Float64Array
    names: tuple[Name, ...]
    page: dict[str, float]
    size: tuple[int, int]


def glance(network: PageNet, picture: Image) -> Glance:
    """Let the network look at a grey picture ``(H, W)``."""
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

    surface = torch.softmax(answer.surface, dim=1)
    shares = cells(surface)
    sure = shares[..., _SHEET].sum(-1)
    names = _names(torch.softmax(answer.name, dim=1)[0, :, :h, :w].numpy(), cells(answer.name_at), sure)
    rows, columns = np.nonzero(sure > _LEAST_SURE)
    if len(rows) > MOST_LOOKS:
        chosen = np.linspace(0, len(rows) - 1, MOST_LOOKS).astype(int)
        rows, columns = rows[chosen], columns[chosen]
    pick = (rows, columns)
    time, amplitude = cells(answer.time)[pick], cells(answer.amplitude)[pick]
    looks = Looks(
        np.column_stack([(columns + 0.5) * CELL, (rows + 0.5) * CELL]),
        _vector(time),
        _vector(amplitude),
        np.exp(np.clip(cells(answer.spread)[pick], -5.0, 1.0)),
        cells(answer.edges)[pick] * 100,
        np.exp(np.clip(cells(answer.edge_spread)[pick], -5.0, 1.0)) * 100,
        sure[pick],
    )
    page = torch.softmax(answer.page, dim=1)[0].tolist()
    return Glance(looks, shares, names, dict(zip(PAGES, page, strict=True)), (height, width))


def _vector(said: Float64Array) -> Float64Array:
    direction = said[:, 1:] / np.maximum(np.hypot(said[:, 1], said[:, 2]), 1e-6)[:, None]
    return np.asarray(np.exp(np.clip(said[:, 0], -4.0, 4.0))[:, None] * direction)


def _names(shares: np.ndarray, name_at: Float64Array, sure: Float64Array) -> tuple[Name, ...]:
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
