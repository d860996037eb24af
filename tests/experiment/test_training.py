"""Trainings that really run, on tiny images: bright squares on grey."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.experiment import training
from analysis.experiment.training import TrainingSettings, export_onnx, train, validate, weights_digest

TINY = TrainingSettings(image_size=32, epochs=1, batch=8, seed=5)


def make_data(folder: Path, train: int, val: int, size: int, classes: int = 1) -> Path:
    """Images with one or two squares; the colour tells the class."""
    rng = np.random.default_rng(train)
    for part, count in (("train", train), ("val", val)):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(80, 110, (size, size, 3), dtype=np.uint8)
            lines = []
            for _ in range(rng.integers(1, 3)):
                side, name = int(rng.integers(size // 4, size // 2)), int(rng.integers(classes))
                x, y = (int(value) for value in rng.integers(0, size - side, 2))
                image[y : y + side, x : x + side] = [(250, 250, 60), (60, 60, 250)][name]
                box = [(x + side / 2) / size, (y + side / 2) / size, side / size, side / size]
                lines.append(f"{name} " + " ".join(f"{value:.6f}" for value in box))
            cv2.imwrite(str(folder / "images" / part / f"{number:03}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 95])
            (folder / "labels" / part / f"{number:03}.txt").write_text("\n".join(lines) + "\n")
    names = [f"class_{number}" for number in range(classes)]
    (folder / "data.yaml").write_text(yaml.safe_dump({"train": "images/train", "val": "images/val", "names": names}))
    return folder / "data.yaml"


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("tiny"), 16, 4, 32, classes=2)


@pytest.fixture(scope="module")
def first(tiny, tmp_path_factory):
    return train(tiny, TINY, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("squares"), 96, 40, 64)


@pytest.fixture(scope="module")
def learned(squares, tmp_path_factory):
    """A model that finds most squares."""
    settings = TrainingSettings(image_size=64, epochs=10, batch=8, lr0=0.003, scale=0.0, translate=0.0, seed=1)
    return train(squares, settings, tmp_path_factory.mktemp("learned"))


def test_import_is_cheap():
    code = "import sys, analysis.experiment.training; print({'torch', 'ultralytics', 'cv2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


def test_same_inputs_same_weights(tiny, first, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(tiny.parent, moved)
    again = train(moved / "data.yaml", TINY, tmp_path / "out")
    assert again.digest == first.digest == weights_digest(first.weights)
    assert again.weights.read_bytes() == first.weights.read_bytes()
    assert os.fsencode(tmp_path.parent) not in again.weights.read_bytes()
    other = train(tiny, replace(TINY, seed=6), tmp_path / "other")
    assert other.digest != first.digest


def test_only_the_weights_are_written_and_nothing_is_said(tiny, tmp_path, capfd):
    before, folder = contents(tiny.parent), Path.cwd()
    train(tiny, TINY, tmp_path / "out")
    assert contents(tiny.parent) == before
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["weights.pt"]
    assert Path.cwd() == folder
    assert capfd.readouterr() == ("", "")


def test_the_process_is_left_as_it_was(tiny, tmp_path):
    import torch

    def state() -> list:
        numbers = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
        return [*numbers, torch.get_num_threads(), cv2.getNumThreads(), dict(os.environ), np.get_printoptions()]

    torch.set_num_threads(1)
    before = state()
    train(tiny, TINY, tmp_path)
    assert state() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_record_of_a_training(first):
    record = first.record()
    assert record["images"] == 16
    assert record["notes"] == []
    assert [row["epoch"] for row in first.history] == [1]
    assert all(first.history[0][f"train/{name}_loss"] > 0 for name in ("box", "cls", "dfl"))
    assert 0 < sum(first.parts.values()) <= first.seconds + 0.01
    assert set(first.versions) == {"ultralytics", "torch", "numpy"}
    assert first.device
    assert first.peak_memory_mb > 100


def test_another_process_gets_the_same_and_touches_no_network_and_no_home(tiny, first, tmp_path):
    """Address look-ups and connections raise there, and are listed."""
    code = f"""
