"""Codings as units × coders: counted by unit, crossed for two coders, rebuilt from a printed table.

A cell holds the category that a coder gave a unit, or nothing (NaN, None) where the coder did not see it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.stats.bootstrap import METHODS

WEIGHTS: dict[str, str] = {"none": "unweighted", "linear": "linear weights", "quadratic": "quadratic weights"}

Codings = pd.DataFrame | np.ndarray


def count_codes(codings: Codings, categories: Sequence[Hashable] | None) -> tuple[np.ndarray, list]:
    """How many coders put each unit into each category (units × categories), and the categories.

    Units that nobody coded are left out.

    Raises
    ------
    InputError
        Fewer than two coders, a code outside ``categories``, a repeated category, or no unit that two coders coded.
    """
    codes, known = _coded(codings, categories)
    counts = (codes[:, :, None] == np.arange(len(known))).sum(axis=1)
    counts = counts[counts.sum(axis=1) > 0]
    if not (counts.sum(axis=1) >= 2).any():
        problem = Problem("codings", "no unit was coded by two coders", "agreement needs units in common")
        raise InputError("There is nothing to agree on.", [problem])
    return counts, known


def count_pairs(codings: Codings, categories: Sequence[Hashable] | None) -> np.ndarray:
    """Cross table of two coders' categories (first coder in rows), over the units that both coded."""
    codes, known = _coded(codings, categories)
    both = codes[(codes >= 0).all(axis=1)]
    if len(both) == 0:
        problem = Problem("codings", "no unit was coded by both", "agreement needs units in common")
        raise InputError("There is nothing to agree on.", [problem])
    table = np.zeros((len(known), len(known)), dtype=np.int64)
    np.add.at(table, (both[:, 0], both[:, 1]), 1)
    return table


def codings_of_table(table: Sequence[Sequence[int]], categories: Sequence[Hashable] | None = None) -> pd.DataFrame:
    """Units × two coders from a printed cross table; categories are numbered from 1 unless named.

    >>> len(codings_of_table([[20, 5], [10, 15]]))
    50
    """
    counts = np.asarray(table)
    names = np.array(range(1, len(counts) + 1) if categories is None else categories)
    first, second = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    return pd.DataFrame({"first": names[first], "second": names[second]})


def agreement_weights(q: int, weights: str) -> np.ndarray:
    """Credit for a pair of categories, by their places: 1 for the same, 0 for the ends of the scale.

    >>> agreement_weights(3, "quadratic").tolist()
    [[1.0, 0.75, 0.0], [0.75, 1.0, 0.75], [0.0, 0.75, 1.0]]
    """
    if weights == "none" or q == 1:
        return np.eye(q)
    apart = np.abs(np.subtract.outer(np.arange(q), np.arange(q))) / (q - 1)
    return 1 - apart ** (1 if weights == "linear" else 2)


def count_coders(codings: Codings) -> int:
    """How many coders there are; one where the codings are no table."""
    shape = codings.shape if isinstance(codings, pd.DataFrame) else np.asarray(codings, dtype=object).shape
    return shape[1] if len(shape) == 2 else 1


def _coded(codings: Codings, categories: Sequence[Hashable] | None) -> tuple[np.ndarray, list]:
    """Places of the codes in the categories, −1 where there is none; and the categories."""
    problems: list[Problem] = []
    coders = count_coders(codings)
    if coders < 2:
        problems.append(Problem("codings", f"{coders} coder", "one column for each of two coders or more"))
        raise InputError("Agreement cannot be computed.", problems)
    values = pd.DataFrame(codings).to_numpy(dtype=object)
    present = ~pd.isna(values)
    found = pd.unique(values[present])
    known = sorted(found, key=lambda code: (str(type(code)), code)) if categories is None else list(categories)
    if len(set(known)) < len(known):
        problems.append(Problem("categories", "one is named twice", "name each once"))
    strange = [code for code in found if code not in set(known)]
    problems += [
        Problem(f"code '{code}'", f"is none of the {len(known)} categories", f"one of: {', '.join(map(str, known))}")
        for code in strange
    ]
    if problems:
        raise InputError("These codings do not fit their categories.", problems)
    place = {code: number for number, code in enumerate(known)}
    codes = np.full(values.shape, -1)
    codes[present] = [place[code] for code in values[present]]
    return codes, known


def refuse_one_category(name: str) -> None:
    """Raise: every code is the same, so that chance explains all agreement."""
    remedy = "report percent agreement, or AC1 with all categories that could have been used"
    problem = Problem("codings", "all codes are one and the same category", remedy)
    raise InputError(f"{name} is undefined: agreement by chance would be complete.", [problem])


def check_options(
    options: dict[str, tuple[str, dict[str, str]]], confidence: float, method: str, rng: np.random.Generator | None
) -> None:
    """Raise where an option, the confidence or the generator is not as it must be; all violations at once."""
    problems = [
        Problem(name, f"got '{got}'", f"one of: {', '.join(known)}")
        for name, (got, known) in options.items()
        if got not in known
    ]
    if not 0 < confidence < 1:
        problems.append(Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95"))
    if method in METHODS and rng is None:
        problems.append(Problem("rng", "none given", "pass rng=numpy.random.default_rng(seed)"))
    if problems:
        raise InputError("Agreement cannot be estimated.", problems)
