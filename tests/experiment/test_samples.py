"""Pictures from production: the first, the worst and the last window, with what is true and what was found."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from analysis.experiment.identity import seed_of
from analysis.experiment.inference import pack_detections
from analysis.experiment.samples import IMAGES, write_samples
from analysis.experiment.scenes import Detections, Domain
from analysis.experiment.sources import RenderedSource

SIZE, COUNT = 96, 12


def stages_with(folder, names, source=None):
    """What `write_samples` asks of the live executor: its source, and the windows by key with what was found."""
    source = source or RenderedSource()
    windows = {}
    for number, name in enumerate(names):
        place = folder / name
        place.mkdir()
        found = [
            Detections(np.array([[1.0, 2, 30, 40]]), np.array([number]), np.array([0.123456])) for _ in range(COUNT)
        ]
        np.savez(place / "detections.npz", **pack_detections(found))
        inputs = {"domain": asdict(Domain()), "window": name, "images": COUNT, "size": SIZE}
        windows[name] = SimpleNamespace(record={"inputs": inputs}, folder=place)
    return SimpleNamespace(windows=windows, source=source, settings=SimpleNamespace(image_size=SIZE))


def run_that_saw(*map50s):
    return SimpleNamespace(
        seen=[(12.0 * i, SimpleNamespace(map50=value, work=f"w{i}")) for i, value in enumerate(map50s)]
    )


def written(tmp_path, *map50s, source=None):
    names = [f"w{i}" for i in range(len(map50s))]
    write_samples(tmp_path / "samples", run_that_saw(*map50s), stages_with(tmp_path, names, source))
    content = json.loads((tmp_path / "samples" / "samples.json").read_text(encoding="utf-8"))
    return content, cv2.imread(str(tmp_path / "samples" / "samples.png"))


def test_three_windows_are_kept_with_truth_and_findings(tmp_path):
    content, picture = written(tmp_path, 0.8, 0.7, 0.2, 0.6, 0.75)
    assert [(row["time_h"], row["map50"]) for row in content["rows"]] == [(0, 0.8), (24, 0.2), (48, 0.75)]
    assert content["size"] == SIZE
    assert tuple(content["classes"]) == RenderedSource().classes
    assert picture.shape == (3 * SIZE, IMAGES * SIZE, 3)
    for number, row in zip((0, 2, 4), content["rows"], strict=True):
        assert len(row["images"]) == IMAGES
        for item in row["images"]:
            assert item["true"]["classes"]  # a package without defects shows nothing
            assert len(item["true"]["boxes"]) == len(item["true"]["classes"])
            assert item["found"] == {"boxes": [[1, 2, 30, 40]], "classes": [number], "confidences": [0.123]}


def test_the_pictures_are_those_that_production_saw(tmp_path):
    _, picture = written(tmp_path, 0.8, 0.7)
    scenes = RenderedSource().scenes("production", Domain(), seed_of("w0"), COUNT, SIZE)
    first = next(scene for scene in scenes if len(scene.classes))
    assert np.array_equal(picture[:SIZE, :SIZE], first.image)


@pytest.mark.parametrize(("map50s", "rows"), [((0.8,), 1), ((0.1, 0.8), 2), ((0.8, 0.1), 2), ((0.5, 0.5, 0.5), 2)])
def test_a_window_that_is_two_things_at_once_is_shown_once(tmp_path, map50s, rows):
    content, picture = written(tmp_path, *map50s)
    assert len(content["rows"]) == rows
    assert picture.shape[0] == rows * SIZE


def test_windows_with_fewer_pictures_than_wanted_leave_room(tmp_path):
    class Sparse(RenderedSource):
        """Half of the windows have two packages with defects, the others none."""

        def scenes(self, purpose, domain, seed, count, size):
            found = super().scenes(purpose, domain, seed, count, size)
            kept = [scene for scene in found if len(scene.classes)][: 2 * (seed % 2)]
            empty = [scene for scene in super().scenes(purpose, domain, seed + 1, 60, size) if not len(scene.classes)]
            return [*kept, *empty][:count]

    content, _ = written(tmp_path, *np.linspace(0.9, 0.1, 6), source=Sparse())
    assert {len(row["images"]) for row in content["rows"]} <= {2, IMAGES}  # defects first; without any, what there was
