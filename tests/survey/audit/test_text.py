"""Audit of running text: what it reads, what it finds, and that it finds nothing in this project's own thesis."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.paths import REPORT
from analysis.reporting.offline import render_offline
from analysis.reporting.sources import read_document
from analysis.survey.audit.pages import Block, read_blocks
from analysis.survey.audit.text import TEXT_COLUMNS, audit_blocks, audit_text, contradictions, parse_count


def read(text: str, **options):
    return audit_blocks([Block("here", text)], **options)


def found(text: str, **options) -> list[str]:
    return list(contradictions(read(text, **options))["printed"])


@pytest.mark.parametrize(
    "text",
    [
        "Of them, 47 of 84 (56%) agree.",
        "In all, 47 out of 84 respondents (56.0 %) agree.",
        "That is 47 of the 84 asked, or 56 per cent.",
        "A majority of 56% (47 of 84) agrees.",
        "A majority of 56% (47/84) agrees.",
        "It held for 47/84 (56%).",
        "84 respondents answered. Among them 47 (56%) agree, and 5(6%) do not.",
        "Out of 84, 47 (56%) agree.",
        "A share (n = 84) of 47 (56%).",
        "As many as 30% of the 84 respondents come from large companies.",
        "Seven of twenty interviewees (35%) said so.",
        "Thirty-six of the eighty-four (43%) have more.",
        "It was seen in 7/20 interviewees.",
        "The share is 56.0% (95% CI 45.3–66.1%).",
        "The difference was -46.3 h (95% interval -73.2 to -23.9).",
        "The ratio is 1.42 (95% confidence interval: [1.10, 1.83]).",
        "Faults that escaped: 74.0% (60.0–84.7%).",
        "They differ, t(28) = 2.20, p = .036.",
    ],
)
def test_sound_statements_are_read_and_hold(text):
    findings = read(text)
    assert list(findings.columns) == TEXT_COLUMNS
    assert len(findings) >= 1
    assert set(findings["verdict"]) == {"holds"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Of them, 47 of 84 (57%) agree.", "n 84 → 83 or percentage 57 → 56 or count 47 → 48"),
        ("84 respondents answered. Of these 4 (4%) are negative.", "n 84 → 89 or count 4 → 3 or percentage 4 → 5"),
        ("A majority of 58% (47/84) agrees.", "percentage 58 → 56"),
        ("A full 9% of the 84 respondents.", "n 84 → 85"),
        ("Fifteen out of six participants agreed.", "count 15 → 6 or less, or n 6 → 15 or more"),
        ("In 21/20 interviews it came up.", "count 21 → 20 or less"),
        ("It rose, t(28) = 2.20, p = .06.", "p = .06 → p = .04"),
        ("The share is 66.5% (95% CI 45.3–66.1%).", ""),
        ("The share is 56.0% (95% CI 66.1–45.3%).", ""),
    ],
)
def test_planted_errors_are_found_with_what_would_mend_them(text, wanted):
    findings = contradictions(read(text))
    assert len(findings) == 1, read(text)
    assert wanted in findings.loc[0, "correction"]


@pytest.mark.parametrize(
    "text",
    [
        "See doi 10.1145/3382494.3410681 and pages 2019/20 of volume 3.",
        "In October of 2022, 15 of them left.",
        "The end of 2022 of 84 projects.",
        "Version 2.0 of 1.5 times the size.",
        "It takes 5% of 1000 GB.",
        "The 9 of 10 rule",
        "42 + 36 + 6, of 84",
        "Chapter 5 (10%)",
        "64.3% (10) 65.0% (2)",
        "a share of 20% (of 5 GB)",
        "The scale runs from 1 to 5 (42%).",
    ],
)
def test_what_is_no_statement_is_no_contradiction(text):
    assert found(text) == []


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.integers(0, 2))
def test_what_software_prints_never_contradicts(answers, digits):
    n, count = answers
    assert found(f"We saw it in {count:,} of {n:,} cases ({100 * count / n:.{digits}f}%).") == []


def test_percentages_that_are_cut_off_say_so():
    findings = contradictions(read("Of these, 4 of 84 (4%) are negative."))
    assert "further digits cut off" in findings.loc[0, "verdict"]
    assert found("Of these, 4 of 84 (4%) are negative.", rules=["truncate"]) == []


def test_n_is_taken_from_before_where_the_whole_text_has_but_one():
    first = Block("1", "In this study, 84 respondents answered.")
    later = Block("2", "Of the respondents, 35 (42%) are very positive and 4 (4%) are negative.")
    assert list(contradictions(audit_blocks([first, later]))["printed"]) == ["4 (4%)"]
    other = Block("1b", "Interviews had 20 participants.")
    assert contradictions(audit_blocks([first, other, later])).empty
    assert contradictions(audit_blocks([later])).empty
    above = Block("2", "Of the respondents, 90 (42%) are very positive.")  # of others, or a misprint: not certain
    assert contradictions(audit_blocks([first, above])).empty


def test_quotations_can_be_left_out():
    text = "The source writes “fifteen out of six participants” and ‘4 of 84 (4%)’, which the authors’ table denies."
    assert len(found(text)) == 2
    assert found(text, quotations=False) == []
    assert len(found("It’s said that 4 of 84 (4%) agreed; that’s wrong.", quotations=False)) == 1


def test_numbers_in_words():
    assert [parse_count(word) for word in ("zero", "Twelve", "thirteen", "eighteen", "forty two", "ninety-nine")] == [
        0,
        12,
        13,
        18,
        42,
        99,
    ]


PAGE = """# Planted errors {#sec-planted}

