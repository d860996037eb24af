"""``python -m analysis kpi``: delivery metrics of a project as a table, as JSON, or as one page.

Exit status 0 with the metrics, 1 with what is wrong with the input. Times and days are UTC unless they say otherwise.
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative, write_atomic
from analysis.base.tables import load_table
from analysis.kpi.before_after import compare_before_after
from analysis.kpi.checks import check_log
from analysis.kpi.cut import choose_services, cut_log
from analysis.kpi.dora import compute_dora
from analysis.kpi.events import PRODUCTION, EventLog
from analysis.kpi.git_sensitivity import compute_rule_sensitivity
from analysis.kpi.levels import compute_levels
from analysis.kpi.mlkpi import compute_ml_kpis
from analysis.kpi.multiverse import compute_multiverse
from analysis.kpi.rules import DORA_2025, RULE_SETS, find_rules, name_production
from analysis.kpi.samples import collect_samples
from analysis.kpi.sources.git_rules import load_rules
from analysis.kpi.sources.matching import PRODUCTION as PATTERNS
from analysis.kpi.sources.open import open_log, recognise
from analysis.kpi.sources.options import list_options, read_options
from analysis.kpi.trend import compute_trend
from analysis.reporting.kpi_arguments import ALL_RULES
from analysis.reporting.kpi_content import build_page, has_ml_events
from analysis.reporting.kpi_output import Analysis, build_json, build_text
from analysis.reporting.kpi_page import PAGES, name_file, write_page

_GIT_OPTIONS = ("deployments", "unit", "branch", "tag_pattern")
_OWN_OPTIONS = {"git": (*_GIT_OPTIONS, "git_rules"), "table": ("mapping",)}
"""Kind of source → arguments of the command that it alone has."""

_SAID = 20  # findings in an error


def run_kpi(options: argparse.Namespace) -> str:
    """Do what the arguments say; the text to print.

    Raises
    ------
    InputError
        What is asked for does not exist or cannot be used.
    """
    found = analyse(options)
    stem = name_file(found.name)
    if options.format == "page":
        return _write_page(found, options, stem)
    text = build_json(found) if options.format == "json" else build_text(found)
    if options.out is None:
        return text
    suffix = "json" if options.format == "json" else "txt"
    path = write_atomic(options.out.expanduser() / f"{stem}.{suffix}", text + "\n")
    return f"written: {relative(path)}"


def analyse(options: argparse.Namespace) -> Analysis:
    """Read the log and compute what the format shows.

    Raises
    ------
    InputError
        As `run_kpi`.
    """
    if options.by and options.format == "page":
        remedy = "leave --by away; --service makes a page of one service"
        raise InputError("A page tells nothing apart.", [Problem("--by", "a page is about the whole log", remedy)])
    every = options.rules == ALL_RULES
    production = (*PRODUCTION, *(name.lower() for name in options.production))
    rules = name_production(DORA_2025 if every else find_rules(options.rules), production)
    begin, end = _read_moment("--from", options.begin), _read_moment("--to", options.end)
    change = _read_day("--change", options.change)
    path = options.path.expanduser()
    if not path.exists():
        raise InputError(
            f"{relative(path)} does not exist.", [Problem(relative(path), "nothing is there", "check the path")]
        )
    kind = options.kind or recognise(path)
    reading = _read_options(options, kind)
    if options.production and "production" in list_options(kind):
        reading.setdefault("production", (*PATTERNS, *map(re.escape, options.production)))
    log = check_log(open_log(path, kind=kind, **reading), production=production)
    _require_events(log, path)
    if options.service:
        log = choose_services(log, options.service)
    log = cut_log(log, begin, end)
    samples = collect_samples(log, rules)
    sets = [name_production(one, production) for one in RULE_SETS.values()]
    by = list(dict.fromkeys(options.by))
    tidy = compute_dora(samples, by=by, confidence=options.confidence)
    page, empty = options.format == "page", pd.DataFrame()
    sensitivity = empty
    if kind == "git" and not options.service:
        git_rules = reading.pop("rules", None)
        sensitivity = compute_rule_sensitivity(path, git_rules, rules, options.confidence, begin, end, **reading)
    per_period = {"week", "month"} & set(by)
    ml = [item for item in by if item == "service"]
    return Analysis(
        log,
        samples,
        relative(path),
        kind,
        options.name or log.name or path.stem,
        rules,
        "dora2025" if every else options.rules,
        options.confidence,
        tidy,
        compute_ml_kpis(log, by=ml, production=production, confidence=options.confidence)
        if has_ml_events(log) and not page
        else empty,
        empty if page else compute_levels(samples, load_table("kpi/dora_levels.csv"), options.year),
        compute_trend(tidy, options.confidence) if per_period else empty,
        compute_multiverse(log, sets, options.confidence) if every and not page else empty,
        sensitivity,
        compare_before_after(log, change, rules=rules, confidence=options.confidence) if change else empty,
    )


def _require_events(log: EventLog, path: Path) -> None:
    """Refuse a log of which nothing is left, with what the checks found: else nobody would see why."""
    known = log.begin is not None and log.end is not None
    if known or not log.events.head(1).collect(engine="streaming").is_empty():
        return
    findings = log.findings.filter(pl.col("treatment") == "left out")
    problems = [
        Problem(
            item["source"] if item["line"] is None else f"{item['source']}:{item['line']}", item["what"], item["remedy"]
        )
        for item in findings.head(_SAID).iter_rows(named=True)
    ]
    if len(findings) > _SAID:
        problems.append(Problem(relative(path), f"and {len(findings) - _SAID:,} more findings"))
    nothing = [Problem(relative(path), "it has no event", "give a log with one")]
    raise InputError(f"{relative(path)} holds no event that counts.", problems or nothing)


def _write_page(found: Analysis, options: argparse.Namespace, stem: str) -> str:
    change = _read_day("--change", options.change)
    page = build_page(
        found.log,
        rules=found.rules,
        production=(*PRODUCTION, *(name.lower() for name in options.production)),
        year=options.year,
        confidence=found.confidence,
        name=found.name,
        place=found.place,
        sensitivity=found.sensitivity,
        change=change,
        effects=found.before_after if change else None,
    )
    html, pdf = write_page(page, (options.out or PAGES).expanduser(), stem)
    return f"{relative(html)}\n{relative(pdf)}"


def _read_options(options: argparse.Namespace, kind: str) -> dict[str, Any]:
    """What is handed to the reader; options of another kind of source are refused, not ignored."""
    own = [name for names in _OWN_OPTIONS.values() for name in names]
    given = {name: getattr(options, name) for name in (*own, "zone")}
    given = {name: value for name, value in given.items() if value is not None}
    belongs = {*_OWN_OPTIONS.get(kind, ()), *list_options(kind)}
    wrong = [name for name in given if name not in belongs]
    if wrong:
        remedy = f"{relative(options.path)} is read as {kind}; leave it away, or say --kind"
        what = "this kind of source does not have it"
        raise InputError(
            "An option does not fit the source.",
            [Problem(f"--{name.replace('_', '-')}", what, remedy) for name in wrong],
        )
    given |= read_options(kind, options.option)
    if "git_rules" in given:
        given["rules"] = load_rules(given.pop("git_rules"))
    return given


def _read_moment(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        remedy = "write 2026-01-31, or 2026-01-31T12:00+01:00"
        raise InputError("A date cannot be read.", [Problem(option, f"got '{text}'", remedy)]) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_day(option: str, text: str | None) -> date | None:
    moment = _read_moment(option, text)
    return None if moment is None else moment.date()
