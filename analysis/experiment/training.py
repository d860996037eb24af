"""Training, packaging and checking of YOLO models: the one module that talks to ultralytics.

Ultralytics is made for one person at a terminal: it downloads fonts and weights, repairs images in place, keeps
label caches beside the data, prints, reseeds the process and validates after every epoch. In the experiment a
training is one of hundreds and its inputs are content-addressed, so here it reads its data, writes one folder,
and leaves nothing else changed. What it computes is ultralytics' own: model, loss, augmentation, optimiser,
moving average.

Importing this module is cheap; torch and ultralytics are loaded at the first call that needs them.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import BUILD, relative, write_atomic
from analysis.experiment.devices import device_name, find_device, peak_memory_mb
from analysis.experiment.isolation import isolated
from analysis.experiment.training_settings import STRIDE, Row, Training, TrainingSettings, read_data, to_arguments

__all__ = ["Training", "TrainingSettings", "export_onnx", "read_data", "train", "validate", "weights_digest"]

HOME = BUILD / "experiment" / "ultralytics"
"""Where ultralytics keeps its settings and downloaded weights, instead of in the user's home."""

OPSET = 17
"""ONNX operator set of every exported model, fixed so that the same weights give the same file."""

_ENVIRONMENT = {
    "YOLO_CONFIG_DIR": str(HOME),
    "YOLO_OFFLINE": "true",
    "YOLO_VERBOSE": "false",
    "YOLO_AUTOINSTALL": "false",
    "ORT_DISABLE_TELEMETRY": "1",
}
_NOTHING_USABLE = ("No valid images", "No labels found", "No images found", "Error loading data")


def train(
    data_yaml: Path,
    settings: TrainingSettings,
    folder: Path,
    on_epoch: Callable[[Row], None] | None = None,
) -> Training:
    """Train on ``data_yaml`` and leave ``weights.pt`` in ``folder``.

    The same images, labels, settings and start weights give the same tensors on the same machine and number of
    threads; on a GPU as far as torch has repeatable operations (``Training.notes`` names those without).

    A rate that is far too high ends the training at the first epoch whose loss is not finite: ``diverged``, not an
    exception. (Ultralytics goes back to its last checkpoint three times and then raises.)

    Raises
    ------
    InputError
        Data, weights or device that are not there, or no usable image.
    """
    started = time.perf_counter()
    data_yaml, folder = Path(data_yaml).absolute(), Path(folder).absolute()
    data = read_data(data_yaml)
    folder.mkdir(parents=True, exist_ok=True)
    with _apart(settings.threads) as warned:
        import torch

        device = find_device(settings.device)
        weights = _start_weights(settings.weights)
        if device != "cpu":
            torch.cuda.init()
            torch.cuda.reset_peak_memory_stats(int(device))
        loaded = time.perf_counter()
        learner = _learner_class()(replace(settings, device=device, weights=weights), data, folder, on_epoch)
        try:
            learner.train()
        except (RuntimeError, FileNotFoundError, ValueError) as error:
            if any(text in str(error) for text in _NOTHING_USABLE):
                raise InputError("There is nothing to train on.", [Problem(relative(data_yaml), str(error))]) from error
            raise
        parts = {
            "load": loaded - started,
            "prepare": learner.began - loaded,
            "epochs": learner.ended - learner.began,
            "save": time.perf_counter() - learner.ended,
        }
        return Training(
            weights=learner.last,
            digest=weights_digest(learner.last),
            history=tuple(learner.history),
            diverged=learner.diverged,
            images=learner.images,
            notes=tuple(dict.fromkeys([*learner.left_out, *warned()])),
            seconds=time.perf_counter() - started,
            parts={name: round(value, 4) for name, value in parts.items()},
            device=device_name(device),
            versions={
                "ultralytics": _ultralytics().__version__,
                "torch": str(torch.__version__),
                "numpy": np.__version__,
            },
            peak_memory_mb=peak_memory_mb(device),
        )


def export_onnx(weights: Path, target: Path, image_size: int) -> Path:
    """Write ``weights`` as ONNX for one square image of ``image_size``; same weights, same bytes.

    The file's metadata keep what a reader needs (class names, stride, size, task) and lose date and paths.

    Raises
    ------
    InputError
        No such weights, or a size that is no multiple of 32.
    """
    weights, target = Path(weights).absolute(), Path(target).absolute()
    if not weights.is_file() or image_size % STRIDE or image_size < STRIDE:
        problem = Problem(relative(weights), f"to be exported for {image_size} px", f"a file; a multiple of {STRIDE}")
        raise InputError("The model cannot be exported.", [problem])
    with _apart(threads=1), tempfile.TemporaryDirectory(dir=HOME) as name:
        import onnx
        from ultralytics.engine.exporter import Exporter
        from ultralytics.nn.tasks import load_checkpoint

        model = load_checkpoint(weights)[0]
        work = Path(name)
        model.pt_path = str(work / "model.pt")  # the exporter writes beside it
        choices = {"format": "onnx", "imgsz": image_size, "opset": OPSET, "simplify": False, "device": "cpu"}
        Exporter(overrides={**choices, "batch": 1})(model=model)
        graph = onnx.load(work / "model.onnx")
        kept = {
            item.key: item.value for item in graph.metadata_props if item.key not in ("date", "description", "docs")
        }
        del graph.metadata_props[:]
        for key in sorted(kept):
            graph.metadata_props.add(key=key, value=kept[key])
        return write_atomic(target, graph.SerializeToString(deterministic=True))


