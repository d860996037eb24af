"""Detectors keep to the false-alarm rates they state, on streams without a change, and see changes."""

from __future__ import annotations

import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.base.errors import InputError
from analysis.experiment.drift import DOMAINS, between
from analysis.experiment.evaluation import Matches, compute_map
from analysis.experiment.monitoring import (
    FEATURES,
    OUTPUT_FEATURES,
    DriftDetector,
    QualityDetector,
    ServiceDetector,
    Verdict,
    compare_canary,
    input_statistics,
    output_statistics,
)
from analysis.experiment.renderer import render_many
from analysis.experiment.scenes import Detections, Domain
from analysis.experiment.server_process import Answer

SIZE = 96
LINE = 1500
"""Rendered images that stand for everything the line may ever show: references and streams are drawn from them."""


def column(name: str) -> int:
    return FEATURES.index(name)


def statistics(domain: Domain, seed: int, count: int) -> np.ndarray:
    return input_statistics([scene.image for scene in render_many(domain, seed, count, SIZE)])


@pytest.fixture(scope="module")
def line() -> np.ndarray:
    return statistics(DOMAINS["baseline"], 11, LINE)


def detector(line: np.ndarray, seed: int = 0, window: int = 36, rate: float = 0.01) -> DriftDetector:
    rng = np.random.default_rng([7, seed])
    return DriftDetector(line[rng.choice(len(line), 300)], window, rate, seed, replicates=200)


# ---- image statistics ------------------------------------------------------------------------


def test_statistics_of_an_image_worked_by_hand():
    image = np.zeros((6, 6, 3), dtype=np.uint8)
    image[:, :, 2] = 100  # red only: grey is 0.299 × 100, rounded by OpenCV to 30
    (row,) = input_statistics([image])
    named = dict(zip(FEATURES, row, strict=True))
    assert named["brightness"] == named["shadows"] == named["highlights"] == 30
    assert named["contrast"] == named["centre_warmth"] == 0
    assert (named["warmth"], named["tint"], named["saturation"]) == (100, -50, 100)
    assert named["sharpness"] == named["noise"] == np.log(0.25)


def test_noise_is_the_standard_deviation_of_white_noise():
    noise = np.random.default_rng(0).normal(128, 8, (400, 400))
    (row,) = input_statistics([noise.round().astype(np.uint8)])
    assert np.exp(row[column("noise")]) - 0.25 == pytest.approx(8, rel=0.02)


@pytest.mark.parametrize(
    ("change", "name", "sign"),
    [
        (lambda image: image // 2, "brightness", -1),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 2), "sharpness", -1),
        (lambda image: cv2.add(image // 2, 90), "shadows", 1),
        (lambda image: image[:, :, ::-1].copy(), "warmth", -1),
        (lambda image: np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8), "saturation", -1),
    ],
    ids=["half the light", "out of focus", "veil", "channels swapped", "colour lost"],
)
def test_a_statistic_moves_as_its_name_says(change, name, sign):
    images = [scene.image for scene in render_many(DOMAINS["baseline"], 3, 8, SIZE)]
    before, after = input_statistics(images), input_statistics([change(image) for image in images])
    assert (sign * (after - before)[:, column(name)] > 0).all()


def test_grey_and_alpha_are_taken_as_what_they_show():
    grey = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    rows = input_statistics([grey, grey[:, :, None], colour, np.dstack((colour, grey))])
    assert (rows == rows[0]).all()


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 255))
@settings(max_examples=30, deadline=None)
def test_statistics_are_finite_for_tiny_and_flat_images(height, width, value):
    rows = input_statistics([np.full((height, width, 3), value, dtype=np.uint8)])
    assert np.isfinite(rows).all()
    assert rows[0, column("brightness")] == pytest.approx(value)


def test_no_images_give_no_rows():
    assert input_statistics([]).shape == (0, len(FEATURES))
    assert output_statistics([]).shape == (0, len(OUTPUT_FEATURES))


