"""What the people who did not answer could do to a share: bounds without assumptions, and tipping points.

No interval tells this. With a response rate r and a share p among those who answered, the share among everybody who
was asked is r·p + (1 − r)·q, where nobody knows q. The worst cases, q = 0 and q = 1, give Manski's bounds. Where the
rate is unknown too, one can still say how much likelier to answer some people must have been for the share to come
about.

References
----------
Cochran WG (1977) Sampling techniques, 3rd ed. Wiley, section 13.2 (bounds for the share under non-response).
Manski CF (1989) Anatomy of the selection problem. Journal of Human Resources 24, 343–360.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.base.errors import Problem
from analysis.stats.checks import refuse


@dataclass(frozen=True, slots=True)
class ShareBounds:
    """Between what a share can lie among all who were asked, whatever the silent ones think."""

    low: float
    high: float
    rate: float


def bound_share(share: float, rate: float) -> ShareBounds:
    """Bounds of a share among all who were asked, from the share among those who answered and the response rate.

    Raises
    ------
    InputError
        A share outside 0…1, or a rate outside (0, 1].

    Examples
    --------
    >>> bounds = bound_share(0.8, 0.25)
    >>> round(bounds.low, 4), round(bounds.high, 4)
    (0.2, 0.95)
    """
    _check(share, rate=rate)
    return ShareBounds(rate * share, rate * share + 1 - rate, rate)


def needed_rate(share: float, target: float = 0.5) -> float | None:
    """The response rate from which on the share of all who were asked is on the same side of ``target`` for certain.

    None where the share is at the target: then no rate short of one will do.

    Examples
    --------
    >>> needed_rate(0.8), round(needed_rate(0.3), 4)
    (0.625, 0.7143)
    """
    _check(share, target=target)
    if share == target:
        return None
    return target / share if share > target else (1 - target) / (1 - share)


def silent_share(share: float, rate: float, target: float = 0.5) -> float | None:
    """The share among those who did not answer at which the share of all comes to ``target``; None where none does.

    Examples
    --------
    >>> round(silent_share(0.8, 0.25), 4), silent_share(0.8, 0.9)
    (0.4, None)
    """
    _check(share, rate=rate, target=target)
    if rate == 1:
        return None
    silent = (target - rate * share) / (1 - rate)
    return silent if 0 <= silent <= 1 else None


def tipping_ratio(share: float, target: float = 0.5) -> float | None:
    """How many times as likely to answer those who say yes must have been, if their true share were ``target``.

    With a true share t and yes-sayers k times as likely to answer as others, the share among the answers is
    k·t/(k·t + 1 − t); this solves it for k. Below one where the share is below the target; None at a share of one.

    Examples
    --------
    >>> tipping_ratio(0.8), tipping_ratio(0.2), tipping_ratio(0.8, 0.8)
    (4.0, 0.25, 1.0)
    """
    _check(share, target=target)
    if share == 1:
        return None
    return round(share / (1 - share) * (1 - target) / target, 12)


def _check(share: float, *, rate: float = 1.0, target: float = 0.5) -> None:
    problems = []
    if not 0 <= share <= 1:
        problems.append(Problem("share", f"got {share}", "0 to 1"))
    if not 0 < rate <= 1:
        problems.append(Problem("rate", f"got {rate}", "above 0, at most 1"))
    if not 0 < target < 1:
        problems.append(Problem("target", f"got {target}", "between 0 and 1"))
    refuse("Nothing can be said about those who did not answer.", problems)
