"""From images to the network's input: the one function that training and inference share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from heartprint.foundation.arrays import Images
from heartprint.foundation.errors import HeartprintError

if TYPE_CHECKING:
    import torch

MAX_IMAGE_SIZE = 2048
"""Largest side of a network's input in px: the size of a scan, and far more than any encoder here reads."""


@dataclass(frozen=True)
class PageToTensor:
    """Grey images to the tensor that an encoder reads: ``(min(image / 255, white) - mean) / std``.

    Args:
        image_size: Side S of the network's input in px.
        channels: 1, or 3 for networks made for colour (the grey image is repeated).
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

    def __call__(self, images: Images, *, device: torch.device | str | None = None) -> torch.Tensor:
        """Convert images.

        Args:
            images: ``(N, H, W)`` uint8, white = 255. Images of another size are averaged over areas to S x S.
            device: Where the tensor is made; the bytes travel, the arithmetic is done there.

        Returns:
            ``(N, channels, S, S)`` float32.

        Raises:
            HeartprintError: ``not-a-page`` if the array is not ``(N, H, W)`` uint8.
        """
        import torch

        resized = torch.from_numpy(self.resize(images)).to(device)
        # Subtracting first makes white paper exactly 0 where mean is 1.
        x = resized.unsqueeze(1).to(torch.float32).clamp_(max=255.0 * self.white)
        x = x.sub_(255.0 * self.mean).mul_(1.0 / (255.0 * self.std))
        return x.expand(-1, self.channels, -1, -1)

    def resize(self, images: Images) -> Images:
        """Bring ``(N, H, W)`` images to ``(N, S, S)`` by area averaging; images of that size pass unchanged."""
        _check_images(images)
        size = self.image_size
        if images.shape[1:] == (size, size):
            return np.require(images, requirements=["C", "W"])
        import cv2

        out = np.empty((len(images), size, size), dtype=np.uint8)
        for image, target in zip(images, out, strict=True):
            cv2.resize(image, (size, size), dst=target, interpolation=cv2.INTER_AREA)
        return out


def _check_images(images: Any) -> None:
    if not isinstance(images, np.ndarray) or images.ndim != 3 or images.dtype != np.uint8 or 0 in images.shape[1:]:
        found = f"{images.dtype} {images.shape}" if isinstance(images, np.ndarray) else type(images).__name__
        raise HeartprintError(
            "not-a-page",
            f"An encoder reads grey images, uint8 of shape (number, height, width) with white = 255, not {found}. "
            "Convert colour to grey and add the first axis.",
        )
