"""Results of the coding as rows of figures and as printed tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.literature.agreement import MEASURES

LEVEL_NAMES = {1: "themes", 2: "second level", 3: "codes"}

ROLE_NAMES = {
    "data": "Data",
    "software": "Software",
    "product": "Product",
    "management": "Management",
    "research": "Research",
    "mixed": "Mixed group",
    "other": "Other",
}


def build_frequency_rows(
    table: pd.DataFrame, *, groups: Mapping[str, str] | None = None, fewest: int = 1, most: int | None = None
) -> pd.DataFrame:
    """Frequencies as rows of `analysis.plots.intervals.draw_intervals`, the most frequent first in each group.

    Parameters
    ----------
    table : DataFrame
        `compute_segment_frequencies`, `compute_participant_frequencies` or `compute_coding_chart`.
    groups : mapping of str to str, optional
        Group → heading, in order; groups not named are left out. By default every group as it is called.
    fewest : int
        Codes with a lower count are left out.
    most : int, optional
        At most this many codes a group.

    Returns
    -------
    DataFrame
        ``group``, ``label``, ``value``, ``low``, ``high``, ``text``, ``hollow``. A share without an interval has an
        open dot, no whisker, and says so.

    Raises
    ------
    InputError
        An unknown group, or nothing left to draw.
    """
    table = table if "group" in table.columns else table.assign(group="all")
    shown = groups if groups is not None else {group: group for group in dict.fromkeys(table["group"])}
    unknown = [group for group in shown if group not in set(table["group"])]
    if unknown:
        raise InputError(
            "There are no such groups.", [Problem("groups", f"'{group}'", "check it") for group in unknown]
        )
    rows = []
    for group, heading in shown.items():
        members = table[(table["group"] == group) & (table["count"] >= fewest)]
        members = members.sort_values("share", ascending=False, kind="stable").head(most or len(members))
        for row in members.itertuples():
            bare = pd.isna(row.low)
            text = f"{100 * row.share:.0f}% ({row.count} of {row.n})" + (", no interval" if bare else "")
            bounds = (row.share, row.share) if bare else (row.low, row.high)
            rows.append((heading, row.name, row.share, *bounds, text, bare))
    if not rows:
        raise InputError("There is nothing to draw.", [Problem("fewest", f"no count of {fewest}", "lower it")])
    return pd.DataFrame(rows, columns=["group", "label", "value", "low", "high", "text", "hollow"])


def build_group_cells(
    table: pd.DataFrame, *, groups: Mapping[str, str] | None = None, fewest: int = 1
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Frequencies by group as cells of `analysis.plots.heat.draw_heat_map`: codes down, groups across.

    Parameters
    ----------
    table : DataFrame
        `compute_segment_frequencies` or `compute_participant_frequencies` with several groups.
    groups : mapping of str to str, optional
        Group → words, in order; by default every group as it is called.
    fewest : int
        Codes whose counts sum to less over the groups are left out.

    Returns
    -------
    (cells, rows, columns)
        The number in a cell is the count, the shade the share; the n of each group stands below its name.

    Raises
    ------
    InputError
        An unknown group, or no code left.
    """
    shown = groups if groups is not None else {group: group for group in dict.fromkeys(table["group"])}
    unknown = [group for group in shown if group not in set(table["group"])]
    if unknown:
        raise InputError(
            "There are no such groups.", [Problem("groups", f"'{group}'", "check it") for group in unknown]
        )
    chosen = table[table["group"].isin(list(shown))]
    totals = chosen.groupby("code", sort=False)["count"].sum()
    chosen = chosen[chosen["code"].map(totals) >= fewest]
    if chosen.empty:
        raise InputError("There is nothing to draw.", [Problem("fewest", f"no sum of {fewest}", "lower it")])
    cells = pd.DataFrame(
        {
            "row": chosen["code"].to_numpy(),
            "column": chosen["group"].to_numpy(),
            "value": chosen["share"].to_numpy(dtype=float),
            "text": chosen["count"].map(lambda count: str(count) if count else "").to_numpy(),
        }
    )
    sizes = chosen.groupby("group", sort=False)["n"].first()
    rows = dict(zip(chosen["code"], chosen["name"], strict=True))
    return cells, rows, {group: f"{words}\n(n = {sizes[group]})" for group, words in shown.items()}


def build_frequency_table(table: pd.DataFrame, *, fewest: int = 1) -> pd.DataFrame:
    """Frequencies as a printed table: ``Group`` (where there are several), ``Code``, ``Count``, ``n``, ``Share``,
    ``Interval``; codes with lower counts than ``fewest`` are left out.
    """
    chosen = table[table["count"] >= fewest]
    printed = pd.DataFrame(
        {
            "Code": chosen["name"],
            "Count": chosen["count"],
            "n": chosen["n"],
            "Share": chosen["share"].map(lambda share: f"{100 * share:.1f}%"),
            "Interval": [
                _interval(low, high, 100, "%") for low, high in zip(chosen["low"], chosen["high"], strict=True)
            ],
        }
    )
    if "group" in chosen.columns and chosen["group"].nunique() > 1:
        printed.insert(0, "Group", chosen["group"])
    return printed.reset_index(drop=True)


