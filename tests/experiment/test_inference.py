"""A package's own code run in this process: imported for a while, its failures counted, its findings kept exactly."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.experiment.inference import from_answers, inspect_all, pack_detections, project_module, unpack_detections
from analysis.experiment.scenes import Detections

FINDER = """
import numpy as np

from .version import VERSION


class Inspector:
    def __init__(self, session, settings):
        self.session = session
        self.settings = settings

    def find(self, image):
        if image.mean() < 10:
            raise RuntimeError("too dark for " + VERSION)
        if image.mean() > 240:
            return [], [], []
        height, width = image.shape[:2]
        return [[0, 0, width, height]], [1], [float(image.mean()) / 255]
"""


def images(*greys):
    return [np.full((32, 48, 3), grey, np.uint8) for grey in greys]


def test_images_on_which_the_code_fails_count_and_have_no_detections(make_package):
    found, errors = inspect_all(make_package("a", FINDER), images(100, 0, 250, 5, 200))
    assert errors == 2
    assert [len(item.classes) for item in found] == [1, 0, 0, 0, 1]
    assert found[0].boxes.tolist() == [[0, 0, 48, 32]]
    assert found[0].classes.tolist() == [1]
    assert found[4].confidences.tolist() == pytest.approx([200 / 255])
    assert all(item.boxes.shape == (len(item.classes), 4) for item in found)


def test_the_projects_module_is_gone_afterwards_and_the_next_one_is_another(make_package):
    before = set(sys.modules)
    for version in ("b", "c"):
        with project_module(make_package(version, FINDER), "version") as module:
            assert version == module.VERSION
    assert {name for name in set(sys.modules) - before if "project" in name} == set()
    with pytest.raises(ZeroDivisionError), project_module(make_package("d", FINDER), "version"):
        raise ZeroDivisionError
    assert {name for name in set(sys.modules) - before if "project" in name} == set()


def test_reading_the_code_writes_nothing_beside_it(make_package):
    folder = make_package("e", FINDER)
    before = sorted(folder.rglob("*"))
    inspect_all(folder, images(100))
    assert sorted(folder.rglob("*")) == before


def test_answers_of_the_server_become_detections():
    answers = [
        [],
        [
            {"defect": "tear", "confidence": 0.5, "box": [1, 2, 3, 4]},
            {"defect": "dent", "confidence": 0.25, "box": [0, 0, 9, 9]},
        ],
    ]
    none, two = from_answers(answers, ("dent", "tear"))
    assert none.boxes.shape == (0, 4)
    assert none.classes.tolist() == none.confidences.tolist() == []
    assert two.boxes.tolist() == [[1, 2, 3, 4], [0, 0, 9, 9]]
    assert two.classes.tolist() == [1, 0]
    assert two.confidences.tolist() == [0.5, 0.25]


@st.composite
def detections(draw):
    count = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return Detections(rng.uniform(0, 90, (count, 4)), rng.integers(0, 5, count), rng.uniform(0, 1, count))


@given(found=st.lists(detections(), max_size=6))
@settings(deadline=None)
def test_packed_detections_come_back_as_they_were(found):
    back = unpack_detections(pack_detections(found))
    assert len(back) == len(found)
    for old, new in zip(found, back, strict=True):
        assert np.array_equal(old.boxes, new.boxes)
        assert np.array_equal(old.classes, new.classes)
        assert np.array_equal(old.confidences, new.confidences)


def test_they_survive_a_file(tmp_path):
    found = [Detections(), Detections(np.array([[1.0, 2, 3, 4]]), np.array([2]), np.array([0.5]))]
    np.savez(tmp_path / "found.npz", **pack_detections(found))
    none, one = unpack_detections(np.load(tmp_path / "found.npz"))
    assert len(none.classes) == 0
    assert (one.boxes.tolist(), one.classes.tolist()) == ([[1, 2, 3, 4]], [2])
