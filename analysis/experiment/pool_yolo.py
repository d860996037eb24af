"""YOLO data sets: ``data.yaml`` and a text file of labels for each image.

A row is ``class x y w h`` (centre and size as shares of the image), or ``class x1 y1 x2 y2 x3 y3 …`` (a
polygon or a rotated box), of which the surrounding box is taken. An image without a label file is a
background image, as ultralytics has it. Image and label folders are found by ultralytics' rules.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.dataset import Findings, find_images, list_some
from analysis.experiment.pool_records import Box, Listing, Record, to_number

SPLITS = ("train", "val", "test")

_BEYOND = 0.01
"""How far a share may lie outside 0 to 1 before it is taken for something else; ultralytics' tolerance."""


def recognises(folder: Path) -> bool:
    """Whether there is a ``data.yaml`` or the like, or a ``labels`` folder of text files."""
    return bool(_candidates(folder)) or (
        folder.is_dir() and any(next(labels.rglob("*.txt"), None) for labels in folder.glob("labels"))
    )


def read(folder: Path, findings: Findings) -> Listing:
    """List images and boxes.

    Raises
    ------
    InputError
        The yaml file is missing, ambiguous or names what is not there, or no image has a label file.
    """
    path, content = _load_yaml(folder)
    classes = _read_names(content, path)
    columns = _key_point_columns(content)
    listing = Listing(classes, [], set())
    seen: dict[Path, Record] = {}
    missing: set[Path] = set()
    for split, image in _list_images(content, path, findings):
        listing.folders.add(image.parent)
        if image in seen:  # in a second split, which is remarked on later; its labels are read once
            listing.records.append(replace(seen[image], split=split))
        elif image not in listing.reported:
            record = _read_image(image, split, len(classes), columns, missing, findings)
            if record:
                seen[image] = record
                listing.records.append(record)
            else:
                listing.reported.add(image)
    if not listing.records:
        problem = Problem(relative(path), "expected images under train, val or test, found none", "correct the paths")
        raise InputError(f"{relative(path)} names no usable image.", [problem, *findings.problems])
    unlabelled = missing & seen.keys()
    if len(unlabelled) == len(seen):
        looked = relative(label_path(listing.records[0].path))
        what = f"no image has a label file; looked for {looked} and so on"
        raise InputError(f"{relative(folder)} holds no labels.", [Problem(relative(path), what, "add the labels")])
    if unlabelled:
        names = list_some(sorted(image.name for image in unlabelled))
        what = f"{len(unlabelled)} image(s) have no label file and are taken as background, without objects: {names}"
        findings.notes.append(Problem(relative(path), what, "add the label files where there are objects"))
    _report_orphans(listing, findings)
    return listing


def _list_images(content: dict[str, Any], path: Path, findings: Findings) -> Iterator[tuple[str, Path]]:
    """Split and file of every image that the description names; what is not there is reported."""
    root = _find_root(content, path)
    problems: list[Problem] = []
    found: list[tuple[str, Path]] = []
    for split in SPLITS:
        for entry in _entries(content, split):
            images = _find_split(entry, root, path.parent)
            if images is None:
                problem = Problem(f"{relative(path)}: {split}", f"there is no {entry!r}", "correct the path")
                (findings.notes if split == "test" else problems).append(problem)  # many sets name a test they lack
                continue
            for image in images:
                if image.is_file():
                    found.append((split, image))
                else:
                    where = f"{relative(path)}: {split}, {entry}"
                    findings.drop_image(where, f"there is no image {relative(image)}", "add it, or take it out")
    if problems:
        raise InputError(f"{relative(path)} names images that are not there.", problems)
    yield from found


def label_path(image: Path) -> Path:
    """The label file that belongs to an image: the last folder ``images`` becomes ``labels``.

    >>> label_path(Path("/d/images/train/a.jpg")).as_posix()
    '/d/labels/train/a.txt'
    """
    before, found, after = image.as_posix().rpartition("/images/")
    return Path(f"{before}/labels/{after}" if found else image).with_suffix(".txt")


def _candidates(folder: Path) -> list[Path]:
    """The yaml files in a folder that describe a data set; the file itself where one is given."""
    if folder.is_file():
        files = [folder] if folder.suffix.lower() in (".yaml", ".yml") else []
    else:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".yaml", ".yml"))
    named = [path for path in files if path.stem == "data"]
    return named or [path for path in files if "names" in _peek(path)]


def _peek(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _load_yaml(folder: Path) -> tuple[Path, dict[str, Any]]:
    files = _candidates(folder)
    if len(files) != 1:
        found = f"found {list_some(path.name for path in files)}" if files else "found none"
        remedy = "give the path of the one that is meant" if files else "name the classes and the image folders in it"
        problem = Problem(relative(folder), f"expected one data.yaml with the names of the classes, {found}", remedy)
        raise InputError("The YOLO data set has no description.", [problem])
    try:
        content = yaml.safe_load(files[0].read_text(encoding="utf-8-sig"))
    except yaml.YAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""
        problem = Problem(f"{relative(files[0])}{line}", f"no YAML: {getattr(error, 'problem', error)}", "correct it")
        raise InputError("The YOLO data set cannot be read.", [problem]) from error
    except UnicodeDecodeError as error:
        problem = Problem(relative(files[0]), f"not UTF-8 text at byte {error.start}", "save it as UTF-8")
        raise InputError("The YOLO data set cannot be read.", [problem]) from error
    if not isinstance(content, dict):
        problem = Problem(relative(files[0]), f"expected keys and values, got {type(content).__name__}", "see README")
        raise InputError("The YOLO data set cannot be read.", [problem])
    return files[0], content


def _read_names(content: dict[str, Any], path: Path) -> list[str]:
    """Names of the classes in order; given as a list, or by number."""
    names = content.get("names")
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[number] for number in range(len(names))]
    count = content.get("nc")
    where, remedy = f"{relative(path)}: names", "list the names of all classes, numbered from 0 without a gap"
    if (
        not isinstance(names, list)
        or not names
        or any(isinstance(name, dict | list | None.__class__) for name in names)
    ):
        raise InputError("The classes are not named.", [Problem(where, f"got {names!r:.80}", remedy)])
    names = [str(name) for name in names]
    if isinstance(count, int) and count != len(names):
        raise InputError("The classes are not clear.", [Problem(where, f"{len(names)} names, nc is {count}", remedy)])
    if len(set(names)) < len(names):
        raise InputError("The classes are not clear.", [Problem(where, f"a name is there twice: {names}", remedy)])
    return names


