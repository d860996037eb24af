"""A log is never half a story: replay, divergence, torn lines, kills; and what is read is what was written."""

from __future__ import annotations

import errno
import gzip
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import DiskFullError, InputError, WorkbenchError
from analysis.base.paths import ROOT
from analysis.experiment import events as module
from analysis.experiment import vocabulary as say
from analysis.experiment.event_table import COLUMNS, read_events
from analysis.experiment.events import EventLog, LogDivergedError, LogSink

START = datetime(2026, 1, 5, 8, tzinfo=UTC)


def open_log(path: Path, run_id: str = "quick/mlops/1") -> EventLog:
    return EventLog(path, "/workbench/mlops/1", run_id)


def tell(log: EventLog, first: int, last: int, seconds: float = 0.25) -> None:
    """A story whose event number ``n`` is always the same."""
    for n in range(first, last):
        moment = START + timedelta(minutes=7 * n)
        if n % 3:
            event = say.taskrun_finished(f"task-{n}", "smoke test", "success")
            log.add(event, moment, chain=f"chg-{n // 3:03d}", custom={"seconds": seconds + n})
        else:
            log.add(say.change_merged(f"chg-{n // 3:03d}"), moment, chain=f"chg-{n // 3:03d}")


@pytest.fixture
def story(tmp_path) -> bytes:
    """The whole story, told without a break."""
    with open_log(tmp_path / "whole.jsonl") as log:
        tell(log, 0, 30)
    return (tmp_path / "whole.jsonl").read_bytes()


def test_an_event_is_one_canonical_line(tmp_path):
    path = tmp_path / "new" / "events.jsonl"
    with open_log(path) as log:
        event = log.append(
            "service.deployed",
            "inspection",
            datetime(2026, 1, 5, 10, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2))),
            {"environment": {"id": "production"}, "artifactId": "pkg:generic/inspection@ab"},
            {"note": "größer", "n": np.int64(3), "share": np.float64(0.1)},
            chain="chg-007",
        )
    text = path.read_text()
    chain = json.loads(text)["context"]["chainId"]
    assert text == (
        f'{{"context":{{"chainId":"{chain}","id":"{event["context"]["id"]}","source":"/workbench/mlops/1",'
        '"specversion":"0.5.1","timestamp":"2026-01-05T08:00:00.123Z","type":"dev.cdevents.service.deployed.0.3.0"},'
        '"customData":{"chain":"chg-007","n":3,"note":"gr\\u00f6\\u00dfer","share":0.1},'
        '"subject":{"content":{"artifactId":"pkg:generic/inspection@ab","environment":{"id":"production"}},'
        '"id":"inspection"}}\n'
    )
    assert uuid.UUID(chain).version == 4  # what the specification asks of chainId
    assert uuid.UUID(event["context"]["id"]).version == 5


def test_equal_runs_have_equal_logs_and_other_runs_other_ids(tmp_path, story):
    for name, run_id in (("again.jsonl", "quick/mlops/1"), ("other.jsonl", "quick/mlops/2")):
        with open_log(tmp_path / name, run_id) as log:
            tell(log, 0, 30)
    assert (tmp_path / "again.jsonl").read_bytes() == story
    mine, other = read_events(tmp_path / "again.jsonl"), read_events(tmp_path / "other.jsonl")
    assert not set(mine["id"]) & set(other["id"])
    chains = [
        {json.loads(line)["context"]["chainId"] for line in (tmp_path / name).read_bytes().splitlines()}
        for name in ("again.jsonl", "other.jsonl")
    ]
    assert len(chains[0]) == len(chains[1]) == 10
    assert not chains[0] & chains[1]


