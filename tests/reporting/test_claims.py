"""The report says exactly what the results hold; every seeded departure is caught and named."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from analysis.base.results import Entry
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
    "Two thirds of participants",
    "*47* of them",
    "| 47 | agree |",
    "1,024 rows",
    "in 40–60% of cases",
]


@pytest.mark.parametrize("text", TYPED)
def test_a_statistic_typed_by_hand_is_caught(text, tmp_path):
    found = problems(tmp_path, f"{{{{< var survey.share >}}}}.\n\n{text}", store(SHARE))
    assert found
    assert all("thesis.qmd:11 statistic typed by hand" in f for f in found)


NOT_STATISTICS = [
    "In 2021, and from 2015 to 2021, on 31 March 2021.",
    "See §5.2.2, section 3, Table 1 and pp. 334–341 there.",
    "Question Q7, model YOLOv8, measure mAP50, and RQ1.",
    "As [@john2021, p. 12] and @john2021 [fig. 3] say.",
    "Run `pip install x==1.2.3` with [3.11]{.literal}.",
    "1. first\n2. second",
    "Formula $x = 2$ and a [link](https://example.org/2/3).",
    "A footnote.[^1]\n\n[^1]: Words.",
    "The three pipelines and two arms.",
    "$$\na = 84\n$$ {#eq-a}",
    "```\n84 of 100\n```",
    "![Words](figure-2.svg){#fig-a width=60%}",
    "<https://example.org/2020/10>",
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
