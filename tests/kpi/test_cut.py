"""Parts of a log: what happened in the stretch, with the times before it that it needs."""

from __future__ import annotations

from datetime import datetime

import pytest

from analysis.base.errors import InputError
from analysis.kpi.cut import choose_services, cut_log
from analysis.kpi.dora import compute_dora
from analysis.kpi.facts import compute_incidents
from analysis.kpi.mlkpi import compute_ml_kpis
from analysis.kpi.rules import DORA_2025
from tests.kpi.worked import T0, at, log_of, row, ten_rows


def value(log, metric):
    return compute_dora(log).set_index("metric").loc[metric, "value"]


def test_lead_times_are_whole_though_the_commit_is_earlier():
    """From 30 h on: d2 (c2, committed at 24 h, out at 72 h: 48 h) and d3 (2 h); c1 is gone, median 25 h."""
    log = cut_log(log_of(*ten_rows()), at(30))
    assert value(log, "lead_time_commit_h") == 25
    assert value(log, "deployments_per_week") == pytest.approx(2 / (4 - 30 / 168))
    assert (log.begin, log.end) == (at(30), log_of(*ten_rows()).end)


def test_what_ends_after_the_stretch_is_open():
    """Before 79 h: i1, detected at 74 h, is not yet resolved."""
    incidents = compute_incidents(cut_log(log_of(*ten_rows()), end=at(79)), DORA_2025).collect()
    assert incidents["incident"].to_list() == ["i1"]
    assert incidents["censored"].to_list() == [True] and incidents["hours"].to_list() == [5]


def test_the_state_before_holds_at_the_begin():
    """Failing since 0 h, well from 12 h on; watched from 10 to 20 h: 2 of 10 hours degraded."""
    rows = [
        row("observation.recorded", 0, "w0", outcome="failure", value=0.5, target=0.8),
        row("observation.recorded", 12, "w1", outcome="success", value=0.9, target=0.8),
    ]
    cut = cut_log(log_of(*rows), at(10), at(20))
    shares = compute_ml_kpis(cut).set_index("metric")
    assert shares.loc["time_degraded_share", "value"] == pytest.approx(0.2)


def test_nothing_asked_nothing_cut():
    log = log_of(*ten_rows())
    assert cut_log(log) is log


@pytest.mark.parametrize(
    ("begin", "end", "words"),
    [
        (datetime(2026, 1, 6), None, "no zone"),
        (at(50), at(40), "not after"),
        (at(5000), None, "nothing was watched from"),
        (None, T0, "nothing was watched before"),
    ],
)
def test_refuses_stretches_that_are_none(begin, end, words):
    with pytest.raises(InputError, match=words):
        cut_log(log_of(*ten_rows()), begin, end)


def test_one_service_keeps_the_span_and_what_names_none():
    rows = [*ten_rows(), row("service.deployed", 5, "x1", service="till", change="c9")]
    rows.append(row("change.committed", 1, "c9", service=None))
    log = choose_services(log_of(*rows), ["till"])
    assert value(log, "deployments_per_week") == 0.25
    assert value(log, "lead_time_commit_h") == 4
    with pytest.raises(InputError, match="services: shop, till"):
        choose_services(log_of(*rows), ["tilll"])
