"""A whole run in a folder as `load_run` reads it, played with `SimpleStages`: for tests of what is shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import simpy

from analysis.experiment.arms import parse_arm
from analysis.experiment.drift import DOMAINS
from analysis.experiment.effort import Effort, load_delays
from analysis.experiment.events import EventLog, LogSink
from analysis.experiment.play import play
from analysis.experiment.scenario import draw_stream, load_scenario
from analysis.experiment.settings import EFFORT, SCENARIO
from analysis.experiment.world import ArmRun, build_world
from tests.experiment.simple_stages import SimpleStages


def write_run(folder: Path, arms=("manual", "devops", "mlops"), seeds=(1, 2, 3), weeks=2.0) -> Path:
    """Play every arm on every seed; logs, ``run.json``, and black pictures of the first seed."""
    changes = {"weeks": weeks}
    scenario = load_scenario(SCENARIO, changes)
    for arm in arms:
        for seed in seeds:
            place = folder / f"{arm}-{seed}"
            place.mkdir(parents=True)
            stream = draw_stream(scenario, seed)
            with EventLog(place / "events.jsonl", f"/test/{arm}/{seed}", f"test/{arm}/{seed}") as log:
                effort = Effort(load_delays(EFFORT), seed)
                sink = LogSink(log, scenario.moment)
                world = build_world(stream, scenario, DOMAINS)
                run = ArmRun(simpy.Environment(), parse_arm(arm), scenario, effort, SimpleStages(), sink, world, stream)
                play(run)
            write_pictures(place)
    about = {
        "profile": "quick",
        "settings": {"arms": list(arms), "seeds": list(seeds), "scenario": changes, "image_size": 96},
        "created": "2026-11-21T07:38:23+00:00",
        "machine": {"system": "Linux", "machine": "x86_64", "cores": 2, "python": "3.11.7"},
        "device": "cpu",
        "versions": {"torch": "2.14.1"},
        "code": "0",
        "scenario": SCENARIO.read_text(encoding="utf-8"),
        "effort": EFFORT.read_text(encoding="utf-8"),
        "wall_seconds": 10.0,
        "work_seconds": 7200.0,
        "arm_runs": [{"arm": arm, "seed": seed, "events": 1, "digest": "0"} for arm in arms for seed in seeds],
        "work": [["a", "training", 4.0], ["b", "training", 8.0], ["c", "commit", 0.0126], ["d", "pooled_windows", 1.0]],
    }
    (folder / "run.json").write_text(json.dumps(about), encoding="utf-8")
    return folder


def write_pictures(place: Path, size: int = 32) -> None:
    """Two rows of one picture each; in the second, one object is found, one is found with a false class."""
    import cv2

    cv2.imwrite(str(place / "samples.png"), np.zeros((2 * size, size, 3), np.uint8))
    true = {"boxes": [[2, 2, 12, 12], [16, 16, 28, 28]], "classes": [0, 1]}
    none = {"boxes": [], "classes": [], "confidences": []}
    found = {
        "boxes": [[2, 2, 12, 11], [16, 16, 28, 28], [2, 2, 12, 12]],
        "classes": [0, 0, 0],
        "confidences": [0.9, 0.8, 0.1],
    }
    rows = [
        {"time_h": 0.0, "map50": 0.8, "images": [{"true": true, "found": none}]},
        {"time_h": 48.0, "map50": 0.4, "images": [{"true": true, "found": found}]},
    ]
    content = {"classes": ["dent", "tear"], "size": size, "rows": rows}
    (place / "samples.json").write_text(json.dumps(content), encoding="utf-8")
