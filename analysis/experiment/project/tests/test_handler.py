from types import SimpleNamespace

import numpy as np
import pytest

from inspection.handler import Inspector
from inspection.settings import CLASSES

SIZE = 64
SETTINGS = {"image_size": SIZE, "confidence": 0.25}


class StillModel:
    """A session that finds the same thing in every image."""

    def __init__(self, *columns):
        self.output = np.array(columns, dtype=np.float32).T[np.newaxis]
        self.seen = []

    def get_inputs(self):
        return [SimpleNamespace(name="images")]

    def run(self, names, inputs):
        self.seen.append(inputs["images"])
        return [self.output]


def column(x, y, w, h, index, confidence):
    scores = [0.0] * len(CLASSES)
    scores[index] = confidence
    return [x, y, w, h, *scores]


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(90, 200, (60, 80, 3), dtype=np.uint8)


def test_a_defect_is_reported_in_pixels_of_the_image(image):
    model = StillModel(column(20, 28, 8, 8, 0, 0.8))
    (defect,) = Inspector(model, SETTINGS).inspect(image)
    assert defect["defect"] == CLASSES[0]
    assert defect["confidence"] == pytest.approx(0.8)
    assert defect["box"] == pytest.approx([20, 20, 30, 30])
    assert model.seen[0].shape == (1, 3, SIZE, SIZE)


def test_a_good_package_has_no_defects(image):
    assert Inspector(StillModel(column(20, 28, 8, 8, 0, 0.01)), SETTINGS).inspect(image) == []


def test_settings_of_the_package_win(image):
    model = StillModel(column(20, 28, 8, 8, 0, 0.8))
    names = [f"kind {number}" for number in range(len(CLASSES))]
    inspector = Inspector(model, {"image_size": SIZE, "classes": names, "confidence": 0.5})
    assert [defect["defect"] for defect in inspector.inspect(image)] == ["kind 0"]
    assert Inspector(model, {"image_size": SIZE, "confidence": 0.9}).inspect(image) == []


def test_the_same_image_gives_the_same_answer(image):
    inspector = Inspector(StillModel(column(20, 28, 8, 8, 0, 0.8)), SETTINGS)
    assert inspector.inspect(image) == inspector.inspect(image)
