"""From batches to the folder that ultralytics trains on: the project's own labels, images in train and val.

The conversion of a batch's boxes to YOLO labels is the project's code and may be wrong. It is taken at its
word: whatever it returns is written, and ultralytics leaves out what it cannot use, as in any project.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.base.errors import InputError, Problem, WorkbenchError
from analysis.base.paths import disk_errors, relative, write_atomic
from analysis.experiment.batch_schema import ANNOTATIONS, IMAGES
from analysis.experiment.batches import load_annotations

DATA_YAML = "data.yaml"

ToYolo = Callable[[list[dict[str, Any]], int, int], Iterable[tuple[int, float, float, float, float]]]
"""``(objects, width, height)`` → class, centre x, centre y, width, height as shares of the image."""


class TrainingSetError(WorkbenchError):
    """Batches that the project's own conversion cannot turn into a training set."""


@dataclass(frozen=True, slots=True)
class _Item:
    """An image on its way into the training set."""

    source: Path
    name: str
    rows: tuple[str, ...]
    digest: str


def write_training_set(
    folder: Path,
    batches: Sequence[Path],
    to_yolo: ToYolo,
    classes: Sequence[str],
    holdout_share: float,
    seed: int,
    limit: int = 0,
) -> Path:
    """Write images and labels of some batches as an ultralytics data set.

    Same batches, conversion and seed give the same files, byte for byte. Files with identical content
    all go to train or all to val. The folder may be moved: ``data.yaml`` holds no absolute path.

    Parameters
    ----------
    folder : Path
        Must not exist or be empty.
    batches : sequence of Path
        Batch folders, in the order in which they came.
    to_yolo : callable
        The project's conversion; see `ToYolo`.
    classes : sequence of str
    holdout_share : float
        Share of the images that ultralytics validates on, between 0 and 1; at least one image.
    seed : int
    limit : int
        At most so many images, 0 for all. The newest batch comes first, and what room it leaves is
        filled with a random sample of the older ones, so that a fine-tuned model does not forget them.

    Returns
    -------
    Path
        ``folder/data.yaml``

    Raises
    ------
    InputError
        A parameter is out of range, or the folder holds something.
    TrainingSetError
        The conversion failed on some images, or fewer than two images are left. All are named.
    """
    faults = []
    if not 0 < holdout_share < 1:
        faults.append(Problem("holdout_share", f"expected more than 0 and less than 1, got {holdout_share}"))
    if not batches:
        faults.append(Problem("batches", "none given", "give at least one"))
    if limit < 0:
        faults.append(Problem("limit", f"expected 0 for all images or a number, got {limit}"))
    if folder.exists() and any(folder.iterdir()):
        faults.append(Problem(relative(folder), "the folder holds something already", "name a new folder"))
    if faults:
        raise InputError("The training set is not written.", faults)
    converted = [_convert_batch(number, batch, to_yolo) for number, batch in enumerate(batches)]
    items = _limit_items(converted, limit, seed)
    held = _hold_out(items, holdout_share, seed)
    with disk_errors(folder.parent):
        for part in ("train", "val"):
            (folder / "images" / part).mkdir(parents=True)
            (folder / "labels" / part).mkdir(parents=True)
        for item in items:
            part = "val" if item.digest in held else "train"
            shutil.copyfile(item.source, folder / "images" / part / item.name)  # ultralytics may rewrite images
            label = folder / "labels" / part / f"{Path(item.name).stem}.txt"
            label.write_text("".join(f"{row}\n" for row in item.rows), encoding="utf-8")
    content = {"train": "images/train", "val": "images/val", "names": dict(enumerate(classes))}
    return write_atomic(folder / DATA_YAML, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _convert_batch(number: int, folder: Path, to_yolo: ToYolo) -> list[_Item]:
    """All images of a batch with their labels as the project's conversion makes them."""
    content = load_annotations(folder)
    entries = content.get("images")
    if not isinstance(entries, list):
        raise TrainingSetError(
            f"The batch {relative(folder)} cannot be trained on.",
            [Problem(ANNOTATIONS, f"expected a list of images, got {type(entries).__name__}")],
        )
    items, problems = [], []
    for place, entry in enumerate(entries):
        where = f"{relative(folder / ANNOTATIONS)}: images[{place}]"
        try:
            name = str(entry["file"])
            rows = tuple(_write_row(row) for row in to_yolo(entry["objects"], entry["width"], entry["height"]))
        except Exception as error:  # the project's code, or a batch that breaks its schema: anything may be raised
            problems.append(Problem(where, f"the conversion failed: {type(error).__name__}: {error}"))
            continue
        source = folder / IMAGES / name
        if not source.is_file() or source.parent != folder / IMAGES:
            continue  # no such picture: there is nothing that a label file could belong to
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        items.append(_Item(source, f"b{number:03d}_{name}", rows, digest))
    if problems:
        raise TrainingSetError(f"The batch {relative(folder)} cannot be trained on.", problems)
    return items


def _write_row(row: Sequence[float]) -> str:
    label, *values = row
    return " ".join([str(int(label)), *(f"{float(value):.6f}" for value in values)])


def _limit_items(batches: list[list[_Item]], limit: int, seed: int) -> list[_Item]:
    """At most ``limit`` images: the newest batch, then a sample of the older ones; in order of their names."""
    newest, older = batches[-1], [item for batch in batches[:-1] for item in batch]
    items = older + newest
    if limit and len(items) > limit:
        rng = np.random.default_rng(seed)
        items = _sample(newest, limit, rng)
        items += _sample(older, limit - len(items), rng)
    if len({item.digest for item in items}) < 2:
        raise TrainingSetError(
            "There is no training set.",
            [Problem("batches", f"{len(items)} usable image(s), at least 2 different ones are needed")],
        )
    return sorted(items, key=lambda item: item.name)


def _sample(items: list[_Item], size: int, rng: np.random.Generator) -> list[_Item]:
    if len(items) <= size:
        return list(items)
    return [items[place] for place in rng.choice(len(items), size=size, replace=False).tolist()]


def _hold_out(items: Sequence[_Item], share: float, seed: int) -> frozenset[str]:
    """Digests of the images to validate on.

    Images are ranked by a hash of their content, not drawn by position: when a batch is added, nearly all
    images stay on the side where they were, so that a fine-tuned model is validated on what it has not seen.
    """

    def rank(digest: str) -> bytes:
        return hashlib.sha256(f"{seed}|{digest}".encode()).digest()

    ranked = sorted({item.digest for item in items}, key=rank)
    return frozenset(ranked[: min(max(round(share * len(ranked)), 1), len(ranked) - 1)])
