"""Killed with SIGKILL at random points, logs and work end as if nothing had happened.

A helper process imports what the stories need once and forks a child for every run of a story; the child is
killed at a random time, like a run whose machine went away.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analysis.base.paths import ROOT

WORKS = 90

HELPER = """
import os, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from analysis.experiment import vocabulary as say
from analysis.experiment.events import EventLog, validate_event
from analysis.experiment.work import WorkStore

START = datetime(2026, 1, 5, tzinfo=UTC)

def tell(folder):
    with EventLog(folder / "events.jsonl", "/workbench/mlops/1", "quick/mlops/1") as log:
        for n in range(400):
            event = say.taskrun_finished(f"task-{n}", "smoke test", "failure", "x" * (n % 97))
            log.add(event, START + timedelta(minutes=n), f"chg-{n // 9}", {"seconds": n / 7})
            if log.complete:
                time.sleep(0.001)

def work(folder):
    store = WorkStore(folder / "work")
    with EventLog(folder / "events.jsonl", "/workbench/mlops/1", "quick/mlops/1") as log:
        time_h = 0.0
        for n in range(WORKS):
            def train(target):
                for part in range(4):
                    (target / f"part-{part}").mkdir()
                    (target / f"part-{part}" / "weights").write_bytes(bytes([n, part]) * 20_000)
                    time.sleep(0.004)
                with (folder / "done.txt").open("a") as file:
                    file.write(f"{n}\\n")
                return {"map50": 1 / (n + 3)}
            done = store.do("training", {"number": n, "parts": [1, 2.5]}, train)
            time_h += done.seconds
            event = say.training_finished(f"training-{n}", "success", done.seconds, n, metrics=done.outputs)
            log.add(event, START + timedelta(hours=time_h), f"batch-{n}")

validate_event({})  # the first call loads the schemas
while line := sys.stdin.readline():
    story, folder = line.split()
    child = os.fork()
    if child == 0:
        globals()[story](Path(folder))
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()  # not waited for before the killer is done, so that its number is nobody else's
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
""".replace("WORKS", str(WORKS))

Run = Callable[..., int]


@pytest.fixture(scope="module")
def run_story() -> Iterator[Run]:
    """Run a story in a folder, killed ``delay_s`` after ``until`` is true, or not at all; gives the exit status."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", HELPER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as helper:

        def run(story: str, folder: Path, until: Callable[[], bool] | None = None, delay_s: float = 0.0) -> int:
            helper.stdin.write(f"{story} {folder}\n")
            helper.stdin.flush()
            child = int(helper.stdout.readline())
            if until is not None:
                end = time.monotonic() + 60
                while not until() and time.monotonic() < end:
                    time.sleep(0.0005)
                time.sleep(delay_s)
                os.kill(child, signal.SIGKILL)
            helper.stdin.write("\n")
            helper.stdin.flush()
            return int(helper.stdout.readline())

        yield run
        helper.stdin.close()


def test_a_log_killed_at_twenty_random_points_ends_as_the_same_log(tmp_path, run_story):
    rng = random.Random(20260105)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    assert run_story("tell", tmp_path / "whole") == 0
    whole = (tmp_path / "whole" / "events.jsonl").read_bytes()
    log = tmp_path / "killed" / "events.jsonl"
    sizes = [0]
    for _ in range(20):
        goal = sizes[-1] + rng.choice([0, rng.randrange(len(whole) // 40)])  # a half of them early, in the replay
        status = run_story(
            "tell", log.parent, lambda goal=goal: log.exists() and log.stat().st_size >= goal, rng.uniform(0, 0.004)
        )
        assert status == -signal.SIGKILL
        content = log.read_bytes()
        assert whole.startswith(content)  # never anything but a beginning of the whole story
        sizes.append(len(content))
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 5
    assert run_story("tell", log.parent) == 0
    assert log.read_bytes() == whole


def test_work_killed_at_random_points_is_done_once_and_its_seconds_stay(tmp_path, run_story):
    rng = random.Random(5)
    records: dict[Path, bytes] = {}
    counts = set()

    def finished() -> list[Path]:
        found = (tmp_path / "work").glob("training/??/*/record.json")
        return [path for path in found if not path.parent.name.endswith(".building")]

    for _ in range(20):
        goal = len(records) + rng.randrange(3)
        status = run_story("work", tmp_path, lambda goal=goal: len(finished()) >= goal, rng.uniform(0, 0.03))
        assert status == -signal.SIGKILL, "the story is too short"
        for path, content in records.items():
            assert path.read_bytes() == content, "a result changed after it was there"
        records = {path: path.read_bytes() for path in finished()}
        counts.add(len(records))
    assert len(counts) > 5
    assert run_story("work", tmp_path) == 0
    log = (tmp_path / "events.jsonl").read_bytes()
    assert log.count(b"\n") == WORKS

    assert len(finished()) == WORKS
    for folder in (path.parent for path in finished()):
        record = json.loads((folder / "record.json").read_bytes())
        n = record["inputs"]["number"]
        for part in range(4):
            assert (folder / f"part-{part}" / "weights").read_bytes() == bytes([n, part]) * 20_000
    left = [path for path in (tmp_path / "work").rglob("*") if "building" in path.name or "set-aside" in path.parts]
    assert left == []
    done = (tmp_path / "done.txt").read_text().split()
    assert set(done) == {str(n) for n in range(WORKS)}
    assert len(done) <= WORKS + 20  # work is only repeated where a kill came between its end and its record

    (tmp_path / "events.jsonl").unlink()
    assert run_story("work", tmp_path) == 0
    assert (tmp_path / "events.jsonl").read_bytes() == log  # durations are those of the record
    assert (tmp_path / "done.txt").read_text().split() == done
