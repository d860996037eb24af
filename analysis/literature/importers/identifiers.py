"""Identifiers in one form: DOI, ISSN, ISBN, year; and what marks a preprint."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?=(?:[01]\d[0-3]\d)?(?!\d))")
_ISBN = re.compile(r"(?<![\dXx-])(97[89](?:[- ]?\d){10}|\d(?:[- ]?\d){8}[- ]?[\dXx])(?![\d-])")
_ISSN = re.compile(r"(?<![\dXx-])(\d{4})[-‐–]?(\d{3}[\dXx])(?![\dXx-])")

PREPRINT_DOIS = re.compile(
    r"10\.(?:48550/arxiv|2139/ssrn|21203/rs|20944/preprints|36227/techrxiv|26434/chemrxiv|22541/au|33774/coe|"
    r"31234/osf|31219/osf|31235/osf|7287/peerj\.preprints|1101/\d|64898/\d)"
)
"""Registrants' prefixes of preprint servers. 10.1101 is Cold Spring Harbor's too, whose journals' DOIs have letters."""
_SERVERS = re.compile(
    r"\b(?:arxiv|biorxiv|medrxiv|chemrxiv|techrxiv|psyarxiv|socarxiv|engrxiv|ssrn|research square|preprints\.org|"
    r"preprints?|corr|osf preprints)\b",
    re.IGNORECASE,
)
_SERVER_HOSTS = re.compile(r"^https?://(?:[\w-]+\.)*(?:arxiv|biorxiv|medrxiv|chemrxiv|techrxiv|preprints)\.org/", re.I)


def find_doi(text: str) -> str | None:
    """The first DOI in ``text``: lower case, without resolver, label, LaTeX escapes and trailing punctuation.

    DOIs are compared without regard to case (DOI handbook, §2.4). The version of an arXiv, bioRxiv or medRxiv
    preprint (``v2``) is dropped, since all versions are one work.

    >>> find_doi(r"https://doi.org/10.1007/978-3-030-92127-9%5F33. ")
    '10.1007/978-3-030-92127-9_33'
    """
    text = html.unescape(text).replace("\\", "").replace("\u200b", "").strip()
    if "%" in text:
        text = unquote(text)
    found = _DOI.search(re.sub(r"^(?i:doi\s*:?\s*)", "", text).replace("{", "").replace("}", ""))
    if not found:
        return None
    doi = re.split(r"\s|[\"»”]|\[doi\]|;(?=10\.)|,(?=10\.)", found.group().casefold())[0]
    if "http" in doi:
        doi = re.split(r"[;,|]?https?:", doi)[0]
    doi = doi.rstrip(".,;:'/|")
    for opening, closing in ("()", "[]", "<>"):
        while doi.endswith(closing) and doi.count(closing) > doi.count(opening):
            doi = doi[:-1].rstrip(".,;:'")
    if re.match(r"10\.(?:48550/arxiv|1101/\d)", doi):
        doi = re.sub(r"v\d+(?:\.full(?:\.pdf|-text)?)?$", "", doi)
    return doi if _DOI.fullmatch(doi) else None


def find_year(text: str) -> int | None:
    """The first year from 1500 to 2099: in ``1 Jan.-Feb. 2019``, ``2018//`` or ``20170812``.

    >>> find_year("Start date: 20170812")
    2017
    """
    found = _YEAR.search(text)
    return int(found.group(1)) if found else None


def find_isbns(text: str) -> list[str]:
    """ISBNs as digits, in order, each once. Ten- and thirteen-digit numbers are kept as they are."""
    found = [re.sub(r"[- ]", "", isbn).upper() for isbn in _ISBN.findall(text.replace("–", "-"))]
    return list(dict.fromkeys(found))


def find_issns(text: str) -> list[str]:
    """ISSNs as ``1234-567X``, in order, each once; digits that belong to an ISBN are no ISSN."""
    rest = _ISBN.sub(" ", text.replace("–", "-"))
    return list(dict.fromkeys(f"{first}-{last.upper()}" for first, last in _ISSN.findall(rest)))


def is_preprint(doi: object, venue: object, url: object) -> bool:
    """Whether DOI, venue or address belong to a preprint server. A DOI of another publisher means that it is not."""
    if isinstance(doi, str):
        return bool(PREPRINT_DOIS.match(doi))
    if isinstance(venue, str) and venue:
        return bool(_SERVERS.search(venue))
    return isinstance(url, str) and bool(_SERVER_HOSTS.match(url))
