"""A git repository as an event log: every kind of history, against plain git."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.events import SCHEMA
from analysis.kpi.sources import git_plumbing
from analysis.kpi.sources.git import read_repository
from analysis.kpi.sources.git_plumbing import read_commits, read_refs
from analysis.kpi.sources.git_rules import GitRules, load_rules, parse_version

START = 1_700_000_000
HOUR = 3600
QUIET = GitRules(hotfix_version="never")


@pytest.fixture(autouse=True)
def no_user_settings(monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def run(path: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", path, *arguments], input=stdin, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace").strip()


class Builder:
    """Writes a history through ``git fast-import``; times are hours after START."""

    def __init__(self, path: Path) -> None:
        self.path, self._stream, self._marks = path, [], 0
        subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)

    def commit(
        self, *parents: int, at: float, committed: float | None = None, message: str = "", tree: str = ""
    ) -> int:
        """A commit's mark; ``tree`` names its content, else it is like no other."""
        self._marks += 1
        mark = self._marks
        text = (message or f"commit {mark}").encode()
        when = [int(START + hours * HOUR) for hours in (at, at if committed is None else committed)]
        lines = [b"reset refs/heads/build\n\n"] if not parents else []
        lines.append(f"commit refs/heads/build\nmark :{mark}\nauthor A <a@example.org> {when[0]} +0130\n".encode())
        lines.append(f"committer C <c@example.org> {when[1]} +0000\ndata {len(text)}\n".encode() + text + b"\n")
        for at_parent, parent in enumerate(parents):
            lines.append(f"{'merge' if at_parent else 'from'} :{parent}\n".encode())
        content = tree or f"content {mark}"
        lines.append(f"deleteall\nM 644 inline file\ndata {len(content)}\n{content}\n".encode())
        self._stream += lines
        return mark

    def branch(self, name: str, mark: int) -> None:
        self._stream.append(f"reset refs/heads/{name}\nfrom :{mark}\n\n".encode())

    def tag(self, name: str, mark: int, at: float | None = None) -> None:
        """An annotated tag where it has a time, else a lightweight one."""
        if at is None:
            self._stream.append(f"reset refs/tags/{name}\nfrom :{mark}\n\n".encode())
            return
        tagger = f"tagger T <t@example.org> {int(START + at * HOUR)} +0000"
        self._stream.append(f"tag {name}\nfrom :{mark}\n{tagger}\ndata 1\nx\n".encode())

    def write(self, main: int | None = None) -> dict[int, str]:
        """Ends the stream; mark → object name."""
        if main is not None:
            self.branch("main", main)
        self._stream.append(b"reset refs/heads/build\nfrom " + b"0" * 40 + b"\n\n")
        marks = self.path / "marks"
        arguments = ("fast-import", "--quiet", "--force", f"--export-marks={marks}")
        run(self.path, *arguments, stdin=b"".join(self._stream))
        lines = marks.read_text().splitlines()
        return {int(line.split()[0][1:]): line.split()[1] for line in lines}


def hours(moment: datetime) -> float:
    return (moment.timestamp() - START) / HOUR


def deployed(log) -> dict[str, set[str]]:
    """Release → its changes."""
    rows = log.events.filter(pl.col("type") == "service.deployed").group_by("subject").agg("change").collect()
    return {name: set(changes) for name, changes in rows.iter_rows()}


def times(log, kind: str) -> dict[str, float]:
    """Subject → hours after START."""
    rows = log.events.filter(pl.col("type") == kind).select("subject", "time").collect()
    return {subject: hours(time) for subject, time in rows.iter_rows()}


def kinds(log) -> set[str]:
    return set(log.findings["finding"])


def releases(log) -> dict[str, dict]:
    return {release["name"]: release for release in log.about["releases"]}


def linear(path: Path, count: int = 4) -> tuple[Builder, dict[int, str]]:
    """One commit an hour, v1.0.0 after the second, v1.1.0 after the fourth."""
    build = Builder(path)
    last = 0
    for hour in range(1, count + 1):
        last = build.commit(*([last] if last else []), at=hour)
    build.tag("v1.0.0", 2, at=2.5)
    build.tag("v1.1.0", 4, at=10)
    return build, build.write(last)


# ---- sets, times and lead times --------------------------------------------------------------------


