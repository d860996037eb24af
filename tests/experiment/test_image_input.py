"""Sizes read from headers agree with the decoder; nothing that a stranger sends raises anything but a refusal."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.experiment.image_input import JPEG_SIGNATURE, PNG_SIGNATURE, RefusedError, decode, read_size


def encoded(kind: str, height: int, width: int, flags: tuple[int, ...] = ()) -> bytes:
    noise = np.random.default_rng(height).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(kind, noise, flags)[1].tobytes()


FILES = {
    "jpeg": encoded(".jpg", 33, 70),
    "progressive": encoded(".jpg", 33, 70, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    "restarts": encoded(".jpg", 33, 70, (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)),
    "png": encoded(".png", 33, 70),
    "jpeg of one pixel": encoded(".jpg", 1, 1),
}


@pytest.mark.parametrize("body", FILES.values(), ids=FILES.keys())
def test_the_stated_size_is_the_decoded_one(body):
    image = decode(body, 10_000, 100)
    assert read_size(body) == image.shape[1::-1]
    assert image.dtype == np.uint8
    assert image.shape[2] == 3


def test_segments_before_the_frame_are_skipped():
    """A comment that holds a false frame header, and fill bytes, as cameras write them."""
    jpeg = FILES["jpeg"]
    inside = b"\xff\xc0\x00\x11\x08\xff\xff\xff\xff"
    comment = b"\xff\xfe" + (len(inside) + 2).to_bytes(2) + inside
    assert read_size(jpeg[:2] + comment + b"\xff\xff\xff" + jpeg[2:]) == (70, 33)


def test_grey_and_transparent_images_become_three_channels():
    grey = np.full((5, 6), 90, np.uint8)
    clear = np.full((5, 6, 4), 90, np.uint8)
    for image in (grey, clear):
        decoded = decode(cv2.imencode(".png", image)[1].tobytes(), 100, 10)
        assert decoded.shape == (5, 6, 3)
        assert (decoded == 90).all()


@pytest.mark.parametrize("body", FILES.values(), ids=FILES.keys())
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.98])
def test_a_file_that_breaks_off_is_refused(body, share):
    with pytest.raises(RefusedError) as refused:
        decode(body[: int(len(body) * share)], 10_000, 100)
    assert refused.value.status in (400, 415, 422)


def test_limits_are_inclusive():
    body = FILES["png"]
    assert decode(body, 33 * 70, 70).shape == (33, 70, 3)
    for pixels, side in ((33 * 70 - 1, 70), (33 * 70, 69)):
        with pytest.raises(RefusedError, match=r"70 × 33") as refused:
            decode(body, pixels, side)
        assert refused.value.status == 413


@given(st.sampled_from([b"", JPEG_SIGNATURE, PNG_SIGNATURE, PNG_SIGNATURE + b"\0\0\0\rIHDR"]), st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_nothing_else(start, rest):
    with pytest.raises(RefusedError) as refused:
        decode(start + rest, 10_000, 100)
    assert 400 <= refused.value.status < 500


@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_file_is_decoded_or_refused(name, data):
    body = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(body), 10_000, 100)
    except RefusedError as error:
        assert 400 <= error.status < 500
    else:
        assert image.shape[0] * image.shape[1] <= 10_000
