"""Packages in memory: loaded and warmed beside the one that serves, switched in one step, freed after the last use.

`Models` is changed only by the thread of the server's event loop, so a switch is one assignment: a request
gets the old package or the new one, keeps it to its end, and the last one to let go of it frees it.
"""

from __future__ import annotations

import asyncio
import ctypes
import ctypes.util
import gc
import hashlib
import importlib
import importlib.util
import itertools
import linecache
import logging
import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime

from analysis.base.errors import InputError, Problem
from analysis.experiment.packages import CODE, MODEL, Package, read_package

log = logging.getLogger("serving")
_loads = itertools.count(1)
_REPORTED_FAILURES = 5
"""Tracebacks of the project's code that are logged for one package; later ones are only counted."""


class FailedError(Exception):
    """The project's code raised, or returned what it must not: type and text of the cause."""


def _session(path: Path) -> onnxruntime.InferenceSession:
    """A session that computes on the thread that calls it: parallelism comes from requests, not from operators."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _load_code(folder: Path, name: str) -> ModuleType:
    """Import the package's code under a name of its own, so that two versions can be in memory at once."""
    init = folder / CODE / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[str(folder / CODE)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return importlib.import_module(f"{name}.handler")


def _forget_code(folder: Path, name: str) -> None:
    sys.path_importer_cache.pop(str(folder / CODE), None)
    linecache.clearcache()
    for loaded in [loaded for loaded in sys.modules if loaded == name or loaded.startswith(f"{name}.")]:
        del sys.modules[loaded]


def _return_memory() -> None:
    """Collect what only cycles hold (modules do), and hand freed pages back to the system where the C library can."""
    gc.collect()
    if sys.platform == "linux" and (name := ctypes.util.find_library("c")):
        trim = getattr(ctypes.CDLL(name), "malloc_trim", None)
        if trim is not None:
            trim(0)


def _plain(detections: object) -> list[dict]:
    """The project's answer as plain JSON values.

    Raises
    ------
    FailedError
        It is not a list of defect, finite confidence, and box of four finite numbers.
    """
    try:
        plain = [
            {
                "defect": str(found["defect"]),
                "confidence": float(found["confidence"]),
                "box": [float(value) for value in found["box"]],
            }
            for found in detections
        ]
    except (TypeError, ValueError, KeyError) as error:
        raise FailedError(f"returned what is not a list of detections: {type(error).__name__}: {error}") from error
    for found in plain:
        if len(found["box"]) != 4 or not all(map(math.isfinite, (found["confidence"], *found["box"]))):
            raise FailedError(f"returned an impossible detection: {found}")
    return plain


class Served:
    """One package in memory. Each thread that inspects borrows an ``Inspector`` of its own; they share the session.

    Raises
    ------
    InputError
        Not a package, or its model or code does not load, or raises when it inspects a first image.
    """

    def __init__(self, folder: Path, inspectors: int) -> None:
        self.package: Package = read_package(folder)
        self.users = 0
        self.failures = 0
        self._module = f"package_{self.package.digest[:12]}_{next(_loads)}"
        step = "its model"
        try:
            session = _session(folder / MODEL)
            step = "its code"
            handler = _load_code(folder, self._module)
            self._free = [handler.Inspector(session, self.package.settings) for _ in range(inspectors)]
            step = "its first inspection"
            side = self.package.image_size
            image = np.tile(np.linspace(64, 192, side).astype(np.uint8)[None, :, None], (side, 1, 3))
            for inspector in self._free:
                _plain(inspector.inspect(image.copy()))
        except BaseException as error:  # code of the package may raise anything, even SystemExit
            self._free = []
            _forget_code(self.package.folder, self._module)
            what = f"{step} failed: {type(error).__name__}: {error}"
            raise InputError("The package cannot be served.", [Problem(folder.name, what)]) from error

    @property
    def digest(self) -> str:
        return self.package.digest

    def inspect(self, image: np.ndarray) -> list[dict]:
        """Detections on one image, in plain values; called by several threads at once.

        Raises
        ------
        FailedError
            Whatever the project's code raises.
        """
        inspector = self._free.pop()  # as many as there are threads; list.pop and append are atomic
        try:
            return _plain(inspector.inspect(image))
        except BaseException as error:  # a SystemExit here must not end the server
            self.failures += 1
            if self.failures <= _REPORTED_FAILURES:
                log.exception("package %s failed to inspect an image", self.digest[:12])
            if isinstance(error, FailedError):
                raise
            raise FailedError(f"{type(error).__name__}: {error}") from error
        finally:
            self._free.append(inspector)

    def free(self) -> None:
        """Let go of model and code; nobody may be using them."""
        self._free.clear()
        _forget_code(self.package.folder, self._module)
        _return_memory()


class Models:
    """The package that serves, and beside it a candidate that is given a share of the requests.

    Parameters
    ----------
    first : Served
    roots : list of Path
        Packages are only taken from folders below these.
    inspectors : int
        Threads that inspect at once.
    forget : callable
        Told the digest of each package that was freed.
    """

    def __init__(self, first: Served, roots: list[Path], inspectors: int, forget: Callable[[str], None]) -> None:
        self.stable = first
        self.candidate: Served | None = None
        self.share = 0.0
        self._roots = [root.resolve() for root in roots]
        self._inspectors = inspectors
        self._forget = forget
        self._changes = asyncio.Lock()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")

    @property
    def live(self) -> list[Served]:
        """Every package that new requests may get."""
        return [self.stable] if self.candidate is None else [self.stable, self.candidate]

    def take(self, request_id: str) -> Served:
        """The package for a request: the candidate for its share of ids, always the same ones."""
        served = self.stable
        if self.candidate is not None:
            hashed = hashlib.blake2b(request_id.encode("utf-8", "surrogateescape"), digest_size=8).digest()
            if int.from_bytes(hashed) < self.share * 2**64:
                served = self.candidate
        served.users += 1
        return served

    def give_back(self, served: Served) -> None:
        """A request has ended; the last one to use a package that no longer serves has it freed."""
        served.users -= 1
        self._free_if_unused(served)

    def _free_if_unused(self, served: Served) -> None:
        if served.users == 0 and served not in self.live:
            self._loader.submit(served.free)
            self._forget(served.digest)

    def inside(self, path: str) -> Path:
        """The folder, if it lies below one of the roots once links and ``..`` are resolved.

        Raises
        ------
        PermissionError
        """
        folder = Path(path).resolve()
        if not any(folder.is_relative_to(root) for root in self._roots):
            raise PermissionError("packages are only taken from folders below the server's roots")
        return folder

    async def _aside(self, function: Callable, *arguments: object) -> Any:
        """Run what takes time off the event loop; one such call at a time."""
        return await asyncio.get_running_loop().run_in_executor(self._loader, function, *arguments)

    async def _get(self, path: str) -> Served:
        """The package in a folder: the one in memory where it serves already, else loaded and warmed."""
        folder = self.inside(path)
        digest = (await self._aside(read_package, folder)).digest
        for served in self.live:
            if served.digest == digest:
                return served
        return await self._aside(Served, folder, self._inspectors)

    def _switch(self, stable: Served, candidate: Served | None, share: float) -> None:
        before = self.live
        self.stable, self.candidate, self.share = stable, candidate, share
        for served in before:
            self._free_if_unused(served)

    async def swap(self, path: str) -> dict:
        """Serve another package. A candidate is withdrawn: what it was compared with is gone.

        Raises
        ------
        PermissionError, InputError
        """
        async with self._changes:
            started = time.perf_counter()
            old, candidate = self.stable, self.candidate
            new = await self._get(path)
            self._switch(new, None, 0.0)
            withdrawn = candidate.digest if candidate not in (None, new) else None
            return _report(started, old, new) | {"withdrawn": withdrawn}

    async def set_candidate(self, path: str, share: float) -> dict:
        """Give a share of the requests to another package, in place of an earlier candidate.

        Raises
        ------
        LookupError
            It is the package that serves already.
        PermissionError, InputError
        """
        async with self._changes:
            started = time.perf_counter()
            new = await self._get(path)
            if new is self.stable:
                raise LookupError("the candidate is the package that serves already")
            self._switch(self.stable, new, share)
            return _report(started, self.stable, new) | {"share": share}

    async def promote(self) -> dict:
        """Make the candidate the package that serves. Raises LookupError where there is none."""
        async with self._changes:
            started = time.perf_counter()
            if self.candidate is None:
                raise LookupError("there is no candidate")
            old = self.stable
            self._switch(self.candidate, None, 0.0)
            return _report(started, old, self.stable)

    async def withdraw(self) -> dict:
        """Take the candidate back. Raises LookupError where there is none."""
        async with self._changes:
            started = time.perf_counter()
            if self.candidate is None:
                raise LookupError("there is no candidate")
            old = self.candidate
            self._switch(self.stable, None, 0.0)
            return _report(started, old, self.stable)


def _report(started: float, old: Served, new: Served) -> dict:
    return {"seconds": time.perf_counter() - started, "old": old.digest, "new": new.digest}
