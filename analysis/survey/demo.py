"""Made-up responses with a known truth, for teaching and for testing. No finding may rest on them.

Every respondent has a latent attitude. Likert items are cut from it (a graded model with normal errors: F. Samejima
1969), so that their polychoric correlations are known: the product of two items' loadings. A yes-or-no question
shifts the attitude. All other questions are answered at random, independently of it.

Everything carries the origin ``demo``, respondents are called ``demo-00001`` and so on, and the results store and
the report refuse a demo number that is not labelled as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm

from analysis.base.errors import InputError, Problem
from analysis.survey.instrument import Instrument, Question
from analysis.survey.responses import Responses

DEMO_SOURCE = "demo responses, made up"
DEFAULT_LOADING = 0.7
MISSING_TEXTS = 0.8
"""Share that leaves a question in one's own words empty."""
_WORDS = ("made-up remark", "another made-up remark", "nothing to add; made up")


@dataclass(frozen=True)
class Truth:
    """What the responses were drawn from.

    Attributes
    ----------
    n, seed : int
    loadings : dict of str to float
        Likert question → its correlation with the attitude, among people alike in ``shifter``.
    thresholds : dict of str to tuple of float
        Likert question → where its normal latent answer is cut, in standard deviations.
    shifter : str
        The yes-or-no question, or empty.
    shift : float
        How much higher the attitude of those who say yes is, in standard deviations.
    yes_share : float
        Their share in the population.
    shares : dict of str to tuple of float
        Other choices → probability of each option, in the instrument's order.
    """

    n: int
    seed: int
    loadings: Mapping[str, float]
    thresholds: Mapping[str, tuple[float, ...]]
    shifter: str = ""
    shift: float = 0.0
    yes_share: float = 0.5
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def probabilities(self, question: str, says_yes: bool | None = None) -> np.ndarray:
        """Probability of each answer to a Likert question, of all (None) or of one side of the shifter."""
        if says_yes is None and self.shifter:
            yes, no = self.probabilities(question, True), self.probabilities(question, False)
            return self.yes_share * yes + (1 - self.yes_share) * no
        mean = self.loadings[question] * self.shift * bool(says_yes and self.shifter)
        cuts = norm.cdf(np.array(self.thresholds[question]) - mean)
        return np.diff(np.concatenate([[0.0], cuts, [1.0]]))

    def correlation(self, one: str, other: str) -> float:
        """Polychoric correlation of two Likert questions among people alike in the shifter."""
        return self.loadings[one] * self.loadings[other]

    def superiority(self, question: str) -> float:
        """Chance that somebody who says yes answers higher than somebody who says no, ties counting half."""
        yes, no = self.probabilities(question, True), self.probabilities(question, False)
        below = np.concatenate([[0.0], np.cumsum(no)[:-1]])
        return float(yes @ (below + no / 2))


def build_demo(
    instrument: Instrument,
    n: int = 84,
    seed: int = 1,
    *,
    loadings: Mapping[str, float] | None = None,
    thresholds: Mapping[str, tuple[float, ...]] | None = None,
    shifter: str = "",
    shift: float = 0.5,
    yes_share: float = 0.6,
    shares: Mapping[str, tuple[float, ...]] | None = None,
) -> tuple[Responses, Truth]:
    """Draw responses to a questionnaire.

    Parameters
    ----------
    instrument : Instrument
    n, seed : int
    loadings : mapping, optional
        Likert question → loading between -1 and 1 (0.7 where not given).
    thresholds : mapping, optional
        Likert question → rising cuts, one fewer than its options. Where not given, they make middle answers likely
        and lean towards the upper end.
    shifter : str
        A yes-or-no question on which the attitude depends; the first of the questionnaire unless told otherwise.
    shift, yes_share : float
    shares : mapping, optional
        Probabilities of the options of a single or multiple choice; equal (or one in three) where not given.

    Returns
    -------
    (Responses, Truth)
        Responses of origin ``demo``, typed as imported ones are; and what they were drawn from.

    Raises
    ------
    InputError
        Unknown questions, impossible loadings, cuts or shares.
    """
    likert = [question for question in instrument.questions if question.kind == "likert"]
    yes_no = [question.id for question in instrument.questions if question.kind == "yes_no"]
    shifter = shifter or next(iter(yes_no), "")
    truth = Truth(
        n=n,
        seed=seed,
        loadings={question.id: float((loadings or {}).get(question.id, DEFAULT_LOADING)) for question in likert},
        thresholds={
            question.id: tuple((thresholds or {}).get(question.id, _leaning(len(question.options))))
            for question in likert
        },
        shifter=shifter,
        shift=shift if shifter else 0.0,
        yes_share=yes_share,
        shares={
            question.id: tuple((shares or {}).get(question.id, _even(question)))
            for question in instrument.questions
            if question.kind in ("single", "multiple")
        },
    )
    named = [(name, truth.loadings) for name in (*(loadings or {}), *(thresholds or {}))]
    named += [(name, truth.shares) for name in shares or {}]
    _check(instrument, truth, named, yes_no)
    rng = np.random.default_rng(seed)
    says_yes = rng.random(n) < truth.yes_share
    attitude = rng.standard_normal(n) + truth.shift * says_yes
    columns: dict[str, object] = {
        "respondent": pd.array([f"demo-{number:05d}" for number in range(1, n + 1)], dtype="string"),
        "submitted": pd.Series(pd.NaT, index=range(n), dtype="datetime64[us]").array,
    }
    for question in instrument.questions:
        if not question.personal:
            columns |= _draw(question, truth, rng, says_yes, attitude)
    table = pd.DataFrame(columns)
    table.index = pd.RangeIndex(2, n + 2, name="line")
    table.attrs |= {"source": DEMO_SOURCE, "origin": "demo"}
    counts = pd.DataFrame({"step": ["in the file", "kept"], "rows": [n, n]}).astype({"step": "string", "rows": "Int64"})
    return Responses(instrument.id, table, counts, DEMO_SOURCE, origin="demo"), truth


