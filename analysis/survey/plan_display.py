"""An analysis plan and what came of it, as tables and figures for the notebook and the thesis; no new numbers.

Made-up answers are labelled in every heading and title.
"""

from __future__ import annotations

import io
from textwrap import fill

import pandas as pd
from IPython.display import SVG
from matplotlib.figure import Figure

from analysis.base.estimates import Estimate, format_value
from analysis.plots.forest import draw_forest
from analysis.plots.intervals import draw_intervals
from analysis.plots.likert import draw_likert
from analysis.stats.intervals import compute_share
from analysis.survey.demo import Truth
from analysis.survey.disclosure import TOTAL, Protection, build_crosstab
from analysis.survey.display import interval_title
from analysis.survey.instrument import Instrument
from analysis.survey.plan import AnalysisPlan, Hypothesis, answers_of
from analysis.survey.plan_run import NOT_COMPUTABLE
from analysis.survey.study import Study

TESTS = {
    "share": "binomial test",
    "groups": "Mann–Whitney test",
    "trend": "Kendall's test",
    "paired": "Wilcoxon signed-rank test",
    "fit": "goodness of fit",
    "association": "test of independence",
}
_SUPPRESSED = "×"


def build_plan_table(plan: AnalysisPlan, study: Study, detectable: pd.DataFrame) -> pd.DataFrame:
    """Every hypothesis: No., Hypothesis, Test and effect, Detectable effect, Result (or why there is none)."""
    effects = dict(zip(detectable["hypothesis"], detectable["effect"], strict=True))
    rows = []
    for row in study.results.findings.to_dict("records"):
        one = plan.hypothesis(row["hypothesis"])
        sides = "" if one.alternative == "two-sided" else ", one-sided"
        rows.append(
            {
                "No.": one.id,
                "Hypothesis": f"{one.statement} ({row['questions']})",
                "Test; effect": f"{TESTS[one.design]}{sides}; {row['effect']}",
                "Detectable": _effect_text(effects[one.id], one.design),
                "Result": _result_text(row),
            }
        )
    return pd.DataFrame(rows)


def build_finding_table(study: Study) -> pd.DataFrame | None:
    """What the tests gave: a row a hypothesis; None without rows."""
    if study.protection is None:
        return None
    found = study.results.findings
    table = pd.DataFrame(
        {
            "No.": found["hypothesis"],
            "Effect": found["effect"],
            "n": found["n"],
            "Value": [_effect_text(v, d) for v, d in zip(found["value"], found["design"], strict=True)],
            "Interval": [_interval_text(row) for row in found.to_dict("records")],
            "p": [_p_text(p) for p in found["p_value"]],
            "p, adjusted": [_p_text(p) for p in found["p_adjusted"]],
            "Verdict": [f"{v}{f': {r}' if r else ''}" for v, r in zip(found["verdict"], found["reason"], strict=True)],
            "Method": found["method"],
        }
    )
    return _labelled(table, study)


def build_sensitivity_table(study: Study) -> pd.DataFrame | None:
    """What changes where one thing is done otherwise; None without rows."""
    if study.protection is None:
        return None
    varied = study.results.sensitivity
    designs = dict(zip(study.results.findings["hypothesis"], study.results.findings["design"], strict=True))
    kinds = [designs[name] for name in varied["hypothesis"]]
    table = pd.DataFrame(
        {
            "Variation": varied["what"],
            "No.": varied["hypothesis"],
            "n": varied["n"],
            "Value": [_effect_text(v, d) for v, d in zip(varied["value"], kinds, strict=True)],
            "p": [_p_text(p) for p in varied["p_value"]],
            "Same side of the level (unadjusted)": varied["agrees"].map({True: "yes", False: "no"}).fillna("–"),
            "Why not": varied["reason"].fillna(""),
        }
    )
    return _labelled(table, study)


def build_reliability_table(study: Study) -> pd.DataFrame | None:
    """Alpha and omega of the declared scales; None without rows."""
    if study.protection is None:
        return None
    found = study.results.reliability
    table = pd.DataFrame(
        {
            "Scale": found["scale"],
            "Coefficient": found["coefficient"],
            "n": found["n"],
            "Value": ["–" if pd.isna(v) else f"{v:.2f}" for v in found["value"]],
            "Interval": [_interval_text({**row, "design": ""}) for row in found.to_dict("records")],
            "Verdict": found["verdict"],
            "Method": found["method"],
        }
    )
    return _labelled(table, study)