def test_all_unusable_images_are_named():
    good = np.zeros((4, 4, 3), dtype=np.uint8)
    with pytest.raises(InputError) as caught:
        input_statistics([good, good.astype(float), good[:0], None, np.zeros((4, 4, 2), np.uint8)])
    assert [problem.where for problem in caught.value.problems] == ["image 1", "image 2", "image 3", "image 4"]


# ---- drift: false alarms -----------------------------------------------------------------------


def test_false_alarms_on_the_unchanged_line_come_at_the_stated_rate(line):
    """Fresh references each time; alarms of one reference come in clusters, so the interval is over references."""
    rng = np.random.default_rng(1)
    references, windows, rate = 40, 100, 0.02
    alarms = np.zeros(references)
    for seed in range(references):
        chart = detector(line, seed, rate=rate)
        for _ in range(windows):
            if chart.update(line[rng.choice(len(line), 36)]).alarm:
                alarms[seed] += 1
                chart.reset()
    mean, error = alarms.mean() / windows, alarms.std(ddof=1) / windows / np.sqrt(references)
    assert mean - 3 * error < rate < mean + 3 * error
    assert rate / 4 < mean < rate * 2


def test_a_limit_that_takes_the_reference_for_the_truth_would_alarm_too_often():
    """The defect that calibration is there for: the chi-square limit, correct for a known mean and covariance."""
    rng = np.random.default_rng(2)
    references, windows, rate = 60, 60, 0.01
    alarms = np.zeros((2, references))
    for seed in range(references):
        reference = rng.standard_t(5, (120, 6))
        chart = DriftDetector(reference, 40, rate, seed, features=list("abcdef"), replicates=200)
        centre, covariance = reference.mean(axis=0), np.cov(reference, rowvar=False)
        for _ in range(windows):
            window = rng.standard_t(5, (40, 6))
            d = window.mean(axis=0) - centre
            alarms[0, seed] += 40 * d @ np.linalg.solve(covariance, d) > stats.chi2.isf(rate, 6)
            if chart.update(window).alarm:
                alarms[1, seed] += 1
                chart.reset()
    mean, error = alarms.mean(axis=1) / windows, alarms.std(axis=1, ddof=1) / windows / np.sqrt(references)
    assert mean[0] - 3 * error[0] > 2 * rate
    assert mean[1] - 3 * error[1] < rate < mean[1] + 3 * error[1]


@pytest.mark.parametrize("sizes", [[9], [100], [5, 12, 36, 80]], ids=["smaller", "larger", "mixed"])
def test_the_rate_holds_for_windows_of_another_size(line, sizes):
    rng = np.random.default_rng(3)
    alarms = []
    for seed in range(10):
        chart = detector(line, seed, rate=0.02)
        count = 0
        for _ in range(100):
            if chart.update(line[rng.choice(len(line), rng.choice(sizes))]).alarm:
                count += 1
                chart.reset()
        alarms.append(count)
    assert 20 / 4 < sum(alarms) < 20 * 2.5  # 20 = 10 references × 100 windows × 0.02


def test_same_arguments_same_verdicts(line):
    first, second, other = (detector(line), detector(line), detector(line, seed=1))
    window = line[:36]
    assert first.update(window) == second.update(window)
    assert first.compute_limit(36) != other.compute_limit(36)


def test_a_higher_rate_means_a_lower_limit(line):
    limits = [detector(line, rate=rate).compute_limit(36) for rate in (0.1, 0.02, 0.005)]
    assert limits == sorted(limits)
    assert limits[0] < limits[2] - 3


# ---- drift: detection --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in DOMAINS if name != "baseline"])
@pytest.mark.parametrize("images", [32, 64])
def test_a_changed_line_alarms_within_two_windows(line, name, images):
    drifted = statistics(DOMAINS[name], 5, 2 * images)
    rng = np.random.default_rng(4)
    for seed in range(5):
        chart = detector(line, seed, window=images, rate=0.005)
        for _ in range(10):
            chart.update(line[rng.choice(len(line), images)])
        assert chart.update(drifted[:images]).alarm or chart.update(drifted[images:]).alarm


