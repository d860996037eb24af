"""What a significance test gives back: never a bare p-value."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.base.estimates import Estimate


@dataclass(frozen=True, slots=True)
class Outcome:
    """A test with what it rests on.

    Attributes
    ----------
    statistic : float
        The test statistic that ``method`` names.
    p_value : float
    n : int
        Respondents or pairs that the test used.
    method : str
        Which test, how p was computed, which correction applies, and what was left out.
    df : float or None
        Degrees of freedom, where the reference distribution has them.
    effect : Estimate or None
        Size of the effect with its interval; None where the caller asked for none.
    """

    statistic: float
    p_value: float
    n: int
    method: str
    df: float | None = None
    effect: Estimate | None = None


def share_as_extreme(drawn: int, draws: int) -> float:
    """Monte-Carlo p-value; the sample itself counts as one draw, so that p is never zero.

    Phipson B, Smyth GK (2010) Permutation p-values should never be zero. Stat. Appl. Genet. Mol. Biol. 9, 39.

    >>> share_as_extreme(0, 999)
    0.001
    """
    return (drawn + 1) / (draws + 1)
