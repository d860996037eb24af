"""The report says exactly what the results hold; every seeded departure is caught and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output

from analysis.base.results import Entry, Results
from analysis.base.store import Store
from analysis.reporting.claims import check_claims
from analysis.reporting.sources import read_document


def entry(key: str, kind: str = "number", origin: str = "published", **values) -> Entry:
    defaults = {"source": "@somebody2020", "notebook": "02_survey", "value": 0.5, "text": "50.0%"} | values
    return Entry(key=key, kind=kind, origin=origin, **defaults)


def store(*entries: Entry) -> Store:
    return Store({e.key: e for e in entries}, {"02_survey": {}})


def problems(folder: Path, text: str, results: Store, abstract: str = "") -> list[str]:
    front = f'---\ntitle: "T"\nabstract: |\n  {abstract or "Words."}\n---\n'
    path = folder / "thesis.qmd"
    path.write_text(f"{front}\n# One\n\n{text}\n", encoding="utf-8")
    return [f"{Path(p.where).name} {p.what} {p.remedy}" for p in check_claims(read_document(path), results)]


SHARE = entry("survey.share", interval_text="40.0–60.0%", n=84, confidence=0.95)


def test_a_report_that_uses_what_is_stored_is_clean(tmp_path):
    text = "Of {{< var survey.share_n >}}, {{< var survey.share >}} ({{< var survey.share_ci >}}) agree."
    assert problems(tmp_path, text, store(SHARE)) == []


def test_a_misspelt_key_is_named_with_its_line_and_a_suggestion(tmp_path):
    found = problems(tmp_path, "{{< var survey.share >}} and\n{{< var survey.shares >}}", store(SHARE))
    assert len(found) == 1
    assert found[0].startswith("thesis.qmd:10 no result has the key 'survey.shares'")
    assert "did you mean survey.share" in found[0]


def test_a_key_in_the_abstract_is_checked(tmp_path):
    found = problems(tmp_path, "{{< var survey.share >}}", store(SHARE), abstract="See {{< var survey.n >}}.")
    assert found[0].startswith("thesis.qmd:4 no result has the key 'survey.n'")


def test_an_unused_result_is_named_with_its_notebook(tmp_path):
    found = problems(
        tmp_path, "{{< var survey.share >}}", store(SHARE, entry("survey.other"), entry("fig-x", "figure"))
    )
    assert [f.split(",")[0] for f in found] == [
        "02_survey.ipynb figure 'fig-x' is stored",
        "02_survey.ipynb number 'survey.other' is stored",
    ]


TYPED = [
    "About 56% agree.",
    "The median is 3.5 here.",
    "n = 84 answered",
    "It rose by +12 points.",
    "Eighty-four respondents answered.",
    "We read fifteen grey studies.",
    "Half of the respondents agree.",
    "Forty-two of them agree.",
    "Half of all people asked",
    "One in five agrees.",
    "A dozen agree.",
    "Two thirds of participants",
    "*47* of them",
    "| 47 | agree |",
    "1,024 rows",
    "in 40–60% of cases",
    "p < .05 throughout",
    "and the total is\n84. It was",
    "[see the 84 of them, @john2021, p. 3]",
    "As Table 3, 47 people",
    "47 people: $$",
    "A $x$, 47 people, and $y$",
    "About ½ of them",
]


@pytest.mark.parametrize("text", TYPED)
def test_a_statistic_typed_by_hand_is_caught(text, tmp_path):
    found = problems(tmp_path, f"{{{{< var survey.share >}}}}.\n\n{text}", store(SHARE))
    assert found
    assert all(f"thesis.qmd:{11 + text.count(chr(10))} statistic typed by hand" in f for f in found)


NOT_STATISTICS = [
    "In 2021, and from 2015 to 2021, on 31 March 2021.",
    "See §5.2.2, section 3, Table 1 and pp. 334–341 there.",
    "Question Q7, model YOLOv8, measure mAP50, and RQ1.",
    "As [@john2021, p. 12] and @john2021 [fig. 3] say.",
    "Run `pip install x==1.2.3` with [3.11]{.literal}.",
    "1. first\n2. second",
    "> 1. first\n>    goes on\n> 2. second",
    "[see @john2021, p. 12; @other2020, pp. 3–5]",
    "A formula $a +\nb$ over lines, $$\n84 + a\n$$ and on.",
    "Formula $x = 2$ and a [link](https://example.org/2/3).",
    "A footnote.[^1]\n\n[^1]: Words.",
    "The three pipelines and two arms.",
    "$$\na = 84\n$$ {#eq-a}",
    "```\n84 of 100\n```",
    "![Words](figure-2.svg){#fig-a width=60%}",
    "<https://example.org/2020/10>",
]


def test_a_chapter_that_nothing_includes_is_named(tmp_path):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "06-mine.qmd").write_text("# Mine\n", encoding="utf-8")
    found = problems(tmp_path, "{{< var survey.share >}}", store(SHARE))
    assert found == [
        "06-mine.qmd nothing includes this chapter add {{< include chapters/06-mine.qmd >}} to thesis.qmd",
    ]


@pytest.mark.parametrize("text", NOT_STATISTICS)
def test_what_is_no_statistic_is_left_alone(text, tmp_path):
    assert problems(tmp_path, f"{{{{< var survey.share >}}}}.\n\n{text}", store(SHARE)) == []


@pytest.mark.parametrize("origin", ["demo", "reconstructed"])
def test_an_unlabelled_made_up_number_is_refused(origin, tmp_path):
    results = store(entry("survey.share", origin=origin))
    found = problems(tmp_path, "It says\n{{< var survey.share >}}.\n\nAnother paragraph, " + origin + ".", results)
    assert len(found) == 1
    assert f"thesis.qmd:10 'survey.share' is a {origin} number" in found[0]
    assert problems(tmp_path, f"The {origin} share is\n{{{{< var survey.share >}}}}.", results) == []


def test_the_key_itself_is_no_label(tmp_path):
    results = store(entry("survey.demo.share", origin="demo"))
    assert len(problems(tmp_path, "It is {{< var survey.demo.share >}}.", results)) == 1


@pytest.mark.parametrize(("caption", "count"), [("Answers", 1), ("Answers (demo data)", 0)])
def test_a_figure_of_made_up_numbers_needs_its_label_in_the_caption(caption, count, tmp_path):
    cell = new_code_cell(f'#| label: fig-x\n#| fig-cap: "{caption}"\nx')
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "02_survey.ipynb")
    found = problems(tmp_path, "{{< embed 02_survey.ipynb#fig-x >}}", store(entry("fig-x", "figure", "demo")))
    assert len(found) == count


def test_an_embed_that_no_notebook_stores_is_named(tmp_path):
    found = problems(
        tmp_path,
        "{{< embed 02_survey.ipynb#fig-y >}}\n\n{{< embed 01_x.ipynb#fig-x >}}",
        store(entry("fig-x", "figure")),
    )
    assert "thesis.qmd:9 no notebook stores 'fig-y'" in found[0]
    assert "is stored by 02_survey, not by 01_x" in found[1]


@pytest.mark.parametrize(("kind", "label"), [("table", "tbl-x"), ("figure", "fig-x")])
def test_an_embedded_output_of_another_run_is_refused(kind, label, tmp_path):
    """A kill after the results were saved leaves the notebook of the run before beside them."""

    def stored(number: int) -> Entry:
        results = Results("02_survey", {}, tmp_path)
        if kind == "table":
            shown = results.table(label, pd.DataFrame({"a": [number]}), source="@somebody2020")
            data = {"text/markdown": shown.data}
        else:
            figure = Figure()
            figure.subplots().plot([0, number])
            data = {"image/svg+xml": results.figure(label, figure, source="@somebody2020").data}
        alt = '\n#| fig-alt: "Words"' if kind == "figure" else ""
        cell = new_code_cell(f'#| label: {label}\n#| {label[:3]}-cap: "Words"{alt}')
        cell.outputs = [new_output("execute_result", data=data)]
        nbformat.write(new_notebook(cells=[cell]), tmp_path / "02_survey.ipynb")
        return replace(results._entries[label], notebook="02_survey")

    text = f"{{{{< embed 02_survey.ipynb#{label} >}}}}"
    before = stored(1)
    assert problems(tmp_path, text, store(before)) == []
    after = stored(2)
    assert problems(tmp_path, text, store(after)) == []
    found = problems(tmp_path, text, store(before))
    assert len(found) == 1
    assert f"'{label}' in" in found[0] and "is not the one that the results hold" in found[0]
