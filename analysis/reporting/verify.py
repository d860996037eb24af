"""A reviewer's verdict: the numbers of a fresh run against the committed reference, one by one.

``report/reference/numbers.csv`` is what the authors stand by; its diff in a commit is the review of
the thesis's claims. `accept` renews it from the current results, `verify` grades against it.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analysis.base.errors import Problem, ResultsError
from analysis.base.paths import BUILD, REPORT, relative
from analysis.base.store import load_results
from analysis.reporting.render import write_numbers_csv

REFERENCE = REPORT / "reference" / "numbers.csv"
TOLERANCE = 1e-6
"""Relative difference that another machine's arithmetic may make."""

GRADES = (
    "identical",
    "within tolerance",
    "stochastically consistent",
    "another machine",
    "changed",
    "missing",
    "new",
)
PASSING = GRADES[:4]
_STOCHASTIC = ("measured", "simulated")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The grade of one number, with what the reference and the fresh run print."""

    key: str
    grade: str
    reference: str
    fresh: str


def verify(reference: Path = REFERENCE) -> list[Verdict]:
    """Grade every number of the current results against ``reference``; prints the count of each grade.

    Raises
    ------
    ResultsError
        The reference is missing, or a number is changed, missing or new; each is named.
    """
    fresh = read_numbers(write_numbers_csv(load_results(), BUILD / "numbers.csv"))
    verdicts = grade_numbers(read_numbers(reference), fresh)
    counts = Counter(verdict.grade for verdict in verdicts)
    print(f"{len(verdicts)} numbers: " + ", ".join(f"{counts[name]} {name}" for name in GRADES if counts[name]))
    departures = [verdict for verdict in verdicts if verdict.grade not in PASSING]
    if departures:
        raise ResultsError(
            f"The results are not those of {relative(reference)}.",
            [
                Problem(v.key, f"{v.grade}: '{v.reference}' there, '{v.fresh}' now", "if this is meant: make accept")
                for v in departures
            ],
        )
    return verdicts


def accept(reference: Path = REFERENCE) -> Path:
    """Make the current results the reference; the diff is then to be reviewed and committed."""
    path = write_numbers_csv(load_results(), reference)
    print(f"wrote {relative(path)}; review its diff before you commit it")
    return path


def grade_numbers(reference: Mapping[str, Mapping[str, str]], fresh: Mapping[str, Mapping[str, str]]) -> list[Verdict]:
    """Grade each key of either table.

    Parameters
    ----------
    reference, fresh : mapping
        Key → row of ``numbers.csv`` (columns value, low, high, origin, text).

    Returns
    -------
    list of Verdict
        In the order of keys. A measured or simulated number is within tolerance when it differs by no more
        than the reference's own, and stochastically consistent when it lies within the reference's
        interval. A measured text with a tolerance, such as the name of a device, may differ.
    """
    verdicts = []
    for key in sorted(reference.keys() | fresh.keys()):
        old, new = reference.get(key), fresh.get(key)
        if old is None or new is None:
            grade = "new" if old is None else "missing"
        elif all(old[name] == new[name] for name in ("value", "low", "high", "text", "origin")):
            grade = "identical"
        elif _close(old, new):
            grade = "within tolerance"
        elif old["origin"] == new["origin"] and new["origin"] in _STOCHASTIC:
            grade = _grade_measured(old, new)
        else:
            grade = "changed"
        verdicts.append(Verdict(key, grade, old["text"] if old else "", new["text"] if new else ""))
    return verdicts


def _close(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    if old["origin"] != new["origin"] or old["text"] != new["text"]:
        return False
    pairs = [(old[name], new[name]) for name in ("value", "low", "high")]
    return all(a == b or (a and b and math.isclose(float(a), float(b), rel_tol=TOLERANCE)) for a, b in pairs)


def _grade_measured(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if tolerance := old.get("tolerance"):
        try:
            values = float(old["value"]), float(new["value"])
        except ValueError:
            return "another machine"
        if math.isclose(*values, rel_tol=0.0, abs_tol=float(tolerance) * abs(values[0])):
            return "within tolerance"
    return "stochastically consistent" if _within(old, new) else "changed"


def _within(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    return bool(old["low"] and old["high"]) and float(old["low"]) <= float(new["value"]) <= float(old["high"])


def read_numbers(path: Path) -> dict[str, dict[str, str]]:
    """Key → row of a ``numbers.csv``, all cells as text."""
    if not path.is_file():
        raise ResultsError(
            "There is no reference to verify against.", [Problem(relative(path), "missing", "make accept")]
        )
    with path.open(encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}
