"""The requirements form as the thesis prints it: tables of versions, items, changes, people, wishes and gaps."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis.base.schemas import FORM_ROLES
from analysis.requirements.form import STAGE_NAMES, Form, compute_form_differences
from analysis.requirements.traceability import (
    compute_coverage,
    compute_item_links,
    compute_source_fit,
    compute_traces,
    compute_wish_fit,
    person_label,
    trace_question,
)

CHANGE_NAMES = {"added": "added", "deleted": "dropped", "roles_changed": "roles changed"}
OUTCOME_NAMES = {
    "adopted": "adopted",
    "refused": "refused",
    "deferred": "left to later work",
    "no_change": "no change",
    "no_later_version": "no later version",
}
_FIT_NAMES = {"same": "the same", "partial": "partly", "disjoint": "none shared"}
_STEP_NAMES = {
    "item": "Problem or best practice",
    "source": "Source",
    "version": "Version",
    "wish": "Wish",
    "change": "Change",
    "interviewee": "Interviewee",
}


def build_version_table(form: Form) -> pd.DataFrame:
    """The versions: Version, Made from, a column of questions for each part, All, Roles asked, Judged by, Published as.

    ``Roles asked`` counts different roles, ``Judged by`` the people listed for that set of interviews.
    """
    rows = []
    for version in form.versions.itertuples():
        asked = form.asked_in(version.version)
        roles = {role for text in asked["roles"] for role in text.split(";")}
        rows.append(
            {
                "Version": version.version,
                "Made from": version.made_from,
                **{name: int((asked["stage"] == stage).sum()) for stage, name in STAGE_NAMES.items()},
                "All": len(asked),
                "Roles asked": len(roles),
                "Judged by": int(version.evaluators),
                "Published as": version.published_as,
            }
        )
    return pd.DataFrame(rows)


def build_item_table(form: Form) -> pd.DataFrame:
    """Problems and best practices with what leads to and from them: No., Problem or best practice, Sources, Questions.

    Sources are those of Table 5.1 as cited there. A question carries the versions that ask it, unless all do, and an
    inherited one the question that it replaces.
    """
    links, traces = compute_item_links(form), compute_traces(form).set_index("question")
    replaced = form.changes.set_index("question")["replaces"].dropna()
    cited = form.item_sources[form.item_sources["place"] == "table"]
    cited_as = form.sources.set_index("source")["cited_as"]
    rows = []
    for item in form.items.itertuples():
        questions = []
        for link in links[links["item"] == item.item].itertuples():
            trace = traces.loc[link.question]
            notes = [] if (trace["first"], trace["last"]) == (1, form.last_version) else [_versions(trace)]
            notes += [f"in place of {replaced[link.question]}"] if link.inherited else []
            questions.append(f"{link.question} {trace['name']}" + (f" ({', '.join(notes)})" if notes else ""))
        sources = cited.loc[cited["item"] == item.item, "source"].map(cited_as)
        rows.append((item.item, item.name, "; ".join(sources), "; ".join(questions)))
    return pd.DataFrame(rows, columns=["No.", "Problem or best practice", "Sources", "Questions"])


def build_question_table(form: Form) -> pd.DataFrame:
    """Every question that any version asks: No., Question, Part, Answers (items), Versions, Changed by.

    An item in brackets is inherited from the question replaced. ``Changed by`` lists the interviewees named for any
    change, or the author.
    """
    rows = []
    for trace in compute_traces(form).itertuples():
        items = ", ".join(trace.items)
        people = [person_label(person) for person in trace.participants] + ["the author"] * trace.by_author
        rows.append(
            {
                "No.": trace.question,
                "Question": trace.name,
                "Part": STAGE_NAMES[trace.stage],
                "From": f"({items})" if trace.inherited else items or "–",
                "Versions": str(trace.first) if trace.first == trace.last else f"{trace.first}–{trace.last}",
                "Changed by": ", ".join(people) or "–",
            }
        )
    return pd.DataFrame(rows)


def build_change_table(form: Form, version: int | None = None) -> pd.DataFrame:
    """The published changes: Change, Question, What, Roles (those that came and went), Named (interviewees).

    Parameters
    ----------
    form : Form
    version : int, optional
        Only the changes that this version has.
    """
    differences = pd.concat([compute_form_differences(form, int(v)) for v in form.versions["version"].iloc[1:]])
    before_after = differences.set_index(["version", "question"])[["roles_before", "roles_after"]]
    names = form.questions.set_index("question")["name"]
    people = form.change_interviewees.groupby("change")["name_in_source"].agg(", ".join)
    changes = form.changes if version is None else form.changes[form.changes["version"] == version]
    rows = []
    for change in changes.itertuples():
        before, after = before_after.loc[(change.version, change.question)]
        rows.append(
            {
                "Change": change.change,
                "Question": f"{change.question} {names[change.question]}",
                "What": CHANGE_NAMES[change.kind],
                "Roles": _role_steps(before, after),
                "Named": people.get(change.change, "the author"),
            }
        )
    return pd.DataFrame(rows)


def build_interviewee_table(form: Form, participants: pd.DataFrame) -> pd.DataFrame:
    """Interviewees named for changes: Interviewee, Role, Company, Added, Dropped, Roles changed, All, Alone.

    ``Alone`` counts changes for which nobody else is named. The last row gives the changes themselves, which are fewer
    than the sums above, as most name several people; changes by the author are in it.

    Parameters
    ----------
    form : Form
    participants : DataFrame
        ``literature/participants.csv``.
    """
    named = form.change_interviewees.merge(form.changes[["change", "kind"]], on="change")
    people = participants.set_index("participant")
    alone = named.groupby("change")["participant"].transform("nunique") == 1
    rows = []
    for person, own in named.groupby("participant"):
        role = people.loc[person]
        counts = own["kind"].value_counts()
        rows.append(
            {
                "Interviewee": person_label(person),
                "Role": role["role"],
                "Company": role["company"],
                **_kind_counts(counts),
                "All": len(own),
                "Alone": int(alone[own.index].sum()),
            }
        )
    rows.sort(key=lambda row: -row["All"])
    single = named.loc[alone, "change"].nunique()
    total = {"Interviewee": "Changes", "Role": "", "Company": "", **_kind_counts(form.changes["kind"].value_counts())}
    return pd.DataFrame([*rows, total | {"All": len(form.changes), "Alone": single}])


def build_role_table(form: Form) -> pd.DataFrame:
    """Of how many questions each role is asked: Role and a column a version, the roles of the last version first."""
    columns = {}
    for version in form.versions["version"]:
        roles = form.asked_in(int(version))["roles"].str.split(";").explode()
        columns[f"Version {version}"] = roles.value_counts().reindex(list(FORM_ROLES), fill_value=0)
    table = pd.DataFrame(columns)
    table.insert(0, "Role", [FORM_ROLES[role] for role in table.index])
    return table.sort_values(table.columns[-1], ascending=False, kind="stable").reset_index(drop=True)


def build_wish_table(form: Form, version: int | None = None) -> pd.DataFrame:
    """What interviewees wished for and what became of it: Wish, Version, What was wished, Voices, Outcome, Changes.

    Changes are those that answer it, by our reading; broad wishes name their number. Voices are empty where the text
    does not say how many.
    """
    answers = form.wish_changes.groupby("wish")["change"].agg(tuple).to_dict()
    question_of = form.changes.set_index("change")["question"]
    wishes = form.wishes if version is None else form.wishes[form.wishes["version"] == version]
    rows = []
    for wish in wishes.itertuples():
        changes = answers.get(wish.wish, ())
        text = f"{len(changes)} changes" if len(changes) > 3 else ", ".join(f"{c} ({question_of[c]})" for c in changes)
        reason = "" if pd.isna(wish.reason) else f": {wish.reason[0].lower()}{wish.reason[1:]}"
        rows.append(
            {
                "Wish": wish.wish,
                "Version": wish.version,
                "What was wished": wish.statement,
                "Voices": wish.voices,
                "Outcome": OUTCOME_NAMES[wish.outcome] + reason,
                "Changes": text or "–",
            }
        )
    return pd.DataFrame(rows).astype({"Voices": "Int64"})


def build_wish_summary(form: Form) -> pd.DataFrame:
    """Wishes by outcome: Version judged, Wishes, and a column an outcome."""
    counts = pd.crosstab(form.wishes["version"], form.wishes["outcome"])
    counts = counts.reindex(index=list(form.versions["version"]), columns=list(OUTCOME_NAMES), fill_value=0)
    table = counts.rename(columns=lambda outcome: OUTCOME_NAMES[outcome].capitalize())
    table.insert(0, "Wishes", counts.sum(axis=1))
    table.insert(0, "Version judged", [str(version) for version in counts.index])
    total = table.sum(numeric_only=True).to_dict() | {"Version judged": "All"}
    return pd.concat([table, pd.DataFrame([total])], ignore_index=True)


def build_wish_fit_table(form: Form) -> pd.DataFrame:
    """Narrow adopted wishes: Wish, What was wished, Voices, Named, Speaker named.

    ``Named`` counts the interviewees named for the changes that answer the wish; ``Speaker named`` says whether the one
    whose words the text prints is among them.
    """
    fit = compute_wish_fit(form)
    fit = fit[~fit["broad"]]
    answers = {True: "yes", False: "no"}
    speakers = [
        "–" if pd.isna(found) else f"{answers[bool(found)]} ({person_label(speaker)})"
        for found, speaker in zip(fit["speaker_named"], fit["speaker"], strict=True)
    ]
    return pd.DataFrame(
        {
            "Wish": fit["wish"],
            "What was wished": fit["statement"],
            "Voices": fit["voices"],
            "Named": fit["named"],
            "Speaker named": speakers,
        }
    ).reset_index(drop=True)


def build_source_fit_table(form: Form) -> pd.DataFrame:
    """Sources side by side: No., Problem or best practice, In the prose, In Table 5.1, Shared.

    An asterisk marks a source that the reference list lacks.
    """
    unlisted = set(form.sources.loc[form.sources["listed"] == "not_listed", "source"])
    cited_as = form.sources.set_index("source")["cited_as"]

    def joined(sources: Iterable[str]) -> str:
        return "; ".join(cited_as[source] + ("\\*" if source in unlisted else "") for source in sources)

    fit = compute_source_fit(form)
    return pd.DataFrame(
        {
            "No.": fit["item"],
            "Problem or best practice": fit["name"],
            "In the prose": fit["text"].map(joined),
            "In Table 5.1": fit["table"].map(joined),
            "Shared": fit["fit"].map(_FIT_NAMES),
        }
    )


def build_coverage_table(form: Form, most: int = 13) -> pd.DataFrame:
    """Gaps of the trace: Gap, Count, Of, Which (at most ``most`` are named)."""
    cited = dict(zip(form.sources["source"], form.sources["cited_as"], strict=True))
    gaps = compute_coverage(form)
    gaps = gaps.assign(which=gaps["which"].map(lambda keys: tuple(cited.get(key, key) for key in keys)))
    return build_gap_table(gaps, most)


def build_gap_table(gaps: pd.DataFrame, most: int = 13) -> pd.DataFrame:
    """Gaps as printed, from a table with ``meaning``, ``count``, ``of`` and ``which`` (tuples)."""
    which = ["; ".join(keys[:most]) + ("; …" if len(keys) > most else "") or "–" for keys in gaps["which"]]
    return pd.DataFrame({"Gap": gaps["meaning"], "Count": gaps["count"], "Of": gaps["of"], "Which": which})


def build_trace_table(form: Form, question: str) -> pd.DataFrame:
    """The whole way of one question: Step, What, Where, Passage."""
    trace = trace_question(form, question)
    words = []
    for row in trace.itertuples():
        if row.step == "version":
            words.append(f"version {row.key}, asked of: {role_names(row.what)}")
        elif row.step == "change":
            words.append(f"{row.key} {CHANGE_NAMES[row.what]}")
        elif row.step in ("source", "interviewee"):
            words.append(row.what)
        else:
            words.append(f"{row.key} {row.what}")
    return pd.DataFrame(
        {
            "Step": trace["step"].map(_STEP_NAMES),
            "What": words,
            "Where": trace["locator"],
            "Passage": trace["segment"].fillna("–"),
        }
    )


def role_names(roles: str) -> str:
    """Roles as printed.

    >>> role_names("data_scientist;legal")
    'Data scientist, Legal'
    """
    return ", ".join(FORM_ROLES[role] for role in roles.split(";"))


def _versions(trace: pd.Series) -> str:
    if trace["first"] == trace["last"]:
        return f"version {trace['first']}"
    return f"versions {trace['first']}–{trace['last']}"


def _role_steps(before: object, after: object) -> str:
    """``+`` before roles that came, ``−`` before those that went; all roles of an added or dropped question."""
    if pd.isna(before) or pd.isna(after):
        return role_names(str(after if pd.isna(before) else before))
    old, new = str(before).split(";"), str(after).split(";")
    steps = [f"+{FORM_ROLES[role]}" for role in new if role not in old]
    return ", ".join(steps + [f"−{FORM_ROLES[role]}" for role in old if role not in new])


def _kind_counts(counts: pd.Series) -> dict[str, int]:
    return {name.capitalize(): int(counts.get(kind, 0)) for kind, name in CHANGE_NAMES.items()}
