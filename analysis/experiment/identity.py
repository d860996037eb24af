"""What makes two pieces of work the same: digests of code and folders, versions, devices, seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from analysis.base.provenance import file_digest

HERE = Path(__file__).parent
LIBRARIES = ("torch", "torchvision", "ultralytics-opencv-headless", "ultralytics", "onnx", "onnxruntime")


def list_files(folder: Path) -> list[str]:
    """Files below a folder, relative to it and sorted, without what tools leave there: caches and hidden files."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        name.as_posix()
        for name in names
        if "__pycache__" not in name.parts and not any(part.startswith(".") for part in name.parts)
    )


def digest_folder(folder: Path, files: Sequence[str] = ()) -> str:
    """Digest over names and contents: of all files of a folder (`list_files`), or of those named."""
    found = hashlib.sha256()
    for name in files or list_files(folder):
        content = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        found.update(f"{name}\0{content}\n".encode())
    return found.hexdigest()[:16]


READERS = ("comparison", "design", "display", "findings", "outcomes", "pictures", "recording")
"""Modules that read what a run left, and decide nothing of it."""


@cache
def experiment_code() -> str:
    """Digest of the code that decides what a run leaves, the project under study included."""
    return digest_folder(HERE, [name for name in list_files(HERE) if name not in {f"{stem}.py" for stem in READERS}])


@cache
def code_of(*modules: str) -> str:
    """Digest of modules of this package: work is done again when the code that does it has changed."""
    return hashlib.sha256("".join(file_digest(HERE / f"{name}.py") for name in modules).encode()).hexdigest()[:16]


@cache
def training_versions() -> dict[str, str]:
    """Versions of the libraries that decide what a training computes, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except ModuleNotFoundError:
            continue
    return found


@cache
def device_kind(device: str) -> str:
    """``cpu``, or the name of the GPU that ``device`` means here."""
    if device == "cpu":
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        return "cpu"
    return torch.cuda.get_device_name(0 if device == "auto" else int(device))


def seed_of(name: str) -> int:
    """A seed of 31 bits from a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
