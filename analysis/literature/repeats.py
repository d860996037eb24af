"""Passages that say again what another coded passage has said, so that nothing counts twice.

Two documents print passages twice. The pages of `john2025` carry the abstract of `john2021`; their segments have the
very paraphrases of the first printing. `talele2024` tells some paragraphs of its chapter 5 a second time in other
words; their paraphrases begin with `RETOLD`. Both stay in the store, where they can be looked up, and are left out of
every count.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.literature.coding import Coding, find_overlaps

RETOLD = "Told a second time:"
"""How the paraphrase of a paragraph begins that its document tells twice."""

REPEAT_RULES = {
    "reprinted": "the paraphrase of a segment that stands earlier in the table, in another document",
    "retold": f"a paraphrase that begins “{RETOLD}”",
}
"""Why a segment does not count, in words."""


def find_repeats(segments: pd.DataFrame) -> pd.DataFrame:
    """The segments that repeat another one.

    Parameters
    ----------
    segments : DataFrame
        ``literature/segments.csv``.

    Returns
    -------
    DataFrame
        One row a repeat, index and ``attrs`` as in ``segments``: ``segment``, ``document``, ``rule`` (a key of
        `REPEAT_RULES`), ``first`` (the segment repeated; missing where the rule is ``retold``, which names none).

    Examples
    --------
    >>> segments = pd.DataFrame(
    ...     {
    ...         "segment": ["J0001", "M0001", "T0009"],
    ...         "document": ["john2021", "john2025", "talele2024"],
    ...         "paraphrase": ["Drift harms models.", "Drift harms models.", "Told a second time: drift harms models."],
    ...     }
    ... )
    >>> find_repeats(segments)[["segment", "rule", "first"]].fillna("-").to_dict("list")
    {'segment': ['M0001', 'T0009'], 'rule': ['reprinted', 'retold'], 'first': ['J0001', '-']}
    """
    words = segments["paraphrase"].str.strip()
    by_words = words.groupby(words, sort=False)
    first_line = by_words.transform(lambda group: group.index[0])
    first = first_line.map(segments["segment"])
    reprinted = by_words.cumcount().gt(0) & (segments["document"] != first_line.map(segments["document"]))
    retold = words.str.startswith(RETOLD) & ~reprinted
    repeats = segments.loc[reprinted | retold, ["segment", "document"]].copy()
    repeats["rule"] = reprinted[reprinted | retold].map({True: "reprinted", False: "retold"}).astype("string")
    repeats["first"] = first.astype("string").where(reprinted)[reprinted | retold]
    repeats.attrs.update(segments.attrs)
    return repeats


def drop_repeats(segments: pd.DataFrame) -> pd.DataFrame:
    """The segments without those that repeat another one; index and ``attrs`` stay."""
    kept = segments[~segments["segment"].isin(list(find_repeats(segments)["segment"]))]
    kept.attrs.update(segments.attrs)
    return kept


def without_repeats(coding: Coding) -> Coding:
    """The coding as everything is counted in it: without the segments that repeat another one, and their codes."""
    segments = drop_repeats(coding.segments)
    codings = coding.codings[coding.codings["segment"].isin(list(segments["segment"]))]
    codings.attrs.update(coding.codings.attrs)
    return replace(coding, segments=segments, codings=codings, overlaps=find_overlaps(segments, codings))
