"""The arguments of ``python -m analysis kpi``, without what it takes to compute: commands must start at once."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMATS = ("table", "json", "page")
ALL_RULES = "all"

# Said again, since the modules that know them import the statistics libraries; a test holds them together.
RULES = ("dora2025", "dora2024", "dora2021", "fourkeys", "fourkeys-text", "devlake")
KINDS = ("git", "github", "gitlab", "devlake", "cdevents", "table")
GROUPINGS = ("service", "week", "month")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("path", type=Path, help="a git repository, an event log, a table, or a folder of exports")
    parser.add_argument("--format", choices=FORMATS, default="table", help="what to make of it (table)")
    parser.add_argument("--rules", default="dora2025", help=f"{', '.join(RULES)}, or {ALL_RULES} (dora2025)")
    parser.add_argument("--from", dest="begin", metavar="DATE", help="first day or moment that counts")
    parser.add_argument("--to", dest="end", metavar="DATE", help="first day or moment that no longer counts")
    parser.add_argument(
        "--production", action="append", default=[], metavar="NAME",
        help="another name of the production environment, besides production and prod; may be given again",
    )  # fmt: skip
    parser.add_argument("--service", action="append", default=[], help="only this service; may be given again")
    parser.add_argument("--by", action="append", default=[], help=f"tell apart: {', '.join(GROUPINGS)}; again for two")
    parser.add_argument("--change", metavar="DATE", help="interrupted time series: what changed on that day")
    parser.add_argument("--confidence", type=float, default=0.95, help="of all intervals (0.95)")
    parser.add_argument("--year", type=int, default=2024, help="of DORA's levels (2024)")
    parser.add_argument("--name", default="", help="what to call it")
    parser.add_argument("--out", type=Path, help="folder to write into (pages: report/build/kpis)")
    parser.add_argument("--kind", default="", help=f"kind of source, if it is not recognised: {', '.join(KINDS)}")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE",
        help="how the source is read, as findings name it: incident_labels=outage,incident; may be given again",
    )  # fmt: skip
    parser.add_argument("--mapping", type=Path, help="YAML that says what the columns of a table mean")
    parser.add_argument("--zone", help="time zone of times that name none")
    parser.add_argument("--deployments", help="git: what a deployment is, tags or merges (tags)")
    parser.add_argument("--unit", help="git: what a change is, commit or merge (commit)")
    parser.add_argument("--branch", help="git: the main line (that of HEAD)")
    parser.add_argument("--tag-pattern", help="git: which tags are releases, a regular expression")
    parser.add_argument("--git-rules", type=Path, help="git: YAML with the rules for failures and hotfixes")
