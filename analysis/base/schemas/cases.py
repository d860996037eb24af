"""Tables of the cases room: companies, and what the documents say of them, on the framework and the maturity model."""

from __future__ import annotations

from analysis.base.schemas.spec import TableSpec, column

_CASE = r"[ABCR]|X\d"
_CASES = ("cases/cases.csv", "case")

CASES: tuple[TableSpec, ...] = (
    TableSpec(
        "cases/cases.csv",
        "A company that a document tells of",
        ("case",),
        {
            "case": column("string", "Case: the document's letter, or ours", pattern=_CASE),
            "document": column("string", "Document that tells of it"),
            "name_in_source": column("string", "What the document calls it"),
            "label": column("string", "Short name used in tables and figures"),
            "sector": column("string", "Sector; empty where it is not published", nullable=True),
            "use_case": column("string", "What learning is used for; empty where it is not published", nullable=True),
            "practitioners": column("Int64", "People of the company whom the document met", unit="people", low=1),
            "company": column("string", "Row of the published placements, where there is one", nullable=True),
            "context": column("string", "What is known of it, in our words"),
            "locator": column("string", "Place in the document"),
            "placement_segment": column("string", "Passage that places it on the maturity model", nullable=True),
        },
        {
            "document": ("literature/documents.csv", "document"),
            "company": ("literature/companies.csv", "company"),
            "placement_segment": ("literature/segments.csv", "segment"),
        },
    ),
    TableSpec(
        "cases/case_people.csv",
        "A person or group that speaks for a case",
        ("case", "participant"),
        {
            "case": column("string", "Case", pattern=_CASE),
            "participant": column("string", "Participant"),
            "sets": column(
                "string", "Sets of interviews that list the person there", nullable=True, pattern=r"[123](;[123])*"
            ),
            "note": column("string", "What is unclear", nullable=True),
        },
        {"case": _CASES, "participant": ("literature/participants.csv", "participant")},
    ),
    TableSpec(
        "cases/case_evidence.csv",
        "A passage about a case, coded on an activity, a precondition, or both",
        ("evidence",),
        {
            "evidence": column("string", "Evidence number of this project", pattern=r"E\d{3}"),
            "case": column("string", "Case", pattern=_CASE),
            "activity": column("string", "Activity of the framework that it bears on", nullable=True),
            "precondition": column("string", "Precondition of the maturity model that it bears on", nullable=True),
            "status": column(
                "string",
                "present: in place; partial: said to be in place in part, or with trouble; planned: intended or wished "
                "for; absent: said to be lacking; absent_before: lacking before a change; empty: it bears on neither",
                allowed=("present", "partial", "planned", "absent", "absent_before"),
                nullable=True,
            ),
            "outcome": column(
                "string",
                "success: it worked or got better, or the document counts it in the company's favour; failure: it did "
                "not work, or made trouble; gap: said to be missing still, or then; neutral: none of these is said",
                allowed=("success", "failure", "gap", "neutral"),
            ),
            "placement_reason": column(
                "string", "Whether the document gives it as a reason for its placement", allowed=("yes", "no")
            ),
            "statement": column("string", "What the passage says of the case, in our words"),
            "segment": column("string", "Coded passage"),
        },
        {
            "case": _CASES,
            "activity": ("literature/activities.csv", "activity"),
            "precondition": ("literature/preconditions.csv", "precondition"),
            "segment": ("literature/segments.csv", "segment"),
        },
    ),
)
