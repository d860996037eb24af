"""What a chapter may contain: the subset of Quarto Markdown that both engines render alike.

Anything outside it is refused with file and line, instead of coming out differently, or not at
all, from one of the engines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analysis.base.errors import Problem
from analysis.reporting.sources import Document, Line, outside_math, shortcodes

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
_LEFTOVER = re.compile(r"\{\{<|>\}\}")
_ESCAPED = re.compile(r"\\[^\w\s]")
_NO_LETTER = re.compile("[\u3000-\ufaff\ufb07-\U0001d3ff\U0001d800-\U0010ffff]")
"""Emoji and scripts that the fonts of the PDF lack: they would print as empty boxes, and no engine says so."""

_SIZE = re.compile(r"\d+(?:\.\d+)?(?:%|in|cm|mm)")
_COLUMN_WIDTHS = re.compile(r"\[\s*\d+(?:\.\d+)?(?:\s*,\s*\d+(?:\.\d+)?)*\s*\]")


def check_constructs(document: Document) -> list[Problem]:
    """Everything in the report that lies outside the subset, in the order of its lines."""
    problems = list(_check_front(document))
    problems += _check_metadata_blocks(document)
    for line in document.all_lines:
        if match := _NO_LETTER.search(line.text):
            problems.append(_refuse(line, f"no font of the PDF has '{match[0]}'", "write it in words"))
    for line, text in outside_math(document.lines):
        problems += _check_code(line, text)
        if not line.code:
            problems += _check_prose(line, text)
    return problems


def _check_front(document: Document) -> Iterator[Problem]:
    for key, value in document.front.items():
        place = document.find(f"{key}:")
        if key not in FRONT_KEYS:
            remedy = f"use: {', '.join(sorted(FRONT_KEYS))}"
            yield Problem(place, f"front matter key '{key}' is not supported", remedy)
        elif key == "date" and not re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)):
            yield Problem(place, f"date '{value}' would print differently from each engine", "write it as YYYY-MM-DD")
        elif key == "lang" and str(value).partition("-")[0] != "en":
            yield Problem(place, f"lang '{value}': only English words are set the same by both", "write lang: en")
        elif key == "author" and (isinstance(value, dict) or any(isinstance(name, dict) for name in value)):
            yield Problem(place, "an author with parts would print otherwise from each engine", "write the name alone")


def _check_metadata_blocks(document: Document) -> Iterator[Problem]:
    """A YAML block in the body sets options past the check of the front matter."""
    before, blank = Line("", document.path, 0), Line("", document.path, 0)
    for line, after in zip(document.lines, (*document.lines[1:], blank), strict=True):
        if line.text.rstrip() == "---" and not line.code and not before.text.strip() and after.text.strip():
            yield _refuse(line, "a YAML block in the text is not supported", "a rule (---) needs a blank line below it")
        before = line


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


def _check_code(line: Line, text: str) -> Iterator[Problem]:
    """Code cells, raw blocks, and shortcodes in code or formulas, which Quarto fills in or breaks."""
    if line.text.count("{{<") > text.count("{{<"):
        yield _refuse(line, "a shortcode within code or a formula is not supported", "write it in the prose")
    match = _CODE_CELL.match(line.text) if line.code else None
    if not match:
        return
    spec = match["spec"].strip()
    if spec.startswith("="):
        yield _refuse(line, f"raw block {{{spec}}} is not supported", "write it in Markdown")
    elif not spec.startswith("."):
        yield _refuse(
            line, f"code cell {{{spec}}}: chapters do not execute code", "put it in a notebook and embed its output"
        )
    elif re.search("[#=]", spec):
        yield _refuse(line, f"attributes {{{spec}}} of a code block are not supported", "keep the language alone")


def _check_prose(line: Line, text: str) -> Iterator[Problem]:
    for code in shortcodes(line):
        if code.name not in _SHORTCODES:
            yield _refuse(line, f"shortcode '{code.name}' is not supported", f"use: {', '.join(sorted(_SHORTCODES))}")
        elif code.name != "var" and line.text.strip() != code.text:
            yield _refuse(line, f"shortcode '{code.name}' must stand on a line of its own", "give it its own line")
    if re.search(r"\\\{\{<", text):
        yield _refuse(line, "an escaped shortcode is not supported", "leave the backslash out")
    rest = re.sub(r"<!--.*?-->|\{\{<.*?>\}\}", lambda match: " " * len(match[0]), text)
    if _LEFTOVER.search(rest):
        yield _refuse(line, "broken shortcode", "write {{< name argument >}} on one line")
    if match := _RAW.search(line.text):
        yield _refuse(line, f"raw inline {{={match['format']}}} is not supported", "write it in Markdown")
    without_links = re.sub(r"<(?:https?|mailto):[^>]*>", "", rest)
    if match := _HTML.search(without_links):
        yield _refuse(line, f"raw HTML {match[0]} is not supported", "write it in Markdown")
    if match := _TEX.search(rest):
        yield _refuse(line, f"raw TeX {match[0]} is not supported", "write it in Markdown, formulas between $ signs")
    if match := _DIV.match(rest):
        yield from _check_div(line, match["attributes"])
    else:
        yield from _check_attributes(line, _ESCAPED.sub("  ", rest))


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
        elif line.prose[: match.start()].rstrip().endswith("$$"):
            kind, classes_ok, keys_ok = "equation", set(), frozenset()
        else:
            remedy = "put them on the line of the heading, image, caption or formula; a brace that is text is \\{"
            yield _refuse(line, f"attributes {match[0]} belong to nothing", remedy)
            continue
        unknown = [*(f".{c}" for c in classes if c not in classes_ok), *(k for k in pairs if k not in keys_ok), *others]
        unknown = [item for item in unknown if item != "-"] if kind == "heading" else unknown
        if unknown:
            yield _refuse(line, f"{kind} attribute {', '.join(unknown)} is not supported", "leave it out")
        prefix = identifier.partition("-")[0]
        expected = {"heading": ("sec",), "image": ("fig",), "table": ("tbl",), "equation": ("eq",)}.get(kind)
        if identifier and expected and prefix not in expected and (prefix in REFERENCES or kind == "equation"):
            yield _refuse(
                line, f"{kind} label '{identifier}' is not a {expected[0]}- label", f"call it {expected[0]}-…"
            )
        for key, pattern, example in (
            ("width", _SIZE, "80% or 12cm"),
            ("height", _SIZE, "80% or 12cm"),
            ("tbl-colwidths", _COLUMN_WIDTHS, '"[20, 80]"'),
        ):
            if key in pairs and key in keys_ok and not pattern.fullmatch(pairs[key]):
                yield _refuse(line, f"{key} '{pairs[key]}' is not supported", f"write for example {key}={example}")
