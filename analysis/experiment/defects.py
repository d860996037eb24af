"""The defects of a package: where each kind may sit, and how it is drawn.

Every drawing returns the points that it covers, so that the true box is their extent. Defects are clearly
wider than high or the other way round: a box with its sides mixed up is a wrong box.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from analysis.experiment.canvas import Canvas, Colour, blob, strip
from analysis.experiment.parcel import Package

BARE_CARDBOARD, DARK = (150, 196, 226), (26, 30, 34)
INK, RUST = (152, 96, 52), (28, 66, 190)

Drawing = Callable[[Canvas, Package, np.random.Generator, np.ndarray], np.ndarray]


def find_place(name: str, package: Package, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A place for a defect in the image, and how far around it the defect may reach."""
    u, v = rng.uniform(-1, 1, 2)
    side, other = math.copysign(1, u), math.copysign(1, v)
    if name == "loose_tape":
        return package.at((side, 0)), 0.11
    if name == "crushed_corner":
        return package.at((side * 0.86, other * 0.84)), 0.12
    return package.at((0.6 * u, 0.54 * v)), 0.135


def _stretch(rng: np.random.Generator) -> np.ndarray:
    """Factors that make a defect clearly wider than high, or the other way round, with about the same area."""
    factor = math.sqrt(rng.uniform(1.3, 2.1)) ** (1 if rng.random() < 0.5 else -1)
    return rng.uniform(0.85, 1.1) * np.array((factor, 1 / factor))


def _draw_dent(canvas: Canvas, package: Package, rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """A hollow: dark towards the lamp, bright on the far side."""
    half = 0.095 * _stretch(rng)
    left, top = np.rint((place - half) * canvas.size).astype(int)
    right, bottom = np.rint((place + half) * canvas.size).astype(int)
    part = canvas.image[max(top, 0) : bottom, max(left, 0) : right]
    relief = cv2.resize(_hollow(), (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    relief = relief[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
    part[...] = np.clip(part * (1 + relief[..., None]), 0, 255)
    return np.stack((place - 0.92 * half, place + 0.92 * half))


@lru_cache(maxsize=1)
def _hollow() -> np.ndarray:
    """Relative change of brightness over a hollow lit from above left, for the square around it."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    away = np.hypot(x, y)
    rim = np.clip((1 - away) / 0.25, 0, 1)
    slope = (x + y) / 1.3 * np.exp(-0.5 * ((away - 0.6) / 0.3) ** 2)
    return (rim * (0.55 * slope - 0.22 * np.exp(-2.5 * away**2))).astype(np.float32)


def _draw_tear(canvas: Canvas, package: Package, rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """A jagged gap with frayed, bare edges; of the new board, the brown core shows instead of a gap."""
    steps = 9
    angle = rng.normal(0, 0.25) + math.pi / 2 * (rng.random() < 0.5)
    along = np.array((math.cos(angle), math.sin(angle)))
    aside = np.array((-along[1], along[0]))
    course = np.linspace(-1, 1, steps) * rng.uniform(0.085, 0.12)
    middle = place + course[:, None] * along + rng.normal(0, 0.012, (steps, 1)) * aside
    gape = 0.022 * np.sin(np.linspace(0.1, math.pi - 0.1, steps)) * rng.uniform(0.4, 1.3, (2, steps))
    one, other = gape[0][:, None] * aside, gape[1][:, None] * aside
    fray = np.vstack((middle + one + 0.01 * aside, (middle - other - 0.01 * aside)[::-1]))
    canvas.fill(fray, BARE_CARDBOARD)
    canvas.fill(np.vstack((middle + one, (middle - other)[::-1])), (46, 70, 92) if package.new else DARK)
    return fray


def _draw_stain(colour: Colour) -> Drawing:
    """A stain with a darker rim, as liquids leave it."""

    def draw(canvas: Canvas, package: Package, rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
        outline = place + (blob(rng, place, 0.072, 0.25) - place) * _stretch(rng)
        strength = rng.uniform(0.5, 0.8)
        rim = tuple(0.7 * value for value in colour)
        canvas.tint(outline, rim, strength, 0.004)
        canvas.tint(place + 0.86 * (outline - place), colour, strength, 0.012)
        drawn = [outline]
        for angle, far, radius in zip(
            rng.uniform(0, 6.3, 3), rng.uniform(0.9, 1.2, 3), (0.006, 0.009, 0.012), strict=True
        ):
            beside = place + far * 0.06 * np.array((math.cos(angle), math.sin(angle)))
            drawn.append(blob(rng, beside, radius, 0.2))
            canvas.tint(drawn[-1], rim, strength)
        return np.vstack(drawn)

    return draw


def _draw_loose_tape(canvas: Canvas, package: Package, rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """The end of the tape has come off and curls up beside the box, over its own shadow."""
    out = package.across if (place - package.middle) @ package.across > 0 else -package.across
    out = out / np.hypot(*out)
    bend = rng.uniform(0.1, 0.7) * (1 if rng.random() < 0.5 else -1)
    share = np.linspace(0, 1, 8)[:, None]
    length = rng.uniform(0.17, 0.21)
    course = place - 0.06 * out + length * (share * out + bend * 0.55 * share**2 * np.array((-out[1], out[0])))
    curl = strip(course, 0.038)
    canvas.tint(strip(course[:3], 0.04), package.shade(0.72), 1.0)
    canvas.tint(np.add(curl, (0.014, 0.018)), (10, 10, 10), 0.6, 0.006)
    canvas.tint(curl, *(((120, 112, 48), 0.97) if package.new else ((176, 226, 244), 0.94)))
    canvas.tint(strip(course[3:], 0.014), (255, 255, 255), 0.75)
    canvas.line(curl, (84, 110, 124), closed=True)
    return curl


def _draw_crushed_corner(canvas: Canvas, package: Package, rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
    """A corner pushed in: its tip is gone, and folds run from there into the top."""
    away = place - package.middle
    u, v = math.copysign(1, away @ package.across), math.copysign(1, away @ package.down)
    tip = package.at((u, v))
    stretch = 0.56 * _stretch(rng)
    first = tip - u * package.across * stretch[0]
    last = tip - v * package.down * stretch[1]
    fold = (first + last) / 2 - 0.15 * (tip - (first + last) / 2) + rng.uniform(-0.01, 0.01, 2)
    canvas.fill(np.vstack((tip + package.height * (v > 0), first, fold, last)), package.shade(0.66))
    canvas.fill(np.vstack((first, fold, 0.55 * tip + 0.45 * fold)), package.shade(0.84))
    bite = [share * tip + (1 - share) * fold for share in (0.42, 0.62, 0.36)]
    rim = np.vstack((0.68 * tip + 0.32 * first, bite[0], bite[1], bite[2], 0.68 * tip + 0.32 * last))
    canvas.fill(np.vstack((rim, tip + package.height * (v > 0) * 1.1)), (34, 32, 30))
    canvas.line(rim, BARE_CARDBOARD, 0.008)
    for end in (first, fold, last):
        canvas.line(np.vstack((bite[0], end)), package.shade(0.45), 0.006)
    return np.vstack((tip + package.height * (v > 0), first, fold, last))


DRAWINGS: dict[str, Drawing] = {
    "dent": _draw_dent,
    "tear": _draw_tear,
    "ink_stain": _draw_stain(INK),
    "rust_stain": _draw_stain(RUST),
    "loose_tape": _draw_loose_tape,
    "crushed_corner": _draw_crushed_corner,
}
"""How each kind of defect is drawn."""
