"""Every table of the workbench in one place: columns, dtypes, units, allowed values, keys.

A `TableSpec` is looked up by the table's file under ``data/``. The data dictionary in the thesis'
appendix is generated from this module (`analysis.reporting.appendix`), and `analysis.base.tables`
refuses a file that departs from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandera.pandas as pa


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table.

    Attributes
    ----------
    file : str
        Path under ``data/``, POSIX slashes.
    title : str
        What one row is.
    key : tuple of str
        Columns that together identify a row.
    columns : mapping of str to pandera.Column
        Built with `column`; order is the order in the file.
    references : mapping of str to (str, str)
        Column → (file, column) whose values it must be among.
    """

    file: str
    title: str
    key: tuple[str, ...]
    columns: Mapping[str, pa.Column]
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def schema(self) -> pa.DataFrameSchema:
        """The pandera schema: strict, coercing, unique on the key."""
        return pa.DataFrameSchema(dict(self.columns), name=self.file, strict=True, coerce=True, unique=list(self.key))


def column(
    dtype: str,
    description: str,
    *,
    unit: str = "",
    allowed: Sequence[str] = (),
    nullable: bool = False,
    low: float | None = None,
    high: float | None = None,
    pattern: str = "",
) -> pa.Column:
    """One column: pandas dtype, what it means, unit, allowed values, bounds.

    ``dtype`` is a nullable pandas dtype: ``string``, ``Int64``, ``Float64`` or ``boolean``.
    An empty cell is a missing value and is refused unless ``nullable``.
    """
    checks = []
    if allowed:
        checks.append(pa.Check.isin(list(allowed), error=f"one of: {', '.join(allowed)}"))
    if low is not None:
        checks.append(pa.Check.ge(low, error=f"at least {low:g}"))
    if high is not None:
        checks.append(pa.Check.le(high, error=f"at most {high:g}"))
    if pattern:
        checks.append(pa.Check.str_matches(rf"^(?:{pattern})\Z", error=f"text like {pattern}"))
    metadata = {"unit": unit, "allowed": tuple(allowed), "low": low, "high": high}
    return pa.Column(dtype, checks, nullable=nullable, description=description, metadata=metadata)


# ---- literature ------------------------------------------------------------------------------

_STUDY = r"S\d{2}"
_PIPELINES = ("data", "model", "release", "across")
_STUDY_REFERENCE = ("literature/studies.csv", "study")

_LITERATURE: tuple[TableSpec, ...] = (
    TableSpec(
        "literature/studies.csv",
        "A reviewed study",
        ("study",),
        {
            "study": column("string", "Study: S and the reference number", pattern=_STUDY),
            "reference": column("Int64", "Number in the paper's reference list", low=23, high=43),
            "bibkey": column("string", "Key in the bibliography", pattern=r"[a-z0-9_]+"),
            "kind": column("string", "Literature it belongs to", allowed=("peer_reviewed", "grey")),
            "authors": column("string", "Authors as printed, separated by semicolons", nullable=True),
            "organisation": column("string", "Organisation behind a grey document", nullable=True),
            "label": column("string", "Short name used in tables and figures"),
            "title": column("string", "Title"),
            "year": column("Int64", "Year of publication, where printed", nullable=True, low=2015, high=2021),
            "venue": column("string", "Venue, pages and publisher, where printed", nullable=True),
            "url": column("string", "Web address as printed", nullable=True, pattern=r"https?://\S+"),
        },
    ),
    TableSpec(
        "literature/search_protocol.csv",
        "One fact about how the review searched and chose",
        ("item",),
        {
            "item": column("string", "Name of the fact", pattern=r"[a-z_]+"),
            "arm": column("string", "Systematic (SLR) or grey (GLR) arm", allowed=("SLR", "GLR", "both")),
            "kind": column(
                "string",
                "Sort of fact",
                allowed=("query", "period", "source", "inclusion", "exclusion", "appraisal", "count"),
            ),
            "statement": column("string", "What the fact is about, or the rule"),
            "value": column("string", "Value; empty where it is not published in text", nullable=True),
            "status": column(
                "string", "Where the value can be found", allowed=("published", "picture_only", "not_published")
            ),
            "locator": column("string", "Section or figure of the paper"),
        },
    ),
    TableSpec(
        "literature/activities.csv",
        "An activity of the framework",
        ("activity",),
        {
            "activity": column("string", "Activity", pattern=r"[a-z_]+"),
            "pipeline": column("string", "Pipeline, or across all of them", allowed=_PIPELINES),
            "position": column("Int64", "Order within the pipeline", low=1),
            "name": column("string", "Short name"),
            "definition": column("string", "What is done, in our words"),
            "locator": column("string", "Section of the paper"),
        },
    ),
    TableSpec(
        "literature/activity_studies.csv",
        "A citation of a study for an activity",
        ("activity", "study"),
        {
            "activity": column("string", "Activity"),
            "study": column("string", "Study cited", pattern=_STUDY),
            "cited_for": column("string", "What the citation is attached to"),
            "locator": column("string", "Section of the paper"),
        },
        {"activity": ("literature/activities.csv", "activity"), "study": _STUDY_REFERENCE},
    ),
    TableSpec(
        "literature/maturity_stages.csv",
        "A stage of the maturity model",
        ("stage",),
        {
            "stage": column("Int64", "Stage, in order", low=1),
            "name": column("string", "Name of the stage"),
            "from_state": column("string", "What a company leaves behind"),
            "to_state": column("string", "What it gains"),
            "locator": column("string", "Section of the paper"),
        },
    ),
    TableSpec(
        "literature/preconditions.csv",
        "A precondition of a stage",
        ("precondition",),
        {
            "precondition": column("string", "Precondition: P, stage, position", pattern=r"P\d\.\d{1,2}"),
            "stage": column("Int64", "Stage that it belongs to", low=1),
            "position": column("Int64", "Order within the stage", low=1),
            "name": column("string", "Short name"),
            "text": column("string", "The precondition, in our words"),
            "locator": column("string", "Section of the paper"),
        },
        {"stage": ("literature/maturity_stages.csv", "stage")},
    ),
    TableSpec(
        "literature/precondition_studies.csv",
        "A citation of a study for a precondition",
        ("precondition", "study"),
        {
            "precondition": column("string", "Precondition"),
            "study": column("string", "Study cited", pattern=_STUDY),
            "locator": column("string", "Section of the paper"),
        },
        {"precondition": ("literature/preconditions.csv", "precondition"), "study": _STUDY_REFERENCE},
    ),
    TableSpec(
        "literature/companies.csv",
        "A case company and its place in the maturity model",
        ("company",),
        {
            "company": column("string", "Case company", pattern=r"[A-Z]"),
            "sector": column("string", "Sector"),
            "use_case": column("string", "Use case studied, in our words"),
            "practitioners": column("Int64", "Practitioners listed", unit="persons", low=1),
            "lower_stage": column("Int64", "Stage, or the lower one of two", low=1),
            "upper_stage": column("Int64", "Stage, or the upper one of two", low=1),
            "reason": column("string", "Reason given for the place, in our words"),
            "still_missing": column("string", "What the company is still working towards, in our words"),
            "locator": column("string", "Sections of the paper"),
        },
        {
            "lower_stage": ("literature/maturity_stages.csv", "stage"),
            "upper_stage": ("literature/maturity_stages.csv", "stage"),
        },
    ),
)