def test_a_run_that_stopped_goes_on_where_it_was(tmp_path, story):
    path = tmp_path / "events.jsonl"
    log = open_log(path)
    tell(log, 0, 12)
    log.close()
    assert path.read_bytes() == b"".join(story.splitlines(keepends=True)[:12])
    log = open_log(path)
    assert (log.position, log.complete) == (0, False)
    tell(log, 0, 12)
    assert log.complete
    tell(log, 12, 30)
    assert log.position == 30
    log.finish()
    assert path.read_bytes() == story


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(0, 10_000))
def test_a_log_cut_anywhere_ends_as_the_same_log(cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cut")
    with open_log(folder / "whole.jsonl") as log:
        tell(log, 0, 6)
    whole = (folder / "whole.jsonl").read_bytes()
    path = folder / "events.jsonl"
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    with open_log(path) as log:
        assert path.read_bytes() == b"" or path.read_bytes().endswith(b"\n")
        tell(log, 0, 6)
    assert path.read_bytes() == whole


def test_a_tail_that_is_not_text_is_cut_off(tmp_path, story):
    path = tmp_path / "events.jsonl"
    path.write_bytes(story[:2000].rpartition(b"\n")[0] + b"\n" + b"\0" * 4096)  # as a crashed system leaves it
    with open_log(path) as log:
        tell(log, 0, 30)
    assert path.read_bytes() == story


def test_another_story_is_refused_with_line_and_both_versions(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_log(path) as log:
        tell(log, 0, 10)
    before = path.read_bytes()
    log = open_log(path)
    tell(log, 0, 4)
    with pytest.raises(LogDivergedError) as caught:
        tell(log, 4, 5, seconds=0.5)
    text = str(caught.value)
    assert f"{path}:5 is not what the run says this time." in text
    assert "customData.seconds: was 4.25, is now 4.5" in text
    assert "move it away" in text
    assert pickle.loads(pickle.dumps(caught.value)).problems == caught.value.problems
    with pytest.raises(LogDivergedError) as caught:
        log.add(say.change_abandoned("chg-9"), START)
    assert "the log holds taskrun.finished of task-4 at 2026-01-05T08:28:00.000Z" in str(caught.value)
    assert "the run now says change.abandoned of chg-9 at 2026-01-05T08:00:00.000Z" in str(caught.value)
    assert 'subject.content.outcome: was "success", is now absent' in str(caught.value)
    assert "customData: was {" in str(caught.value)
    log.close()
    assert path.read_bytes() == before


def test_a_damaged_line_is_named_when_the_run_comes_to_it(tmp_path, story):
    path = tmp_path / "events.jsonl"
    lines = story.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"{not json\n", *lines[2:]]))
    log = open_log(path)
    with pytest.raises(LogDivergedError, match=r"events\.jsonl:2: the line is no event: '\{not json'"):
        tell(log, 0, 30)
    log.close()


