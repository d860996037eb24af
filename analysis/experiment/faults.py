"""What can be wrong with a delivered batch: labels that are valid and false, or annotations that break the schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.base.paths import write_atomic
from analysis.experiment.scenes import Scene

AFFECTED_SHARE = 0.3
"""Of the images of a broken batch, how many have annotations that break the schema."""


def mislabel(
    scenes: Sequence[Scene], classes: int, share: float, variant: int, rng: np.random.Generator
) -> list[Scene]:
    """Scenes whose labels are false for ``share`` of the objects: valid values, wrong meaning.

    An annotator works with another list of classes: each class is called by the name of the next, or of the next
    but one, by ``variant``.
    """
    step = 1 + variant % 2
    wrong = []
    for scene in scenes:
        chosen = rng.random(len(scene.classes)) < share
        wrong.append(replace(scene, classes=np.where(chosen, (scene.classes + step) % classes, scene.classes)))
    return wrong


def _rename(entry: dict[str, Any]) -> None:
    for item in entry["objects"]:
        item["defect"] = item["defect"].upper()


def _in_shares(entry: dict[str, Any]) -> None:
    for item in entry["objects"]:
        item["x"], item["w"] = item["x"] * 100 / entry["width"], item["w"] * 1000 / entry["width"]
        item["y"], item["h"] = item["y"] * 100 / entry["height"], item["h"] * 1000 / entry["height"]


def _drop_field(entry: dict[str, Any]) -> None:
    for item in entry["objects"]:
        item["width"] = item.pop("w")


BREAKS: tuple[Callable[[dict[str, Any]], None], ...] = (_rename, _in_shares, _drop_field)
"""Ways to break the schema: names in capitals, another unit, a field of another name."""


def break_schema(path: Path, variant: int, rng: np.random.Generator) -> None:
    """Break the annotations of some images of the file at ``path``, in one of the ways of `BREAKS`."""
    content = json.loads(path.read_text(encoding="utf-8"))
    with_objects = [entry for entry in content["images"] if entry["objects"]]
    count = max(1, round(AFFECTED_SHARE * len(with_objects))) if with_objects else 0
    for place in rng.permutation(len(with_objects))[:count]:
        BREAKS[variant % len(BREAKS)](with_objects[place])
    write_atomic(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")