def _find_root(content: dict[str, Any], path: Path) -> Path:
    """The folder that image paths refer to; ``path`` of another machine is passed over."""
    stated = content.get("path")
    if isinstance(stated, str) and stated:
        for root in (Path(stated), path.parent / stated):
            if root.is_absolute() and root.is_dir():
                return root
    return path.parent


def _key_point_columns(content: dict[str, Any]) -> int:
    """Columns of a row with key points, 0 where there are none: its box comes first."""
    shape = content.get("kpt_shape")
    if isinstance(shape, list) and len(shape) == 2 and all(isinstance(number, int) for number in shape):
        return 5 + shape[0] * shape[1]
    return 0


def _entries(content: dict[str, Any], split: str) -> list[str]:
    """Folders or lists of a split; some tools call the second one ``valid``."""
    value = content.get(split) or (content.get("valid") if split == "val" else None)
    if value is None:
        return []
    return [str(entry) for entry in (value if isinstance(value, list) else [value])]


def _find_split(entry: str, root: Path, beside: Path) -> list[Path] | None:
    """Images of one entry of a split: a folder, or a text file that lists them. None where neither is there."""
    trimmed = entry.replace("\\", "/")
    forms = [trimmed, trimmed.removeprefix("../")]  # Roboflow writes ../train/images and means train/images
    for base in dict.fromkeys((root, beside)):
        for form in forms:
            place = Path(os.path.normpath(base / form))
            if place.is_dir():
                return find_images(place)
            if place.is_file():
                return list(_listed_images(place, root))
    return None


def _listed_images(path: Path, root: Path) -> Iterator[Path]:
    for line in path.read_text(encoding="utf-8-sig").splitlines():
        if name := line.strip().replace("\\", "/"):
            yield Path(os.path.normpath((path.parent if name.startswith("./") else root) / name))


def _read_image(
    image: Path, split: str, classes: int, key_points: int, missing: set[Path], findings: Findings
) -> Record | None:
    """One image with the rows of its label file; None where the file cannot be read."""
    path = label_path(image)
    source = relative(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        missing.add(image)
        return Record(image, source, split, None, [], shares=True)
    except (OSError, UnicodeDecodeError) as error:
        findings.drop_image(source, f"the labels cannot be read: {error}", "save the file as UTF-8 text")
        return None
    boxes: list[Box] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            box = _read_row(line.split(), number, f"{source}, line {number}", classes, key_points, findings)
            boxes += [box] if box else []
    return Record(image, source, split, None, boxes, shares=True)


def _read_row(row: list[str], number: int, where: str, classes: int, key_points: int, findings: Findings) -> Box | None:
    """One row as a box in shares of the image, or None where it is faulty."""
    label, *values = map(to_number, row)
    if not (label == label and label == int(label) and 0 <= label < classes):
        what = f"unknown class {row[0]!r}, expected a number from 0 to {classes - 1}"
        findings.drop_box(where, what, "correct the number, or name the class in data.yaml")
        return None
    if key_points and len(row) == key_points:
        values = values[:4]
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if len(values) != 4 and not polygon:
        what = f"{len(row)} columns; expected class x y w h, or class and at least three corners"
        findings.drop_box(where, what, "write one object a line")
        return None
    if any(value != value for value in values):
        findings.drop_box(where, f"expected finite numbers, got {' '.join(row)[:60]!r}", "correct the line")
        return None
    if max(values) > 1 + _BEYOND or min(values) < -_BEYOND:
        worst = max(values, key=lambda value: abs(value - 0.5))
        what = f"{worst:g} is no share of the image's size, 0 to 1" + ("; are these pixels?" if worst > 2 else "")
        findings.drop_box(where, what, "divide by the image's width or height")
        return None
    if polygon:
        xs, ys = values[0::2], values[1::2]
        return number, int(label), (min(xs), min(ys), max(xs), max(ys))
    x, y, w, h = values
    return number, int(label), (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def _report_orphans(listing: Listing, findings: Findings) -> None:
    """Say which label files have no image."""
    expected = {label_path(path) for folder in listing.folders for path in find_images(folder)}
    folders = {label_path(record.path).parent for record in listing.records}
    for folder in sorted(folders):
        for path in sorted(folder.glob("*.txt")):
            if path not in expected and path.name not in ("classes.txt", "notes.txt", "README.txt"):
                rows = sum(bool(line.strip()) for line in path.read_text(errors="replace").splitlines())
                findings.dropped_boxes += rows
                what = f"{rows} label(s) without an image"
                findings.problems.append(Problem(relative(path), what, "add the image, or remove the file"))
