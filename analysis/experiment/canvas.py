"""Drawing with smooth edges, in shares of an image's width, and two outlines: a puddle and a ribbon."""

from __future__ import annotations

import math

import cv2
import numpy as np

Colour = tuple[float, float, float]
SHIFT = 4
"""Binary places of a pixel in the coordinates that OpenCV is given."""


class Canvas:
    """An image that is drawn on in shares of its width, with smooth edges."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.size = image.shape[0]

    def fill(self, points: np.ndarray, colour: Colour) -> None:
        cv2.fillPoly(self.image, [self.fixed(points)], colour, cv2.LINE_AA, SHIFT)

    def line(self, points: np.ndarray, colour: Colour, width: float = 0.0, closed: bool = False) -> None:
        thickness = max(1, round(width * self.size))
        cv2.polylines(self.image, [self.fixed(points)], closed, colour, thickness, cv2.LINE_AA, SHIFT)

    def tint(self, points: np.ndarray, colour: Colour, strength: float, soften: float = 0.0) -> None:
        """Lay a translucent colour over a polygon, with a soft edge about ``soften`` wide on either side."""
        left, top = np.maximum(((points.min(axis=0) - soften) * self.size).astype(int) - 1, 0)
        right, bottom = np.minimum(((points.max(axis=0) + soften) * self.size).astype(int) + 3, self.size)
        part = self.image[top:bottom, left:right]
        if not part.size:
            return
        mask = np.zeros(part.shape[:2], dtype=np.float32)
        cv2.fillPoly(mask, [self.fixed(points - (left / self.size, top / self.size))], strength, cv2.LINE_8, SHIFT)
        width = 2 * round(soften * self.size / 2) + 1
        mask = cv2.blur(cv2.blur(mask, (width, width)), (width, width)) if width > 1 else cv2.blur(mask, (2, 2))
        part[...] = cv2.blendLinear(part, np.full_like(part, np.rint(colour)), 1 - mask, mask)

    def fixed(self, points: np.ndarray) -> np.ndarray:
        return np.rint((points * self.size - 0.5) * (1 << SHIFT)).astype(np.int32)


def blob(rng: np.random.Generator, place: np.ndarray, radius: float, raggedness: float) -> np.ndarray:
    """Outline of a puddle: a circle with a few waves of random height."""
    angle = np.linspace(0, 2 * math.pi, 36, endpoint=False)
    order = np.arange(2, 7)[:, None]
    heights, phases = rng.normal(0, raggedness, (5, 1)), rng.uniform(0, 2 * math.pi, (5, 1))
    out = 1 + (heights / order * np.cos(order * angle + phases)).sum(axis=0)
    reach = radius * np.clip(out, 0.5, 1.4)[:, None]
    return place + reach * np.stack((np.cos(angle), np.sin(angle)), axis=1)


def strip(course: np.ndarray, half: float) -> np.ndarray:
    """Outline of a ribbon of the given half width along a course of points."""
    ahead = np.gradient(course, axis=0)
    ahead /= np.hypot(ahead[:, :1], ahead[:, 1:])
    aside = half * np.stack((-ahead[:, 1], ahead[:, 0]), axis=1)
    return np.vstack((course + aside, (course - aside)[::-1]))
