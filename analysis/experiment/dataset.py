"""Annotated images: the types that batches, users' data and sources share, and reading a photograph.

An annotated image is a file with the boxes and classes that somebody drew on it. A `Pool` is a user's
whole data set in that form, with everything that was wrong in it said, and parted by purpose.

Photographs are decoded by OpenCV as the served model and ultralytics do it: colour in BGR order,
transparency ignored, 16 bits a channel reduced to 8, turned upright where the camera noted a rotation
(EXIF). Data whose stated size only fits the unturned pixels are read unturned (``upright=False``).
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.scenes import Scene

PURPOSES = ("train", "acceptance", "production")
"""What images are used for: to train on, to judge candidates by, and as what the camera sees in service."""

SHARES = (0.6, 0.2, 0.2)
"""Shares of the purposes where the data bring no split of their own."""

MIN_SIDE_PX = 1.0
"""A box that is less wide or high is no object."""

TOLERANCE_PX = 0.01
"""What rounding in an annotation file may make of a coordinate."""

GREY = 114
"""Padding of a letterboxed image, as in ultralytics."""

_SUFFIXES = "jpg jpeg jpe png bmp tif tiff webp jp2 gif avif heic heif dng mpo ppm pgm"
IMAGE_SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split(" "))
"""Names that say "image"; what OpenCV then cannot decode is reported, not passed over."""

_OWN_SPLITS = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image file and the objects on it.

    Attributes
    ----------
    path : Path
    width, height : int
        Pixels, as `read_image` returns it.
    boxes : ndarray of float64, shape (objects, 4)
        Corners ``x1, y1, x2, y2`` in pixels, 0 at the outer edge of the first pixel.
    classes : ndarray of int64, shape (objects,)
    digest : str
        SHA-256 of the file.
    split : {"", "train", "val", "test"}
        Where the data's own split puts it.
    upright : bool
        Whether a rotation that the camera noted is carried out; see the module.
    """

    path: Path
    width: int
    height: int
    boxes: np.ndarray
    classes: np.ndarray
    digest: str = ""
    split: str = ""
    upright: bool = True


@dataclass(frozen=True, slots=True)
class Pool:
    """A user's annotated images, as far as they can be used, and what is wrong with the rest.

    Attributes
    ----------
    classes : tuple of str
    images : tuple of AnnotatedImage
    problems : tuple of Problem
        Every image or box that is faulty, with what became of it.
    notes : tuple of Problem
        What is worth knowing but no fault, such as images without a label file.
    dropped_boxes : int
        Boxes that the annotations hold and ``images`` do not.
    dropped_images : int
        Images that the data hold and ``images`` do not; each is named in ``problems``.
    kind : str
        ``"yolo"``, ``"coco"`` or ``"voc"``.
    """

    classes: tuple[str, ...]
    images: tuple[AnnotatedImage, ...]
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    dropped_boxes: int = 0
    dropped_images: int = 0
    kind: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 over classes, pixels and annotations; the same wherever the folder lies."""
        total = hashlib.sha256(json.dumps(self.classes).encode())
        for image in self.images:
            digest = image.digest or hashlib.sha256(image.path.read_bytes()).hexdigest()
            total.update(f"|{digest} {image.width} {image.height} {image.split} {image.upright} ".encode())
            total.update(np.ascontiguousarray(image.boxes, dtype="<f8").tobytes())
            total.update(np.ascontiguousarray(image.classes, dtype="<i8").tobytes())
        return total.hexdigest()

    def split(self, seed: int) -> dict[str, Pool]:
        """Part the images by `PURPOSES`, each into exactly one.

        The data's own split is used where it has one: train to train, val to acceptance, test to
        production. Where one of val and test is absent, the other is halved between acceptance and
        production. Without an own split the shares are `SHARES`. What is drawn is drawn by file
        content with ``seed``, and identical files stay together.

        Raises
        ------
        InputError
            Too few different images to give every purpose one.
        """
        own: dict[str, list[AnnotatedImage]] = {"train": [], "val": [], "test": []}
        for image in self.images:
            own[image.split or "train"].append(image)
        later = own["val"] + own["test"]
        if not (own["train"] and later):
            parts = self._part(list(self.images), SHARES, seed)
        elif own["val"] and own["test"]:
            parts = [own["train"], own["val"], own["test"]]
        else:
            parts = [own["train"], *self._part(later, (0.5, 0.5), seed)]
        place = {id(image): number for number, image in enumerate(self.images)}
        return {
            purpose: replace(
                self,
                images=tuple(sorted(part, key=lambda image: place[id(image)])),
                problems=(),
                notes=(),
                dropped_boxes=0,
                dropped_images=0,
            )
            for purpose, part in zip(PURPOSES, parts, strict=True)
        }

    def _part(self, images: Sequence[AnnotatedImage], shares: Sequence[float], seed: int) -> list[list[AnnotatedImage]]:
        """Part ``images`` by ``shares``, at least one to each part, identical files together."""
        groups: dict[str, list[AnnotatedImage]] = {}
        for image in images:
            groups.setdefault(image.digest or image.path.as_posix(), []).append(image)
        if len(groups) < len(shares):
            found = f"{len(groups)} different image(s) for {len(shares)} purposes"
            raise InputError(
                "The data set is too small to be parted into training, acceptance and production.",
                [Problem("", found, "add annotated images, at least some dozens for each purpose")],
            )
        keys = np.random.default_rng(seed).permutation(sorted(groups)).tolist()
        ends = np.round(np.cumsum(shares) / sum(shares) * len(keys)).astype(int)
        for number in range(len(shares)):  # leave one group to every part before and after
            ends[number] = min(max(ends[number], number + 1), len(keys) - (len(shares) - 1 - number))
        starts = [0, *ends[:-1]]
        return [
            [image for key in keys[start:end] for image in groups[key]] for start, end in zip(starts, ends, strict=True)
        ]


@dataclass(slots=True)
class Findings:
    """What a reader of data collects on its way: faults, remarks and counts."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    dropped_boxes: int = 0
    dropped_images: int = 0

    def drop_box(self, where: str, what: str, remedy: str) -> None:
        self.dropped_boxes += 1
        self.problems.append(Problem(where, f"{what}; the box is left out", remedy))

    def drop_image(self, where: str, what: str, remedy: str, boxes: int = 0) -> None:
        self.dropped_images += 1
        self.dropped_boxes += boxes
        lost = f" with its {boxes} box(es)" if boxes else ""
        self.problems.append(Problem(where, f"{what}; the image is left out{lost}", remedy))


