"""A questionnaire in the forms that others can use: XLSForm, LimeSurvey, and a page to print.

- `write_xlsform`: a workbook for KoboToolbox, ODK, SurveyCTO and everything else that reads XLSForm
  (https://xlsform.org; tested with pyxform).
- `write_limesurvey`: LimeSurvey's tab-separated survey structure, imported under "Create survey → Import"
  (LimeSurvey manual, "Tab Separated Value survey structure").
- `build_page` and `build_html`: the same for paper, as Markdown for the appendix and as one HTML file.

The codes that LimeSurvey will export are given by `limesurvey_codes`, which column mappings build on.
"""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from openpyxl import Workbook

from analysis.base.paths import write_atomic
from analysis.survey.instrument import Instrument, Question

LIMESURVEY_COLUMNS = (
    "class", "type/scale", "name", "relevance", "text", "help", "language", "validation", "mandatory", "other",
    "default", "same_default", "other_replace_text", "num_value_int_only", "min_num_value_n", "max_num_value_n",
)  # fmt: skip
"""Header of the structure file: the manual's columns without the ids, which LimeSurvey then assigns itself."""

_LIMESURVEY_TYPES = {
    "single": "L",
    "likert": "L",
    "multiple": "M",
    "consent": "M",
    "yes_no": "Y",
    "number": "N",
    "text": "T",
}
_HOW = {
    "single": "one answer",
    "likert": "one answer",
    "multiple": "all that apply",
    "number": "a number",
    "text": "in your own words",
    "yes_no": "yes or no",
    "consent": "tick to agree",
}
_FIXED_TIME = datetime(2000, 1, 1)  # a workbook carries its time of writing; the same form is to be the same file


def write_xlsform(instrument: Instrument, path: Path) -> Path:
    """Write the questionnaire as an XLSForm workbook (sheets survey, choices, settings)."""
    survey = [["type", "name", "label", "hint", "required", "constraint", "relevant", "appearance"]]
    choices = [["list_name", "name", "label"]]
    if instrument.notice:
        survey.append(["note", "notice", instrument.notice])
    for section in instrument.sections:
        survey.append(["begin_group", f"group_{section.id}", section.title])
        if section.text:
            survey.append(["note", f"note_{section.id}", section.text])
        for question in _questions_of(instrument, section.id):
            survey.extend(_xlsform_rows(question))
            if question.kind in ("single", "multiple", "likert"):
                choices.extend([f"list_{question.id}", option.id, option.label] for option in question.options)
        survey.append(["end_group", f"group_{section.id}"])
    if any(question.kind == "yes_no" for question in instrument.questions):
        choices += [["yes_no", "yes", "Yes"], ["yes_no", "no", "No"]]
    settings = [["form_title", "form_id", "version"], [instrument.title, instrument.id, instrument.version]]

    book = Workbook()
    book.remove(book.active)
    for name, rows in (("survey", survey), ("choices", choices), ("settings", settings)):
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.properties.created = book.properties.modified = _FIXED_TIME
    buffer = io.BytesIO()
    book.save(buffer)
    return write_atomic(path, buffer.getvalue())


def write_limesurvey(instrument: Instrument, path: Path) -> Path:
    """Write the questionnaire as LimeSurvey's tab-separated structure (``.txt``, UTF-8 with byte order mark)."""
    rows = list(_limesurvey_rows(instrument))
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, LIMESURVEY_COLUMNS, restval="", delimiter="\t", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: re.sub(r"\s+", " ", str(value)) for key, value in row.items()} for row in rows)
    return write_atomic(path, buffer.getvalue().encode("utf-8-sig"))


def limesurvey_codes(question: Question) -> dict[str, str]:
    """Option id → the code under which LimeSurvey stores it: of an answer, or of a subquestion of a multiple choice.

    An answer code has at most five characters; "other" is LimeSurvey's own ``-oth-``, or ``other`` in a column.
    """
    many = question.kind in ("multiple", "consent")
    pattern = "SQ{:03d}" if many else "A{}"
    return {
        option.id: ("other" if many else "-oth-") if option.other else pattern.format(number)
        for number, option in enumerate(question.options, start=1)
    }


def build_page(instrument: Instrument, level: int = 2) -> str:
    """The questionnaire as Markdown: a heading a section, a paragraph a question, a list of its answers.

    ``level`` is the level of the sections' headings. Only constructs that every renderer of the report knows.
    """
    marks = "#" * level
    parts = [_escape(instrument.notice)] if instrument.notice else []
    for section in instrument.sections:
        parts.append(f"{marks} {_escape(section.title)} {{.unnumbered .unlisted}}")
        if section.text:
            parts.append(_escape(section.text))
        for question in _questions_of(instrument, section.id):
            optional = "" if question.required else "; may be left out"
            how = f"{_how(question)}{optional}"
            parts.append(f"**{question.id}** {_escape(question.wording)} *({how})*")
            answers = [_escape(option.label) + (": ________" if option.other else "") for option in question.options]
            if answers:
                parts.append("\n".join(f"- {answer}" for answer in answers))
    return "\n\n".join(parts) + "\n"


