"""The codebook: codes in a tree of at most three levels, each under one theme.

A *theme* is a code without a parent. A code's *level* is 1 for a theme, 2 for its children, 3 for
theirs. Codes of the framework carry the ids of the activities; those of the maturity model carry
the ids of the preconditions as `precondition_code` writes them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import DATA
from analysis.base.tables import load_table

MAX_LEVELS = 3
"""Deeper trees cannot be kept in mind while coding."""


def load_codebook(folder: Path = DATA) -> pd.DataFrame:
    """Load ``literature/codebook.csv`` and check its tree.

    Parameters
    ----------
    folder : Path
        Where the tables lie; the project's ``data/`` unless told otherwise.

    Returns
    -------
    DataFrame
        ``code``, ``parent`` (missing for a theme), ``name``, ``definition``, ``example``, ``theme``,
        ``origin``, ``source``, ``locator``, ``version``; index ``line``.

    Raises
    ------
    InputError
        The table breaks its schema, or the tree its rules (`check_codebook`).
    """
    return check_codebook(load_table("literature/codebook.csv", folder))


def check_codebook(codebook: pd.DataFrame) -> pd.DataFrame:
    """Check what no single column can show, and return the table unchanged.

    Parameters
    ----------
    codebook : DataFrame
        ``literature/codebook.csv``.

    Raises
    ------
    InputError
        A repeated code; a parent that is not a code; codes that are above themselves; more than
        `MAX_LEVELS` levels; two codes whose names or definitions differ in nothing but case and
        spaces; a theme that is not the topmost code above. All violations are listed.
    """
    where = codebook.attrs.get("source", "codebook")
    problems = _repeats(codebook, where)
    parents = _parents(codebook)
    for row in codebook.itertuples():
        at = f"{where}:{row.Index}"
        if pd.notna(row.parent) and row.parent not in parents:
            remedy = "correct it, or add the code above"
            problems.append(Problem(f"{at}, column 'parent'", f"'{row.parent}' is not a code", remedy))
            continue
        chain = _chain(row.code, parents)
        if chain is None:
            remedy = "give one of the codes on the way another parent"
            problems.append(Problem(f"{at}, column 'parent'", f"'{row.code}' is above itself", remedy))
            continue
        if chain[-1] not in parents:
            continue  # said at the code whose parent is missing
        if len(chain) > MAX_LEVELS:
            what = f"'{row.code}' is at level {len(chain)}, at most {MAX_LEVELS} are allowed"
            problems.append(Problem(f"{at}, column 'parent'", what, "hang it further up"))
        if row.theme != chain[-1]:
            what = f"'{row.theme}' is not the topmost code, which is '{chain[-1]}'"
            problems.append(Problem(f"{at}, column 'theme'", what, f"write '{chain[-1]}'"))
    if problems:
        raise InputError("The codebook is not a sound tree of codes.", problems)
    return codebook


def compute_code_levels(codebook: pd.DataFrame) -> pd.Series:
    """Level of every code: 1 for a theme, 2 and 3 below it.

    Parameters
    ----------
    codebook : DataFrame
        `load_codebook`.

    Returns
    -------
    Series
        Index ``code`` in the order of the file, values ``int64``, name ``level``.
    """
    parents = _parents(codebook)
    levels = {code: len(_chain(code, parents) or ()) for code in parents}
    return pd.Series(levels, name="level", dtype="int64").rename_axis("code")


def codes_above(codebook: pd.DataFrame, code: str) -> tuple[str, ...]:
    """The codes above one code, nearest first; empty for a theme.

    Raises
    ------
    InputError
        The code is not in the codebook.
    """
    _require_known(codebook, code)
    return (_chain(code, _parents(codebook)) or (code,))[1:]


def codes_below(codebook: pd.DataFrame, code: str) -> tuple[str, ...]:
    """The codes below one code at any level, in the order of the file.

    Raises
    ------
    InputError
        The code is not in the codebook.
    """
    _require_known(codebook, code)
    parents = _parents(codebook)
    return tuple(other for other in parents if code in (_chain(other, parents) or ())[1:])


def compute_rolled_up_codes(codebook: pd.DataFrame, level: int) -> pd.Series:
    """For every code the code at ``level`` above it, or itself where it stands no deeper.

    Rolling up to level 1 gives the themes. Two codes of one coder on the same segment may roll up
    to the same code: drop repeats before counting.

    Parameters
    ----------
    codebook : DataFrame
        `load_codebook`.
    level : int
        1 to `MAX_LEVELS`.

    Returns
    -------
    Series
        Index ``code``, values codes, name ``rolled_up``.

    Raises
    ------
    InputError
        The level does not exist.
    """
    if not 1 <= level <= MAX_LEVELS:
        raise InputError(
            f"The codebook has no level {level}.", [Problem("level", "out of range", f"choose 1 to {MAX_LEVELS}")]
        )
    parents = _parents(codebook)
    chains = {code: _chain(code, parents) or (code,) for code in parents}
    rolled = {code: chain[max(0, len(chain) - level)] for code, chain in chains.items()}
    return pd.Series(rolled, name="rolled_up", dtype="string").rename_axis("code")


def precondition_code(precondition: str) -> str:
    """The code of a precondition of the maturity model.

    Examples
    --------
    >>> precondition_code("P2.13")
    'p2_13'
    """
    return precondition.lower().replace(".", "_")


def _parents(codebook: pd.DataFrame) -> dict[str, str | None]:
    pairs = zip(codebook["code"], codebook["parent"], strict=True)
    return {code: None if pd.isna(parent) else parent for code, parent in pairs}


def _chain(code: str, parents: dict[str, str | None]) -> tuple[str, ...] | None:
    """The code and all above it, ending at a theme or at an unknown parent; None where it is above itself.

    A code that merely hangs below a ring is followed until the ring has been gone round once.
    """
    chain = [code]
    while (above := parents.get(chain[-1])) is not None:
        if above == code:
            return None
        if above in chain:
            return (*chain, "")
        chain.append(above)
    return tuple(chain)


def _repeats(codebook: pd.DataFrame, where: str) -> list[Problem]:
    problems = []
    remedies = {
        "code": "remove or rename one of them",
        "name": "name them so that a reader can tell them apart",
        "definition": "say what separates them, or keep one of them",
    }
    for column, remedy in remedies.items():
        folded = codebook[column].str.casefold().str.split().str.join(" ")
        for lines in folded.groupby(folded, sort=False).groups.values():
            if len(lines) > 1:
                at = f"{where}, lines {', '.join(map(str, lines))}, column '{column}'"
                problems.append(Problem(at, f"the same {column} more than once", remedy))
    return problems


def _require_known(codebook: pd.DataFrame, code: str) -> None:
    if code not in set(codebook["code"]):
        where = codebook.attrs.get("source", "codebook")
        raise InputError(f"The codebook has no code '{code}'.", [Problem(where, "unknown code", "check the spelling")])
