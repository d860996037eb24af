"""The same made-up people as each survey tool would export them, and what their answers are.

Column names, header rows, status columns and ways of writing answers follow the tools' own exports; all people,
addresses and employers are invented.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat

from analysis.survey.forms import limesurvey_codes
from analysis.survey.instrument import Instrument, Question, load_instrument
from analysis.survey.mapping import Mapping, build_mapping, draft_mapping

TOOLS = ("google_forms", "limesurvey", "qualtrics", "kobo", "kobo_xlsx", "spss")
SCREENING = load_instrument("screening")
START = datetime(2023, 2, 1, 9, 0, 0)

PEOPLE = [
    # name, address, years, roles, words for another role, years in the company, cloud, models, kinds, other kind
    ("Ada Example", "ada@example.org", "from_1_to_5", {"ml_engineer"}, "", "under_1", True,
     "from_3_to_5", {"vision"}, ""),
    ("Björn Müller", "bjoern@example.org", "from_8_to_12", {"data_scientist", "other"}, "Head of data, and tools",
     "from_1_to_5", True, "over_15", {"classification", "regression"}, ""),
    ("Chidi Okoro", "chidi@example.org", "over_15", {"executive", "project_management"}, "", "from_12_to_15", False,
     "under_2", {"language", "other"}, "Time series"),
    ("Dana Quoted", "dana@example.org", "under_1", {"data_analyst"}, "", "under_1", False,
     "under_2", {"clustering"}, ""),
    ("Émile Zürich", "emile@example.org", "from_5_to_8", {"senior_data_scientist"}, "", "from_5_to_8", True,
     "from_6_to_8", {"deep_learning", "vision"}, ""),
    ("Fay Newline", "fay@example.org", "from_12_to_15", {"senior_data_analyst"}, "", "from_8_to_12", True,
     "from_9_to_12", {"regression"}, ""),
]  # fmt: skip
REFUSER = ("Greta Refused", "greta@example.org")


@dataclass
class Sheet:
    """An export before it is written: header rows, rows, and how the text is made."""

    tool: str
    top: list[list[str]]
    rows: list[list[str]]
    separator: str = ","
    encoding: str = "utf-8"
    newline: str = "\r\n"
    mapping: dict = field(default_factory=dict)

    def place(self, column: str) -> int:
        return self.top[0].index(column)

    def set(self, row: int, column: str, value: str) -> None:
        self.rows[row][self.place(column)] = value

    def text(self) -> str:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, delimiter=self.separator, lineterminator=self.newline).writerows([*self.top, *self.rows])
        return buffer.getvalue()

    def write(self, folder: Path, alter: Callable[[bytes], bytes] | None = None) -> Path:
        if self.tool == "spss":
            path = folder / "export.spss"
            _write_sav(self, path)
        elif self.tool == "kobo_xlsx":
            path = folder / "export.xlsx"
            book = openpyxl.Workbook()
            for row in [*self.top, *self.rows]:
                book.active.append([int(cell) if cell in ("0", "1") else cell or None for cell in row])
            book.save(path)
        else:
            path = folder / "export.csv"
            path.write_bytes(self.text().encode(self.encoding))
        if alter:
            path.write_bytes(alter(path.read_bytes()))
        return path

    def built(self, instrument: Instrument = SCREENING) -> Mapping:
        return build_mapping(self.mapping, instrument)


def column_of(tool: str, question: str) -> str:
    """The column of a question with one column; the first of a multiple choice otherwise."""
    entry = draft_mapping(SCREENING, tool.removesuffix("_xlsx"))["questions"].get(question)
    if entry is None:
        return SCREENING.question(question).wording if tool == "google_forms" else question
    return entry.get("column") or next(iter(entry["columns"].values()))


def code_of(tool: str, question: str, option: str) -> str:
    """How the tool writes an option of a single choice."""
    asked = SCREENING.question(question)
    return {
        "limesurvey": limesurvey_codes(asked)[option],
        "kobo": option,
        "kobo_xlsx": option,
        "spss": str(asked.option_ids.index(option) + 1),
    }.get(tool, asked.label_of(option))


def mapping_for(tool: str) -> dict:
    mapping = draft_mapping(SCREENING, tool.removesuffix("_xlsx"))
    for name in SCREENING.personal:
        mapping["questions"][name] = {"column": column_of(tool, name)}
    mapping["respondent"] = {"column": column_of(tool, "Q4")}
    if tool == "spss":
        mapping["submitted"] = {"column": "submitted", "format": "%Y-%m-%d %H:%M:%S"}
    return mapping


def build_sheet(tool: str) -> Sheet:
    """All people, one who refuses, one who sends twice (first with another answer), and the tool's own rows."""
    sheet = Sheet(tool, [], [], mapping=mapping_for(tool))
    meta = {
        "google_forms": (["Timestamp"], []),
        "limesurvey": (["id", "submitdate", "lastpage", "startlanguage", "seed"], []),
        "qualtrics": (
            ["StartDate", "EndDate", "Status", "IPAddress", "Progress", "Duration (in seconds)", "Finished",
             "RecordedDate", "ResponseId", "DistributionChannel", "UserLanguage"], []),
        "kobo": (["start", "end"], ["_id", "_uuid", "_submission_time", "_validation_status", "_index"]),
        "kobo_xlsx": (["start", "end"], ["_id", "_uuid", "_submission_time", "_validation_status", "_index"]),
        "spss": (["submitted"], []),
    }[tool]  # fmt: skip
    header: list[str] = []
    for question in SCREENING.questions:
        header += _headers(tool, question)
    sheet.top = [[*meta[0], *header, *meta[1]]]
    if tool == "qualtrics":
        sheet.encoding = "utf-8-sig"
        sheet.top.append([f"Wording, of {name}" for name in sheet.top[0]])
        sheet.top.append([f'{{"ImportId":"QID{number}"}}' for number, _ in enumerate(sheet.top[0])])
    if tool.startswith("kobo"):
        sheet.separator = ";"

    first = (*PEOPLE[0][:2], "over_15", *PEOPLE[0][3:])  # the one who sends twice
    everybody = [(first, True), *((person, True) for person in PEOPLE[1:])]
    everybody += [((*REFUSER, *PEOPLE[3][2:]), False), (PEOPLE[0], True)]
    for number, (person, agrees) in enumerate(everybody):
        sheet.rows.append(_row(tool, sheet.top[0], person, agrees, START + timedelta(hours=number), number + 1))
    blank = [""] * len(sheet.top[0])
    if tool == "limesurvey":
        unsent = _row(tool, sheet.top[0], PEOPLE[2], True, START, 90)
        unsent[sheet.place("submitdate")] = ""
        sheet.rows.insert(2, unsent)
    if tool == "qualtrics":
        preview = _row(tool, sheet.top[0], PEOPLE[2], True, START, 91)
        preview[sheet.place("Status")] = "Survey Preview"
        unfinished = _row(tool, sheet.top[0], PEOPLE[2], True, START, 92)
        unfinished[sheet.place("Finished")] = "False"
        sheet.rows = [preview, unfinished, *sheet.rows]
    if tool.startswith("kobo"):
        refused = _row(tool, sheet.top[0], PEOPLE[2], True, START, 93)
        refused[sheet.place("_validation_status")] = "validation_status_not_approved"
        sheet.rows.append(refused)
    if tool != "spss":
        sheet.rows += [blank, list(blank)]
    return sheet


