"""What a camera sees and what is true of it: the types that every part of the experiment shares.

Boxes are corner coordinates ``x1, y1, x2, y2`` in pixels, classes are positions in a tuple of class
names, images are ``uint8`` arrays of shape (height, width, 3) in OpenCV's channel order (BGR).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np


@dataclass(frozen=True, slots=True)
class Domain:
    """The conditions under which images are taken. The defaults are the line as it was set up.

    Attributes
    ----------
    light : float
        Gain of the light, 1 as set up; 0.4 is a dim line.
    warmth : float
        Colour cast, from -1 (cold) over 0 to 1 (warm).
    blur : float
        Standard deviation of the blur in pixels of an image 160 pixels wide.
    noise : float
        Standard deviation of the sensor's noise, in grey values of 255.
    haze : float
        Share of a uniform veil (dust on the lens), 0 to 1.
    wear : float
        Wear of the conveyor belt behind the packages, 0 (new) to 1.
    new_product : float
        Share of packages of the new product generation, 0 to 1.
    """

    light: float = 1.0
    warmth: float = 0.0
    blur: float = 0.3
    noise: float = 4.0
    haze: float = 0.0
    wear: float = 0.2
    new_product: float = 0.0

    def towards(self, other: Domain, share: float) -> Domain:
        """The conditions when ``share`` of the way to ``other`` is gone, in every parameter."""
        return Domain(
            **{
                item.name: (1 - share) * getattr(self, item.name) + share * getattr(other, item.name)
                for item in fields(Domain)
            }
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One image and its true objects.

    Attributes
    ----------
    image : ndarray of uint8, shape (height, width, 3), BGR
    boxes : ndarray of float64, shape (objects, 4), corners in pixels
    classes : ndarray of int64, shape (objects,)
    """

    image: np.ndarray
    boxes: np.ndarray
    classes: np.ndarray


@dataclass(frozen=True, slots=True)
class Detections:
    """What a model reports on one image.

    Attributes
    ----------
    boxes : ndarray of float64, shape (detections, 4), corners in pixels
    classes : ndarray of int64, shape (detections,)
    confidences : ndarray of float64, shape (detections,)
    """

    boxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    classes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    confidences: np.ndarray = field(default_factory=lambda: np.zeros(0))
