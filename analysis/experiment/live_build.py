"""The live executor, second part: models, packages and what they are worth, each made once.

A piece of work is named by what goes into it (data, code, weights, configuration, seed, and the workbench's
own code for that stage) and kept in a `WorkStore`. Where the same work was done before, in another arm, in
another run or before a kill, its outcome and its seconds are taken from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from analysis.base.errors import InputError
from analysis.experiment.batches import read_batch
from analysis.experiment.evaluation import Matches, compare_map, compute_map, compute_map_interval, match
from analysis.experiment.evaluation import pool as pool_matches
from analysis.experiment.identity import code_of, device_kind, training_versions
from analysis.experiment.inference import inspect_all, pack_detections, project_module, unpack_detections
from analysis.experiment.live_code import LiveCode
from analysis.experiment.packages import build_package
from analysis.experiment.scenes import Scene
from analysis.experiment.stages import (
    Compared,
    Evaluated,
    Head,
    Packaged,
    Pool,
    Trained,
)
from analysis.experiment.tracking_records import Picture, TrackedFiles, TrackedTraining
from analysis.experiment.training_set import TrainingSetError, write_training_set
from analysis.experiment.training_settings import TrainingSettings
from analysis.experiment.work import Work

CONFIDENCE = 0.05
"""Detections below are not reported; low, since mean average precision needs the whole curve."""

PICTURES = 4
"""Acceptance images that are shown with each training in W&B."""

HOLDOUT_SHARE = 0.05
"""Of the training images: what ultralytics asks for as validation set. Nothing here is decided by it."""


class LiveBuild(LiveCode):
    """Everything up to a package and what it is worth; see `analysis.experiment.stages.Stages`."""

    # ---- models ----------------------------------------------------------------------------------

    def train(self, name: str, head: Head, pool: Pool, weights: str) -> Trained:
        """Train on the pool with the project's labels and configuration, from ``weights`` or from scratch."""
        project = self.project(head)
        files = project.folder / "project"
        chosen = yaml.safe_load((files / "training.yaml").read_text(encoding="utf-8"))
        more: dict[str, Any] = {"seed": 0, "device": self.settings.device, "threads": self.settings.threads}
        more |= {} if weights else self.settings.first
        start = self.models[weights].folder / "weights.pt" if weights else None
        if start is not None:
            more["weights"] = str(start)
        limit = self.settings.training_images if weights else 0
        inputs = {
            "code": project.outputs["training"],
            "batches": list(pool),
            "weights": self.models[weights].outputs["model"] if weights else str(more.get("weights", "")),
            "settings": {key: value for key, value in {**chosen, **more}.items() if key != "weights"},
            "limit": limit,
            "device": device_kind(self.settings.device),
            "workbench": code_of("training", "training_settings", "training_set", "isolation"),
            "versions": training_versions(),
        }
        config = {key: value for key, value in inputs.items() if key not in ("batches",)}

        def run(folder: Path) -> dict[str, Any]:
            from analysis.experiment.training import train

            data = folder / "data"
            try:
                with project_module(files, "labels") as labels:
                    content = write_training_set(
                        data,
                        [self.batches[b] for b in pool],
                        labels.to_yolo,
                        self.source.classes,
                        HOLDOUT_SHARE,
                        0,
                        limit,
                    )
                settings = TrainingSettings.from_mapping(chosen, **more)
                with self._tracked(folder.name.split(".")[0], config) as log_epoch:
                    result = train(content, settings, folder / "out", on_epoch=log_epoch)
            except (TrainingSetError, InputError) as error:
                shutil.rmtree(data, ignore_errors=True)
                shutil.rmtree(folder / "out", ignore_errors=True)
                return {"failure": str(error).splitlines()[0], "model": "", "images": 0, "metrics": {}}
            result.weights.replace(folder / "weights.pt")
            shutil.rmtree(data)
            shutil.rmtree(folder / "out", ignore_errors=True)
            record = result.record()
            metrics = {k: v for k, v in result.history[-1].items() if v is not None} if result.history else {}
            return {
                "failure": "the loss is no longer a number" if result.diverged else "",
                "model": result.digest,
                "images": result.images,
                "metrics": metrics,
                "training": record,
            }

        work = self.store.do("training", inputs, run)
        if not work.outputs["failure"]:
            self.models[work.key] = work
            self.trainings.append(work.key)
            self._complete_tracking(work, config, pool, weights)
        metrics = {key: value for key, value in work.outputs["metrics"].items() if isinstance(value, int | float)}
        model = "" if work.outputs["failure"] else work.key
        return Trained(work.seconds, model, work.outputs["failure"], work.outputs["images"], metrics)

    @contextmanager
    def _tracked(self, key: str, config: Mapping[str, Any]) -> Iterator[Callable | None]:
        """The training's run in W&B is open while it trains, so that the machine is sampled."""
        if self.tracker is None:
            yield None
            return
        with self.tracker.training(key, name=_label(key), group="trainings", config=config, tags=["training"]) as run:
            yield run.log_epoch

    def _complete_tracking(self, work: Work, config: Mapping, pool: Pool, weights: str) -> None:
        if self.tracker is None:
            return
        used = [TrackedFiles("dataset", "batch", self.batches[batch], batch) for batch in pool]
        if weights:
            parent = self.models[weights]
            used.append(TrackedFiles("model", "weights", parent.folder / "weights.pt", parent.outputs["model"]))
        made = TrackedFiles("model", "weights", work.folder / "weights.pt", work.outputs["model"], made=True)
        self.tracker.track_training(
            TrackedTraining(
                key=work.key,
                name=_label(work.key),
                group="trainings",
                config=config,
                history=work.outputs["training"]["history"],
                seconds=work.seconds,
                files=[*used, made],
                pictures=self._pictures(work.key),
                classes=self.source.classes,
                tags=["training"],
            )
        )

    def _pictures(self, model: str) -> list[Picture]:
        """What a model finds on a few acceptance images, with the project's code as it was at first."""
        package = self.package((), model).package
        images = read_batch(self.batches[self.first_acceptance])[:PICTURES]
        scenes = [Scene(cv2.imread(str(image.path)), image.boxes, image.classes) for image in images]

        def run(folder: Path) -> dict[str, Any]:
            found, _ = inspect_all(self.packages[package], [scene.image for scene in scenes])
            np.savez(folder / "detections.npz", **pack_detections(found))
            return {}

        inputs = {"package": package, "batch": self.first_acceptance, "images": PICTURES, "code": code_of("inference")}
        found = unpack_detections(np.load(self.store.do("preview", inputs, run).folder / "detections.npz"))
        return [
            Picture(scene, item, f"acceptance image {n}")
            for n, (scene, item) in enumerate(zip(scenes, found, strict=True))
        ]

    # ---- packages --------------------------------------------------------------------------------

    def package(self, head: Head, model: str) -> Packaged:
        """Export a model and put it together with the code that serves it."""
        project = self.project(head)
        trained = self.models[model]
        onnx = self._exported(trained)

        def make(folder: Path) -> dict[str, Any]:
            package = build_package(
                folder / "package",
                onnx.folder / "model.onnx",
                project.folder / "project" / "inspection",
                self.source.classes,
                self.settings.image_size,
                CONFIDENCE,
            )
            size = sum(path.stat().st_size for path in (folder / "package").rglob("*") if path.is_file())
            return {"digest": package.digest, "bytes": size}

        inputs = {"model": onnx.key, "code": project.outputs["serving"], "classes": list(self.source.classes)}
        work = self.store.do("package", inputs | {"workbench": code_of("packages")}, make)
        digest = work.outputs["digest"]
        self.packages[digest] = work.folder / "package"
        return Packaged(onnx.seconds + work.seconds, digest, work.outputs["bytes"])

    def _exported(self, trained: Work) -> Work:
        size = self.settings.image_size

        def make(folder: Path) -> dict[str, Any]:
            from analysis.experiment.training import export_onnx

            export_onnx(trained.folder / "weights.pt", folder / "model.onnx", size)
            return {}

        inputs = {"model": trained.outputs["model"], "image_size": size, "versions": training_versions()}
        return self.store.do("export", inputs | {"workbench": code_of("training")}, make)

    def evaluated(self, package: str, batch: str) -> Work:
        """A package on one batch, as it would answer in service; the work holds matches and detections."""

        def run(folder: Path) -> dict[str, Any]:
            images = read_batch(self.batches[batch])
            pictures = [cv2.imread(str(image.path)) for image in images]
            scenes = [Scene(p, image.boxes, image.classes) for p, image in zip(pictures, images, strict=True)]
            found, errors = inspect_all(self.packages[package], pictures)
            matches = match(scenes, found, class_count=len(self.source.classes))
            matches.save(folder / "matches.npz")
            np.savez(folder / "detections.npz", **pack_detections(found))
            return {"map50": compute_map(matches), "images": len(scenes), "errors": errors}

        inputs = {"package": package, "batch": batch, "code": code_of("inference", "evaluation", "matching")}
        return self.store.do("evaluation", inputs, run)

    def evaluate(self, package: str, batches: Sequence[str]) -> Evaluated:
        """mAP50 of a package on labelled batches, with its interval."""
        works = [self.evaluated(package, batch) for batch in batches]

        def run(folder: Path) -> dict[str, Any]:
            matches = pool_matches([Matches.load(work.folder / "matches.npz") for work in works])
            estimate = compute_map_interval(matches, self._resamples, np.random.default_rng(0), self._confidence)
            return {"value": estimate.value, "low": estimate.low, "high": estimate.high}

        inputs = {"of": [work.key for work in works], "resamples": self._resamples, "confidence": self._confidence}
        work = self.store.do("estimate", inputs | {"code": code_of("evaluation")}, run)
        seconds = work.seconds + sum(part.seconds for part in works)
        images = sum(part.outputs["images"] for part in works)
        values = work.outputs
        return Evaluated(seconds, values["value"], values["low"], values["high"], images, work.key)

    def compare(self, candidate: str, champion: str, batches: Sequence[str]) -> Compared:
        """The gate: a candidate is refused if it is worse than the champion by more than the margin, for certain."""
        pairs = [(self.evaluated(candidate, batch), self.evaluated(champion, batch)) for batch in batches]
        margin = self.scenario.controls["gate_margin"]

        def run(folder: Path) -> dict[str, Any]:
            first, second = (
                pool_matches([Matches.load(pair[side].folder / "matches.npz") for pair in pairs]) for side in (0, 1)
            )
            estimate = compare_map(first, second, self._resamples, np.random.default_rng(0), self._confidence)
            return {"value": estimate.value, "low": estimate.low, "high": estimate.high}

        inputs = {
            "pairs": [[first.key, second.key] for first, second in pairs],
            "resamples": self._resamples,
            "confidence": self._confidence,
            "code": code_of("evaluation"),
        }
        work = self.store.do("comparison", inputs, run)
        low, high = work.outputs["low"], work.outputs["high"]
        passed = high >= -margin
        reason = "" if passed else f"mAP50 is at least {-high:.3f} below the champion's, and {margin:.3f} is allowed"
        return Compared(work.seconds, work.outputs["value"], low, high, passed, reason)

    @property
    def _resamples(self) -> int:
        return int(self.scenario.controls["resamples"])

    @property
    def _confidence(self) -> float:
        return float(self.scenario.controls["confidence"])


def _label(key: str) -> str:
    """What a training is called in W&B: after its work, since several arms may share it."""
    return f"training-{key[:10]}"
