"""From the columns of an export to the questions of an instrument: written down, never guessed.

A `Mapping` is a YAML file beside the export. It says which tool made the export, which column holds which question,
and which text or code stands for which option. An example::

    instrument: screening
    tool: qualtrics                  # google_forms, limesurvey, qualtrics, kobo, spss
    encoding: utf-8                  # or utf-16, cp1252; a byte order mark is recognised
    separator: auto                  # the one of , ; and tab under which the header has the columns named here
    submitted: {column: RecordedDate, format: "%Y-%m-%d %H:%M:%S"}
    respondent: {column: ResponseId} # hashed with a local secret, never stored
    duplicates: {by: respondent, keep: last}
    booleans: {yes: ["Yes", "1"], no: ["No", "0"]}
    questions:
      Q5: {column: Q5, options: {under_1: "1", from_1_to_5: ["2", "1 - 5 years"], …}}
      Q6: {columns: {executive: Q6_1, …, other: Q6_8}, other: {column: Q6_8_TEXT}}
      Q12: {column: Q12, separator: ",", options: labels, other: {prefix: "Other: "}}
    not_asked: [Q11]

``options`` is a mapping of option id to its text or texts, ``labels`` (the instrument's own labels) or ``ids``.
Texts are compared without regard to case, kind of blank and Unicode form (`normalise`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.survey.forms import limesurvey_codes
from analysis.survey.instrument import Instrument, Question

TOOLS = ("google_forms", "limesurvey", "qualtrics", "kobo", "spss")
ENCODINGS = ("utf-8", "utf-16", "cp1252", "latin-1")
SEPARATORS = ("auto", ",", ";", "\t")
DUPLICATES_BY = ("respondent", "submission", "content", "nothing")
YES = ("yes", "y", "true", "1", "on", "ok", "checked", "selected")
NO = ("no", "n", "false", "0", "off", "unchecked", "not selected")
_KEYS = (
    "instrument", "tool", "encoding", "separator", "decimal", "sheet", "submitted", "respondent", "duplicates",
    "booleans", "missing", "consent", "questions", "not_asked",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class QuestionMapping:
    """Where one question's answers stand.

    Attributes
    ----------
    column : str
        The one column; empty where each option has its own.
    columns : mapping of str to str
        Option id → column (a multiple choice as ones and zeros).
    options : mapping of str to str
        Normalised text → option id.
    separator : str
        Between the answers of a multiple choice in one cell.
    other_column, other_prefix : str
        Where the words of "other" stand: a column of their own, or behind a prefix in the cell.
    other_cell : bool
        A text that is no option is the words of "other" (Google Forms); typing errors then go unseen.
    """

    column: str = ""
    columns: MappingABC[str, str] = field(default_factory=dict)
    options: MappingABC[str, str] = field(default_factory=dict)
    separator: str = ";"
    other_column: str = ""
    other_prefix: str = ""
    other_cell: bool = False

    @property
    def all_columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.column, *self.columns.values(), self.other_column) if name)


@dataclass(frozen=True, slots=True)
class Mapping:
    """How to read one export; see the module's text for the file's form."""

    instrument: str
    tool: str
    questions: MappingABC[str, QuestionMapping]
    encoding: str = "utf-8"
    separator: str = "auto"
    decimal: str = "."
    sheet: str = ""
    submitted: str = ""
    date_format: str = ""
    date_texts: MappingABC[str, str] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None
    respondent: str = ""
    respondent_may_be_empty: bool = False
    duplicates_by: str = "submission"
    keep: str = "last"
    yes: frozenset[str] = frozenset(YES)
    no: frozenset[str] = frozenset(NO)
    missing: frozenset[str] = frozenset({""})
    personal: MappingABC[str, str] = field(default_factory=dict)
    """Personal question → column, where the mapping says it: only to look for such values in what is published."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once, in the order mapped. Personal questions are not among them."""
        names = [self.submitted, self.respondent]
        for question in self.questions.values():
            names.extend(question.all_columns)
        return tuple(dict.fromkeys(name for name in names if name))


