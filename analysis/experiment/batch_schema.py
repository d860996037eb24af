"""What makes a batch fit for use: the schema of its annotations, sound boxes, and images that fit them.

Each check adds every violation it finds to a `BatchReview`, with the place in the annotation file or the
image's name, what was expected, and what to do.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.base.errors import Problem
from analysis.experiment.dataset import MIN_SIDE_PX, TOLERANCE_PX, decode_image, same_name

ANNOTATIONS = "annotations.json"
IMAGES = "images"
BOX_KEYS = ("x", "y", "w", "h")

_LARGEST = 1e9
"""A coordinate beyond this is a slip, and would not fit what follows."""

_KINDS = {str: "text", int: "a whole number", list: "a list", dict: "an object"}


@dataclass(slots=True)
class BatchReview:
    """What a look at a batch found.

    Attributes
    ----------
    problems : list of Problem
        Violations; a batch with any of them is not fit for training.
    notes : list of Problem
        Remarks on the distribution of labels.
    images : int
        Images that the annotations list.
    objects : Counter
        Known class → sound boxes.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    images: int = 0
    objects: Counter[str] = field(default_factory=Counter)

    def add(self, where: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(where, what, remedy))


def review_entries(content: Mapping[str, Any], known: Any, review: BatchReview) -> Iterator[tuple[str, dict[str, Any]]]:
    """Check the annotations against their schema; yields the entries that name a file, with their place."""
    names = content.get("classes")
    if not (isinstance(names, list) and all(isinstance(name, str) and name for name in names)):
        review.add(f"{ANNOTATIONS}: classes", f"expected a list of names, got {names!r:.80}", "list the classes' names")
        known = () if known is names else known
    else:
        for name, count in Counter(names).items():
            if count > 1:
                review.add(f"{ANNOTATIONS}: classes", f"{name!r} is listed {count} times", "list each class once")
            if name not in known:
                review.add(f"{ANNOTATIONS}: classes", f"unknown class {name!r}", f"expected {', '.join(known)}")
    listed = content.get("images")
    if not isinstance(listed, list) or not listed:
        got = "none" if listed in (None, []) else f"{type(listed).__name__}"
        review.add(f"{ANNOTATIONS}: images", f"expected a list of images, got {got}", "list every image delivered")
        return
    review.images = len(listed)
    known = frozenset(known)
    for number, entry in enumerate(listed):
        where = f"{ANNOTATIONS}: images[{number}]"
        if not isinstance(entry, dict):
            review.add(where, f"expected an object, got {type(entry).__name__}", "see the annotators' instructions")
            continue
        if isinstance(entry.get("file"), str):
            where += f" ({entry['file']})"
        sound = [_has(entry, key, kind, where, review) for key, kind in (("file", str), ("width", int))]
        sound += [_has(entry, key, kind, where, review) for key, kind in (("height", int), ("objects", list))]
        if sound[1] and sound[2] and min(entry["width"], entry["height"]) < 1:
            size = f"{entry['width']} × {entry['height']}"
            review.add(where, f"impossible size {size}", "give the image's width and height in pixels")
        elif sound[3]:
            stated = (entry["width"], entry["height"]) if sound[1] and sound[2] else (math.inf, math.inf)
            _review_objects(entry["objects"], stated, known, where, review)
        if sound[0]:
            yield where, entry


def _has(entry: Mapping[str, Any], key: str, kind: type, where: str, review: BatchReview) -> bool:
    """Whether ``entry[key]`` is there and of its kind; says so where not."""
    value = entry.get(key)
    if isinstance(value, kind) and not isinstance(value, bool):
        return True
    got = f"got {value!r:.60}" if key in entry else f"it is missing; there is {', '.join(map(str, entry)) or 'nothing'}"
    review.add(where, f"{key!r} must be {_KINDS[kind]}, {got}", f"give {key!r} as the instructions describe")
    return False


