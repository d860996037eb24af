"""A git history of 5,500 commits and 60 release tags: the workbench beside PyDriller walking the same releases.

The history has merged branches, squashed changes and reverts. PyDriller is given what it asks for, a range of tags for
each release, and is asked for the same facts: names, times, messages and parents.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
import pytest
from pydriller import Repository

from analysis.kpi.sources.git import read_repository

COMMITS, RELEASES = 5_500, 60
AT_MOST_S, AT_LEAST_TIMES = 1.0, 10


@pytest.fixture(scope="module")
def history(tmp_path_factory) -> Path:
    """Topic branches of one to six commits, merged or squashed; a tag after every COMMITS / RELEASES commits."""
    rng = np.random.default_rng(4)
    path = tmp_path_factory.mktemp("history") / "service"
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    stream: list[bytes] = []
    now, made, tags, tip = 1_600_000_000, 0, 0, 0

    def commit(parents: tuple[int, ...], text: str) -> int:
        nonlocal now, made
        now, made = now + int(rng.exponential(20_000)), made + 1
        message = f"{text}\n\n{'Why it was done, in some words. ' * 6}".encode()
        stream.append(f"commit refs/heads/main\nmark :{made}\nauthor A <a@example.org> {now} +0000\n".encode())
        stream.append(f"committer A <a@example.org> {now + 60} +0000\ndata {len(message)}\n".encode() + message + b"\n")
        stream.extend(f"{'merge' if at else 'from'} :{parent}\n".encode() for at, parent in enumerate(parents))
        content = f"content {made}\n"
        stream.append(f"M 644 inline file{made % 200}\ndata {len(content)}\n{content}\n".encode())
        return made

    while made < COMMITS:
        topic, size = tip, min(int(rng.integers(1, 7)), COMMITS - made)
        if size > 2 and rng.random() < 0.5:
            for _ in range(size - 1):
                topic = commit((topic,) if topic else (), f"part {made}")
            tip = commit((tip, topic), f"Merge pull request #{made}") if tip else topic
        else:
            tip = commit((tip,) if tip else (), 'Revert "part 7"' if rng.random() < 0.02 else f"Change (#{made})")
        while tags < RELEASES and made >= (tags + 1) * COMMITS // RELEASES:
            tags += 1
            tagger = f"tagger A <a@example.org> {now + 3600} +0000"
            stream.append(f"tag v1.{tags}.0\nfrom :{tip}\n{tagger}\ndata 1\nx\n".encode())
    command = ["git", "-C", path, "fast-import", "--quiet", "--force"]
    subprocess.run(command, input=b"".join(stream), check=True)
    return path


def walk_with_pydriller(path: Path) -> dict[str, dict[str, int]]:
    """Release → commit → author time in seconds; the release's own commit may belong to the one before."""
    found = {}
    for release in range(1, RELEASES + 1):
        span = {"from_tag": f"v1.{release - 1}.0"} if release > 1 else {}
        commits = {}
        for commit in Repository(str(path), to_tag=f"v1.{release}.0", **span).traverse_commits():
            facts = (commit.committer_date, commit.msg, commit.parents)
            assert len(facts) == 3
            commits[commit.hash] = int(commit.author_date.timestamp())
        found[f"v1.{release}.0"] = commits
    return found


def read(path: Path) -> pl.DataFrame:
    return read_repository(path).events.collect()


@pytest.mark.benchmark(group="5,500 commits, 60 releases")
def test_workbench(benchmark, history):
    events = benchmark.pedantic(read, (history,), rounds=15, warmup_rounds=1)
    deployments = events.filter(pl.col("type") == "service.deployed")
    assert deployments["change"].n_unique() == COMMITS and deployments["subject"].n_unique() == RELEASES
    assert benchmark.stats.stats.max < AT_MOST_S


@pytest.mark.benchmark(group="5,500 commits, 60 releases")
def test_pydriller(benchmark, history):
    seconds = []

    def read_first() -> None:  # ours before each round of theirs, so that both meet the same machine
        start = time.perf_counter()
        read(history)
        seconds.append(time.perf_counter() - start)

    walked = benchmark.pedantic(walk_with_pydriller, (history,), setup=read_first, rounds=5, warmup_rounds=1)
    events = read(history)
    committed = dict(
        events.filter(pl.col("type") == "change.committed").select("change", pl.col("time").dt.epoch("s")).rows()
    )
    deployed = events.filter(pl.col("type") == "service.deployed").group_by("subject").agg("change")
    out: set[str] = set()
    ours = {release: set(changes) for release, changes in deployed.rows()}
    for release, commits in walked.items():
        assert ours[release] == set(commits) - out
        assert all(committed[sha] == author for sha, author in commits.items())
        out |= set(commits)
    times = benchmark.stats.stats.median / median(seconds)
    print(f"\nPyDriller {benchmark.stats.stats.median:.2f} s, the workbench {median(seconds):.3f} s: {times:.0f} times")
    assert times >= AT_LEAST_TIMES
