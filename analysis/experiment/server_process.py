"""The served model as the rest of the experiment sees it: start, swap, canary, send images, stop.

The server is a child process that holds one end of a pipe; it ends when this process does, however that happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from analysis.base.errors import Problem, WorkbenchError
from analysis.base.paths import ROOT, relative
from analysis.experiment.limits import Limits

_START_S = 30.0
_STOP_S = 8.0
_TOKEN_VARIABLE = "WORKBENCH_ADMIN_TOKEN"  # as in serving.py, which this process has no need to import


class ServingError(WorkbenchError):
    """The server did not start, has ended, or refused an order; ``status`` is its HTTP answer (0: none)."""

    def __init__(self, title: str, problems: Sequence[Problem] = (), status: int = 0) -> None:
        self.status = status
        super().__init__(title, problems)

    def __reduce__(self):
        return type(self), (self.title, self.problems, self.status)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one image.

    Attributes
    ----------
    status : int
        HTTP status; 0 where there was no answer at all.
    seconds : float
        From sending to answer, as the client waited.
    package : str
        Digest of the package that answered; empty where none did.
    detections : list of dict
        ``defect``, ``confidence`` and ``box`` (x1, y1, x2, y2 in pixels); empty unless the status is 200.
    inside_s : float
        Seconds of decoding and inspection in the server, without waiting; nan unless the status is 200.
    message : str
        The server's reason, or the connection's error; empty where the status is 200.
    """

    status: int
    seconds: float
    package: str = ""
    detections: list[dict] = field(default_factory=list)
    inside_s: float = float("nan")
    message: str = ""


@dataclass(frozen=True, slots=True)
class SwapReport:
    """A change of what serves: seconds until it was done, and digests before and after."""

    seconds: float
    old: str
    new: str


