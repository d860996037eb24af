"""How often codes and themes occur, by document, participant, role and company; and the coding chart of a theme set.

Two units are told apart. *Segments*: the share of the coded segments that bear a code. Neither is a segment drawn at
random nor is it independent of its neighbours, so the interval resamples voices (`analysis.literature.coded`) and says
how far the share hangs on who happens to be quoted; Wilson's interval for independent segments is there to be compared
with. *Participants*: the share of the participants who say it at least once. A participant whom a document does not
quote cannot be seen to say anything: the share among all interviewed is therefore a lower bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.literature.codebook import MAX_LEVELS
from analysis.literature.coded import (
    NOT_PERSONS,
    bound,
    build_code_rows,
    build_presence,
    build_segments,
    names_of_codes,
    order_of_codes,
)
from analysis.literature.coding import Coding
from analysis.stats.intervals import SHARE_METHODS, compute_share
from analysis.stats.totals import bootstrap_totals

GROUPS = ("all", "document", "counted", "role_group", "company", "kind")
"""What frequencies can be grouped by: columns of `build_segments`, or everything together."""

UNITS = {"segments": "segments", "participants": "participants"}
AMONG = {"quoted": "participants with a coded segment", "interviewed": "all participants of the documents"}

SEGMENT_METHODS = {"voices": "percentile bootstrap over voices", "wilson": SHARE_METHODS["wilson"][1]}

CHART_DOCUMENT = "dusengimana2023"
CHART_SECTION = "§5.1"
CHART_THEMES = ("importance", "challenge", "teamwork", "future_trend", "policy")
"""Document, section and themes of the coding chart that the document shows as its figure 4.

Its text names five themes, and speaks of six where it introduces the figure; the figure itself is not in the text.
"""


def compute_segment_frequencies(
    coding: Coding,
    *,
    by: str = "all",
    level: int = 1,
    method: str,
    confidence: float = 0.95,
    rng: np.random.Generator | None = None,
    resamples: int = 1999,
    coder: str = "A",
    documents: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Share of the segments of each group that bear each code.

    Parameters
    ----------
    coding : Coding
    by : {"all", "document", "counted", "role_group", "company", "kind"}
        ``counted`` groups by participant. Segments without such a group (the author has no role) are left out; their
        number stands in ``attrs["left_out"]``.
    level : int
        1 counts themes, 2 and 3 finer codes; a segment counts once for a code, however many codes below it bears.
    method : {"voices", "wilson"}
        Interval: voices resampled, or segments taken as independent.
    confidence : float
    rng : numpy Generator, optional
        For ``voices``.
    resamples : int
    coder : str
    documents : sequence of str, optional
        Only these documents.

    Returns
    -------
    DataFrame
        One row a group and code, groups in the order of the segments and codes in that of the codebook: ``group``,
        ``code``, ``name``, ``count``, ``n`` (segments of the group), ``voices``, ``share``, ``low``, ``high``
        (missing where ``method`` says that there is no interval), ``method``. Segments bear several codes, so the
        shares of a group add up to more than one.

    Raises
    ------
    InputError
        Unknown group, level, method, coder or document, ``voices`` with participants as groups (each is one voice), or
        no generator.
    """
    problems = _option_problems(by, method, SEGMENT_METHODS)
    if by == "counted" and method == "voices":
        problems.append(Problem("method", "each participant is one voice", "take 'wilson', or group otherwise"))
    if method == "voices" and rng is None:
        problems.append(Problem("rng", "none given", "pass rng=numpy.random.default_rng(seed)"))
    if problems:
        raise InputError("Frequencies cannot be computed.", problems)
    segments = build_segments(coding, coder=coder, documents=documents)
    rows = build_code_rows(coding, level=level, coder=coder, documents=documents)
    codes, names = order_of_codes(coding, rows), names_of_codes(coding)
    presence = build_presence(rows, list(segments["segment"]), "segment", codes)
    groups = _group_column(segments, by)
    found = []
    for group in groups.dropna().unique():
        members = segments[(groups == group).fillna(False).astype(bool)]
        there = presence.loc[members["segment"]]
        counts, n, voices = there.sum(), len(members), members["voice"].nunique()
        if method == "voices":
            estimates = _shares_over_voices(there, members["voice"], confidence, rng, resamples)
        else:
            estimates = [compute_share(int(counts[code]), n, confidence, method="wilson") for code in codes]
        found += [
            _row(str(group), code, names[code], int(counts[code]), n, estimate) | {"voices": voices}
            for code, estimate in zip(codes, estimates, strict=True)
        ]
    columns = ["group", "code", "name", "count", "n", "voices", "share", "low", "high", "method"]
    table = pd.DataFrame(found, columns=columns)
    table.attrs["left_out"] = int(groups.isna().sum())
    return table