def build_truth_table(study: Study, plan: AnalysisPlan, instrument: Instrument) -> pd.DataFrame | None:
    """What made-up answers were drawn from beside what the tests found; None where nobody knows the truth."""
    if study.truth is None:
        return None
    found = study.results.findings
    truth = [find_truth(study.truth, plan.hypothesis(name), instrument) for name in found["hypothesis"]]
    table = pd.DataFrame(
        {
            "No.": found["hypothesis"],
            "Effect": found["effect"],
            "Truth": [_effect_text(value, d) for value, d in zip(truth, found["design"], strict=True)],
            "Found": [_effect_text(v, d) for v, d in zip(found["value"], found["design"], strict=True)],
            "Interval": [_interval_text(row) for row in found.to_dict("records")],
        }
    )
    return _labelled(table, study)


def find_truth(truth: Truth, one: Hypothesis, instrument: Instrument) -> float:
    """The effect that made-up answers were drawn with; missing where it is none of the planted kinds.

    Shares are those of the population, Cliff's delta that of a Likert question between the sides of the shifter.
    Questions that were drawn independently of each other have no association.
    """
    likert = {name for name in one.questions if name in truth.loadings}
    if one.design == "share":
        options = answers_of(instrument.question(one.outcome))
        chances = truth.probabilities(one.outcome) if likert else truth.shares[one.outcome]
        return float(sum(chances[options.index(value)] for value in one.values))
    if one.design == "groups" and likert and one.by == truth.shifter:
        return 2 * truth.superiority(one.outcome) - 1
    if one.design in ("trend", "association") and not (likert and truth.shifter in one.questions) and len(likert) < 2:
        return 0.0
    return float("nan")


def build_account(study: Study) -> pd.DataFrame | None:
    """Rows in the file, left out at each step, kept, and analysed; None without rows."""
    if study.counts is None:
        return None
    steps = study.counts.rename(columns={"step": "rule"})
    return _labelled(pd.concat([steps, study.results.exclusions.iloc[1:]], ignore_index=True), study)


def build_shown_table(study: Study, rows: str, columns: str, instrument: Instrument) -> pd.DataFrame | None:
    """One cross table of the plan, protected; a suppressed count is a cross. None without rows."""
    if study.protection is None or (rows, columns) not in study.protection.tables:
        return None
    table = build_crosstab(study.protection, (rows, columns), _SUPPRESSED)
    names = {name: _labels(instrument, name) for name in (rows, columns)}
    table = table.rename(index=names[rows], columns=names[columns])
    heading = f"{columns} ({study.label})" if study.label else columns
    return table.rename_axis(index=f"{rows}: {instrument.question(rows).construct}", columns=heading)


def show_figure(figure: Figure | None) -> SVG | None:
    """A figure as the notebook shows it without storing it: text, so that it can be searched for what must not show."""
    if figure is None:
        return None
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return SVG(buffer.getvalue())


def draw_effects(study: Study, plan: AnalysisPlan) -> Figure | None:
    """Effects of all hypotheses but those about a share, with their intervals; None where there are none."""
    found = study.results.findings
    rows = found[(found["design"] != "share") & (found["verdict"] != NOT_COMPUTABLE)]
    if rows.empty:
        return None
    drawn = pd.DataFrame(
        {
            "group": rows["family"],
            "label": rows["hypothesis"] + ": " + rows["questions"] + ", " + rows["effect"],
            "value": rows["value"],
            "low": rows["low"],
            "high": rows["high"],
            "text": [f"{row['value']:.2f} ({_interval_text(row)})" for row in rows.to_dict("records")],
            "n": rows["n"],
        }
    ).reset_index(drop=True)
    return draw_forest(drawn, axis_title=_title("Effect", plan, study), limits=(-1.0, 1.0), text_title="Effect")


