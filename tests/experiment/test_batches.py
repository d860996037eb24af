"""Batches: what is written is read back, and every seeded fault is found and named."""

from __future__ import annotations

import json
import math
import shutil
import time

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.batches import batch_digest, read_batch, review_batch, validate_batch, write_batch
from analysis.experiment.dataset import read_image
from analysis.experiment.scenes import Scene

CLASSES = ("dent", "tear", "stain")


def draw_scenes(count: int, size: int = 48, seed: int = 1) -> list[Scene]:
    """Grey pictures with coloured rectangles; every picture its own."""
    rng = np.random.default_rng(seed)
    scenes = []
    for number in range(count):
        image = rng.integers(90, 150, (size, size, 3), dtype=np.uint8)
        corner = rng.uniform(1, size / 2, (number % 3, 2))
        boxes = np.hstack([corner, corner + rng.uniform(4, size / 2 - 2, corner.shape)])
        classes = rng.integers(0, len(CLASSES), len(boxes))
        for box, label in zip(np.round(boxes).astype(int).tolist(), classes.tolist(), strict=True):
            cv2.rectangle(image, box[:2], box[2:], ((0, 0, 220), (0, 220, 0), (220, 0, 0))[label], -1)
        scenes.append(Scene(image, boxes, classes))
    return scenes


@pytest.fixture
def batch(tmp_path):
    return write_batch(tmp_path / "batch", draw_scenes(6), CLASSES, "p")


def change(batch, edit) -> None:
    path = batch / "annotations.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


@st.composite
def scene_lists(draw):
    """Scenes with any sound boxes: inside the image, at least a pixel wide and high, none twice."""
    scenes = []
    for number in range(draw(st.integers(1, 4))):
        width, height = draw(st.integers(12, 60)), draw(st.integers(12, 60))
        boxes, labels, seen = [], [], set()
        for _ in range(draw(st.integers(0, 4))):
            x1, y1 = draw(st.floats(0, width - 2)), draw(st.floats(0, height - 2))
            x2, y2 = draw(st.floats(x1 + 1.01, width)), draw(st.floats(y1 + 1.01, height))
            label = draw(st.integers(0, len(CLASSES) - 1))
            key = (label, *(round(value, 3) for value in (x1, y1, x2, y2)))
            if key not in seen:
                seen.add(key)
                boxes.append([x1, y1, x2, y2])
                labels.append(label)
        image = np.full((height, width, 3), 40 + 37 * number, dtype=np.uint8)
        scenes.append(Scene(image, np.array(boxes).reshape(-1, 4), np.array(labels, dtype=np.int64)))
    return scenes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes=scene_lists())
