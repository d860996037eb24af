"""Facts under rules: every choice has a log of a few rows whose answer is worked out beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.kpi.events import EventLog
from analysis.kpi.facts import (
    compute_changes,
    compute_deployments,
    compute_incidents,
    compute_lead_times,
    compute_recoveries,
)
from analysis.kpi.reading import compute_span
from analysis.kpi.rules import CHOICES, DEVLAKE, DORA_2025, FOUR_KEYS, RULE_SETS, Rules, find_rules
from tests.kpi.worked import at, log_of, records, row, ten_rows


def with_rules(**choices) -> Rules:
    return replace(DORA_2025, **choices)


def names(log: EventLog, rules: Rules) -> list[str]:
    return sorted(compute_deployments(log, rules).collect()["deployment"])


def blamed(log: EventLog, rules: Rules) -> dict[str, str | None]:
    return {name: item["deployment"] for name, item in records(compute_incidents(log, rules), "incident").items()}


def test_ten_rows_give_three_changes_three_deployments_two_incidents():
    log = log_of(*ten_rows())
    changes = records(compute_changes(log, DORA_2025), "change")
    assert changes["c1"] == {
        "change": "c1",
        "service": "shop",
        "committed": at(0),
        "created": None,
        "merged": at(20),
        "deployed": at(24),
        "deployment": "d1",
    }
    deployments = records(compute_deployments(log, DORA_2025), "deployment")
    assert {name: (item["failed"], item["rework"], item["failed_by"]) for name, item in deployments.items()} == {
        "d1": (False, False, None),
        "d2": (True, False, "i1"),
        "d3": (False, True, None),
    }
    incidents = records(compute_incidents(log, DORA_2025), "incident")
    assert (incidents["i1"]["hours"], incidents["i1"]["censored"], incidents["i1"]["attributed"]) == (6, False, "named")
    # i2 is open: 4 weeks are 672 h, 672 − 100 = 572
    assert (incidents["i2"]["hours"], incidents["i2"]["censored"], incidents["i2"]["deployment"]) == (572, True, None)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"attribution": "named"}, {"i1": "d2", "i2": None, "i3": None}),
        # i1 at 74 after d2 (72); i2 at 100 after d3 (78); i3 at 200 after d3 too, 122 h later
        ({"attribution": "latest"}, {"i1": "d2", "i2": "d3", "i3": "d3"}),
        ({"attribution": "within", "attribution_hours": 24.0}, {"i1": "d2", "i2": "d3", "i3": None}),
        ({"attribution": "within", "attribution_hours": 21.9}, {"i1": "d2", "i2": None, "i3": None}),
        ({"attribution": "named, else latest"}, {"i1": "d2", "i2": "d3", "i3": "d3"}),
        ({"attribution": "named, else within", "attribution_hours": 24.0}, {"i1": "d2", "i2": "d3", "i3": None}),
        # the source names one for i1, so that the others have none to blame
        ({"attribution": "named where any is"}, {"i1": "d2", "i2": None, "i3": None}),
    ],
)
def test_attribution(rules, expected):
    assert blamed(log_of(*ten_rows(), row("incident.detected", 200, "i3")), with_rules(**rules)) == expected


def test_where_a_source_names_none_the_latest_before_is_blamed_and_said_to_be_inferred():
    log = log_of(
        row("service.deployed", 10, "d1"), row("incident.detected", 10, "i1"), row("incident.detected", 11, "i2")
    )
    found = records(compute_incidents(log, DORA_2025), "incident")
    assert found["i1"]["deployment"] is None  # at the same moment is not after
    assert (found["i2"]["deployment"], found["i2"]["attributed"]) == ("d1", "inferred")


def test_an_incident_that_came_back_after_its_last_resolution_is_open():
    came_back = [
        row("incident.detected", 10, "i1"),
        row("incident.resolved", 12, "i1"),
        row("incident.detected", 20, "i1"),
    ]
    found = records(compute_incidents(log_of(*came_back), DORA_2025), "incident")["i1"]
    assert (found["detected"], found["resolved"], found["censored"]) == (at(10), None, True)
    assert found["hours"] == 662  # 4 weeks are 672 h
    ended = records(compute_incidents(log_of(*came_back, row("incident.resolved", 25, "i1")), DORA_2025), "incident")
    assert (ended["i1"]["resolved"], ended["i1"]["hours"]) == (at(25), 15)
    # One detection after the only resolution is a contradiction, not an incident that goes on.
    wrong = log_of(row("incident.detected", 10, "i1"), row("incident.resolved", 9, "i1"))
    assert records(compute_incidents(wrong, DORA_2025), "incident")["i1"]["hours"] == -1


def test_incidents_of_trackers_without_environments_count_even_where_deployments_need_one():
    log = log_of(
        row("service.deployed", 0, "d0", change="c0"),
        row("service.deployed", 10, "d1", change="c1"),
        row("service.deployed", 15, "d2", change="c2", environment=None),
        row("incident.detected", 20, "i1", environment=None),
        row("incident.detected", 21, "i2", environment="staging"),
    )
    assert names(log, DEVLAKE) == ["d0", "d1"]
    assert blamed(log, DEVLAKE) == {"i1": "d1"}
    assert blamed(log, DORA_2025) == {"i1": "d2"}


def test_one_clock_that_was_never_set_adds_no_decades_to_the_span():
    rows = [row("service.deployed", hours, f"d{hours}") for hours in (5, 10)]
    lost = row("service.deployed", 0, "lost") | {"time": at(0).replace(year=1970)}
    assert compute_span(log_of(*rows, lost, weeks=None)) == (at(5), at(10))
    assert compute_span(log_of(lost, weeks=None)) == (lost["time"], lost["time"])


def test_each_source_is_asked_by_itself_whether_it_names_deployments():
    log = log_of(
        row("service.deployed", 10, "d1"),
        row("incident.detected", 20, "i1", cause="d1", source="pager"),
        row("incident.detected", 21, "i2", source="pager"),
        row("incident.detected", 22, "i3", source="tickets"),
    )
    assert blamed(log, DORA_2025) == {"i1": "d1", "i2": None, "i3": "d1"}


def test_scope_of_attribution_is_the_service_or_the_whole_log():
    log = log_of(
        row("service.deployed", 10, "d1"),
        row("service.deployed", 20, "d2", service="till"),
        row("incident.detected", 30, "i1"),
    )
    assert blamed(log, with_rules(attribution="latest")) == {"i1": "d1"}
    assert blamed(log, with_rules(attribution="latest", attribution_scope="log")) == {"i1": "d2"}
    failed = records(compute_deployments(log, with_rules(attribution="latest", attribution_scope="log")), "deployment")
    assert (failed["d1"]["failed"], failed["d2"]["failed"]) == (False, True)


def test_a_source_may_name_a_deployment_of_another_service_or_a_change():
    log = log_of(
        row("service.deployed", 10, "d1", change="c1"),
        row("service.deployed", 15, "d2", change="c1", service="till"),
        row("service.deployed", 20, "d3", change="c2"),
        row("incident.detected", 30, "i1", cause="d2"),  # reported for the shop, blamed on the till
        row("incident.detected", 31, "i2", cause="c1"),  # first carried by d1
        row("incident.detected", 32, "i3", cause="nowhere"),
    )
    assert blamed(log, DORA_2025) == {"i1": "d2", "i2": "d1", "i3": None}
    found = records(compute_deployments(log, DORA_2025), "deployment")
    assert [found[name]["failed"] for name in ("d1", "d2", "d3")] == [True, True, False]


def test_environment():
    log = log_of(
        row("service.deployed", 1, "d1", environment="Production"),
        row("service.deployed", 2, "d2", environment="PROD"),
        row("service.deployed", 3, "d3", environment="staging"),
        row("service.deployed", 4, "d4", environment=None),
    )
    assert names(log, DORA_2025) == ["d1", "d2", "d4"]
    assert names(log, with_rules(unknown_environment="left out")) == ["d1", "d2"]
    assert names(log, with_rules(production=("staging",))) == ["d3", "d4"]
    assert names(log, with_rules(production=())) == ["d1", "d2", "d3", "d4"]


def test_failed_attempts():
    log = log_of(
        row("service.deployed", 1, "d1", change="c1", outcome="failure"),
        row("service.deployed", 2, "d2", change="c1", outcome="success"),
        row("change.committed", 0, "c1"),
    )
    assert names(log, DORA_2025) == ["d2"]
    counted = records(compute_deployments(log, with_rules(attempts="deployments")), "deployment")
    assert {name: (item["attempt"], item["failed"]) for name, item in counted.items()} == {
        "d1": (True, False),
        "d2": (False, False),
    }
    rules = with_rules(attempts="deployments", failure=("incident", "rollback", "attempt"))
    assert records(compute_deployments(log, rules), "deployment")["d1"]["failed"] is True
    # whatever counts as a deployment, the change arrived with d2
    assert records(compute_changes(log, rules), "change")["c1"]["deployed"] == at(2)


def test_an_attempt_that_was_repeated_under_the_same_id_arrived_in_the_end():
    log = log_of(
        row("service.deployed", 1, "d1", outcome="failure"), row("service.deployed", 5, "d1", outcome="success")
    )
    found = records(compute_deployments(log, DORA_2025), "deployment")["d1"]
    assert (found["time"], found["attempt"]) == (at(5), False)


def test_rollbacks():
    log = log_of(
        row("service.deployed", 10, "d1", change="c1"),
        row("service.deployed", 20, "d2", change="c2"),
        row("service.rolledback", 23, "r1", cause="d2"),
        row("service.deployed", 30, "d3", change="c3"),
        row("service.rolledback", 31, "r2"),  # does not say what: the latest before it, d3
    )
    found = records(compute_deployments(log, DORA_2025), "deployment")
    assert {name: (item["rolled_back"], item["failed"], item["failed_by"]) for name, item in found.items()} == {
        "d1": (False, False, None),
        "d2": (True, True, "r1"),
        "d3": (True, True, "r2"),
    }
    assert names(log, with_rules(rollbacks="deployments")) == ["d1", "d2", "d3", "r1", "r2"]
    assert not any(item["failed"] for item in records(compute_deployments(log, DEVLAKE), "deployment").values())
    # no incident: the recovery is from deployment to rollback, 23 − 20 = 3 h and 31 − 30 = 1 h
    assert sorted(compute_recoveries(log, DORA_2025).collect()["hours"]) == [1, 3]
    assert compute_recoveries(log, with_rules(recovery_rollbacks="left out")).collect().is_empty()


def test_a_rollback_that_an_incident_led_to_is_not_a_second_recovery():
    log = log_of(
        row("service.deployed", 10, "d1"),
        row("incident.detected", 12, "i1", cause="d1"),
        row("service.rolledback", 13, "r1", cause="d1"),
        row("incident.resolved", 14, "i1"),
    )
    assert compute_recoveries(log, DORA_2025).collect()["hours"].to_list() == [2]


def test_redeployments_first_deployments_and_those_without_changes():
    log = log_of(
        row("service.deployed", 5, "d0"),  # nothing known: the start of the service
        row("service.deployed", 10, "d1", change="c1"),
        row("service.deployed", 20, "d2", change="c1"),  # nothing new
        row("service.deployed", 30, "d3", change="c1"),
        row("service.deployed", 30, "d3", change="c2"),
        row("service.deployed", 40, "d4"),  # unknown
    )
    assert names(log, DORA_2025) == ["d1", "d2", "d3", "d4"]
    assert names(log, with_rules(start="deployment")) == ["d0", "d1", "d2", "d3", "d4"]
    assert names(log, with_rules(redeployments="left out")) == ["d1", "d3", "d4"]
    assert names(log, with_rules(changeless="left out")) == ["d1", "d2", "d3"]
    assert records(compute_deployments(log, DORA_2025), "deployment")["d3"]["changes"] == 2


def test_where_no_deployment_has_changes_the_first_is_a_deployment_like_the_others():
    log = log_of(row("service.deployed", 5, "d1"), row("service.deployed", 6, "d2"))
    assert names(log, DORA_2025) == ["d1", "d2"]


def test_several_in_one_day():
    log = log_of(
        row("service.deployed", 1, "d1"),
        row("service.deployed", 23, "d2"),
        row("service.deployed", 23.5, "d3", service="till"),
        row("service.deployed", 25, "d4"),
    )
    assert names(log, DORA_2025) == ["d1", "d2", "d3", "d4"]
    assert names(log, with_rules(same_day="one")) == ["d2", "d3", "d4"]  # the last of a service and day


def test_window_of_the_last_months():
    log = log_of(
        row("change.committed", 0, "c1"),
        row("service.deployed", 24, "d1", change="c1"),
        row("service.deployed", 24 * 60, "d2", change="c2"),
        row("incident.detected", 30, "i1", cause="d1"),
        weeks=16,  # to 27 April; three months before is 27 January, day 22
    )
    rules = with_rules(window_months=3)
    assert names(log, rules) == ["d2"]
    assert compute_incidents(log, rules).collect().is_empty()
    assert "c1" not in records(compute_changes(log, rules), "change")


def test_lead_time_starts_and_units():
    log = log_of(
        row("service.deployed", 1, "d0", change="c0"),
        row("change.committed", 2, "c1"),
        row("change.created", 7, "c1"),
        row("change.merged", 17, "c1"),
        row("service.deployed", 20, "d1", change="c1"),
        row("service.deployed", 50, "d2", change="c1"),
    )

    def hours(**choices) -> list[float]:
        return sorted(compute_lead_times(log, with_rules(**choices)).collect()["lead_h"].drop_nulls())

    assert hours(lead_start="commit") == [18]
    assert hours(lead_start="created") == [13]
    assert hours(lead_start="merge") == [3]
    # 5 of coding, 10 of review, 3 of deployment; c0 has no merge
    assert hours(lead_start="stages") == [18]
    assert hours(lead_unit="change and deployment") == [18, 48]
    # DevLake finds what is new in a deployment by comparing with the one before: the first has none
    assert "c0" not in compute_lead_times(log, DEVLAKE).collect()["change"].to_list()


def test_stages_of_negative_length_add_nothing():
    # proposed at 2, first commit at 6: −4 is dropped; 10 − 2 = 8 of review, 2 of deployment
    log = log_of(
        row("service.deployed", 0, "d0"),
        row("change.committed", 6, "c1"),
        row("change.created", 2, "c1"),
        row("change.merged", 10, "c1"),
        row("service.deployed", 12, "d1", change="c1"),
    )
    assert compute_lead_times(log, DEVLAKE).collect()["lead_h"].to_list() == [10]


def test_a_log_without_commits_starts_from_proposals_and_one_with_some_does_not():
    rows = [row("change.created", 2, "c1"), row("service.deployed", 12, "d1", change="c1")]
    assert compute_lead_times(log_of(*rows), DORA_2025).collect()["lead_h"].to_list() == [10]
    rows.append(row("change.committed", 1, "other"))
    assert compute_lead_times(log_of(*rows), DORA_2025).collect()["lead_h"].to_list() == [None]


def test_change_events_without_service_belong_to_whoever_deployed_the_change():
    log = log_of(
        row("change.committed", 1, "c1", service=None),
        row("service.deployed", 11, "d1", change="c1"),
        row("service.deployed", 21, "d2", change="c1", service="till"),
        row("change.committed", 3, "c2", service=None),
    )
    found = compute_changes(log, DORA_2025).collect().sort("change", "service")
    assert found.select("change", "service", "committed", "deployment").rows() == [
        ("c1", "shop", at(1), "d1"),
        ("c1", "till", at(1), "d2"),
        ("c2", None, at(3), None),
    ]


def test_the_same_number_in_two_services_is_two_changes_deployments_and_incidents():
    log = log_of(
        *(row("change.committed", 0, "1", service=name) for name in ("shop", "till")),
        row("service.deployed", 5, "1", change="1"),
        row("service.deployed", 9, "1", change="1", service="till"),
        row("incident.detected", 10, "1"),
        row("incident.detected", 11, "1", service="till"),
        row("incident.resolved", 15, "1"),
    )
    assert sorted(compute_lead_times(log, DORA_2025).collect()["lead_h"]) == [5, 9]
    assert len(names(log, DORA_2025)) == 2
    found = compute_incidents(log, DORA_2025).collect().sort("service")
    assert found["censored"].to_list() == [False, True]


def test_a_resolution_without_service_ends_the_incident_of_that_id():
    log = log_of(row("incident.detected", 10, "i1"), row("incident.resolved", 15, "i1", service=None))
    assert records(compute_incidents(log, DORA_2025), "incident")["i1"]["hours"] == 5


def test_starts_of_recovery_and_of_restoring():
    log = log_of(*ten_rows())
    assert records(compute_incidents(log, DEVLAKE), "incident")["i1"]["hours"] == 8  # 80 − 72
    assert records(compute_incidents(log, FOUR_KEYS), "incident")["i1"]["restore_hours"] == 8
    assert (
        records(compute_incidents(log, FOUR_KEYS), "incident")["i2"]["restore_hours"] == 572
    )  # nothing earlier is known


def test_rework_is_a_known_incident_or_any_cause():
    log = log_of(*ten_rows(), row("service.deployed", 300, "d4", cause="ticket 12"))
    known = records(compute_deployments(log, with_rules(rework="remedies an incident")), "deployment")
    any_cause = records(compute_deployments(log, with_rules(rework="has a cause")), "deployment")
    assert [known[name]["rework"] for name in ("d3", "d4")] == [True, False]
    assert [any_cause[name]["rework"] for name in ("d3", "d4")] == [True, True]


def test_span_is_that_of_the_log_or_of_its_events():
    assert compute_span(log_of(*ten_rows(), weeks=None)) == (at(0), at(100))
    assert compute_span(log_of(*ten_rows(), weeks=4)) == (at(0), at(672))
    with pytest.raises(InputError, match="covers no time"):
        compute_span(log_of(weeks=None))


def test_unknown_choices_are_all_named():
    with pytest.raises(InputError) as error:
        with_rules(attribution="guess", central="mode", failure=("luck",), production=("PROD",), window_months=0)
    assert len(error.value.problems) == 5
    with pytest.raises(InputError, match="dora2025"):
        find_rules("dora1999")


def test_every_named_set_of_rules_cites_its_source_and_every_choice_is_explained():
    assert all(rules.cited for rules in RULE_SETS.values())
    assert all(words for _, allowed in CHOICES.values() for words in allowed.values())


def everything(log: EventLog, rules: Rules) -> list[list[tuple]]:
    tables = (compute_changes, compute_deployments, compute_incidents, compute_recoveries, compute_lead_times)
    return [sorted(table(log, rules).collect().rows(), key=repr) for table in tables]


events_of_any_log = st.lists(
    st.one_of(
        st.builds(
            lambda kind, hours, name, service: row(kind, hours, name, service=service),
            st.sampled_from(["change.committed", "change.created", "change.merged"]),
            st.integers(0, 300),
            st.sampled_from(["c1", "c2", "c3"]),
            st.sampled_from(["shop", "till", None]),
        ),
        st.builds(
            lambda hours, name, change, service, outcome: row(
                "service.deployed", hours, name, change=change, service=service, outcome=outcome
            ),
            st.integers(0, 300),
            st.sampled_from(["d1", "d2", "d3"]),
            st.sampled_from(["c1", "c2", "c3", None]),
            st.sampled_from(["shop", "till", None]),
            st.sampled_from(["success", "failure", None]),
        ),
        st.builds(
            lambda kind, hours, name, cause: row(kind, hours, name, cause=cause),
            st.sampled_from(["incident.detected", "incident.resolved", "service.rolledback"]),
            st.integers(0, 300),
            st.sampled_from(["i1", "i2"]),
            st.sampled_from(["d1", "d2", "c1", None]),
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, deadline=None)
@given(events_of_any_log, st.randoms(use_true_random=False), st.sampled_from([DORA_2025, DEVLAKE]))
def test_order_of_rows_repeated_delivery_zones_and_splitting_change_nothing(rows, random, rules):
    log = log_of(*rows)
    expected = everything(log, rules)
    shuffled = [*rows, *random.sample(rows, len(rows) // 2)]
    random.shuffle(shuffled)
    half = len(shuffled) // 2
    zone = timezone(timedelta(hours=5, minutes=30))
    moved = [item | {"time": item["time"].astimezone(zone)} for item in shuffled]
    parts = [log_of(*part).events for part in (moved[half:], moved[:half]) if part]
    other = replace(log, events=pl.concat(parts))
    assert everything(other, rules) == expected
