"""The live executor, first part: code and data really made, each once.

A piece of work is named by what goes into it (data, code, weights, configuration, seed, and the workbench's
own code for that stage) and kept in a `WorkStore`. Where the same work was done before, in another arm, in
another run or before a kill, its outcome and its seconds are taken from there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from analysis.experiment.arms import Arm
from analysis.experiment.batches import validate_batch, write_batch
from analysis.experiment.changes import Change, apply_changes, choose_changes
from analysis.experiment.faults import break_schema, mislabel
from analysis.experiment.identity import code_of, digest_folder, seed_of
from analysis.experiment.repository import TEMPLATE, ScratchRepository, run_unit_tests, write_settings
from analysis.experiment.scenario import CODE_KINDS, Happening, Scenario
from analysis.experiment.scenes import Domain
from analysis.experiment.settings import Settings
from analysis.experiment.sources import ImageSource
from analysis.experiment.stages import (
    Commit,
    Delivery,
    Head,
    Tested,
    Validated,
)
from analysis.experiment.tracker import Tracker
from analysis.experiment.work import Work, WorkStore

CONFIDENCE = 0.05
"""Detections below are not reported; low, since mean average precision needs the whole curve."""

HOLDOUT_SHARE = 0.05
"""Of the training images: what ultralytics asks for as validation set. Nothing here is decided by it."""


class UsedWork:
    """A store that remembers what one arm-run used of it: kind and seconds by key, in the order of first use."""

    def __init__(self, store: WorkStore) -> None:
        self._store, self.root = store, store.root
        self.used: dict[str, Work] = {}

    def do(self, kind: str, inputs: Mapping[str, Any], work: Callable[[Path], Mapping[str, Any]]) -> Work:
        """As `WorkStore.do`."""
        done = self._store.do(kind, inputs, work)
        self.used.setdefault(done.key, done)
        return done


class LiveCode:
    """Code and data of an arm-run; see `analysis.experiment.stages.Stages`.

    Parameters
    ----------
    settings, scenario
        Of the run.
    stream : sequence of Happening
        Says which of its kind each code change is.
    seed : int
    arm : Arm
        For labels in the tracking only.
    source : ImageSource
    store : WorkStore
    folder : Path
        Of this arm-run; holds its scratch repository.
    tracker : Tracker or None
    """

    def __init__(
        self,
        settings: Settings,
        scenario: Scenario,
        stream: Sequence[Happening],
        seed: int,
        arm: Arm,
        source: ImageSource,
        store: WorkStore,
        folder: Path,
        tracker: Tracker | None = None,
    ) -> None:
        self.settings, self.scenario, self.seed, self.arm = settings, scenario, seed, arm
        self.source, self.store, self.tracker = source, UsedWork(store), tracker
        self.repository = ScratchRepository(folder / "repository")
        self._committed = False
        code = [happening for happening in stream if happening.kind in CODE_KINDS]
        chosen = choose_changes([(happening.kind, happening.variant) for happening in code])
        self.changes: dict[str, Change] = {h.name: change for h, change in zip(code, chosen, strict=True)}
        self.batches: dict[str, Path] = {}
        self.models: dict[str, Work] = {}
        self.packages: dict[str, Path] = {}
        self.first_acceptance = ""
        self.windows: dict[str, Work] = {}
        self.charts: dict[tuple[str, str], Any] = {}
        self.trainings: list[str] = []
        """Keys of the trainings that this arm-run used, in order."""

    # ---- code ------------------------------------------------------------------------------------

    def project(self, head: Head) -> Work:
        """The project's files as they are with this head."""
        active = [self.changes[entry.name] for entry in head if entry.active]
        settings = self.settings

        def make(folder: Path) -> dict[str, str]:
            target = folder / "project"
            shutil.copytree(TEMPLATE, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".*"))
            write_settings(target, self.source.classes, settings.image_size, CONFIDENCE, settings.tuning)
            apply_changes(active, target)
            return {
                "all": digest_folder(target),
                "training": digest_folder(target, ("inspection/labels.py", "inspection/settings.py", "training.yaml")),
                "serving": digest_folder(target / "inspection"),
            }

        inputs = {
            "template": digest_folder(TEMPLATE),
            "classes": list(self.source.classes),
            "image_size": settings.image_size,
            "tuning": dict(settings.tuning),
            "changes": [[asdict(edit) for edit in change.edits] for change in active],
            "code": code_of("repository", "edits"),
        }
        return self.store.do("project", inputs, make)

    def training_digest(self, head: Head) -> str:
        """Of the code and configuration that a training depends on."""
        return self.project(head).outputs["training"]

    def commit(self, head: Head, message: str, moment: datetime) -> Commit:
        """Really commit; how long it took the first time is in the record."""
        project = self.project(head)
        files = project.folder / "project"
        known: dict[str, str] = {}

        def act(_: Path | None = None) -> dict[str, str]:
            if self._committed:
                self.repository.replace_files(files)
                known["sha"] = self.repository.commit(message, moment)
            else:
                known["sha"] = self.repository.create(files, moment, message=message)
                self._committed = True
            return {"sha": known["sha"], "tree": self.repository.tree()}

        parent = self.repository.head() if self._committed else ""
        inputs = {"files": project.outputs["all"], "parent": parent, "message": message, "when": moment.isoformat()}
        work = self.store.do("commit", inputs, act)
        if not known:
            act()
        return Commit(work.seconds, work.outputs["sha"], work.outputs["tree"])

    def unit_tests(self, head: Head) -> Tested:
        """Run the project's own tests on these files."""
        project = self.project(head)

        def run(folder: Path) -> dict[str, Any]:
            result = run_unit_tests(project.folder / "project")
            return {"tests": result.tests, "failed": list(result.failed)}

        work = self.store.do("unit_tests", {"files": project.outputs["all"], "code": code_of("repository")}, run)
        return Tested(work.seconds, work.outputs["tests"], tuple(work.outputs["failed"]))

    # ---- data ------------------------------------------------------------------------------------

    def deliver(self, happening: Happening | None, name: str, domain: Domain, images: int) -> Delivery:
        """A labelled batch of images of the line; faulty as its event says, mended where there is none."""
        fault = happening.kind if happening is not None and happening.kind != "good_batch" else ""
        variant = happening.variant if happening is not None and fault else 0
        purpose = "acceptance" if name == "acceptance" else "train"
        seed = seed_of(name if name in ("initial", "acceptance") else f"{self.seed}/{name}")
        size = self.settings.image_size
        share = self.scenario.data["mislabelled_share"]

        def make(folder: Path) -> dict[str, Any]:
            scenes = self.source.scenes(purpose, domain, seed, images, size)
            rng = np.random.default_rng(seed + 1)
            if fault == "mislabelled_batch":
                scenes = mislabel(scenes, len(self.source.classes), share, variant, rng)
            batch = write_batch(folder / "batch", scenes, self.source.classes, name.replace("/", "-"))
            if fault == "broken_batch":
                break_schema(batch / "annotations.json", variant, rng)
            return {"images": len(scenes)}

        inputs = {
            "source": self.source.digest,
            "purpose": purpose,
            "domain": asdict(domain),
            "seed": seed,
            "images": images,
            "size": size,
            "fault": [fault, variant, share] if fault else [],
            "code": code_of("faults", "batches"),
        }
        delivered = self._batch(self.store.do("batch", inputs, make))
        if name == "acceptance":
            self.first_acceptance = delivered.batch
        return delivered

    def _batch(self, work: Work) -> Delivery:
        self.batches[work.key] = work.folder / "batch"
        return Delivery(work.seconds, work.key, work.outputs["images"])

    def divide(self, batch: str, share: float) -> tuple[str, str]:
        """Split a batch: the first ``share`` of its images, and the others."""
        parts = []
        for part in ("first", "rest"):

            def make(folder: Path, part: str = part) -> dict[str, Any]:
                source, target = self.batches[batch], folder / "batch"
                content = json.loads((source / "annotations.json").read_text(encoding="utf-8"))
                cut = round(share * len(content["images"]))
                chosen = content["images"][:cut] if part == "first" else content["images"][cut:]
                (target / "images").mkdir(parents=True)
                for entry in chosen:
                    shutil.copyfile(source / "images" / entry["file"], target / "images" / entry["file"])
                text = json.dumps(content | {"images": chosen}, ensure_ascii=False, indent=1)
                (target / "annotations.json").write_text(text + "\n", encoding="utf-8")
                return {"images": len(chosen)}

            parts.append(self._batch(self.store.do("batch", {"of": batch, "share": share, "part": part}, make)).batch)
        return parts[0], parts[1]

    def validate(self, batch: str) -> Validated:
        """Check a batch against the schema of annotations."""

        def run(folder: Path) -> dict[str, Any]:
            found = validate_batch(self.batches[batch], self.source.classes)
            return {"problems": [f"{problem.where}: {problem.what}" for problem in found]}

        inputs = {"batch": batch, "classes": list(self.source.classes), "code": code_of("batch_schema", "batches")}
        work = self.store.do("validation", inputs, run)
        return Validated(work.seconds, tuple(work.outputs["problems"]))
