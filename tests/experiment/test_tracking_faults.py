"""Tracking when things go wrong: kills, hangs, obstacles, failed trainings; and what it keeps out of the experiment."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.base.paths import ROOT
from analysis.experiment.tracker import Tracker
from analysis.experiment.tracking import reconcile
from analysis.experiment.tracking_log import run_folders
from analysis.experiment.tracking_records import (
    RECORD_FILE,
    TrackedArmRun,
    TrackedFiles,
    TrackedTraining,
    load_records,
    run_id,
)

TRAINING = run_id("training", "w1")


def make_training(folder: Path, key: str = "w1") -> TrackedTraining:
    weights = folder / "new.pt"
    if not weights.exists():
        weights.write_bytes(b"new" * 50)
    files = (TrackedFiles("inspector", "model", weights, "c" * 64, made=True),)
    history = [{"epoch": 1, "mAP50": 1 / 3}, {"epoch": 2, "mAP50": 2 / 3}]
    return TrackedTraining(key, f"fine-tune-{key}", "trainings", {"lr0": 0.01}, history, 12.25, files)


def make_arm_run() -> TrackedArmRun:
    series = [{"time_h": 1.5 * place, "mAP50": 0.9 - place / 100} for place in range(20)]
    return TrackedArmRun("a1", "mlops", 7, {"profile": "quick"}, series, {"incidents": 3}, trainings=["w1"])


def track_live(tracker: Tracker, training: TrackedTraining, pause_s: float = 0) -> None:
    with tracker.training(training.key, name=training.name, group=training.group, config=training.config) as run:
        for row in training.history:
            run.log_epoch(row)
            time.sleep(pause_s)
    tracker.track_training(training)


def complaints(folder: Path) -> str:
    return "\n".join(str(problem) for problem in reconcile(folder)[1])


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_tracking_faults import Tracker, make_arm_run, make_training, track_live
folder = Path(sys.argv[1])
with Tracker(folder, mode="offline") as tracker:
    track_live(tracker, make_training(folder), pause_s=0.2)
    track_live(tracker, make_training(folder, "w2"), pause_s=0.2)
    tracker.track_arm_run(make_arm_run())
    print("handed over", flush=True)
"""


def start_script(folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", SCRIPT, str(folder), str(Path(__file__).parent)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("moment", ["first epoch", "second training", "handed over"])
def test_killed_and_resumed_it_reconciles(tmp_path, moment):
    process = start_script(tmp_path)
    if moment == "handed over":
        assert process.stdout.readline() == "handed over\n"
    else:
        wanted = TRAINING if moment == "first epoch" else run_id("training", "w2")
        deadline = time.monotonic() + 60
        while not run_folders(tmp_path, wanted) and time.monotonic() < deadline:
            time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    resumed = start_script(tmp_path)
    resumed.communicate(timeout=120)
    assert resumed.returncode == 0
    table, problems = reconcile(tmp_path)
    assert problems == []
    assert len(table) == 3 and set(table["state"]) == {"agrees"}


def test_two_processes_track_the_same_work_once(tmp_path):
    make_training(tmp_path)
    processes = [start_script(tmp_path) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=180)
    assert [process.returncode for process in processes] == [0, 0]
    table, problems = reconcile(tmp_path)
    assert problems == [] and len(table) == 3


def test_a_hanging_service_stalls_nothing(tmp_path):
    training = make_training(tmp_path)
    with Tracker(tmp_path, mode="offline", patience_s=1.5) as tracker:
        with tracker.training("w1", name=training.name, group=training.group, config=training.config) as run:
            os.kill(tracker._process.pid, signal.SIGSTOP)
            start = time.perf_counter()
            for epoch in range(20_000):  # far more than a pipe holds
                run.log_epoch({"epoch": epoch, "loss": 1 / (epoch + 1)})
            assert time.perf_counter() - start < 5
        tracker.track_training(training)
        start = time.perf_counter()
        (problem,) = tracker.close()
    assert time.perf_counter() - start < 10
    assert "no sign of life" in problem.what
    assert TRAINING in load_records(tmp_path / RECORD_FILE)[0]
    with Tracker(tmp_path, mode="offline") as tracker:
        tracker.track_training(training)
    assert tracker.problems == [] and complaints(tmp_path) == ""


def test_a_killed_worker_is_reported_and_made_good(tmp_path):
    heard = []
    with Tracker(tmp_path, mode="offline", on_problem=heard.append) as tracker:
        track_live(tracker, make_training(tmp_path))
        tracker._process.kill()
        tracker.track_arm_run(make_arm_run())
    assert [problem.what for problem in heard] == ["the W&B worker ended too early"]
    with Tracker(tmp_path, mode="offline") as tracker:
        tracker.track_training(make_training(tmp_path))
        tracker.track_arm_run(make_arm_run())
    assert tracker.problems == [] and complaints(tmp_path) == ""


def test_a_folder_that_wandb_cannot_write_fails_nothing(tmp_path):
    (tmp_path / "wandb").write_text("in the way")
    with Tracker(tmp_path, mode="offline") as tracker:
        track_live(tracker, make_training(tmp_path))
        tracker.track_arm_run(make_arm_run())
    assert tracker.problems and all("W&B failed" in problem.what for problem in tracker.problems)
    assert len(load_records(tmp_path / RECORD_FILE)[0]) == 2
    (tmp_path / "wandb").unlink()
    assert complaints(tmp_path).count("no such run") == 2


def test_a_run_opened_as_something_else_follows_its_record(tmp_path):
    with Tracker(tmp_path, mode="offline") as tracker:
        with tracker.training("w1", name="other", group="other", config={"lr0": 1}) as run:
            run.log_epoch({"epoch": 1, "mAP50": 0.1})
        tracker.track_training(make_training(tmp_path))
    assert not tracker.finished[TRAINING]["live"]
    assert complaints(tmp_path) == ""


def test_a_training_that_fails_leaves_no_run(tmp_path):
    with Tracker(tmp_path, mode="offline") as tracker:
        with pytest.raises(ValueError, match="diverged"), tracker.training("w1", name="n", group="g", config={}) as run:
            run.log_epoch({"epoch": 1})
            raise ValueError("diverged")
        tracker.close()
    assert tracker.problems == [] and run_folders(tmp_path) == []
    assert complaints(tmp_path) == ""


def test_a_run_never_completed_is_reported(tmp_path):
    with Tracker(tmp_path, mode="offline") as tracker, tracker.training("w1", name="n", group="g", config={}):
        pass
    (problem,) = tracker.problems
    assert problem.where == TRAINING and "never completed" in problem.what
    assert run_folders(tmp_path) == []


def test_only_one_module_imports_wandb():
    importing = set()
    for path in (ROOT / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "wandb" for name in names):
                importing.add(path.name)
    assert importing == {"tracking.py"}


def test_the_experiment_itself_never_loads_wandb():
    code = "import sys, analysis.experiment.tracker; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
