"""Tables of the requirements room: the form of `talele2024` and what it rests on; challenges and solutions."""

from __future__ import annotations

from analysis.base.schemas.spec import TableSpec, column

_ITEM = r"B?P\d"
_QUESTION = r"R\d{2}"
_CHANGE = r"C[23]\.\d{2}"
_WISH = r"W\d{2}"
_CHALLENGE = r"CH\d{2}"
_SOLUTION = r"SO\d{2}"
_ROLES = r"[a-z_]+(;[a-z_]+)*"
_SEGMENT = ("literature/segments.csv", "segment")
_CODE = ("literature/codebook.csv", "code")
_PARTICIPANT = ("literature/participants.csv", "participant")
_VERSION = ("requirements/versions.csv", "version")
_QUESTIONS = ("requirements/questions.csv", "question")
_ITEMS = ("requirements/items.csv", "item")

FORM_ROLES: dict[str, str] = {
    "business_stakeholder": "Business stakeholder",
    "product_owner": "Product owner",
    "data_scientist": "Data scientist",
    "data_engineer": "Data engineer",
    "software_engineer": "Software engineer",
    "devops_engineer": "DevOps engineer",
    "mlops_engineer": "MLOps engineer",
    "it_architect": "IT architect",
    "domain_expert": "Domain expert",
    "legal": "Legal",
}
"""Roles that the form asks, and as printed."""

