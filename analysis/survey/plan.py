"""What will be tested, written down before the answers are seen: an analysis plan as data.

An `AnalysisPlan` is read from ``data/survey/analysis_plan.yaml`` and checked against its questionnaire; running it
(`analysis.survey.plan_run`) leaves nothing to choose. Designs of a hypothesis:

share
    A share of the answers to ``outcome`` (``values``) against ``against``: binomial test.
groups
    Ordered answers to ``outcome`` of those who say yes to ``by`` against those who say no: Mann–Whitney, Cliff's delta.
trend
    Ordered answers to ``outcome`` and ``by`` (no before yes): Kendall's tau-b.
paired
    The same respondents' answers to ``outcome`` and ``by``, on scales of the same length: Wilcoxon's signed-rank test
    of the places, matched rank-biserial correlation.
fit
    Whether all answers to ``outcome`` are as frequent: goodness of fit, Cohen's w.
association
    ``outcome`` by ``by``, neither ordered: independence, Cramér's V.

A sensitivity analysis repeats hypotheses with one thing changed: ``method``, ``values``, ``without`` (a question's
answers whose respondents are left out), or ``rule: same_place`` (respondents with the same place on all ``questions``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, relative
from analysis.stats.contingency import INDEPENDENCE_METHODS
from analysis.stats.correlation import KENDALL_METHODS, KENDALL_TESTS
from analysis.stats.goodness import FIT_METHODS
from analysis.stats.intervals import SHARE_METHODS
from analysis.stats.multiplicity import ADJUSTMENTS
from analysis.stats.ranks import ALTERNATIVES, RANK_SUM_METHODS
from analysis.stats.share_test import SHARE_TESTS
from analysis.stats.signed_ranks import SIGNED_METHODS, ZERO_RULES
from analysis.survey.instrument import Instrument, Question

DESIGNS: Mapping[str, Mapping[str, str]] = {
    "share": SHARE_TESTS,
    "groups": RANK_SUM_METHODS,
    "trend": KENDALL_TESTS,
    "paired": SIGNED_METHODS,
    "fit": FIT_METHODS,
    "association": INDEPENDENCE_METHODS,
}
"""Design → the tests that it can name."""
CLOSED = ("single", "likert", "yes_no")
"""Kinds of question with exactly one answer of a list."""
_UNSIDED = ("fit", "association")
_WITH_BY = ("groups", "trend", "paired", "association")
_OPEN_INTERVALS = ("ase", "ase-fisher", "fieller")


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One statement with its test; see the module's text for the designs."""

    id: str
    statement: str
    basis: str
    design: str
    outcome: str
    alternative: str
    method: str
    by: str = ""
    values: tuple[str, ...] = ()
    against: float = 0.5
    interval: str = ""
    zeros: str = ""

    @property
    def questions(self) -> tuple[str, ...]:
        return (self.outcome, self.by) if self.by else (self.outcome,)


