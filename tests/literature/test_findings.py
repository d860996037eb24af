"""Every finding leads to passages that exist, support it, and are not counted twice."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.literature.findings import TOPICS, build_findings_table, check_findings, compute_findings
from analysis.literature.repeats import RETOLD, find_repeats
from tests.literature.small_coding import PARTICIPANTS, SEGMENTS, stored_coding

FINDINGS = pd.DataFrame(
    {"finding": ["F01", "F02"], "topic": ["practice", "challenge"], "statement": ["It is so.", "It is hard."]},
    index=pd.RangeIndex(2, 4, name="line"),
)
LINKS = pd.DataFrame(
    [
        ("F01", "T0001", "supports"),
        ("F01", "T0002", "supports"),
        ("F01", "D0001", "supports"),
        ("F01", "D0003", "supports"),
        ("F01", "T0004", "limits"),
        ("F02", "T0005", "supports"),
    ],
    columns=["finding", "segment", "stance"],
    index=pd.RangeIndex(2, 8, name="line"),
)


@pytest.fixture(scope="module")
def stored():
    coding = stored_coding()
    tables = load_table("literature/findings.csv"), load_table("literature/finding_segments.csv")
    return *tables, coding.segments, coding.participants


def test_what_a_finding_rests_on_by_hand():
    first, second = compute_findings(FINDINGS, LINKS, SEGMENTS, PARTICIPANTS).to_dict("records")
    # T0001 and T0002 are by one person, D0001 by a group, D0003 by nobody in particular
    assert [first[name] for name in ("passages", "documents", "interviewees", "limits")] == [4, 2, 2, 1]
    assert (first["supporting"], first["limiting"]) == ("T0001, T0002, D0001, D0003", "T0004")
    assert [second[name] for name in ("passages", "documents", "interviewees", "limits")] == [1, 1, 0, 0]


def test_order_of_links_changes_no_count():
    counts = ["finding", "passages", "documents", "interviewees", "limits"]
    mixed = compute_findings(FINDINGS, LINKS.iloc[::-1], SEGMENTS, PARTICIPANTS)
    pd.testing.assert_frame_equal(mixed[counts], compute_findings(FINDINGS, LINKS, SEGMENTS, PARTICIPANTS)[counts])


def test_table_of_some_topics():
    computed = compute_findings(FINDINGS, LINKS, SEGMENTS, PARTICIPANTS)
    table = build_findings_table(computed, "practice")
    assert table.to_dict("records") == [
        {"No.": "F01", "Finding": "It is so.", "Passages": 4, "Doc.": 2, "Interv.": 2,
         "Segments": "T0001, T0002, D0001, D0003; limited by T0004"}
    ]  # fmt: skip
    assert len(build_findings_table(computed, "practice", "challenge")) == 2
    with pytest.raises(InputError, match="no finding on theory"):
        build_findings_table(computed, "theory")
    with pytest.raises(InputError, match="no topic given"):
        build_findings_table(computed)


def link(**cells: str) -> pd.DataFrame:
    changed = LINKS.copy()
    for column, value in cells.items():
        changed.loc[2, column] = value
    return changed


@pytest.mark.parametrize(
    ("findings", "links", "segments", "messages"),
    [
        (FINDINGS, link(segment="T9999"), SEGMENTS, ["links:2, column 'segment'.*'T9999' does not exist"]),
        (FINDINGS, link(finding="F77"), SEGMENTS, ["links:2, column 'finding'.*'F77' does not exist"]),
        (FINDINGS, LINKS.drop(7), SEGMENTS, ["findings:3.*no segment supports 'F02'"]),
        (FINDINGS, LINKS.assign(stance="limits"), SEGMENTS, ["supports 'F01'", "supports 'F02'"]),
        (
            FINDINGS.assign(topic=["challenge", "practice"]),
            LINKS,
            SEGMENTS,
            ["findings:3.*'topic'.*out of order"],
        ),
        (
            FINDINGS,
            LINKS,
            SEGMENTS.assign(paraphrase=SEGMENTS["paraphrase"].mask(SEGMENTS["segment"] == "D0001", "One thing")),
            ["links:4.*'D0001' repeats.*\n.*link T0001"],
        ),
        (
            FINDINGS,
            LINKS,
            SEGMENTS.assign(paraphrase=SEGMENTS["paraphrase"].mask(SEGMENTS["segment"] == "T0004", f"{RETOLD} x")),
            ["links:6.*'T0004' repeats.*\n.*that it retells"],
        ),
    ],
)
def test_each_broken_link_is_named(findings, links, segments, messages):
    with pytest.raises(InputError) as caught:
        check_findings(findings, links, segments)
    for message in messages:
        assert caught.match(message)


def test_the_stored_findings_lead_to_coded_evidence(stored):
    findings, links, segments, participants = stored
    computed = compute_findings(*stored)
    assert len(computed) == len(findings) and (computed["passages"] >= 1).all()
    assert computed["passages"].sum() + computed["limits"].sum() == len(links)
    assert set(findings["topic"]) == set(TOPICS)
    assert not set(links["segment"]) & set(find_repeats(segments)["segment"])
    assert (computed["documents"] <= 5).all() and (computed["interviewees"] <= len(participants)).all()
    listed = computed["supporting"].str.split(", ").explode()
    assert set(listed) <= set(segments["segment"])


def test_removing_the_support_of_a_stored_finding_is_noticed(stored):
    findings, links, segments, _ = stored
    only = links[~((links["finding"] == "F01") & (links["stance"] == "supports"))]
    with pytest.raises(InputError, match="no segment supports 'F01'"):
        check_findings(findings, only, segments)
