"""How large a run of the experiment is and what it runs on: the profiles in ``data/experiment/profiles.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, relative
from analysis.experiment.arms import parse_arm

FOLDER = DATA / "experiment"
PROFILES = FOLDER / "profiles.yaml"
SCENARIO = FOLDER / "scenario.yaml"
EFFORT = FOLDER / "effort.yaml"


@dataclass(frozen=True, slots=True)
class Settings:
    """One profile.

    Attributes
    ----------
    name : str
    arms : tuple of str
        As `parse_arm` reads them.
    seeds : tuple of int
        Each is played by every arm.
    images : str
        ``rendered``, or a folder with a data set in YOLO, COCO or VOC form.
    image_size : int
        Side of the model's input in pixels, a multiple of 32.
    training_images : int
        At most so many images in a fine-tuning: the newest batch and a sample of what came before.
    first : mapping
        What the first training does differently from the project's ``training.yaml`` (epochs and the like).
    tuning : mapping
        What this profile writes into ``training.yaml``.
    device : str
        ``cpu``, ``auto`` or the index of a GPU.
    jobs : int
        Arm-runs side by side, each with a process of its own; 0 is one for each core.
    threads : int
        CPU threads of one training.
    effort_scale : float
        Factor on what people take.
    scenario : mapping
        Values that replace those of ``scenario.yaml``.
    """

    name: str
    arms: tuple[str, ...] = ("manual", "devops", "mlops")
    seeds: tuple[int, ...] = (1, 2)
    images: str = "rendered"
    image_size: int = 96
    training_images: int = 256
    first: Mapping[str, Any] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    jobs: int = 0
    threads: int = 1
    effort_scale: float = 1.0
    scenario: Mapping[str, Any] = field(default_factory=dict)


def load_settings(name: str, path: Path = PROFILES) -> Settings:
    """Read one profile.

    Raises
    ------
    InputError
        No such profile, unknown keys, values of the wrong kind, or arms that cannot be read.
    """
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "restore or correct it")]) from None
    if not isinstance(content, Mapping) or not isinstance(content.get(name), Mapping):
        known = ", ".join(content) if isinstance(content, Mapping) else "none"
        raise InputError(f"There is no profile '{name}'.", [Problem(where, f"it has: {known}", "choose one of them")])
    return build_settings(name, content[name], f"{where}, {name}")


def find_settings(profile: str, notebook_profiles: Path) -> Settings:
    """The settings that a profile of the notebooks names for the experiment, or the profile of that name itself."""
    path = notebook_profiles / f"{profile}.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return load_settings((values or {}).get("03_experiment", {}).get("profile", profile))


def build_settings(name: str, values: Mapping[str, Any], where: str = "settings") -> Settings:
    """Settings from plain values, checked as in `load_settings`."""
    defaults = Settings(name)
    known = {item.name: getattr(defaults, item.name) for item in fields(Settings) if item.name != "name"}
    problems = []
    taken: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            problems.append(Problem(f"{where}.{key}", "unknown key", f"one of: {', '.join(known)}"))
            continue
        expected = known[key]
        if isinstance(expected, tuple) and isinstance(value, list | tuple):
            value = tuple(value)
        elif isinstance(expected, float) and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        kind = Mapping if isinstance(expected, Mapping) else type(expected)
        if not isinstance(value, kind) or isinstance(value, bool):
            problems.append(Problem(f"{where}.{key}", f"got {value!r}", f"a value like {expected!r}"))
            continue
        taken[key] = value
    settings = Settings(name, **taken)
    for arm in settings.arms:
        try:
            parse_arm(str(arm))
        except InputError as error:
            problems += error.problems
    if not settings.arms or not settings.seeds:
        problems.append(Problem(where, "no arms or no seeds", "give at least one of each"))
    if not all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in settings.seeds):
        problems.append(Problem(f"{where}.seeds", f"got {list(settings.seeds)}", "whole numbers from 0"))
    for name, value, least in (
        ("jobs", settings.jobs, 0),
        ("threads", settings.threads, 1),
        ("training_images", settings.training_images, 8),
        ("effort_scale", settings.effort_scale, 0.01),
    ):
        if not value >= least:
            problems.append(Problem(f"{where}.{name}", f"got {value}", f"{least:g} or more"))
    if settings.image_size % 32 or settings.image_size <= 0:
        problems.append(Problem(f"{where}.image_size", f"got {settings.image_size}", "a multiple of 32"))
    if any(len(set(map(str, listed))) < len(listed) for listed in (settings.arms, settings.seeds)):
        problems.append(Problem(where, "an arm or a seed is listed twice", "list each once"))
    if problems:
        raise InputError(f"{where} does not describe a run.", problems)
    return settings
