"""Which cell a notebook is at, for a person who waits: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TextIO

ANNOUNCE_S = 1.0
"""Without a terminal, cells are named once they have run for this long: quick ones would only scroll by."""

HEARTBEAT_S = 5.0
_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class CellName:
    """How to point a person at a code cell: number among the notebook's code cells, label, heading above."""

    number: int
    total: int
    label: str
    heading: str
    first_line: str

    @property
    def title(self) -> str:
        """The shortest name that says what the cell is about."""
        name = self.label or self.heading or self.first_line
        return name if len(name) <= 50 else f"{name[:49]}…"

    @property
    def short(self) -> str:
        """Number and name."""
        return f"code cell {self.number} ({self.label or self.first_line})"

    def __str__(self) -> str:
        above = f", under '{self.heading}'" if self.heading else ""
        return f"code cell {self.number} of {self.total} ({self.label or self.first_line}){above}"


def cell_names(notebook: Mapping[str, Any]) -> list[CellName]:
    """A name for every cell of a notebook, by position; the cell that papermill injects keeps its neighbour's number.

    >>> cells = [
    ...     {"cell_type": "markdown", "source": "# Survey", "metadata": {}},
    ...     {"cell_type": "code", "source": "#| label: fig-q6\\ndraw()", "metadata": {}},
    ... ]
    >>> str(cell_names({"cells": cells})[1])
    "code cell 1 of 1 (fig-q6), under 'Survey'"
    """
    names, number, heading = [], 0, ""
    own = [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and not _injected(cell)]
    for cell in notebook["cells"]:
        lines = [line.strip() for line in cell["source"].splitlines() if line.strip()]
        label = next((line[len("#| label:") :].strip() for line in lines if line.startswith("#| label:")), "")
        first = next((line for line in lines if not line.startswith("#")), lines[0] if lines else "empty cell")
        if cell["cell_type"] == "markdown":
            heading = next((line.lstrip("# ") for line in reversed(lines) if line.startswith("#")), heading)
        elif _injected(cell):
            label = "parameters from the profile"
        else:
            number += cell["cell_type"] == "code"
        names.append(CellName(number, len(own), label, heading, first))
    return names


def _injected(cell: Mapping[str, Any]) -> bool:
    return "injected-parameters" in cell["metadata"].get("tags", ())


class Progress:
    """Shows where a notebook is; a context manager, with its own thread so that a long cell has a heartbeat.

    Parameters
    ----------
    title : str
        Stem of the notebook.
    stream : text file
        A terminal gets one line that is kept up to date. Anything else, and a terminal shared with
        other jobs of a parallel make, gets a line for each cell that takes longer than a second,
        one every five seconds while it lasts, and a summary.
    """

    def __init__(self, title: str, stream: TextIO) -> None:
        self.title = title
        self.names: Sequence[CellName] = ()
        self._stream = stream
        self._live = stream.isatty() and "-j" not in os.environ.get("MAKEFLAGS", "")
        self._begun = time.monotonic()
        self._current = ("starting the kernel", self._begun)
        self._announced: tuple[str, float] | None = None
        self._beats = 0
        self._summary = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._live:
            self._write("\r\x1b[K")
        if self._summary:
            self._write(f"{self._summary}\n")

    def start(self, index: int) -> None:
        """The cell at this position begins."""
        name = self.names[index]
        self._current = (f"cell {name.number}/{name.total}  {name.title}", time.monotonic())

    def done(self) -> None:
        """Every cell has run; the summary follows on leaving the context."""
        seconds = time.monotonic() - self._begun
        self._summary = f"{self.title}  done in {seconds:.1f} s ({self.names[-1].total if self.names else 0} cells)"

    def _run(self) -> None:
        while not self._stop.wait(_TICK_S):
            current = what, since = self._current
            seconds = time.monotonic() - since
            line = f"{self.title}  {what}"
            if self._live:
                width = shutil.get_terminal_size().columns - 1
                self._write(f"\r{line[: width - 8]}  {seconds:.0f} s\x1b[K")
            elif current != self._announced and seconds >= ANNOUNCE_S:
                self._announced, self._beats = current, 0
                self._write(f"{line}\n")
            elif current == self._announced and seconds >= (self._beats + 1) * HEARTBEAT_S:
                self._beats += 1
                self._write(f"{line}  {seconds:.0f} s\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a closed pipe must not end the run
            self._stream.write(text)
            self._stream.flush()
