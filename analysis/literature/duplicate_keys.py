"""What records are compared by: normalised titles, surnames, venues and pages; and which pairs are worth comparing.

Comparing every pair of 20,000 records is two hundred million comparisons. `find_candidates` names the pairs that could
be one work at all: those that share a DOI, a title, some of the rarest words of their titles, or the first author's
surname within a year. It depends on the set of records alone, never on their order.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from rapidfuzz import fuzz

RARE_WORDS = 5
"""How many of a title's rarest words it is looked up by."""
COMMON = 60
"""A word in more titles than this is looked up together with another one."""
LARGEST_BLOCK = 400
"""Words shared by more records than this tell nothing; the other ways find these pairs."""
_BATCH = 2_000_000

_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
_SMALL_WORDS = (
    "a an the of for in on and or with to by via from at as its is are be using use towards toward into over under "
    "how what why do does can der die das und la le les de des et el los"
)
STOP_WORDS = frozenset(_SMALL_WORDS.split())
_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md", "dr", "prof"})
_GENERIC = re.compile(
    r"(?:guest )?editorial(?: board| note)?|preface|foreword|introduction|message from .*|.*table of contents|index|"
    r"(?:front|back) (?:matter|cover)|committees?|welcome.*|call for papers|corrigendum|erratum|correction|book review|"
    r"letters? to the editor|author index|title page|copyright(?: page)?|conclusions?|keynote.*|reviewers?|news"
)


def normalise_title(title: object) -> str:
    """Letters and digits in small form without accents, everything else a single blank.

    >>> normalise_title("Étude: MLOps & CI/CD—a “Survey”")
    'etude mlops and ci cd a survey'
    """
    if not isinstance(title, str):
        return ""
    text = _fold(title.replace("&", " and "))
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text).split())


@lru_cache(maxsize=100_000)
def _fold(text: str) -> str:
    text = text.casefold()
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def is_generic(title: str) -> bool:
    """Whether a normalised title can belong to many works: editorials, prefaces, and titles of one or two words."""
    return len(title) < 12 or title.count(" ") < 2 or bool(_GENERIC.fullmatch(title))


def surnames(authors: object) -> tuple[str, ...]:
    """The last word of each author's surname, folded; umlauts written as two vowels are one.

    >>> surnames("van der Aalst, W. M. P.; M. Schröder; Schroeder M.; García-Márquez, G.; Li Wei")
    ('aalst', 'schroder', 'schroder', 'marquez', 'wei')
    """
    if not isinstance(authors, str):
        return ()
    return tuple(name for author in authors.split(";") if (name := _surname(author.strip())))


@lru_cache(maxsize=200_000)
def _surname(author: str) -> str:
    before, comma, _ = author.partition(",")
    words = [word for word in re.split(r"[\s\-‐]+", before) if word.strip(".'’").casefold() not in _SUFFIXES]
    if not words:
        return ""
    if not comma and len(words) > 1 and re.fullmatch(r"(?:[^\W\d_]\.?){1,4}", words[-1]) and words[-1].isupper():
        while len(words) > 1 and re.fullmatch(r"(?:[^\W\d_]\.?){1,4}", words[-1]) and words[-1].isupper():
            words.pop()
    return _fold_name(words[-1])


def _fold_name(word: str) -> str:
    letters = "".join(letter for letter in _fold(word) if letter.isalnum())
    return re.sub(r"(?<!q)ue", "u", letters.replace("ae", "a").replace("oe", "o"))


def initials(authors: object) -> tuple[frozenset[str], ...]:
    """For each author of `surnames` the first letters of the given names; none where only a surname stands there.

    >>> [sorted(letters) for letters in initials("Silva, R. F.; Wei Zhang; Smith AB; Plato")]
    [['f', 'r'], ['w'], ['a', 'b'], []]
    """
    if not isinstance(authors, str):
        return ()
    return tuple(_initials(author.strip()) for author in authors.split(";") if _surname(author.strip()))


@lru_cache(maxsize=200_000)
def _initials(author: str) -> frozenset[str]:
    before, comma, after = author.partition(",")
    surname = _surname(author)
    if comma:
        given = re.split(r"[\s.\-‐]+", after)
    else:
        words = re.split(r"[\s\-‐]+", before)
        given = [part for word in words if _surname(word) != surname for part in word.split(".")]
    letters: set[str] = set()
    for part in given:
        if part and part.casefold() not in _SUFFIXES:
            letters.update(_fold(part) if part.isupper() and len(part) <= 3 else _fold(part)[:1])
    return frozenset(letters)


