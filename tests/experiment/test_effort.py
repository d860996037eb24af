"""Delays of people: drawn as the file says, the same for the same work in every arm, refused where senseless."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment import delivery, operations
from analysis.experiment.effort import DELAYS, Delay, Effort, load_delays
from analysis.experiment.settings import EFFORT

MONDAY = datetime(2026, 1, 5, 8, tzinfo=UTC)
LOADED = load_delays(EFFORT)
STORED = yaml.safe_load(EFFORT.read_text(encoding="utf-8"))
LOGNORMAL = sorted(name for name, entry in STORED.items() if "lognormal" in entry)


@pytest.fixture
def delays():
    return LOADED


def test_every_delay_has_a_unit_and_a_source_or_is_called_an_assumption(delays):
    assert set(delays) == set(DELAYS)
    for delay in delays.values():
        assert delay.unit in ("h", "s")
        assert delay.assumed or len(delay.source) > 20, delay.name
        assert delay.text


def test_every_delay_of_the_file_is_waited_for_somewhere():
    places = [Path(module.__file__) for module in (delivery, operations)]
    words = {
        node.value
        for path in places
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
    }
    assert set(DELAYS) <= words


@pytest.mark.parametrize("name", LOGNORMAL)
def test_median_and_nine_of_ten_are_those_of_the_file(delays, name):
    effort = Effort(delays, seed=5)
    drawn = np.array([effort.hours(name, f"work-{i}", MONDAY) for i in range(2500)])
    drawn *= 3600 if delays[name].unit == "s" else 1
    values = delays[name].values
    # A share of 2,500 draws has a standard error of at most 0.01; four of them.
    assert abs(np.mean(drawn <= values["median"]) - 0.5) < 0.04
    assert abs(np.mean(drawn <= values["p90"]) - 0.9) < 0.024
    assert drawn.min() > 0


@given(seed=st.integers(0, 2**31), about=st.text(max_size=20), later=st.floats(0, 1e4))
def test_the_same_work_waits_equally_long_whenever_it_is_asked_for(seed, about, later):
    effort = Effort(LOADED, seed)
    first = effort.hours("review", about, MONDAY)
    assert effort.hours("review", about, MONDAY + timedelta(hours=later)) == first
    assert Effort(LOADED, seed).hours("review", about, MONDAY) == first


def test_other_work_another_delay_and_another_seed_wait_for_another_time(delays):
    effort = Effort(delays, 1)
    hours = {effort.hours("fix", f"chg-{i}", MONDAY) for i in range(100)}
    assert len(hours) == 100
    scores = [
        np.log(effort.hours(name, "chg-1", MONDAY) / delays[name].values["median"])
        / np.log(delays[name].values["p90"] / delays[name].values["median"])
        for name in LOGNORMAL
        if delays[name].unit == "h"
    ]
    assert len(set(np.round(scores, 9))) == len(scores)  # no delay borrows another one's draw
    assert effort.hours("fix", "chg-1", MONDAY) != Effort(delays, 2).hours("fix", "chg-1", MONDAY)


def test_the_scale_stretches_what_is_drawn_and_not_the_calendar(delays):
    plain, slow = Effort(delays, 1), Effort(delays, 1, scale=2.5)
    assert slow.hours("review", "x", MONDAY) == pytest.approx(2.5 * plain.hours("review", "x", MONDAY))
    assert slow.hours("labelling_image", "x", MONDAY) == pytest.approx(2.5 * 30 / 3600)
    assert slow.hours("deployment_window", "x", MONDAY) == plain.hours("deployment_window", "x", MONDAY)


@given(minutes=st.integers(0, 60 * 24 * 60))
def test_the_weekly_window_is_the_next_full_hour_of_its_day(minutes):
    moment = MONDAY + timedelta(minutes=minutes)
    entry = Delay("deployment_window", "h", "weekly", {"day": 3, "hour": 14}, "assumption")
    hours = Effort({"deployment_window": entry}).hours("deployment_window", "", moment)
    then = moment + timedelta(hours=hours)
    assert 0 <= hours < 168
    assert (then.weekday(), then.hour, then.minute, then.second) == (3, 14, 0, 0)


def test_texts_say_the_distribution_in_words():
    def text(distribution, **values):
        return Delay("x", "h", distribution, values, "assumption").text

    assert text("lognormal", median=4, p90=24) == "median 4 h, nine of ten below 24 h"
    assert text("weekly", day=3, hour=9) == "Thursdays at 09:00 UTC"
    assert text("fixed", value=0.5) == "0.5 h"


# ---- files that do not describe delays -------------------------------------------------------


def refused(tmp_path, content) -> list[str]:
    path = tmp_path / "effort.yaml"
    path.write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    with pytest.raises(InputError) as error:
        load_delays(path)
    return [problem.where.split(", ")[-1] for problem in error.value.problems]


def test_one_error_names_everything_that_is_wrong(tmp_path):
    content = {name: dict(entry) for name, entry in STORED.items()}
    del content["review"]
    content["lunch"] = {"unit": "h", "fixed": {"value": 1}, "source": "assumption"}
    content["fix"]["unit"] = "days"
    content["handover"]["source"] = " "
    content["respond"]["lognormal"] = {"median": 5, "p90": 1}
    content["diagnosis_tracked"]["fixed"] = {"value": 1}
    content["data_recovery"]["colour"] = "red"
    content["deployment_window"]["weekly"] = {"day": 7, "hour": 14}
    content["labelling_image"]["fixed"] = {"value": "thirty"}
    content["batch_repair"]["lognormal"] = {"median": 5}
    content["quality_labels"] = 3
    assert set(refused(tmp_path, content)) == {
        "review",
        "lunch",
        "fix.unit",
        "handover.source",
        "respond.lognormal",
        "diagnosis_tracked",
        "data_recovery.colour",
        "deployment_window.weekly",
        "labelling_image.fixed",
        "batch_repair.lognormal",
        "quality_labels",
    }


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, None, "2"])
def test_amounts_are_finite_numbers_from_zero(tmp_path, value):
    content = STORED | {"labelling_image": {"unit": "s", "fixed": {"value": value}, "source": "assumption"}}
    assert refused(tmp_path, content) == ["labelling_image.fixed"]


def test_a_percentile_that_is_no_number_is_refused(tmp_path):
    entry = {"unit": "h", "lognormal": {"median": 4, "p90": float("inf")}, "source": "assumption"}
    assert refused(tmp_path, STORED | {"review": entry}) == ["review.lognormal"]


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00"])
def test_what_cannot_be_read_is_refused_in_words(tmp_path, content):
    assert refused(tmp_path, content)


def test_an_empty_file_lacks_every_delay(tmp_path):
    assert refused(tmp_path, b"") == list(DELAYS)
