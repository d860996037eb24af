"""The served model, spoken to over real sockets: what it answers, what it refuses, and what it survives."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import httpx
import numpy as np
import psutil
import pytest

from analysis.base.paths import ROOT
from analysis.experiment.limits import Limits
from analysis.experiment.server_process import ModelServer, ServingError
from analysis.experiment.serving_metrics import KEPT_PACKAGES

NOISE = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
JPEG = cv2.imencode(".jpg", NOISE)[1].tobytes()
PNG = cv2.imencode(".png", NOISE)[1].tobytes()
QUICK = Limits(body_bytes=2**20, pixels=2**20, side=2048, header_s=0.6, body_s=0.6, linger_s=1.0, in_flight=64)

ODD = """
import time

class Inspector:
    def __init__(self, session, settings):
        self.first = True

    def inspect(self, image):
        if self.first:
            self.first = False
            return []
        what = int(image[0, 0, 0])
        if what == 10:
            raise RuntimeError("a defect in the project")
        if what == 20:
            raise SystemExit(3)
        if what == 30:
            return {"defect": "dent"}
        if what == 40:
            return [{"defect": "dent", "confidence": float("nan"), "box": [0, 0, 1, 1]}]
        if what == 50:
            return [{"defect": "dent", "confidence": 0.5, "box": [0, 0, 1]}]
        if what == 60:
            time.sleep(0.5)
        return []
