"""Annotated images: reading photographs of every kind, fitting boxes, and parting a pool."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.dataset import GREY, PURPOSES, AnnotatedImage, Pool, decode_image, letterbox, read_image


def encode(image: np.ndarray, suffix: str) -> bytes:
    done, code = cv2.imencode(suffix, image)
    assert done
    return code.tobytes()


def turned_jpeg(image: np.ndarray, orientation: int) -> bytes:
    """A JPEG whose EXIF block says how the camera was held."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    block = b"Exif\0\0" + b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    data = encode(image, ".jpg")
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]


def plain(shape, value=200, dtype=np.uint8):
    return np.full(shape, value, dtype=dtype)


@pytest.mark.parametrize(
    ("image", "suffix", "expected"),
    [
        (plain((20, 30)), ".png", 200),  # grey
        (plain((20, 30, 4)), ".png", 200),  # with transparency
        (plain((20, 30), 200 * 256 + 17, np.uint16), ".png", 200),  # 16 bits
        (plain((20, 30, 3), 200 * 256, np.uint16), ".tiff", 200),
        (plain((20, 30, 3)), ".bmp", 200),
        (plain((20, 30, 3)), ".webp", 200),
    ],
)
def test_every_kind_of_photograph_becomes_8_bit_colour(tmp_path, image, suffix, expected):
    path = tmp_path / f"Größe 写真{suffix}"
    path.write_bytes(encode(image, suffix))
    read = read_image(path)
    assert read.shape == (20, 30, 3) and read.dtype == np.uint8
    assert np.abs(read.astype(int) - expected).max() <= 2


def test_a_turned_photograph_is_set_upright_unless_told_otherwise(tmp_path):
    image = np.vstack([plain((10, 60, 3), 250), plain((30, 60, 3), 10)])
    path = tmp_path / "a.jpg"
    path.write_bytes(turned_jpeg(image, 6))
    upright, as_stored = read_image(path), read_image(path, upright=False)
    assert upright.shape == (60, 40, 3) and upright[:, 35].min() > 200 and upright[:, 5].max() < 60
    assert as_stored.shape == (40, 60, 3) and as_stored[5].min() > 200


