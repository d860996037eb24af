"""Open repositories as a reality check: what is recorded of each, derived facts only.

Delivery metrics of a history rest on what is taken for a failure. Each repository is therefore read twice: once with
reverts alone as failures, once with quick patch releases as well (`READINGS`). What lies between the two is what a
history by itself cannot tell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA, write_atomic
from analysis.base.schemas import TABLES
from analysis.kpi.checks import check_log
from analysis.kpi.dora import compute_dora
from analysis.kpi.facts import compute_lead_times
from analysis.kpi.rules import DORA_2025
from analysis.kpi.sources.git import read_repository
from analysis.kpi.sources.git_rules import GitRules

READINGS: dict[str, GitRules] = {
    "reverts": GitRules(hotfix_version="never", first_release="start"),
    "reverts and quick patches": GitRules(first_release="start"),
}
"""Name → what counts as a failure. The first release is the start of the service in both."""

FILES = ("kpi/repositories.csv", "kpi/repository_metrics.csv", "kpi/repository_lead_times.csv")


def describe_repository(path: Path, name: str, address: str, recorded: datetime) -> tuple[pd.DataFrame, ...]:
    """What is recorded of one repository: a row of facts, its metrics, the percentiles of its lead times.

    Parameters
    ----------
    path : Path
        Folder with ``.git``, or a bare repository.
    name, address : str
        How it is called, and where it is found.
    recorded : datetime
        When; nothing later is believed.

    Returns
    -------
    (DataFrame, DataFrame, DataFrame)
        Columns as in the tables `FILES`.

    Raises
    ------
    InputError
        No repository, or none with releases.
    """
    metrics = []
    for reading, rules in READINGS.items():
        log = check_log(read_repository(path, rules=rules, service=name), now=recorded)
        table = compute_dora(log, DORA_2025)
        metrics.append(table.assign(repository=name, reading=reading))
    leads = compute_lead_times(log, DORA_2025).select("lead_h").drop_nulls().collect()["lead_h"].to_numpy()
    leads = leads[leads >= 0]
    releases = log.about["releases"]
    times = log.events.select(pl.col("time").min().alias("first"), pl.col("time").max().alias("last")).collect()
    facts = pd.DataFrame(
        [
            {
                "repository": name,
                "address": address,
                "commit": log.about["commit"],
                "branch": log.about["branch"],
                "commits": int(log.about["commits"]),
                "releases": len(releases),
                "changes": len(leads),
                "first_event": times["first"][0].date().isoformat(),
                "last_event": times["last"][0].date().isoformat(),
                "recorded": recorded.date().isoformat(),
            }
        ]
    )
    percentiles = pd.DataFrame(
        {
            "repository": name,
            "percentile": range(101),
            "lead_h": np.quantile(leads, np.linspace(0, 1, 101), method="inverted_cdf"),
        }
    )
    together = pd.concat(metrics, ignore_index=True)
    kept = ["repository", "reading", "metric", "value", "low", "high", "n", "unit", "method", "note"]
    return facts, together[kept], percentiles


def read_arguments(arguments: Sequence[str]) -> dict[str, tuple[Path, str]]:
    """``NAME=PATH=ADDRESS`` each → name → (path, address).

    Raises
    ------
    InputError
        One that is not of this form, or a name that comes twice; all are listed.

    Examples
    --------
    >>> read_arguments(["flask=clones/flask=https://github.com/pallets/flask"])["flask"][1]
    'https://github.com/pallets/flask'
    """
    found: dict[str, tuple[Path, str]] = {}
    problems = []
    for text in arguments:
        name, _, rest = text.partition("=")
        path, _, address = rest.partition("=")
        if not (name and path and address.startswith("https://")):
            problems.append(Problem(repr(text), "not of the form NAME=PATH=ADDRESS", "an address begins with https://"))
        elif name in found:
            problems.append(Problem(repr(text), f"the name {name} comes twice", "give each a name of its own"))
        found.setdefault(name, (Path(path), address))
    if problems:
        raise InputError("There are repositories that cannot be read.", problems)
    return found


def record_repositories(
    repositories: Mapping[str, tuple[Path, str]], folder: Path = DATA, recorded: datetime | None = None
) -> Sequence[Path]:
    """Write the three tables anew from repositories at hand: name → (path, address).

    Raises
    ------
    InputError
        None given, or one that cannot be read; nothing is written then.
    """
    if not repositories:
        raise InputError("There is nothing to record.", [Problem("repositories", "none", "NAME=PATH=ADDRESS each")])
    recorded = recorded or datetime.now(UTC)
    parts = [describe_repository(path, name, address, recorded) for name, (path, address) in repositories.items()]
    paths = []
    for file, tables in zip(FILES, zip(*parts, strict=True), strict=True):
        columns = list(TABLES[file].columns)
        path = folder / file
        write_atomic(path, _as_csv(pd.concat(tables, ignore_index=True)[columns]))
        paths.append(path)
    return paths


def _as_csv(frame: pd.DataFrame) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.itertuples(index=False):
        writer.writerow(["" if pd.isna(cell) else f"{cell:.10g}" if isinstance(cell, float) else cell for cell in row])
    return out.getvalue()
