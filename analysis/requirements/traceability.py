"""From problem or best practice over source and question to version, change and interviewee, and back.

Links are those that the source publishes (its Tables 5.1–5.3). One link is ours: a question that takes the place of a
deleted one carries on that one's problem or best practice, and is marked as inherited.
"""

from __future__ import annotations

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.requirements.form import Form

KIND_NAMES = {"problem": "Problem", "best_practice": "Best practice", "interviewee": "Interviewee named for a change"}
"""Column groups of the matrix, and as printed."""


def compute_item_links(form: Form) -> pd.DataFrame:
    """Which question answers which problem or best practice.

    Returns
    -------
    DataFrame
        ``item``, ``question``, ``inherited`` (False: Table 5.1 says so; True: through the question that it replaces).
    """
    direct = form.item_questions[["item", "question"]].assign(inherited=False)
    replaced = form.changes.loc[form.changes["replaces"].notna(), ["question", "replaces"]]
    passed_on = replaced.merge(direct[["item", "question"]], left_on="replaces", right_on="question")
    passed_on = passed_on[["item", "question_x"]].rename(columns={"question_x": "question"}).assign(inherited=True)
    return pd.concat([direct, passed_on], ignore_index=True).drop_duplicates(["item", "question"], ignore_index=True)


def compute_traces(form: Form) -> pd.DataFrame:
    """Where every question comes from and what became of it.

    Returns
    -------
    DataFrame
        One row a question, in the order of ``questions``: ``question``, ``stage``, ``name``, ``items``, ``inherited``
        (whether only through the question that it replaces), ``sources`` (as Table 5.1 cites them for the items),
        ``first`` and ``last`` (versions), ``changes``, ``participants`` (named for any of its changes) and
        ``by_author`` (a change that the author made unasked). Lists are tuples.
    """
    links = compute_item_links(form)
    cited = form.item_sources[form.item_sources["place"] == "table"]
    named = form.change_interviewees.groupby("change")["participant"].agg(tuple).to_dict()
    rows = []
    for question in form.questions.itertuples():
        own = links[links["question"] == question.question]
        versions = form.form_questions.loc[form.form_questions["question"] == question.question, "version"]
        changes = form.changes[form.changes["question"] == question.question]
        rows.append(
            {
                "question": question.question,
                "stage": question.stage,
                "name": question.name,
                "items": tuple(own["item"]),
                "inherited": bool(len(own) and own["inherited"].all()),
                "sources": tuple(dict.fromkeys(cited.loc[cited["item"].isin(own["item"]), "source"])),
                "first": int(versions.min()),
                "last": int(versions.max()),
                "changes": tuple(changes["change"]),
                "participants": tuple(sorted({p for change in changes["change"] for p in named.get(change, ())})),
                "by_author": bool((changes["by"] == "author").any()),
            }
        )
    return pd.DataFrame(rows)


def trace_question(form: Form, question: str) -> pd.DataFrame:
    """The whole way of one question, one row a step, for reading.

    Returns
    -------
    DataFrame
        ``step`` (``item``, ``source``, ``version``, ``wish``, ``change``, ``interviewee``), ``key``, ``what``,
        ``locator``, ``segment`` (missing where the step has none). A wish is one that a change of the question answers.

    Raises
    ------
    InputError
        The form has no such question.
    """
    if question not in set(form.questions["question"]):
        known = f"{form.questions['question'].min()} to {form.questions['question'].max()}"
        raise InputError(f"The form has no question '{question}'.", [Problem("question", "not known", f"use {known}")])
    links = compute_item_links(form)
    links = links[links["question"] == question]
    items = form.items[form.items["item"].isin(links["item"])]
    own = form.item_questions.set_index(["item", "question"])["segment"]
    steps = [("item", row.item, row.name, row.locator, own.get((row.item, question))) for row in items.itertuples()]
    cited = form.item_sources[form.item_sources["item"].isin(items["item"]) & (form.item_sources["place"] == "table")]
    names = form.sources.set_index("source")["cited_as"]
    steps += [
        ("source", row.source, names[row.source], f"{row.locator}, {row.item}", None) for row in cited.itertuples()
    ]
    asked = form.form_questions[form.form_questions["question"] == question]
    steps += [("version", str(row.version), row.roles, row.locator, row.segment) for row in asked.itertuples()]
    changes = form.changes[form.changes["question"] == question]
    answered = form.wish_changes.loc[form.wish_changes["change"].isin(changes["change"]), "wish"]
    wishes = form.wishes[form.wishes["wish"].isin(answered)]
    steps += [("wish", row.wish, row.statement, row.locator, row.segment) for row in wishes.itertuples()]
    steps += [("change", row.change, row.kind, row.locator, row.segment) for row in changes.itertuples()]
    people = form.change_interviewees[form.change_interviewees["change"].isin(changes["change"])]
    steps += [("interviewee", row.participant, row.name_in_source, row.change, None) for row in people.itertuples()]
    trace = pd.DataFrame(steps, columns=["step", "key", "what", "locator", "segment"])
    return trace.astype({"segment": "string"})


