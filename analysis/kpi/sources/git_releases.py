"""Which commits each release carries, from one walk over the commit graph.

Every commit gets a set of bits, one a release that contains it, handed from child to parent in one pass; ``A..B`` is
then what has B's bit and not A's. That gives for every release the commits of ``git log A..B`` without asking git.

**Order.** Releases are ordered by time, and what is built on another release goes after it where the times do not
prove otherwise. A lightweight tag has only its commit's time, which proves nothing: clocks disagree. Two annotated
tags that both say when they were made do: a tag that was put on an old commit long after comes after the release
that had already contained it.

**Previous release.** Of the releases that are ancestors and come earlier in that order, the nearest: the one from
which the fewest commits lead here; of two as near, the higher version. It is found by ancestry, not by date: a
release on a maintenance branch compares with the one that its branch left, not with what the main line released
meanwhile. If there is none, the release carries its whole history.

**First release.** A commit is deployed by the first release in that order that contains it. That release's ``A..B``
always holds it; so may those of releases on other branches, later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.kpi.sources.git_plumbing import Commits
from analysis.kpi.sources.git_rules import Version


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may be a release: its name, the position of its commit, its time, whether that is only its commit's."""

    name: str
    commit: int
    time: int
    inferred: bool
    version: Version | None = None


@dataclass(frozen=True, slots=True)
class Releases:
    """Releases in their order, and what each contains.

    Attributes
    ----------
    items : tuple of Candidate
        In release order.
    previous : tuple of (int or None)
        Position of the previous release.
    commits : tuple of ndarray
        Positions of the commits of ``A..B``, ascending (children first).
    first : ndarray of int64
        For every commit, position of the first release that contains it; -1 if none does.
    """

    items: tuple[Candidate, ...]
    previous: tuple[int | None, ...]
    commits: tuple[np.ndarray, ...]
    first: np.ndarray


def compute_releases(commits: Commits, candidates: Sequence[Candidate]) -> Releases:
    """Order releases, find each one's predecessor and its commits. No two may share a commit."""
    first = np.full(len(commits), -1, np.int64)
    if not candidates:
        return Releases((), (), (), first)
    reached = _spread(commits.parents, [item.commit for item in candidates])
    sizes = np.array([_contained(reached, at).sum() for at in range(len(candidates))])
    tips = np.array([item.commit for item in candidates])
    # ancestor[a, b]: release b contains the commit of release a
    ancestor = np.unpackbits(reached[tips], axis=1, bitorder="little", count=len(candidates)).astype(bool)
    order = np.lexsort((sizes, _order_times(candidates, ancestor)))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    previous: list[int | None] = []
    carried = []
    for at, old in enumerate(order):
        inside = _contained(reached, old)
        earlier = np.flatnonzero(ancestor[:, old] & (place < at))
        if len(earlier):
            nearest = max(earlier, key=lambda item: (sizes[item], _numbers(candidates[item]), place[item]))
            previous.append(int(place[nearest]))
            carried.append(np.flatnonzero(inside & ~_contained(reached, nearest)))
        else:
            previous.append(None)
            carried.append(np.flatnonzero(inside))
        first[inside & (first < 0)] = at
    return Releases(tuple(candidates[old] for old in order), tuple(previous), tuple(carried), first)


def _numbers(candidate: Candidate) -> tuple[int, ...]:
    return candidate.version.numbers if candidate.version is not None else ()


def _order_times(candidates: Sequence[Candidate], ancestor: np.ndarray) -> np.ndarray:
    """Times to order by: those said stand; the others go after what they contain and before what contains them."""
    times = np.array([item.time for item in candidates])
    inferred = np.array([item.inferred for item in candidates])
    latest = np.where(ancestor & ~inferred, times, np.iinfo(np.int64).max).min(axis=1)
    behind = ancestor & (inferred[:, None] | (times[:, None] <= latest))
    earliest = np.where(behind, times[:, None], np.iinfo(np.int64).min).max(axis=0)
    return np.where(inferred, np.minimum(earliest, latest), times)


