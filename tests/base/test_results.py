"""The store keeps what the thesis may say, and refuses to print what is edited, damaged or stale."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from analysis.base import results as module
from analysis.base.errors import DiskFullError, ResultsError
from analysis.base.estimates import Estimate, estimator
from analysis.base.results import Results
from analysis.base.store import load_results
from analysis.base.tables import load_table

SHARE = Estimate(47 / 84, 0.4528, 0.6606, 0.95, 84, "Wilson", "share", "analysis.stats.intervals.share")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder of notebooks and one of results, as the project has them."""
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    for name in ("01_a", "02_b"):
        cell = new_code_cell(f"from analysis.base.results import Results\nresults = Results('{name}', {{}})")
        nbformat.write(new_notebook(cells=[cell]), notebooks / f"{name}.ipynb")
    monkeypatch.setattr(module, "NOTEBOOKS", notebooks)
    monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    monkeypatch.setenv(module.RUNNER, "1")
    return tmp_path


def fill(name: str, key: str = "a.share") -> Results:
    results = Results(name, {"confidence": 0.95})
    results.number(key, SHARE, source="@x2020, §1", meaning="A share")
    results.table(f"tbl-{name[:2]}", pd.DataFrame({"a": [1]}), source="@x2020")
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    results.figure(f"fig-{name[:2]}", figure, source="@x2020")
    results.save()
    return results


def load(tree: Path):
    return load_results(tree / "build" / "results", tree / "notebooks")


def test_what_is_saved_is_what_is_loaded(tree):
    fill("01_a")
    fill("02_b", "b.share")
    store = load(tree)
    entry = store.entries["a.share"]
    assert (entry.text, entry.interval_text, entry.n) == ("56.0%", "45.3–66.1%", 84)
    assert entry.function == "analysis.stats.intervals.share"
    assert store.variables() == {
        f"{room}.share{form}": text
        for room in "ab"
        for form, text in {"": "56.0%", "_ci": "45.3–66.1%", "_full": "56.0% (95% CI 45.3–66.1%)", "_n": "84"}.items()
    }
    assert store.base_key("a.share_ci") == "a.share"
    assert store.entries["fig-01"].kind == "figure"
    assert not plt.get_fignums()


def test_the_same_results_are_the_same_bytes(tree):
    fill("01_a")
    folder = tree / "build/results/01_a"
    first = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "results.json"}
    record = json.loads((folder / "results.json").read_text())
    fill("01_a")
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "results.json"} == first
    assert json.loads((folder / "results.json").read_text())["entries_digest"] == record["entries_digest"]


def test_what_a_person_runs_by_hand_does_not_reach_the_report(tree, monkeypatch):
    fill("01_a")
    fill("02_b", "b.share")
    monkeypatch.delenv(module.RUNNER)
    results = Results("01_a", {"confidence": 0.8})
    results.number("a.share", 0.1, source="@x2020", meaning="A share", unit="share")
    assert "interactive/01_a" in results.save()
    assert load(tree).entries["a.share"].text == "56.0%"


def test_results_that_are_no_longer_made_are_removed(tree):
    fill("01_a")
    results = Results("01_a", {})
    results.number("a.n", 84, source="@x2020", meaning="n")
    assert results.save() == "saved 1 numbers, 0 tables, 0 figures"
    assert [path.name for path in (tree / "build/results/01_a").iterdir()] == ["results.json"]


