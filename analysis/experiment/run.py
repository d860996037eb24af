"""A run of the experiment: every arm on every seed, side by side, resumable at any moment.

A run lies in ``<folder>/runs/<profile>-<digest>/``: the event log of every arm-run, and ``run.json`` once
all are done. The digest is of everything that decides the outcome, so that another scenario or other code
makes another run; the work itself lies in ``<folder>/work`` and is shared by all of them.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import simpy

from analysis.base.errors import Problem, WorkbenchError
from analysis.base.paths import BUILD, relative, require_space, write_atomic
from analysis.base.provenance import commit, machine
from analysis.experiment.arms import parse_arm
from analysis.experiment.dataset import Pool
from analysis.experiment.devices import device_name
from analysis.experiment.drift import DOMAINS
from analysis.experiment.effort import Effort, load_delays
from analysis.experiment.events import EventLog, LogSink
from analysis.experiment.identity import device_kind, experiment_code, training_versions
from analysis.experiment.live import LiveStages
from analysis.experiment.play import play
from analysis.experiment.pools import load_detection
from analysis.experiment.samples import write_samples
from analysis.experiment.scenario import draw_stream, load_scenario
from analysis.experiment.settings import EFFORT, SCENARIO, Settings
from analysis.experiment.sources import ImageSource, PoolSource, RenderedSource
from analysis.experiment.tracker import Tracker
from analysis.experiment.tracking_records import TrackedArmRun
from analysis.experiment.work import WorkStore
from analysis.experiment.world import ArmRun, build_world

FOLDER = BUILD / "experiment"
NEED_MB = 2000
"""Free space that a run of the small profile may need; measured, twice over."""

RUN_FILE = "run.json"
RENDERED = "rendered"


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where a run lies, and whether it is complete."""

    folder: Path
    settings: Settings
    complete: bool


def locate_run(settings: Settings, folder: Path = FOLDER) -> RunPlace:
    """The run of these settings under the present code and data; it need not have begun."""
    inputs = {
        "settings": {key: value for key, value in asdict(settings).items() if key not in ("jobs", "name")},
        "scenario": SCENARIO.read_text(encoding="utf-8"),
        "effort": EFFORT.read_text(encoding="utf-8"),
        "code": experiment_code(),
        "versions": training_versions(),
        "device": device_kind(settings.device),
    }
    if settings.images != RENDERED:
        inputs["images"] = build_source(settings).digest
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:10]
    place = folder / "runs" / f"{settings.name}-{digest}"
    return RunPlace(place, settings, (place / RUN_FILE).is_file())


def run_experiment(
    settings: Settings, folder: Path = FOLDER, report: Callable[[str], None] | None = None, again: bool = False
) -> Path:
    """Play every arm on every seed and return the run's folder.

    What was done before is reused; a run that was killed goes on and ends with the same logs. A complete run
    is returned as it is, or played again from its recorded work where ``again`` is set.

    Parameters
    ----------
    report : callable
        Told every few seconds how far things are.

    Raises
    ------
    WorkbenchError
        A worker died, the disk is full, or the inputs cannot be used.
    """
    place = locate_run(settings, folder)
    if place.complete and not again:
        return place.folder
    require_space(folder, NEED_MB)
    say = report or (lambda text: print(text, file=sys.stderr, flush=True))
    started = time.monotonic()
    cells = [(arm, seed) for seed in settings.seeds for arm in settings.arms]
    jobs = min(settings.jobs or os.cpu_count() or 1, len(cells))
    for line in describe_source(settings):
        say(line)
    say(f"experiment: {len(settings.arms)} arms × {len(settings.seeds)} seeds, {jobs} side by side")
    summaries = _play_all(settings, place.folder, folder, cells, jobs, say)
    used: dict[str, tuple[str, float]] = {}
    for summary in summaries:
        used |= {key: (kind, seconds) for key, kind, seconds in summary["used"]}
        for problem in summary.pop("untracked"):
            say(f"experiment: not tracked in W&B: {problem}")
    record = {
        "profile": settings.name,
        "settings": asdict(settings),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "device": device_kind(settings.device),
        "processor": device_name("cpu"),
        "images": describe_source(settings)[:1],
        "versions": training_versions(),
        "code": experiment_code(),
        "scenario": SCENARIO.read_text(encoding="utf-8"),
        "effort": EFFORT.read_text(encoding="utf-8"),
        "wall_seconds": round(time.monotonic() - started, 1),
        "work_seconds": round(sum(seconds for _, seconds in used.values()), 1),
        "arm_runs": [{key: value for key, value in summary.items() if key != "used"} for summary in summaries],
        "work": [[key, kind, round(seconds, 4)] for key, (kind, seconds) in used.items()],
    }
    write_atomic(place.folder / RUN_FILE, json.dumps(record, indent=1) + "\n")
    say(f"experiment: done after {time.monotonic() - started:.0f} s; {relative(place.folder)}")
    return place.folder