"""


def flat(value: int) -> bytes:
    return cv2.imencode(".png", np.full((8, 8, 3), value, np.uint8))[1].tobytes()


def jpeg_of_size(width: int, height: int) -> bytes:
    """A JPEG whose frame header states another size than its data have."""
    at = JPEG.index(b"\xff\xc0")
    return JPEG[: at + 5] + height.to_bytes(2) + width.to_bytes(2) + JPEG[at + 9 :]


def png_of_size(width: int, height: int) -> bytes:
    header = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + PNG[24:29]
    return PNG[:12] + header + zlib.crc32(header).to_bytes(4) + PNG[33:]


def digest_of(folder) -> str:
    return json.loads((folder / "package.json").read_bytes())["digest"]


@pytest.fixture(scope="module")
def plain(make_package):
    return make_package("plain")


@pytest.fixture(scope="module")
def server(plain):
    with ModelServer(plain, QUICK) as server:
        yield server


@pytest.fixture(scope="module")
def odd(make_package):
    """A server whose package misbehaves on images of certain colours."""
    limits = Limits(request_s=2.0, in_flight=4, workers=2)
    with ModelServer(make_package("odd", ODD), limits) as server:
        yield server


@pytest.fixture
def changing(plain):
    """A server for tests that change its package."""
    with ModelServer(plain, QUICK) as server:
        yield server


class Wire:
    """A raw connection to the server."""

    def __init__(self, server: ModelServer) -> None:
        host, port = server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=15)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, content: bytes) -> Wire:
        self.socket.sendall(content)
        return self

    def read(self) -> bytes:
        """Everything until the server closes."""
        parts = []
        with contextlib.suppress(ConnectionError):
            while part := self.socket.recv(65_536):
                parts.append(part)
        return b"".join(parts)

    def read_one(self) -> bytes:
        """One answer on a connection that stays open."""
        content = b""
        while b"\r\n\r\n" not in content:
            content += self.socket.recv(65_536)
        head, _, body = content.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(body) < length:
            body += self.socket.recv(65_536)
        return head + b"\r\n\r\n" + body


def head(length: int, more: bytes = b"") -> bytes:
    return b"POST /v1/inspect HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%b\r\n" % (length, more)


def in_flight(server: ModelServer) -> float:
    return server.metrics()["inspection_requests_in_flight"]


def settles(condition, seconds: float = 10.0) -> bool:
    """Whether something comes true soon."""
    until = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return true


# ---- good and bad images ---------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [JPEG, PNG], ids=["jpeg", "png"])
def test_a_good_image_is_inspected(server, plain, body):
    response = httpx.post(f"{server.url}/v1/inspect", content=body, headers={"X-Request-Id": "abc"})
    assert response.status_code == 200
    assert response.headers["x-package"] == response.json()["package"] == digest_of(plain)
    assert response.headers["x-request-id"] == "abc"
    (found,) = response.json()["detections"]
    assert (found["defect"], found["box"]) == ("plain", [0, 0, 64, 48])
    assert found["confidence"] == pytest.approx(NOISE.mean() / 255, abs=0.02)
    assert 0 < response.json()["seconds"] < 5


BAD = {
    "empty": (b"", 400, "empty"),
    "text": (b"not an image at all", 415, "not_an_image"),
    "gif": (b"GIF89a" + bytes(200), 415, "not_an_image"),
    "jpeg signature only": (JPEG[:3], 422, "corrupt"),
    "jpeg cut in its header": (JPEG[:100], 422, "corrupt"),
    "jpeg cut in its data": (JPEG[:-200], 422, "corrupt"),
    "jpeg without frame": (JPEG[:2] + b"\xff\xd9", 422, "corrupt"),
    "jpeg of fill bytes": (JPEG[:2] + b"\xff" * 500_000, 422, "corrupt"),
    "jpeg of many scans": (JPEG + b"\xff\xda" * 100, 422, "corrupt"),
    "jpeg, arithmetic coding": (JPEG.replace(b"\xff\xc0", b"\xff\xc9", 1), 415, "not_an_image"),
    "jpeg of 65,000 × 65,000": (jpeg_of_size(65_000, 65_000), 413, "too_many_pixels"),
    "jpeg of 0 × 10": (jpeg_of_size(0, 10), 422, "corrupt"),
    "png cut in its header": (PNG[:20], 422, "corrupt"),
    "png cut in its data": (PNG[: len(PNG) // 2], 422, "corrupt"),
    "png damaged": (PNG[:200] + bytes([PNG[200] ^ 0xFF]) + PNG[201:], 422, "corrupt"),
    "png of 30,000 × 30,000": (png_of_size(30_000, 30_000), 413, "too_many_pixels"),
    "png long and thin": (png_of_size(100_000, 1), 413, "too_many_pixels"),
    "png of other size": (png_of_size(64, 100), 422, "corrupt"),
    "too many bytes": (JPEG + bytes(2**20), 413, "too_large"),
}


@pytest.mark.parametrize(("body", "status", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_image_is_refused_with_its_reason(server, body, status, reason):
    response = httpx.post(f"{server.url}/v1/inspect", content=body)
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert "x-package" not in response.headers
    assert server.inspect_many([JPEG])[0].status == 200


def test_a_connection_survives_a_refused_image(server):
    with Wire(server) as wire:
        first = wire.send(head(4) + b"text").read_one()
        second = wire.send(head(len(JPEG)) + JPEG).read_one()
    assert first.startswith(b"HTTP/1.1 415")
    assert second.startswith(b"HTTP/1.1 200")


# ---- bodies that lie, stall or never end -----------------------------------------------------------------


def test_a_stated_gigabyte_is_refused_before_it_is_sent(server):
    with Wire(server) as wire:
        answer = wire.send(head(10**9)).read_one()
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_sender_of_too_much_still_sees_its_refusal(server):
    """All of the body is sent before the answer is read: a reset connection would lose the answer."""
    size = 20 * 2**20
    with Wire(server) as wire:
        answer = wire.send(head(size) + bytes(size)).read()
    assert answer.startswith(b"HTTP/1.1 413")


def test_an_endless_body_is_cut_off(server):
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    with Wire(server) as wire:
        wire.send(b"POST /v1/inspect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            for _ in range(20_000):
                wire.send(chunk)


def test_who_asks_first_is_refused_without_being_asked_to_continue(server):
    with Wire(server) as wire:
        answer = wire.send(head(10**9, b"Expect: 100-continue\r\n")).read()
    assert answer.startswith(b"HTTP/1.1 413")
    with Wire(server) as wire:
        wire.send(head(len(JPEG), b"Expect: 100-continue\r\nConnection: close\r\n"))
        assert wire.socket.recv(1000).startswith(b"HTTP/1.1 100")
        assert wire.send(JPEG).read().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("content", [head(len(JPEG)) + JPEG[:50], head(len(JPEG))], ids=["part", "nothing"])
def test_a_stalled_body_is_answered_408(server, content):
    with Wire(server) as wire:
        answer = wire.send(content).read()
    assert answer.startswith(b"HTTP/1.1 408")
    assert settles(lambda: in_flight(server) == 0)


def test_a_body_longer_than_stated_does_not_become_an_answer(server):
    with Wire(server) as wire:
        answer = wire.send(head(len(JPEG)) + JPEG + b"more\r\n\r\n").read()
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200") + answer.count(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1 200") <= 1
    assert server.inspect_many([JPEG])[0].status == 200


@pytest.mark.parametrize("content", [b"", b"POST /v1/ins", head(5)[:-2]], ids=["silent", "line", "header"])
def test_a_header_that_does_not_come_is_not_waited_for(server, content):
    with Wire(server) as wire:
        started = time.monotonic()
        assert b"200" not in wire.send(content).read()
        assert time.monotonic() - started < 5


def test_a_dripped_header_has_one_deadline(server):
    with Wire(server) as wire:
        started = time.monotonic()
        with pytest.raises(OSError, match=r"reset|pipe|abort"):
            for byte in b"POST /v1/inspect HTTP/1.1\r\n" + b"X-A: b\r\n" * 1000:
                wire.send(bytes([byte]))
                time.sleep(0.01)
        assert time.monotonic() - started < 5


def test_a_second_header_on_a_kept_connection_has_its_deadline(server):
    with Wire(server) as wire:
        wire.send(head(len(JPEG)) + JPEG).read_one()
        started = time.monotonic()
        assert wire.send(b"POST /v1").read() == b""
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"\x16\x03\x01\x00nonsense\r\n\r\n", b"400"),
        (b"POST /v1/inspect HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"POST /v1/inspect HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n", b"400"),
        (b"POST /v1/inspect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        (head(0, b"X-Request-Id: " + b"i" * 200 + b"\r\n"), b"400"),
        (head(0, b"X-Request-Id: caf\xe9\r\n"), b"400"),
        (head(0, b"".join(b"X-%d: y\r\n" % i for i in range(150))), b"431"),
        (head(0, b"X: " + b"y" * 20_000 + b"\r\n"), b"4"),
    ],
    ids=["nonsense", "negative", "two lengths", "bad chunk", "long id", "odd id", "many headers", "long header"],
)
def test_malformed_http_is_refused(server, content, status):
    with Wire(server) as wire:
        answer = wire.send(content).read()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert server.inspect_many([JPEG])[0].status == 200


def test_clients_that_leave_are_forgotten(server):
    left = 'inspection_requests_total{package="",status="499"}'
    before = server.metrics().get(left, 0)
    for content in (head(len(PNG)) + PNG[:100], head(len(PNG)) + PNG):
        for _ in range(10):
            with Wire(server) as wire:
                wire.send(content)
    assert settles(lambda: server.metrics().get(left, 0) >= before + 10)
    assert server.inspect_many([JPEG])[0].status == 200
    assert settles(lambda: in_flight(server) == 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_another_method_is_not_allowed(server, method):
    response = httpx.request(method, f"{server.url}/v1/inspect")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/inspect/x", "/admin", "/docs", "/../etc/passwd"])
def test_other_paths_are_not_found(server, path):
    assert httpx.post(f"{server.url}{path}", content=JPEG).status_code == 404


def test_health_readiness_and_interface(server, plain):
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "alive"}
    assert httpx.head(f"{server.url}/healthz").status_code == 200
    assert httpx.get(f"{server.url}/readyz").json() == {"status": "ready", "packages": [digest_of(plain)]}
    assert "/v1/inspect" in httpx.get(f"{server.url}/openapi.json").json()["paths"]


def test_answers_are_sent_at_once(server):
    """Without TCP_NODELAY each answer on a kept connection waits 40 ms for an acknowledgement."""
    seconds = [answer.seconds for answer in server.inspect_many([JPEG] * 40, concurrency=1)]
    assert np.quantile(seconds, 0.25) < 0.03


# ---- code that fails, hangs, and too much at once --------------------------------------------------------


@pytest.mark.parametrize(
    ("colour", "says"),
    [(10, "a defect in the project"), (20, "SystemExit"), (30, "not a list"), (40, "impossible"), (50, "impossible")],
)
def test_code_that_fails_is_answered_500_and_counted(odd, colour, says):
    digest = odd.inspect_many([flat(1)])[0].package
    key = f'inspection_failures_total{{package="{digest}"}}'
    before = odd.metrics().get(key, 0)
    (answer,) = odd.inspect_many([flat(colour)])
    assert (answer.status, answer.package, answer.detections) == (500, digest, [])
    assert says in answer.message
    assert odd.metrics()[key] == before + 1
    assert odd.inspect_many([flat(1)])[0].status == 200


def test_beyond_the_limit_of_requests_in_flight_is_overload(odd):
    """Two threads, half a second each, four requests allowed: of twelve at once, some are sent away, none is lost."""

    def send(_: int) -> httpx.Response:
        return httpx.post(f"{odd.url}/v1/inspect", content=flat(60), timeout=20)

    with ThreadPoolExecutor(12) as pool:
        responses = list(pool.map(send, range(12)))
    statuses = sorted(response.status_code for response in responses)
    assert set(statuses) == {200, 503}
    assert statuses.count(200) >= 4
    assert all(response.headers["retry-after"] == "1" for response in responses if response.status_code == 503)
    assert settles(lambda: in_flight(odd) == 0)
    assert odd.inspect_many([flat(60)])[0].status == 200


def test_an_inspection_that_takes_too_long_is_answered_504(make_package):
    slow = ODD.replace("time.sleep(0.5)", "time.sleep(1.5)")
    with ModelServer(make_package("slow", slow), Limits(request_s=0.4, workers=1)) as server:
        assert [answer.status for answer in server.inspect_many([flat(60)] * 3, 3)] == [504] * 3
        assert settles(lambda: in_flight(server) == 0)
        assert server.inspect_many([flat(1)])[0].status == 200


# ---- changing the package --------------------------------------------------------------------------------


def test_a_swap_is_a_swap(changing, plain, make_package):
    other = make_package("other")
    report = changing.swap(other)
    assert (report.old, report.new) == (digest_of(plain), digest_of(other))
    assert 0 < report.seconds < 10
    (answer,) = changing.inspect_many([JPEG])
    assert (answer.package, answer.detections[0]["defect"]) == (digest_of(other), "other")
    again = changing.swap(other)
    assert again.old == again.new == digest_of(other)
    assert [changing.swap(folder).new for folder in (plain, other, plain)][-1] == digest_of(plain)
    assert changing.inspect_many([JPEG])[0].detections[0]["defect"] == "plain"


LATE = """
import time