def test_every_row_of_a_small_history(tmp_path):
    """Four commits at 1, 2, 3, 4 h; v1.0.0 (2.5 h) has the first two, v1.1.0 (10 h) the others; a fifth waits.

    Lead times: 1.5 h and 0.5 h; 7 h and 6 h.
    """
    build = Builder(tmp_path / "shop.git")
    one = build.commit(at=1, committed=1.25)
    two = build.commit(one, at=2)
    three = build.commit(two, at=3)
    four = build.commit(three, at=4)
    five = build.commit(four, at=20)
    build.tag("v1.0.0", two, at=2.5)
    build.tag("v1.1.0", four, at=10)
    sha = build.write(five)
    log = read_repository(build.path)
    events = log.events.collect()
    assert dict(events.schema) == SCHEMA
    assert log.name == "shop" and set(events["service"]) == {"shop"} and events["environment"].null_count() == 13 + 1
    columns = events.select("type", "subject", "change", "time").iter_rows()
    found = {(kind, subject, change, hours(time)) for kind, subject, change, time in columns}
    every = list(zip((one, two, three, four, five), (1, 2, 3, 4, 20), strict=True))
    expected = {("change.committed", sha[at], sha[at], hour) for at, hour in every}
    expected |= {("change.merged", sha[at], sha[at], max(hour, 1.25)) for at, hour in every}
    expected |= {("service.deployed", "v1.0.0", sha[at], 2.5) for at in (one, two)}
    expected |= {("service.deployed", "v1.1.0", sha[at], 10) for at in (three, four)}
    assert found == expected and len(events) == len(expected)
    assert not events.select("source", "id", "change").is_duplicated().any()
    assert log.findings.is_empty()
    assert log.about["commit"] == sha[five] and log.about["branch"] == "main" and log.about["commits"] == 5
    assert log.about["version"] == "1.1.0" and log.about["rules"]["prereleases"] == "leave out"
    assert releases(log)["v1.1.0"] == {
        "name": "v1.1.0", "commit": sha[four], "version": "1.1.0", "previous": "v1.0.0",
        "time": datetime.fromtimestamp(START + 10 * HOUR, UTC), "commits": 2, "first": 2, "rework": False,
        "failed": False,
    }  # fmt: skip


def test_release_time_is_the_tags_or_the_commits(tmp_path):
    build = Builder(tmp_path)
    one = build.commit(at=1)
    two = build.commit(one, at=2, committed=3)
    build.tag("v1.0", one, at=50)
    build.tag("v2.0", two)
    build.write(two)
    assert {name: hours(item["time"]) for name, item in releases(read_repository(tmp_path)).items()} == {
        "v1.0": 50, "v2.0": 3,
    }  # fmt: skip
    log = read_repository(tmp_path, rules=GitRules(release_time="commit"))
    assert {name: hours(item["time"]) for name, item in releases(log).items()} == {"v1.0": 1, "v2.0": 3}


def branched(path: Path) -> tuple[Builder, dict[int, str]]:
    """Main: 1, merge 4 of (2, 3), squash 5, rebased 6 and 7; v1.0 at 1, v2.0 at 7."""
    build = Builder(path)
    one = build.commit(at=1)
    two = build.commit(one, at=2)
    three = build.commit(two, at=3)
    four = build.commit(one, three, at=10, message="Merge pull request #4 from a/topic")
    five = build.commit(four, at=20, message="Squashed (#5)")
    six = build.commit(five, at=12, committed=30)
    seven = build.commit(six, at=13, committed=30)
    build.tag("v1.0", one)
    build.tag("v2.0", seven, at=40)
    return build, build.write(seven)


def test_changes_are_commits_or_what_reached_the_main_line(tmp_path):
    """By merge: 4 began at 2 h with its first commit; squash and rebase stand for themselves."""
    _, sha = branched(tmp_path)
    log = read_repository(tmp_path)
    assert deployed(log)["v2.0"] == {sha[at] for at in (2, 3, 4, 5, 6, 7)}
    merged = times(log, "change.merged")
    assert [merged[sha[at]] for at in range(1, 8)] == [1, 10, 10, 10, 20, 30, 30]
    log = read_repository(tmp_path, unit="merge")
    assert deployed(log) == {"v1.0": {sha[1]}, "v2.0": {sha[at] for at in (4, 5, 6, 7)}}
    assert times(log, "change.committed") == {sha[1]: 1, sha[4]: 2, sha[5]: 20, sha[6]: 12, sha[7]: 13}
    assert times(log, "change.merged") == {sha[1]: 1, sha[4]: 10, sha[5]: 20, sha[6]: 30, sha[7]: 30}
    log = read_repository(tmp_path, rules=GitRules(merge_commits=False))
    assert deployed(log)["v2.0"] == {sha[at] for at in (2, 3, 5, 6, 7)}


def test_every_merge_is_a_deployment(tmp_path):
    build, sha = branched(tmp_path)
    log = read_repository(tmp_path, deployments="merges", branch="main")
    assert deployed(log) == {
        sha[1]: {sha[1]}, sha[4]: {sha[2], sha[3], sha[4]}, sha[5]: {sha[5]}, sha[6]: {sha[6]}, sha[7]: {sha[7]},
    }  # fmt: skip
    assert times(log, "service.deployed")[sha[4]] == 10
    assert releases(log)[sha[5]]["previous"] == sha[4]
    log = read_repository(build.path, deployments="merges", unit="merge")
    assert deployed(log)[sha[4]] == {sha[4]} and times(log, "change.committed")[sha[4]] == 2


