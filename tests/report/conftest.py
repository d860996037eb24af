"""A small report project in a temporary folder, rendered by every engine at hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from pypdf import PdfReader

from analysis.base.markdown import pipe_table
from analysis.base.paths import REPORT
from analysis.reporting.offline import render_offline
from analysis.reporting.render import find_quarto
from analysis.reporting.sources import read_document

CONFORMANCE = Path(__file__).parent / "conformance"
VARIABLES = {"survey.n": "84", "survey.share": "56.0%", "survey.share_ci": "45.3–66.1%", "words": "words here"}
QUARTO = find_quarto()
ENGINES = ["offline", *(["quarto"] if QUARTO else [])]
SVG = (CONFORMANCE / "picture.svg").read_text(encoding="utf-8")


class Project:
    """A folder with a document, ready to be rendered; ``render`` gives the words of PDF and HTML."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("template.typ", "thesis.css", "chicago-author-date.csl", "_quarto.yml"):
            shutil.copy(REPORT / name, folder / name)
        shutil.copytree(CONFORMANCE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.qmd", "*.yaml"))
        (folder / "_variables.yml").write_text(
            'survey:\n  n: "84"\n  share: "56.0%"\n  share_ci: "45.3–66.1%"\nwords: "words here"\n', encoding="utf-8"
        )
        (folder / "build" / "notebooks").mkdir(parents=True)
        nbformat.write(_notebook(), folder / "build" / "notebooks" / "nb.ipynb")
        self.pdf, self.html = folder / "thesis.pdf", folder / "thesis.html"

    def write(self, text: str) -> Path:
        path = self.folder / "thesis.qmd"
        path.write_text(text, encoding="utf-8")
        return path

    def render(self, engine: str) -> tuple[str, str]:
        """Render ``thesis.qmd`` and return the words of the PDF and of the HTML."""
        if engine == "quarto":
            done = subprocess.run(
                [str(QUARTO), "render", "thesis.qmd"], cwd=self.folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            for path in (self.pdf, self.html):
                shutil.copy(self.folder / "build" / "quarto" / path.name, path)
        else:
            outputs = {"typst": self.pdf, "html": self.html}
            render_offline(read_document(self.folder / "thesis.qmd"), VARIABLES, outputs, self.folder / "build/offline")
        return pdf_words(self.pdf), html_words(self.html)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Every engine that this machine has: the offline one always, Quarto where it is found."""
    return request.param


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def pdf_words(path: Path) -> str:
    """All words of a PDF in reading order, white space folded."""
    return fold(" ".join(page.extract_text() for page in PdfReader(path).pages))


def html_words(path: Path) -> str:
    """All words of an HTML page's body, formulas and hidden parts aside."""
    reader = _Words()
    reader.feed(path.read_text(encoding="utf-8"))
    return fold("".join(reader.words))


def fold(text: str) -> str:
    return re.sub(r"\s+([,.;:)])", r"\1", re.sub(r"\s+", " ", text.replace("\u200b", "")))


class _Words(HTMLParser):
    _SKIPPED = ("head", "style", "script", "math")
    _INLINE = ("a", "em", "strong", "span", "code", "sup", "sub", "del")

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.depth += tag in self._SKIPPED
        if tag not in self._INLINE:
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in self._SKIPPED
        if tag not in self._INLINE or "header-section-number" in self.words[-1:]:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if not self.depth:
            self.words.append(data)


def _notebook() -> nbformat.NotebookNode:
    narrow = pipe_table(["Answer", "n"], [["Agree", 47], ["Neutral", 13]], align="lr")
    long = (
        "A cell that is long enough to be wrapped, because it does not fit beside the others on one line of the page."
    )
    wide = pipe_table(["Item", "Meaning"], [["first", long]], [20, 80])
    cells = [new_markdown_cell("# A notebook")]
    for options, data in (
        ('label: fig-plot\n#| fig-cap: "A plot with *emphasis*"\n#| fig-alt: "A grey box"', {"image/svg+xml": SVG}),
        ('label: fig-other\n#| fig-cap: "Another plot"\n#| fig-alt: "A grey box"', {"image/svg+xml": SVG}),
        ('label: tbl-narrow\n#| tbl-cap: "A narrow table"', {"text/markdown": narrow}),
        ('label: tbl-wide\n#| tbl-cap: "A wide table"', {"text/markdown": wide}),
    ):
        cell = new_code_cell(f"#| {options}\nshown")
        cell.execution_count = 1
        cell.outputs = [new_output("execute_result", data={**data, "text/plain": "shown"}, execution_count=1)]
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})
