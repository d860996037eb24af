"""What a training is asked for, what comes of it, and the description of its data; no library is loaded for these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative

STRIDE = 32
"""YOLO halves the image five times, so its side is a multiple of this."""

Row = dict[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Everything that decides what a training computes, in ultralytics' names where it has one.

    Attributes
    ----------
    model : str
        Architecture when there are no weights to start from.
    weights : str
        File of weights to fine-tune, or the name of a published one such as ``yolov8n.pt`` (downloaded once,
        where there is a network). Empty: from scratch.
    image_size : int
        Side of the square input in pixels, a multiple of 32.
    epochs, batch : int
    nominal_batch : int
        Gradients are added up until this many images were seen; ultralytics' own default is 64. Short
        fine-tuning needs the steps, so the default is one after every batch (0).
    optimizer : str
        As ultralytics names it. ``auto`` would ignore ``lr0``.
    lr0, lrf, momentum, weight_decay, warmup_epochs, warmup_bias_lr : float
        Learning rate at the start and its share left at the end, and so on.
    hsv_h, hsv_s, hsv_v, translate, scale, fliplr, flipud, mosaic, mixup : float
        Augmentation. Mosaic stays on to the end.
    freeze : int
        Leading layers that stay as they are.
    seed : int
    validate : bool
        Validate after every epoch on the data's ``val`` part and keep the best epoch, as ``yolo train`` does.
        Off, the last epoch is kept and ``val`` is not read.
    device : str
        ``cpu``, the index of a GPU, or ``auto``: the first GPU where there is one.
    precision : str
        ``fp32``, or ``bf16`` on a GPU. (``fp16`` would have ultralytics download a model to test the GPU.)
    threads, workers : int
        CPU threads of torch; processes that load images on a GPU machine, 0 is this process.
    """

    model: str = "yolov8n.yaml"
    weights: str = ""
    image_size: int = 96
    epochs: int = 3
    batch: int = 16
    nominal_batch: int = 0
    optimizer: str = "AdamW"
    lr0: float = 0.0003
    lrf: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0005
    warmup_epochs: float = 0.5
    warmup_bias_lr: float = 0.0
    hsv_h: float = 0.015
    hsv_s: float = 0.4
    hsv_v: float = 0.3
    translate: float = 0.1
    scale: float = 0.2
    fliplr: float = 0.5
    flipud: float = 0.0
    mosaic: float = 0.0
    mixup: float = 0.0
    freeze: int = 0
    seed: int = 0
    validate: bool = False
    device: str = "cpu"
    precision: str = "fp32"
    threads: int = 1
    workers: int = 0

    def __post_init__(self) -> None:
        found = list(_check_settings(self))
        if found:
            raise InputError("The settings of a training cannot be used.", found)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], **more: Any) -> TrainingSettings:
        """Settings as read from a file, with ``more`` taking precedence.

        Raises
        ------
        InputError
            A name that is no setting, or a value of the wrong kind or range; all of them are listed.
        """
        merged = {**values, **more}
        names = {field.name for field in fields(cls)}
        unknown = [
            Problem(f"training setting {name}", "is not known", f"known: {', '.join(sorted(names))}")
            for name in merged
            if name not in names
        ]
        if unknown:
            raise InputError("The settings of a training cannot be used.", unknown)
        return cls(**merged)


_WHOLE = {"image_size": STRIDE, "epochs": 1, "batch": 1, "nominal_batch": 0, "freeze": 0, "seed": 0, "threads": 1}
_OPTIMIZERS = ("SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop", "MuSGD")


def _check_settings(settings: TrainingSettings) -> Iterator[Problem]:
    for field in fields(TrainingSettings):
        value, default = getattr(settings, field.name), field.default
        where = f"training setting {field.name}"
        if isinstance(default, float) and not isinstance(value, bool) and isinstance(value, int | float):
            highest = math.inf if field.name == "warmup_epochs" else 1.0  # ultralytics' own limits
            if not (math.isfinite(value) and 0 <= value <= highest):
                yield Problem(where, f"is {value}", f"give a number from 0 to {highest:g}")
        elif type(value) is not type(default):
            yield Problem(where, f"is {value!r}", f"give {type(default).__name__}, for example {default!r}")
        elif isinstance(default, int) and value < _WHOLE.get(field.name, 0):
            yield Problem(where, f"is {value}", f"give at least {_WHOLE.get(field.name, 0)}")
    if type(settings.image_size) is int and settings.image_size % STRIDE:
        yield Problem("training setting image_size", f"is {settings.image_size}", f"give a multiple of {STRIDE}")
    if settings.optimizer not in _OPTIMIZERS:
        yield Problem("training setting optimizer", f"is {settings.optimizer!r}", f"give {', '.join(_OPTIMIZERS)}")
    if settings.precision not in ("fp32", "bf16"):
        yield Problem("training setting precision", f"is {settings.precision!r}", "give 'fp32' or 'bf16'")


