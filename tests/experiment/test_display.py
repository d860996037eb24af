"""Tables, facts and figure inputs of a run: they say what its logs say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.results import Results
from analysis.experiment import display
from analysis.experiment.arms import PRACTICES
from analysis.experiment.comparison import compare_arms
from analysis.experiment.design import (
    build_delay_table,
    build_practice_table,
    build_scenario_table,
    compare_inputs,
    count_happenings,
    list_world,
)
from analysis.experiment.effort import load_delays
from analysis.experiment.findings import describe_design, store_caught, store_contrasts, store_extremes
from analysis.experiment.outcomes import (
    compute_changes,
    compute_degradations,
    compute_outcomes,
    compute_quality,
    load_run,
)
from analysis.experiment.pictures import (
    _boxed,
    choose_typical_seed,
    collect_timeline,
    compute_stopped,
    draw_differences,
    draw_incidents,
    draw_predictions,
    draw_quality,
    draw_stopped,
)
from analysis.experiment.recording import list_recordings, record_run
from analysis.experiment.scenario import WORLD_KINDS, draw_stream, load_scenario
from analysis.experiment.settings import EFFORT, SCENARIO
from tests.experiment.simple_run import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return load_run(write_run(tmp_path_factory.mktemp("run") / "quick-0"))


@pytest.fixture(scope="module")
def outcomes(run):
    return compute_outcomes(run)


# ---- design ----------------------------------------------------------------------------------


def test_practices_by_arm(run):
    table = build_practice_table(run)
    assert list(table.columns[2:]) == ["manual", "devops", "mlops"]
    assert len(table) == len(PRACTICES)
    assert set(table["manual"]) == {"–"} and set(table["mlops"]) == {"yes"}
    assert table.loc[table["Practice"] == "evaluation gate", "devops"].item() == "–"


def test_the_counts_are_those_of_the_drawn_streams(run):
    scenario = load_scenario(SCENARIO, {"weeks": 2.0})
    drawn = pd.Series([h.kind for seed in run.seeds for h in draw_stream(scenario, seed)]).value_counts().to_dict()
    assert count_happenings(run) == drawn
    table = build_scenario_table(run).set_index("Event")
    assert table.loc["benign change", "Drawn"] == str(drawn["benign_change"])
    assert set(list_world(run)["kind"]) <= set(WORLD_KINDS)


def test_delays_are_read_as_recorded(run):
    table = build_delay_table(run)
    delays = load_delays(EFFORT)
    assert list(table["How long"]) == [delays[name].text for name in delays]
    assert (table["Source"] == "assumption").sum() == sum(delay.assumed for delay in delays.values())


def test_whether_the_inputs_are_still_the_same(run, tmp_path):
    assert compare_inputs(run, SCENARIO, EFFORT) == "the same as now"
    comment = tmp_path / "comment.yaml"
    comment.write_text("# only a comment\n" + EFFORT.read_text(encoding="utf-8"), encoding="utf-8")
    assert compare_inputs(run, SCENARIO, comment) == "the same as now"
    other = tmp_path / "other.yaml"
    other.write_text(EFFORT.read_text(encoding="utf-8").replace("median: 72", "median: 71"), encoding="utf-8")
    assert compare_inputs(run, SCENARIO, other) == "not those of now: since then the delays changed"


def test_a_run_without_a_declared_arm_is_refused(run, tmp_path):
    assert display.require_declared(run) is run
    partial = load_run(write_run(tmp_path / "part", arms=("manual", "mlops"), seeds=(1,), weeks=0.5))
    with pytest.raises(InputError, match="lacks devops"):
        display.require_declared(partial)


# ---- outcomes --------------------------------------------------------------------------------


def test_outcomes_of_few_seeds_show_their_range(outcomes):
    cell = display.build_outcome_table(outcomes, 0.95).set_index("Outcome").loc["mAP50 in production*", "mlops"]
    values = outcomes.loc[outcomes["arm"] == "mlops", "mean_map50"]
    assert cell == f"{values.mean():.3f}, from {values.min():.3f} to {values.max():.3f}"


def test_outcomes_of_many_seeds_show_an_interval():
    rows = [{"arm": "mlops", "seed": seed} | dict.fromkeys(display.OUTCOMES, 0.1 * seed) for seed in range(1, 11)]
    cell = display.build_outcome_table(pd.DataFrame(rows), 0.95).set_index("Outcome").loc["Time degraded*", "mlops"]
    assert cell.startswith("55.0% (") and cell.endswith("%)")


def test_an_outcome_without_values_is_a_dash(outcomes):
    table = display.build_outcome_table(outcomes.assign(restore_hours=np.nan), 0.95).set_index("Outcome")
    assert set(table.loc["Time to restore"]) == {"–"}


def test_best_and_worst_know_which_end_is_good():
    table = pd.DataFrame(
        {"arm": ["manual", "devops", "mlops"], "seed": 1, "mean_map50": [0.2, 0.8, 0.8001], "lead_hours": [9, 3, 5]}
    )
    assert display.name_best(table, "mean_map50") == "devops and mlops"
    assert display.name_worst(table, "mean_map50") == "manual"
    assert (display.name_best(table, "lead_hours"), display.name_worst(table, "lead_hours")) == ("devops", "manual")


def test_degradations_are_counted_by_who_noticed(run):
    down = compute_degradations(run)
    table = display.build_detection_table(run, down).set_index("Arm")
    assert table["Degradations"].astype(int).sum() == len(down)
    manual = down[down["arm"] == "manual"]
    assert f"people {(manual['detected_by'] == 'people').sum()}" in table.loc["manual", "Noticed by"]
    assert "monitor" not in table.loc["manual", "Noticed by"]


def test_effort_adds_up_waits_and_machine_time(run):
    effort = display.compute_effort(run).set_index("arm")
    waits = run.events[(run.events["arm"] == "devops") & (run.events["type"] == "delay.waited")]
    weeks = len(run.seeds) * 2
    assert effort.loc["devops", "waits"] == pytest.approx(len(waits) / weeks)
    assert effort.loc["devops", "wait_hours"] == pytest.approx(sum(c["hours"] for c in waits["content"]) / weeks)
    assert (effort["machine_share"].between(0, 0.05)).all()
    assert display.build_effort_table(effort.reset_index())["Arm"].tolist() == ["manual", "devops", "mlops"]


def test_durations_are_medians_by_stage_and_only_of_stages(run):
    table = display.build_duration_table(run)
    assert table.values.tolist() == [
        ["commit", "1", "0.013", "0.013", "0.013"],
        ["training", "2", "6.0", "4.0", "8.0"],
    ]


def test_both_runs_stand_side_by_side(outcomes):
    live = outcomes[outcomes["seed"] == 1]
    table = display.build_replication_table(outcomes, live, 0.95)
    assert list(table["Arm"][:3]) == ["manual", "devops", "mlops"]
    assert table["Outcome"][:3].tolist() == ["Time degraded", "", ""]
    assert table["Recorded"][0].endswith("(3)") and table["Live"][0].endswith("(1)")


def test_recordings_are_listed_with_their_date(run, tmp_path):
    for item in run.about["arm_runs"]:
        place = run.folder / f"{item['arm']}-{item['seed']}" / "samples"
        place.mkdir(exist_ok=True)
        for name in ("samples.png", "samples.json"):
            (place / name).write_bytes((place.parent / name).read_bytes())
    place = record_run(run.folder, tmp_path)
    table = display.build_recording_table(list_recordings(tmp_path))
    assert table.values.tolist() == [[place.name, "2026-11-21", "CPU", "3", "3", "2", "no"]]
    assert len(compute_outcomes(load_run(place))) == 9
    assert draw_predictions(load_run(place)).axes


def test_machine_and_day_in_words(run):
    assert display.describe_machine(run) == "2 cores (Linux, x86_64), no GPU"
    assert display.describe_day(run) == "21 November 2026"


# ---- figures ---------------------------------------------------------------------------------


def test_the_seed_shown_is_the_median():
    table = pd.DataFrame(
        {"arm": "manual", "seed": [1, 2, 3, 4], "degraded_share": [0.9, 0.1, 0.2, 0.8]},
    )
    assert choose_typical_seed(table) == 3
    assert choose_typical_seed(table[table["seed"] != 2]) == 4
    assert choose_typical_seed(table.assign(degraded_share=0.5)) == 2


def test_the_timeline_holds_what_the_log_holds(run):
    bars, marks = collect_timeline(run, 2)
    down = compute_degradations(run)
    down = down[down["seed"] == 2]
    assert len(bars) == len(down)
    assert (bars["end"] - bars["start"]).sum() * 24 == pytest.approx(down["hours"].sum())
    upgraded = run.events[(run.events["type"] == "service.upgraded") & (run.events["seed"] == 2)]
    assert (marks["kind"] == "deployed").sum() == len(upgraded)
    assert (marks["kind"] == "restored").sum() == (~down["censored"]).sum()
    assert len(draw_incidents(run, 2).axes[0].get_yticklabels()) == 3


def test_what_was_stopped_where(run):
    changes = compute_changes(run)
    cells = compute_stopped(changes, run.arms).set_index(["row", "column"])
    assert cells.loc[pd.IndexSlice[:, "manual"], "stopped"].sum() == sum(
        changes.loc[(changes["arm"] == "manual") & changes["faulty"], "stopped_before"]
    )
    bug = cells.loc[("preprocessing_bug", "devops")]
    assert bug["count"] == 0 or (bug["share"] == 1 and "unit tests" in bug["text"])
    empty = compute_stopped(changes.head(0), run.arms)
    assert empty["share"].isna().all() and set(empty["text"]) == {"0 of 0"}
    assert draw_stopped(run, changes).axes


def test_a_picture_tells_right_from_false_boxes(run):
    entry = json.loads((run.folder / "mlops-1" / "samples.json").read_text())["rows"][1]["images"][0]
    picture = _boxed(np.zeros((32, 32, 3), np.uint8), entry)
    assert picture.caption == "1 of 2 found, 1 false"
    assert picture.right.tolist() == [[2, 2, 12, 11]] and picture.wrong.tolist() == [[16, 16, 28, 28]]


def test_figures_of_a_whole_run_can_be_drawn(run, outcomes):
    assert len(draw_quality(run, compute_quality(run)).axes) == 3
    assert len([a for a in draw_differences(compare_arms(outcomes)).axes if a.get_title(loc="left")]) == 8
    headings = [axes.texts[-1].get_text() for axes in draw_predictions(run).axes]
    assert headings[0].startswith("All arms, at the start: day 0.0") and len(headings) == 4


# ---- facts -----------------------------------------------------------------------------------


def test_the_design_is_counted(run):
    design = describe_design(run, 0.95)
    assert (design["arm_runs"], design["seeds"], design["weeks"], design["trainings"]) == (9, 3, 2.0, 2)
    assert design["happenings"] == sum(count_happenings(run).values())
    assert (design["work_hours"], design["needed_pairs"]) == (2.0, 6)


def test_every_finding_is_stored_once(run, outcomes, tmp_path):
    results = Results("03_experiment", {}, tmp_path)
    store_contrasts(results, compare_arms(outcomes), "log")
    store_extremes(results, outcomes, "log")
    caught = store_caught(results, compute_changes(run), compute_degradations(run), "log")
    results.save()
    entries = json.loads((tmp_path / "results.json").read_text())["entries"]
    assert len(entries) == 9 + 9 + 6 + 1 + 9
    shift = entries["experiment.shift.degraded_share.mlops_manual"]
    assert shift["text"].endswith("(no interval: it takes 6 pairs of seeds, there are 3)")
    assert isinstance(shift["value"], float) and shift["interval_text"] == "" and shift["n"] == 3
    assert caught["degradations"].sum() == len(compute_degradations(run))
