"""Numbers that describe what a camera delivers and what a model answers, one row an image.

They need no labels, so a line in production can be watched with them (`monitoring.DriftDetector`).
Each stands for something a person at the line would name: too dark, out of focus, a noisy sensor, the
wrong colour, something else lying on the belt. Amounts that grow by factors (sharpness, noise) are
logarithms, so that their spread does not depend on their level.

References
----------
Immerkær J (1996) Fast noise variance estimation. Computer Vision and Image Understanding 64, 300–302.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.experiment.scenes import Detections

FEATURES: tuple[str, ...] = (
    "brightness",
    "contrast",
    "shadows",
    "highlights",
    "warmth",
    "tint",
    "saturation",
    "sharpness",
    "noise",
    "centre_brightness",
    "centre_warmth",
)
"""Columns of `input_statistics`; grey values of 255, `sharpness` and `noise` as logarithms of grey values."""

OUTPUT_FEATURES: tuple[str, ...] = ("count", "max_confidence", "mean_confidence")
"""Columns of `output_statistics`."""

_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_NOISE_SCALE = np.sqrt(np.pi / 2) / 6
_PERCENTILES = (0.05, 0.95)


def input_statistics(images: Sequence[np.ndarray]) -> np.ndarray:
    """What the camera delivers: one row an image, one column a name in `FEATURES`.

    Parameters
    ----------
    images : sequence of ndarray of uint8
        Shape (height, width, 3) in BGR; (height, width), (height, width, 1) and (height, width, 4) are
        taken as grey and as BGR with an alpha channel that is left out. Sizes may differ.

    Returns
    -------
    ndarray of float64, shape (images, features)
        brightness, contrast (mean and standard deviation of grey), shadows, highlights (its 5 % and
        95 % quantiles), warmth (red less blue), tint (green less the mean of red and blue), saturation
        (largest less smallest channel), sharpness (log of the mean gradient at half resolution, where
        sensor noise counts little), noise (log of Immerkær's standard deviation), centre_brightness
        and centre_warmth (middle ninth of the image less the whole). All finite.

    Raises
    ------
    InputError
        Images that are not uint8, empty or of another shape: all of them, by position.
    """
    problems = [problem for i, image in enumerate(images) if (problem := _check_image(i, image))]
    if problems:
        raise InputError("Image statistics cannot be computed", problems)
    rows = np.empty((len(images), len(FEATURES)))
    for row, image in zip(rows, images, strict=True):
        row[:] = _describe(image)
    return rows


def output_statistics(detections: Sequence[Detections]) -> np.ndarray:
    """What the model answers: one row an image, one column a name in `OUTPUT_FEATURES`.

    Both confidences are 0 for an image without detections.

    Examples
    --------
    >>> some = Detections(np.zeros((2, 4)), np.array([0, 1]), np.array([0.9, 0.5]))
    >>> output_statistics([some, Detections()]).tolist()
    [[2.0, 0.9, 0.7], [0.0, 0.0, 0.0]]
    """
    rows = np.zeros((len(detections), len(OUTPUT_FEATURES)))
    for row, found in zip(rows, detections, strict=True):
        if len(found.confidences):
            row[:] = len(found.confidences), np.max(found.confidences), np.mean(found.confidences)
    return rows


def _check_image(position: int, image: np.ndarray) -> Problem | None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = getattr(image, "dtype", type(image).__name__)
        return Problem(f"image {position}", f"expected an array of uint8, got {got}", "decode it with cv2.imdecode")
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3, 4))):
        return Problem(f"image {position}", f"expected height × width × 3, got shape {image.shape}")
    return None


def _describe(image: np.ndarray) -> tuple[float, ...]:
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    elif image.shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2BGR)
    height, width = image.shape[:2]
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    shares = np.cumsum(cv2.calcHist([grey], [0], None, [256], [0, 256])) / (height * width)
    shadows, highlights = np.searchsorted(shares, _PERCENTILES)
    (mean,), (deviation,) = (values[0] for values in cv2.meanStdDev(grey))
    blue, green, red, _ = cv2.mean(image)
    first, second, third = cv2.split(image)
    largest, smallest = cv2.max(cv2.max(first, second), third), cv2.min(cv2.min(first, second), third)
    saturation = cv2.mean(cv2.subtract(largest, smallest))[0]
    half = cv2.resize(grey, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    gradient = sum(cv2.norm(cv2.Sobel(half, cv2.CV_32F, *axis), cv2.NORM_L1) for axis in ((1, 0), (0, 1)))
    noise = cv2.norm(cv2.filter2D(grey, cv2.CV_32F, _NOISE_KERNEL), cv2.NORM_L1) * _NOISE_SCALE / (height * width)
    middle = image[height // 3 : height - height // 3, width // 3 : width - width // 3]
    middle_blue, middle_green, middle_red, _ = cv2.mean(middle)
    middle_grey = 0.114 * middle_blue + 0.587 * middle_green + 0.299 * middle_red
    return (
        mean,
        deviation,
        shadows,
        highlights,
        red - blue,
        green - (red + blue) / 2,
        saturation,
        # The constants keep a black image finite; a quarter of a grey value is below what 8 bits can tell.
        np.log(gradient / half.size + 0.25),
        np.log(noise + 0.25),
        middle_grey - mean,
        (middle_red - middle_blue) - (red - blue),
    )