def test_a_run_that_ends_before_its_log_is_refused(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_log(path) as log:
        tell(log, 0, 10)
    surplus = r"2 events more than its run(.|\n)*:9: .*taskrun.finished of task-8"
    with pytest.raises(LogDivergedError, match=surplus), open_log(path) as log:
        tell(log, 0, 8)
    with pytest.raises(KeyError), open_log(path) as log:  # a run that breaks off has not ended
        raise KeyError


def test_what_cannot_be_said_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "events.jsonl"
    log = open_log(path)
    merged = say.change_merged("chg-1")
    for match, call in (
        ("unknown type", lambda: log.append("change.eaten", "chg-1", START, {})),
        ("has no zone", lambda: log.add(merged, datetime(2026, 1, 5))),
        ("the key is taken", lambda: log.add(merged, START, custom={"chain": "x"})),
        (r"customData\.a: is nan", lambda: log.add(merged, START, custom={"a": float("nan")})),
        (r"customData\.a\[1\]: is of type PosixPath", lambda: log.add(merged, START, custom={"a": [1, path]})),
        (r"customData: has the key 1", lambda: log.add(merged, START, custom={1: 2})),
        (
            "'artifactId' is a required",
            lambda: log.append("service.upgraded", "s", START, {"environment": {"id": "p"}}),
        ),
        (r"subject\.id: '' should be non-empty", lambda: log.append("change.merged", "", START, {})),
    ):
        with pytest.raises(InputError, match=match):
            call()
    assert (log.position, path.read_bytes()) == (0, b"")
    log.add(merged, START)
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.add(merged, START)


@pytest.mark.parametrize(("source", "run_id"), [("", "r"), ("/a b", "r"), ("/a", ""), ("/a", "x\ny")])
def test_a_log_needs_a_name(tmp_path, source, run_id):
    with pytest.raises(InputError, match="no proper name"):
        EventLog(tmp_path / "e.jsonl", source, run_id)
    assert list(tmp_path.iterdir()) == []


def test_one_run_at_a_time_writes_a_log(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    path = tmp_path / "events.jsonl"
    with open_log(path), pytest.raises(WorkbenchError, match=r"events\.jsonl is in use"):
        open_log(path)
    open_log(path).close()


def test_a_full_disk_leaves_the_last_whole_event(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    log = open_log(path)
    tell(log, 0, 3)
    before = path.read_bytes()
    write, sync = os.write, os.fsync

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def half(handle, data):
        monkeypatch.setattr(os, "write", full)
        return write(handle, data[: len(data) // 2])

    for name, fault in (("write", half), ("fsync", full)):
        monkeypatch.setattr(os, name, fault)
        with pytest.raises(DiskFullError, match="No space left"):
            tell(log, 3, 4)
        assert path.read_bytes() == before
        monkeypatch.setattr(os, "write", write)
        monkeypatch.setattr(os, "fsync", sync)
    tell(log, 3, 5)
    log.finish()
    assert path.read_bytes().count(b"\n") == 5


def test_every_event_is_synced_when_it_is_said_and_none_when_it_is_said_again(tmp_path, monkeypatch):
    path, synced, sync = tmp_path / "events.jsonl", [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(path.stat().st_size), sync(handle)))
    with open_log(path) as log:
        synced.clear()
        tell(log, 0, 5)
    sizes = np.cumsum([len(line) for line in path.read_bytes().splitlines(keepends=True)])
    assert synced == sizes.tolist()
    synced.clear()
    with open_log(path) as log:
        tell(log, 0, 5)
    assert synced == []


def test_a_child_of_a_killed_run_does_not_keep_the_log(tmp_path):
    path, ready = tmp_path / "events.jsonl", tmp_path / "ready"
    code = (
        "import os, sys, time; from pathlib import Path; from analysis.experiment.events import EventLog\n"
        "log = EventLog(Path(sys.argv[1]), '/a', 'a')\n"
        "if os.fork() == 0:\n"
        "    Path(sys.argv[2]).touch(); time.sleep(60)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(path), str(ready)]
    child = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)
    try:
        end = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < end:
            time.sleep(0.01)
        child.kill()
        child.wait()
        EventLog(path, "/a", "a").close()  # its orphan still sleeps
    finally:
        os.killpg(child.pid, signal.SIGKILL)


def test_a_table_has_one_row_an_event(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_log(path) as log:
        log.add(say.change_merged("chg-1"), START, chain="chg-1", custom={"sha": "ab"})
        log.add(say.service_deployed("inspection", "production", say.purl("inspection", "ab")), START)
        log.add(say.pipelinerun_finished("p-1", "delivery", "failure"), START + timedelta(seconds=1.5))
        log.add(say.degradation_ended("degradation-1", 4.5, 2), START + timedelta(hours=1))
    frame = read_events(path)
    assert tuple(frame.columns) == COLUMNS
    assert frame.index.name == "line"
    assert frame.index.tolist() == [1, 2, 3, 4]
    assert frame.attrs["source"] == path.as_posix()
    assert str(frame["time"].dtype) == "datetime64[ms, UTC]"
    assert (frame["time"] - frame["time"].iloc[0]).dt.total_seconds().tolist() == [0, 0, 1.5, 3600]
    assert frame["type"].tolist() == ["change.merged", "service.deployed", "pipelinerun.finished", "degradation.ended"]
    assert frame["subject"].tolist() == ["chg-1", "inspection", "p-1", "degradation-1"]
    assert frame["chain"].tolist() == ["chg-1", "", "", ""]
    assert frame["custom"].tolist() == [{"sha": "ab"}, {}, {}, {}]
    assert frame["outcome"].dropna().to_dict() == {3: "failure"}
    assert frame["environment"].dropna().to_dict() == {2: "production"}
    assert frame["content"].iloc[3] == {"hours": 4.5, "release": 2}
    assert set(frame["source"]) == {"/workbench/mlops/1"}
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    pd.testing.assert_frame_equal(read_events(packed), frame)


def test_an_empty_log_is_an_empty_table_of_the_same_kind(tmp_path):
    open_log(tmp_path / "e.jsonl").close()
    frame = read_events(tmp_path / "e.jsonl")
    assert (len(frame), tuple(frame.columns), str(frame["time"].dtype)) == (0, COLUMNS, "datetime64[ms, UTC]")


def test_all_faults_of_a_log_are_listed(tmp_path, story):
    lines = story.splitlines(keepends=True)
    path = tmp_path / "bad.jsonl"
    foreign = lines[3].replace(b"dev.cdevents.", b"com.example.")
    naive = lines[4].replace(b'.000Z"', b'.000"')
    path.write_bytes(b"".join([lines[0], b"{}\n", lines[2], b"nonsense\n", lines[0], foreign, naive, lines[7][:40]]))
    with pytest.raises(InputError) as caught:
        read_events(path)
    faults = {problem.where.rpartition(":")[2]: problem.what for problem in caught.value.problems}
    assert sorted(faults) == ["2", "4", "5", "6", "7", "8"]
    assert "KeyError: 'context'" in faults["2"]
    assert "stands in line 1 already" in faults["5"]
    assert "is not a CDEvents type" in faults["6"]
    assert "has no zone" in faults["7"]
    assert faults["8"] == "a line cut short after 40 bytes"


@pytest.mark.parametrize("content", [None, b"\x1f\x8b damaged"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "events.jsonl.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"events\.jsonl\.gz cannot be read"):
        read_events(path)


def test_a_sink_turns_hours_into_times_and_keeps_our_own_types_in_one_place(tmp_path):
    path = tmp_path / "events.jsonl"
    with open_log(path) as log:
        sink = LogSink(log, lambda hours: START + timedelta(hours=hours))
        sink.emit("delay.waited", "chg-1", 1.5, {}, {"delay": "review", "hours": 1.5}, "chg-1")
        sink.emit("change.merged", "chg-1", 2.0, {}, {"sha": "ab"}, "chg-1")
    frame = read_events(path)
    assert frame["content"].tolist() == [{"delay": "review", "hours": 1.5}, {}]
    assert frame["custom"].tolist() == [{}, {"sha": "ab"}]
    assert frame["time"].dt.hour.tolist() == [9, 10]
