"""Average precision against a hand-worked example, against ultralytics, and as a property of weights."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.evaluation import (
    IOU_THRESHOLDS,
    Matches,
    compare_map,
    compute_average_precision,
    compute_map,
    compute_map_interval,
    compute_overlaps,
    compute_per_class,
    compute_slices,
    match,
    pool,
)
from analysis.experiment.scenes import Detections, Scene

CLASSES = 4


def scene(boxes, classes) -> Scene:
    return Scene(np.zeros((1, 1, 3), np.uint8), np.array(boxes, float).reshape(-1, 4), np.array(classes, np.int64))


def found(boxes, classes, confidences) -> Detections:
    return Detections(np.array(boxes, float).reshape(-1, 4), np.array(classes, np.int64), np.array(confidences, float))


def drawn(seed: int, images: int = 20) -> tuple[list[Scene], list[Detections]]:
    """Images of zero to four objects; detections near them, of a wrong class, or nowhere, without equal confidences."""
    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for _ in range(images):
        corner = rng.uniform(0, 60, (rng.integers(0, 5), 2))
        boxes = np.hstack([corner, corner + rng.uniform(8, 30, corner.shape)])
        classes = rng.integers(0, CLASSES, len(boxes))
        truth.append(scene(boxes, classes))
        near = np.repeat(boxes, 2, axis=0) + rng.normal(0, 2.5, (2 * len(boxes), 4))
        guess = np.where(rng.random(len(near)) < 0.8, np.repeat(classes, 2), rng.integers(0, CLASSES, len(near)))
        kept = rng.random(len(near)) < 0.7
        corner = rng.uniform(0, 60, (rng.integers(0, 3), 2))
        boxes = np.vstack([near[kept], np.hstack([corner, corner + 12])])
        classes = np.concatenate([guess[kept], rng.integers(0, CLASSES, len(corner))])
        detections.append(found(boxes, classes, rng.random(len(boxes))))
    return truth, detections


def ultralytics_precision(truth: list[Scene], detections: list[Detections]) -> np.ndarray:
    """Shape (classes that occur, 10), by ultralytics' own matching and its own area."""
    import torch
    from ultralytics.models.yolo.detect import DetectionValidator
    from ultralytics.utils.metrics import ap_per_class, box_iou

    validator = DetectionValidator.__new__(DetectionValidator)
    validator.iouv = torch.linspace(0.5, 0.95, 10)
    rows = []
    for true, seen in zip(truth, detections, strict=True):
        order = np.argsort(-seen.confidences)
        boxes, classes = torch.tensor(seen.boxes[order]).float(), torch.tensor(seen.classes[order])
        if len(true.classes) and len(classes):
            overlap = box_iou(torch.tensor(true.boxes).float(), boxes)
            correct = validator.match_predictions(classes, torch.tensor(true.classes), overlap).numpy()
        else:
            correct = np.zeros((len(classes), 10), bool)
        rows.append((correct, seen.confidences[order], seen.classes[order], true.classes))
    return ap_per_class(*(np.concatenate(column) for column in zip(*rows, strict=True)))[5]


@pytest.fixture(scope="module", autouse=True)
def quiet_ultralytics():
    from analysis.experiment import training

    with training._apart(threads=1):
        yield


def test_hand_worked_example():
    # Three objects of one class; by confidence: hit, miss, hit, and the third is never found.
    # Points (recall, precision): (1/3, 1), (1/3, 1/2), (2/3, 2/3). Made monotone: 1 up to 1/3, 2/3 up to 2/3, then 0.
    # Of the recalls 0, .01, …, 1 the first 34 (to .33) have 1; from .34 on 2/3 up to .66 (33 of them), then 0.
    # Trapezoids: 33 × .01 × 1 + .01 × (1 + 2/3) / 2 + 32 × .01 × 2/3 + .01 × (2/3 + 0) / 2 = 0.55500
    truth = [scene([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], [0, 0, 0])]
    seen = [found([[0, 0, 10, 10], [80, 80, 90, 90], [20, 0, 30, 10]], [0, 0, 0], [0.9, 0.8, 0.7])]
    assert compute_map(match(truth, seen, 1)) == pytest.approx(0.555, abs=1e-9)
    assert compute_map(match(truth, seen, 1), iou=None) == pytest.approx(0.555, abs=1e-9)


