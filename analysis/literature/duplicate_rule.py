"""When two records are one work: the stated rule, applied to a pair.

1. **DOI.** The same DOI: one work. Where the titles have little in common the pair is listed instead, since exports
   give a book's DOI to its chapters.
2. **Different DOIs** are never merged, unless one is a preprint's (`preprint`: the same title, first author, and years
   at most one apart). Such a merge is marked for decision; other pairs of one title and author are listed.
3. **Title, year and first author**, where a DOI is missing. Titles are the same after normalisation (`title`); or
   alike to at least `ALIKE` per cent and every word of one has its counterpart in the other up to a slip of the pen
   (`similar_title`); or one ends early (`shortened_title`), if the first page agrees, or if a subtitle is dropped and
   the venue agrees. Numbers must be the same.
   Years are the same; one apart where a preprint is involved or venue or first page agree (online first); a missing
   year needs the same support. The first author of one is among the authors of the other (surname, and
   initials that can be the same), up to a slip; where a record names no author, only the same title of five words or
   more in the same year and place counts. Titles that are not the same do not count where the first pages differ.
4. **Conference and journal versions** are two works: a pair of an article and a conference paper or chapter is merged
   only where venue or first page agree (databases disagree on the kind of some series), else listed. So are pairs
   whose venue and first page both differ, or whose volume does and first page does not agree. Titles of one or two
   words, editorials and the like need the same venue and first page or volume.

Everything listed awaits a person's decision. A pair listed for a contradiction (`CONTRADICTIONS`) is not merged
through a third record either; one listed for want of evidence may be, and is then settled.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from analysis.literature.duplicate_keys import STOP_WORDS, Keys, find_candidates, is_generic, name_words, same_venue

ALIKE = 88.0
"""Least similarity of normalised titles, in per cent (`rapidfuzz.fuzz.ratio`)."""
SLIP = 0.70
"""Least similarity of two words, or two surnames of three letters or more, that differ by a slip of the pen."""
LARGEST_GAP = 3
"""Years further apart are not even listed."""
UNLIKE = 50.0
"""Below this, titles of one DOI have little in common (`rapidfuzz.fuzz.token_set_ratio`)."""

RULES = ("doi", "title", "preprint", "similar_title", "shortened_title", "by_hand")
"""Rules by which records are merged, the firmest first."""
REASONS = {
    "same_doi_other_title": "one DOI, but titles with little in common",
    "other_doi": "one title and author, but different DOIs",
    "conference_and_journal": "one title and author, an article and a conference paper or chapter",
    "other_place": "one title and author, but another venue, volume or first page",
    "other_year": "one title and author, but years apart or missing",
    "other_authors": "one title, venue and first page, but different first authors",
    "no_authors": "one title, but a record without authors and too little else in common",
    "shortened": "one title continues the other, and nothing else supports that they are one work",
    "differs_in_words": "titles of one author and year that differ in a word",
    "differs_in_number": "titles of one author and year that differ in a number",
    "fits_several": "fits several works of different DOIs equally well",
    "kept_apart": "would join records that must stay apart",
}
"""Why a pair is listed for decision."""
CONTRADICTIONS = ("same_doi_other_title", "other_doi", "conference_and_journal", "other_place", "differs_in_number")
"""Reasons for which the works of a pair are never joined, by whatever way round."""

_MEANINGFUL = (
    "a un non in im ir dis semi multi micro macro meso pre post hyper hypo inter intra over under sub super anti de re "
    "bi uni mono poly homo hetero auto co cyber bio nano mega neuro"
)
_PREFIXES = frozenset(_MEANINGFUL.split())
_ROMAN = frozenset({"i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"})
_PAPERS = ("conference", "chapter")
_CHUNK = 200_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rule says of a pair: merged by ``rule``, or listed for ``reason``; ``first`` < ``second`` by position.

    ``support`` counts what agrees besides (year, venue, first page, kind); ``similarity`` of titles is in per cent.
    """

    first: int
    second: int
    rule: str
    reason: str
    similarity: float
    support: int
    evidence: str


