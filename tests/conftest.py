"""Order of the test files, which two processes share."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = ("tests/report/test_build.py", "tests/experiment/test_resume.py")
"""Files that take minutes: whoever is left with one at the end would make the other process wait."""

BEFORE = {"tests/experiment/test_practices.py": "tests/reporting"}
"""File → folder before which it comes: it takes minutes and measures latencies, so the first ones are to be over."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by file, and leave the order within a file alone."""
    root = Path(config.rootpath)
    place = {root / name: number - len(FIRST) for number, name in enumerate(FIRST)}
    held = {root / name for name in BEFORE}
    late = min((root / folder for folder in BEFORE.values()), default=root)
    rest = {item.path: 2 if late in item.path.parents or item.path > late else 0 for item in items}
    items.sort(key=lambda item: place.get(item.path, 1 if item.path in held else rest[item.path]))
