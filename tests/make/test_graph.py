"""The dependency graph: what a change re-makes, and that nothing else is re-made."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

ALPHA = "run 01_alpha --profile quick"
BETA = "run 02_beta --profile quick"
RENDER = "render --engine auto"
DICTIONARY = "dictionary"


def test_fresh_clone_in_parallel(clone):
    output = clone.make("-j2", "report")
    assert clone.calls() == sorted(["setup", DICTIONARY, ALPHA, BETA, RENDER])
    assert "up to date: report/build/thesis.pdf" in output
    assert (clone / "report/build/thesis.html").is_file()


def test_untouched_tree_does_nothing(clone):
    clone.built()
    began = time.monotonic()
    clone.make("report")
    assert time.monotonic() - began < 2
    assert clone.calls() == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("report/chapters/01-one.qmd", [RENDER]),
        ("report/references.bib", [RENDER]),
        ("report/_quarto.yml", [RENDER]),
        ("report/picture.svg", [RENDER]),
        ("analysis/reporting/appendix.py", [DICTIONARY, RENDER]),
        ("analysis/base/schemas/spec.py", [DICTIONARY, RENDER]),
        ("analysis/alpha.py", [ALPHA, RENDER]),
        ("analysis/beta.py", [BETA, RENDER]),
        ("analysis/shared.py", [ALPHA, BETA, RENDER]),
        ("analysis/base/results.py", [ALPHA, BETA, RENDER]),
        ("data/alpha/a.csv", [ALPHA, RENDER]),
        ("notebooks/02_beta.ipynb", [BETA, RENDER]),
        ("notebooks/00_start_here.ipynb", []),
        ("notebooks/profiles/quick.yaml", [ALPHA, BETA, RENDER]),
        ("notebooks/profiles/full.yaml", []),
        ("env/requirements.lock", [ALPHA, BETA, RENDER]),
    ],
)
def test_change_remakes_only_what_depends_on_it(clone, path, expected):
    clone.built()
    (clone / path).touch()
    clone.make("-j2", "report")
    assert clone.calls() == sorted(expected)
    clone.make("report")
    assert clone.calls() == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("report/build/results/01_alpha/results.json", [ALPHA, RENDER]),
        ("report/build/notebooks/01_alpha.ipynb", [ALPHA, RENDER]),
        ("report/build/thesis.pdf", [RENDER]),
        ("report/build/thesis.html", [RENDER]),
        ("report/_variables.yml", [RENDER]),
        ("report/build/generated/_data_dictionary.qmd", [DICTIONARY, RENDER]),
        ("report/build/deps.mk", []),
    ],
)
def test_deleted_output_comes_back(clone, path, expected):
    clone.built()
    (clone / path).unlink()
    clone.make("-j2", "report")
    assert (clone / path).is_file()
    assert clone.calls() == sorted(expected)
    clone.make("report")
    assert clone.calls() == []


def test_both_renderings_deleted_render_once(clone):
    clone.built()
    (clone / "report/build/thesis.html").unlink()
    (clone / "report/_variables.yml").unlink()
    clone.make("-j2", "report")
    assert clone.calls() == [RENDER]


def test_other_profile_runs_again_and_once(clone):
    clone.built()
    clone.make("report", "PROFILE=full")
    assert clone.calls() == [RENDER, "run 01_alpha --profile full", "run 02_beta --profile full"]
    clone.make("report", "PROFILE=full")
    assert clone.calls() == []
    clone.age()
    clone.make("report")
    assert clone.calls() == sorted([ALPHA, BETA, RENDER])


def test_unknown_profile_names_the_known_ones(clone):
    output = clone.make("report", "PROFILE=ful", fails=True)
    assert "there is no profile 'ful'; PROFILE is one of: full quick" in output
    assert output.count("\n") == 1
    assert clone.calls() == []


def test_other_engine_renders_again(clone):
    clone.built()
    clone.make("report", "ENGINE=offline")
    assert clone.calls() == ["render --engine offline"]
    clone.make("report", "ENGINE=offline")
    assert clone.calls() == []


def test_new_and_deleted_chapters_render_again(clone):
    clone.built()
    (clone / "report/chapters/02-two.qmd").write_text("")
    clone.make("report")
    assert clone.calls() == [RENDER]
    clone.age()
    (clone / "report/chapters/02-two.qmd").unlink()
    clone.make("report")
    assert clone.calls() == [RENDER]


def test_deleted_module_does_not_stop_make(clone):
    clone.built()
    (clone / "analysis/alpha.py").unlink()
    clone.write_notebook("01_alpha", "from analysis.base.results import Results")
    clone.make("report")
    assert clone.calls() == sorted([ALPHA, RENDER])
    clone.make("report")
    assert clone.calls() == []


def test_deleted_table_runs_its_notebook_again(clone):
    clone.built()
    (clone / "data/alpha/a.csv").unlink()
    clone.make("report")
    assert clone.calls() == sorted([ALPHA, RENDER])


def test_module_deleted_but_still_imported_runs_its_notebook_again(clone):
    clone.built()
    (clone / "analysis/beta.py").unlink()
    clone.make("report")
    assert clone.calls() == sorted([BETA, RENDER])


def test_change_with_an_old_date_is_seen(clone):
    clone.built()
    module = clone / "analysis/beta.py"
    before = module.stat()
    module.write_text("y = 2")
    os.utime(module, (before.st_atime, before.st_mtime - 3600))
    clone.make("report")
    assert clone.calls() == sorted([BETA, RENDER])
    clone.make("report")
    assert clone.calls() == []


def test_deleted_notebook_leaves_the_report(clone):
    clone.built()
    (clone / "notebooks/02_beta.ipynb").unlink()
    clone.make("report")
    assert clone.calls() == [RENDER]
    clone.make("report")
    assert clone.calls() == []


def test_new_notebook_joins_the_report(clone):
    clone.built()
    clone.write_notebook("03_gamma", "from analysis.base.results import Results")
    clone.make("report")
    assert clone.calls() == [RENDER, "run 03_gamma --profile quick"]


def test_notebooks_target_does_not_render(clone):
    clone.make("-j2", "notebooks")
    assert clone.calls() == sorted(["setup", ALPHA, BETA])


def test_failed_notebook_leaves_no_results_and_only_it_runs_again(clone):
    (clone / "break").write_text("01_alpha")
    output = clone.make("-k", "report", fails=True)
    assert "error: 01_alpha failed" in output
    assert clone.calls() == sorted(["setup", DICTIONARY, ALPHA, BETA])
    assert not (clone / "report/build/results/01_alpha/results.json").exists()
    (clone / "break").unlink()
    clone.age()
    clone.make("report")
    assert clone.calls() == sorted([ALPHA, RENDER])


def test_failing_while_making_a_deleted_output_again_fails_the_build(clone):
    clone.built()
    executed = clone / "report/build/notebooks/01_alpha.ipynb"
    executed.unlink()
    (clone / "break").write_text("01_alpha")
    clone.make("report", fails=True)
    assert clone.calls() == [ALPHA]
    assert not executed.exists()
    (clone / "break").unlink()
    clone.make("report")
    assert clone.calls() == [RENDER, ALPHA]


def test_interrupted_build_goes_on_where_it_was(clone, wait_for):
    clone.make("notebooks")
    clone.calls()
    clone.age()
    (clone / "notebooks/02_beta.ipynb").touch()
    (clone / "hang").touch()
    process = clone.start("report")
    wait_for(clone / "hanging")
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode != 0
    (clone / "hang").unlink()
    clone.calls()
    clone.make("report")
    assert clone.calls() in (sorted([BETA, RENDER]), sorted([DICTIONARY, BETA, RENDER]))
    clone.make("report")
    assert clone.calls() == []


def test_damaged_notebook_is_one_error_and_nothing_runs(clone):
    (clone / "notebooks/01_alpha.ipynb").write_text('{"cells": [\n<<<<<<< HEAD\n')
    output = clone.make("report", fails=True)
    assert output.count("notebooks/01_alpha.ipynb is not a notebook") == 1
    assert "notebooks/01_alpha.ipynb:2" in output and "Traceback" not in output
    assert {ALPHA, BETA, RENDER}.isdisjoint(clone.calls())


def test_notebook_with_a_space_is_refused(clone):
    clone.write_notebook("02_beta copy", "from analysis.base.results import Results")
    output = clone.make("report", fails=True)
    assert "notebooks/02_beta copy.ipynb" in output and "Traceback" not in output


def test_lost_environment_is_made_again_and_nothing_else(clone):
    clone.built()
    (clone / ".venv/.ready").unlink()
    clone.make("report")
    assert clone.calls() == ["setup"]


def test_environment_elsewhere(clone, tmp_path: Path):
    clone.make("report", f"VENV={os.path.relpath(tmp_path / 'elsewhere', clone.folder)}")
    assert (tmp_path / "elsewhere/bin/python").is_file()
    assert not (clone / ".venv").exists()