def test_a_maintenance_branch_compares_with_the_release_that_it_left(tmp_path):
    """1 (v1.0) – 2 – 4 (v2.0) on main; 1 – 3 – 5 on the branch, v1.0.1 after v2.0; merged back by 6, v3.0."""
    build = Builder(tmp_path)
    one = build.commit(at=1)
    two = build.commit(one, at=2)
    three = build.commit(one, at=3)
    four = build.commit(two, at=4)
    five = build.commit(three, at=5)
    six = build.commit(four, five, at=8)
    seven = build.commit(six, at=9)
    for name, mark in (("v1.0", one), ("v2.0", four), ("v1.0.1", five), ("v3.0", seven)):
        build.tag(name, mark)
    build.branch("maintenance", five)
    sha = build.write(seven)
    log = read_repository(tmp_path, rules=QUIET)
    assert {name: item["previous"] for name, item in releases(log).items()} == {
        "v1.0": None, "v2.0": "v1.0", "v1.0.1": "v1.0", "v3.0": "v2.0",
    }  # fmt: skip
    assert deployed(log)["v1.0.1"] == {sha[three], sha[five]}
    assert deployed(log)["v3.0"] == {sha[at] for at in (three, five, six, seven)}  # git log v2.0..v3.0
    (repeated,) = log.findings.filter(pl.col("finding") == "released before").iter_rows(named=True)
    assert repeated["id"] == "v3.0" and "2 of the 4" in repeated["what"]
    # what was released from the branch had reached its line then, not only when it was merged back
    assert times(log, "change.merged")[sha[three]] == 3
    assert times(read_repository(tmp_path, rules=QUIET, unit="merge"), "change.merged")[sha[six]] == 8


def test_a_tag_made_long_after_is_no_predecessor(tmp_path):
    """v1.0 is set on commit 1 at 99 h: v2.0 had brought that commit at 3 h."""
    build = Builder(tmp_path)
    one = build.commit(at=1)
    two = build.commit(one, at=2)
    build.tag("v1.0", one, at=99)
    build.tag("v2.0", two, at=3)
    sha = build.write(two)
    log = read_repository(tmp_path)
    assert deployed(log) == {"v2.0": {sha[one], sha[two]}, "v1.0": {sha[one]}}
    assert releases(log)["v1.0"]["first"] == 0
    log = read_repository(tmp_path, rules=GitRules(release_time="commit"))
    assert deployed(log) == {"v1.0": {sha[one]}, "v2.0": {sha[two]}}


def test_first_release_as_the_start_of_the_service(tmp_path):
    _, sha = linear(tmp_path)
    log = read_repository(tmp_path, rules=GitRules(first_release="start"))
    assert deployed(log) == {"v1.0.0": {None}, "v1.1.0": {sha[3], sha[4]}}
    assert set(times(log, "change.committed")) == {sha[3], sha[4]}
    assert kinds(log) == {"first release"}


@st.composite
def histories(draw):
    """Parents, author and committer hours of each commit, and tags: random graphs with clocks that disagree."""
    size = draw(st.integers(1, 14))
    parents = [()]
    for at in range(1, size):
        several = draw(st.lists(st.integers(max(0, at - 5), at - 1), max_size=3, unique=True))
        parents.append(tuple(several))
    clocks = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=size, max_size=size))
    tags = draw(st.dictionaries(st.integers(0, size - 1), st.none() | st.integers(0, 90), min_size=1, max_size=6))
    return parents, clocks, tags


def contained(parents: list[tuple[int, ...]], at: int) -> set[int]:
    return {at}.union(*(contained(parents, parent) for parent in parents[at]))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_random_graphs_give_what_git_log_gives(tmp_path_factory, history):
    parents, clocks, tags = history
    build = Builder(tmp_path_factory.mktemp("history"))
    for several, (author, committer) in zip(parents, clocks, strict=True):
        build.commit(*(parent + 1 for parent in several), at=author, committed=committer)
    for at, when in tags.items():
        build.tag(f"v{at}", at + 1, at=when)
    build.write(len(parents))
    log = read_repository(build.path)
    changes, written = deployed(log), times(log, "change.committed")
    assert set(changes) == {f"v{at}" for at in tags}
    created = run(build.path, "for-each-ref", "--format=%(refname:short) %(creatordate:unix)", "refs/tags").splitlines()
    when = {name: int(seconds) for name, seconds in (line.split() for line in created)}
    order = [release["name"] for release in log.about["releases"]]
    out: set[str] = set()
    for release in log.about["releases"]:
        name, previous = release["name"], release["previous"]
        span = f"{previous}..{name}" if previous else name
        lines = run(build.path, "log", "--format=%H %at", span, "--").splitlines()
        plain = {sha: when[name] - int(author) for sha, author in (line.split() for line in lines)}
        released = times(log, "service.deployed")[name]
        assert {sha: round((released - written[sha]) * HOUR) for sha in changes[name]} == plain
        # the nearest of the earlier releases that are ancestors: none leaves fewer commits
        own = contained(parents, int(name[1:]))
        left = {
            other: len(own - contained(parents, int(other[1:])))
            for other in order[: order.index(name)]
            if int(other[1:]) in own
        }
        assert (left == {} and previous is None) or left[previous] == min(left.values())
        # the first release that contains a commit has it among its own
        everything = set(run(build.path, "rev-list", name, "--").splitlines())
        assert everything - out <= changes[name] and release["first"] == len(everything - out)
        out |= everything
    assert log.events.select(pl.struct("source", "id", "change").is_duplicated().any()).collect().item() is False


