from __future__ import annotations

import pytest

from analysis.requirements import challenge_display, form_display
from analysis.requirements.challenges import compute_gaps

from .conftest import DOCUMENTS

NAMES = dict(zip(DOCUMENTS, ("Proposal", "Dusengimana", "John 2021", "Talele", "John 2025"), strict=True))
TABLES = ["version", "item", "question", "change", "role", "wish", "source_fit", "coverage", "wish_fit"]


@pytest.mark.parametrize("name", TABLES)
def test_printed_tables_have_no_raw_values(form, name):
    table = getattr(form_display, f"build_{name}_table")(form)
    assert len(table) and list(table.index) == list(range(len(table)))
    text = table.to_csv(index=False)
    raw = ("nan", "<NA>", "_", "None", "business stakeholder")
    assert [word for word in raw if word in text.replace("\\*", "")] == []


def test_versions_count_questions_and_roles(form):
    table = form_display.build_version_table(form)
    assert table["All"].tolist() == [23, 34, 37]
    assert table["Judged by"].tolist() == [20, 15, 10]  # Table E.1, three sets of interviews
    assert table["Roles asked"].tolist() == [7, 10, 10]  # roles named in Tables A.1; A.2 and A.3; 4.1 to 4.4


def test_items_lead_from_source_to_versions(form):
    table = form_display.build_item_table(form).set_index("No.")
    # Table 5.1, row BP4; §5.1.3 tells that its first question was parted in two.
    assert table.at["BP4", "Sources"] == "Miao, 2017; Letouzey, 2022"
    assert table.at["BP4", "Questions"].startswith("R38 Problem and AI (version 1); R03 Measures of success; R04")
    assert table.at["BP4", "Questions"].endswith("R02 Fit of learning (versions 2–3, in place of R38)")
    assert table.at["P4", "Questions"] == "R32 Place of prediction; R37 Performance; R31 Deployment process"


def test_changes_say_who_came_and_went(form):
    table = form_display.build_change_table(form).set_index("Change")
    assert len(table) == 31 + 3  # Tables 5.2 and 5.3
    assert table.at["C2.26", "Roles"] == "+Product owner, −Business stakeholder, −Software engineer"
    assert table.at["C2.26", "Named"] == "ID1.1, ID6.1, ID7.1, ID8"  # Table 5.2, row 26
    assert table.at["C2.27", "Named"] == "the author"  # "Refined by us"
    assert table.at["C3.02", "Roles"] == "Product owner, Business stakeholder"  # Table 4.2, row 5
    assert len(form_display.build_change_table(form, 3)) == 3


def test_interviewees_are_counted_over_both_interviews(form, coding):
    table = form_display.build_interviewee_table(form, coding["participants"]).set_index("Interviewee")
    # Rows of Tables 5.2 and 5.3 with ID6.1 or ID6.2, ID1.1 or ID1.2, ID8, ID7.1, ID4, ID10.
    assert table["All"].to_dict() == {"ID6": 21, "ID1": 19, "ID8": 19, "ID7": 17, "ID4": 3, "ID10": 2, "Changes": 34}
    assert table.loc["Changes", ["Added", "Dropped", "Roles changed"]].tolist() == [15, 1, 18]
    assert table.at["Changes", "Alone"] == table["Alone"].drop("Changes").sum() == 10
    assert (table[["Added", "Dropped", "Roles changed"]].sum(axis=1) == table["All"]).all()


def test_roles_move_from_business_to_product_owner(form):
    table = form_display.build_role_table(form).set_index("Role")
    assert table.loc["Product owner"].tolist() == [0, 18, 20]  # counted in Tables A.1; A.2 and A.3; 4.1 to 4.4
    assert table.loc["Business stakeholder"].tolist() == [15, 7, 9]
    assert table.loc["IT architect"].tolist() == [1, 1, 1]


def test_wishes_add_up(form):
    table = form_display.build_wish_summary(form).set_index("Version judged")
    assert (table.drop(columns="Wishes").sum(axis=1) == table["Wishes"]).all()
    assert table.loc["All"].tolist() == table.drop("All").sum().tolist()
    assert table.at["All", "Wishes"] == len(form.wishes)
    wishes = form_display.build_wish_table(form).set_index("Wish")
    assert wishes.at["W16", "Outcome"].startswith("refused: an architect")  # §5.1.3, last paragraph
    assert wishes.at["W06", "Changes"] == "C2.08 (R08), C2.10 (R12)"
    assert wishes.at["W03", "Changes"] == "14 changes"
    assert len(form_display.build_wish_table(form, 3)) == 4


def test_the_way_of_a_question_reads(form):
    table = form_display.build_trace_table(form, "R12")
    assert table["Step"].iloc[0] == "Problem or best practice"
    assert "version 2, asked of: Data scientist, Data engineer, Domain expert" in set(table["What"])  # Table A.2
    assert table.loc[table["Step"] == "Interviewee", "What"].tolist() == ["ID6.1", "ID7.1"]  # Table 5.2, row 10


def test_challenges_stand_beside_their_solutions(tables, support):
    table = challenge_display.build_challenge_table(tables, support, NAMES).set_index("No.")
    assert table["Solution"].eq(challenge_display.LOST).sum() == 1
    assert table["Pair"].value_counts().to_dict() == {"number": 8, "row": 6, "order": 3, "–": 1}
    counts = support.set_index(["challenge", "part"])
    assert table.at["CH01", "Talele"] == (
        f"{counts.at[('CH01', 'challenge'), 'talele2024']} + {counts.at[('CH01', 'solution'), 'talele2024']}"
    )
    assert table.at["CH12", "Talele"].endswith("+ –")
    assert table["Row"].sum() == tables.challenge_segments["segment"].nunique()


def test_categories_add_up(tables, support):
    table = challenge_display.build_category_table(tables, support)
    assert table["Category"].tolist()[1] == "ML system: data management"
    assert table["Challenges"].tolist() == [4, 5, 4, 3, 2]  # Dusengimana, Tables 1 to 3
    assert table["Solutions"].tolist() == [4, 5, 3, 3, 2]
    total = support.groupby("part")["elsewhere"].sum()
    assert (table["On challenges"].sum(), table["On solutions"].sum()) == (total["challenge"], total["solution"])


def test_gaps_are_named_in_words(tables, support, coding):
    gaps = compute_gaps(tables, support, coding["segments"], coding["codings"], coding["codebook"])
    table = challenge_display.build_challenge_gap_table(gaps, coding["codebook"])
    assert "_" not in table.to_csv()
    assert "Cost of implementation" in " ".join(table["Which"])
    assert form_display.build_gap_table(gaps, most=1)["Which"].str.contains("…").sum() == (gaps["count"] > 1).sum()
