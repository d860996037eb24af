"""From the model's output to boxes in the camera's image."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .preprocess import Placement


class Candidates(NamedTuple):
    """Boxes as corners x1, y1, x2, y2 of shape (n, 4), with class and confidence of each."""

    boxes: np.ndarray
    classes: np.ndarray
    confidences: np.ndarray


def decode(output: np.ndarray, confidence: float) -> Candidates:
    """Candidates of at least ``confidence`` from an output of shape (1, 4 + classes, n).

    The first four channels are centre and size of a box in pixels of the model's input, the others the
    confidence of each class, which single precision may put a trace above 1.
    """
    rows = output[0].T
    scores = rows[:, 4:]
    classes = scores.argmax(axis=1)
    confidences = np.minimum(scores.max(axis=1), 1)

    keep = confidences >= confidence
    centres = rows[keep, :2]
    extents = rows[keep, 2:4]
    boxes = np.hstack([centres - extents / 2, centres + extents / 2])
    return Candidates(boxes, classes[keep], confidences[keep])


def suppress(found: Candidates, iou: float, limit: int) -> Candidates:
    """The ``limit`` best candidates without those that a better one of the same class covers; best first."""
    if not len(found.boxes):
        return found

    corners = found.boxes[:, :2]
    extents = found.boxes[:, 2:] - corners
    kept = cv2.dnn.NMSBoxesBatched(np.hstack([corners, extents]), found.confidences, found.classes, 0.0, iou)
    kept = np.asarray(kept, dtype=np.intp)
    best = kept[np.argsort(-found.confidences[kept], kind="stable")][:limit]
    return Candidates(found.boxes[best], found.classes[best], found.confidences[best])


def to_image(boxes: np.ndarray, placement: Placement, width: int, height: int) -> np.ndarray:
    """Boxes of the model's input as boxes of the image, cut at its border."""
    moved = boxes - (placement.left, placement.top, placement.left, placement.top)
    return np.clip(moved / placement.scale, 0, (width, height, width, height))
