"""How much the change fail rate of a repository hangs on the rule that reads failures off its history.

git knows no failures. What counts as one is a convention (`analysis.kpi.sources.git_rules`), so the rate is shown
with each part of the rule switched off, and with its one number moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.kpi.checks import check_log
from analysis.kpi.cut import cut_log
from analysis.kpi.dora import compute_dora
from analysis.kpi.rules import DORA_2025, FAIL, Rules
from analysis.kpi.sources.git import read_repository
from analysis.kpi.sources.git_rules import GitRules

COLUMNS = ("rule", "value", "low", "high", "n", "confidence", "method", "note")

_NEVER = r"(?!)"  # a pattern that nothing matches
_FEWER, _MORE = 2.0, 30.0  # days


def build_variants(rules: GitRules) -> dict[str, GitRules]:
    """The rule as it is and with parts of it changed: name → rules."""
    reverts = {"hotfix_version": "never", "hotfix_pattern": _NEVER}
    hotfixes: dict[str, Any] = {"blame_patterns": (), "rollbacks": False}
    variants = {
        "reverts only": replace(rules, **reverts),
        "hotfixes only": replace(rules, **hotfixes),
        f"hotfix within {_FEWER:g} days": replace(rules, hotfix_within_days=_FEWER),
        f"hotfix within {_MORE:g} days": replace(rules, hotfix_within_days=_MORE),
        "neither": replace(rules, **reverts, **hotfixes),
    }
    return {"as it is": rules} | {name: item for name, item in variants.items() if item != rules}


def compute_rule_sensitivity(
    path: Path | str,
    git_rules: GitRules | None = None,
    rules: Rules = DORA_2025,
    confidence: float = 0.95,
    begin: datetime | None = None,
    end: datetime | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Change fail rate of a repository under variants of the rule for failures.

    Parameters
    ----------
    path : Path
        The repository.
    git_rules : GitRules, optional
        The rule in use.
    rules : Rules
        Definition of the rate.
    confidence : float
    begin, end : datetime, optional
        Stretch of time, as for `analysis.kpi.cut.cut_log`.
    **options
        As for `analysis.kpi.sources.git.read_repository`.

    Returns
    -------
    DataFrame
        Columns `COLUMNS`: one row a variant, the rule in use first. With neither part there is no failure in git at
        all, so that the rate of 0 says nothing about the software.

    Raises
    ------
    InputError
        As reading the repository.
    """
    rows = []
    for name, variant in build_variants(git_rules or GitRules()).items():
        log = cut_log(check_log(read_repository(path, rules=variant, **options)), begin, end)
        row: Mapping[str, Any] = compute_dora(log, rules, confidence=confidence).set_index("metric").loc[FAIL]
        rows.append({"rule": name} | {column: row[column] for column in COLUMNS[1:]})
    return pd.DataFrame(rows, columns=list(COLUMNS))
