"""Answers to one question: shares, top answers, net agreement, median, with what is not broken down kept open.

A published question may print only some of its answers. Then `Answers.left_over` respondents gave
answers that the source does not tell apart. They are never spread by guessing: a statement that
needs them raises `InputError`, and `compute_bounds` says between which counts the truth lies.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil, floor

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, estimator
from analysis.stats.intervals import (
    compute_joint_share,
    compute_median_position,
    compute_share,
    compute_share_difference,
)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to one question.

    Attributes
    ----------
    question : str
        Question number.
    options : tuple of str
        Answers to choose from, lowest first.
    counts : tuple of int or None
        Respondents an answer; None where the source does not break them down.
    n : int
        All respondents.
    corrected : tuple of int
        Positions (from 1) whose count is not the printed one but a correction.
    """

    question: str
    options: tuple[str, ...]
    counts: tuple[int | None, ...]
    n: int
    corrected: tuple[int, ...] = ()

    @property
    def left_over(self) -> int:
        """Respondents whose answer is not broken down."""
        return self.n - sum(count or 0 for count in self.counts)

    @property
    def open_positions(self) -> tuple[int, ...]:
        """Positions (from 1) of the answers that are not broken down."""
        return tuple(place for place, count in enumerate(self.counts, start=1) if count is None)

    @property
    def origin(self) -> str:
        """``"published"``, or ``"reconstructed"`` as soon as one count is a correction."""
        return "reconstructed" if self.corrected else "published"

    def count_of(self, positions: Collection[int]) -> int:
        """Respondents with one of these answers.

        Raises
        ------
        InputError
            One of the answers is not broken down, or does not exist.
        """
        problems = [
            Problem(self.question, f"there is no answer {place}", f"positions run from 1 to {len(self.options)}")
            for place in positions
            if not 1 <= place <= len(self.options)
        ]
        problems += [
            Problem(self.question, f"'{self.options[place - 1]}' is not broken down", "use compute_bounds")
            for place in positions
            if place in self.open_positions
        ]
        if problems:
            raise InputError(f"The answers to {self.question} cannot be counted.", problems)
        return sum(self.counts[place - 1] or 0 for place in set(positions))


def build_answers(counts: pd.DataFrame, question: str, n: int, corrections: pd.DataFrame | None = None) -> Answers:
    """Answers to one question from the published counts.

    An answer that the source does not mention gets what is left: nobody where the printed counts
    already reach ``n``, the rest where it is the only such answer; otherwise it stays open.

    Parameters
    ----------
    counts : DataFrame
        survey/published_counts.csv.
    question : str
        Question number.
    n : int
        Respondents.
    corrections : DataFrame, optional
        As `analysis.survey.published.find_corrections` returns; the result then has the origin
        ``reconstructed``.

    Raises
    ------
    InputError
        Unknown question, one without any printed count, or counts that do not fit ``n``.
    """
    rows = counts[counts["question"] == question].sort_values("position")
    if rows["count"].notna().sum() == 0:
        raise InputError(
            f"{question} has no answers to work with.",
            [Problem(question, "no count is printed", "choose a question that prints counts")],
        )
    values = [None if pd.isna(count) else int(count) for count in rows["count"]]
    corrected = []
    if corrections is not None:
        for row in corrections[corrections["question"] == question].itertuples():
            place = int(row.position)
            values[place - 1] = int(row.corrected)
            corrected.append(place)
    left = n - sum(value or 0 for value in values)
    silent = [place for place, value in enumerate(values) if value is None]
    if left < 0 or (left > 0 and not silent):
        raise InputError(
            f"The counts of {question} do not fit {n} respondents.",
            [
                Problem(
                    f"{counts.attrs.get('source', 'table')}, lines {rows.index.min()} to {rows.index.max()}",
                    f"the counts of {question} add up to {n - left}, {n} people answered",
                    "correct a count; if the source prints it so, take a reading from find_corrections",
                )
            ],
        )
    if left == 0 or len(silent) == 1:
        values = [left if value is None else value for value in values]
    return Answers(question, tuple(rows["option"]), tuple(values), n, tuple(corrected))


