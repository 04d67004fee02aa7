from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint import HeartprintError
from heartprint.encoders import BACKBONES, PageToTensor


def literal(pages: np.ndarray, step: PageToTensor) -> np.ndarray:
    """Slow twin for pages whose side is a multiple of the image size: average each block, then scale."""
    n, height, width = pages.shape
    size = step.image_size
    fy, fx = height // size, width // size
    out = np.empty((n, step.channels, size, size))
    for i in range(n):
        for y in range(size):
            for x in range(size):
                block = pages[i, y * fy : (y + 1) * fy, x * fx : (x + 1) * fx]
                grey = block.astype(float).mean()
                out[i, :, y, x] = (grey / 255 - step.mean) / step.std
    return out


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 1000),
    channels=st.sampled_from([1, 3]),
    mean=st.floats(0, 1),
    std=st.floats(0.1, 1),
    n=st.integers(0, 3),
)
def test_same_size_is_exact(seed: int, channels: int, mean: float, std: float, n: int) -> None:
    step = PageToTensor(32, channels, mean, std)
    pages = np.random.default_rng(seed).integers(0, 256, (n, 32, 32), dtype=np.uint8)
    x = step(pages)
    assert x.shape == (n, channels, 32, 32)
    assert x.dtype == torch.float32
    np.testing.assert_allclose(x.numpy(), literal(pages, step), atol=2e-5)


@pytest.mark.parametrize("factors", [(2, 2), (3, 1), (1, 4)])
def test_other_sizes_are_averaged_over_areas(factors: tuple[int, int]) -> None:
    step = PageToTensor(32, 1, 1.0, 0.25)
    pages = np.random.default_rng(0).integers(0, 256, (2, 32 * factors[0], 32 * factors[1]), dtype=np.uint8)
    # Half a grey level of rounding is all that may be lost.
    np.testing.assert_allclose(step(pages).numpy(), literal(pages, step), atol=0.5001 / 255 / 0.25)


def test_read_only_and_strided_pages_are_read_and_left_alone() -> None:
    step = PageToTensor(32, 1, 1.0, 0.25)
    big = np.random.default_rng(1).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    part = big[::2, ::2, ::2]
    before = big.copy()
    part.setflags(write=False)
    np.testing.assert_array_equal(step(part).numpy(), step(part.copy()).numpy())
    np.testing.assert_array_equal(big, before)


@pytest.mark.parametrize("backbone", [n for n, s in BACKBONES.items() if not s.offline_weights])
def test_white_paper_is_zero_like_the_padding(backbone: str) -> None:
    step = BACKBONES[backbone].page_to_tensor(32)
    white = np.full((1, 32, 32), 255, dtype=np.uint8)
    assert not step(white).any()


def test_lite0_sees_what_its_weights_were_trained_on() -> None:
    # TensorFlow's efficientnet_lite_builder.py: (x - 127) / 128 for x in 0..255.
    step = BACKBONES["efficientnet_lite0"].page_to_tensor(32)
    levels = np.array([0, 127, 255], dtype=np.uint8)
    pages = np.broadcast_to(levels[:, None, None], (3, 32, 32))
    np.testing.assert_allclose(step(pages)[:, 2, 5, 5], (levels - 127.0) / 128.0, atol=1e-6)


@pytest.mark.parametrize(
    "pages",
    [
        np.zeros((32, 32), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
        np.zeros((1, 32, 32), np.float32),
        np.zeros((1, 0, 32), np.uint8),
        [[0, 1], [2, 3]],
    ],
)
def test_what_is_no_page_is_refused(pages: object) -> None:
    with pytest.raises(HeartprintError) as error:
        PageToTensor(32, 1, 1.0, 0.25)(pages)  # type: ignore[arg-type]
    assert error.value.code == "not-a-page"


def test_bad_settings_are_refused_and_the_step_is_frozen() -> None:
    with pytest.raises(HeartprintError) as error:
        PageToTensor(8, 1, 1.0, 0.25)
    assert error.value.code == "bad-image-size"
    with pytest.raises(ValueError):
        PageToTensor(64, 2, 1.0, 0.25)
    with pytest.raises(dataclasses.FrozenInstanceError):
        PageToTensor(64, 1, 1.0, 0.25).mean = 0.0  # type: ignore[misc]
