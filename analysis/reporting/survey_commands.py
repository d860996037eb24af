"""Commands around a survey: hand out the form, bring in answers, take a participant out, audit a printed page."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from analysis.base.errors import InputError, Problem
from analysis.base.paths import BUILD, relative, write_atomic

FORMS = ("xlsform", "limesurvey", "page")
READS_ANSWERS = ("02_survey",)
"""Notebooks that may read answers of single respondents."""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Declare the commands of this module."""
    form = commands.add_parser("instrument", help="write a questionnaire as a form: XLSForm, LimeSurvey, or a page")
    form.add_argument("name", help="a questionnaire in data/survey, for example practitioners")
    form.add_argument("--to", required=True, choices=FORMS, help="sort of form")
    form.add_argument("--out", required=True, type=Path, help="file to write; a page ends in .html or .md")
    form.set_defaults(command=_instrument)

    draft = commands.add_parser("draft-mapping", help="write the column mapping of an export of our own form")
    draft.add_argument("name", help="a questionnaire in data/survey")
    draft.add_argument("--tool", required=True, help="google_forms, limesurvey, qualtrics, kobo or spss")
    draft.add_argument("--out", required=True, type=Path, help="YAML file to write, and then to correct by hand")
    draft.set_defaults(command=_draft)

    bring = commands.add_parser("import-survey", help="check an export and store its answers privately")
    bring.add_argument("export", type=Path, help="the file as the survey tool exported it")
    bring.add_argument("--mapping", required=True, type=Path, help="its column mapping (YAML)")
    bring.add_argument("--instrument", default="practitioners", help="questionnaire in data/survey (practitioners)")
    bring.set_defaults(command=_import)

    leave = commands.add_parser("withdraw", help="remove a participant from all stored answers and all that was built")
    leave.add_argument("identifier", help="what the export's respondent column holds, or the respondent's id")
    leave.add_argument("--unseen", action="store_true", help="note somebody who is not stored yet")
    leave.set_defaults(command=_withdraw)

    audit = commands.add_parser("audit", help="check the figures of a printed page: HTML, PDF, Markdown or text")
    audit.add_argument("file", type=Path, help="the page")
    audit.add_argument("--all", action="store_true", help="list what holds as well")
    audit.add_argument("--no-quotations", action="store_true", help="leave out what stands in quotation marks")
    audit.set_defaults(command=_audit)


def _instrument(options: argparse.Namespace) -> None:
    from analysis.survey.forms import build_html, build_page, write_limesurvey, write_xlsform
    from analysis.survey.instrument import load_instrument

    instrument, out = load_instrument(options.name), options.out
    ending = {"xlsform": (".xlsx",), "limesurvey": (".txt",), "page": (".html", ".md")}[options.to]
    if out.suffix.lower() not in ending:
        problem = Problem("--out", f"got '{out.name}'", f"a {options.to} file ends in {' or '.join(ending)}")
        raise InputError("The form cannot be written.", [problem])
    if options.to == "page":
        plain = out.suffix.lower() == ".md"
        write_atomic(out, f"# {instrument.title}\n\n{build_page(instrument)}" if plain else build_html(instrument))
    else:
        (write_xlsform if options.to == "xlsform" else write_limesurvey)(instrument, out)
    print(f"{relative(out)}: '{instrument.title}', {len(instrument.questions)} questions")


def _draft(options: argparse.Namespace) -> None:
    import yaml

    from analysis.survey.instrument import load_instrument
    from analysis.survey.mapping import draft_mapping

    content = draft_mapping(load_instrument(options.name), options.tool)
    head = "# Where each question stands in the export. A draft: compare it with the file's header, and say under\n"
    head += "# `respondent` which column identifies people, if one does (needed for withdrawals).\n"
    write_atomic(options.out, head + yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120))
    print(f"{relative(options.out)}: a draft for {options.tool}; compare it with the header of the export")


def _import(options: argparse.Namespace) -> None:
    from analysis.survey.instrument import load_instrument
    from analysis.survey.mapping import load_mapping
    from analysis.survey.privacy import open_vault, store_responses
    from analysis.survey.responses import load_responses

    instrument = load_instrument(options.instrument)
    mapping, vault = load_mapping(options.mapping, instrument), open_vault()
    responses = load_responses(options.export, instrument, mapping, vault)
    path = store_responses(responses, vault)
    print(f"{responses.account()}\n{relative(path)}: stored; to use it, set `responses: stored` for 02_survey")
    if not mapping.respondent:
        print("no column identifies respondents: nobody can be withdrawn later", file=sys.stderr)


def _withdraw(options: argparse.Namespace) -> None:
    from analysis.survey.privacy import withdraw_participant

    print(withdraw_participant(options.identifier, unseen=options.unseen).text())
    for path in sorted(remove_built(BUILD)):
        print(f"removed {relative(path)}")
    print("delete the person's row from exports that you keep as well; what was committed or sent stays where it went")


def remove_built(build: Path) -> list[Path]:
    """Remove everything built in which the answers of somebody who left may still be counted."""
    found = [build / "thesis.pdf", build / "thesis.html", build / "numbers.csv", build / "quarto", build / "offline"]
    for name in READS_ANSWERS:
        found += [build / "results" / name, build / "interactive" / name, *build.glob(f"notebooks/{name}.*ipynb")]
    gone = [path for path in found if path.exists()]
    for path in gone:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return gone


def _audit(options: argparse.Namespace) -> None:
    from analysis.survey.audit.text import audit_text, contradictions

    findings = audit_text(options.file, quotations=not options.no_quotations)
    wrong = contradictions(findings)
    for row in (findings if options.all else wrong).to_dict("records"):
        mended = f"; would fit: {row['correction']}" if row["correction"] else ""
        print(f"{row['place']}: {row['printed']}\n    {row['check']}: {row['verdict']}{mended}")
    print(f"{options.file.name}: {len(findings)} statements checked, {len(wrong)} contradictions")
