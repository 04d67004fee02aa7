"""The network that looks at a page: what every 8 px of it shows, how the paper lies there, and what the page is.

Dense convolutions, which ordinary processors compute faster than separable ones of equal worth, two layers of
attention over the coarsest map, so that every place knows of every other (which end is up is told by a few letters and
by the order of waves), and a pyramid back to 8 px.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from heartprint.signals.leads import LEADS_12

CELL = 8
"""Px of the picture per cell of the answer."""
SHORTEST_PX = 32
"""Sides of pictures are padded to multiples of it."""

SURFACES = ("desk", "paper", "sheet", "strip")
"""What a cell shows: beyond the paper, paper beyond the ECG's sheet, the sheet, a strip of a lead on it."""
NAMES = ("none", *LEADS_12)
"""Which lead's name is printed in a cell."""
PAGES = ("ecg", "nearly", "other")
"""What a page is: a 12-lead ECG, something like it (strips, halves, two of them), nothing of the kind."""

TURNS = tuple((quarters, mirrored) for mirrored in (False, True) for quarters in range(4))
"""The eight ways in which a rectified sheet may lie: quarter turns clockwise by which it is seen turned, after it was
mirrored (left and right exchanged) or not."""

FINDER: dict[str, int] = {"surface": len(SURFACES), "scale": 3, "quarter": 2, "frame_spread": 2}
"""Maps of the network that looks at whole pictures, and how many channels each has; see `Answer`."""
READER: dict[str, int] = {
    **FINDER,
    "turn": len(TURNS),
    "edges": 4,
    "edge_spread": 4,
    "name": len(NAMES),
    "name_at": 2,
}
"""Maps of the network that looks at rectified sheets."""


@dataclass(frozen=True)
class Answer:
    """What a network says of some pictures, per cell; ``h`` and ``w`` are the picture's sides over `CELL`.

    Attributes:
        surface: ``(n, 4, h, w)`` logits of `SURFACES`.
        scale: ``(n, 3, h, w)``: how large and how foreshortened the paper is seen, see `heartprint.reading.frames`.
        quarter: ``(n, 2, h, w)``: cosine and sine of four times the angle by which it is turned: which of the four
            sides of its grid is which, is left open.
        frame_spread: ``(n, 2, h, w)``: logarithms of the expected errors of ``scale`` and of the angle in rad (scales
            of Laplace distributions).
        page: ``(n, 3)`` logits of `PAGES`.
        turn: ``(n, 8, h, w)`` logits of `TURNS`; this and what follows is None of a finder.
        edges: ``(n, 4, h, w)``: how far the sheet's left, upper, right and lower edge are away, in 100 mm of the paper;
            of sheets that stand upright.
        edge_spread: ``(n, 4, h, w)``: logarithm of their expected errors.
        name: ``(n, 13, h, w)`` logits of `NAMES`; of sheets that stand upright.
        name_at: ``(n, 2, h, w)``: where the middle of that name lies from the cell's middle, in cells, x and y.
    """

    surface: Tensor
    scale: Tensor
    quarter: Tensor
    frame_spread: Tensor
    page: Tensor
    turn: Tensor | None = None
    edges: Tensor | None = None
    edge_spread: Tensor | None = None
    name: Tensor | None = None
    name_at: Tensor | None = None

    def float(self) -> Answer:
        """The same in 32 bits."""
        maps = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(self, **{name: value.float() for name, value in maps.items() if value is not None})


class Block(nn.Module):
    """A residual bottleneck."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.body = nn.Sequential(
            nn.Conv2d(width, inner, 1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            nn.BatchNorm2d(inner),
            nn.ReLU(inplace=True),
            nn.Conv2d(inner, width, 1, bias=False),
            last := nn.BatchNorm2d(width),
        )
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Add what it finds."""
        return F.relu(x + self.body(x))


def down(before: int, after: int) -> nn.Sequential:
    """Half as many cells each way."""
    conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


class _Attention(nn.Module):
    """A transformer layer over the cells of a map; a depthwise convolution tells it where cells lie."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.before_mix, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.place(x)
        n, width, h, w = x.shape
        tokens: Tensor = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.before_mix(tokens)).view(n, h * w, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h * w, width)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.mlp(self.before_mlp(tokens))
        tokens = tokens.transpose(1, 2).reshape(n, width, h, w)
        return tokens


class PageNet(nn.Module):
    """See the module. Takes ``(n, 1, H, W)`` float32 as `standardised` makes it, sides multiples of `SHORTEST_PX`.

    Args:
        maps: Of its answer: `FINDER` or `READER`.
    """

    def __init__(self, maps: dict[str, int]) -> None:
        super().__init__()
        self.maps = dict(maps)
        self.stem = nn.Sequential(down(1, 24), down(24, 40))
        self.fine = nn.Sequential(down(40, 80), *(Block(80) for _ in range(3)))
        self.middle = nn.Sequential(down(80, 128), *(Block(128) for _ in range(4)))
        self.coarse = nn.Sequential(down(128, 192), *(Block(192) for _ in range(2)))
        self.attention = nn.Sequential(_Attention(192, 6), _Attention(192, 6))
        self.to_middle, self.from_middle = nn.Conv2d(192, 96, 1), nn.Conv2d(128, 96, 1)
        self.to_fine, self.from_fine = nn.Conv2d(96, 96, 1), nn.Conv2d(80, 96, 1)
        self.at_middle, self.at_fine = Block(96), nn.Sequential(Block(96), Block(96))
        self.head = nn.Conv2d(96, sum(maps.values()), 1)
        self.page = nn.Linear(192 + 96, len(PAGES))

    def forward(self, pictures: Tensor) -> Answer:
        """Look at pictures of one size."""
        fine = self.fine(self.stem(pictures))
        middle = self.middle(fine)
        coarse = self.attention(self.coarse(middle))
        up = self.at_middle(F.relu(twice(self.to_middle(coarse)) + self.from_middle(middle)))
        up = self.at_fine(F.relu(twice(self.to_fine(up)) + self.from_fine(fine)))
        maps = dict(zip(self.maps, self.head(up).split(list(self.maps.values()), dim=1), strict=True))
        page = self.page(torch.cat([coarse.mean((2, 3)), up.amax((2, 3))], dim=1))
        return Answer(**maps, page=page)


def twice(x: Tensor) -> Tensor:
    """Twice as many cells each way."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def standardised(pictures: Tensor) -> Tensor:
    """Bring ``(n, 1, H, W)`` levels 0-255 to mean 0 and spread 1, each picture by itself.

    A picture with next to no contrast is not blown up to look like one with: its spread counts as 4 levels at least.
    """
    values = pictures.float()
    mean = values.mean((2, 3), keepdim=True)
    spread = values.std((2, 3), keepdim=True).clamp_min(4.0)
    return (values - mean) / spread
