"""The requirements form of Talele (2024) in its three versions, and everything that it is traced to.

Three design cycles made three versions of a form with questions about requirements. The first rests on problems (P)
and best practices (BP) from the literature; what changed later is published by question and interviewee. The tables
under ``data/requirements`` hold all of it; here they are put together, and every link is followed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA
from analysis.base.schemas import FORM_ROLES
from analysis.base.tables import cell_at, load_table

READS = (
    "requirements/items.csv",
    "requirements/sources.csv",
    "requirements/item_sources.csv",
    "requirements/versions.csv",
    "requirements/questions.csv",
    "requirements/form_questions.csv",
    "requirements/item_questions.csv",
    "requirements/changes.csv",
    "requirements/change_interviewees.csv",
    "requirements/wishes.csv",
    "requirements/wish_changes.csv",
    "literature/participants.csv",
    "literature/segments.csv",
)
"""Tables that `load_form` loads; for `analysis.base.provenance`."""

STAGE_NAMES = {"scoping": "Scoping", "data": "Data", "modeling": "Modelling", "deployment": "Deployment"}
"""Parts of the form, in its order."""

DOCUMENT = "talele2024"


@dataclass(frozen=True, slots=True)
class Form:
    """The form's tables, checked against each other.

    Attributes
    ----------
    items, sources, item_sources, versions, questions, form_questions, item_questions, changes, change_interviewees, \
