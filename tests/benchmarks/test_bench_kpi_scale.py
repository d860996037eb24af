"""All delivery metrics of event logs of 10⁵ to 10⁷ events: time, memory, how both grow, and plain pandas beside them.

Each size runs in a process of its own, so that its peak of memory is its own. `make bench` prints the times; the limits
that the workbench promises are asserted: ten million events in 30 s and 4 GB, at a cost that grows with the number of
events and no faster. Run `python -m tests.benchmarks.test_bench_kpi_scale LOG.parquet workbench` for one file.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.kpi_log import generate_log

ROOT = Path(__file__).parents[2]
SIZES = (100_000, 1_000_000, 10_000_000)
LIMIT_S, LIMIT_GB = 30.0, 4.0


def measure_workbench(path: Path) -> dict[str, float]:
    """Five metrics over the whole log, by service, by week and by month; checking the log before is timed apart."""
    import polars as pl

    from analysis.kpi.checks import check_log
    from analysis.kpi.dora import compute_dora
    from analysis.kpi.events import EventLog
    from analysis.kpi.rules import DORA_2025
    from analysis.kpi.samples import collect_samples

    started = time.perf_counter()
    log = check_log(EventLog(pl.scan_parquet(path)))
    check_s = time.perf_counter() - started
    started = time.perf_counter()
    samples = collect_samples(log, DORA_2025)
    tables = [compute_dora(samples, by=by) for by in ((), ("service",), ("week",), ("month",))]
    whole = tables[0].set_index("metric")["value"]
    found = _measured(started, whole["lead_time_commit_h"], whole["change_fail_rate"], whole["recovery_time_h"])
    return found | {"check_s": check_s}


def measure_pandas(path: Path) -> dict[str, float]:
    """The same medians and rates over the whole log as one writes them in pandas, without any interval or grouping."""
    import pandas as pd
    import polars as pl

    columns = ["time", "type", "subject", "service", "change", "cause"]
    read = pl.read_parquet(path, columns=columns)
    started = time.perf_counter()
    events = pd.DataFrame({name: read[name].to_list() for name in columns})
    del read
    committed = events[events["type"] == "change.committed"].groupby(["service", "change"])["time"].min()
    arrivals = events[events["type"] == "service.deployed"]
    deployed = arrivals.groupby(["service", "change"])["time"].min()
    lead = (deployed - committed).dropna().dt.total_seconds() / 3600
    detected = events[events["type"] == "incident.detected"].set_index("subject")
    resolved = events[events["type"] == "incident.resolved"].set_index("subject")["time"]
    failed = arrivals.drop_duplicates(["service", "subject"])["subject"].isin(set(detected["cause"]))
    hours = (resolved - detected["time"]).dropna().dt.total_seconds() / 3600
    return _measured(started, lead.median(), failed.mean(), hours.median())


def _measured(started: float, lead_h: float, fail_rate: float, recovery_h: float) -> dict[str, float]:
    seconds = time.perf_counter() - started
    return {
        "s": seconds,
        "GB": _peak_gigabytes(),
        "lead_h": float(lead_h),
        "fail": float(fail_rate),
        "recovery_h": float(recovery_h),
    }


def _peak_gigabytes() -> float:
    """Peak of this process alone: `getrusage` would count what its parent held when it was started."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("no VmHWM in /proc/self/status")


def run_apart(path: Path, which: str) -> dict[str, float]:
    """The measurement in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.test_bench_kpi_scale", str(path), which]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def logs(tmp_path_factory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("kpi")
    return {size: generate_log(folder / f"{size}.parquet", size) for size in SIZES}


@pytest.fixture(scope="module")
def measured() -> dict[int, dict[str, float]]:
    return {}


@pytest.mark.benchmark(group="all delivery metrics of 10⁵, 10⁶ and 10⁷ events")
@pytest.mark.parametrize("size", SIZES)
def test_workbench(benchmark, logs, measured, size):
    measured[size] = benchmark.pedantic(run_apart, (logs[size], "workbench"), rounds=1)
    benchmark.extra_info.update(measured[size])
    one = measured[size]
    print(f"\n{size:>10,} events: {one['s']:.2f} s, its check {one['check_s']:.2f} s, peak {one['GB']:.2f} GB")
    assert measured[size]["s"] < LIMIT_S
    assert measured[size]["GB"] < LIMIT_GB
    if size == SIZES[-1] and SIZES[-2] in measured:
        # Ten times the events: at most some fifteen times the time, noise and caches aside that is linear.
        assert measured[size]["s"] < 15 * measured[SIZES[-2]]["s"]


@pytest.mark.benchmark(group="medians and rates of 10⁶ events")
def test_plain_pandas(benchmark, logs, measured):
    ours = measured.get(SIZES[1]) or run_apart(logs[SIZES[1]], "workbench")
    theirs = benchmark.pedantic(run_apart, (logs[SIZES[1]], "pandas"), rounds=1)
    benchmark.extra_info.update(theirs)
    ratio = theirs["s"] / ours["s"]
    print(f"\npandas, a tenth of the result: {theirs['s']:.2f} s, {theirs['GB']:.2f} GB; {ratio:.1f} times the time")
    assert theirs["lead_h"] == pytest.approx(ours["lead_h"])
    assert theirs["fail"] == pytest.approx(ours["fail"])
    # Leaving open incidents out makes recovery look no longer than it is.
    assert theirs["recovery_h"] <= ours["recovery_h"] * (1 + 1e-9)


if __name__ == "__main__":
    print(json.dumps({"workbench": measure_workbench, "pandas": measure_pandas}[sys.argv[2]](Path(sys.argv[1]))))
