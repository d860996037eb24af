"""Recordings: what a run left, small and whole, those of several machines side by side."""

from __future__ import annotations

import gzip
import json

import pytest

from analysis.base.errors import InputError
from analysis.experiment import recording
from analysis.experiment.events import EventLog
from analysis.experiment.identity import experiment_code
from analysis.experiment.outcomes import load_run
from analysis.experiment.recording import choose_recording, list_recordings, record_run
from analysis.experiment.scenario import load_scenario
from analysis.experiment.settings import SCENARIO
from analysis.experiment.vocabulary import repository_created

CELLS = (("manual", 1), ("mlops", 1), ("manual", 2), ("mlops", 2))


def make_run(folder, profile="quick", device="cpu", created="2026-03-04T05:06:07+00:00", weeks=2, **more):
    folder.mkdir(parents=True)
    for arm, seed in CELLS:
        with EventLog(folder / f"{arm}-{seed}" / "events.jsonl", f"/{arm}/{seed}", f"{arm}/{seed}") as log:
            log.add(repository_created(), load_scenario(SCENARIO).start)
        samples = folder / f"{arm}-{seed}" / "samples"
        samples.mkdir()
        (samples / "samples.png").write_bytes(b"png of " + arm.encode())
        (samples / "samples.json").write_text("{}", encoding="utf-8")
    about = {
        "profile": profile,
        "settings": {"arms": ["manual", "mlops"], "seeds": [1, 2], "scenario": {"weeks": weeks} if weeks else {}},
        "created": created,
        "machine": {"cores": 2, "python": "3.11.9", "system": "Linux"},
        "device": device,
        "versions": {"torch": "2.14.1", "ultralytics-opencv-headless": "8.4.190"},
        "code": experiment_code(),
        "scenario": SCENARIO.read_text(encoding="utf-8"),
        "wall_seconds": 12.5,
        "arm_runs": [{"arm": arm, "seed": seed, "events": 1} for arm, seed in CELLS],
        "work": [["abc", "training", 1.5]],
    } | more
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def content_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_recording_is_the_run_in_small(tmp_path):
    run = make_run(tmp_path / "run")
    place = record_run(run, tmp_path / "recorded")
    assert place.name.startswith("2026-03-04-quick-cpu")
    assert json.loads((place / "run.json").read_text()) == json.loads((run / "run.json").read_text())
    for arm, seed in CELLS:
        packed = (place / f"{arm}-{seed}" / "events.jsonl.gz").read_bytes()
        assert gzip.decompress(packed) == (run / f"{arm}-{seed}" / "events.jsonl").read_bytes()
        assert (place / f"{arm}-{seed}" / "samples.png").is_file() == (seed == 1)  # pictures of one seed are enough
    live, recorded = load_run(run), load_run(place)
    assert recorded.events.drop(columns="content").equals(live.events.drop(columns="content"))


def test_recording_again_gives_the_same_bytes_and_leaves_no_draft(tmp_path):
    run, target = make_run(tmp_path / "run"), tmp_path / "recorded"
    first = content_of(record_run(run, target))
    assert content_of(record_run(run, target)) == first
    assert len(list(target.iterdir())) == 1


def test_runs_of_several_devices_and_profiles_lie_side_by_side(tmp_path):
    target = tmp_path / "recorded"
    devices = {"a": ("quick", "cpu"), "b": ("gpu", "NVIDIA H200"), "c": ("full", "cpu")}
    places = {
        record_run(make_run(tmp_path / name, profile, device), target) for name, (profile, device) in devices.items()
    }
    assert len(places) == 3
    assert all(" " not in place.name for place in places)
    table = list_recordings(target)
    assert sorted(table["device"]) == ["NVIDIA H200", "cpu", "cpu"]
    assert table["code_as_now"].all()
    assert table[["arms", "seeds", "weeks", "cores"]].drop_duplicates().to_numpy().tolist() == [[2, 2, 2, 2]]


def test_a_run_without_weeks_of_its_own_has_those_of_the_scenario(tmp_path):
    record_run(make_run(tmp_path / "run", weeks=None), tmp_path / "recorded")
    assert list_recordings(tmp_path / "recorded")["weeks"].tolist() == [load_scenario(SCENARIO).weeks]


def test_only_a_complete_run_is_recorded_and_a_failure_leaves_what_was(tmp_path):
    target = tmp_path / "recorded"
    with pytest.raises(InputError, match="complete"):
        record_run(tmp_path, target)
    before = content_of(record_run(make_run(tmp_path / "run"), target))
    (tmp_path / "run" / "mlops-2" / "events.jsonl").unlink()
    with pytest.raises(InputError, match="complete"):
        record_run(tmp_path / "run", target)
    (place,) = [path for path in target.iterdir() if not path.name.startswith(".")]
    assert content_of(place) == before


def test_what_a_killed_recording_left_is_no_recording(tmp_path):
    target = tmp_path / "recorded"
    place = record_run(make_run(tmp_path / "run"), target)
    place.rename(target / f".{place.name}")
    assert list_recordings(target).empty
    with pytest.raises(InputError, match="No run"):
        choose_recording(folder=target)


def test_a_recording_by_other_code_says_so(tmp_path):
    record_run(make_run(tmp_path / "run", code="0123456789abcdef"), tmp_path / "recorded")
    assert list_recordings(tmp_path / "recorded")["code_as_now"].tolist() == [False]


def test_the_newest_of_the_largest_profile_is_chosen(tmp_path):
    target = tmp_path / "recorded"
    assert list_recordings(target).empty
    for number, (profile, created) in enumerate(
        [("quick", "2026-05-01T00:00:00"), ("full", "2026-03-01T00:00:00"), ("full", "2026-04-01T00:00:00")]
    ):
        record_run(make_run(tmp_path / str(number), profile, created=created), target)
    assert list_recordings(target)["created"].is_monotonic_increasing
    assert choose_recording(folder=target).name.startswith("2026-04-01-full")
    assert choose_recording(profiles=("quick",), folder=target).name.startswith("2026-05-01-quick")
    name = list_recordings(target)["name"].iloc[0]
    assert choose_recording(name, folder=target) == target / name
    with pytest.raises(InputError, match="There is no recording 'x'"):
        choose_recording("x", folder=target)


def test_recordings_of_the_project_can_all_be_read():
    for name in list_recordings()["name"]:
        assert len(load_run(recording.RECORDED / name).events) > 100