# ---- survey ----------------------------------------------------------------------------------

_QUESTION = r"Q[1-9]"
_QUESTION_REFERENCE = ("survey/questionnaire.csv", "question")

_SURVEY: tuple[TableSpec, ...] = (
    TableSpec(
        "survey/study_facts.csv",
        "A fact about how the survey was run",
        ("fact",),
        {
            "fact": column("string", "What the fact is about", pattern=r"[a-z_]+"),
            "number": column("Int64", "Its number, where it is one", nullable=True, low=0),
            "text": column("string", "The fact in words; 'not published' where the source is silent"),
            "locator": column("string", "Place in the source"),
        },
    ),
    TableSpec(
        "survey/questionnaire.csv",
        "A question that was asked",
        ("question",),
        {
            "question": column("string", "Question number in the source", pattern=_QUESTION),
            "wording": column("string", "The question in this project's words"),
            "kind": column(
                "string",
                "Form of the answer",
                allowed=("single_choice", "ordered_choice", "yes_no", "agreement", "feeling", "open"),
            ),
            "options": column("Int64", "Number of answers to choose from", unit="answers", nullable=True, low=2),
            "construct": column("string", "What the question is about, in a word or two"),
            "published": column(
                "string",
                "How far the answers are published",
                allowed=("counts", "partial_counts", "percent_only", "picture_only", "nothing"),
            ),
            "published_what": column("string", "What exactly is published"),
            "locator": column("string", "Place in the source"),
        },
    ),
    TableSpec(
        "survey/published_counts.csv",
        "An answer to choose from, with what is printed about it",
        ("question", "position"),
        {
            "question": column("string", "Question number in the source", pattern=_QUESTION),
            "position": column("Int64", "Place of the answer in its question; ordered answers rise", low=1, high=9),
            "option": column("string", "The answer in this project's words"),
            "count": column("Int64", "Respondents, as printed", unit="respondents", nullable=True, low=0),
            "printed_percent": column(
                "string", "Percentage, digit for digit as printed", unit="%", nullable=True, pattern=r"\d{1,3}(\.\d+)?"
            ),
            "status": column(
                "string",
                "What the source gives: the count, a percentage alone, only a chart, or nothing",
                allowed=("counts", "percent_only", "picture_only", "not_mentioned"),
            ),
            "locator": column("string", "Place in the source"),
        },
        references={"question": _QUESTION_REFERENCE},
    ),
    TableSpec(
        "survey/published_claims.csv",
        "A published statement that another passage, or the lack of numbers, puts in doubt",
        ("claim",),
        {
            "claim": column("string", "Claim number of this project", pattern=r"C\d{2}"),
            "statement": column("string", "What the source says, in this project's words"),
            "place": column("string", "Where it says so"),
            "value": column("Int64", "Its number, where it has one", nullable=True),
            "against": column("string", "What stands against it"),
            "against_place": column("string", "Where that stands"),
            "against_value": column("Int64", "Its number, where it has one", nullable=True),
            "kind": column(
                "string",
                "two_passages: cannot both hold; reconcilable: differ but can both hold; question_differs: reported "
                "otherwise than asked; no_numbers: nothing published to check it; overstated: more than the data say",
                allowed=("two_passages", "reconcilable", "question_differs", "no_numbers", "overstated"),
            ),
            "reading": column("string", "How this project reads it, or what would settle it"),
        },
    ),
)

# ----------------------------------------------------------------------------------------------

TABLES: dict[str, TableSpec] = {spec.file: spec for spec in (*_LITERATURE, *_SURVEY)}
"""Every table, by its file under ``data/``."""
