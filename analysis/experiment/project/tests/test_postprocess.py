import numpy as np
import pytest

from inspection.postprocess import Candidates, decode, suppress, to_image
from inspection.preprocess import Placement


def output_of(*columns):
    """An output of shape (1, 4 + classes, n) from its columns."""
    return np.array(columns, dtype=np.float32).T[np.newaxis]


def candidates(*rows):
    return Candidates(
        np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.float32),
    )


def test_box_class_and_confidence_are_decoded():
    found = decode(output_of([30, 40, 20, 10, 0.1, 0.7, 0.2]), 0.25)
    assert found.boxes.tolist() == [[20, 35, 40, 45]]
    assert found.classes.tolist() == [1]
    assert found.confidences == pytest.approx([0.7])


def test_a_confidence_is_never_above_one():
    found = decode(output_of([30, 40, 20, 10, np.nextafter(np.float32(1), np.float32(2)), 0.0]), 0.25)
    assert found.confidences.tolist() == [1.0]
    assert found.confidences.dtype == np.float32


def test_weak_candidates_are_dropped():
    found = decode(output_of([30, 40, 20, 10, 0.1, 0.2], [30, 40, 20, 10, 0.5, 0.1]), 0.25)
    assert found.confidences == pytest.approx([0.5])


def test_nothing_found_is_nothing_reported():
    found = suppress(decode(output_of([30, 40, 20, 10, 0.1, 0.2]), 0.25), 0.6, 50)
    assert found.boxes.shape == (0, 4)
    assert len(found.classes) == len(found.confidences) == 0


def test_of_two_boxes_on_one_defect_the_better_one_stays():
    found = suppress(candidates(([10, 10, 50, 50], 2, 0.6), ([11, 10, 51, 50], 2, 0.9)), 0.6, 50)
    assert found.boxes.tolist() == [[11, 10, 51, 50]]


def test_other_classes_and_other_places_stay():
    found = suppress(
        candidates(([10, 10, 50, 50], 2, 0.9), ([10, 10, 50, 50], 1, 0.6), ([60, 60, 80, 80], 2, 0.4)), 0.6, 50
    )
    assert found.classes.tolist() == [2, 1, 2]
    assert found.confidences == pytest.approx([0.9, 0.6, 0.4])


def test_the_best_come_first_and_only_so_many():
    rows = [([20 * i, 0, 20 * i + 10, 10], 0, 0.1 * (i + 1)) for i in range(5)]
    found = suppress(candidates(*rows), 0.6, 3)
    assert found.confidences == pytest.approx([0.5, 0.4, 0.3])
    assert found.boxes[0].tolist() == [80, 0, 90, 10]


def test_boxes_return_to_the_image():
    # 160 × 120 in a square of 64: scaled by 0.4, eight rows of grey above
    boxes = to_image(np.array([[4.0, 12.0, 24.0, 32.0]]), Placement(0.4, 0, 8), 160, 120)
    assert boxes.tolist() == [[10, 10, 60, 60]]


def test_boxes_end_where_the_image_ends():
    boxes = to_image(np.array([[-5.0, 0.0, 80.0, 64.0]]), Placement(0.4, 0, 8), 160, 120)
    assert boxes.tolist() == [[0, 0, 160, 120]]