def test_what_is_written_is_valid_and_is_read_back(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("batches") / "b"
    write_batch(folder, scenes, CLASSES, "bild")
    twins = len({(scene.image.shape, int(scene.image[0, 0, 0])) for scene in scenes}) < len(scenes)
    assert twins or validate_batch(folder, CLASSES) == []
    images = read_batch(folder)
    assert len(images) == len(scenes)
    for image, scene in zip(images, scenes, strict=True):
        assert (image.height, image.width) == scene.image.shape[:2]
        assert image.classes.tolist() == scene.classes.tolist()
        np.testing.assert_allclose(image.boxes, scene.boxes, atol=0.0006)
        assert np.abs(read_image(image.path).astype(int) - scene.image).max() <= 4  # JPEG of a plain image


def test_same_scenes_give_the_same_bytes_and_digest_wherever_the_folder_lies(tmp_path):
    first = write_batch(tmp_path / "a" / "b", draw_scenes(4), CLASSES, "p")
    second = write_batch(tmp_path / "c", draw_scenes(4), CLASSES, "p")
    assert batch_digest(first) == batch_digest(second)
    (second / "images" / "p-00001.jpg").rename(second / "images" / "q-00001.jpg")
    assert batch_digest(first) != batch_digest(second)
    with pytest.raises(InputError, match="no batch"):
        batch_digest(tmp_path / "none")


def test_nothing_is_left_of_a_batch_that_cannot_be_written(tmp_path):
    scene = draw_scenes(3)[1]
    with pytest.raises(InputError, match="class 7 has no name"):
        write_batch(tmp_path / "b", [Scene(scene.image, scene.boxes, scene.classes * 0 + 7)], CLASSES, "p")
    with pytest.raises(ValueError, match="zip"):
        write_batch(tmp_path / "b", [Scene(scene.image, scene.boxes, scene.classes[:0])], CLASSES, "p")
    assert list(tmp_path.iterdir()) == []
    write_batch(tmp_path / "b", [scene], CLASSES, "p")
    with pytest.raises(InputError, match="holds something already"):
        write_batch(tmp_path / "b", [scene], CLASSES, "p")


def first_box(content):
    return next(entry["objects"][0] for entry in content["images"] if entry["objects"])


FAULTS = {
    "unknown class": (
        lambda c: first_box(c).update(defect="rust"),
        "unknown class 'rust'",
        "expected dent, stain, tear",
    ),
    "renamed key": (
        lambda c: first_box(c).update(label=first_box(c).pop("defect")),
        "'defect' must be text, it is missing",
        "",
    ),
    "text": (lambda c: first_box(c).update(x="12"), "expected numbers of pixels, got x = '12'", "in pixels"),
    "missing side": (lambda c: first_box(c).pop("w"), "w = 'missing'", ""),
    "null": (lambda c: first_box(c).update(h=None), "h = None", ""),
    "truth": (lambda c: first_box(c).update(y=True), "y = True", ""),
    "not a number": (lambda c: first_box(c).update(y=math.nan), "y = nan", ""),
    "infinite": (lambda c: first_box(c).update(w=math.inf), "w = inf", ""),
    "huge": (lambda c: first_box(c).update(w=10**400), "expected numbers of pixels", ""),
    "negative": (lambda c: first_box(c).update(w=-3), "box without area", "draw the box again"),
    "no area": (lambda c: first_box(c).update(h=0), "box without area", ""),
    "outside": (lambda c: first_box(c).update(x=47, w=9), "reaches beyond the image of 48 × 48", "inside the image"),
    "left of it": (lambda c: first_box(c).update(x=-2), "reaches beyond", ""),
    "size": (lambda c: c["images"][0].update(width=64), "stated size 64 × 48, the image has 48 × 48", ""),
    "size as text": (lambda c: c["images"][0].update(width="48"), "'width' must be a whole number, got '48'", ""),
    "no size": (lambda c: c["images"][0].update(width=0, height=0), "impossible size 0 × 0", ""),
    "no objects": (lambda c: c["images"][0].pop("objects"), "'objects' must be a list, it is missing", ""),
    "object": (lambda c: c["images"][1]["objects"].append("dent"), "expected an object, got str", ""),
    "entry": (lambda c: c["images"].append(3), "images[6]: expected an object, got int", ""),
    "no file": (lambda c: c["images"][0].pop("file"), "'file' must be text", ""),
    "twice": (lambda c: c["images"].append(c["images"][0]), "p-00000.jpg is listed twice", ""),
    "marked twice": (lambda c: c["images"][1]["objects"].append(first_box(c)), "is marked twice", "remove one"),
    "elsewhere": (lambda c: c["images"][0].update(file="../annotations.json"), "there is no image", ""),
    "no images": (lambda c: c.update(images=[]), "expected a list of images, got none", "list every image"),
    "images": (lambda c: c.update(images={"a": 1}), "expected a list of images, got dict", ""),
    "classes": (lambda c: c.update(classes="dent"), "expected a list of names, got 'dent'", ""),
    "class twice": (lambda c: c["classes"].append("dent"), "'dent' is listed 2 times", ""),
    "new class": (lambda c: c["classes"].append("rust"), "unknown class 'rust'", ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_in_the_annotations_is_found(batch, name):
    edit, message, remedy = FAULTS[name]
    assert validate_batch(batch, CLASSES) == []
    change(batch, edit)
    problems = validate_batch(batch, CLASSES)
    found = [problem for problem in problems if message in str(problem)]
    assert len(found) == 1, problems
    assert found[0].where.startswith("annotations.json: ")
    assert remedy in found[0].remedy and found[0].remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: no JSON"),
        (b'{"classes": [],\n "images": [}', "line 2: no JSON"),
        (b"[]", "expected an object, got list"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"[" * 100_000, "nested"),
        (None, "No such file"),
    ],
)
def test_unusable_annotations_are_one_problem(batch, content, message):
    path = batch / "annotations.json"
    path.unlink() if content is None else path.write_bytes(content)
    (problem,) = validate_batch(batch, CLASSES)
    assert message in str(problem) and "annotations.json" in problem.where
    with pytest.raises(InputError, match="no usable annotations"):
        read_batch(batch)


def test_each_fault_in_the_images_is_found_and_all_of_them_at_once(batch):
    images = batch / "images"
    data = (images / "p-00000.jpg").read_bytes()
    (images / "p-00000.jpg").write_bytes(data[: len(data) // 2])
    (images / "p-00001.jpg").write_bytes(b"")
    (images / "p-00002.jpg").unlink()
    shutil.copyfile(images / "p-00004.jpg", images / "p-00003.jpg")
    (images / "p-00005.jpg").write_text("no image")
    (images / "extra.jpg").write_bytes(data)
    problems = {
        problem.where.rpartition("(")[2].rstrip(")"): problem.what for problem in validate_batch(batch, CLASSES)
    }
    assert problems == {
        "p-00000.jpg": f"cannot be decoded ({len(data) // 2:,} bytes): damaged, cut off or no image",
        "p-00001.jpg": "cannot be decoded (0 bytes): damaged, cut off or no image",
        "p-00002.jpg": "there is no image images/p-00002.jpg",
        "p-00004.jpg": "the same picture as p-00003.jpg",
        "p-00005.jpg": "cannot be decoded (8 bytes): damaged, cut off or no image",
        "images/extra.jpg": "not listed in annotations.json",
    }


def test_every_violation_is_listed(batch):
    def spoil(content):
        for entry in content["images"]:
            for item in entry["objects"]:
                item["defect"] = "rust"
                item["w"] = -1

    count = sum(len(image.classes) for image in read_batch(batch))
    change(batch, spoil)
    assert len(validate_batch(batch, CLASSES)) == 2 * count
    with pytest.raises(InputError) as caught:
        read_batch(batch)
    assert len(caught.value.problems) == 2 * count


def test_wrong_labels_of_the_right_form_are_not_found(batch):
    """Nothing in such a batch breaks a rule: only a model trained on it shows it."""
    swap = dict(zip(CLASSES, CLASSES[1:] + CLASSES[:1], strict=True))
    change(batch, lambda c: [item.update(defect=swap[item["defect"]]) for e in c["images"] for item in e["objects"]])
    assert validate_batch(batch, CLASSES) == []


def test_an_odd_distribution_of_labels_is_a_note_and_no_violation(tmp_path):
    scenes = [Scene(scene.image, scene.boxes, scene.classes * 0) for scene in draw_scenes(4)]
    folder = write_batch(tmp_path / "b", [*scenes, *draw_scenes(30, seed=2)[::3]], CLASSES, "p")
    review = review_batch(folder, CLASSES)
    notes = " ".join(note.what for note in review.notes)
    assert review.problems == [] and review.images == 14
    assert review.objects == {"dent": 3}
    assert "no object of class tear, stain" in notes
    assert "12 of 14 images hold no object" in notes
    assert "3 of 3 objects are of class dent" in notes


def test_validation_keeps_pace_with_a_thousand_images_a_second(tmp_path):
    folder = write_batch(tmp_path / "b", draw_scenes(300, size=96), CLASSES, "p")
    seconds = []
    for _ in range(3):
        start = time.process_time()  # of this process alone: what else the machine does is not counted
        assert validate_batch(folder, CLASSES) == []
        seconds.append(time.process_time() - start)
    assert 300 / min(seconds) > 1000
