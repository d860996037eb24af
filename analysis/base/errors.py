"""Errors that tell a person what is wrong, where, and what to do next.

Everything that the workbench raises on purpose derives from `WorkbenchError`; the command
line prints such an error without a traceback. Anything else is a defect and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One violation: ``where`` (file, line, column, key), ``what`` is wrong, ``remedy``."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n    → {self.remedy}" if self.remedy else text


class WorkbenchError(Exception):
    """A failure with a cause that the user can act on.

    Parameters
    ----------
    title : str
        What could not be done, in one sentence.
    problems : iterable of Problem
        Every violation found, not only the first.
    """

    def __init__(self, title: str, problems: Iterable[Problem] = ()) -> None:
        self.title = title
        self.problems = tuple(problems)
        super().__init__("\n".join([title, *(f"  - {problem}" for problem in self.problems)]))

    def __reduce__(self):
        return type(self), (self.title, self.problems)


class InputError(WorkbenchError):
    """A table or parameter that breaks its contract: names file, column, rows, expected, got."""


class NotebookError(WorkbenchError):
    """A notebook that could not be run or breaks the notebook rules."""


class ResultsError(WorkbenchError):
    """A results store that is missing, incomplete, stale or edited."""


class ReportError(WorkbenchError):
    """A chapter that cannot be rendered, or that claims what the results do not hold."""


class DiskFullError(WorkbenchError):
    """No room left to write a result; what stood before is untouched."""
