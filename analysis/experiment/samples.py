"""Pictures from production for people to look at: what an arm's model saw, found and missed."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from analysis.base.paths import write_atomic
from analysis.experiment.identity import seed_of
from analysis.experiment.inference import unpack_detections
from analysis.experiment.live import LiveStages
from analysis.experiment.scenes import Domain
from analysis.experiment.world import ArmRun

IMAGES = 4
"""Images kept of a window."""


def write_samples(folder: Path, run: ArmRun, stages: LiveStages) -> None:
    """Keep a few images, with truth and detections, of three windows: the first, the worst and the last.

    Writes ``samples.png`` (one row a window) and ``samples.json``: for each row ``time_h``, ``map50`` and
    the images' true and found boxes with classes.
    """
    seen = run.seen
    worst = min(range(len(seen)), key=lambda place: seen[place][1].map50)
    rows, strips = [], []
    for place in dict.fromkeys([0, worst, len(seen) - 1]):
        time_h, observed = seen[place]
        work = stages.windows[observed.work]
        inputs = work.record["inputs"]
        domain = Domain(**inputs["domain"])
        scenes = stages.source.scenes("production", domain, seed_of(inputs["window"]), inputs["images"], inputs["size"])
        found = unpack_detections(np.load(work.folder / "detections.npz"))
        chosen = [number for number, scene in enumerate(scenes) if len(scene.classes)][:IMAGES]
        chosen = chosen or list(range(min(IMAGES, len(scenes))))
        strips.append(np.hstack([scenes[number].image for number in chosen]))
        rows.append(
            {
                "time_h": time_h,
                "map50": observed.map50,
                "images": [
                    {
                        "true": {"boxes": scenes[n].boxes.round(1).tolist(), "classes": scenes[n].classes.tolist()},
                        "found": {
                            "boxes": found[n].boxes.round(1).tolist(),
                            "classes": found[n].classes.tolist(),
                            "confidences": found[n].confidences.round(3).tolist(),
                        },
                    }
                    for n in chosen
                ],
            }
        )
    width = max(strip.shape[1] for strip in strips)
    strips = [cv2.copyMakeBorder(s, 0, 0, 0, width - s.shape[1], cv2.BORDER_CONSTANT) for s in strips]
    write_atomic(folder / "samples.png", cv2.imencode(".png", np.vstack(strips))[1].tobytes())
    content = {"classes": list(stages.source.classes), "size": stages.settings.image_size, "rows": rows}
    write_atomic(folder / "samples.json", json.dumps(content) + "\n")
