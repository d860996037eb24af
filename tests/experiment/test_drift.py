"""Conditions act on images as light, dust, a lens and a sensor would."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.experiment.drift import BASELINE, DOMAINS, NORMAL_QUANTILES, REFERENCE_WIDTH, between, corrupt, expose
from analysis.experiment.scenes import Domain

CLEAR = Domain(light=1, warmth=0, blur=0, noise=0, haze=0)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def photograph() -> np.ndarray:
    return np.random.default_rng(1).integers(30, 180, (60, 80, 3), dtype=np.uint8)


def grey(value: int, height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_clear_conditions_show_what_there_is():
    np.testing.assert_array_equal(expose(photograph(), CLEAR, rng()), photograph())


def test_under_the_baseline_a_photograph_stays_as_it_is():
    np.testing.assert_array_equal(corrupt(photograph(), BASELINE, rng()), photograph())


@pytest.mark.parametrize("name", [name for name in DOMAINS if name != "baseline"])
def test_named_conditions_change_a_photograph_the_same_way_every_time(name):
    first, again = (corrupt(photograph(), DOMAINS[name], rng()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == photograph().shape and first.dtype == np.uint8
    assert np.abs(first.astype(float) - photograph()).mean() > 5


def test_light_scales_grey_values():
    assert expose(grey(120), Domain(light=0.4, blur=0, noise=0), rng()).mean() == 48


def test_too_much_light_saturates_instead_of_wrapping_round():
    assert expose(grey(200), Domain(light=2, blur=0, noise=0), rng()).min() == 255


@pytest.mark.parametrize("warmth", [-0.6, 0.6])
def test_warm_light_is_red_and_cold_light_is_blue(warmth):
    blue, _, red = expose(grey(120), Domain(warmth=warmth, blur=0, noise=0), rng()).mean(axis=(0, 1))
    assert np.sign(red - blue) == np.sign(warmth)
    assert abs(red - blue) > 40


def test_haze_takes_contrast_in_proportion():
    image = photograph()
    hazy = expose(image, Domain(haze=0.5, blur=0, noise=0), rng())
    assert hazy.std() == pytest.approx(image.std() / 2, rel=0.01)


def test_blur_is_the_stated_gaussian_in_any_size():
    """The standard deviation of a blurred line of light is the one asked for (bodies of an image 160 px wide)."""
    for width in (80, 160, 320):
        image = np.zeros((9, width, 3), dtype=np.uint8)
        image[:, width // 2] = 255
        profile = expose(image, Domain(light=20, blur=3, noise=0), rng())[4, :, 0].astype(float)
        if profile.max() == 255:  # saturated: measure with less light
            profile = expose(image, Domain(light=2, blur=3, noise=0), rng())[4, :, 0].astype(float)
        share = profile / profile.sum()
        spread = np.sqrt(share @ (np.arange(width) - width // 2) ** 2)
        assert spread == pytest.approx(3 * width / REFERENCE_WIDTH, rel=0.12)


def test_noise_has_the_stated_spread_and_no_bias():
    values = expose(grey(128), Domain(noise=12, blur=0), rng()).astype(float)
    assert values.std() == pytest.approx(12, rel=0.02)
    assert values.mean() == pytest.approx(128, abs=4 * 12 / np.sqrt(values.size))


def test_quantised_noise_is_normal():
    """256 equally likely steps: no distance from the normal distribution function above half a step, 1/512."""
    assert stats.kstest(NORMAL_QUANTILES, "norm").statistic <= 1 / 512 + 1e-6
    assert NORMAL_QUANTILES.std() == pytest.approx(1, abs=0.01)


def test_noise_does_not_follow_the_image_or_the_channels():
    noise = expose(grey(128), Domain(noise=12, blur=0), rng()).astype(float) - 128
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 2].ravel())[0, 1]) < 0.04
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.04


def test_photographs_already_have_the_noise_and_blur_of_the_baseline():
    """Only what is missing is added: variances add up to the square of the domain's noise."""
    noisy = corrupt(grey(128), Domain(noise=13), rng()).astype(float)
    assert noisy.std() == pytest.approx(np.sqrt(13**2 - BASELINE.noise**2), rel=0.02)


def test_new_generation_turns_the_hue_of_its_share_of_photographs():
    image = cv2.cvtColor(np.full((8, 8, 3), (40, 200, 180), dtype=np.uint8), cv2.COLOR_HSV2BGR_FULL)
    generator = rng()
    turned = [corrupt(image, Domain(new_product=0.3), generator) for _ in range(300)]
    share = np.mean([not np.array_equal(one, image) for one in turned])
    assert stats.binomtest(round(share * 300), 300, 0.3).pvalue > 0.001
    hue = cv2.cvtColor(corrupt(image, Domain(new_product=1), rng()), cv2.COLOR_BGR2HSV_FULL)[..., 0]
    assert abs(int(hue[0, 0]) - (40 + 64)) <= 2  # a quarter of the circle of 256


def test_wear_of_the_belt_is_not_applied_to_photographs():
    np.testing.assert_array_equal(corrupt(photograph(), Domain(wear=1), rng()), photograph())


def test_images_given_are_not_written_on():
    image = photograph()
    for domain in DOMAINS.values():
        corrupt(image, domain, rng())
        expose(image, domain, rng())
    np.testing.assert_array_equal(image, photograph())


@given(share=st.floats(-1, 2), name=st.sampled_from(sorted(DOMAINS)))
@settings(deadline=None)
def test_gradual_drift_stays_between_its_ends(share, name):
    end, now = DOMAINS[name], between(BASELINE, DOMAINS[name], share)
    for field in fields(Domain):
        low, high = sorted((getattr(BASELINE, field.name), getattr(end, field.name)))
        assert low - 1e-9 <= getattr(now, field.name) <= high + 1e-9
    assert between(BASELINE, end, 0) == BASELINE
    assert between(BASELINE, end, 1) == end


def test_domains_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        DOMAINS["dim"] = BASELINE
