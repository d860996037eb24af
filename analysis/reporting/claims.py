"""Does the report say exactly what the results hold? Every departure is named by chapter, line and key.

Refused are: a key that no notebook stored, a stored result that the report does not use, a
statistic typed by hand, and a number that is made up for teaching (``demo``) or rebuilt from
damaged figures (``reconstructed``) without saying so beside it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from analysis.base.errors import Problem
from analysis.base.paths import BUILD, relative
from analysis.base.results import LABELLED_ORIGINS
from analysis.base.store import Store
from analysis.reporting.embeds import embed_target, load_captions, load_embed
from analysis.reporting.sources import SHORTCODE, Document, Line, Shortcode, outside_math, paragraphs

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_ASIDE = re.compile(
    r"""
      \{\{<.*?>\}\}                          # shortcodes
    | \[[^\]]*\]\{\.literal\}                # marked as no statistic
    | \[[^\]\[]*@[^\]]*\]                    # citations with locators
    | @[\w:.-]+(?:\s+\[[^\]]*\])?            # citations in the text
    | \]\([^)]*\)                            # link and image targets
    | \[\^[^\]]*\]:?                         # footnote marks
    | <https?://[^>]*> | https?://\S+        # addresses
    | \{[^}]*\}                              # attributes
    | <!--.*?-->
    """,
    re.VERBOSE,
)
_ALLOWED = re.compile(
    rf"""
      \b\d{{1,2}}\s(?:{_MONTHS})\b                               # 31 March 2021
    | (?:§|\b(?:[Ss]ection|[Cc]hapter|[Tt]able|[Ff]igure|[Pp]age|[Aa]ppendix|p\.|no\.))\s*
      \d[\d.]*(?:[–-]\d[\d.]*)?                                  # place in a source
    | (?:§§|\b(?:[Ss]ections|[Cc]hapters|[Tt]ables|[Ff]igures|[Pp]ages|pp\.))\s*
      \d[\d.]*(?:\s*(?:–|-|,|and|to)\s*\d[\d.]*)*
    | \b(?:1[89]|20)\d\d\b(?!\s*%|[.,]\d)                        # a year
    """,
    re.VERBOSE,
)
_LIST_MARK = re.compile(r"^\s*(?:>\s*)*\(?\d+[.)]\s")
_NUMBER = re.compile(r"(?<![\w.])[+−-]?(?:\.?\d[\d,.]*(?:\s?%|\b)|[½⅓⅔¼¾⅕⅛])")
_SPELLED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-\w+)?|hundred|half|(?:one|two)[ -]thirds?"
    r"|(?:one|three)[ -]quarters?)\b"
    r"(?:\s+(?:of|the|all|our|these|their|[a-z]+-reviewed|grey|semi-structured|primary)){0,3}\s+"
    r"(?:respondents?|participants?|interviewees?|practitioners?|people|persons|users|studies|papers|records|interviews"
    r"|answers|sources|documents|organisations"
    r"|per\s?cent(?:age points)?|percentage points)\b"
    r"|\b(?:one|two|three|four|nine) (?:in|out of) (?:two|three|four|five|six|seven|eight|nine|ten)\b"
    r"|\b(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)-\w+\b|\bdozens?\b",
    re.IGNORECASE,
)


def check_claims(document: Document, store: Store) -> list[Problem]:
    """Compare the report with the results store.

    Returns
    -------
    list of Problem
        In the order: keys, embeds, typed statistics, chapters left out, unused results.
    """
    problems = [*_check_keys(document, store), *_check_embeds(document, store), *check_typed(document)]
    return problems + _check_included(document) + _check_unused(document, store)


def paragraph_of(document: Document, line: Line) -> tuple[Line, ...]:
    """The lines from blank to blank around ``line``."""
    for lines in paragraphs(document.all_lines):
        if line in lines:
            return lines
    return (line,)


def _check_keys(document: Document, store: Store) -> Iterator[Problem]:
    variables = store.variables()
    for code in document.shortcodes("var"):
        key = code.arguments
        if key not in variables:
            yield Problem(code.line.place, f"no result has the key '{key}'", suggest(key, list(variables)))
            continue
        entry = store.entries[store.base_key(key)]
        if entry.origin in LABELLED_ORIGINS:
            words = " ".join(line.text for line in paragraph_of(document, code.line))
            if entry.origin not in SHORTCODE.sub("", words).lower():
                yield Problem(
                    code.line.place,
                    f"'{key}' is a {entry.origin} number, and its paragraph does not say so",
                    f"write the word '{entry.origin}' in the same paragraph",
                )


def _check_embeds(document: Document, store: Store) -> Iterator[Problem]:
    labels = [entry.key for entry in store.entries.values() if entry.kind != "number"]
    for code in document.shortcodes("embed"):
        path, label = embed_target(code, document)
        entry = store.entries.get(label)
        if entry is None:
            yield Problem(code.line.place, f"no notebook stores '{label}'", suggest(label, labels))
        elif entry.notebook != path.stem:
            yield Problem(
                code.line.place, f"'{label}' is stored by {entry.notebook}, not by {path.stem}", "correct the path"
            )
        elif entry.origin in LABELLED_ORIGINS and entry.origin not in _caption(path, label):
            yield Problem(
                code.line.place,
                f"'{label}' shows {entry.origin} numbers, and its caption does not say so",
                f"write the word '{entry.origin}' in the cell's {label[:3]}-cap",
            )
        elif entry.shown and (embed := load_embed(path, label)) and embed.digest != entry.shown:
            # A run that was killed, or had no room left, after its results were saved leaves the older notebook.
            yield Problem(
                code.line.place,
                f"'{label}' in {relative(path)} is not the one that the results hold",
                f"rm {relative(path)}, then: make report",
            )


def _caption(notebook: Path, label: str) -> str:
    return load_captions(notebook).get(label, "").lower() if notebook.is_file() else ""


def check_typed(document: Document) -> Iterator[Problem]:
    """Statistics typed by hand in the abstract and the chapters, by file and line."""
    remedy = "store it in a notebook and write {{< var key >}}; [words]{.literal} if it is no statistic"
    in_list = after_blank = True
    for line, text in chain(outside_math(_abstract(document)), outside_math(document.lines)):
        # A number that opens a line is an item's only where the paragraph is a list.
        in_list = bool(_LIST_MARK.match(text)) if after_blank else in_list
        after_blank = not line.text.strip()
        if "build" in line.file.parts:
            continue  # generated appendices print the store itself
        text = _ASIDE.sub(_said_beside, _LIST_MARK.sub(" ", text) if in_list else text)
        for match in _SPELLED.finditer(text):
            yield Problem(line.place, f"statistic typed by hand: '{match[0]}'", remedy)
        for match in _NUMBER.finditer(_ALLOWED.sub(" ", text)):
            yield Problem(line.place, f"statistic typed by hand: '{match[0].strip()}'", remedy)


def _said_beside(aside: re.Match[str]) -> str:
    """What of an aside is prose after all: the words before a citation within its brackets."""
    cited = aside[0].startswith("[") and "@" in aside[0] and not aside[0].endswith("}")
    return " ".join(part.partition("@")[0] for part in aside[0].strip("[]").split(";")) if cited else " "


def _abstract(document: Document) -> list[Line]:
    """Front matter lines of the abstract: claims stand there too."""
    lines: list[Line] = []
    inside = False
    for line in document.front_lines:
        if line.text[:1] not in ("", " "):
            inside = line.text.startswith("abstract:")
        if inside:
            lines.append(line)
    return lines


def _check_included(document: Document) -> list[Problem]:
    """Chapters that lie in the folder and stand in no include."""
    read = {line.file for line in document.lines}
    folder = document.path.parent / "chapters"
    return [
        Problem(
            relative(path),
            "nothing includes this chapter",
            f"add {{{{< include chapters/{path.name} >}}}} to thesis.qmd",
        )
        for path in sorted(folder.glob("*.qmd"))
        if path not in read
    ]


def _check_unused(document: Document, store: Store) -> list[Problem]:
    used = {store.base_key(code.arguments) for code in document.shortcodes("var")}
    used |= {embed_target(code, document)[1] for code in document.shortcodes("embed")}
    verb = {"number": "{{< var … >}}", "table": "{{< embed … >}}", "figure": "{{< embed … >}}"}
    return [
        Problem(
            f"notebooks/{entry.notebook}.ipynb",
            f"{entry.kind} '{key}' is stored, and the report does not use it",
            f"use it with {verb[entry.kind]}, or do not store it",
        )
        for key, entry in sorted(store.entries.items())
        if key not in used
    ]


def places(document: Document, key: str, store: Store) -> list[Shortcode]:
    """Where the report uses a result, in any of its forms."""
    found = [code for code in document.shortcodes("var") if store.base_key(code.arguments) == key]
    return found + [code for code in document.shortcodes("embed") if embed_target(code, document)[1] == key]


def suggest(name: str, known: list[str]) -> str:
    """What a mistyped key may have meant: the keys below it, else the most alike."""
    close = [key for key in known if key.startswith(f"{name}.")] or difflib.get_close_matches(name, known, 3, 0.6)
    if len(close) > 6:
        return f"keys that start so: {', '.join(close)}"
    return f"did you mean {' or '.join(close)}?" if close else f"see the keys in {relative(BUILD / 'numbers.csv')}"
