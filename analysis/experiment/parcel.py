"""What lies before the camera where nothing is wrong: the belt between its rails, a package, the lamp.

A package is a cardboard box closed with tape and carrying a label. The new generation is pale, printed and
closed with dark tape; part of its print looks like what is a defect on an old one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from analysis.experiment.canvas import SHIFT, Canvas, Colour, blob, strip

CARDBOARD, PALE_BOARD = (104, 152, 196), (182, 204, 214)
FALLOFFS = 8
"""Places that the lamp may have."""


@dataclass(frozen=True, slots=True)
class Package:
    """The box: middle and half sides of its top, how far its side faces reach down, its looks."""

    middle: np.ndarray
    across: np.ndarray
    down: np.ndarray
    height: np.ndarray
    new: bool
    colour: np.ndarray

    def at(self, places: np.ndarray | tuple) -> np.ndarray:
        """Points of the image for places on the top, which reaches from -1 to 1 both ways."""
        places = np.asarray(places, dtype=float)
        return self.middle + places[..., :1] * self.across + places[..., 1:] * self.down

    @property
    def top(self) -> np.ndarray:
        return self.at(((-1, -1), (1, -1), (1, 1), (-1, 1)))

    def shade(self, factor: float) -> Colour:
        return tuple(np.clip(self.colour * factor, 0, 255).tolist())


def place_package(rng: np.random.Generator, new_product: float) -> Package:
    new = bool(rng.random() < new_product)
    angle = math.radians(rng.uniform(-18, 18))
    width, depth = rng.uniform(0.29, 0.35), rng.uniform(0.25, 0.31)
    along, upright = np.array((math.cos(angle), math.sin(angle))), np.array((-math.sin(angle), math.cos(angle)))
    middle = 0.5 + rng.uniform(-0.03, 0.03, 2) - (0, 0.025)
    height = np.array((rng.uniform(-0.01, 0.01), rng.uniform(0.05, 0.075)))
    colour = np.array(PALE_BOARD if new else CARDBOARD) * rng.uniform(0.86, 1.1) + rng.uniform(-7, 7, 3)
    return Package(middle, width * along, depth * upright, height, new, colour)


@lru_cache(maxsize=64)
def falloff(size: int, which: int) -> np.ndarray:
    """Brightness over the image: the lamp stands off the middle, at one of a few places."""
    angle = 2 * math.pi * which / FALLOFFS
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    away = (x - 0.25 * math.cos(angle)) ** 2 + (y - 0.25 * math.sin(angle)) ** 2
    return cv2.merge([1.06 - 0.28 * away] * 3)


@lru_cache(maxsize=16)
def _belt_textures(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rubber belt, new and worn, twice as long and high as an image so that any part can be taken."""
    rng = np.random.default_rng(size)
    ribs = np.sin(np.arange(2 * size) * (2 * math.pi * 14 / size))
    grain = rng.normal(0, 2.2, (2 * size, 2 * size, 1))
    new = np.clip(np.array((70, 66, 60)) + 5 * ribs[None, :, None] + grain, 0, 255).astype(np.uint8)
    worn = Canvas(new.copy())
    for _ in range(90):
        start, length = rng.random(2), rng.uniform(0.03, 0.2)
        grey = rng.uniform(96, 150)
        worn.line(np.stack((start, np.add(start, (length, rng.normal(0, 0.006))))), (grey, grey, grey), 0.002)
    for _ in range(40):
        shade = rng.uniform(0.6, 1.9)
        patch = blob(rng, rng.random(2), rng.uniform(0.015, 0.05), 0.25)
        worn.tint(patch, (60 * shade, 66 * shade, 72 * shade), 0.7, 0.008)
    return new, worn.image


