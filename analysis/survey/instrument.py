"""A questionnaire as data: what is asked, how it may be answered, and what each answer gives away about a person.

An `Instrument` is read from ``data/survey/<name>.yaml``. Everything downstream (forms, column mappings, checks of
responses, disclosure control) asks the instrument and knows no question by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, relative

FOLDER = DATA / "survey"
KINDS = ("single", "multiple", "likert", "number", "text", "yes_no", "consent")
CHOICES = ("single", "multiple", "likert", "consent")
"""Kinds whose answers are options of the question's own."""
CONSENT_BY = ("question", "notice")
CONSENT_FOR = ("", "participation", "interview")

_QUESTION_ID = re.compile(r"[A-Z][A-Za-z0-9]{0,19}")
_ID = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose from; ``other`` asks for words beside it."""

    id: str
    label: str
    other: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A page of the form."""

    id: str
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes
    ----------
    id : str
        Letter first, letters and digits only, at most twenty: what every survey tool accepts as a name.
    section, kind, wording, construct, locator, note : str
        ``kind`` is one of `KINDS`; ``locator`` is the place in the source.
    options : tuple of Option
        In the order shown; the order has a meaning where ``ordered`` (always in a Likert question, lowest first).
    required : bool
        A response without an answer is reported.
    personal : bool
        Identifies somebody by itself: never read into a table, never written.
    quasi_identifier : bool
        May identify somebody together with others: small cells are suppressed.
    consent : str
        ``participation``: a row without it never enters; ``interview``: noted as an answer; empty: neither.
    low, high : float or None
        Bounds of a number, both possible.
    integer : bool
        A number without decimals.
    """

    id: str
    section: str
    kind: str
    wording: str
    construct: str
    locator: str = ""
    note: str = ""
    options: tuple[Option, ...] = ()
    ordered: bool = False
    required: bool = False
    personal: bool = False
    quasi_identifier: bool = False
    consent: str = ""
    low: float | None = None
    high: float | None = None
    integer: bool = False

    @property
    def option_ids(self) -> tuple[str, ...]:
        return tuple(option.id for option in self.options)

    @property
    def other(self) -> str:
        """Id of the option that asks for words, or empty."""
        return next((option.id for option in self.options if option.other), "")

    def label_of(self, option: str) -> str:
        return next(item.label for item in self.options if item.id == option)


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire: sections and questions in the order asked.

    ``consent`` says how people agree: by a ``question`` of the form, or by sending it after a ``notice``.
    """

    id: str
    title: str
    version: str
    language: str
    source: str
    locator: str
    consent: str
    notice: str
    sections: tuple[Section, ...]
    questions: tuple[Question, ...]

    def question(self, name: str) -> Question:
        """The question of this id.

        Raises
        ------
        InputError
            There is none.
        """
        for question in self.questions:
            if question.id == name:
                return question
        known = ", ".join(question.id for question in self.questions)
        raise InputError(f"The instrument '{self.id}' has no question '{name}'.", [Problem("", f"it has: {known}")])

    @property
    def participation(self) -> Question | None:
        """The question that must be answered with yes, where there is one."""
        return next((question for question in self.questions if question.consent == "participation"), None)

    @property
    def quasi_identifiers(self) -> tuple[str, ...]:
        return tuple(question.id for question in self.questions if question.quasi_identifier)

    @property
    def personal(self) -> tuple[str, ...]:
        return tuple(question.id for question in self.questions if question.personal)


def load_instrument(name: str, folder: Path = FOLDER) -> Instrument:
    """Read ``<folder>/<name>.yaml``.

    ``survey/<name>.yaml`` is understood as well: a notebook that names the file so depends on it.

    Raises
    ------
    InputError
        The file cannot be read, or breaks a rule; every violation is listed with its place in the file.
    """
    name = name.removeprefix("survey/").removesuffix(".yaml")
    path = folder / f"{name}.yaml"
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        plans = "analysis_plan"  # lies beside the questionnaires, and is none
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml") if file.stem != plans)) or "none"
        raise InputError(
            f"There is no instrument '{name}'.", [Problem(where, "no such file", f"there are: {known}")]
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "correct the YAML")]) from None
    return build_instrument(content, where)


