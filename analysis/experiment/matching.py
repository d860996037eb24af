"""Which detection found which true object: the step before any figure, on numpy arrays alone."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zipfile import BadZipFile

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative, write_atomic
from analysis.experiment.scenes import Detections

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlaps (intersection over union) from which a detection counts as found."""


class Truth(Protocol):
    """What is true of an image: a `Scene`, or anything with its boxes and classes."""

    @property
    def boxes(self) -> np.ndarray: ...

    @property
    def classes(self) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Matches:
    """Every detection on a set of images, and whether it found something.

    Attributes
    ----------
    image, classes : ndarray of int64, shape (detections,)
        Position of the image; class that the detection claims.
    confidences : ndarray of float64, shape (detections,)
    correct : ndarray of bool, shape (detections, 10)
        Found an object of its class, at each of `IOU_THRESHOLDS`.
    truth : ndarray of int64, shape (images, classes)
        True objects of each class in each image.
    """

    image: np.ndarray
    classes: np.ndarray
    confidences: np.ndarray
    correct: np.ndarray
    truth: np.ndarray

    @property
    def images(self) -> int:
        return len(self.truth)

    def save(self, path: Path) -> Path:
        """Write as ``.npz``; the same matches give the same bytes."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{name: getattr(self, name) for name in self.__slots__})
        return write_atomic(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Matches:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            No such file, or not a file of matches.
        """
        try:
            with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as stored:
                return cls(**{name: stored[name] for name in cls.__slots__})
        except (OSError, KeyError, ValueError, EOFError, BadZipFile, zlib.error) as error:
            raise InputError("The matches cannot be read.", [Problem(relative(path), str(error))]) from error


def compute_overlaps(truth: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """Intersection over union of every true box with every detected one.

    Parameters
    ----------
    truth, detected : ndarray, shapes (n, 4) and (m, 4)
        Corners ``x1, y1, x2, y2``.

    Examples
    --------
    >>> compute_overlaps(np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 1], [2, 2, 3, 3]]))
    array([[0.5, 0. ]])
    """
    low = np.maximum(truth[:, None, :2], detected[None, :, :2])
    high = np.minimum(truth[:, None, 2:], detected[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (truth, detected)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(union, dtype=float), where=union > 0)


def match(truth: Sequence[Truth], detections: Sequence[Detections], class_count: int) -> Matches:
    """Decide for every detection whether it found a true object.

    Within an image the more confident detection chooses first, the best overlapping object of its class that no
    other has claimed at that threshold. A second detection of the same object is therefore false. Detections that
    are not finite numbers are dropped: a diverged model finds nothing.

    Raises
    ------
    InputError
        Not one set of detections for every image, or a true class outside ``range(class_count)``.
    """
    problems = []
    if len(truth) != len(detections):
        problems.append(Problem("detections", f"for {len(detections)} images, and truth for {len(truth)}"))
    for number, scene in enumerate(truth):
        if len(scene.classes) and not (np.min(scene.classes) >= 0 and np.max(scene.classes) < class_count):
            problems.append(
                Problem(f"image {number}", f"true classes {scene.classes}, expected 0 to {class_count - 1}")
            )
    if problems:
        raise InputError("Detections cannot be matched with the truth.", problems)
    counts = np.zeros((len(truth), class_count), dtype=np.int64)
    rows: list[tuple[np.ndarray, ...]] = []
    for number, (scene, found) in enumerate(zip(truth, detections, strict=True)):
        np.add.at(counts[number], np.asarray(scene.classes, dtype=np.int64), 1)
        boxes, confidences = np.reshape(found.boxes, (-1, 4)).astype(float), np.asarray(found.confidences, dtype=float)
        order = np.argsort(-confidences, kind="stable")
        order = order[np.isfinite(boxes[order]).all(axis=1) & np.isfinite(confidences[order])]
        classes = np.asarray(found.classes, dtype=np.int64)[order]
        correct = _claim(scene, boxes[order], classes)
        rows.append((np.full(len(order), number), classes, confidences[order], correct))
    if not rows:
        rows.append((np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0), _claimed(0)))
    image, classes, confidences, correct = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Matches(image.astype(np.int64), classes, confidences, correct, counts)


def _claimed(detections: int) -> np.ndarray:
    return np.zeros((detections, len(IOU_THRESHOLDS)), dtype=bool)


def _claim(scene: Truth, boxes: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Which detections of one image, the most confident first, found an object at each threshold."""
    overlaps = compute_overlaps(np.reshape(scene.boxes, (-1, 4)), boxes)
    overlaps = overlaps * (np.asarray(scene.classes)[:, None] == classes[None, :])
    correct, taken = _claimed(len(boxes)), np.zeros((len(overlaps), len(IOU_THRESHOLDS)), dtype=bool)
    columns = np.arange(len(IOU_THRESHOLDS))
    for number in np.flatnonzero((overlaps >= IOU_THRESHOLDS[0]).any(axis=0)):
        free = np.where(taken, 0.0, overlaps[:, number, None])
        best = free.argmax(axis=0)
        correct[number] = free[best, columns] >= IOU_THRESHOLDS
        taken[best, columns] |= correct[number]
    return correct


def pool(matches: Iterable[Matches]) -> Matches:
    """Several sets of images as one, in the order given.

    Raises
    ------
    InputError
        No set at all, or different numbers of classes.
    """
    matches = list(matches)
    if len({part.truth.shape[1] for part in matches}) != 1:
        found = sorted({part.truth.shape[1] for part in matches})
        raise InputError("Matches cannot be pooled.", [Problem("matches", f"{len(matches)} sets, classes {found}")])
    starts = np.cumsum([0, *(part.images for part in matches[:-1])])
    return Matches(
        np.concatenate([part.image + start for part, start in zip(matches, starts, strict=True)]),
        *(np.concatenate([getattr(part, name) for part in matches]) for name in Matches.__slots__[1:]),
    )
