import pytest

from inspection.labels import from_yolo, to_yolo
from inspection.settings import CLASSES

WIDTH, HEIGHT = 160, 120
OBJECTS = [
    {"defect": CLASSES[0], "x": 10, "y": 20, "w": 40, "h": 30},
    {"defect": CLASSES[-1], "x": 100.5, "y": 60.25, "w": 20, "h": 59},
    {"defect": CLASSES[0], "x": 3, "y": 5, "w": 110, "h": 14},
]


def test_objects_come_back_from_their_rows():
    for before, after in zip(OBJECTS, from_yolo(to_yolo(OBJECTS, WIDTH, HEIGHT), WIDTH, HEIGHT), strict=True):
        assert after == {key: pytest.approx(value) for key, value in before.items()}


def test_values_are_shares_of_the_image():
    for _, *values in to_yolo(OBJECTS, WIDTH, HEIGHT):
        assert all(0 < value < 1 for value in values)


def test_size_of_the_image_does_not_matter():
    doubled = [item | {key: 2 * item[key] for key in ("x", "y", "w", "h")} for item in OBJECTS]
    for row, other in zip(to_yolo(OBJECTS, WIDTH, HEIGHT), to_yolo(doubled, 2 * WIDTH, 2 * HEIGHT), strict=True):
        assert other == pytest.approx(row)


def test_every_defect_has_a_class_of_its_own():
    rows = to_yolo([OBJECTS[0] | {"defect": name} for name in CLASSES], WIDTH, HEIGHT)
    assert sorted(row[0] for row in rows) == list(range(len(CLASSES)))


def test_image_without_defects_has_no_rows():
    assert to_yolo([], WIDTH, HEIGHT) == []


def test_unknown_defect_is_refused():
    with pytest.raises(ValueError, match="graffiti"):
        to_yolo([OBJECTS[0] | {"defect": "graffiti"}], WIDTH, HEIGHT)
