"""Pipe tables in pandoc's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MARKS = {"l": ":{}", "r": "{}:", "c": ":{}:"}


def pipe_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], widths: Sequence[int] = (), align: str = ""
) -> str:
    """A pipe table; pipes are escaped and line breaks folded, so that no cell breaks the table.

    Parameters
    ----------
    header, rows : sequences
        Cells as printed.
    widths : sequence of int
        Relative column widths; pandoc applies them, and wraps the cells, as soon as one line of the
        table is longer than its column limit. Without them, columns are as wide as their cells.
    align : str
        One letter a column, ``l``, ``c`` or ``r``; all left by default.

    Examples
    --------
    >>> print(pipe_table(["Answer", "n"], [["Agree", 47]], align="lr"))
    | Answer | n |
    |:---|---:|
    | Agree | 47 |
    """

    def line(cells: Iterable[object]) -> str:
        return "| " + " | ".join(re.sub(r"\s+", " ", str(cell)).replace("|", r"\|") for cell in cells) + " |"

    dashes = [max(3, width) for width in widths] or [3] * len(header)
    letters = align or "l" * len(header)
    rule = "|".join(_MARKS[letter].format("-" * dash) for letter, dash in zip(letters, dashes, strict=True))
    return "\n".join([line(header), f"|{rule}|", *map(line, rows)])
