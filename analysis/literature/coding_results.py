"""What the thesis says of the coding in numbers, and their keys in the results store."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.base.estimates import Estimate
from analysis.base.results import Results
from analysis.literature.agreement import SharedCoding, compute_overall_agreement, list_disagreements, select_shared
from analysis.literature.coded import NOT_PERSONS
from analysis.literature.coding import Coding
from analysis.literature.findings import TOPICS
from analysis.literature.repeats import find_repeats, without_repeats
from analysis.literature.saturation import Unseen
from analysis.literature.theme_display import build_frequency_rows
from analysis.literature.themes import count_coding, pick_frequency
from analysis.stats.intervals import compute_share

LEVELS = (1, 2, 3)
"""Levels of the codebook at which agreement is reported: themes, second level, codes as given."""


def store_counts(results: Results, coding: Coding, source: str) -> pd.DataFrame:
    """Store how much was coded, under ``coding.…``; returns the counts as a table to look at.

    Parameters
    ----------
    results : Results
    coding : Coding
        With its repeats.
    source : str
        As in `Results.number`.
    """
    counts = count_coding(without_repeats(coding))
    rules = find_repeats(coding.segments)["rule"]
    people = coding.participants[~coding.participants["kind"].isin(NOT_PERSONS)]
    rows = coding.segments
    found = [
        ("documents", counts["documents"], "Documents coded", coding.documents),
        ("segments", counts["segments"], "Coded passages, repeats left out", rows),
        ("codings", counts["codings"], "Codes given to them in the first pass", coding.codings),
        ("codes", counts["codes"], "Codes in the codebook", coding.codebook),
        ("codes_unused", counts["codes"] - counts["codes_used"], "Codes given to no passage", coding.codebook),
        ("themes", counts["themes"], "Themes of the codebook", coding.codebook),
        ("quotations", counts["quotations"], "Passages that are an interviewee's printed words", rows),
        ("reprinted", int((rules == "reprinted").sum()), "Passages that another document has printed before", rows),
        ("retold", int((rules == "retold").sum()), "Passages that their own document tells a second time", rows),
        ("interviewed", len(people), "People or groups that the documents list as interviewed", coding.participants),
        ("quoted", counts["participants"], "Of these, those with a coded passage", coding.participants),
    ]
    for key, value, meaning, frame in found:
        results.number(f"coding.{key}", value, source=source, meaning=meaning, rows=frame)
    return pd.DataFrame(found, columns=["key", "value", "meaning", "rows"]).drop(columns="rows")


def store_chart(results: Results, chart: pd.DataFrame, confidence: float, source: str) -> None:
    """Store the weight of each interview theme under ``coding.chart.<theme>``, and the passages behind it.

    Parameters
    ----------
    chart : DataFrame
        `analysis.literature.themes.compute_coding_chart`.
    """
    results.number(
        "coding.chart.segments",
        int(chart["segments"].iloc[0]),
        source=source,
        meaning="Passages of the section on the interviews that bear one of its themes",
    )
    for theme, name in zip(chart["theme"], chart["name"], strict=True):
        meaning = f"Weight of the theme {name} among the interview themes, by passages"
        estimate = pick_frequency(chart, theme, confidence=confidence)
        results.number(f"coding.chart.{theme}", estimate, source=source, meaning=meaning)


def build_chart_rows(by_passages: pd.DataFrame, by_characters: pd.DataFrame) -> pd.DataFrame:
    """The coding chart by both weights, as rows of `analysis.plots.intervals.draw_intervals`."""
    parts = {"By passages": by_passages, "By characters": by_characters}
    rows = [build_frequency_rows(chart.assign(group=name)) for name, chart in parts.items()]
    return pd.concat(rows, ignore_index=True)


def store_saturation(results: Results, unseen: Unseen, stopping: Mapping[str, float], source: str) -> None:
    """Store what saturation looks like under ``coding.saturation.…``.

    Parameters
    ----------
    unseen : Unseen
        `analysis.literature.saturation.compute_unseen`.
    stopping : mapping
        `analysis.literature.saturation.compute_stopping_point`.
    """
    prefix = "coding.saturation"
    counts = {
        "participants": (unseen.participants, "Interviewees quoted by the dissertation"),
        "codes": (unseen.codes, "Codes that they voice"),
        "once": (unseen.once, "Codes that exactly one of them voices"),
    }
    for key, (value, meaning) in counts.items():
        results.number(f"{prefix}.{key}", value, source=source, meaning=meaning)
    estimates = {
        "all": (unseen.chao2, 0, "Estimated number of codes, voiced or not; a lower bound"),
        "coverage": (unseen.coverage, 0, "Estimated share of all mentions that the codes seen would take"),
    }
    for key, (estimate, digits, meaning) in estimates.items():
        results.number(f"{prefix}.{key}", estimate, source=source, meaning=meaning, digits=digits)
    results.number(
        f"{prefix}.next_new",
        unseen.next_new,
        source=source,
        meaning="New codes that the last interviewee brings, on average over all orders",
    )
    results.number(
        f"{prefix}.stopped",
        stopping["reached"],
        source=source,
        meaning="Share of random orders in which a usual stopping rule would have been met",
        unit="share",
        digits=0,
    )


def compute_agreement_by_level(coding: Coding, *, confidence: float, seed: int) -> dict[int, dict[str, Estimate]]:
    """All measures of agreement at each level of the codebook.

    Returns
    -------
    dict
        Level → `analysis.literature.agreement.compute_overall_agreement`; each level starts from the same seed.
    """
    return {
        level: compute_overall_agreement(
            select_shared(coding, level=level), confidence=confidence, rng=np.random.default_rng(seed)
        )
        for level in LEVELS
    }


def store_agreement(
    results: Results,
    shared: SharedCoding,
    by_level: Mapping[int, Mapping[str, Estimate]],
    coding: Coding,
    source: str,
    confidence: float,
) -> None:
    """Store how far the passes agree under ``coding.agreement.…``.

    Parameters
    ----------
    shared : SharedCoding
        At the level of the codes.
    by_level : mapping
        `compute_agreement_by_level`.
    coding : Coding
        Without its repeats.
    """
    prefix = "coding.agreement"
    differing = list_disagreements(shared, coding)
    results.number(f"{prefix}.segments", len(shared.segments), source=source, meaning="Passages that both passes coded")
    results.number(
        f"{prefix}.sampled",
        len(shared.segments) / len(coding.segments),
        source=source,
        meaning="Share of all passages that both passes coded",
        unit="share",
        digits=0,
    )
    results.number(
        f"{prefix}.differing", len(differing), source=source, meaning="Passages with different sets of codes"
    )
    results.number(
        f"{prefix}.same_themes",
        compute_share(int(differing["same_themes"].sum()), len(differing), confidence, method="wilson"),
        source=source,
        meaning="Of these, share whose codes differ within the same themes",
        digits=0,
    )
    results.number(
        f"{prefix}.apart",
        int((differing["overlap"] == 0).sum()),
        source=source,
        meaning="Passages without a code in common",
    )
    words = {1: "themes", 3: "codes"}
    for level, name in words.items():
        for measure, digits in (("equal_sets", 0), ("alpha", 2), ("ac1", 2), ("alpha_jaccard", 2), ("positive", 0)):
            results.number(
                f"{prefix}.{name}.{measure}",
                by_level[level][measure],
                source=source,
                meaning=f"Agreement of the passes on {name}: {by_level[level][measure].method.partition(',')[0]}",
                digits=digits,
            )


def store_findings(results: Results, computed: pd.DataFrame, source: str) -> pd.DataFrame:
    """Store how much stands behind the findings under ``coding.findings.…``; returns a table by topic to look at.

    Parameters
    ----------
    computed : DataFrame
        `analysis.literature.findings.compute_findings`.
    """
    by_topic = computed.groupby("topic", sort=False)
    numbers = [
        ("count", len(computed), "Findings of the synthesis"),
        ("links", int(computed["passages"].sum()), "Links from a finding to a passage that supports it"),
        ("limits", int(computed["limits"].sum()), "Links from a finding to a passage that limits it"),
        ("unlimited", int((computed["limits"] == 0).sum()), "Findings that no passage limits"),
        ("single_document", int((computed["documents"] == 1).sum()), "Findings that rest on one document"),
        ("unvoiced", int((computed["interviewees"] == 0).sum()), "Findings that no interviewee voices"),
        *(
            (f"{topic}", int((computed["topic"] == topic).sum()), f"Findings on: {TOPICS[topic].lower()}")
            for topic in TOPICS
        ),
    ]
    for key, value, meaning in numbers:
        results.number(f"coding.findings.{key}", value, source=source, meaning=meaning, rows=computed)
    return by_topic[["passages", "limits"]].sum().join(by_topic.size().rename("findings")).reset_index()
