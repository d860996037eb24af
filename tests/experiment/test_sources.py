"""Sources of images: the same request gives the same images, and purposes never share one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from analysis.base.errors import InputError
from analysis.experiment.batches import validate_batch, write_batch
from analysis.experiment.dataset import PURPOSES, AnnotatedImage, Pool
from analysis.experiment.drift import DOMAINS
from analysis.experiment.scenes import Domain
from analysis.experiment.sources import ImageSource, PoolSource, RenderedSource, derive_seed


def make_pool(folder: Path, count: int = 20) -> Pool:
    """Photographs 80 × 40 whose red value is their number and whose one object is a white rectangle."""
    images = []
    for number in range(count):
        image = np.zeros((40, 80, 3), dtype=np.uint8)
        image[..., 2] = 5 * number + 10
        x, y = 4 + number, 6
        image[y : y + 16, x : x + 24] = 255
        path = folder / f"{number}.png"
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        boxes = np.array([[x, y, x + 24.0, y + 16], [60, 30, 60.9, 39]])  # the second one vanishes when made smaller
        images.append(AnnotatedImage(path, 80, 40, boxes, np.array([1, 0]), f"{number:064d}"))
    return Pool(("dot", "block"), tuple(images))


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    return make_pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="module", params=["rendered", "pool"])
def source(request, pool) -> ImageSource:
    return RenderedSource() if request.param == "rendered" else PoolSource(pool)


def pixels(scenes):
    return [scene.image.tobytes() for scene in scenes]


def test_a_request_is_answered_alike_and_another_one_otherwise(source):
    domain = DOMAINS["dim"]
    first = source.scenes("train", domain, 3, 6, 48)
    again = source.scenes("train", domain, 3, 6, 48)
    assert pixels(first) == pixels(again)
    assert all(np.array_equal(a.boxes, b.boxes) for a, b in zip(first, again, strict=True))
    assert all(scene.image.shape == (48, 48, 3) and scene.image.dtype == np.uint8 for scene in first)
    assert pixels(first) != pixels(source.scenes("train", domain, 4, 6, 48))
    assert pixels(first) != pixels(source.scenes("train", DOMAINS["baseline"], 3, 6, 48))
    assert pixels(source.scenes("train", domain, 3, 4, 48)) == pixels(first)[:4]


def test_purposes_share_no_image_even_with_the_same_seed(source):
    images = {purpose: set(pixels(source.scenes(purpose, Domain(), 3, 4, 48))) for purpose in PURPOSES}
    assert all(len(found) == 4 for found in images.values())
    assert len(set.union(*images.values())) == 12


def test_boxes_are_fit_for_a_batch_in_every_domain(source, tmp_path):
    for name, domain in DOMAINS.items():
        scenes = source.scenes("train", domain, 3, 40, 64)
        assert {label for scene in scenes for label in scene.classes.tolist()} <= set(range(len(source.classes)))
        assert validate_batch(write_batch(tmp_path / name, scenes, source.classes, name), source.classes) == []


def test_faulty_requests_are_refused(source):
    with pytest.raises(InputError) as caught:
        source.scenes("training", Domain(), 0, 0, 0)
    assert [problem.where for problem in caught.value.problems] == ["purpose", "count", "size"]


def test_photographs_keep_their_purpose_and_are_untouched_by_the_baseline(pool):
    source = PoolSource(pool)
    scenes = source.scenes("acceptance", Domain(), 1, 4, 80)
    expected = {5 * int(image.path.stem) + 10 for image in source.parts["acceptance"].images}
    assert {int(scene.image[22, 1, 2]) for scene in scenes} == expected
    assert all(set(np.unique(scene.image[:20])) == {114} for scene in scenes)


def test_boxes_follow_the_photograph_however_often_it_comes(pool):
    source = PoolSource(pool)
    scenes = source.scenes("train", Domain(), 5, 60, 80)  # twelve images: each comes five times
    assert len(set(pixels(scenes))) == 60
    for scene in scenes:
        ys, xs = np.nonzero(scene.image.min(axis=2) > 200)
        (box,) = scene.boxes[scene.classes == 1]
        np.testing.assert_allclose(box, [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], atol=1.1)


def test_boxes_too_small_for_the_size_are_left_out_and_counted(pool):
    source = PoolSource(pool)
    assert source.count_vanishing(80) == {"train": 12, "acceptance": 4, "production": 4}
    assert source.count_vanishing(160) == {"train": 0, "acceptance": 0, "production": 0}
    assert all(len(scene.boxes) == 1 for scene in source.scenes("train", Domain(), 1, 5, 40))
    assert all(len(scene.boxes) == 2 for scene in source.scenes("train", Domain(), 1, 5, 160))


def test_digests_follow_the_images(pool, tmp_path):
    digest = PoolSource(pool).digest
    assert digest == PoolSource(make_pool(tmp_path)).digest  # the same photographs elsewhere
    assert digest != PoolSource(pool, split_seed=1).digest
    assert digest != PoolSource(Pool(pool.classes, pool.images[1:])).digest
    assert RenderedSource().digest == RenderedSource().digest != digest


def test_a_photograph_that_went_missing_is_named(tmp_path):
    pool = make_pool(tmp_path, 6)
    source = PoolSource(pool)
    source.parts["production"].images[0].path.unlink()
    with pytest.raises(InputError, match=r"\.png cannot be read"):
        source.scenes("production", Domain(), 0, 1, 32)


def test_seeds_of_purposes_differ():
    seeds = {derive_seed(purpose, seed) for purpose in PURPOSES for seed in range(1000)}
    assert len(seeds) == 3000 and min(seeds) >= 0
