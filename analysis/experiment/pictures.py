"""What the experiment's figures are drawn from: outcomes and logs brought into the form that `analysis.plots` takes.

Times are virtual days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.experiment.arms import ARMS
from analysis.experiment.comparison import difference_unit
from analysis.experiment.design import list_world, order_arms
from analysis.experiment.display import OUTCOME_NAMES
from analysis.experiment.matching import compute_overlaps
from analysis.experiment.outcomes import OUTCOMES, PRIMARY, Run, compute_degradations
from analysis.experiment.scenario import FAULTY, KIND_NAMES, WORLD_KINDS
from analysis.plots.grids import BoxedImage, draw_boxed_images, draw_share_matrix
from analysis.plots.paired import draw_paired_differences
from analysis.plots.timeline import draw_curves, draw_timeline

REASONS = {
    "quality": "degraded: quality",
    "errors": "degraded: errors",
    "latency": "degraded: latency",
    "several": "degraded: several",
}
MARKS = {"detected": "noticed", "restored": "restored", "deployed": "deployment", "taken back": "rollback"}
WORLD_WORDS = {"sudden_drift": "sudden drift", "gradual_drift": "gradual drift", "concept_change": "new product"}

SHOWN_FROM = 0.25
"""Confidence from which a detection is drawn into a picture."""


def choose_typical_seed(outcomes: pd.DataFrame) -> int:
    """The seed to show: the one whose degraded time, all declared arms together, is the median of the seeds.

    With an even number of seeds the lower of the two in the middle; of equal ones the smallest.
    """
    declared = outcomes[outcomes["arm"].isin(list(ARMS))]
    total = declared.groupby("seed")["degraded_share"].sum().reset_index()
    ordered = total.sort_values(["degraded_share", "seed"], ignore_index=True)
    return int(ordered["seed"].iloc[(len(ordered) - 1) // 2])


def draw_incidents(run: Run, seed: int) -> Figure:
    """Timeline of one seed: every declared arm a lane, degradations in truth, alarms, restorations, deployments."""
    lanes = {arm: arm for arm in order_arms(run.arms) if arm in ARMS}
    bars, marks = collect_timeline(run, seed)
    world = list_world(run)
    world = world[world["seed"] == seed]
    return draw_timeline(
        bars[bars["lane"].isin(list(lanes))],
        marks[marks["lane"].isin(list(lanes))],
        pd.DataFrame({"time": world["time_h"] / 24, "label": world["kind"].map(WORLD_WORDS)}),
        lanes=lanes,
        reasons=REASONS,
        kinds=MARKS,
        end=run.horizon_h / 24,
    )


def collect_timeline(run: Run, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bars and marks of `draw_timeline` for one seed.

    Noticed is the moment from which somebody or something dealt with a degradation, so a degradation that began
    while its cause was being dealt with is noticed at its start.
    """
    down = compute_degradations(run)
    down = down[down["seed"] == seed]
    reason = down["reasons"].where(~down["reasons"].str.contains("+", regex=False), "several")
    bars = pd.DataFrame(
        {"lane": down["arm"], "start": down["start_h"] / 24, "end": down["end_h"] / 24, "reason": reason}
    )
    noticed = down[down["detect_hours"].notna()]
    ended = down[~down["censored"]]
    events = run.events[run.events["seed"] == seed]
    parts = [
        (noticed["arm"], noticed["start_h"] + noticed["detect_hours"], "detected"),
        (ended["arm"], ended["end_h"], "restored"),
    ]
    for kind, words in (("service.upgraded", "deployed"), ("service.rolledback", "taken back")):
        chosen = events[events["type"] == kind]
        parts.append((chosen["arm"], chosen["time_h"], words))
    marks = [pd.DataFrame({"lane": arm, "time": time / 24, "kind": kind}) for arm, time, kind in parts]
    return bars.reset_index(drop=True), pd.concat(marks, ignore_index=True)


def draw_quality(run: Run, quality: pd.DataFrame) -> Figure:
    """Production mAP50 over time, a panel an arm, a line a seed, with the target; from `compute_quality`."""
    arms = [arm for arm in order_arms(run.arms) if arm in ARMS]
    curves = pd.DataFrame(
        {
            "panel": quality["arm"],
            "series": quality["seed"],
            "time": quality["time_h"] / 24,
            "value": quality["map50_pooled"],
        }
    )
    return draw_curves(
        curves[curves["panel"].isin(arms)],
        panels={arm: arm for arm in arms},
        end=run.horizon_h / 24,
        axis_title="mAP50 in production",
        target=float(quality["target"].median()),
        target_label="service level",
    )


