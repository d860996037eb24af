"""The declared plan: what it refuses, that it does what it says and nothing else, and what it can find."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.paths import DATA
from analysis.stats.intervals import compute_share
from analysis.stats.multiplicity import adjust
from analysis.stats.power import power_chi_square, power_mann_whitney, power_share
from analysis.stats.ranks import mann_whitney_test
from analysis.stats.reliability import compute_alpha
from analysis.survey.demo import build_demo
from analysis.survey.instrument import load_instrument
from analysis.survey.plan import build_plan, load_plan
from analysis.survey.plan_power import compute_detectable
from analysis.survey.plan_run import FINDING_COLUMNS, NOT_COMPUTABLE, NOT_SUPPORTED, SUPPORTED, run_plan
from analysis.survey.responses import Responses

PRACTITIONERS = load_instrument("practitioners")
PLAN = load_plan("survey/analysis_plan.yaml", PRACTITIONERS)
CONTENT = yaml.safe_load((DATA / "survey/analysis_plan.yaml").read_text(encoding="utf-8"))
QUICK = build_plan(CONTENT | {"draws": 199}, PRACTITIONERS)


@pytest.fixture(scope="module")
def demo():
    return build_demo(PRACTITIONERS, 84, 11, shift=1.0)[0]


@pytest.fixture(scope="module")
def found(demo):
    return run_plan(QUICK, demo, PRACTITIONERS)


def with_table(responses: Responses, table: pd.DataFrame) -> Responses:
    return Responses(responses.instrument, table, responses.counts, responses.source, origin=responses.origin)


def row(results, name):
    return results.findings.set_index("hypothesis").loc[name]


# ---- the file ----------------------------------------------------------------------------------------------------


def test_the_declared_plan_covers_what_the_survey_serves():
    """Every closed question is used, objectives RQ3 and RQ4 of the proposal are served, and every choice is made."""
    used = {name for one in PLAN.hypotheses for name in one.questions}
    assert used == {"Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8"}
    assert {family.research_question for family in PLAN.families} == {"RQ3", "RQ4"}
    assert all(one.basis and one.method and one.alternative for one in PLAN.hypotheses)
    assert PLAN.correction == "holm" and PLAN.minimum.k == 5 and not PLAN.amendments


def change(path, value):
    """The plan with one value changed: keys and places, None to remove."""

    def changed():
        content = copy.deepcopy(CONTENT)
        at = content
        for key in path[:-1]:
            at = at[key]
        if value is None:
            del at[path[-1]]
        else:
            at[path[-1]] = value
        return content

    return changed


H1, H5, H8, H10 = (("families", f, "hypotheses", h) for f, h in ((0, 0), (1, 0), (2, 0), (3, 0)))


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        (change(("level",), 1.5), "level", "between 0 and 1"),
        (change(("level",), "small"), "level", "a number"),
        (change(("correction",), "sidak"), "correction", "one of"),
        (change(("declared",), "yesterday"), "declared", "a day"),
        (change(("instrument",), "screening"), "instrument", "practitioners"),
        (change(("seed",), None), "", "'seed' is missing"),
        (change(("retest",), 1), "", "unknown key 'retest'"),
        (change(("draws",), 1), "draws", "at least 2"),
        (change(("families",), "all"), "families", "a list"),
        (change((*H1, "design"), "guess"), "H1.design", "one of"),
        (change((*H1, "outcome"), "Q88"), "H1", "no question 'Q88'"),
        (change((*H1, "outcome"), "Q9"), "H1", "text question"),
        (change((*H1, "values"), ["agreed"]), "H1.values", "no answer 'agreed'"),
        (change((*H1, "against"), 1.0), "H1.against", "between 0 and 1"),
        (change((*H1, "interval"), "wald"), "H1.interval", "wilson"),
        (change((*H1, "by"), "Q4"), "H1.by", "one question"),
        (change((*H1, "id"), "H2"), "H2", "declared 2 times"),
        (change((*H5, "by"), "Q2"), "H5.by", "no yes-or-no question"),
        (change((*H5, "method"), "t-test"), "H5.method", "one of"),
        (change((*H5, "outcome"), "Q5"), "H5", "have no order"),
        (change((*H5, "alternative"), "bigger"), "H5.alternative", "one of"),
        (change((*H8, "interval"), "wilson"), "H8.interval", "one of"),
        (change((*H10, "alternative"), "greater"), "H10.alternative", "two-sided"),
        (change(("scales", 0, "items"), ["Q6"]), "scales.favour", "two Likert items"),
        (change(("scales", 0, "items"), ["Q6", "Q4"]), "scales.favour", "two Likert items"),
        (change(("tables", 0), ["Q4", "Q4"]), "tables", "two different"),
        (change(("exclusions", 0, "rule"), "lazy"), "exclusions.no_views.rule", "none_answered"),
        (change(("sensitivity", 0, "method"), "exact"), "sensitivity.strict", "exactly one thing"),
        (change(("sensitivity", 0, "hypotheses"), ["H99"]), "sensitivity.strict.hypotheses", "no 'H99'"),
        (change(("sensitivity", 1, "method"), "exactly"), "sensitivity.resampled.method", "no test of"),
        (change(("sensitivity", 2, "without"), {"Q1": ["boss"]}), "sensitivity.known_roles.without", "no answers"),
        (change(("sensitivity", 3, "rule"), "fast"), "sensitivity.same_answer.rule", "same_place"),
    ],
)
def test_a_broken_plan_is_named(content, place, said):
    with pytest.raises(InputError) as caught:
        build_plan(content(), PRACTITIONERS)
    assert any(place in p.where and said in f"{p.what} {p.remedy}" for p in caught.value.problems), caught.value


def test_all_violations_are_listed_and_nonsense_is_refused(tmp_path):
    content = change((*H1, "outcome"), "Q88")()
    content["level"], content["tables"] = 2, [["Q4", "Q99"]]
    with pytest.raises(InputError) as caught:
        build_plan(content, PRACTITIONERS)
    assert len(caught.value.problems) >= 3
    for nonsense in (None, [], "plan", {}):
        with pytest.raises(InputError):
            build_plan(nonsense, PRACTITIONERS)
    with pytest.raises(InputError, match="cannot be read"):
        load_plan("none.yaml", PRACTITIONERS, tmp_path)
    (tmp_path / "torn.yaml").write_text("a: [", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        load_plan("torn.yaml", PRACTITIONERS, tmp_path)


# ---- carrying it out ---------------------------------------------------------------------------------------------


def test_every_hypothesis_has_its_row_with_an_interval(found):
    assert tuple(found.findings) == FINDING_COLUMNS
    assert list(found.findings["hypothesis"]) == [one.id for one in PLAN.hypotheses]
    assert (found.findings["n"] == 84).all()
    done = found.findings[found.findings["verdict"] != NOT_COMPUTABLE]
    assert len(done) >= 11
    assert ((done["low"] <= done["value"]) & (done["value"] <= done["high"])).all()
    assert (done["p_adjusted"] >= done["p_value"]).all()


def test_numbers_are_those_of_the_statistics(demo, found):
    agree = int(demo.table["Q8"].isin(["agree", "strongly_agree"]).sum())
    share = compute_share(agree, 84, 0.95, method="wilson")
    assert row(found, "H1")[["value", "low", "high"]].tolist() == pytest.approx([share.value, share.low, share.high])
    places = demo.table["Q8"].cat.codes.to_numpy()
    uses = demo.table["Q4"].astype(bool).to_numpy()
    test = mann_whitney_test(places[uses], places[~uses], "greater", 0.95, method="asymptotic")
    assert row(found, "H5")[["value", "p_value"]].tolist() == pytest.approx([test.effect.value, test.p_value])
    items = pd.DataFrame({name: demo.table[name].cat.codes for name in ("Q6", "Q7", "Q8")})
    alpha = compute_alpha(items, 0.95, method="feldt")
    first = found.reliability.iloc[0]
    assert (first["coefficient"], first["value"]) == ("alpha", pytest.approx(alpha.value))
    assert first["verdict"] == ("read as one scale" if alpha.value >= 0.7 else "items kept apart")


def test_correction_is_within_families(found):
    for family in PLAN.families:
        rows = found.findings[found.findings["family"] == family.title]
        plain = rows["p_value"].fillna(1.0).tolist()  # what cannot be computed stays in its family
        adjusted = np.where(rows["p_adjusted"].isna(), adjust(plain, method="holm"), rows["p_adjusted"])
        assert adjusted.tolist() == pytest.approx(list(adjust(plain, method="holm")))
    decided = found.findings[found.findings["verdict"] != NOT_COMPUTABLE]
    assert ((decided["p_adjusted"] <= PLAN.level) == (decided["verdict"] == SUPPORTED)).all()


def test_planted_effects_are_found_and_what_was_not_planted_is_not():
    """A large sample: what the demo plants (use of MLOps shifts the views) is supported; independence mostly is not."""
    responses, _ = build_demo(PRACTITIONERS, 400, 5, shift=1.0)
    results = run_plan(QUICK, responses, PRACTITIONERS)
    assert [row(results, name)["verdict"] for name in ("H5", "H6")] == [SUPPORTED, SUPPORTED]
    assert [row(results, name)["verdict"] for name in ("H8", "H9", "H12")] == [NOT_SUPPORTED] * 3


@settings(max_examples=5, deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_of_rows_and_repetition_change_nothing(demo, found, random):
    order = list(range(84))
    random.shuffle(order)
    again = run_plan(QUICK, with_table(demo, demo.table.iloc[order]), PRACTITIONERS)
    exact = found.findings["design"] != "association"  # its p is by Monte-Carlo, of a table that is the same
    pd.testing.assert_frame_equal(again.findings[exact], found.findings[exact])
    assert row(again, "H12")["p_value"] == row(found, "H12")["p_value"]
    pd.testing.assert_frame_equal(again.reliability, found.reliability)


def test_names_of_respondents_and_wordings_change_nothing(demo, found):
    table = demo.table.assign(respondent=[f"r{number}" for number in range(84)])
    content = yaml.safe_load((DATA / "survey/practitioners.yaml").read_text(encoding="utf-8"))
    for question in content["questions"]:
        question["wording"] = f"{question['wording']} (reworded)"
        for option in question.get("options", []):
            option["label"] = f"{option['label']} (reworded)"
    from analysis.survey.instrument import build_instrument

    again = run_plan(QUICK, with_table(demo, table), build_instrument(content))
    pd.testing.assert_frame_equal(again.findings, found.findings)


def test_reversing_all_scales_turns_the_effects_round(demo, found):
    """Reverse scoring: effects change sign, two-sided p stay; twice, and nothing has changed."""

    def reverse(table):
        turned = table.copy()
        for name in ("Q6", "Q7", "Q8"):
            codes = turned[name].cat.codes
            kind = turned[name].dtype
            turned[name] = pd.Categorical.from_codes(4 - codes, dtype=kind)
        return turned

    once = run_plan(QUICK, with_table(demo, reverse(demo.table)), PRACTITIONERS)
    for name in ("H5", "H6", "H7", "H9"):
        assert row(once, name)["value"] == pytest.approx(-row(found, name)["value"])
    for name in ("H7", "H9"):  # two-sided
        assert row(once, name)["p_value"] == pytest.approx(row(found, name)["p_value"])
    assert once.reliability["value"].tolist() == pytest.approx(found.reliability["value"].tolist())
    pd.testing.assert_frame_equal(
        run_plan(QUICK, with_table(demo, reverse(reverse(demo.table))), PRACTITIONERS).findings, found.findings
    )


def test_missing_answers_leave_out_the_hypotheses_respondents_alone(demo):
    table = demo.table.copy()
    table.loc[table.index[:10], "Q8"] = None
    results = run_plan(QUICK, with_table(demo, table), PRACTITIONERS)
    assert [row(results, name)["n"] for name in ("H1", "H2", "H5", "H8")] == [74, 84, 74, 84]


def test_those_without_any_view_are_excluded_and_counted(demo):
    table = demo.table.copy()
    table.loc[table.index[:3], ["Q6", "Q7", "Q8"]] = None
    results = run_plan(QUICK, with_table(demo, table), PRACTITIONERS)
    assert results.exclusions["rows"].tolist() == [84, 3, 81]


def test_too_few_and_too_small_groups_are_reasons_not_results(demo):
    few = run_plan(QUICK, with_table(demo, demo.table.head(29)), PRACTITIONERS)
    assert (few.findings["verdict"] == NOT_COMPUTABLE).all() and (few.findings["n"] <= 29).all()
    assert few.findings["reason"].str.contains("the plan asks for 30").all() and few.findings["value"].isna().all()
    uneven = demo.table.copy()
    uneven["Q4"] = pd.array([True] * 78 + [False] * 6, dtype="boolean")
    small = row(run_plan(QUICK, with_table(demo, uneven), PRACTITIONERS), "H5")
    assert small["verdict"] == NOT_COMPUTABLE and "too small" in small["reason"] and "6" not in small["reason"]
    alike = demo.table.assign(Q4=pd.array([True] * 84, dtype="boolean"))
    assert "everybody" in row(run_plan(QUICK, with_table(demo, alike), PRACTITIONERS), "H5")["reason"]
    gone = run_plan(QUICK, with_table(demo, demo.table.drop(columns="Q5")), PRACTITIONERS)
    assert row(gone, "H10")["reason"] == "Q5 not asked"


def test_everybody_alike_has_no_reliability_and_no_traceback(demo):
    table = demo.table.copy()
    for name in ("Q6", "Q7", "Q8"):
        table[name] = pd.Categorical([table[name].cat.categories[3]] * 84, dtype=table[name].dtype)
    results = run_plan(QUICK, with_table(demo, table), PRACTITIONERS)
    assert (results.reliability["verdict"] == NOT_COMPUTABLE).all()
    assert row(results, "H1")["value"] == 1.0 and row(results, "H1")["verdict"] == SUPPORTED


def test_variations_change_one_thing(demo, found):
    varied = found.sensitivity.set_index(["variation", "hypothesis"])
    strict = int((demo.table["Q8"] == "strongly_agree").sum())
    assert varied.loc[("strict", "H1"), "value"] == pytest.approx(strict / 84)
    others = int((demo.table["Q1"] == "other").sum())
    assert varied.loc[("known_roles", "H1"), "n"] == 84 - others
    places = demo.table[["Q6", "Q7", "Q8"]].apply(lambda column: column.cat.codes)
    assert varied.loc[("same_answer", "H2"), "n"] == 84 - int((places.nunique(axis=1) == 1).sum())
    assert varied.loc[("resampled", "H5"), "value"] == pytest.approx(row(found, "H5")["value"])
    resampled = varied.loc["resampled"]["p_value"].to_numpy(dtype=float)
    plain = found.findings.set_index("hypothesis").loc[varied.loc["resampled"].index, "p_value"].to_numpy(dtype=float)
    assert resampled == pytest.approx(plain, abs=0.12)  # 199 permutations: a standard error of at most 0.036


def test_another_questionnaire_is_refused(demo):
    screening = load_instrument("screening")
    with pytest.raises(InputError, match="plan is for 'practitioners'"):
        run_plan(QUICK, build_demo(screening, 40, 1)[0], screening)


# ---- what it could find ------------------------------------------------------------------------------------------


def test_detectable_effects_have_the_wanted_power():
    table = compute_detectable(PLAN, PRACTITIONERS, group_share=0.4).set_index("hypothesis")
    assert (table["n"] == 84).all()
    assert table.loc["H1", "level"] == pytest.approx(0.05 / 4) and table.loc["H8", "level"] == pytest.approx(0.05 / 2)
    share = table.loc["H1", "effect"]
    options = {"level": 0.0125, "sides": "one-sided"}
    assert power_share(share - 0.5, 84, null=0.5, method="normal", **options).power == pytest.approx(0.8, abs=1e-4)
    superiority = (1 + table.loc["H5", "effect"]) / 2
    reached = power_mann_whitney(superiority, 34, ratio=50 / 34, level=0.05 / 3, sides="one-sided")
    assert reached.power == pytest.approx(0.8, abs=1e-4)
    df = len(PRACTITIONERS.question("Q5").options) - 1
    assert power_chi_square(table.loc["H12", "effect"], 84, df=df, level=0.05 / 3).power == pytest.approx(0.8, abs=1e-4)
    more = compute_detectable(PLAN, PRACTITIONERS, n=400, group_share=0.4).set_index("hypothesis")
    assert (more["effect"] < table["effect"]).all()


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_groups_that_cannot_be_are_refused(share):
    with pytest.raises(InputError):
        compute_detectable(PLAN, PRACTITIONERS, group_share=share)
