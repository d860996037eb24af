"""A run of the experiment killed with SIGKILL at twenty random points ends as if nothing had happened.

The models are tiny (images of 32 pixels, one epoch) and find nothing: what is tested is that every piece of
work is done once and that the logs are the same to the last byte. Killed are, in turn, the process that the user
started, one of its workers, and all of them at once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis.base.paths import ROOT
from analysis.experiment.run import locate_run, play_arm
from analysis.experiment.server_process import ModelServer
from analysis.experiment.settings import Settings, build_settings
from analysis.experiment.tracking import reconcile
from analysis.experiment.work import WorkStore
from tests.experiment.live_settings import log_faults

KILLS = 20
WORKS = 200
"""Pieces of work in the run, roughly: so far apart are the kills that they are spread over all of it."""
MARK = "WORKBENCH_TEST"
MODES = ("parent", "worker", "group")
DIED = 3
"""Exit status of a run whose worker was killed: it says so and ends."""

VALUES: dict[str, Any] = {
    "arms": ["manual", "mlops"],
    "seeds": [7],
    "image_size": 32,
    "training_images": 24,
    "jobs": 2,
    "effort_scale": 0.25,
    "first": {"epochs": 1},
    "tuning": {"epochs": 1},
    "scenario": {
        "weeks": 0.6,
        "settle_h": 0,
        "script": [
            [2, "latency_regression", 2],
            [10, "benign_change", 0],
            [30, "broken_batch", 0],
            [40, "silent_label_bug", 1],
            [60, "crash", 0],
            [70, "sudden_drift", 4],
            [80, "mislabelled_batch", 0],
        ],
        "data": {"initial_images": 32, "acceptance_images": 40, "batch_images": 16, "response_images": 40},
        "production": {"every_h": 24, "images": 16, "labelled": 16},
    },
}

HELPER = """
import json, os, sys
from pathlib import Path
from analysis.base.errors import WorkbenchError
from analysis.experiment.run import run_experiment
from analysis.experiment.settings import build_settings

