"""Order of the test files, which two processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = ("tests/report/test_build.py", "tests/experiment/test_resume.py")
"""Files that take minutes: whoever is left with one at the end would make the other process wait."""

LAST = ("tests/experiment/test_practices.py",)
"""Files whose outcome rests on latencies, measured when the machine has little else to do."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by file, and leave the order within a file alone."""
    place = {Path(config.rootpath) / name: number - len(FIRST) for number, name in enumerate(FIRST)}
    place |= {Path(config.rootpath) / name: number + 1 for number, name in enumerate(LAST)}
    items.sort(key=lambda item: place.get(item.path, 0))