def expected_table() -> pd.DataFrame:
    """What every export must come to, without respondents and times; in the order of submission."""
    rows = []
    for person in [*PEOPLE[1:], PEOPLE[0]]:
        row: dict[str, object] = {"Q1": True, "Q2": True, "Q5": person[2], **_chosen("Q6", person[3], person[4])}
        row |= {"Q9": person[5], "Q10": person[6], "Q11": person[7], **_chosen("Q12", person[8], person[9])}
        rows.append(row)
    return pd.DataFrame(rows)


def _chosen(name: str, chosen: set[str], words: str) -> dict[str, object]:
    ticks: dict[str, object] = {f"{name}.{option}": option in chosen for option in SCREENING.question(name).option_ids}
    return {**ticks, f"{name}.text": words or None}


def _headers(tool: str, question: Question) -> list[str]:
    if tool == "google_forms":
        return [question.wording]
    if tool == "limesurvey" and question.kind in ("multiple", "consent"):
        return [f"{question.id}[{code}]" for code in limesurvey_codes(question).values()]
    if tool == "spss" and question.kind == "multiple":
        names = [f"{question.id}_{number}" for number, _ in enumerate(question.options, start=1)]
        return [*names, f"{question.id}_text"]
    if tool.startswith("kobo") and question.kind == "multiple":
        return [question.id, *(f"{question.id}/{option}" for option in question.option_ids), f"{question.id}_other"]
    return [question.id, f"{question.id}_TEXT"] if tool == "qualtrics" and question.other else [question.id]