def validate(model: Path, data_yaml: Path, image_size: int, *, device: str = "cpu") -> dict[str, Any]:
    """Ultralytics' own validation on the data's ``val`` part, of ``.pt`` weights or an ``.onnx`` file alike.

    Both see square images (``rect`` off), so that their figures can be compared.

    Returns
    -------
    dict
        ``map50``, ``map50_95``, ``precision``, ``recall``, ``images`` and ``per_class`` (name → mAP50-95).
    """
    model, data_yaml = Path(model).absolute(), Path(data_yaml).absolute()
    read_data(data_yaml)
    if not model.is_file():
        raise InputError("There is no model to validate.", [Problem(relative(model), "does not exist")])
    with _apart(threads=1), tempfile.TemporaryDirectory(dir=HOME) as work:
        choices = {"model": str(model), "data": str(data_yaml), "imgsz": image_size, "device": find_device(device)}
        off = {"rect": False, "plots": False, "workers": 0, "verbose": False, "save_json": False}
        validator = _validator_class()(save_dir=Path(work), args={**choices, **off, "mode": "val", "batch": 16})
        validator()
        box, names = validator.metrics.box, validator.names
        return {
            "map50": float(box.map50),
            "map50_95": float(box.map),
            "precision": float(box.mp),
            "recall": float(box.mr),
            "images": int(validator.seen),
            "per_class": {names[int(c)]: float(box.maps[int(c)]) for c in box.ap_class_index},
        }


def weights_digest(path: Path) -> str:
    """SHA-256 over names, types, shapes and values of the tensors in a ``.pt`` file, not over its bytes."""
    with _apart(threads=1):
        from ultralytics.nn.tasks import load_checkpoint

        model = load_checkpoint(path)[0]
        # halves are what is stored; the loader widens them
        state = {
            name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()
        }
        digest = hashlib.sha256()
        for name in sorted(state):
            array = state[name].contiguous().numpy()
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


@cache
def _ultralytics() -> ModuleType:
    """The library, imported once under our environment, with its reaches for network and disk taken away."""
    import ultralytics
    from ultralytics.data import dataset
    from ultralytics.data import utils as data_utils
    from ultralytics.engine import validator
    from ultralytics.utils.events import events

    events.enabled = False  # analytics; off without a network anyway
    folders = {name: str(HOME / name.removesuffix("_dir")) for name in ("datasets_dir", "weights_dir", "runs_dir")}
    dict.update(ultralytics.settings, folders, sync=False)  # not the method: that would write the file

    def keep_image(im_file: str, write: Callable[[io.BytesIO], None]) -> None:
        """A JPEG without its end marker is used as it lies there, if it can be read; upstream overwrites the file."""
        write(io.BytesIO())

    data_utils._replace_image = keep_image
    dataset.save_dataset_cache_file = lambda prefix, path, content, version: content.update(version=version)
    validator.check_det_dataset = lambda path, split="": read_data(Path(path))
    return ultralytics


@contextmanager
def _apart(threads: int) -> Iterator[Callable[[], list[str]]]:
    """`isolated` with the libraries loaded; yields a function that lists what was warned of so far."""
    HOME.mkdir(parents=True, exist_ok=True)
    with isolated("ultralytics", _ENVIRONMENT, threads) as warned:
        _ultralytics()
        yield warned


def _images(owner: Any, path: Any, mode: str, batch: int | None, stride: int, rect: bool) -> Any:
    """Ultralytics' data set, except that labels are always read from their files."""
    from ultralytics.data.dataset import YOLODataset

    class Images(YOLODataset):
        def _load_or_scan_cache(self, cache_path: Path, cache_hash: str) -> tuple[dict, bool]:
            # upstream's cache is keyed by file names and sizes: swapped class numbers would go unseen
            found = self.cache_labels(cache_path)
            owner.left_out += [str(message) for message in found["msgs"]]
            return found, False

    args = owner.args
    return Images(
        img_path=path,
        imgsz=args.imgsz,
        batch_size=batch,
        augment=mode == "train",
        hyp=args,
        rect=rect,
        cache=None,
        single_cls=False,
        stride=stride,
        pad=0.0 if mode == "train" else 0.5,
        task="detect",
        classes=args.classes,
        data=owner.data,
        fraction=1.0,
    )


@cache
def _validator_class() -> type:
    from ultralytics.models.yolo.detect import DetectionValidator

    class Checker(DetectionValidator):
        def build_dataset(self, img_path: Any, mode: str = "val", batch: int | None = None) -> Any:
            self.left_out: list[str] = []
            return _images(self, img_path, mode, batch, self.stride, bool(self.args.rect))

    return Checker