def title_breaks(title: str) -> frozenset[int]:
    """After how many words of the normalised title punctuation stands: where a subtitle may begin.

    >>> sorted(title_breaks("Towards MLOps: A Framework - and more"))
    [2, 4]
    """
    places, count = set(), 0
    for part in re.split(r"[:;.?!–—|]|\s-\s", title)[:-1]:
        count += len(normalise_title(part).split())
        places.add(count)
    return frozenset(places)


def name_words(author: str) -> frozenset[str]:
    """Every word of a name but initials, folded as surnames are: for names whose parts were swapped."""
    return frozenset(_fold_name(word) for word in re.split(r"[\s,.\-‐]+", author) if len(word) > 1)


def first_page(pages: object) -> str:
    """Where a work begins: ``334`` of ``334-341``; nothing for page 1, where any paper of its own may begin."""
    if not isinstance(pages, str):
        return ""
    start = pages.split("-")[0].strip().casefold().lstrip("0")
    return "" if start in ("", "1") else start


@lru_cache(maxsize=100_000)
def same_venue(first: str, second: str) -> bool | None:
    """Whether two venues are one; None where either is not stated.

    The same words, one within the other, or an abbreviation whose words begin the other's words in order
    (``J. Mach. Learn. Res.``). Years and ordinals are left out.
    """
    one, two = _venue_words(first), _venue_words(second)
    if not one or not two:
        return None
    if one == two or fuzz.ratio(" ".join(one), " ".join(two)) >= 90:
        return True
    short, long = sorted((one, two), key=lambda words: (len(" ".join(words)), words))
    if len(short) > 1 and set(short) <= set(long):
        return True
    if len(short) == 1 and len(short[0]) >= 4 and short[0] in long:  # eScience in "Conference on eScience"
        return len(long) == 1 or short[0] not in ("international", "journal", "conference", "systems", "software")
    if len(short) > 1 and len(short) == len(long):
        return all(b.startswith(a[:3]) and (b.startswith(a) or len(a) >= 4) for a, b in zip(short, long, strict=True))
    return len(short) == 1 and short[0] == "".join(word[0] for word in long)


@lru_cache(maxsize=50_000)
def _venue_words(venue: str) -> tuple[str, ...]:
    words = normalise_title(venue).split()
    drop = STOP_WORDS | {"proceedings", "proc", "annual", "ieee", "acm"}
    kept = [w for w in words if w not in drop and not re.fullmatch(r"\d+(?:[a-z]{2})?", w)]
    return tuple(kept or [w for w in words if w in ("ieee", "acm")])


@dataclass(frozen=True)
class Keys:
    """The table as what is compared: lists by position, in the order of record ids."""

    record: list[str]
    title: list[str]
    words: list[tuple[str, ...]]
    breaks: list[frozenset[int]]
    authors: list[str]
    surnames: list[tuple[str, ...]]
    initials: list[tuple[frozenset[str], ...]]
    year: np.ndarray
    doi: list[str]
    venue: list[str]
    volume: list[str]
    start: list[str]
    kind: list[str]

    def __len__(self) -> int:
        return len(self.record)


def build_keys(records: pd.DataFrame) -> Keys:
    """`Keys` of a table of records; a missing year is -1."""
    ordered = records.sort_values("record")

    def texts(name: str) -> list[str]:
        return ["" if text is pd.NA or text is None or text != text else str(text) for text in ordered[name]]

    titles = [normalise_title(title) for title in texts("title")]
    return Keys(
        record=texts("record"),
        title=titles,
        words=[tuple(title.split()) for title in titles],
        breaks=[title_breaks(title) for title in texts("title")],
        authors=texts("authors"),
        surnames=[surnames(text) for text in texts("authors")],
        initials=[initials(text) for text in texts("authors")],
        year=ordered["year"].fillna(-1).to_numpy(dtype="int64"),
        doi=texts("doi"),
        venue=texts("venue"),
        volume=["".join(re.findall(r"\d+", text)) or text.casefold() for text in texts("volume")],
        start=[first_page(text) for text in texts("pages")],
        kind=texts("kind"),
    )


