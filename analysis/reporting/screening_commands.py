"""Commands of a screening: who reads what, where it stands, the PRISMA flow, agreement.

All of them take the folder of a review (`analysis.literature.review`), or a file in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.reporting.literature_commands import print_table, print_written

if TYPE_CHECKING:
    import pandas as pd

_FIGURES = (".svg", ".pdf", ".png")
_STAGES = ("title_abstract", "full_text", "quality")
_MOST = 20
"""Faulty rows that are printed; the equations that they break follow."""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Declare the commands of this module."""
    assign = commands.add_parser("assign-screening", help="draw who reads what, and write a blind sheet for each")
    assign.add_argument("review", type=Path, help="folder of the review")
    assign.add_argument("--reviewers", nargs="+", required=True, metavar="NAME", help="who reads")
    assign.add_argument("--stage", default=_STAGES[0], choices=_STAGES, help="stage (title_abstract)")
    assign.add_argument("--overlap", type=float, default=0.2, help="share that two people read, 0 to 1 (0.2)")
    assign.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    assign.set_defaults(command=_assign)

    status = commands.add_parser("screening-status", help="what is decided, open and disputed; checks every sheet")
    status.add_argument("review", type=Path, help="folder of the review")
    status.add_argument("--complete", action="store_true", help="refuse missing decisions")
    status.add_argument("--adjudicator", metavar="NAME", help="write a sheet of what is disputed, for a third person")
    status.set_defaults(command=_status)

    prisma = commands.add_parser("prisma", help="the PRISMA 2020 flow: numbers from the ledger, and the figure")
    prisma.add_argument("review", nargs="?", type=Path, help="folder of the review")
    prisma.add_argument("--out", action="append", default=[], type=Path, help=".svg, .pdf, .png, or .csv; repeatable")
    prisma.add_argument("--studies", type=Path, help="CSV of record and study, where reports share a study")
    prisma.add_argument("--published", action="store_true", help="the flow of the review that the thesis looks at")
    prisma.set_defaults(command=_prisma)

    agree = commands.add_parser("screening-agreement", help="how far reviewers agree on what two of them read")
    agree.add_argument("review", type=Path, help="folder of the review")
    agree.add_argument("--stage", default=_STAGES[0], choices=_STAGES, help="stage (title_abstract)")
    agree.add_argument("--unsure", default="category", choices=("category", "include"),
                       help="what an unsure decision counts as: its own, or a yes (category)")  # fmt: skip
    agree.add_argument("--resamples", type=int, default=9999, help="of the bootstrap (9999)")
    agree.add_argument("--seed", type=int, default=1, help="of the bootstrap (1)")
    agree.set_defaults(command=_agreement)


def _shortened(error: InputError) -> InputError:
    """The error with the rows of a kind cut short, so that the broken equations at its end are seen."""
    if len(error.problems) <= 2 * _MOST:
        return error
    broken = [problem for problem in error.problems if "is broken" in problem.what]
    rows = [problem for problem in error.problems if problem not in broken]
    rest = Problem("", f"and {len(rows) - _MOST} more of such rows", "begin with these")
    return InputError(error.title, [*rows[:_MOST], rest, *broken])


def _folder(path: Path) -> Path:
    """The folder of a review, given itself or a file in it."""
    folder = path.parent if path.is_file() else path
    if not folder.is_dir():
        problem = Problem(
            relative(folder), "no such folder", "begin with: import-records FILE… --out review/records.csv"
        )
        raise InputError("The review cannot be found.", [problem])
    return folder


def _assign(options: argparse.Namespace) -> None:
    import pandas as pd

    from analysis.literature.assignment import assign_screening, build_sheet, write_sheet
    from analysis.literature.review import load_assignments, load_screening, load_works, save_assignments
    from analysis.literature.screening_steps import list_waiting

    folder, stage = _folder(options.review), options.stage
    before = load_assignments(folder)
    screening = load_screening(folder, complete=False) if len(before) else None
    waiting = list_waiting(folder, stage, screening)
    drawn = assign_screening(waiting["record"], options.reviewers, stage, overlap=options.overlap, seed=options.seed,
                             groups=waiting["arm"])  # fmt: skip
    works = load_works(folder)
    sheets: dict[str, Path] = {}
    for reviewer in drawn["reviewer"].unique():
        sheets[reviewer] = _new_sheet(folder, stage, reviewer, sheets.values())
    saved = save_assignments(pd.concat([before, drawn]) if len(before) else drawn, folder)
    for reviewer, path in sheets.items():
        write_sheet(build_sheet(works, drawn, reviewer, stage), path)
    twice = int(drawn["record"].duplicated().sum())
    print(f"{len(waiting)} records at stage {stage}, {twice} of them read by two; seed {options.seed}\n")
    print_table(drawn.groupby("reviewer", sort=False).size().rename("to read").reset_index())
    print(
        "\neach decides on a sheet of their own: include, exclude (with a reason of reasons.csv) or unsure, and the day"
    )
    print_written([saved, *sheets.values()])


