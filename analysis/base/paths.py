"""Where things are, and how files are written: whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.base.errors import DiskFullError, Problem

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
PROFILES = NOTEBOOKS / "profiles"
REPORT = ROOT / "report"
BUILD = REPORT / "build"
"""Everything made by a build; never committed, safe to delete."""

MIN_FREE_MB = 60
"""Free space that one build step may need (executed notebook, figures, PDF, HTML), measured × 4."""


def relative(path: Path | str) -> str:
    """The path as users know it: relative to the project where it lies inside, POSIX slashes."""
    path = Path(path)
    for form in (path.absolute(), path.resolve()):  # report/build may be a link to another disk
        if form.is_relative_to(ROOT):
            return form.relative_to(ROOT).as_posix()
    return path.as_posix()


def disk_full(folder: Path) -> DiskFullError:
    """The one error for a full device; also for programs that only say so in their output."""
    free = shutil.disk_usage(folder).free / 1e6
    return DiskFullError(
        f"No space left in {relative(folder)}: {free:.0f} MB free, a build step needs up to {MIN_FREE_MB} MB.",
        [Problem("", "nothing was half-written", "free some space, then give the same command again")],
    )


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn 'no space left' anywhere in the block into one `DiskFullError` that names ``folder``."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(folder) from error
        raise


def require_space(folder: Path, megabytes: float = MIN_FREE_MB) -> None:
    """Raise `DiskFullError` before work starts when ``folder`` has less than ``megabytes`` free."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < megabytes * 1e6:
        raise disk_full(folder)


def write_atomic(path: Path, content: str | bytes) -> Path:
    """Write ``content`` to ``path`` through a temporary file in the same folder and a rename.

    A reader sees the old file or the new one, never a part; a failed write leaves the old one.

    Raises
    ------
    DiskFullError
        The device is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    with disk_errors(path.parent):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return path
