"""How the form grew over its versions: questions kept, asked of other roles, added and dropped, by part."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.base.errors import InputError, Problem
from analysis.plots import theme
from analysis.requirements.form import STAGE_NAMES, Form, compute_form_differences

STATE_NAMES = {
    "kept": "as before (or first version)",
    "roles_changed": "asked of other roles",
    "added": "added",
    "dropped": "dropped (below the line)",
}
"""What a version does with a question, from the bottom of a bar to its top, and as printed."""

_STYLES = {
    "kept": {"color": theme.PALETTE["tertiary"]},
    "roles_changed": {"color": theme.PALETTE["white"], "hatch": "////"},
    "added": {"color": theme.PALETTE["primary"]},
    "dropped": {"color": theme.PALETTE["secondary"]},
}
_HEIGHT_IN = 2.5


def compute_evolution(form: Form) -> pd.DataFrame:
    """What every version did with the questions of every part.

    Parameters
    ----------
    form : Form

    Returns
    -------
    DataFrame
        One row a part and version: ``stage``, ``version``, ``kept`` (asked of the same roles as before; all questions
        of the first version), ``roles_changed``, ``added``, ``dropped`` (not asked any more), ``asked`` (the sum of the
        first three). Wordings are not compared.
    """
    stage_of = form.questions.set_index("question")["stage"]
    rows = []
    for version in form.versions["version"].astype(int):
        asked = form.asked_in(version)["stage"].value_counts()
        counts = pd.DataFrame(0, index=list(STAGE_NAMES), columns=["added", "deleted", "roles_changed"])
        if version > form.versions["version"].min():
            changes = compute_form_differences(form, version)
            found = pd.crosstab(changes["question"].map(stage_of), changes["kind"])
            counts = found.reindex(index=counts.index, columns=counts.columns, fill_value=0)
        for stage in STAGE_NAMES:
            added, dropped, changed = (int(counts.at[stage, kind]) for kind in ("added", "deleted", "roles_changed"))
            total = int(asked.get(stage, 0))
            rows.append((stage, version, total - added - changed, changed, added, dropped, total))
    return pd.DataFrame(rows, columns=["stage", "version", "kept", "roles_changed", "added", "dropped", "asked"])


def build_evolution_table(form: Form) -> pd.DataFrame:
    """`compute_evolution` as printed: Part, Version, As before, Other roles, Added, Dropped, Asked; with sums."""
    counts = compute_evolution(form)
    sums = counts.groupby("version", as_index=False).sum(numeric_only=True).assign(stage="all")
    counts = pd.concat([counts, sums], ignore_index=True)
    return pd.DataFrame(
        {
            "Part": counts["stage"].map(STAGE_NAMES | {"all": "All"}),
            "Version": counts["version"],
            "As before": counts["kept"],
            "Other roles": counts["roles_changed"],
            "Added": counts["added"],
            "Dropped": counts["dropped"],
            "Asked": counts["asked"],
        }
    )


def draw_evolution(evolution: pd.DataFrame) -> Figure:
    """Draw one panel a part of the form, one bar a version, dropped questions below the line.

    Parameters
    ----------
    evolution : DataFrame
        `compute_evolution`.

    Returns
    -------
    matplotlib.figure.Figure
        As wide as the text; every count stands in its segment, the number of questions asked above the bar.

    Raises
    ------
    InputError
        No rows, or a count below 0.
    """
    bad = [name for name in _STYLES if (evolution[name] < 0).any()]
    if evolution.empty or bad:
        what = f"negative counts: {', '.join(bad)}" if bad else "no rows"
        raise InputError("The versions cannot be drawn.", [Problem("evolution", what, "take it of compute_evolution")])
    stages = [stage for stage in STAGE_NAMES if stage in set(evolution["stage"])]
    figure, panels = theme.new_figure(_HEIGHT_IN, ncols=len(stages), sharey=True, squeeze=False)
    for axes, stage in zip(panels[0], stages, strict=True):
        _draw_part(axes, evolution[evolution["stage"] == stage].sort_values("version"))
        axes.set_title(STAGE_NAMES[stage])
    first = panels[0][0]
    first.set_ylabel("Questions")
    first.set_ylim(-float(evolution["dropped"].max()) - 0.6, float(evolution["asked"].max()) + 1.6)
    first.yaxis.set_major_locator(MaxNLocator(integer=True))
    first.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, handlelength=1.4, columnspacing=1.2)
    return figure


def _draw_part(axes: Axes, rows: pd.DataFrame) -> None:
    places = range(len(rows))
    base = pd.Series(0.0, index=rows.index)
    for state, style in _STYLES.items():
        down = state == "dropped"
        heights = -rows[state] if down else rows[state]
        bottom = 0.0 if down else base
        edge = theme.PALETTE["ink"]
        axes.bar(places, heights, bottom=bottom, width=0.72, edgecolor=edge, label=STATE_NAMES[state], **style)
        for place, line in zip(places, rows.index, strict=True):
            if rows.at[line, state]:
                middle = -rows.at[line, state] / 2 if down else base[line] + rows.at[line, state] / 2
                _write(axes, place, middle, int(rows.at[line, state]), style)
        if not down:
            base = base + rows[state]
    for place, asked in zip(places, rows["asked"], strict=True):
        axes.text(place, asked + 0.25, str(int(asked)), ha="center", va="bottom", fontweight="bold", gid="asked")
    axes.axhline(0, color=theme.PALETTE["ink"], linewidth=0.7)
    axes.set_xticks(list(places), [f"{version}" for version in rows["version"]])
    axes.set_xlabel("Version")
    axes.tick_params(axis="x", length=0)
    axes.spines["bottom"].set_visible(False)


def _write(axes: Axes, x: float, y: float, count: int, style: dict[str, str]) -> None:
    dark = theme.lightness(style["color"]) < 0.5
    box = {"facecolor": style["color"], "edgecolor": "none", "pad": 1.0} if "hatch" in style else None
    colour = "white" if dark else theme.PALETTE["ink"]
    size = theme.SMALL_SIZE_PT
    axes.text(x, y, str(count), ha="center", va="center_baseline", fontsize=size, color=colour, bbox=box)