@dataclass(frozen=True, slots=True)
class Family:
    """Hypotheses that share one error rate."""

    id: str
    title: str
    research_question: str
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """Items that may be read as one; ``least`` is the alpha from which they are."""

    id: str
    what: str
    items: tuple[str, ...]
    least: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Rows left out before anything is computed: those who answered none of the questions."""

    id: str
    what: str
    rule: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variation:
    """A sensitivity analysis; no hypotheses named means all."""

    id: str
    what: str
    hypotheses: tuple[str, ...] = ()
    method: str = ""
    values: tuple[str, ...] = ()
    without: Mapping[str, list[str]] = field(default_factory=dict)
    rule: str = ""
    questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Minimum:
    """Fewest respondents of a test and of a compared group, and smallest count shown."""

    respondents: int
    group: int
    k: int


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """A plan as declared."""

    plan: str
    declared: date
    instrument: str
    level: float
    correction: str
    confidence: float
    planned_n: int
    power: float
    draws: int
    seed: int
    missing: str
    minimum: Minimum
    exclusions: tuple[Exclusion, ...]
    scales: tuple[Scale, ...]
    tables: tuple[tuple[str, ...], ...]
    families: tuple[Family, ...]
    sensitivity: tuple[Variation, ...]
    amendments: tuple[str, ...] = ()

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        return tuple(hypothesis for family in self.families for hypothesis in family.hypotheses)

    def hypothesis(self, name: str) -> Hypothesis:
        return next(hypothesis for hypothesis in self.hypotheses if hypothesis.id == name)


def load_plan(name: str, instrument: Instrument, folder: Path = DATA) -> AnalysisPlan:
    """Read a plan under ``data/``, such as ``survey/analysis_plan.yaml``.

    Raises
    ------
    InputError
        The file cannot be read, or asks for what the questionnaire or a test does not have; all violations are listed.
    """
    path = folder / name
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{relative(path)} cannot be read.", [Problem(relative(path), str(error))]) from None
    return build_plan(content, instrument, relative(path))


def build_plan(content: object, instrument: Instrument, where: str = "plan") -> AnalysisPlan:
    """A plan from plain values, checked as in `load_plan`."""
    checker = _Checker(where, instrument)
    values = dict(content) if isinstance(content, Mapping) else {}
    if not values:
        checker.say("", "expected keys with values")
    values["families"] = [
        family | {"hypotheses": checker.records(family.get("hypotheses"), f"families.{family.get('id')}", Hypothesis)}
        for family in checker.mappings(values.get("families"), "families")
    ]
    values["minimum"] = checker.record(values.get("minimum"), "minimum", Minimum)
    for key, kind in (("families", Family), ("exclusions", Exclusion), ("scales", Scale), ("sensitivity", Variation)):
        values[key] = checker.records(values.get(key), key, kind)
    plan = checker.record(values, "", AnalysisPlan) if not checker.problems else None
    if plan is not None:
        checker.check(plan)
    if checker.problems or plan is None:
        raise InputError(f"{where} is no analysis plan for '{instrument.id}'.", checker.problems)
    return plan


class _Checker:
    """Plain values into records; collects what is wrong."""

    def __init__(self, where: str, instrument: Instrument) -> None:
        self.where = where
        self.instrument = instrument
        self.known = {question.id: question for question in instrument.questions if not question.personal}
        self.problems: list[Problem] = []

    def say(self, place: str, what: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.where}, {place}" if place else self.where, what, remedy))

    def mappings(self, value: object, place: str) -> list[dict[str, Any]]:
        if isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value):
            return [dict(entry) for entry in value]
        self.say(place, f"expected a list of entries with keys, got {value!r}")
        return []

    def records(self, value: object, place: str, kind: type) -> tuple[Any, ...]:
        found = [self.record(entry, f"{place}.{entry.get('id')}", kind) for entry in self.mappings(value, place)]
        return tuple(entry for entry in found if entry is not None)

    def record(self, value: object, place: str, kind: type) -> Any:
        if not isinstance(value, Mapping):
            self.say(place, f"expected keys with values, got {value!r}")
            return None
        wrong, known, made = len(self.problems), {item.name: item for item in fields(kind)}, {}
        for key in value:
            if key not in known:
                self.say(place, f"unknown key '{key}'", f"known: {', '.join(known)}")
        for key, item in known.items():
            if key in value:
                made[key] = self.value(value[key], str(item.type), f"{place}.{key}".strip("."))
            elif item.default is MISSING and item.default_factory is MISSING:
                self.say(place, f"'{key}' is missing")
        return kind(**made) if len(self.problems) == wrong else None

    def value(self, value: Any, expected: str, place: str) -> Any:
        """A value as its field's annotation wants it."""
        if expected == "date":
            try:
                return date.fromisoformat(str(value))
            except ValueError:
                self.say(place, f"got {value!r}", "a day, such as 2026-11-21")
        elif expected.startswith("tuple["):
            if isinstance(value, list | tuple):
                return tuple(tuple(item) if isinstance(item, list) else item for item in value)
            self.say(place, f"expected a list, got {value!r}")
        elif expected in ("int", "float"):
            number = isinstance(value, int) or (expected == "float" and isinstance(value, float))
            if isinstance(value, bool) or not number:
                self.say(place, f"expected a number, got {value!r}")
        elif expected == "str" and (not isinstance(value, str) or not value.strip()):
            self.say(place, f"expected text, got {value!r}")
        return value.strip() if isinstance(value, str) else value

    # ---- what belongs together -------------------------------------------------------------------

    def check(self, plan: AnalysisPlan) -> None:
        if plan.instrument != self.instrument.id:
            self.say("instrument", f"got '{plan.instrument}', the questionnaire is '{self.instrument.id}'")
        if plan.correction not in ADJUSTMENTS:
            self.say("correction", f"got '{plan.correction}'", f"one of: {', '.join(ADJUSTMENTS)}")
        for key in ("level", "confidence", "power"):
            if not 0 < getattr(plan, key) < 1:
                self.say(key, f"got {getattr(plan, key)}", "between 0 and 1")
        least = {"planned_n": plan.planned_n, "draws": plan.draws, "minimum.group": plan.minimum.group}
        for key, number in least.items():
            if number < 2:
                self.say(key, f"got {number}", "at least 2")
        names = [hypothesis.id for hypothesis in plan.hypotheses]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.say(name, f"declared {names.count(name)} times", "each once")
        for hypothesis in plan.hypotheses:
            self.hypothesis(hypothesis)
        for exclusion in plan.exclusions:
            self.ask(f"exclusions.{exclusion.id}", exclusion.questions)
            if exclusion.rule != "none_answered":
                self.say(f"exclusions.{exclusion.id}.rule", f"got '{exclusion.rule}'", "none_answered")
        for scale in plan.scales:
            questions = self.ask(f"scales.{scale.id}", scale.items)
            if len(scale.items) < 2 or any(question.kind != "likert" for question in questions):
                self.say(f"scales.{scale.id}", "a scale has two Likert items or more")
        for table in plan.tables:
            if not isinstance(table, tuple) or len(set(table)) != 2:
                self.say("tables", f"got {table!r}", "two different questions each")
            else:
                for question in self.ask("tables", table):
                    if question.kind not in CLOSED:
                        self.say("tables", f"{question.id} is a {question.kind} question", f"of: {', '.join(CLOSED)}")
        for variation in plan.sensitivity:
            self.variation(variation, plan)

    def ask(self, place: str, names: tuple[str, ...]) -> list[Question]:
        for name in names:
            if name not in self.known:
                self.say(place, f"'{self.instrument.id}' has no question '{name}'", f"known: {', '.join(self.known)}")
        return [self.known[name] for name in names if name in self.known]

    def hypothesis(self, one: Hypothesis) -> None:
        if one.design not in DESIGNS:
            self.say(f"{one.id}.design", f"got '{one.design}'", f"one of: {', '.join(DESIGNS)}")
            return
        asked = self.ask(one.id, one.questions)
        if bool(one.by) != (one.design in _WITH_BY):
            self.say(f"{one.id}.by", f"a {one.design} has {'two questions' if not one.by else 'one question'}")
        if len(asked) < len(one.questions):
            return
        if one.method not in DESIGNS[one.design]:
            self.say(f"{one.id}.method", f"got '{one.method}'", f"one of: {', '.join(DESIGNS[one.design])}")
        if one.alternative not in ALTERNATIVES or (one.design in _UNSIDED and one.alternative != "two-sided"):
            allowed = ("two-sided",) if one.design in _UNSIDED else ALTERNATIVES
            self.say(f"{one.id}.alternative", f"got '{one.alternative}'", f"one of: {', '.join(allowed)}")
        intervals = {"share": tuple(SHARE_METHODS), "trend": _OPEN_INTERVALS}.get(one.design, ("",))
        if one.interval not in intervals or (one.design == "trend" and one.interval not in KENDALL_METHODS):
            self.say(f"{one.id}.interval", f"got '{one.interval}'", f"one of: {', '.join(intervals)}")
        if (one.zeros in ZERO_RULES) != (one.design == "paired"):
            self.say(f"{one.id}.zeros", f"got '{one.zeros}'", "for paired designs, wilcox or pratt")
        self.kinds(one, *asked)

    def kinds(self, one: Hypothesis, outcome: Question, by: Question | None = None) -> None:
        def ordered(question: Question) -> bool:
            return question.ordered or question.kind in ("likert", "yes_no")

        for question in (outcome, *([by] if by else [])):
            if question.kind not in CLOSED:
                self.say(one.id, f"{question.id} is a {question.kind} question", f"one of: {', '.join(CLOSED)}")
        if one.design == "share":
            options = answers_of(outcome)
            for value in one.values or ("",):
                if value not in options:
                    what = f"{outcome.id} has no answer '{value}'"
                    self.say(f"{one.id}.values", what, f"known: {', '.join(options)}")
            if not 0 < one.against < 1:
                self.say(f"{one.id}.against", f"got {one.against}", "between 0 and 1")
        elif one.values:
            self.say(f"{one.id}.values", f"a {one.design} takes the answers as they are", "remove them")
        if one.design in ("groups", "trend", "paired") and not ordered(outcome):
            self.say(one.id, f"the answers to {outcome.id} have no order")
        if by is not None and one.design == "groups" and by.kind != "yes_no":
            self.say(f"{one.id}.by", f"{by.id} is no yes-or-no question")
        if by is not None and one.design in ("trend", "paired") and not ordered(by):
            self.say(f"{one.id}.by", f"the answers to {by.id} have no order")
        if by is not None and one.design == "paired" and len(answers_of(by)) != len(answers_of(outcome)):
            self.say(one.id, f"{outcome.id} and {by.id} have scales of different lengths")

    def variation(self, one: Variation, plan: AnalysisPlan) -> None:
        place = f"sensitivity.{one.id}"
        names = [hypothesis.id for hypothesis in plan.hypotheses]
        for name in one.hypotheses:
            if name not in names:
                self.say(f"{place}.hypotheses", f"there is no '{name}'", f"known: {', '.join(names)}")
        if sum(map(bool, (one.method, one.values, one.without, one.rule))) != 1:
            self.say(place, "it changes exactly one thing", "one of: method, values, without, rule")
        chosen = [h for h in plan.hypotheses if h.id in (one.hypotheses or names) and h.design in DESIGNS]
        for hypothesis in chosen if one.method else ():
            if one.method not in DESIGNS[hypothesis.design]:
                self.say(f"{place}.method", f"'{one.method}' is no test of {hypothesis.id} ({hypothesis.design})")
        for hypothesis in chosen if one.values else ():
            asked = self.known.get(hypothesis.outcome)
            if hypothesis.design != "share" or asked is None or set(one.values) - set(answers_of(asked)):
                self.say(f"{place}.values", f"they do not fit {hypothesis.id}")
        if one.rule and one.rule != "same_place":
            self.say(f"{place}.rule", f"got '{one.rule}'", "same_place")
        if bool(one.rule) != bool(one.questions):
            self.say(f"{place}.questions", "a rule names its questions, and nothing else does")
        self.ask(place, one.questions)
        for name, options in dict(one.without).items():
            for question in self.ask(place, (name,)):
                if not options or set(options) - set(answers_of(question)):
                    self.say(f"{place}.without", f"{name} has no answers {options}", ", ".join(answers_of(question)))


def answers_of(question: Question) -> tuple[str, ...]:
    """The answers to a closed question, lowest first where they have an order."""
    return ("no", "yes") if question.kind == "yes_no" else question.option_ids
