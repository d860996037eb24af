"""Adjusted p-values: R's p.adjust, order, bounds, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.stats import paired
from analysis.stats.multiplicity import adjust, holm

P = [0.01, 0.02, 0.03, 0.04, 0.05, 0.001]


def test_adjustments_equal_r():
    # R 4.2.2: p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05, 0.001), "holm") and "BH"
    assert adjust(P, method="holm") == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09, 0.006])
    assert adjust(P, method="benjamini-hochberg") == pytest.approx([0.03, 0.04, 0.045, 0.048, 0.05, 0.006])


def test_holm_is_one_function_for_old_and_new_callers():
    assert paired.holm is holm
    assert holm(P) == adjust(P, method="holm")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None)
def test_adjusted_lie_between_plain_and_bonferroni_in_any_order(values):
    for method in ("holm", "benjamini-hochberg"):
        adjusted = adjust(values, method=method)
        for plain, each in zip(values, adjusted, strict=True):
            assert plain - 1e-12 <= each <= min(1, plain * len(values)) + 1e-12
        assert adjust(values[::-1], method=method) == pytest.approx(adjusted[::-1])


def test_false_discovery_rate_is_the_milder_rule():
    assert all(a <= b for a, b in zip(adjust(P, method="benjamini-hochberg"), adjust(P, method="holm"), strict=True))


@pytest.mark.parametrize(
    ("values", "method", "words"),
    [
        ([0.1, 1.2, -0.1], "holm", "1.2, -0.1"),
        ([], "holm", "shape"),
        ([0.1, float("nan")], "benjamini-hochberg", "place 2"),
        ([0.1], "bonferroni", "one of: holm, benjamini-hochberg"),
        (["low"], "holm", "not numbers"),
    ],
)
def test_refusals_name_the_cause(values, method, words):
    with pytest.raises(InputError, match=words):
        adjust(values, method=method)
