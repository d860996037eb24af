"""Tracking: real offline W&B runs, read back and compared with the record; tampering; uploading."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wandb.proto.wandb_internal_pb2 import Record

from analysis.base.errors import InputError
from analysis.experiment.scenes import Detections, Scene
from analysis.experiment.tracker import Tracker
from analysis.experiment.tracking import SyncError, reconcile, sync
from analysis.experiment.tracking_log import read_entries, run_folders
from analysis.experiment.tracking_records import (
    RECORD_FILE,
    Picture,
    TrackedArmRun,
    TrackedFiles,
    TrackedTraining,
    append_record,
    load_records,
    run_id,
)

TRAINING = run_id("training", "w1")


def make_training(folder: Path, key: str = "w1", group: str = "trainings") -> TrackedTraining:
    """A training with everything: nested config, numpy numbers, a missing value, NaN, a picture with boxes, files."""
    work = folder / "work"
    if not work.exists():
        (work / "batch" / "images").mkdir(parents=True)
        for place in range(3):
            (work / "batch" / "images" / f"{place}.jpg").write_bytes(bytes([place]) * 100)
        (work / "parent.pt").write_bytes(b"parent" * 50)
        (work / "new.pt").write_bytes(b"new" * 50)
    image = np.random.default_rng(1).integers(0, 255, (24, 32, 3), dtype=np.uint8)
    box = np.array([[2.0, 3.0, 20.0, 18.0]])
    scene = Scene(image, box, np.array([1]))
    pictures = (
        Picture(scene, Detections(box + 1, np.array([0]), np.array([0.8])), "first"),
        Picture(scene, Detections()),
    )
    return TrackedTraining(
        key,
        name=f"fine-tune-{key}",
        group=group,
        tags=("quick", "cpu"),
        config={"lr0": 0.01, "deep": {"sizes": (96, 160), "none": None}, "tiny": 1e-17},
        history=[
            {"epoch": 1, "metrics/mAP50(B)": np.float64(1 / 3), "val/loss": None},
            {"epoch": 2, "metrics/mAP50(B)": np.float64(2 / 3), "val/loss": float("nan")},
        ],
        seconds=12.25,
        files=(
            TrackedFiles("batch", "dataset", work / "batch", "sha256:" + "a" * 64),
            TrackedFiles("batch", "dataset", work / "batch", "sha256:" + "a" * 64),  # named twice, one artifact
            TrackedFiles("inspector", "model", work / "parent.pt", "b" * 64),
            TrackedFiles("inspector", "model", work / "new.pt", "c" * 64, made=True),
        ),
        pictures=pictures,
        classes=("dent", "tear"),
    )


def make_arm_run() -> TrackedArmRun:
    series = [{"time_h": 1.5 * place, "mAP50": 0.9 - place / 100} for place in range(20)]
    return TrackedArmRun("a1", "mlops", 7, {"profile": "quick"}, series, {"incidents": 3}, trainings=["w1"])


def track_live(tracker: Tracker, training: TrackedTraining, train_s: float = 0) -> None:
    header = {"name": training.name, "group": training.group, "tags": training.tags, "config": training.config}
    with tracker.training(training.key, **header) as run:
        deadline = time.monotonic() + 60
        while train_s and not run_folders(tracker.folder, run.id) and time.monotonic() < deadline:
            time.sleep(0.05)  # a real training outlasts the start of the service
        for row in training.history:
            run.log_epoch(row)
            time.sleep(train_s / len(training.history))
    tracker.track_training(training)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Path:
    """A folder with one training tracked live and one arm-run; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("tracked")
    with Tracker(folder, mode="offline", sampling_s=0.5) as tracker:
        track_live(tracker, make_training(folder), train_s=2.5)
        tracker.track_arm_run(make_arm_run())
    assert tracker.problems == []
    assert tracker.finished[TRAINING]["live"]
    return folder


@pytest.fixture
def copied(tracked, tmp_path) -> Path:
    shutil.copytree(tracked, tmp_path / "copy", symlinks=True)
    return tmp_path / "copy"


def run_folder(folder: Path, run: str = TRAINING) -> Path:
    (found,) = run_folders(folder, run)
    return found


def write_log(entries: list[bytes]) -> bytes:
    """Entries framed as the LevelDB log format has it (doc/log_format.md of LevelDB), in W&B's variant."""
    log = bytearray(b":W&B\xe1\xbe\x00")
    for entry in entries:
        first = True
        while first or entry:
            left = 32768 - len(log) % 32768
            if left < 7:
                log += bytes(left)
                left = 32768
            piece, entry = entry[: left - 7], entry[left - 7 :]
            kind = bytes([(1 if first else 4) if not entry else (2 if first else 3)])
            log += zlib.crc32(kind + piece).to_bytes(4, "little") + len(piece).to_bytes(2, "little") + kind + piece
            first = False
    return bytes(log)


