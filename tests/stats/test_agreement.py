"""Agreement coefficients against published examples, each other, and simulated coverage at 84 units."""

from __future__ import annotations

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import fleiss_kappa

from analysis.base.errors import InputError
from analysis.stats.agreement import (
    compute_cohen_kappa,
    compute_fleiss_kappa,
    compute_gwet_ac,
    compute_percent_agreement,
)
from analysis.stats.codings import agreement_weights, codings_of_table, count_codes, count_pairs
from analysis.stats.krippendorff_alpha import LEVELS, compute_krippendorff_alpha

# Fleiss (1971), table 1: thirty psychiatric patients, six raters each; kappa = 0.430 in the paper.
FLEISS = np.array(
    [
        [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
        [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
        [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0],
        [0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0],
        [1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
    ]
)  # fmt: skip

# Krippendorff (2011), example C: twelve units, four observers, missing codes. His alphas: nominal 0.743, ordinal 0.815,
# interval 0.849, ratio 0.797. R's irrCAC ships the same codings as cac.raw4raters.
X = np.nan
EXAMPLE = np.array(
    [
        [1, 1, X, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
        [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [X, 5, 5, 5], [X, X, 1, 1], [X, X, 3, X],
    ]
)  # fmt: skip
FIVE = [1, 2, 3, 4, 5]

# irrCAC 1.0 (R), vignettes "overview" and "weighting": two abstractors of 100 patients (Gwet 2014, table 2.8).
ABSTRACTORS = codings_of_table([[13, 0, 0], [0, 20, 7], [0, 4, 56]])


def written_out(counts: np.ndarray) -> np.ndarray:
    return np.array([np.repeat(np.arange(counts.shape[1]), row) for row in counts])


# irrCAC: kappa2.table(cont3x3abstractors) 0.7964094, error 0.05891072; quadratic weights 0.8921569, 0.03535151.
@pytest.mark.parametrize(
    ("weights", "value", "error"), [("none", 0.7964094, 0.05891072), ("quadratic", 0.8921569, 0.03535151)]
)
def test_cohen_kappa_matches_irrcac(weights, value, error):
    estimate = compute_cohen_kappa(ABSTRACTORS, method="asymptotic", weights=weights, categories=[1, 2, 3])
    assert estimate.value == pytest.approx(value, abs=5e-8)
    assert (estimate.value - estimate.low) / 1.959963985 == pytest.approx(error, abs=5e-8)
    assert estimate.n == 100
    assert estimate.function == "analysis.stats.agreement.compute_cohen_kappa"


def test_cohen_kappa_matches_statpsych():
    # statpsych (R): ci.kappa(.05, 31, 12, 4, 58): Cohen 0.676, standard error 0.0734, 0.532 to 0.820.
    estimate = compute_cohen_kappa(codings_of_table([[31, 12], [4, 58]]), method="asymptotic")
    assert (round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)) == (0.676, 0.532, 0.820)


def test_linear_weights_by_hand():
    # Observed credit (89 + 11/2)/100; by chance from the margins 13, 27, 60 and 13, 24, 63.
    rows, columns = np.array([0.13, 0.27, 0.60]), np.array([0.13, 0.24, 0.63])
    credit = np.array([[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
    chance = rows @ credit @ columns
    estimate = compute_cohen_kappa(ABSTRACTORS, method="asymptotic", weights="linear", categories=[1, 2, 3])
    assert estimate.value == pytest.approx((0.945 - chance) / (1 - chance))
    assert agreement_weights(3, "linear").tolist() == credit.tolist()


def test_weights_are_those_of_the_whole_scale():
    codings = codings_of_table([[13, 2], [4, 20]], [1, 3])
    narrow = compute_cohen_kappa(codings, method="asymptotic", weights="linear", categories=[1, 3])
    wide = compute_cohen_kappa(codings, method="asymptotic", weights="linear", categories=[1, 2, 3, 4, 5])
    assert narrow.value == pytest.approx(wide.value)  # credit is linear in the distance, so kappa does not change
    ac_narrow = compute_gwet_ac(codings, method="linearised", categories=[1, 3])
    ac_wide = compute_gwet_ac(codings, method="linearised", categories=[1, 2, 3, 4, 5])
    assert ac_wide.value > ac_narrow.value  # five categories leave less to chance than two


def test_fleiss_kappa_of_the_psychiatric_diagnoses():
    estimate = compute_fleiss_kappa(written_out(FLEISS), method="linearised")
    assert round(estimate.value, 3) == 0.430
    assert estimate.value == pytest.approx(fleiss_kappa(FLEISS))
    assert estimate.n == 30


# irrCAC vignette "overview": fleiss.kappa.dist and gwet.ac1.dist of distrib.6raters, the first fifteen patients.
@pytest.mark.parametrize(
    ("function", "value", "error"),
    [(compute_fleiss_kappa, 0.4139265, 0.08119291), (compute_gwet_ac, 0.4448007, 0.08418757)],
)
def test_fifteen_patients_match_irrcac(function, value, error):
    estimate = function(written_out(FLEISS[:15]), method="linearised")
    assert estimate.value == pytest.approx(value, abs=5e-8)
    assert (estimate.value - estimate.low) / 2.144786688 == pytest.approx(error, abs=5e-8)  # t, 14 degrees of freedom


# irrCAC, vignettes: gwet.ac1.raw, fleiss.kappa.raw and pa.coeff.raw of cac.raw4raters; errors to five digits.
@pytest.mark.parametrize(
    ("function", "weights", "value", "error", "low"),
    [
        (compute_gwet_ac, "none", 0.77544, 0.14295, 0.461),
        (compute_gwet_ac, "quadratic", 0.914, 0.10396, 0.685),
        (compute_fleiss_kappa, "none", 0.76117, 0.15302, 0.424),
        (compute_fleiss_kappa, "quadratic", 0.86494, 0.14603, 0.544),
    ],
)
def test_missing_codes_match_irrcac(function, weights, value, error, low):
    estimate = function(EXAMPLE, method="linearised", weights=weights, categories=FIVE)
    assert round(estimate.value, 5) == value
    assert round((estimate.value - estimate.low) / 2.200985160, 5) == error  # t, 11 degrees of freedom
    assert (round(estimate.low, 3), estimate.high) == (low, 1)
    assert estimate.n == 11  # one of twelve units was coded once only


def test_percent_agreement_with_missing_codes_matches_irrcac():
    estimate = compute_percent_agreement(EXAMPLE, method="linearised")
    assert (round(estimate.value, 7), round(estimate.low, 3), estimate.high) == (0.8181818, 0.542, 1)
    assert estimate.unit == "share"


def test_percent_agreement_of_two_coders():
    estimate = compute_percent_agreement(ABSTRACTORS, method="wilson")
    assert estimate.value == 0.89
    # Wilson by hand: (0.89 + z²/200 ± z √(0.89·0.11/100 + z²/40000))/(1 + z²/100)
    z = 1.959963985
    bounds = [(0.89 + z**2 / 200 + sign * z * np.sqrt(0.89 * 0.11 / 100 + z**2 / 40000)) / (1 + z**2 / 100)
              for sign in (-1, 1)]  # fmt: skip
    assert (estimate.low, estimate.high) == pytest.approx(bounds)


def test_ac1_of_two_coders_matches_irrcac():
    # gwet.ac1.table(cont3x3abstractors): 0.8493305, standard error 0.04321747 with divisor n; units vary with n − 1.
    estimate = compute_gwet_ac(ABSTRACTORS, method="linearised")
    assert estimate.value == pytest.approx(0.8493305, abs=5e-8)
    error = (estimate.value - estimate.low) / 1.984216952
    assert error * np.sqrt(99 / 100) == pytest.approx(0.04321747, abs=5e-8)


@pytest.mark.parametrize(
    ("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_krippendorff_alpha_matches_his_example(level, published):
    rng = np.random.default_rng(1)
    estimate = compute_krippendorff_alpha(EXAMPLE, level=level, method="percentile", rng=rng, resamples=500)
    assert round(estimate.value, 3) == published
    assert estimate.low < estimate.value < estimate.high
    assert estimate.n == 11


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(LEVELS)))
def test_our_alpha_of_resamples_is_the_package_s(seed, level):
    rng = np.random.default_rng(seed)
    codings = rng.integers(1, 5, size=(8, 3)).astype(float)
    codings[rng.random(codings.shape) < 0.2] = np.nan
    from analysis.stats.krippendorff_alpha import alpha_of_coincidences

    counts = (codings[:, :, None] == np.arange(1, 5)).sum(axis=1)
    counts = counts[counts.sum(axis=1) >= 2]
    used = counts.any(axis=0)
    if len(counts) == 0 or used.sum() < 2:
        return
    counts, values = counts[:, used], np.arange(1.0, 5.0)[used]
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    coincidences = (pairs / (counts.sum(axis=1) - 1)[:, None, None]).sum(axis=0)
    expected = krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=level)
    assert alpha_of_coincidences(coincidences.reshape(1, -1), values, level)[0] == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_order_and_names_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    codings = rng.integers(0, 3, size=(20, 2))
    named = np.array(["c", "a", "b"])[codings]
    shuffled = named[rng.permutation(20)]
    for function in (compute_cohen_kappa, compute_fleiss_kappa, compute_gwet_ac, compute_percent_agreement):
        method = "asymptotic" if function is compute_cohen_kappa else "linearised"
        first = function(codings, method=method)
        for other in (named, shuffled, codings[:, ::-1]):
            again = function(other, method=method)
            assert (again.value, again.low) == pytest.approx((first.value, first.low))
    # Weighted kappa does not change where the scale is turned round.
    plain = compute_cohen_kappa(codings, method="asymptotic", weights="quadratic", categories=[0, 1, 2])
    turned = compute_cohen_kappa(2 - codings, method="asymptotic", weights="quadratic", categories=[0, 1, 2])
    assert (plain.value, plain.low) == pytest.approx((turned.value, turned.low))


def test_quadratic_kappa_is_nearly_an_intraclass_correlation():
    # Fleiss and Cohen (1973): quadratic kappa is ICC(2,1) but for a divisor n in place of n − 1.
    from analysis.stats.icc import compute_icc

    codings = np.random.default_rng(5).integers(1, 6, size=(4000, 1)) + np.array([[0, 0]])
    codings[:, 1] = np.clip(codings[:, 1] + np.random.default_rng(6).integers(-1, 2, 4000), 1, 5)
    kappa = compute_cohen_kappa(codings, method="asymptotic", weights="quadratic", categories=FIVE)
    assert kappa.value == pytest.approx(compute_icc(codings, form="2,1").estimate.value, abs=1e-4)


def test_missing_codes_of_two_coders_are_left_out():
    holed = pd.DataFrame({"one": ["a", "b", None, "a", "b"], "two": ["a", "b", "b", None, "a"]})
    estimate = compute_cohen_kappa(holed, method="asymptotic")
    assert estimate.n == 3
    assert count_pairs(holed, None).tolist() == [[1, 0], [1, 1]]
    counts, known = count_codes(holed, ["b", "a", "c"])
    assert known == ["b", "a", "c"]
    assert counts.tolist() == [[0, 2, 0], [2, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_bootstrap_intervals_lie_near_the_asymptotic_ones(method):
    rng = np.random.default_rng(7)
    for function, closed in (
        (compute_cohen_kappa, "asymptotic"),
        (compute_fleiss_kappa, "linearised"),
        (compute_gwet_ac, "linearised"),
        (compute_percent_agreement, "linearised"),
    ):
        exact = function(ABSTRACTORS, method=closed)
        drawn = function(ABSTRACTORS, method=method, rng=rng)
        assert drawn.value == pytest.approx(exact.value)
        assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.05)
        assert drawn.n == 100


def test_complete_agreement():
    same = codings_of_table([[5, 0], [0, 7]])
    assert compute_cohen_kappa(same, method="asymptotic").value == 1
    assert compute_gwet_ac(same, method="linearised").low == 1
    one = np.array([["a", "a"]] * 9)
    assert compute_percent_agreement(one, method="wilson").value == 1
    assert compute_gwet_ac(one, method="linearised", categories=["a", "b"]).value == 1
    rng = np.random.default_rng(0)
    for refused in (
        lambda: compute_cohen_kappa(one, method="asymptotic"),
        lambda: compute_fleiss_kappa(one, method="linearised"),
        lambda: compute_gwet_ac(one, method="linearised"),
        lambda: compute_krippendorff_alpha(one, level="nominal", method="bca", rng=rng),
    ):
        with pytest.raises(InputError, match="one and the same category"):
            refused()


def draw_codings(rng: np.random.Generator, units: int, shares: np.ndarray, hit: float) -> np.ndarray:
    """Two coders who see the true category with probability ``hit`` and guess from its shares otherwise."""
    truth = rng.choice(len(shares), size=(units, 1), p=shares)
    guesses = rng.choice(len(shares), size=(units, 2), p=shares)
    return np.where(rng.random((units, 2)) < hit, truth, guesses)


def test_intervals_of_kappa_and_ac1_cover_at_84_units():
    rng, shares, hit, studies = np.random.default_rng(84), np.array([0.5, 0.3, 0.2]), 0.85, 500
    agreement = hit**2 + (1 - hit**2) * (shares**2).sum()
    chance = (shares * (1 - shares)).sum() / 2
    truths = {"kappa": hit**2, "fleiss": hit**2, "ac1": (agreement - chance) / (1 - chance), "percent": agreement}
    hits = dict.fromkeys(truths, 0)
    for _ in range(studies):
        codings = draw_codings(rng, 84, shares, hit)
        estimates = {
            "kappa": compute_cohen_kappa(codings, method="asymptotic"),
            "fleiss": compute_fleiss_kappa(codings, method="linearised"),
            "ac1": compute_gwet_ac(codings, method="linearised"),
            "percent": compute_percent_agreement(codings, method="wilson"),
        }
        for name, estimate in estimates.items():
            hits[name] += estimate.low <= truths[name] <= estimate.high
    for name, count in hits.items():
        assert 0.93 - 0.01 < count / studies < 0.97 + 0.01, name  # plus a simulation error of 1 point


def test_bootstrap_of_krippendorff_alpha_covers_at_84_units():
    rng, shares, hit, studies = np.random.default_rng(86), np.array([0.5, 0.3, 0.2]), 0.85, 400
    hits = 0
    for _ in range(studies):
        codings = draw_codings(rng, 84, shares, hit)
        estimate = compute_krippendorff_alpha(codings, level="nominal", method="bca", rng=rng, resamples=599)
        hits += estimate.low <= hit**2 <= estimate.high
    assert 0.92 < hits / studies < 0.98  # simulation error 1.1 points


RNG = np.random.default_rng(0)
WORDS = np.array([["a", "b"], ["b", "b"], ["a", "a"]])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: compute_cohen_kappa(WORDS, method="wald"), "asymptotic"),
        (lambda: compute_cohen_kappa(WORDS, 95, method="asymptotic"), "confidence"),
        (lambda: compute_cohen_kappa(WORDS, method="asymptotic", weights="cubic"), "weights"),
        (lambda: compute_cohen_kappa(WORDS, method="asymptotic", weights="linear"), "all categories in their order"),
        (lambda: compute_cohen_kappa(WORDS, method="bca"), "rng"),
        (lambda: compute_cohen_kappa(EXAMPLE, method="asymptotic"), "4 coders"),
        (lambda: compute_cohen_kappa(WORDS, method="asymptotic", categories=["a"]), "code 'b'"),
        (lambda: compute_cohen_kappa(WORDS, method="asymptotic", categories=["a", "b", "a"]), "twice"),
        (lambda: compute_cohen_kappa(np.array([["a", None], [None, "b"]]), method="asymptotic"), "in common"),
        (lambda: compute_fleiss_kappa(np.array([["a", None], [None, "b"]]), method="linearised"), "in common"),
        (lambda: compute_fleiss_kappa(WORDS[:, :1], method="linearised"), "two coders or more"),
        (lambda: compute_gwet_ac(WORDS, method="linearised", weights="linear"), "all categories in their order"),
        (lambda: compute_percent_agreement(EXAMPLE, method="wilson"), "4 coders"),
        (lambda: compute_krippendorff_alpha(WORDS, level="rank", method="bca", rng=RNG), "level"),
        (lambda: compute_krippendorff_alpha(WORDS, level="interval", method="bca", rng=RNG), "not numbers"),
        (lambda: compute_krippendorff_alpha(WORDS, level="ordinal", method="bca", rng=RNG), "in their order"),
        (lambda: compute_krippendorff_alpha(EXAMPLE - 3, level="ratio", method="bca", rng=RNG), "from 0 on"),
    ],
)
def test_wrong_input_is_refused(wrong, said):
    with pytest.raises(InputError) as error:
        wrong()
    assert said in str(error.value)
