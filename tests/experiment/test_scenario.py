"""The stream of events: ordered, paired by seed, true to its rates; the line moves without jumps that nobody wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.drift import DOMAINS
from analysis.experiment.scenario import (
    BATCH_KINDS,
    CODE_KINDS,
    FAULTY,
    KIND_NAMES,
    KINDS,
    WORLD_KINDS,
    Happening,
    World,
    WorldStep,
    draw_stream,
    load_scenario,
)
from analysis.experiment.scenes import Domain
from analysis.experiment.settings import SCENARIO
from analysis.experiment.world import build_world

STORED = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
SEEDS = st.integers(0, 10_000)
RATES = st.dictionaries(st.sampled_from(KINDS), st.floats(0, 4), max_size=6)


def scenario(**changes):
    return load_scenario(SCENARIO, changes)


def written(tmp_path, content) -> tuple[str, ...]:
    """Places that the error names when ``content`` stands in the file."""
    path = tmp_path / "scenario.yaml"
    path.write_bytes(content if isinstance(content, bytes) else yaml.safe_dump(content).encode())
    with pytest.raises(InputError) as error:
        load_scenario(path)
    return tuple(problem.where.split(", ")[-1] for problem in error.value.problems)


def test_the_file_of_the_project_is_a_scenario():
    found = scenario()
    assert found.start.tzinfo == UTC
    assert found.start.weekday() == 0  # the weekly deployment day is counted from a Monday
    assert found.horizon_h == 168 * STORED["weeks"]
    assert set(found.events_per_week) == set(KINDS)
    assert all(rate > 0 for rate in found.events_per_week.values())


def test_kinds_are_named_and_sorted_into_good_and_faulty():
    assert set(KIND_NAMES) == set(KINDS) == {*CODE_KINDS, *BATCH_KINDS, *WORLD_KINDS}
    assert set(KINDS) - set(FAULTY) == {"benign_change", "good_batch"}


def test_a_profile_replaces_single_values_at_any_depth():
    found = scenario(weeks=1, data={"batch_images": 5}, events_per_week={"crash": 9})
    assert found.weeks == 1
    assert found.data["batch_images"] == 5
    assert found.data["initial_images"] == STORED["data"]["initial_images"]
    assert found.events_per_week["crash"] == 9
    assert found.events_per_week["good_batch"] == STORED["events_per_week"]["good_batch"]


@pytest.mark.parametrize("hours", [0, 1 / 3_600_000, 12.345678, 400])
def test_moments_are_virtual_hours_after_the_start_to_the_millisecond(hours):
    found = scenario()
    moment = found.moment(hours)
    assert abs((moment - found.start).total_seconds() / 3600 - hours) < 1.5e-7
    assert moment.microsecond % 1000 == 0


# ---- the stream ------------------------------------------------------------------------------


@given(seed=SEEDS, rates=RATES, weeks=st.floats(0.2, 8), quiet=st.floats(0, 100), settle=st.floats(0, 400))
@settings(max_examples=60, deadline=None)
def test_events_are_ordered_numbered_and_inside_the_time_left_to_them(seed, rates, weeks, quiet, settle):
    found = scenario(weeks=weeks, quiet_h=quiet, settle_h=settle, events_per_week=rates)
    stream = draw_stream(found, seed)
    times = [item.time_h for item in stream]
    assert times == sorted(times)
    assert [item.number for item in stream] == list(range(1, len(stream) + 1))
    assert len({item.name for item in stream}) == len(stream)
    assert all(quiet <= time <= max(quiet, found.horizon_h - settle) for time in times)


@given(seed=SEEDS, weeks=st.floats(0.5, 6), rate=st.floats(0, 4))
@settings(max_examples=60, deadline=None)
def test_every_seed_has_each_kind_as_often_as_its_rate_says_up_to_rounding(seed, weeks, rate):
    stream = draw_stream(scenario(weeks=weeks, events_per_week=dict.fromkeys(KINDS, rate)), seed)
    for kind in KINDS:
        count = sum(item.kind == kind for item in stream)
        assert np.floor(rate * weeks) <= count <= np.ceil(rate * weeks)


def test_the_mean_over_seeds_keeps_the_rates():
    found = scenario(weeks=2)
    streams = [draw_stream(found, seed) for seed in range(1500)]
    for kind in KINDS:
        mean = np.mean([sum(item.kind == kind for item in stream) for stream in streams])
        # The fraction left over is a coin: standard error at most 0.5 / sqrt(1500) = 0.013; four of them.
        assert abs(mean - 2 * found.events_per_week[kind]) < 0.052


def test_the_same_seed_gives_the_same_stream_and_another_seed_another():
    found = scenario()
    assert draw_stream(found, 7) == draw_stream(found, 7)
    assert len({draw_stream(found, seed) for seed in range(50)}) == 50


def test_a_kind_that_comes_twice_comes_in_different_variants():
    stream = draw_stream(scenario(weeks=4, events_per_week={"crash": 1}), 3)
    variants = [item.variant for item in stream if item.kind == "crash"]
    assert len(variants) == 4
    assert len(set(variants)) == 4


def test_a_script_replaces_the_draw_for_every_seed():
    found = scenario(script=[[30, "good_batch", 1], [20.5, "crash", 0], [40, "sudden_drift", 2]])
    assert draw_stream(found, 1) == draw_stream(found, 2)
    assert [(item.time_h, item.kind, item.variant) for item in draw_stream(found, 1)] == [
        (20.5, "crash", 0),
        (30.0, "good_batch", 1),
        (40.0, "sudden_drift", 2),
    ]
    assert [item.name for item in draw_stream(found, 1)] == ["chg-001", "batch-002", "world-003"]


# ---- files that are no scenario --------------------------------------------------------------


def test_one_error_names_everything_that_is_wrong(tmp_path):
    content = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    content |= {"weeks": True, "colour": "red", "start": "soon", "quiet_h": float("nan"), "settle_h": float("inf")}
    content["data"] = {"initial_images": 0, "pictures": 3}
    content["production"] = [1, 2]
    content["events_per_week"] = {"crash": -1, "flood": 2, "good_batch": "often"}
    content["script"] = [[1, "crash"], [2, "flood", 0]]
    places = written(tmp_path, content)
    assert {"weeks", "colour", "start", "quiet_h", "settle_h", "production", "script"} <= set(places)
    assert {"data.initial_images", "data.pictures", "data.batch_images"} <= set(places)
    assert {"events_per_week.crash", "events_per_week.flood", "events_per_week.good_batch"} <= set(places)
    assert places.count("script") == 2


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"", b"- 1\n- 2\n", b"just words"])
def test_what_is_no_table_is_refused_in_words(tmp_path, content):
    assert written(tmp_path, content)


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_scenario(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "script",
    [5, "crash", [5], [[1, "crash"]], [["soon", "crash", 0]], [[-1, "crash", 0]], [[1, "crash", 0.5]], [[1, [], 0]]],
)
def test_a_script_that_cannot_be_played_is_refused(tmp_path, script):
    assert written(tmp_path, STORED | {"script": script}) == ("script",)


def test_keys_that_are_no_words_are_refused_with_the_others(tmp_path):
    assert set(written(tmp_path, STORED | {1: 2, "colour": "red"})) == {"1", "colour"}


# ---- the line --------------------------------------------------------------------------------


@st.composite
def worlds(draw):
    times = sorted(draw(st.lists(st.floats(0, 500), min_size=1, max_size=5)))
    names = sorted(DOMAINS)
    steps = [
        WorldStep(f"world-{i}", time, draw(st.sampled_from([0.0, 1.0, 120.0])), DOMAINS[draw(st.sampled_from(names))])
        for i, time in enumerate(times)
    ]
    return World(tuple(steps))


def distance(a: Domain, b: Domain) -> float:
    return max(abs(getattr(a, name) - getattr(b, name)) for name in Domain.__dataclass_fields__)


@given(world=worlds(), time=st.floats(0, 700))
@settings(max_examples=200, deadline=None)
def test_the_line_changes_by_little_in_an_hour_except_where_a_quick_step_ends(world, time):
    ends = [step.time_h + step.ramp_h for step in world.steps if step.ramp_h < 120]
    if any(time - 1e-6 < end < time + 1 + 1e-6 for end in ends):
        return
    spread = max(distance(a, b) for a in DOMAINS.values() for b in DOMAINS.values())
    # Five ramps at once; by rounding, two of their hours may end within one.
    assert distance(world.domain(time), world.domain(time + 1)) <= 5 * 2 * spread / 120 * 1.01 + 1e-9


def test_seconds_that_a_stage_takes_longer_show_it_no_other_line():
    """Images are drawn from the conditions: another machine would be shown other ones."""
    world = World((WorldStep("a", 10.25, 100, Domain(light=0.5)),))
    assert world.domain(34.26) == world.domain(34.3) == world.domain(35.2)
    assert world.domain(34.26).light == pytest.approx(0.88)  # 24 of 100 hours from 1 to 0.5


@given(world=worlds())
@settings(max_examples=100, deadline=None)
def test_before_the_first_step_the_line_is_as_set_up_and_after_the_last_ramp_it_has_arrived(world):
    first, last = world.steps[0], world.steps[-1]
    assert world.domain(np.nextafter(first.time_h, -1)) == world.baseline
    end = max(step.time_h + step.ramp_h for step in world.steps)
    assert distance(world.domain(end + 1), last.domain) < 1e-12
    assert not world.changing(end + 1)


def test_a_gradual_step_starts_from_where_the_line_was():
    world = World((WorldStep("a", 10, 0, Domain(light=0.5)), WorldStep("b", 20, 100, Domain(light=1.0, blur=2.3))))
    assert world.domain(9.9) == Domain()
    assert world.domain(10).light == 0.5
    assert world.domain(20) == Domain(light=0.5)
    assert world.domain(70).light == pytest.approx(0.75)  # half of the way
    assert world.domain(70).blur == pytest.approx(1.3)
    assert world.domain(120) == Domain(light=1.0, blur=2.3)
    assert [world.changing(time) for time in (15, 20, 119, 120)] == [False, True, True, False]


def test_world_events_become_steps_and_new_products_stay():
    found = scenario()
    kinds = ("sudden_drift", "good_batch", "concept_change", "gradual_drift")
    stream = tuple(Happening(i, 10.0 * i, kind, i) for i, kind in enumerate(kinds, start=1))
    world = build_world(stream, found, DOMAINS)
    assert [step.name for step in world.steps] == ["world-001", "world-003", "world-004"]
    assert [step.ramp_h for step in world.steps] == [0, 0, found.ramp_h]
    assert [step.domain.new_product for step in world.steps] == [0, 1, 1]
    # The concept change leaves the light and the lens as the drift before it left them.
    assert distance(world.steps[1].domain, world.steps[0].domain) == 1.0
    assert world.steps[0].domain != world.baseline


@given(seed=SEEDS)
@settings(max_examples=50, deadline=None)
def test_every_drift_of_a_drawn_stream_goes_to_named_conditions_that_differ_from_the_first(seed):
    found = scenario(weeks=6)
    world = build_world(draw_stream(found, seed), found, DOMAINS)
    for step in world.steps:
        assert step.domain != world.baseline
        assert 0 <= step.time_h <= found.horizon_h


def test_a_start_without_a_zone_is_utc(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(STORED | {"start": datetime(2026, 1, 5, 8)}), encoding="utf-8")
    assert load_scenario(path).start == datetime(2026, 1, 5, 8, tzinfo=UTC)