def _review_objects(
    objects: Sequence[Any], stated: tuple[float, float], known: frozenset[str], image: str, review: BatchReview
) -> None:
    """Check the objects of one image."""
    seen: set[tuple[Any, ...]] = set()
    for number, item in enumerate(objects):
        where = f"{image}, objects[{number}]"
        if not isinstance(item, dict):
            review.add(where, f"expected an object, got {type(item).__name__}", "see the annotators' instructions")
            continue
        sound = _has(item, "defect", str, where, review)
        if sound and item["defect"] not in known:
            review.add(where, f"unknown class {item['defect']!r}", f"expected {', '.join(sorted(known))}")
            sound = False
        values = [item.get(key) for key in BOX_KEYS]
        faulty = [
            key
            for key, value in zip(BOX_KEYS, values, strict=True)
            if isinstance(value, bool) or not (isinstance(value, int | float) and abs(value) < _LARGEST)
        ]
        if faulty:
            got = ", ".join(f"{key} = {item.get(key, 'missing')!r}" for key in faulty)
            review.add(where, f"expected numbers of pixels, got {got}", "give x, y, w and h in pixels")
            continue
        x, y, w, h = values
        box = f"x={x:g}, y={y:g}, w={w:g}, h={h:g}"
        least = MIN_SIDE_PX - TOLERANCE_PX
        if w < least or h < least:
            review.add(where, f"box without area ({box})", "draw the box again, or remove the object")
            continue
        if min(x, y) < -TOLERANCE_PX or x + w > stated[0] + TOLERANCE_PX or y + h > stated[1] + TOLERANCE_PX:
            size = f"{stated[0]:g} × {stated[1]:g}"
            review.add(where, f"box ({box}) reaches beyond the image of {size}", "draw the box inside the image")
            continue
        if sound and (key := (item["defect"], *values)) in seen:
            review.add(where, f"the same {item['defect']} is marked twice ({box})", "remove one of the two")
        elif sound:
            seen.add(key)
            review.objects[item["defect"]] += 1


def review_images(folder: Path, entries: Sequence[tuple[str, dict[str, Any]]], review: BatchReview) -> None:
    """Check the image files of a batch against their entries."""
    present = {same_name(path.name): path for path in folder.iterdir()} if folder.is_dir() else {}
    first_with: dict[str, str] = {}
    listed: set[str] = set()
    for where, entry in entries:
        name = same_name(entry["file"])
        if name in listed:
            review.add(where, f"{entry['file']} is listed twice", "list each image once")
            continue
        listed.add(name)
        path = present.get(name)
        if path is None:
            review.add(where, f"there is no image {IMAGES}/{entry['file']}", "deliver the image, or remove its entry")
            continue
        data = path.read_bytes() if path.is_file() else b""
        twin = first_with.setdefault(hashlib.sha256(data).hexdigest(), entry["file"])
        if twin != entry["file"]:
            review.add(where, f"the same picture as {twin}", "deliver each image once")
        image = decode_image(data)
        if image is None:
            review.add(
                where,
                f"cannot be decoded ({len(data):,} bytes): damaged, cut off or no image",
                "export and deliver the image again",
            )
            continue
        stated, real = (entry.get("width"), entry.get("height")), image.shape[1::-1]
        if all(isinstance(side, int) for side in stated) and stated != real:
            what = f"stated size {stated[0]} × {stated[1]}, the image has {real[0]} × {real[1]}"
            review.add(where, what, "annotate the image that is delivered, not another size of it")
    for name in sorted(present.keys() - listed):
        review.add(f"{IMAGES}/{name}", f"not listed in {ANNOTATIONS}", "annotate the image, or take it out")


def note_labels(classes: Sequence[str], empty: int, review: BatchReview) -> None:
    """Remarks on labels that are distributed unusually; no violation, since a batch may be a special one."""
    total = review.objects.total()
    if absent := [name for name in classes if not review.objects[name]]:
        review.notes.append(Problem(ANNOTATIONS, f"no object of class {', '.join(absent)}"))
    if review.images and 2 * empty > review.images:
        review.notes.append(Problem(ANNOTATIONS, f"{empty} of {review.images} images hold no object"))
    if len(classes) > 2 and total:
        name, count = review.objects.most_common(1)[0]
        if 3 * count > 2 * total:
            review.notes.append(Problem(ANNOTATIONS, f"{count} of {total} objects are of class {name}"))