def test_unrelated_histories(tmp_path):
    """Two roots, released apart, joined by a merge of both."""
    build = Builder(tmp_path)
    one, two = build.commit(at=1), build.commit(at=2)
    three = build.commit(one, two, at=3)
    build.tag("v1.0", one)
    build.tag("v1.5", two)
    build.tag("v2.0", three)
    sha = build.write(three)
    log = read_repository(tmp_path)
    assert deployed(log)["v1.5"] == {sha[two]} and releases(log)["v1.5"]["previous"] is None
    assert "release without predecessor" in kinds(log)
    assert releases(log)["v2.0"]["previous"] == "v1.5"  # as near as v1.0, and higher


# ---- tags ------------------------------------------------------------------------------------------


def test_tags_that_are_no_releases_are_reported(tmp_path):
    build, sha = linear(tmp_path)
    blob = run(tmp_path, "hash-object", "-w", "--stdin", stdin=b"text")
    run(tmp_path, "tag", "v9.0", blob)
    run(tmp_path, "tag", "v8.0", f"{sha[1]}^{{tree}}")
    run(tmp_path, "tag", "latest", sha[3])
    run(tmp_path, "tag", "v1.1.0rc1", sha[3])
    run(tmp_path, "tag", "1.1.0", sha[4])
    run(tmp_path, "tag", "core-v1.0.9", sha[3])
    log = read_repository(build.path, rules=QUIET)
    found = {(row["finding"], row["id"], row["treatment"]) for row in log.findings.iter_rows(named=True)}
    assert found == {
        ("tag on no commit", "v9.0", "left out"),
        ("tag on no commit", "v8.0", "left out"),
        ("tag is no release", "latest", "left out"),
        ("pre-release", "v1.1.0rc1", "left out"),
        ("two tags on one commit", "v1.1.0", "merged"),  # the lightweight one is dated by the commit, earlier
        ("several families of tags", "", "kept"),
    }
    assert set(deployed(log)) == {"v1.0.0", "core-v1.0.9", "1.1.0"}
    log = read_repository(build.path, tag_pattern=r"v(?P<version>.*)", rules=GitRules(prereleases="count"))
    assert list(deployed(log)) and {"v1.1.0rc1", "v1.1.0"} < set(deployed(log))
    assert deployed(log)["v1.1.0"] == {sha[4]}


def test_tags_of_tags_are_followed(tmp_path):
    build, sha = linear(tmp_path)
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "advice.nestedTag=false")
    run(tmp_path, *identity, "tag", "-a", "-m", "x", "inner", sha[3])
    run(tmp_path, *identity, "tag", "-a", "-m", "x", "middle", "inner")
    run(tmp_path, *identity, "tag", "-a", "-m", "x", "v1.0.5", "middle")
    assert deployed(read_repository(build.path))["v1.0.5"] == {sha[3]}


def test_versions():
    rules = GitRules()
    for text in ("1.0a1", "1.0.0-rc.1", "2.0.dev3", "1.0-SNAPSHOT", "0.6.beta", "1.0.0.rc0", "1.0.0-M2"):
        assert parse_version(text, rules).prerelease, text
    for text in ("1.0", "1.3.4post1", "1.0.post1", "1.0.Final", "1.0+build.rc1", "1_2_3", "1.0-1", "2024.10.01"):
        assert not parse_version(text, rules).prerelease, text
    assert parse_version("1_2_3", rules).numbers == (1, 2, 3)
    assert parse_version("later", rules) is None

    def mends(new: str, old: str) -> str:
        return parse_version(new, rules).mends(parse_version(old, rules))

    assert mends("1.2.1", "1.2") == mends("1.2.3", "1.2.2") == mends("0.2.2.1", "0.2.2") == "patch"
    assert mends("1.3.0.post0", "1.3.0") == mends("1.3.0-1", "1.3.0") == "post"
    assert mends("1.3.0", "1.2.9") == mends("1.2.1", "1.2.1") == mends("1.2.1", "1.2.2") == ""
    assert mends("2024.10.2", "2024.10.1") == ""


# ---- odd repositories ------------------------------------------------------------------------------


def test_shallow_clone_is_reported(tmp_path):
    linear(tmp_path / "whole", count=6)
    subprocess.run(
        ["git", "clone", "-q", "--depth=3", f"file://{tmp_path / 'whole'}", tmp_path / "cut"], check=True
    )  # fmt: skip
    run(tmp_path / "cut", "fetch", "-q", "--tags", "--depth=3")
    log = read_repository(tmp_path / "cut")
    assert log.about["shallow"] and log.about["commits"] < 6
    (finding,) = log.findings.filter(pl.col("finding") == "shallow clone").iter_rows(named=True)
    assert "--unshallow" in finding["remedy"]