def test_gradual_drift_alarms_in_the_first_third_of_the_way(line):
    for name, seed in (("dim", 0), ("blurred", 1), ("generation_2", 2)):
        chart, share = detector(line, seed, rate=0.005), 0.0
        for step in range(1, 31):
            share = step / 30
            if chart.update(statistics(between(DOMAINS["baseline"], DOMAINS[name], share), 20 + step, 36)).alarm:
                break
        assert share <= 1 / 3, name


def test_slow_drift_of_one_statistic_is_seen_before_single_windows_show_it():
    """A shift of a third of a standard deviation: a chart with memory needs fewer windows than one without."""
    rng = np.random.default_rng(5)
    runs = {0.1: [], 1.0: []}
    for smoothing, lengths in runs.items():
        for seed in range(15):
            chart = DriftDetector(
                rng.normal(size=(400, 4)), 20, 0.005, seed, features=list("abcd"), smoothing=smoothing, replicates=200
            )
            windows = 1
            while windows < 200 and not chart.update(rng.normal([0.33, 0, 0, 0], 1, (20, 4))).alarm:
                windows += 1
            lengths.append(windows)
    assert np.median(runs[0.1]) < np.median(runs[1.0]) / 2


def test_contributions_name_what_moved(line):
    window = line[:36].copy()
    window[:, column("warmth")] += 6 * line[:, column("warmth")].std()
    verdict = detector(line).update(window)
    assert verdict.alarm
    assert max(verdict.contributions, key=verdict.contributions.get) == "warmth"
    assert verdict.reason == "drift, most of all in warmth"
    assert sum(verdict.contributions.values()) == pytest.approx(1)
    assert min(verdict.contributions.values()) >= 0


def test_the_models_answers_are_watched_the_same_way():
    rng = np.random.default_rng(6)

    def answers(count: int, lowest: float) -> np.ndarray:
        found = rng.poisson(1.5, count)
        return output_statistics([Detections(np.zeros((n, 4)), np.zeros(n), rng.uniform(lowest, 1, n)) for n in found])

    chart = DriftDetector(answers(300, 0.6), 36, 0.005, 0, features=OUTPUT_FEATURES)
    assert not any(chart.update(answers(36, 0.6)).alarm for _ in range(10))
    assert any(chart.update(answers(36, 0.1)).alarm for _ in range(2))


# ---- drift: odd input ----------------------------------------------------------------------------


def test_one_odd_image_in_a_window_is_no_drift(line):
    rng = np.random.default_rng(8)
    for seed in range(10):
        chart = detector(line, seed, rate=0.005)
        window = line[rng.choice(len(line), 36)]
        before = chart.update(window)
        chart.reset()
        (window[0],) = input_statistics([np.full((SIZE, SIZE, 3), 255, dtype=np.uint8)])
        after = chart.update(window)
        assert not after.alarm
        assert after.statistic < before.statistic + 8


def test_an_odd_image_among_the_reference_hides_no_drift(line):
    reference = line[:300].copy()
    reference[0] += 1e6
    chart = DriftDetector(reference, 36, 0.005, 0)
    assert chart.update(statistics(between(DOMAINS["baseline"], DOMAINS["dim"], 0.3), 9, 36)).alarm


def test_statistics_that_never_varied_do_not_disturb_and_are_watched(line):
    grey = line.copy()
    grey[:, [column("warmth"), column("tint"), column("saturation")]] = 0
    chart = detector(grey, rate=0.005)
    assert not any(chart.update(grey[start : start + 36]).alarm for start in range(0, 360, 36))
    window = grey[:36].copy()
    window[:, column("saturation")] = 3
    assert chart.update(window).reason == "drift, most of all in saturation"


def test_a_reference_of_one_and_the_same_image_is_borne():
    chart = DriftDetector(np.tile(np.arange(3.0), (50, 1)), 10, 0.01, 0, features=list("abc"))
    assert not chart.update(np.tile(np.arange(3.0), (10, 1))).alarm
    assert chart.update(np.tile([0.0, 1.0, 2.5], (10, 1))).alarm


def test_images_without_values_are_left_out_and_counted(line):
    whole, holed = detector(line), detector(line)
    window = line[:36].copy()
    window[[0, 5], 3] = np.nan, np.inf
    verdict = holed.update(window)
    assert verdict.reason == "as the reference; 2 of 36 images unusable"
    assert verdict.statistic == whole.update(np.delete(window, [0, 5], axis=0)).statistic


