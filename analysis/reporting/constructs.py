"""What a chapter may contain: the subset of Quarto Markdown that both engines render alike.

Anything outside it is refused with file and line, instead of coming out differently, or not at
all, from one of the engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analysis.base.errors import Problem
from analysis.reporting.sources import Document, Line, shortcodes

CALLOUTS = {"note": "Note", "tip": "Tip", "important": "Important", "warning": "Warning", "caution": "Caution"}
FORMATS = ("html", "typst")
REFERENCES = {"fig": "Figure", "tbl": "Table", "sec": "Section", "eq": "Equation"}
"""Prefix of a label → the word that a reference to it prints."""

FRONT_KEYS = frozenset(
    {
        "link-citations",
        "title",
        "subtitle",
        "author",
        "date",
        "abstract",
        "keywords",
        "lang",
        "institution",
        "degree",
        "bibliography",
        "csl",
    }
)
_SHORTCODES = frozenset({"var", "include", "embed"})
_IMAGE_ATTRIBUTES = frozenset({"width", "height", "fig-alt"})
_TABLE_ATTRIBUTES = frozenset({"tbl-colwidths"})

_DIV = re.compile(r"^\s*:{3,}\s*(?P<attributes>\S.*)$")
_ATTRIBUTES = re.compile(r"\{(?P<body>[^{}<>]*)\}")
_ITEM = re.compile(r"#(?P<id>[\w.:-]+)|\.(?P<class>[\w-]+)|(?P<key>[\w-]+)=(?P<value>\"[^\"]*\"|\S+)|(?P<other>\S+)")
_CODE_CELL = re.compile(r"^\s*(?:`{3,}|~{3,})\s*\{(?P<spec>[^}]*)\}")
_HTML = re.compile(r"</?[a-zA-Z][\w-]*(?:\s[^<>]*)?/?>")
_RAW = re.compile(r"`\{=(?P<format>\w+)\}")
_TEX = re.compile(r"(?<![\\$])\\(?:[a-zA-Z]{2,})")
_MATH = re.compile(r"\$\$.*?\$\$|(?<!\\)\$(?!\s)[^$]+?(?<!\s)\$")
_LEFTOVER = re.compile(r"\{\{<|>\}\}")


def check_constructs(document: Document) -> list[Problem]:
    """Everything in the report that lies outside the subset, in the order of its lines."""
    problems = [
        Problem(
            document.find(f"{key}:"),
            f"front matter key '{key}' is not supported",
            f"use: {', '.join(sorted(FRONT_KEYS))}",
        )
        for key in document.front
        if key not in FRONT_KEYS
    ]
    if "date" in document.front and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(document.front["date"])):
        what = f"date '{document.front['date']}' would print differently from each engine"
        problems.append(Problem(document.find("date:"), what, "write it as YYYY-MM-DD"))
    in_math = False
    for line in document.lines:
        if line.code:
            problems += _check_fence(line)
            continue
        text = line.prose
        fences = text.count("$$")
        if not in_math and fences != 1:
            problems += _check_prose(line, _MATH.sub(lambda match: " " * len(match[0]), text))
        elif fences == 1 and in_math:
            problems += _check_attributes(line, text.split("$$")[1])
        in_math ^= fences % 2 == 1
    return problems


def attributes(text: str) -> tuple[str, list[str], dict[str, str], list[str]]:
    """Split ``#id .class key="value"``: the id, classes, key–values, and what is none of these."""
    identifier, classes, pairs, others = "", [], {}, []
    for item in _ITEM.finditer(text):
        if item["id"]:
            identifier = item["id"]
        elif item["class"]:
            classes.append(item["class"])
        elif item["key"]:
            pairs[item["key"]] = item["value"].strip('"')
        else:
            others.append(item["other"])
    return identifier, classes, pairs, others


def _refuse(line: Line, what: str, remedy: str) -> Problem:
    return Problem(line.place, what, remedy)


def _check_fence(line: Line) -> Iterator[Problem]:
    match = _CODE_CELL.match(line.text)
    if not match:
        return
    spec = match["spec"].strip()
    if spec.startswith("="):
        yield _refuse(line, f"raw block {{{spec}}} is not supported", "write it in Markdown")
    elif not spec.startswith("."):
        yield _refuse(
            line, f"code cell {{{spec}}}: chapters do not execute code", "put it in a notebook and embed its output"
        )


