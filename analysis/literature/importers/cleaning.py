"""Text as people read it: no markup, no entities, no invisible characters, one form of each letter."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache

from pylatexenc.latex2text import LatexNodes2Text

_TAGS = (
    "a abbr article-title b bdi bdo big bold br center code dd div dl dt em emph font h1 h2 h3 h4 h5 h6 i inf "
    "inline-formula inline-graphic ins italic kbd li list list-item mark mi mn mo mrow ms msqrt mstyle mtext msub msup "
    "math named-content ol p pre q s sc sec small span strike strong sub sup scp styled-content table td "
    "tex-math th title tr tt u ul underline var xref"
)
# Only tags that occur in exports: "a < b and c > d" is text.
_TAG = re.compile(
    rf"</?(?:(?:jats|mml|ce|x?html|m):[a-z][\w-]*|{'|'.join(sorted(_TAGS.split(), key=len, reverse=True))})"
    r"(?:\s+[a-z:_-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'|[^\s\"'<>]+))*\s*/?>",
    re.IGNORECASE,
)
_BLOCK = re.compile(r"</?(?:jats:)?(?:br|p|div|li|sec|td|tr|th|h[1-6]|title|list-item)\b", re.IGNORECASE)
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
_MARKED_LATEX = re.compile(r"[\\{}$~`]|--|''")
_NEEDS_PARSER = re.compile(r"\\(?![%&#_$])|(?<!\\)\$")
_ESCAPED = re.compile(r"\\([%&#_$])")
_BRACES = re.compile(r"[{}]")
_PLAIN = (("---", "—"), ("--", "–"), ("{``}", "“"), ("``", "“"), ("{''}", "”"), ("''", "”"), ("~", " "))
_LATEX_ONLY = re.compile(r"(?<!\\)([%&#])")
_PRICE = re.compile(r"(?<!\\)\$(?=\d)")


@cache
def _latex() -> LatexNodes2Text:
    return LatexNodes2Text(math_mode="text", strict_latex_spaces=False, keep_comments=False)


def clean_text(text: str) -> str:
    """The text without tags and entities, in Unicode NFC, blanks of any kind as single spaces.

    Entities are resolved twice, since exports encode markup once more (``&amp;lt;sub&amp;gt;``).

    >>> clean_text("CO&lt;sub&gt;2&lt;/sub&gt;  emissions &amp;amp; <i>x</i> < 3")
    'CO2 emissions & x < 3'
    """
    if "&" in text or "<" in text:
        for _ in range(2):
            text = html.unescape(_strip_tags(text))
        text = _strip_tags(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_INVISIBLE))
    return " ".join("".join(" " if ch < " " or "\x7f" <= ch <= "\x9f" else ch for ch in text).split())


def _plain_latex(text: str) -> str:
    """LaTeX that has nothing but escaped signs, braces, dashes, quotes and ties; a hundred times as fast as parsing."""
    for mark, sign in _PLAIN:
        text = text.replace(mark, sign)
    return _ESCAPED.sub(r"\1", _BRACES.sub("", text))


def _strip_tags(text: str) -> str:
    return _TAG.sub(lambda tag: " " if _BLOCK.match(tag.group()) else "", text)


def latex_to_text(text: str) -> str:
    r"""LaTeX as Unicode: accents, braces, math, dashes and quotes. What is no LaTeX stays as it is.

    Exports write ``%``, ``&`` and ``#`` plainly where LaTeX would take them for commands; they are kept. A ``$``
    without its partner is a sign of money.

    >>> latex_to_text(r"{\'E}tude of {ML}Ops: 95% of $O(n^2)$ \& more")
    'Étude of MLOps: 95% of O(n^2) & more'
    """
    if not _MARKED_LATEX.search(text):
        return text
    if not _NEEDS_PARSER.search(text):
        return _plain_latex(text)
    text = _LATEX_ONLY.sub(r"\\\1", text)
    dollars = len(re.findall(r"(?<!\\)\$", text))
    if dollars % 2:
        text = _PRICE.sub(r"\\$", text, count=1) if _PRICE.search(text) else re.sub(r"(?<!\\)\$", r"\\$", text)
    return _latex().latex_to_text(text, tolerant_parsing=True).replace("\u00a0", " ")
