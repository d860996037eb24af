"""Figures and tables of executed notebooks, as the report embeds them."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import Problem
from analysis.base.paths import relative, write_atomic
from analysis.base.results import content_digest
from analysis.reporting.sources import Document, Shortcode

_OPTIONS = {"fig": frozenset({"label", "fig-cap", "fig-alt"}), "tbl": frozenset({"label", "tbl-cap"})}
_UNFIT_CAPTION = re.compile(r"\{\{<|^#|\n\s*\n|(?<![\\\w])@(?:fig|tbl|sec|eq)-")
"""What Quarto sets otherwise in the caption of an embedded output, or not at all."""

_IMAGES = {"image/svg+xml": ".svg", "image/png": ".png"}


@dataclass(frozen=True, slots=True)
class Embed:
    """One embedded cell output.

    Attributes
    ----------
    label : str
        ``fig-…`` or ``tbl-…``.
    caption, alt : str
        Markdown of the caption; alternative text of a figure.
    markdown : str
        The table, or empty.
    image : bytes
        The figure, or empty; ``suffix`` says which kind.
    """

    label: str
    caption: str
    alt: str = ""
    markdown: str = ""
    image: bytes = b""
    suffix: str = ""

    @property
    def digest(self) -> str:
        """Of the table or figure itself, as `analysis.base.results.Entry.shown` has it."""
        return content_digest(self.markdown.encode() or self.image)

    def source(self, figures: Path, folder: Path) -> str:
        """The Markdown that stands in for the shortcode; a figure's file is written to ``figures``.

        ``folder`` is the main file's folder, which image paths in the Markdown are relative to.
        """
        # The div is Quarto's around an embedded output; the same blocks give the same spacing.
        if self.markdown:
            return f"::: {{.cell}}\n{self.markdown.strip()}\n\n: {self.caption} {{#{self.label}}}\n\n:::\n"
        path = write_atomic(figures / f"{self.label}{self.suffix}", self.image)
        alt = self.alt.replace("\\", r"\\").replace('"', r"\"")
        image = f'![{self.caption}]({path.relative_to(folder).as_posix()}){{#{self.label} fig-alt="{alt}"}}'
        return f"::: {{.cell}}\n{image}\n:::\n"


def embed_target(code: Shortcode, document: Document) -> tuple[Path, str]:
    """Notebook and label that an embed shortcode names; ``path#label``, path from the main file's folder."""
    path, _, label = code.arguments.partition("#")
    return document.path.parent / path.strip(), label.strip()


def load_embeds(document: Document) -> tuple[dict[str, Embed], list[Problem]]:
    """Read every embedded output.

    Returns
    -------
    dict, list
        Shortcode arguments → `Embed`, and the problems of those that could not be read.
    """
    embeds: dict[str, Embed] = {}
    problems: list[Problem] = []
    for code in document.shortcodes("embed"):
        path, label = embed_target(code, document)
        if not path.is_file():
            problems.append(Problem(code.line.place, f"notebook {relative(path)} has not been run", "run: make report"))
            continue
        cells = _labelled_cells(path)
        if label not in cells:
            labels = ", ".join(sorted(cells)) or "none"
            problems.append(Problem(code.line.place, f"no cell '{label}' in {path.name}", f"labels there: {labels}"))
            continue
        embed, fault = _read_output(label, cells[label])
        if embed is None:
            problems.append(
                Problem(code.line.place, f"cell '{label}' of {path.name}: {fault}", "mend the cell in the notebook")
            )
        elif code.arguments in embeds:
            problems.append(Problem(code.line.place, f"'{label}' is embedded twice", "refer to it with @" + label))
        else:
            embeds[code.arguments] = embed
    return embeds, problems


def load_embed(notebook: Path, label: str) -> Embed | None:
    """One embedded output; None where `load_embeds` says what is wrong with it."""
    cell = _labelled_cells(notebook).get(label) if notebook.is_file() else None
    return _read_output(label, cell)[0] if cell else None


def load_captions(notebook: Path) -> dict[str, str]:
    """Label → caption of every labelled cell of a notebook."""
    cells = _labelled_cells(notebook)
    return {label: str(cell["options"].get(f"{label[:3]}-cap", "")) for label, cell in cells.items()}


def cell_options(source: str) -> dict[str, Any]:
    """The ``#|`` options at the head of a code cell, as a mapping."""
    lines = []
    for line in source.splitlines():
        if not line.startswith("#|"):
            break
        lines.append(line[2:].removeprefix(" "))
    options = yaml.safe_load("\n".join(lines)) if lines else {}
    return options if isinstance(options, dict) else {}


def _labelled_cells(path: Path) -> dict[str, dict[str, Any]]:
    state = path.stat()
    return _parse_cells(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _parse_cells(path: Path, modified_ns: int, size: int) -> dict[str, dict[str, Any]]:
    """Read once per state of the file: every check of every embed asks for the same few notebooks."""
    cells = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            options = cell_options("".join(cell["source"]))
            if "label" in options:
                cells[options["label"]] = {"options": options, "outputs": cell["outputs"]}
    return cells


def _read_output(label: str, cell: dict[str, Any]) -> tuple[Embed | None, str]:
    kind = label.partition("-")[0]
    if kind not in _OPTIONS:
        return None, "only fig- and tbl- cells can be embedded"
    options = cell["options"]
    if unknown := sorted(options.keys() - _OPTIONS[kind]):
        return None, f"cell option {', '.join(unknown)} is not supported"
    caption = str(options.get(f"{kind}-cap", "")).strip()
    if not caption:
        return None, f"no {kind}-cap"
    if _UNFIT_CAPTION.search(caption):
        return None, f"its {kind}-cap holds a shortcode, a cross-reference, a second paragraph or a # at its start"
    shown = [output for output in cell["outputs"] if output["output_type"] in ("display_data", "execute_result")]
    if len(shown) != 1 or len(cell["outputs"]) != 1:
        return None, f"expected one output, got {len(cell['outputs'])} (printed text and warnings count)"
    data = {kind_: "".join(text) for kind_, text in shown[0]["data"].items()}
    if kind == "tbl":
        if "text/markdown" not in data:
            return None, "its output is not a Markdown table (end the cell with results.table(…))"
        if "{{<" in data["text/markdown"]:
            return None, "its table holds a shortcode"
        return Embed(label, caption, markdown=data["text/markdown"]), ""
    for mime, suffix in _IMAGES.items():
        if mime in data:
            content = data[mime].encode()
            content = base64.b64decode(content) if suffix == ".png" else content
            alt = str(options.get("fig-alt", "")).strip()
            if not alt:
                return None, "no fig-alt (a sentence for readers who cannot see the figure)"
            return Embed(label, caption, alt=alt, image=content, suffix=suffix), ""
    return None, "its output is not a figure (end the cell with results.figure(…))"
