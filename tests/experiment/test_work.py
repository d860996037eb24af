"""Work is done once, appears whole, is found again, and a damaged result is noticed and made again."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from analysis.base.errors import DiskFullError, InputError
from analysis.base.paths import ROOT
from analysis.experiment.work import WorkStore

INPUTS = {"data": "d1", "settings": {"epochs": 3, "lr": 0.01}}


class Trainer:
    """Work that counts how often it is done."""

    def __init__(self, outputs=None, content: bytes = b"weights") -> None:
        self.outputs = {"map50": 0.5} if outputs is None else outputs
        self.content = content
        self.calls = 0

    def __call__(self, folder: Path):
        assert folder.is_dir()
        assert list(folder.iterdir()) == []
        self.calls += 1
        (folder / "best.pt").write_bytes(self.content)
        (folder / "plots").mkdir()
        (folder / "plots" / "a.txt").write_text("a")
        return self.outputs


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path, notes) -> WorkStore:
    return WorkStore(tmp_path / "work", notes.append)


def everything(root: Path) -> list[str]:
    """All files under a root, and folders that something unfinished would be in."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() or "b" in path.suffix)


def test_work_is_done_once_and_found_again_by_this_store_and_another(tmp_path, notes):
    trainer, ticks = Trainer({"curve": (1, np.float64(2.5)), "none": None}), iter([10.0, 12.25])
    clock = datetime(2026, 7, 1, 12, tzinfo=UTC)
    store = WorkStore(tmp_path, notes.append, clock=lambda: clock, timer=lambda: next(ticks))
    first = store.do("training", INPUTS, trainer)
    again = store.do("training", dict(reversed(INPUTS.items())), trainer)
    elsewhere = WorkStore(tmp_path).do("training", INPUTS, trainer)
    assert trainer.calls == 1
    assert (first.reused, again.reused, elsewhere.reused) == (False, True, True)
    assert first.outputs == again.outputs == elsewhere.outputs == {"curve": [1, 2.5], "none": None}
    assert first.seconds == elsewhere.seconds == 2.25
    assert first.folder == tmp_path / "training" / first.key[:2] / first.key
    assert (first.folder / "best.pt").read_bytes() == b"weights"
    assert first.record["inputs"] == INPUTS
    assert first.record["created"] == "2026-07-01T12:00:00+00:00"
    assert first.record["machine"]["cores"] >= 1
    assert first.record["files"] == {  # digests as sha256sum prints them
        "best.pt": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
        "plots/a.txt": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
    }
    assert json.loads((first.folder / "record.json").read_text()) == first.record
    assert notes == []
    assert everything(tmp_path) == [
        f"training/{first.key[:2]}/{first.key}/{name}" for name in ("best.pt", "plots/a.txt", "record.json")
    ]


@pytest.mark.parametrize(
    ("kind", "inputs"),
    [
        ("training", INPUTS | {"data": "d2"}),
        ("training", {"data": "d1", "settings": {"epochs": 3, "lr": 0.0100000000001}}),
        ("training", {"data": "d1", "settings": {"epochs": "3", "lr": 0.01}}),
        ("evaluation", INPUTS),
    ],
)
def test_other_inputs_are_other_work(store, kind, inputs):
    first, trainer = store.do("training", INPUTS, Trainer()), Trainer()
    other = store.do(kind, inputs, trainer)
    assert (trainer.calls, other.reused) == (1, False)
    assert other.key != first.key


def test_inputs_and_outputs_that_do_not_survive_json_are_refused(store, tmp_path):
    trainer = Trainer()
    with pytest.raises(InputError) as caught:
        store.do("training", {"path": tmp_path, "share": float("nan"), "sizes": {1: 2}, "ok": 1}, trainer)
    assert [problem.where for problem in caught.value.problems] == [
        "inputs of training.path",
        "inputs of training.share",
        "inputs of training.sizes",
    ]
    assert trainer.calls == 0
    with pytest.raises(InputError, match=r"outputs of training\.loss: is inf"):
        store.do("training", INPUTS, Trainer({"loss": float("inf")}))
    with pytest.raises(InputError, match="returned list"):
        store.do("training", INPUTS, Trainer([1]))
    with pytest.raises(InputError, match="no proper kind"):
        store.do("../training", INPUTS, trainer)
    assert everything(store.root) == []


def test_links_and_the_name_of_the_record_are_refused(store):
    def work(folder: Path) -> dict:
        (folder / "link").symlink_to("/etc/hostname")
        (folder / "record.json").write_text("mine")
        return {}

    with pytest.raises(InputError) as caught:
        store.do("training", INPUTS, work)
    assert [problem.where for problem in caught.value.problems] == ["link", "record.json"]
    assert everything(store.root) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_work_that_fails_leaves_nothing_and_is_done_again(store, error):
    def fails(folder: Path) -> dict:
        (folder / "half").write_text("half")
        raise error

    with pytest.raises(error):
        store.do("training", INPUTS, fails)
    assert everything(store.root) == []
    trainer = Trainer()
    assert not store.do("training", INPUTS, trainer).reused
    assert trainer.calls == 1


def test_a_full_disk_leaves_nothing(store, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="No space left"):
        store.do("training", INPUTS, Trainer())
    assert everything(store.root) == []


def shorten(folder: Path) -> None:
    (folder / "best.pt").write_bytes(b"weight")


def flip(folder: Path) -> None:
    (folder / "best.pt").write_bytes(b"weightz")


def lose(folder: Path) -> None:
    shutil.rmtree(folder / "plots")


