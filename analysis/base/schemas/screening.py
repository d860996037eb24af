"""Tables of a literature review in progress: records, screening decisions and their reasons."""

from __future__ import annotations

from analysis.base.schemas.literature import CODE
from analysis.base.schemas.spec import TableSpec, column

RECORDS = TableSpec(
    "bibliographic records",
    "A record of a work, as one database exports it",
    ("record",),
    {
        "record": column("string", "Record: R and a digest of what it says", pattern=r"R[0-9a-f]{12}(-\d+)?"),
        "database": column("string", "Database it was found in, or 'not stated'"),
        "file": column("string", "File it was read from"),
        "line": column("Int64", "Line where it begins there", low=1),
        "kind": column(
            "string",
            "Kind of work",
            allowed=(
                "article", "conference", "chapter", "book", "preprint", "thesis", "report", "web", "dataset",
                "software", "patent", "other", "not_stated",
            ),
        ),
        "title": column("string", "Title, without markup", nullable=True),
        "authors": column("string", "Authors as the source writes them, separated by semicolons", nullable=True),
        "year": column("Int64", "Year of publication", nullable=True, low=1500, high=2099),
        "venue": column("string", "Journal, proceedings, book or series", nullable=True),
        "volume": column("string", "Volume", nullable=True),
        "issue": column("string", "Issue", nullable=True),
        "pages": column("string", "Pages with plain hyphens, or article number", nullable=True),
        "doi": column("string", "DOI, lower case, without resolver", nullable=True, pattern=r"10\.\d{4,9}\S*/\S+"),
        "issn": column("string", "ISSNs, separated by semicolons", nullable=True),
        "isbn": column("string", "ISBNs, digits only, separated by semicolons", nullable=True),
        "url": column("string", "Address", nullable=True),
        "abstract": column("string", "Abstract", nullable=True),
        "keywords": column("string", "Keywords, separated by semicolons", nullable=True),
        "language": column("string", "Language", nullable=True),
        "raw_id": column("string", "The source's own identifier or key", nullable=True),
    },
)  # fmt: skip
"""What searches export, before and after removing duplicates."""

_SCREENING_STAGE = ("title_abstract", "full_text", "quality")

SCREENING_SOURCES = TableSpec(
    "screening sources",
    "A place that was searched",
    ("database",),
    {
        "database": column("string", "Its name, as in the column 'database' of the records"),
        "kind": column(
            "string",
            "Kind of place; the first two make the arm of databases and registers, the others that of other methods",
            allowed=("database", "register", "website", "organisation", "citation_searching", "other_method"),
        ),
    },
)
SCREENING_REASONS = TableSpec(
    "screening reasons",
    "A reason to exclude at a stage; the order of the rows is their precedence",
    ("reason", "stage"),
    {
        "reason": column("string", "Code", pattern=CODE),
        "stage": column("string", "Stage at which it may be given", allowed=_SCREENING_STAGE),
        "kind": column(
            "string",
            "Rule of the review, or a text that could not be had (full text only)",
            allowed=("criterion", "not_retrieved"),
        ),
        "statement": column("string", "The rule, as printed"),
    },
)
SCREENING_ASSIGNMENTS = TableSpec(
    "screening assignments",
    "A record that a reviewer is to read at a stage",
    ("record", "stage", "reviewer"),
    {
        "record": column("string", "Record"),
        "stage": column("string", "Stage", allowed=_SCREENING_STAGE),
        "reviewer": column("string", "Who reads it"),
    },
)
SCREENING_LEDGER = TableSpec(
    "screening ledger",
    "A decision on a record at a stage",
    (),  # a reviewer who decides twice is reported with the equation that this breaks
    {
        "record": column("string", "Record"),
        "stage": column("string", "Stage", allowed=_SCREENING_STAGE),
        "reviewer": column("string", "Who decided"),
        "role": column("string", "Own reading, or settling of a disagreement", allowed=("reading", "adjudication")),
        "decision": column("string", "Decision", allowed=("include", "exclude", "unsure")),
        "reason": column("string", "Code of the reason; for exclusions only", nullable=True, pattern=CODE),
        "date": column("string", "Day of the decision", pattern=r"\d{4}-\d{2}-\d{2}"),
        "note": column("string", "Anything else", nullable=True),
    },
)
"""The four tables of screening (`analysis.literature.ledger`)."""
