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
_CODE = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_SEGMENT = r"[TDJPM]\d{4}"
_DOCUMENT_REFERENCE = ("literature/documents.csv", "document")

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
    TableSpec(
        "literature/documents.csv",
        "A document that was coded",
        ("document",),
        {
            "document": column("string", "Document: its key in the bibliography", pattern=r"[a-z]+\d{4}"),
            "title": column("string", "Title"),
            "kind": column(
                "string",
                "Sort of document",
                allowed=("proposal", "masters_thesis", "doctoral_thesis", "conference_paper", "repository_record"),
            ),
            "sha256": column("string", "SHA-256 of the bytes of the text file", pattern=r"[0-9a-f]{64}"),
            "characters": column("Int64", "Length of the text", unit="characters", low=1),
            "note": column("string", "What the text lacks"),
        },
    ),
    TableSpec(
        "literature/participants.csv",
        "A person or group that a document interviewed",
        ("participant",),
        {
            "participant": column("string", "Participant", pattern=r"[TDJ]-[A-Z]\d{1,2}"),
            "document": column("string", "Document that interviewed the participant"),
            "name_in_source": column("string", "Name or names that the document uses, separated by semicolons"),
            "kind": column(
                "string", "One person, a group, or words given to no one", allowed=("person", "group", "unattributed")
            ),
            "role": column("string", "Role as published", nullable=True),
            "role_group": column(
                "string",
                "Group of roles, formed by us",
                nullable=True,
                allowed=("data", "software", "product", "management", "research", "mixed", "other"),
            ),
            "company": column("string", "Company or sector as published", nullable=True),
            "experience": column("string", "Experience as published (years)", nullable=True, pattern=r"\d{1,2}\*?"),
            "sets": column("string", "Sets of interviews taken part in", nullable=True, pattern=r"[123](?:;[123])*"),
            "note": column("string", "What the document leaves unclear", nullable=True),
        },
        {"document": _DOCUMENT_REFERENCE},
    ),
    TableSpec(
        "literature/codebook.csv",
        "A code",
        ("code",),
        {
            "code": column("string", "Code", pattern=_CODE),
            "parent": column("string", "Code above it; empty for a theme", nullable=True, pattern=_CODE),
            "name": column("string", "Name as printed"),
            "definition": column("string", "When it applies, in our words"),
            "example": column("string", "Made-up example"),
            "theme": column("string", "Topmost code above it, or itself", pattern=_CODE),
            "origin": column(
                "string",
                "Taken over from a source before coding, or formed by us while reading",
                allowed=("deductive", "inductive"),
            ),
            "source": column("string", "Document that it was taken from, or first met in"),
            "locator": column("string", "Section or table of that document"),
            "version": column("string", "Version of the codebook that brought the code", pattern=r"\d+\.\d+"),
        },
        {"source": _DOCUMENT_REFERENCE},
    ),
    TableSpec(
        "literature/segments.csv",
        "A coded passage",
        ("segment",),
        {
            "segment": column("string", "Segment: letter of the document and a number", pattern=_SEGMENT),
            "document": column("string", "Document"),
            "locator": column("string", "Section or table; for a quotation also the interviewee as printed"),
            "start": column("Int64", "First character, counted from 0", unit="characters", low=0),
            "end": column("Int64", "Character after the last", unit="characters", low=1),
            "participant": column("string", "Who speaks; empty for the author", nullable=True),
            "kind": column("string", "Sort of passage", allowed=("quotation", "statement", "table_row", "question")),
            "paraphrase": column("string", "What it says, in our words"),
        },
        {"document": _DOCUMENT_REFERENCE, "participant": ("literature/participants.csv", "participant")},
    ),
    TableSpec(
        "literature/codings.csv",
        "A code given to a segment by a coder",
        ("segment", "code", "coder"),
        {
            "segment": column("string", "Segment", pattern=_SEGMENT),
            "code": column("string", "Code", pattern=_CODE),
            "coder": column("string", "Pass: A first, B second", allowed=("A", "B")),
            "date": column("string", "Day of the pass", pattern=r"\d{4}-\d{2}-\d{2}"),
        },
        {"segment": ("literature/segments.csv", "segment"), "code": ("literature/codebook.csv", "code")},
    ),
)

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
        "reason": column("string", "Code", pattern=_CODE),
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
        "role": column(
            "string", "Own reading, or settling of a disagreement", allowed=("reading", "adjudication")
        ),
        "decision": column("string", "Decision", allowed=("include", "exclude", "unsure")),
        "reason": column("string", "Code of the reason; for exclusions only", nullable=True, pattern=_CODE),
        "date": column("string", "Day of the decision", pattern=r"\d{4}-\d{2}-\d{2}"),
        "note": column("string", "Anything else", nullable=True),
    },
)
"""The four tables of screening (`analysis.literature.ledger`)."""

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
        "survey/published_figures.csv",
        "A number that a source prints about its respondents, interviewees or instruments, and that another can check",
        ("figure",),
        {
            "figure": column("string", "Figure number of this project", pattern=r"F\d{2}"),
            "source": column("string", "Bibliography key", allowed=("dusengimana2023", "talele2024")),
            "group": column("string", "Who or what is counted; figures of a group must agree", pattern=r"[a-z0-9_]+"),
            "form": column(
                "string",
                "size: how many the group has; share: count of n of the group; part: one of the parts that make it up; "
                "fraction: a fraction of n of the group",
                allowed=("size", "share", "part", "fraction"),
            ),
            "fact": column("string", "What the figure says; figures of one fact must agree", pattern=r"[a-z0-9_]+"),
            "statement": column("string", "What the source says, in this project's words"),
            "count": column("Int64", "The count, or the size", nullable=True, low=0),
            "n": column("Int64", "Of how many, where it is printed", nullable=True, low=1),
            "fraction": column("string", "The fraction, such as 1/2", nullable=True, pattern=r"\d+/\d+"),
            "locator": column("string", "Place in the source"),
        },
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

