"""The same people come out of every tool's export, and every way of damaging one is named with line and column."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.survey.answers import split_answers
from analysis.survey.demo import build_demo
from analysis.survey.instrument import build_instrument, load_instrument
from analysis.survey.mapping import build_mapping, draft_mapping
from analysis.survey.privacy import open_vault
from analysis.survey.responses import load_responses, merge_responses
from tests.survey.exports import PEOPLE, SCREENING, TOOLS, build_sheet, code_of, column_of, expected_table

PERSONAL = [text for person in PEOPLE for text in person[:2]]


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    return open_vault(tmp_path_factory.mktemp("vault") / "private")


def load(sheet, folder, vault, alter=None, instrument=SCREENING):
    return load_responses(sheet.write(folder, alter), instrument, sheet.built(instrument), vault)


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Answers alone, in the order of submission, as plain values."""
    table = table.sort_values("submitted").drop(columns=["respondent", "submitted"]).reset_index(drop=True)
    return table.astype(object).where(table.notna(), None)


def refused(sheet, folder, vault, alter=None) -> InputError:
    with pytest.raises(InputError) as caught:
        load(sheet, folder, vault, alter)
    said = str(caught.value)
    assert not any(text in said for text in PERSONAL), "an error repeats what is personal"
    assert str(folder) not in said
    return caught.value


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_tells_the_same(tool, tmp_path, vault):
    sheet = build_sheet(tool)
    responses = load(sheet, tmp_path, vault)
    pd.testing.assert_frame_equal(
        plain(responses.table)[list(expected_table())], expected_table().astype(object).where(lambda f: f.notna(), None)
    )
    assert list(responses.table) == ["respondent", "submitted", *expected_table()]
    table = responses.table
    assert table["Q5"].cat.ordered and not SCREENING.question("Q6").ordered
    assert list(table["Q5"].cat.categories) == list(SCREENING.question("Q5").option_ids)
    assert table["respondent"].is_unique and table["respondent"].str.fullmatch("[0-9a-f]{32}").all()
    steps = dict(responses.counts.itertuples(index=False))
    assert steps["in the file"] == len(sheet.rows) == sum(steps.values()) - steps["in the file"]
    assert (steps["no consent"], steps["duplicate"], steps["kept"]) == (1, 1, 6)
    assert {"limesurvey": "not sent", "qualtrics": "preview or test", "kobo": "not approved"}.get(tool, "kept") in steps
    whole = table.to_csv() + responses.account()
    assert not any(text in whole for text in [*PERSONAL, "Example Works", "Greta"])


@pytest.mark.parametrize("tool", TOOLS)
def test_lines_lead_back_to_the_file(tool, tmp_path, vault):
    sheet = build_sheet(tool)
    table = load(sheet, tmp_path, vault).table
    assert table.index.name == "line" and table.attrs["source"] == f"export.{sheet.write(tmp_path).suffix[1:]}"
    first = {"qualtrics": 4, "spss": 1}.get(tool, 2)
    by_hand = sheet.rows[table.index[0] - first]
    assert by_hand[sheet.place(column_of(tool, "Q4"))] == PEOPLE[1][1]


# ---- damaged exports ---------------------------------------------------------------------------------------------


def put(question: str, text: str, row: int = -4):
    """Write a text into one cell; row -4 is a person who counts, with blank rows and the like after it."""
    return lambda sheet: sheet.set(row_of(sheet, row), column_of(sheet.tool, question), text)


def row_of(sheet, row: int) -> int:
    place = sheet.place(column_of(sheet.tool, "Q4"))
    named = [at for at, cells in enumerate(sheet.rows) if cells[place] == PEOPLE[3][1]]
    return named[0] if row == -4 else row


def rename(question: str, name: str):
    def damage(sheet):
        sheet.top[0][sheet.place(column_of(sheet.tool, question))] = name

    return damage