@cache
def _learner_class() -> type:
    import torch
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.utils.torch_utils import unwrap_model

    class Learner(DetectionTrainer):  # not "…Trainer": by that name ultralytics adds its own trackers and uploads
        """Ultralytics' training without what surrounds it; only the last (or best validated) model is written."""

        def __init__(
            self, settings: TrainingSettings, data: dict[str, Any], folder: Path, on_epoch: Callable[[Row], None] | None
        ) -> None:
            self.settings, self.described, self.on_epoch = settings, data, on_epoch
            self.history: list[Row] = []
            self.left_out: list[str] = []
            self.diverged = False
            super().__init__(overrides=to_arguments(settings, data, folder))
            shutil.rmtree(self.wdir)
            (folder / "args.yaml").unlink()
            self.last = self.best = folder / "weights.pt"
            self.last.unlink(missing_ok=True)
            torch.set_num_threads(settings.threads)  # ultralytics has just set its own number

        def get_dataset(self) -> dict[str, Any]:
            return self.described

        def build_dataset(self, img_path: Any, mode: str = "train", batch: int | None = None) -> Any:
            stride = max(int(unwrap_model(self.model).stride.max()), STRIDE)
            return _images(self, img_path, mode, batch, stride, rect=mode == "val")

        def get_dataloader(self, dataset_path: Any, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
            if mode == "val" and not self.settings.validate:
                return self.train_loader
            return super().get_dataloader(dataset_path, batch_size, rank, mode)

        def get_validator(self) -> Any:
            if self.settings.validate:
                return super().get_validator()
            return SimpleNamespace(metrics=SimpleNamespace(keys=[]))  # spares the import of torchvision

        def build_optimizer(self, *args: Any, **choices: Any) -> Any:
            optimizer = super().build_optimizer(*args, **choices)
            for group in optimizer.param_groups:
                if "fused" in group:  # the same step in one pass; upstream does so on GPUs only
                    group["fused"], group["foreach"] = True, False
            return optimizer

        def _clear_memory(self, threshold: float | None = None) -> None:
            if self.device.type != "cpu":
                super()._clear_memory(threshold)

        def _setup_train(self) -> None:
            super()._setup_train()
            self.images = len(self.train_loader.dataset)
            self.began = self.epoch_began = time.perf_counter()

        def validate(self) -> tuple[dict[str, float], float | None]:
            return super().validate() if self.settings.validate else ({}, None)

        def _handle_nan_recovery(self, epoch: int) -> bool:
            if self.loss is not None and not self.loss.isfinite():
                self.diverged = self.stop = True
            return False

        def save_metrics(self, metrics: dict[str, Any]) -> None:
            now = time.perf_counter()
            values = {"epoch": self.epoch + 1, "seconds": now - self.epoch_began, **metrics}
            numbers = {name: float(value) for name, value in values.items()}
            row = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
            self.epoch_began = now
            self.history.append(row)
            if self.on_epoch is not None:
                self.on_epoch(row)

        def save_model(self) -> bool:
            if self.settings.validate and self.best_fitness == self.fitness:
                self._save()
            return False

        def final_eval(self) -> None:
            self.ended = time.perf_counter()
            if not self.last.exists():
                self._save()

        def _save(self) -> None:
            """The moving average in half precision, as upstream stores it; without date, paths and optimiser."""
            model = deepcopy(self.ema.ema).to("cpu", memory_format=torch.contiguous_format)
            model.criterion = None
            model.args = {"task": "detect", "imgsz": self.args.imgsz}
            for tensor in model.state_dict().values():
                if tensor.is_floating_point():
                    self.diverged |= not bool(tensor.isfinite().all())
                    tensor.clamp_(-65504, 65504)  # the largest half; not a number stays what it is
            for parameter in model.half().parameters():
                parameter.requires_grad = False
            content = io.BytesIO()
            torch.save({"model": model, "train_args": model.args, "version": _ultralytics().__version__}, content)
            write_atomic(self.last, content.getvalue())

    return Learner


def _start_weights(weights: str) -> str:
    """The file to start from; a published name is fetched into `HOME` once, the only use of a network."""
    if not weights or Path(weights).is_file():
        return str(Path(weights).absolute()) if weights else ""
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    target = HOME / "weights" / weights
    remedy = f"put the file there or at {relative(target)}"
    if weights not in GITHUB_ASSETS_NAMES:
        raise InputError("There are no weights to start from.", [Problem(relative(weights), "does not exist", remedy)])
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.environ.pop("YOLO_OFFLINE", None)
        try:
            attempt_download_asset(target)
        except Exception as error:  # whatever kind of network error
            problem = Problem(weights, f"cannot be downloaded: {error}", remedy)
            raise InputError("There are no weights to start from.", [problem]) from error
        finally:
            os.environ["YOLO_OFFLINE"] = "true"
    return str(target)
