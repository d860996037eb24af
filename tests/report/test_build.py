"""The whole build from a clean copy: what is on the page is what the store holds.

The copy is made of what git knows, built with this environment, and broken on purpose afterwards.
"""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pypdf import PdfReader

from analysis.base.paths import ROOT
from analysis.base.provenance import report_notebooks
from analysis.experiment.run import FOLDER
from analysis.reporting.render import find_quarto
from analysis.reporting.verify import REFERENCE, grade_numbers, read_numbers


def copy_tree(target: Path) -> Path:
    """A copy of the files that git tracks or would track, as a fresh clone has them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def analysis(tree: Path, *arguments: str, ok: bool = True) -> str:
    """Run one command of the copy with this Python; returns all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "analysis", *arguments],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is ok, said
    assert "Traceback" not in said, said
    return said


def run_all(tree: Path) -> None:
    for notebook in report_notebooks(tree / "notebooks"):
        analysis(tree, "run", notebook.stem)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A clean copy, its notebooks run and its thesis rendered by the offline engine.

    The experiment's trained models are shared with this project: they are named by all that goes into them.
    """
    tree = copy_tree(tmp_path_factory.mktemp("clone"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (tree / "report/build").mkdir(parents=True, exist_ok=True)
    (tree / "report/build/experiment").symlink_to(FOLDER)
    analysis(tree, "experiment")
    run_all(tree)
    analysis(tree, "render", "--engine", "offline")
    return tree


@pytest.fixture(scope="module")
def pages(tree) -> list[str]:
    return [page.extract_text() for page in PdfReader(tree / "report/build/thesis.pdf").pages]


def letters(text: str) -> str:
    """Letters, digits and signs of numbers: what survives line breaks and hyphenation."""
    return re.sub(r"[^\w%.–<]", "", text.replace("\u00ad", "")).replace("-", "")


def test_the_pdf_has_the_expected_chapters_in_order(pages):
    words = letters(" ".join(pages))
    wanted = ["Abstract", "Contents", "Figures", "Tables"]
    chapters = ["Introduction", "Background", "Method", "Literature results", "What the documents say"]
    chapters += ["Cases and requirements", "Survey results", "The experiment", "KPIs of delivery and operation"]
    wanted += [letters(f"Chapter {n} {title}").replace(" ", "") for n, title in enumerate(chapters, 1)]
    wanted += ["References", "AppendixA", "AppendixB", "AppendixC", "AppendixD"]
    start = 0
    for text in wanted:
        start = words.find(text, start)
        assert start >= 0, text


def test_nothing_is_unresolved(pages, tree):
    text = " ".join(pages)
    html = (tree / "report/build/thesis.html").read_text(encoding="utf-8")
    for sign in ("??", "{{<", "@fig-", "@tbl-", "@sec-", "(n.d.a)", "NaN", "nan%", "inf%", "<NA>"):
        assert sign not in text, sign
    shown = re.sub(r"<style.*?</style>|src=\"data:[^\"]*\"", "", html, flags=re.DOTALL)
    assert not re.search(r"\{\{<|@(?:fig|tbl|sec)-|\?\?", shown)


def test_every_number_on_the_page_is_the_one_in_the_store(pages, tree):
    """Each passage with a number reads in the PDF as the chapter says, with the store's text in it."""
    # Without the line at the head of each page, which would stand within a passage that two pages share.
    words = letters(" ".join(page.partition("\n")[2] for page in pages))
    forms = {}
    for path in (tree / "report/build/results").glob("*/results.json"):
        for key, entry in json.loads(path.read_text(encoding="utf-8"))["entries"].items():
            if entry["kind"] == "number":
                interval = entry["interval_text"]
                forms[key] = entry["text"]
                forms[f"{key}_n"] = f"{entry['n']:,}" if entry["n"] is not None else ""
                forms[f"{key}_ci"] = interval
                forms[f"{key}_full"] = f"{entry['text']} ({100 * (entry['confidence'] or 0):g}% CI {interval})"
    checked = 0
    for chapter in sorted((tree / "report/chapters").glob("*.qmd")):
        text = chapter.read_text(encoding="utf-8")
        for use in re.finditer(r"(\w+[ \n]+)\{\{< var (\S+) >\}\}([ \n]+\w+)?", text):
            before, key, after = use.groups()
            assert letters(before + forms[key] + (after or "")) in words, f"{chapter.name}: {use[0]}"
            checked += 1
    assert checked > 30


def test_the_audit_of_printed_figures_finds_nothing(tree):
    """What the thesis holds against published figures is held against its own: counts, percentages, intervals, tests.

    A fault that is planted into the page is found by the same command, so that silence means something.
    """
    for name in ("thesis.html", "thesis.pdf"):
        said = analysis(tree, "audit", f"report/build/{name}", "--no-quotations")
        checked, wrong = map(int, re.search(r"(\d+) statements checked, (\d+) contradictions", said).groups())
        assert checked > 20 and wrong == 0, said
    page = (tree / "report/build/thesis.html").read_text(encoding="utf-8")
    planted = tree / "report/build/planted.html"
    planted.write_text(page.replace("</body>", "<p>Of all, 47 of 84 (57%) agree.</p></body>"), encoding="utf-8")
    assert "would fit" in analysis(tree, "audit", "report/build/planted.html", "--no-quotations")


