"""A repository's refs and its whole commit graph, read with three git processes however long the history is.

``git rev-parse`` and ``git for-each-ref`` say what there is, one ``git rev-list`` walks every commit that a release or
the branch contains. Everything is parsed in memory from fields that end in NUL.

A repository may come from anybody, and its own configuration can name programs. None of them is run: only plumbing
that starts no hook, pager, external diff, textconv, signature check or file-system monitor is called, and git may
neither fetch what is missing nor look for a repository in the folders above. Whether git trusts the folder's owner
(``safe.directory``) is left to git and to the user's own configuration.

References
----------
git-rev-list(1), git-for-each-ref(1), git-rev-parse(1) and gitformat-commit, https://git-scm.com/docs.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.kpi.findings import Finding

LATEST = 253_402_300_799
"""Last second of the year 9999: what a time of git must not pass to be read."""

_OPTIONS = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "log.showSignature=false", "core.pager=cat")
_FIELDS = ("%H", "%P", "%T", "%at", "%ct", "%s", "%b")
_REF_FIELDS = (
    "%(refname)",
    "%(objecttype)",
    "%(objectname)",
    "%(*objecttype)",
    "%(*objectname)",
    "%(taggerdate:unix)",
    "%(symref)",
)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that leads to a commit.

    Attributes
    ----------
    name : str
        Without ``refs/tags/``.
    commit : str
        Full object name.
    annotated : bool
        A tag object of its own, or only a name for the commit.
    time : int or None
        When it was made, in seconds since 1970; None where it does not say, as no lightweight tag does.
    """

    name: str
    commit: str
    annotated: bool
    time: int | None


@dataclass(frozen=True, slots=True)
class Refs:
    """What a repository holds: tags, branches (short name → commit), where HEAD is, whether history is cut off."""

    path: Path
    tags: tuple[Tag, ...]
    branches: dict[str, str]
    head: str | None
    head_branch: str | None
    shallow: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Commits:
    """A commit graph; a child always stands before its parents. Lists and arrays have one item a commit.

    Attributes
    ----------
    shas, trees : list of str
        Full object names of the commit and of its content.
    parents : list of tuple of int
        Positions of its parents, first parent first. A parent beyond the cut of a shallow clone is not among them.
    author, committer : ndarray of int64
        Seconds since 1970.
    subjects, bodies : list of str
        First paragraph in one line, and the rest of the message.
    position : dict
        Object name → position.
    """

    shas: list[str]
    trees: list[str]
    parents: list[tuple[int, ...]]
    author: np.ndarray
    committer: np.ndarray
    subjects: list[str]
    bodies: list[str]
    position: dict[str, int]
    findings: tuple[Finding, ...]

    def __len__(self) -> int:
        return len(self.shas)


def run_git(path: Path, *arguments: str, stdin: bytes = b"", allowed: Sequence[int] = (0,)) -> bytes:
    """What a git command prints.

    Raises
    ------
    InputError
        git is not installed, there is no such folder, or git refuses: its own message is passed on.
    """
    if not path.is_dir():
        remedy = "give the folder that holds .git, or a bare repository"
        raise InputError("No repository there.", [Problem(relative(path), "is not a folder", remedy)])
    options = [part for option in _OPTIONS for part in ("-c", option)]
    command = ["git", "--no-pager", *options, "-C", str(path.resolve()), *arguments]
    # files, not pipes: git writes in small pieces, and waking up for each costs more than the whole analysis
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer:
        asked.write(stdin)
        asked.seek(0)
        streams = {"stdin": asked, "stdout": answer, "stderr": subprocess.PIPE}
        try:
            done = subprocess.run(command, env=_environment(path), check=False, **streams)
        except FileNotFoundError as error:
            problem = Problem("", "the program 'git' is not on PATH", "install git (any since 2.33)")
            raise InputError("A repository is read with git, which is not installed.", [problem]) from error
        answer.seek(0)
        output = answer.read()
    if done.returncode not in allowed:
        said = done.stderr.decode("utf-8", "replace").strip() or f"git ended with {done.returncode}"
        remedy = "give the folder that holds .git, or a bare repository" if "not a git repository" in said else ""
        raise InputError(f"git {arguments[0]} cannot read the repository.", [Problem(relative(path), said, remedy)])
    return output


