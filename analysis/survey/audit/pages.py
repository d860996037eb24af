"""The text of a rendered page, block by block, with the place of each: HTML, PDF, or plain text and Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from analysis.base.errors import InputError, Problem

READABLE = (".html", ".htm", ".pdf", ".txt", ".md", ".qmd")

_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_TEXTS = ("p", "div", "li", "dd", "dt", "td", "th", "tr", "caption", "figcaption", "blockquote", "pre", "br")
_PARTS = ("section", "article", "header", "footer", "aside", "main", "table", "ul", "ol", "dl")
_BLOCKS = frozenset((*_TEXTS, *_PARTS, *_HEADINGS))
_SILENT = frozenset(("script", "style", "svg", "head", "title", "nav", "annotation", "annotation-xml"))


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that belongs together, such as a paragraph or a table's cell, and its place."""

    place: str
    text: str


def read_blocks(path: Path) -> list[Block]:
    """Text of a page in reading order; whitespace is folded.

    HTML gives its paragraphs, headings and cells, with the heading above as their place; scripts, styles, drawings and
    navigation are left out. PDF gives its pages, plain text its paragraphs with their first line.

    Raises
    ------
    InputError
        No such file, a kind of file that cannot be read, or one that holds no text at all.
    """
    kind = path.suffix.lower()
    if not path.is_file() or kind not in READABLE:
        what = "it does not exist" if kind in READABLE else f"'{kind}' cannot be read"
        raise InputError("This page cannot be audited.", [Problem(path.name, what, f"one of: {', '.join(READABLE)}")])
    if kind == ".pdf":
        blocks = _read_pdf(path)
    else:
        text = path.read_text(encoding="utf-8", errors="replace")
        blocks = _read_html(text) if kind in (".html", ".htm") else _read_lines(text)
    if not blocks:
        raise InputError("This page cannot be audited.", [Problem(path.name, "it holds no text", "render it again")])
    return blocks


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._heading, self._silent, self._in_heading = "start", 0, False
        self._parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        if tag in _BLOCKS:
            self.flush()
        self._in_heading = self._in_heading or tag in _HEADINGS

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        if tag in _BLOCKS:
            self.flush()
        if tag in _HEADINGS:
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._parts.append(data)

    def flush(self) -> None:
        text = " ".join("".join(self._parts).split())
        self._parts = []
        if not text:
            return
        if self._in_heading:
            self._heading = text
        self.blocks.append(Block(f"under '{self._heading}'", text))


def _read_html(text: str) -> list[Block]:
    page = _Page()
    page.feed(text)
    page.close()
    page.flush()
    return page.blocks


def _read_pdf(path: Path) -> list[Block]:
    import pypdf  # here, since nothing but this needs it

    pages = [page.extract_text() or "" for page in pypdf.PdfReader(path).pages]
    return [
        Block(f"page {number}", re.sub(r"(?<=[a-z])-\s+(?=[a-z])", "", " ".join(text.split())))
        for number, text in enumerate(pages, start=1)
        if text.strip()
    ]


def _read_lines(text: str) -> list[Block]:
    blocks, lines, first = [], [], 1
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if line.strip():
            first = first if lines else number
            lines.append(line.strip())
        elif lines:
            blocks.append(Block(f"line {first}", " ".join(lines)))
            lines = []
    return blocks
