"""The experiment on a data set of the user's own: photographs of blood cells in VOC form instead of drawn packages."""

from __future__ import annotations

import json

import pytest

from analysis.base.paths import ROOT
from analysis.experiment.run import describe_source
from analysis.experiment.settings import build_settings
from tests.experiment.live_settings import log_faults, play, select

BCCD = ROOT.parent / "shared" / "data" / "detection" / "bccd"

pytestmark = pytest.mark.skipif(not BCCD.is_dir(), reason="the data set is not at hand")

SETTINGS = build_settings(
    "own",
    {
        "arms": ["mlops"],
        "seeds": [7],
        "images": str(BCCD),
        "image_size": 64,
        "training_images": 48,
        "effort_scale": 0.25,
        "first": {"epochs": 3, "lr0": 0.002},
        "tuning": {"epochs": 1},
        "scenario": {
            "weeks": 0.3,
            "settle_h": 0,
            "script": [[2, "good_batch", 0], [12, "broken_batch", 0], [26, "sudden_drift", 4]],
            "data": {"initial_images": 64, "acceptance_images": 48, "batch_images": 24, "response_images": 48},
            "production": {"every_h": 24, "images": 24, "labelled": 24},
        },
    },
)


def test_boxes_that_cannot_be_used_are_named_and_no_image_is_lost():
    told = describe_source(SETTINGS)
    assert told[0].endswith("3 classes; left out: 2 boxes, 0 images")
    assert told[0].startswith("images: 364 in ")
    assert sum("BloodImage_00338.xml, object 13 (RBC)" in line for line in told) == 1
    assert sum("BloodImage_00343.xml, object 4 (RBC)" in line for line in told) == 1


def test_an_arm_is_played_on_them_from_training_to_drift(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    run = play(SETTINGS, tmp_path, ["mlops"])
    trained = select(run, "mlops", "training.finished")
    assert "success" in set(trained["outcome"])
    assert set(select(run, "mlops", "dataset.validated")["outcome"]) == {"success", "failure"}
    (place,) = (tmp_path / "run").iterdir()
    assert log_faults(place / "events.jsonl") == []

    windows = select(run, "mlops", "observation.recorded")["content"]
    assert {content["error_share"] for content in windows} == {0.0}
    samples = json.loads((place / "samples" / "samples.json").read_text())
    assert samples["classes"] == ["Platelets", "RBC", "WBC"]
    assert all(image["true"]["boxes"] for row in samples["rows"] for image in row["images"])
    world = select(run, "mlops", "world.changed").iloc[0]
    noticed = select(run, "mlops", "drift.detected")["time_h"]
    assert (noticed >= world["time_h"]).any()
