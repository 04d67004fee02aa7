from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heartprint.foundation.randomness import generator
from heartprint.pretraining.augment import AugmentConfig, augment, blur, jitter, random_resized_crop


@pytest.fixture
def page() -> np.ndarray:
    return generator(0, "page").integers(0, 256, (40, 40), dtype=np.uint8)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(8, 60))
def test_gives_a_page_of_the_same_size(seed: int, size: int) -> None:
    page = generator(seed, "page").integers(0, 256, (size, size), dtype=np.uint8)
    before = page.copy()
    out = augment(page, generator(seed, "augment"), AugmentConfig())
    assert out.shape == page.shape and out.dtype == np.uint8
    assert np.array_equal(page, before), "the sheet is used twice and must not change"
    assert np.array_equal(out, augment(page, generator(seed, "augment"), AugmentConfig()))


def test_crop_keeps_the_share_of_area_asked_for() -> None:
    """On a ramp, the range of grey levels tells how much of the width a crop keeps."""
    ramp = np.tile(np.linspace(0, 255, 256, dtype=np.float64).round().astype(np.uint8), (256, 1))
    shares = []
    for seed in range(200):
        out = random_resized_crop(ramp, generator(seed, "crop"), (0.25, 0.25), (1.0, 1.0))
        shares.append((int(out.max()) - int(out.min()) + 1) / 256)
    assert np.allclose(shares, 0.5, atol=0.02)


def test_crop_that_does_not_fit_leaves_the_page(page: np.ndarray) -> None:
    assert np.array_equal(random_resized_crop(page, generator(0, "crop"), (1.0, 1.0), (3.0, 3.0)), page)


def test_jitter_is_its_literal_twin(page: np.ndarray) -> None:
    for seed in range(20):
        rng = generator(seed, "jitter")
        brighter, starker, first = rng.uniform(0.2, 1), rng.uniform(0.2, 1.8), rng.random() < 0.5
        x = page.astype(np.float64)
        for brighten in (first, not first):
            x = x * brighter if brighten else (x - x.mean()) * starker + x.mean()
            x = x.clip(0, 255)
        found = jitter(page, generator(seed, "jitter"), 0.8, 0.8)
        assert np.abs(found.astype(float) - x).max() <= 0.5 + 1e-9


def test_blur_smooths_more_with_a_larger_sigma(page: np.ndarray) -> None:
    spread = [blur(page, generator(0, "blur"), (sigma, sigma)).std() for sigma in (0.5, 5.0, 20.0)]
    assert page.std() >= spread[0] > spread[1] > spread[2]


def test_ranges_must_be_ordered() -> None:
    with pytest.raises(ValueError, match="crop_scale"):
        AugmentConfig(crop_scale=(0.5, 0.2))
