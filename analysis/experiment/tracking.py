"""Weights & Biases: the worker that logs runs, reading them back, checking them against the record, uploading.

The only module that imports wandb. The experiment itself talks to `tracker.Tracker`, whose worker
process this is when run as a program; `reconcile` and `sync` are for commands.

Inputs are declared offline with the call behind ``use_artifact``, so that lineage is there after the
upload; the public form refuses offline runs.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import wandb
from wandb.proto.wandb_internal_pb2 import Record

from analysis.base.errors import Problem, WorkbenchError
from analysis.base.paths import relative
from analysis.experiment.tracker import FOLDER, worker_environment
from analysis.experiment.tracking_check import compare_runs
from analysis.experiment.tracking_log import PICTURES, is_uploaded, read_run, run_folders
from analysis.experiment.tracking_records import KINDS, RECORD_FILE, StoredRun, fingerprint, load_records

OPEN_WAIT_S = 2
"""Seconds to wait for a run that another process has open; then it is not logged live, but from its record."""

LOCK_WAIT_S = 120
"""Seconds, after the last message, to wait for runs to complete that another process has open."""

ONLINE_WAIT_S = 30
"""Seconds to wait for W&B's server before a run is kept offline."""


class SyncError(WorkbenchError):
    """Runs that could not be uploaded."""


def reconcile(folder: Path = FOLDER) -> tuple[pd.DataFrame, list[Problem]]:
    """Compare W&B's runs in ``folder`` with the local record; see `tracking_check.compare_runs` for the table."""
    records, problems = load_records(folder / RECORD_FILE)
    table, differences = compare_runs(records, read_runs(folder))
    return table, problems + differences


def sync(folder: Path = FOLDER, *, patience_s: float = 300, echo: Callable[[str], None] = print) -> list[str]:
    """Upload every complete offline run that is not uploaded yet; ids of the runs uploaded now.

    Unfinished runs stay here: they are replaced when their work is resumed.

    Raises
    ------
    SyncError
        Nobody is logged in, the server does not answer for ``patience_s`` a run, or W&B reports an error. What
        was uploaded before stays marked, and the next call goes on from there.
    """
    waiting = [run for run in read_runs(folder) if run.complete and not run.uploaded]
    if not waiting:
        echo("Nothing to upload: every complete run in the folder is uploaded already.")
    done = []
    for place, run in enumerate(waiting, start=1):
        echo(f"Uploading {run.name} ({place} of {len(waiting)}) …")
        command = [sys.executable, "-m", "wandb", "sync", str(run.folder.absolute())]
        environment = worker_environment(folder.absolute(), "online") | {"WANDB_SILENT": "false"}
        try:
            result = subprocess.run(
                command,
                cwd=folder,  # W&B leaves its logs in the working directory
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=patience_s,
                check=False,
            )
            said = (result.stdout + result.stderr).strip()
        except subprocess.TimeoutExpired:
            said = f"no answer within {patience_s:g} s"
        if not is_uploaded(run.folder):  # W&B may end with status 0 and still not have uploaded the run
            where, what = relative(run.folder), said.splitlines()[-1] if said else "no message"
            if "API key" in said or "authenticated" in said:
                remedy = "log in with `wandb login`, or set WANDB_API_KEY; then give the command again"
                raise SyncError("Not logged in to W&B.", [Problem(where, what, remedy)])
            remedy = f"{len(done)} of {len(waiting)} runs are uploaded; the next call goes on from here"
            raise SyncError("W&B did not take the runs.", [Problem(where, what, remedy)])
        done.append(run.id)
    return done


def read_runs(folder: Path, run: str = "*") -> list[StoredRun]:
    """Every run (or every copy of one) in ``folder``/wandb, oldest first, read back from its transaction log."""
    return [read_run(path, Record.FromString) for path in run_folders(folder, run)]


@dataclass
class _OpenRun:
    """A run that W&B has open, with the rows logged so far and the lock that keeps other processes away."""

    run: wandb.Run
    header: Mapping
    lock: int
    rows: list[dict] = field(default_factory=list)
    spent: float = 0

    def shows(self, record: Mapping) -> bool:
        return self.rows == record["history"] and all(
            self.header[key] == record[key] for key in ("name", "group", "tags")
        )