def no_rows(sheet):
    sheet.rows = []


def nobody_agrees(sheet):
    for row in sheet.rows:
        row[sheet.place(column_of(sheet.tool, "Q1"))] = ""


def bad_time(sheet):
    sheet.set(row_of(sheet, -4), sheet.mapping["submitted"]["column"], "yesterday")


def too_early(sheet):
    sheet.mapping["submitted"]["first_day"] = pd.Timestamp("2023-06-01").date()


def unmapped_option(sheet):
    """The form was changed after the mapping was written."""
    options = {option: code_of(sheet.tool, "Q5", option) for option in SCREENING.question("Q5").option_ids}
    options["over_15"] = "999"
    options["from_8_to_12"] = "998"
    sheet.mapping["questions"]["Q5"]["options"] = options


ANY_TOOL = [
    ("unknown option", put("Q5", "77"), r"lines? \d+, column.*'77' is no answer to Q5"),
    ("an address among the answers", put("Q5", "x@example.org"), r"a text with @ \(not shown\) is no answer to Q5"),
    ("missing required answer", put("Q9", ""), r"line \d+, column.*Q9 must be answered"),
    ("neither yes nor no", put("Q10", "5"), r"'5' is neither yes nor no to Q10"),
    ("consent in other words", put("Q1", "3"), r"'3' neither gives nor refuses consent"),
    ("no identifier", put("Q4", "  "), r"nothing identifies the respondent"),
    ("impossible time", bad_time, r"'yesterday' is no date of the form"),
    ("before the first day", too_early, r"before the first day, 2023-06-01"),
    ("a column is missing", rename("Q9", "Q99"), r"there is no column"),
    ("a changed form", unmapped_option, r"is no answer to Q5"),
    ("no responses", no_rows, r"holds no responses"),
    ("nobody agrees", nobody_agrees, r"all rows were left out: .*no consent"),
]  # fmt: skip


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(("damage", "said"), [case[1:] for case in ANY_TOOL], ids=[case[0] for case in ANY_TOOL])
def test_damaged_answers(tool, damage, said, tmp_path, vault):
    sheet = build_sheet(tool)
    damage(sheet)
    if tool == "spss" and damage is bad_time:
        said = r"is no date"
    assert pd.Series([str(refused(sheet, tmp_path, vault))]).str.contains(said).all(), refused(sheet, tmp_path, vault)


TEXT_FILES = [
    ("cut off within a row", lambda data: data[: data.rindex(b"Example Works")],
     r"quotation mark is never closed|cells, the header has"),
    ("cut off within a cell", lambda data: data[: data.rindex(b'the one') + 3], r"quotation mark is never closed"),
    ("empty", lambda data: b"\r\n", r"the file is empty"),
    ("a workbook", lambda data: b"PK\x03\x04" + data, r"a workbook or "),
    ("cp1252", lambda data: data.decode("utf-8-sig").encode("cp1252"), r"export\.csv:\d+: byte 0x.. cannot be read"),
    ("utf-16 without a mark", lambda data: data.decode("utf-8-sig").encode("utf-16-le"), r"zero bytes|cannot be read"),
    ("a separator too many", lambda data: data.replace(b"dana@example.org", b"dana@example.org" + b",;" * 2),
     r"export\.csv:\d+: \d+ cells, the header has \d+"),
    ("another separator", lambda data: data.replace(b",", b"|").replace(b";", b"|"), r"header"),
    ("a stray quotation mark", lambda data: data.replace(b"Dana Quoted", b'Dana "Quoted'), r"quotation mark|cells"),
]  # fmt: skip


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool not in ("kobo_xlsx", "spss")])
@pytest.mark.parametrize(("alter", "said"), [case[1:] for case in TEXT_FILES], ids=[case[0] for case in TEXT_FILES])
def test_damaged_text_files(tool, alter, said, tmp_path, vault):
    assert pd.Series([str(refused(build_sheet(tool), tmp_path, vault, alter))]).str.contains(said).all()


