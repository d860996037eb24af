"""The PRISMA 2020 flow as boxes and arrows for `analysis.plots.flow.draw_flow`: unknown numbers in dashed boxes."""

from __future__ import annotations

import pandas as pd

from analysis.literature.ledger import ARMS
from analysis.literature.prisma import CHAIN, STATUS_NAMES, STEPS, check_prisma

_BANDS = {
    "Identification": ("identified",),
    "Screening": ("screened", "sought", "assessed", "appraised"),
    "Included": ("included",),
}
_MOST = 6
"""Most reasons or databases that a box names."""

Flow = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def build_prisma_flow(numbers: pd.DataFrame, headings: dict[str, str] | None = None) -> Flow:
    """The numbers of a flow as a figure's boxes.

    Parameters
    ----------
    numbers : DataFrame
        `analysis.literature.prisma.build_prisma_numbers` or ``build_published_numbers``.
    headings : dict, optional
        Arm → what stands above it; by default what PRISMA calls it.

    Returns
    -------
    boxes, arrows, bands : DataFrame
        The arguments of `analysis.plots.flow.draw_flow`. Reasons that were never given are left out of the boxes.

    Raises
    ------
    InputError
        Numbers that do not add up.
    """
    check_prisma(numbers)
    headings = ARMS | (headings or {})
    totals = numbers[numbers["detail"].isna()].set_index(["arm", "step"])
    arms = [arm for arm in ARMS if arm in set(numbers["arm"])]
    steps = [step for step in CHAIN if step != "included" and any((arm, step) in totals.index for arm in arms)]
    level_of = {step: number for number, step in enumerate(steps, start=1)}
    last = len(steps) + 1
    boxes: list[tuple] = []
    arrows: list[tuple[str, str]] = []
    for place, arm in enumerate(arms):
        left = 2.06 * place
        boxes.append((f"{arm}_heading", left + 0.5, 0, 1.9, headings[arm], True, "heading"))
        before = None
        for step in steps:
            if (arm, step) not in totals.index:
                continue
            level, name = level_of[step], f"{arm}_{step}"
            boxes.append((name, left, level, 0.9, *_text(numbers, arm, (step,)), "box"))
            if before:
                arrows.append((before, name))
            before = name
            losses = tuple(loss for loss in CHAIN[step] if (arm, loss) in totals.index)
            if losses:
                boxes.append((f"{name}_lost", left + 1, level, 0.9, *_text(numbers, arm, losses), "box"))
                arrows.append((name, f"{name}_lost"))
        boxes.append((f"{arm}_included", left, last, 0.9, *_text(numbers, arm, ("included",)), "box"))
        if before:
            arrows.append((before, f"{arm}_included"))
        arrows.append((f"{arm}_included", "included"))
    text, known = _text(numbers, "all", ("included",))
    text = text.replace(STEPS["included"], "Included in the review") + (" reports" if known else "")
    if ("all", "studies") in totals.index:
        text += f" of {totals.at[('all', 'studies'), 'count']} studies"
    middle = 2.06 * (len(arms) - 1) / 2 + 0.5
    boxes.append(("included", middle, last + 1, 2.06 * len(arms) - 0.16, text, known, "box"))
    spans = []
    for label, members in _BANDS.items():
        levels = [level_of[step] for step in members if step in level_of]
        spans.append((label, last, last + 1) if label == "Included" else (label, min(levels), max(levels)))
    return (
        pd.DataFrame(boxes, columns=["box", "lane", "level", "width", "text", "known", "role"]),
        pd.DataFrame(arrows, columns=["start", "end"]),
        pd.DataFrame(spans, columns=["label", "first", "last"]),
    )


def _text(numbers: pd.DataFrame, arm: str, steps: tuple[str, ...]) -> tuple[str, bool]:
    """What stands in a box, and whether its number is known."""
    rows = numbers[(numbers["arm"] == arm) & numbers["step"].isin(steps)]
    totals = rows[rows["detail"].isna()]
    unknown = totals[totals["count"].isna()]
    known = unknown.empty
    said = f"n = {totals['count'].sum()}" if known else STATUS_NAMES[unknown["status"].iloc[0]]
    if "duplicates" in steps:
        if len(steps) == 1:
            return f"{STEPS['duplicates']}\n{said}", known
        parts = "\n".join(f"{name}: {_said(count)}" for name, count in
                          zip(("duplicates", "unreadable"), totals["count"], strict=True))  # fmt: skip
        return f"Records removed before screening\n{said}\n{parts}", known
    return "\n".join([STEPS[steps[0]], said, *_details(rows[rows["detail"].notna()])]), known


def _details(details: pd.DataFrame) -> list[str]:
    """A line for each database or reason; the rarest together where they are many."""
    shown = details[details["count"].isna() | (details["count"] > 0)]
    if len(shown) > _MOST:
        ranked = shown.sort_values("count", ascending=False, kind="stable", na_position="first")
        rest = ranked.iloc[_MOST - 1 :]
        together = "?" if rest["count"].isna().any() else str(rest["count"].sum())
        kept = shown.loc[shown.index.isin(ranked.index[: _MOST - 1])]
        return [*_lines(kept), f"{len(rest)} others:\u00a0{together}"]
    return _lines(shown)


def _lines(details: pd.DataFrame) -> list[str]:
    return [f"{row.label}:\u00a0{_said(row.count)}" for row in details.itertuples()]


def _said(count: object) -> str:
    return "?" if pd.isna(count) else str(count)