def cut_record(folder: Path) -> None:
    (folder / "record.json").write_bytes((folder / "record.json").read_bytes()[:50])


def lose_record(folder: Path) -> None:
    (folder / "record.json").unlink()


def empty_record(folder: Path) -> None:
    (folder / "record.json").write_text("[]")


def other_record(folder: Path) -> None:
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"inputs": {}}))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (shorten, "best.pt is not what was stored"),
        (flip, "best.pt is not what was stored"),
        (lose, "plots/a.txt is missing"),
        (cut_record, "its record cannot be read"),
        (lose_record, "its record cannot be read"),
        (empty_record, "its record cannot be read"),
        (other_record, "its record is of other work"),
    ],
)
def test_a_damaged_result_is_set_aside_and_made_again(tmp_path, notes, damage, fault):
    first = WorkStore(tmp_path).do("training", INPUTS, Trainer())
    damage(first.folder)
    trainer = Trainer()
    mended = WorkStore(tmp_path, notes.append).do("training", INPUTS, trainer)
    assert (trainer.calls, mended.reused) == (1, False)
    assert (mended.folder / "best.pt").read_bytes() == b"weights"
    aside = tmp_path / "set-aside" / f"training-{first.key[:12]}-1"
    assert aside.is_dir()
    assert len(notes) == 1
    assert fault in notes[0]
    assert aside.name in notes[0]
    damage(mended.folder)
    WorkStore(tmp_path, notes.append).do("training", INPUTS, trainer)
    assert aside.with_name(aside.name[:-1] + "2").is_dir()


def test_a_file_that_came_later_is_no_damage(tmp_path):
    """Readers such as ultralytics leave caches beside a data set."""
    first = WorkStore(tmp_path).do("training", INPUTS, Trainer())
    (first.folder / "labels.cache").write_text("x")
    assert WorkStore(tmp_path).do("training", INPUTS, Trainer()).reused


def test_a_result_deleted_under_a_running_store_is_made_again(store):
    shutil.rmtree(store.do("training", INPUTS, Trainer()).folder)
    assert not store.do("training", INPUTS, Trainer()).reused


def test_work_may_ask_for_other_work_but_not_for_itself(store):
    def outer(folder: Path) -> dict:
        return {"inner": store.do("dataset", {}, Trainer()).outputs}

    assert store.do("training", INPUTS, outer).outputs == {"inner": {"map50": 0.5}}

    def itself(folder: Path) -> dict:
        return dict(store.do("loop", {}, itself).outputs)

    with pytest.raises(RuntimeError, match="asks for itself"):
        store.do("loop", {}, itself)
    assert [name for name in everything(store.root) if "loop" in name] == []


def slow_work(folder: Path) -> dict:
    time.sleep(0.3)
    with (folder.parents[3] / "done.txt").open("a") as file:
        file.write("done\n")
    return {"process": os.getpid()}


def ask(root: Path, answers) -> None:
    done = WorkStore(root).do("training", INPUTS, slow_work)
    answers.put((done.reused, done.outputs["process"]))


def test_of_several_processes_one_works_and_the_others_wait(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=ask, args=(tmp_path / "work", answers)) for _ in range(3)]
    for process in processes:
        process.start()
    results = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(reused for reused, _ in results) == [False, True, True]
    assert len({process for _, process in results}) == 1
    assert (tmp_path / "done.txt").read_text() == "done\n"
    assert list((tmp_path / "work" / ".locks").iterdir()) == []


def test_of_several_threads_one_works_and_the_others_wait(store):
    trainer, results = Trainer(), []

    def slow(folder: Path) -> dict:
        time.sleep(0.1)
        return trainer(folder)

    threads = [
        threading.Thread(target=lambda: results.append(store.do("training", INPUTS, slow).reused)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trainer.calls == 1
    assert sorted(results) == [False, True, True, True]


KILLED = """
import sys, time
from pathlib import Path
from analysis.experiment.work import WorkStore

def work(folder):
    (folder / "half").write_text("half")
    print(folder, flush=True)
    time.sleep(60)

WorkStore(Path(sys.argv[1])).do("training", {"n": 1}, work)
"""


@pytest.fixture
def working(tmp_path):
    """Another process in the middle of its work, and the folder in which it works."""
    command = [sys.executable, "-c", KILLED, str(tmp_path / "work")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as child:
        yield child, Path(child.stdout.readline().strip())
        child.kill()


def test_what_a_killed_worker_leaves_is_removed_and_its_work_done_by_the_next(tmp_path, working, notes):
    child, building = working
    assert [path.name for path in building.iterdir()] == ["half"]
    WorkStore(tmp_path / "work")
    assert building.is_dir(), "the work of a living process is left alone"

    waiter = []
    thread = threading.Thread(
        target=lambda: waiter.append(WorkStore(tmp_path / "work", notes.append).do("training", {"n": 1}, Trainer()))
    )
    thread.start()
    thread.join(0.3)
    assert thread.is_alive(), "the second waits for the first"
    child.send_signal(signal.SIGKILL)
    thread.join(10)
    assert not waiter[0].reused
    assert not building.exists()
    assert everything(tmp_path / "work") == [
        (waiter[0].folder / name).relative_to(tmp_path / "work").as_posix()
        for name in ("best.pt", "plots/a.txt", "record.json")
    ]


def test_opening_a_store_removes_what_killed_runs_left(tmp_path, working):
    child, building = working
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert building.is_dir()
    WorkStore(tmp_path / "work")
    assert not building.exists()
    assert everything(tmp_path / "work") == []