REFUSED = {
    "key without a dot": ({"key": "share"}, "not a number key"),
    "key in capitals": ({"key": "Survey.n"}, "not a number key"),
    "key like a form": ({"key": "survey.n_ci"}, "not a number key"),
    "unknown origin": ({"origin": "guessed"}, "origin 'guessed' is unknown"),
    "no source": ({"source": " "}, "no source"),
    "no meaning": ({"meaning": ""}, "no meaning"),
    "the same key twice": ({"key": "a.first"}, "collides"),
    "a key inside another": ({"key": "a.first.share"}, "collides"),
    "rows without a source": ({"rows": pd.DataFrame({"a": [1]})}, "where they come from"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_incomplete_number_is_refused(case, tree):
    results = Results("01_a", {})
    results.number("a.first", 1, source="@x2020", meaning="first")
    change, message = REFUSED[case]
    values = {"key": "a.second", "source": "@x2020", "meaning": "second"} | change
    with pytest.raises(ResultsError, match=message):
        results.number(values.pop("key"), 2, **values)


@pytest.mark.parametrize(
    "value", [float("nan"), np.float64("inf"), Estimate(0.5, float("nan"), 0.6), Estimate(float("nan"), n=3)]
)
def test_a_number_that_is_none_is_refused(value, tree):
    with pytest.raises(ResultsError, match=r"its (value|low bound) is (nan|inf)"):
        Results("01_a", {}).number("a.share", value, source="@x2020", meaning="A share")


def test_numbers_of_numpy_and_pandas_are_stored_as_numbers(tree):
    results = Results("01_a", {})
    counts = pd.Series([40, 44], dtype="Int64")
    estimate = Estimate(np.int64(3), n=np.int64(84))
    assert results.number("a.n", counts.sum(), source="@x2020", meaning="Respondents") == "84"
    assert results.number("a.median", estimate, source="@x2020", meaning="Median") == "3"
    results.save()
    Results("02_b", {}).save()
    store = load(tree)
    assert (store.entries["a.n"].value, store.entries["a.median"].value, store.entries["a.median"].n) == (84, 3, 84)
    assert store.variables()["a.median_n"] == "84"


@pytest.mark.parametrize("label", ["fig_x", "tbl-x", "fig-X", "x"])
def test_a_wrong_label_is_refused(label, tree):
    with pytest.raises(ResultsError, match="not a label"):
        Results("01_a", {}).figure(label, plt.figure(), source="@x2020")
    plt.close("all")


def test_rows_are_kept_as_lines_of_their_files(tree):
    frame = pd.DataFrame({"a": [1, 2, 3]}, index=pd.Index([2, 3, 5], name="line"))
    frame.attrs["source"] = "data/x.csv"
    results = Results("01_a", {})
    results.number("a.n", 2, source="@x2020", meaning="n", rows=[frame[frame["a"] > 1], frame[frame["a"] > 2]])
    assert results._entries["a.n"].rows == {"data/x.csv": [3, 5]}


DAMAGE = {
    "a deleted key": lambda record: record["entries"].pop("a.share"),
    "an edited number": lambda record: record["entries"]["a.share"].update(text="99%"),
    "a missing part": lambda record: record.pop("files"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_edited_results_are_set_aside_once_and_named(case, tree):
    fill("01_a")
    fill("02_b", "b.share")
    path = tree / "build/results/01_a/results.json"
    record = json.loads(path.read_text())
    DAMAGE[case](record)
    path.write_text(json.dumps(record))
    with pytest.raises(ResultsError) as error:
        load(tree)
    assert [("01_a" in p.where, "set aside" in p.what) for p in error.value.problems] == [(True, True)]
    assert not path.exists()
    fill("01_a")
    assert load(tree).entries["a.share"].text == "56.0%"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_torn_results_file_is_an_error_that_says_what_to_do(content, tree):
    fill("02_b", "b.share")
    path = tree / "build/results/01_a/results.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(ResultsError, match="make report"):
        load(tree)


def test_a_changed_figure_file_is_noticed(tree):
    fill("01_a")
    fill("02_b", "b.share")
    (tree / "build/results/01_a/fig-01.svg").write_text("<svg/>")
    with pytest.raises(ResultsError, match=r"fig-01\.svg is missing or not what"):
        load(tree)


def test_missing_and_stale_results_are_named_together(tree):
    fill("01_a")
    cell = new_code_cell("from analysis.base.results import Results\nresults = Results('01_a', {'x': 1})")
    nbformat.write(new_notebook(cells=[cell]), tree / "notebooks/01_a.ipynb")
    with pytest.raises(ResultsError) as error:
        load(tree)
    text = [str(problem) for problem in error.value.problems]
    assert "stale: changed since the notebook ran" in text[0]
    assert "01_a.ipynb" in text[0]
    assert "02_b.ipynb has no results" in text[1]


def test_an_edit_while_the_notebook_runs_makes_its_results_stale(tree):
    Results("02_b", {}).save()
    results = Results("01_a", {})
    path = tree / "notebooks/01_a.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source += "\nchanged = True"
    nbformat.write(notebook, path)
    results.save()
    with pytest.raises(ResultsError, match=r"stale: changed since the notebook ran: .*01_a\.ipynb"):
        load(tree)


def test_prose_and_outputs_do_not_make_results_stale(tree):
    fill("01_a")
    fill("02_b", "b.share")
    path = tree / "notebooks/01_a.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("Other words"))
    nbformat.write(notebook, path)
    assert "a.share" in load(tree).entries


def test_one_key_from_two_notebooks_is_refused(tree):
    fill("01_a")
    fill("02_b", "a.share")
    with pytest.raises(ResultsError, match="stored by 01_a and by 02_b"):
        load(tree)


def test_a_full_disk_leaves_the_earlier_results(tree, monkeypatch):
    fill("01_a")
    fill("02_b", "b.share")

    def full(path: Path, content: str | bytes) -> Path:
        raise DiskFullError("No space left")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_atomic", full)
        with pytest.raises(DiskFullError):
            fill("01_a", "a.other")
    assert "a.share" in load(tree).entries


def test_an_estimate_carries_the_name_of_its_function():
    @estimator
    def half(n: int) -> Estimate:
        return Estimate(0.5, n=n)

    assert half(3).function.endswith("half")
    assert half(3).n == 3


@pytest.mark.parametrize(("origin", "tolerance"), [("published", 0.1), ("measured", -0.1), ("measured", float("nan"))])
def test_a_tolerance_is_for_what_is_measured_anew(tmp_path, origin, tolerance):
    results = Results("01_literature", {}, tmp_path)
    with pytest.raises(ResultsError, match="tolerance"):
        results.number("a.b", 1.0, source="s", meaning="m", origin=origin, tolerance=tolerance)


def test_a_table_that_no_dependency_names_is_refused_on_saving(tree):
    """Loaded by a function of a module that does not declare it: make would not notice a change of the file."""
    results = fill("01_a")
    stored = tree / "build/results/01_a/results.json"
    before = stored.read_bytes()
    load_table("literature/activities.csv")
    with pytest.raises(ResultsError, match="read data that it does not name") as caught:
        results.save()
    assert "data/literature/activities.csv" in str(caught.value) and "READS" in str(caught.value)
    assert stored.read_bytes() == before