def compute_coverage(form: Form) -> pd.DataFrame:
    """What leads nowhere: every kind of gap, how often, and where.

    Returns
    -------
    DataFrame
        ``gap`` (key), ``meaning``, ``count``, ``of`` (how many there could be), ``which`` (tuple of ids).
    """
    links, traces = compute_item_links(form), compute_traces(form)
    asked = traces[traces["last"] == form.last_version]
    tabled = set(form.item_sources.loc[form.item_sources["place"] == "table", "item"])
    in_table = form.item_sources[form.item_sources["place"] == "table"]["source"].unique()
    unlisted = form.sources[form.sources["listed"] == "not_listed"]["source"]
    cited_anywhere = form.item_sources["source"].unique()
    without_item = asked[asked["items"].str.len() == 0]
    named = set(form.change_interviewees["change"])
    wished = set(form.wish_changes["change"])
    gaps = [
        ("items_without_question", "Problems and best practices without a question",
         _missing(form.items["item"], links["item"]), len(form.items)),
        ("items_without_source", "Problems and best practices without a source in Table 5.1",
         _missing(form.items["item"], tabled), len(form.items)),
        ("questions_without_item", "Questions of the last version without a problem or best practice",
         tuple(without_item["question"]), len(asked)),
        ("questions_inherited", "Questions of the last version with one only through a question that they replace",
         tuple(asked.loc[asked["inherited"], "question"]), len(asked)),
        ("questions_without_origin", "Questions of the last version with neither that nor an interviewee",
         tuple(without_item.loc[without_item["participants"].str.len() == 0, "question"]), len(asked)),
        ("changes_without_interviewee", "Changes without an interviewee",
         _missing(form.changes["change"], named), len(form.changes)),
        ("changes_without_wish", "Changes that no reported wish asks for",
         _missing(form.changes["change"], wished), len(form.changes)),
        ("wishes_without_change", "Wishes to a version with a successor that no change answers",
         tuple(form.wishes.loc[form.wishes["outcome"].isin(["no_change", "refused", "deferred"])
                               & (form.wishes["version"] < form.last_version), "wish"]),
         int((form.wishes["version"] < form.last_version).sum())),
        ("sources_not_listed", "Sources cited but not in the reference list",
         tuple(s for s in cited_anywhere if s in set(unlisted)), len(cited_anywhere)),
        ("table_sources_not_listed", "Sources of Table 5.1 not in the reference list",
         tuple(s for s in in_table if s in set(unlisted)), len(in_table)),
    ]  # fmt: skip
    return pd.DataFrame(
        {"gap": key, "meaning": meaning, "count": len(which), "of": of, "which": which}
        for key, meaning, which, of in gaps
    )