def find_candidates(keys: Keys, largest_gap: int) -> np.ndarray:
    """Pairs (i, j), i < j, that could be one work: an array of two columns in ascending order.

    Parameters
    ----------
    keys : Keys
    largest_gap : int
        Years further apart are no candidates, unless the DOI is the same.
    """
    size = len(keys)
    found: list[np.ndarray] = []
    pending: list[np.ndarray] = []
    waiting = 0

    def add(left: np.ndarray, right: np.ndarray) -> None:
        nonlocal waiting
        low, high = np.minimum(left, right), np.maximum(left, right)
        gap = np.abs(keys.year[low] - keys.year[high])
        near = (low != high) & ((gap <= largest_gap) | (keys.year[low] < 0) | (keys.year[high] < 0))
        pending.append(low[near] * size + high[near])
        waiting += len(pending[-1])
        if waiting > _BATCH:
            found.append(_distinct(pending))
            pending.clear()
            waiting = 0

    for block in _blocks(enumerate(keys.doi)):
        left, right = np.triu_indices(len(block), 1) if len(block) <= 30 else _star(len(block))
        pending.append(block[left] * size + block[right])

    by_title = _blocks(enumerate(keys.title))
    for block in by_title:
        if len(block) <= LARGEST_BLOCK:
            left, right = np.triu_indices(len(block), 1)
            add(block[left], block[right])

    first = ((n, names[0], year) for n, (names, year) in enumerate(zip(keys.surnames, keys.year, strict=True)) if names)
    for block in _blocks((n, (name, year + late)) for n, name, year in first if year >= 0 for late in (0, 1)):
        if len(block) <= 4 * LARGEST_BLOCK:
            left, right = np.triu_indices(len(block), 1)
            add(block[left], block[right])

    _add_by_words(keys, add)
    found += pending
    pairs = _distinct(found) if found else np.empty(0, dtype="int64")
    return np.stack([pairs // size, pairs % size], axis=1) if size else np.empty((0, 2), dtype="int64")


def _distinct(parts: list[np.ndarray]) -> np.ndarray:
    """All numbers in ascending order, each once; `numpy.unique` hashes them, which takes several times as long."""
    numbers = np.sort(np.concatenate(parts))
    return numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])] if len(numbers) else numbers


def _add_by_words(keys: Keys, add) -> None:
    """Pairs by rare words: looked up by each of them that few titles have, and by two of those that many have."""
    words = [sorted({w for w in title if w not in STOP_WORDS and len(w) > 1}) for title in keys.words]
    frequency = Counter(word for title in words for word in title)
    holders: dict[str, list[int]] = defaultdict(list)
    asked: dict[str, list[int]] = defaultdict(list)
    together: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, title in enumerate(words):
        ranked = sorted((word for word in title if frequency[word] > 1), key=lambda word: (frequency[word], word))
        for word in title:
            if 1 < frequency[word] <= COMMON:
                holders[word].append(number)
        for word in ranked[:RARE_WORDS]:
            if frequency[word] <= COMMON:
                asked[word].append(number)
        for pair in combinations([word for word in ranked if frequency[word] > COMMON][: RARE_WORDS + 1], 2):
            together[tuple(sorted(pair))].append(number)
    for word, numbers in asked.items():
        left, right = np.array(numbers), np.array(holders[word])
        add(np.repeat(left, len(right)), np.tile(right, len(left)))
    for numbers in together.values():
        if 1 < len(numbers) <= LARGEST_BLOCK:
            block = np.array(numbers)
            left, right = np.triu_indices(len(block), 1)
            add(block[left], block[right])


def _blocks(items: Iterable[tuple[int, object]]) -> list[np.ndarray]:
    """Positions by equal value, of values that two or more have; empty values do not count."""
    groups: dict[object, list[int]] = defaultdict(list)
    for number, value in items:
        if value:
            groups[value].append(number)
    return [np.array(sorted(set(numbers))) for numbers in groups.values() if len(numbers) > 1]


def _star(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Each with the first: enough to join a large block, as merging is transitive."""
    return np.zeros(size - 1, dtype="int64"), np.arange(1, size)