@pytest.mark.parametrize("window", [np.empty((0, len(FEATURES))), [], np.full((4, len(FEATURES)), np.nan)])
def test_a_window_without_images_changes_nothing(line, window):
    chart = detector(line)
    assert chart.update(window).statistic == 0
    before = chart.update(line[:36])
    empty = chart.update(window)
    assert (empty.alarm, empty.statistic) == (False, before.statistic)
    assert empty.reason.startswith("no usable image in the window")


def test_evidence_stands_until_reset(line):
    chart = detector(line)
    assert chart.update(line[:36] + 4 * line.std(axis=0)).alarm
    assert chart.update(line[36:72]).alarm  # remembered
    chart.reset()
    assert not chart.update(line[36:72]).alarm


def test_arguments_out_of_range_are_all_named(line):
    bad = line[:20].copy()
    bad[3, 2] = np.nan
    with pytest.raises(InputError) as caught:
        DriftDetector(bad, 0, 0.5, 0, smoothing=float("nan"))
    where = [problem.where for problem in caught.value.problems]
    assert where == ["reference", "reference", "window", "false_alarms_per_window", "smoothing"]
    with pytest.raises(InputError, match="one column for each"):
        DriftDetector(line[:, :4], 36, 0.01, 0)
    with pytest.raises(InputError, match="does not fit"):
        detector(line).update(line[:36, :4])


# ---- service -------------------------------------------------------------------------------------


def judge(errors: int, slow: int, requests: int = 48) -> Verdict:
    statuses = [500] * errors + [200] * (requests - errors)
    latencies = [0.01] * (requests - slow) + [0.2] * slow
    return ServiceDetector(0.02, 0.075, 0.005).update(statuses, latencies)


def test_service_limits_are_those_of_the_binomial_test():
    """By scipy.stats.binomtest: the fewest failures of 48 with p < 0.0025 against 2 %, and slow ones against 5 %."""
    fewest = [
        next(k for k in range(49) if stats.binomtest(k, 48, share, "greater").pvalue < 0.0025) for share in (0.02, 0.05)
    ]
    assert not judge(fewest[0] - 1, fewest[1] - 1).alarm
    assert judge(fewest[0], 0).reason == f"{fewest[0]} of 48 requests failed"
    assert judge(0, fewest[1]).reason == f"{fewest[1]} of 48 answers took longer than 0.075 s"
    assert judge(48, 0).statistic <= 300
    p = stats.binomtest(3, 48, 0.02, "greater").pvalue
    assert judge(3, 0).statistic == pytest.approx(-np.log10(p))


def test_service_alarms_at_its_limits_no_more_often_than_stated():
    rng = np.random.default_rng(9)
    chart, windows = ServiceDetector(0.05, 0.1, 0.05), 4000
    alarms = 0
    for _ in range(windows):
        statuses = np.where(rng.random(200) < 0.05, 503, 200)
        alarms += chart.update(statuses, np.where(rng.random(200) < 0.05, 0.3, 0.02)).alarm
    interval = stats.binomtest(alarms, windows).proportion_ci(0.99)
    assert interval.low < 0.05
    assert interval.high > 0.05 / 4


def test_service_within_its_level_hardly_ever_alarms():
    rng = np.random.default_rng(10)
    chart = ServiceDetector(0.05, 0.1, 0.005)
    statuses = np.where(rng.random((2000, 48)) < 0.01, 500, 200)
    assert not any(chart.update(row, rng.gamma(4, 0.005, 48)).alarm for row in statuses)


def test_whose_fault_a_status_is():
    chart = ServiceDetector(0.01, 1.0, 0.005)
    assert not chart.update([400, 413, 422] * 16, [0.01] * 48).alarm
    assert chart.update([0] * 6 + [200] * 42, [np.nan] * 6 + [0.01] * 42).alarm
    nothing = chart.update([503] * 10, [0.01] * 10)
    assert nothing.alarm
    assert nothing.contributions == {"error_share": 1.0}


