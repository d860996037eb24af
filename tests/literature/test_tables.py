"""The literature tables hold what John, Olsson and Bosch (2021) print."""

from __future__ import annotations

from collections import Counter

import pytest

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.base.tables import load_table

# Bracketed numbers in the order in which §V and §VI of doi:10.1109/SEAA53835.2021.00050 print them.
FRAMEWORK = {
    "§V-A": [32, 31, 41, 27, 42, 42, 39, 27, 25],
    "§V-B": [42, 23, 39, 29],
    "§V-C": [41, 41, 40, 41, 30, 41, 35, 41, 41, 41, 31],
    "§V": [30, 40, 29, 36, 31, 31, 25, 40],
}
MATURITY = {
    "§VI-A": [32, 31, 34, 38, 31, 35, 37],
    "§VI-B": [43, 39, 43, 38, 43, 34, 34, 38, 31, 35, 32, 38, 24, 43, 40, 39, 43, 43, 39, 40, 31, 36, 32, 39, 37],
    "§VI-C": [43, 43, 27, 36, 38, 31, 34, 38, 27, 28, 31, 43, 38],
    "§VI-D": [43, 31, 32, 23, 43, 34, 36, 43, 36, 34, 43, 36, 43, 31, 34],
}
# Decisions named in the data card: joined sentences, one citation for two activities, one printed twice.
FRAMEWORK_JOINED = {"§V-A": [42], "§V": [31]}
FRAMEWORK_SHARED = {"§V-C": [41, 31]}
MATURITY_REPEATED = {"§VI-B": [43]}


def _recorded(file: str, section: str) -> Counter:
    links = load_table(file)
    return Counter(int(study[1:]) for study in links.loc[links["locator"] == section, "study"])


@pytest.mark.parametrize("section", FRAMEWORK)
def test_every_printed_citation_of_the_framework_is_recorded(section):
    expected = Counter(FRAMEWORK[section])
    expected.subtract(FRAMEWORK_JOINED.get(section, []))
    expected.update(FRAMEWORK_SHARED.get(section, []))
    assert _recorded("literature/activity_studies.csv", section) == expected


@pytest.mark.parametrize("section", MATURITY)
def test_every_printed_citation_of_the_stages_is_recorded(section):
    expected = Counter(MATURITY[section])
    expected.subtract(MATURITY_REPEATED.get(section, []))
    assert _recorded("literature/precondition_studies.csv", section) == expected


def test_studies_are_references_23_to_43_divided_as_printed():
    studies = load_table("literature/studies.csv")
    assert list(studies["reference"]) == list(range(23, 44))
    assert list(studies.loc[studies["kind"] == "peer_reviewed", "reference"]) == list(range(23, 29))


def test_authors_that_run_into_the_wrong_entry_are_given_back():
    authors = load_table("literature/studies.csv").set_index("reference")["authors"]
    assert authors[26].endswith("Mamidi, V.")
    assert authors[27].startswith("Banerjee, A.; Chen, C. C.; Hung, C. C.; Huang, X.")


def test_locators_of_citations_agree_with_their_claims():
    for links_file, claims_file, key in (
        ("literature/activity_studies.csv", "literature/activities.csv", "activity"),
        ("literature/precondition_studies.csv", "literature/preconditions.csv", "precondition"),
    ):
        links, claims = load_table(links_file), load_table(claims_file).set_index(key)
        assert list(links["locator"]) == list(links[key].map(claims["locator"]))


def test_companies_are_placed_as_in_section_8():
    companies = load_table("literature/companies.csv").set_index("company")
    assert companies[["lower_stage", "upper_stage"]].values.tolist() == [[1, 2], [1, 1], [2, 2]]
    assert companies["practitioners"].to_dict() == {"A": 10, "B": 2, "C": 2}  # Table I


def test_a_citation_of_an_unknown_study_is_refused_with_its_line(tmp_path):
    (tmp_path / "literature").mkdir()
    for name in ("studies.csv", "activities.csv"):
        text = (DATA / "literature" / name).read_text(encoding="utf-8")
        (tmp_path / "literature" / name).write_text(text, encoding="utf-8")
    (tmp_path / "literature" / "activity_studies.csv").write_text(
        "activity,study,cited_for,locator\nrelease_monitor,S44,monitoring,§V-C\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"activity_studies\.csv:2, column 'study'.*\n?.*S44"):
        load_table("literature/activity_studies.csv", tmp_path)


def test_every_table_of_the_room_has_its_columns_in_the_data_card():
    card = (DATA / "literature" / "README.md").read_text(encoding="utf-8")
    for path in sorted((DATA / "literature").glob("*.csv")):
        assert path.name in card
        for name in load_table(f"literature/{path.name}").columns:
            assert name in card, f"{path.name}: column {name} is not described"
