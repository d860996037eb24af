"""Run a package's own code outside the server, and keep what it found."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np

from analysis.experiment.packages import CODE, MODEL, read_package
from analysis.experiment.scenes import Detections

_NAME = "_project_under_study"


@contextmanager
def project_module(folder: Path, name: str) -> Iterator[ModuleType]:
    """Import ``inspection/<name>.py`` of the project in ``folder``, for the length of a ``with`` block."""
    place = folder / CODE
    spec = importlib.util.spec_from_file_location(_NAME, place / "__init__.py", submodule_search_locations=[str(place)])
    package = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.modules[_NAME] = package
    try:
        spec.loader.exec_module(package)
        yield importlib.import_module(f"{_NAME}.{name}")
    finally:
        sys.dont_write_bytecode = before
        for module in [module for module in sys.modules if module == _NAME or module.startswith(f"{_NAME}.")]:
            del sys.modules[module]


def inspect_all(folder: Path, images: Sequence[np.ndarray]) -> tuple[list[Detections], int]:
    """What the package in ``folder`` finds on BGR images, and on how many its code failed.

    This is the offline evaluation of a team: the model with the code around it, without the server and
    what is done there for each request. An image on which the code fails has no detections.
    """
    import onnxruntime

    package = read_package(folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
    found, errors = [], 0
    with project_module(folder, "handler") as handler:
        inspector = handler.Inspector(session, package.settings)
        for image in images:
            try:
                boxes, labels, confidences = inspector.find(image)
            except Exception:  # the project's own code: whatever it raises counts as a failure to answer
                errors += 1
                found.append(Detections())
                continue
            found.append(
                Detections(
                    np.asarray(boxes, float).reshape(-1, 4), np.asarray(labels, int), np.asarray(confidences, float)
                )
            )
    return found, errors


def from_answers(answers: Sequence[Sequence[Mapping]], classes: Sequence[str]) -> list[Detections]:
    """Detections from what the server answered, image by image."""
    index = {name: number for number, name in enumerate(classes)}
    return [
        Detections(
            np.array([item["box"] for item in answer], dtype=float).reshape(-1, 4),
            np.array([index[item["defect"]] for item in answer], dtype=np.int64),
            np.array([item["confidence"] for item in answer], dtype=float),
        )
        for answer in answers
    ]


def pack_detections(found: Sequence[Detections]) -> dict[str, np.ndarray]:
    """Detections of several images as flat arrays, for ``numpy.savez``."""
    return {
        "counts": np.array([len(item.classes) for item in found], dtype=np.int64),
        "boxes": np.vstack([item.boxes for item in found]) if found else np.zeros((0, 4)),
        "classes": np.concatenate([item.classes for item in found]) if found else np.zeros(0, np.int64),
        "confidences": np.concatenate([item.confidences for item in found]) if found else np.zeros(0),
    }


def unpack_detections(arrays: Mapping[str, np.ndarray]) -> list[Detections]:
    """The inverse of `pack_detections`."""
    if not len(arrays["counts"]):
        return []
    cuts = np.cumsum(arrays["counts"])[:-1]
    parts = (np.split(arrays[name], cuts) for name in ("boxes", "classes", "confidences"))
    return [Detections(*part) for part in zip(*parts, strict=True)]