def test_service_without_requests_and_with_wrong_input():
    chart = ServiceDetector(0.01, 1.0, 0.005)
    assert chart.update([], []) == Verdict(False, 0.0, pytest.approx(2.602, abs=1e-3), "no request in the window", {})
    with pytest.raises(InputError, match="2 statuses and 1 latencies"):
        chart.update([200, 200], [0.1])
    with pytest.raises(InputError, match="without a time"):
        chart.update([200], [np.nan])
    with pytest.raises(InputError) as caught:
        ServiceDetector(2, -1, 0)
    assert len(caught.value.problems) == 3


# ---- canary --------------------------------------------------------------------------------------


def answers(rng: np.random.Generator, count: int, errors: float, median_s: float) -> list[Answer]:
    seconds = median_s * np.exp(0.3 * rng.normal(size=count))
    return [Answer(500 if bad else 200, s) for bad, s in zip(rng.random(count) < errors, seconds, strict=True)]


def test_canary_that_is_as_good_alarms_no_more_often_than_stated():
    rng = np.random.default_rng(11)
    runs = 1500
    alarms = sum(
        compare_canary(answers(rng, 60, 0.1, 0.02), answers(rng, 30, 0.1, 0.03), slowdown=1.5, false_alarms=0.05).alarm
        for _ in range(runs)
    )
    interval = stats.binomtest(alarms, runs).proportion_ci(0.99)
    assert interval.low < 0.05
    assert interval.high > 0.05 / 4


def test_canary_that_fails_or_is_slow_alarms():
    rng = np.random.default_rng(12)
    good = answers(rng, 48, 0.0, 0.02)
    failing = compare_canary(good, answers(rng, 16, 0.4, 0.02), slowdown=1.5, false_alarms=0.01)
    slow = compare_canary(good, answers(rng, 16, 0.0, 0.1), slowdown=1.5, false_alarms=0.01)
    assert failing.alarm and "requests failed" in failing.reason
    assert slow.alarm and slow.reason.startswith("median latency 0.")
    assert set(slow.contributions) == {
        "stable_error_share", "candidate_error_share", "stable_latency_s", "candidate_latency_s",
    }  # fmt: skip


def test_canary_p_value_of_failures_is_fishers():
    stable, candidate = [Answer(200, 0.02)] * 39 + [Answer(503, 0.0)], [Answer(200, 0.02)] * 7 + [Answer(0, 1.0)] * 3
    p = stats.fisher_exact([[3, 7], [1, 39]], alternative="greater").pvalue
    verdict = compare_canary(stable, candidate, slowdown=1.5, false_alarms=0.01)
    assert verdict.statistic == pytest.approx(-np.log10(p))


def test_canary_without_traffic_is_no_comparison():
    for sides in (([], [Answer(500, 0.1)]), ([Answer(200, 0.1)], []), ([], [])):
        verdict = compare_canary(*sides, slowdown=1.5, false_alarms=0.01)
        assert not verdict.alarm
        assert verdict.reason == "nothing to compare: one side had no requests"
    assert compare_canary([Answer(200, 0.1)] * 30, [Answer(500, 0.1)] * 10, slowdown=1.5, false_alarms=0.01).alarm
    with pytest.raises(InputError):
        compare_canary([], [], slowdown=0.5, false_alarms=0.01)


# ---- quality -------------------------------------------------------------------------------------


def labelled(rng: np.random.Generator, images: int, recall: float, classes: int = 6) -> Matches:
    """What a model of that recall finds; images differ in difficulty, and it finds things that are not there."""
    objects = rng.choice(4, images, p=[0.15, 0.4, 0.3, 0.15])
    owner, label = np.repeat(np.arange(images), objects), rng.integers(classes, size=objects.sum())
    truth = np.zeros((images, classes), dtype=np.int64)
    np.add.at(truth, (owner, label), 1)
    found = rng.random(len(owner)) < np.clip(recall + rng.normal(0, 0.15, images), 0, 1)[owner]
    ghosts = np.repeat(np.arange(images), rng.poisson(0.3, images))
    correct = np.repeat([True, False], [found.sum(), len(ghosts)])
    return Matches(
        image=np.concatenate([owner[found], ghosts]),
        classes=np.concatenate([label[found], rng.integers(classes, size=len(ghosts))]),
        confidences=np.concatenate([rng.beta(5, 2, found.sum()), rng.beta(2, 4, len(ghosts))]),
        correct=np.repeat(correct[:, None], 10, axis=1),
        truth=truth,
    )