import socket
asked = []
def refuse(*arguments, **more):
    asked.append(arguments[:2])
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from pathlib import Path
from analysis.experiment.training import TrainingSettings, export_onnx, train, validate
settings = TrainingSettings(image_size=32, epochs=1, batch=8, seed=5)
done = train(Path({str(tiny)!r}), settings, Path("out"))
export_onnx(done.weights, Path("out/model.onnx"), 32)
validate(Path("out/model.onnx"), Path({str(tiny)!r}), 32)
print(done.digest, asked)
"""
    (tmp_path / "home").mkdir()
    kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
    environment = kept | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path / "home")}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stderr == ""
    assert done.stdout.strip() == f"{first.digest} []"
    assert list((tmp_path / "home").rglob("*")) == []
    assert sorted(contents(tmp_path)) == ["out/model.onnx", "out/weights.pt"]


def test_labels_of_the_same_length_are_read_anew(tiny, first, tmp_path):
    """Ultralytics' label cache goes by file sizes, and would train on the labels of before."""
    shutil.copytree(tiny.parent, tmp_path / "data")
    train(tmp_path / "data/data.yaml", TINY, tmp_path / "before")
    for path in (tmp_path / "data/labels/train").glob("*.txt"):
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{1 - int(line[0])}{line[1:]}\n" for line in lines))
    swapped = train(tmp_path / "data/data.yaml", TINY, tmp_path / "after")
    assert swapped.digest != first.digest


def test_images_left_out_are_named(tiny, tmp_path):
    shutil.copytree(tiny.parent, tmp_path / "data")
    images = sorted((tmp_path / "data/images/train").iterdir())
    images[0].write_bytes(b"not an image")
    images[1].write_bytes(images[1].read_bytes()[:-200])
    images[2].write_bytes(images[2].read_bytes() + b"\0\0")  # whole, with something after the end marker
    label = tmp_path / "data/labels/train" / images[3].with_suffix(".txt").name
    label.write_text("0 0.5 0.5 1.7 0.2\n")
    before = contents(tmp_path / "data")
    result = train(tmp_path / "data/data.yaml", TINY, tmp_path / "out")
    assert result.images == 13
    for path in (images[0], images[1], images[3]):
        assert any(path.name in note and "ignoring" in note for note in result.notes)
    assert contents(tmp_path / "data") == before


def test_nothing_to_train_on(tiny, tmp_path):
    shutil.copytree(tiny.parent, tmp_path / "data")
    for path in (tmp_path / "data/images/train").iterdir():
        path.write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"nothing to train on[\s\S]*data\.yaml"):
        train(tmp_path / "data/data.yaml", TINY, tmp_path / "out")


def test_data_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        train(tmp_path / "data.yaml", TINY, tmp_path / "out")
    (tmp_path / "data.yaml").write_text("train: images/train\ndownload: print('ran')\n")
    with pytest.raises(InputError) as caught:
        train(tmp_path / "data.yaml", TINY, tmp_path / "out")
    text = str(caught.value)
    assert "names" in text
    assert "train: 'images/train' is not there" in text
    assert "val: None is not there" in text


def test_settings_that_cannot_be_used():
    with pytest.raises(InputError) as caught:
        TrainingSettings(image_size=50, epochs=0, lr0=3.0, optimizer="auto", seed="x", precision="fp16")
    assert len(caught.value.problems) == 6
    with pytest.raises(InputError, match="learning_rate"):
        TrainingSettings.from_mapping({"learning_rate": 0.1})
    read = TrainingSettings.from_mapping({"lr0": 1, "epochs": 2}, epochs=4)
    assert (read.lr0, read.epochs) == (1, 4)


def test_devices(tiny, tmp_path):
    with pytest.raises(InputError, match="no such device"):
        train(tiny, replace(TINY, device="77"), tmp_path)
    import torch

    assert training.find_device("auto") == ("0" if torch.cuda.is_available() else "cpu")


def test_fine_tuning_starts_from_the_weights(squares, learned, tmp_path):
    rows = []
    settings = TrainingSettings(image_size=64, epochs=1, batch=8, weights=str(learned.weights), seed=2)
    tuned = train(squares, settings, tmp_path / "tuned", rows.append)
    assert rows == list(tuned.history)
    assert tuned.history[0]["train/cls_loss"] < 0.7 * learned.history[0]["train/cls_loss"]
    assert tuned.digest != learned.digest