# ---- events ----------------------------------------------------------------------------------

EVENT_TYPES: dict[str, str] = {
    "change.committed": "the first commit of a change was made",
    "change.created": "a change was proposed, such as a pull request opened",
    "change.reviewed": "somebody reviewed it; outcome: success if approved",
    "change.merged": "it reached the main line",
    "change.abandoned": "it was given up",
    "service.deployed": "a version went into an environment, carrying the change; outcome: failure if it never got there",
    "service.rolledback": "an earlier version serves again; cause: the deployment taken back",
    "incident.detected": "users suffer and somebody noticed; cause: the deployment to blame, where known",
    "incident.resolved": "they no longer do",
    "pipelinerun.finished": "an automated pipeline came to its end",
    "testsuiterun.finished": "automated tests came to their end",
    "taskrun.finished": "another automated step came to its end",
    "step.done": "a person did a step; value: hours waited for it",
    "labelling.finished": "labels were made by people; value: hours it took",
    "dataset.changed": "data came or went; change: the batch",
    "dataset.validated": "data were checked",
    "training.started": "a training began",
    "training.finished": "a training came to its end; value: seconds of computing",
    "evaluation.finished": "a model was evaluated; value: its quality",
    "model.promoted": "a model was put into use",
    "model.rejected": "a model was refused",
    "drift.detected": "a monitor saw the input change",
    "observation.recorded": "production as it really was from then on; value: quality, target: what is asked of it; "
    "outcome: failure if below the service level",
    "degradation.started": "production fell below its service level, in truth",
    "degradation.ended": "it came back",
}
"""Types of the event table → what happened to the subject. Names are those of CDEvents where it has one."""

EVENTS = TableSpec(
    "an event log",
    "An event, once for each change that it carries",
    ("source", "id", "change"),
    {
        "source": column("string", "Log, repository or system that says so"),
        "id": column("string", "Id of the event, unique in its source"),
        "time": column("datetime64[us, UTC]", "When it happened"),
        "type": column("string", "What happened", allowed=tuple(EVENT_TYPES)),
        "subject": column("string", "What it happened to: id of the change, deployment, incident, run or model"),
        "service": column("string", "Service concerned", nullable=True),
        "environment": column("string", "Environment concerned, such as production", nullable=True),
        "change": column("string", "A change that it carries or is about", nullable=True),
        "outcome": column("string", "How it ended", allowed=("success", "failure"), nullable=True),
        "cause": column("string", "Subject of the event that it answers or comes from", nullable=True),
        "value": column("Float64", "Its measure, where the type has one", nullable=True),
        "target": column("Float64", "What is asked of the measure", nullable=True),
    },
)
"""What KPIs are computed from, whichever source it comes from. A deployment of three changes is three rows with one id;
a row without change is a deployment whose changes are not known."""

# ---- kpi -------------------------------------------------------------------------------------

_DORA_METRICS = ("deployments_per_week", "lead_time_commit_h", "mttr_h", "recovery_time_h", "change_fail_rate")

