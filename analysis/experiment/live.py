"""The live executor: `LiveBuild`, and everything that needs a served model.

One server process serves an arm-run; deployments are hot swaps in it. It is started when something has to
be asked that was never asked before, so that a run whose work is all done needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analysis.experiment.batches import JPEG_QUALITY, read_batch
from analysis.experiment.drift_detector import DriftDetector
from analysis.experiment.evaluation import Matches, compute_map, match, pool
from analysis.experiment.identity import code_of, seed_of
from analysis.experiment.image_statistics import FEATURES, OUTPUT_FEATURES, input_statistics, output_statistics
from analysis.experiment.inference import from_answers, pack_detections, unpack_detections
from analysis.experiment.live_build import LiveBuild
from analysis.experiment.monitoring import QualityDetector, ServiceDetector, compare_canary
from analysis.experiment.scenes import Domain, Scene
from analysis.experiment.server_process import Answer, ModelServer, ServingError
from analysis.experiment.stages import Checked, Observed, Verdict
from analysis.experiment.work import Work

CONCURRENCY = 2
"""Requests under way at once while production is watched."""

CANARY_SLOWDOWN = 2.0
CANARY_FALSE_ALARMS = 0.01


class LiveStages(LiveBuild):
    """Every stage really done; a context manager, since there may be a server to stop."""

    _server: ModelServer | None = None
    _serving: str = ""
    """What the server process serves, where there is one."""
    _deployed: str = ""
    """What the arm has in production: the server is brought there when it is needed."""

    def __enter__(self) -> LiveStages:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _ensure(self, package: str) -> ModelServer:
        """The server, with this package in service."""
        if self._server is not None and not self._server.alive:
            self._server.stop()
            self._server = None
        if self._server is None:
            self._server = ModelServer(self.packages[package], root=self.store.root)
            self._server.start()
        elif self._serving != package:
            self._server.swap(self.packages[package])
        self._serving = package
        return self._server

    def _serving_inputs(self, package: str) -> dict[str, Any]:
        return {"package": package, "server": code_of("serving", "served", "limits", "image_input")}

    # ---- deployment ------------------------------------------------------------------------------

    def deploy(self, package: str) -> Checked:
        """Swap the server to a package while it serves; a package that does not load is refused."""
        before = self._deployed

        def act(_: Path) -> dict[str, str]:
            try:
                if before:
                    self._ensure(before)
                self._ensure(package)
            except ServingError as error:
                return {"failure": str(error).splitlines()[0]}
            return {"failure": ""}

        work = self.store.do("deployment", self._serving_inputs(package) | {"before": before}, act)
        if not work.outputs["failure"]:
            self._deployed = package
        return Checked(work.seconds, not work.outputs["failure"], work.outputs["failure"])

    def smoke_test(self, package: str) -> Checked:
        """Load the package beside the one in service and send it a few known images; the same one passes."""
        batch = next(iter(self.batches))
        count = int(self.scenario.controls["smoke_requests"])
        if package == self._deployed:
            return Checked(0.0, True, "")

        def run(_: Path) -> dict[str, str]:
            images = [image.path.read_bytes() for image in read_batch(self.batches[batch])[:count]]
            server = self._ensure(self._deployed)
            try:
                server.candidate(self.packages[package], 1.0)
                answers = server.inspect_many(images, concurrency=1)
                server.withdraw()
            except ServingError as error:
                return {"failure": str(error).splitlines()[0]}
            bad = [answer for answer in answers if answer.status != 200]
            return {"failure": f"{len(bad)} of {len(answers)} requests: {bad[0].message}" if bad else ""}

        inputs = self._serving_inputs(package) | {"batch": batch, "requests": count}
        work = self.store.do("smoke_test", inputs, run)
        return Checked(work.seconds, not work.outputs["failure"], work.outputs["failure"])

    def canary(self, package: str, stable: str, domain: Domain, window: str) -> Checked:
        """Give the package a share of the production stream and compare errors and latency; the same one passes."""
        share = self.scenario.controls["canary_share"]
        count = int(self.scenario.production["images"])
        if package == stable:
            return Checked(0.0, True, "")

        def run(_: Path) -> dict[str, Any]:
            scenes = self._stream(domain, window, count)
            server = self._ensure(stable)
            try:
                server.candidate(self.packages[package], share)
                answers = server.inspect_many(_encode(scenes), CONCURRENCY, _names(window, count))
                server.withdraw()
            except ServingError as error:
                return {"alarm": True, "reason": str(error).splitlines()[0], "requests": [0, 0]}
            sides = [[answer for answer in answers if (answer.package == package) == new] for new in (False, True)]
            verdict = compare_canary(*sides, slowdown=CANARY_SLOWDOWN, false_alarms=CANARY_FALSE_ALARMS)
            return {"alarm": verdict.alarm, "reason": verdict.reason, "requests": [len(side) for side in sides]}

        inputs = self._serving_inputs(package) | self._stream_inputs(domain, window, count) | {"stable": stable}
        work = self.store.do("canary", inputs | {"share": share, "code": code_of("monitoring")}, run)
        alarm = work.outputs["alarm"]
        return Checked(work.seconds, not alarm, work.outputs["reason"] if alarm else "")

    # ---- production ------------------------------------------------------------------------------

    def _stream(self, domain: Domain, window: str, count: int) -> list[Scene]:
        return self.source.scenes("production", domain, seed_of(window), count, self.settings.image_size)

    def _stream_inputs(self, domain: Domain, window: str, count: int) -> dict[str, Any]:
        return {
            "source": self.source.digest,
            "domain": asdict(domain),
            "window": window,
            "images": count,
            "size": self.settings.image_size,
            "jpeg_quality": JPEG_QUALITY,
            "concurrency": CONCURRENCY,
        }

    def observe(self, package: str, domain: Domain, window: str) -> Observed:
        """Send a window of the production stream to the server; judge the answers by the true labels."""
        count = int(self.scenario.production["images"])

        def run(folder: Path) -> dict[str, Any]:
            scenes = self._stream(domain, window, count)
            server = self._ensure(package)
            files = _encode(scenes)
            answers = server.inspect_many(files, CONCURRENCY, _names(window, count))
            return self._keep_window(folder, scenes, files, answers)

        inputs = self._serving_inputs(package) | self._stream_inputs(domain, window, count)
        work = self.store.do("window", inputs | {"code": code_of("evaluation", "image_statistics")}, run)
        self.windows[work.key] = work
        values = work.outputs
        return Observed(
            work.seconds,
            count,
            values["map50"],
            values["error_share"],
            values["latency_p95_s"],
            values["confidence"],
            work.key,
        )

    def _keep_window(
        self, folder: Path, scenes: Sequence[Scene], files: Sequence[bytes], answers: Sequence[Answer]
    ) -> dict[str, Any]:
        classes = self.source.classes
        found = from_answers([answer.detections for answer in answers], classes)
        matches = match(scenes, found, class_count=len(classes))
        matches.save(folder / "matches.npz")
        labelled = int(self.scenario.production["labelled"])
        match(scenes[:labelled], found[:labelled], len(classes)).save(folder / "labelled.npz")
        statuses = np.array([answer.status for answer in answers])
        seconds = np.array([answer.seconds for answer in answers])
        np.savez(
            folder / "window.npz",
            inputs=input_statistics([cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR) for file in files]),
            outputs=output_statistics(found),
            statuses=statuses,
            seconds=seconds,
        )
        np.savez(folder / "detections.npz", **pack_detections(found))
        good = seconds[statuses == 200]
        best = [item.confidences.max() for item in found if len(item.confidences)]
        return {
            "map50": compute_map(matches),
            "error_share": float(np.mean((statuses >= 500) | (statuses == 0))),
            "latency_p95_s": float(np.quantile(good, 0.95)) if len(good) else 0.0,
            "confidence": float(np.mean(best)) if best else 0.0,
        }

    def _window(self, key: str) -> Work:
        return self.windows[key]

    def pooled_map50(self, windows: Sequence[str]) -> float:
        """mAP50 over the images of several windows together."""
        if len(windows) == 1:
            return self._window(windows[0]).outputs["map50"]

        def run(_: Path) -> dict[str, float]:
            joined = pool([Matches.load(self._window(key).folder / "matches.npz") for key in windows])
            return {"map50": compute_map(joined)}

        inputs = {"windows": list(windows), "code": code_of("evaluation")}
        return self.store.do("pooled_windows", inputs, run).outputs["map50"]

    # ---- detectors -------------------------------------------------------------------------------

    def service_verdict(self, window: str) -> Verdict:
        """Errors and latency of one window."""
        level = self.scenario.service_level
        rate = self.scenario.controls["false_alarms_per_window"]

        def run(_: Path) -> dict[str, Any]:
            data = np.load(self._window(window).folder / "window.npz")
            detector = ServiceDetector(level["error_share"], level["latency_p95_s"], rate)
            return _plain(detector.update(data["statuses"].tolist(), data["seconds"].tolist()))

        inputs = {"window": window, "level": dict(level), "rate": rate, "code": code_of("monitoring")}
        return _verdict(self.store.do("service_verdict", inputs, run))

    def drift_verdict(self, reference: str, package: str, windows: Sequence[str]) -> Verdict:
        """Images and output of all windows since the reference was taken, the last one just in.

        Two charts share the stated rate: one of the images, one of what the model makes of them. The second
        starts anew with every package, whose output on the reference is what is usual for it.
        """
        rate = self.scenario.controls["false_alarms_per_window"]
        own = [key for key in windows if self._window(key).record["inputs"]["package"] == package]
        evaluated = self.evaluated(package, reference)

        def run(_: Path) -> dict[str, Any]:
            verdicts = [
                self._chart("inputs", reference, evaluated, list(windows), rate / 2),
                self._chart("outputs", reference, evaluated, own, rate / 2),
            ]
            worst = max(verdicts, key=lambda verdict: (verdict["alarm"], verdict["statistic"] / verdict["limit"]))
            return worst

        inputs = {
            "reference": evaluated.key,
            "windows": list(windows),
            "own": own,
            "rate": rate,
            "code": code_of("drift_detector", "verdicts", "image_statistics"),
        }
        return _verdict(self.store.do("drift_verdict", inputs, run))

    def _chart(self, what: str, reference: str, evaluated: Work, windows: list[str], rate: float) -> dict[str, Any]:
        """Feed a chart with the windows that it has not seen yet; begin again where the past is another."""
        name = (what, evaluated.key if what == "outputs" else reference)
        detector, seen = self.charts.get(name, (None, []))
        if detector is None or windows[: len(seen)] != seen or len(seen) == len(windows):
            if what == "inputs":
                images = [cv2.imread(str(image.path)) for image in read_batch(self.batches[reference])]
                rows, features = input_statistics(images), FEATURES
            else:
                found = unpack_detections(np.load(evaluated.folder / "detections.npz"))
                rows, features = output_statistics(found), OUTPUT_FEATURES
            images_in_window = int(self.scenario.production["images"])
            detector, seen = DriftDetector(rows, images_in_window, rate, 0, features=features), []
        for key in windows[len(seen) :]:
            verdict = detector.update(np.load(self._window(key).folder / "window.npz")[what])
        self.charts[name] = (detector, list(windows))
        return _plain(verdict)

    def quality_verdict(self, target: float, windows: Sequence[str]) -> Verdict:
        """Labels of a sample of the last windows, held against the target."""
        labelled = int(self.scenario.production["labelled"])

        def run(_: Path) -> dict[str, Any]:
            detector = QualityDetector(
                target, windows=len(windows), confidence=self._confidence, resamples=self._resamples
            )
            for key in windows:
                verdict = detector.update(Matches.load(self._window(key).folder / "labelled.npz"))
            return _plain(verdict)

        inputs = {
            "target": target,
            "windows": list(windows),
            "labelled": labelled,
            "resamples": self._resamples,
            "confidence": self._confidence,
            "code": code_of("monitoring", "evaluation"),
        }
        return _verdict(self.store.do("quality_verdict", inputs, run))


def _encode(scenes: Sequence[Scene]) -> list[bytes]:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return [cv2.imencode(".jpg", scene.image, quality)[1].tobytes() for scene in scenes]


def _names(window: str, count: int) -> list[str]:
    """Request ids, which decide who is the canary's: the same for the same window."""
    return [f"{seed_of(window):08x}-{number:05d}" for number in range(count)]


def _plain(verdict: Any) -> dict[str, Any]:
    return {
        "alarm": bool(verdict.alarm),
        "statistic": float(verdict.statistic),
        "limit": float(verdict.limit),
        "reason": verdict.reason,
    }


def _verdict(work: Work) -> Verdict:
    values = work.outputs
    return Verdict(work.seconds, values["alarm"], values["statistic"], values["limit"], values["reason"])
