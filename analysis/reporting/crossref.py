"""Numbering, cross-references, callouts and captions on pandoc's document tree.

Stock Quarto does this in its own filters; here it is done for the subset of
`analysis.reporting.constructs`, with the same numbers and the same words. In Typst, the structure
that the template expects is written and Typst itself counts; in HTML the numbers are written out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from analysis.base.errors import Problem
from analysis.reporting.constructs import CALLOUTS, REFERENCES

Node = dict[str, Any]

CALLOUT_COLOURS = {"note": "0758E5", "tip": "00A047", "important": "CC1914", "warning": "EB9113", "caution": "FC5300"}


@dataclass(slots=True)
class Labels:
    """Number of every label, in the order of the document; problems found on the way."""

    numbers: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)
    _section: list[int] = field(default_factory=lambda: [0] * 6)

    def count(self, identifier: str) -> None:
        """Give the next number of its kind to a figure, table or equation."""
        kind = identifier.partition("-")[0]
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._set(identifier, str(self._counts[kind]))

    def count_section(self, identifier: str, level: int, numbered: bool) -> None:
        """Advance the section counters; an unnumbered heading has no number to refer to."""
        number = ""
        if numbered:
            self._section[level - 1] += 1
            self._section[level:] = [0] * (6 - level)
            number = ".".join(map(str, self._section[:level]))
        if identifier.startswith("sec-"):
            self._set(identifier, number)

    def refuse(self, where: str | list[Node], what: str, remedy: str) -> None:
        """Note a problem, at a label or at words of the text."""
        self.problems.append(Problem(where if isinstance(where, str) else plain_text(where)[:60], what, remedy))

    def _set(self, identifier: str, number: str) -> None:
        if identifier in self.numbers:
            self.problems.append(Problem(f"#{identifier}", "the label is given twice", "give one of them another name"))
        self.numbers[identifier] = number


def is_reference(identifier: str) -> bool:
    """True for ``fig-…``, ``tbl-…``, ``sec-…``, ``eq-…``: a cross-reference, not a citation."""
    prefix, dash, _ = identifier.partition("-")
    return bool(dash) and prefix in REFERENCES


def prepare(tree: Node, to: str) -> tuple[Node, Labels]:
    """Number ``tree`` and rewrite it for ``to`` (``"typst"`` or ``"html"``).

    Parameters
    ----------
    tree : dict
        pandoc's JSON document, citations not yet processed.

    Returns
    -------
    dict, Labels
        The rewritten document and its labels with the problems found.
    """
    blocks = _visible(tree["blocks"], to)
    labels = Labels()
    _number(blocks, labels)
    writer = _Typst(labels) if to == "typst" else _Html(labels)
    return {**tree, "blocks": _rewrite(blocks, writer)}, labels


def walk(node: Any) -> Iterator[Node]:
    """Every element of a pandoc tree, outermost first, in document order."""
    if isinstance(node, list):
        for item in node:
            yield from walk(item)
    elif isinstance(node, dict):
        if "t" in node:
            yield node
        for value in node.values():
            yield from walk(value)


def plain_text(node: Any) -> str:
    """The words of a pandoc tree, for messages and matching."""
    words = {"Space": " ", "SoftBreak": " ", "LineBreak": " "}
    return "".join(
        item["c"] if item["t"] == "Str" else item["c"][1] if item["t"] in ("Code", "Math") else words.get(item["t"], "")
        for item in walk(node)
    )


def _visible(blocks: Any, to: str) -> Any:
    """Drop ``.content-visible`` divs of the other format and unwrap those of this one."""
    if isinstance(blocks, dict):
        return {key: _visible(value, to) for key, value in blocks.items()}
    if not isinstance(blocks, list):
        return blocks
    kept = []
    for block in blocks:
        if isinstance(block, dict) and block.get("t") == "Div" and "content-visible" in block["c"][0][1]:
            if dict(block["c"][0][2]).get("when-format") == to:
                kept += _visible(block["c"][1], to)
        else:
            kept.append(_visible(block, to))
    return kept


def _equation(block: Node) -> str:
    """The label of a paragraph that is one display formula with ``{#eq-…}``, else empty."""
    if block["t"] not in ("Para", "Plain"):
        return ""
    inlines = [item for item in block["c"] if item["t"] not in ("Space", "SoftBreak")]
    if len(inlines) == 2 and inlines[0]["t"] == "Math" and inlines[1]["t"] == "Str":
        text = inlines[1]["c"]
        if text.startswith("{#eq-") and text.endswith("}"):
            return text[2:-1]
    return ""


def _number(blocks: list[Node], labels: Labels) -> None:
    """Count what carries a number; what would carry another one in stock Quarto is a problem."""
    sections = {id(node) for node in blocks}
    titles = {id(node["c"][1][0]) for node in walk(blocks) if node["t"] == "Div" and _callout(node) and node["c"][1]}
    for node in walk(blocks):
        if node["t"] == "Header":
            level, (identifier, classes, _), words = node["c"]
            if id(node) in sections:
                labels.count_section(identifier, level, "unnumbered" not in classes)
            elif id(node) not in titles:
                labels.refuse(words, "a heading within a list, quotation or box", "put it outside")
            elif identifier.startswith("sec-"):
                labels.refuse(words, "the title of a callout with a label", "leave the label out")
        elif node["t"] in ("Figure", "Table"):
            _number_float(node, labels)
        elif node["t"] == "Image" and is_reference(node["c"][0][0]):
            what = "an image with a label, and without a caption or within a paragraph"
            labels.refuse(f"#{node['c'][0][0]}", what, "give it a caption and a paragraph of its own")
        elif node["t"] in ("Para", "Plain"):
            if label := _equation(node):
                labels.count(label)
            elif stray := [item["c"] for item in node["c"] if item["t"] == "Str" and item["c"].startswith("{#eq-")]:
                labels.refuse(stray[0][1:].rstrip("}"), "a formula with a label", "give it a paragraph of its own")
        elif node["t"] == "Cite":
            labels.references += [c["citationId"] for c in node["c"][0] if is_reference(c["citationId"])]


def _number_float(node: Node, labels: Labels) -> None:
    """A figure or table: label and caption, or, for a table, neither."""
    kind, prefix = ("figure", "fig") if node["t"] == "Figure" else ("table", "tbl")
    (identifier, _, pairs), caption = node["c"][0], node["c"][1][1]
    if is_reference(identifier):
        labels.count(identifier)
        if not caption:
            labels.refuse(f"#{identifier}", f"{kind} with a label and without a caption", "write the caption before it")
    elif caption or kind == "figure":
        where = plain_text(caption)[:60] or plain_text(node["c"])[:60]
        labels.refuse(
            where, f"{kind} with a caption and without a label", f"label it {{#{prefix}-…}} behind its caption"
        )
    widths = dict(pairs).get("tbl-colwidths", "")
    if widths and len(widths.split(",")) != len(node["c"][2]):
        what = f"tbl-colwidths {widths} for {len(node['c'][2])} columns"
        labels.refuse(f'tbl-colwidths="{widths}"', what, "give one width a column")


def _rewrite(node: Any, writer: _Writer) -> Any:
    if isinstance(node, list):
        out = []
        for item in node:
            done = _rewrite(item, writer)
            out.extend(done if isinstance(done, list) and isinstance(item, dict) and "t" in item else [done])
        return out
    if not isinstance(node, dict) or "t" not in node:
        return {key: _rewrite(value, writer) for key, value in node.items()} if isinstance(node, dict) else node
    kind = node["t"]
    if kind == "Figure" and is_reference(node["c"][0][0]):
        return writer.figure(node["c"][0][0], _caption(node, writer), _rewrite(node["c"][2], writer))
    if kind == "Image":
        return writer.image(node)
    if kind == "Table" and is_reference(node["c"][0][0]):
        attributes = dict(node["c"][0][2])
        table = _with_widths(node, attributes.get("tbl-colwidths", ""))
        content = {"t": "Table", "c": [["", writer.table_classes, []], [None, []], *_rewrite(table["c"][2:], writer)]}
        return writer.table(node["c"][0][0], _caption(node, writer), content)
    if kind == "Div" and (name := _callout(node)):
        return _write_callout(name, node["c"][1], writer)
    if kind in ("Para", "Plain") and (label := _equation(node)):
        return writer.equation(label, next(item for item in node["c"] if item["t"] == "Math"))
    if kind == "Cite" and any(is_reference(citation["citationId"]) for citation in node["c"][0]):
        return _write_references(node, writer)
    return {"t": kind, **({"c": _rewrite(node["c"], writer)} if "c" in node else {})}


def _caption(node: Node, writer: _Writer) -> list[Node]:
    """Inlines of a figure's or table's caption."""
    blocks = node["c"][1][1]
    inlines = blocks[0]["c"] if blocks else []
    if inlines and inlines[-1]["t"] == "Space":
        inlines = inlines[:-1]
    return _rewrite(inlines, writer)


def _with_widths(table: Node, spec: str) -> Node:
    """Apply ``tbl-colwidths="[20, 80]"`` (percent) to a table's columns."""
    if not spec:
        return table
    widths = [float(part) / 100 for part in spec.strip("[] ").split(",")]
    columns = [[align, {"t": "ColWidth", "c": width}] for (align, _), width in zip(table["c"][2], widths, strict=False)]
    return {"t": "Table", "c": [*table["c"][:2], columns, *table["c"][3:]]}


def _callout(node: Node) -> str:
    return next((c.removeprefix("callout-") for c in node["c"][0][1] if c.removeprefix("callout-") in CALLOUTS), "")


def _write_callout(name: str, blocks: list[Node], writer: _Writer) -> list[Node]:
    title: list[Node] = [{"t": "Str", "c": CALLOUTS[name]}]
    if blocks and blocks[0]["t"] == "Header":
        title, blocks = blocks[0]["c"][2], blocks[1:]
    return writer.callout(name, _rewrite(title, writer), _rewrite(blocks, writer))


def _write_references(node: Node, writer: _Writer) -> list[Node]:
    out: list[Node] = []
    for citation in node["c"][0]:
        identifier = citation["citationId"]
        number = writer.labels.numbers.get(identifier)
        if not is_reference(identifier) or not number:
            what = "is a heading without a number" if number == "" else "does not exist"
            remedy = "link to it instead: [words](#label)" if number == "" else "correct the label"
            if not is_reference(identifier):
                what, remedy = "is cited together with a cross-reference", "put them in separate brackets"
            writer.labels.problems.append(Problem(f"@{identifier}", f"the target {what}", remedy))
            continue
        word = REFERENCES[identifier.partition("-")[0]]
        if citation["citationMode"]["t"] == "SuppressAuthor":
            word = ""
        elif citation["citationPrefix"]:
            word = plain_text(citation["citationPrefix"])
        if out:
            out += [{"t": "Str", "c": ","}, {"t": "Space"}]
        out += writer.reference(identifier, word, number)
    return out


class _Writer:
    """What differs between the formats."""

    raw = ""
    table_classes: tuple[str, ...] = ()

    def __init__(self, labels: Labels) -> None:
        self.labels = labels

    def block(self, text: str) -> Node:
        return {"t": "RawBlock", "c": [self.raw, text]}

    def inline(self, text: str) -> Node:
        return {"t": "RawInline", "c": [self.raw, text]}


class _Typst(_Writer):
    raw = "typst"
    table_classes = ("typst:no-figure",)  # the float around it is written here, not by pandoc

    def image(self, node: Node) -> list[Node]:
        sizes = dict(node["c"][0][2])
        options = [f"{side}: {sizes[side]}" for side in ("width", "height") if side in sizes]
        if alt := sizes.get("fig-alt", ""):
            options.append(f"alt: {json.dumps(alt, ensure_ascii=False)}")
        path = json.dumps(f"/{node['c'][2][0]}", ensure_ascii=False)
        return [self.inline(f"#box(image({', '.join([path, *options])}))")]

    def figure(self, label: str, caption: list[Node], content: list[Node]) -> list[Node]:
        return self._float(label, "fig", "bottom", caption, content)

    def table(self, label: str, caption: list[Node], content: Node) -> list[Node]:
        return self._float(label, "tbl", "top", caption, [content])

    def _float(self, label: str, kind: str, position: str, caption: list[Node], content: list[Node]) -> list[Node]:
        end = f']), kind: "quarto-float-{kind}", supplement: "{REFERENCES[kind]}") <{label}>'
        return [
            self.block("#figure(["),
            *content,
            self.block(f"], caption: figure.caption(position: {position}, ["),
            {"t": "Plain", "c": caption},
            self.block(end),
        ]

    def equation(self, label: str, math: Node) -> list[Node]:
        return [
            {
                "t": "Para",
                "c": [
                    self.inline("#math.equation(block: true, numbering: equation-numbering, ["),
                    math,
                    self.inline(f"]) <{label}>"),
                ],
            }
        ]

    def callout(self, name: str, title: list[Node], content: list[Node]) -> list[Node]:
        colour = f'icon_color: rgb("#{CALLOUT_COLOURS[name]}"), '
        return [
            self.block("#block[#callout(title: ["),
            {"t": "Plain", "c": title},
            self.block(f"], {colour}body: ["),
            *content,
            self.block("])]"),
        ]

    def reference(self, label: str, word: str, number: str) -> list[Node]:
        return [self.inline(f"#ref(<{label}>, supplement: [{word.strip()}])")]


class _Html(_Writer):
    raw = "html"

    def image(self, node: Node) -> list[Node]:
        (identifier, classes, pairs), words, target = node["c"]
        pairs = [["alt" if key == "fig-alt" else key, value] for key, value in pairs]
        return [{"t": "Image", "c": [[identifier, classes, pairs], words, target]}]

    def _numbered(self, label: str, caption: list[Node]) -> list[Node]:
        word = REFERENCES[label.partition("-")[0]]
        number = {"t": "Str", "c": f"{word}\u00a0{self.labels.numbers[label]}:"}
        return [{"t": "Span", "c": [["", ["caption-label"], []], [number]]}, {"t": "Space"}, *caption]

    def figure(self, label: str, caption: list[Node], content: list[Node]) -> list[Node]:
        text = [{"t": "Plain", "c": self._numbered(label, caption)}]
        return [{"t": "Figure", "c": [[label, ["quarto-float-fig"], []], [None, text], content]}]

    def table(self, label: str, caption: list[Node], content: Node) -> list[Node]:
        text = [{"t": "Plain", "c": self._numbered(label, caption)}]
        return [{"t": "Table", "c": [[label, ["quarto-float-tbl"], []], [None, text], *content["c"][2:]]}]

    def equation(self, label: str, math: Node) -> list[Node]:
        tex = math["c"][1].rstrip() + rf" \qquad({self.labels.numbers[label]})"
        formula = {"t": "Math", "c": [math["c"][0], tex]}
        return [{"t": "Para", "c": [{"t": "Span", "c": [[label, [], []], [formula]]}]}]

    def callout(self, name: str, title: list[Node], content: list[Node]) -> list[Node]:
        head = {"t": "Div", "c": [["", ["callout-title"], []], [{"t": "Plain", "c": title}]]}
        body = {"t": "Div", "c": [["", ["callout-body"], []], content]}
        return [{"t": "Div", "c": [["", ["callout", f"callout-{name}"], []], [head, body]]}]

    def reference(self, label: str, word: str, number: str) -> list[Node]:
        words = f"{word.strip()}\u00a0{number}" if word.strip() else number
        return [{"t": "Link", "c": [["", ["quarto-xref"], []], [{"t": "Str", "c": words}], [f"#{label}", ""]]}]