def _new_sheet(folder: Path, stage: str, who: str, taken: Iterable[Path] = ()) -> Path:
    """A path for a sheet at which there is none yet."""
    plain = "".join(letter if letter.isalnum() or letter in "-." else "_" for letter in who.strip()).strip(".")
    number = 1
    while True:
        ending = f"_{number}" if number > 1 else ""
        path = folder / "sheets" / f"{stage}_{plain or 'reviewer'}{ending}.csv"
        if not path.exists() and path not in taken:
            return path
        number += 1


def _status(options: argparse.Namespace) -> None:
    from analysis.literature.assignment import list_disputes, write_sheet
    from analysis.literature.ledger import compute_stage_counts
    from analysis.literature.review import load_screening, load_works
    from analysis.literature.screening_steps import build_adjudication_sheets, compute_reviewer_counts

    folder = _folder(options.review)
    try:
        screening = load_screening(folder, complete=options.complete)
    except InputError as error:
        raise _shortened(error) from None
    print_table(compute_stage_counts(screening))
    print()
    print_table(compute_reviewer_counts(screening))
    for stage in dict.fromkeys(stage for its in screening.stages.values() for stage in its):
        disputes = list_disputes(screening, stage)
        if len(disputes):
            settled = int((disputes["outcome"] != "open").sum())
            print(f"\n{stage}: {len(disputes)} disputed, {settled} of them adjudicated")
            print_table(disputes[disputes["outcome"] == "open"])
    if options.adjudicator:
        sheets = build_adjudication_sheets(screening, load_works(folder), options.adjudicator)
        if not sheets:
            problem = Problem("--adjudicator", "nothing is disputed and open", "see the counts above")
            raise InputError("There is nothing to adjudicate.", [problem])
        print()
        print_written(
            write_sheet(sheet, _new_sheet(folder, stage, f"adjudication_{options.adjudicator}"))
            for stage, sheet in sheets.items()
        )


def _prisma(options: argparse.Namespace) -> None:
    from analysis.base.paths import write_atomic
    from analysis.literature.prisma import build_prisma_table, compute_prisma_checks
    from analysis.literature.screening_steps import count_flow, count_published_flow

    known = (*_FIGURES, ".csv")
    problems = [Problem("--out", f"got '{path.name}'", f"ends in one of: {', '.join(known)}") for path in options.out
                if path.suffix.lower() not in known]  # fmt: skip
    if (options.review is None) != options.published:
        problems.append(Problem("review", "give the folder of a review, or --published", "one of the two"))
    if problems:
        raise InputError("The flow cannot be drawn.", problems)
    try:
        numbers = count_published_flow() if options.published else count_flow(_folder(options.review), options.studies)
    except InputError as error:
        raise _shortened(error) from None
    print_table(build_prisma_table(numbers))
    verdicts = compute_prisma_checks(numbers)["verdict"].value_counts()
    print(f"\n{verdicts.sum()} equations: {', '.join(f'{verdict} {count}' for verdict, count in verdicts.items())}")
    for path in options.out:
        table = path.suffix.lower() == ".csv"
        content = numbers.to_csv(index=False, lineterminator="\n") if table else _draw(numbers, path.suffix.lower())
        write_atomic(path, content)
    if options.out:
        print_written(options.out)


def _draw(numbers: pd.DataFrame, suffix: str) -> bytes:
    """The figure in the form of a suffix; the same bytes for the same numbers."""
    import io

    import matplotlib as mpl

    from analysis.literature.prisma_figure import build_prisma_flow
    from analysis.plots.flow import draw_flow

    figure = draw_flow(*build_prisma_flow(numbers))
    target = io.BytesIO()
    metadata = {".svg": {"Date": None, "Creator": None}, ".pdf": {"CreationDate": None}, ".png": {"Software": None}}
    with mpl.rc_context({"svg.hashsalt": "prisma"}):
        figure.savefig(target, format=suffix[1:], metadata=metadata[suffix], dpi=300)
    return target.getvalue()


def _agreement(options: argparse.Namespace) -> None:
    import numpy as np

    from analysis.literature.review import load_screening
    from analysis.literature.screening_agreement import (
        build_agreement_table,
        compute_pairwise_kappa,
        compute_screening_agreement,
        overlap_decisions,
    )

    screening = load_screening(_folder(options.review), complete=False)
    given = {"unsure": options.unsure, "method": "percentile", "resamples": options.resamples}
    agreement = compute_screening_agreement(screening, options.stage, **given, rng=np.random.default_rng(options.seed))
    decisions = overlap_decisions(screening, options.stage, unsure=options.unsure)
    print(f"{options.stage}: {len(decisions)} records read by two or more; unsure counts as {options.unsure}\n")
    print_table(build_agreement_table(agreement))
    if decisions.shape[1] > 2:
        pairs = compute_pairwise_kappa(screening, options.stage, **given, rng=np.random.default_rng(options.seed))
        print("\nCohen's kappa of every two:")
        print_table(pairs.round(2))
    apart = decisions[decisions.nunique(axis=1) > 1]
    print(f"\n{len(apart)} records decided differently" + (":" if len(apart) else ""))
    print_table(apart.reset_index())
    print(f"\nintervals: bootstrap over records (percentile), {options.resamples:,} resamples, seed {options.seed}")
