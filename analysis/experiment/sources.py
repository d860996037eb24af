"""Where images come from: the renderer, or a user's own photographs.

Both give the same: labelled images of a purpose under given conditions, the same for the same request.
Images of different purposes never coincide: rendered ones are drawn from different seeds, photographs
belong to one purpose each.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.provenance import imported_modules
from analysis.experiment import drift, renderer
from analysis.experiment.dataset import GREY, MIN_SIDE_PX, PURPOSES, AnnotatedImage, Pool, letterbox, read_scene
from analysis.experiment.scenes import Domain, Scene


class ImageSource(Protocol):
    """Labelled images on request.

    Attributes
    ----------
    classes : tuple of str
    digest : str
        Changes whenever a request could be answered by other images.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def digest(self) -> str: ...

    def scenes(self, purpose: str, domain: Domain, seed: int, count: int, size: int) -> list[Scene]:
        """``count`` square images of ``size`` pixels for a purpose of `PURPOSES`."""
        ...


class RenderedSource:
    """Packages on a conveyor, as many as are asked for."""

    @property
    def classes(self) -> tuple[str, ...]:
        return renderer.CLASSES

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the code that draws and the versions of what it draws with."""
        return _code_digest(renderer.__file__)

    def scenes(self, purpose: str, domain: Domain, seed: int, count: int, size: int) -> list[Scene]:
        """Rendered packages; see `ImageSource.scenes`."""
        _check_request(purpose, count, size)
        return renderer.render_many(domain, derive_seed(purpose, seed), count, size)


class PoolSource:
    """A user's photographs, letterboxed, and under changed conditions corrupted accordingly.

    Parameters
    ----------
    pool : Pool
    split_seed : int
        For the parts of the data that bring no split of their own.

    Notes
    -----
    A request takes each image of its purpose once, in random order, before any image comes again. From
    then on images return mirrored, and from the third time on smaller and elsewhere in the picture, so
    that no two images of a request are the same.
    """

    def __init__(self, pool: Pool, split_seed: int = 0) -> None:
        self.pool = pool
        self.parts = pool.split(split_seed)
        self._split_seed = split_seed

    @property
    def classes(self) -> tuple[str, ...]:
        return self.pool.classes

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the pool, its parting, and the code and libraries that make scenes of it."""
        parts = [self.pool.digest, _code_digest(__file__), str(self._split_seed)]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()

    def scenes(self, purpose: str, domain: Domain, seed: int, count: int, size: int) -> list[Scene]:
        """Photographs of a purpose; see `ImageSource.scenes`.

        Raises
        ------
        InputError
            Unknown purpose, or an image that was there when the pool was read cannot be read any more.
        """
        _check_request(purpose, count, size)
        images = self.parts[purpose].images
        rng = np.random.default_rng(derive_seed(purpose, seed))
        rounds = -(-count // len(images))
        order = np.concatenate([rng.permutation(len(images)) for _ in range(max(rounds, 1))])[:count]
        scenes = []
        for number, place in enumerate(order.tolist()):
            own = np.random.default_rng([derive_seed(purpose, seed), number])
            scene = self._fit(images[place], size, number // len(images), own)
            if domain != drift.DOMAINS["baseline"]:
                scene = Scene(drift.corrupt(scene.image, domain, own), scene.boxes, scene.classes)
            scenes.append(scene)
        return scenes

    def count_vanishing(self, size: int) -> dict[str, int]:
        """Purpose → boxes that are less than a pixel wide or high in images of ``size``, and left out of scenes."""
        return {
            purpose: sum(
                int((~_visible(image.boxes * (size / max(image.width, image.height)))).sum()) for image in part.images
            )
            for purpose, part in self.parts.items()
        }

    def _fit(self, annotated: AnnotatedImage, size: int, times_before: int, rng: np.random.Generator) -> Scene:
        """A photograph as a square scene, altered from its second appearance on."""
        scene = read_scene(annotated)
        image, boxes = letterbox(scene.image, scene.boxes, size)
        if times_before % 2:
            image = np.ascontiguousarray(image[:, ::-1])
            boxes = boxes[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [size, 0, size, 0]
        if times_before > 1:
            scale = rng.uniform(0.75, 0.95)
            shift = rng.uniform(0, (1 - scale) * size, 2)
            matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
            image = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_AREA, borderValue=(GREY, GREY, GREY))
            boxes = boxes * scale + np.tile(shift, 2)
        seen = _visible(boxes)
        return Scene(image, boxes[seen], scene.classes[seen])


def derive_seed(purpose: str, seed: int) -> int:
    """A seed for one purpose, unlike that of any other purpose or seed."""
    return int.from_bytes(hashlib.sha256(f"{purpose}|{seed}".encode()).digest()[:7])


def _visible(boxes: np.ndarray) -> np.ndarray:
    """Which boxes are at least a pixel wide and high."""
    return (boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE_PX).all(axis=1)


def _check_request(purpose: str, count: int, size: int) -> None:
    problems = []
    if purpose not in PURPOSES:
        problems.append(Problem("purpose", f"{purpose!r}", f"expected {', '.join(PURPOSES)}"))
    problems += [
        Problem(name, f"expected at least 1, got {value}")
        for name, value in (("count", count), ("size", size))
        if value < 1
    ]
    if problems:
        raise InputError("Images cannot be drawn.", problems)


def _code_digest(module: str) -> str:
    """SHA-256 over a module, the experiment's modules that it imports, and the imaging libraries' versions."""
    own = Path(module)
    used = imported_modules([own.read_text(encoding="utf-8")])
    files = sorted({own, *(path for path in used if path.parent == own.parent)})
    total = hashlib.sha256(f"opencv {cv2.__version__}, numpy {np.__version__}".encode())
    for path in files:
        total.update(f"|{path.name}|".encode() + path.read_bytes())
    return total.hexdigest()
