"""Every notebook keeps the rules of the workbench, and every rule catches a seeded fault."""

from __future__ import annotations

import io
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis.base.errors import NotebookError
from analysis.base.paths import NOTEBOOKS, PROFILES
from analysis.base.provenance import report_notebooks
from analysis.base.schemas import TABLES
from analysis.reporting.execute import run_notebook
from analysis.reporting.notebook_rules import KERNELSPEC, check_notebook, require_rules

ALL = sorted(NOTEBOOKS.glob("*.ipynb"))
TABLE = sorted(TABLES)[0]

OPENING = "# Survey: what was asked?\n\nText."
PARAMETERS = "rate: float = 0.5  # share of something"
IMPORTS = "from analysis.base.results import Results\nfrom analysis.base.tables import load_table"
LOAD = f'results = Results("03_a", parameters={{"rate": rate}})\nrows = load_table("{TABLE}")\nshow(rows, rate)'
FIGURE = '#| label: fig-a\n#| fig-cap: "Caption"\n#| fig-alt: "Text"\nresults.figure("fig-a", draw(rows), source="@x")'
PROSE = "It shows something."
SAVE = "results.save()"
SOUND = (OPENING, PARAMETERS, IMPORTS, LOAD, FIGURE, PROSE, SAVE)


def write(folder: Path, *cells: str, name: str = "03_a") -> Path:
    """A notebook: prose where a cell is one of the constants above or starts with '#' and a blank."""
    made = []
    for source in cells:
        prose = source in (OPENING, PROSE) or source.startswith(("# ", "## ", "text "))
        made.append(new_markdown_cell(source) if prose else new_code_cell(source))
        if ": float" in source or "= 0.5" in source:
            made[-1].metadata["tags"] = ["parameters"]
    notebook = new_notebook(cells=made, metadata={"kernelspec": dict(KERNELSPEC)})
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def faults(path: Path) -> list[str]:
    return [f"{problem.where.removeprefix(str(path.parent) + '/')}: {problem.what}" for problem in check_notebook(path)]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_projects_notebooks_keep_the_rules(path):
    require_rules(path)


def test_the_tour_is_no_part_of_the_report():
    assert {"00_start_here", "01_literature", "02_survey"} <= {path.stem for path in ALL}
    assert "00_start_here" not in {path.stem for path in report_notebooks()}


def test_the_tour_runs(tmp_path):
    stream = io.StringIO()
    done = run_notebook(NOTEBOOKS / "00_start_here.ipynb", PROFILES / "quick.yaml", tmp_path, stream)
    texts = [
        output["data"]["text/plain"] for cell in nbformat.read(done, 4).cells for output in cell.get("outputs", ())
    ]
    assert any("% interval: " in text for text in texts)
    assert done == tmp_path / "notebooks/00_start_here.ipynb"


def test_a_sound_notebook_has_no_faults(tmp_path):
    assert faults(write(tmp_path, *SOUND)) == []


def replaced(old: str, new: str) -> tuple[str, ...]:
    """The sound notebook with one text replaced, in whatever cell it stands."""
    cells = tuple(cell.replace(old, new) for cell in SOUND)
    assert cells != SOUND
    return tuple(cell for cell in cells if cell)


