"""Run one notebook by papermill, so that it ends: done, or with an error that names the cell and the cause.

The kernel is always this Python with this tree's ``analysis``, in a session of its own without the
user's IPython set-up, so no installed kernelspec, history or start-up file has a say in a result.
The executed notebook becomes ``<build>/notebooks/<stem>.ipynb`` only when every cell has run; a
failed one is kept beside it as ``<stem>.failed.ipynb``.

A killed kernel, a kernel that never comes up and a cell that never returns have each left papermill
waiting for ever (papermill #125, nbclient #88 and #319); here each becomes an error at once, or
after the cell's time limit, and the kernel's whole process group is gone afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError, strip_color

from analysis.base.errors import NotebookError, Problem
from analysis.base.paths import BUILD, ROOT, disk_errors, relative, require_space
from analysis.base.results import RUNNER
from analysis.reporting.profiles import check_parameters, load_profile
from analysis.reporting.progress import CellName, Progress, cell_names

KERNEL_NAME = "devops-mlops-workbench"
START_TIMEOUT_S = 60
"""How long a kernel may take to answer; it takes about one second on an idle machine."""

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())
_log.propagate = False  # nbclient logs what the NotebookError says better


def run_notebook(notebook: Path, profile: Path, build: Path = BUILD, stream: TextIO | None = None) -> Path:
    """Execute a notebook with a profile's parameters.

    Parameters
    ----------
    notebook : Path
        The notebook; its folder is the working directory of its cells.
    profile : Path
        YAML file as `analysis.reporting.profiles.load_profile` reads it.
    build : Path
        The executed notebook goes to ``<build>/notebooks/<stem>.ipynb``.
    stream : text file, optional
        Where progress is shown; standard error unless told otherwise.

    Returns
    -------
    Path
        The executed notebook.

    Raises
    ------
    NotebookError
        The profile does not fit (nothing has run), a cell failed, ran out of time or lost its
        kernel, or the kernel did not start. The message names cell, cause and the saved notebook.
    DiskFullError
        No room for the executed notebook; none is left half-written.
    """
    notebook = notebook.resolve()
    settings = load_profile(profile, notebook.parent)
    values = check_parameters(notebook, settings)
    folder = build.resolve() / "notebooks"
    require_space(folder)
    require_space(Path(tempfile.gettempdir()), 5)
    running, done, failed = (folder / f"{notebook.stem}{suffix}.ipynb" for suffix in (".running", "", ".failed"))
    with Progress(notebook.stem, sys.stderr if stream is None else stream) as progress, _terminable():
        try:
            with disk_errors(folder):
                papermill.execute_notebook(
                    _literal_path(notebook),
                    _literal_path(running),
                    values,
                    engine_name=KERNEL_NAME,
                    kernel_name=KERNEL_NAME,
                    language="python",
                    progress_bar=False,
                    cwd=str(notebook.parent),
                    cell_timeout_s=settings.cell_timeout_s,
                    progress=progress,
                )
                running.replace(done)
        except PapermillExecutionError as error:
            running.replace(failed)
            raise _cell_failure(notebook, progress.names[error.cell_index], error, failed) from None
        except _KernelError as error:
            running.replace(failed)
            problems = [Problem("the kernel", *error.args)]
            raise NotebookError(f"{relative(notebook)} could not be run.", problems) from None
        except BaseException:
            running.unlink(missing_ok=True)
            raise
        failed.unlink(missing_ok=True)
        progress.done()
    return done


def _literal_path(path: Path) -> str:
    """The path with its braces doubled: papermill formats paths with the parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _cell_failure(notebook: Path, cell: CellName, error: PapermillExecutionError, saved: Path) -> NotebookError:
    cause = strip_color(f"{error.ename}: {error.evalue}".rstrip(": \n")).replace("\n", "\n    ")
    line = _failing_line(error.traceback)
    problem = Problem(
        f"{relative(notebook)}, {cell}",
        f"{cause}\n    at: {line}" if line else cause,
        f"the notebook as far as it came, with the traceback: {relative(saved)}",
    )
    return NotebookError(f"{relative(notebook)} failed in {cell.short}.", [problem])


def _failing_line(traceback: list[str]) -> str:
    """The cell's own line in an IPython traceback, where there is one."""
    for line in strip_color("\n".join(traceback)).splitlines():
        if line.startswith("-") and "> " in line:
            return line.split("> ", 1)[1].partition(" ")[2].strip()
    return ""


class _KernelError(Exception):
    """The kernel failed outside any cell: what happened, and what to do."""


