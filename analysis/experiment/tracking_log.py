"""W&B runs read back from their folders, without W&B.

A run's transaction log is framed like a LevelDB log: blocks of 32 KiB, and before each piece a CRC-32,
a length and a type (whole, first, middle, last). Each entry is one protobuf record; W&B's Python package
brings the message types, which the caller passes in, but no reader any more.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2

from analysis.experiment.tracking_records import StoredRun, picture_digest

PICTURES = "predictions"
"""History key of the sample pictures."""

BLOCK = 32768
FILE_HEADER = 7
PIECE_HEADER = 7
WHOLE, LAST = 1, 4


def run_folders(folder: Path, run: str = "*") -> list[Path]:
    """Folders of W&B's runs (or of one run) below ``folder``, oldest first."""
    found = [path for path in (folder / "wandb").glob(f"*run-*_*-{run}") if path.is_dir() and not path.is_symlink()]
    return sorted(found, key=lambda path: path.name.split("run-", 1)[1])


def is_uploaded(folder: Path) -> bool:
    """Whether W&B marked the run as uploaded."""
    return any(folder.glob("*.wandb.synced"))


def read_run(folder: Path, parse: Callable[[bytes], Any]) -> StoredRun:
    """One run from its transaction log; a log cut off by a kill is read as far as it goes.

    Parameters
    ----------
    folder : Path
        One of `run_folders`.
    parse : callable
        ``FromString`` of W&B's protobuf message ``Record``.
    """
    logs = list(folder.glob("*.wandb"))
    run: dict = {"id": folder.name.split("run-", 1)[1].split("-", 1)[1], "folder": folder, "complete": False}
    config, summary, history, files, pictures, gone, samples = {}, {}, [], {}, [], [], 0
    for record in map(parse, read_entries(logs[0].read_bytes()) if logs else ()):
        match record.WhichOneof("record_type"):
            case "run":
                header = record.run
                run |= {"name": header.display_name, "group": header.run_group, "kind": header.job_type}
                run["tags"] = tuple(header.tags)
                _update(config, header.config.update)
            case "config":
                _update(config, record.config.update)
            case "summary":
                _update(summary, record.summary.update)
            case "history":
                row: dict = {}
                _update(row, record.history.item)
                shown = row.pop(PICTURES, None)
                row = {key: value for key, value in row.items() if not key.startswith("_")}
                if shown:
                    pictures += [_read_picture(folder / "files" / name) for name in shown["filenames"]]
                if row:
                    history.append(row)
            case "artifact":
                artifact = record.artifact
                files[artifact.name] = (artifact.digest, "read" if artifact.use_after_commit else "made")
                gone += [
                    entry.local_path for entry in artifact.manifest.contents if not Path(entry.local_path).exists()
                ]
            case "stats":
                samples += 1
            case "exit":
                run["complete"] = record.exit.exit_code == 0
    config.pop("_wandb", None)
    # An online run that ended was uploaded while it ran.
    run["uploaded"] = is_uploaded(folder) or (run["complete"] and not folder.name.startswith("offline-"))
    return StoredRun(
        **run,
        config=config,
        history=tuple(history),
        summary=summary,
        pictures=tuple(pictures),
        files=files,
        gone=tuple(gone),
        system_samples=samples,
    )


def read_entries(log: bytes) -> Iterator[bytes]:
    """Entries of a transaction log; stops at the first piece that is cut off or fails its checksum."""
    place, entry = FILE_HEADER, b""
    while place + PIECE_HEADER <= len(log):
        left = BLOCK - place % BLOCK
        if left < PIECE_HEADER:  # the header of a piece never straddles two blocks
            place += left
            continue
        check = int.from_bytes(log[place : place + 4], "little")
        size = int.from_bytes(log[place + 4 : place + 6], "little")
        piece = log[place + 6 : place + PIECE_HEADER + size]
        if len(piece) < size + 1 or zlib.crc32(piece) != check:
            return
        place += PIECE_HEADER + size
        entry += piece[1:]
        if piece[0] in (WHOLE, LAST):
            yield entry
            entry = b""


def _update(target: dict, items: Iterable) -> None:
    for item in items:
        path = list(item.nested_key) or [item.key]
        place = target
        for key in path[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[path[-1]] = json.loads(item.value_json)


def _read_picture(path: Path) -> str:
    image = cv2.imread(str(path)) if path.exists() else None
    return "missing" if image is None else picture_digest(image)
