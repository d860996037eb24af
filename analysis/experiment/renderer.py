"""Draws packages on a conveyor belt, with the defects that an inspection has to find.

A camera looks down on a belt between two steel rails. On it lies one package with up to three defects, or
none. Ink and rust leave stains of the same shape: only their colour tells them apart, so that a model must
see colours as they are.

The same arguments give the same bytes. All measures are shares of the image's width, so that one scene
looks alike in every size, and the same seed and index show the same defects under all conditions: the
conditions are the only difference between two domains.
"""

from __future__ import annotations

import cv2
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.experiment.canvas import Canvas
from analysis.experiment.defects import DRAWINGS, find_place
from analysis.experiment.drift import expose
from analysis.experiment.parcel import FALLOFFS, Package, draw_belt, draw_package, falloff, place_package
from analysis.experiment.scenes import Domain, Scene

CLASSES: tuple[str, ...] = tuple(DRAWINGS)
"""The kinds of defect."""

DEFECTS_A_PACKAGE = (0.15, 0.30, 0.35, 0.20)
"""Shares of packages with no, one, two and three defects."""

SMALLEST = 32
"""Fewest pixels of an image's width."""

TRIES = 300
"""How often a place is looked for: two long defects can leave no room for a third. Of 20,000 packages, the one
that took longest needed 64."""


def render(domain: Domain, seed: int, index: int, size: int) -> Scene:
    """Draw one package under the given conditions.

    Parameters
    ----------
    domain : Domain
        Conditions of the camera, the belt and the product mix.
    seed, index : int
        Which stream of packages, and which package of it; both from 0.
    size : int
        Width and height of the image in pixels, at least 32.

    Returns
    -------
    Scene
        Boxes are the extent of what is drawn, clipped to the image; classes are positions in `CLASSES`.

    Raises
    ------
    InputError
        Where seed or index are negative or the image is too small.
    """
    _check(seed, index, size)
    rng = np.random.default_rng((seed, index))
    canvas = Canvas(draw_belt(rng, domain.wear, size))
    package = place_package(rng, domain.new_product)
    draw_package(canvas, package, rng)
    boxes, classes = _draw_defects(canvas, package, rng)
    lamp = falloff(size, int(rng.integers(FALLOFFS)))
    lit = cv2.multiply(canvas.image, lamp, scale=rng.uniform(0.93, 1.07), dtype=cv2.CV_32F)
    return Scene(expose(lit, domain, rng), np.clip(boxes * size, 0, size), classes)


def render_many(domain: Domain, seed: int, count: int, size: int, start: int = 0) -> list[Scene]:
    """``count`` packages of a stream, from position ``start`` on; see `render`."""
    return [render(domain, seed, index, size) for index in range(start, start + count)]


def _check(seed: int, index: int, size: int) -> None:
    problems = [
        Problem(name, f"is {value}; expected at least {least}", "give a larger value")
        for name, value, least in (("seed", seed, 0), ("index", index, 0), ("size", size, SMALLEST))
        if value < least
    ]
    if problems:
        raise InputError("The scene cannot be drawn", problems)


def _draw_defects(canvas: Canvas, package: Package, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw up to three defects where none lies over another; their boxes (shares of the width) and classes."""
    count = int(rng.choice(len(DEFECTS_A_PACKAGE), p=DEFECTS_A_PACKAGE))
    boxes, classes = [], []
    for _ in range(TRIES):
        if len(boxes) == count:
            break
        kind = int(rng.integers(len(CLASSES)))
        place, reach = find_place(CLASSES[kind], package, rng)
        area = np.concatenate((place - reach, place + reach))
        if any((area[:2] < box[2:]).all() and (area[2:] > box[:2]).all() for box in boxes):
            continue
        outline = DRAWINGS[CLASSES[kind]](canvas, package, rng, place)
        boxes.append(np.concatenate((outline.min(axis=0), outline.max(axis=0))))
        classes.append(kind)
    return np.array(boxes).reshape(-1, 4), np.array(classes, dtype=np.int64)