def build_instrument(content: object, where: str = "instrument") -> Instrument:
    """An instrument from plain values, checked as in `load_instrument`."""
    reader = _Reader(where)
    values = reader.mapping(
        content, "", ("instrument", "title", "version", "language", "source", "locator", "consent", "notice"),
        ("sections", "scales", "questions"),
    )  # fmt: skip
    scales = {
        key: reader.options(entries, f"scales.{key}")
        for key, entries in reader.plain(values.get("scales", {}), "scales").items()
    }
    sections = reader.records(values.get("sections"), "sections", Section)
    questions = []
    for number, entry in enumerate(reader.sequence(values.get("questions"), "questions")):
        place = f"questions[{number}]"
        if isinstance(entry, Mapping):
            place = f"questions.{entry.get('id', number)}"
            entry = dict(entry)
            if "scale" in entry:
                scale = entry.pop("scale")
                if scale not in scales:
                    reader.say(f"{place}.scale", f"no scale is called {scale!r}", f"one of: {', '.join(scales)}")
                if "options" in entry:
                    reader.say(place, "both a scale and options of its own", "keep one of them")
                entry["options"] = scales.get(scale, ())
            elif "options" in entry:
                entry["options"] = reader.options(entry["options"], f"{place}.options")
            if entry.get("kind") == "likert":
                entry.setdefault("ordered", True)
        question = reader.record(entry, place, Question)
        if question:
            questions.append(question)
            reader.check_question(question, place, {section.id for section in sections})
    instrument = Instrument(
        *(str(values.get(key, "")) for key in ("instrument", "title", "version", "language", "source", "locator")),
        consent=str(values.get("consent", "")),
        notice=str(values.get("notice", "")).strip(),
        sections=tuple(sections),
        questions=tuple(questions),
    )
    reader.check_whole(instrument)
    if reader.problems:
        raise InputError(f"{where} does not describe a questionnaire.", reader.problems)
    return instrument