def judge_pairs(keys: Keys, *, merge_preprints: bool = True) -> list[Verdict]:
    """The verdict on every candidate pair that is merged or listed, in ascending order of positions."""
    pairs = find_candidates(keys, LARGEST_GAP)
    titles = np.array(keys.title, dtype=object)
    lengths = np.array([len(title) for title in keys.title])
    numbered = {doi: number for number, doi in enumerate(dict.fromkeys(doi for doi in keys.doi if doi))}
    doi = np.array([numbered.get(text, -1) for text in keys.doi])
    verdicts = []
    for at in range(0, len(pairs), _CHUNK):
        left, right = pairs[at : at + _CHUNK].T
        alike, begins = _similarities(titles, lengths, left, right)
        same_doi = (doi[left] == doi[right]) & (doi[left] >= 0)
        for n in np.flatnonzero(same_doi | (alike > 0) | (begins > 0)):
            verdict = _judge(keys, int(left[n]), int(right[n]), float(alike[n]), float(begins[n]), merge_preprints)
            if verdict is not None:
                verdicts.append(verdict)
    return verdicts


def _similarities(
    titles: np.ndarray, lengths: np.ndarray, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per cent by which titles are alike, and the beginning of the longer is like the shorter; 0 where too few."""
    both = (lengths[left] > 0) & (lengths[right] > 0)
    short = np.minimum(lengths[left], lengths[right])
    alike, begins = np.zeros(len(left), dtype="float32"), np.zeros(len(left), dtype="float32")
    # Titles of very different lengths cannot be alike.
    at = np.flatnonzero(both & (200 * short >= ALIKE * (lengths[left] + lengths[right])))
    if len(at):
        alike[at] = process.cpdist(titles[left[at]], titles[right[at]], scorer=fuzz.ratio, score_cutoff=ALIKE)
    at = np.flatnonzero(both & (short >= 20) & (alike < 100) & (lengths[left] != lengths[right]))
    if len(at):
        swap = lengths[left[at]] > lengths[right[at]]
        shorter = titles[np.where(swap, right[at], left[at])]
        longer = [text[:end] for text, end in zip(titles[np.where(swap, left[at], right[at])], short[at], strict=True)]
        begins[at] = process.cpdist(shorter, longer, scorer=fuzz.ratio, score_cutoff=ALIKE)
    return alike, begins


def _judge(keys: Keys, a: int, b: int, alike: float, begins: float, merge_preprints: bool) -> Verdict | None:
    title = _title_relation(keys, a, b, alike, begins)
    similarity = max(alike, begins) if title != "shortened" else begins
    author = _author_relation(keys, a, b)
    gap = abs(int(keys.year[a]) - int(keys.year[b])) if keys.year[a] >= 0 and keys.year[b] >= 0 else None
    venue = same_venue(keys.venue[a], keys.venue[b])
    page = keys.start[a] == keys.start[b] if keys.start[a] and keys.start[b] else None
    volumes = {keys.volume[a], keys.volume[b]} - {""}
    other_volume = len(volumes) == 2 and page is not True
    kinds = {keys.kind[a], keys.kind[b]}
    preprint = "preprint" in kinds
    support = (gap == 0) + (venue is True) + (page is True) + (len(kinds) == 1)
    evidence = _evidence(keys, a, b, title, similarity, author, gap, venue, page)

    def merge(rule: str) -> Verdict:
        return Verdict(a, b, rule, "", round(similarity, 1), int(support), evidence)

    def listed(reason: str) -> Verdict:
        return Verdict(a, b, "", reason, round(similarity, 1), int(support), evidence)

    if keys.doi[a] and keys.doi[a] == keys.doi[b]:
        apart = keys.title[a] and keys.title[b] and not title and (
            fuzz.token_set_ratio(keys.title[a], keys.title[b]) < UNLIKE
            or (kinds & {"book"} and kinds & {"chapter", "conference"} and alike == 0))  # fmt: skip
        return listed("same_doi_other_title") if apart else merge("doi")
    if not title:
        return None
    if title in ("other_words", "other_number"):
        close = author == "same" and gap == 0 and (alike >= 94 or title == "other_number")
        return listed("differs_in_words" if title == "other_words" else "differs_in_number") if close else None
    if is_generic(keys.title[a]) or is_generic(keys.title[b]):
        placed = page is True or (bool(keys.volume[a]) and keys.volume[a] == keys.volume[b] and page is None)
        if not (venue is True and placed and author != "other" and gap == 0) or title != "same":
            return None
    if author == "other":
        firm = title == "same" and gap == 0 and venue is True and page is True
        return listed("other_authors") if firm else None
    if keys.doi[a] and keys.doi[b]:
        if title == "shortened":
            return None
        if preprint and merge_preprints and author == "same" and gap is not None and gap <= 1:
            return merge("preprint")
        return listed("other_doi")
    if author == "unknown":
        firm = (title == "same" and gap == 0 and len(keys.words[a]) >= 5 and page is not False
                and (preprint or venue is True or page is True) and not other_volume)  # fmt: skip
        return merge("title") if firm and not _versions(kinds, venue, page) else listed("no_authors")
    backed = page is True or (venue is True and page is not False)
    if gap is None or gap > 1 or (gap == 1 and not (preprint or backed)):
        if title == "shortened":
            return listed("shortened") if gap in (None, 1) else None
        if gap is not None or not backed:
            return listed("other_year")
    if _versions(kinds, venue, page):
        return listed("conference_and_journal")
    if not preprint and ((venue is False and page is False) or other_volume):
        return listed("other_place")
    if title == "shortened":
        ended = min(len(keys.words[a]), len(keys.words[b])) in keys.breaks[a] | keys.breaks[b]
        firm = gap == 0 and (page is True or (ended and venue is True and page is None))
        return merge("shortened_title") if firm else listed("shortened")
    if title == "similar" and page is False and not preprint:
        return listed("other_place")
    if preprint and not merge_preprints and len(kinds) == 2:
        return listed("other_doi")
    return merge("preprint" if preprint and len(kinds) == 2 else "title" if title == "same" else "similar_title")


def _versions(kinds: set[str], venue: bool | None, page: bool | None) -> bool:
    """Whether the pair looks like a conference paper and its journal version."""
    return "article" in kinds and bool(kinds & set(_PAPERS)) and venue is not True and page is not True


def _title_relation(keys: Keys, a: int, b: int, alike: float, begins: float) -> str:
    """``same``, ``similar``, ``shortened``; ``other_words`` or ``other_number`` (alike but for these); or nothing."""
    one, two = keys.words[a], keys.words[b]
    if not one or not two:
        return ""
    if one == two:
        return "same"
    if alike >= ALIKE and words_agree(one, two):
        return "similar"
    if begins >= ALIKE + 4 and min(len(one), len(two)) >= 4:
        short, long = (one, two) if len(" ".join(one)) <= len(" ".join(two)) else (two, one)
        # The last word of a title that was cut off may be cut itself.
        cut = len(short)
        cut_word = long[cut - 1].startswith(short[-1]) and words_agree(short[:-1], long[: cut - 1])
        if cut_word or words_agree(short, long[:cut]):
            part = len(long) - cut <= 2 and any(_is_number(word) for word in long[cut:])
            return "other_number" if part else "shortened"
    if alike < ALIKE:
        return ""
    return "other_number" if _numbers(one) != _numbers(two) else "other_words"


def _is_number(word: str) -> bool:
    return word in _ROMAN or any(letter.isdigit() for letter in word)


def _numbers(words: tuple[str, ...]) -> list[str]:
    return sorted(word for word in words if _is_number(word))


def words_agree(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """Whether every word of each title has its counterpart in the other, up to slips of the pen.

    Numbers have no slips; neither have words that differ by a prefix (``supervised``, ``unsupervised``). Articles and
    prepositions may be missing, and words may be joined (``micro services``).
    """
    rest_one, rest_two = list((Counter(one) - Counter(two)).elements()), list((Counter(two) - Counter(one)).elements())
    if "".join(rest_one) == "".join(rest_two) or "".join(one) == "".join(two):
        return True
    for word in [word for word in rest_one if word not in STOP_WORDS]:
        fits = [(OSA.normalized_similarity(word, other), other) for other in rest_two if _is_slip(word, other)]
        if not fits:
            break
        rest_one.remove(word)
        rest_two.remove(max(fits)[1])
    for word in [word for word in rest_two if word not in STOP_WORDS]:  # a small word misspelt
        fits = [(OSA.normalized_similarity(word, other), other) for other in rest_one if _is_slip(word, other)]
        if fits:
            rest_two.remove(word)
            rest_one.remove(max(fits)[1])
    rest = [[word for word in words if word not in STOP_WORDS] for words in (rest_one, rest_two)]
    return "".join(rest[0]) == "".join(rest[1])


def _is_slip(one: str, two: str) -> bool:
    if _is_number(one) or _is_number(two):
        return False
    if min(len(one), len(two)) <= 3 and (one in STOP_WORDS or two in STOP_WORDS):
        return OSA.distance(one, two) <= 1
    if min(len(one), len(two)) < 4 or OSA.normalized_similarity(one, two) < SLIP:
        return False
    common = 0
    while common < min(len(one), len(two)) and one[-1 - common] == two[-1 - common]:
        common += 1
    heads = one[: len(one) - common], two[: len(two) - common]
    return not (common >= 4 and all(head in _PREFIXES or head == "" for head in heads))


def _author_relation(keys: Keys, a: int, b: int) -> str:
    """``same`` where the first author of one is among the authors of the other; ``unknown`` where one names none."""
    one, two = keys.surnames[a], keys.surnames[b]
    if not one or not two:
        return "unknown"
    if _is_among(one[0], keys.initials[a][0], two, keys.initials[b]) or _is_among(
        two[0], keys.initials[b][0], one, keys.initials[a]
    ):
        return "same"
    if min(len(one[0]), len(two[0])) >= 3 and OSA.normalized_similarity(one[0], two[0]) >= SLIP:
        return "same" if _compatible(keys.initials[a][0], keys.initials[b][0]) else "other"
    firsts = [keys.authors[n].split(";")[0] for n in (a, b)]
    return "same" if one[0] in name_words(firsts[1]) and two[0] in name_words(firsts[0]) else "other"


def _is_among(name: str, letters: frozenset[str], names: tuple[str, ...], others: tuple[frozenset[str], ...]) -> bool:
    """Whether an author of this surname, and of given names that may be these, is among the others."""
    return any(name == other and _compatible(letters, given) for other, given in zip(names, others, strict=True))


def _compatible(one: frozenset[str], two: frozenset[str]) -> bool:
    return not one or not two or not one.isdisjoint(two)


def _evidence(keys: Keys, a: int, b: int, title: str, similarity: float, author: str, gap: int | None,
              venue: bool | None, page: bool | None) -> str:  # fmt: skip
    """What agrees, in words for the log."""
    parts = []
    if keys.doi[a] and keys.doi[a] == keys.doi[b]:
        parts.append(f"DOI {keys.doi[a]}")
    elif keys.doi[a] and keys.doi[b]:
        parts.append(f"DOIs {keys.doi[a]} and {keys.doi[b]}")
    alike = f"titles {similarity:.0f} % alike"
    words = {"same": "title the same", "similar": alike, "shortened": "title cut short", "other_words": alike}
    words["other_number"] = "numbers in the titles differ"
    parts.append(words.get(title, "titles differ"))
    parts.append("year not stated" if gap is None else "year the same" if gap == 0 else f"years {gap} apart")
    parts.append({"same": "first author agrees", "other": "first authors differ"}.get(author, "authors not stated"))
    parts += [text for flag, text in ((venue, "venue agrees"), (page, "first page agrees")) if flag]
    return "; ".join(parts)
