"""The longest test files come first: two processes share the files, and the last one is not to wait for a long one."""

from __future__ import annotations

from pathlib import Path

import pytest

LONGEST = ("tests/report/test_build.py", "tests/experiment/test_resume.py", "tests/experiment/test_practices.py")
"""Files that train and serve models for minutes, the longest first."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by file, and leave the order within a file alone."""
    rank = {Path(config.rootpath) / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
