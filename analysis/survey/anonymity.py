"""How well quasi-identifiers hide people: group sizes, and groups in which everybody answered alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.survey.instrument import Instrument


def quasi_identifier_columns(instrument: Instrument, responses: pd.DataFrame) -> list[str]:
    """The columns of a response table that belong to quasi-identifying questions (a multiple choice has several)."""
    return [
        column
        for column in responses.columns
        if column.partition(".")[0] in instrument.quasi_identifiers and not column.endswith(".text")
    ]


@dataclass(frozen=True)
class Anonymity:
    """How well quasi-identifiers hide people; numbers of groups only, never a group.

    ``k`` is the size of the smallest group of people who agree in all of them, ``unique`` how many are alone,
    ``below`` how many share theirs with fewer than the threshold. ``alike`` groups of two and more gave one and
    the same answer to a sensitive question. ``sizes``: ``size``, ``groups``, ``people``.
    """

    n: int
    groups: int
    k: int
    unique: int
    below: int
    threshold: int
    alike: int
    sizes: pd.DataFrame

    def text(self) -> str:
        return (
            f"{self.n} responses in {self.groups} groups; the smallest has {self.k}; {self.unique} people are alone in "
            f"theirs, {self.below} share it with fewer than {self.threshold} in all; {self.alike} groups of two or "
            "more gave the same answer throughout to a sensitive question"
        )


def report_anonymity(
    responses: pd.DataFrame, quasi_identifiers: Sequence[str], *, k: int = 5, sensitive: Sequence[str] = ()
) -> Anonymity:
    """Group the responses by their quasi-identifiers and report the sizes (k-anonymity; L. Sweeney 2002).

    A missing answer is a value like any other.

    Raises
    ------
    InputError
        Unknown columns, none given, or no responses.
    """
    problems = [
        Problem(name, "the responses have no such column", f"columns: {', '.join(map(str, responses.columns))}")
        for name in dict.fromkeys([*quasi_identifiers, *sensitive])
        if name not in responses
    ]
    if not quasi_identifiers:
        problems.append(Problem("quasi_identifiers", "none is given", "name the columns"))
    if not len(responses):
        problems.append(Problem("responses", "there are none"))
    if problems:
        raise InputError("The responses cannot be grouped.", problems)
    groups = responses.groupby(list(quasi_identifiers), observed=True, dropna=False, sort=False)
    sizes = groups.size()
    alike = pd.Series(False, index=sizes.index)
    for name in sensitive:
        alike |= groups[name].nunique(dropna=False).to_numpy() == 1
    table = sizes.value_counts().sort_index().rename_axis("size").rename("groups").reset_index()
    table["people"] = table["size"] * table["groups"]
    return Anonymity(
        n=len(responses),
        groups=len(sizes),
        k=int(sizes.min()),
        unique=int((sizes == 1).sum()),
        below=int(sizes[sizes < k].sum()),
        threshold=k,
        alike=int((alike.to_numpy() & (sizes > 1).to_numpy()).sum()),
        sizes=table,
    )
