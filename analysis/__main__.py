"""The commands behind the Makefile: ``python -m analysis <command>``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from analysis.base.errors import WorkbenchError
from analysis.base.paths import BUILD, NOTEBOOKS, PROFILES
from analysis.reporting import (
    coding_commands,
    literature_commands,
    requirements_commands,
    screening_commands,
    survey_commands,
)
from analysis.reporting.kpi_arguments import add_arguments


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a `WorkbenchError` is printed without a traceback and returns 1."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except WorkbenchError as error:
        print(f"\nerror: {error}\n", file=sys.stderr)
        return 1
    except BrokenPipeError:  # `… | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\nstopped; give the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    deps = commands.add_parser("deps", help="write what each notebook depends on, for make")
    deps.add_argument("target", type=Path)
    deps.set_defaults(command=_deps)

    run = commands.add_parser("run", help="run one notebook")
    run.add_argument("notebook", help="its name, for example 02_survey")
    run.add_argument("--profile", default="quick", help="parameter set in notebooks/profiles (quick)")
    run.set_defaults(command=_run)

    dictionary = commands.add_parser("dictionary", help="write the data dictionary from the schemas")
    dictionary.set_defaults(command=_dictionary)

    render = commands.add_parser("render", help="check every claim and render the thesis")
    render.add_argument("--engine", default="auto", help="auto, quarto or offline (auto)")
    render.set_defaults(command=_render)

    check = commands.add_parser("check", help="check every claim without rendering")
    check.set_defaults(command=_check)

    verify = commands.add_parser("verify", help="grade the numbers against report/reference/numbers.csv")
    verify.set_defaults(command=_verify)

    accept = commands.add_parser("accept", help="make the current numbers the reference")
    accept.set_defaults(command=_accept)

    experiment = commands.add_parser("experiment", help="play all arms on all seeds; goes on where it stopped")
    experiment.add_argument("--profile", default="quick", help="profile of the notebooks, or of the experiment (quick)")
    experiment.add_argument("--again", action="store_true", help="play a complete run again from its recorded work")
    experiment.add_argument("--record", action="store_true", help="store the run under data/experiment/recorded")
    experiment.add_argument("--note", type=Path, help="file to write the run's folder into")
    experiment.set_defaults(command=_experiment)

    reconcile = commands.add_parser("reconcile", help="hold what W&B has against the local record")
    reconcile.set_defaults(command=_reconcile)

    sync = commands.add_parser("wandb-sync", help="upload the offline runs to W&B")
    sync.set_defaults(command=_sync)

    kpi = commands.add_parser("kpi", help="delivery metrics of a project: table, JSON, or one page")
    add_arguments(kpi)
    kpi.set_defaults(command=_kpi)

    for room in (survey_commands, literature_commands, screening_commands, coding_commands, requirements_commands):
        room.add_commands(commands)

    repositories = commands.add_parser("record-repositories", help="read open repositories anew for data/kpi")
    repositories.add_argument("repositories", nargs="+", metavar="NAME=PATH=ADDRESS")
    repositories.set_defaults(command=_record_repositories)

    trace = commands.add_parser("trace", help="from a printed number back to its data rows")
    trace.add_argument("key", help="a number's key, or the label of a table or figure")
    trace.set_defaults(command=_trace)
    return parser


# Each command imports what it needs: rendering must not wait for the statistics libraries.


def _deps(options: argparse.Namespace) -> None:
    from analysis.base.provenance import write_makefile_rules

    write_makefile_rules(options.target)


def _run(options: argparse.Namespace) -> None:
    from analysis.reporting.execute import run_notebook

    run_notebook(NOTEBOOKS / f"{options.notebook}.ipynb", PROFILES / f"{options.profile}.yaml", BUILD)


def _dictionary(options: argparse.Namespace) -> None:
    from analysis.reporting.appendix import write_dictionary, write_questionnaire, write_requirements_form

    write_dictionary()
    write_questionnaire()
    write_requirements_form()


def _render(options: argparse.Namespace) -> None:
    from analysis.reporting.render import render

    render(options.engine)


def _check(options: argparse.Namespace) -> None:
    from analysis.reporting.render import prepare_report

    _, store = prepare_report()
    print(f"{len(store.entries)} results, all used and checked")


def _verify(options: argparse.Namespace) -> None:
    from analysis.reporting.verify import verify

    verify()


def _accept(options: argparse.Namespace) -> None:
    from analysis.reporting.verify import accept

    accept()


def _experiment(options: argparse.Namespace) -> None:
    from analysis.base.paths import relative, write_atomic
    from analysis.experiment.recording import record_run
    from analysis.experiment.run import run_experiment
    from analysis.experiment.settings import find_settings

    settings = find_settings(options.profile, PROFILES)
    folder = run_experiment(settings, report=lambda text: print(text, flush=True), again=options.again)
    if options.note:
        write_atomic(options.note, f"{relative(folder)}\n")
    if options.record:
        print(f"recorded: {relative(record_run(folder))}")


def _reconcile(options: argparse.Namespace) -> None:
    from analysis.experiment.tracking import reconcile

    frame, problems = reconcile()
    if problems:
        raise WorkbenchError("W&B does not hold what the local record says.", problems)
    print(f"{len(frame)} runs in the local record, all of them in W&B's files as well")


def _sync(options: argparse.Namespace) -> None:
    from analysis.experiment.tracking import sync

    sync()


def _kpi(options: argparse.Namespace) -> None:
    from analysis.reporting.kpi_command import run_kpi

    print(run_kpi(options), flush=True)


def _record_repositories(options: argparse.Namespace) -> None:
    from analysis.base.paths import relative
    from analysis.kpi.repositories import read_arguments, record_repositories

    for path in record_repositories(read_arguments(options.repositories)):
        print(relative(path))


def _trace(options: argparse.Namespace) -> None:
    from analysis.reporting.trace import trace

    print(trace(options.key))


if __name__ == "__main__":
    sys.exit(main())