def test_what_is_no_image_is_said_with_its_name(tmp_path):
    data = encode(plain((20, 30, 3)), ".jpg")
    for content in (b"", b"GIF89a", data[: len(data) // 2], data[:-2]):
        (tmp_path / "a.jpg").write_bytes(content)
        assert decode_image(content) is None
        with pytest.raises(InputError, match=r"a\.jpg cannot be decoded"):
            read_image(tmp_path / "a.jpg")
    with pytest.raises(InputError, match=r"b\.jpg cannot be read"):
        read_image(tmp_path / "b.jpg")


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    size=st.integers(8, 200),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
)
def test_boxes_stay_in_the_picture_and_keep_their_place_in_it(width, height, size, corners):
    x1, x2 = sorted(value * width for value in corners[:2])
    y1, y2 = sorted(value * height for value in corners[2:])
    square, boxes = letterbox(plain((height, width, 3)), np.array([[x1, y1, x2, y2], [0, 0, width, height]]), size)
    (left, top, right, bottom) = boxes[1]
    assert square.shape == (size, size, 3)
    assert max(right - left, bottom - top) == pytest.approx(size)
    assert boxes.min() >= -1e-9 and boxes.max() <= size + 1e-9
    shares = (boxes[0] - [left, top, left, top]) / ([right - left, bottom - top] * 2)
    np.testing.assert_allclose(shares, np.array([x1 / width, y1 / height, x2 / width, y2 / height]), atol=1e-9)
    inside = square[round(top) : round(bottom), round(left) : round(right)]
    assert (inside == 200).all() and (square == GREY).sum() == square.size - inside.size


def test_a_marked_square_is_where_its_box_says_after_letterboxing():
    image = plain((120, 200, 3), 0)
    image[30:70, 50:110] = 255
    square, boxes = letterbox(image, np.array([[50.0, 30, 110, 70]]), 96)
    ys, xs = np.nonzero(square[..., 0] == 255)
    np.testing.assert_allclose(boxes[0], [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], atol=1.01)


def make_pool(splits: list[str], digests: list[str] | None = None) -> Pool:
    digests = digests or [f"{number:064x}" for number in range(len(splits))]
    boxes, labels = np.array([[1.0, 1, 5, 5]]), np.array([0])
    images = [
        AnnotatedImage(Path(f"{number}.jpg"), 10, 10, boxes, labels, digest, split)
        for number, (split, digest) in enumerate(zip(splits, digests, strict=True))
    ]
    return Pool(("a",), tuple(images))


def paths(part: Pool) -> list[str]:
    return [image.path.name for image in part.images]


@settings(max_examples=60, deadline=None)
@given(
    splits=st.lists(st.sampled_from(["", "train", "val", "test"]), min_size=3, max_size=40),
    seed=st.integers(0, 2**40),
)
def test_purposes_are_disjoint_complete_and_never_empty(splits, seed):
    pool = make_pool(splits)
    later = [split for split in splits if split in ("val", "test")]
    try:
        parts = pool.split(seed)
    except InputError:
        assert len(later) == 1 and len(later) < len(splits)  # one image cannot be halved
        return
    assert tuple(parts) == PURPOSES
    assert sorted(name for part in parts.values() for name in paths(part)) == sorted(paths(pool))
    assert all(part.images and part.classes == pool.classes for part in parts.values())
    if later and len(later) < len(splits):
        assert [image.split or "train" for image in parts["train"].images].count("train") == len(splits) - len(later)
    again = pool.split(seed)
    assert [paths(part) for part in parts.values()] == [paths(part) for part in again.values()]


def test_the_own_split_is_used_and_half_a_split_is_halved():
    whole = make_pool(["train"] * 5 + ["val"] * 3 + ["test"] * 2).split(1)
    assert [len(whole[purpose].images) for purpose in PURPOSES] == [5, 3, 2]
    for later in ("val", "test"):
        half = make_pool(["train"] * 5 + [later] * 8).split(1)
        assert [len(half[purpose].images) for purpose in PURPOSES] == [5, 4, 4]
        assert {image.split for image in half["train"].images} == {"train"}


def test_without_a_split_the_shares_hold_and_the_seed_matters():
    pool = make_pool([""] * 100)
    parts = pool.split(1)
    assert [len(parts[purpose].images) for purpose in PURPOSES] == [60, 20, 20]
    assert paths(parts["train"]) != paths(pool.split(2)["train"])
    only_train = make_pool(["train"] * 100).split(1)
    assert [len(only_train[purpose].images) for purpose in PURPOSES] == [60, 20, 20]


def test_identical_files_stay_together():
    digests = [f"{number // 4:064x}" for number in range(40)]
    parts = make_pool([""] * 40, digests).split(3)
    sides = [{image.digest for image in part.images} for part in parts.values()]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])


def test_too_few_images_are_refused():
    with pytest.raises(InputError, match="too small"):
        make_pool(["", ""]).split(0)
    with pytest.raises(InputError, match="1 different image"):
        make_pool(["train", "train", "val"]).split(0)


def test_the_digest_tells_pixels_boxes_and_classes_apart_but_not_places():
    pool = make_pool(["", "", ""])
    image = pool.images[0]
    moved = AnnotatedImage(Path("/elsewhere/x.jpg"), 10, 10, image.boxes, image.classes, image.digest)
    assert Pool(("a",), (moved, *pool.images[1:])).digest == pool.digest
    others = [
        AnnotatedImage(image.path, 10, 10, image.boxes + 1e-6, image.classes, image.digest),
        AnnotatedImage(image.path, 10, 10, image.boxes, image.classes + 1, image.digest),
        AnnotatedImage(image.path, 10, 10, image.boxes, image.classes, "f" * 64),
        AnnotatedImage(image.path, 10, 10, image.boxes[:0], image.classes[:0], image.digest),
        AnnotatedImage(image.path, 10, 10, image.boxes, image.classes, image.digest, upright=False),
    ]
    digests = {Pool(("a",), (other, *pool.images[1:])).digest for other in others}
    assert len(digests | {pool.digest, Pool(("b",), pool.images).digest}) == 7
