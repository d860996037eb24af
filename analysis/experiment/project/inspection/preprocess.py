"""From a camera's image to the model's input, in the way the model was trained."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .settings import PADDING


class Placement(NamedTuple):
    """How an image lies in the model's input: scaled by ``scale``, then moved by ``left`` and ``top``."""

    scale: float
    left: int
    top: int


def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, Placement]:
    """The image scaled to fit into a square of ``size`` pixels, centred, with grey beside it."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    inner_width = max(1, round(width * scale))
    inner_height = max(1, round(height * scale))
    if (inner_width, inner_height) != (width, height):
        image = cv2.resize(image, (inner_width, inner_height), interpolation=cv2.INTER_LINEAR)

    left = (size - inner_width) // 2
    top = (size - inner_height) // 2
    right = size - inner_width - left
    bottom = size - inner_height - top
    framed = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(PADDING,) * 3)
    return framed, Placement(scale, left, top)


def to_tensor(image: np.ndarray) -> np.ndarray:
    """A BGR image as the model reads it: RGB, 0 to 1, float32, shape (1, 3, height, width)."""
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    scaled = rgb.astype(np.float32) / 255
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[np.newaxis])


def prepare(image: np.ndarray, size: int) -> tuple[np.ndarray, Placement]:
    """The model's input for an image, and how the image lies in it."""
    framed, placement = letterbox(image, size)
    return to_tensor(framed), placement
