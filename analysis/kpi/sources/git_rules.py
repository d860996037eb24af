"""What in a git history counts as a release, a failure, a hotfix and a rollback: rules that are stated and can be set.

git knows commits and names. That a release failed, or was made in a hurry, has to be read from conventions, and
projects differ in theirs. `GitRules` holds the ones that are used here; every log read from a repository carries
them in its ``about``, and a YAML file with the same names changes them.

References
----------
Semantic Versioning 2.0.0, https://semver.org, clauses 6 to 9; Python's version specifiers (formerly PEP 440),
https://packaging.python.org/specifications/version-specifiers/; git-revert(1) for the text that it writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative

TAG_PATTERN = (
    r"(?:(?P<family>[\w.@/+-]*?)[-_/@])?(?:[vV](?=\d)|(?=\d+[._]\d))"
    r"(?P<version>\d+(?:[._]\d+)*(?:[-_.+]?[A-Za-z0-9][\w.+-]*)?)"
)
"""Tags that name a release: a version with or without v, after an optional name and one of ``- _ / @``."""

_CHOICES = {
    "prereleases": ("leave out", "count"),
    "release_time": ("tag", "commit"),
    "first_release": ("count", "start"),
    "hotfix_version": ("patch", "post", "never"),
}
_GROUPS = {"commit", "pull", "subject"}
_POST = re.compile(r"(?:^|[^a-z])(?:post|rev|patch|hotfix)[-_.]?(\d*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GitRules:
    r"""How releases, failures and hotfixes are recognised.

    Attributes
    ----------
    prereleases : {"leave out", "count"}
        Whether tags whose version has a suffix like ``prerelease_pattern`` are deployments. Left out, their commits
        belong to the next release.
    prerelease_pattern : str
        Searched in what follows the numbers of a version, up to a ``+``.
    release_time : {"tag", "commit"}
        Time of a release: when its annotated tag was made, or when its commit was made. A lightweight tag has only
        the latter. ``commit`` suits projects that made their tags long afterwards.
    first_release : {"count", "start"}
        Whether a release without any released ancestor carries its whole history as changes, or is only the start of
        the service.
    merge_commits : bool
        Whether merge commits are changes of their own where the unit is the commit, as in ``git log A..B``.
    blame_patterns : tuple of str
        Searched in a commit's message, in this order, until one leads to an earlier commit that it takes back. Each
        has one of the groups ``commit`` (object name, may be shortened), ``pull`` (number of a pull or merge request)
        or ``subject``. A project that writes ``Fixes: <commit>`` for what broke adds
        ``^Fixes: (?P<commit>[0-9a-f]{7,64})``.
    hotfix_version : {"patch", "post", "never"}
        Which versions make a release a hotfix: those that raise only the third number (or a later one, or a post
        release) of the release before; only post releases; none. Calendar versions (first number 1900 or more) never
        do.
    hotfix_within_days : float
        Only if it follows that close on the release that it mends. Many projects number ordinary releases as patches.
    hotfix_pattern : str
        Searched in tag names and in subjects of commits (so also in the branch that a merge names).
    hotfix_share : float
        The release is a hotfix if at least this share of its commits other than merges match ``hotfix_pattern`` or
        take back a released commit, or came with a merge that matches.
    rollbacks : bool
        Whether a release with exactly the content of the one before the last takes the last one back.

    Notes
    -----
    **Failure.** A commit that takes back another one, where the latter was first released in A and the former is
    first released in a later B: A failed. The incident is detected when the revert was written, not before A, and
    resolved by B; not yet released, it is open. Taken back before its release, nothing failed. A revert of a revert
    brings something back and blames nobody.

    **Hotfix.** A release that is a hotfix remedies an incident (rework). Unless a revert in it names a culprit, the
    release before is to blame; the incident is detected when the first of its commits was written, not before that
    release, and resolved by the hotfix.
    """

    prereleases: str = "leave out"
    prerelease_pattern: str = (
        r"(?i)(?:^|[^a-z])(?:a|b|c|m|rc|cr|ea|alpha|beta|pre|preview|dev|snapshot|nightly|canary|next|milestone)"
        r"(?![a-z])"
    )
    release_time: str = "tag"
    first_release: str = "count"
    merge_commits: bool = True
    blame_patterns: tuple[str, ...] = (
        r"This reverts commit (?P<commit>[0-9a-f]{7,64})",
        r"Reverts (?:[\w.-]+/[\w.-]+)?#(?P<pull>\d+)",
        r"This reverts merge request (?:[\w./-]+)?!(?P<pull>\d+)",
        r'\ARevert "(?P<subject>.+)"',
    )
    hotfix_version: str = "patch"
    hotfix_within_days: float = 7.0
    hotfix_pattern: str = r"(?i)(?<![a-z])hot[-_ ]?fix(?:es)?(?![a-z])"
    hotfix_share: float = 0.5
    rollbacks: bool = True

    def __post_init__(self) -> None:
        problems = [Problem(name, what) for name, what in _check(asdict(self))]
        if problems:
            raise InputError("These rules for a git history do not hold.", problems)


def _check(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(Name of the rule, what is wrong) for every value that cannot be used."""
    wrong = []
    for name, value in values.items():
        if name in _CHOICES and value not in _CHOICES[name]:
            wrong.append((name, f"got {value!r}, expected one of: {', '.join(_CHOICES[name])}"))
        elif name in ("merge_commits", "rollbacks") and not isinstance(value, bool):
            wrong.append((name, f"got {value!r}, expected true or false"))
        elif name in ("hotfix_within_days", "hotfix_share"):
            high, said = (1, "up to 1") if name == "hotfix_share" else (36_500, "up to 36500")
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= high:
                wrong.append((name, f"got {value!r}, expected a number above 0 and {said}"))
        elif name in ("prerelease_pattern", "hotfix_pattern"):
            wrong += [(name, what) for what in _check_pattern(value)]
        elif name == "blame_patterns":
            if not isinstance(value, tuple | list):
                wrong.append((name, f"got {value!r}, expected a list of regular expressions"))
                continue
            for at, pattern in enumerate(value, 1):
                found = _check_pattern(pattern) or _check_groups(pattern)
                wrong += [(f"{name}, item {at}", what) for what in found]
    return wrong


