"""Faults of a delivered batch: false labels that are valid, and annotations that are not; nothing else is touched."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.experiment.batches import read_batch, validate_batch, write_batch
from analysis.experiment.faults import AFFECTED_SHARE, BREAKS, break_schema, mislabel
from analysis.experiment.scenes import Scene

CLASSES = ("dent", "tear", "stain", "open_flap", "loose_tape")


@st.composite
def scenes(draw, size: int = 64):
    counts = draw(st.lists(st.integers(0, 4), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    found = []
    for count in counts:
        low = rng.uniform(0, size - 9, (count, 2))
        wide = rng.uniform(8, 40, (count, 2))
        boxes = np.hstack([low, np.minimum(low + wide, size)])
        image = rng.integers(0, 255, (size, size, 3), dtype=np.uint8)
        found.append(Scene(image, boxes, rng.integers(0, len(CLASSES), count)))
    return found


def labelled(scene: Scene) -> list[tuple]:
    return [(int(c), *np.round(box, 6)) for c, box in zip(scene.classes, scene.boxes, strict=True)]


@given(batch=scenes(), variant=st.integers(0, 9), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_every_object_is_falsely_labelled_and_every_label_is_valid(batch, variant, seed):
    wrong = mislabel(batch, len(CLASSES), 1.0, variant, np.random.default_rng(seed))
    for before, after in zip(batch, wrong, strict=True):
        assert after.image is before.image
        for old, new in zip(labelled(before), labelled(after), strict=True):
            assert old != new
            assert 0 <= new[0] < len(CLASSES)
            x1, y1, x2, y2 = new[1:]
            assert 0 <= x1 < x2 <= 64
            assert 0 <= y1 < y2 <= 64


@given(batch=scenes(), variant=st.integers(0, 9), share=st.floats(0, 1), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_the_batch_that_is_mislabelled_stays_as_it_was_and_the_same_seed_spoils_the_same(batch, variant, share, seed):
    before = [labelled(scene) for scene in batch]
    first = mislabel(batch, len(CLASSES), share, variant, np.random.default_rng(seed))
    again = mislabel(batch, len(CLASSES), share, variant, np.random.default_rng(seed))
    assert [labelled(scene) for scene in batch] == before
    assert [labelled(scene) for scene in first] == [labelled(scene) for scene in again]
    if share == 0:
        assert [labelled(scene) for scene in first] == before


def test_the_share_is_that_of_the_objects():
    rng = np.random.default_rng(0)
    image = np.zeros((64, 64, 3), np.uint8)
    batch = [Scene(image, np.array([[8.0, 8, 16, 16]] * 4), np.array([0, 1, 2, 3])) for _ in range(500)]
    wrong = mislabel(batch, len(CLASSES), 0.7, 0, rng)
    changed = np.mean(
        [a != b for x, y in zip(batch, wrong, strict=True) for a, b in zip(labelled(x), labelled(y), strict=True)]
    )
    assert abs(changed - 0.7) < 0.045  # 2,000 objects: four standard errors


def test_variants_spoil_differently():
    image = np.zeros((64, 64, 3), np.uint8)
    batch = [Scene(image, np.array([[8.0, 8, 16, 16]]), np.array([4]))]
    found = {tuple(labelled(mislabel(batch, 5, 1.0, v, np.random.default_rng(0))[0])) for v in range(2)}
    assert len(found) == 2


def batch_folder(tmp_path, count=10):
    rng = np.random.default_rng(3)
    found = []
    for number in range(count):
        image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        objects = number % 3  # every third image has none
        boxes = np.array([[4.0, 6, 20, 22], [30.0, 20, 50, 40]])[:objects]
        found.append(Scene(image, boxes, np.arange(objects)))
    return write_batch(tmp_path / "batch", found, CLASSES, "x")


@pytest.mark.parametrize("variant", range(len(BREAKS)))
def test_validation_sees_every_way_of_breaking_the_schema(tmp_path, variant):
    folder = batch_folder(tmp_path)
    assert not [problem for problem in validate_batch(folder, CLASSES) if "note" not in str(problem).lower()]
    break_schema(folder / "annotations.json", variant, np.random.default_rng(0))
    assert validate_batch(folder, CLASSES)


@pytest.mark.parametrize("variant", range(2 * len(BREAKS)))
def test_a_share_of_the_images_with_objects_is_broken_and_the_pictures_stay(tmp_path, variant):
    folder = batch_folder(tmp_path)
    before = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))["images"]
    pictures = {path.name: path.read_bytes() for path in (folder / "images").iterdir()}
    break_schema(folder / "annotations.json", variant, np.random.default_rng(1))
    after = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))["images"]
    changed = [old["file"] for old, new in zip(before, after, strict=True) if old != new]
    with_objects = [item["file"] for item in before if item["objects"]]
    assert set(changed) <= set(with_objects)
    assert len(changed) == max(1, round(AFFECTED_SHARE * len(with_objects)))
    assert {path.name: path.read_bytes() for path in (folder / "images").iterdir()} == pictures


def test_the_same_seed_breaks_the_same(tmp_path):
    folder = batch_folder(tmp_path)
    path = folder / "annotations.json"
    content, found = path.read_bytes(), set()
    for _ in range(2):
        path.write_bytes(content)
        break_schema(path, 1, np.random.default_rng(4))
        found.add(path.read_bytes())
    assert len(found) == 1


def test_a_batch_without_objects_is_left_as_it_is(tmp_path):
    scenes = [Scene(np.zeros((32, 32, 3), np.uint8), np.zeros((0, 4)), np.zeros(0, np.int64))]
    folder = write_batch(tmp_path / "batch", scenes, CLASSES, "x")
    before = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    break_schema(folder / "annotations.json", 0, np.random.default_rng(0))
    assert json.loads((folder / "annotations.json").read_text(encoding="utf-8")) == before
    assert len(read_batch(folder)) == 1