@estimator
def compute_group_share(
    answers: Answers, positions: Sequence[int], confidence: float = 0.95, *, method: str
) -> Estimate:
    """Share of respondents who gave one of the answers at ``positions``; see `compute_share`.

    Raises
    ------
    InputError
        One of the answers is not broken down.
    """
    return compute_share(answers.count_of(positions), answers.n, confidence, method=method)


def top_two(answers: Answers) -> tuple[int, int]:
    """Positions of the two most favourable answers.

    >>> top_two(Answers("Q", ("no", "neutral", "yes"), (1, 2, 3), 6))
    (2, 3)
    """
    return len(answers.options) - 1, len(answers.options)


@estimator
def compute_net_agreement(answers: Answers, confidence: float = 0.95, *, method: str) -> Estimate:
    """Share of the answers above the middle minus share of those below it; the middle answer counts for neither.

    Parameters
    ----------
    method : {"wald", "bonett-price"}
        See `analysis.stats.intervals.compute_share_difference`.

    Raises
    ------
    InputError
        An answer on either side is not broken down; `compute_net_bounds` then says what is certain.
    """
    above, below = _sides(answers)
    return compute_share_difference(
        answers.count_of(above), answers.count_of(below), answers.n, confidence, method=method
    )


def compute_bounds(answers: Answers, positions: Collection[int]) -> tuple[int, int]:
    """Least and most respondents who can have given one of the answers at ``positions``.

    Examples
    --------
    >>> q8 = Answers("Q8", ("--", "-", "0", "+", "++"), (None, None, None, 28, 41), 84)
    >>> compute_bounds(q8, [1, 2])
    (0, 15)
    """
    asked = set(positions)
    known = answers.count_of(asked - set(answers.open_positions))
    still_open = asked & set(answers.open_positions)
    if not still_open:
        return known, known
    everything_open = still_open == set(answers.open_positions)
    return known + (answers.left_over if everything_open else 0), known + answers.left_over


def compute_net_bounds(answers: Answers) -> tuple[float, float]:
    """Least and greatest net agreement (share above the middle minus share below) that the counts allow.

    Examples
    --------
    >>> q8 = Answers("Q8", ("--", "-", "0", "+", "++"), (None, None, None, 28, 42), 85)
    >>> low, high = compute_net_bounds(q8)
    >>> round(low, 3), round(high, 3)
    (0.647, 0.824)
    """
    above, below = _sides(answers)
    if set(above) & set(answers.open_positions) and set(below) & set(answers.open_positions):
        known = answers.count_of(set(above) - set(answers.open_positions)) - answers.count_of(
            set(below) - set(answers.open_positions)
        )
        return (known - answers.left_over) / answers.n, (known + answers.left_over) / answers.n
    least_above, most_above = compute_bounds(answers, above)
    least_below, most_below = compute_bounds(answers, below)
    return (least_above - most_below) / answers.n, (most_above - least_below) / answers.n


@estimator
def compute_median_answer(answers: Answers, confidence: float = 0.95) -> Estimate:
    """Median answer as a position, with its order-statistic interval; see `compute_median_position`.

    Answers that are not broken down are put first all at the lowest, then all at the highest open
    position. Where both give the same median and interval, these hold however they were given.

    Raises
    ------
    InputError
        Median or interval depend on answers that are not broken down.
    """
    extremes = [
        compute_median_position(_filled(answers, place), confidence)
        for place in (answers.open_positions[:1] + answers.open_positions[-1:] or (1,))
    ]
    if len({(estimate.value, estimate.low, estimate.high) for estimate in extremes}) > 1:
        raise InputError(
            f"The median answer to {answers.question} is not determined.",
            [
                Problem(
                    answers.question,
                    f"it depends on {answers.left_over} answers not broken down",
                    "report the bounds instead",
                )
            ],
        )
    return extremes[0]


