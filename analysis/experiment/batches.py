"""Batches of labelled images, as annotators deliver them: a folder of pictures and a file that says what is on them.

::

    batch/
      images/*.jpg        JPEG, quality 95
      annotations.json    {"classes": [name, …],
                           "images": [{"file", "width", "height",
                                       "objects": [{"defect": name, "x", "y", "w", "h"}, …]}, …]}

``x`` and ``y`` are the top left corner and ``w`` and ``h`` the size of a box, in pixels.

`validate_batch` is the data validation stage. What it cannot see is a batch whose labels are wrong but
well-formed: only the model's quality shows those.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import disk_errors, relative
from analysis.experiment.batch_schema import (
    ANNOTATIONS,
    BOX_KEYS,
    IMAGES,
    BatchReview,
    note_labels,
    review_entries,
    review_images,
)
from analysis.experiment.dataset import AnnotatedImage
from analysis.experiment.scenes import Scene

JPEG_QUALITY = 95
DECIMALS = 3
"""Of a pixel, in annotation files."""


def write_batch(folder: Path, scenes: Sequence[Scene], classes: Sequence[str], prefix: str) -> Path:
    """Write scenes as a batch folder, whole or not at all.

    Parameters
    ----------
    folder : Path
        Must not exist or be empty.
    scenes : sequence of Scene
    classes : sequence of str
        Names of the scenes' classes, by position.
    prefix : str
        Start of the images' file names.

    Raises
    ------
    InputError
        ``folder`` holds something already, or a scene's class has no name.
    DiskFullError
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"The batch {relative(folder)} is not written.",
            [Problem(relative(folder), "the folder holds something already", "name a new folder")],
        )
    nameless = [
        Problem(f"scene {number}", f"class {label} has no name among {len(classes)} classes", "give all classes' names")
        for number, scene in enumerate(scenes)
        for label in scene.classes.tolist()
        if not 0 <= label < len(classes)
    ]
    if nameless:
        raise InputError(f"The batch {relative(folder)} is not written.", nameless)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with disk_errors(folder.parent):
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            (draft / IMAGES).mkdir()
            entries = [
                _write_image(draft / IMAGES / f"{prefix}-{number:05d}.jpg", scene, classes)
                for number, scene in enumerate(scenes)
            ]
            content = json.dumps({"classes": list(classes), "images": entries}, ensure_ascii=False, indent=1)
            (draft / ANNOTATIONS).write_text(content + "\n", encoding="utf-8")
            draft.chmod(0o755)
            draft.replace(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return folder


def _write_image(path: Path, scene: Scene, classes: Sequence[str]) -> dict[str, Any]:
    """Write one picture; returns its entry for the annotations."""
    done, code = cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise InputError(f"{relative(path)} cannot be encoded: image of shape {scene.image.shape}.")
    path.write_bytes(code.tobytes())
    height, width = scene.image.shape[:2]
    corners = np.round(np.asarray(scene.boxes, dtype=float).reshape(-1, 4), DECIMALS).tolist()
    return {
        "file": path.name,
        "width": width,
        "height": height,
        "objects": [
            {
                "defect": classes[label],
                "x": x1,
                "y": y1,
                "w": round(x2 - x1, DECIMALS),
                "h": round(y2 - y1, DECIMALS),
            }
            for label, (x1, y1, x2, y2) in zip(scene.classes.tolist(), corners, strict=True)
        ],
    }


def batch_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files of a batch; the same wherever the folder lies.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"There is no batch {relative(folder)}.")
    total = hashlib.sha256()
    files = (path for path in folder.rglob("*") if path.is_file())
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in files):
        total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def load_annotations(folder: Path) -> dict[str, Any]:
    """The annotation file of a batch as written, unchecked except that it is a JSON object.

    Raises
    ------
    InputError
        The file is missing or no JSON object.
    """
    path = folder / ANNOTATIONS
    remedy = f"deliver {ANNOTATIONS} as described in the annotators' instructions"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        problem = Problem(relative(path), error.strerror or str(error), remedy)
    except UnicodeDecodeError as error:
        problem = Problem(relative(path), f"not UTF-8 text: {error.reason} at byte {error.start}", remedy)
    except RecursionError:
        problem = Problem(relative(path), "no annotations: lists nested thousands deep", remedy)
    except json.JSONDecodeError as error:
        problem = Problem(f"{relative(path)}, line {error.lineno}", f"no JSON: {error.msg}", remedy)
    else:
        if isinstance(content, dict):
            return content
        problem = Problem(relative(path), f"expected an object, got {type(content).__name__}", remedy)
    raise InputError(f"The batch {relative(folder)} has no usable annotations.", [problem])


def read_batch(folder: Path) -> list[AnnotatedImage]:
    """Read a sound batch; classes are positions in the annotations' own list.

    Images are not opened; see `validate_batch` for a check of everything.

    Raises
    ------
    InputError
        The annotations break their schema; all violations are named.
    """
    content = load_annotations(folder)
    review = BatchReview()
    entries = list(review_entries(content, content.get("classes"), review))
    if review.problems:
        raise InputError(f"The batch {relative(folder)} cannot be read.", review.problems)
    position = {name: number for number, name in enumerate(content["classes"])}
    images = []
    for _, entry in entries:
        objects = entry["objects"]
        boxes = np.array([[item[key] for key in BOX_KEYS] for item in objects], dtype=float).reshape(-1, 4)
        boxes[:, 2:] = np.round(boxes[:, :2] + boxes[:, 2:], DECIMALS)
        labels = np.array([position[item["defect"]] for item in objects], dtype=np.int64)
        images.append(AnnotatedImage(folder / IMAGES / entry["file"], entry["width"], entry["height"], boxes, labels))
    return images


def validate_batch(folder: Path, classes: Sequence[str]) -> list[Problem]:
    """Every violation in a batch; empty for a batch that is fit for use.

    Checked are the annotations' schema, class names, boxes (finite, inside the image, at least a pixel
    wide and high, none twice), and the images: there, decodable, of the stated size, none twice, none
    without annotation.

    Parameters
    ----------
    folder : Path
    classes : sequence of str
        The project's classes; the batch may use these and no others.
    """
    return review_batch(folder, classes).problems


def review_batch(folder: Path, classes: Sequence[str]) -> BatchReview:
    """`validate_batch` with counts, and with remarks on the distribution of labels that are no violation."""
    review = BatchReview()
    try:
        content = load_annotations(folder)
    except InputError as error:
        review.problems += error.problems
        return review
    entries = list(review_entries(content, classes, review))
    review_images(folder / IMAGES, entries, review)
    empty = sum(not entry.get("objects") for _, entry in entries)
    note_labels(classes, empty, review)
    return review
