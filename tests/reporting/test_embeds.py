"""An embedded output is taken whole, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from analysis.reporting.embeds import load_embeds
from analysis.reporting.sources import read_document

TABLE = {"text/markdown": "| A |\n|---|\n| x |"}
SVG = {"image/svg+xml": "<svg/>"}


def embedded(folder: Path, label: str, options: str, *outputs: dict[str, str]) -> tuple[dict, list[str]]:
    cell = new_code_cell(f"#| label: {label}\n{options}\nshown")
    cell.outputs = [new_output("display_data", data=data) for data in outputs]
    nbformat.write(new_notebook(cells=[cell]), folder / "nb.ipynb")
    (folder / "thesis.qmd").write_text(f"{{{{< embed nb.ipynb#{label} >}}}}\n", encoding="utf-8")
    embeds, problems = load_embeds(read_document(folder / "thesis.qmd"))
    return embeds, [problem.what for problem in problems]


@pytest.mark.parametrize(
    ("label", "options", "data"),
    [
        ("tbl-x", '#| tbl-cap: "All *answers* of @john2021, $x^2$, a@tbl-x.org and {braces}"', TABLE),
        ("fig-x", '#| fig-cap: "A [figure]"\n#| fig-alt: "Bars"', SVG),
    ],
)
def test_an_output_is_taken_with_its_caption(label, options, data, tmp_path):
    embeds, problems = embedded(tmp_path, label, options, data)
    assert problems == []
    (embed,) = embeds.values()
    assert embed.caption in options
    assert (embed.markdown, embed.image.decode()) == (data.get("text/markdown", ""), data.get("image/svg+xml", ""))


REFUSED = {
    "shortcode in the caption": ("tbl-x", '#| tbl-cap: "Of {{< var survey.n >}}"', [TABLE], "a shortcode"),
    "reference in the caption": ("tbl-x", '#| tbl-cap: "As in @sec-method"', [TABLE], "a cross-reference"),
    "heading for a caption": ("tbl-x", '#| tbl-cap: "# Title"', [TABLE], "a # at its start"),
    "two paragraphs": ("tbl-x", '#| tbl-cap: "One\\n\\ntwo"', [TABLE], "a second paragraph"),
    "no caption": ("tbl-x", '#| tbl-cap: ""', [TABLE], "no tbl-cap"),
    "no alternative text": ("fig-x", '#| fig-cap: "Words"', [SVG], "no fig-alt"),
    "another option": ("tbl-x", '#| tbl-cap: "Words"\n#| echo: true', [TABLE], "cell option echo"),
    "shortcode in a cell": (
        "tbl-x",
        '#| tbl-cap: "Words"',
        [{"text/markdown": "| {{< var survey.n >}} |\n|---|"}],
        "its table holds a shortcode",
    ),
    "no output": ("tbl-x", '#| tbl-cap: "Words"', [], "expected one output, got 0"),
    "two outputs": ("tbl-x", '#| tbl-cap: "Words"', [TABLE, TABLE], "expected one output, got 2"),
    "a figure for a table": ("tbl-x", '#| tbl-cap: "Words"', [SVG], "not a Markdown table"),
    "a table for a figure": ("fig-x", '#| fig-cap: "Words"\n#| fig-alt: "Bars"', [TABLE], "not a figure"),
    "neither": ("sec-x", "", [TABLE], "only fig- and tbl- cells"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unfit_output_is_refused(case, tmp_path):
    label, options, outputs, message = REFUSED[case]
    embeds, problems = embedded(tmp_path, label, options, *outputs)
    assert embeds == {}
    assert len(problems) == 1
    assert message in problems[0]