class _Worker:
    """Carries out a tracker's messages one after the other; a run that fails is reported and given up."""

    def __init__(
        self, folder: Path, project: str, mode: str, sampling_s: float, answer: Callable[[dict], None]
    ) -> None:
        self.folder, self.project, self.mode, self.sampling_s, self.answer = folder, project, mode, sampling_s, answer
        self.open: dict[str, _OpenRun] = {}
        self.waiting: list[dict] = []

    def carry_out(self, message: dict) -> None:
        """One message, then whatever waited for another process and can be done by now."""
        waited, self.waiting = self.waiting, []
        for each in (message, *waited):
            self.attempt(each)

    def close(self) -> None:
        """Wait for runs that another process has open; then give up on runs that were never completed."""
        end = time.monotonic() + LOCK_WAIT_S
        while self.waiting and time.monotonic() < end:
            self.answer({"waiting": len(self.waiting)})
            time.sleep(0.2)
            waited, self.waiting = self.waiting, []
            for message in waited:
                self.attempt(message)
        for message in self.waiting:
            what = f"another process has had this run open for {LOCK_WAIT_S} s"
            self.answer({"problem": [message["record"]["id"], what, "give the same command again"]})
        for run in list(self.open):
            self.answer({"problem": [run, "was opened and never completed", "track the training when it is done"]})
            self.give_up(run)
        wandb.teardown()

    def attempt(self, message: dict) -> None:
        run = message["record"]["id"] if message["do"] == "complete" else message.get("id", "tracking")
        start = time.perf_counter()
        try:
            match message["do"]:
                case "open":
                    self.begin(message)
                case "log" if run in self.open:
                    self.log(run, message["row"])
                case "abandon":
                    self.give_up(run)
                case "complete":
                    self.complete(message, start)
        except BlockingIOError:
            self.waiting.append(message)
        except Exception as error:  # whatever W&B throws, the experiment and the other runs go on
            said = (str(error) or type(error).__name__).splitlines()[0]
            remedy = "the record has this run; the same command given again tracks it anew"
            self.answer({"problem": [run, f"W&B failed: {said}", remedy]})
            self.give_up(run)
        if run in self.open:
            self.open[run].spent += time.perf_counter() - start

    def begin(self, header: Mapping) -> None:
        """Open a run for a training that starts; where it cannot be, `complete` logs the run from its record."""
        with contextlib.suppress(BlockingIOError):
            self.reopen(header, lambda stored: any(run.complete or run.uploaded for run in stored), OPEN_WAIT_S)

    def reopen(self, header: Mapping, keep: Callable[[list[StoredRun]], bool], wait_s: float = 0) -> bool:
        """Open a run anew in place of whatever is stored of it, unless ``keep`` says that this stays."""
        run = header["id"]
        lock = self.lock(run, wait_s)
        try:
            stored = read_runs(self.folder, run)
            if keep(stored):
                return False
            self.remove(stored)
            self.open[run] = _OpenRun(self.init(header), header, lock)
            return True
        finally:
            if run not in self.open:
                os.close(lock)

    def log(self, run: str, row: dict) -> None:
        self.open[run].run.log(row)
        self.open[run].rows.append(row)

    def complete(self, message: Mapping, start: float) -> None:
        record = message["record"]
        run = record["id"]
        live = run in self.open
        if live and not self.open[run].shows(record):
            self.give_up(run)  # not what the record tells of: log the run anew from the record
            live = False
        if not live:
            if not self.reopen(record, lambda stored: self.is_there(record, stored)):
                self.answer({"finished": run, "seconds": 0.0, "live": False, "present": True})
                return
            for row in record["history"]:
                self.log(run, row)
        opened = self.open[run]
        opened.run.config.update(record["config"], allow_val_change=True)
        self.log_pictures(opened.run, message["pictures"])
        for name, files in record["files"].items():
            self.log_files(opened.run, name, files, Path(message["paths"][name]))
        opened.run.summary.update({**record["summary"], "record": fingerprint(record)})
        opened.run.finish(exit_code=0)
        del self.open[run]
        os.close(opened.lock)
        seconds = opened.spent + time.perf_counter() - start
        self.answer({"finished": run, "seconds": seconds, "live": live, "present": False})

    def is_there(self, record: Mapping, stored: list[StoredRun]) -> bool:
        """Whether W&B holds this very record; an uploaded run is never replaced, since the upload would stay."""
        whole = [run for run in stored if run.complete]
        if len(stored) == 1 and whole and whole[0].summary.get("record") == fingerprint(record):
            return True
        if any(run.uploaded for run in stored):
            what = "was uploaded with other content than the record has now"
            remedy = f"delete the run at W&B and {relative(stored[0].folder)}; then give the same command again"
            self.answer({"problem": [record["id"], what, remedy]})
            return True
        return False

    def log_pictures(self, run: wandb.Run, pictures: list[dict]) -> None:
        if not pictures:
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            images = []
            for place, picture in enumerate(pictures):
                path = Path(scratch) / f"{place}.png"
                path.write_bytes(base64.b64decode(picture["png"]))
                boxes = {
                    group: {**drawn, "class_labels": {int(key): name for key, name in drawn["class_labels"].items()}}
                    for group, drawn in picture["boxes"].items()
                }
                images.append(wandb.Image(str(path), boxes=boxes or None, caption=picture["caption"] or None))
            run.log({PICTURES: images})

    def log_files(self, run: wandb.Run, name: str, files: Mapping, path: Path) -> None:
        artifact = wandb.Artifact(name, files["kind"], metadata={"digest": files["digest"]})
        if path.is_dir():  # "immutable": refer to the files where they are, since content-addressed work never changes
            artifact.add_dir(str(path), policy="immutable", skip_cache=True)
        else:
            artifact.add_file(str(path), name=path.name, policy="immutable", skip_cache=True)
        if files["use"] == "made":
            run.log_artifact(artifact)
        elif self.mode == "online":
            run.use_artifact(artifact)
        else:
            run._log_artifact(artifact, is_user_created=True, use_after_commit=True)

    def init(self, header: Mapping) -> wandb.Run:
        try:
            run = self.start(header, self.mode)
        except Exception as error:
            if self.mode != "online":
                raise
            self.mode = "offline"
            said = (str(error) or type(error).__name__).splitlines()[0]
            remedy = "runs are kept offline from here on; `make wandb-sync` uploads them later"
            self.answer({"problem": ["tracking", f"W&B is out of reach: {said}", remedy]})
            wandb.teardown()
            self.remove(read_runs(self.folder, header["id"]))  # what the attempt left
            run = self.start(header, self.mode)
        if self.folder not in Path(run.settings.sync_dir).parents:  # W&B turns to /tmp without a word
            misplaced = Path(run.settings.sync_dir)
            run.finish(exit_code=1)
            shutil.rmtree(misplaced, ignore_errors=True)
            raise OSError(f"{relative(self.folder / 'wandb')} cannot be written")
        axis = KINDS[header["kind"]]
        run.define_metric(axis)
        run.define_metric("*", step_metric=axis, step_sync=False)
        return run

    def start(self, header: Mapping, mode: str) -> wandb.Run:
        return wandb.init(
            project=self.project,
            id=header["id"],
            resume="allow" if mode == "online" else None,
            name=header["name"],
            group=header["group"],
            job_type=header["kind"],
            tags=header["tags"],
            config=header["config"],
            dir=str(self.folder),
            mode=mode,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                disable_git=True,
                disable_code=True,
                save_code=False,
                init_timeout=ONLINE_WAIT_S,
                x_save_requirements=False,
                x_disable_viewer=True,
                x_disable_stats=header["kind"] != "training",
                x_stats_sampling_interval=self.sampling_s,
                x_stats_pid=header.get("pid", os.getpid()),
                x_stats_disk_paths=None,
                x_transaction_log_flush_interval=5,
            ),
        )

    def give_up(self, run: str) -> None:
        """Throw an open run away, here and (as failed) at W&B."""
        opened = self.open.pop(run, None)
        if opened is None:
            return
        folder = Path(opened.run.settings.sync_dir)
        with contextlib.suppress(Exception):  # it is thrown away: nothing is lost that anyone would miss
            opened.run.finish(exit_code=1)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(opened.lock)

    def clean(self) -> None:
        """Remove what killed processes left unfinished, unless another live process has it open."""
        for run in read_runs(self.folder):
            if not run.complete and not run.uploaded:
                try:
                    lock = self.lock(run.id)
                except BlockingIOError:
                    continue
                # Its process may have finished it a moment ago.
                if not read_run(run.folder, Record.FromString).complete:
                    self.remove([run])
                os.close(lock)

    def remove(self, stored: list[StoredRun]) -> None:
        for run in stored:
            shutil.rmtree(run.folder)

    def lock(self, run: str, wait_s: float = 0) -> int:
        """Lock a run for this process, or raise BlockingIOError; the lock goes with the process, however it ends."""
        folder = self.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / run, os.O_RDWR | os.O_CREAT, 0o644)
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            except BlockingIOError:
                if time.monotonic() >= end:
                    os.close(handle)
                    raise
                time.sleep(0.05)


def _work(messages: int, answers: int, folder: str, project: str, mode: str, sampling_s: str) -> bool:
    """The worker process: carry out messages until told to close (True), or until the experiment is gone (False)."""
    os.nice(10)  # the experiment's stages are timed; W&B is not
    with os.fdopen(messages, "rb") as incoming, os.fdopen(answers, "wb", buffering=0) as outgoing:

        def answer(message: dict) -> None:
            with contextlib.suppress(BrokenPipeError):  # the experiment was killed: finish what it handed over
                outgoing.write(json.dumps(message).encode() + b"\n")

        worker = _Worker(Path(folder), project, mode, float(sampling_s), answer)
        worker.clean()
        for line in incoming:
            if not line.endswith(b"\n"):
                break
            message = json.loads(line)
            if message["do"] == "close":
                worker.close()
                return True
            worker.carry_out(message)
    return False


if __name__ == "__main__":
    ended = False
    try:
        ended = _work(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
    except BaseException:
        traceback.print_exc()
    if not ended:  # leave at once: W&B's exit hook would call the open runs finished
        sys.stderr.flush()
        os._exit(1)