def _play_all(
    settings: Settings, run: Path, folder: Path, cells: list[tuple[str, int]], jobs: int, say: Callable[[str], None]
) -> list[dict[str, Any]]:
    started, last = time.monotonic(), 0.0
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with, initargs=(os.getpid(),))
    try:
        longest_first = sorted(cells, key=lambda cell: -len(parse_arm(cell[0]).practices))
        waiting: dict[Future, tuple[str, int]] = {
            pool.submit(play_arm, settings, run, folder, arm, seed): (arm, seed) for arm, seed in longest_first
        }
        pending = set(waiting)
        done: dict[tuple[str, int], dict[str, Any]] = {}
        while pending:
            finished, pending = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
            for future in finished:
                done[waiting[future]] = future.result()
            if pending and any(process.exitcode for process in list((pool._processes or {}).values())):
                raise BrokenProcessPool  # the pool itself may overlook the death of a worker that it started late
            if time.monotonic() - last > 5 and pending:
                last = time.monotonic()
                say(_progress(settings, run, cells, done, last - started))
        return [done[cell] for cell in cells]
    except BrokenProcessPool:
        problem = Problem(
            "", "it was killed, or the machine ran out of memory", "give the same command again: it goes on"
        )
        raise WorkbenchError("A process of the experiment died.", [problem]) from None
    finally:
        for process in list((pool._processes or {}).values()):
            if pool._broken or sys.exc_info()[0] is not None:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _progress(settings: Settings, run: Path, cells: list, done: Mapping, elapsed_s: float) -> str:
    shares = []
    for arm, seed in cells:
        try:
            share = 1.0 if (arm, seed) in done else float((run / f"{arm}-{seed}" / "progress").read_text())
        except (OSError, ValueError):
            share = 0.0
        shares.append(min(share, 1.0))
    total = sum(shares) / len(shares)
    left = (
        f"about {max(1, round(elapsed_s * (1 - total) / total / 60))} min left"
        if total > 0.05
        else "training the first model"
    )
    return f"experiment: {100 * total:3.0f} % of the virtual weeks, {len(done)} of {len(cells)} arm-runs done, {left}"