def _environment(path: Path) -> dict[str, str]:
    """The user's environment without what points git elsewhere, and with all ways out closed."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith("GIT_CONFIG") or name == "GIT_EXEC_PATH"
    }
    # a folder inside some other repository is not taken for that repository
    kept["GIT_CEILING_DIRECTORIES"] = str(path.resolve().parent)
    closed = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0"}
    return kept | closed | {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C", "TZ": "UTC"}


def read_refs(path: Path) -> Refs:
    """Tags, branches and HEAD.

    A tag that leads to a tree or a blob, and one whose time cannot be read, are findings. Tags of tags are followed.

    Raises
    ------
    InputError
        As `run_git`.
    """
    # An unborn branch has a name and no commit: git prints the former and ends with 128.
    about = run_git(
        path, "rev-parse", "--is-shallow-repository", "--symbolic-full-name", "HEAD", allowed=(0, 128)
    ).decode("utf-8", "replace")
    shallow = about.startswith("true")
    arguments = (f"--format={'%00'.join(_REF_FIELDS)}%00", "refs/tags", "refs/heads", "refs/remotes")
    text = run_git(path, "for-each-ref", *arguments).decode("utf-8", "replace")
    fields = text.split("\0")
    rows = [tuple(fields[at : at + len(_REF_FIELDS)]) for at in range(0, len(fields) - 1, len(_REF_FIELDS))]
    rows = [(row[0].lstrip("\n"), *row[1:]) for row in rows]
    peeled = _peel(path, [row[2] for row in rows if row[1] == "tag" and row[3] != "commit"])
    tags, branches, findings = [], {}, []
    for name, kind, sha, inner_kind, inner, time, symbolic in rows:
        area, _, short = name.removeprefix("refs/").partition("/")
        if area != "tags":
            if kind == "commit" and not symbolic:
                branches[short] = sha
            continue
        if kind == "tag":
            kind, sha, annotated = ("commit", inner, True) if inner_kind == "commit" else (*peeled[sha], True)
        else:
            annotated = False
        if kind != "commit":
            what = f"tag '{short}' leads to a {kind}, not to a commit"
            findings.append(Finding(relative(path), None, short, "tag on no commit", what, "left out", ""))
            continue
        when = _seconds(time)
        if annotated and when is None:
            what = f"annotated tag '{short}' has no readable time; its commit's is taken"
            findings.append(Finding(relative(path), None, short, "tag without time", what, "kept", ""))
        tags.append(Tag(short, sha, annotated, when))
    lines = about.splitlines()
    head_branch = lines[1].removeprefix("refs/heads/") if len(lines) > 1 and lines[1].startswith("refs/") else None
    head = branches.get(head_branch) if head_branch else None
    if head is None and head_branch is None:
        said = run_git(path, "rev-parse", "--verify", "--quiet", "HEAD^{commit}", allowed=(0, 1, 128)).decode().strip()
        head = said or None
    return Refs(path, tuple(tags), branches, head, head_branch if head else None, shallow, tuple(findings))


def _peel(path: Path, tags: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Object name of a tag → (kind, object name) of what it leads to in the end."""
    if not tags:
        return {}
    asked = "".join(f"{sha}^{{}}\n" for sha in tags).encode()
    lines = run_git(path, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked).decode().splitlines()
    return {
        sha: ("missing object", "") if line.endswith((" missing", " ambiguous")) else tuple(line.split(" ", 1))
        for sha, line in zip(tags, lines, strict=True)
    }


