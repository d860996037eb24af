"""The requirements form to work with: one HTML file to fill in on screen or paper, and Markdown for an appendix.

Questions, roles and examples are those of a version of Talele's form, in our words. Three wishes that its last version
left open are met here: a form for some roles only, answer fields that grow with the text, and room for questions of
one's own. The file needs nothing but itself: no script, no font, no address.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.markdown import pipe_table
from analysis.base.paths import write_atomic
from analysis.base.schemas import FORM_ROLES
from analysis.requirements.form import STAGE_NAMES, Form
from analysis.requirements.form_display import role_names
from analysis.requirements.traceability import compute_item_links

TITLE = "Requirements of a machine-learning system"
HOW_TO = (
    "Ask in one meeting of all roles, or role by role.",
    "The order is free: many answers hang on later ones, so come back to them.",
    "Write answers that somebody could build from; a vague one is a question for the next round.",
    "Share what was written. It may stand as it is, or become the draft of formal requirements.",
    "Strike out what does not concern the project, add what is missing, and go through the form again when data, users "
    "or law change.",
)
"""How to use the form; in part after the front page of the source, in part after what its interviewees said."""

_FIELDS = ("Project", "Date", "Asked by", "Present")
_OWN_QUESTIONS = 2


def select_questions(form: Form, version: int | None = None, roles: Sequence[str] = ()) -> pd.DataFrame:
    """The questions that a page shows.

    Parameters
    ----------
    form : Form
    version : int, optional
        The last version unless given.
    roles : sequence of str
        Keys of ``FORM_ROLES``; only questions asked of at least one of them. All questions by default.

    Returns
    -------
    DataFrame
        In the order of the form: ``question``, ``stage``, ``wording``, ``examples``, ``roles`` (keys, by semicolons),
        ``items`` (the problems and best practices behind it, by commas; empty where there are none).

    Raises
    ------
    InputError
        A version or roles that do not exist, or roles that the version never asks; all are listed.
    """
    versions = [int(number) for number in form.versions["version"]]
    number = form.last_version if version is None else version
    problems = [
        Problem("roles", f"'{role}' is unknown", f"one of: {', '.join(FORM_ROLES)}")
        for role in roles
        if role not in FORM_ROLES
    ]
    if number not in versions:
        problems.append(Problem("version", f"there is no version {number}", f"one of: {', '.join(map(str, versions))}"))
    if problems:
        raise InputError("The form cannot be laid out.", problems)
    asked = form.asked_in(number)
    if roles:
        asked = asked[asked["roles"].map(lambda text: not set(roles).isdisjoint(text.split(";")))]
    if asked.empty:
        what = f"version {number} asks nothing of {', '.join(FORM_ROLES[role] for role in roles)}"
        raise InputError("The form would be empty.", [Problem("roles", what, "name another role, or another version")])
    words = form.questions.set_index("question")[["wording", "examples"]]
    links = compute_item_links(form).groupby("question")["item"].agg(", ".join)
    chosen = asked.join(words, on="question")
    chosen["items"] = chosen["question"].map(links).fillna("")
    return chosen[["question", "stage", "wording", "examples", "roles", "items"]].reset_index(drop=True)


def build_page(form: Form, version: int | None = None, roles: Sequence[str] = (), level: int = 2) -> str:
    """The form as Markdown for an appendix: a heading a part, a table of its questions.

    Parameters
    ----------
    form, version, roles
        As in `select_questions`.
    level : int
        Level of the headings. Only constructs that every renderer of the report knows.
    """
    chosen = select_questions(form, version, roles)
    parts = ["\n".join(f"- {_escape(rule)}" for rule in HOW_TO)]
    for stage, rows in chosen.groupby(chosen["stage"].map(list(STAGE_NAMES).index)):
        parts.append(f"{'#' * level} {list(STAGE_NAMES.values())[stage]} {{.unnumbered .unlisted}}")
        cells = [
            (
                row.question,
                f"{_escape(row.wording)} *{_escape(row.examples)}.*",
                _escape(role_names(row.roles)),
                row.items or "–",
            )
            for row in rows.itertuples()
        ]
        parts.append(pipe_table(("No.", "Question and *answers for example*", "Ask", "From"), cells, (7, 52, 30, 11)))
    return "\n\n".join(parts) + "\n"


def build_html(form: Form, version: int | None = None, roles: Sequence[str] = (), project: str = "") -> str:
    """The form as one HTML file, to type into or to print.

    Parameters
    ----------
    form, version, roles
        As in `select_questions`.
    project : str
        Name filled in at the top.

    Returns
    -------
    str
        A page of its own: each question with the roles to tick, examples, and a field that grows as one types; room for
        two questions of one's own in every part; an index by role; a legend of the problems and best practices.
    """
    chosen = select_questions(form, version, roles)
    number = form.last_version if version is None else version
    text = html.escape
    body = [f"<header><h1>{text(TITLE)}</h1>"]
    if roles:
        body.append(f"<p>Questions for: {text(', '.join(FORM_ROLES[role] for role in roles))}</p>")
    filled = dict.fromkeys(_FIELDS, "") | {"Project": text(project)}
    body.append("<div class='fields'>")
    body += [f"<div><b>{name}</b>{_field(name, 'line', value)}</div>" for name, value in filled.items()]
    body.append("</div><p class='screen'>Type into the fields and tick who answered; then print, or save as PDF.</p>")
    body.append("<ul>" + "".join(f"<li>{text(rule)}</li>" for rule in HOW_TO) + "</ul></header>")
    for stage, name in STAGE_NAMES.items():
        rows = chosen[chosen["stage"] == stage]
        if len(rows):
            body.append(f"<section id='{stage}'><h2>{text(name)}</h2>")
            body += [_question_block(row) for row in rows.to_dict("records")]
            body += [_own_block(name, place) for place in range(1, _OWN_QUESTIONS + 1)]
            body.append("</section>")
    body += [_role_index(chosen), _item_legend(form, chosen)]
    foot = (
        f"After version {number} of the requirements form of Talele (2024), {text(_published(form, number))}; "
        "wording and layout are ours."
    )
    return _HTML.format(title=text(TITLE), body="\n".join(part for part in body if part), foot=foot)


def write_page(
    form: Form, path: Path, version: int | None = None, roles: Sequence[str] = (), project: str = ""
) -> Path:
    """Write the form to a file: Markdown where its name ends in ``.md``, else HTML."""
    if path.suffix == ".md":
        return write_atomic(path, f"# {TITLE}\n\n{build_page(form, version, roles)}")
    return write_atomic(path, build_html(form, version, roles, project))


def _question_block(row: dict[str, str]) -> str:
    text = html.escape
    boxes = (f"<label><input type='checkbox'> {text(FORM_ROLES[role])}</label> " for role in row["roles"].split(";"))
    behind = f"<small>{text(row['items'])}</small>" if row["items"] else ""
    return (
        f"<article id='{row['question']}'><h3><b>{row['question']}</b> {text(row['wording'])} {behind}</h3>"
        f"<p class='roles'>{''.join(boxes)}</p><p class='examples'>For example: {text(row['examples'])}</p>"
        f"{_field('Answer to ' + row['question'], 'answer')}</article>"
    )


def _own_block(part: str, place: int) -> str:
    name = f"Own question {place} on {part.lower()}"
    answer = _field(f"Answer to {name.lower()}", "answer")
    return f"<article class='own'><h3>Own question {_field(name, 'line')}</h3>{answer}</article>"


def _role_index(chosen: pd.DataFrame) -> str:
    """Which role is asked which questions."""
    rows = []
    for role, name in FORM_ROLES.items():
        own = [
            f"<a href='#{question}'>{question}</a>"
            for question, roles in zip(chosen["question"], chosen["roles"], strict=True)
            if role in roles.split(";")
        ]
        if own:
            rows.append(f"<tr><th>{html.escape(name)}</th><td>{' '.join(own)}</td><td>{len(own)}</td></tr>")
    return f"<section class='index'><h2>Who is asked what</h2><table>{''.join(rows)}</table></section>"


def _item_legend(form: Form, chosen: pd.DataFrame) -> str:
    """The problems and best practices behind the questions shown."""
    used = {item for items in chosen["items"] for item in items.split(", ") if item}
    items = form.items[form.items["item"].isin(used)]
    if items.empty:
        return ""
    rows = "".join(
        f"<tr><th>{row.item}</th><td>{html.escape(f'{row.name}. {row.statement}.')}</td></tr>"
        for row in items.itertuples()
    )
    head = "<h2>Problems (P) and best practices (BP) behind the questions</h2>"
    return f"<section class='index'>{head}<table>{rows}</table></section>"


def _field(label: str, kind: str, value: str = "") -> str:
    """A field to type into, which grows; on paper it is empty space."""
    return (
        f"<div class='{kind}' contenteditable='true' role='textbox' aria-multiline='true' "
        f"aria-label='{html.escape(label)}'>{value}</div>"
    )


def _published(form: Form, version: int) -> str:
    return str(form.versions.set_index("version").at[version, "published_as"]).partition(",")[0].partition(";")[0]


def _escape(text: str) -> str:
    r"""Text as pandoc's Markdown prints it: nothing in it is markup.

    >>> print(_escape("A/B * [x]"))
    A/B \* \[x\]
    """
    return re.sub(r"([\\`*_{}\[\]<>@#$~^|])", r"\\\1", re.sub(r"\s+", " ", text)).strip()


_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 18mm 16mm; }}
body {{ font: 10.5pt/1.4 Georgia, serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #111; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.15rem; border-bottom: 1px solid #999; break-after: avoid; }}
h3 {{ font-size: 1rem; font-weight: normal; margin: 0; }} h3 small {{ color: #555; float: right; }}
article {{ border-left: 3px solid #bbb; padding-left: .7rem; margin: .9rem 0; break-inside: avoid; }}
.roles, .examples {{ margin: .15rem 0; font-size: .88rem; }}
.roles label {{ margin-right: .8rem; white-space: nowrap; }}
.examples {{ font-style: italic; color: #333; }}
.fields {{ display: grid; grid-template-columns: 1fr 1fr; gap: .4rem 1.5rem; }}
.line {{ border-bottom: 1px solid #777; min-height: 1.5rem; }} .own h3 {{ display: flex; gap: .6rem; }}
.own h3 .line {{ flex: 1; }}
.answer {{ border: 1px solid #bbb; min-height: 3.4rem; padding: .2rem .4rem; margin-top: .3rem; }}
.answer, .line {{ white-space: pre-wrap; }}
.answer:focus, .line:focus {{ outline: 2px solid #1f4e79; }}
.index {{ break-inside: avoid; }} .index a {{ color: inherit; }}
table {{ border-collapse: collapse; font-size: .88rem; }} th {{ text-align: left; vertical-align: top; }}
th, td {{ padding: .1rem .8rem .1rem 0; }}
footer {{ margin-top: 2rem; font-size: .8rem; color: #444; }}
.screen {{ font-size: .88rem; color: #555; }}
@media print {{ body {{ margin: 0; max-width: none; padding: 0; }} .screen {{ display: none; }} }}
</style>
</head>
<body>
{body}
<footer>{foot}</footer>
</body>
</html>
"""