_KPI: tuple[TableSpec, ...] = (
    TableSpec(
        "kpi/dora_levels.csv",
        "A level of performance, as a yearly report of DORA describes it for one metric",
        ("year", "metric", "level"),
        {
            "year": column("Int64", "Year of the report", low=2019, high=2024),
            "metric": column("string", "Metric, as this project's tables call it", allowed=_DORA_METRICS),
            "level": column("string", "Level", allowed=("elite", "high", "medium", "low")),
            "published": column("string", "Answer that stands for the level, as printed"),
            "kind": column("string", "A range of answers, or the centre of the cluster", allowed=("range", "centre")),
            "low": column("Float64", "Where the range begins; in the metric's unit", nullable=True, low=0),
            "high": column("Float64", "Where it ends, itself excluded; empty: nowhere", nullable=True, low=0),
            "centre": column("Float64", "Centre of the cluster; in the metric's unit", nullable=True, low=0, high=1),
            "source": column("string", "Report"),
            "locator": column("string", "Place in the report"),
            "seen_in": column(
                "string",
                "Where it was checked: in the report itself, or in what several others print of it",
                allowed=("report", "secondary"),
            ),
        },
    ),
    TableSpec(
        "kpi/ml_metrics.csv",
        "A metric of the delivery and operation of models, as this project defines it",
        ("key",),
        {
            "key": column("string", "Key in tables of metrics, with its unit as suffix", pattern="[a-z][a-z0-9_]*"),
            "name": column("string", "Name as printed"),
            "definition": column("string", "What it is, in words"),
            "formula": column("string", "How it is computed from the event table"),
            "unit": column("string", "Unit", allowed=("h", "share", "s")),
            "better": column(
                "string", "Which direction is better, where one is", allowed=("higher", "lower"), nullable=True
            ),
            "missing": column("string", "What happens to what is unfinished or not known"),
            "source": column("string", "Where the definition comes from: this thesis, or a bibliography key"),
        },
    ),
    TableSpec(
        "kpi/repositories.csv",
        "An open repository that was read",
        ("repository",),
        {
            "repository": column("string", "Its name"),
            "address": column("string", "Where it is found", pattern=r"https://\S+"),
            "commit": column("string", "Commit up to which it was read", pattern="[0-9a-f]{40}"),
            "branch": column("string", "Its main line"),
            "commits": column("Int64", "Commits read", unit="commits", low=1),
            "releases": column("Int64", "Release tags that count as deployments", unit="releases", low=1),
            "changes": column("Int64", "Commits with a lead time", unit="commits", low=0),
            "first_event": column("string", "Day of the first event", pattern=r"\d{4}-\d{2}-\d{2}"),
            "last_event": column("string", "Day of the last event", pattern=r"\d{4}-\d{2}-\d{2}"),
            "recorded": column("string", "Day on which it was read", pattern=r"\d{4}-\d{2}-\d{2}"),
        },
    ),
    TableSpec(
        "kpi/repository_metrics.csv",
        "A metric of an open repository under one reading of what failed",
        ("repository", "reading", "metric"),
        {
            "repository": column("string", "Its name"),
            "reading": column("string", "What counts as a failure"),
            "metric": column("string", "Metric", pattern="[a-z0-9_]+"),
            "value": column("Float64", "Estimate; empty where the history sets none", nullable=True),
            "low": column("Float64", "Lower bound of its 95 % interval", nullable=True),
            "high": column("Float64", "Upper bound", nullable=True),
            "n": column("Int64", "Changes, deployments or recoveries behind it", low=0),
            "unit": column("string", "Unit", allowed=("h", "1/week", "share")),
            "method": column("string", "How estimate and interval were computed", nullable=True),
            "note": column("string", "What was left out, or why there is no value", nullable=True),
        },
        {"repository": ("kpi/repositories.csv", "repository")},
    ),
    TableSpec(
        "kpi/repository_lead_times.csv",
        "A percentile of the lead times of an open repository",
        ("repository", "percentile"),
        {
            "repository": column("string", "Its name"),
            "percentile": column("Int64", "Share of changes that took no longer", unit="%", low=0, high=100),
            "lead_h": column("Float64", "Hours from the first commit to the release", unit="h", low=0),
        },
        {"repository": ("kpi/repositories.csv", "repository")},
    ),
)

# ----------------------------------------------------------------------------------------------

TABLES: dict[str, TableSpec] = {spec.file: spec for spec in (*_LITERATURE, *_SURVEY, *_KPI)}
"""Every table, by its file under ``data/``."""