def _check_prose(line: Line, text: str) -> Iterator[Problem]:
    for code in shortcodes(line):
        if code.name not in _SHORTCODES:
            yield _refuse(line, f"shortcode '{code.name}' is not supported", f"use: {', '.join(sorted(_SHORTCODES))}")
        elif code.name != "var" and line.text.strip() != code.text:
            yield _refuse(line, f"shortcode '{code.name}' must stand on a line of its own", "give it its own line")
    rest = re.sub(r"\{\{<.*?>\}\}", "", text)
    if _LEFTOVER.search(rest):
        yield _refuse(line, "broken shortcode", "write {{< name argument >}} on one line")
    if match := _RAW.search(line.text):
        yield _refuse(line, f"raw inline {{={match['format']}}} is not supported", "write it in Markdown")
    without_comments = re.sub(r"<!--.*?-->", "", rest)
    without_links = re.sub(r"<(?:https?|mailto):[^>]*>", "", without_comments)
    if match := _HTML.search(without_links):
        yield _refuse(line, f"raw HTML {match[0]} is not supported", "write it in Markdown")
    if match := _TEX.search(rest):
        yield _refuse(line, f"raw TeX {match[0]} is not supported", "write it in Markdown, formulas between $ signs")
    if match := _DIV.match(rest):
        yield from _check_div(line, match["attributes"])
    else:
        yield from _check_attributes(line, rest)


def _check_div(line: Line, spec: str) -> Iterator[Problem]:
    match = _ATTRIBUTES.fullmatch(spec.strip())
    identifier, classes, pairs, others = attributes(match["body"] if match else f".{spec.strip()}")
    kind = classes[0] if len(classes) == 1 else ""
    callout = kind.startswith("callout-") and kind.removeprefix("callout-") in CALLOUTS and not pairs and not identifier
    visible = kind == "content-visible" and set(pairs) == {"when-format"} and pairs["when-format"] in FORMATS
    references = identifier == "refs" and not classes and not pairs
    if others or not (callout or visible or references):
        allowed = f'.callout-{"|".join(CALLOUTS)}, .content-visible when-format="{"|".join(FORMATS)}", #refs'
        yield _refuse(line, f"div '{spec.strip()}' is not supported", f"use: {allowed}")


def _check_attributes(line: Line, text: str) -> Iterator[Problem]:
    heading = re.match(r"^#{1,6}\s", text)
    for match in _ATTRIBUTES.finditer(text):
        if match["body"].startswith("="):
            continue  # raw inline, reported as such
        before = text[: match.start()]
        identifier, classes, pairs, others = attributes(match["body"])
        if heading:
            kind, classes_ok, keys_ok = "heading", {"unnumbered", "unlisted"}, frozenset()
        elif before.rstrip().endswith(")") and "![" in before:
            kind, classes_ok, keys_ok = "image", set(), _IMAGE_ATTRIBUTES
        elif re.match(r"^\s*(?:Table)?:\s", text):
            kind, classes_ok, keys_ok = "table", set(), _TABLE_ATTRIBUTES
        elif before.endswith("]"):
            kind, classes_ok, keys_ok = "span", {"literal"}, frozenset()
        else:
            kind, classes_ok, keys_ok = "equation", set(), frozenset()
        unknown = [*(f".{c}" for c in classes if c not in classes_ok), *(k for k in pairs if k not in keys_ok), *others]
        unknown = [item for item in unknown if item != "-"] if kind == "heading" else unknown
        if unknown:
            yield _refuse(line, f"{kind} attribute {', '.join(unknown)} is not supported", "leave it out")
        prefix = identifier.partition("-")[0]
        expected = {"heading": ("sec",), "image": ("fig",), "table": ("tbl",), "equation": ("eq",)}.get(kind)
        if identifier and prefix in REFERENCES and expected and prefix not in expected:
            yield _refuse(
                line, f"{kind} label '{identifier}' is not a {expected[0]}- label", f"call it {expected[0]}-…"
            )
        if identifier and kind == "equation" and prefix != "eq":
            yield _refuse(
                line,
                f"attribute #{identifier} belongs to nothing",
                "headings, images, tables and equations carry labels",
            )
