"""The reviewed studies: are the records whole, and what do they say about themselves?

The tables are those of John, Olsson and Bosch (2021), §III-A and reference list; see
``data/literature/README.md`` for what was repaired in the reference list.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pandas as pd

from analysis.base.errors import InputError, Problem

KIND_NAMES = {"peer_reviewed": "Peer-reviewed", "grey": "Grey"}
"""Kinds of literature in the order in which they are shown, and as they are printed."""

_EXPECTED = {"peer_reviewed": ("authors", "year", "venue"), "grey": ("organisation", "url")}


def check_records(studies: pd.DataFrame) -> pd.DataFrame:
    """Check what no single column can show, and return the table unchanged.

    Parameters
    ----------
    studies : DataFrame
        ``literature/studies.csv``.

    Raises
    ------
    InputError
        A peer-reviewed study without authors, year or venue; a grey one without organisation or
        address; a study id that does not hold its reference number; a repeated reference number,
        key or label. All violations are listed.
    """
    where = studies.attrs.get("source", "studies")
    problems = [
        Problem(
            f"{where}:{line}, column '{name}'",
            f"empty for a {KIND_NAMES[kind].lower()} study",
            "add it from the source",
        )
        for kind, names in _EXPECTED.items()
        for name in names
        for line in studies.index[(studies["kind"] == kind) & studies[name].isna()]
    ]
    mismatched = studies.index[studies["study"] != "S" + studies["reference"].astype("string")]
    problems += [
        Problem(f"{where}:{line}", "the study id does not hold the reference number", "write S and the number")
        for line in mismatched
    ]
    for name in ("reference", "bibkey", "label"):
        repeated = studies.index[studies[name].duplicated(keep=False)]
        if len(repeated):
            problems.append(
                Problem(
                    f"{where}, lines {', '.join(map(str, repeated))}",
                    f"the same {name} twice",
                    "tell the studies apart",
                )
            )
    if problems:
        raise InputError("The records of the reviewed studies are not whole.", problems)
    return studies


def compute_record_counts(studies: pd.DataFrame) -> pd.DataFrame:
    """How many studies of each kind, and how many name authors, a year, a venue.

    Returns
    -------
    DataFrame
        Index ``kind``, peer-reviewed first: ``studies``, ``with_authors``, ``with_year``,
        ``with_venue`` and ``organisations`` (how many different ones; counts).
    """
    named = studies.assign(**{f"with_{name}": studies[name].notna() for name in ("authors", "year", "venue")})
    counts = named.groupby("kind").agg(
        studies=("study", "size"),
        with_authors=("with_authors", "sum"),
        with_year=("with_year", "sum"),
        with_venue=("with_venue", "sum"),
        organisations=("organisation", "nunique"),
    )
    return counts.reindex(pd.Index(list(KIND_NAMES), name="kind"), fill_value=0)


def compute_address_fit(studies: pd.DataFrame) -> pd.DataFrame:
    """Hold the addresses of the grey documents against the review's own rules (§III-A).

    The review admits documents under ``.com`` in PDF format and excludes blogs. An address shows
    the domain for certain, the format and the kind of site only where it names them.

    Returns
    -------
    DataFrame
        One row a grey study: ``study``, ``organisation``, ``host``, ``com_domain``, ``names_pdf``,
        ``blog_host`` (booleans). Index as in ``studies``.
    """
    grey = studies[studies["kind"] == "grey"]
    hosts = grey["url"].map(lambda url: urlsplit(url).hostname or "").astype("string")
    return pd.DataFrame(
        {
            "study": grey["study"],
            "organisation": grey["organisation"],
            "host": hosts,
            "com_domain": hosts.str.endswith(".com"),
            "names_pdf": grey["url"].str.contains("pdf", case=False),
            "blog_host": hosts.str.contains("blog"),
        },
        index=grey.index,
    )


def build_study_table(studies: pd.DataFrame, load: pd.DataFrame) -> pd.DataFrame:
    """The table of reviewed studies as printed.

    Parameters
    ----------
    studies : DataFrame
        ``literature/studies.csv``.
    load : DataFrame
        `analysis.literature.evidence.compute_study_load`.

    Returns
    -------
    DataFrame
        Columns Ref., Study, Title, Kind, Activities, Preconditions; peer-reviewed first.
    """
    merged = studies.merge(load[["study", "activities", "preconditions"]], on="study", validate="one_to_one")
    return pd.DataFrame(
        {
            "Ref.": "[" + merged["reference"].astype("string") + "]",
            "Study": merged["label"],
            "Title": merged["title"],
            "Kind": merged["kind"].map(KIND_NAMES),
            "Activities": merged["activities"],
            "Preconditions": merged["preconditions"],
        }
    )
