"""The change fail rate of a small history under each part of the rule."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from analysis.kpi.git_sensitivity import build_variants, compute_rule_sensitivity
from analysis.kpi.sources.git_rules import GitRules

DAY = 86_400
START = 1_700_000_000


@pytest.fixture(autouse=True)
def no_user_settings(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def history(path: Path) -> Path:
    """Five releases: v1.1.0 (day 10) is mended by v1.1.1 a day later, v1.2.0 (day 20) by v1.2.1 twenty days later;
    nothing is reverted."""
    releases = [("v1.0.0", 0), ("v1.1.0", 10), ("v1.1.1", 11), ("v1.2.0", 20), ("v1.2.1", 40)]
    stream = []
    for mark, (name, day) in enumerate(releases, start=1):
        when = START + day * DAY
        stream += [
            "reset refs/heads/main\n" if mark == 1 else "",
            f"commit refs/heads/main\nmark :{mark}\ncommitter A <a@example.org> {when} +0000\ndata 4\nwork\n",
            f"from :{mark - 1}\n" if mark > 1 else "",
            f"M 644 inline file\ndata {len(name)}\n{name}\n\n",
            f"reset refs/tags/{name}\nfrom :{mark}\n\n",
        ]
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream).encode(), check=True)
    return path


def test_rates_of_a_worked_history(tmp_path):
    """Failed: as it is (7 days) v1.1.0, one of five; within 30 days also v1.2.0; without hotfixes none."""
    table = compute_rule_sensitivity(history(tmp_path / "shop")).set_index("rule")
    expected = {
        "as it is": 0.2,
        "reverts only": 0.0,
        "hotfixes only": 0.2,
        "hotfix within 2 days": 0.2,
        "hotfix within 30 days": 0.4,
        "neither": 0.0,
    }
    assert table["value"].to_dict() == pytest.approx(expected)
    assert (table["n"] == 5).all() and (table["high"] > table["value"]).all()


def test_a_variant_that_is_the_rule_is_not_said_twice():
    assert "hotfix within 30 days" not in build_variants(GitRules(hotfix_within_days=30))
    assert next(iter(build_variants(GitRules()))) == "as it is"