def _check_pattern(pattern: object) -> list[str]:
    if not isinstance(pattern, str):
        return [f"got {pattern!r}, expected a regular expression"]
    try:
        re.compile(pattern)
    except re.error as error:
        return [f"'{pattern}' is no regular expression: {error}"]
    return []


def _check_groups(pattern: str) -> list[str]:
    named = set(re.compile(pattern).groupindex)
    if len(named & _GROUPS) == 1:
        return []
    return [f"'{pattern}' needs exactly one of the groups (?P<commit>…), (?P<pull>…), (?P<subject>…)"]


def load_rules(path: Path) -> GitRules:
    """Rules from a YAML file that names those which differ from the defaults.

    Raises
    ------
    InputError
        No such file, no YAML mapping, an unknown or repeated rule, a value that cannot be used: all listed with their
        line.
    """
    name = relative(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{name} cannot be read.", [Problem(name, str(error))]) from error
    if not isinstance(values, dict):
        raise InputError(f"{name} holds no rules.", [Problem(name, "expected lines such as 'hotfix_version: post'")])
    problems, lines, known = [], {}, [item.name for item in fields(GitRules)]
    for key, _ in node.value if node is not None else []:
        line = key.start_mark.line + 1
        if key.value not in known:
            problems.append(Problem(f"{name}:{line}", f"no rule '{key.value}'", f"rules: {', '.join(known)}"))
        elif key.value in lines:
            problems.append(Problem(f"{name}:{line}", f"'{key.value}' is given twice", f"see line {lines[key.value]}"))
        lines.setdefault(key.value, line)
    for rule, what in _check({rule: value for rule, value in values.items() if rule in known}):
        problems.append(Problem(f"{name}:{lines[rule.partition(',')[0]]}, {rule}", what))
    if problems:
        raise InputError(f"{name} holds rules that cannot be used.", problems)
    if "blame_patterns" in values:
        values["blame_patterns"] = tuple(values["blame_patterns"])
    return GitRules(**values)


@dataclass(frozen=True, slots=True)
class Version:
    """A version as its tag names it: its numbers, whether it is a pre-release, and its post release (0: none)."""

    text: str
    numbers: tuple[int, ...]
    prerelease: bool
    post: int

    def mends(self, other: Version) -> str:
        """How it mends ``other``: ``"patch"`` raises a number after the second, ``"post"`` only the post release."""
        mine, theirs = (_pad(version.numbers) for version in (self, other))
        if mine[0] >= 1900 or mine[:2] != theirs[:2]:
            return ""
        if mine == theirs:
            return "post" if self.post > other.post else ""
        return "patch" if mine > theirs else ""


def _pad(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return numbers + (0,) * (4 - len(numbers))


def parse_version(text: str, rules: GitRules) -> Version | None:
    """The version in a tag's name; None where it does not begin with a number.

    >>> parse_version("1.4.0rc1", GitRules())
    Version(text='1.4.0rc1', numbers=(1, 4, 0), prerelease=True, post=0)
    >>> parse_version("1.3.4post1", GitRules()).mends(parse_version("1.3.4", GitRules()))
    'post'
    """
    found = re.match(r"[0-9]+(?:[._][0-9]+)*", text)
    if found is None:
        return None
    # a number of thousands of digits is somebody's joke, and Python refuses to read it
    numbers = tuple(int(number[:18]) for number in re.split(r"[._]", found[0]))
    rest = text[found.end() :].partition("+")[0]
    post = _POST.search(rest)
    # "-1" alone is another spelling of ".post1"
    dash = re.fullmatch(r"-([0-9]+)", rest)
    count = int(((post or dash)[1] or "0")[:18]) + 1 if post or dash else 0
    return Version(text, numbers, re.search(rules.prerelease_pattern, rest) is not None, count)
