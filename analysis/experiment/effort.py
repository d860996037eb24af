"""People, as delays: how long until somebody has reviewed, noticed, labelled or decided.

Delays are the only thing in the experiment that is assumed instead of measured. Each is drawn from
``data/experiment/effort.yaml`` by what it is for and not by when it is asked for, so that the same
work waits equally long in every arm (common random numbers), and a resumed run draws the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from scipy.stats import norm

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative

DELAYS: dict[str, str] = {
    "review": "a colleague reads a change",
    "fix": "the author mends a change that was sent back",
    "handover": "work passes from those who built it to those who run it",
    "deployment_window": "wait for the day on which deployments are allowed",
    "manual_deployment": "somebody deploys by hand",
    "manual_training": "somebody gets to training with new data",
    "notice_outage": "users report errors or slowness",
    "notice_quality": "users report wrong results",
    "notice_failure": "users report that next to nothing is found",
    "respond": "somebody on call looks at an alarm",
    "diagnosis_untracked": "finding the cause without records of how the model was made",
    "diagnosis_tracked": "finding the cause with such records",
    "data_recovery": "sorting bad data out of an unversioned pool",
    "model_recovery": "finding the last good model where no registry knows it",
    "batch_repair": "the supplier mends a batch that was refused",
    "labelling_queue": "wait for an annotator",
    "labelling_image": "an annotator labels one image",
    "quality_labels": "the labels of a production window come in",
    "retraining_request": "somebody asks for a new model and gets the means",
}
"""Name of every delay and what somebody does in it."""

_KINDS = {"lognormal": ("median", "p90"), "weekly": ("day", "hour"), "fixed": ("value",)}
_Z90 = float(norm.ppf(0.9))


@dataclass(frozen=True, slots=True)
class Delay:
    """One entry of the effort file: ``unit`` is h or s, ``values`` belong to ``distribution``."""

    name: str
    unit: str
    distribution: str
    values: Mapping[str, float]
    source: str

    @property
    def assumed(self) -> bool:
        """Whether the whole entry is an assumption."""
        return self.source.strip() == "assumption"

    @property
    def text(self) -> str:
        """The distribution in words."""
        values = self.values
        if self.distribution == "lognormal":
            return f"median {values['median']:g} {self.unit}, nine of ten below {values['p90']:g} {self.unit}"
        if self.distribution == "weekly":
            day = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")[int(values["day"])]
            return f"{day}s at {int(values['hour']):02d}:00 UTC"
        return f"{values['value']:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Effort:
    """All delays of a run.

    Attributes
    ----------
    delays : mapping of str to Delay
    seed : int
        Of the arm-run; the same for every arm of a pair.
    scale : float
        Factor on all drawn delays (not on the weekly window), for the sensitivity analysis.
    """

    delays: Mapping[str, Delay]
    seed: int = 0
    scale: float = 1.0

    def hours(self, name: str, about: str, moment: datetime) -> float:
        """Hours that the delay ``name`` takes when it concerns ``about`` and begins at ``moment``."""
        delay = self.delays[name]
        values = delay.values
        if delay.distribution == "weekly":
            return _until(moment, int(values["day"]), int(values["hour"]))
        if delay.distribution == "fixed":
            amount = values["value"]
        else:
            sigma = math.log(values["p90"] / values["median"]) / _Z90
            amount = values["median"] * math.exp(sigma * self._normal(name, about))
        return self.scale * amount / (3600 if delay.unit == "s" else 1)

    def _normal(self, name: str, about: str) -> float:
        digest = hashlib.sha256(f"{self.seed}/{name}/{about}".encode()).digest()
        return float(np.random.default_rng(list(digest[:16])).standard_normal())


def _until(moment: datetime, day: int, hour: int) -> float:
    start = moment.replace(hour=hour, minute=0, second=0, microsecond=0)
    start += timedelta(days=(day - moment.weekday()) % 7)
    if start < moment:
        start += timedelta(days=7)
    return (start - moment).total_seconds() / 3600


def load_delays(path: Path) -> dict[str, Delay]:
    """Read and check the effort file.

    Raises
    ------
    InputError
        An unknown or missing delay, a unit, distribution or value that does not fit, or no source;
        all at once.
    """
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "restore or correct it")]) from None
    content = content if isinstance(content, dict) else {}
    problems = [
        Problem(f"{where}, {name}", "unknown delay", f"one of: {', '.join(DELAYS)}")
        for name in content
        if name not in DELAYS
    ]
    delays = {}
    for name in DELAYS:
        found = list(_violations(content.get(name), f"{where}, {name}"))
        problems += found
        if not found:
            entry = content[name]
            (kind,) = set(entry) & set(_KINDS)
            delays[name] = Delay(name, entry["unit"], kind, dict(entry[kind]), entry["source"])
    if problems:
        raise InputError(f"{where} does not describe the delays.", problems)
    return delays


def _violations(entry: Any, where: str):
    if not isinstance(entry, Mapping):
        yield Problem(where, "missing or not a table", "give unit, one distribution and source")
        return
    kinds = set(entry) & set(_KINDS)
    if entry.get("unit") not in ("h", "s"):
        yield Problem(f"{where}.unit", f"got {entry.get('unit')!r}", "h or s")
    if not str(entry.get("source") or "").strip():
        yield Problem(f"{where}.source", "no source", "say where it comes from, or write: assumption")
    for key in sorted(set(entry) - {"unit", "source", *_KINDS}, key=str):
        yield Problem(f"{where}.{key}", "unknown key", f"unit, source and one of: {', '.join(_KINDS)}")
    if len(kinds) != 1:
        yield Problem(where, f"{len(kinds)} distributions", f"exactly one of: {', '.join(_KINDS)}")
        return
    (kind,) = kinds
    values = entry[kind]
    if not isinstance(values, Mapping) or set(values) != set(_KINDS[kind]):
        yield Problem(f"{where}.{kind}", f"got {values!r}", f"give {' and '.join(_KINDS[kind])}")
        return
    numbers = [value for value in values.values() if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != len(values) or not all(0 <= number < math.inf for number in numbers):
        yield Problem(f"{where}.{kind}", f"got {dict(values)!r}", "numbers that are not negative")
    elif kind == "lognormal" and not 0 < values["median"] < values["p90"]:
        yield Problem(f"{where}.lognormal", f"got {dict(values)!r}", "0 < median < p90")
    elif kind == "weekly" and not (values["day"] in range(7) and values["hour"] in range(24)):
        yield Problem(f"{where}.weekly", f"got {dict(values)!r}", "day 0 to 6, hour 0 to 23")