def test_every_stored_number_stands_in_the_appendix(pages, tree):
    first = next(i for i, text in enumerate(pages) if "as the results store holds it" in text)
    appendix = letters(" ".join(pages[first:]).replace("\u200b", ""))
    with (tree / "report/build/numbers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 30
    assert [row["key"] for row in rows if letters(row["key"]) not in appendix] == []
    assert [row["key"] for row in rows if letters(row["text"]) not in appendix] == []


def test_every_engine_at_hand_sets_the_same_words(tree, pages):
    """Stock Quarto where it is found; the offline engine once more, which must repeat itself."""

    def words(page: str) -> list[str]:
        # Letters of formulas stand in another order in another version of Typst.
        return sorted(re.findall(r"[^\W\d_]{3,}|\d[\d.,–]*%?", re.sub(r"\d+\s*$", "", page)))

    def chapters(texts: list[str]) -> list[str]:
        start = next(i for i, page in enumerate(texts) if page.startswith("Chapter 1"))
        end = next(i for i, page in enumerate(texts) if "as the results store holds it" in page)
        return texts[start:end]

    for engine in [*(["quarto"] if find_quarto() else []), "offline"]:
        analysis(tree, "render", "--engine", engine)
        again = [page.extract_text() for page in PdfReader(tree / "report/build/thesis.pdf").pages]
        assert len(again) == len(pages)
        for ours, theirs in zip(chapters(pages), chapters(again), strict=True):
            assert words(ours) == words(theirs), engine


def test_a_number_is_traced_to_its_data_rows(tree):
    said = analysis(tree, "trace", "survey.n")
    for word in ("value", "page", "chapter", "store", "origin", "notebook", "data/survey/"):
        assert word in said
    assert re.search(r"\(sheet \d+\) of report/build/thesis\.pdf", said)
    assert re.search(r"report/chapters/\d\d-\w+\.qmd:\d+", said)
    missing = analysis(tree, "trace", "survey.nn", ok=False)
    assert "survey.n" in missing


def rendered(tree: Path) -> bytes:
    return (tree / "report/build/thesis.pdf").read_bytes()


def test_a_misspelt_key_fails_the_build_and_leaves_the_pdf(tree):
    chapter = tree / "report/chapters/07-survey.qmd"
    good, pdf = chapter.read_text(encoding="utf-8"), rendered(tree)
    line = good[: good.index("{{< var survey.n >}}")].count("\n") + 1
    try:
        chapter.write_text(good.replace("{{< var survey.n >}}", "{{< var survey.nn >}}", 1), encoding="utf-8")
        said = analysis(tree, "render", "--engine", "offline", ok=False)
    finally:
        chapter.write_text(good, encoding="utf-8")
    assert f"report/chapters/07-survey.qmd:{line}: no result has the key 'survey.nn'" in said
    assert rendered(tree) == pdf


def test_a_deleted_key_fails_once_and_the_next_build_mends_it(tree):
    path = tree / "report/build/results/02_survey/results.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["entries"]["survey.n"]
    path.write_text(json.dumps(record), encoding="utf-8")
    said = analysis(tree, "render", "--engine", "offline", ok=False)
    assert "02_survey/results.json" in said
    assert "set aside" in said
    analysis(tree, "run", "02_survey")
    analysis(tree, "render", "--engine", "offline")


def test_changed_data_makes_results_stale_until_the_notebook_runs_again(tree):
    path = tree / "data/survey/published_counts.csv"
    good = path.read_text(encoding="utf-8")
    try:
        path.write_text(good.replace(",47,", ",46,", 1), encoding="utf-8")
        assert path.read_text(encoding="utf-8") != good
        said = analysis(tree, "render", "--engine", "offline", ok=False)
        assert "stale: changed since the notebook ran: data/survey/published_counts.csv" in said
    finally:
        path.write_text(good, encoding="utf-8")
    analysis(tree, "render", "--engine", "offline")


def test_an_impossible_count_is_refused_by_the_notebook(tree):
    path = tree / "data/survey/published_counts.csv"
    good = path.read_text(encoding="utf-8")
    try:
        path.write_text(good.replace(",47,", ",-47,", 1), encoding="utf-8")
        said = analysis(tree, "run", "02_survey", ok=False)
    finally:
        path.write_text(good, encoding="utf-8")
    assert re.search(r"data/survey/published_counts\.csv:\d+, column 'count': expected at least 0, got '-47'", said)
    analysis(tree, "run", "02_survey")


def test_the_same_inputs_give_the_same_numbers(tree):
    """Of the notebooks with resampling, and of the one whose live numbers the reference lets differ a little."""
    before = (tree / "report/build/numbers.csv").read_bytes()
    for notebook in ("02_survey", "03_experiment"):
        analysis(tree, "run", notebook)
    analysis(tree, "check")
    assert (tree / "report/build/numbers.csv").read_bytes() == before
    assert "identical" in analysis(tree, "verify")


def test_the_committed_reference_is_what_the_notebooks_give(tree):
    """The diff of this file is the review of the thesis's claims: renew it with ``make accept``.

    What the live run measures may differ from machine to machine, within the tolerance that it declares.
    """
    fresh, reference = (read_numbers(folder / "numbers.csv") for folder in (tree / "report/build", REFERENCE.parent))
    verdicts = grade_numbers(reference, fresh)
    departures = [v for v in verdicts if v.grade not in ("identical", "within tolerance")]
    assert all(v.key.startswith("experiment.live.") for v in verdicts if v.grade == "within tolerance")
    assert departures == [], "if this is meant: make accept, and commit the diff"
