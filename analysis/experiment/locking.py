"""One process at a time: locks that the system releases when their holder dies, however it dies.

``flock`` excludes threads of one process as well as other processes. A forked child would inherit the
lock and keep it when its parent is killed; so children drop it as soon as they are born.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_held: set[int] = set()
_POLL_S = 0.05


def _drop_inherited() -> None:
    for handle in _held:
        os.close(handle)  # closing a copy leaves the parent's lock alone
    _held.clear()


os.register_at_fork(after_in_child=_drop_inherited)


def try_lock(handle: int, patience_s: float = 0.0) -> bool:
    """Lock an open file for this process alone, trying for ``patience_s`` seconds; False if it is taken."""
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_S)
        else:
            _held.add(handle)
            return True


def close_locked(handle: int) -> None:
    """Close a file locked by `try_lock`, and with it the lock."""
    _held.discard(handle)
    os.close(handle)


@contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None, heartbeat_s: float = 3.0) -> Iterator[None]:
    """Hold the lock named ``path`` in the block; wait for it as long as it takes.

    Parameters
    ----------
    path : Path
        File that stands for the lock; it is there only while somebody holds it or waits for it.
    waiting : callable, optional
        Called every ``heartbeat_s`` seconds of waiting.
    """
    while (handle := _take(path, heartbeat_s)) is None:
        if waiting is not None:
            waiting()
    try:
        yield
    finally:
        _release(path, handle)


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock named ``path`` in the block if nobody else does; says whether it is held."""
    handle = _take(path, 0.0)
    try:
        yield handle is not None
    finally:
        if handle is not None:
            _release(path, handle)


def _take(path: Path, patience_s: float) -> int | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + patience_s
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not try_lock(handle, max(0.0, end - time.monotonic())):
            os.close(handle)
            return None
        try:
            if os.fstat(handle).st_ino == path.stat().st_ino:
                return handle
        except FileNotFoundError:
            pass
        close_locked(handle)  # its last holder removed the file while we waited: lock the new one


def _release(path: Path, handle: int) -> None:
    path.unlink(missing_ok=True)  # before the lock goes, so that nobody locks a file that is no longer there
    close_locked(handle)