while line := sys.stdin.readline():
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        try:
            run_experiment(build_settings("resume", order["values"]), Path(order["folder"]), again=order["again"])
        except WorkbenchError as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(3)
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()  # not waited for before the killer is done, so that its number is nobody else's
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass
class Runner:
    """Runs the experiment in forked children of a process that has imported it; all of them carry a mark."""

    helper: subprocess.Popen
    mark: str

    def start(self, folder: Path, again: bool = False) -> int:
        self.helper.stdin.write(json.dumps({"values": VALUES, "folder": str(folder), "again": again}) + "\n")
        self.helper.stdin.flush()
        return int(self.helper.stdout.readline())

    def wait(self) -> int:
        """Exit status of what was started last; negative for a signal."""
        self.helper.stdin.write("\n")
        self.helper.stdin.flush()
        return int(self.helper.stdout.readline())

    def left(self) -> list[psutil.Process]:
        """Processes that carry the mark, apart from the helper and from those that are dead already."""
        found = []
        for process in psutil.process_iter():
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                if alive and process.pid != self.helper.pid and process.environ().get(MARK) == self.mark:
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture(scope="module")
def runner(tmp_path_factory) -> Iterator[Runner]:
    mark = uuid.uuid4().hex
    environment = os.environ | {"PYTHONPATH": str(ROOT), MARK: mark, "WANDB_MODE": "offline"}
    with (
        (tmp_path_factory.mktemp("resume") / "messages.txt").open("w") as messages,
        subprocess.Popen(
            [sys.executable, "-c", HELPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            env=environment,
        ) as helper,
    ):
        runner = Runner(helper, mark)
        yield runner
        helper.stdin.close()
        helper.wait(20)
    assert runner.left() == []


@pytest.fixture(scope="module")
def settings() -> Settings:
    return build_settings("resume", VALUES)


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s")


def records(folder: Path) -> dict[str, int]:
    """Every piece of work that is done, with the time at which it was."""
    found = (folder / "work").glob("*/??/*/record.json")
    return {str(path): path.stat().st_mtime_ns for path in found if not path.parent.name.endswith(".building")}


def workers(parent: int) -> list[psutil.Process]:
    try:
        return [p for p in psutil.Process(parent).children() if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []


def read_logs(run: Path) -> dict[str, bytes]:
    """Whole lines of the logs, by arm-run."""
    found = {path.parent.name: path.read_bytes() for path in run.glob("*/events.jsonl")}
    return {name: content[: content.rfind(b"\n") + 1] for name, content in found.items()}


@pytest.fixture(scope="module")
def killed(runner, settings, tmp_path_factory) -> dict[str, Any]:
    """A run that was killed again and again and then went to its end."""
    rng = random.Random(20260105)
    folder = tmp_path_factory.mktemp("killed")
    run = locate_run(settings, folder).folder
    snapshots, counts = [], [0]
    for number in range(KILLS):
        mode = MODES[number % len(MODES)]
        child = runner.start(folder)
        goal = WORKS * (number + rng.random()) / (KILLS + 4)
        wait_for(lambda goal=goal, child=child: len(records(folder)) >= goal and workers(child))
        time.sleep(rng.uniform(0, 1))
        if mode == "worker":
            rng.choice(workers(child)).kill()
        elif mode == "parent":
            os.kill(child, signal.SIGKILL)
        else:
            os.killpg(child, signal.SIGKILL)
        told = time.monotonic()
        assert runner.wait() == (DIED if mode == "worker" else -signal.SIGKILL), f"kill {number} came too late"
        assert time.monotonic() - told < 20, "the others went on when one worker was dead"
        wait_for(lambda: not runner.left())
        assert not (run / "run.json").exists()
        snapshots.append(read_logs(run))
        counts.append(len(records(folder)))
    runner.start(folder)
    assert runner.wait() == 0
    wait_for(lambda: not runner.left())
    return {"folder": folder, "run": run, "snapshots": snapshots, "counts": counts}


def test_a_killed_run_leaves_no_process_and_nothing_but_the_beginning_of_its_logs(killed):
    whole = read_logs(killed["run"])
    assert set(whole) == {"manual-7", "mlops-7"}
    for snapshot in killed["snapshots"]:
        for name, content in snapshot.items():
            assert whole[name].startswith(content)
    counts = killed["counts"]
    assert len(set(counts)) > KILLS / 2  # they came at many different points
    assert len(records(killed["folder"])) / 2 < counts[-1], f"the kills came too early: {counts}"
    assert len({len(snapshot.get("mlops-7", b"")) for snapshot in killed["snapshots"]}) > KILLS / 3
    building = list((killed["folder"] / "work").rglob("*.building"))
    assert building == []


def test_its_logs_are_those_of_an_undisturbed_run_on_the_same_record(killed, runner, tmp_path):
    (tmp_path / "work").symlink_to(killed["folder"] / "work", target_is_directory=True)
    before = records(killed["folder"])
    runner.start(tmp_path)
    assert runner.wait() == 0
    undisturbed = tmp_path / "runs" / killed["run"].name
    assert records(killed["folder"]) == before  # no work was left to do
    assert read_logs(undisturbed) == read_logs(killed["run"])
    one, other = (json.loads((run / "run.json").read_text()) for run in (undisturbed, killed["run"]))
    for key in ("arm_runs", "work", "work_seconds", "settings", "code"):
        assert one[key] == other[key], key


def test_all_its_logs_are_valid(killed):
    for log in killed["run"].glob("*/events.jsonl"):
        assert log_faults(log) == []


def test_the_tracking_holds_what_the_record_says(killed):
    table, problems = reconcile(killed["folder"] / "tracking")
    assert problems == []
    assert set(table["state"]) == {"agrees"}
    assert sorted(table["kind"].unique()) == ["arm-run", "training"]
    assert (table["kind"] == "arm-run").sum() == 2


def test_played_again_it_needs_no_server_no_training_and_no_work_at_all(killed, runner, settings, monkeypatch):
    folder, run = killed["folder"], killed["run"]
    done, logs, summary = records(folder), read_logs(run), json.loads((run / "run.json").read_text())
    runner.start(folder, again=True)
    assert runner.wait() == 0
    assert records(folder) == done
    assert read_logs(run) == logs
    assert json.loads((run / "run.json").read_text())["arm_runs"] == summary["arm_runs"]

    def forbidden(*_: object) -> None:
        raise AssertionError("there was work to do")

    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(WorkStore, "_build", forbidden)
    monkeypatch.setattr(ModelServer, "start", forbidden)
    for item in summary["arm_runs"]:
        played = play_arm(settings, run, folder, item["arm"], item["seed"])
        assert {key: played[key] for key in item} == item