def normalise(text: str) -> str:
    """Text as it is compared: Unicode form, blanks and case do not count.

    >>> normalise("  Über\\u00a0Zehn  Jahre ") == normalise("über zehn jahre")
    True
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def load_mapping(path: Path, instrument: Instrument) -> Mapping:
    """Read a mapping file and check it against the instrument.

    Raises
    ------
    InputError
        The file cannot be read, or leaves a question or an option without a place; all violations are listed.
    """
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "correct the file")]) from None
    return build_mapping(content, instrument, where)


def build_mapping(content: object, instrument: Instrument, where: str = "mapping") -> Mapping:
    """A mapping from plain values, checked as in `load_mapping`."""
    checker = _Checker(where, instrument)
    if not isinstance(content, MappingABC):
        raise InputError(f"{where} is no column mapping.", [Problem(where, "expected keys with values")])
    for key in content:
        if key not in _KEYS:
            checker.say(str(key), "unknown key", f"known: {', '.join(_KEYS)}")
    values = checker.general(content)
    asked = content.get("questions")
    not_asked = checker.texts(content.get("not_asked", []), "not_asked")
    questions, personal = {}, {}
    if not isinstance(asked, MappingABC) or not asked:
        checker.say("questions", "no question is mapped", "give each question its column")
        asked = {}
    known = {question.id: question for question in instrument.questions}
    for name in [*asked, *not_asked]:
        if name not in known:
            checker.say(f"questions.{name}", f"'{instrument.id}' has no such question", f"known: {', '.join(known)}")
    for name, question in known.items():
        if question.personal:
            if name in asked:
                entry = asked[name]
                found = entry.get("column") if isinstance(entry, MappingABC) else entry
                personal[name] = checker.text(found, f"questions.{name}.column")
            continue  # never read into a table
        if name in asked and name in not_asked:
            checker.say(name, "mapped, and yet listed under not_asked", "keep one of them")
        elif name in asked:
            questions[name] = checker.question(question, asked[name])
        elif name not in not_asked:
            checker.say(f"questions.{name}", "the question has no column", "map it, or list it under not_asked")
    asks = instrument.participation
    if asks is not None and asks.id not in questions:
        checker.say(asks.id, "consent to take part has no column", "without it no row can enter")
    if asks is None and content.get("consent") != "notice":
        checker.say(
            "consent",
            "the form does not ask for consent",
            "write `consent: notice` if every participant was shown the instrument's notice before the form",
        )
    if asks is not None and "consent" in content:
        checker.say("consent", f"question {asks.id} asks for it", "remove `consent`")
    checker.columns_once(questions, values)
    if checker.problems:
        raise InputError(f"{where} does not map '{instrument.id}'.", checker.problems)
    return Mapping(questions=questions, personal={key: name for key, name in personal.items() if name}, **values)


def draft_mapping(instrument: Instrument, tool: str) -> dict[str, Any]:
    """The mapping (plain values, to be written as YAML) of an export of our own form, as the tool names its columns.

    For Google Forms the column of a question is its wording; for the others its id. Respondents are not mapped:
    which column identifies them, if any, is for the researcher to say.
    """
    if tool not in TOOLS:
        raise InputError(f"There is no importer for '{tool}'.", [Problem("tool", "", f"one of: {', '.join(TOOLS)}")])
    questions: dict[str, Any] = {}
    for question in instrument.questions:
        if question.personal:
            continue
        name = question.wording if tool == "google_forms" else question.id
        entry: dict[str, Any] = {"column": name}
        many = question.kind == "multiple"
        if question.options and question.kind != "consent":
            codes = limesurvey_codes(question)
            numbers = {option: str(place) for place, option in enumerate(question.option_ids, start=1)}
            entry["options"] = {
                "google_forms": "labels",
                "limesurvey": codes,
                "qualtrics": "labels",
                "kobo": "ids",
                "spss": numbers,
            }[tool]
        if many and tool == "kobo":
            entry["separator"] = " "
        if many and tool == "qualtrics":
            entry["separator"] = ","
        if many and tool in ("limesurvey", "spss"):
            shape = "{}[{}]" if tool == "limesurvey" else "{}_{}"
            marks = codes if tool == "limesurvey" else numbers
            entry = {"columns": {option: shape.format(name, marks[option]) for option in question.option_ids}}
        if question.kind == "consent" and tool == "limesurvey":
            entry["column"] = f"{name}[SQ001]"
        if question.other:
            column = {"limesurvey": f"{name}[other]", "qualtrics": f"{name}_TEXT", "kobo": f"{name}_other"}.get(tool)
            entry["other"] = {"cell": True} if tool == "google_forms" else {"column": column or f"{name}_text"}
            if tool == "limesurvey" and many:
                del entry["columns"][question.other]  # the words stand where the tick would
        questions[question.id] = entry
    submitted = {
        "google_forms": {"column": "Timestamp", "format": "%Y/%m/%d %I:%M:%S %p"},
        "limesurvey": {"column": "submitdate", "format": "%Y-%m-%d %H:%M:%S"},
        "qualtrics": {"column": "RecordedDate", "format": "%Y-%m-%d %H:%M:%S"},
        "kobo": {"column": "_submission_time", "format": "%Y-%m-%dT%H:%M:%S"},
        "spss": None,
    }[tool]
    draft: dict[str, Any] = {"instrument": instrument.id, "tool": tool}
    if submitted:
        draft["submitted"] = submitted
    agreed = next((q.label_of(q.options[0].id) for q in instrument.questions if q.kind == "consent"), None)
    draft["booleans"] = {"yes": [*YES, *([agreed] if agreed else [])], "no": list(NO)}
    if instrument.participation is None:
        draft["consent"] = "notice"
    return {**draft, "questions": questions}


class _Checker:
    """Collects what is wrong with a mapping."""

    def __init__(self, where: str, instrument: Instrument) -> None:
        self.where, self.instrument = where, instrument
        self.problems: list[Problem] = []

    def say(self, place: str, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.where}, {place}", what, remedy))

    def text(self, value: object, place: str, default: str = "") -> str:
        if value is None:
            return default
        if isinstance(value, str) and value:
            return value
        self.say(place, f"expected text, got {value!r}", "put it into quotes (yes, no, on, off and numbers too)")
        return default

    def texts(self, value: object, place: str) -> list[str]:
        values = value if isinstance(value, list | tuple) else [value]
        for item in values:
            if not isinstance(item, str):
                self.say(place, f"expected text, got {item!r}", "put it into quotes (yes, no, on, off and numbers too)")
        return [item for item in values if isinstance(item, str)]

    def part(self, content: MappingABC, key: str, known: tuple[str, ...], short: str) -> MappingABC:
        """A block of settings; a text alone stands for its first key."""
        value = content.get(key)
        if value is None:
            return {}
        if isinstance(value, str):
            return {short: value}
        if not isinstance(value, MappingABC):
            self.say(key, f"expected keys with values, got {value!r}", f"known: {', '.join(known)}")
            return {}
        for name in value:
            if name not in known:
                self.say(f"{key}.{name}", "unknown key", f"known: {', '.join(known)}")
        return value

    def general(self, content: MappingABC) -> dict[str, Any]:
        def one_of(key: str, allowed: tuple[str, ...], default: str | None = None, value: object = None) -> str:
            found = content.get(key, default) if value is None else value
            if found not in allowed:
                self.say(key, f"got {found!r}", f"one of: {', '.join(map(repr, allowed))}")
            return str(found)

        if content.get("instrument") != self.instrument.id:
            self.say("instrument", f"got {content.get('instrument')!r}, the instrument is '{self.instrument.id}'")
        submitted = self.part(content, "submitted", ("column", "format", "texts", "first_day", "last_day"), "column")
        respondent = self.part(content, "respondent", ("column", "may_be_empty"), "column")
        duplicates = self.part(content, "duplicates", ("by", "keep"), "by")
        booleans = self.part(content, "booleans", ("yes", "no"), "yes")
        column = self.text(submitted.get("column"), "submitted.column")
        shape = self.text(submitted.get("format"), "submitted.format")
        if column and not shape and content.get("tool") != "spss":
            self.say("submitted.format", "the form of dates is missing", 'for example "%d.%m.%Y %H:%M"')
        who = self.text(respondent.get("column"), "respondent.column")
        by = one_of("duplicates.by", DUPLICATES_BY, value=duplicates.get("by", "respondent" if who else "submission"))
        if by == "respondent" and not who:
            self.say("duplicates.by", "no column identifies respondents", "map `respondent`, or choose another rule")
        if by == "submission" and not column and "by" in duplicates:
            self.say("duplicates.by", "no column holds the time of submission", "map `submitted`")
        days = {}
        for key in ("first_day", "last_day"):
            days[key] = submitted.get(key)
            if days[key] is not None and type(days[key]) is not date:
                self.say(f"submitted.{key}", f"expected a day, got {days[key]!r}", "write 2023-01-30, without quotes")
                days[key] = None
        yes = {normalise(t) for t in self.texts(booleans.get("yes", list(YES)), "booleans.yes")}
        no = {normalise(t) for t in self.texts(booleans.get("no", list(NO)), "booleans.no")}
        for text in sorted(yes & no):
            self.say("booleans", f"'{text}' means both yes and no")
        return {
            "instrument": self.instrument.id,
            "tool": one_of("tool", TOOLS),
            "encoding": one_of("encoding", ENCODINGS, "utf-8"),
            "separator": one_of("separator", SEPARATORS, "auto"),
            "decimal": one_of("decimal", (".", ","), "."),
            "sheet": self.text(content.get("sheet"), "sheet"),
            "submitted": column,
            "date_format": shape,
            "date_texts": dict(self.part(submitted, "texts", tuple(submitted.get("texts") or ()), "")),
            **days,
            "respondent": who,
            "respondent_may_be_empty": respondent.get("may_be_empty") is True,
            "duplicates_by": by,
            "keep": one_of("duplicates.keep", ("first", "last"), value=duplicates.get("keep", "last")),
            "yes": frozenset(yes),
            "no": frozenset(no),
            "missing": frozenset({"", *(normalise(t) for t in self.texts(content.get("missing", []), "missing"))}),
        }

    def question(self, question: Question, value: object) -> QuestionMapping:
        place = f"questions.{question.id}"
        entry = {"column": value} if isinstance(value, str) else value
        if not isinstance(entry, MappingABC):
            self.say(place, f"expected a column or settings, got {value!r}")
            return QuestionMapping()
        known = ("column", "columns", "options", "separator", "other")
        for key in entry:
            if key not in known:
                self.say(f"{place}.{key}", "unknown key", f"known: {', '.join(known)}")
        columns = dict(entry.get("columns") or {})
        other = dict(entry.get("other") or {}) if isinstance(entry.get("other"), MappingABC | None) else {"?": ""}
        if set(other) - {"column", "prefix", "cell"} or len(other) > 1:
            self.say(f"{place}.other", f"got {entry.get('other')!r}", "one of column, prefix, cell: true")
        if other and not question.other:
            self.say(f"{place}.other", "the question has no option with words of one's own", "remove it")
        if bool(entry.get("column")) == bool(columns):
            self.say(place, "one of `column` and `columns` is needed", "the latter where each option has its own")
        options = {}
        if columns:
            if question.kind != "multiple":
                self.say(f"{place}.columns", f"a {question.kind} question has one column", "use `column`")
            free = {question.other} if other.get("column") else set()
            self.complete(set(columns), set(question.option_ids), free, f"{place}.columns", "column")
        elif question.kind in ("single", "multiple", "likert"):
            options = self.options(question, entry.get("options", "labels"), place, bool(other))
        elif "options" in entry:
            self.say(f"{place}.options", f"a {question.kind} question has none to map", "see `booleans`")
        return QuestionMapping(
            column=self.text(entry.get("column"), f"{place}.column"),
            columns={str(key): self.text(name, f"{place}.columns.{key}") for key, name in columns.items()},
            options=options,
            separator=self.text(entry.get("separator"), f"{place}.separator", ";"),
            other_column=self.text(other.get("column"), f"{place}.other.column"),
            other_prefix=self.text(other.get("prefix"), f"{place}.other.prefix"),
            other_cell=other.get("cell") is True,
        )

    def options(self, question: Question, value: object, place: str, has_words: bool) -> dict[str, str]:
        if value == "labels":
            value = {option.id: option.label for option in question.options}
        elif value == "ids":
            value = {option.id: option.id for option in question.options}
        if not isinstance(value, MappingABC):
            self.say(f"{place}.options", f"got {value!r}", "option ids with their texts, `labels` or `ids`")
            return {}
        free = {question.other} if has_words else set()
        self.complete(set(map(str, value)), set(question.option_ids), free, f"{place}.options", "text")
        texts: dict[str, str] = {}
        for option, found in value.items():
            for text in self.texts(found, f"{place}.options.{option}"):
                key = normalise(text)
                if texts.setdefault(key, str(option)) != str(option):
                    self.say(f"{place}.options", f"'{text}' stands for both {texts[key]} and {option}")
        return texts

    def complete(self, given: set[str], needed: set[str], free: set[str], place: str, what: str) -> None:
        for name in sorted(given - needed):
            self.say(f"{place}.{name}", "the question has no such option", f"options: {', '.join(sorted(needed))}")
        for name in sorted(needed - given - free):
            self.say(f"{place}.{name}", f"the option has no {what}", "map it; it counts even where nobody chose it")

    def columns_once(self, questions: MappingABC[str, QuestionMapping], values: MappingABC[str, Any]) -> None:
        taken: dict[str, str] = {}
        places: Iterable[tuple[str, str]] = [("submitted", values["submitted"]), ("respondent", values["respondent"])]
        for name, question in questions.items():
            places = [*places, *((f"questions.{name}", column) for column in question.all_columns)]
        for place, column in places:
            if column and column in taken and {taken[column], place} != {place}:
                self.say(place, f"column '{column}' is mapped to {taken[column]} too", "each column once")
            taken.setdefault(column, place)
