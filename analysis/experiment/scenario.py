"""What happens to the project under study: a seeded stream of events over virtual weeks.

The stream is the same for every arm. It holds what somebody does to code, configuration or data, with or
without a defect, and what the world does to the line. Nothing here knows what an arm makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.scenes import Domain

CODE_KINDS = (
    "benign_change",
    "preprocessing_bug",
    "silent_label_bug",
    "silent_serving_bug",
    "latency_regression",
    "crash",
    "bad_hyperparameters",
)
BATCH_KINDS = ("good_batch", "broken_batch", "mislabelled_batch")
WORLD_KINDS = ("sudden_drift", "gradual_drift", "concept_change")
KINDS = CODE_KINDS + BATCH_KINDS + WORLD_KINDS
FAULTY = tuple(kind for kind in KINDS if kind not in ("benign_change", "good_batch"))
"""Kinds that harm production if nothing stops or answers them."""

KIND_NAMES: dict[str, str] = {
    "benign_change": "benign change",
    "preprocessing_bug": "bug that unit tests catch",
    "silent_label_bug": "silent bug in labels",
    "silent_serving_bug": "silent bug in serving",
    "latency_regression": "latency regression",
    "crash": "crash on some images",
    "bad_hyperparameters": "bad hyper-parameters",
    "good_batch": "good data batch",
    "broken_batch": "batch that breaks the schema",
    "mislabelled_batch": "mislabelled batch",
    "sudden_drift": "sudden drift",
    "gradual_drift": "gradual drift",
    "concept_change": "new product generation",
}

_SECTIONS: dict[str, dict[str, tuple[float, float]]] = {
    "data": {
        "initial_images": (8, 1e6),
        "acceptance_images": (4, 1e6),
        "batch_images": (4, 1e6),
        "response_images": (6, 1e6),
        "response_held": (0.05, 0.9),
        "mislabelled_share": (0, 1),
    },
    "production": {"every_h": (0.5, 168), "images": (4, 1e5), "window_h": (0.01, 24), "labelled": (1, 1e5)},
    "service_level": {"quality_share": (0, 1), "error_share": (0, 1), "latency_p95_s": (0.001, 60)},
    "controls": {
        "gate_margin": (0, 1),
        "confidence": (0.5, 0.999),
        "resamples": (50, 1e5),
        "canary_share": (0.01, 0.5),
        "canary_h": (0, 168),
        "false_alarms_per_window": (1e-4, 0.5),
        "rollback_within_h": (0, 1e4),
        "smoke_requests": (1, 100),
    },
}
_TOP = {"weeks": (0.1, 104), "quiet_h": (0, 1e3), "settle_h": (0, 1e3), "ramp_h": (1, 1e3)}


@dataclass(frozen=True, slots=True)
class Happening:
    """One event of the stream.

    Attributes
    ----------
    number : int
        Position in the stream, from 1.
    time_h : float
        Virtual hours since the start.
    kind : str
        One of `KINDS`.
    variant : int
        Which of the kind's changes or domains; from 0.
    """

    number: int
    time_h: float
    kind: str
    variant: int

    @property
    def name(self) -> str:
        """``chg-003``, ``batch-004`` or ``world-005``."""
        prefix = "chg" if self.kind in CODE_KINDS else "batch" if self.kind in BATCH_KINDS else "world"
        return f"{prefix}-{self.number:03d}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """The scenario file as read; see ``data/experiment/scenario.yaml`` for the meaning of each value."""

    start: datetime
    weeks: float
    events_per_week: Mapping[str, float]
    quiet_h: float
    settle_h: float
    ramp_h: float
    data: Mapping[str, float]
    production: Mapping[str, float]
    service_level: Mapping[str, float]
    controls: Mapping[str, float]
    script: tuple[tuple[float, str, int], ...] = field(default=())
    """Time, kind and variant of every event, instead of drawn ones: for tests and teaching."""

    @property
    def horizon_h(self) -> float:
        return 168.0 * self.weeks

    def moment(self, time_h: float) -> datetime:
        """Virtual hours as a point in virtual time, to the millisecond."""
        return self.start + timedelta(milliseconds=round(time_h * 3_600_000))


def load_scenario(path: Path, changes: Mapping[str, Any] | None = None) -> Scenario:
    """Read and check a scenario file.

    Parameters
    ----------
    path : Path
    changes : mapping, optional
        Values of a profile that replace those of the file, nested as in the file.

    Raises
    ------
    InputError
        Not YAML, unknown or missing keys, values of the wrong kind or out of bounds; all at once.
    """
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "restore or correct it")]) from None
    merged = _merge(content if isinstance(content, dict) else {}, changes or {})
    problems = list(_violations(merged, where))
    if problems:
        raise InputError(f"{where} does not describe a scenario.", problems)
    start = merged["start"]
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    return Scenario(**(merged | {"start": start, "script": tuple(map(tuple, merged.get("script", ())))}))


def _merge(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(value, Mapping) and isinstance(old, Mapping) else value
    return merged


def _violations(content: Mapping[str, Any], where: str):
    known = {"start", "events_per_week", "script", *_TOP, *_SECTIONS}
    for key in sorted(set(content) - known, key=str):
        yield Problem(f"{where}, {key}", "unknown key", f"one of: {', '.join(sorted(known))}")
    if not isinstance(content.get("start"), datetime):
        yield Problem(f"{where}, start", f"got {content.get('start')!r}", "a time such as 2026-01-05T08:00:00Z")
    for key, bounds in _TOP.items():
        yield from _bounded(content.get(key), bounds, f"{where}, {key}")
    for section, keys in _SECTIONS.items():
        values = content.get(section)
        if not isinstance(values, Mapping):
            yield Problem(f"{where}, {section}", "missing or not a table", f"give {', '.join(keys)}")
            continue
        for key in sorted(set(values) - set(keys), key=str):
            yield Problem(f"{where}, {section}.{key}", "unknown key", f"one of: {', '.join(keys)}")
        for key, bounds in keys.items():
            yield from _bounded(values.get(key), bounds, f"{where}, {section}.{key}")
    rates = content.get("events_per_week")
    if not isinstance(rates, Mapping):
        yield Problem(f"{where}, events_per_week", "missing or not a table", f"kinds: {', '.join(KINDS)}")
        rates = {}
    for kind, rate in rates.items():
        if kind not in KINDS:
            yield Problem(f"{where}, events_per_week.{kind}", "unknown kind", f"one of: {', '.join(KINDS)}")
        yield from _bounded(rate, (0, 100), f"{where}, events_per_week.{kind}")
    script = content.get("script", ())
    for item in script if isinstance(script, list | tuple) else [script]:
        if not _is_event(item):
            yield Problem(f"{where}, script", f"got {item!r}", "time_h from 0, kind, variant (a whole number from 0)")


def _is_event(item: Any) -> bool:
    if not isinstance(item, list | tuple) or len(item) != 3:
        return False
    time_h, kind, variant = item
    times = isinstance(time_h, int | float) and not isinstance(time_h, bool) and 0 <= time_h < math.inf
    return times and kind in KINDS and isinstance(variant, int) and not isinstance(variant, bool) and variant >= 0


def _bounded(value: Any, bounds: tuple[float, float], where: str):
    low, high = bounds
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield Problem(where, f"got {value!r}", f"a number from {low:g} to {high:g}")
    elif not low <= value <= high:
        yield Problem(where, f"{value} is out of bounds", f"a number from {low:g} to {high:g}")


def draw_stream(scenario: Scenario, seed: int) -> tuple[Happening, ...]:
    """The events of one seed, in order of time.

    Each kind comes ``rate × weeks`` times; a fraction left over is rounded at random, so that the mean
    is kept and no seed is empty by chance. Times are uniform between the quiet start and the end that is
    left for things to settle.
    """
    if scenario.script:
        items = sorted(scenario.script)
        return tuple(Happening(i, float(t), kind, int(v)) for i, (t, kind, v) in enumerate(items, start=1))
    rng = np.random.default_rng([seed, 1])
    last_h = max(scenario.quiet_h, scenario.horizon_h - scenario.settle_h)
    drawn = []
    for kind in KINDS:
        wanted = scenario.events_per_week.get(kind, 0.0) * scenario.weeks
        count = math.floor(wanted) + int(rng.random() < wanted - math.floor(wanted))
        variants = int(rng.integers(1_000)) + np.arange(count)
        times = np.sort(rng.uniform(scenario.quiet_h, last_h, count))
        drawn += [(float(t), kind, int(v)) for t, v in zip(times, variants, strict=True)]
    return tuple(Happening(i, t, kind, v) for i, (t, kind, v) in enumerate(sorted(drawn), start=1))


@dataclass(frozen=True, slots=True)
class WorldStep:
    """One change of the line: from ``time_h`` on, over ``ramp_h`` hours, towards ``domain``."""

    name: str
    time_h: float
    ramp_h: float
    domain: Domain


@dataclass(frozen=True, slots=True)
class World:
    """The conditions on the line at every time."""

    steps: tuple[WorldStep, ...]
    baseline: Domain = field(default_factory=Domain)

    def domain(self, time_h: float) -> Domain:
        """Conditions at ``time_h``; each step starts from wherever the line was and advances by whole hours.

        So seconds that a stage took longer on one machine than on another show it no other line.
        """
        now = self.baseline
        for step in self.steps:
            if time_h < step.time_h:
                break
            share = 1.0 if step.ramp_h == 0 else min(1.0, math.floor(time_h - step.time_h) / step.ramp_h)
            now = now.towards(step.domain, share)
        return now

    def changing(self, time_h: float) -> bool:
        """Whether a gradual step is under way."""
        return any(step.time_h <= time_h < step.time_h + step.ramp_h for step in self.steps)
