"""Order of the test files, which two processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = ("tests/report/test_build.py", "tests/experiment/test_resume.py")
"""Files that take minutes: whoever is left with one at the end would make the other process wait."""

MIDDLE = "tests/experiment/test_practices.py"
"""It takes minutes and measures latencies: the first ones are to be over."""

AFTER_IT = "tests/reporting"
"""The files from this folder on come after it."""


def _place(path: str) -> int:
    if path in FIRST:
        return FIRST.index(path) - len(FIRST)
    return 1 if path == MIDDLE else 2 * (path >= AFTER_IT)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by file, and leave the order within a file alone."""
    items.sort(key=lambda item: _place(item.path.relative_to(Path(config.rootpath)).as_posix()))
