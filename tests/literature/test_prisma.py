"""The PRISMA flow is counted from the tables, adds up, and leaves unknown what is not published.

The worked example by hand (screening in `test_ledger.py`): 16 records of Scopus, 12 of IEEE Xplore (4 of them the same
works as in Scopus), 2 of a register; 8 of Google, 4 from citations (1 of them a work that Scopus has).

    databases and registers: 30 identified − 4 duplicates = 26 screened − 11 = 15 sought − 2 = 13 assessed − 6 = 7
    other methods:           12 identified − 1 duplicate  = 11 screened −  4 =  7 sought − 1 =  6 assessed − 2
                             = 4 appraised − 1 = 3
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.literature.prisma import (
    build_prisma_numbers,
    build_prisma_table,
    build_published_numbers,
    check_prisma,
    compute_prisma_checks,
)
from analysis.literature.prisma_figure import build_prisma_flow
from analysis.plots import theme
from analysis.plots.flow import draw_flow

TOTALS = {
    ("databases", "identified"): 30,
    ("databases", "duplicates"): 4,
    ("databases", "screened"): 26,
    ("databases", "excluded"): 11,
    ("databases", "sought"): 15,
    ("databases", "not_retrieved"): 2,
    ("databases", "assessed"): 13,
    ("databases", "ineligible"): 6,
    ("databases", "included"): 7,
    ("other", "identified"): 12,
    ("other", "duplicates"): 1,
    ("other", "screened"): 11,
    ("other", "excluded"): 4,
    ("other", "sought"): 7,
    ("other", "not_retrieved"): 1,
    ("other", "assessed"): 6,
    ("other", "ineligible"): 2,
    ("other", "appraised"): 4,
    ("other", "low_quality"): 1,
    ("other", "included"): 3,
    ("all", "included"): 10,
}
PAGE_HEIGHT_IN = 8.9


@pytest.fixture(scope="module")
def counted(screened):
    return build_prisma_numbers(screened.whole, screened.deduplicated)


@pytest.fixture
def numbers(counted):
    return counted.copy()


@pytest.fixture
def protocol():
    return load_table("literature/search_protocol.csv")


def totals_of(numbers):
    rows = numbers[numbers["detail"].isna()]
    return dict(zip(zip(rows["arm"], rows["step"], strict=True), rows["count"], strict=True))


def details_of(numbers, arm, step):
    rows = numbers[(numbers["arm"] == arm) & (numbers["step"] == step) & numbers["detail"].notna()]
    return dict(zip(rows["detail"], rows["count"], strict=True))


def test_totals_of_the_worked_example(numbers):
    assert totals_of(numbers) == TOTALS
    assert set(numbers["status"]) == {"counted"}


def test_counts_for_each_database_and_reason(numbers):
    assert details_of(numbers, "databases", "identified") == {"Scopus": 16, "IEEE Xplore": 12, "OSF Registries": 2}
    assert details_of(numbers, "databases", "duplicates") == {"Scopus": 0, "IEEE Xplore": 4, "OSF Registries": 0}
    assert details_of(numbers, "other", "identified") == {"Google": 8, "Citation searching": 4}
    assert details_of(numbers, "databases", "excluded") == {"not_english": 2, "blog": 0, "off_topic": 9}
    assert details_of(numbers, "databases", "ineligible") == {"no_devops": 3, "no_method": 3}
    assert details_of(numbers, "other", "low_quality") == {"no_author": 1}


def test_every_equation_of_the_worked_example_holds(numbers):
    checks = compute_prisma_checks(numbers)
    assert set(checks["verdict"]) == {"holds"}
    assert "30 = 4 + 26" in set(checks["numbers"])


def test_several_reports_of_one_study(screened):
    kept = screened.whole.outcomes
    kept = kept.loc[(kept["outcome"] == "include") & (kept["stage"] != "title_abstract"), "record"]
    study_of = {record: f"study {record}" for record in kept}
    study_of["R000000000102"] = study_of["R000000000101"]
    numbers = build_prisma_numbers(screened.whole, screened.deduplicated, studies=study_of)
    assert totals_of(numbers)["all", "studies"] == 9
    boxes, _, _ = build_prisma_flow(numbers)
    assert boxes.set_index("box").at["included", "text"] == "Included in the review\nn = 10 reports of 9 studies"
    del study_of["R000000000101"]
    with pytest.raises(InputError, match="record 'R000000000101': is included without a study"):
        build_prisma_numbers(screened.whole, screened.deduplicated, studies=study_of)


def test_a_place_without_records_counts_zero(screened):
    none = pd.DataFrame([("Zenodo", "register")], columns=["database", "kind"])
    whole = screened.check(sources=pd.concat([screened.sources, none]))
    numbers = build_prisma_numbers(whole, screened.deduplicated)
    assert details_of(numbers, "databases", "identified")["Zenodo"] == 0
    assert totals_of(numbers) == TOTALS


def test_unreadable_records_are_identified_and_removed(screened):
    originals = screened.deduplicated.originals
    records = originals.assign(file=originals["database"] + ".ris")
    files = pd.DataFrame({"file": sorted(set(records["file"])), "left_out": 0})
    files.loc[files["file"] == "Scopus.ris", "left_out"] = 3
    imported = SimpleNamespace(records=records, files=files)
    numbers = build_prisma_numbers(screened.whole, screened.deduplicated, imported)
    assert details_of(numbers, "databases", "identified")["Scopus"] == 19
    expected = TOTALS | {("databases", "identified"): 33, ("databases", "unreadable"): 3}
    assert totals_of(numbers) == expected
    boxes, _, _ = build_prisma_flow(numbers)
    lost = boxes.set_index("box").at["databases_identified_lost", "text"]
    assert lost == "Records removed before screening\nn = 7\nduplicates: 4\nunreadable: 3"
    one_file = pd.DataFrame({"file": ["all.ris"], "left_out": [2]})
    mixed = SimpleNamespace(records=records.assign(file="all.ris"), files=one_file)
    with pytest.raises(InputError, match="5 databases that they may be from"):
        build_prisma_numbers(screened.whole, screened.deduplicated, mixed)


def test_only_a_complete_ledger_of_these_works_is_counted(screened):
    with pytest.raises(InputError, match="is not complete"):
        build_prisma_numbers(screened.check(complete=False), screened.deduplicated)
    fewer = replace(screened.deduplicated, records=screened.deduplicated.records.iloc[1:])
    with pytest.raises(InputError, match="'R000000000101': was screened, but is not among the works"):
        build_prisma_numbers(screened.whole, fewer)


def test_order_files_and_names_change_no_number(screened, numbers):
    names = {"Ana": "Zoe", "Ben": "Abe", "Cleo": "Moe"}
    again = screened.check(
        ledger=screened.ledger.assign(reviewer=screened.ledger["reviewer"].map(names)).sample(frac=1, random_state=9),
        assignments=screened.assignments.assign(reviewer=screened.assignments["reviewer"].map(names)),
        works=screened.works.sample(frac=1, random_state=9),
    )
    pd.testing.assert_frame_equal(build_prisma_numbers(again, screened.deduplicated), numbers)


@given(place=st.integers(0, 41), by=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_any_changed_number_is_found(counted, place, by):
    numbers = counted.copy()
    numbers.loc[place, "count"] += by
    with pytest.raises(InputError, match="do not add up"):
        check_prisma(numbers)


def test_negative_repeated_and_ill_marked_numbers_are_refused(numbers):
    numbers.loc[0, "count"] = -1
    numbers.loc[1, "count"] = pd.NA
    with pytest.raises(InputError) as caught:
        check_prisma(pd.concat([numbers, numbers.tail(1)]))
    assert [problem.what for problem in caught.value.problems] == [
        "-1 records",
        "status 'counted' with count ?",
        "occurs twice",
    ]


# ---- the published review --------------------------------------------------------------------


def test_the_published_review_has_three_known_numbers(protocol):
    # §III-A of John, Olsson and Bosch (2021): 6 studies and 15 grey documents
    numbers = build_published_numbers(protocol)
    known = numbers[numbers["count"].notna()]
    assert totals_of(known) == {("databases", "included"): 6, ("other", "included"): 15, ("all", "included"): 21}
    assert details_of(known, "databases", "identified") == {}
    status = numbers[numbers["detail"].isna()].set_index(["arm", "step"])["status"]
    assert status["databases", "duplicates"] == "not_published"
    assert status["other", "duplicates"] == "not_mentioned"
    assert status["databases", "assessed"] == "not_mentioned"
    assert set(compute_prisma_checks(numbers)["verdict"]) == {"holds", "unknown"}
    assert build_prisma_table(numbers)["Records"].isin(["6", "15", "21", "not published", "step not mentioned"]).all()


def test_its_rules_are_reasons_without_counts(protocol):
    numbers = build_published_numbers(protocol)
    for arm, rules in (
        ("databases", {"exclude_language", "exclude_unreviewed", "exclude_offline"}),
        ("other", {"exclude_reviewed", "exclude_blogs"}),
    ):
        reasons = details_of(numbers, arm, "excluded")
        assert set(reasons) == rules
        assert pd.isna(list(reasons.values())).all()


def test_unknown_numbers_still_have_bounds(protocol):
    found = protocol["item"].isin(["slr_found", "slr_screened"])
    protocol["value"] = protocol["value"].mask(found, "4")
    protocol["status"] = protocol["status"].mask(found, "published")
    with pytest.raises(InputError, match="Records screened ≥ Reports included: 4 ≥ 6"):
        build_published_numbers(protocol)


def test_a_count_of_no_step_is_refused(protocol):
    protocol["item"] = protocol["item"].mask(protocol["item"] == "slr_found", "slr_seen")
    with pytest.raises(InputError, match="'slr_seen' is no step of the flow"):
        build_published_numbers(protocol)


# ---- the figure ------------------------------------------------------------------------------


def test_boxes_show_counts_or_say_why_not(numbers, protocol):
    boxes = build_prisma_flow(numbers)[0].set_index("box")
    assert boxes["known"].all()
    assert boxes.at["databases_identified", "text"].startswith("Records identified\nn = 30\nScopus:\u00a016\n")
    assert "Blog" not in boxes.at["databases_screened_lost", "text"]
    assert "databases_appraised" not in boxes.index and "other_appraised" in boxes.index
    unknown = build_prisma_flow(build_published_numbers(protocol), {"other": "Grey arm"})[0].set_index("box")
    known = {"databases_heading", "other_heading", "databases_included", "other_included", "included"}
    assert set(unknown.index[unknown["known"]]) == known
    assert unknown.at["other_heading", "text"] == "Grey arm"
    assert unknown.at["databases_sought", "text"] == "Reports sought for retrieval\nstep not mentioned"
    assert "Not peer-reviewed:\u00a0?" in unknown.at["databases_screened_lost", "text"]


def test_many_reasons_are_gathered_without_losing_any(numbers):
    extra = pd.DataFrame(
        [("databases", "ineligible", f"r{n}", f"Rule {n}", 1, "counted") for n in range(8)], columns=list(numbers)
    )
    raised = {("databases", step): 8 for step in ("ineligible", "assessed", "sought", "screened", "identified")}
    for (arm, step), by in raised.items():
        numbers.loc[(numbers["arm"] == arm) & (numbers["step"] == step) & numbers["detail"].isna(), "count"] += by
    numbers.loc[numbers["detail"].eq("Scopus").fillna(False) & (numbers["step"] == "identified"), "count"] += 8
    boxes = build_prisma_flow(pd.concat([numbers, extra], ignore_index=True))[0].set_index("box")
    lines = boxes.at["databases_assessed_lost", "text"].split("\n")[2:]
    assert len(lines) == 6
    assert lines[-1] == "5 others:\u00a05"
    assert sum(int(line.split("\u00a0")[1]) for line in lines) == 14


def _flows(screened):
    whole = build_prisma_numbers(screened.whole, screened.deduplicated)
    return {
        "example": whole,
        "one arm": check_prisma(
            pd.concat(
                [
                    whole[whole["arm"] == "databases"],
                    whole[whole["arm"] == "all"].assign(count=pd.array([7], dtype="Int64")),
                ]
            )
        ),
        "published": build_published_numbers(load_table("literature/search_protocol.csv")),
    }


@pytest.mark.parametrize("name", ["example", "one arm", "published"])
def test_the_figure_is_legible_on_one_page(screened, name):
    boxes, arrows, bands = build_prisma_flow(_flows(screened)[name])
    figure = draw_flow(boxes, arrows, bands)
    width, height = figure.get_size_inches()
    assert width == theme.TEXT_WIDTH_IN and height <= PAGE_HEIGHT_IN
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    renderer = canvas.get_renderer()
    drawn = [patch.get_window_extent(renderer) for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    texts = [text for text in axes.texts if text.get_text() and text.get_gid() != "band"]
    assert len(drawn) == len(texts) == len(boxes)
    for text, box in zip((text.get_window_extent(renderer) for text in texts), drawn, strict=True):
        assert box.x0 < text.x0 and text.x1 < box.x1 and box.y0 < text.y0 and text.y1 < box.y1
    assert not any(one.overlaps(two) for place, one in enumerate(drawn) for two in drawn[:place])
    spans = [patch.get_window_extent(renderer) for patch in axes.patches if not isinstance(patch, FancyBboxPatch)]
    names = [text.get_window_extent(renderer) for text in axes.texts if text.get_gid() == "band"]
    assert len(spans) == len(names) == 3
    for text, span in zip(names, spans, strict=True):
        assert span.y0 < text.y0 and text.y1 < span.y1
    assert min(text.get_fontsize() for text in axes.texts if text.get_text()) >= 7