def test_overlap_decides_at_each_threshold():
    # a box of 10 × 10 seen 10 × 7: overlap 0.7, so found at .5, .55, .6, .65, (.7: not below) and not from .75 on
    matches = match([scene([[0, 0, 10, 10]], [0])], [found([[0, 0, 10, 7.01]], [0], [0.5])], 1)
    np.testing.assert_array_equal(matches.correct[0], IOU_THRESHOLDS < 0.7001)
    assert compute_map(matches) > 0.99
    assert compute_map(matches, iou=None) == pytest.approx(0.5, abs=0.01)
    assert compute_map(matches, iou=0.75) == 0


def test_second_detection_of_the_same_object_is_false():
    truth = [scene([[0, 0, 10, 10]], [0])]
    matches = match(truth, [found([[0, 0, 10, 9], [0, 0, 10, 10]], [0, 0], [0.4, 0.6])], 1)
    np.testing.assert_array_equal(matches.confidences, [0.6, 0.4])
    np.testing.assert_array_equal(matches.correct[:, 0], [True, False])


def test_wrong_class_finds_nothing():
    matches = match([scene([[0, 0, 10, 10]], [0])], [found([[0, 0, 10, 10]], [1], [0.9])], 2)
    assert not matches.correct.any()
    assert compute_map(matches) == 0


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_ultralytics(seed):
    truth, detections = drawn(seed, images=[1, 2, 20, 60][seed % 4])
    ours = compute_average_precision(match(truth, detections, CLASSES))
    ours = ours[~np.isnan(ours).any(axis=1)]
    theirs = ultralytics_precision(truth, detections)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=0.005)
    assert np.abs(ours.mean() - theirs.mean()) < 0.0005


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_counting_an_image_twice_is_having_it_twice(seed):
    truth, detections = drawn(seed, images=8)
    times = np.random.default_rng(seed).integers(0, 3, 8)
    repeated = np.repeat(np.arange(8), times)
    weighted = compute_average_precision(match(truth, detections, CLASSES), times)
    direct = match([truth[i] for i in repeated], [detections[i] for i in repeated], CLASSES)
    np.testing.assert_allclose(weighted, compute_average_precision(direct), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(seed, random):
    truth, detections = drawn(seed, images=6)
    order = list(range(6))
    random.shuffle(order)
    there = compute_map(match(truth, detections, CLASSES), iou=None)
    back = compute_map(match([truth[i] for i in order], [detections[i] for i in order], CLASSES), iou=None)
    assert there == pytest.approx(back, abs=1e-12, nan_ok=True)


def test_many_weightings_at_once_are_those_one_by_one():
    matches = match(*drawn(5), CLASSES)
    weights = np.random.default_rng(0).integers(0, 3, (30, matches.images))
    together = compute_average_precision(matches, weights)
    np.testing.assert_allclose(together, [compute_average_precision(matches, row) for row in weights], atol=1e-9)


def test_perfect_detections():
    truth, _ = drawn(3)
    matches = match(truth, [found(one.boxes, one.classes, np.linspace(1, 0.5, len(one.classes))) for one in truth], 4)
    assert compute_map(matches, iou=None) == pytest.approx(0.995, abs=0.0051)  # the last of 101 recalls counts 0


def test_nothing_to_find_is_not_a_number():
    matches = match([scene([], []), scene([], [])], [found([[0, 0, 1, 1]], [0], [0.9]), found([], [], [])], CLASSES)
    assert np.isnan(compute_map(matches))
    estimate = compute_map_interval(matches, 100, np.random.default_rng(0))
    assert np.isnan(estimate.value)
    assert estimate.low is None
    assert match([], [], CLASSES).images == 0
    assert np.isnan(compute_map(match([], [], CLASSES)))


def test_diverged_model_finds_nothing():
    truth = [scene([[0, 0, 10, 10]], [0])]
    matches = match(truth, [found([[np.nan] * 4, [0, 0, 10, 10]], [0, 0], [0.9, np.nan])], 1)
    assert len(matches.image) == 0
    assert compute_map(matches) == 0


def test_interval_is_quick_covers_and_repeats():
    truth, detections = drawn(11, images=200)
    matches = match(truth, detections, CLASSES)
    started = time.process_time()
    first = compute_map_interval(matches, 500, np.random.default_rng(1))
    assert time.process_time() - started < 0.5
    assert first.low < first.value < first.high
    assert first.n == 200
    assert first == compute_map_interval(matches, 500, np.random.default_rng(1))
    wider = compute_map_interval(matches, 500, np.random.default_rng(1), confidence=0.99)
    assert wider.low < first.low < first.high < wider.high
    assert first.function.endswith("compute_map_interval")


def part_of(matches: Matches, images: np.ndarray) -> Matches:
    rows = np.isin(matches.image, images)
    place = np.searchsorted(images, matches.image[rows])
    rest = (getattr(matches, name)[rows] for name in ("classes", "confidences", "correct"))
    return Matches(place, *rest, matches.truth[images])


@pytest.mark.parametrize("informative", [True, False])
def test_interval_covers_the_truth_about_as_often_as_it_says(informative):
    """Samples of 150 images out of 3,000; confidences that know what is right, and confidences that know nothing."""
    population = match(*drawn(99, images=3000), CLASSES)
    if informative:
        surer = population.confidences * 0.6 + 0.4 * population.correct[:, 0] * population.confidences**0.3
        population = replace(population, confidences=surer)
    value, rng, held = compute_map(population), np.random.default_rng(7), 0
    for _ in range(100):
        sample = part_of(population, np.sort(rng.choice(3000, 150, replace=False)))
        estimate = compute_map_interval(sample, 100, rng, confidence=0.9)
        held += estimate.low <= value <= estimate.high
    assert 79 <= held <= 98  # 90 promised; binomial range, and what the method is known to lose


def test_comparison_is_paired():
    truth, detections = drawn(21, images=100)
    worse = [found(d.boxes[::2], d.classes[::2], d.confidences[::2]) for d in detections]
    champion, candidate = match(truth, detections, CLASSES), match(truth, worse, CLASSES)
    rng = np.random.default_rng(0)
    loss = compare_map(candidate, champion, 400, rng)
    assert loss.value == pytest.approx(compute_map(candidate) - compute_map(champion))
    assert loss.low < loss.value < loss.high < 0
    alone = [compute_map_interval(each, 400, rng) for each in (candidate, champion)]
    unpaired = np.hypot(*(each.high - each.low for each in alone))
    assert loss.high - loss.low < 0.8 * unpaired
    same = compare_map(champion, champion, 400, rng)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_comparison_needs_the_same_images():
    one, other = (match(*drawn(seed), CLASSES) for seed in (1, 2))
    with pytest.raises(InputError, match="same images"):
        compare_map(one, other, 10, np.random.default_rng(0))
    single = match(*drawn(4, images=1), CLASSES)
    assert compare_map(single, single, 10, np.random.default_rng(0)).low is None


def test_slices_and_classes():
    truth, detections = drawn(8, images=30)
    matches = match(truth, detections, CLASSES)
    part = np.arange(10)
    table = compute_slices(matches, {"all": np.arange(30), "first": part}).set_index("slice")
    assert table.loc["all", "map50"] == pytest.approx(compute_map(matches))
    assert table.loc["first", "map50_95"] == pytest.approx(
        compute_map(match([truth[i] for i in part], [detections[i] for i in part], CLASSES), iou=None)
    )
    assert table.loc["first", "objects"] == sum(len(truth[i].classes) for i in part)
    per_class = compute_per_class(matches, ["a", "b", "c", "d"])
    assert per_class["ap50"].mean() == pytest.approx(compute_map(matches))
    assert per_class["objects"].sum() == sum(len(one.classes) for one in truth)


def test_pooled_windows_are_one_set():
    truth, detections = drawn(13, images=12)
    whole = match(truth, detections, CLASSES)
    parts = [match(truth[i : i + 4], detections[i : i + 4], CLASSES) for i in (0, 4, 8)]
    for name in Matches.__slots__:
        np.testing.assert_array_equal(getattr(pool(parts), name), getattr(whole, name))
    with pytest.raises(InputError, match="pooled"):
        pool([])


def test_stored_matches_come_back(tmp_path):
    matches = match(*drawn(2), CLASSES)
    path = matches.save(tmp_path / "matches.npz")
    for name in Matches.__slots__:
        np.testing.assert_array_equal(getattr(Matches.load(path), name), getattr(matches, name))
    assert matches.save(tmp_path / "again.npz").read_bytes() == path.read_bytes()
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"matches\.npz"):
        Matches.load(path)


def test_what_cannot_be_matched():
    with pytest.raises(InputError, match="2 images, and truth for 1"):
        match([scene([], [])], [found([], [], [])] * 2, 1)
    with pytest.raises(InputError, match=r"image 0: true classes \[3\]"):
        match([scene([[0, 0, 1, 1]], [3])], [found([], [], [])], 2)
    with pytest.raises(InputError, match=r"0\.42"):
        compute_map(match(*drawn(1), CLASSES), iou=0.42)


def test_overlaps_of_boxes_without_area():
    box = np.array([[3.0, 3, 3, 3]])
    assert compute_overlaps(box, box) == 0