def _spread(parents: Sequence[tuple[int, ...]], tips: Sequence[int]) -> np.ndarray:
    """Bits of the tips that contain each commit: a row a commit, eight tips a byte, the first in the lowest bit."""
    marks = [0] * len(parents)
    for bit, tip in enumerate(tips):
        marks[tip] |= 1 << bit
    for at, mark in enumerate(marks):  # a commit stands before its parents, so its own mark is complete here
        if mark:
            for parent in parents[at]:
                marks[parent] |= mark
    width = (len(tips) + 7) // 8
    return np.frombuffer(b"".join([mark.to_bytes(width, "little") for mark in marks]), np.uint8).reshape(-1, width)


def _contained(reached: np.ndarray, tip: int) -> np.ndarray:
    return (reached[:, tip >> 3] >> np.uint8(tip & 7) & 1).astype(bool)


def compute_line_releases(commits: Commits, tip: int, carrier: np.ndarray) -> Releases:
    """Every commit on the first-parent line of ``tip`` as a release of what it brought, oldest first.

    ``carrier`` is that of `compute_carriers` for this line alone.
    """
    line = walk_line(commits.parents, tip)[::-1]
    place = np.full(len(commits), -1, np.int64)
    place[line] = np.arange(len(line))
    first = np.where(carrier >= 0, place[carrier], -1)
    order = np.argsort(first, kind="stable")
    carried = np.split(order, np.searchsorted(first[order], np.arange(len(line) + 1)))[1:-1]
    items = tuple(Candidate(commits.shas[at], at, int(commits.committer[at]), True) for at in line)
    previous = (None, *range(len(line) - 1)) if line else ()
    return Releases(items, previous, tuple(carried), first)


def walk_line(parents: Sequence[tuple[int, ...]], tip: int) -> list[int]:
    """The first-parent line from ``tip`` back to its root."""
    line = [tip]
    while parents[line[-1]]:
        line.append(parents[line[-1]][0])
    return line


def compute_carriers(commits: Commits, tip: int | None, releases: Releases | None = None) -> np.ndarray:
    """For every commit, the commit with which it reached the main line: itself, or the merge that brought it.

    The main line is the first-parent line of ``tip``. A commit that was released before it got there, such as one of
    a maintenance branch that was merged back, reached the line of its release instead; so did one that the branch
    does not contain. -1 for what neither contains.

    Parameters
    ----------
    tip : int or None
        Newest commit of the branch.
    releases : Releases, optional
        Whose lines count besides.
    """
    carrier = [-1] * len(commits)
    if tip is not None:
        _carry(walk_line(commits.parents, tip)[::-1], commits.parents, carrier)
    main = np.array(carrier, np.int64)
    if releases is None:
        return main
    first = releases.first
    elsewhere = (first >= 0) & ((main < 0) | (first[main] != first))
    if not elsewhere.any():
        return main
    final = np.where(elsewhere, -1, main).tolist()
    for at in np.unique(first[elsewhere]).tolist():
        line, commit = [], releases.items[at].commit
        while first[commit] == at:  # not to the root: releases are many
            line.append(commit)
            if not commits.parents[commit]:
                break
            commit = commits.parents[commit][0]
        _carry(line[::-1], commits.parents, final, first=first, only=at)
    return np.array(final, np.int64)


def _carry(
    line: Iterable[int],
    parents: Sequence[tuple[int, ...]],
    carrier: list[int],
    first: np.ndarray | None = None,
    only: int = -1,
) -> None:
    """Give every commit without carrier the oldest of ``line`` that contains it; ``line`` is oldest first.

    Where a commit has one, its ancestors have: the search ends there.
    """
    for merge in line:
        todo = [merge]
        while todo:
            commit = todo.pop()
            if carrier[commit] < 0 and (first is None or first[commit] == only):
                carrier[commit] = merge
                todo.extend(parents[commit])
