"""Duplicates among 2,000 to 20,000 records: time, memory, precision and recall; all pairs one by one beside it.

Each run is a process of its own, so that its peak of memory is its own. The labelled records are those of
`tests.literature.corrupted`, whose works are known because they were invented. Asserted is what the workbench promises:
20,000 records in 20 s and 1 GB. The naive version asks the same rule about every pair and finds the same works; it is
measured on 2,000 records, since at 20,000 it has a hundred times the pairs.

Run `python -m tests.benchmarks.test_bench_dedupe 20000 workbench` for one line of figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from analysis.literature import duplicate_rule
from analysis.literature.dedupe import dedupe_records
from tests.literature.corrupted import compute_quality, generate

ROOT = Path(__file__).parents[2]
SEED = 7
SIZES = (2_000, 20_000)
LIMIT_S, LIMIT_GB = 20.0, 1.0


def all_pairs(keys, _gap):
    """Every pair, where the workbench asks only for those that could be one work."""
    import numpy as np

    return np.stack(np.triu_indices(len(keys), 1), axis=1)


def measure(size: int, which: str) -> dict[str, float]:
    """Time and peak memory of one run, and how it agrees with the truth."""
    records, truth = generate(size, SEED)
    started = time.perf_counter()
    if which == "naive":
        with mock.patch.object(duplicate_rule, "find_candidates", all_pairs):
            result = dedupe_records(records)
    else:
        result = dedupe_records(records)
    seconds = time.perf_counter() - started
    quality = compute_quality(result.members.set_index("record")["work"], truth)
    listed = sum(truth[a] == truth[b] for a, b in zip(result.listed["first"], result.listed["second"], strict=True))
    return {"s": seconds, "GB": _peak_gigabytes(), "works": len(result.records), "listed": int(listed), **quality}


def _peak_gigabytes() -> float:
    """Peak of this process alone: `getrusage` would count what its parent held when it was started."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("no VmHWM in /proc/self/status")


def run_apart(size: int, which: str) -> dict[str, float]:
    """The measurement in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.test_bench_dedupe", str(size), which]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def measured() -> dict[int, dict[str, float]]:
    return {}


@pytest.mark.benchmark(group="duplicates among 2,000 and 20,000 records")
@pytest.mark.parametrize("size", SIZES)
def test_workbench(benchmark, measured, size):
    figures = measured[size] = benchmark.pedantic(run_apart, (size, "workbench"), rounds=1)
    benchmark.extra_info.update(figures)
    print(f"\n{size:>7,} records: {figures['s']:.2f} s, peak {figures['GB']:.2f} GB")
    print(
        f"precision {figures['precision']:.4f}, recall {figures['recall']:.4f} over {figures['pairs']:,} pairs; "
        f"{figures['listed']} of the {figures['missed']} missed ones are listed for decision"
    )
    assert figures["s"] < LIMIT_S
    assert figures["GB"] < LIMIT_GB
    assert figures["precision"] > 0.99
    assert figures["recall"] > 0.95


@pytest.mark.benchmark(group="duplicates among 2,000 records")
def test_naive_all_pairs(benchmark, measured):
    ours = measured.get(SIZES[0]) or run_apart(SIZES[0], "workbench")
    naive = benchmark.pedantic(run_apart, (SIZES[0], "naive"), rounds=1)
    benchmark.extra_info.update(naive)
    print(
        f"\nall pairs: {naive['s']:.2f} s, {naive['GB']:.2f} GB; {naive['s'] / ours['s']:.0f} times the time, "
        f"recall {naive['recall']:.4f} where the workbench has {ours['recall']:.4f}"
    )
    assert naive["s"] > ours["s"]
    # Blocking may cost next to nothing of what the rule finds.
    assert ours["recall"] >= naive["recall"] - 0.002
    assert ours["precision"] >= naive["precision"] - 0.002


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
