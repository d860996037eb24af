"""Watching costs little: image statistics beside the same written in plain numpy, and setting up a detector.

The multiples in brackets are the result: 1.0 is the faster one of a group, in the same run.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from analysis.experiment.drift import DOMAINS
from analysis.experiment.monitoring import FEATURES, DriftDetector, input_statistics
from analysis.experiment.renderer import render_many

IMAGES = 100


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return [scene.image for scene in render_many(DOMAINS["baseline"], 1, IMAGES, 96)]


@pytest.fixture(autouse=True)
def one_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


def plain_statistics(images: list[np.ndarray]) -> np.ndarray:
    """As one would write it first: floating-point arrays, quantiles by sorting, filters by slices."""
    rows = []
    for image in images:
        colour = image.astype(float)
        grey = colour @ np.array([0.114, 0.587, 0.299])
        blue, green, red = colour.mean(axis=(0, 1))
        half = (grey[::2, ::2] + grey[1::2, ::2] + grey[::2, 1::2] + grey[1::2, 1::2]) / 4
        across, along = (np.pad(half, 1, mode="reflect"),) * 2
        smooth = across[:-2] + 2 * across[1:-1] + across[2:]
        gradient = np.abs(smooth[:, 2:] - smooth[:, :-2]).sum()
        smooth = along[:, :-2] + 2 * along[:, 1:-1] + along[:, 2:]
        gradient += np.abs(smooth[2:] - smooth[:-2]).sum()
        padded = np.pad(grey, 1, mode="reflect")
        second = padded[:, :-2] - 2 * padded[:, 1:-1] + padded[:, 2:]
        laplace = np.abs(second[:-2] - 2 * second[1:-1] + second[2:]).mean()
        height, width = grey.shape
        middle = colour[height // 3 : -(height // 3), width // 3 : -(width // 3)]
        warmth = middle[..., 2].mean() - middle[..., 0].mean()
        rows.append(
            (
                grey.mean(),
                grey.std(),
                *np.quantile(grey, [0.05, 0.95]),
                red - blue,
                green - (red + blue) / 2,
                (colour.max(axis=2) - colour.min(axis=2)).mean(),
                np.log(gradient / half.size + 0.25),
                np.log(laplace * np.sqrt(np.pi / 2) / 6 + 0.25),
                (middle @ np.array([0.114, 0.587, 0.299])).mean() - grey.mean(),
                warmth - (red - blue),
            )
        )
    return np.array(rows)


@pytest.mark.benchmark(group="statistics of 100 images of 96 pixels")
def test_workbench_statistics(benchmark, images):
    rows = benchmark.pedantic(input_statistics, (images,), rounds=15, warmup_rounds=2)
    assert rows.shape == (IMAGES, len(FEATURES))
    assert IMAGES / benchmark.stats.stats.median > 1000  # images a second


@pytest.mark.benchmark(group="statistics of 100 images of 96 pixels")
def test_plain_numpy_statistics(benchmark, images):
    rows = benchmark.pedantic(plain_statistics, (images,), rounds=15, warmup_rounds=2)
    np.testing.assert_allclose(rows, input_statistics(images), rtol=0.02, atol=1.0)


@pytest.mark.benchmark(group="set up a drift detector on 400 images")
def test_set_up(benchmark):
    reference = np.random.default_rng(0).normal(size=(400, len(FEATURES)))
    chart = benchmark.pedantic(DriftDetector, (reference, 64, 0.005, 0), rounds=5, warmup_rounds=1)
    assert chart.compute_limit(64) > 10