def draw_shares(study: Study, plan: AnalysisPlan, instrument: Instrument) -> Figure | None:
    """Shares that hypotheses are about, with their intervals and one half; None where there are none."""
    found = study.results.findings
    rows = found[(found["design"] == "share") & (found["verdict"] != NOT_COMPUTABLE)]
    if rows.empty:
        return None
    drawn = pd.DataFrame(
        {
            "group": rows["family"],
            "label": [_share_label(plan, instrument, name) for name in rows["hypothesis"]],
            "value": rows["value"],
            "low": rows["low"],
            "high": rows["high"],
            "text": [f"{100 * row['value']:.1f}% ({_interval_text(row)})" for row in rows.to_dict("records")],
        }
    )
    return draw_intervals(drawn, axis_title=_title("Share of respondents", plan, study), reference=0.5)


def draw_views(study: Study, plan: AnalysisPlan, instrument: Instrument) -> Figure | None:
    """Answers to the scale's questions as diverging bars; only questions whose counts may all be shown."""
    if study.protection is None:
        return None
    shown = [name for name in plan.scales[0].items if _all_shown(study.protection, name)]
    if not shown:
        return None
    segments, beside = [], []
    for name in shown:
        question = instrument.question(name)
        counts = study.protection.tables[(name,)].set_index(name)["count"]
        n = int(counts[list(question.option_ids)].sum())
        item = fill(f"{name}: {question.construct}", 16)
        places = enumerate(question.option_ids, start=1)
        segments += [(item, place, place, int(counts[option]), n) for place, option in places]
        top = int(counts[list(question.option_ids[-2:])].sum())
        share = compute_share(top, n, plan.confidence, method="wilson")
        beside.append((item, share.value, share.low, share.high, f"{share.text()} ({share.interval_text()})"))
    labels = (_labels(instrument, name).values() for name in shown)
    scale = [", ".join(dict.fromkeys(names)) for names in zip(*labels, strict=True)]
    return draw_likert(
        pd.DataFrame(segments, columns=["item", "first", "last", "count", "n"]),
        pd.DataFrame(beside, columns=["item", "share", "low", "high", "text"]),
        scale,
        beside_title=fill(_title("Two highest answers", plan, study), 26),
    )


def _share_label(plan: AnalysisPlan, instrument: Instrument, name: str) -> str:
    one = plan.hypothesis(name)
    labels = _labels(instrument, one.outcome)
    few = len(one.values) < 3
    answers = " or ".join(labels[value].lower() for value in one.values) if few else f"{len(one.values)} answers"
    return f"{name}: {one.outcome}, {answers}"


def _labels(instrument: Instrument, name: str) -> dict[str, str]:
    question = instrument.question(name)
    return {"no": "No", "yes": "Yes"} if question.kind == "yes_no" else {o.id: o.label for o in question.options}


def _all_shown(protection: Protection, name: str) -> bool:
    table = protection.tables.get((name,))
    return table is not None and bool(table.loc[table[name] != TOTAL, "count"].notna().all())


def _labelled(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    return table.rename(columns={table.columns[0]: f"{table.columns[0]} ({study.label})"}) if study.label else table


def _title(what: str, plan: AnalysisPlan, study: Study) -> str:
    title = interval_title(what, plan.confidence)
    return f"{title} ({study.label})" if study.label else title


def _effect_text(value: float, design: str) -> str:
    if pd.isna(value):
        return "–"
    return format_value(value, "share") if design == "share" else f"{value:.2f}"


def _interval_text(row: dict) -> str:
    if pd.isna(row["low"]):
        return "–"
    unit, digits = ("share", 1) if row["design"] == "share" else ("", 2)
    return Estimate(row["value"], row["low"], row["high"], unit=unit).interval_text(digits)


def _p_text(p: float) -> str:
    if pd.isna(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _result_text(row: dict) -> str:
    if row["verdict"] == NOT_COMPUTABLE:
        return f"{row['reason'][0].upper()}{row['reason'][1:]}."
    effect = f"{_effect_text(row['value'], row['design'])} ({_interval_text(row)})"
    return f"{effect}, adjusted p {_p_text(row['p_adjusted'])}, n = {row['n']}: {row['verdict']}"
