"""Pascal VOC data sets: one ``.xml`` file an image, split lists in ``ImageSets/Main``.

Coordinates are those of the VOC development kit: whole pixels counted from 1, both ends belonging to the
box, so that ``xmin=1, xmax=width`` covers the image; in corners from 0 that is ``xmin - 1`` to ``xmax``.
Tools that count from 0 give themselves away by a 0: where any ``xmin`` or ``ymin`` of a data set is less
than 1, its coordinates are taken as corners as they stand, and a note says so.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.dataset import Findings, find_images, list_some, own_split, same_name
from analysis.experiment.pool_records import Listing, Record, to_number

IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "imgs", "img")
SPLIT_FILES = (("train", "train"), ("val", "val"), ("test", "test"), ("trainval", "train"))

_SIDES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True, slots=True)
class _Object:
    """An ``<object>``: its place in the file, name, and the four numbers as written."""

    mark: str
    name: str
    sides: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class _Annotation:
    path: Path
    image: Path
    split: str
    stated: tuple[int, int] | None
    objects: tuple[_Object, ...]


def recognises(folder: Path) -> bool:
    """Whether there are ``.xml`` files that begin as VOC annotations do."""
    return folder.is_dir() and bool(_annotation_folders(folder))


def read(folder: Path, findings: Findings) -> Listing:
    """List images and boxes. Class names are collected from the objects and sorted.

    Raises
    ------
    InputError
        There is no annotation file, or none that can be read.
    """
    folders = _annotation_folders(folder) if folder.is_dir() else []
    if not folders:
        problem = Problem(relative(folder), "expected Annotations/*.xml, found none")
        raise InputError("There is no Pascal VOC data set.", [problem])
    annotations, image_folders = [], set()
    reported: set[Path] = set()
    tally: Counter[str] = Counter()
    for place in folders:
        images = _find_beside(place, folder)
        image_folders |= {path.parent for path in images.values()}
        splits = _read_splits(place, folder, findings)
        used = set()
        for path in sorted(place.glob("*.xml")):
            found = _read_file(path, images, splits, findings, tally)
            annotations += [found] if found else []
            used |= {images.get(same_name(path.stem)), found.image if found else None}
        _report_unlabelled(images, used, splits, place, findings, reported)
    names = sorted({item.name for annotation in annotations for item in annotation.objects})
    if not names:
        raise InputError(f"{relative(folder)} holds no usable object.", findings.problems)
    shift = _first_pixel(annotations, folder, findings)
    _note_names(names, folder, findings)
    if tally["difficult"]:
        findings.notes.append(Problem(relative(folder), f"{tally['difficult']} object(s) marked difficult are kept"))
    if tally["no size"]:
        what = f"{tally['no size']} annotation(s) state no size; that of the image is taken"
        findings.notes.append(Problem(relative(folder), what))
    records = [_to_record(annotation, names, shift) for annotation in annotations]
    return Listing(names, records, image_folders, reported)


def _annotation_folders(folder: Path) -> list[Path]:
    """Folders under ``folder`` with VOC files, however deep: a data set may hold several."""
    first = {path.parent: path for path in sorted(folder.rglob("*.xml"), reverse=True) if path.is_file()}
    return sorted(parent for parent, path in first.items() if _begins_as_voc(path))


def _begins_as_voc(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<annotation" in file.read(2000)


def _find_beside(place: Path, top: Path) -> dict[str, Path]:
    """Stem and name → image, in the folder of the annotations' images."""
    if place != top:
        top_of_parts = place.parent.parent  # of Annotations/train and the like
        above = [place.parent, top_of_parts / place.name]
        beside = [base / name for base in above for name in IMAGE_FOLDERS]
        beside += [top_of_parts / name / place.name for name in IMAGE_FOLDERS]
    else:  # images lie outside of what was named only where that is Annotations itself
        above = [place.parent] if place.name == "Annotations" else []
        beside = [base / name for base in above for name in IMAGE_FOLDERS]
    for folder in [*beside, place, *above[:1]]:
        images = [path for path in find_images(folder) if path.parent == folder] if folder.is_dir() else []
        if images:
            return {same_name(key): path for path in images for key in (path.name, path.stem)}
    return {}