def tamper(folder: Path, change) -> None:
    """Rewrite a run's log: ``change`` gets each record and says whether it stays."""
    (log,) = run_folder(folder).glob("*.wandb")
    records = [Record.FromString(entry) for entry in read_entries(log.read_bytes())]
    log.write_bytes(write_log([record.SerializeToString() for record in records if change(record)]))


def complaints(folder: Path) -> str:
    return "\n".join(str(problem) for problem in reconcile(folder)[1])


def test_what_is_tracked_is_in_wandb_and_agrees(tracked):
    table, problems = reconcile(tracked)
    assert problems == []
    row = table.set_index("run").loc[TRAINING]
    assert (row["state"], row["epochs"], row["pictures"], row["files"]) == ("agrees", 2, 2, 3)
    assert row["system_samples"] >= 2  # the machine was sampled while the run was open
    assert set(table["kind"]) == {"training", "arm-run"}
    records, _ = load_records(tracked / RECORD_FILE)
    assert records[TRAINING]["history"][1] == {"epoch": 2, "metrics/mAP50(B)": 2 / 3, "val/loss": "NaN"}
    assert records[run_id("arm-run", "a1")]["config"]["trainings"] == [TRAINING]


def test_boxes_class_names_and_lineage_reach_wandb(tracked):
    folder = run_folder(tracked)
    boxes = [path.read_text() for path in folder.rglob("*.boxes2D.json")]
    assert any("dent 0.80" in text for text in boxes)
    (log,) = folder.glob("*.wandb")
    artifacts = [Record.FromString(entry).artifact for entry in read_entries(log.read_bytes())]
    uses = {artifact.name: artifact.use_after_commit for artifact in artifacts if artifact.name}
    assert uses == {"batch-" + "a" * 16: True, "inspector-" + "b" * 16: True, "inspector-" + "c" * 16: False}


def test_tracking_again_changes_nothing(copied):
    before = {path: path.stat().st_mtime_ns for path in (copied / "wandb").rglob("*.wandb")}
    line_count = len((copied / RECORD_FILE).read_bytes().splitlines())
    with Tracker(copied, mode="offline") as tracker:
        track_live(tracker, make_training(copied))
        tracker.track_arm_run(make_arm_run())
    assert tracker.problems == []
    assert all(run["present"] for run in tracker.finished.values()) and len(tracker.finished) == 2
    assert {path: path.stat().st_mtime_ns for path in (copied / "wandb").rglob("*.wandb")} == before
    assert len((copied / RECORD_FILE).read_bytes().splitlines()) == line_count


def test_a_missing_run_is_found_and_mended(copied):
    shutil.rmtree(run_folder(copied))
    assert "no such run" in complaints(copied)
    with Tracker(copied, mode="offline") as tracker:
        tracker.track_training(make_training(copied))
    assert not tracker.finished[TRAINING]["live"]
    assert complaints(copied) == ""


def test_a_changed_metric_is_found(copied):
    def change(record: Record) -> bool:
        for item in record.history.item:
            if list(item.nested_key) == ["metrics/mAP50(B)"] and item.value_json.startswith("0.6666"):
                item.value_json = "0.7"
        return True

    tamper(copied, change)
    found = complaints(copied)
    assert "history, row 2, metrics/mAP50(B): recorded 0.6666666666666666, W&B has 0.7" in found


def test_a_changed_configuration_and_summary_are_found(copied):
    def change(record: Record) -> bool:
        for item in [*record.config.update, *record.run.config.update, *record.summary.update]:
            if "lr0" in [*item.nested_key, item.key]:
                item.value_json = "0.02"
            if "seconds" in [*item.nested_key, item.key]:
                item.value_json = "1"
        return True

    tamper(copied, change)
    assert "config, lr0: recorded 0.01, W&B has 0.02" in complaints(copied)
    assert "summary, seconds: recorded 12.25, W&B has 1" in complaints(copied)


def test_a_missing_artifact_is_found(copied):
    tamper(copied, lambda record: record.artifact.name != "inspector-" + "c" * 16)
    assert f"artifact inspector-{'c' * 16}: recorded, but W&B has none" in complaints(copied)


def test_a_missing_picture_and_a_missing_file_are_found(copied):
    next(run_folder(copied).rglob("*.png")).unlink()
    shutil.copytree(copied / "work", copied / "kept")
    with Tracker(copied, mode="offline") as tracker:
        tracker.track_training(make_training(copied, "w2"))
    (copied / "work" / "new.pt").unlink()
    found = complaints(copied)
    assert "pictures: 2 recorded" in found and "new.pt: no longer there" in found


