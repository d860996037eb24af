"""Which codes stand together on the same segments, and how much more often than chance would have it.

For two codes on n segments, of which a bear the first, b the second and c both: the Jaccard index c/(a + b − c) says
how far they are the same passages; the lift c·n/(a·b) says how many times more often they meet than if they were given
independently of each other. Lift favours rare codes, Jaccard common ones; both are given, with intervals that resample
voices (`analysis.literature.coded`). A coder is told to give the most specific codes and at most four a segment, so
that codes compete for places: a lift below one may be the rule's doing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.literature.coded import (
    bound,
    build_code_rows,
    build_presence,
    build_segments,
    names_of_codes,
    order_of_codes,
)
from analysis.literature.coding import Coding
from analysis.stats.totals import bootstrap_totals


def compute_cooccurrence(
    coding: Coding,
    *,
    level: int,
    fewest: int = 5,
    confidence: float = 0.95,
    rng: np.random.Generator,
    resamples: int = 1999,
    coder: str = "A",
    documents: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Every pair of codes: how often they meet, Jaccard index and lift with intervals.

    Parameters
    ----------
    coding : Coding
    level : int
        1 pairs themes, 2 and 3 finer codes. Two codes below one theme make no pair at level 1.
    fewest : int
        Codes on fewer segments are left out; their number stands in ``attrs["left_out"]``.
    confidence : float
    rng : numpy Generator
    resamples : int
    coder : str
    documents : sequence of str, optional
        Only these documents.

    Returns
    -------
    DataFrame
        One row a pair, most frequent first, pairs that never meet included: ``first``, ``second`` (codes, in the order
        of the codebook), ``first_name``, ``second_name``, ``first_count``, ``second_count``, ``count``, ``expected``
        (meetings of independent codes), ``jaccard``, ``jaccard_low``, ``jaccard_high``, ``lift``, ``lift_low``,
        ``lift_high`` (bounds missing where ``method`` says why), ``n`` (segments), ``voices``, ``method``.

    Raises
    ------
    InputError
        Unknown level, coder or document; confidence outside (0, 1); ``fewest`` below 1; or fewer than two codes left.
    """
    segments = build_segments(coding, coder=coder, documents=documents)
    rows = build_code_rows(coding, level=level, coder=coder, documents=documents)
    presence = build_presence(rows, list(segments["segment"]), "segment", order_of_codes(coding, rows))
    counts = presence.sum()
    kept = [code for code in presence.columns if counts[code] >= fewest]
    problems = [] if fewest >= 1 else [Problem("fewest", f"got {fewest}", "1 or more")]
    if len(kept) < 2:
        problems.append(Problem("fewest", f"{len(kept)} codes on {fewest} segments or more", "lower it"))
    if problems:
        raise InputError("Codes cannot be paired.", problems)
    names, n = names_of_codes(coding), len(segments)
    pairs = list(combinations(range(len(kept)), 2))
    first, second = np.array(pairs).T
    table = presence[kept].to_numpy(dtype=float)
    together = table[:, first] * table[:, second]
    voices, voice_of = np.unique(segments["voice"].to_numpy(dtype=str), return_inverse=True)
    parts = np.zeros((len(voices), len(kept) + len(pairs) + 1))
    np.add.at(parts, voice_of, np.column_stack([table, together, np.ones(n)]))

    def associations(totals: np.ndarray) -> np.ndarray:
        alone, both, all_of = totals[:, : len(kept)], totals[:, len(kept) : -1], totals[:, -1:]
        one, other = alone[:, first], alone[:, second]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.hstack([both / (one + other - both), both * all_of / (one * other)])

    options = {"method": "percentile", "rng": rng, "resamples": resamples}
    estimates = bootstrap_totals(parts, associations, confidence, **options)
    found = []
    for place, (i, j) in enumerate(pairs):
        jaccard, lift = estimates[place], estimates[len(pairs) + place]
        a, b = int(counts[kept[i]]), int(counts[kept[j]])
        found.append(
            {
                "first": kept[i],
                "second": kept[j],
                "first_name": names[kept[i]],
                "second_name": names[kept[j]],
                "first_count": a,
                "second_count": b,
                "count": int(together[:, place].sum()),
                "expected": a * b / n,
                "jaccard": jaccard.value,
                "jaccard_low": bound(jaccard.low),
                "jaccard_high": bound(jaccard.high),
                "lift": lift.value,
                "lift_low": bound(lift.low),
                "lift_high": bound(lift.high),
                "n": n,
                "voices": len(voices),
                "method": lift.method.replace("clusters", "voices"),
            }
        )
    frame = pd.DataFrame(found).sort_values(["count", "lift"], ascending=False, kind="stable", ignore_index=True)
    frame.attrs["left_out"] = presence.shape[1] - len(kept)
    return frame


