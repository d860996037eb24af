"""Residuals of contingency tables, against R's documentation, statsmodels and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import Table

from analysis.base.errors import InputError
from analysis.stats.contingency import table_chi_square
from analysis.stats.residuals import compute_residuals

# Agresti (2007), An Introduction to Categorical Data Analysis, sec. 2.4: party identification by gender, 2757 people,
# which is the example of R's ?chisq.test; its standardised residuals are 4.50, 0.70 and −5.32.
PARTY = [[762, 327, 468], [484, 239, 477]]


def test_party_and_gender():
    found = compute_residuals(PARTY, kind="adjusted")
    assert found[0] == pytest.approx([4.5021, 0.6995, -5.3159], abs=5e-5)
    assert found[1] == pytest.approx(-found[0])
    # Chi-squared of R's chisq.test(M): 30.07.
    assert (compute_residuals(PARTY, kind="pearson") ** 2).sum() == pytest.approx(30.07, abs=5e-3)


@given(st.lists(st.lists(st.integers(1, 40), min_size=3, max_size=3), min_size=2, max_size=5))
def test_statsmodels_agrees(table):
    reference = Table(np.array(table, dtype=float), shift_zeros=False)
    assert compute_residuals(table, kind="pearson") == pytest.approx(np.asarray(reference.resid_pearson))
    assert compute_residuals(table, kind="adjusted") == pytest.approx(np.asarray(reference.standardized_resids))
    total = (compute_residuals(table, kind="pearson") ** 2).sum()
    assert total == pytest.approx(float(table_chi_square(np.array([table]))[0]))


def test_what_is_empty_departs_from_nothing():
    found = compute_residuals([[5, 0, 5], [0, 0, 0], [5, 0, 5]], kind="adjusted")
    assert np.array_equal(found, np.zeros((3, 3)))
    assert np.isfinite(compute_residuals([[5, 3], [0, 0]], kind="adjusted")).all()


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="kind"):
        compute_residuals(PARTY, kind="deviance")
    with pytest.raises(InputError, match="weighted"):
        compute_residuals([[1.5, 2], [3, 4]], kind="pearson")
