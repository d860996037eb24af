"""The server under load: every good request answered by the right package through ten swaps, memory flat."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from analysis.experiment.limits import Limits
from analysis.experiment.server_process import ModelServer

LIMITS = Limits(body_bytes=2 * 2**20, pixels=4 * 2**20, linger_s=2.0, body_s=5.0)
WEIGHTS = 1_500_000
"""Numbers in each package's model, 6 MB: ten that were not freed would show."""
SWAPS = 10
GOOD = ("jpeg", "png")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def bomb() -> bytes:
    """A PNG of 50 kB, one bit a pixel, that decodes to 1.2 GB."""
    side = 20_000
    rows = zlib.compress(bytes((1 + side // 8) * side), 6)
    header = side.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def requests(folder: Path) -> list[dict]:
    """Kinds of request with their files: good ones, and every kind of bad one with the statuses it may get."""
    noise = np.random.default_rng(1).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    png = cv2.imencode(".png", noise)[1].tobytes()
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 0xFF
    kinds = [
        ("jpeg", 30, "whole", jpeg),
        ("png", 15, "whole", png),
        ("chunked jpeg", 5, "chunked", jpeg),
        ("empty", 1, "whole", b""),
        ("text", 1, "whole", b"these are words and not an image"),
        ("truncated jpeg", 1, "whole", jpeg[: len(jpeg) // 2]),
        ("truncated png", 1, "whole", png[: len(png) // 2]),
        ("damaged png", 1, "whole", bytes(damaged)),
        ("bomb", 1, "whole", bomb()),
        ("huge", 0.5, "whole", jpeg + bytes(3 * 2**20)),
        ("huge chunked", 0.5, "chunked", jpeg + bytes(3 * 2**20)),
        ("method", 1, "get", b""),
        ("nonsense", 1, "nonsense", b""),
        ("leave", 1, "leave", png),
    ]
    made = []
    for number, (name, weight, manner, body) in enumerate(kinds):
        path = folder / f"request-{number}"
        path.write_bytes(body)
        made.append({"name": name, "weight": weight, "manner": manner, "file": str(path)})
    return made


def settled_memory(process: psutil.Process) -> float:
    """Resident megabytes, the smallest of a few looks: what is held, not what is passing through."""
    looks = []
    for _ in range(10):
        looks.append(process.memory_info().rss / 1e6)
        time.sleep(0.05)
    return min(looks)


def start_clients(tmp_path: Path, name: str, server: ModelServer, phases: list) -> tuple[subprocess.Popen, Path]:
    host, port = server.url.removeprefix("http://").split(":")
    kinds = requests(tmp_path)
    plan = {"host": host, "port": int(port), "seed": name, "phases": phases, "kinds": kinds}
    (tmp_path / f"{name}.json").write_text(json.dumps(plan), encoding="utf-8")
    results = tmp_path / f"{name}.jsonl"
    command = [sys.executable, str(Path(__file__).with_name("load_clients.py")), str(tmp_path / f"{name}.json")]
    return subprocess.Popen([*command, str(results)]), results


def swap_through(server: ModelServer, folders: list[Path], clients: subprocess.Popen, every_s: float) -> list[tuple]:
    """Swap while the clients send; begin, end and new digest of each swap, on the machine's one clock."""
    swaps = []
    for folder in folders:
        time.sleep(every_s)
        assert clients.poll() is None, "the load ended before the swaps"
        began = time.monotonic()
        report = server.swap(folder)
        swaps.append((began, time.monotonic(), report.new))
    return swaps


def allowed(row: dict, first: str, swaps: list[tuple]) -> set[str]:
    """Digests that may answer a request: what served at some moment between its start and its end."""
    serving = [(0.0, first), *((began, digest) for began, _, digest in swaps)]
    replaced = [ended for _, ended, _ in swaps] + [float("inf")]
    return {
        digest
        for (since, digest), until in zip(serving, replaced, strict=True)
        if since <= row["end"] and until >= row["start"]
    }


@pytest.fixture(scope="module")
def outcome(make_package, tmp_path_factory):
    """One load for all tests of this file: a warm-up of every kind and size, then 8 to 64 clients and ten swaps."""
    tmp_path = tmp_path_factory.mktemp("load")
    folders = [make_package(f"version-{number}", weights=WEIGHTS + number) for number in range(SWAPS + 3)]
    with ModelServer(folders[0], LIMITS, log=tmp_path / "server.log") as server:
        process = psutil.Process(server.pid)
        warm, _ = start_clients(tmp_path, "warm-up", server, [(64, 3.0)])
        swap_through(server, folders[1:3], warm, 0.8)
        assert warm.wait(30) == 0
        before = settled_memory(process)
        first = server.inspect_many([Path(requests(tmp_path)[0]["file"]).read_bytes()])[0].package
        clients, results = start_clients(tmp_path, "load", server, [(8, 2.5), (16, 2.5), (32, 2.5), (64, 3.0)])
        swaps = swap_through(server, folders[3:], clients, 0.85)
        assert clients.wait(30) == 0
        after = settled_memory(process)
        metrics = server.metrics()
    rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    versions = {json.loads((folder / "package.json").read_bytes())["digest"]: folder.name for folder in folders}
    return {
        "rows": rows,
        "swaps": swaps,
        "first": first,
        "versions": versions,
        "memory": (before, after),
        "metrics": metrics,
        "log": (tmp_path / "server.log").read_text(encoding="utf-8"),
    }


def test_every_good_request_is_answered_by_a_package_that_served_then(outcome):
    good = [row for row in outcome["rows"] if row["kind"] in (*GOOD, "chunked jpeg")]
    assert len(good) > 500
    assert [row for row in good if row["status"] != 200] == []
    wrong = [
        row
        for row in good
        if row["package"] not in allowed(row, outcome["first"], outcome["swaps"])
        or row["says"] != [row["package"], outcome["versions"][row["package"]]]
    ]
    assert wrong == []


def test_load_and_swaps_overlapped(outcome):
    assert {row["clients"] for row in outcome["rows"]} == {8, 16, 32, 64}
    assert len(outcome["swaps"]) == SWAPS
    last = max(row["end"] for row in outcome["rows"])
    assert max(ended for _, ended, _ in outcome["swaps"]) < last
    answering = {row["package"] for row in outcome["rows"] if row["status"] == 200}
    assert len(answering) == SWAPS + 1


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("empty", 400),
        ("text", 415),
        ("truncated jpeg", 422),
        ("truncated png", 422),
        ("damaged png", 422),
        ("bomb", 413),
        ("huge", 413),
        ("huge chunked", 413),
        ("method", 405),
        ("nonsense", 400),
        ("leave", 0),
    ],
)
def test_every_bad_request_is_refused_with_its_status(outcome, kind, status):
    rows = [row for row in outcome["rows"] if row["kind"] == kind]
    assert rows, "none was sent"
    assert [row for row in rows if row["status"] != status or row["package"]] == []


def test_memory_does_not_grow(outcome):
    before, after = outcome["memory"]
    assert after < before * 1.05 + 6, f"{before:.0f} MB after the warm-up, {after:.0f} MB at the end"


def test_nothing_is_left_in_flight_and_nothing_failed(outcome):
    metrics = outcome["metrics"]
    assert metrics["inspection_requests_in_flight"] == 0
    assert not [key for key in metrics if 'status="5' in key]
    assert "Traceback" not in outcome["log"]
    assert len({key for key in metrics if key.startswith("inspection_requests_total")}) < 100