def build_network(pairs: pd.DataFrame, *, fewest_together: int, least_lift: float = 1.0) -> tuple[pd.DataFrame, ...]:
    """Nodes and edges of the network of codes that meet often, and more often than chance would have it.

    Parameters
    ----------
    pairs : DataFrame
        `compute_cooccurrence`.
    fewest_together : int
        An edge takes as many common segments.
    least_lift : float
        And a lift above this.

    Returns
    -------
    (nodes, edges) : DataFrames
        For `analysis.plots.network.draw_network`: nodes ``key``, ``label``, ``size`` (segments), those with an edge
        only; edges ``first``, ``second``, ``weight`` (common segments), ``firm`` (the interval of the lift lies above
        ``least_lift``). ``nodes.attrs["left_out"]`` names the codes without an edge.

    Raises
    ------
    InputError
        No pair meets both conditions.
    """
    chosen = pairs[(pairs["count"] >= fewest_together) & (pairs["lift"] > least_lift)]
    if chosen.empty:
        what = f"no pair with {fewest_together} common segments and a lift above {least_lift:g}"
        raise InputError("There is no network.", [Problem("pairs", what, "lower one of them")])
    edges = pd.DataFrame(
        {
            "first": chosen["first"].to_numpy(),
            "second": chosen["second"].to_numpy(),
            "weight": chosen["count"].to_numpy(dtype=float),
            "firm": (chosen["lift_low"] > least_lift).to_numpy(dtype=bool),
        }
    )
    labels = _per_code(pairs, "name")
    sizes = _per_code(pairs, "count")
    linked = [code for code in labels if code in {*edges["first"], *edges["second"]}]
    nodes = pd.DataFrame(
        {
            "key": linked,
            "label": [labels[code] for code in linked],
            "size": [float(sizes[code]) for code in linked],
        }
    )
    nodes.attrs["left_out"] = [name for code, name in labels.items() if code not in linked]
    return nodes, edges


def build_heat_cells(
    pairs: pd.DataFrame, *, measure: str = "jaccard"
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str]]:
    """Cells below the diagonal for `analysis.plots.heat.draw_heat_map`, and the names of its rows and columns.

    The first code has no row and the last no column, where only the diagonal would stand.

    Parameters
    ----------
    pairs : DataFrame
        `compute_cooccurrence`.
    measure : {"jaccard", "lift", "count"}
        What the shading shows; the number in a cell is always the count of common segments.

    Raises
    ------
    InputError
        Unknown measure.
    """
    if measure not in ("jaccard", "lift", "count"):
        raise InputError("No such measure.", [Problem("measure", f"got '{measure}'", "jaccard, lift or count")])
    cells = pd.DataFrame(
        {
            "row": pairs["second"].to_numpy(),
            "column": pairs["first"].to_numpy(),
            "value": pairs[measure].to_numpy(dtype=float),
            "text": pairs["count"].map(lambda count: str(count) if count else "").to_numpy(),
        }
    )
    names = _per_code(pairs, "name")
    codes = list(names)
    return cells, {code: names[code] for code in codes[1:]}, {code: names[code] for code in codes[:-1]}


def _per_code(pairs: pd.DataFrame, what: str) -> Mapping:
    """Name or count of each code, in the order of the codebook: a code comes first in the pairs with all later ones."""
    firsts = pairs.groupby("first", sort=False).size().sort_values(ascending=False, kind="stable").index
    order = [*firsts, *(code for code in dict.fromkeys(pairs["second"]) if code not in set(firsts))]
    known = dict(zip(pairs["second"], pairs[f"second_{what}"], strict=True))
    known |= dict(zip(pairs["first"], pairs[f"first_{what}"], strict=True))
    return {code: known[code] for code in order}