class Inspector:
    def __init__(self, session, settings):
        self.session = session

    def inspect(self, image):
        if image[0, 0, 0] == 60:
            time.sleep(2.5)
            from .version import VERSION  # only now: the code must still be there
            self.session.get_inputs()
            return [{"defect": VERSION, "confidence": 1, "box": [0, 0, 1, 1]}]
        return []
"""


def test_a_request_under_way_finishes_on_the_old_package(make_package, plain):
    late = make_package("late", LATE)
    with ModelServer(late, QUICK) as server, ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(server.inspect_many, [flat(60)])
        assert settles(lambda: in_flight(server) == 1)
        server.swap(plain)
        assert server.inspect_many([JPEG])[0].package == digest_of(plain)
        assert not under_way.done(), "the swap waited for the request"
        (answer,) = under_way.result()
    assert (answer.status, answer.package) == (200, digest_of(late))
    assert answer.detections[0]["defect"] == "late"


def test_two_swaps_at_once_happen_one_after_the_other(changing, plain, make_package):
    folders = [make_package(f"racer-{number}") for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(changing.swap, folders))
    followed = {report.old: report.new for report in reports}
    digest, seen = digest_of(plain), []
    while digest in followed:
        digest = followed.pop(digest)
        seen.append(digest)
    assert sorted(seen) == sorted(map(digest_of, folders)), "the swaps do not form one chain"
    assert changing.inspect_many([JPEG])[0].package == digest


def test_old_models_leave_memory(changing, make_package):
    """Each model has 24 MB of weights; six of them pass through."""
    folders = [make_package(f"heavy-{number}", weights=6_000_000 + number) for number in range(7)]
    process = psutil.Process(changing.pid)
    changing.swap(folders[0])
    changing.inspect_many([JPEG] * 5)
    before = process.memory_info().rss
    for folder in folders[1:]:
        changing.swap(folder)
        changing.inspect_many([JPEG] * 5)
    assert settles(lambda: process.memory_info().rss < before + 40e6)


def broken(folder, how: str) -> None:
    """Damage a package so that its description still fits, or no longer fits."""
    handler = folder / "inspection/handler.py"
    if how == "code edited":
        handler.write_text(handler.read_text() + "\n# edited\n")
    elif how == "model damaged":
        (folder / "model.onnx").write_bytes(b"no model")
    elif how == "no description":
        (folder / "package.json").unlink()
    elif how == "description no JSON":
        (folder / "package.json").write_text("{")
    elif how == "no handler":
        handler.unlink()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("code edited", "names code"),
        ("model damaged", "names model"),
        ("no description", "package.json: is missing"),
        ("description no JSON", "is not JSON"),
        ("no handler", "handler.py: is missing"),
    ],
)
@pytest.mark.parametrize("order", ["swap", "candidate"])
def test_a_damaged_package_is_refused_and_the_old_one_serves_on(server, plain, make_package, how, says, order):
    folder = make_package(f"{how} {order}")
    broken(folder, how)
    with pytest.raises(ServingError, match=says) as refused:
        server.swap(folder) if order == "swap" else server.candidate(folder, 0.5)
    assert refused.value.status == 422
    assert {answer.package for answer in server.inspect_many([JPEG] * 4)} == {digest_of(plain)}


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        ("import there_is_no_such_module", "its code failed: ModuleNotFoundError"),
        ("def f(:", "its code failed: SyntaxError"),
        ("raise SystemExit('no')", "its code failed: SystemExit"),
        ("x = 1", "its code failed: AttributeError"),
        ("class Inspector:\n def __init__(self, session, settings): 1 / 0", "its code failed: ZeroDivisionError"),
        (
            "class Inspector:\n def __init__(self, s, t): ...\n def inspect(self, image): raise KeyError('x')",
            "its first inspection failed: KeyError",
        ),
        (
            "class Inspector:\n def __init__(self, s, t): ...\n def inspect(self, image): return None",
            "its first inspection failed: FailedError",
        ),
    ],
    ids=["import", "syntax", "exit", "no inspector", "constructor", "warm-up", "answer"],
)
def test_a_package_whose_code_fails_is_refused(server, plain, make_package, handler, says, request):
    with pytest.raises(ServingError, match=says):
        server.swap(make_package(f"fails at {request.node.callspec.id}", handler))
    assert server.inspect_many([JPEG])[0].package == digest_of(plain)


def test_a_model_that_is_none_is_refused(server, plain, make_package, tmp_path):
    from analysis.experiment.packages import build_package

    (tmp_path / "no.onnx").write_bytes(b"this is no model")
    folder = plain.parent / "no model"
    build_package(folder, tmp_path / "no.onnx", plain / "inspection", ["dent"], 32, 0.5)
    with pytest.raises(ServingError, match="its model failed"):
        server.swap(folder)
    assert server.inspect_many([JPEG])[0].package == digest_of(plain)


def test_packages_come_from_below_the_root_only(server, plain, tmp_path):
    outside = tmp_path / "outside"
    outside.symlink_to(plain)
    escape = plain.parent / "link"
    escape.symlink_to(tmp_path)
    for path in (tmp_path, plain.parent / ".." / ".." / "elsewhere", escape, plain.parent.parent, ROOT):
        with pytest.raises(ServingError, match="below the server's roots") as refused:
            server.swap(path)
        assert refused.value.status == 403
    assert server.swap(outside).new == digest_of(plain), "a link to a package below the root is that package"


def test_admin_calls_need_the_token_and_a_whole_order(server, plain):
    url = f"{server.url}/admin/package"
    good = {"path": str(plain)}
    for headers in ({}, {"X-Admin-Token": "guess"}, {"X-Admin-Token": ""}):
        assert httpx.post(url, json=good, headers=headers).status_code == 401
        assert httpx.delete(f"{server.url}/admin/candidate", headers=headers).status_code == 401
    token = {"X-Admin-Token": server._token}
    for order in ([], {}, {"path": 5}, {"path": str(plain), "more": 1}, "text", None):
        assert httpx.post(url, json=order, headers=token).status_code == 400
    for share in (0, -1, 1.01, "0.5", True, None):
        order = good | {"share": share}
        assert httpx.post(f"{server.url}/admin/candidate", json=order, headers=token).status_code == 400
    assert httpx.post(url, content=b"{" * 20_000, headers=token).status_code == 413
    assert httpx.post(url, content=b"\xff\xfe", headers=token).status_code == 400
    assert httpx.post(url, json={"path": "a\0b"}, headers=token).status_code == 422
    assert httpx.get(url, headers=token).status_code == 405


# ---- canary ----------------------------------------------------------------------------------------------


def test_a_candidate_gets_its_share_and_always_the_same_requests(changing, plain, make_package):
    candidate = make_package("candidate")
    report = changing.candidate(candidate, 0.2)
    assert (report.old, report.new) == (digest_of(plain), digest_of(candidate))
    ids = [f"image-{number}" for number in range(400)]
    first = [answer.package for answer in changing.inspect_many([JPEG] * 400, 8, ids)]
    second = [answer.package for answer in changing.inspect_many([JPEG] * 400, 4, ids)]
    assert first == second
    assert set(first) == {digest_of(plain), digest_of(candidate)}
    assert 52 <= first.count(digest_of(candidate)) <= 110, "80 of 400 expected, ±3.5 standard deviations"
    promoted = changing.promote()
    assert (promoted.old, promoted.new) == (digest_of(plain), digest_of(candidate))
    assert {answer.package for answer in changing.inspect_many([JPEG] * 20, 4)} == {digest_of(candidate)}


def test_a_candidate_can_be_withdrawn_replaced_and_overtaken(changing, plain, make_package):
    one, two = make_package("candidate one"), make_package("candidate two")
    for order in (changing.promote, changing.withdraw):
        with pytest.raises(ServingError, match="no candidate") as refused:
            order()
        assert refused.value.status == 409
    with pytest.raises(ServingError, match="serves already"):
        changing.candidate(plain, 0.5)
    changing.candidate(one, 1.0)
    changing.candidate(two, 1.0)
    assert changing.inspect_many([JPEG])[0].package == digest_of(two)
    assert changing.candidate(two, 0.001).new == digest_of(two)
    assert changing.metrics()["inspection_candidate_share"] == pytest.approx(0.001)
    assert changing.withdraw().old == digest_of(two)
    assert changing.inspect_many([JPEG])[0].package == digest_of(plain)
    changing.candidate(one, 1.0)
    assert changing.swap(two).old == digest_of(plain)
    assert changing.inspect_many([JPEG])[0].package == digest_of(two)
    with pytest.raises(ServingError, match="no candidate"):
        changing.promote()
    changing.candidate(one, 0.5)
    assert changing.swap(one).new == digest_of(one)
    with pytest.raises(ServingError, match="no candidate"):
        changing.withdraw()


def test_a_candidate_that_cannot_be_loaded_leaves_the_earlier_one(changing, make_package):
    good, bad = make_package("good candidate"), make_package("bad candidate", "raise ValueError('no')")
    changing.candidate(good, 1.0)
    with pytest.raises(ServingError, match="ValueError"):
        changing.candidate(bad, 1.0)
    assert changing.inspect_many([JPEG])[0].package == digest_of(good)


# ---- metrics ---------------------------------------------------------------------------------------------


def test_metrics_tell_what_happened(changing, plain):
    changing.inspect_many([JPEG, PNG, b"", JPEG[:60]])
    metrics = changing.metrics()
    digest = digest_of(plain)
    assert metrics[f'inspection_requests_total{{package="{digest}",status="200"}}'] == 2
    assert metrics['inspection_requests_total{package="",status="400"}'] == 1
    assert metrics['inspection_refused_total{reason="corrupt"}'] == 1
    assert metrics[f'inspection_request_seconds_count{{package="{digest}"}}'] == 2
    assert metrics[f'inspection_package{{package="{digest}",role="stable"}}'] == 1
    assert metrics["process_resident_memory_bytes"] > 2e7


def test_metrics_forget_packages_of_long_ago(changing, make_package):
    folders = [make_package(f"passing-{number}") for number in range(KEPT_PACKAGES + 5)]
    for folder in folders:
        changing.swap(folder)
        changing.inspect_many([JPEG])
    named = {digest_of(folder) for folder in folders if any(digest_of(folder) in key for key in changing.metrics())}
    assert named == {digest_of(folder) for folder in folders[-KEPT_PACKAGES - 1 :]}


# ---- the process -----------------------------------------------------------------------------------------


def test_it_starts_fast_and_ends_without_a_trace(plain):
    server = ModelServer(plain)
    seconds = min(timed_start(server) for _ in range(2))
    assert seconds < 3
    server.start()
    pid, folder = server.pid, server._folder
    server.stop()
    server.stop()
    assert not psutil.pid_exists(pid)
    assert not folder.exists()
    with pytest.raises(ServingError, match="not been started"):
        server.inspect_many([JPEG])


def timed_start(server: ModelServer) -> float:
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(server.stop)
        return server.start()


def test_it_imports_nothing_that_trains_or_tabulates():
    code = "import sys, analysis.experiment.serving; print(sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert "onnxruntime" in done.stdout
    assert not {"torch", "ultralytics", "pandas", "scipy", "wandb"} & set(eval(done.stdout))


def test_a_package_that_cannot_be_served_is_named_at_the_start(make_package):
    with pytest.raises(ServingError, match=r"did not start[\s\S]*ZeroDivisionError"):
        ModelServer(make_package("stillborn", "1 / 0")).start()
    with pytest.raises(ServingError, match="is missing"):
        ModelServer(ROOT / "analysis").start()


def test_a_server_that_was_killed_is_reported_not_waited_for(plain):
    with ModelServer(plain) as server:
        os.kill(server.pid, signal.SIGKILL)
        assert settles(lambda: not server.alive)
        (answer,) = server.inspect_many([JPEG])
        assert (answer.status, answer.package) == (0, "")
        assert "Connect" in answer.message
        with pytest.raises(ServingError, match="did not answer"):
            server.swap(plain)


def test_it_ends_when_its_parent_is_killed(plain, tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom analysis.experiment.server_process import ModelServer\n"
        "server = ModelServer(Path(sys.argv[1]))\nserver.start()\n"
        "Path(sys.argv[2]).write_text(str(server.pid))\ntime.sleep(60)\n"
    )
    written = tmp_path / "pid"
    command = [sys.executable, "-c", code, str(plain), str(written)]
    parent = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)})
    try:
        assert settles(lambda: written.exists() and written.read_text() != "", 30)
    finally:
        parent.kill()
        parent.wait()
    assert settles(lambda: not psutil.pid_exists(int(written.read_text())), 10)


def test_requests_and_swaps_from_several_threads(changing, plain, make_package):
    """The object is shared: one thread sends, another swaps."""
    other = make_package("from another thread")
    stop = threading.Event()
    answers = []

    def send() -> None:
        while not stop.is_set():
            answers.extend(changing.inspect_many([JPEG] * 8, 4))

    thread = threading.Thread(target=send)
    thread.start()
    for folder in (other, plain, other):
        changing.swap(folder)
    stop.set()
    thread.join()
    assert {answer.status for answer in answers} == {200}
    assert all(answer.detections[0]["defect"] in ("plain", "from another thread") for answer in answers)


def test_ids_and_images_must_match(server):
    with pytest.raises(ServingError, match="2 images cannot be sent with 1 ids"):
        server.inspect_many([JPEG, PNG], ids=["a"])
    assert server.inspect_many([]) == []
