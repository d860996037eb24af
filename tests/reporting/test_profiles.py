"""A profile that does not fit a notebook is refused before anything runs, by line, with all its faults."""

from __future__ import annotations

import math
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from analysis.base.errors import NotebookError
from analysis.base.paths import PROFILES
from analysis.reporting.parameters import code_cells, declared_parameters, parameter_problems, parse_parameters
from analysis.reporting.profiles import CELL_TIMEOUT_S, check_parameters, load_profile

DECLARED = """
confidence: float = 0.95
seed: int = 1
method: Literal["wilson", "wald"] = "wilson"
stages: list[str] = ["a"]
label = "x"
limit: int | None = None
"""
READ = "print(confidence, seed, method, stages, label, limit)"


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "02_survey.ipynb", DECLARED, READ)
    return tmp_path


def write(path: Path, parameters: str, *cells: str) -> Path:
    first = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[first, *map(new_code_cell, cells)]), path)
    return path


def profile(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(folder: Path, text: str) -> list[str]:
    with pytest.raises(NotebookError) as error:
        load_profile(profile(folder, text), folder)
    return [f"{p.where.removeprefix(str(folder))} {p.what} {p.remedy}" for p in error.value.problems]


def test_values_reach_the_notebook_and_an_int_becomes_the_float_asked_for(folder):
    path = profile(folder, "cell_timeout_s: 9\n02_survey: {confidence: 1, seed: 3, stages: [b, c], limit: null}\n")
    loaded = load_profile(path, folder)
    values = check_parameters(folder / "02_survey.ipynb", loaded)
    assert values == {"confidence": 1.0, "seed": 3, "stages": ["b", "c"], "limit": None}
    assert type(values["confidence"]) is float
    assert loaded.cell_timeout_s == 9


@pytest.mark.parametrize("text", ["", "# nothing\n", "02_survey:\n", "02_survey: {}\n"])
def test_an_empty_profile_leaves_the_defaults(folder, text):
    loaded = load_profile(profile(folder, text), folder)
    assert check_parameters(folder / "02_survey.ipynb", loaded) == {}
    assert loaded.cell_timeout_s == CELL_TIMEOUT_S


def test_every_fault_of_a_profile_is_listed_with_its_line(folder):
    found = faults(folder, "02_survey:\n  confidenze: 0.9\n  seed: true\n03_none:\n  a: 1\ncell_timeout_s: 0\n")
    assert len(found) == 4
    assert found[0].startswith("/mine.yaml:6 ") and "seconds above zero, got 0" in found[0]
    assert found[1].startswith("/mine.yaml:2 02_survey declares no parameter 'confidenze'")
    assert found[1].endswith("did you mean 'confidence'?")
    assert found[2].startswith("/mine.yaml:3 'seed' of 02_survey expected int, got True (bool)")
    assert found[3].startswith("/mine.yaml:4 no notebook is called '03_none'; known: 02_survey")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("confidence: '0.9'", "expected float, got '0.9' (str) write the number without quotes"),
        ("confidence: 1e-3", "expected float, got '1e-3' (str) write the number without quotes, with a decimal"),
        ("confidence: null", "expected float, got None"),
        ("seed: 1.0", "expected int, got 1.0"),
        ("method: score", "expected Literal['wilson', 'wald'], got 'score'"),
        ("stages: a", "expected list[str], got 'a'"),
        ("stages: [1]", "expected list[str], got [1]"),
        ("label: 3", "expected str, got 3"),
        ("label: 2021-03-31", "(date) put it in quotes"),
        ("limit: '3'", "expected int | None, got '3'"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(folder, line, expected):
    (found,) = faults(folder, f"02_survey:\n  {line}\n")
    assert expected in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("02_survey: [1]\n", "expected 'parameter: value' lines, got [1]"),
        ("02_survey: 0\n", "expected 'parameter: value' lines, got 0"),
        ("- 02_survey\n", "expected lines such as"),
        ("02_survey:\n  seed: 1\n seed: 2\n", "/mine.yaml:3"),
        ("02_survey:\n  seed: 1\n  seed: 2\n", "/mine.yaml:3 'seed' is already given in line 2"),
        ("02_survey: {}\n02_survey: {}\n", "/mine.yaml:2 '02_survey' is already given in line 1"),
        ("cell_timeout_s: fast\n", "expected seconds above zero, got 'fast'"),
        ("cell_timeout_s: .nan\n", "expected seconds above zero, got nan"),
    ],
)
def test_a_file_of_the_wrong_form_is_refused(folder, text, expected):
    assert expected in faults(folder, text)[0]