@pytest.fixture(scope="module")
def true_map() -> float:
    return compute_map(labelled(np.random.default_rng(0), 6000, 0.75))


def quality_alarms(target: float, runs: int = 40, windows: int = 6) -> np.ndarray:
    """Share of windows that alarm, run by run; every run a fresh stream."""
    rng = np.random.default_rng(13)
    shares = []
    for seed in range(runs):
        chart = QualityDetector(target, resamples=100, seed=seed)
        chart.update(labelled(rng, 24, 0.75))  # too few images to say anything
        shares.append(np.mean([chart.update(labelled(rng, 24, 0.75)).alarm for _ in range(windows)]))
    return np.array(shares)


def test_quality_false_alarms_are_as_documented(true_map):
    at_target, above = quality_alarms(true_map), quality_alarms(true_map - 0.1)
    assert at_target.mean() - 3 * at_target.std(ddof=1) / np.sqrt(len(at_target)) < 0.04
    assert above.mean() == 0


def test_lost_quality_alarms(true_map):
    assert quality_alarms(true_map + 0.1, runs=15).mean() > 0.35
    assert quality_alarms(true_map + 0.2, runs=15).mean() > 0.9


def test_only_the_newest_windows_count():
    rng = np.random.default_rng(14)
    chart = QualityDetector(0.5, windows=2)
    for _ in range(4):
        assert not chart.update(labelled(rng, 30, 0.95)).alarm
    verdicts = [chart.update(labelled(rng, 30, 0.05)) for _ in range(2)]
    assert verdicts[-1].alarm
    assert verdicts[-1].contributions["images"] == 60
    assert verdicts[-1].contributions["low"] <= verdicts[-1].contributions["map50"] <= verdicts[-1].statistic
    chart.reset()
    assert chart.update(labelled(rng, 30, 0.05)).reason.startswith("too little to judge by: 30 labelled images")


def test_a_model_that_finds_nothing_alarms():
    blind = labelled(np.random.default_rng(15), 60, 0.9)
    nothing = Matches(blind.image[:0], blind.classes[:0], blind.confidences[:0], blind.correct[:0], blind.truth)
    verdict = QualityDetector(0.5).update(nothing)
    assert verdict.alarm
    assert verdict.statistic == 0


def test_quality_without_labels_or_objects_says_nothing():
    some = labelled(np.random.default_rng(16), 60, 0.9)
    empty = Matches(some.image[:0], some.classes[:0], some.confidences[:0], some.correct[:0], some.truth[:0])
    bare = Matches(empty.image, empty.classes, empty.confidences, empty.correct, np.zeros_like(some.truth))
    for matches, text in ((empty, "0 labelled images"), (bare, "60 labelled images with 0 objects")):
        verdict = QualityDetector(0.99).update(matches)
        assert not verdict.alarm
        assert text in verdict.reason
    chart = QualityDetector(0.99)
    first = chart.update(some)
    assert chart.update(empty) == first
    with pytest.raises(InputError) as caught:
        QualityDetector(1.5, windows=0, minimum_images=1, confidence=1.0, resamples=1)
    assert len(caught.value.problems) == 5


def test_verdicts_are_plain_values_for_a_log(line):
    good = [Answer(200, 0.02)] * 20
    verdicts = [
        detector(line).update(line[:36]),
        judge(1, 1),
        compare_canary(good, good, slowdown=1.5, false_alarms=0.01),
        QualityDetector(0.5).update(labelled(np.random.default_rng(17), 60, 0.9)),
    ]
    for verdict in verdicts:
        assert json.loads(json.dumps(asdict(verdict), allow_nan=False)) == asdict(verdict)
        assert type(verdict.alarm) is bool