def test_a_duplicated_and_an_unrecorded_run_are_found(copied):
    folder = run_folder(copied)
    twin = folder.with_name(f"offline-run-20200101_000000-{TRAINING}")
    shutil.copytree(folder, twin)
    assert "is there 2 times" in complaints(copied)
    shutil.rmtree(twin)
    (copied / RECORD_FILE).unlink()
    assert "in W&B, but not in the record" in complaints(copied)


def test_an_unfinished_run_is_found_and_replaced(copied):
    (log,) = run_folder(copied).glob("*.wandb")
    log.write_bytes(log.read_bytes()[:-40])
    assert "cut off before its end" in complaints(copied)
    with Tracker(copied, mode="offline") as tracker:
        tracker.track_training(make_training(copied))
    assert complaints(copied) == ""


def test_one_work_has_one_record(tmp_path):
    with Tracker(tmp_path, mode="disabled") as tracker:
        tracker.track_training(make_training(tmp_path))
        tracker.track_training(make_training(tmp_path))
        assert tracker.problems == []
        tracker.track_training(make_training(tmp_path, group="another arm"))
    (problem,) = tracker.problems
    assert "different content" in problem.what
    assert load_records(tmp_path / RECORD_FILE)[0][TRAINING]["group"] == "trainings"
    assert not (tmp_path / "wandb").exists()  # disabled: the record alone


def test_offline_nothing_asks_the_network(tmp_path, monkeypatch):
    callers = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                callers.append(address)
                connection.close()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", "a" * 40)  # not even with a login at hand
        with Tracker(tmp_path, mode="offline") as tracker:
            track_live(tracker, make_training(tmp_path))
        server.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
    assert tracker.problems == [] and TRAINING in tracker.finished
    assert callers == []


@pytest.fixture
def nobody(tmp_path, monkeypatch):
    """Nobody is logged in to W&B."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "NETRC", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def test_online_without_a_login_is_kept_offline(tmp_path, nobody):
    with Tracker(tmp_path, mode="online") as tracker:
        track_live(tracker, make_training(tmp_path))
    (problem,) = tracker.problems
    assert "out of reach" in problem.what and "wandb-sync" in problem.remedy
    assert complaints(tmp_path) == ""


def test_uploading_needs_a_login_and_says_so(copied, nobody, monkeypatch):
    (copied / "elsewhere").mkdir()
    monkeypatch.chdir(copied / "elsewhere")
    with pytest.raises(SyncError, match=r"Not logged in(.|\n)*wandb login"):
        sync(copied, echo=lambda line: None)
    assert list(Path.cwd().iterdir()) == []


def test_an_unreachable_server_is_an_error_in_time(copied, nobody, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "a" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(SyncError, match="no answer within 3 s"):
        sync(copied, patience_s=3, echo=lambda line: None)


def test_uploaded_runs_are_skipped_and_never_replaced(copied, nobody):
    for log in (copied / "wandb").rglob("run-*.wandb"):
        log.with_suffix(".wandb.synced").touch()
    said = []
    assert sync(copied, echo=said.append) == []
    assert "uploaded already" in said[0]
    assert reconcile(copied)[0]["uploaded"].all()
    with Tracker(copied, mode="offline") as tracker:
        tracker.track_training(make_training(copied, group="renamed"))
    (problem,) = tracker.problems
    assert "uploaded with other content" in problem.what
    assert "group: recorded 'renamed'" in complaints(copied)


def test_a_torn_record_is_cut_and_a_damaged_one_named(tmp_path):
    path = tmp_path / RECORD_FILE
    append_record(path, {"id": "one"})
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    assert load_records(path) == ({"one": {"id": "one"}}, [])
    append_record(path, {"id": "two"})
    assert path.read_text() == '{"id":"one"}\n{"id":"two"}\n'
    path.write_text('{"id":"one"}\nnonsense\n[]\n')
    records, problems = load_records(path)
    assert list(records) == ["one"]
    assert ["line 2" in problems[0].where, "line 3" in problems[1].where] == [True, True]


def test_an_unknown_mode_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    with pytest.raises(InputError, match="sometimes"):
        Tracker(tmp_path)


@given(st.lists(st.integers(0, 70_000), max_size=6), st.data())
@settings(max_examples=40, deadline=None)
def test_the_log_is_read_across_blocks_and_up_to_a_tear(sizes, data):
    entries = [bytes([place + 1]) * size for place, size in enumerate(sizes)]
    log = write_log(entries)
    assert list(read_entries(log)) == entries
    cut = list(read_entries(log[: data.draw(st.integers(0, len(log)))]))
    assert cut == entries[: len(cut)]
