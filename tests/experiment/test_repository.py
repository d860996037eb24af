"""A scratch repository: the same commits everywhere, nothing from the machine's git, and unit tests apart from ours."""

from __future__ import annotations

import hashlib
import os
import subprocess
from datetime import UTC, datetime, timedelta, timezone

import psutil
import pytest
import yaml

from analysis.base.errors import InputError
from analysis.experiment.repository import (
    AUTHOR,
    EMAIL,
    TEMPLATE,
    RepositoryError,
    ScratchRepository,
    run_unit_tests,
    write_settings,
)

WHEN = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
LATER = WHEN + timedelta(hours=3)


@pytest.fixture
def template(tmp_path):
    place = tmp_path / "template"
    (place / "inspection").mkdir(parents=True)
    (place / "inspection" / "code.py").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (place / "README.md").write_text("# A project\n", encoding="utf-8")
    return place


@pytest.fixture
def repository(tmp_path, template):
    made = ScratchRepository(tmp_path / "scratch")
    made.create(template, WHEN)
    return made


def git_object(kind, content):
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


def history(repository):
    command = ["git", "--git-dir", repository.path / ".git", "log", "--format=%H|%an|%ae|%aI|%cn|%ce|%cI|%s"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


# The same commits everywhere


def test_sha_of_a_commit_by_hand(tmp_path):
    template = tmp_path / "one_file"
    template.mkdir()
    (template / "a.txt").write_bytes(b"hello\n")
    repository = ScratchRepository(tmp_path / "scratch")
    sha = repository.create(template, WHEN, message="Start here")
    # the format of git's objects: git-scm.com/book, Git internals, Git objects
    blob = git_object("blob", b"hello\n")
    tree = git_object("tree", b"100644 a.txt\0" + bytes.fromhex(blob))
    who = f"{AUTHOR} <{EMAIL}> {int(WHEN.timestamp())} +0000"
    text = f"tree {tree}\nauthor {who}\ncommitter {who}\n\nStart here\n"
    assert repository.tree() == tree
    assert repository.tree("a.txt") == blob
    assert sha == repository.head() == git_object("commit", text.encode())


def test_replay_gives_the_same_shas(tmp_path, template):
    def play(folder):
        repository = ScratchRepository(folder)
        shas = [repository.create(template, WHEN)]
        (folder / "inspection/code.py").write_text("one\n2\nthree\n", encoding="utf-8")
        shas.append(repository.commit("Count in digits\n\nAs everybody does.", LATER))
        shas.append(repository.revert(shas[-1], LATER + timedelta(minutes=1)))
        return shas

    first = play(tmp_path / "first")
    assert len(set(first)) == 3
    assert play(tmp_path / "second") == first
    assert play(tmp_path / "first") == first  # over what a killed run left


def test_machine_configuration_is_out_of_reach(tmp_path, template, monkeypatch):
    expected = ScratchRepository(tmp_path / "plain").create(template, WHEN)
    home = tmp_path / "home"
    hooks, init = home / "hooks", home / "init" / "hooks"
    for place in (hooks, init):
        place.mkdir(parents=True)
        for hook in ("pre-commit", "commit-msg", "post-commit", "prepare-commit-msg"):
            (place / hook).write_text(f"#!/bin/sh\necho ran >> {home}/ran\nexit 1\n", encoding="utf-8")
            (place / hook).chmod(0o755)
    (home / "ignored").write_text("*.py\n", encoding="utf-8")
    settings = (
        "[user]\nname = Somebody\nemail = some@body\n[commit]\ngpgSign = true\n[gpg]\nprogram = /nonexistent\n"
        f"[core]\nhooksPath = {hooks}\nautocrlf = true\nexcludesFile = {home}/ignored\neditor = false\n"
        f"[init]\ntemplateDir = {home}/init\ndefaultBranch = other\n"
    )
    (home / ".gitconfig").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_AUTHOR_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    repository = ScratchRepository(tmp_path / "scratch")
    assert repository.create(template, WHEN) == expected
    assert not (home / "ran").exists()
    assert not (tmp_path / "elsewhere").exists()
    assert not (repository.path / ".git" / "hooks").exists()


def test_a_commit_has_its_virtual_time_and_one_identity(repository):
    (repository.path / "README.md").write_text("# Another\n", encoding="utf-8")
    repository.commit("Rename", LATER.astimezone(timezone(timedelta(hours=9))))
    entries = [line.split("|")[1:] for line in history(repository)]
    at = ["2026-01-05T11:00:00+00:00", "2026-01-05T08:00:00+00:00"]
    titles = ["Rename", "Start"]
    assert [entry[-1] for entry in entries] == titles
    assert [[*entry[:3], *entry[3:6]] for entry in entries] == [[AUTHOR, EMAIL, time] * 2 for time in at]


def test_a_time_without_zone_is_refused(repository):
    with pytest.raises(InputError, match="zone"):
        repository.commit("Later", datetime(2026, 1, 6))


def test_a_commit_without_change_keeps_the_tree(repository):
    before, tree = repository.head(), repository.tree()
    assert repository.commit("Nothing", LATER) != before
    assert repository.tree() == tree


# What lies in the folder


def test_caches_of_the_template_are_not_copied(tmp_path, template):
    for name in ("__pycache__/code.pyc", ".ruff_cache/x", "stray.pyc"):
        (template / name).parent.mkdir(exist_ok=True)
        (template / name).write_bytes(b"x")
    repository = ScratchRepository(tmp_path / "scratch")
    repository.create(template, WHEN)
    assert sorted(path.name for path in repository.path.iterdir()) == [".git", "README.md", "inspection"]


def test_settings_are_in_the_first_commit(tmp_path):
    repository = ScratchRepository(tmp_path / "scratch")
    repository.create(TEMPLATE, WHEN, prepare=lambda folder: write_settings(folder, ["a", "b"], 64))
    text = repository.snapshot(tmp_path / "out").joinpath("settings.py").read_text(encoding="utf-8")
    assert '"a",\n    "b",' in text
    assert len(history(repository)) == 1


def test_files_of_others_are_left_alone(tmp_path, template):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="not the workbench's"):
        ScratchRepository(folder).create(template, WHEN)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    with pytest.raises(InputError, match="not the workbench's"):
        ScratchRepository(folder).create(template, WHEN)
    assert (folder / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_repository_above_is_never_touched(tmp_path, template):
    outer = tmp_path / "outer"
    subprocess.run(["git", "init", "--quiet", outer], check=True)
    inner = ScratchRepository(outer / "build" / "scratch")
    with pytest.raises(OSError):  # not made yet
        inner.commit("Nowhere", WHEN)
    (outer / "build" / "scratch").mkdir(parents=True)
    with pytest.raises(RepositoryError):
        inner.commit("Nowhere", WHEN)
    inner.create(template, WHEN)
    objects = [path for path in (outer / ".git" / "objects").rglob("*") if path.is_file()]
    assert objects == []


def test_revert_takes_out_one_commit_of_several(repository):
    code = repository.path / "inspection/code.py"
    tree = repository.tree("README.md")
    code.write_text("one\ntwo\n3\n", encoding="utf-8")
    wrong = repository.commit("Three", LATER)
    (repository.path / "README.md").write_text("# Renamed\n", encoding="utf-8")
    repository.commit("Rename", LATER)
    repository.revert(wrong, LATER)
    assert code.read_text(encoding="utf-8") == "one\ntwo\nthree\n"
    assert repository.tree("README.md") != tree


def test_a_revert_that_conflicts_changes_nothing(repository):
    code = repository.path / "inspection/code.py"
    code.write_text("one\nTWO\nthree\n", encoding="utf-8")
    wrong = repository.commit("Shout", LATER)
    code.write_text("one\nTWO!\nthree\n", encoding="utf-8")
    head = repository.commit("Louder", LATER)
    with pytest.raises(RepositoryError, match="git revert failed"):
        repository.revert(wrong, LATER)
    assert repository.head() == head
    assert code.read_text(encoding="utf-8") == "one\nTWO!\nthree\n"
    code.write_text("one\ntwo\nthree\n", encoding="utf-8")
    repository.commit("Calm", LATER)  # the repository is still good for work


def test_snapshot_is_what_was_committed(repository, tmp_path):
    first = repository.head()
    code = repository.path / "inspection/code.py"
    code.write_text("changed\n", encoding="utf-8")
    (repository.path / "inspection" / "stray.py").write_text("", encoding="utf-8")
    place = repository.snapshot(tmp_path / "one")
    assert place == tmp_path / "one" / "inspection"
    assert [path.name for path in place.iterdir()] == ["code.py"]
    assert (place / "code.py").read_text(encoding="utf-8") == "one\ntwo\nthree\n"
    repository.commit("Change", LATER)
    assert (repository.snapshot(tmp_path / "two") / "code.py").read_text(encoding="utf-8") == "changed\n"
    whole = repository.snapshot(tmp_path / "three", "", first)
    assert sorted(path.name for path in whole.iterdir()) == ["README.md", "inspection"]
    with pytest.raises(RepositoryError):
        repository.snapshot(tmp_path / "four", "missing")


def test_tree_of_a_folder_follows_that_folder_alone(repository):
    whole, part = repository.tree(), repository.tree("inspection")
    (repository.path / "README.md").write_text("# Renamed\n", encoding="utf-8")
    repository.commit("Rename", LATER)
    assert repository.tree("inspection") == part
    assert repository.tree() != whole


# Settings


def test_settings_reach_both_files(tmp_path):
    repository = ScratchRepository(tmp_path / "scratch")
    repository.create(TEMPLATE, WHEN)
    names = ['the "old" one', "Größe (mm)", "c\\d"]
    write_settings(repository.path, names, 160, 0.9, {"epochs": 7, "mosaic": 0.5})
    found: dict = {}
    exec((repository.path / "inspection/settings.py").read_text(encoding="utf-8"), found)
    assert found["CLASSES"] == tuple(names)
    assert (found["IMAGE_SIZE"], found["CONFIDENCE"]) == (160, 0.9)
    text = (repository.path / "training.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    assert (values["image_size"], values["epochs"], values["mosaic"]) == (160, 7, 0.5)
    assert "# the first learning rate" in " ".join(text.split())
    assert run_unit_tests(repository.path).passed
    write_settings(repository.path, ["only"], 96)
    assert run_unit_tests(repository.path).passed  # also with a single class


def test_settings_that_cannot_be_are_refused_all_at_once(tmp_path):
    repository = ScratchRepository(tmp_path / "scratch")
    repository.create(TEMPLATE, WHEN)
    tree = repository.tree()
    with pytest.raises(InputError) as caught:
        write_settings(repository.path, ["a", "a", "b\nc"], 100, 1.5, {"lr0": 0.5, "patience": 3})
    where = [problem.where for problem in caught.value.problems]
    assert where == ["classes", "classes", "image_size", "confidence", "training.lr0", "training.patience"]
    repository.commit("Nothing", LATER)
    assert repository.tree() == tree


# Unit tests


@pytest.fixture
def project(tmp_path):
    """A tiny project; its test file is written by each test."""
    place = tmp_path / "tiny"
    (place / "tests").mkdir(parents=True)
    (place / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n', encoding="utf-8")

    def write(text):
        (place / "tests" / "test_it.py").write_text(text, encoding="utf-8")
        return place

    return write


def test_failures_and_errors_are_named(project):
    text = "def test_a(): pass\ndef test_b(): assert 0\ndef test_c(missing): pass\n"
    run = run_unit_tests(project(text))
    assert not run.passed
    assert run.tests == 3
    assert run.failed == ("tests.test_it::test_b", "tests.test_it::test_c")
    assert run.seconds > 0


def test_code_that_cannot_be_imported_fails(project):
    run = run_unit_tests(project("import no_such_module\n\ndef test_a(): pass\n"))
    assert not run.passed
    assert len(run.failed) == 1


def test_a_project_without_tests_has_not_passed(project):
    run = run_unit_tests(project("x = 1\n"))
    assert (run.passed, run.tests) == (False, 0)
    assert run.failed[0].startswith("pytest could not run the tests")


def test_endless_tests_are_ended_with_their_children(project, tmp_path):
    child = tmp_path / "child"
    text = (
        "import pathlib, subprocess, time\n"
        "def test_a():\n"
        "    process = subprocess.Popen(['sleep', '60'])\n"
        f"    pathlib.Path({str(child)!r}).write_text(str(process.pid))\n"
        "    time.sleep(60)\n"
    )
    run = run_unit_tests(project(text), timeout_s=3)
    assert run.failed == ("not finished within 3 s",)
    assert not run.passed
    assert 3 <= run.seconds < 20
    pid = int(child.read_text(encoding="utf-8"))
    left = [psutil.Process(pid)] if psutil.pid_exists(pid) else []
    _, alive = psutil.wait_procs(left, timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_unit_tests_write_nothing_and_see_nothing_of_ours(project, tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "trapped.py").write_text("", encoding="utf-8")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('a conftest from above')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(trap))
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    text = (
        "import importlib.util, os\n"
        "def test_a(tmp_path, pytestconfig):\n"
        "    assert importlib.util.find_spec('trapped') is None\n"
        "    assert importlib.util.find_spec('analysis') is None\n"
        "    assert not pytestconfig.pluginmanager.hasplugin('anyio')\n"
        "    (tmp_path / 'x').write_text('x')\n"
    )
    folder = project(text)
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    run = run_unit_tests(folder)
    assert run.failed == ()
    assert run.passed
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before
    assert os.environ["PYTEST_ADDOPTS"] == "--no-such-option"