def with_line(line: str) -> tuple[str, ...]:
    return replaced("show(rows, rate)", f"show(rows, rate)\n{line}")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (replaced("# Survey: ", "text "), "03_a.ipynb: the first cell is not a title"),
        (replaced("asked?", "asked."), "03_a.ipynb: no question is asked before the code"),
        (replaced(PARAMETERS, ""), "03_a.ipynb: no code cell is tagged 'parameters'"),
        (replaced(": float", ""), "code cell 1: 'rate' has no type"),
        (replaced("  # share of something", ""), "code cell 1: 'rate' is not explained"),
        (replaced(PARAMETERS, f"{PARAMETERS}\nprint(rate)"), "code cell 1: line 2 is no parameter"),
        (replaced("show(rows, rate)", "show(rows)"), "parameter 'rate': no later cell reads it"),
        ((*SOUND[:1], *SOUND[2:4], PARAMETERS, *SOUND[4:]), "code cell 3: the parameters cell is not at the top"),
        (with_line("import pandas"), "code cell 3: imports in line 4"),
        (replaced(IMPORTS, f"{IMPORTS}\nimport numpy as np"), "code cell 2: imports numpy"),
        (replaced(IMPORTS, f"{IMPORTS}\nfrom scipy.stats import norm"), "code cell 2: imports scipy.stats"),
        (with_line("def f(): pass"), "line 4: a function of its own"),
        (with_line("class A: pass"), "line 4: a class of its own"),
        (with_line("f = lambda x: x"), "line 4: a lambda of its own"),
        (with_line("for x in rows: x"), "line 4: a loop of its own"),
        (with_line("while rows: pass"), "line 4: a loop of its own"),
        (with_line("[x for x in rows]"), "line 4: a comprehension of its own"),
        (with_line("{x: x for x in rows}"), "line 4: a comprehension of its own"),
        (with_line("list(x for x in rows)"), "line 4: a comprehension of its own"),
        (with_line("list(map(str, rows))"), "line 4: a hidden loop or program: map()"),
        (with_line("exec('x = 1')"), "line 4: a hidden loop or program: exec()"),
        (with_line("share = yes / n"), "line 4: a formula of its own: yes / n"),
        (with_line("z = 1.96 * se"), "line 4: a formula of its own: 1.96 * se"),
        (with_line("x = 100 * yes / n"), "line 4: a formula of its own: 100 * yes / n"),
        (with_line("rows['a'].mean()"), "line 4: a statistic of its own: .mean()"),
        (with_line("rows.groupby('a').size()"), "line 4: a statistic of its own: .groupby()"),
        (with_line("rows.to_csv('a.csv')"), "line 4: reads or writes a file: to_csv()"),
        (with_line("pd.read_csv('data/a.csv')"), "line 4: reads or writes a file: read_csv()"),
        (with_line("open('a')"), "line 4: reads or writes a file: open()"),
        (with_line("load_table(name)"), "load_table is not given a literal file name"),
        (with_line("load_table('a/b.csv')"), "load_table of an unknown table 'a/b.csv'"),
        (replaced('Results("03_a"', 'Results("02_b"'), "code cell 3: the results store has another name"),
        (replaced('{"rate": rate}', "{}"), "code cell 3: the record of its parameters is not the parameters cell"),
        (with_line('other = Results("03_a", {})'), "code cell 3: opens a second results store"),
        (replaced(SAVE, ""), "results.save() is not the whole of the last code cell"),
        (replaced(SAVE, f"{SAVE}\nrows"), "results.save() is not the whole of the last code cell"),
        (with_line(SAVE), "results.save() is not the whole of the last code cell"),
        (replaced("label: fig-a", "label: fig-b"), "code cell 4: stores 'fig-a' under the label 'fig-b'"),
        (replaced("#| label: fig-a\n", ""), "code cell 4: stores 'fig-a' under the label ''"),
        (replaced('#| fig-cap: "Caption"\n', ""), "code cell 4: 'fig-a' has no fig-cap"),
        (replaced('#| fig-alt: "Text"\n', ""), "code cell 4: 'fig-a' has no fig-alt"),
        (replaced('"Caption"', "a: b: c"), "code cell 4: its '#|' lines are not YAML"),
        (replaced("results.figure(", "figure = results.figure("), "results.figure(…) is not its last expression"),
        (replaced('results.figure("fig-a", draw(rows), source="@x")', "rows"), "code cell 4: 'fig-a' is not stored"),
        ((*SOUND[:5], FIGURE, *SOUND[5:]), "code cell 5: the label 'fig-a' is used twice"),
        (replaced(PROSE, ""), "03_a.ipynb: 'fig-a' is not followed by an interpretation"),
        (replaced(PROSE, "## Next\n\nIt shows something."), "'fig-a' is not followed by an interpretation"),
        (replaced(PROSE, "text 56.0% of them agree."), "statistic typed by hand: '56.0%'"),
        (replaced(PROSE, "text Two thirds of the respondents agree."), "statistic typed by hand: 'Two thirds of"),
        (replaced('"Caption"', '"Answers of 84 people"'), "statistic typed by hand: '84'"),
    ],
)
def test_a_seeded_fault_is_caught(tmp_path, cells, expected):
    found = faults(write(tmp_path, *cells))
    assert any(expected in fault for fault in found), found


def test_what_is_allowed(tmp_path):
    lines = [
        "few = rows[rows['a'] > 2].head()",
        "text = f'{100 * rate:g}%'",
        "left = len(rows) - int(rows['a'].sum())",
        "path = NOTEBOOKS / '02_survey.ipynb'",
    ]
    prose = "text Q7 was asked in 2023 (`n = 84`), see [the card](data/1.md).\n\n```yaml\nrate: 0.9\n```\n"
    cells = tuple(cell.replace(PROSE, prose) for cell in with_line("\n".join(lines)))
    assert faults(write(tmp_path, *cells)) == []


def test_a_record_may_have_a_name(tmp_path):
    cells = replaced(
        'results = Results("03_a", parameters={"rate": rate})', 'p = {"rate": rate}\nresults = Results("03_a", p)'
    )
    assert faults(write(tmp_path, *cells)) == []
    cells = tuple(cell.replace("show(rows, rate)", "show(rows)") for cell in cells)
    assert "parameter 'rate': no later cell reads it" in faults(write(tmp_path, *cells))[0]


def test_a_notebook_outside_the_report_needs_no_parameters_and_stores_nothing(tmp_path):
    assert faults(write(tmp_path, OPENING, "import pandas as pd", "pd.Series([1])")) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda nb: nb.metadata.kernelspec.update(name="python3"), "its kernel is 'python3'"),
        (lambda nb: nb.metadata.pop("kernelspec"), "its kernel is 'none'"),
        (lambda nb: nb.cells[1].update(execution_count=3), "code cell 1: it is saved with its output"),
        (
            lambda nb: nb.cells[2].update(outputs=[nbformat.v4.new_output("stream", text="1")]),
            "code cell 2: it is saved with its output",
        ),
    ],
    ids=["kernel", "no kernel", "count", "output"],
)
def test_a_fault_of_the_file_is_caught(tmp_path, change, expected):
    path = write(tmp_path, *SOUND)
    notebook = nbformat.read(path, 4)
    change(notebook)
    nbformat.write(notebook, path)
    assert any(expected in fault for fault in faults(path))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"nbformat_minor": 5', '"nbformat_minor": 4', "it is older than nbformat 4.5"),
        ('"id":', '"was":', "cells without an id of their own"),
    ],
)
def test_an_old_file_format_is_caught(tmp_path, old, new, expected):
    path = write(tmp_path, *SOUND)
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert any(expected in fault for fault in faults(path))


def test_all_faults_are_raised_at_once(tmp_path):
    path = write(tmp_path, *replaced("show(rows, rate)", "f = lambda x: x / 2"))
    with pytest.raises(NotebookError, match="breaks the notebook rules") as error:
        require_rules(path)
    assert len(error.value.problems) == 3