def test_a_profile_that_is_not_there_names_those_that_are(folder):
    profile(folder, "")
    with pytest.raises(NotebookError, match=r"(?s)no profile .*mina\.yaml.*known: mine.*did you mean 'mine'"):
        load_profile(folder / "mina.yaml", folder)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["x = 1"], "no later cell reads it"),
        (["Results('a', parameters={'seed': seed})"], "no later cell reads it"),
        (["p = {'seed': seed}\nr = results.Results('a', p)"], "no later cell reads it"),
        (["seed = 3\nprint(seed)"], "code cell 2 assigns it again"),
        (["seed += 3"], "code cell 2 assigns it again"),
        (["print(seed)", "with open('a') as seed: pass"], "code cell 3 assigns it again"),
    ],
)
def test_a_parameter_that_would_change_nothing_is_refused(folder, cells, expected):
    notebook = write(folder / "02_survey.ipynb", "seed: int = 1", *cells)
    with pytest.raises(NotebookError, match="are not sound") as error:
        check_parameters(notebook, load_profile(profile(folder, ""), folder))
    assert any("parameter 'seed'" in p.where and expected in p.what for p in error.value.problems)


@pytest.mark.parametrize("default", ["1 - alpha", "Path('a')", "time()"])
def test_a_computed_default_is_refused(folder, default):
    notebook = write(folder / "02_survey.ipynb", f"alpha = 0.05\nb: float = {default}", "print(alpha, b)")
    problems = list(parameter_problems(notebook, code_cells(notebook)))
    assert [p.what for p in problems] == ["its default is not a plain value"]


def test_two_parameters_cells_are_refused(folder):
    cells = [new_code_cell("a = 1", metadata={"tags": ["parameters"]}) for _ in range(2)]
    nbformat.write(new_notebook(cells=cells), folder / "02_survey.ipynb")
    with pytest.raises(NotebookError, match="code cells 1, 2 are tagged"):
        declared_parameters(folder / "02_survey.ipynb")


@pytest.mark.parametrize(
    ("content", "expected"),
    [("<<<<<<< HEAD", "not a readable notebook"), ("{}", "not a readable notebook"), (None, "known: b")],
)
def test_a_damaged_or_missing_notebook_is_named(tmp_path, content, expected):
    write(tmp_path / "b.ipynb", "")
    if content is not None:
        (tmp_path / "a.ipynb").write_text(content)
    with pytest.raises(NotebookError, match=expected):
        code_cells(tmp_path / "a.ipynb")


def test_cells_that_are_not_python_are_all_named(tmp_path):
    notebook = write(tmp_path / "a.ipynb", "", "%matplotlib inline", "x = 1", "!ls")
    with pytest.raises(NotebookError) as error:
        code_cells(notebook)
    assert [p.where.split(", ", 1)[1] for p in error.value.problems] == ["code cell 2, line 1", "code cell 4, line 1"]


plain = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.none())


@given(default=plain, value=plain)
def test_the_type_of_the_default_decides_where_nothing_else_is_said(default, value):
    if isinstance(default, float) and not math.isfinite(default):
        return  # no literal, hence no parameter
    parameter = parse_parameters(f"a = {default!r}")["a"]
    allowed = {float: (int, float)}.get(type(default), (type(default),))
    assert parameter.accepts(value) == (default is None or type(value) in allowed)


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_projects_profiles_fit_its_notebooks(path):
    loaded = load_profile(path)
    assert set(loaded.values) >= {"01_literature", "02_survey"}
    for stem in loaded.values:
        assert isinstance(check_parameters(path.parents[1] / f"{stem}.ipynb", loaded), dict)
