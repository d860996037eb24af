"""Profiles of a run: read, checked, everything that is wrong said at once."""

from __future__ import annotations

import pytest
import yaml

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.experiment.scenario import load_scenario
from analysis.experiment.settings import PROFILES, SCENARIO, Settings, build_settings, find_settings, load_settings

NAMES = sorted(yaml.safe_load(PROFILES.read_text(encoding="utf-8")))


def refused(values) -> list[str]:
    with pytest.raises(InputError) as error:
        build_settings("mine", values, "mine")
    return [problem.where for problem in error.value.problems]


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_of_the_project_can_be_run(name):
    settings = load_settings(name)
    assert settings.name == name
    assert {"manual", "devops", "mlops"} <= set(settings.arms)
    scenario = load_scenario(SCENARIO, settings.scenario)
    assert scenario.horizon_h > scenario.quiet_h + scenario.settle_h


def test_quick_plays_three_arms_on_two_seeds_without_a_gpu():
    quick = load_settings("quick")
    assert quick.arms == ("manual", "devops", "mlops")
    assert len(quick.seeds) == 2
    assert quick.device == "cpu"
    assert quick.images == "rendered"


def test_what_a_profile_leaves_out_has_its_default():
    assert build_settings("mine", {}) == Settings("mine")
    found = build_settings("mine", {"effort_scale": 2, "seeds": [4], "arms": ["devops+canary"]})
    assert found == Settings("mine", arms=("devops+canary",), seeds=(4,), effort_scale=2.0)


def test_one_error_names_everything_that_is_wrong():
    places = refused(
        {
            "arms": ["mlops", "mlops", "waterfall", "devops-canary"],
            "seeds": [1, "two", -3],
            "image_size": 100,
            "jobs": True,
            "threads": "four",
            "tuning": [1],
            "colour": "red",
        }
    )
    assert {"mine.seeds", "mine.image_size", "mine.jobs", "mine.threads", "mine.tuning", "mine.colour"} <= set(places)
    assert {"waterfall", "devops-canary"} <= set(places)
    assert "mine" in places  # an arm is listed twice


@pytest.mark.parametrize(
    "values",
    [
        {"arms": []},
        {"seeds": []},
        {"arms": "mlops"},
        {"seeds": 3},
        {"seeds": [1.5]},
        {"seeds": [True]},
        {"seeds": [[1]]},
        {"seeds": [1, 1]},
        {"arms": [["mlops"]]},
        {"image_size": 0},
        {"image_size": -32},
        {"image_size": 96.0},
        {"effort_scale": None},
    ],
)
def test_values_that_make_no_run_are_refused(values):
    assert refused(values)


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"", b"quick: 3"])
def test_a_file_without_the_profile_is_refused_in_words(tmp_path, content):
    path = tmp_path / "profiles.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_settings("quick", path)


def test_an_unknown_profile_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match="quick"):
        load_settings("tiny")


def test_the_notebooks_profile_names_that_of_the_experiment(tmp_path):
    (tmp_path / "thesis.yaml").write_text("03_experiment: {profile: quick}\n", encoding="utf-8")
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    assert find_settings("thesis", tmp_path) == load_settings("quick")
    assert find_settings("quick", tmp_path) == load_settings("quick")  # no such file: the name itself
    with pytest.raises(InputError):
        find_settings("empty", tmp_path)


def test_the_profiles_of_the_report_find_settings():
    assert find_settings("quick", ROOT / "notebooks" / "profiles").arms == load_settings("quick").arms
