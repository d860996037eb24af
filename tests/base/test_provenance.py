"""A notebook depends on what it imports, directly or not, and on the data it names; on nothing else."""

from __future__ import annotations

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis.base import provenance
from analysis.base.paths import DATA, ROOT
from analysis.base.provenance import declared_data, imported_modules, named_data, notebook_digest


def modules(source: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in imported_modules([source])}


def test_imports_are_followed_through_modules():
    found = modules("from analysis.base.tables import load_table\nimport pandas")
    assert {"analysis/base/tables.py", "analysis/base/schemas/spec.py", "analysis/base/errors.py"} <= found
    assert "analysis/__init__.py" in found
    assert "analysis/base/results.py" not in found


def test_a_module_named_after_from_is_found():
    assert "analysis/base/results.py" in modules("from analysis.base import results")


def test_foreign_packages_are_no_dependencies():
    assert modules("import numpy.linalg\nfrom pathlib import Path") == set()


def test_data_is_found_by_its_name(tmp_path):
    (tmp_path / "survey").mkdir()
    (tmp_path / "survey/a.csv").write_text("x")
    found = named_data(['load("survey/a.csv")\nload("survey/b.csv")\nprint("a/b c")'], tmp_path)
    assert [path.name for path in found] == ["a.csv"]


def test_a_folder_of_data_stands_for_its_files(tmp_path):
    for name in ("runs/one/a.json", "runs/two/b.gz", "other/c.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "room").mkdir()
    (tmp_path / "runs").rename(tmp_path / "room/runs")
    found = named_data(['load("room/runs")\nshow("/")\nshow("../other")\nshow("room/..")'], tmp_path)
    assert sorted(path.name for path in found) == ["a.json", "b.gz"]


def test_modules_declare_what_they_load_by_themselves(tmp_path):
    (tmp_path / "plain.py").write_text("x = 1\n")
    (tmp_path / "loads.py").write_text('READS = (\n    "room/a.csv",\n    "room/b.csv",\n)\n')
    found = declared_data([tmp_path / "plain.py", tmp_path / "loads.py"], tmp_path / "data")
    assert found == {tmp_path / "data/room/a.csv", tmp_path / "data/room/b.csv"}


def test_every_declared_file_is_there():
    declared = declared_data((ROOT / "analysis").rglob("*.py"))
    assert DATA / "cases/cases.csv" in declared
    assert [path for path in declared if not path.is_file()] == []


def test_reads_that_no_dependency_foresees_are_named(monkeypatch):
    monkeypatch.setattr(provenance, "_reads", [])
    provenance.note_read(DATA / "survey/a.csv")
    since = provenance.count_reads()
    provenance.note_read(DATA / "survey/b.csv")
    provenance.note_read(ROOT / "private/c.csv")
    assert provenance.unforeseen_reads({}) == ["data/survey/a.csv", "data/survey/b.csv"]
    assert provenance.unforeseen_reads({}, since) == ["data/survey/b.csv"]
    assert provenance.unforeseen_reads({"data/survey/b.csv": "1"}, since) == []


def test_only_code_counts_in_a_notebook_digest(tmp_path):
    path = tmp_path / "a.ipynb"

    def digest(*cells) -> str:
        nbformat.write(new_notebook(cells=list(cells)), path)
        return notebook_digest(path)

    first = digest(new_code_cell("x = 1"))
    assert digest(new_markdown_cell("words"), new_code_cell("x = 1")) == first
    assert digest(new_code_cell("x = 2")) != first


def test_the_machine_is_described_without_its_name():
    import platform

    assert set(provenance.machine()) == {"system", "machine", "cores", "python"}
    assert platform.node() not in map(str, provenance.machine().values())
