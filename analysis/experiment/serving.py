"""The served model: a process of its own that inspects images over HTTP and changes its package while it serves.

``python -m analysis.experiment.serving --package FOLDER --ready FILE``

==========================  =================================================================================
``POST /v1/inspect``        JPEG or PNG bytes → ``{"package", "detections", "seconds"}``, ``X-Package``
``GET /healthz, /readyz``   the process lives; it has a package and room for requests
``GET /metrics``            what it counts, for Prometheus
``POST /admin/package``     ``{"path"}``: swap; loaded and warmed beside the old one, then switched in one step
``POST /admin/candidate``   ``{"path", "share"}``: a canary for a share of ``X-Request-Id`` hashes; ``DELETE`` ends it
``POST /admin/promote``     the candidate becomes the package that serves
==========================  =================================================================================

Anything that is not a good request is answered 4xx with ``{"reason", "message"}``; a package whose code raises
is answered 500, and the server lives on. Admin calls need the token of ``WORKBENCH_ADMIN_TOKEN``. This module
never imports what trains models: a server starts in about a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import json
import logging
import os
import select
import socket
import sys
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import uvicorn
from fastapi import FastAPI, Request, Response

from analysis.base.errors import InputError, WorkbenchError
from analysis.base.paths import write_atomic
from analysis.experiment.http_protocol import (
    Answer,
    ClientDisconnect,
    Protocol,
    Refusal,
    UnreadError,
    check_header,
    read_body,
)
from analysis.experiment.image_input import RefusedError, decode
from analysis.experiment.limits import Limits
from analysis.experiment.served import FailedError, Models, Served
from analysis.experiment.serving_metrics import Metrics

TOKEN_VARIABLE = "WORKBENCH_ADMIN_TOKEN"
LEFT = 499
"""Counted, never sent: the client left before its answer."""

_ADMIN_BYTES = 16 * 2**10
_STOP_S = 5

log = logging.getLogger("serving")


def core_count() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Service:
    """The requests of one server; all of it runs on the event loop, except `_work` on the inspecting threads."""

    def __init__(self, folder: Path, roots: list[Path], limits: Limits, token: str) -> None:
        self.limits = limits
        self.metrics = Metrics()
        workers = limits.workers or min(4, core_count())
        self.models = Models(Served(folder, workers), roots, workers, self.metrics.forget)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="inspect")
        self._token = token
        self._in_flight = 0
        self.metrics.follow(lambda: self._in_flight, lambda: self.models.share)
        self._show_serving()

    def _show_serving(self) -> None:
        roles = ("stable", "candidate")
        self.metrics.serving(zip((served.digest for served in self.models.live), roles, strict=False))

    # ---- inspection --------------------------------------------------------------------------------------

    async def inspect(self, request: Request) -> Response:
        """Answer one image: counted whatever comes of it, and never left without an answer."""
        started = time.perf_counter()
        slot = _Slot(self)
        headers: dict[str, str] = {}
        served = None
        try:
            headers["X-Request-Id"] = request_id = _request_id(request)
            check_header(request)
            if self._in_flight > self.limits.in_flight:
                raise UnreadError(503, "overload", f"{self.limits.in_flight} requests are waiting already")
            body = await read_body(request, self.limits.body_bytes, self.limits.body_s)
            served = self.models.take(request_id)
            slot.served = served
            slot.job = self._pool.submit(self._work, served, body)
            del body
            outcome = await self._outcome(slot.job, request)
            if isinstance(outcome, RefusedError):
                served = None  # no package has seen it
                response = self._refuse(outcome, headers)
            elif isinstance(outcome, FailedError):
                self.metrics.failures.labels(served.digest).inc()
                headers["X-Package"] = served.digest
                response = Refusal(RefusedError(500, "failed", str(outcome)), 0, headers)
            else:
                detections, seconds = outcome
                headers["X-Package"] = served.digest
                content = {"package": served.digest, "detections": detections, "seconds": seconds}
                response = Answer(content, headers=headers)
        except RefusedError as error:
            response = self._refuse(error, headers)
        except ClientDisconnect:
            response = Response(status_code=LEFT)
        finally:
            slot.leave()
        package = served.digest if served is not None else ""
        self.metrics.requests.labels(package, response.status_code).inc()
        if served is not None:
            self.metrics.seconds.labels(package).observe(time.perf_counter() - started)
        return response

    def _refuse(self, error: RefusedError, headers: dict[str, str]) -> Response:
        self.metrics.refused.labels(error.reason).inc()
        return Refusal(error, self.limits.linger_s, headers)

    def _work(self, served: Served, body: bytes) -> tuple[list[dict], float] | RefusedError | FailedError:
        """On an inspecting thread. Errors are returned: raised ones keep their frames, with the image, in memory."""
        started = time.perf_counter()
        try:
            image = decode(body, self.limits.pixels, self.limits.side)
            return served.inspect(image), time.perf_counter() - started
        except RefusedError as error:
            return error.with_traceback(None)
        except FailedError as error:
            return FailedError(str(error))

    async def _outcome(self, job: Future, request: Request) -> tuple[list[dict], float] | RefusedError | FailedError:
        """Wait for the inspection; not for a client that has left, and not for ever."""
        answer = asyncio.wrap_future(job)
        left = asyncio.ensure_future(request.receive())  # after the body only "disconnected" can come
        try:
            await asyncio.wait({answer, left}, timeout=self.limits.request_s, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            answer.cancel()  # a job that has not begun is dropped
            if left.done():
                raise ClientDisconnect()
            raise RefusedError(504, "too_slow", f"no answer after {self.limits.request_s:g} s")
        finally:
            left.cancel()

    # ---- health ------------------------------------------------------------------------------------------

    async def healthy(self) -> Response:
        return Answer({"status": "alive"})

    async def ready(self) -> Response:
        free = self._in_flight < self.limits.in_flight
        packages = [served.digest for served in self.models.live]
        return Answer({"status": "ready" if free else "overload", "packages": packages}, 200 if free else 503)

    async def show_metrics(self) -> Response:
        return Response(self.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    # ---- administration ----------------------------------------------------------------------------------

    async def swap(self, request: Request) -> Response:
        return await self._change("swap", request, ("path",), lambda order: self.models.swap(order["path"]))

    async def set_candidate(self, request: Request) -> Response:
        def change(order: dict) -> Awaitable[dict]:
            return self.models.set_candidate(order["path"], order["share"])

        return await self._change("candidate", request, ("path", "share"), change)

    async def withdraw(self, request: Request) -> Response:
        return await self._change("withdraw", request, (), lambda order: self.models.withdraw())

    async def promote(self, request: Request) -> Response:
        return await self._change("promote", request, (), lambda order: self.models.promote())

    async def _change(
        self, kind: str, request: Request, keys: tuple[str, ...], change: Callable[[dict], Awaitable[dict]]
    ) -> Response:
        """Check who asks for what, do it, and say what came of it; on any refusal everything serves on as before."""
        try:
            given = request.headers.get("x-admin-token", "").encode()
            if not self._token or not hmac.compare_digest(given, self._token.encode()):
                raise UnreadError(401, "token", "admin calls need the header X-Admin-Token")
            check_header(request)
            order = _order(await read_body(request, _ADMIN_BYTES, self.limits.body_s), keys)
            try:
                report = await change(order)
            except PermissionError as error:
                raise RefusedError(403, "outside", str(error)) from None
            except LookupError as error:
                raise RefusedError(409, "conflict", error.args[0]) from None
            except InputError as error:
                raise RefusedError(422, "package", str(error)) from None
            except (OSError, ValueError) as error:
                raise RefusedError(422, "package", f"the package cannot be read: {error}") from None
        except RefusedError as error:
            self.metrics.swaps.labels(kind, error.reason).inc()
            return Refusal(error, self.limits.linger_s)
        except ClientDisconnect:
            return Response(status_code=LEFT)
        self.metrics.swaps.labels(kind, "done").inc()
        self._show_serving()
        return Answer(report)

    def enter(self) -> None:
        self._in_flight += 1

    def leave(self, served: Served | None) -> None:
        self._in_flight -= 1
        if served is not None:
            self.models.give_back(served)


class _Slot:
    """A request's place among those in flight; with a job it lasts until the job's thread is done with the package."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.served: Served | None = None
        self.job: Future | None = None
        service.enter()

    def leave(self) -> None:
        if self.job is None or self.job.done():
            self._service.leave(self.served)
            return
        loop = asyncio.get_running_loop()
        self.job.add_done_callback(lambda _: loop.call_soon_threadsafe(self._service.leave, self.served))