def build_pair_table(pairs: pd.DataFrame, *, rows: int) -> pd.DataFrame:
    """The pairs of codes that meet most often, as a printed table."""
    chosen = pairs.head(rows)
    return pd.DataFrame(
        {
            "Pair": chosen["first_name"] + " + " + chosen["second_name"],
            "Together": chosen["count"],
            "By chance": chosen["expected"].map("{:.1f}".format),
            "Jaccard": [
                f"{value:.2f} {_interval(low, high, 1, '', 2, True)}".strip()
                for value, low, high in chosen[["jaccard", "jaccard_low", "jaccard_high"]].itertuples(index=False)
            ],
            "Lift": [
                f"{value:.1f} {_interval(low, high, 1, '', 1, True)}".strip()
                for value, low, high in chosen[["lift", "lift_low", "lift_high"]].itertuples(index=False)
            ],
        }
    ).reset_index(drop=True)


def build_accumulation_curve(saturation: pd.DataFrame) -> pd.DataFrame:
    """`compute_saturation` in the columns of `analysis.plots.accumulation.draw_accumulation`."""
    names = {"interviews": "samples", "codes": "seen", "codes_low": "seen_low", "codes_high": "seen_high"}
    return saturation.rename(columns=names)


def build_agreement_table(by_level: Mapping[int, Mapping[str, Estimate]]) -> pd.DataFrame:
    """Overall agreement as a printed table: a row a measure, a column a level with estimate and interval.

    Parameters
    ----------
    by_level : mapping of int to mapping
        Level → `compute_overall_agreement`.
    """
    columns = {}
    for level, found in by_level.items():
        columns[LEVEL_NAMES[level].capitalize()] = [_estimate_text(found.get(measure)) for measure in MEASURES]
    return pd.DataFrame({"Measure": list(MEASURES.values()), **columns})


def build_agreement_rows(by_level: Mapping[int, Mapping[str, Estimate]], measures: Sequence[str]) -> pd.DataFrame:
    """Overall agreement as rows of `draw_intervals`: a group a measure, a row a level.

    Raises
    ------
    InputError
        An unknown measure.
    """
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown:
        raise InputError(
            "There are no such measures.", [Problem("measures", f"'{name}'", "check it") for name in unknown]
        )
    rows = []
    for measure in measures:
        for level, found in by_level.items():
            estimate = found.get(measure)
            if estimate is None:
                continue
            bare = estimate.low is None or estimate.high is None
            low, high = (estimate.value, estimate.value) if bare else (estimate.low, estimate.high)
            rows.append(
                (MEASURES[measure], LEVEL_NAMES[level], estimate.value, low, high, _estimate_text(estimate), bare)
            )  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "label", "value", "low", "high", "text", "hollow"])


def build_code_agreement_table(table: pd.DataFrame) -> pd.DataFrame:
    """Agreement about single codes as a printed table; codes without coefficients are left out.

    Parameters
    ----------
    table : DataFrame
        `compute_code_agreement`.
    """
    chosen = table[table["alpha"].notna()].sort_values("alpha", kind="stable")
    printed = pd.DataFrame({"Code": chosen["name"], "First": chosen["first"], "Second": chosen["second"]})
    printed["Both"] = chosen["both"]
    for measure, words in (("alpha", "Alpha"), ("cohen", "Cohen's kappa"), ("ac1", "AC1")):
        bounds = chosen[[measure, f"{measure}_low", f"{measure}_high"]].itertuples(index=False)
        printed[words] = [f"{value:.2f} {_interval(low, high, 1, '', 2, True)}".strip() for value, low, high in bounds]
    return printed.reset_index(drop=True)


def build_disagreement_table(disagreements: pd.DataFrame, *, rows: int) -> pd.DataFrame:
    """The segments to talk about first, as a printed table; what both passes gave only where they gave something."""
    chosen = disagreements.head(rows)
    printed = pd.DataFrame(
        {
            "Segment": chosen["segment"] + ", " + chosen["locator"],
            "What it says": chosen["paraphrase"],
            "Both": chosen["both"],
            "First pass only": chosen["only_first"],
            "Second pass only": chosen["only_second"],
        }
    ).reset_index(drop=True)
    return printed if (printed["Both"] != "").any() else printed.drop(columns="Both")


def _estimate_text(estimate: Estimate | None) -> str:
    if estimate is None:
        return "undefined"
    digits = 1 if estimate.unit == "share" else 2
    interval = estimate.interval_text(digits)
    return f"{estimate.text(digits)} ({interval})" if interval else estimate.text(digits)


def _interval(low: float, high: float, factor: float, unit: str, digits: int = 1, brackets: bool = False) -> str:
    if pd.isna(low) or pd.isna(high):
        return "" if brackets else "none"
    bounds = [f"{factor * bound:z.{digits}f}" for bound in (low, high)]
    text = (" to " if bounds[0].startswith("-") else "–").join(bounds) + unit
    return f"({text})" if brackets else text
