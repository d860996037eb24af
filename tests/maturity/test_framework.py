from __future__ import annotations

import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.maturity.framework import (
    PIPELINE_NAMES,
    build_activity_table,
    check_framework,
    pipeline_activities,
    shared_practices,
)


@pytest.fixture
def activities():
    return load_table("literature/activities.csv")


def test_framework_is_in_order(activities):
    ordered = check_framework(activities.sample(frac=1, random_state=1))
    assert list(ordered["activity"]) == list(activities["activity"])
    assert ordered.attrs["source"] == "data/literature/activities.csv"


def test_pipelines_and_shared_practices_part_the_framework(activities):
    assert set(pipeline_activities(activities)["pipeline"]) == {"data", "model", "release"}  # §VI: three pipelines
    assert len(pipeline_activities(activities)) + len(shared_practices(activities)) == len(activities)


def test_every_fault_is_listed(activities):
    activities.loc[3, "position"] = 7
    activities.loc[4, "name"] = activities.loc[2, "name"]
    activities = activities[activities["pipeline"] != "across"]
    with pytest.raises(InputError) as caught:
        check_framework(activities)
    text = str(caught.value)
    assert "pipeline 'data': positions [1, 3, 4, 5, 6, 7], expected [1, 2, 3, 4, 5, 6]" in text
    assert "occurs twice" in text
    assert "'across' has no activity" in text


def test_printed_table_names_each_pipeline_once(activities):
    table = build_activity_table(activities.assign(peer_reviewed=0, grey=1))
    assert [name for name in table["Pipeline"] if name] == list(PIPELINE_NAMES.values())
    assert len(table) == len(activities)
