"""What a detector says of a window, and the check of detectors' arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from analysis.base.errors import InputError, Problem


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says of one window.

    Attributes
    ----------
    alarm : bool
    statistic, limit : float
        What was measured, and the value it is held against; which side alarms is the detector's matter.
    reason : str
        One sentence for the log, with anything that was left out.
    contributions : dict of str to float
        What the statistic is made of; each detector says how.
    """

    alarm: bool
    statistic: float
    limit: float
    reason: str = ""
    contributions: dict[str, float] = field(default_factory=dict)


def outside(name: str, value: float, low: float, high: float) -> Problem | None:
    """A problem where the value is not in its range, bounds included; nan never is."""
    wanted = f"from {low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more"
    return None if low <= value <= high else Problem(name, f"expected {wanted}, got {value!r}")


def raise_for(title: str, *problems: Problem | None) -> None:
    """Raise `InputError` with all the problems there are, if any."""
    if found := [problem for problem in problems if problem]:
        raise InputError(title, found)