def _seconds(text: str) -> int | None:
    """Seconds since 1970; None for nothing, for what is no number, and past the year 9999."""
    return int(text) if text.isdecimal() and len(text) < 13 and int(text) <= LATEST else None


def read_commits(path: Path, tips: Sequence[str]) -> Commits:
    """Every commit that is one of ``tips`` (full object names) or an ancestor of one.

    Texts that are not UTF-8 after git's own conversion, and times that are no times, are findings: the text is read
    with replacement characters; the other of the two times is taken, or the latest of the parents'.

    Raises
    ------
    InputError
        As `run_git`; or its output is not as asked for.
    """
    if not tips:
        empty = np.empty(0, np.int64)
        return Commits([], [], [], empty, empty, [], [], {}, ())
    arguments = ("--topo-order", "--no-commit-header", "--encoding=UTF-8", f"--format={'%x00'.join(_FIELDS)}%x00")
    stdin = "".join(f"{tip}\n" for tip in dict.fromkeys(tips)).encode()
    output = run_git(path, "rev-list", *arguments, "--stdin", stdin=stdin)
    findings: list[Finding] = []
    try:
        fields = output.decode("utf-8").split("\0")
    except UnicodeDecodeError:
        fields = [field.decode("utf-8", "replace") for field in output.split(b"\0")]
        for at, field in enumerate(output.split(b"\0")):
            try:
                field.decode("utf-8")
            except UnicodeDecodeError:
                sha = fields[at - at % len(_FIELDS)].lstrip("\n")
                what = f"the message of commit {sha[:10]} is not in UTF-8 and does not say in what it is"
                findings.append(Finding(relative(path), None, sha, "text not in UTF-8", what, "kept", ""))
    step = len(_FIELDS)
    shas = [sha.lstrip("\n") for sha in fields[0:-1:step]]
    if len(fields) % step != 1 or any(len(sha) not in (40, 64) for sha in shas):
        problem = Problem(relative(path), "git's answer has not the fields that were asked for", "update git")
        raise InputError("The history cannot be read.", [problem])
    position = {sha: at for at, sha in enumerate(shas)}
    parents = [tuple(position[sha] for sha in text.split() if sha in position) for text in fields[1::step]]
    author, committer = _read_times(fields[3::step], fields[4::step], parents, shas, relative(path), findings)
    unique = list({(finding.id, finding.finding): finding for finding in findings}.values())
    trees, subjects, bodies = fields[2::step], fields[5::step], fields[6::step]
    return Commits(shas, trees, parents, author, committer, subjects, bodies, position, tuple(unique))


def _read_times(
    authored: Sequence[str],
    committed: Sequence[str],
    parents: Sequence[tuple[int, ...]],
    shas: Sequence[str],
    source: str,
    findings: list[Finding],
) -> tuple[np.ndarray, np.ndarray]:
    """Author and committer times; those that cannot be read are replaced and reported."""
    try:
        author, committer = (np.array(list(map(int, column)), np.int64) for column in (authored, committed))
        if min(author.min(), committer.min()) >= 0 and max(author.max(), committer.max()) <= LATEST:
            return author, committer
    except (ValueError, OverflowError):
        pass  # one of them is no number, or one too large: told apart below
    times = [[_seconds(text) for text in column] for column in (authored, committed)]
    for at in range(len(shas) - 1, -1, -1):  # parents first
        author, committer = times[0][at], times[1][at]
        if author is not None and committer is not None:
            continue
        other = author if author is not None else committer
        if other is None:
            other = max((times[1][parent] for parent in parents[at]), default=0)
        times[0][at], times[1][at] = (value if value is not None else other for value in (author, committer))
        what = f"commit {shas[at][:10]} has a time that cannot be read ('{authored[at]}', '{committed[at]}')"
        done = "its other time is taken, or its parent's"
        findings.append(Finding(source, None, shas[at], "unreadable time", f"{what}; {done}", "kept", ""))
    return np.array(times[0], np.int64), np.array(times[1], np.int64)