def _read_splits(place: Path, top: Path, findings: Findings) -> dict[str, str]:
    """Stem → split, from ``ImageSets/Main``; a folder named train, val or test speaks for all its images."""
    lists = place.parent / "ImageSets" / "Main"
    splits: dict[str, str] = {}
    twice: Counter[tuple[str, str]] = Counter()
    for name, split in SPLIT_FILES:
        path = lists / f"{name}.txt"
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8-sig").splitlines():
            if words := line.split():
                stem = same_name(words[0])
                if splits.setdefault(stem, split) != split and name != "trainval":
                    twice[splits[stem], split] += 1
    for (first, second), count in twice.items():
        what = f"{count} image(s) are in {first}.txt and in {second}.txt; they stay in {first}"
        findings.problems.append(Problem(relative(lists), what, "let each image be in one list"))
    named = next((own_split(part) for part in reversed(place.relative_to(top).parts) if own_split(part)), "")
    stems = [same_name(path.stem) for path in place.glob("*.xml")]
    if not splits and named:
        return dict.fromkeys(stems, named)
    if splits and (unlisted := sorted(set(stems) - splits.keys())):
        what = f"{len(unlisted)} image(s) are in no list and are taken to train: {list_some(unlisted)}"
        findings.notes.append(Problem(relative(lists), what, "list them in train.txt, val.txt or test.txt"))
    for stem in sorted(splits.keys() - set(stems)):
        findings.problems.append(Problem(relative(lists), f"{stem} has no file {stem}.xml", "add it, or take it out"))
    return splits


def _read_file(
    path: Path, images: Mapping[str, Path], splits: Mapping[str, str], findings: Findings, tally: Counter[str]
) -> _Annotation | None:
    """One annotation file; None where it or its image is unusable."""
    source = relative(path)
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        findings.drop_image(f"{source}, line {error.position[0]}", f"no XML: {error}", "save the annotation again")
        return None
    stated_name = same_name((root.findtext("filename") or "").strip().replace("\\", "/").rpartition("/")[2])
    image = images.get(same_name(path.stem)) or images.get(stated_name)
    total = len(root.findall("object"))
    if image is None:
        what = f"there is no image {path.stem}" + (f" or {stated_name}" if stated_name else "")
        findings.drop_image(source, what, "add the image, or remove the annotation", total)
        return None
    objects = list(_read_objects(root, source, findings, tally))
    sides = [to_number(root.findtext(f"size/{side}")) for side in ("width", "height")]
    stated = (int(sides[0]), int(sides[1])) if all(side >= 1 for side in sides) else None
    tally["no size"] += stated is None
    return _Annotation(path, image, splits.get(same_name(path.stem), ""), stated, tuple(objects))


def _read_objects(root: ElementTree.Element, source: str, findings: Findings, tally: Counter[str]) -> Iterator[_Object]:
    """The sound objects of a file."""
    for number, item in enumerate(root.findall("object"), start=1):
        name = (item.findtext("name") or "").strip()
        mark = f"object {number}" + (f" ({name})" if name else "")
        where = f"{source}, {mark}"
        if not name:
            findings.drop_box(where, "it has no name", "name its class")
            continue
        sides = tuple(to_number(item.findtext(f"bndbox/{side}")) for side in _SIDES)
        if any(side != side for side in sides):
            got = ", ".join(f"{side} {item.findtext(f'bndbox/{side}')!r}" for side in _SIDES)
            findings.drop_box(where, f"expected four numbers in bndbox, got {got}", "draw the box again")
            continue
        xmin, ymin, xmax, ymax = sides
        if xmax <= xmin or ymax <= ymin:
            what = f"xmin {xmin:g}, ymin {ymin:g}, xmax {xmax:g}, ymax {ymax:g} is a box without area"
            findings.drop_box(where, what, "draw the box again, or remove the object")
            continue
        tally["difficult"] += (item.findtext("difficult") or "").strip() == "1"
        yield _Object(mark, name, (xmin, ymin, xmax, ymax))


def _report_unlabelled(
    images: Mapping[str, Path],
    used: set[Path | None],
    splits: Mapping[str, str],
    place: Path,
    findings: Findings,
    reported: set[Path],
) -> None:
    """Name the images without an annotation: in VOC that means unlabelled, not background."""
    for path in sorted(set(images.values()) - used):
        what = f"it has no annotation {relative(place / path.stem)}.xml"
        findings.drop_image(relative(path), what, "annotate it; without objects if there are none on it")
        reported.add(path)


def _first_pixel(annotations: list[_Annotation], folder: Path, findings: Findings) -> float:
    """1 where coordinates count pixels from 1, 0 where any shows that they do not."""
    lowest = min(min(item.sides[:2]) for annotation in annotations for item in annotation.objects)
    if lowest >= 1:
        return 1.0
    what = f"coordinates begin at {lowest:g}: taken as corners counted from 0, not as pixels counted from 1"
    findings.notes.append(Problem(relative(folder), what))
    return 0.0


def _note_names(names: list[str], folder: Path, findings: Findings) -> None:
    """Say which names differ in capitals only; they stay classes of their own."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    for group in groups.values():
        if len(group) > 1:
            what = f"{' and '.join(group)} are taken as different classes"
            findings.notes.append(Problem(relative(folder), what, "write the name in one way if they are the same"))


def _to_record(annotation: _Annotation, names: list[str], shift: float) -> Record:
    boxes = [
        (item.mark, names.index(item.name), (item.sides[0] - shift, item.sides[1] - shift, *item.sides[2:]))
        for item in annotation.objects
    ]
    return Record(annotation.image, relative(annotation.path), annotation.split, annotation.stated, boxes)
