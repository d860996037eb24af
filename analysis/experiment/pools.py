"""A user's own detection data set, in YOLO, COCO or Pascal VOC form, as a `Pool`.

The three readers (`analysis.experiment.pool_yolo`, ``pool_coco``, ``pool_voc``) turn annotation files into
`Record` rows; here the images are opened and the boxes checked, by the same rules for all three:

- An image that is missing, cannot be decoded, or is not of the size that its annotation states is left
  out, named and counted. So is a box without area, outside its image, or with values that are no numbers.
- A box that reaches beyond its image is cut at the edge; by more than a pixel, that is reported.
- Nothing is left out without an entry in ``problems`` or ``notes``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment import pool_coco, pool_voc, pool_yolo
from analysis.experiment.dataset import (
    MIN_SIDE_PX,
    TOLERANCE_PX,
    AnnotatedImage,
    Findings,
    Pool,
    decode_image,
    find_images,
    list_some,
)
from analysis.experiment.pool_records import Listing, Mark, Record

READERS = {"yolo": pool_yolo, "coco": pool_coco, "voc": pool_voc}

_SIGNS = {
    "yolo": "a data.yaml with names of classes, images/ and labels/",
    "coco": "a .json file with images, annotations and categories",
    "voc": "a folder Annotations/ of .xml files beside JPEGImages/",
}

OnProgress = Callable[[int, int], None]


def load_detection(folder: Path, kind: str = "", on_progress: OnProgress | None = None) -> Pool:
    """Read a data set for object detection, whichever of the three forms it has.

    Parameters
    ----------
    folder : Path
        The data set's folder, or its ``data.yaml`` or ``.json`` file.
    kind : {"", "yolo", "coco", "voc"}
        Its form; needed only where a folder holds annotations in several.
    on_progress : callable, optional
        Called with images opened and images in all, now and then.

    Returns
    -------
    Pool
        Images in order of their paths.

    Raises
    ------
    InputError
        No such folder, no form or several recognised, or annotations of which nothing can be used.
    """
    if kind and kind not in READERS:
        raise InputError("Unknown form of data set.", [Problem("kind", f"{kind!r}", f"expected {', '.join(READERS)}")])
    if not folder.exists():
        raise InputError("There is no such data set.", [Problem(relative(folder), "no such folder or file")])
    kind = kind or _recognise(folder)
    findings = Findings()
    listing = READERS[kind].read(folder, findings)
    images = _open_images(listing, findings, on_progress)
    _note_unlisted(listing, findings)
    _note_twins(images, findings)
    if not images:
        raise InputError(f"No image of {relative(folder)} can be used.", findings.problems + findings.notes)
    counts = Counter(label for image in images for label in image.classes.tolist())
    if absent := [name for number, name in enumerate(listing.classes) if not counts[number]]:
        findings.notes.append(Problem(relative(folder), f"no box of class {list_some(absent)}"))
    return Pool(
        tuple(listing.classes),
        tuple(images),
        tuple(findings.problems),
        tuple(findings.notes),
        findings.dropped_boxes,
        findings.dropped_images,
        kind,
    )


def _recognise(folder: Path) -> str:
    found = [kind for kind, reader in READERS.items() if reader.recognises(folder)]
    if len(found) == 1:
        return found[0]
    if not found:
        problems = [Problem(kind.upper(), f"expected {sign}, found none") for kind, sign in _SIGNS.items()]
        raise InputError(f"{relative(folder)} is no data set that the workbench can read.", problems)
    problems = [Problem(kind.upper(), f"found {_SIGNS[kind]}", f"take it with kind={kind!r}") for kind in found]
    raise InputError(f"{relative(folder)} holds annotations in several forms; which are meant?", problems)


def _open_images(listing: Listing, findings: Findings, on_progress: OnProgress | None) -> list[AnnotatedImage]:
    """Open every image of a listing and put its boxes in pixels."""
    records = sorted(_merge_repeated(listing.records, findings), key=lambda record: record.path.as_posix())
    tally: Counter[str] = Counter()
    turned: dict[bool, list[str]] = {True: [], False: []}
    images = []
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as workers:
        for number, (record, look) in enumerate(zip(records, workers.map(_look_at, records), strict=True), start=1):
            if on_progress and (number % 50 == 0 or number == len(records)):
                on_progress(number, len(records))
            digest, size, unturned = look
            boxes = len(record.boxes)
            if size is None or unturned is None:
                what = (
                    "there is no such image that OpenCV can decode: missing, damaged, cut off, or of a foreign format"
                )
                findings.drop_image(relative(record.path), what, "export it again as JPEG or PNG", boxes)
                continue
            if record.stated and record.stated not in (size, unturned):
                stated, real = (f"{sides[0]} × {sides[1]}" for sides in (record.stated, size))
                what = f"{record.source} states {stated} pixels, the image has {real}"
                remedy = "correct the size, or remove it if the boxes fit the image as it is"
                findings.drop_image(relative(record.path), what, remedy, boxes)
                continue
            upright = record.stated in (None, size)
            if size != unturned:
                turned[upright].append(record.path.name)
            size = size if upright else unturned
            corners, labels = _place_boxes(record, size, tally, findings)
            images.append(
                AnnotatedImage(record.path, *size, corners, labels, digest=digest, split=record.split, upright=upright)
            )
    if turned[True]:
        what = f"{len(turned[True])} photograph(s) carry a rotation, and are turned upright: {list_some(turned[True])}"
        findings.notes.append(Problem("", what, "see that the boxes were drawn on the upright image"))
    if turned[False]:
        what = f"{len(turned[False])} photograph(s) carry a rotation that their annotation does not know"
        findings.notes.append(Problem("", f"{what}, and are not turned: {list_some(turned[False])}"))
    if tally["cut"]:
        findings.notes.append(
            Problem("", f"{tally['cut']} box(es) reach up to a pixel beyond the image; cut at the edge")
        )
    return images


def _look_at(record: Record) -> tuple[str, tuple[int, int] | None, tuple[int, int] | None]:
    """Digest of an image file, its size upright and its size unturned; sizes None where it cannot be decoded."""
    try:
        data = record.path.read_bytes()
    except OSError:
        return "", None, None
    image = decode_image(data)
    if image is None:
        return "", None, None
    size = (image.shape[1], image.shape[0])
    raw_size = size
    if b"Exif" in data or b"eXIf" in data or b"EXIF" in data:
        raw = decode_image(data, upright=False)
        raw_size = size if raw is None else (raw.shape[1], raw.shape[0])
    return hashlib.sha256(data).hexdigest(), size, raw_size


def _merge_repeated(records: Iterable[Record], findings: Findings) -> Iterator[Record]:
    """One record an image; one that several splits name stays in the first of them."""
    kept: dict[Path, Record] = {}
    both: dict[tuple[str, str], list[str]] = {}
    for record in records:
        first = kept.setdefault(record.path, record)
        if first is record:
            yield record
        elif first.source == record.source:
            both.setdefault((first.split, record.split), []).append(record.path.name)
        else:
            what = f"annotated in {first.source} and again in {record.source}; the first is taken"
            findings.dropped_boxes += len(record.boxes)
            findings.problems.append(Problem(record.path.name, what, "keep one annotation for each image"))
    for (first_split, second), names in both.items():
        if first_split == second:
            what = f"{len(names)} image(s) are listed twice"
        else:
            what = f"{len(names)} image(s) are in {first_split} and in {second}; they stay in {first_split}"
        findings.notes.append(Problem("", f"{what}: {list_some(names)}", "let each image be in one split"))


def _place_boxes(
    record: Record, size: tuple[int, int], tally: Counter[str], findings: Findings
) -> tuple[np.ndarray, np.ndarray]:
    """The sound boxes of an image, in pixels and cut at its edges, and their classes."""
    corners, labels = [], []
    seen: set[tuple[float, ...]] = set()
    width, height = size
    for mark, label, box in record.boxes:
        where = f"{record.source}, {_place(mark)}" + (
            "" if record.path.stem in record.source else f" ({record.path.name})"
        )
        x1, y1, x2, y2 = (
            (value * side for value, side in zip(box, (*size, *size), strict=True)) if record.shares else box
        )
        said = f"box from ({x1:.6g}, {y1:.6g}) to ({x2:.6g}, {y2:.6g}) pixels"
        if not (x2 - x1 > TOLERANCE_PX and y2 - y1 > TOLERANCE_PX):
            findings.drop_box(where, f"{said} has no area", "draw the box again, or remove it")
            continue
        beyond = max(-x1, -y1, x2 - width, y2 - height)
        cut = (min(max(x1, 0.0), width), min(max(y1, 0.0), height), min(max(x2, 0.0), width), min(max(y2, 0.0), height))
        if min(cut[2] - cut[0], cut[3] - cut[1]) < MIN_SIDE_PX - TOLERANCE_PX:
            inside = "lies outside" if beyond > 1 else "is less than a pixel wide or high in"
            findings.drop_box(where, f"{said} {inside} the image of {width} × {height}", "draw the box again")
            continue
        if (label, *cut) in seen:
            findings.drop_box(where, f"{said} is there twice with the same class", "remove one of the two")
            continue
        if beyond > 1:
            what = f"{said} reaches {beyond:.3g} pixels beyond the image of {width} × {height}; it is cut at the edge"
            findings.problems.append(Problem(where, what, "draw the box inside the image"))
        elif beyond > TOLERANCE_PX:
            tally["cut"] += 1
        seen.add((label, *cut))
        corners.append(cut)
        labels.append(label)
    return np.array(corners, dtype=float).reshape(-1, 4), np.array(labels, dtype=np.int64)


def _place(mark: Mark) -> str:
    return f"line {mark}" if isinstance(mark, int) else mark


def _note_unlisted(listing: Listing, findings: Findings) -> None:
    """Say which image files lie beside those listed and are not used."""
    listed = {record.path for record in listing.records} | listing.reported
    beside = [path for folder in listing.folders for path in find_images(folder)]
    unlisted = sorted({path.name for path in beside if path not in listed})
    if unlisted:
        what = f"{len(unlisted)} image file(s) without any entry in the annotations are not used: {list_some(unlisted)}"
        findings.notes.append(Problem("", what, "annotate them, or list them as images without objects"))


def _note_twins(images: Sequence[AnnotatedImage], findings: Findings) -> None:
    """Say which identical files the data's own split puts on different sides."""
    first: dict[str, AnnotatedImage] = {}
    for image in images:
        twin = first.setdefault(image.digest, image)
        if twin is image:
            continue
        if twin.split != image.split:
            what = f"the same picture as {twin.path.name}, which is in {twin.split or 'no split'}"
            remedy = "keep it in one split: a model is judged by what it was trained on otherwise"
            findings.problems.append(Problem(f"{image.path.name} ({image.split or 'no split'})", what, remedy))
        else:
            findings.notes.append(Problem(image.path.name, f"the same picture as {twin.path.name}"))
