"""The training set: what the project's conversion says is written as it says it, and the parting holds."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.batches import batch_digest, write_batch
from analysis.experiment.scenes import Scene
from analysis.experiment.training_set import TrainingSetError, write_training_set

CLASSES = ("dent", "tear")


def to_yolo(objects, width, height):
    return [
        (
            CLASSES.index(item["defect"]),
            (item["x"] + item["w"] / 2) / width,
            (item["y"] + item["h"] / 2) / height,
            item["w"] / width,
            item["h"] / height,
        )
        for item in objects
    ]


def make_batch(folder, count, first=0):
    scenes = []
    for number in range(first, first + count):
        image = np.full((40, 80, 3), 20, dtype=np.uint8)
        cv2.putText(image, str(number), (2, 30), cv2.FONT_HERSHEY_PLAIN, 1.5, (255, 255, 255))
        scenes.append(Scene(image, np.array([[10.0, 5, 30, 15]]), np.array([number % 2])))
    return write_batch(folder, scenes, CLASSES, "p")


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    return [make_batch(folder / str(number), 20, 20 * number) for number in range(3)]


def names(folder, part):
    return sorted(path.name for path in (folder / "images" / part).iterdir())


def test_labels_and_images_lie_where_ultralytics_looks(tmp_path, batches):
    path = write_training_set(tmp_path / "set", batches, to_yolo, CLASSES, 0.2, seed=1)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert content == {"train": "images/train", "val": "images/val", "names": {0: "dent", 1: "tear"}}
    train, val = names(path.parent, "train"), names(path.parent, "val")
    assert (len(train), len(val)) == (48, 12)
    for part, images in (("train", train), ("val", val)):
        labels = sorted(item.stem for item in (path.parent / "labels" / part).iterdir())
        assert labels == [name.removesuffix(".jpg") for name in images]
    for name, part in [(train[0], "train"), (val[-1], "val")]:
        _, number, index = (
            name.removesuffix(".jpg").replace("b", "").replace("_p", "").replace("-", " -").partition("-")
        )
        label = (path.parent / "labels" / part / name.replace(".jpg", ".txt")).read_text()
        assert label == f"{int(index) % 2} 0.250000 0.250000 0.250000 0.250000\n"
        assert number == "-"
        source = batches[int(name[1:4])] / "images" / name[5:]
        assert (path.parent / "images" / part / name).read_bytes() == source.read_bytes()


def test_same_inputs_same_bytes_and_another_seed_another_parting(tmp_path, batches):
    folders = [
        write_training_set(tmp_path / name, batches, to_yolo, CLASSES, 0.25, seed=seed, limit=30).parent
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert batch_digest(folders[0]) == batch_digest(folders[1])
    assert names(folders[0], "val") != names(folders[2], "val")


def test_a_wrong_conversion_is_taken_at_its_word(tmp_path, batches):
    def wrong(objects, width, height):
        return [(9, 1.7, -0.25, float("nan"), item["w"]) for item in objects]

    path = write_training_set(tmp_path / "set", batches[:1], wrong, CLASSES, 0.2, seed=1)
    labels = {item.read_text() for item in (path.parent / "labels").rglob("*.txt")}
    assert labels == {"9 1.700000 -0.250000 nan 20.000000\n"}


def test_a_conversion_that_fails_names_every_image(tmp_path, batches):
    def failing(objects, width, height):
        raise KeyError("defect")

    with pytest.raises(TrainingSetError) as caught:
        write_training_set(tmp_path / "set", batches, failing, CLASSES, 0.2, seed=1)
    assert len(caught.value.problems) == 20
    assert "images[0]: the conversion failed: KeyError: 'defect'" in str(caught.value.problems[0])
    assert not (tmp_path / "set").exists()


def test_a_batch_that_breaks_its_schema_fails_here_at_the_latest(tmp_path):
    batch = make_batch(tmp_path / "b", 4)
    content = json.loads((batch / "annotations.json").read_text())
    del content["images"][2]["objects"]
    (batch / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(TrainingSetError, match=r"images\[2\]: the conversion failed: KeyError"):
        write_training_set(tmp_path / "set", [batch], to_yolo, CLASSES, 0.5, seed=1)
    (batch / "annotations.json").write_text('{"images": 3}')
    with pytest.raises(TrainingSetError, match="expected a list of images, got int"):
        write_training_set(tmp_path / "set", [batch], to_yolo, CLASSES, 0.5, seed=1)


def test_the_newest_batch_comes_first_and_older_ones_fill_the_room(tmp_path, batches):
    path = write_training_set(tmp_path / "set", batches, to_yolo, CLASSES, 0.2, seed=1, limit=30)
    chosen = names(path.parent, "train") + names(path.parent, "val")
    origin = [name[:4] for name in chosen]
    assert len(chosen) == 30 and origin.count("b002") == 20
    assert origin.count("b000") > 0 and origin.count("b001") > 0
    path = write_training_set(tmp_path / "few", batches, to_yolo, CLASSES, 0.2, seed=1, limit=7)
    assert {name[:4] for name in names(path.parent, "train")} == {"b002"}


def test_identical_pictures_stay_on_one_side(tmp_path, batches):
    path = write_training_set(tmp_path / "set", [batches[0]] * 3, to_yolo, CLASSES, 0.3, seed=4)
    sides = {part: {name[5:] for name in names(path.parent, part)} for part in ("train", "val")}
    assert sides["train"] & sides["val"] == set()
    assert len(names(path.parent, "val")) == 3 * len(sides["val"]) == 18


def test_most_images_stay_on_their_side_when_a_batch_is_added(tmp_path, batches):
    before = write_training_set(tmp_path / "a", batches[:2], to_yolo, CLASSES, 0.2, seed=1)
    after = write_training_set(tmp_path / "b", batches, to_yolo, CLASSES, 0.2, seed=1)
    moved = set(names(before.parent, "train")) & set(names(after.parent, "val"))
    assert len(moved) <= 3


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32), limit=st.integers(2, 70))
def test_train_and_val_are_disjoint_complete_and_never_empty(tmp_path_factory, batches, share, seed, limit):
    folder = tmp_path_factory.mktemp("sets") / "set"
    write_training_set(folder, batches, to_yolo, CLASSES, share, seed, limit)
    train, val = names(folder, "train"), names(folder, "val")
    total = min(limit, 60)
    assert len(train) + len(val) == total and not set(train) & set(val)
    assert min(len(train), len(val)) >= 1
    assert abs(len(val) - share * total) <= 1


def test_what_cannot_be_written_is_said_at_once(tmp_path, batches):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(InputError) as caught:
        write_training_set(tmp_path / "full", [], to_yolo, CLASSES, 1.0, seed=1, limit=-1)
    assert [problem.where for problem in caught.value.problems[:3]] == ["holdout_share", "batches", "limit"]
    assert len(caught.value.problems) == 4
    one = make_batch(tmp_path / "one", 1)
    with pytest.raises(TrainingSetError, match="at least 2 different ones"):
        write_training_set(tmp_path / "set", [one], to_yolo, CLASSES, 0.2, seed=1)
