"""Files are written whole or not at all; a full disk is one clear error."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from analysis.base import paths
from analysis.base.errors import DiskFullError
from analysis.base.paths import disk_errors, relative, require_space, write_atomic


def test_write_replaces_the_file_and_leaves_no_other(tmp_path):
    target = tmp_path / "new" / "a.txt"
    write_atomic(target, "one")
    write_atomic(target, b"two")
    assert target.read_text() == "two"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    target = write_atomic(tmp_path / "a.txt", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    with pytest.raises(DiskFullError, match=r"No space left in .*MB free"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_really_full_device_is_the_same_error():
    full = Path("/dev/full")
    if not full.exists():  # macOS has none; the test above covers the rule there
        with pytest.raises(DiskFullError), disk_errors(Path("/")):
            raise OSError(errno.ENOSPC, "No space left on device")
        return
    with pytest.raises(DiskFullError), disk_errors(Path("/")), full.open("w") as file:
        file.write("x" * 100_000)


def test_other_os_errors_pass_through(tmp_path):
    with pytest.raises(PermissionError), disk_errors(tmp_path):
        raise PermissionError(errno.EACCES, "denied")


def test_too_little_space_is_refused_before_work(tmp_path):
    require_space(tmp_path / "made", 0)
    assert (tmp_path / "made").is_dir()
    with pytest.raises(DiskFullError, match="free some space"):
        require_space(tmp_path, 1e12)


def test_paths_are_named_as_users_know_them(tmp_path):
    assert relative(paths.DATA / "survey" / "x.csv") == "data/survey/x.csv"
    assert relative(tmp_path / "x") == (tmp_path / "x").as_posix()