def compute_stopped(changes: pd.DataFrame, arms: Sequence[str]) -> pd.DataFrame:
    """Faulty changes and batches by kind and arm: how many there were, and which stage stopped them before production.

    Returns
    -------
    DataFrame
        ``row`` (kind), ``column`` (arm), ``count``, ``stopped``, ``share`` (missing where there were none), ``text``.
    """
    rows = []
    for kind in FAULTY:
        if kind in WORLD_KINDS:
            continue
        for arm in arms:
            mine = changes[(changes["kind"] == kind) & (changes["arm"] == arm)]
            stopped = mine[mine["stopped_before"]]
            by = stopped["refused_by"].str.split("+").str[0].value_counts()
            stages = ", ".join(f"{stage} {count}" if len(by) > 1 else str(stage) for stage, count in by.items())
            rows.append(
                {
                    "row": kind,
                    "column": arm,
                    "count": len(mine),
                    "stopped": len(stopped),
                    "share": len(stopped) / len(mine) if len(mine) else np.nan,
                    "text": f"{len(stopped)} of {len(mine)}" + (f"\n{stages}" if stages else ""),
                }
            )
    return pd.DataFrame(rows)


def draw_stopped(run: Run, changes: pd.DataFrame) -> Figure:
    """Matrix of `compute_stopped`: kinds by declared arms."""
    arms = [arm for arm in order_arms(run.arms) if arm in ARMS]
    cells = compute_stopped(changes, arms)
    return draw_share_matrix(
        cells,
        rows={kind: KIND_NAMES[kind] for kind in dict.fromkeys(cells["row"])},
        columns={arm: arm for arm in arms},
        bar_label="Stopped before production",
    )


def draw_differences(comparisons: pd.DataFrame) -> Figure:
    """Paired differences of every outcome, a panel each; primary outcomes carry an asterisk."""
    rows = pd.DataFrame(
        [
            {
                "panel": OUTCOME_NAMES[row["outcome"]] + ("*" if row["outcome"] in PRIMARY else ""),
                "label": f"{row['first']} − {row['second']}",
                "value": _or_missing(row["shift"], "value"),
                "low": _or_missing(row["shift"], "low"),
                "high": _or_missing(row["shift"], "high"),
                "differences": row["differences"],
                "unit": difference_unit(OUTCOMES[row["outcome"]][1]),
            }
            for _, row in comparisons.iterrows()
        ]
    )
    confidence = comparisons.attrs["confidence"]
    return draw_paired_differences(rows, interval_label=f"{100 * confidence:g}% interval")


def _or_missing(shift, name: str) -> float:
    value = None if shift is None else getattr(shift, name)
    return np.nan if value is None else float(value)


# ---- predictions -----------------------------------------------------------------------------


def draw_predictions(run: Run) -> Figure:
    """Pictures from production: the start, which all arms share, and the worst window of every declared arm.

    They are of the first seed, the one of which a recording keeps pictures.
    """
    arms = [arm for arm in order_arms(run.arms) if arm in ARMS]
    rows = []
    for arm in arms:
        images, about = _load_samples(run, arm)
        worst = min(range(len(about["rows"])), key=lambda place: about["rows"][place]["map50"])
        for place in [0, worst] if arm == arms[0] and worst else [worst]:
            row = about["rows"][place]
            whose = "All arms, at the start" if place == 0 and arm == arms[0] else f"{arm}, worst window"
            heading = f"{whose}: day {row['time_h'] / 24:.1f}, mAP50 {row['map50']:.2f}"
            pictures = [_boxed(images[place][n], entry) for n, entry in enumerate(row["images"])]
            rows.append((heading, pictures))
    return draw_boxed_images(rows)


def _load_samples(run: Run, arm: str) -> tuple[list[list[np.ndarray]], Mapping]:
    """Pictures by row and place, and what ``samples.json`` says of them; live and recorded runs keep them apart."""
    place = run.folder / f"{arm}-{run.seeds[0]}"
    place = place / "samples" if (place / "samples").is_dir() else place
    try:
        about = json.loads((place / "samples.json").read_text(encoding="utf-8"))
        sheet = cv2.imdecode(np.frombuffer((place / "samples.png").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, ValueError) as error:
        problem = Problem(relative(place), str(error), "play the run again, or choose another recording")
        raise InputError("The run has no pictures.", [problem]) from None
    size, sheet = about["size"], cv2.cvtColor(sheet, cv2.COLOR_BGR2RGB)
    rows = [
        [sheet[r * size : (r + 1) * size, c * size : (c + 1) * size] for c in range(len(row["images"]))]
        for r, row in enumerate(about["rows"])
    ]
    return rows, about


def _boxed(image: np.ndarray, entry: Mapping) -> BoxedImage:
    """A picture with its boxes; a detection is right if an object of its class, not found yet, overlaps by half."""
    true = np.asarray(entry["true"]["boxes"], dtype=float).reshape(-1, 4)
    found = entry["found"]
    shown = [n for n in np.argsort(found["confidences"])[::-1] if found["confidences"][n] >= SHOWN_FROM]
    right, wrong, free = [], [], set(range(len(true)))
    for n in shown:
        box = np.asarray(found["boxes"][n], dtype=float)
        overlaps = compute_overlaps(true, box[None])[:, 0]
        match = [k for k in free if entry["true"]["classes"][k] == found["classes"][n] and overlaps[k] >= 0.5]
        if match:
            free.discard(max(match, key=overlaps.__getitem__))
        (right if match else wrong).append(box)
    caption = f"{len(right)} of {len(true)} found, {len(wrong)} false"
    return BoxedImage(image, true, np.reshape(right, (-1, 4)), np.reshape(wrong, (-1, 4)), caption)
