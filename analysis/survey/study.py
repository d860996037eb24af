"""Which answers a run is about: the published totals, an export of one's own, or made-up ones.

``responses`` of the notebook is one of

- ``published``: no rows; of the plan only is said why each hypothesis has to wait;
- ``demo``: made-up answers with a known truth (`analysis.survey.demo`); everything shown says so;
- ``stored``: what `python -m analysis import-survey` put into the vault;
- a path, from the project's folder: an export, with ``mapping`` the path of its column mapping.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import ROOT, relative
from analysis.survey.demo import Truth, build_demo
from analysis.survey.disclosure import Protection, suppress_small_cells
from analysis.survey.instrument import Instrument
from analysis.survey.mapping import load_mapping
from analysis.survey.plan import CLOSED, AnalysisPlan
from analysis.survey.plan_run import EFFECTS, FINDING_COLUMNS, NOT_COMPUTABLE, PlanResults, run_plan
from analysis.survey.privacy import PRIVATE, load_stored, open_vault
from analysis.survey.responses import Responses, load_responses

PUBLISHED, DEMO, STORED = "published", "demo", "stored"
NEEDS_ROWS = "needs the answers of single respondents; totals are published"
KNOWN_BEFORE = "its counts were published before the plan was declared: described, not tested"
DEMO_SHIFT = 1.0
"""How much higher the made-up attitude of those is who say yes, in standard deviations: enough to be found."""
PICTURE = "published as a chart alone"


@dataclass(frozen=True)
class Study:
    """What a run is about.

    ``origin`` is ``published``, ``demo`` or ``measured``; without rows, ``results`` holds a reason for each
    hypothesis, and there is no ``protection`` (tables that may be shown). ``truth`` is what demo answers were drawn
    from.
    """

    origin: str
    source: str
    results: PlanResults
    counts: pd.DataFrame | None = None
    protection: Protection | None = None
    truth: Truth | None = None

    @property
    def label(self) -> str:
        """What every title carries: empty for real answers."""
        return "demo: made-up answers" if self.origin == DEMO else ""


def conduct_study(
    responses: str,
    mapping: str,
    plan: AnalysisPlan,
    instrument: Instrument,
    questionnaire: pd.DataFrame,
    vault_folder: Path = PRIVATE,
) -> Study:
    """Get the answers and run the plan on them.

    Parameters
    ----------
    responses, mapping : str
        See the module's text.
    plan : AnalysisPlan
    instrument : Instrument
    questionnaire : DataFrame
        survey/questionnaire.csv, for what is published of each question.
    vault_folder : Path
        Where secret, withdrawals and stored responses lie.

    Raises
    ------
    InputError
        No such file, a mapping where there is nothing to map or none where there is, or what importing finds.
    """
    answers = select_responses(responses, mapping, plan, instrument, vault_folder)
    if answers is None:
        return Study(PUBLISHED, "published totals", _without_rows(plan, questionnaire))
    protection = protect_tables(answers, plan, instrument)
    results = hide_differences(run_plan(plan, answers, instrument), plan, protection)
    truth = _draw_demo(plan, instrument)[1] if answers.origin == DEMO else None
    return Study(answers.origin, answers.source, results, answers.counts, protection, truth)


def select_responses(
    responses: str, mapping: str, plan: AnalysisPlan, instrument: Instrument, vault_folder: Path = PRIVATE
) -> Responses | None:
    """The rows that the parameter asks for; None for the published totals."""
    named = responses in (PUBLISHED, DEMO, STORED)
    if named == bool(mapping):
        what = "a mapping, and nothing to map" if named else "an export without its column mapping"
        remedy = 'leave mapping empty, "", or name an export' if named else "name the mapping's file in `mapping`"
        raise InputError("The answers cannot be read.", [Problem("responses, mapping", what, remedy)])
    if responses == PUBLISHED:
        return None
    if responses == DEMO:
        return _draw_demo(plan, instrument)[0]
    if responses == STORED:
        return load_stored(instrument, open_vault(vault_folder))
    export = ROOT / responses
    if not export.is_file():
        remedy = f'a file from the project\'s folder, or "{PUBLISHED}", "{DEMO}", "{STORED}"'
        raise InputError("The answers cannot be read.", [Problem(relative(export), "no such file", remedy)])
    return load_responses(export, instrument, load_mapping(ROOT / mapping, instrument), open_vault(vault_folder))


def _draw_demo(plan: AnalysisPlan, instrument: Instrument) -> tuple[Responses, Truth]:
    return build_demo(instrument, plan.planned_n, plan.seed, shift=DEMO_SHIFT)


def protect_tables(answers: Responses, plan: AnalysisPlan, instrument: Instrument) -> Protection:
    """Counts of every question with one answer, and the plan's cross tables, protected together."""
    table = answers.table
    single = [question.id for question in instrument.questions if question.id in table and question.kind in CLOSED]
    tables = [*((name,) for name in single), *(pair for pair in plan.tables if set(pair) <= set(single))]
    quasi = [name for name in instrument.quasi_identifiers if name in single]
    return suppress_small_cells(table, tables, quasi, k=plan.minimum.k)


def hide_differences(results: PlanResults, plan: AnalysisPlan, protection: Protection) -> PlanResults:
    """Sensitivity analyses without the numbers of those that would give a suppressed count away.

    Who leaves out the people with one answer and prints what is left prints how many gave it.
    """
    hidden = []
    for variation in plan.sensitivity:
        for name, options in dict(variation.without).items():
            shown = protection.tables.get((name,))
            if shown is None or shown.loc[shown[name].isin(options), "count"].isna().any():
                hidden.append(variation.id)
    gone = results.sensitivity["variation"].isin(hidden)
    table = results.sensitivity.copy()
    table.loc[gone, ["n", "value", "low", "high", "p_value", "agrees"]] = pd.NA
    table.loc[gone, "reason"] = "not shown: a suppressed count would follow from it"
    return replace(results, sensitivity=table)


def _without_rows(plan: AnalysisPlan, questionnaire: pd.DataFrame) -> PlanResults:
    published = dict(zip(questionnaire["question"], questionnaire["published"], strict=True))
    rows = []
    for family in plan.families:
        for one in family.hypotheses:
            row = dict.fromkeys(FINDING_COLUMNS)
            rows.append(
                row
                | {
                    "hypothesis": one.id,
                    "family": family.title,
                    "statement": one.statement,
                    "questions": ", ".join(one.questions),
                    "design": one.design,
                    "effect": EFFECTS[one.design],
                    "verdict": NOT_COMPUTABLE,
                    "method": "",
                    "reason": _why(one.questions, published),
                }
            )
    empty = pd.DataFrame()
    return PlanResults(pd.DataFrame(rows, columns=list(FINDING_COLUMNS)), empty, empty, empty)


def _why(questions: Sequence[str], published: dict[str, str]) -> str:
    charts = [name for name in questions if published[name] in ("picture_only", "percent_only", "nothing")]
    if len(questions) > 1:
        return NEEDS_ROWS + (f", {' and '.join(charts)} not even so" if charts else "")
    return PICTURE if charts else KNOWN_BEFORE
