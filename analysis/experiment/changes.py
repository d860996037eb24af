"""Every change of code and configuration that the scenario can bring, and which of them a team gets.

A kind has several variants, so that seeds differ and one run can hold the same kind twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.experiment.benign_changes import BENIGN
from analysis.experiment.defective_changes import DEFECTIVE
from analysis.experiment.edits import Change, apply, is_in, revert
from analysis.experiment.scenario import CODE_KINDS

__all__ = ["CHANGES", "Change", "apply", "apply_changes", "choose_changes", "is_in", "revert", "variants"]

CHANGES: dict[str, Change] = {**BENIGN, **DEFECTIVE}
"""Every change under a short name."""


def variants(kind: str) -> tuple[str, ...]:
    """Names of the changes of a kind, in a fixed order.

    Raises
    ------
    InputError
        Not a kind of code change.

    >>> variants("latency_regression")
    ('denoising', 'sharpness_map', 'waiting')
    """
    if kind not in CODE_KINDS:
        problem = Problem("kind", f"'{kind}' is not a change of code", f"one of: {', '.join(CODE_KINDS)}")
        raise InputError("There is no such kind of change.", [problem])
    return tuple(name for name, change in CHANGES.items() if change.kind == kind)


def choose_changes(wanted: Sequence[tuple[str, int]]) -> tuple[Change, ...]:
    """The change behind each ``(kind, variant)``, in the order in which they came.

    A change that came before gives way to the next of its kind. When all of a kind came, it starts over:
    a benign change then is the undoing of the first, and a defect comes again, which adds nothing while the
    first is still in.

    >>> [change.title for change in choose_changes([("crash", 1), ("crash", 1)])]
    ['Log in which zone of the belt the worst defect lies', 'Log the grade of damage by its size']
    """
    used: dict[str, list[str]] = {}
    chosen = []
    for kind, variant in wanted:
        names = variants(kind)
        earlier = used.setdefault(kind, [])
        round_, place = divmod(len(earlier), len(names))
        free = [name for name in _from(names, variant) if name not in earlier[len(earlier) - place :]]
        earlier.append(free[0])
        change = CHANGES[free[0]]
        chosen.append(change.undone if kind == "benign_change" and round_ % 2 else change)
    return tuple(chosen)


def _from(names: Sequence[str], start: int) -> list[str]:
    start %= len(names)
    return [*names[start:], *names[:start]]


def apply_changes(changes: Sequence[Change], folder: Path) -> None:
    """Put changes in one after the other; one that is in already is passed over.

    Raises
    ------
    EditError
        A change does not fit the files.
    """
    for change in changes:
        if not is_in(change, folder):
            apply(change, folder)