def compute_source_fit(form: Form) -> pd.DataFrame:
    """Whether prose and traceability table cite the same sources for a problem or best practice.

    Returns
    -------
    DataFrame
        One row an item: ``item``, ``name``, ``text``, ``table``, ``shared`` (tuples of sources), ``fit`` (``same``,
        ``partial``, ``disjoint``) and ``not_listed`` (those of either that the reference list lacks).
    """
    unlisted = set(form.sources.loc[form.sources["listed"] == "not_listed", "source"])
    rows = []
    for item in form.items.itertuples():
        own = form.item_sources[form.item_sources["item"] == item.item]
        text, table = (tuple(own.loc[own["place"] == place, "source"]) for place in ("text", "table"))
        shared = tuple(source for source in text if source in table)
        fit = "same" if set(text) == set(table) else "partial" if shared else "disjoint"
        missing = tuple(dict.fromkeys(source for source in (*text, *table) if source in unlisted))
        rows.append((item.item, item.name, text, table, shared, fit, missing))
    return pd.DataFrame(rows, columns=["item", "name", "text", "table", "shared", "fit", "not_listed"])


def compute_wish_fit(form: Form) -> pd.DataFrame:
    """Whether those who wished for a change are those whom the source names for it.

    A narrow wish, answered by one or two changes, can be held against the names; a broad one cannot, since the names
    add up over many changes.

    Returns
    -------
    DataFrame
        One row an adopted wish: ``wish``, ``statement``, ``changes`` (tuple), ``voices`` (missing where the text does
        not say), ``named`` (different interviewees over the changes), ``speaker`` (participant, where the text names
        one), ``speaker_named`` (whether that one is among them; missing without a speaker), ``broad``.
    """
    named = form.change_interviewees.groupby("change")["participant"].agg(set).to_dict()
    rows = []
    for wish in form.wishes[form.wishes["outcome"] == "adopted"].itertuples():
        changes = tuple(form.wish_changes.loc[form.wish_changes["wish"] == wish.wish, "change"])
        people = set().union(*(named.get(change, set()) for change in changes))
        speaker = None if pd.isna(wish.participant) else wish.participant
        found = None if speaker is None else speaker in people
        rows.append((wish.wish, wish.statement, changes, wish.voices, len(people), speaker, found, len(changes) > 3))
    columns = ["wish", "statement", "changes", "voices", "named", "speaker", "speaker_named", "broad"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"voices": "Int64", "speaker": "string", "speaker_named": "boolean"})


def build_trace_matrix(form: Form) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Questions by problems, best practices and interviewees, for `analysis.plots.matrix.draw_dot_matrix`.

    Returns
    -------
    rows, columns, links : DataFrame
        ``key``, ``label``, ``group`` (stage of the form; `KIND_NAMES`), and ``row``, ``column``. Questions that the
        last version no longer asks are marked in their label. Inherited links are included.
    """
    traces = compute_traces(form)
    gone = traces["last"] < form.last_version
    rows = pd.DataFrame(
        {
            "key": traces["question"],
            "label": traces["name"].mask(gone, traces["name"] + " (dropped)"),
            "group": traces["stage"],
        }
    )
    people = sorted({person for persons in traces["participants"] for person in persons})
    columns = pd.concat(
        [
            pd.DataFrame(
                {
                    "key": form.items["item"],
                    "label": form.items["item"] + " " + form.items["name"],
                    "group": form.items["kind"],
                }
            ),
            pd.DataFrame({"key": people, "label": [person_label(p) for p in people], "group": "interviewee"}),
        ],
        ignore_index=True,
    )
    links = [(trace.question, item) for trace in traces.itertuples() for item in trace.items]
    links += [(trace.question, person) for trace in traces.itertuples() for person in trace.participants]
    return rows, columns, pd.DataFrame(links, columns=["row", "column"])


def person_label(participant: str) -> str:
    """``T-P08`` as the source would write it.

    >>> person_label("T-P08")
    'ID8'
    """
    return f"ID{int(participant.rpartition('P')[2])}"


def _missing(wanted: pd.Series, given: object) -> tuple[str, ...]:
    found = set(given)  # type: ignore[call-overload]
    return tuple(key for key in wanted if key not in found)