class _Reader:
    """Plain YAML values into records; collects what is wrong instead of stopping at the first."""

    def __init__(self, where: str) -> None:
        self.where, self.problems = where, []  # type: ignore[var-annotated]

    def say(self, place: str, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.where}, {place}" if place else self.where, what, remedy))

    def plain(self, value: object, place: str) -> Mapping[str, Any]:
        if isinstance(value, Mapping):
            return value
        self.say(place, f"expected keys with values, got {value!r}")
        return {}

    def mapping(self, value: object, place: str, needed: tuple[str, ...], more: tuple[str, ...]) -> Mapping[str, Any]:
        found = self.plain(value, place)
        for key in needed:
            if not isinstance(found.get(key), str) or not found[key].strip():
                self.say(place, f"'{key}' must be text, got {found.get(key)!r}", "put numbers into quotes")
        for key in found:
            if key not in (*needed, *more):
                self.say(place, f"unknown key '{key}'", f"known: {', '.join((*needed, *more))}")
        return found

    def sequence(self, value: object, place: str) -> list[Any]:
        if isinstance(value, list | tuple) and value:
            return list(value)
        self.say(place, f"expected a list with at least one entry, got {value!r}")
        return []

    def records(self, value: object, place: str, kind: type) -> list[Any]:
        found = [
            self.record(entry, f"{place}[{number}]", kind) for number, entry in enumerate(self.sequence(value, place))
        ]
        return [entry for entry in found if entry is not None]

    def options(self, value: object, place: str) -> tuple[Option, ...]:
        options = self.records(value, place, Option)
        self.unique([option.id for option in options], place, "id")
        self.unique([option.label.casefold() for option in options], place, "label")
        for option in options:
            if not _ID.fullmatch(option.id):
                self.say(place, f"'{option.id}' cannot be an option's id", "small letters, digits, underscores")
        if sum(option.other for option in options) > 1:
            self.say(place, "more than one option asks for words", "leave one with `other: true`")
        return tuple(options)

    def record(self, value: object, place: str, kind: type) -> Any:
        entry = self.plain(value, place)
        known = {item.name: item for item in fields(kind)}
        wrong = len(self.problems)
        for key, found in entry.items():
            if key not in known:
                self.say(place, f"unknown key '{key}'", f"known: {', '.join(known)}")
                continue
            expected = str(known[key].type)
            if expected == "str" and (not isinstance(found, str) or not found.strip()):
                self.say(place, f"'{key}' must be text, got {found!r}", "put it into quotes (yes, no and numbers too)")
            elif expected == "bool" and not isinstance(found, bool):
                self.say(place, f"'{key}' must be true or false, got {found!r}")
            elif "float" in expected and (isinstance(found, bool) or not isinstance(found, int | float)):
                self.say(place, f"'{key}' must be a number, got {found!r}")
        for key, item in known.items():
            if item.default is MISSING and key not in entry:
                self.say(place, f"'{key}' is missing")
        if len(self.problems) > wrong:
            return None
        return kind(**{key: found.strip() if isinstance(found, str) else found for key, found in entry.items()})

    def unique(self, names: list[str], place: str, what: str) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.say(place, f"the {what} '{name}' is given {names.count(name)} times", "each once")

    def check_question(self, question: Question, place: str, sections: set[str]) -> None:
        kind, count = question.kind, len(question.options)
        if kind not in KINDS:
            self.say(f"{place}.kind", f"got '{kind}'", f"one of: {', '.join(KINDS)}")
            return
        if not _QUESTION_ID.fullmatch(question.id):
            self.say(place, f"'{question.id}' cannot be a question's id", "a capital, then letters and digits, as Q1")
        if question.section not in sections:
            self.say(f"{place}.section", f"there is no section '{question.section}'", f"one of: {sorted(sections)}")
        least = {"consent": 1}.get(kind, 2) if kind in CHOICES else 0
        if count < least:
            self.say(f"{place}.options", f"{count} options for a {kind} question", f"give at least {least}")
        if count and kind not in CHOICES:
            self.say(f"{place}.options", f"a {kind} question has none", "remove them, or change the kind")
        if kind == "consent" and (count != 1 or not question.consent):
            self.say(place, "a consent question has one option and says what for", "set `consent: participation`")
        if question.consent not in CONSENT_FOR:
            self.say(f"{place}.consent", f"got '{question.consent}'", f"one of: {', '.join(CONSENT_FOR[1:])}")
        if question.consent and kind not in ("consent", "yes_no"):
            self.say(place, f"consent cannot be given by a {kind} question", "make it of kind consent or yes_no")
        if question.consent == "participation" and not question.required:
            self.say(place, "consent to take part must be required", "set `required: true`")
        if question.ordered and kind not in ("single", "likert"):
            self.say(place, f"a {kind} question has no order", "remove `ordered`")
        if kind == "likert" and not question.ordered:
            self.say(place, "a Likert question is ordered", "remove `ordered: false`")
        if question.other and kind not in ("single", "multiple"):
            self.say(place, f"a {kind} question has no option with words of one's own", "remove `other`")
        if (question.low, question.high, question.integer) != (None, None, False) and kind != "number":
            self.say(place, "bounds are for numbers", "remove low, high and integer")
        if None not in (question.low, question.high) and question.low > question.high:
            self.say(place, f"no number is both at least {question.low:g} and at most {question.high:g}")
        if question.personal and question.quasi_identifier:
            self.say(place, "personal and quasi-identifier at once", "what is personal is never published at all")

    def check_whole(self, instrument: Instrument) -> None:
        self.unique([question.id for question in instrument.questions], "questions", "id")
        self.unique([section.id for section in instrument.sections], "sections", "id")
        if instrument.consent not in CONSENT_BY:
            self.say("consent", f"got '{instrument.consent}'", f"one of: {', '.join(CONSENT_BY)}")
        asked = sum(question.consent == "participation" for question in instrument.questions)
        if instrument.consent == "question" and asked != 1:
            self.say("consent", f"{asked} questions ask for consent to take part", "exactly one must")
        if instrument.consent == "notice" and asked:
            self.say("consent", "by notice, and yet a question asks for it", "set `consent: question`")
        if self.problems:
            return  # the order below makes sense only where every section is known
        order = [section.id for section in instrument.sections]
        places = [order.index(question.section) for question in instrument.questions]
        if places != sorted(places):
            self.say("questions", "questions of one section do not stand together", "order them as the sections")
        for name in set(order) - {question.section for question in instrument.questions}:
            self.say("sections", f"nothing is asked in section '{name}'", "remove it")
