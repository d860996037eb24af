from __future__ import annotations

import pandas as pd
import pytest

from analysis.base.errors import InputError
from analysis.base.tables import load_table
from analysis.literature.prisma import build_published_numbers
from analysis.literature.prisma_figure import build_prisma_flow
from analysis.literature.protocol import (
    build_protocol_table,
    check_protocol,
    compute_protocol_gaps,
    missing_counts,
    protocol_count,
    protocol_date,
    protocol_value,
)


@pytest.fixture
def protocol():
    return check_protocol(load_table("literature/search_protocol.csv"))


def test_published_facts(protocol):
    # §III-A of John, Olsson and Bosch (2021)
    assert protocol_value(protocol, "query") == '"MLOps" OR "Machine Learning Operations"'
    assert protocol_date(protocol, "period_start") == "1 January 2015"
    assert protocol_date(protocol, "period_end") == "31 March 2021"
    assert [protocol_count(protocol, item) for item in ("libraries", "slr_included", "glr_included")] == [5, 6, 15]


def test_an_unpublished_value_cannot_be_used(protocol):
    with pytest.raises(InputError, match="in a picture, if at all"):
        protocol_value(protocol, "library_names")
    with pytest.raises(InputError, match="not published"):
        protocol_count(protocol, "slr_found")


def test_an_unknown_item_is_an_error(protocol):
    with pytest.raises(InputError, match="no item 'slr_foundd'"):
        protocol_value(protocol, "slr_foundd")


def test_a_guessed_count_a_lost_value_and_a_word_for_a_number_are_refused(protocol):
    protocol.loc[protocol["item"] == "slr_found", "value"] = "120"
    protocol.loc[protocol["item"] == "query", "value"] = pd.NA
    protocol.loc[protocol["item"] == "slr_included", "value"] = "six"
    with pytest.raises(InputError) as caught:
        check_protocol(protocol)
    assert [problem.what for problem in caught.value.problems] == [
        "published, but the value is empty",
        "has a value, but is not published in the text",
        "'six' is not a count",
    ]


def test_gaps_add_up_to_the_whole_protocol(protocol):
    gaps = compute_protocol_gaps(protocol).set_index("kind")
    assert gaps.to_numpy().sum() == len(protocol)
    assert gaps.loc["count"].to_dict() == {"published": 2, "picture_only": 0, "not_published": 7}
    assert len(missing_counts(protocol)) == 7


def test_printed_protocol_has_no_empty_value_and_no_counts(protocol):
    table = build_protocol_table(protocol)
    assert len(table) == (protocol["kind"] != "count").sum()
    assert table["Value"].notna().all()
    assert table.loc[table["What"] == "Names of the libraries", "Value"].item() == "in a picture, if at all"
    assert table.loc[table["What"] == "First day of the search period", "Value"].item() == "1 January 2015"


def test_flow_shows_unknown_counts_as_unknown_and_known_ones_as_counts(protocol):
    boxes, arrows, _ = build_prisma_flow(build_published_numbers(protocol))
    boxes = boxes.set_index("box")
    arms = {"slr": "databases", "glr": "other"}
    steps = {"found": "identified", "duplicates": "identified_lost", "excluded": "screened_lost"}
    counted = protocol[protocol["kind"] == "count"]
    for row in counted.itertuples():
        arm, _, step = row.item.partition("_")
        box = boxes.loc[f"{arms[arm]}_{steps.get(step, step)}"]
        assert box["known"] == (row.status == "published")
        assert box["text"].split("\n")[1] == (f"n = {row.value}" if row.status == "published" else "not published")
    assert boxes.at["included", "text"].endswith("n = 21 reports")
    assert set(arrows["start"]) | set(arrows["end"]) == set(boxes.index[boxes["role"] == "box"])