class ModelServer:
    """A served model in a process of its own, for the length of a ``with`` block or from `start` to `stop`.

    Parameters
    ----------
    package : Path
        Folder of the first package.
    limits : Limits, optional
    log : Path, optional
        File for the server's own messages; removed at the end where none is named.
    root : Path, optional
        Later packages must lie below it; the first one's parent folder if none is named.
    """

    def __init__(
        self, package: Path, limits: Limits | None = None, log: Path | None = None, root: Path | None = None
    ) -> None:
        self.package = package
        self.limits = limits or Limits()
        self.url = ""
        self._log = log
        self._root = root or package.absolute().parent
        self._token = secrets.token_hex(16)
        self._folder: Path | None = None
        self._process: subprocess.Popen | None = None
        self._client: httpx.Client | None = None
        self._sent = 0

    def __enter__(self) -> ModelServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process number of the running server."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> float:
        """Start the process and wait until it answers; returns the seconds that took.

        Raises
        ------
        ServingError
            The package cannot be served, or the process did not get ready in time.
        """
        if self._process is not None:
            raise ServingError("The server runs already.")
        started = time.perf_counter()
        self._folder = Path(tempfile.mkdtemp(prefix="serving-"))
        self._log = self._log or self._folder / "server.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        ready = self._folder / "ready.json"
        command = [sys.executable, "-m", "analysis.experiment.serving", "--with-parent", "--ready", str(ready)]
        command += ["--package", str(self.package.absolute()), "--root", str(self._root.absolute())]
        command += ["--limits", json.dumps(asdict(self.limits))]
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=_environment(self._token),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C goes to us; we stop the server when its work is done
                )
            while not ready.exists():
                if self._process.poll() is not None:
                    raise ServingError("The server did not start.", [Problem("", self._log_end())])
                if time.perf_counter() - started > _START_S:
                    problem = Problem(relative(self._log), f"not ready after {_START_S:g} s")
                    raise ServingError("The server did not start.", [problem])
                time.sleep(0.01)
            self.url = json.loads(ready.read_bytes())["url"]
            self._client = httpx.Client(
                base_url=self.url,
                timeout=httpx.Timeout(self.limits.request_s + 10),
                limits=httpx.Limits(max_connections=None, keepalive_expiry=self.limits.idle_s / 3),
                trust_env=False,  # a proxy has no business between us and 127.0.0.1
            )
        except BaseException:
            self.stop()
            raise
        return time.perf_counter() - started

    def stop(self) -> None:
        """Let the server finish what it has begun, and end it; no harm where it has ended already."""
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._folder is not None:
            if self._log is not None and self._log.is_relative_to(self._folder):
                self._log = None
            shutil.rmtree(self._folder, ignore_errors=True)
        self._process = self._client = self._folder = None

    def _running(self) -> subprocess.Popen:
        if self._process is None:
            raise ServingError("The server has not been started.")
        return self._process

    def _log_end(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return "\n    ".join(lines[-12:]) or "it left no message"

    # ---- packages ----------------------------------------------------------------------------------------

    def swap(self, package: Path) -> SwapReport:
        """Serve another package; requests under way finish on the old one, a candidate is withdrawn.

        Raises
        ------
        ServingError
            The package was refused; what served before still does.
        """
        return self._order("POST", "/admin/package", {"path": str(package.absolute())})

    def candidate(self, package: Path, share: float) -> SwapReport:
        """Give a share of the requests, by the hash of their ids, to another package: a canary.

        Raises
        ------
        ServingError
            The package was refused, or serves already.
        """
        return self._order("POST", "/admin/candidate", {"path": str(package.absolute()), "share": share})

    def promote(self) -> SwapReport:
        """Make the candidate the package that serves. Raises ServingError where there is none."""
        return self._order("POST", "/admin/promote")

    def withdraw(self) -> SwapReport:
        """Take the candidate back. Raises ServingError where there is none."""
        return self._order("DELETE", "/admin/candidate")

    def _order(self, method: str, path: str, content: dict | None = None) -> SwapReport:
        self._running()
        headers = {"X-Admin-Token": self._token}
        try:
            response = self._client.request(method, path, headers=headers, json=content, timeout=120)
        except httpx.HTTPError as error:
            problem = Problem("", self._log_end() if not self.alive else f"{type(error).__name__}: {error}")
            raise ServingError("The server did not answer.", [problem]) from error
        answer = response.json()
        if response.status_code != 200:
            problem = Problem("", answer["message"])
            raise ServingError("The server refused the order.", [problem], response.status_code)
        return SwapReport(answer["seconds"], answer["old"], answer["new"])

    # ---- requests ----------------------------------------------------------------------------------------

    def inspect_many(
        self, images: Sequence[bytes], concurrency: int = 4, ids: Sequence[str] | None = None
    ) -> list[Answer]:
        """Send image files, a few at a time, and return the answers in their order. Nothing is sent twice.

        Parameters
        ----------
        images : sequence of bytes
            JPEG or PNG files.
        concurrency : int
            Requests under way at once.
        ids : sequence of str, optional
            ``X-Request-Id`` of each, which decides on the canary; numbered on from the last if not given.
        """
        self._running()
        if ids is None:
            ids = [f"request-{self._sent + number:08d}" for number in range(len(images))]
        if len(ids) != len(images):
            raise ServingError(f"{len(images)} images cannot be sent with {len(ids)} ids.")
        self._sent += len(images)
        if len(images) < 2 or concurrency < 2:
            return [self._inspect(image, name) for image, name in zip(images, ids, strict=True)]
        with ThreadPoolExecutor(min(concurrency, len(images))) as pool:
            return list(pool.map(self._inspect, images, ids))

    def _inspect(self, image: bytes, name: str) -> Answer:
        started = time.perf_counter()
        try:
            response = self._client.post("/v1/inspect", content=image, headers={"X-Request-Id": name})
        except httpx.HTTPError as error:
            return Answer(0, time.perf_counter() - started, message=f"{type(error).__name__}: {error}")
        seconds = time.perf_counter() - started
        package = response.headers.get("X-Package", "")
        try:
            content = response.json()
        except ValueError:
            content = {"message": response.text[:200]}
        if response.status_code != 200:
            return Answer(response.status_code, seconds, package, message=content.get("message", ""))
        return Answer(200, seconds, package, content["detections"], content["seconds"])

    def metrics(self) -> dict[str, float]:
        """The server's metrics page: value by name, with labels as in ``name{label="value"}``, in the page's order."""
        self._running()
        return dict(_samples(self._client.get("/metrics").raise_for_status().text))


def _samples(page: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            yield (f"{sample.name}{{{labels}}}" if labels else sample.name), sample.value


def _environment(token: str) -> dict[str, str]:
    """Ours, with one thread for each numerical library and little slack in the C library's memory."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = {"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2", "OPENCV_LOG_LEVEL": "SILENT", _TOKEN_VARIABLE: token}
    return os.environ | threads | own