def test_text_and_times_that_cannot_be_read(tmp_path):
    """Latin-1 as it says, Latin-1 without saying so, a NUL, times that are none, a child before its parent."""
    build, sha = linear(tmp_path)
    tree = run(tmp_path, "rev-parse", f"{sha[4]}^{{tree}}")

    def raw(parent: str, author: str, committer: str, message: bytes, header: str = "") -> str:
        text = f"tree {tree}\nparent {parent}\nauthor A <a@b> {author}\ncommitter C <c@d> {committer}\n{header}\n"
        content = text.encode() + message
        return run(tmp_path, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=content)

    later = START + 5 * HOUR
    said = raw(sha[4], f"{later} +0000", f"{later} +0000", "Größe\n".encode("latin-1"), "encoding ISO-8859-1\n")
    silent = raw(said, f"{later} +0000", f"{later} +0000", "Größe\n".encode("latin-1"))
    cut = raw(silent, f"{later} +0000", f"{later} +0000", b"before\0after\n\nbody\0end\n")
    vague = raw(cut, "99999999999999999999 +0000", f"{later} +0000", b"far future\n")
    lost = raw(vague, "", "", b"no times\n")
    early = raw(lost, f"{START} +0000", f"{START} +0000", b"child before its parent\n")
    run(tmp_path, "update-ref", "refs/heads/main", early)
    run(tmp_path, "tag", "v1.2.0", early)
    commits = read_commits(tmp_path, [early])
    assert commits.shas[:6] == [early, lost, vague, cut, silent, said]
    assert commits.subjects[5] == "Größe" and commits.subjects[4] == "Gr\ufffd\ufffde"
    assert commits.author.tolist()[1:4] == commits.committer.tolist()[1:4] == [later] * 3
    log = read_repository(build.path, rules=QUIET)
    rows = {(row["finding"], row["id"]) for row in log.findings.iter_rows(named=True)}
    assert {("text not in UTF-8", silent), ("unreadable time", vague), ("unreadable time", lost)} <= rows
    assert ("clock skew", early) in rows and ("release before its predecessor", "v1.2.0") in rows
    negative = log.findings.filter(pl.col("finding") == "negative lead time")
    assert set(negative["id"]) == {lost, vague, cut, silent, said} and set(negative["treatment"]) == {"kept"}
    assert deployed(log)["v1.2.0"] == {early, lost, vague, cut, silent, said}


def test_refuses_what_is_no_repository(tmp_path, monkeypatch):
    def refused(path: Path, **options) -> str:
        with pytest.raises(InputError) as caught:
            read_repository(path, **options)
        return str(caught.value)

    assert "is not a folder" in refused(tmp_path / "nowhere")
    (tmp_path / "plain").mkdir()
    assert "not a git repository" in refused(tmp_path / "plain")
    subprocess.run(["git", "init", "-q", tmp_path / "new"], check=True)
    assert "it has no commit" in refused(tmp_path / "new")
    assert "commit something first" in refused(tmp_path / "new", deployments="merges")
    build = Builder(tmp_path / "untagged")
    build.write(build.commit(at=1))
    assert 'deployments="merges"' in refused(build.path) and "git fetch --tags" in refused(build.path)
    run(build.path, "tag", "v1.0rc1")
    assert "pre-releases" in refused(build.path)
    assert "do not match 'x.*'" in refused(build.path, tag_pattern="x.*")
    assert "name one with branch=: main" in refused(build.path, branch="master")
    (build.path / "inside").mkdir()
    assert "not a git repository" in refused(build.path / "inside")  # and not the one around it
    said = refused(build.path, deployments="commits", unit="line", tag_pattern="(", begin=datetime(2026, 1, 1))
    assert all(word in said for word in ("tags, merges", "commit, merge", "no regular expression", "no zone"))
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert "is not before" in refused(build.path, begin=moment, end=moment)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git, which is not installed" in refused(build.path)


def test_a_damaged_repository_is_refused_in_gits_words(tmp_path):
    build, sha = linear(tmp_path)
    (tmp_path / ".git/objects" / sha[2][:2] / sha[2][2:]).unlink()
    with pytest.raises(InputError, match=sha[2]):
        read_repository(build.path)


def test_bare_repository_detached_head_and_unborn_head(tmp_path):
    build, sha = linear(tmp_path / "work")
    subprocess.run(["git", "clone", "-q", "--bare", build.path, tmp_path / "bare.git"], check=True)
    assert deployed(read_repository(tmp_path / "bare.git")) == deployed(read_repository(build.path))
    run(build.path, "update-ref", "--no-deref", "HEAD", sha[3])
    run(build.path, "checkout", "-q", "--detach", sha[3])
    assert read_repository(build.path, deployments="merges").about["commit"] == sha[3]
    run(tmp_path / "bare.git", "symbolic-ref", "HEAD", "refs/heads/gone")
    log = read_repository(tmp_path / "bare.git")
    assert log.about["branch"] is None and log.about["commit"] == sha[4]
    with pytest.raises(InputError, match="branch=: main"):
        read_repository(tmp_path / "bare.git", deployments="merges")


