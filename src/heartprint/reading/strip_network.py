"""The network that looks closely: at the strips of a sheet whose place is known already, seen at one scale.

A lead's name is 3 mm high: in a view of the whole page it has 5 px, here 9. What it tells is local (letters, baselines,
where strips begin), so it is small, needs no attention, and learns from crops.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from torch import Tensor, nn
from torch.nn import functional as F

from heartprint.reading.network import NAMES, TURNS, Block, down, twice

PX_PER_MM = 3.0
"""Of the views that it looks at."""

BORDERS = ("none", "left", "right", "column")
"""What a cell lies at: no border, the left or the right edge of what rows fill (with calibration pulses), the beginning
of a strip farther in."""

STRIPS: dict[str, int] = {
    "name": len(NAMES),
    "name_at": 2,
    "turn": len(TURNS),
    "strip": 1,
    "row": 1,
    "row_spread": 1,
    "border": len(BORDERS),
    "border_at": 1,
}
"""Maps of its answer and how many channels each has; see `StripAnswer`."""

_UPRIGHT = 0.6
TURNS_SHOWN = tuple(_UPRIGHT * (turn == 0) + (1 - _UPRIGHT) / len(TURNS) for turn in range(len(TURNS)))
"""How often it was shown views turned in each of `TURNS` while it learned: most stand upright, in which alone names and
borders can be read."""


@dataclass(frozen=True)
class StripAnswer:
    """What it says of some views, per cell; ``h`` and ``w`` are the views' sides over `CELL`.

    Attributes:
        name: ``(n, 13, h, w)`` logits of `NAMES`; of sheets that stand upright, like all but ``turn`` and ``strip``.
        name_at: ``(n, 2, h, w)``: where the middle of that name lies from the cell's middle, in cells, x and y.
        turn: ``(n, 8, h, w)`` logits of `TURNS`.
        strip: ``(n, 1, h, w)`` logit of the cell's being part of a lead's strip.
        row: ``(n, 1, h, w)``: how far below the cell's middle the nearest baseline lies, in 10 mm.
        row_spread: ``(n, 1, h, w)``: logarithm of its expected error.
        border: ``(n, 4, h, w)`` logits of `BORDERS`.
        border_at: ``(n, 1, h, w)``: where that border lies, from the cell's middle, in cells, x.
    """

    name: Tensor
    name_at: Tensor
    turn: Tensor
    strip: Tensor
    row: Tensor
    row_spread: Tensor
    border: Tensor
    border_at: Tensor

    def float(self) -> StripAnswer:
        """The same in 32 bits."""
        return replace(self, **{one.name: getattr(self, one.name).float() for one in fields(self)})


class StripNet(nn.Module):
    """See the module. Takes what `PageNet` takes."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = dict(STRIPS)
        self.stem = nn.Sequential(down(1, 16), down(16, 40), Block(40), Block(40))
        self.fine = nn.Sequential(down(40, 72), *(Block(72) for _ in range(3)))
        self.coarse = nn.Sequential(down(72, 96), *(Block(96) for _ in range(4)))
        self.to_fine = nn.Conv2d(96, 72, 1)
        self.at_fine = nn.Sequential(Block(72), Block(72))
        self.head = nn.Conv2d(72, sum(STRIPS.values()), 1)

    def forward(self, pictures: Tensor) -> StripAnswer:
        """Look at views of one size."""
        fine = self.fine(self.stem(pictures))
        up = self.at_fine(F.relu(twice(self.to_fine(self.coarse(fine))) + fine))
        parts = self.head(up).split(list(STRIPS.values()), dim=1)
        return StripAnswer(**dict(zip(STRIPS, parts, strict=True)))