def decode_image(data: bytes, upright: bool = True) -> np.ndarray | None:
    """Decode a photograph to 8-bit BGR, or None where OpenCV cannot (damaged, cut off, no image)."""
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    if not data:
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:  # raised, not returned, for sizes beyond OpenCV's limits
        return None


def read_image(path: Path, upright: bool = True) -> np.ndarray:
    """Read a photograph as 8-bit BGR.

    The file is read by Python and decoded from memory, so that any name works on any system.

    Raises
    ------
    InputError
        The file is missing, or is damaged or no image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{relative(path)} cannot be read.",
            [Problem(relative(path), error.strerror or str(error), "put the file back, or take it out of the data")],
        ) from error
    image = decode_image(data, upright)
    if image is None:
        raise InputError(
            f"{relative(path)} cannot be decoded.",
            [Problem(relative(path), "damaged, cut off or no image", "export it again as JPEG or PNG")],
        )
    return image


def read_scene(image: AnnotatedImage) -> Scene:
    """The photograph and its objects, in the photograph's own size.

    Raises
    ------
    InputError
        The file is missing or cannot be decoded.
    """
    return Scene(read_image(image.path, image.upright), image.boxes, image.classes)


def letterbox(image: np.ndarray, boxes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Fit an image into a grey square without distorting it, and its boxes with it.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    ndarray of float64, shape (objects, 4)
        Corners in pixels of the square.
    """
    height, width = image.shape[:2]
    scale = size / max(width, height)
    new_width, new_height = max(round(width * scale), 1), max(round(height * scale), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (size - new_width) // 2, (size - new_height) // 2
    square = np.full((size, size, 3), GREY, dtype=np.uint8)
    square[top : top + new_height, left : left + new_width] = cv2.resize(
        image, (new_width, new_height), interpolation=method
    )
    factor = np.array([new_width / width, new_height / height] * 2)
    return square, boxes * factor + np.array([left, top, left, top], dtype=float)


def own_split(name: str) -> str:
    """The split that a file or folder name tells: ``"train"``, ``"val"``, ``"test"`` or ``""``.

    Examples
    --------
    >>> own_split("instances_val2017"), own_split("valid"), own_split("annotations")
    ('val', 'val', '')
    """
    words = re.split(r"[^a-z]+", name.lower())
    return next((_OWN_SPLITS[word] for word in words if word in _OWN_SPLITS), "")


def same_name(name: str) -> str:
    """A file name in the one Unicode form; macOS writes accented letters differently from others."""
    return unicodedata.normalize("NFC", name)


def find_images(folder: Path) -> list[Path]:
    """All image files under a folder, hidden ones left out, in order of their names."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def list_some(names: Iterable[str], most: int = 5) -> str:
    """Names for a message: the first few, and how many more.

    >>> list_some("abcdefg")
    'a, b, c, d, e and 2 more'
    """
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