def test_runs_nothing_that_the_repository_names(tmp_path, monkeypatch):
    """Hooks, pager, monitor, signature program, aliases and a remote to fetch from: none of them is started."""
    build, sha = linear(tmp_path / "hostile")
    trap, sign = tmp_path / "trap", tmp_path / "ran"
    trap.write_text(f"#!/bin/sh\necho $0 >> {sign}\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "pager.rev-list", "gpg.program", "core.sshCommand", "core.editor",
                "alias.rev-list", "alias.for-each-ref", "core.gitProxy", "diff.external", "core.alternateRefsCommand",
                "remote.origin.uploadpack", "core.askPass", "credential.helper"):  # fmt: skip
        run(build.path, "config", key, f"!{trap}" if key.startswith(("alias", "cred")) else str(trap))
    hooks = build.path / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (hooks / name).unlink(missing_ok=True)
        (hooks / name).symlink_to(trap)
    for key, value in (
        ("log.showSignature", "true"), ("core.hooksPath", str(hooks)), ("protocol.ext.allow", "always"),
        ("remote.origin.url", f"ext::{trap} %S"), ("remote.origin.promisor", "true"),
        ("remote.origin.partialclonefilter", "tree:0"), ("extensions.partialClone", "origin"),
        ("core.repositoryformatversion", "1"),
    ):  # fmt: skip
        run(build.path, "config", key, value)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_TRACE", "1")
    assert deployed(read_repository(build.path))["v1.0.0"] == {sha[1], sha[2]}
    # what is missing is not fetched
    (build.path / ".git/refs/tags/v3.0").write_text("1" * 40 + "\n")
    with pytest.raises(InputError, match="1" * 40):
        read_repository(build.path)
    assert not sign.exists()
    # the trap is real: git on its own walks into it
    monkeypatch.undo()
    subprocess.run(["git", "-C", build.path, "cat-file", "-p", "1" * 40], capture_output=True, check=False)
    fetched = sign.exists()
    sign.unlink(missing_ok=True)
    subprocess.run(["git", "-C", build.path, "status"], capture_output=True, check=False)
    assert fetched and sign.exists()


def test_as_many_processes_however_long_the_history(tmp_path, monkeypatch):
    started, real = [], subprocess.run

    def counting(command, **options):
        started.append(command)
        return real(command, **options)

    for count in (4, 40):
        build, _ = linear(tmp_path / str(count), count)
        monkeypatch.setattr(git_plumbing.subprocess, "run", counting)
        read_repository(build.path)
        monkeypatch.undo()
    assert len(started) == 2 * 3


def test_refs_of_remotes_serve_as_branches(tmp_path):
    build, sha = linear(tmp_path / "work")
    subprocess.run(["git", "clone", "-q", build.path, tmp_path / "clone"], check=True)
    run(tmp_path / "clone", "update-ref", "refs/remotes/origin/next", sha[3])
    assert set(read_refs(tmp_path / "clone").branches) == {"main", "origin/main", "origin/next"}
    log = read_repository(tmp_path / "clone", deployments="merges", branch="origin/next")
    assert log.about["commit"] == sha[3] and len(log.about["releases"]) == 3


# ---- rules: failures, hotfixes, rollbacks ----------------------------------------------------------


def reverting(path: Path, message: str, *, subject: str = "Add x (#7)", before_release: bool = False):
    """1 (v1.0 at 5 h) – 2 ``subject`` (v1.1 at 10 h) – 3 the revert at 12 h (v1.2 at 20 h); {} is 2's name."""
    first = Builder(path / "draft")
    one = first.commit(at=1, message="start")
    name = first.write(first.commit(one, at=6, message=subject))[2]
    build = Builder(path / "real")
    one = build.commit(at=1, message="start")
    two = build.commit(one, at=6, message=subject)
    three = build.commit(two, at=12, message=message.format(sha=name, short=name[:9]))
    build.tag("v1.0", one, at=5)
    if not before_release:
        build.tag("v1.1", two, at=10)
    build.tag("v1.2", three, at=20)
    sha = build.write(three)
    assert sha[two] == name
    return build.path, sha