REQUIREMENTS: tuple[TableSpec, ...] = (
    TableSpec(
        "requirements/items.csv",
        "A problem or best practice that the form answers",
        ("item",),
        {
            "item": column("string", "Number in the source: P for a problem, BP for a best practice", pattern=_ITEM),
            "kind": column("string", "Which of the two", allowed=("problem", "best_practice")),
            "name": column("string", "Short name"),
            "code": column("string", "Its code in the codebook"),
            "statement": column("string", "What it says, in our words"),
            "locator": column("string", "Place in the source"),
        },
        {"code": _CODE},
    ),
    TableSpec(
        "requirements/sources.csv",
        "A source that is cited for a problem or best practice",
        ("source",),
        {
            "source": column("string", "Source: name and year as cited", pattern=r"[a-z]+(\d{4}|_nd)"),
            "cited_as": column("string", "As the text cites it"),
            "listed": column(
                "string",
                "Whether the reference list has it: with this year, with another, without one, or not at all",
                allowed=("listed", "other_year", "undated", "not_listed"),
            ),
            "listed_year": column("Int64", "Year in the reference list", nullable=True, low=1900, high=2024),
            "listed_title": column("string", "Title in the reference list", nullable=True),
            "note": column("string", "What is unclear", nullable=True),
        },
    ),
    TableSpec(
        "requirements/item_sources.csv",
        "A citation of a source for a problem or best practice",
        ("item", "source", "place"),
        {
            "item": column("string", "Problem or best practice", pattern=_ITEM),
            "source": column("string", "Source cited"),
            "place": column("string", "Where it is cited: prose, or traceability table", allowed=("text", "table")),
            "locator": column("string", "Section or table"),
        },
        {"item": _ITEMS, "source": ("requirements/sources.csv", "source")},
    ),
    TableSpec(
        "requirements/versions.csv",
        "A version of the form",
        ("version",),
        {
            "version": column("Int64", "Version", low=1, high=3),
            "cycle": column("Int64", "Design cycle that made it", low=1, high=3),
            "made_from": column("string", "What it was made from"),
            "interviews": column("Int64", "Set of interviews that went into it", nullable=True, low=1, high=3),
            "published_as": column("string", "Tables and figures that show it"),
            "evaluated_in": column("string", "Section that judges it"),
            "evaluators": column("Int64", "People listed for that set of interviews", unit="people", low=1),
            "note": column("string", "What is unclear"),
        },
    ),
    TableSpec(
        "requirements/questions.csv",
        "A question of the form, in any version",
        ("question",),
        {
            "question": column("string", "Question number of this project", pattern=_QUESTION),
            "stage": column("string", "Part of the form", allowed=("scoping", "data", "modeling", "deployment")),
            "name": column("string", "Short name"),
            "wording": column("string", "What is asked, in our words"),
            "examples": column("string", "Answers that the form gives as examples, in our words; by semicolons"),
        },
    ),
    TableSpec(
        "requirements/form_questions.csv",
        "A question in a version of the form",
        ("version", "question"),
        {
            "version": column("Int64", "Version of the form", low=1, high=3),
            "question": column("string", "Question", pattern=_QUESTION),
            "position": column("Int64", "Place in its part of the form", low=1),
            "roles": column("string", "Roles to be asked, by semicolons", pattern=_ROLES),
            "locator": column("string", "Table, and row where rows are counted"),
            "segment": column("string", "Coded passage; empty where the version was not coded", nullable=True),
        },
        {"version": _VERSION, "question": _QUESTIONS, "segment": _SEGMENT},
    ),
    TableSpec(
        "requirements/item_questions.csv",
        "A question that the source derives from a problem or best practice",
        ("item", "question"),
        {
            "item": column("string", "Problem or best practice", pattern=_ITEM),
            "question": column("string", "Question", pattern=_QUESTION),
            "locator": column("string", "Place in Table 5.1"),
            "segment": column("string", "Coded passage"),
        },
        {"item": _ITEMS, "question": _QUESTIONS, "segment": _SEGMENT},
    ),
    TableSpec(
        "requirements/changes.csv",
        "A change from one version of the form to the next, as published",
        ("change",),
        {
            "change": column("string", "C, version that has the change, row of the table", pattern=_CHANGE),
            "version": column("Int64", "Version that has it", low=2, high=3),
            "question": column("string", "Question", pattern=_QUESTION),
            "kind": column("string", "What changed", allowed=("added", "deleted", "roles_changed")),
            "by": column("string", "Who is named as the cause", allowed=("interviewees", "author")),
            "replaces": column("string", "Question that it takes the place of", nullable=True),
            "locator": column("string", "Row of Table 5.2 or 5.3"),
            "segment": column("string", "Coded passage"),
        },
        {"version": _VERSION, "question": _QUESTIONS, "replaces": _QUESTIONS, "segment": _SEGMENT},
    ),
    TableSpec(
        "requirements/change_interviewees.csv",
        "An interviewee whom the source names for a change",
        ("change", "name_in_source"),
        {
            "change": column("string", "Change", pattern=_CHANGE),
            "name_in_source": column("string", "Interviewee as printed", pattern=r"ID\d+(\.\d)?"),
            "participant": column("string", "Interviewee", pattern=r"T-P\d{2}"),
        },
        {"change": ("requirements/changes.csv", "change"), "participant": _PARTICIPANT},
    ),
    TableSpec(
        "requirements/wishes.csv",
        "A change of the form that somebody wished for when a version was judged",
        ("wish",),
        {
            "wish": column("string", "Wish number of this project", pattern=_WISH),
            "version": column("Int64", "Version that was judged", low=1, high=3),
            "statement": column("string", "The wish, in our words"),
            "voices": column("Int64", "How many the text says had it; empty: not said", nullable=True, low=1),
            "participant": column("string", "Who had it, where the text names one", nullable=True),
            "outcome": column(
                "string",
                "adopted: a change answers it; refused: the author says no; deferred: left to later work; no_change: a "
                "later version exists and does not answer it; no_later_version: the last version was judged",
                allowed=("adopted", "refused", "deferred", "no_change", "no_later_version"),
            ),
            "reason": column("string", "Reason, where one is given, or what was done instead", nullable=True),
            "locator": column("string", "Sections"),
            "segment": column("string", "Coded passage"),
        },
        {"version": _VERSION, "participant": _PARTICIPANT, "segment": _SEGMENT},
    ),
    TableSpec(
        "requirements/wish_changes.csv",
        "A change that answers a wish, as we read it",
        ("wish", "change"),
        {
            "wish": column("string", "Wish", pattern=_WISH),
            "change": column("string", "Change", pattern=_CHANGE),
        },
        {"wish": ("requirements/wishes.csv", "wish"), "change": ("requirements/changes.csv", "change")},
    ),
    TableSpec(
        "requirements/solutions.csv",
        "A solution in the tables of challenges",
        ("solution",),
        {
            "solution": column("string", "Solution number of this project", pattern=_SOLUTION),
            "name": column("string", "The solution, in our words"),
            "code": column("string", "Its code in the codebook"),
            "locator": column("string", "Place in the source"),
            "note": column("string", "What is lost or unclear", nullable=True),
        },
        {"code": _CODE},
    ),
    TableSpec(
        "requirements/challenges.csv",
        "A challenge with the solution that the source sets beside it",
        ("challenge",),
        {
            "challenge": column("string", "Challenge number of this project", pattern=_CHALLENGE),
            "category": column(
                "string", "Category, which is a table", allowed=("organisational", "ml_system", "operational")
            ),
            "topic": column(
                "string",
                "Part of the table, where it has parts",
                allowed=("data_management", "model_development", "model_deployment"),
                nullable=True,
            ),
            "name": column("string", "The challenge, in our words"),
            "code": column("string", "Its code in the codebook"),
            "solution": column("string", "Solution beside it; empty where the text has lost it", nullable=True),
            "pairing": column(
                "string",
                "How the pair is known: one row; the same number in two lists; the same place in them, where a number "
                "is lost; or not at all, because the solution is lost",
                allowed=("same_row", "same_number", "same_place", "lost"),
            ),
            "locator": column("string", "Place in the source"),
            "note": column("string", "What is lost or unclear", nullable=True),
        },
        {"code": _CODE, "solution": ("requirements/solutions.csv", "solution")},
    ),
    TableSpec(
        "requirements/challenge_segments.csv",
        "A coded passage that is a row, or a cell, of the tables of challenges",
        ("challenge", "segment"),
        {
            "challenge": column("string", "Challenge", pattern=_CHALLENGE),
            "part": column("string", "What the passage holds", allowed=("challenge", "solution", "both")),
            "segment": column("string", "Coded passage"),
        },
        {"challenge": ("requirements/challenges.csv", "challenge"), "segment": _SEGMENT},
    ),
)
