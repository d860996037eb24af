"""COCO data sets: one ``.json`` file a split with images, annotations and categories.

Boxes are ``[x, y, width, height]`` in pixels from the top left corner, fractions allowed. An image without
annotations is a background image. A crowd box (``iscrowd``) surrounds many objects as one and is left out.
"""

from __future__ import annotations

import json
import mmap
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.dataset import Findings, find_images, list_some, own_split, same_name
from analysis.experiment.pool_records import Box, Listing, Record, to_number

_KEYS = tuple(re.compile(rf'"{key}"\s*:'.encode()) for key in ("images", "annotations", "categories", "bbox"))


@dataclass(slots=True)
class _Images:
    """Where the image files of a data set lie, by relative path and by name."""

    folder: Path
    by_path: dict[str, Path] = field(default_factory=dict)
    by_name: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for path in find_images(self.folder):
            self.by_path[same_name(path.relative_to(self.folder).as_posix())] = path
            self.by_name[same_name(path.name)].append(path)

    def find(self, name: str, beside: Path, split: str) -> list[Path]:
        """The files that an entry may mean: one when it is clear, none, or several."""
        name = same_name(name.replace("\\", "/").removeprefix("./"))
        base = beside.relative_to(self.folder).as_posix() if beside.is_relative_to(self.folder) else "."
        places = [
            base,
            ".",
            f"{base}/images",
            "images",
            f"images/{split}",
            split,
            f"{split}2017",
            f"images/{split}2017",
        ]
        for place in places:
            if found := self.by_path.get(f"{place}/{name}".removeprefix("./")):
                return [found]
        return self.by_name.get(name.rpartition("/")[2], [])


def recognises(folder: Path) -> bool:
    """Whether there is a ``.json`` file with images, annotations, categories and boxes."""
    return bool(_candidates(folder)[0])


def read(folder: Path, findings: Findings) -> Listing:
    """List images and boxes.

    Raises
    ------
    InputError
        A file is no JSON, or its top-level keys do not hold lists.
    """
    files, others = _candidates(folder)
    if not files:
        problem = Problem(relative(folder), "expected a .json file with images, annotations and categories, found none")
        raise InputError("There is no COCO data set.", [problem])
    if others:
        names = list_some(path.name for path in others)
        findings.notes.append(Problem(relative(folder), f"not used, since instances_… hold the boxes: {names}"))
    above = folder.parents[1 if folder.parent.name == "annotations" else 0]
    images = _Images(folder if folder.is_dir() else above)
    classes: list[str] = []
    records: list[Record] = []
    for path in files:
        content = _load(path)
        numbers = _read_categories(content["categories"], relative(path), classes, findings)
        records += _read_file(content, path, numbers, images, findings)
    if not classes:
        raise InputError(f"{relative(files[0])} names no category.")
    return Listing(classes, records, {record.path.parent for record in records})


