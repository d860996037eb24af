"""Changes of the project under study as edits of its files: exact text out, exact text in.

Edits of different changes touch different text, so that changes can be put in and taken out in any order and
the files come out the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.base.errors import Problem, WorkbenchError
from analysis.base.paths import write_atomic

PARTS: dict[str, frozenset[str]] = {
    "inspection/labels.py": frozenset({"training"}),
    "training.yaml": frozenset({"training"}),
    "inspection/settings.py": frozenset({"training", "serving"}),
    "inspection/preprocess.py": frozenset({"serving"}),
    "inspection/postprocess.py": frozenset({"serving"}),
    "inspection/handler.py": frozenset({"serving"}),
}
"""What a file of the project decides; a new file under ``inspection/`` is for serving, any other for nobody."""


class EditError(WorkbenchError):
    """A change that does not fit the files as they are."""


@dataclass(frozen=True, slots=True)
class Edit:
    """``old`` text of a file becomes ``new``; empty ``old`` makes a new file."""

    file: str
    old: str
    new: str

    @property
    def affects(self) -> frozenset[str]:
        made = frozenset({"serving"}) if self.file.startswith("inspection/") else frozenset()
        return PARTS.get(self.file, made)


@dataclass(frozen=True, slots=True)
class Change:
    """A change as somebody on the team would hand it in.

    Attributes
    ----------
    kind : str
        A kind of `analysis.experiment.scenario.CODE_KINDS`.
    title : str
        The commit's message: what its author believes to be doing.
    edits : tuple of Edit
    defect : str
        What it really does, where that is something else. Not for the project's eyes.
    """

    kind: str
    title: str
    edits: tuple[Edit, ...]
    defect: str = ""

    @property
    def affects(self) -> frozenset[str]:
        """Which of ``training`` and ``serving`` the edited files decide."""
        return frozenset().union(*(edit.affects for edit in self.edits))

    @property
    def undone(self) -> Change:
        """The change that takes this one back."""
        edits = tuple(Edit(edit.file, edit.new, edit.old) for edit in reversed(self.edits))
        return Change(self.kind, f"Undo: {self.title}", edits, self.defect)


def apply(change: Change, folder: Path) -> None:
    """Edit the files in ``folder``: all of them, or none where one does not fit.

    Raises
    ------
    EditError
        The text is not there exactly once, or a file that would be made is there already.
    """
    pending: dict[str, str | None] = {}
    problems = []
    for edit in change.edits:
        path = folder / edit.file
        if edit.file not in pending:
            pending[edit.file] = path.read_bytes().decode("utf-8") if path.is_file() else None
        problems += _replace(edit, pending)
    if problems:
        raise EditError(f"The change '{change.title}' does not fit {folder.name}.", problems)
    for name, text in pending.items():
        if text is None:
            (folder / name).unlink()
        else:
            write_atomic(folder / name, text)


def revert(change: Change, folder: Path) -> None:
    """Take the edits of a change out again, whatever came after it.

    Raises
    ------
    EditError
        The change is not in these files.
    """
    apply(change.undone, folder)


def is_in(change: Change, folder: Path) -> bool:
    """Whether the files hold the change already."""
    return all(_holds(edit, folder / edit.file) for edit in change.edits)


def _holds(edit: Edit, path: Path) -> bool:
    if not path.is_file():
        return not edit.new
    text = path.read_bytes().decode("utf-8")
    if not edit.old or not edit.new:
        return text == edit.new
    return edit.new in text and (edit.old in edit.new or edit.old not in text)


def _replace(edit: Edit, pending: dict[str, str | None]) -> Iterator[Problem]:
    """Make one edit in the texts read so far; yields what stands against it."""
    text = pending[edit.file]
    if not edit.old:
        if text is not None:
            yield Problem(edit.file, "is there already", "take the change out that made it")
        pending[edit.file] = edit.new
    elif text is None:
        yield Problem(edit.file, "is not there", "use a folder that holds the project")
    elif not edit.new:
        if text != edit.old:
            yield Problem(edit.file, "was changed since it was made", "take the later change out first")
        pending[edit.file] = None
    elif edit.old in edit.new and edit.new in text:
        yield Problem(edit.file, f"the text is in already: {edit.new.strip()!r}", "put a change in once")
    elif (found := text.count(edit.old)) != 1:
        yield Problem(edit.file, f"text found {found} times, expected once: {edit.old.strip()!r}", "compare the two")
    else:
        pending[edit.file] = text.replace(edit.old, edit.new)
