"""Tracking as the experiment sees it: a record on disk at once, and W&B behind a process of its own.

The experiment must neither wait for a tracking service nor fail with it. So `Tracker` writes the local
record itself (`tracking_records`) and hands everything else to a worker process
(``python -m analysis.experiment.tracking``) through an unbounded queue: an epoch logged costs
microseconds here, whatever W&B is doing. What goes wrong over there comes back as problems.

A training is opened before it starts, so that the service samples the machine while it runs, and
completed when its result is safe; work that was done earlier is tracked from its record alone::

    with Tracker(folder) as tracker:
        def work(target):
            with tracker.training(key, name=name, group=group, config=config) as run:
                return train(data, settings, target, on_epoch=run.log_epoch)
        done = store.do("training", inputs, work)
        tracker.track_training(TrackedTraining(key, name, group, config, history, ...))

Both calls may be repeated at will. A run that is complete and equal to its record is left alone; one
that a killed process left unfinished is replaced. That holds for several processes sharing a folder.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from analysis.base.errors import InputError, Problem
from analysis.base.paths import BUILD, ROOT, relative
from analysis.experiment.tracking_records import (
    RECORD_FILE,
    Picture,
    TrackedArmRun,
    TrackedFiles,
    TrackedTraining,
    append_record,
    build_arm_record,
    build_training_record,
    files_name,
    fingerprint,
    load_records,
    plain,
    plain_row,
    run_id,
)

FOLDER = BUILD / "experiment" / "tracking"
PROJECT = "devops-mlops-workbench"
MODES = ("offline", "online", "disabled")

PASSED_ON = ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_CREDENTIALS_FILE")
"""Of the user's W&B variables, those that say where to and as whom; any other could bend the runs."""


