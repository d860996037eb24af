import numpy as np
import pytest

from inspection.preprocess import letterbox, prepare, to_tensor
from inspection.settings import PADDING

SIZE = 64


def grey(height, width, value):
    return np.full((height, width, 3), value, dtype=np.uint8)


@pytest.mark.parametrize(("height", "width"), [(120, 160), (160, 90), (24, 32), (1, 200)])
def test_input_has_the_shape_that_the_model_wants(height, width):
    tensor, _ = prepare(grey(height, width, 80), SIZE)
    assert tensor.shape == (1, 3, SIZE, SIZE)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous


def test_proportions_are_kept():
    framed, placement = letterbox(grey(120, 160, 80), SIZE)
    assert framed.shape == (SIZE, SIZE, 3)
    assert placement.scale == pytest.approx(0.4)
    assert (placement.left, placement.top) == (0, 8)
    assert (framed[8:56] == 80).all()


def test_the_rest_is_grey():
    framed, placement = letterbox(grey(160, 80, 200), SIZE)
    assert (placement.left, placement.top) == (16, 0)
    assert (framed[:, :16] == PADDING).all()
    assert (framed[:, 48:] == PADDING).all()


@pytest.mark.parametrize(("value", "expected"), [(0, 0.0), (51, 0.2), (204, 0.8), (255, 1.0)])
def test_values_are_between_zero_and_one(value, expected):
    assert to_tensor(grey(8, 8, value)) == pytest.approx(expected, abs=1e-6)


def test_what_is_left_stays_left():
    image = grey(32, 32, 20)
    image[:, :8] = 220
    tensor = to_tensor(image)
    assert (tensor[..., :8] > tensor[..., 8:].max()).all()


def test_what_is_at_the_top_stays_at_the_top():
    image = grey(48, 96, 20)
    image[:12] = 220
    tensor, placement = prepare(image, SIZE)
    inside = tensor[0, 0, placement.top : -placement.top]
    assert inside[:7].mean() > 3 * inside[-7:].mean()


def test_the_camera_keeps_its_image():
    image = grey(30, 40, 90)
    prepare(image, SIZE)
    assert (image == 90).all()
