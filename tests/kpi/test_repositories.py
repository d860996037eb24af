"""Recorded repositories: the committed tables hold together, and recording writes all of them or none."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.kpi.repositories import FILES, READINGS, read_arguments, record_repositories

WHEN = datetime(2026, 6, 1, tzinfo=UTC)


def git(folder: Path, *arguments: str, day: int = 1) -> None:
    when = f"2026-03-{day:02d}T12:00:00+00:00"
    env = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when, "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    who = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, env=env, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path) -> Path:
    """Released on day 2 (1.0), 6 (1.1: two commits of days 4 and 5) and 8 (1.1.1: one commit of day 7)."""
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init")
    for day, tag in ((1, ""), (2, "v1.0"), (4, ""), (5, ""), (6, "v1.1"), (7, ""), (8, "v1.1.1")):
        if tag:
            git(folder, "tag", "-a", tag, "-m", tag, day=day)
        else:
            git(folder, "commit", "--allow-empty", "-m", f"day {day}", day=day)
    return folder


def test_what_is_recorded_is_what_the_history_says(repository, tmp_path):
    paths = record_repositories({"project": (repository, "https://example.org/project")}, tmp_path, WHEN)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == list(FILES)
    facts, metrics, percentiles = (load_table(file, tmp_path) for file in FILES)
    assert facts[["commits", "releases", "changes"]].iloc[0].tolist() == [4, 3, 3]
    assert list(dict.fromkeys(metrics["reading"])) == list(READINGS)
    found = metrics.set_index(["reading", "metric"])["value"]
    # 24 h (day 5 → 6), 48 h (4 → 6), 24 h (7 → 8); the first release is the start of the service.
    assert found["reverts", "lead_time_commit_h"] == 24
    assert found["reverts", "change_fail_rate"] == 0
    assert found["reverts and quick patches", "change_fail_rate"] == 0.5  # 1.1.1 mends 1.1
    assert percentiles.set_index("percentile")["lead_h"][[0, 100]].tolist() == [24, 48]


def test_nothing_is_written_where_one_cannot_be_read(repository, tmp_path):
    wanted = {"project": (repository, "https://example.org/p"), "none": (tmp_path / "none", "https://example.org/n")}
    with pytest.raises(InputError):
        record_repositories(wanted, tmp_path, WHEN)
    with pytest.raises(InputError, match="nothing to record"):
        record_repositories({}, tmp_path, WHEN)
    assert not (tmp_path / "kpi").exists()


def test_the_committed_tables_are_whole():
    facts, metrics, percentiles = (load_table(file) for file in FILES)
    assert set(metrics["repository"]) == set(percentiles["repository"]) == set(facts["repository"])
    assert (metrics.groupby("repository")["reading"].nunique() == len(READINGS)).all()
    rising = percentiles.groupby("repository")["lead_h"].apply(lambda values: values.is_monotonic_increasing)
    assert rising.all()
    assert (percentiles.groupby("repository").size() == 101).all()
    for row in facts.itertuples():
        median = percentiles[(percentiles["repository"] == row.repository) & (percentiles["percentile"] == 50)][
            "lead_h"
        ].iloc[0]
        told = metrics[(metrics["repository"] == row.repository) & (metrics["metric"] == "lead_time_commit_h")][
            "value"
        ].iloc[0]
        assert median == pytest.approx(told, rel=0.02)


@pytest.mark.parametrize("text", ["name", "name=path", "name=path=ftp://x", "=path=https://x", "name==https://x"])
def test_arguments_of_another_form_are_refused(text):
    with pytest.raises(InputError, match="NAME=PATH=ADDRESS"):
        read_arguments(["fine=path=https://example.org", text])


def test_a_name_that_comes_twice_is_refused():
    with pytest.raises(InputError, match="comes twice"):
        read_arguments(["a=p=https://example.org", "a=q=https://example.org"])