@pytest.mark.parametrize(
    "message",
    [
        'Revert "Add x (#7)"\n\nThis reverts commit {sha}.',
        "Take x out again\n\nThis reverts commit {short}, reversing\nchanges made to abc.",
        'Revert "Add x" (#8)\n\nReverts someone/project#7',
        'Revert "Add x (#7)" (#8)',
        'Revert "Add ... (#7)" (#8)\n\nno more',
    ],
)
def test_a_revert_blames_the_release_that_brought_its_target(tmp_path, message):
    """v1.1 failed; noticed when the revert was written (12 h), mended by v1.2 (20 h), which is made of it: rework."""
    path, _ = reverting(tmp_path, message)
    log = read_repository(path, rules=QUIET)
    events = log.events.filter(pl.col("type").str.starts_with("incident")).sort("time").collect()
    assert events.select("type", "subject", "cause").rows() == [
        ("incident.detected", "v1.1 > v1.2", "v1.1"), ("incident.resolved", "v1.1 > v1.2", None),
    ]  # fmt: skip
    assert [hours(time) for time in events["time"]] == [12, 20]
    causes = dict(log.events.filter(pl.col("type") == "service.deployed").select("subject", "cause").collect().rows())
    assert causes == {"v1.0": None, "v1.1": None, "v1.2": "v1.1 > v1.2"}
    assert releases(log)["v1.1"]["failed"] and releases(log)["v1.2"]["rework"]
    assert log.about["reverts"]["released"] == 1 and log.findings.is_empty()


def test_a_revert_before_the_release_is_no_failure(tmp_path):
    path, _ = reverting(tmp_path, "This reverts commit {sha}.", before_release=True)
    log = read_repository(path, rules=QUIET)
    assert log.about["reverts"]["before release"] == 1 and log.about["incidents"] == []
    assert not any(release["failed"] or release["rework"] for release in log.about["releases"])


def test_a_revert_of_nothing_known_is_reported(tmp_path):
    path, sha = reverting(tmp_path, "This reverts commit 1234567890.")
    log = read_repository(path)
    (finding,) = log.findings.iter_rows(named=True)
    assert (finding["finding"], finding["id"], finding["treatment"]) == ("revert of unknown", sha[3], "left out")


def test_open_incident_and_a_revert_that_is_taken_back(tmp_path):
    """2 is out with v1.1; 3 takes it back and waits: open. In the other order of things, 4 takes back 3."""
    path, sha = reverting(tmp_path, "This reverts commit {sha}.")
    run(path, "tag", "-d", "v1.2")
    log = read_repository(path)
    assert times(log, "incident.detected") == {"v1.1 > open": 12} and times(log, "incident.resolved") == {}
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    run(path, *identity, "commit-tree", "-m", "x", "HEAD^{tree}")
    four = run(path, *identity, "commit-tree", "-p", sha[3], "-m", f"This reverts commit {sha[3]}.", "HEAD^{tree}")
    run(path, "update-ref", "refs/heads/main", four)
    run(path, "tag", "v1.2", sha[3])
    run(path, "tag", "v1.3", four)
    reverts = read_repository(path, rules=QUIET).about["reverts"]
    assert reverts == {"released": 1, "open": 0, "before release": 0, "of a revert": 1, "unknown": 0}


def test_hotfix_by_version_within_days(tmp_path):
    """v1.1.1 comes 3 days after v1.1.0, v1.1.2 30 days after that; the fix was written a day after v1.1.0."""
    build = Builder(tmp_path)
    one = build.commit(at=0)
    two = build.commit(one, at=34)
    three = build.commit(two, at=400)
    for name, mark, at in (("v1.1.0", one, 10), ("v1.1.1", two, 82), ("v1.1.2", three, 802)):
        build.tag(name, mark, at=at)
    build.write(three)
    log = read_repository(tmp_path)
    assert {name for name, item in releases(log).items() if item["rework"]} == {"v1.1.1"}
    assert times(log, "incident.detected") == {"v1.1.0 > v1.1.1": 34}
    assert times(log, "incident.resolved") == {"v1.1.0 > v1.1.1": 82}
    assert "mends v1.1.0" in log.about["incidents"][0]["reasons"][0]
    wide = read_repository(tmp_path, rules=GitRules(hotfix_within_days=31))
    assert {name for name, item in releases(wide).items() if item["rework"]} == {"v1.1.1", "v1.1.2"}
    for rule in ("post", "never"):
        assert not read_repository(tmp_path, rules=GitRules(hotfix_version=rule)).about["incidents"]


def test_hotfix_by_words(tmp_path):
    """v1.1: a merge of hotfix/crash and a version bump, 1 of 2 commits; v1.2: 1 of 3; photofixes are not meant."""
    build = Builder(tmp_path)
    one = build.commit(at=1)
    two = build.commit(one, at=2, message="repair crash")
    three = build.commit(one, two, at=3, message="Merge branch 'hotfix/crash'")
    four = build.commit(three, at=4, message="version")
    five = build.commit(four, at=5, message="Hot-fix for typo")
    six = build.commit(five, at=6, message="photofixes")
    seven = build.commit(six, at=7, message="more")
    for name, mark in (("v1.0", one), ("v1.1", four), ("v1.2", seven)):
        build.tag(name, mark)
    build.write(seven)
    log = read_repository(tmp_path)
    assert {name for name, item in releases(log).items() if item["rework"]} == {"v1.1"}
    assert log.about["incidents"][0]["reasons"] == ["hotfix by 1 of its 2 commits"]
    log = read_repository(tmp_path, rules=GitRules(hotfix_share=0.3))
    assert {name for name, item in releases(log).items() if item["rework"]} == {"v1.1", "v1.2"}


