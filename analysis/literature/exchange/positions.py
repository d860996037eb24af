"""Where a selection begins and ends in a text.

The rule (REFI-QDA 1.5, §10.2): positions count Unicode code points of the plain text from zero, line
breaks as they stand in the file. The standard speaks of the first and the last character; in its own
example (Annex A) and in what ATLAS.ti writes the end is the position behind the last one, as here.

Programs differ: those built on UTF-16 count a character outside the basic plane twice; ATLAS.ti
counts a Windows line break as one; NVivo's positions drift (QualCoder, issue 37); some count a byte
order mark. A project cannot say which rule it follows, but many programs give a selection the
selected text as its name. Where such quotations stand at the wrong place under the standard's rule
and at the right one under another, that rule is taken, and said.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_QUOTE = 3
"""Shorter names prove nothing about positions, in characters."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A way of counting.

    Attributes
    ----------
    utf16 : bool
        Characters outside the basic plane count twice.
    breaks : str
        ``""``: line breaks as in the file; ``"one"``: CR LF counts once; ``"two"``: a lone LF counts twice.
    mark : bool
        A byte order mark was counted at the start.
    inclusive : bool
        The end is the last character, not the place behind it.
    """

    utf16: bool = False
    breaks: str = ""
    mark: bool = False
    inclusive: bool = False

    def __str__(self) -> str:
        said = [
            "UTF-16 units" if self.utf16 else "code points",
            {"": "", "one": "CR LF counted as one", "two": "LF counted as two"}[self.breaks],
            "a byte order mark counted" if self.mark else "",
            "the last character included" if self.inclusive else "",
        ]
        return ", ".join(filter(None, said))

    @property
    def departures(self) -> int:
        """In how many ways it departs from the standard."""
        return self.utf16 + bool(self.breaks) + self.mark + self.inclusive


STANDARD = Rule()


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle_positions` found.

    Attributes
    ----------
    rule : Rule
        The rule that the positions follow.
    quoted : int
        Selections whose name can be compared with the text.
    matched : int
        Of these, the ones that stand where they should under ``rule``.
    spans : tuple of (int, int)
        Start and end in code points of the text, end exclusive, in the order given.
    """

    rule: Rule
    quoted: int
    matched: int
    spans: tuple[tuple[int, int], ...]


def settle_positions(text: str, spans: Sequence[tuple[int, int]], quotes: Sequence[str]) -> Settled:
    """Find the rule that positions follow, and give them by the standard's.

    Parameters
    ----------
    text : str
        The plain text, without byte order mark, line breaks as in the file.
    spans : sequence of (int, int)
        Start and end as stored.
    quotes : sequence of str
        What the project says the selected text is, possibly shortened at its end; empty where it says nothing.

    Returns
    -------
    Settled
        The rule under which most quotations fit; the standard's, unless another fits more.

    Examples
    --------
    >>> settled = settle_positions("😀 good 😀 bad", [(3, 7), (11, 14)], ["good", "bad"])
    >>> str(settled.rule), settled.spans
    ('UTF-16 units', ((2, 6), (9, 12)))
    """
    usable = [index for index, quote in enumerate(quotes) if len(_plain(quote)) >= MIN_QUOTE]
    best, best_matched = STANDARD, _matches(text, spans, quotes, usable)
    if best_matched < len(usable):
        for rule in _candidates(text):
            moved = _move(text, rule, [spans[index] for index in usable])
            matched = _matches(text, dict(zip(usable, moved, strict=True)), quotes, usable)
            if matched > best_matched:
                best, best_matched = rule, matched
    return Settled(best, len(usable), best_matched, tuple(_move(text, best, spans)))


def _candidates(text: str) -> list[Rule]:
    """Rules that differ from the standard's on this text, the nearest to it first."""
    astral = any(character > "\uffff" for character in text)
    breaks = [""] + ["one"] * ("\r\n" in text) + ["two"] * bool(re.search(r"(?<!\r)\n", text))
    rules = [
        Rule(*each) for each in itertools.product((False, True)[: 1 + astral], breaks, (False, True), (False, True))
    ]
    return sorted(rules, key=lambda rule: rule.departures)[1:]


def _move(text: str, rule: Rule, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    if rule == STANDARD:
        return [(start, end) for start, end in spans]
    points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    widths = np.ones(len(points), dtype=np.int64)
    if rule.utf16:
        widths[points > 0xFFFF] = 2
    carriage = np.concatenate([[False], points[:-1] == 13]) if len(points) else np.zeros(0, dtype=bool)
    if rule.breaks == "one":
        widths[(points == 10) & carriage] = 0
    elif rule.breaks == "two":
        widths[(points == 10) & ~carriage] = 2
    starts = np.concatenate([[0], np.cumsum(widths)])

    # Where a character has no width or a position falls inside one, a span takes the whole of it.
    first = np.array([start - rule.mark for start, _ in spans]).clip(min=0)
    last = np.array([end - rule.mark + rule.inclusive for _, end in spans]).clip(min=0)
    return [
        (int(start), int(end))
        for start, end in zip(
            np.searchsorted(starts, first, side="right") - 1,
            np.searchsorted(starts, last, side="left").clip(max=len(points)),
            strict=True,
        )
    ]


def _matches(text: str, spans, quotes: Sequence[str], usable: Sequence[int]) -> int:
    return sum(_fits(text[spans[index][0] : spans[index][1]], quotes[index]) for index in usable)


def _fits(found: str, quote: str) -> bool:
    """Whether the text found is the quotation, spaces and line breaks aside; a shortened one fits as a beginning."""
    found, quote = _plain(found), _plain(quote)
    shortened = re.sub(r"(…|\.\.\.)$", "", quote)
    return found == quote or (shortened != quote and len(shortened) >= MIN_QUOTE and found.startswith(shortened))


def _plain(text: str) -> str:
    return " ".join(text.split())
