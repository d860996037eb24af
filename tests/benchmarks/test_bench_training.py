"""What training through the workbench costs beside stock `yolo train` on the same data with the same settings.

Both run as processes of their own, in turn, so that a busy minute of the machine falls on both. Stock ultralytics
is spared what the workbench never does (plots, validation after every epoch, a download of fonts). The ratio of
each pair is printed (``-s``) and kept with the benchmark's data; the promise is at most 1.03.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
import yaml

from analysis.base.paths import ROOT
from analysis.experiment.training_settings import TrainingSettings, read_data, to_arguments

ROUNDS = 3
SETTINGS = TrainingSettings(image_size=96, epochs=3, batch=16, lr0=0.002, threads=max(1, min(8, os.cpu_count() - 1)))
WORKBENCH = """
import json, sys
from pathlib import Path
from analysis.experiment.training import TrainingSettings, train
print(train(Path(sys.argv[1]), TrainingSettings(**json.loads(sys.argv[3])), Path(sys.argv[2])).digest)
"""


def make_data(folder: Path) -> Path:
    """250 images of up to three coloured rectangles."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 250), ("val", 25)):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for number in range(count):
            image, lines = rng.integers(60, 110, (96, 96, 3), dtype=np.uint8), []
            for _ in range(rng.integers(0, 4)):
                (w, h), name = rng.integers(16, 32, 2), int(rng.integers(3))
                x, y = rng.integers(0, 96 - w), rng.integers(0, 96 - h)
                image[y : y + h, x : x + w] = [(250, 60, 60), (60, 250, 60), (60, 60, 250)][name]
                lines.append(f"{name} {(x + w / 2) / 96:.6f} {(y + h / 2) / 96:.6f} {w / 96:.6f} {h / 96:.6f}\n")
            cv2.imwrite(str(folder / "images" / part / f"{number:03}.jpg"), image)
            (folder / "labels" / part / f"{number:03}.txt").write_text("".join(lines))
    content = {"path": str(folder), "train": "images/train", "val": "images/val", "names": ["a", "b", "c"]}
    (folder / "data.yaml").write_text(yaml.safe_dump(content))
    return folder / "data.yaml"


def stock_environment(folder: Path) -> dict[str, str]:
    """Ultralytics with a home of its own, and the font there that it would download."""
    home = folder / "Ultralytics"
    home.mkdir(parents=True)
    (home / "Arial.ttf").write_bytes((Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf").read_bytes())
    return os.environ | {"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "true"}


@pytest.mark.benchmark(group="train 3 epochs on 250 images of 96 px, a process of its own")
def test_training_through_the_workbench(benchmark, tmp_path):
    data = make_data(tmp_path / "data")
    environment = stock_environment(tmp_path / "stock")
    arguments = to_arguments(SETTINGS, read_data(data), tmp_path / "stock/run")
    arguments = {name: value for name, value in arguments.items() if value is not None}
    stock = [str(Path(sys.executable).with_name("yolo")), "detect", "train"]
    stock += [f"{name}={value}" for name, value in arguments.items()]
    chosen = {name: getattr(SETTINGS, name) for name in ("image_size", "epochs", "batch", "lr0", "threads")}
    ours = [sys.executable, "-c", WORKBENCH, str(data), str(tmp_path / "ours"), json.dumps(chosen)]
    seconds: dict[str, list[float]] = {"stock": [], "workbench": []}

    def run(name: str, command: list[str], env: dict[str, str]) -> None:
        started = time.perf_counter()
        done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
        seconds[name].append(time.perf_counter() - started)
        assert done.returncode == 0, done.stderr

    path = {"PYTHONPATH": str(ROOT)}
    benchmark.pedantic(
        lambda: run("workbench", ours, os.environ | path),
        setup=lambda: run("stock", stock, environment),
        rounds=ROUNDS,
        warmup_rounds=1,
    )
    assert (tmp_path / "ours/weights.pt").is_file()
    assert (tmp_path / "stock/run/weights/last.pt").is_file()
    pairs = list(zip(seconds["workbench"], seconds["stock"], strict=True))[-ROUNDS:]
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    told = ", ".join(f"{mine:.1f} s : {theirs:.1f} s" for mine, theirs in pairs)
    print(f"\nworkbench : yolo train = {ratio:.3f} (median of {told})")
    benchmark.extra_info |= {"ratio_to_yolo_train": ratio, "seconds": seconds}
    assert ratio <= 1.03