def compute_participant_frequencies(
    coding: Coding,
    *,
    by: str = "all",
    level: int = 1,
    among: str,
    method: str = "wilson",
    confidence: float = 0.95,
    coder: str = "A",
    documents: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Share of the participants of each group who voice each code at least once.

    Parameters
    ----------
    coding, level, confidence, coder, documents
        As in `compute_segment_frequencies`.
    by : {"all", "document", "role_group", "company"}
        Participants without such a group are left out; their number stands in ``attrs["left_out"]``.
    among : {"quoted", "interviewed"}
        Whom the share is of: participants with a coded segment, or all whom the documents interviewed. Words given
        to nobody in particular count for no one; a group interviewed together counts as one.
    method : {"wilson", "clopper-pearson"}

    Returns
    -------
    DataFrame
        One row a group and code: ``group``, ``code``, ``name``, ``count``, ``n`` (participants), ``share``, ``low``,
        ``high``, ``method``.

    Raises
    ------
    InputError
        Unknown group, level, method, coder or document, or what ``among`` can be.
    """
    problems = _option_problems(by, method, SHARE_METHODS)
    if by in ("counted", "kind"):
        problems.append(Problem("by", f"'{by}' does not group participants", "all, document, role_group or company"))
    if among not in AMONG:
        problems.append(Problem("among", f"got '{among}'", f"one of: {', '.join(AMONG)}"))
    if problems:
        raise InputError("Frequencies cannot be computed.", problems)
    rows = build_code_rows(coding, level=level, coder=coder, documents=documents)
    rows = rows[rows["counted"].notna()]
    people = coding.participants[~coding.participants["kind"].isin(NOT_PERSONS)]
    if documents is not None:
        people = people[people["document"].isin(list(documents))]
    if among == "quoted":
        people = people[people["participant"].isin(set(rows["counted"]))]
    codes, names = order_of_codes(coding, rows), names_of_codes(coding)
    presence = build_presence(rows, list(people["participant"]), "counted", codes)
    groups = _group_column(people, by)
    found = []
    for group in groups.dropna().unique():
        members = people.loc[(groups == group).fillna(False).astype(bool), "participant"]
        counts, n = presence.loc[members].sum(), len(members)
        found += [
            _row(
                str(group), code, names[code], int(counts[code]), n,
                compute_share(int(counts[code]), n, confidence, method=method),
            )
            for code in codes
        ]  # fmt: skip
    table = pd.DataFrame(found, columns=["group", "code", "name", "count", "n", "share", "low", "high", "method"])
    table.attrs["left_out"] = int(groups.isna().sum())
    return table


def compute_coding_chart(
    coding: Coding,
    *,
    document: str = CHART_DOCUMENT,
    section: str = CHART_SECTION,
    themes: Sequence[str] = CHART_THEMES,
    weight: str = "references",
    confidence: float = 0.95,
    rng: np.random.Generator,
    resamples: int = 1999,
    coder: str = "A",
) -> pd.DataFrame:
    """Weight of each theme among a set of themes in one part of a document, as coding software charts it.

    Parameters
    ----------
    coding, confidence, resamples, coder
        As in `compute_segment_frequencies`.
    document, section : str
        Segments of this document whose locator names ``section`` or a part of it (§5.1 takes in §5.1.2, not §5.10).
    themes : sequence of str
        Themes compared; other codes on the same segments do not count. The weights add up to one.
    weight : {"references", "characters"}
        A theme's coded segments, or the characters that they hold.
    rng : numpy Generator
        The interval resamples segments, all themes of a segment together. The sections of such a chapter are its
        themes, so voices cannot be resampled; where neighbouring segments resemble each other, it is too narrow.

    Returns
    -------
    DataFrame
        One row a theme in the order given: ``theme``, ``name``, ``count`` (references or characters), ``n`` (those of
        all themes; a segment that bears two themes counts for both), ``share``, ``low``, ``high``, ``segments``
        (behind all of them), ``method``.

    Raises
    ------
    InputError
        Unknown weight, theme, coder or document, or no segment of the themes in the section.
    """
    known = set(coding.codebook.loc[coding.codebook["parent"].isna(), "code"])
    problems = [Problem("themes", f"'{theme}' is no theme", "a code without parent") for theme in set(themes) - known]
    if weight not in ("references", "characters"):
        problems.append(Problem("weight", f"got '{weight}'", "references or characters"))
    if problems:
        raise InputError("The coding chart cannot be computed.", problems)
    rows = build_code_rows(coding, level=1, coder=coder, documents=[document])
    inside = rows["locator"].str.startswith(section)
    if section[-1:].isdigit():
        inside &= ~rows["locator"].str[len(section) :].str.match(r"\d")
    rows = rows[inside & rows["code"].isin(list(themes))]
    if rows.empty:
        problem = Problem(f"{document}, {section}", "no segment bears one of the themes", "check section and themes")
        raise InputError("The coding chart cannot be computed.", [problem])
    rows = rows.assign(references=1)
    parts = rows.pivot_table(index="segment", columns="code", values=weight, aggfunc="sum", fill_value=0, observed=True)
    parts = parts.reindex(columns=list(themes), fill_value=0)
    options = {
        "method": "percentile",
        "rng": rng,
        "resamples": resamples,
        "unit": "share",
        "label": f"share of {weight}",
    }
    estimates = bootstrap_totals(
        parts.to_numpy(dtype=float), lambda t: t / t.sum(axis=1, keepdims=True), confidence, **options
    )
    names, weights = names_of_codes(coding), parts.sum().astype(int)
    return pd.DataFrame(
        [
            {"theme": theme, "name": names[theme], "count": int(weights[theme]), "n": int(weights.sum())}
            | {"share": estimate.value, "low": bound(estimate.low), "high": bound(estimate.high)}
            | {"segments": len(parts), "method": estimate.method.replace("over clusters", "over segments")}
            for theme, estimate in zip(themes, estimates, strict=True)
        ]
    )


def pick_frequency(table: pd.DataFrame, code: str, group: str = "all", confidence: float = 0.95) -> Estimate:
    """One row of a table of frequencies, or of the coding chart, as an `Estimate`, to be stored as a number.

    Raises
    ------
    InputError
        No such row.
    """
    if "theme" in table.columns:
        table, name = table.rename(columns={"theme": "code"}).assign(group="all"), "coding_chart"
    else:
        name = f"{'segment' if 'voices' in table.columns else 'participant'}_frequencies"
    found = table[(table["code"] == code) & (table["group"] == group)]
    if len(found) != 1:
        raise InputError("There is no such frequency.", [Problem(f"{group}, {code}", f"{len(found)} rows", "one")])
    row = found.iloc[0]
    open_ended = pd.isna(row["low"])
    bounds = {} if open_ended else {"low": float(row["low"]), "high": float(row["high"]), "confidence": confidence}
    function = f"{__name__}.compute_{name}"
    return Estimate(
        float(row["share"]), n=int(row["n"]), method=str(row["method"]), unit="share", function=function, **bounds
    )


def count_coding(coding: Coding, coder: str = "A") -> dict[str, int]:
    """How much was coded: segments, codings, codes used and in the codebook, documents, participants that count.

    Returns
    -------
    dict
        ``segments``, ``codings``, ``codes_used``, ``codes``, ``themes``, ``documents``, ``quotations``,
        ``participants`` (quoted), ``levels``.
    """
    segments = build_segments(coding, coder=coder)
    codings = coding.codings[coding.codings["coder"] == coder]
    return {
        "segments": len(segments),
        "codings": len(codings),
        "codes_used": int(codings["code"].nunique()),
        "codes": len(coding.codebook),
        "themes": int(coding.codebook["parent"].isna().sum()),
        "documents": int(segments["document"].nunique()),
        "quotations": int((segments["kind"] == "quotation").sum()),
        "participants": int(segments["counted"].nunique()),
        "levels": MAX_LEVELS,
    }


def _shares_over_voices(
    presence: pd.DataFrame, voices: pd.Series, confidence: float, rng: np.random.Generator | None, resamples: int
) -> list[Estimate]:
    parts = presence.assign(segments=1).groupby(voices.to_numpy(), sort=True).sum().to_numpy(dtype=float)
    options = {
        "method": "percentile",
        "rng": rng,
        "resamples": resamples,
        "unit": "share",
        "label": "share of segments",
    }
    estimates = bootstrap_totals(parts, lambda t: t[:, :-1] / t[:, -1:], confidence, **options)
    return [replace(one, method=one.method.replace("clusters", "voices")) for one in estimates]


def _row(group: str, code: str, name: str, count: int, n: int, estimate: Estimate) -> dict[str, object]:
    row = {"group": group, "code": code, "name": name, "count": count, "n": n, "share": estimate.value}
    return row | {"low": bound(estimate.low), "high": bound(estimate.high), "method": estimate.method}


def _group_column(frame: pd.DataFrame, by: str) -> pd.Series:
    return pd.Series("all", index=frame.index, dtype="string") if by == "all" else frame[by].astype("string")


def _option_problems(by: str, method: str, methods: dict) -> list[Problem]:
    problems = [] if by in GROUPS else [Problem("by", f"got '{by}'", f"one of: {', '.join(GROUPS)}")]
    if method not in methods:
        problems.append(Problem("method", f"got '{method}'", f"one of: {', '.join(methods)}"))
    return problems