wishes, wish_changes : DataFrame
        The tables of the same names under ``requirements/``.
    """

    items: pd.DataFrame
    sources: pd.DataFrame
    item_sources: pd.DataFrame
    versions: pd.DataFrame
    questions: pd.DataFrame
    form_questions: pd.DataFrame
    item_questions: pd.DataFrame
    changes: pd.DataFrame
    change_interviewees: pd.DataFrame
    wishes: pd.DataFrame
    wish_changes: pd.DataFrame

    @property
    def last_version(self) -> int:
        """Number of the latest version."""
        return int(self.versions["version"].max())

    def asked_in(self, version: int) -> pd.DataFrame:
        """The questions of one version, in its order, with ``name`` and ``stage``."""
        asked = self.form_questions[self.form_questions["version"] == version]
        named = asked.join(self.questions.set_index("question")[["name", "stage"]], on="question")
        order = named["stage"].map(list(STAGE_NAMES).index)
        return named.assign(_order=order).sort_values(["_order", "position"]).drop(columns="_order")


def load_form(folder: Path = DATA) -> Form:
    """Load the tables of the form and check how they fit (`check_form`).

    Parameters
    ----------
    folder : Path
        Where the tables lie; the project's ``data/`` unless told otherwise.

    Raises
    ------
    InputError
        A table breaks its schema or refers to what does not exist, or `check_form` finds faults.
    """
    form = Form(**{field.name: load_table(f"requirements/{field.name}.csv", folder) for field in fields(Form)})
    return check_form(
        form, load_table("literature/participants.csv", folder), load_table("literature/segments.csv", folder)
    )


def check_form(form: Form, participants: pd.DataFrame, segments: pd.DataFrame) -> Form:
    """Check what no single table can show, and return the form unchanged.

    Parameters
    ----------
    form : Form
    participants, segments : DataFrame
        ``literature/participants.csv`` and ``literature/segments.csv``.

    Raises
    ------
    InputError
        Versions that do not count 1, 2, …, are not made from the interviews that judged the one before, or have other
        evaluators than the list of participants; an item whose number tells another kind; a question derived from the
        literature that the first version does not ask; roles unknown or repeated; positions that do not number a part
        of the form 1, 2, …; a question in no version; a published change that the versions do not show, or a
        difference of the versions that is no published change; a change attributed to interviewees without one, or to
        the author with one; an interviewee under a name or in a set that the list of participants does not have; a
        question replaced that was not deleted; a wish called adopted without a change, or with one and not called so,
        or of somebody who did not judge that version, or with more voices than there were people; a segment of
        another document or place. All violations are listed.
    """
    problems = [
        *_version_problems(form, participants),
        *_item_problems(form),
        *_role_problems(form),
        *_position_problems(form),
        *_change_problems(form),
        *_interviewee_problems(form, participants),
        *_wish_problems(form, participants),
        *_segment_problems(form, segments),
    ]
    if problems:
        raise InputError("The tables of the requirements form do not fit together.", problems)
    return form


def compute_form_differences(form: Form, version: int) -> pd.DataFrame:
    """What a version asks otherwise than the one before it, read off the two forms themselves.

    Parameters
    ----------
    form : Form
    version : int
        2 or later.

    Returns
    -------
    DataFrame
        ``version``, ``question``, ``kind`` (``added``, ``deleted``, ``roles_changed``), ``roles_before``,
        ``roles_after`` (missing where there are none), by question. Wordings are not compared: nearly every question
        of the last version is worded anew.

    Raises
    ------
    InputError
        The version is the first one, or not known.
    """
    known = [int(number) for number in form.versions["version"]]
    if version not in known[1:]:
        later = ", ".join(map(str, known[1:]))
        problem = Problem("version", f"nothing to compare {version} with", f"one of: {later}")
        raise InputError(f"Version {version} of the form has none before it.", [problem])
    before, after = _roles(form, version - 1), _roles(form, version)
    rows = []
    for question in form.questions["question"]:
        old, new = before.get(question), after.get(question)
        if set(old or ()) == set(new or ()):
            continue
        kind = "added" if old is None else "deleted" if new is None else "roles_changed"
        rows.append((version, question, kind, _joined(old), _joined(new)))
    return pd.DataFrame(rows, columns=["version", "question", "kind", "roles_before", "roles_after"]).astype(
        {"roles_before": "string", "roles_after": "string"}
    )


def _roles(form: Form, version: int) -> dict[str, tuple[str, ...]]:
    asked = form.form_questions[form.form_questions["version"] == version]
    return {row.question: tuple(row.roles.split(";")) for row in asked.itertuples()}


def _joined(roles: tuple[str, ...] | None) -> str | None:
    return None if roles is None else ";".join(roles)


def _version_problems(form: Form, participants: pd.DataFrame) -> Iterator[Problem]:
    own = participants[participants["document"] == DOCUMENT]
    for number, row in enumerate(form.versions.itertuples(), start=1):
        if row.version != number:
            yield Problem(cell_at(form.versions, row.Index, "version"), f"version {row.version}", f"expected {number}")
        judged = None if pd.isna(row.interviews) else int(row.interviews)
        if judged != (number - 1 or None):
            what = f"version {number} is made from the interviews of set {judged}"
            yield Problem(cell_at(form.versions, row.Index, "interviews"), what, f"set {number - 1 or 'none'}")
        listed = sum(str(row.version) in sets.split(";") for sets in own["sets"].dropna())
        if row.evaluators != listed:
            what = f"{row.evaluators} evaluators, and {listed} participants in set {row.version}"
            yield Problem(cell_at(form.versions, row.Index, "evaluators"), what, "make the two agree")


def _item_problems(form: Form) -> Iterator[Problem]:
    for row in form.items.itertuples():
        if row.kind != ("best_practice" if row.item.startswith("BP") else "problem"):
            yield Problem(cell_at(form.items, row.Index, "kind"), f"{row.item} is a {row.kind}", "correct either")
    first = set(form.form_questions.loc[form.form_questions["version"] == 1, "question"])
    for line, question in form.item_questions["question"].items():
        if question not in first:
            what = f"{question} is derived from the literature, but the first version does not ask it"
            yield Problem(cell_at(form.item_questions, line, "question"), what, "Table 5.1 is about the first version")


def _role_problems(form: Form) -> Iterator[Problem]:
    for line, text in form.form_questions["roles"].items():
        at, roles = cell_at(form.form_questions, line, "roles"), text.split(";")
        for role in sorted(set(roles) - set(FORM_ROLES)):
            yield Problem(at, f"unknown role '{role}'", f"one of: {', '.join(FORM_ROLES)}")
        if len(set(roles)) < len(roles):
            yield Problem(at, f"a role comes twice in '{text}'", "name each once")


def _position_problems(form: Form) -> Iterator[Problem]:
    where = form.form_questions.attrs.get("source", "form_questions")
    stage = form.form_questions["question"].map(form.questions.set_index("question")["stage"])
    for (version, part), rows in form.form_questions.groupby([form.form_questions["version"], stage]):
        found = sorted(int(position) for position in rows["position"])
        if found != list(range(1, len(found) + 1)):
            yield Problem(f"{where}, version {version}, {part}", f"the positions are {found}", "number them 1, 2, …")
    for line, question in form.questions["question"].items():
        if question not in set(form.form_questions["question"]):
            yield Problem(cell_at(form.questions, line, "question"), f"no version asks {question}", "add or remove it")


def _change_problems(form: Form) -> Iterator[Problem]:
    changes = form.changes
    published = {(int(row.version), row.question, row.kind): row.Index for row in changes.itertuples()}
    shown = {
        (int(version), row.question, row.kind)
        for version in form.versions["version"].iloc[1:]
        for row in compute_form_differences(form, int(version)).itertuples()
    }
    for change, line in published.items():
        if change not in shown:
            what = f"version {change[0]} does not show that {change[1]} was {change[2]}"
            yield Problem(cell_at(changes, line, "kind"), what, "compare the two versions")
    for version, question, kind in sorted(shown - set(published)):
        what = f"in version {version} {question} is {kind}, which is no published change"
        yield Problem(changes.attrs.get("source", "changes"), what, "add the change, or correct the form")
    deleted = {(int(row.version), row.question) for row in changes.itertuples() if row.kind == "deleted"}
    for row in changes[changes["replaces"].notna()].itertuples():
        if (int(row.version), row.replaces) not in deleted:
            what = f"{row.replaces} was not deleted in version {row.version}"
            yield Problem(cell_at(changes, row.Index, "replaces"), what, "name a question deleted there, or none")
    named = set(form.change_interviewees["change"])
    for row in changes.itertuples():
        if (row.by == "interviewees") != (row.change in named):
            people = "and has interviewees" if row.change in named else "but whom?"
            what = f"{row.change} is by the {row.by}, {people}"
            yield Problem(cell_at(changes, row.Index, "by"), what, "correct it, or the list of interviewees")


def _interviewee_problems(form: Form, participants: pd.DataFrame) -> Iterator[Problem]:
    """A name is looked up as printed; the set is that of the interviews that went into the version."""
    known = participants.set_index("participant")
    version_of = form.changes.set_index("change")["version"]
    set_of = form.versions.set_index("version")["interviews"]
    for row in form.change_interviewees.itertuples():
        at, person = cell_at(form.change_interviewees, row.Index, "name_in_source"), known.loc[row.participant]
        if row.name_in_source not in person["name_in_source"].split("; "):
            what = f"{row.participant} is not called {row.name_in_source}"
            yield Problem(at, what, f"the list of participants has: {person['name_in_source']}")
        interviews = str(set_of[version_of[row.change]])
        if interviews not in person["sets"].split(";"):
            what = f"{row.participant} is not in set {interviews}, which went into the version"
            yield Problem(at, what, "correct the interviewee or the version")


def _wish_problems(form: Form, participants: pd.DataFrame) -> Iterator[Problem]:
    sets = participants.set_index("participant")["sets"]
    judges = form.versions.set_index("version")["evaluators"]
    for row in form.wishes[form.wishes["participant"].notna()].itertuples():
        if str(row.version) not in str(sets.get(row.participant, "")).split(";"):
            what = f"{row.participant} did not judge version {row.version}"
            yield Problem(cell_at(form.wishes, row.Index, "participant"), what, "correct the person or the version")
    for row in form.wishes[form.wishes["voices"].notna()].itertuples():
        if row.voices > judges[row.version]:
            what = f"{row.voices} voices of {judges[row.version]} people"
            yield Problem(cell_at(form.wishes, row.Index, "voices"), what, "count again")
    answered = form.wish_changes.join(form.changes.set_index("change")["version"], on="change")
    for row in form.wishes.itertuples():
        versions = set(answered.loc[answered["wish"] == row.wish, "version"])
        at = cell_at(form.wishes, row.Index, "outcome")
        if (row.outcome == "adopted") != bool(versions):
            what = f"{row.wish} is '{row.outcome}' with {'a' if versions else 'no'} change"
            yield Problem(at, what, "make the two agree")
        if versions - {row.version + 1}:
            yield Problem(at, f"{row.wish} judges version {row.version}, but its changes are not in the next", "relink")
        if (row.outcome == "no_later_version") and row.version != form.last_version:
            yield Problem(at, f"version {row.version} is not the last", "say what became of the wish")


def _segment_problems(form: Form, segments: pd.DataFrame) -> Iterator[Problem]:
    """Table rows carry the locator of their segment; wishes are in prose and name the section alone."""
    known = segments.set_index("segment")
    for frame, exact in (
        (form.form_questions, True),
        (form.item_questions, True),
        (form.changes, True),
        (form.wishes, False),
    ):
        for row in frame[frame["segment"].notna()].itertuples():
            segment, at = known.loc[row.segment], cell_at(frame, row.Index, "segment")
            if segment["document"] != DOCUMENT:
                yield Problem(at, f"{row.segment} belongs to {segment['document']}", f"a segment of {DOCUMENT}")
            elif (exact and segment["locator"] != row.locator) or not segment["locator"].startswith(
                row.locator.partition(",")[0]
            ):
                yield Problem(at, f"{row.segment} is {segment['locator']}, not {row.locator}", "correct either")
