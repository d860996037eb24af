"""The command that hands out the requirements form, and the way of a single question."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative

ENDINGS = (".html", ".md")


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Declare the command of this module."""
    form = commands.add_parser(
        "requirements-form", help="write the form for requirements as a page, or trace a question"
    )
    form.add_argument("--out", type=Path, help="page to write: .html to type into and to print, or .md")
    form.add_argument("--version", type=int, help="version of the form (the last)")
    form.add_argument("--role", action="append", default=[], help="only questions for this role; may be repeated")
    form.add_argument("--project", default="", help="name to fill in")
    form.add_argument("--trace", metavar="QUESTION", help="print the way of a question, for example R12, instead")
    form.set_defaults(command=_form)


def _form(options: argparse.Namespace) -> None:
    from analysis.requirements.form import load_form
    from analysis.requirements.form_display import build_trace_table
    from analysis.requirements.page import select_questions, write_page

    if (options.out is None) == (options.trace is None):
        problem = Problem("--out, --trace", "give one of the two", "for example --out form.html")
        raise InputError("Nothing to do for the form.", [problem])
    form = load_form()
    if options.trace:
        for row in build_trace_table(form, options.trace).itertuples(index=False):
            print("  ".join(str(cell) for cell in row))
        return
    if options.out.suffix.lower() not in ENDINGS:
        problem = Problem("--out", f"got '{options.out.name}'", f"a page ends in {' or '.join(ENDINGS)}")
        raise InputError("The form cannot be written.", [problem])
    questions = select_questions(form, options.version, options.role)
    write_page(form, options.out, options.version, options.role, options.project)
    print(f"{relative(options.out)}: {len(questions)} questions")