def _end_with(parent: int) -> None:
    """A worker ends when its parent is gone, however that ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.3)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Progress:
    """An event sink that also notes how far the virtual time has come."""

    def __init__(self, sink: LogSink, path: Path, horizon_h: float) -> None:
        self.sink, self.path, self.horizon_h = sink, path, horizon_h

    def emit(self, kind: str, subject: str, time_h: float, content: Mapping, custom: Mapping, chain: str) -> None:
        self.sink.emit(kind, subject, time_h, content, custom, chain)
        if kind == "observation.recorded":
            self.path.write_text(f"{time_h / self.horizon_h:.4f}", encoding="utf-8")


@cache
def _load_pool(folder: str) -> Pool:
    return load_detection(Path(folder))


def build_source(settings: Settings) -> ImageSource:
    """Where the images of a run come from."""
    return RenderedSource() if settings.images == RENDERED else PoolSource(_load_pool(settings.images))


def describe_source(settings: Settings) -> list[str]:
    """What a user should know of their own images before hours are spent on them: counts, and all that was left out."""
    if settings.images == RENDERED:
        return []
    pool = _load_pool(settings.images)
    vanishing = PoolSource(pool).count_vanishing(settings.image_size)
    return [
        f"images: {len(pool.images)} in {settings.images}, {len(pool.classes)} classes; left out: "
        f"{pool.dropped_boxes} boxes, {pool.dropped_images} images",
        *(f"images: {problem.where}: {problem.what}" for problem in pool.problems),
        *(f"images: {note}" for note in pool.notes),
        f"images: boxes too small to be seen at {settings.image_size} px: {vanishing}",
    ]


def play_arm(settings: Settings, run_folder: Path, folder: Path, arm_name: str, seed: int) -> dict[str, Any]:
    """Play one arm on one seed; the event log in ``<run>/<arm>-<seed>/events.jsonl`` is what remains.

    Returns
    -------
    dict
        ``arm``, ``seed``, ``events`` (their number), ``digest`` of the log, ``used`` (key, kind and seconds of every
        piece of work) and ``untracked`` (what W&B could not take).
    """
    scenario = load_scenario(SCENARIO, settings.scenario)
    stream = draw_stream(scenario, seed)
    arm = parse_arm(arm_name)
    place = run_folder / f"{arm_name}-{seed}"
    place.mkdir(parents=True, exist_ok=True)
    source = build_source(settings)
    store = WorkStore(folder / "work")
    effort = Effort(load_delays(EFFORT), seed, settings.effort_scale)
    with (
        Tracker(folder / "tracking") as tracker,
        LiveStages(settings, scenario, stream, seed, arm, source, store, place, tracker) as stages,
        EventLog(
            place / "events.jsonl", f"/workbench/{arm_name}/{seed}", f"{run_folder.name}/{arm_name}/{seed}"
        ) as log,
    ):
        sink = _Progress(LogSink(log, scenario.moment), place / "progress", scenario.horizon_h)
        env = simpy.Environment()
        run = ArmRun(env, arm, scenario, effort, stages, sink, build_world(stream, scenario, DOMAINS), stream)
        play(run)
        log.finish()
        write_samples(place / "samples", run, stages)
        tracker.track_arm_run(_tracked(settings, run_folder, run, stages, arm_name, seed))
        problems = [str(problem) for problem in tracker.close()]
        used = [(work.key, work.record["kind"], work.seconds) for work in stages.store.used.values()]
        events = log.position
    digest = hashlib.sha256((place / "events.jsonl").read_bytes()).hexdigest()
    return {"arm": arm_name, "seed": seed, "events": events, "digest": digest, "used": used, "untracked": problems}


def _tracked(
    settings: Settings, run_folder: Path, run: ArmRun, stages: LiveStages, arm: str, seed: int
) -> TrackedArmRun:
    series = [{"time_h": window_h, "map50": observed.map50} for window_h, observed in run.seen]
    summary = {
        "deployments": run.deployments,
        "incidents": run.incident,
        "degradations": run.episode,
        "mean_map50": sum(row["map50"] for row in series) / max(len(series), 1),
    }
    config = {"arm": arm, "seed": seed, "practices": sorted(run.arm.practices), "effort_scale": settings.effort_scale}
    return TrackedArmRun(
        key=f"{run_folder.name}/{arm}/{seed}",
        arm=arm,
        seed=seed,
        config=config,
        series=series,
        summary=summary,
        trainings=list(dict.fromkeys(stages.trainings)),
        group=settings.name,
        tags=["arm-run", arm],
    )
