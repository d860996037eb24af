"""What is deployed: a folder with the model, the project's code, and a description that vouches for both.

A package is a folder with ``model.onnx``, ``inspection/`` (the project's serving code) and ``package.json``.
Its digest covers the bytes of all of it, so that equal digests mean equal behaviour, and a package that was
damaged or edited after it was built is refused instead of served under a false name.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.base.paths import disk_errors, relative, write_atomic

MODEL = "model.onnx"
CODE = "inspection"
DESCRIPTION = "package.json"
HANDLER = f"{CODE}/handler.py"


@dataclass(frozen=True, slots=True)
class Package:
    """A package's description as in ``package.json``, and the folder that it was read from.

    Attributes
    ----------
    digest : str
        Digest of everything below: the package's identity.
    classes : tuple of str
        Names of the defects, in the order of the model's outputs.
    image_size : int
        Side of the model's square input in pixels.
    confidence : float
        Detections below it are not reported.
    code, model : str
        Digests of the code's folder and of the model's file.
    folder : Path
    """

    digest: str
    classes: tuple[str, ...]
    image_size: int
    confidence: float
    code: str
    model: str
    folder: Path

    @property
    def settings(self) -> dict:
        """The content of ``package.json``: what the project's code is given."""
        content = asdict(self)
        del content["folder"]
        return content | {"classes": list(self.classes)}


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_code(folder: Path) -> str:
    """SHA-256 over relative paths and bytes of all files of a folder, compiled Python left out."""
    total = hashlib.sha256()
    for path in _files(folder):
        name = path.relative_to(folder).as_posix().encode()
        content = path.read_bytes()
        total.update(b"%d:%b%d:" % (len(name), name, len(content)) + content)
    return total.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).parts):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def _identity(content: dict) -> str:
    described = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(described, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def build_package(
    folder: Path, model: Path, code: Path, classes: Sequence[str], image_size: int, confidence: float
) -> Package:
    """Put a package together in ``folder``; the description is written last, so that half a package is none.

    Parameters
    ----------
    folder : Path
        Made if missing; must not hold a package already.
    model : Path
        The exported model.
    code : Path
        The project's ``inspection`` folder.
    classes, image_size, confidence
        As in `Package`.

    Raises
    ------
    InputError
        There is a package already, or what was put together is not one that `read_package` accepts.
    """
    if (folder / DESCRIPTION).exists():
        raise InputError(
            "Could not build the package.",
            [Problem(relative(folder), "holds a package already", "packages never change: give another folder")],
        )
    with disk_errors(folder.parent if not folder.exists() else folder):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model, folder / MODEL)
        shutil.rmtree(folder / CODE, ignore_errors=True)
        for path in _files(code):
            target = folder / CODE / path.relative_to(code)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        content = {
            "classes": list(classes),
            "image_size": int(image_size),
            "confidence": float(confidence),
            "code": digest_code(folder / CODE),
            "model": digest_file(folder / MODEL),
        }
        content = {"digest": _identity(content), **content}
    write_atomic(folder / DESCRIPTION, json.dumps(content, indent=1) + "\n")
    return read_package(folder)


def read_package(folder: Path) -> Package:
    """Read a package's description and check the folder against it.

    Raises
    ------
    InputError
        Files are missing, the description breaks its contract, or a digest does not fit the bytes; all at once.
    """
    where = relative(folder)
    problems = [
        Problem(f"{where}/{name}", "is missing", "build the package again")
        for name in (DESCRIPTION, MODEL, f"{CODE}/__init__.py", HANDLER)
        if not (folder / name).is_file()
    ]
    if problems:
        raise InputError("This is not a package.", problems)
    description = f"{where}/{DESCRIPTION}"
    try:
        content = json.loads((folder / DESCRIPTION).read_bytes())
    except ValueError as error:
        raise InputError("This is not a package.", [Problem(description, f"is not JSON: {error}")]) from None
    problems = [Problem(description, what) for what in _violations(content)]
    if not problems:
        for key, found in (("model", digest_file(folder / MODEL)), ("code", digest_code(folder / CODE))):
            if content[key] != found:
                problems.append(Problem(description, f"names {key} {content[key][:12]}, found {found[:12]}"))
        if not problems and content["digest"] != _identity(content):
            problems.append(Problem(description, "was edited: the digest does not fit the values beside it"))
    if problems:
        raise InputError("This package is not what its description says.", problems)
    return Package(folder=folder, **content | {"classes": tuple(content["classes"])})


def _violations(content: object) -> Iterator[str]:
    """What is wrong with the values of ``package.json``."""
    if not isinstance(content, dict):
        yield "is not a JSON object"
        return
    expected = {"digest", "classes", "image_size", "confidence", "code", "model"}
    for key in sorted(expected ^ content.keys()):
        yield f"lacks {key}" if key in expected else f"has the unknown key {key}"
    for key in ("digest", "code", "model"):
        if key in content and not (isinstance(content[key], str) and len(content[key]) == 64):
            yield f"{key} is not a SHA-256 in hexadecimal"
    names = content.get("classes", ["-"])
    if not (isinstance(names, list) and names and all(isinstance(name, str) and name for name in names)):
        yield "classes is not a list of names"
    elif len(set(names)) < len(names):
        yield "classes names a class twice"
    size = content.get("image_size", 96)
    if not (type(size) is int and 16 <= size <= 4096):
        yield f"image_size is {size!r}, expected a whole number from 16 to 4096"
    confidence = content.get("confidence", 0.5)
    if not (type(confidence) in (int, float) and 0 <= confidence <= 1):
        yield f"confidence is {confidence!r}, expected a number from 0 to 1"