@lru_cache(maxsize=16)
def _rail(size: int) -> np.ndarray:
    """Steel rail with a yellow line towards the belt, as rows from the edge of the image inwards."""
    rows = max(2, round(0.055 * size))
    steel = 150 + 60 * np.sin(np.linspace(0.3, 3.4, rows))
    rail = np.repeat(np.repeat(steel[:, None, None], size, axis=1), 3, axis=2)
    rail[-max(1, rows // 4) :] = (40, 170, 215)
    return rail.astype(np.uint8)


def draw_belt(rng: np.random.Generator, wear: float, size: int) -> np.ndarray:
    left, top = rng.integers(0, size, 2)
    part = (slice(top, top + size), slice(left, left + size))
    new, worn = (texture[part] for texture in _belt_textures(size))
    image = cv2.addWeighted(new, 1 - wear, worn, wear, 0)
    rail = _rail(size)
    image[: len(rail)] = rail
    image[-len(rail) :] = rail[::-1]
    return image


@lru_cache(maxsize=16)
def _fibres(size: int) -> np.ndarray:
    """Grain of the board around zero, longer along the belt than across."""
    grain = np.random.default_rng(size + 1).normal(0, 1, (2 * size, 2 * size))
    grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=max(0.02 * size, 0.5), sigmaY=max(0.004 * size, 0.3))
    return cv2.merge([np.rint(grain / grain.std() * 3.0).astype(np.int16)] * 3)


def draw_package(canvas: Canvas, package: Package, rng: np.random.Generator) -> None:
    """Shadow, side faces, top with its grain, closing tape, label and print."""
    top = package.top
    foot = top + package.height
    canvas.tint(np.add(np.vstack((top[:2], foot[2:])), (0.035, 0.03)), (12, 12, 12), 0.62, 0.022)
    for first in range(4):
        face = np.vstack((top[first], top[(first + 1) % 4], foot[(first + 1) % 4], foot[first]))
        canvas.fill(face, package.shade(0.62 if first == 2 else 0.5))
    canvas.fill(top, package.shade(1.0))
    _draw_grain(canvas, top, rng)
    seam = package.at(((-1, 0), (1, 0)))
    canvas.line(seam, package.shade(0.6))
    canvas.line(top, package.shade(1.14 if not package.new else 0.9), closed=True)
    tape = strip(package.at(((-1, 0), (1, 0))), 0.036)
    canvas.tint(tape, *(((92, 84, 34), 0.92) if package.new else ((168, 206, 228), 0.62)))
    canvas.tint(strip(package.at(((-1, -0.04), (1, -0.04))), 0.006), (255, 255, 255), 0.35)
    chosen = rng.random(5)
    corner = np.array((-1 if chosen[0] < 0.5 else 1, -1 if chosen[1] < 0.5 else 1))
    if package.new:
        _draw_print(canvas, package, -corner, chosen[2:4])
    elif chosen[4] < 0.5:
        _draw_arrows(canvas, package, -corner * (0.6, 0.55))
    _draw_label(canvas, package, corner * (0.55, 0.56) + (chosen[2:4] - 0.5) * 0.12)


def _draw_grain(canvas: Canvas, top: np.ndarray, rng: np.random.Generator) -> None:
    mask = np.zeros(canvas.image.shape[:2], dtype=np.uint8)
    cv2.fillPoly(mask, [canvas.fixed(top)], 255, cv2.LINE_8, SHIFT)
    y, x = rng.integers(0, canvas.size, 2)
    grain = _fibres(canvas.size)[y : y + canvas.size, x : x + canvas.size]
    cv2.add(canvas.image, grain, dst=canvas.image, mask=mask, dtype=cv2.CV_8U)


def _draw_label(canvas: Canvas, package: Package, at: np.ndarray) -> None:
    """Address label: white paper with a barcode and two lines of writing."""
    half = np.array((0.25, 0.24))
    square = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1)))
    canvas.fill(package.at(at + square * half), (236, 240, 242))
    for place, width in zip(np.linspace(-0.8, 0.75, 8), (1, 2, 1, 3, 1, 1, 2, 1), strict=True):
        bar = package.at(at + half * np.array(((place, -0.75), (place, 0.1))))
        canvas.line(bar, (40, 40, 40), 0.0035 * width)
    for row, reach in ((0.4, 0.75), (0.7, 0.3)):
        canvas.line(package.at(at + half * np.array(((-0.8, row), (reach, row)))), (110, 110, 110), 0.006)


def _draw_arrows(canvas: Canvas, package: Package, at: np.ndarray) -> None:
    """This side up: two arrows and a line, printed on old packages."""
    arrow = np.array(
        ((-0.03, 0.14), (-0.03, -0.02), (-0.1, -0.02), (0, -0.16), (0.1, -0.02), (0.03, -0.02), (0.03, 0.14))
    )
    for aside in (-0.12, 0.12):
        canvas.tint(package.at(at + arrow + (aside, 0)), package.shade(0.35), 0.75)
    canvas.line(package.at(np.add(at, ((-0.22, 0.22), (0.22, 0.22)))), package.shade(0.5), 0.007)


def _draw_print(canvas: Canvas, package: Package, corner: np.ndarray, chosen: np.ndarray) -> None:
    """Print of the new generation: a band, a blue and an orange disc, a zigzag as a trade mark."""
    canvas.fill(package.at(((0.62, -1), (0.86, -1), (0.86, 1), (0.62, 1))), (150, 128, 46))
    turn = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    disc = np.stack((0.10 * np.cos(turn), 0.12 * np.sin(turn)), axis=1)
    canvas.fill(package.at(corner * (0.42, 0.6) + disc), (170, 112, 52))
    canvas.fill(package.at(corner * (0.2, 0.6) + disc), (44, 112, 214))
    peaks = np.stack((np.linspace(-0.22, 0.22, 7), np.where(np.arange(7) % 2, -0.06, 0.06)), axis=1)
    canvas.line(package.at(corner * (-0.2, 0.6) + peaks + (chosen - 0.5) * 0.1), (104, 92, 40), 0.012)