def _draw(
    question: Question, truth: Truth, rng: np.random.Generator, says_yes: np.ndarray, attitude: np.ndarray
) -> dict[str, object]:
    n, ids = truth.n, list(question.option_ids)
    if question.kind == "likert":
        loading = truth.loadings[question.id]
        latent = loading * attitude + np.sqrt(1 - loading**2) * rng.standard_normal(n)
        codes = np.searchsorted(truth.thresholds[question.id], latent)
        return {question.id: pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(ids, ordered=True))}
    if question.kind == "single":
        codes = rng.choice(len(ids), n, p=truth.shares[question.id])
        kind = pd.CategoricalDtype(ids, ordered=question.ordered)
        columns: dict[str, object] = {question.id: pd.Categorical.from_codes(codes, dtype=kind)}
        if question.other:
            words = np.where(codes == ids.index(question.other), "made up", None)
            columns[f"{question.id}.text"] = pd.array(words, dtype="string")
        return columns
    if question.kind == "multiple":
        chosen = rng.random((n, len(ids))) < np.array(truth.shares[question.id])
        none = ~chosen.any(axis=1)
        chosen[none, rng.integers(0, len(ids), none.sum())] = True
        columns = {f"{question.id}.{option}": pd.array(chosen[:, at], dtype="boolean") for at, option in enumerate(ids)}
        if question.other:
            words = np.where(chosen[:, ids.index(question.other)], "made up", None)
            columns[f"{question.id}.text"] = pd.array(words, dtype="string")
        return columns
    if question.kind == "yes_no":
        answer = says_yes if question.id == truth.shifter else rng.random(n) < 0.5
        return {question.id: pd.array(answer, dtype="boolean")}
    if question.kind == "consent":
        return {question.id: pd.array(np.ones(n, dtype=bool), dtype="boolean")}
    if question.kind == "number":
        low = question.low if question.low is not None else 0.0
        high = question.high if question.high is not None else low + 100.0
        values = rng.uniform(low, high, n)
        return {question.id: pd.array(np.round(values).astype("int64") if question.integer else values).astype(
            "Int64" if question.integer else "Float64")}  # fmt: skip
    words = np.where(rng.random(n) < MISSING_TEXTS, None, rng.choice(_WORDS, n))
    return {question.id: pd.array(words, dtype="string")}


def _leaning(options: int) -> tuple[float, ...]:
    """Cuts that make the upper answers likelier, as agreement in such surveys is.

    >>> [round(cut, 2) for cut in _leaning(5)]
    [-1.7, -0.9, -0.1, 0.7]
    """
    return tuple(np.linspace(-1.7, 0.7, options - 1).tolist())


def _even(question: Question) -> tuple[float, ...]:
    count = len(question.options)
    return (1 / 3,) * count if question.kind == "multiple" else (1 / count,) * count


def _check(instrument: Instrument, truth: Truth, named: Sequence[tuple[str, Mapping]], yes_no: list[str]) -> None:
    problems = []
    for name, known in named:
        if name not in known:
            problems.append(Problem(name, "no question of this kind", f"there are: {', '.join(sorted(known))}"))
    if truth.shifter and truth.shifter not in yes_no:
        problems.append(Problem("shifter", f"got '{truth.shifter}'", f"one of: {', '.join(yes_no) or 'none'}"))
    if truth.n < 1 or not 0 < truth.yes_share < 1:
        problems.append(
            Problem("n, yes_share", f"got {truth.n} and {truth.yes_share}", "n ≥ 1, a share within 0 and 1")
        )
    for name, loading in truth.loadings.items():
        cuts = truth.thresholds[name]
        if not -1 < loading < 1:
            problems.append(Problem(f"loadings.{name}", f"got {loading}", "between -1 and 1"))
        if len(cuts) != len(instrument.question(name).options) - 1 or list(cuts) != sorted(set(cuts)):
            problems.append(Problem(f"thresholds.{name}", f"got {cuts}", "rising, one fewer than the options"))
    for name, share in truth.shares.items():
        question = instrument.question(name)
        fits = len(share) == len(question.options) and all(0 <= part <= 1 for part in share)
        if not fits or (question.kind == "single" and abs(sum(share) - 1) > 1e-9):
            problems.append(
                Problem(f"shares.{name}", f"got {share}", "one an option; of a single choice they add to 1")
            )
    if problems:
        raise InputError("No demo responses can be drawn so.", problems)
