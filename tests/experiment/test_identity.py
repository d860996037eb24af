"""What makes two runs the same: contents, and nothing that tools leave beside them."""

from __future__ import annotations

import shutil

import pytest

from analysis.experiment import identity
from analysis.experiment.identity import digest_folder, experiment_code, list_files


@pytest.fixture
def folder(tmp_path):
    for name, content in (("train.py", "a"), ("project/labels.py", "b"), ("project/tests/test_labels.py", "c")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def test_caches_and_hidden_files_are_nobodys_code(folder):
    before = digest_folder(folder)
    for name in ("__pycache__/train.pyc", "project/.ruff_cache/0.1/x", "project/tests/.pytest_cache/y", ".coverage"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("left by a tool")
    assert list_files(folder) == ["project/labels.py", "project/tests/test_labels.py", "train.py"]
    assert digest_folder(folder) == before


def test_a_hidden_folder_above_changes_nothing(folder):
    """A clone may lie in ``~/.cache``."""
    moved = folder / ".cache" / "clone"
    moved.mkdir(parents=True)
    for name in ("train.py", "project"):
        shutil.move(folder / name, moved / name)
    assert len(list_files(moved)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "train.py").write_text("a "),
        lambda folder: (folder / "train.py").rename(folder / "tune.py"),
        lambda folder: (folder / "project/new.yaml").write_text(""),
        lambda folder: (folder / "project/labels.py").unlink(),
    ],
    ids=["content", "name", "one more", "one less"],
)
def test_every_other_change_makes_it_something_else(folder, change):
    before = digest_folder(folder)
    change(folder)
    assert digest_folder(folder) != before


def test_the_code_of_a_run_is_the_same_in_a_clone_that_no_tool_has_touched(tmp_path, monkeypatch):
    digest = experiment_code.__wrapped__  # what it gives is kept for the process, and this test moves the code
    here = digest()
    clone = tmp_path / "experiment"
    for name in list_files(identity.HERE):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(identity.HERE / name, clone / name)
    monkeypatch.setattr(identity, "HERE", clone)
    for change, same in ((None, True), ("display.py", True), ("project/.ruff_cache", True), ("world.py", False)):
        if change:
            (clone / change).write_text("changed")
        assert (digest() == here) is same, change
