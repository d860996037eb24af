"""Arms compared by their metrics: on the same seeds, in pairs, with what the data cannot say.

The paired comparison is the main one: Hodges and Lehmann's shift and ratio with intervals of the signed-rank test, and
Fisher's sign-flip test for the outcomes and contrasts declared in ``data/kpi/primary.yaml``, corrected together by
Holm's rule. A mixed model (value ~ arm + (1 | seed), all arms at once) is a sensitivity analysis and is never tested
on; where it did not converge, or could not be fitted, the row says so.

A metric that has no value in an arm-run (nothing was deployed; nobody noticed) takes its pair out of the comparison.
That is counted and named, since it is rarely by chance: an arm in which nothing recovers has no recovery time.

References
----------
Hodges JL, Lehmann EL (1963) Estimates of location based on rank tests. Ann. Math. Stat. 34, 598–611.
Holm S (1979) A simple sequentially rejective multiple test procedure. Scand. J. Stat. 6, 65–70.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate, format_value
from analysis.base.paths import DATA, relative
from analysis.stats.mixed import compare_mixed
from analysis.stats.paired import hodges_lehmann_paired, holm, sign_flip_test

PRIMARY_FILE = DATA / "kpi" / "primary.yaml"

COLUMNS = (
    "metric",
    "unit",
    "first",
    "second",
    "primary",
    "pairs",
    "left_out",
    "shift",
    "shift_low",
    "shift_high",
    "shift_unit",
    "shift_method",
    "ratio",
    "ratio_low",
    "ratio_high",
    "ratio_pairs",
    "ratio_method",
    "p_value",
    "smallest_p",
    "p_holm",
    "mixed",
    "mixed_low",
    "mixed_high",
    "mixed_converged",
    "mixed_note",
    "confidence",
    "note",
)
"""Columns of `compare_kpis`."""


@dataclass(frozen=True, slots=True)
class Primary:
    """What was declared beforehand.

    Attributes
    ----------
    declared : date
    metrics : mapping of str to str
        Key of each primary outcome → why it is one.
    contrasts : tuple of (str, str)
        First arm against second.
    """

    declared: date
    metrics: Mapping[str, str]
    contrasts: tuple[tuple[str, str], ...]

    @property
    def tests(self) -> int:
        return len(self.metrics) * len(self.contrasts)


def load_primary(path: Path = PRIMARY_FILE) -> Primary:
    """Read the declaration of primary outcomes.

    Raises
    ------
    InputError
        A file that is missing, is no YAML, or lacks a date, an outcome, a reason or a contrast; all listed.
    """
    where = relative(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{where} cannot be read.", [Problem(where, str(error), "restore it")]) from None
    content = content if isinstance(content, dict) else {}
    problems = []
    if not isinstance(content.get("declared"), date):
        problems.append(Problem(f"{where}, declared", f"got {content.get('declared')!r}", "a date such as 2026-11-21"))
    outcomes, contrasts = content.get("outcomes") or [], content.get("contrasts") or []
    if not outcomes or not contrasts:
        problems.append(Problem(where, "no outcomes or no contrasts", "at least one of each"))
    for number, item in enumerate(outcomes, start=1):
        if not (isinstance(item, dict) and item.get("metric") and item.get("why")):
            problems.append(Problem(f"{where}, outcome {number}", f"got {item!r}", "metric and why"))
    for number, item in enumerate(contrasts, start=1):
        if not (isinstance(item, list) and len(item) == 2 and item[0] != item[1]):
            problems.append(Problem(f"{where}, contrast {number}", f"got {item!r}", "two different arms"))
    if problems:
        raise InputError(f"{where} declares no comparison.", problems)
    metrics = {str(item["metric"]): str(item["why"]) for item in outcomes}
    return Primary(content["declared"], metrics, tuple((str(a), str(b)) for a, b in contrasts))


def compare_kpis(
    table: pd.DataFrame,
    primary: Primary | None = None,
    *,
    contrasts: Sequence[tuple[str, str]] = (),
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
) -> pd.DataFrame:
    """Every metric in every contrast, over the seeds on which both arms have a value.

    Parameters
    ----------
    table : DataFrame
        ``arm``, ``seed``, ``metric``, ``value`` (missing where an arm-run has none), ``unit``: tables of metrics, one
        an arm-run, put together.
    primary : Primary, optional
        Outcomes to test; by default none are.
    contrasts : sequence of (str, str), optional
        Further ones, or those to describe where nothing was declared.
    confidence : float
        Of every interval on its own.
    rng : numpy Generator, optional
        For sign-flip tests of more pairs than can be counted out; seeded with 1 by default.

    Returns
    -------
    DataFrame
        One row a metric and contrast with the columns of `COLUMNS`, metrics in the order of the table. ``shift`` is
        first minus second (shares: in percentage points), ``ratio`` first over second, by the shift of logarithms over
        the ``ratio_pairs`` pairs in which both are positive. Values are missing where there is no pair, bounds where
        there are too few for any interval, ``p_value``, ``p_holm`` and ``smallest_p`` for what is not primary.
        ``attrs["confidence"]`` and, where declared, ``attrs["declared"]``.

    Raises
    ------
    InputError
        Columns or arms that are missing, an arm-run with a metric twice, a primary metric that the table lacks, no
        contrast; all listed.
    """
    declared = primary.contrasts if primary else ()
    wanted = tuple(dict.fromkeys([*declared, *contrasts]))
    _check(table, primary, wanted)
    generator = rng or np.random.default_rng(1)
    rows = []
    for metric, part in table.groupby("metric", sort=False):
        unit = str(part["unit"].iloc[0])
        factor, shift_unit = (100.0, "percentage points") if unit == "share" else (1.0, unit)
        wide = part.pivot(index="seed", columns="arm", values="value").sort_index().astype(float)
        model = compare_mixed(
            pd.DataFrame({"treatment": part["arm"], "block": part["seed"], "value": factor * part["value"]}),
            wanted,
            confidence,
        )
        for (first, second), mixed in zip(wanted, model.to_dict("records"), strict=True):
            tested = primary is not None and metric in primary.metrics and (first, second) in declared
            row = dict.fromkeys(COLUMNS, np.nan) | {
                "metric": metric,
                "unit": unit,
                "first": first,
                "second": second,
                "primary": tested,
                "shift_unit": shift_unit,
                "mixed": mixed["value"],
                "mixed_low": mixed["low"],
                "mixed_high": mixed["high"],
                "mixed_converged": bool(mixed["converged"]),
                "mixed_note": mixed["note"],
                "confidence": confidence,
            }
            rows.append(row | _compare_pairs(wide, first, second, factor, shift_unit, confidence, tested, generator))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    known = frame["p_value"].notna()
    if known.any():
        # A primary comparison without a single pair stays a test that was declared: its p-value is 1.
        asked = frame["primary"].astype(bool)
        frame.loc[asked, "p_holm"] = holm(frame.loc[asked, "p_value"].fillna(1.0).tolist())
        frame.loc[asked & ~known, "p_holm"] = np.nan
    frame.attrs["confidence"] = confidence
    if primary:
        frame.attrs["declared"] = primary.declared
    return frame


def build_forest_rows(
    comparisons: pd.DataFrame, names: Mapping[str, str], *, what: str = "ratio", digits: int = 2
) -> pd.DataFrame:
    """Rows for `analysis.plots.forest.draw_forest` from a comparison: a group a metric, a row a contrast.

    Parameters
    ----------
    comparisons : DataFrame
        From `compare_kpis`.
    names : mapping of str to str
        Metric → name as printed; metrics without one are left out.
    what : {"ratio", "shift", "mixed"}
    digits : int
        Decimals of the printed estimates.

    Returns
    -------
    DataFrame
        ``group``, ``label``, ``value``, ``low``, ``high``, ``text``, ``n``, ``hollow`` (not tested).
    """
    rows = []
    for row in comparisons[comparisons["metric"].isin(list(names))].to_dict("records"):
        n = row["ratio_pairs"] if what == "ratio" else row["pairs"]
        value, low, high = row[what], row[f"{what}_low"], row[f"{what}_high"]
        text = "none" if np.isnan(value) else format_value(value, "", digits)
        if not np.isnan(low):
            text += " (" + Estimate(value, low, high).interval_text(digits) + ")"
        link = " / " if what == "ratio" else " − "
        rows.append(
            {
                "group": names[row["metric"]],
                "label": f"{row['first']}{link}{row['second']}",
                "value": value,
                "low": low,
                "high": high,
                "text": text,
                "n": 0 if np.isnan(n) else int(n),
                "hollow": not row["primary"],
            }
        )
    columns = ["group", "label", "value", "low", "high", "text", "n", "hollow"]
    frame = pd.DataFrame(rows, columns=columns)
    order = {name: place for place, name in enumerate(dict.fromkeys(names.values()))}
    return frame.sort_values("group", key=lambda column: column.map(order), kind="stable", ignore_index=True)


def _compare_pairs(
    wide: pd.DataFrame,
    first: str,
    second: str,
    factor: float,
    unit: str,
    confidence: float,
    tested: bool,
    rng: np.random.Generator,
) -> dict[str, object]:
    arms = [wide[name] if name in wide.columns else pd.Series(np.nan, wide.index) for name in (first, second)]
    both = pd.concat(arms, axis=1, keys=["x", "y"])
    finite = np.isfinite(both["x"]) & np.isfinite(both["y"])
    pairs = both[finite]
    gone = {name: int((~np.isfinite(both[key])).sum()) for name, key in ((first, "x"), (second, "y"))}
    notes = [f"no value in {name} on {count} of {len(both)} seeds" for name, count in gone.items() if count]
    found: dict[str, object] = {"pairs": len(pairs), "left_out": len(both) - len(pairs), "ratio_pairs": 0}
    if len(pairs):
        x, y = pairs["x"].to_numpy(), pairs["y"].to_numpy()
        found |= _parts("shift", hodges_lehmann_paired(factor * x, factor * y, confidence, unit=unit))
        positive = (x > 0) & (y > 0)
        found["ratio_pairs"] = int(positive.sum())
        if not positive.all():
            notes.append(f"ratio without {int((~positive).sum())} pairs that hold a zero or less")
        if positive.any():
            logs = hodges_lehmann_paired(np.log(x[positive]), np.log(y[positive]), confidence)
            method = logs.method.replace("shift", "shift of logarithms, as a ratio,", 1)
            bounds = [None if bound is None else float(np.exp(bound)) for bound in (logs.low, logs.high)]
            found |= _parts("ratio", Estimate(float(np.exp(logs.value)), *bounds, logs.confidence, logs.n, method))
        if tested:
            test = sign_flip_test(factor * (x - y), "two-sided", rng=rng)
            found |= {"p_value": test.p_value, "smallest_p": test.smallest_p}
    else:
        notes.append("nothing to compare")
    return found | {"note": "; ".join(notes)}


def _parts(name: str, estimate: Estimate) -> dict[str, object]:
    return {
        name: estimate.value,
        f"{name}_low": np.nan if estimate.low is None else estimate.low,
        f"{name}_high": np.nan if estimate.high is None else estimate.high,
        f"{name}_method": estimate.method,
    }


def _check(table: pd.DataFrame, primary: Primary | None, contrasts: Sequence[tuple[str, str]]) -> None:
    problems = [
        Problem("table", f"no column '{name}'", "arm, seed, metric, value, unit")
        for name in ("arm", "seed", "metric", "value", "unit")
        if name not in table.columns
    ]
    if not contrasts:
        problems.append(Problem("contrasts", "none", "declare some, or pass some"))
    if not problems:
        arms = set(table["arm"])
        problems += [
            Problem("contrasts", f"no arm '{arm}'", f"the table has: {', '.join(sorted(map(str, arms))) or 'none'}")
            for arm in dict.fromkeys(arm for contrast in contrasts for arm in contrast)
            if arm not in arms
        ]
        problems += [
            Problem("table", f"{row.arm}, seed {row.seed} has {row.metric} twice", "one value an arm-run and metric")
            for row in table[table.duplicated(["arm", "seed", "metric"])].itertuples()
        ]
        problems += [
            Problem("table", f"no metric '{metric}', which was declared primary", "compute it for every arm-run")
            for metric in (primary.metrics if primary else ())
            if metric not in set(table["metric"])
        ]
    if problems:
        raise InputError("These arms cannot be compared.", problems)
