"""Tables of the literature room: the review's studies and framework, and the coding of the documents."""

from __future__ import annotations

from analysis.base.schemas.spec import TableSpec, column

_STUDY = r"S\d{2}"
_PIPELINES = ("data", "model", "release", "across")
_STUDY_REFERENCE = ("literature/studies.csv", "study")
CODE = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_SEGMENT = r"[TDJPM]\d{4}"
_DOCUMENT_REFERENCE = ("literature/documents.csv", "document")

LITERATURE: tuple[TableSpec, ...] = (
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
            "code": column("string", "Code", pattern=CODE),
            "parent": column("string", "Code above it; empty for a theme", nullable=True, pattern=CODE),
            "name": column("string", "Name as printed"),
            "definition": column("string", "When it applies, in our words"),
            "example": column("string", "Made-up example"),
            "theme": column("string", "Topmost code above it, or itself", pattern=CODE),
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
            "code": column("string", "Code", pattern=CODE),
            "coder": column("string", "Pass: A first, B second", allowed=("A", "B")),
            "date": column("string", "Day of the pass", pattern=r"\d{4}-\d{2}-\d{2}"),
        },
        {"segment": ("literature/segments.csv", "segment"), "code": ("literature/codebook.csv", "code")},
    ),
    TableSpec(
        "literature/findings.csv",
        "A finding of the qualitative synthesis",
        ("finding",),
        {
            "finding": column("string", "Finding", pattern=r"F\d{2}"),
            "topic": column(
                "string",
                "What it is about",
                allowed=("practice", "challenge", "opportunity", "efficiency", "theory"),
            ),
            "statement": column("string", "The finding, in our words"),
        },
    ),
    TableSpec(
        "literature/finding_segments.csv",
        "A coded passage that a finding rests on, or that limits it",
        ("finding", "segment"),
        {
            "finding": column("string", "Finding"),
            "segment": column("string", "Segment", pattern=_SEGMENT),
            "stance": column("string", "What the passage does for the finding", allowed=("supports", "limits")),
        },
        {"finding": ("literature/findings.csv", "finding"), "segment": ("literature/segments.csv", "segment")},
    ),
)