def test_published_weights_are_fetched_once(tiny, first, tmp_path, monkeypatch):
    training.train(tiny, TINY, tmp_path / "load")  # the libraries are there to be replaced
    from ultralytics.utils import downloads

    fetched = []

    def fetch(target: Path) -> str:
        if not Path(target).is_file():  # ultralytics asks again when it loads the file
            fetched.append("YOLO_OFFLINE" not in os.environ)
            shutil.copyfile(first.weights, target)
        return str(target)

    monkeypatch.setattr(downloads, "attempt_download_asset", fetch)
    monkeypatch.setattr(training, "HOME", tmp_path / "home")
    results = [train(tiny, replace(TINY, weights="yolov8n.pt"), tmp_path / name) for name in ("one", "two")]
    assert fetched == [True]
    assert results[0].digest == results[1].digest != first.digest

    def fail(target: Path) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(downloads, "attempt_download_asset", fail)
    with pytest.raises(InputError, match=r"yolov8s\.pt: cannot be downloaded: no route to host"):
        train(tiny, replace(TINY, weights="yolov8s.pt"), tmp_path / "three")
    with pytest.raises(InputError, match=r"champion\.pt: does not exist"):
        train(tiny, replace(TINY, weights="champion.pt"), tmp_path / "four")


def test_far_too_high_rate_is_an_outcome(squares, learned, tmp_path):
    settings = TrainingSettings(image_size=64, epochs=1, batch=8, weights=str(learned.weights), lr0=1.0)
    ruined = train(squares, settings, tmp_path)
    assert ruined.diverged or validate(ruined.weights, squares, 64)["map50"] < 0.05


def test_divergence_is_an_outcome(tiny, first, tmp_path):
    import torch
    from ultralytics.nn.tasks import load_checkpoint

    with training._apart(threads=1):
        model = load_checkpoint(first.weights)[0]
        next(model.parameters()).data[0] = float("nan")
        torch.save({"model": model}, tmp_path / "nan.pt")
    settings = replace(TINY, epochs=3, weights=str(tmp_path / "nan.pt"))
    result = train(tiny, settings, tmp_path / "out")
    assert result.diverged
    assert len(result.history) == 1  # it does not go on
    assert result.history[0]["train/cls_loss"] is None
    onnx = export_onnx(result.weights, tmp_path / "model.onnx", 32)
    assert validate(onnx, tiny, 32)["map50"] == 0


def test_validated_training_keeps_the_best_epoch(squares, learned, tmp_path):
    base = TrainingSettings(image_size=64, batch=8, weights=str(learned.weights), validate=True, lr0=0.02, epochs=2)
    result = train(squares, base, tmp_path)
    scores = [0.1 * row["metrics/mAP50(B)"] + 0.9 * row["metrics/mAP50-95(B)"] for row in result.history]
    assert len(scores) == 2
    final = validate(result.weights, squares, 64)
    assert final["map50_95"] == pytest.approx(result.history[int(np.argmax(scores))]["metrics/mAP50-95(B)"], abs=0.03)


def test_onnx_is_as_good_as_the_weights(squares, learned, tmp_path):
    onnx = export_onnx(learned.weights, tmp_path / "model.onnx", 64)
    ours, theirs = (validate(model, squares, 64) for model in (onnx, learned.weights))
    assert theirs["map50"] > 0.6, "the model has learned nothing, so that the comparison says nothing"
    for figure in ("map50", "map50_95"):
        assert ours[figure] == pytest.approx(theirs[figure], abs=0.005)
    assert ours["images"] == 40
    assert list(ours["per_class"]) == ["class_0"]


def test_onnx_of_the_same_weights_is_the_same_file(learned, tmp_path):
    import onnx

    one, two = (export_onnx(learned.weights, tmp_path / name / "model.onnx", 64) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    model = onnx.load(one)
    told = {item.key: item.value for item in model.metadata_props}
    assert told["names"] == "{0: 'class_0'}"
    assert told["imgsz"] == "[64, 64]"
    assert "date" not in told
    assert os.fsencode(tmp_path.parent) not in one.read_bytes()
    assert [entry.version for entry in model.opset_import if not entry.domain] == [training.OPSET]
    shape = [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    assert shape == [1, 3, 64, 64]
    with pytest.raises(InputError, match="cannot be exported"):
        export_onnx(learned.weights, tmp_path / "odd.onnx", 65)