def _request_id(request: Request) -> str:
    name = request.headers.get("x-request-id")
    if name is None:
        return uuid.uuid4().hex
    if not (1 <= len(name) <= 128 and name.isascii() and name.isprintable()):
        raise UnreadError(400, "request_id", "X-Request-Id must be 1 to 128 printable ASCII characters")
    return name


def _order(body: bytes, keys: tuple[str, ...]) -> dict:
    """The JSON object of an admin call with exactly these keys."""
    try:
        order = json.loads(body) if body or keys else {}
    except ValueError:  # also bytes that are not UTF-8
        order = None
    if not isinstance(order, dict) or order.keys() != set(keys):
        raise RefusedError(400, "order", f"expected a JSON object with exactly the keys {list(keys)}")
    if "path" in keys and not isinstance(order["path"], str):
        raise RefusedError(400, "order", "path is not a text")
    share = order.get("share", 1.0)
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 < share <= 1:
        raise RefusedError(400, "order", "share is not a number above 0 and up to 1")
    return order


def build_app(service: Service) -> FastAPI:
    """The routes of the module's table. Other methods on them are answered 405, other paths 404."""
    app = FastAPI(title="Inspection of packages", docs_url=None, redoc_url=None)
    app.add_api_route("/v1/inspect", service.inspect, methods=["POST"])
    shown = {"/healthz": service.healthy, "/readyz": service.ready, "/metrics": service.show_metrics}
    for path, handler in shown.items():
        app.add_api_route(path, handler, methods=["GET"])
        app.add_api_route(path, handler, methods=["HEAD"], include_in_schema=False)
    app.add_api_route("/admin/package", service.swap, methods=["POST"])
    app.add_api_route("/admin/candidate", service.set_candidate, methods=["POST"])
    app.add_api_route("/admin/candidate", service.withdraw, methods=["DELETE"])
    app.add_api_route("/admin/promote", service.promote, methods=["POST"])
    return app


