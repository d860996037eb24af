"""Numbers of the coding in the store, against counts made here by other means from the very files."""

from __future__ import annotations

import csv

import pytest

from analysis.base.paths import DATA
from analysis.base.results import Results
from analysis.base.tables import load_table
from analysis.literature.agreement import select_shared
from analysis.literature.coded_display import start_draws
from analysis.literature.coding import load_coding
from analysis.literature.coding_results import (
    build_chart_rows,
    compute_agreement_by_level,
    store_agreement,
    store_chart,
    store_counts,
    store_findings,
    store_saturation,
)
from analysis.literature.findings import compute_findings
from analysis.literature.repeats import without_repeats
from analysis.literature.saturation import build_incidence, compute_stopping_point, compute_unseen
from analysis.literature.themes import compute_coding_chart

SOURCE = "rule: coded for this thesis"


@pytest.fixture(scope="module")
def complete():
    return load_coding()


@pytest.fixture
def results(tmp_path):
    return Results("01_coding", {}, tmp_path)


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / "literature" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def values(results: Results) -> dict[str, object]:
    return {key: entry.value for key, entry in results._entries.items()}


def test_counts_are_those_of_the_files(results, complete):
    shown = store_counts(results, complete, SOURCE)
    found = values(results)
    segments = rows("segments")
    printed_before = {"J": {row["paraphrase"] for row in segments if row["segment"].startswith("J")}}
    reprinted = [row for row in segments if row["segment"][0] == "M" and row["paraphrase"] in printed_before["J"]]
    retold = [row for row in segments if row["paraphrase"].startswith("Told a second time:")]
    left_out = {row["segment"] for row in [*reprinted, *retold]}
    given = [row for row in rows("codings") if row["coder"] == "A" and row["segment"] not in left_out]
    assert found["coding.documents"] == len(rows("documents"))
    assert found["coding.segments"] == len(segments) - len(left_out)
    assert (found["coding.reprinted"], found["coding.retold"]) == (len(reprinted), len(retold))
    assert found["coding.codings"] == len(given)
    assert found["coding.codes_unused"] == len(rows("codebook")) - len({row["code"] for row in given})
    assert found["coding.themes"] == sum(not row["parent"] for row in rows("codebook"))
    quoted = {row["participant"] for row in segments if row["segment"] not in left_out} - {"", "D-U0"}
    assert found["coding.quoted"] == len(quoted)
    assert found["coding.interviewed"] == sum(row["kind"] != "unattributed" for row in rows("participants"))
    assert list(shown["value"]) == [found[f"coding.{key}"] for key in shown["key"]]


def test_the_chart_is_stored_theme_by_theme(results, complete):
    counted = without_repeats(complete)
    chart = compute_coding_chart(counted, rng=start_draws(1))
    by_length = compute_coding_chart(counted, weight="characters", rng=start_draws(1))
    store_chart(results, chart, 0.95, SOURCE)
    weights = {key: value for key, value in values(results).items() if key != "coding.chart.segments"}
    assert sum(weights.values()) == pytest.approx(1)
    challenge = results._entries["coding.chart.challenge"]
    assert challenge.low < challenge.value < challenge.high and challenge.confidence == 0.95
    drawn = build_chart_rows(chart, by_length)
    assert list(drawn["group"].unique()) == ["By passages", "By characters"]
    assert drawn.groupby("group")["value"].sum().tolist() == pytest.approx([1, 1])


def test_saturation_is_stored_with_its_estimates(results, complete):
    incidence = build_incidence(without_repeats(complete), documents=["talele2024"])
    unseen = compute_unseen(incidence)
    store_saturation(results, unseen, compute_stopping_point(incidence, rng=start_draws(1), orders=200), SOURCE)
    found = values(results)
    per_code = incidence.sum()
    assert found["coding.saturation.codes"] == (per_code > 0).sum()
    assert found["coding.saturation.once"] == (per_code == 1).sum()
    assert found["coding.saturation.all"] > found["coding.saturation.codes"]
    assert 0 <= found["coding.saturation.stopped"] <= 1


def test_agreement_is_stored_for_themes_and_codes(results, complete):
    counted = without_repeats(complete)
    by_level = compute_agreement_by_level(counted, confidence=0.95, seed=1)
    store_agreement(results, select_shared(counted), by_level, counted, SOURCE, 0.95)
    found = values(results)
    second = {row["segment"] for row in rows("codings") if row["coder"] == "B"}
    assert found["coding.agreement.segments"] == len(second & set(counted.segments["segment"]))
    equal = 1 - found["coding.agreement.differing"] / found["coding.agreement.segments"]
    assert found["coding.agreement.codes.equal_sets"] == pytest.approx(equal)
    assert found["coding.agreement.themes.equal_sets"] >= found["coding.agreement.codes.equal_sets"]


def test_findings_are_counted_by_topic(results, complete):
    findings, links = (load_table(f"literature/{name}.csv") for name in ("findings", "finding_segments"))
    computed = compute_findings(findings, links, complete.segments, complete.participants)
    shown = store_findings(results, computed, SOURCE)
    found = values(results)
    assert found["coding.findings.links"] == sum(row["stance"] == "supports" for row in rows("finding_segments"))
    assert found["coding.findings.limits"] == sum(row["stance"] == "limits" for row in rows("finding_segments"))
    topics = ("practice", "challenge", "opportunity", "efficiency", "theory")
    assert sum(found[f"coding.findings.{topic}"] for topic in topics) == found["coding.findings.count"] == len(findings)
    assert list(shown["topic"]) == list(topics) and shown["passages"].sum() == found["coding.findings.links"]