def compute_answer_shares(
    answers: Sequence[Answers], confidence: float = 0.95, *, share_method: str, joint_method: str
) -> pd.DataFrame:
    """Share and intervals of every answer of several questions.

    Returns
    -------
    DataFrame
        One row an answer, and one row for what is not broken down: ``question``, ``position`` (of
        the lowest open answer for the latter), ``option``, ``count``, ``n``, ``share``, ``low``,
        ``high`` (each answer by itself), ``joint_low``, ``joint_high`` (all answers of the question
        at once), ``corrected``, ``open``.
    """
    rows = []
    for one in answers:
        places = [place for place in range(1, len(one.options) + 1) if place not in one.open_positions]
        cells = [(place, one.options[place - 1], one.count_of([place]), False) for place in places]
        if one.left_over:
            cells.append((one.open_positions[0], "Not broken down", one.left_over, True))
        cells.sort()
        counts = [count for _, _, count, _ in cells]
        for which, (place, option, count, is_open) in enumerate(cells):
            single = compute_share(count, one.n, confidence, method=share_method)
            joint = compute_joint_share(counts, which, confidence, method=joint_method)
            rows.append(
                {
                    "question": one.question,
                    "position": place,
                    "option": option,
                    "count": count,
                    "n": one.n,
                    "share": single.value,
                    "low": single.low,
                    "high": single.high,
                    "joint_low": joint.low,
                    "joint_high": joint.high,
                    "corrected": place in one.corrected,
                    "open": is_open,
                }
            )
    return pd.DataFrame(rows)


def compute_overlap_bounds(count: int, other_count: int, n: int) -> tuple[int, int]:
    """Least and most respondents who can have given both of two answers, from the two counts alone.

    The Fréchet bounds: with no cross table published, nothing between them can be excluded.

    Examples
    --------
    >>> compute_overlap_bounds(54, 69, 84)
    (39, 54)
    >>> compute_overlap_bounds(25, 54, 84)
    (0, 25)
    """
    if not (0 <= count <= n and 0 <= other_count <= n and n > 0):
        raise InputError(
            "No overlap can be bounded.",
            [Problem("", f"got {count} and {other_count} of {n}", "counts from 0 to n, n from 1 on")],
        )
    return max(0, count + other_count - n), min(count, other_count)


def compute_conditional_bounds(count: int, group: int, n: int) -> tuple[float, float]:
    """Least and greatest share with an answer *within* a group, from the two totals alone.

    Parameters
    ----------
    count : int
        Respondents with the answer, in all.
    group : int
        Respondents in the group, at least one.
    n : int
        All respondents.

    Examples
    --------
    >>> compute_conditional_bounds(69, 30, 84)
    (0.5, 1.0)
    """
    low, high = compute_overlap_bounds(count, group, n)
    if group == 0:
        raise InputError("No share within the group.", [Problem("group", "nobody is in it", "a group of at least one")])
    return low / group, high / group


def name_position(answers: Answers, position: Estimate) -> str:
    """The answer at an estimated position, in lower case; two answers where it lies between them."""
    low, high = floor(position.value), ceil(position.value)
    return " or ".join(dict.fromkeys(answers.options[place - 1].lower() for place in (low, high)))


def _sides(answers: Answers) -> tuple[list[int], list[int]]:
    """Positions above and below the middle of the scale."""
    k = len(answers.options)
    return list(range((k + 1) // 2 + 1, k + 1)), list(range(1, k // 2 + 1))


def _filled(answers: Answers, place: int) -> list[int]:
    """Counts with everything open put at one position."""
    counts = [count or 0 for count in answers.counts]
    counts[place - 1] += answers.left_over
    return counts