def test_a_pattern_of_ones_own_blames(tmp_path):
    path, _ = reverting(tmp_path, 'Check input\n\nFixes: {short} ("Add x")')
    assert not read_repository(path, rules=QUIET).about["incidents"]
    rules = GitRules(hotfix_version="never", blame_patterns=(r"^Fixes: (?P<commit>[0-9a-f]{7,64})",))
    assert releases(read_repository(path, rules=rules))["v1.1"]["failed"]


def test_the_former_content_again_is_a_rollback(tmp_path):
    build = Builder(tmp_path)
    one = build.commit(at=1, tree="good")
    two = build.commit(one, at=2, tree="bad")
    three = build.commit(two, at=3, tree="good")
    sha = build.write(three)
    log = read_repository(tmp_path, deployments="merges")
    (row,) = log.events.filter(pl.col("type") == "service.rolledback").collect().iter_rows(named=True)
    assert (row["cause"], row["subject"], hours(row["time"])) == (sha[two], f"rollback:{sha[three]}", 3)
    assert releases(log)[sha[two]]["failed"] and not releases(log)[sha[three]]["failed"]
    off = read_repository(tmp_path, deployments="merges", rules=GitRules(rollbacks=False))
    assert "service.rolledback" not in set(off.events.collect()["type"])


def test_rules_from_a_file(tmp_path):
    file = tmp_path / "rules.yaml"
    file.write_text("hotfix_version: post\nblame_patterns:\n  - 'undo (?P<commit>[0-9a-f]+)'\nhotfix_within_days: 3\n")
    assert load_rules(file) == GitRules(
        hotfix_version="post", blame_patterns=("undo (?P<commit>[0-9a-f]+)",), hotfix_within_days=3
    )
    file.write_text("")
    assert load_rules(file) == GitRules()
    file.write_text(
        "hotfix: yes\nhotfix_version: minor\nhotfix_version: post\nhotfix_share: 2\nrollbacks: 'no'\n"
        "blame_patterns:\n  - '('\n  - 'undo'\nhotfix_pattern: [a]\n"
    )
    with pytest.raises(InputError) as caught:
        load_rules(file)
    said = str(caught.value)
    for part in (":1: no rule 'hotfix'", ":3: 'hotfix_version' is given twice", ":4, hotfix_share", ":5, rollbacks",
                 ":6, blame_patterns, item 1", ":6, blame_patterns, item 2", ":9, hotfix_pattern"):  # fmt: skip
        assert part in said
    for content in ("- a\n", "a: [", "just text"):
        file.write_text(content)
        with pytest.raises(InputError):
            load_rules(file)
    with pytest.raises(InputError, match="leave out, count"):
        GitRules(prereleases="maybe")


# ---- span ------------------------------------------------------------------------------------------


def test_only_what_happened_in_the_span(tmp_path):
    """From 5 h to 12 h: v1.1.0 (10 h) with its changes since 3 h; v1.0.0 (2.5 h) and the fifth commit are outside."""
    _, sha = linear(tmp_path, count=4)
    zone = datetime.fromtimestamp(START, UTC)
    begin, end = zone + timedelta(hours=5), zone + timedelta(hours=12)
    log = read_repository(tmp_path, begin=begin, end=end)
    assert (log.begin, log.end) == (begin, end)
    assert deployed(log) == {"v1.1.0": {sha[3], sha[4]}}
    assert set(times(log, "change.committed")) == {sha[3], sha[4]}
    assert deployed(read_repository(tmp_path, end=begin)) == {"v1.0.0": {sha[1], sha[2]}}
    assert read_repository(tmp_path, begin=end).events.collect().is_empty()


def test_what_was_deployed_before_the_span_is_not_deployed_again(tmp_path):
    """Commits 2, 3 went out with v1.0.1 from a branch at 5 h; v2.1 (2.0..2.1) has them at 20 h, v1.0.2 only them."""
    build = Builder(tmp_path)
    one = build.commit(at=1)
    two = build.commit(one, at=2)
    three = build.commit(two, at=3)
    four = build.commit(build.commit(build.commit(one, at=4), at=5), at=6)
    five = build.commit(four, three, at=8)
    tags = (("v1.0", one, 1), ("v1.0.1", three, 5), ("v2.0", four, 7), ("v2.1", five, 20), ("v0.9", two, 30))
    for name, mark, at in tags:
        build.tag(name, mark, at=at)
    sha = build.write(five)
    log = read_repository(tmp_path, rules=QUIET)
    assert deployed(log)["v2.1"] == {sha[two], sha[three], sha[five]} and deployed(log)["v0.9"] == {sha[two]}
    log = read_repository(tmp_path, rules=QUIET, begin=datetime.fromtimestamp(START + 7.5 * HOUR, UTC))
    assert deployed(log) == {"v2.1": {sha[five]}, "v0.9": {None}}
    assert set(times(log, "change.committed")) == {sha[five]}