class _Server(uvicorn.Server):
    """uvicorn's server that says when it listens, and ends with the process that started it."""

    ready_file: Path | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.ready_file is not None and sockets:
            port = sockets[0].getsockname()[1]
            content = {"url": f"http://127.0.0.1:{port}", "port": port, "pid": os.getpid()}
            write_atomic(self.ready_file, json.dumps(content))

    def end_with_parent(self) -> None:
        """Watch standard input, a pipe that the parent holds open, and the parent's process number."""
        parent = os.getppid()
        while os.getppid() == parent:
            readable, _, _ = select.select([0], [], [], 1.0)
            if readable and not os.read(0, 4096):
                break
        self.should_exit = True
        time.sleep(_STOP_S + 1)
        os._exit(1)


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop. Exit status 2 where the first package cannot be served."""
    parser = argparse.ArgumentParser(prog="python -m analysis.experiment.serving", description="Serve a package.")
    parser.add_argument("--package", type=Path, required=True, help="folder of the first package")
    parser.add_argument("--root", type=Path, action="append", help="folder to take packages from (the first one's)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--ready", type=Path, help="file to write once requests are answered")
    parser.add_argument("--limits", type=json.loads, default={}, help="limits that differ from the usual, as JSON")
    parser.add_argument("--with-parent", action="store_true", help="stop when standard input closes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # one line for each bad sender would fill disks
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    cv2.setNumThreads(1)
    sys.dont_write_bytecode = True  # packages never change
    token = os.environ.pop(TOKEN_VARIABLE, "")
    try:
        limits = Limits(**options.limits)
        service = Service(options.package, options.root or [options.package.absolute().parent], limits, token)
    except (WorkbenchError, TypeError) as error:
        print(error, file=sys.stderr)
        return 2
    Protocol.header_s = limits.header_s
    config = uvicorn.Config(
        build_app(service),
        http=Protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        timeout_keep_alive=limits.idle_s,
        timeout_graceful_shutdown=_STOP_S,
        h11_max_incomplete_event_size=16 * 2**10,
    )
    server = _Server(config)
    server.ready_file = options.ready
    if options.with_parent:
        threading.Thread(target=server.end_with_parent, daemon=True).start()
    with contextlib.closing(socket.create_server(("127.0.0.1", options.port), backlog=256)) as listener:
        log.info("serving package %s on port %d", service.models.stable.digest[:12], listener.getsockname()[1])
        server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # an inspection that never ends must not keep the process
