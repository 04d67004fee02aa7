"""From pages to the network's input: the one function that training and inference share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heartprint.foundation.errors import HeartprintError

if TYPE_CHECKING:
    import torch

MAX_IMAGE_SIZE = 2048
"""Largest side of a network's input in px: the size of a scan, and far more than any encoder here reads."""


@dataclass(frozen=True)
class PageToTensor:
    """Grey pages to the tensor that an encoder reads: ``(min(page / 255, white) - mean) / std``.

    Args:
        image_size: Side S of the network's input in px.
        channels: 1, or 3 for networks made for colour (the grey page is repeated).
        mean: Grey level in [0, 1] that becomes 0. With ``mean=1`` white paper is 0, the same as zero padding.
        std: Grey levels per unit of the network's input, above 0.
        white: Grey level in (0, 1] from which on a pixel counts as paper. On small images a trace is hardly darker
            than the grid; what is lighter than the grid's mean grey, such as white corners, then says nothing.
    """

    image_size: int
    channels: int
    mean: float
    std: float
    white: float = 1.0

    def __post_init__(self) -> None:
        if self.image_size < 32:
            raise HeartprintError(
                "bad-image-size",
                f"An image size of {self.image_size} px is too small to read an ECG; use 64 px or more.",
            )
        if self.image_size > MAX_IMAGE_SIZE:
            raise HeartprintError(
                "bad-image-size",
                f"An image size of {self.image_size} px is too large to read; use {MAX_IMAGE_SIZE} px or less.",
            )
        if self.channels not in (1, 3) or not (0 <= self.mean <= 1 and 1e-6 <= self.std <= 1e6 and 0 < self.white <= 1):
            raise ValueError(
                "channels must be 1 or 3, mean in [0, 1], std in [1e-6, 1e6] and white in (0, 1], "
                f"got {self.channels}, {self.mean}, {self.std} and {self.white}"
            )

    def __call__(self, pages: npt.NDArray[np.uint8], *, device: torch.device | str | None = None) -> torch.Tensor:
        """Convert pages.

        Args:
            pages: ``(N, H, W)`` uint8, white = 255. Pages of another size are averaged over areas to S x S.
            device: Where the tensor is made; the bytes travel, the arithmetic is done there.

        Returns:
            ``(N, channels, S, S)`` float32.

        Raises:
            HeartprintError: ``not-a-page`` if the array is not ``(N, H, W)`` uint8.
        """
        import torch

        resized = torch.from_numpy(self.resize(pages)).to(device)
        # Subtracting first makes white paper exactly 0 where mean is 1.
        x = resized.unsqueeze(1).to(torch.float32).clamp_(max=255.0 * self.white)
        x = x.sub_(255.0 * self.mean).mul_(1.0 / (255.0 * self.std))
        return x.expand(-1, self.channels, -1, -1)

    def resize(self, pages: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Bring ``(N, H, W)`` pages to ``(N, S, S)`` by area averaging; pages of that size pass unchanged."""
        _check_pages(pages)
        size = self.image_size
        if pages.shape[1:] == (size, size):
            return np.require(pages, requirements=["C", "W"])
        import cv2

        out = np.empty((len(pages), size, size), dtype=np.uint8)
        for page, target in zip(pages, out, strict=True):
            cv2.resize(page, (size, size), dst=target, interpolation=cv2.INTER_AREA)
        return out


def _check_pages(pages: Any) -> None:
    if not isinstance(pages, np.ndarray) or pages.ndim != 3 or pages.dtype != np.uint8 or 0 in pages.shape[1:]:
        found = f"{pages.dtype} {pages.shape}" if isinstance(pages, np.ndarray) else type(pages).__name__
        raise HeartprintError(
            "not-a-page",
            f"Pages must be grey images, uint8 of shape (number, height, width) with white = 255, not {found}. "
            "Convert colour to grey and add the first axis.",
        )