A sound statement comes first: 47 of 84 (56%) agree, t(28) = 2.20, *p* = .036.

## What is wrong {#sec-wrong}

Here 47 of 84 respondents (57%) agree, the share is 66.5% (95% CI 45.3–66.1%), fifteen out of six say so, and the
difference is large, *t*(28) = 2.20, *p* = .06.

| Answer | Count |
|---|---|
| Yes | 30 of 84 (36%) |
| No | 54 of 84 (46%) |

: Two answers {#tbl-two}
"""


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> dict[str, Path]:
    """A page with planted errors, through the project's own renderer."""
    folder = tmp_path_factory.mktemp("planted")
    for name in ("template.typ", "thesis.css", "chicago-author-date.csl", "_quarto.yml"):
        shutil.copy(REPORT / name, folder / name)
    front = "---\ntitle: Planted\nauthor: Nobody\ndate: 2026-01-01\n---\n\n"
    (folder / "thesis.qmd").write_text(front + PAGE, encoding="utf-8")
    outputs = {"typst": folder / "thesis.pdf", "html": folder / "thesis.html"}
    render_offline(read_document(folder / "thesis.qmd"), {}, outputs, folder / "build")
    return {"html": outputs["html"], "pdf": outputs["typst"], "qmd": folder / "thesis.qmd"}


@pytest.mark.parametrize("kind", ["html", "pdf", "qmd"])
def test_planted_errors_are_found_in_a_rendered_page(rendered, kind):
    findings = audit_text(rendered[kind])
    printed = " ".join(contradictions(findings)["printed"])
    for piece in ("57%", "66.5%", "fifteen out of six", ".06", "46%"):
        assert piece in printed, (piece, printed)
    assert len(contradictions(findings)) == 5
    assert (findings["verdict"] == "holds").sum() >= 3


def test_places_lead_to_the_passage(rendered):
    places = {kind: set(contradictions(audit_text(path))["place"]) for kind, path in rendered.items()}
    assert all(re.fullmatch(r"under '.*What is wrong'", place) for place in places["html"])
    assert all(place.startswith("page ") for place in places["pdf"])
    assert min(int(place.removeprefix("line ")) for place in places["qmd"]) > 6


def test_nothing_is_found_in_our_own_chapters():
    """The chapters as written; the built thesis is audited by tests/report/test_build.py."""
    for path in sorted((REPORT / "chapters").glob("*.qmd")):
        assert contradictions(audit_text(path, quotations=False)).to_dict("records") == []


def test_pages_that_cannot_be_read_are_refused(tmp_path):
    for name, content in (("a.docx", "x"), ("b.html", "<script>1 of 2</script>"), ("c.txt", " \n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
        with pytest.raises(InputError):
            audit_text(tmp_path / name)
    with pytest.raises(InputError, match="does not exist"):
        audit_text(tmp_path / "none.html")
    with pytest.raises(InputError, match="rules"):
        audit_blocks([Block("here", "1 of 2 (50%)")], rules=["nearest"])


def test_html_is_read_by_blocks(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<html><head><title>1 of 0</title></head><body><h1>First</h1><p>one\n  <em>two</em></p>"
        "<table><tr><td>3</td><td>of 2</td></tr></table>"
        "<svg><text>4 of 3</text></svg><h2>Second</h2>five</body></html>",
        encoding="utf-8",
    )
    assert read_blocks(page) == [
        Block("under 'First'", "First"),
        Block("under 'First'", "one two"),
        Block("under 'First'", "3"),
        Block("under 'First'", "of 2"),
        Block("under 'Second'", "Second"),
        Block("under 'Second'", "five"),
    ]
