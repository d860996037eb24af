"""The design of a run in tables: practices, events, people's delays, as they were when the run was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import yaml

from analysis.experiment.arms import ARMS, PRACTICES, parse_arm
from analysis.experiment.effort import DELAYS, Delay
from analysis.experiment.outcomes import Run
from analysis.experiment.scenario import KIND_NAMES, KINDS
from analysis.experiment.scenes import Domain

KIND_MEANINGS: dict[str, str] = {
    "benign_change": "code that does what it should",
    "preprocessing_bug": "images are prepared wrongly, and the project's own tests see it",
    "silent_label_bug": "labels are converted wrongly for training, and no test sees it",
    "silent_serving_bug": "images are prepared wrongly in the server, and no test sees it",
    "latency_regression": "code that is right and slow",
    "crash": "code that raises an error on some images",
    "bad_hyperparameters": "configuration that spoils the training",
    "good_batch": "new images, labelled well",
    "broken_batch": "new images whose annotations break the schema",
    "mislabelled_batch": "new images whose annotations are valid and wrong",
    "sudden_drift": "the line changes at once: light, lens or camera",
    "gradual_drift": "the line changes over days",
    "concept_change": "a new generation of the product",
}
"""What each kind of event is."""


def order_arms(arms: Sequence[str]) -> list[str]:
    """Declared arms first, in the order in which practices are added; variants of them after."""
    return [arm for arm in ARMS if arm in arms] + [arm for arm in arms if arm not in ARMS]


def build_practice_table(run: Run) -> pd.DataFrame:
    """Practices and the arms that have them: Practice, What it means, one column an arm."""
    arms = [parse_arm(name) for name in order_arms(run.arms)]
    frame = {"Practice": [name.replace("_", " ") for name in PRACTICES], "What it means": list(PRACTICES.values())}
    return pd.DataFrame(
        frame | {arm.name: ["yes" if arm.has(name) else "–" for name in PRACTICES] for arm in arms}, dtype="string"
    )


def build_scenario_table(run: Run) -> pd.DataFrame:
    """Kinds of event: Event, What it is, Rate a week, Drawn (in all seeds of the run together)."""
    rates, drawn = run.scenario["events_per_week"], count_happenings(run)
    return pd.DataFrame(
        [
            {
                "Event": KIND_NAMES[kind],
                "What it is": KIND_MEANINGS[kind],
                "Rate a week": f"{rates.get(kind, 0):g}",
                "Drawn": str(drawn.get(kind, 0)),
            }
            for kind in KINDS
        ]
    )


def count_happenings(run: Run) -> dict[str, int]:
    """How many events of each kind the seeds of a run held; the same for every arm."""
    events = run.events[run.events["arm"] == run.arms[0]]
    code = events.loc[events["type"] == "change.created", "custom"].map(lambda custom: custom.get("kind"))
    data = events.loc[events["type"] == "dataset.changed", "content"]
    data = data[data.map(lambda content: content.get("attempt") == 0)].map(lambda content: content.get("kind"))
    counts = pd.concat([code, data, list_world(run)["kind"]]).value_counts()
    return {kind: int(counts[kind]) for kind in KINDS if kind in counts}


def list_world(run: Run) -> pd.DataFrame:
    """What the world did to the line: ``seed``, ``time_h``, ``kind``, one row a change and seed.

    A step that changes nothing but the product is a new generation of it.
    """
    rows = []
    events = run.events[(run.events["arm"] == run.arms[0]) & (run.events["type"] == "world.changed")]
    for seed, mine in events.groupby("seed"):
        before = asdict(Domain())
        for event in mine.itertuples():
            domain = dict(event.content["domain"])
            only_product = domain.get("new_product", 0) > 0 and domain | {"new_product": 0} == before | {
                "new_product": 0
            }
            ramp = event.content.get("ramp_h", 0) > 0
            kind = "gradual_drift" if ramp else "concept_change" if only_product else "sudden_drift"
            rows.append({"seed": seed, "time_h": event.time_h, "kind": kind})
            before = domain
    return pd.DataFrame(rows, columns=["seed", "time_h", "kind"])


def read_delays(run: Run) -> list[Delay]:
    """The delays as they were when the run was made."""
    delays = []
    for name, entry in yaml.safe_load(run.about["effort"]).items():
        (kind,) = set(entry) - {"unit", "source"}
        delays.append(Delay(name, entry["unit"], kind, dict(entry[kind]), entry["source"]))
    return delays


def build_delay_table(run: Run) -> pd.DataFrame:
    """What people take: Wait, How long, Source."""
    return pd.DataFrame(
        [
            {"Wait": DELAYS.get(delay.name, delay.name), "How long": delay.text, "Source": delay.source}
            for delay in read_delays(run)
        ]
    )


def compare_inputs(run: Run, scenario: Path, effort: Path) -> str:
    """Whether a run was made with the scenario and delays as the files have them now, in words."""
    same = [
        yaml.safe_load(run.about[name]) == yaml.safe_load(path.read_text(encoding="utf-8"))
        for name, path in (("scenario", scenario), ("effort", effort))
    ]
    if all(same):
        return "the same as now"
    changed = [name for name, equal in zip(("the scenario", "the delays"), same, strict=True) if not equal]
    return f"not those of now: since then {' and '.join(changed)} changed"