def _candidates(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of object boxes, and files of other annotations on the same images."""
    if folder.is_file():
        return ([folder], []) if folder.suffix.lower() == ".json" else ([], [])
    depths = ("*.json", "*/*.json", "*/*/*.json")
    files = sorted(path for depth in depths for path in folder.glob(depth) if _holds_boxes(path))
    instances = [path for path in files if path.stem.startswith("instances")]
    return (instances, [path for path in files if path not in instances]) if instances else (files, [])


def _holds_boxes(path: Path) -> bool:
    """Whether a file has COCO's keys; looked up without parsing, since such files can be huge."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return all(key.search(text) for key in _KEYS)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        problem = Problem(f"{relative(path)}{line}", f"no JSON: {getattr(error, 'msg', error)}", "export it again")
        raise InputError("The COCO data set cannot be read.", [problem]) from error
    keys = ("images", "annotations", "categories")
    content = content if isinstance(content, dict) else {}
    problems = [
        Problem(
            f"{relative(path)}: {key}", f"expected a list, got {type(content.get(key)).__name__}", "export it again"
        )
        for key in keys
        if not isinstance(content.get(key), list)
    ]
    if problems:
        raise InputError("The COCO data set cannot be read.", problems)
    return content


def _read_categories(categories: Sequence[Any], source: str, classes: list[str], findings: Findings) -> dict[Any, int]:
    """Category id → position in ``classes``, which grows by what is new; ids need not be without gaps."""
    numbers: dict[Any, int] = {}
    usable = []
    for place, item in enumerate(categories):
        if isinstance(item, dict) and isinstance(item.get("id"), int) and isinstance(item.get("name"), str):
            usable.append((item["id"], item["name"]))
        else:
            what = f"expected a whole number id and a name, got {item!r:.80}"
            findings.problems.append(Problem(f"{source}: categories[{place}]", what, "correct the category"))
    for number, name in sorted(usable):
        if number in numbers:
            what = f"id {number} is given twice, to {classes[numbers[number]]} and {name}; the first is taken"
            findings.problems.append(Problem(f"{source}: categories", what, "give each category its own id"))
            continue
        if name not in classes:
            classes.append(name)
        elif classes.index(name) in numbers.values():
            what = f"the name {name} is given twice; both are taken as one class"
            findings.problems.append(Problem(f"{source}: categories", what, "give each category its own name"))
        numbers[number] = classes.index(name)
    return numbers


def _read_file(
    content: Mapping[str, Any], path: Path, numbers: Mapping[Any, int], images: _Images, findings: Findings
) -> list[Record]:
    """The records of one file."""
    source = relative(path)
    split = own_split(path.stem) or own_split(path.parent.name if path.parent != images.folder else "")
    names = {
        item["id"]: item["file_name"]
        for item in content["images"]
        if isinstance(item, dict) and isinstance(item.get("id"), int | str) and isinstance(item.get("file_name"), str)
    }
    boxes = _read_annotations(content["annotations"], source, numbers, names, findings)
    records = []
    seen: Counter[Any] = Counter()
    for place, item in enumerate(content["images"]):
        where = f"{source}: images[{place}]"
        if (
            not isinstance(item, dict)
            or names.get(item.get("id")) is None
            or not isinstance(item.get("file_name"), str)
        ):
            findings.drop_image(where, f"expected id and file_name, got {item!r:.80}", "correct the entry")
            continue
        key, name = item["id"], item["file_name"]
        seen[key] += 1
        if seen[key] > 1:
            findings.drop_image(f"{where} ({name})", f"id {key} is given twice", "give each image its own id")
            continue
        found = images.find(name, path.parent, split)
        if len(found) != 1:
            what = "there is no such file" if not found else f"{len(found)} files have this name"
            remedy = f"put it under {relative(images.folder)}" if not found else "give its folder in file_name"
            findings.drop_image(f"{where} ({name})", what, remedy, len(boxes.get(key, ())))
            continue
        sides = [to_number(item.get("width")), to_number(item.get("height"))]
        stated = (int(sides[0]), int(sides[1])) if all(side >= 1 for side in sides) else None
        records.append(Record(found[0], source, split, stated, boxes.get(key, [])))
    return records


def _read_annotations(
    annotations: Sequence[Any], source: str, numbers: Mapping[Any, int], names: Mapping[Any, str], findings: Findings
) -> dict[Any, list[Box]]:
    """Image id → boxes; faulty ones are reported."""
    boxes: dict[Any, list[Box]] = defaultdict(list)
    crowds: Counter[str] = Counter()
    for place, item in enumerate(annotations):
        if not isinstance(item, dict):
            findings.drop_box(f"{source}: annotations[{place}]", f"expected an object, got {item!r:.40}", "correct it")
            continue
        mark = f"annotation {item.get('id', f'number {place}')}"
        key, category = item.get("image_id"), item.get("category_id")
        where = f"{source}, {mark} ({_look_up(names, key, 'no image')})"
        if _look_up(names, key, None) is None:
            findings.drop_box(where, f"image_id {key!r} is no image of the file", "add the image, or remove it")
        elif _look_up(numbers, category, None) is None:
            known = list_some(map(str, numbers))
            findings.drop_box(where, f"category_id {category!r} is no category; there are {known}", "add the category")
        elif item.get("iscrowd") in (1, True, "1"):
            findings.dropped_boxes += 1
            crowds[names[key]] += 1
        else:
            raw = item.get("bbox")
            values = [to_number(value) for value in raw] if isinstance(raw, list) else []
            if len(values) != 4 or any(value != value for value in values):
                findings.drop_box(where, f"expected bbox [x, y, width, height], got {raw!r:.60}", "correct the box")
                continue
            x, y, w, h = values
            boxes[key].append((mark, numbers[category], (x, y, x + w, y + h)))
    if crowds:
        what = f"{crowds.total()} crowd box(es) on {len(crowds)} image(s) surround many objects as one; left out"
        findings.notes.append(Problem(source, f"{what}: {list_some(crowds)}", "draw single boxes where they matter"))
    return boxes


def _look_up(table: Mapping[Any, Any], key: Any, otherwise: Any) -> Any:
    """``table.get`` for keys from a file, which may be of any kind, even lists."""
    return table.get(key, otherwise) if isinstance(key, int | str) else otherwise
