"""Running an analysis plan on answers: every declared test, its effect with interval, and why one cannot be computed.

Families keep the size that they were declared with: a test that cannot be computed takes part in the correction with
p = 1. So what drops out never makes the others look better.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.base.errors import InputError
from analysis.base.estimates import Estimate
from analysis.stats.contingency import independence_test
from analysis.stats.correlation import compute_kendall, kendall_test
from analysis.stats.goodness import goodness_of_fit_test
from analysis.stats.multiplicity import adjust
from analysis.stats.outcomes import Outcome
from analysis.stats.ranks import mann_whitney_test
from analysis.stats.reliability import compute_alpha, compute_omega
from analysis.stats.share_test import share_test
from analysis.stats.signed_ranks import wilcoxon_signed_rank_test
from analysis.survey.instrument import Instrument
from analysis.survey.plan import AnalysisPlan, Hypothesis, Variation, answers_of
from analysis.survey.responses import Responses

SUPPORTED, NOT_SUPPORTED, NOT_COMPUTABLE = "supported", "not supported", "not computable"
EFFECTS = {
    "share": "share",
    "groups": "Cliff's delta",
    "trend": "Kendall's tau-b",
    "paired": "rank-biserial correlation",
    "fit": "Cohen's w",
    "association": "Cramér's V",
}
FINDING_COLUMNS = (
    "hypothesis", "family", "statement", "questions", "design", "effect", "n", "value", "low", "high", "statistic",
    "p_value", "p_adjusted", "verdict", "method", "reason",
)  # fmt: skip


@dataclass(frozen=True)
class PlanResults:
    """What came out.

    Attributes
    ----------
    findings : DataFrame
        A row a hypothesis, columns `FINDING_COLUMNS`; ``reason`` where the verdict is "not computable".
    reliability : DataFrame
        ``scale``, ``coefficient``, ``n``, ``value``, ``low``, ``high``, ``verdict``, ``method``.
    sensitivity : DataFrame
        ``variation``, ``what``, ``hypothesis``, ``n``, ``value``, ``low``, ``high``, ``p_value``, ``agrees`` (whether
        p, unadjusted, is on the same side of the level as in the main analysis), ``reason``.
    exclusions : DataFrame
        ``rule``, ``rows`` left out, and those analysed.
    """

    findings: pd.DataFrame
    reliability: pd.DataFrame
    sensitivity: pd.DataFrame
    exclusions: pd.DataFrame


def run_plan(plan: AnalysisPlan, responses: Responses, instrument: Instrument) -> PlanResults:
    """Carry out a plan. The same answers give the same numbers: every test starts from the plan's seed.

    Raises
    ------
    InputError
        The responses belong to another questionnaire. What a single hypothesis lacks is a reason in the findings.
    """
    if responses.instrument != plan.instrument or instrument.id != plan.instrument:
        raise InputError(f"The plan is for '{plan.instrument}', these responses are for '{responses.instrument}'.")
    table, exclusions = _exclude(plan, responses.table)
    tests = {one.id: _attempt(plan, one, table, instrument) for one in plan.hypotheses}
    return PlanResults(
        findings=_findings(plan, tests),
        reliability=_reliability(plan, table, instrument),
        sensitivity=_sensitivity(plan, table, instrument, tests),
        exclusions=exclusions,
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    outcome: Outcome | None
    n: int
    reason: str = ""


def _attempt(plan: AnalysisPlan, one: Hypothesis, table: pd.DataFrame, instrument: Instrument) -> _Attempt:
    absent = [name for name in one.questions if name not in table]
    if absent:
        return _Attempt(None, 0, f"{' and '.join(absent)} not asked")
    answered = table[list(one.questions)].dropna()
    n = len(answered)
    if n < plan.minimum.respondents:
        return _Attempt(None, n, f"{n} respondents, the plan asks for {plan.minimum.respondents}")
    codes = {name: _places(answered[name], instrument.question(name)) for name in one.questions}
    if one.design in ("groups", "association"):
        smallest = int(np.bincount(codes[one.by], minlength=2)[np.unique(codes[one.by])].min())
        groups = len(np.unique(codes[one.by]))
        if groups < 2 or smallest < plan.minimum.group:
            # How small a group is would be a count that must not be shown.
            what = "everybody gives the same answer to" if groups < 2 else "a group is too small by"
            return _Attempt(None, n, f"{what} {one.by}, the plan asks for {plan.minimum.group} in each")
    rng = np.random.default_rng(plan.seed)
    try:
        return _Attempt(_TESTS[one.design](plan, one, codes, instrument, rng), n)
    except InputError as error:
        said = "; ".join(f"{problem.where} {problem.what}" for problem in error.problems)
        return _Attempt(None, n, said or error.title)


def _test_share(plan, one, codes, instrument, rng):
    options = answers_of(instrument.question(one.outcome))
    wanted = [options.index(value) for value in one.values]
    count = int(np.isin(codes[one.outcome], wanted).sum())
    return share_test(
        count, len(codes[one.outcome]), one.against, one.alternative, plan.confidence, method=one.method,
        interval=one.interval,
    )  # fmt: skip


def _test_groups(plan, one, codes, instrument, rng):
    yes = codes[one.by] == 1
    outcome = codes[one.outcome]
    return mann_whitney_test(
        outcome[yes], outcome[~yes], one.alternative, plan.confidence, method=one.method, rng=rng, draws=plan.draws
    )


def _test_trend(plan, one, codes, instrument, rng):
    first, second = codes[one.outcome], codes[one.by]
    found = kendall_test(
        first, second, one.alternative, plan.confidence, method=one.method, rng=rng, draws=plan.draws
    )  # fmt: skip
    return replace(found, effect=compute_kendall(first, second, plan.confidence, method=one.interval))


def _test_paired(plan, one, codes, instrument, rng):
    return wilcoxon_signed_rank_test(
        codes[one.outcome], codes[one.by], one.alternative, plan.confidence, method=one.method, zeros=one.zeros
    )


def _test_fit(plan, one, codes, instrument, rng):
    counts = np.bincount(codes[one.outcome], minlength=len(answers_of(instrument.question(one.outcome))))
    return goodness_of_fit_test(counts, None, plan.confidence, method=one.method, rng=rng, draws=plan.draws)


def _test_association(plan, one, codes, instrument, rng):
    shape = [len(answers_of(instrument.question(name))) for name in one.questions]
    flat = np.ravel_multi_index([codes[name] for name in one.questions], shape)
    table = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    return independence_test(table, plan.confidence, method=one.method, rng=rng, draws=plan.draws)


_TESTS: dict[str, Callable[..., Outcome]] = {
    "share": _test_share,
    "groups": _test_groups,
    "trend": _test_trend,
    "paired": _test_paired,
    "fit": _test_fit,
    "association": _test_association,
}


def _places(answers: pd.Series, question) -> np.ndarray:
    """Place of each answer on its scale, from 0; no before yes."""
    if question.kind == "yes_no":
        return answers.astype(bool).to_numpy().astype("int64")
    return answers.cat.codes.to_numpy().astype("int64")


def _exclude(plan: AnalysisPlan, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [("responses", len(table))]
    for one in plan.exclusions:
        named = [name for name in one.questions if name in table]
        gone = table[named].isna().all(axis=1) if named else pd.Series(False, index=table.index)
        rows.append((one.what, int(gone.sum())))
        table = table[~gone]
    return table, pd.DataFrame([*rows, ("analysed", len(table))], columns=["rule", "rows"])


def _findings(plan: AnalysisPlan, tests: dict[str, _Attempt]) -> pd.DataFrame:
    rows = []
    for family in plan.families:
        adjusted = adjust(
            [one.p_value if (one := tests[h.id].outcome) else 1.0 for h in family.hypotheses], method=plan.correction
        )
        for hypothesis, p_adjusted in zip(family.hypotheses, adjusted, strict=True):
            attempt = tests[hypothesis.id]
            row = dict.fromkeys(FINDING_COLUMNS)
            row |= {
                "hypothesis": hypothesis.id,
                "family": family.title,
                "statement": hypothesis.statement,
                "questions": ", ".join(hypothesis.questions),
                "design": hypothesis.design,
                "effect": EFFECTS[hypothesis.design],
                "n": attempt.n,
                "verdict": NOT_COMPUTABLE,
                "method": "",
                "reason": attempt.reason,
            }
            if attempt.outcome is not None:
                row |= _numbers(attempt.outcome) | {
                    "statistic": attempt.outcome.statistic,
                    "p_adjusted": p_adjusted,
                    "verdict": SUPPORTED if p_adjusted <= plan.level else NOT_SUPPORTED,
                    "method": attempt.outcome.method,
                }
            rows.append(row)
    numbers = dict.fromkeys(("value", "low", "high", "statistic", "p_value", "p_adjusted"), "float64")
    return pd.DataFrame(rows, columns=list(FINDING_COLUMNS)).astype(numbers)


def _numbers(outcome: Outcome) -> dict[str, float | None]:
    effect = outcome.effect or Estimate(float("nan"))
    return {"value": effect.value, "low": effect.low, "high": effect.high, "p_value": outcome.p_value}


def _reliability(plan: AnalysisPlan, table: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    rows = []
    for scale in plan.scales:
        items = [name for name in scale.items if name in table]
        answered = table[items].dropna()
        for name in ("alpha", "omega"):
            row = {"scale": scale.what, "coefficient": name, "n": len(answered), "verdict": NOT_COMPUTABLE}
            try:
                if len(items) < len(scale.items) or len(answered) < plan.minimum.respondents:
                    raise InputError("items not asked, or too few respondents")
                places = pd.DataFrame({item: _places(answered[item], instrument.question(item)) for item in items})
                found = (
                    compute_alpha(places, plan.confidence, method="feldt")
                    if name == "alpha"
                    else compute_omega(places, plan.confidence, factor="ml", method="delta")
                )
            except InputError as error:
                rows.append(row | {"method": error.title})
                continue
            read = "read as one scale" if found.value >= scale.least else "items kept apart"
            row |= {"verdict": read if name == "alpha" else "", "method": found.method}  # the plan decides by alpha
            rows.append(row | {"value": found.value, "low": found.low, "high": found.high})
    columns = ["scale", "coefficient", "n", "value", "low", "high", "verdict", "method"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(("value", "low", "high"), "float64"))


def _sensitivity(
    plan: AnalysisPlan, table: pd.DataFrame, instrument: Instrument, main: dict[str, _Attempt]
) -> pd.DataFrame:
    rows = []
    for variation in plan.sensitivity:
        kept = _vary_rows(variation, table, instrument)
        for name in variation.hypotheses or tuple(main):
            one = plan.hypothesis(name)
            changed = replace(one, method=variation.method or one.method, values=variation.values or one.values)
            attempt = _attempt(plan, changed, kept, instrument)
            row: dict[str, object] = {"variation": variation.id, "what": variation.what, "hypothesis": name}
            row |= {"n": attempt.n, "agrees": pd.NA, "reason": attempt.reason}
            before, after = main[name].outcome, attempt.outcome
            if after is not None:
                row |= _numbers(after)
                if before is not None:
                    row["agrees"] = (before.p_value <= plan.level) == (after.p_value <= plan.level)
            rows.append(row)
    columns = ["variation", "what", "hypothesis", "n", "value", "low", "high", "p_value", "agrees", "reason"]
    kinds = dict.fromkeys(("value", "low", "high", "p_value"), "float64") | {"agrees": "boolean", "n": "Int64"}
    return pd.DataFrame(rows, columns=columns).astype(kinds)


def _vary_rows(variation: Variation, table: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    for name, options in dict(variation.without).items():
        if name in table:
            answers = table[name]
            texts = answers.map({True: "yes", False: "no"}) if answers.dtype == "boolean" else answers.astype("string")
            table = table[~texts.isin(options).fillna(False).astype(bool)]
    if variation.rule:
        asked = table[[name for name in variation.questions if name in table]].dropna()
        places = pd.DataFrame({name: _places(asked[name], instrument.question(name)) for name in asked}, asked.index)
        same = places.index[places.nunique(axis=1) == 1]
        table = table.drop(same)
    return table
