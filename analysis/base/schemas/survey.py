"""Tables of the survey room."""

from __future__ import annotations

from analysis.base.schemas.spec import TableSpec, column

_QUESTION = r"Q[1-9]"
_QUESTION_REFERENCE = ("survey/questionnaire.csv", "question")

SURVEY: tuple[TableSpec, ...] = (
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
