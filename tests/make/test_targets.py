"""The targets beside the report: help, trace, clean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text().replace("\\\n", ""), re.MULTILINE)
    assert phony
    return set(phony[1].split()) - {"FORCE"}


def test_help_is_the_default_and_lists_every_target(clone):
    output = clone.make()
    assert output == clone.make("help")
    assert set(re.findall(r"^  ([a-z-]+) +[A-Z]", output, re.MULTILINE)) == _targets()
    for variable in ("PROFILE=quick|full|gpu", "ENGINE=auto|quarto|offline", "KEY=", "REPO=", "EVENTS=", "KPIS="):
        assert variable in output


@pytest.mark.parametrize("target", ["help", "clean", "distclean"])
def test_needs_no_environment(clone, target):
    clone.make(target)
    assert clone.calls() == []


def test_setup_once(clone):
    assert ".venv is ready" in clone.make("setup")
    clone.make("setup")
    assert clone.calls() == ["setup"]


def test_trace_without_a_key_says_how(clone):
    output = clone.make("trace", fails=True)
    assert "trace needs the key of a number, for example: make trace KEY=survey.n" in output
    assert output.count("\n") == 1
    assert clone.calls() == []


def test_trace_hands_the_key_on(clone):
    clone.make("trace", "KEY=survey.n")
    assert clone.calls() == ["setup", "trace survey.n"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "kpis needs what to read, for example: make kpis REPO=../my-project, or make kpis EVENTS=events.jsonl"),
        (["REPO=a", "EVENTS=b"], "kpis reads one source at a time: give REPO or EVENTS, not both"),
    ],
)
def test_kpis_without_one_source_says_how(clone, given, words):
    output = clone.make("kpis", *given, fails=True)
    assert words in output
    assert output.count("\n") == 1
    assert clone.calls() == []


def test_kpis_hands_path_and_options_on(clone):
    clone.make("kpis", "REPO=../my project")
    assert clone.calls() == ["kpi ../my project --kind git --format page", "setup"]
    clone.make("kpis", "EVENTS=e.jsonl", "KPIS=--rules devlake --name 'My log'")
    assert clone.calls() == ["kpi e.jsonl --format page --rules devlake --name My log"]


def test_clean_empties_the_build_folder_and_keeps_it(clone):
    clone.built()
    build = clone / "report/build"
    before = build.stat().st_ino
    clone.make("clean")
    assert list(build.iterdir()) == []
    assert build.stat().st_ino == before
    assert not (clone / "report/_variables.yml").exists()
    assert not list((clone / "analysis").rglob("__pycache__"))
    assert (clone / ".venv/.ready").exists()
    assert (clone / "report/thesis.qmd").exists()


def test_build_folder_may_be_on_another_disk(clone, tmp_path):
    (tmp_path / "disk").mkdir()
    (clone / "report/build").symlink_to(tmp_path / "disk")
    clone.built()
    assert (tmp_path / "disk/thesis.pdf").is_file()
    clone.make("report")
    assert clone.calls() == []
    clone.make("clean")
    assert list((tmp_path / "disk").iterdir()) == []
    assert (clone / "report/build").is_symlink()


def test_clean_then_report_in_one_command(clone):
    clone.built()
    clone.make("-j2", "clean", "report")
    assert len(clone.calls()) == 4  # dictionary, two notebooks, one rendering
    assert (clone / "report/build/thesis.pdf").is_file()


def test_distclean_leaves_foreign_folders_alone(clone, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    clone.make("distclean", "VENV=../precious")
    assert (tmp_path / "precious/file").exists()
    clone.make("setup")
    (clone / ".venv/.setup").touch()
    clone.make("distclean")
    assert not (clone / ".venv").exists()
