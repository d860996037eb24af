"""Agreement of two coders over the segments that both coded.

Text that neither was asked to code does not enter: where most of a document is left uncoded, agreement on leaving it
uncoded would swamp the rest. What remains is a segment to which each coder gave a set of one to four codes, looked at
in three ways:

- *sets*: Krippendorff's alpha with a distance between sets, Jaccard's or MASI; equal sets as a share;
- *decisions*: each code in use, on each segment, was given or not. Nearly all of these decisions are a common "no",
  which percent agreement and AC1 reward and alpha and kappa do not; positive agreement leaves the common "no" out.
  Decisions about one segment hang together, so the intervals resample segments;
- *codes*: the same for a single code, which shows where the codebook is unclear.

Each of these at the level of the codes, or rolled up to themes: coders who choose neighbouring codes of one theme agree
on the theme.

References
----------
Krippendorff K (2019) Content analysis, 4th ed. Sage, chapter 12.
Dice LR (1945) Measures of the amount of ecologic association between species. Ecology 26, 297–302 (positive agreement).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.estimates import Estimate
from analysis.literature.codebook import MAX_LEVELS
from analysis.literature.coded import bound, build_code_rows, build_presence, build_segments, names_of_codes
from analysis.literature.coding import Coding
from analysis.stats.agreement import compute_cohen_kappa, compute_gwet_ac, compute_percent_agreement
from analysis.stats.krippendorff_alpha import alpha_of_coincidences, compute_krippendorff_alpha
from analysis.stats.set_agreement import compute_set_alpha, jaccard_distance
from analysis.stats.totals import bootstrap_totals

MEASURES = {
    "equal_sets": "Equal sets",
    "overlap": "Mean overlap of the sets (Jaccard)",
    "alpha_jaccard": "Alpha of the sets, Jaccard distance",
    "alpha_masi": "Alpha of the sets, MASI distance",
    "positive": "Positive agreement of the decisions",
    "percent": "Percent agreement of the decisions",
    "alpha": "Alpha of the decisions",
    "cohen": "Cohen's kappa of the decisions",
    "ac1": "Gwet's AC1 of the decisions",
}
"""Measure → name as printed."""


@dataclass(frozen=True, slots=True)
class SharedCoding:
    """What two coders did with the segments that both coded, at one level of the codebook.

    Attributes
    ----------
    segments : DataFrame
        `build_segments`, only those that both coded.
    first, second : DataFrame
        Segments × codes that one of them used there, boolean.
    coders : (str, str)
    level : int
    only_one : int
        Segments that only one of them coded, left out.
    """

    segments: pd.DataFrame
    first: pd.DataFrame
    second: pd.DataFrame
    coders: tuple[str, str]
    level: int
    only_one: int

    def sets(self) -> list[tuple[frozenset, frozenset]]:
        """The codes of both, segment by segment."""
        pairs = zip(self.first.to_numpy(), self.second.to_numpy(), strict=True)
        codes = self.first.columns.to_numpy()
        return [(frozenset(codes[one]), frozenset(codes[other])) for one, other in pairs]


def select_shared(coding: Coding, *, level: int = MAX_LEVELS, coders: tuple[str, str] = ("A", "B")) -> SharedCoding:
    """The segments that both coders coded, their codes rolled up to ``level``.

    Parameters
    ----------
    coding : Coding
    level : int
        1 compares themes, `MAX_LEVELS` the codes as they were given.
    coders : (str, str)

    Raises
    ------
    InputError
        Unknown level, a coder without codings, the same coder twice, or no segment in common.
    """
    if coders[0] == coders[1]:
        raise InputError("Agreement takes two coders.", [Problem("coders", f"'{coders[0]}' twice", "name two")])
    of_first, of_second = (build_segments(coding, coder=coder) for coder in coders)
    segments = of_first[of_first["segment"].isin(of_second["segment"])]
    if segments.empty:
        problem = Problem("codings", f"no segment was coded by {coders[0]} and {coders[1]}", "code a common sample")
        raise InputError("There is nothing to agree on.", [problem])
    rows = [build_code_rows(coding, level=level, coder=coder) for coder in coders]
    shared = [each[each["segment"].isin(segments["segment"])] for each in rows]
    used = set(shared[0]["code"]) | set(shared[1]["code"])
    codes = [code for code in coding.codebook["code"] if code in used]
    units = list(segments["segment"])
    first, second = (build_presence(each, units, "segment", codes) for each in shared)
    return SharedCoding(
        segments, first, second, coders, level, len(of_first) + len(of_second) - 2 * len(segments)
    )  # fmt: skip


def compute_overall_agreement(
    shared: SharedCoding, *, confidence: float = 0.95, rng: np.random.Generator, resamples: int = 1999
) -> dict[str, Estimate]:
    """All measures of `MEASURES` for one level, over all segments and codes.

    Parameters
    ----------
    shared : SharedCoding
    confidence : float
    rng : numpy Generator
        Segments are resampled throughout, but for equal sets, whose share has a Wilson interval.
    resamples : int

    Returns
    -------
    dict of str to Estimate
        ``n`` counts segments. Measures of decisions take in the codes that one of the two used on these segments, not
        those that neither did. A measure that is undefined, because all sets are the same, is left out.

    Raises
    ------
    InputError
        Confidence outside (0, 1), or no generator.
    """
    sets = shared.sets()
    options = {"method": "percentile", "rng": rng, "resamples": resamples}
    labels = np.array([["|".join(sorted(one)) for one in pair] for pair in sets], dtype=object)
    found = {"equal_sets": compute_percent_agreement(labels, confidence, method="wilson")}
    found["equal_sets"] = replace(found["equal_sets"], method="share of equal sets, Wilson score interval")
    overlaps = np.array([[1 - jaccard_distance(*pair), 1.0] for pair in sets])
    over_segments = {"confidence": confidence, **options}
    (found["overlap"],) = _over_segments(
        overlaps, lambda t: t[:, :1] / t[:, 1:], "mean overlap", "share", over_segments
    )
    if len({value for pair in sets for value in pair}) > 1:
        for distance in ("jaccard", "masi"):
            found[f"alpha_{distance}"] = compute_set_alpha(sets, confidence, distance=distance, **options)
    decisions = _decisions(shared)
    for name, (words, unit, measure) in DECISION_MEASURES.items():
        if np.isfinite(measure(decisions.sum(axis=0)[None])).all():
            (found[name],) = _over_segments(decisions, measure, words, unit, over_segments)
    return {name: found[name] for name in MEASURES if name in found}


def compute_code_agreement(
    shared: SharedCoding,
    coding: Coding,
    *,
    fewest: int = 5,
    confidence: float = 0.95,
    rng: np.random.Generator,
    resamples: int = 999,
) -> pd.DataFrame:
    """Agreement about each single code: given or not, on every shared segment.

    Parameters
    ----------
    shared : SharedCoding
    coding : Coding
        For the names of the codes.
    fewest : int
        Codes that either coder gave to fewer segments are listed without coefficients: next to nothing can be said
        of them.
    confidence, rng, resamples
        As in `compute_overall_agreement`.

    Returns
    -------
    DataFrame
        One row a code, in the order of the codebook: ``code``, ``name``, ``theme``, ``first``, ``second``, ``both``,
        ``either`` (segments), ``n``, and for each of ``positive``, ``alpha``, ``cohen``, ``ac1`` the value and
        ``_low``, ``_high``; missing where not computed or undefined. Bounds are missing, too, where the two agree on
        every segment: resampling cannot show how far that would hold.

    Raises
    ------
    InputError
        Confidence outside (0, 1), or no generator.
    """
    names = names_of_codes(coding)
    themes = dict(zip(coding.codebook["code"], coding.codebook["theme"], strict=True))
    options = {"method": "percentile", "rng": rng, "resamples": resamples}
    found = []
    for code in shared.first.columns:
        one, other = shared.first[code].to_numpy(), shared.second[code].to_numpy()
        both, either, n = int((one & other).sum()), int((one | other).sum()), len(one)
        row: dict[str, object] = {"code": code, "name": names[code], "theme": themes[code]}
        row |= {"first": int(one.sum()), "second": int(other.sum()), "both": both, "either": either, "n": n}
        pairs = np.column_stack([one, other]).astype(int)
        estimates: dict[str, Estimate] = {}
        if either >= fewest:
            counts = np.column_stack([one & other, one ^ other, ~(one | other)]).astype(float)
            over_segments = {"confidence": confidence, **options}
            (estimates["positive"],) = _over_segments(counts, _dice, "positive agreement", "share", over_segments)
            if np.ptp(pairs) > 0:
                estimates["alpha"] = compute_krippendorff_alpha(pairs, confidence, level="nominal", **options)
                estimates["cohen"] = compute_cohen_kappa(pairs, confidence, categories=[0, 1], **options)
                estimates["ac1"] = compute_gwet_ac(pairs, confidence, categories=[0, 1], **options)
            if both == either:  # every resample agrees too, which says nothing about other segments
                estimates = {name: replace(one, low=None, high=None) for name, one in estimates.items()}
        for measure in ("positive", "alpha", "cohen", "ac1"):
            estimate = estimates.get(measure)
            row |= {measure: bound(estimate and estimate.value)}
            row |= {f"{measure}_low": bound(estimate and estimate.low)}
            row |= {f"{measure}_high": bound(estimate and estimate.high)}
        found.append(row)
    return pd.DataFrame(found)


def list_disagreements(shared: SharedCoding, coding: Coding) -> pd.DataFrame:
    """Segments whose sets of codes differ, the farthest apart first: what the coders should talk about.

    Returns
    -------
    DataFrame
        ``segment``, ``document``, ``locator``, ``paraphrase``, ``both``, ``only_first``, ``only_second`` (names of
        codes, separated by semicolons), ``overlap`` (Jaccard index), ``same_themes`` (whether the sets are equal once
        rolled up to themes); index ``line`` of ``literature/segments.csv``.
    """
    names = names_of_codes(coding)
    themes = dict(zip(coding.codebook["code"], coding.codebook["theme"], strict=True))
    found = []
    for (line, segment), (one, other) in zip(shared.segments.iterrows(), shared.sets(), strict=True):
        if one == other:
            continue
        groups = {"both": one & other, "only_first": one - other, "only_second": other - one}
        row = {"line": line, **segment[["segment", "document", "locator", "paraphrase"]].to_dict()}
        for key, codes in groups.items():
            row[key] = "; ".join(names[code] for code in shared.first.columns if code in codes)
        row |= {"overlap": 1 - jaccard_distance(one, other)}
        row |= {"same_themes": {themes[code] for code in one} == {themes[code] for code in other}}
        found.append(row)
    columns = ["line", "segment", "document", "locator", "paraphrase", "both", "only_first", "only_second"]
    table = pd.DataFrame(found, columns=[*columns, "overlap", "same_themes"]).set_index("line")
    table.attrs["source"] = coding.segments.attrs.get("source", "segments")
    return table.sort_values("overlap", kind="stable")


def compute_confusions(shared: SharedCoding, coding: Coding) -> pd.DataFrame:
    """Pairs of codes of which one coder gave the one and the other the other, to the same segment.

    Only codes that are not in common count. Where sets differ in several codes, all pairs between the two remainders
    count, since nobody knows which stands for which.

    Returns
    -------
    DataFrame
        ``one``, ``other`` (codes, in the order of the codebook), ``one_name``, ``other_name``, ``count`` (segments),
        ``same_theme``; most frequent first.
    """
    names = names_of_codes(coding)
    themes = dict(zip(coding.codebook["code"], coding.codebook["theme"], strict=True))
    place = {code: number for number, code in enumerate(shared.first.columns)}
    counts: dict[tuple[str, str], int] = {}
    for one, other in shared.sets():
        pairs = {tuple(sorted((a, b), key=place.__getitem__)) for a in one - other for b in other - one}
        for pair in pairs:
            counts[pair] = counts.get(pair, 0) + 1
    rows = [
        (a, b, names[a], names[b], count, themes[a] == themes[b])
        for (a, b), count in sorted(counts.items(), key=lambda item: (place[item[0][0]], place[item[0][1]]))
    ]
    table = pd.DataFrame(rows, columns=["one", "other", "one_name", "other_name", "count", "same_theme"])
    return table.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def _decisions(shared: SharedCoding) -> np.ndarray:
    """For each segment: codes given by both, only by the first, only by the second, by neither."""
    one, other = shared.first.to_numpy(), shared.second.to_numpy()
    parts = [one & other, one & ~other, ~one & other, ~one & ~other]
    return np.column_stack([part.sum(axis=1) for part in parts]).astype(float)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=np.abs(below) > 1e-12)[:, None]


def _positive(t: np.ndarray) -> np.ndarray:
    return _ratio(2 * t[:, 0], 2 * t[:, 0] + t[:, 1] + t[:, 2])


def _dice(t: np.ndarray) -> np.ndarray:
    return _ratio(2 * t[:, 0], 2 * t[:, 0] + t[:, 1])


def _percent(t: np.ndarray) -> np.ndarray:
    return _ratio(t[:, 0] + t[:, 3], t.sum(axis=1))


def _alpha(t: np.ndarray) -> np.ndarray:
    mixed = t[:, 1] + t[:, 2]
    square = np.column_stack([2 * t[:, 0], mixed, mixed, 2 * t[:, 3]])
    return alpha_of_coincidences(square, np.array([1.0, 2.0]), "nominal")[:, None]


def _cohen(t: np.ndarray) -> np.ndarray:
    n = t.sum(axis=1)
    one, other = (t[:, 0] + t[:, 1]) / n, (t[:, 0] + t[:, 2]) / n
    chance = one * other + (1 - one) * (1 - other)
    return _ratio((t[:, 0] + t[:, 3]) / n - chance, 1 - chance)


def _ac1(t: np.ndarray) -> np.ndarray:
    n = t.sum(axis=1)
    used = (t[:, 0] + (t[:, 1] + t[:, 2]) / 2) / n
    chance = 2 * used * (1 - used)
    return _ratio((t[:, 0] + t[:, 3]) / n - chance, 1 - chance)


DECISION_MEASURES: dict[str, tuple[str, str, Callable[[np.ndarray], np.ndarray]]] = {
    "positive": ("positive agreement", "share", _positive),
    "percent": ("percent agreement", "share", _percent),
    "alpha": ("Krippendorff's alpha, nominal", "", _alpha),
    "cohen": ("Cohen's kappa, unweighted", "", _cohen),
    "ac1": ("Gwet's AC1, unweighted", "", _ac1),
}
"""Measure → (name in the method, unit, function of the four counts of decisions)."""


def _over_segments(
    parts: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], label: str, unit: str, options: dict
) -> list[Estimate]:
    estimates = bootstrap_totals(parts, statistic, label=label, unit=unit, **options)
    function = f"{__name__}.compute_overall_agreement"
    return [replace(one, method=one.method.replace("clusters", "segments"), function=function) for one in estimates]