class _KernelManager(AsyncKernelManager):
    """Starts this interpreter's IPython kernel, whatever kernels are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        argv += ["--HistoryManager.hist_file=:memory:"]  # enabled=False makes IPython 9 hang while it ends
        return KernelSpec(argv=argv, language="python", display_name=KERNEL_NAME)


class _Client(PapermillNotebookClient):
    """papermill's client; a dead kernel or an expired cell is recorded in the notebook as that cell's error."""

    def execute(self, **kwargs: Any) -> nbformat.NotebookNode:
        self.reset_execution_trackers()
        self.shutdown_kernel = "immediate"
        with self.setup_kernel(**kwargs):
            self.papermill_execute_cells()
            self.set_widgets_metadata()
            if not any(cell.metadata.papermill.get("exception") for cell in self.nb.cells):
                self.shutdown_kernel = "graceful"
        return self.nb

    def execute_cell(self, cell: nbformat.NotebookNode, cell_index: int, **kwargs: Any) -> nbformat.NotebookNode:
        try:
            return super().execute_cell(cell, cell_index, **kwargs)
        except CellExecutionError as error:
            if error.ename == "SystemExit":  # papermill takes exit status 0 for success, with cells left unrun
                fault = next(output for output in cell.outputs if output.output_type == "error")
                fault.evalue = f"{error.evalue or 0}; a notebook must run to its end"
            raise
        except CellTimeoutError:  # also when a finished cell's output never arrives
            name, value = "CellTimeout", f"not finished within {self.timeout:g} s (cell_timeout_s in the profile)"
        except DeadKernelError:
            name, value = "KernelDied", _how_it_ended(self.km, self.kernel_log)
        except (KeyboardInterrupt, SystemExit):
            _cancel_tasks()
            raise
        cell.outputs.append(nbformat.v4.new_output("error", ename=name, evalue=value, traceback=[f"{name}: {value}"]))
        raise CellExecutionError("", name, value)


def _cancel_tasks() -> None:
    """End what nbclient awaited when Ctrl-C came; left alone, it complains about the kernel's end later."""
    loop = ensure_event_loop()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


def _how_it_ended(manager: AsyncKernelManager, log: Path) -> str:
    process = manager.provisioner.process if manager.provisioner else None
    code = process.poll() if process else None
    if code is None:
        what = "the kernel no longer answers"
    elif code < 0:
        what = f"the kernel was killed by {signal.Signals(-code).name}"
        what += " (often: the machine ran out of memory)" if -code == signal.SIGKILL else ""
    else:
        what = f"the kernel ended with exit status {code}"
    said = [line.strip()[:200] for line in log.read_text(errors="replace").splitlines() if "rror" in line]
    return "; ".join([what, *said[-3:]])


class _Engine(Engine):
    """The papermill engine behind `run_notebook`."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, progress: Progress, cell_timeout_s: float, **_: Any
    ) -> None:
        progress.names = cell_names(nb_man.nb)
        with tempfile.TemporaryDirectory(prefix="kernel-") as scratch:
            folder = Path(scratch)
            manager = _KernelManager(connection_file=str(folder / "kernel.json"), kernel_name=kernel_name)
            if os.name == "posix" and len(scratch) < 80:  # a socket's path has room for about a hundred bytes
                # Two notebooks that start at once may pick the same TCP ports; files cannot collide.
                manager.transport = "ipc"
            client = _Client(
                nb_man,
                km=manager,
                timeout=math.ceil(cell_timeout_s),
                startup_timeout=START_TIMEOUT_S,
                iopub_timeout=30,
                force_raise_errors=True,
                skip_cells_with_tag="",
                record_timing=False,
                log=_log,
                on_cell_execute=lambda cell, cell_index: progress.start(cell_index),
            )
            client.kernel_log = folder / "kernel.log"
            try:
                with client.kernel_log.open("wb") as log:
                    client.execute(cleanup_kc=True, env=_kernel_environment(folder), stdout=log, stderr=log)
            except RuntimeError as error:  # jupyter_client's word for a kernel that does not come up
                how = _how_it_ended(manager, client.kernel_log)
                remedy = f"try: {sys.executable} -m ipykernel_launcher --version"
                raise _KernelError(f"did not start: {error}; {how}", remedy) from None
            finally:
                _end_process_group(manager)


def _kernel_environment(scratch: Path) -> dict[str, str]:
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "WANDB_MODE": "offline",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONHASHSEED": "0",
        RUNNER: "1",
        "PYTHONSTARTUP": "",
        "IPYTHONDIR": str(scratch / "ipython"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def _end_process_group(manager: AsyncKernelManager) -> None:
    """Kill what is left of the kernel and of the processes that its cells started."""
    provisioner = manager.provisioner
    group = getattr(provisioner, "pgid", None)
    if group and group != os.getpgrp():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    if process := getattr(provisioner, "process", None):
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that no kernel outlives its runner."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


papermill_engines.register(KERNEL_NAME, _Engine)
