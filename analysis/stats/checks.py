"""What every estimator asks of its input, said in one way: finite numbers, whole counts, known names, a generator.

Missing values are refused, never dropped: whoever leaves respondents out says so before, with their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem

PLACES_NAMED = 5
"""Places named in a message; the rest are counted."""


def refuse(title: str, problems: Iterable[Problem]) -> None:
    """Raise `InputError` with all problems, if there are any."""
    found = list(problems)
    if found:
        raise InputError(title, found)


def confidence_problems(confidence: float) -> list[Problem]:
    """A confidence is a share between 0 and 1, both left out."""
    if 0 < confidence < 1:
        return []
    return [Problem("confidence", f"got {confidence}", "a share between 0 and 1, such as 0.95")]


def choice_problems(name: str, got: str, known: Iterable[str]) -> list[Problem]:
    """The name given is one of those known."""
    choices = list(known)
    return [] if got in choices else [Problem(name, f"got '{got}'", f"one of: {', '.join(choices)}")]


def draw_problems(rng: np.random.Generator | None, draws: int, needed: bool) -> list[Problem]:
    """A method that draws needs a generator and one draw or more."""
    if not needed:
        return []
    problems = []
    if not isinstance(rng, np.random.Generator):
        problems.append(Problem("rng", "no generator for a method that draws", "rng=numpy.random.default_rng(seed)"))
    if draws < 1:
        problems.append(Problem("draws", f"got {draws}", "at least one"))
    return problems


def finite_values(values: Sequence[float], name: str, fewest: int = 1) -> np.ndarray:
    """One-dimensional array of finite numbers.

    Raises
    ------
    InputError
        Not a sequence of numbers, fewer than ``fewest``, or a missing or infinite value; its places from 1 are named.
    """
    array = _numbers(values, name)
    if array.ndim != 1 or array.size < fewest:
        raise InputError(
            "These values cannot be used.",
            [
                Problem(
                    name,
                    f"shape {array.shape}",
                    f"a sequence of {fewest} {'number' if fewest == 1 else 'numbers'} or more",
                )
            ],
        )
    places = np.flatnonzero(~np.isfinite(array)) + 1
    if len(places):
        raise InputError("These values cannot be used.", [_missing(name, "place", places)])
    return array


def finite_frame(frame: pd.DataFrame | Sequence[Sequence[float]], name: str, columns: int = 2) -> pd.DataFrame:
    """Frame of finite numbers, one respondent a row; an array gets its columns named 1, 2, ….

    Raises
    ------
    InputError
        Fewer than ``columns`` columns, no row, column names that repeat, or a missing value; every column is named.
    """
    if not isinstance(frame, pd.DataFrame):
        array = _numbers(frame, name)
        if array.ndim != 2:
            raise InputError(
                "These answers cannot be used.", [Problem(name, f"shape {array.shape}", "rows and columns")]
            )
        frame = pd.DataFrame(array, columns=[str(place) for place in range(1, array.shape[1] + 1)])
    problems = []
    if frame.shape[0] < 1 or frame.shape[1] < columns:
        problems.append(Problem(name, f"shape {frame.shape}", f"one row and {columns} columns, or more"))
    repeated = list(dict.fromkeys(frame.columns[frame.columns.duplicated()].astype(str)))
    if repeated:
        problems.append(Problem(name, f"columns twice: {', '.join(repeated)}", "one name a column"))
    refuse("These answers cannot be used.", problems)
    numbers = {column: _numbers(frame[column], f"{name}, column {column}") for column in frame.columns}
    problems = [
        _missing(f"{name}, column {column}", "row", np.flatnonzero(~np.isfinite(values)) + 1)
        for column, values in numbers.items()
        if not np.isfinite(values).all()
    ]
    refuse("These answers cannot be used.", problems)
    return pd.DataFrame(numbers)


def whole_counts(counts: Sequence[float], name: str, dimensions: int) -> np.ndarray:
    """Array of counts: whole, not negative, not all zero.

    Raises
    ------
    InputError
        Wrong number of dimensions, a negative or fractional count, or nobody counted. Weighted counts are
        fractional: tests of counts are not valid for them, so they are refused rather than rounded.
    """
    array = _numbers(counts, name)
    if array.ndim != dimensions or array.size == 0:
        wanted = {1: "a sequence of counts", 2: "a table of counts, rows and columns"}[dimensions]
        raise InputError("These counts cannot be used.", [Problem(name, f"shape {array.shape}", wanted)])
    wrong = ~(np.isfinite(array) & (array >= 0) & (array % 1 == 0))
    problems = [
        Problem(f"{name}, {_place(place)}", f"got {array[tuple(place)]:g}", "a whole count from 0 on; not weighted")
        for place in np.argwhere(wrong)
    ]
    if not problems and array.sum() == 0:
        problems.append(Problem(name, "nobody is counted", "one respondent or more"))
    refuse("These counts cannot be used.", problems)
    return array.astype(np.int64)


def _numbers(values: Sequence[float], name: str) -> np.ndarray:
    try:
        if isinstance(values, pd.Series):
            return values.to_numpy(dtype=float, na_value=np.nan)
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(
            "These values cannot be used.", [Problem(name, f"not numbers: {error}", "code answers as numbers")]
        ) from None


def _missing(name: str, kind: str, places: np.ndarray) -> Problem:
    shown = ", ".join(str(place) for place in places[:PLACES_NAMED])
    more = f" and {len(places) - PLACES_NAMED} more" if len(places) > PLACES_NAMED else ""
    what = f"{len(places)} missing or infinite: {kind} {shown}{more}"
    return Problem(name, what, "leave out respondents without an answer, and report how many")


def _place(place: np.ndarray) -> str:
    return f"place {place[0] + 1}" if len(place) == 1 else f"row {place[0] + 1}, column {place[1] + 1}"
