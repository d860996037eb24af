"""The thesis as source lines: includes expanded, every line knowing its file and number.

Both the offline engine and the claims check read the report through this module, so that whatever
they find wrong is named by file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import Problem, ReportError
from analysis.base.paths import relative

SHORTCODE = re.compile(r"\{\{<\s*(?P<name>[\w-]+)(?P<arguments>[^>]*?)\s*>\}\}")
_FENCE = re.compile(r"^\s*(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_INLINE_MATH = re.compile(r"(?<![\\$])\$(?![\s$])[^$]*?(?<![\s\\])\$(?!\d)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of source. ``code`` is True inside a fenced code block, its fences included."""

    text: str
    file: Path
    number: int
    code: bool = False

    @property
    def place(self) -> str:
        """``report/chapters/07-survey.qmd:12``."""
        return f"{relative(self.file)}:{self.number}"

    @property
    def prose(self) -> str:
        """The text with code spans blanked out, columns kept; empty inside code blocks."""
        return "" if self.code else _CODE_SPAN.sub(_blank, self.text)


@dataclass(frozen=True, slots=True)
class Shortcode:
    """One ``{{< name arguments >}}`` in the prose."""

    name: str
    arguments: str
    line: Line
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """The whole report: front matter of the main file and its lines with includes expanded.

    Attributes
    ----------
    path : Path
        The main file.
    front : dict
        Its YAML front matter.
    front_lines : tuple of Line
        The front matter's lines (an abstract holds claims too).
    lines : tuple of Line
        The body.
    """

    path: Path
    front: dict[str, Any]
    front_lines: tuple[Line, ...]
    lines: tuple[Line, ...]

    @property
    def all_lines(self) -> tuple[Line, ...]:
        return self.front_lines + self.lines

    def shortcodes(self, name: str) -> list[Shortcode]:
        """Every use of one shortcode, in order."""
        return [code for line in self.all_lines for code in shortcodes(line) if code.name == name]

    def find(self, text: str) -> str:
        """Place of the first prose line that contains ``text``; the main file where none does."""
        return next((line.place for line in self.all_lines if text in line.prose), relative(self.path))


def shortcodes(line: Line) -> list[Shortcode]:
    """Shortcodes on one line, code spans aside."""
    return [
        Shortcode(match["name"], match["arguments"].strip(), line, match[0]) for match in SHORTCODE.finditer(line.prose)
    ]


def outside_math(lines: Iterable[Line]) -> Iterator[tuple[Line, str]]:
    """Each line with its `Line.prose`, formulas blanked out, also those that run over several lines."""
    inside = False
    for line in lines:
        inside = inside and bool(line.text.strip())  # a formula ends with its paragraph
        parts = []
        for number, part in enumerate(line.prose.split("$$")):
            inside ^= number > 0
            parts.append(" " * len(part) if inside else part)
        yield line, _INLINE_MATH.sub(_blank, "  ".join(parts))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def read_document(path: Path) -> Document:
    """Read the main file, split off its front matter and expand ``{{< include … >}}``.

    Include paths are relative to the main file's folder. An include stands on a line of its own.

    Raises
    ------
    ReportError
        Missing file, text that is not UTF-8, front matter that is not YAML, an include that names no
        file or itself, a code block without an end.
    """
    lines = list(_file_lines(path))
    front: dict[str, Any] = {}
    front_lines: list[Line] = []
    if lines and lines[0].text.strip() == "---":
        end = next((i for i, line in enumerate(lines[1:], 1) if line.text.strip() in ("---", "...")), None)
        if end is None:
            raise ReportError(
                f"{relative(path)} has no end of its front matter.",
                [Problem(lines[0].place, "no closing ---", "add it")],
            )
        front_lines, lines = lines[1:end], lines[end + 1 :]
        try:
            front = yaml.safe_load("\n".join(line.text for line in front_lines)) or {}
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = front_lines[mark.line].place if mark and mark.line < len(front_lines) else relative(path)
            raise ReportError(
                f"The front matter of {relative(path)} is not YAML.",
                [Problem(place, str(getattr(error, "problem", error)))],
            ) from None
    body = tuple(_mark_code(_expand(lines, path.parent, (path,))))
    return Document(path, front, tuple(front_lines), body)


def paragraphs(lines: tuple[Line, ...]) -> Iterator[tuple[Line, ...]]:
    """Runs of lines between blank lines."""
    run: list[Line] = []
    for line in lines:
        if line.text.strip():
            run.append(line)
        elif run:
            yield tuple(run)
            run = []
    if run:
        yield tuple(run)


def _file_lines(path: Path) -> Iterator[Line]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ReportError(
            f"{relative(path)} does not exist.", [Problem("", "the file is missing", "restore it")]
        ) from None
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        what = f"byte {error.object[error.start]:#04x} is not UTF-8"
        raise ReportError(
            f"{relative(path)} is not UTF-8 text.", [Problem(f"{relative(path)}:{number}", what, "save it as UTF-8")]
        ) from None
    # Not splitlines(), which also splits at form feeds and U+2028, where no editor counts a line.
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        yield Line(line, path, number)


def _expand(lines: list[Line], folder: Path, parents: tuple[Path, ...]) -> Iterator[Line]:
    for line in lines:
        match = SHORTCODE.fullmatch(line.text.strip())
        if not match or match["name"] != "include":
            yield line
            continue
        path = folder / match["arguments"].strip()
        if path in parents:
            raise ReportError(
                "A file includes itself.", [Problem(line.place, f"{relative(path)} is already being read")]
            )
        if not path.is_file():
            raise ReportError(
                "An included file does not exist.",
                [
                    Problem(
                        line.place, f"no file {relative(path)}", "correct the path (it is relative to the main file)"
                    )
                ],
            )
        yield from _expand(list(_file_lines(path)), folder, (*parents, path))
        yield Line("", path, 0)


def _mark_code(lines: Iterator[Line]) -> Iterator[Line]:
    """Set ``code`` on the lines of fenced code blocks."""
    fence, place = "", ""
    for line in lines:
        match = _FENCE.match(line.text)
        if not fence and match:
            fence, place = match["mark"], line.place
            yield Line(line.text, line.file, line.number, code=True)
        elif fence:
            closes = match and match["mark"].startswith(fence) and not line.text.strip().strip(fence[0])
            yield Line(line.text, line.file, line.number, code=True)
            fence = "" if closes else fence
        else:
            yield line
    if fence:
        problem = Problem(place, "no closing fence: all that follows would be code", f"add {fence}")
        raise ReportError("A code block has no end.", [problem])