def _row(tool: str, header: list[str], person: tuple, agrees: bool, time: datetime, number: int) -> list[str]:
    name, address, years, roles, role, stay, cloud, models, kinds, kind = person
    given: dict[str, object] = {
        "Q1": agrees, "Q2": True, "Q3": name, "Q4": address, "Q5": years, "Q6": (roles, role),
        "Q7": "Example Works, Ltd.", "Q8": 'Called "the one"', "Q9": stay, "Q10": cloud, "Q11": models,
        "Q12": (kinds, kind),
    }  # fmt: skip
    cells: dict[str, str] = {
        "Timestamp": time.strftime("%Y/%m/%d %I:%M:%S %p"),
        "id": str(number), "submitdate": f"{time:%Y-%m-%d %H:%M:%S}", "lastpage": "3", "startlanguage": "en",
        "seed": str(1000 + number), "StartDate": f"{time:%Y-%m-%d %H:%M:%S}", "EndDate": f"{time:%Y-%m-%d %H:%M:%S}",
        "RecordedDate": f"{time:%Y-%m-%d %H:%M:%S}", "Status": "IP Address", "IPAddress": "192.0.2.7",
        "Progress": "100", "Duration (in seconds)": "321", "Finished": "True", "ResponseId": f"R_{number:06d}",
        "DistributionChannel": "anonymous", "UserLanguage": "EN", "start": f"{time:%Y-%m-%dT%H:%M:%S}.000+01:00",
        "end": f"{time:%Y-%m-%dT%H:%M:%S}.000+01:00", "_id": str(number), "_uuid": f"uuid-{number}",
        "_submission_time": f"{time:%Y-%m-%dT%H:%M:%S}", "_index": str(number),
        "submitted": f"{time:%Y-%m-%d %H:%M:%S}",
    }  # fmt: skip
    for question in SCREENING.questions:
        cells |= _cells(tool, question, given[question.id])
    return [cells.get(column, "") for column in header]


def _cells(tool: str, question: Question, answer) -> dict[str, str]:
    names = _headers(tool, question)
    if question.kind == "consent":
        yes = {"google_forms": "I agree", "limesurvey": "Y", "qualtrics": "I agree", "spss": "1"}.get(tool, "OK")
        return {names[0]: yes if answer else ""}
    if question.kind == "yes_no":
        yes = {"limesurvey": "Y", "spss": "1"}.get(tool, "yes" if tool.startswith("kobo") else "Yes")
        return {names[0]: yes if answer else {"Y": "N", "1": "0", "yes": "no", "Yes": "No"}[yes]}
    if question.kind == "text":
        return {names[0]: answer}
    if question.kind == "single":
        return {names[0]: code_of(tool, question.id, answer)}
    chosen, words = answer
    order = [option for option in question.option_ids if option in chosen]
    if tool == "google_forms":
        return {
            names[0]: ";".join(words if option == question.other else question.label_of(option) for option in order)
        }
    if tool == "qualtrics":
        return {names[0]: ",".join(question.label_of(option) for option in order), names[1]: words}
    if tool == "limesurvey":
        marks = {name: "Y" if option in chosen else "" for name, option in zip(names, question.option_ids, strict=True)}
        return {**marks, names[-1]: words}
    marks = {name: "1" if option in chosen else "0" for name, option in
             zip(names[0 if tool == "spss" else 1 : -1], question.option_ids, strict=True)}  # fmt: skip
    joined = {} if tool == "spss" else {names[0]: " ".join(order)}
    return {**joined, **marks, names[-1]: words}


def _write_sav(sheet: Sheet, path: Path) -> None:
    frame = pd.DataFrame(sheet.rows, columns=sheet.top[0])
    labels = {}
    for question in SCREENING.questions:
        if question.kind == "single":
            labels[question.id] = {float(place): option.label for place, option in enumerate(question.options, start=1)}
    for column in frame:
        numbers = pd.to_numeric(frame[column].replace("", None), errors="coerce")
        if (numbers.notna() | (frame[column] == "")).all() and not (frame[column] == "").all():
            frame[column] = numbers
        else:
            frame[column] = frame[column].astype(object)
    pyreadstat.write_sav(frame, str(path), variable_value_labels=labels)