@dataclass(frozen=True, slots=True)
class Training:
    """What came of a training.

    Attributes
    ----------
    weights : Path
        ``weights.pt``, loadable by ``ultralytics.YOLO``; nothing in it depends on date, path or machine name.
    digest : str
        `weights_digest` of it.
    history : tuple of dict
        One row an epoch: ``epoch``, ``seconds``, ``train/…_loss``, ``lr/…``, and with ``validate`` ultralytics'
        metrics. None where a number is not finite.
    diverged : bool
        The loss or a weight is no longer finite. The weights are as they were left: such a model finds nothing.
    images : int
        Images trained on.
    notes : tuple of str
        What ultralytics warned of: images and labels it left out and why, operations without a repeatable form.
    seconds : float
        All of it; ``parts`` says where it went (``load`` libraries, ``prepare``, ``epochs``, ``save``).
    device, versions : what it ran on
    peak_memory_mb : float
        Of the GPU's memory for this training, or of this process so far on a CPU.
    """

    weights: Path
    digest: str
    history: tuple[Row, ...]
    diverged: bool
    images: int
    notes: tuple[str, ...]
    seconds: float
    parts: dict[str, float]
    device: str
    versions: dict[str, str]
    peak_memory_mb: float

    def record(self) -> dict[str, Any]:
        """As JSON values, without the path."""
        values = {name: value for name, value in asdict(self).items() if name != "weights"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def read_data(data_yaml: Path) -> dict[str, Any]:
    """A data set's description in the form ultralytics uses: ``train``, ``val``, ``names``, ``nc``, ``channels``.

    Relative paths start at the file's folder. (Ultralytics itself would look in the working folder and then offer
    to download, or run, whatever the file names under ``download``.)

    Raises
    ------
    InputError
        No such file, no class names, or image folders that are not there.
    """
    where = relative(data_yaml)
    try:
        data = yaml.safe_load(Path(data_yaml).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError("The training data cannot be read.", [Problem(where, str(error))]) from error
    if not isinstance(data, dict):
        raise InputError("The training data cannot be read.", [Problem(where, "holds no table of keys and values")])
    names = data.get("names")
    names = dict(enumerate(names)) if isinstance(names, list) else names
    problems = []
    if not isinstance(names, dict) or sorted(names) != list(range(len(names))) or not names:
        problems.append(Problem(where, f"names: {names!r}", "give the class names as a list"))
    root = Path(data_yaml).absolute().parent / str(data.get("path") or "")
    found: dict[str, list[str]] = {}
    for part in ("train", "val"):
        items = data.get(part) if isinstance(data.get(part), list) else [data.get(part)]
        found[part] = [str((root / str(item)).resolve()) for item in items]
        problems += [
            Problem(where, f"{part}: {item!r} is not there", f"give a folder of images under {relative(root)}")
            for item in items
            if not item or not (root / str(item)).exists()
        ]
    if problems:
        raise InputError("The training data cannot be used.", problems)
    classes = {int(number): str(name) for number, name in names.items()}
    return {**found, "names": classes, "nc": len(classes), "channels": 3, "path": root, "yaml_file": str(data_yaml)}


def to_arguments(settings: TrainingSettings, data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings as ultralytics' arguments."""
    same = ("epochs", "batch", "optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_bias_lr")
    augment = ("hsv_h", "hsv_s", "hsv_v", "translate", "scale", "fliplr", "flipud", "mosaic", "mixup")
    return {
        **{name: getattr(settings, name) for name in (*same, *augment, "seed", "device", "workers")},
        "model": settings.weights or settings.model,
        "data": data["yaml_file"],
        "imgsz": settings.image_size,
        "nbs": settings.nominal_batch or settings.batch,
        "amp": "bf16" if settings.precision == "bf16" else False,
        "freeze": settings.freeze or None,
        "close_mosaic": 0,
        "val": settings.validate,
        "save": settings.validate,
        "patience": settings.epochs,
        "plots": False,
        "verbose": False,
        "deterministic": True,
        "project": str(folder.parent),
        "name": folder.name,
        "exist_ok": True,
    }