@pytest.mark.parametrize("tool", ["kobo_xlsx", "spss"])
@pytest.mark.parametrize(
    "alter", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"not such a file", lambda d: d[::-1]]
)
def test_damaged_binary_files(tool, alter, tmp_path, vault):
    assert "cannot be read" in str(refused(build_sheet(tool), tmp_path, vault, alter))


@pytest.mark.parametrize("tool", TOOLS)
def test_a_missing_file_is_said(tool, tmp_path, vault):
    sheet = build_sheet(tool)
    path = sheet.write(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_responses(path, SCREENING, sheet.built(), vault)


def test_qualtrics_needs_its_three_header_rows(tmp_path, vault):
    sheet = build_sheet("qualtrics")
    del sheet.top[2]
    assert "import ids" in str(refused(sheet, tmp_path, vault))


def test_a_repeated_column_is_not_guessed(tmp_path, vault):
    sheet = build_sheet("google_forms")
    sheet.top[0][sheet.place(column_of("google_forms", "Q8"))] = column_of("google_forms", "Q5")
    assert "stands there 2 times" in str(refused(sheet, tmp_path, vault))


def test_a_sheet_that_is_not_there(tmp_path, vault):
    sheet = build_sheet("kobo_xlsx")
    sheet.mapping["sheet"] = "Answers"
    assert "sheets: Sheet" in str(refused(sheet, tmp_path, vault))


def test_one_hot_columns_must_say_yes_or_no(tmp_path, vault):
    sheet = build_sheet("limesurvey")
    sheet.set(row_of(sheet, -4), "Q12[SQ001]", "maybe")
    assert "'maybe' is neither yes nor no to Q12.classification" in str(refused(sheet, tmp_path, vault))


def test_words_for_an_answer_that_was_not_chosen(tmp_path, vault):
    sheet = build_sheet("kobo")
    sheet.set(row_of(sheet, -4), "Q6_other", "Juggler")
    assert "words, and yet Q6.other is not chosen" in str(refused(sheet, tmp_path, vault))


def test_all_is_said_at_once(tmp_path, vault):
    sheet = build_sheet("google_forms")
    for question, text in (("Q5", "never"), ("Q9", ""), ("Q10", "perhaps"), ("Q11", "many")):
        put(question, text)(sheet)
    put("Q5", "ages", 1)(sheet)
    error = refused(sheet, tmp_path, vault)
    assert len(error.problems) == 5
    line = row_of(sheet, -4) + 2
    assert sum(f"line {line}," in problem.where for problem in error.problems) == 4


def test_the_wrong_column_is_not_printed_out(tmp_path, vault):
    """Names in place of answers: at most a few are told, so that a log does not become a list of people."""
    instrument = load_instrument("practitioners")
    mapping = draft_mapping(instrument, "google_forms")
    header = [mapping["submitted"]["column"], *(question.wording for question in instrument.questions)]
    rows = [["2023/02/01 09:00:00 AM", *[f"Person {number}"] * 9] for number in range(40)]
    path = tmp_path / "export.csv"
    pd.DataFrame(rows, columns=header).to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        load_responses(path, instrument, build_mapping(mapping, instrument))
    assert len(caught.value.problems) == 8 * 6 and "and 35 more texts of this sort" in str(caught.value)


# ---- how files are written ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_encodings_separators_and_newlines(separator, encoding, newline, tmp_path, vault):
    sheet = build_sheet("google_forms")
    reference = plain(load(sheet, tmp_path, vault).table)
    sheet.separator, sheet.encoding, sheet.newline = separator, encoding, newline
    if encoding == "cp1252":
        sheet.mapping["encoding"] = "cp1252"
    pd.testing.assert_frame_equal(plain(load(sheet, tmp_path, vault).table), reference)


def test_utf8_read_as_cp1252_would_be_gibberish(tmp_path, vault):
    sheet = build_sheet("google_forms")
    sheet.mapping["encoding"] = "cp1252"
    assert "its letters outside ASCII are UTF-8" in str(refused(sheet, tmp_path, vault))


def test_excel_s_separator_line_keeps_the_line_numbers(tmp_path, vault):
    sheet = build_sheet("limesurvey")
    sheet.separator = ";"
    put("Q9", "")(sheet)
    without = refused(sheet, tmp_path, vault).problems[0].where
    with_line = refused(sheet, tmp_path, vault, lambda data: b"sep=;\r\n" + data).problems[0].where
    number = row_of(sheet, -4) + 2
    assert f"line {number}," in without and f"line {number + 1}," in with_line


def test_line_breaks_within_cells_keep_the_line_numbers(tmp_path, vault):
    sheet = build_sheet("google_forms")
    sheet.set(0, column_of("google_forms", "Q8"), "one\ntwo\nthree")
    put("Q9", "")(sheet)
    assert f"line {row_of(sheet, -4) + 2 + 2}," in refused(sheet, tmp_path, vault).problems[0].where


def test_localised_booleans_and_dates(tmp_path, vault):
    sheet = build_sheet("google_forms")
    months = {"02": "Feber"}
    for row in sheet.rows:
        time = row[0]
        if time:
            stamp = pd.to_datetime(time, format="%Y/%m/%d %I:%M:%S %p")
            row[0] = f"{stamp.day}. {months[f'{stamp.month:02}']} {stamp.year} {stamp:%H:%M:%S} GMT+1"
        for question in ("Q2", "Q10"):
            place = sheet.place(column_of("google_forms", question))
            row[place] = {"Yes": "Ja ", "No": "NEIN", "": ""}[row[place]]
    sheet.mapping["submitted"] |= {
        "format": "%d. %m %Y %H:%M:%S %z", "texts": {"Feber": "02", "GMT+1": "+0100"},
    }  # fmt: skip
    sheet.mapping["booleans"] = {"yes": ["Ja", "I agree"], "no": ["Nein"]}
    table = load(sheet, tmp_path, vault).table
    assert table["submitted"].max() == pd.Timestamp("2023-02-01 15:00")  # 16:00 at UTC+1
    assert plain(table)["Q10"].tolist() == expected_table()["Q10"].tolist()


@pytest.mark.parametrize(
    ("zone", "last"),
    [
        ("GMT+1", "2023-02-01 15:00"),
        ("GMT-03:30", "2023-02-01 19:30"),
        ("UTC", "2023-02-01 16:00"),
        ("GMT+5:30", "2023-02-01 10:30"),
    ],
)
def test_time_zones_as_google_s_own_download_writes_them(zone, last, tmp_path, vault):
    """The form's download ends each time with its zone, a sheet's does not; the drafted mapping reads both."""
    sheet = build_sheet("google_forms")
    for row in sheet.rows:
        row[0] = f"{row[0]} {zone}" if row[0] else ""
    table = load(sheet, tmp_path, vault).table
    assert table["submitted"].max() == pd.Timestamp(last)


def test_summer_time_begins_while_a_survey_is_open(tmp_path, vault):
    sheet = build_sheet("google_forms")
    for number, row in enumerate(sheet.rows):
        row[0] = f"{row[0]} GMT+{1 + number % 2}" if row[0] else ""
    sent = load(sheet, tmp_path, vault).table["submitted"]
    shown = [pd.to_datetime(row[0][:-6], format="%Y/%m/%d %I:%M:%S %p") for row in sheet.rows if row[0]]
    utc = {time - pd.Timedelta(hours=1 + number % 2) for number, time in enumerate(shown)}
    assert set(sent) <= utc and sent.nunique() > 1


def test_a_zone_in_some_rows_alone_is_named(tmp_path, vault):
    sheet = build_sheet("google_forms")
    sheet.rows[1][0] += " GMT+1"
    assert "line 3" in str(refused(sheet, tmp_path, vault)) and "is no date" in str(refused(sheet, tmp_path, vault))


def test_labels_or_codes_of_limesurvey(tmp_path, vault):
    sheet = build_sheet("limesurvey")
    labels = copy.deepcopy(sheet)
    labels.top[0] = [{"submitdate": "Date submitted", "id": "Response ID"}.get(name, name) for name in labels.top[0]]
    labels.mapping["submitted"]["column"] = "Date submitted"
    for name in ("Q5", "Q9", "Q11"):
        question = SCREENING.question(name)
        labels.mapping["questions"][name]["options"] = "labels"
        for row in labels.rows:
            code = row[labels.place(name)]
            row[labels.place(name)] = question.options[int(code[1:]) - 1].label if code else ""
    pd.testing.assert_frame_equal(plain(load(labels, tmp_path, vault).table), plain(load(sheet, tmp_path, vault).table))


def test_labels_of_spss(tmp_path, vault):
    sheet = build_sheet("spss")
    reference = plain(load(sheet, tmp_path, vault).table)
    for name in ("Q5", "Q9", "Q11"):
        sheet.mapping["questions"][name]["options"] = "labels"
    pd.testing.assert_frame_equal(plain(load(sheet, tmp_path, vault).table), reference)


def test_one_hot_columns_of_kobo(tmp_path, vault):
    sheet = build_sheet("kobo")
    reference = plain(load(sheet, tmp_path, vault).table)
    for name in ("Q6", "Q12"):
        options = SCREENING.question(name).option_ids
        sheet.mapping["questions"][name] = {
            "columns": {option: f"{name}/{option}" for option in options}, "other": {"column": f"{name}_other"},
        }  # fmt: skip
    pd.testing.assert_frame_equal(plain(load(sheet, tmp_path, vault).table), reference)


def test_other_behind_a_prefix(tmp_path, vault):
    sheet = build_sheet("google_forms")
    place = sheet.place(column_of("google_forms", "Q6"))
    for row in sheet.rows:
        row[place] = row[place].replace("Head of data", "Other: Head of data")
    sheet.mapping["questions"]["Q6"]["other"] = {"prefix": "Other:"}
    sheet.mapping["questions"]["Q6"]["options"] = {
        option.id: option.label for option in SCREENING.question("Q6").options if not option.other
    }
    table = load(sheet, tmp_path, vault).table
    assert table["Q6.text"].dropna().tolist() == ["Head of data, and tools"]
    put("Q6", "Juggler")(sheet)
    assert "'Juggler' is no answer to Q6" in str(refused(sheet, tmp_path, vault))


@pytest.mark.parametrize(
    ("text", "separator", "parts"),
    [
        ("A;B", ";", ["a", "b"]),
        ("500 to 10,000, A", ",", ["500 to 10,000", "a"]),
        ("A, x, with comma, B", ", ", ["a", "x, with comma", "b"]),
        ("ml engineer a", " ", ["ml engineer", "a"]),
        ("A, Trapeze artist", ",", ["a", "Trapeze artist"]),
        (";;A;", ";", ["a"]),
    ],
)
def test_joined_answers_come_apart(text, separator, parts):
    options = ["a", "b", "500 to 10,000", "x, with comma", "ml engineer"]
    assert split_answers(text, options, separator) == parts


@given(st.lists(st.sampled_from(["a", "b, c", "d, e, f", "c", "g"]), unique=True), st.sampled_from([",", ", "]))
def test_joining_and_splitting_is_the_identity(chosen, separator):
    """For options of which none is made of others' pieces in a row."""
    options = ["a", "b, c", "d, e, f", "c", "g"]
    assert split_answers(separator.join(chosen), options, separator) == chosen


# ---- numbers -----------------------------------------------------------------------------------------------------

NUMBERS = build_instrument(
    {
        "instrument": "numbers", "title": "T", "version": "1", "language": "en", "source": "none", "locator": "none",
        "consent": "notice", "notice": "N", "sections": [{"id": "all", "title": "All"}],
        "questions": [
            {"id": "Q1", "section": "all", "kind": "number", "wording": "Hours?", "construct": "h", "low": 0,
             "high": 168, "required": True},
            {"id": "Q2", "section": "all", "kind": "number", "wording": "People?", "construct": "p", "low": 1,
             "integer": True},
        ],
    }
)  # fmt: skip


def load_numbers(folder, rows, **settings):
    path = folder / "numbers.csv"
    path.write_text("\n".join(["a;b", *rows]), encoding="utf-8")
    content = {"instrument": "numbers", "tool": "google_forms", "consent": "notice",
               "questions": {"Q1": "a", "Q2": "b"}, **settings}  # fmt: skip
    return load_responses(path, NUMBERS, build_mapping(content, NUMBERS))


def test_numbers_are_typed(tmp_path):
    table = load_numbers(tmp_path, ["1.5;3", "168;", "0;12"]).table
    assert table["Q1"].tolist() == [1.5, 168, 0] and str(table["Q1"].dtype) == "Float64"
    assert table["Q2"].isna().tolist() == [False, True, False] and str(table["Q2"].dtype) == "Int64"


def test_decimal_commas(tmp_path):
    assert load_numbers(tmp_path, ["1,5;1.200"], decimal=",").table.iloc[0, 2:].tolist() == [1.5, 1200]


def test_impossible_numbers(tmp_path):
    with pytest.raises(InputError) as caught:
        load_numbers(tmp_path, ["-1;3", "169;2.5", "many;0", "inf;1", ";1", "NaN;2"])
    said = str(caught.value)
    for part in ("line 2, column 'a': Q1 must be at least 0", "line 3, column 'a': Q1 must be at most 168",
                 "line 3, column 'b': Q2 must be a whole number", "'many' is no number", "Q2 must be at least 1",
                 "'inf' is no number", "line 6, column 'a': Q1 must be answered", "'NaN' is no number"):  # fmt: skip
        assert part in said
    assert len(caught.value.problems) == 8


def test_texts_that_mean_no_answer(tmp_path):
    table = load_numbers(tmp_path, ["1;N/A", "2;-99"], missing=["n/a", "-99"]).table
    assert table["Q2"].isna().all()


# ---- duplicates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "years"), [("last", "from_1_to_5"), ("first", "over_15")])
def test_who_sends_twice_counts_once(keep, years, tmp_path, vault):
    sheet = build_sheet("google_forms")
    sheet.mapping["duplicates"] = {"by": "respondent", "keep": keep}
    table = load(sheet, tmp_path, vault).table
    ada = table.loc[table["respondent"] == vault.hash(" ADA@example.org"), "Q5"]
    assert ada.tolist() == [years]


def test_the_latest_is_kept_wherever_it_stands(tmp_path, vault):
    sheet = build_sheet("google_forms")
    sheet.rows.reverse()
    table = load(sheet, tmp_path, vault).table
    assert table.loc[table["respondent"] == vault.hash("ada@example.org"), "Q5"].tolist() == ["from_1_to_5"]


@pytest.mark.parametrize(("rule", "kept"), [("submission", 2), ("content", 1), ("nothing", 3)])
def test_rules_for_anonymous_surveys(rule, kept, tmp_path):
    """Three rows with the same answers, two of them at the same second."""
    instrument = load_instrument("practitioners")
    mapping = draft_mapping(instrument, "google_forms") | {"duplicates": rule}
    header = [mapping["submitted"]["column"], *(question.wording for question in instrument.questions)]
    answers = ["Data engineer", "Five to ten years", "Under 20 employees", "Yes", "Cost of a robust workflow", "Agree",
               "Positive", "Neutral", ""]  # fmt: skip
    rows = [[f"2023/02/01 09:00:{second:02} AM", *answers] for second in (0, 0, 7)]
    path = tmp_path / "export.csv"
    pd.DataFrame(rows, columns=header).to_csv(path, index=False)
    responses = load_responses(path, instrument, build_mapping(mapping, instrument))
    assert responses.n == kept and dict(responses.counts.itertuples(index=False))["duplicate"] == 3 - kept
    assert responses.table["respondent"].isna().all()


# ---- properties --------------------------------------------------------------------------------------------------

quick = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(order=st.permutations(range(8)))
def test_the_order_of_rows_changes_nothing(order, tmp_path, vault):
    sheet = build_sheet("google_forms")
    reference = plain(load(sheet, tmp_path, vault).table)
    sheet.rows = [sheet.rows[at] for at in order]
    pd.testing.assert_frame_equal(plain(load(sheet, tmp_path, vault).table), reference)


@quick
@given(order=st.permutations(range(6)))
def test_relabelling_changes_nothing(order, tmp_path, vault):
    sheet = build_sheet("limesurvey")
    reference = plain(load(sheet, tmp_path, vault).table)
    names = dict(zip([f"A{number}" for number in range(1, 7)], [f"Z{number}" for number in order], strict=True))
    for row in sheet.rows:
        row[sheet.place("Q5")] = names.get(row[sheet.place("Q5")], "")
    options = sheet.mapping["questions"]["Q5"]["options"]
    sheet.mapping["questions"]["Q5"]["options"] = {option: names[code] for option, code in options.items()}
    pd.testing.assert_frame_equal(plain(load(sheet, tmp_path, vault).table), reference)


@quick
@given(cut=st.integers(1, 7))
def test_two_imports_merged_are_one(cut, tmp_path, vault):
    sheet = build_sheet("google_forms")
    whole = load(sheet, tmp_path, vault)
    parts = []
    for rows in (sheet.rows[:cut], sheet.rows[cut:]):
        part = copy.copy(sheet)
        part.rows = rows
        parts.append(load(part, tmp_path, vault))
    merged = merge_responses(parts)
    pd.testing.assert_frame_equal(plain(merged.table), plain(whole.table))
    assert dict(merged.counts.itertuples(index=False)) == dict(whole.counts.itertuples(index=False))


def test_only_what_belongs_together_is_merged():
    one, _ = build_demo(SCREENING, 20)
    two, _ = build_demo(load_instrument("practitioners"), 20)
    with pytest.raises(InputError, match="questionnaire differ"):
        merge_responses([one, two])


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300), st.integers(0, 2000), st.sampled_from(["google_forms", "limesurvey", "qualtrics", "kobo"])
)
def test_random_damage_never_ends_in_a_traceback(tmp_path_factory, vault, noise, at, tool):
    """Bytes overwritten anywhere: an import or an InputError, nothing else."""
    folder = tmp_path_factory.mktemp("noise")

    def alter(data: bytes) -> bytes:
        start = at % len(data)
        return data[:start] + noise + data[start + len(noise) :]

    sheet = build_sheet(tool)
    try:
        responses = load(sheet, folder, vault, alter)
    except InputError as error:
        assert error.problems
    else:
        assert responses.n <= len(sheet.rows)


def test_columns_that_are_not_mapped_are_never_read(tmp_path, vault):
    """Qualtrics writes addresses of machines; they do not reach even the cells."""
    from analysis.survey.responses import read_export

    sheet = build_sheet("qualtrics")
    export = read_export(sheet.write(tmp_path), sheet.built())
    assert set(export.cells) == set(sheet.built().columns) and "IPAddress" not in export.cells
    assert not set(itertools.chain(*export.cells.astype(str).to_numpy())) & {"192.0.2.7", "Ada Example"}
    assert np.all(export.cells.index >= 4)