class Tracker:
    """Records runs and has them logged to W&B; one tracker a process, made after any fork.

    Parameters
    ----------
    folder : Path
        Holds ``tracking.jsonl`` (the record), ``wandb/`` (W&B's runs) and the worker's log.
    project : str
        W&B project; ``WANDB_PROJECT`` where empty.
    mode : {"offline", "online", "disabled"} or None
        None takes ``WANDB_MODE``, and offline without it. Online falls back to offline where W&B cannot
        be reached or nobody is logged in; disabled writes the record alone.
    patience_s : float
        Seconds that `close` waits for a sign of life from the worker before it gives up on it.
    sampling_s : float
        Seconds between samples of system metrics.
    on_problem : callable, optional
        Called with each `Problem` as it becomes known, from another thread.

    Raises
    ------
    InputError
        Unknown mode.
    """

    def __init__(
        self,
        folder: Path = FOLDER,
        project: str = "",
        mode: str | None = None,
        *,
        patience_s: float = 60,
        sampling_s: float = 2,
        on_problem: Callable[[Problem], None] | None = None,
    ) -> None:
        self.mode = mode or os.environ.get("WANDB_MODE") or "offline"
        if self.mode not in MODES:
            raise InputError("W&B has no such mode.", [Problem("WANDB_MODE", f"got '{self.mode}'", " or ".join(MODES))])
        self.folder = folder.absolute()
        self.project = project or os.environ.get("WANDB_PROJECT") or PROJECT
        self.problems: list[Problem] = []
        self.finished: dict[str, Mapping] = {}
        """Runs that W&B holds whole, by id: ``seconds`` spent in the background, ``live`` (epochs logged as they came)
        and ``present`` (nothing was to be done)."""
        self._patience_s, self._sampling_s, self._on_problem = patience_s, sampling_s, on_problem
        self._records, damaged = load_records(self.folder / RECORD_FILE)
        self._seen: dict[str, str] = {}
        self._messages: queue.SimpleQueue[dict | None] = queue.SimpleQueue()
        self._process: subprocess.Popen | None = None
        self._threads: list[threading.Thread] = []
        self._last_sign, self._closed, self._lost = time.monotonic(), False, False
        for problem in damaged:
            self._report(problem)

    def training(
        self, key: str, *, name: str, group: str, config: Mapping, tags: Sequence[str] = (), pid: int | None = None
    ) -> TrainingRun:
        """Open the run of a training that is about to start; use it as a context manager.

        Name, group and tags are those that `track_training` will be given; were they others, the run would be
        logged anew from the record, without its system metrics.
        ``pid`` is the process that trains, this one if not said: the one whose CPU and memory are sampled.
        """
        run = run_id("training", key)
        header = {"name": name, "group": group, "tags": sorted(set(tags)), "config": plain(config)}
        return TrainingRun(self, {"do": "open", "id": run, "kind": "training", **header, "pid": pid or os.getpid()})

    def track_training(self, training: TrackedTraining) -> str:
        """Record a training whose result is safe, and complete its run. Returns the run's id.

        Raises
        ------
        DiskFullError
            The record could not be written. W&B's own failures never raise.
        """
        return self._track(build_training_record(training), training.files, training.pictures, list(training.classes))

    def track_arm_run(self, arm_run: TrackedArmRun) -> str:
        """Record one arm on one seed, with its series over virtual time. Returns the run's id.

        Raises
        ------
        DiskFullError
            The record could not be written. W&B's own failures never raise.
        """
        return self._track(build_arm_record(arm_run), arm_run.files, (), [])

    def close(self) -> list[Problem]:
        """Wait until W&B has everything, or shows no sign of life for ``patience_s``; then every problem met.

        What is missing afterwards is tracked when the same command is given again.
        """
        if self._process is not None and not self._closed:
            self._send({"do": "close"})
            self._messages.put(None)
            self._last_sign = time.monotonic()
            while self._process.poll() is None:
                if time.monotonic() - self._last_sign > self._patience_s:
                    self._process.kill()
                    self._lose(f"W&B showed no sign of life for {self._patience_s:g} s")
                time.sleep(0.01)
            if self._process.returncode != 0:
                self._lose("the W&B worker ended too early")
            for thread in self._threads:
                thread.join(timeout=5)
        self._closed = True
        return self.problems

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _track(
        self, record: dict, files: Sequence[TrackedFiles], pictures: Sequence[Picture], classes: list[str]
    ) -> str:
        run, digest = record["id"], fingerprint(record)
        if run in self._seen:
            if self._seen[run] != digest:
                remedy = "what is tracked of a work must follow from the work alone; the first record stands"
                self._report(Problem(run, "was tracked twice with different content", remedy))
            return run
        self._seen[run] = digest
        if self._records.get(run) != record:
            append_record(self.folder / RECORD_FILE, record)
            self._records[run] = record
        paths = {files_name(item): str(item.path.absolute()) for item in files}
        images = [_build_picture(picture, classes) for picture in pictures]
        self._send({"do": "complete", "record": record, "paths": paths, "pictures": images})
        return run

    def _send(self, message: dict) -> None:
        if self.mode == "disabled" or self._closed:
            return
        if self._process is None:
            self._start()
        self._messages.put(message)

    def _start(self) -> None:
        """Start the worker. It gets a pipe of its own, so that nothing W&B may ask reads our messages as answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        taken, given = os.pipe(), os.pipe()
        command = [sys.executable, "-m", "analysis.experiment.tracking", str(taken[0]), str(given[1])]
        command += [str(self.folder), self.project, self.mode, str(self._sampling_s)]
        with (self.folder / "worker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=worker_environment(self.folder, self.mode),
                pass_fds=(taken[0], given[1]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt from the terminal is for the experiment, which then closes us
            )
        os.close(taken[0])
        os.close(given[1])
        for target, pipe in ((self._write, taken[1]), (self._read, given[0])):
            thread = threading.Thread(target=target, args=(pipe,), daemon=True, name=f"tracking-{target.__name__}")
            thread.start()
            self._threads.append(thread)

    def _write(self, pipe: int) -> None:
        try:
            with os.fdopen(pipe, "wb") as stream:
                while (message := self._messages.get()) is not None:
                    stream.write(json.dumps(message).encode() + b"\n")
                    stream.flush()
        except OSError:
            self._lose("the W&B worker ended too early")

    def _read(self, pipe: int) -> None:
        with os.fdopen(pipe, "rb") as stream:
            for line in stream:
                self._last_sign = time.monotonic()
                answer = json.loads(line)
                if "problem" in answer:
                    self._report(Problem(*answer["problem"]))
                elif "finished" in answer:
                    self.finished[answer.pop("finished")] = answer

    def _report(self, problem: Problem) -> None:
        self.problems.append(problem)
        if self._on_problem:
            self._on_problem(problem)

    def _lose(self, what: str) -> None:
        if not self._lost:
            self._lost = True
            log = relative(self.folder / "worker.log")
            remedy = f"{RECORD_FILE} is whole, and the same command given again fills the gap; see {log}"
            self._report(Problem("tracking", what, remedy))


class TrainingRun:
    """The open run of a training; leaving the block with an error throws it away."""

    def __init__(self, tracker: Tracker, opening: dict) -> None:
        self._tracker, self._opening = tracker, opening
        self.id: str = opening["id"]

    def __enter__(self) -> Self:
        self._tracker._send(self._opening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._tracker._send({"do": "abandon", "id": self.id})

    def log_epoch(self, metrics: Mapping) -> None:
        """Log one row of metrics (with its ``epoch``); returns at once."""
        self._tracker._send({"do": "log", "id": self.id, "row": plain_row(metrics)})


def worker_environment(folder: Path, mode: str) -> dict[str, str]:
    """The environment in which W&B runs: nothing outside ``folder`` is written, nothing calls home unasked."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WANDB_") or (mode == "online" and name in PASSED_ON)
    }
    places = {"WANDB_DATA_DIR": "data", "WANDB_CACHE_DIR": "cache", "WANDB_ARTIFACT_DIR": "artifacts"}
    if mode == "offline":
        places["WANDB_CONFIG_DIR"] = "config"
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    quiet = {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true", "WANDB_CONSOLE": "off"}
    return {
        **kept,
        **quiet,
        **{name: str(folder / "service" / part) for name, part in places.items()},
        "WANDB_DIR": str(folder),
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _build_picture(picture: Picture, classes: Sequence[str]) -> dict:
    """PNG bytes (lossless, so that the copy can be compared by pixels) and boxes as W&B draws them."""
    scene, found = picture.scene, picture.detections
    name = dict(enumerate(classes))
    truth = [_build_box(box, int(label), name) for box, label in zip(scene.boxes, scene.classes, strict=True)]
    reported = [
        _build_box(box, int(label), name, float(confidence))
        for box, label, confidence in zip(found.boxes, found.classes, found.confidences, strict=True)
    ]
    encoded = cv2.imencode(".png", np.ascontiguousarray(scene.image))[1].tobytes()
    labels = {str(label): text for label, text in name.items()}
    boxes = {
        group: {"box_data": rows, "class_labels": labels}
        for group, rows in (("truth", truth), ("predictions", reported))
        if rows
    }
    return {"png": base64.b64encode(encoded).decode(), "boxes": boxes, "caption": picture.caption}


def _build_box(box: np.ndarray, label: int, names: Mapping[int, str], confidence: float | None = None) -> dict:
    low_x, low_y, high_x, high_y = (float(value) for value in box)
    name = names.get(label, str(label))
    return {
        "position": {"minX": low_x, "minY": low_y, "maxX": high_x, "maxY": high_y},
        "domain": "pixel",
        "class_id": label,
        "box_caption": name if confidence is None else f"{name} {confidence:.2f}",
        "scores": {} if confidence is None else {"confidence": confidence},
    }