def build_html(instrument: Instrument) -> str:
    """The questionnaire as one HTML file to print and fill in by hand."""
    text = html.escape
    body = [f"<h1>{text(instrument.title)}</h1>"]
    if instrument.notice:
        body.append(f"<p class='notice'>{text(instrument.notice)}</p>")
    for section in instrument.sections:
        body.append(f"<section><h2>{text(section.title)}</h2>")
        if section.text:
            body.append(f"<p>{text(section.text)}</p>")
        for question in _questions_of(instrument, section.id):
            optional = "" if question.required else "; may be left out"
            body.append(
                f"<fieldset><legend><b>{question.id}</b> {text(question.wording)} "
                f"<i>({_how(question)}{optional})</i></legend>"
            )
            mark = "☐" if question.kind in ("multiple", "consent") else "○"
            labels = [option.label + (": ____________" if option.other else "") for option in question.options]
            labels = ["Yes", "No"] if question.kind == "yes_no" else labels
            row = " class='scale'" if question.kind in ("likert", "yes_no") else ""
            if labels:
                body.append(f"<ul{row}>" + "".join(f"<li>{mark} {text(label)}</li>" for label in labels) + "</ul>")
            else:
                body.append(f"<div class='{'line' if question.kind == 'number' else 'lines'}'></div>")
            body.append("</fieldset>")
        body.append("</section>")
    foot = f"{instrument.id}, version {instrument.version}"
    return _HTML.format(
        language=text(instrument.language), title=text(instrument.title), body="\n".join(body), foot=text(foot)
    )


def _questions_of(instrument: Instrument, section: str) -> list[Question]:
    return [question for question in instrument.questions if question.section == section]


def _how(question: Question) -> str:
    if question.kind != "number" or (question.low is None and question.high is None):
        return _HOW[question.kind]
    if question.low is None or question.high is None:
        return f"a number, at least {question.low:g}" if question.high is None else f"a number up to {question.high:g}"
    return f"a number from {question.low:g} to {question.high:g}"


def _escape(text: str) -> str:
    r"""Text as pandoc's Markdown prints it: nothing in it is markup.

    >>> print(_escape("C* [at] me@work"))
    C\* \[at\] me\@work
    """
    return re.sub(r"([\\`*_{}\[\]<>@#$~^|])", r"\\\1", re.sub(r"\s+", " ", text)).strip()


def _xlsform_rows(question: Question) -> Iterator[list[str]]:
    kind = {
        "single": f"select_one list_{question.id}",
        "likert": f"select_one list_{question.id}",
        "multiple": f"select_multiple list_{question.id}",
        "number": "integer" if question.integer else "decimal",
        "text": "text",
        "yes_no": "select_one yes_no",
        "consent": "acknowledge",
    }[question.kind]
    bounds = [
        f". {sign} {bound:g}" for sign, bound in ((">=", question.low), ("<=", question.high)) if bound is not None
    ]
    yield [
        kind,
        question.id,
        question.wording,
        question.options[0].label if question.kind == "consent" else "",
        "yes" if question.required else "",
        " and ".join(bounds),
        "",
        "likert" if question.kind == "likert" else "",
    ]
    if question.other:
        yield [
            "text",
            f"{question.id}_other",
            question.label_of(question.other),
            "",
            "",
            "",
            f"selected(${{{question.id}}}, '{question.other}')",
        ]


def _limesurvey_rows(instrument: Instrument) -> Iterator[dict[str, object]]:
    language = instrument.language
    settings = {
        "language": language,
        "format": "G",  # a section a page
        "anonymized": "N" if instrument.personal else "Y",
        "ipaddr": "N",
        "refurl": "N",
        "savetimings": "N",
        "showwelcome": "Y",
    }
    yield from ({"class": "S", "name": name, "text": value} for name, value in settings.items())
    for name, value in (("surveyls_title", instrument.title), ("surveyls_welcometext", instrument.notice)):
        yield {"class": "SL", "name": name, "text": _lime(value), "language": language}
    for number, section in enumerate(instrument.sections, start=1):
        yield {
            "class": "G", "type/scale": number, "name": _lime(section.title), "relevance": 1,
            "text": _lime(section.text), "language": language,
        }  # fmt: skip
        for question in _questions_of(instrument, section.id):
            yield {
                "class": "Q",
                "type/scale": _LIMESURVEY_TYPES[question.kind],
                "name": question.id,
                "relevance": 1,
                "text": _lime(question.wording),
                "language": language,
                "mandatory": "Y" if question.required else "N",
                "other": "Y" if question.other else "N",
                "other_replace_text": _lime(question.label_of(question.other)) if question.other else "",
                "num_value_int_only": 1 if question.integer else "",
                "min_num_value_n": "" if question.low is None else f"{question.low:g}",
                "max_num_value_n": "" if question.high is None else f"{question.high:g}",
            }
            codes = limesurvey_codes(question)
            many = question.kind in ("multiple", "consent")
            for option in question.options:
                if not option.other:  # LimeSurvey adds that one itself
                    yield {
                        "class": "SQ" if many else "A", "type/scale": 0, "name": codes[option.id],
                        "relevance": 1 if many else "", "text": _lime(option.label), "language": language,
                    }  # fmt: skip


def _lime(text: str) -> str:
    """LimeSurvey reads texts as HTML, and braces as expressions unless a blank follows."""
    return html.escape(text, quote=False).replace("{", "{ ")


_HTML = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 11pt/1.4 Georgia, serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #111; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.15rem; border-bottom: 1px solid #999; }}
.notice {{ border: 1px solid #999; padding: .6rem .8rem; }}
fieldset {{ border: 0; padding: 0; margin: 1rem 0; break-inside: avoid; }} legend {{ padding: 0; }}
ul {{ list-style: none; padding-left: 1rem; margin: .4rem 0; }}
ul.scale {{ display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; }}
.line, .lines {{ border-bottom: 1px solid #777; height: 1.6rem; }} .lines {{ height: 4.8rem; }}
footer {{ margin-top: 2rem; font-size: .8rem; color: #444; }}
</style>
</head>
<body>
{body}
<footer>{foot}</footer>
</body>
</html>
"""
