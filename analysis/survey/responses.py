"""A survey export into a typed table of answers, with an account of every row that did not enter.

The order is fixed, and each step counts what it leaves out: blank rows; previews, tests and what was never sent
(by the tool's importer); no consent; withdrawn; duplicates. Only then are answers checked, so that nothing that a
person did not agree to is ever printed, not even in an error. All violations are reported at once.

**Duplicates.** ``by: respondent`` keeps one submission of each respondent, ``by: submission`` one of those whose
answers and time agree (the same one, exported twice), ``by: content`` one of those whose answers agree (which
different people's may); ``keep: last`` is the latest by time, then by line. The default is by respondent where one
is mapped, else by submission.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.survey.answers import Findings, read_boolean, read_question, read_times
from analysis.survey.importers.cells import Export, is_text
from analysis.survey.instrument import Instrument
from analysis.survey.mapping import Mapping
from analysis.survey.privacy import Vault

COUNTS = ("step", "rows")


@dataclass(frozen=True)
class Responses:
    """Checked responses.

    Attributes
    ----------
    instrument : str
        Id of the questionnaire.
    table : DataFrame
        A row a response. ``respondent`` (keyed hash, missing where nobody can be told), ``submitted``, then the
        columns of each question as `analysis.survey.answers.read_question` describes them. No personal question.
        Index ``line``; ``attrs["source"]`` is the file.
    counts : DataFrame
        ``step`` and ``rows``: in the file, each reason for which rows were left out, and kept. They add up.
    source : str
        Name of the export.
    origin : str
        ``measured``, or ``demo`` for made-up responses.
    """

    instrument: str
    table: pd.DataFrame
    counts: pd.DataFrame
    source: str
    origin: str = "measured"

    @property
    def n(self) -> int:
        return len(self.table)

    def account(self) -> str:
        """The counts in words, a line each."""
        width = max(len(step) for step in self.counts["step"])
        rows = [(step, count) for step, count in self.counts.itertuples(index=False) if count or step == "kept"]
        lines = [f"  {step:<{width}}  {count:>9,}" for step, count in rows]
        return "\n".join([f"{self.source} ({self.instrument}, {self.origin})", *lines])


def read_export(path: Path, mapping: Mapping) -> Export:
    """The cells of an export, by the importer of the tool that the mapping names."""
    module = importlib.import_module(f"analysis.survey.importers.{mapping.tool}")
    return getattr(module, f"read_{mapping.tool}")(path, mapping)


def load_responses(path: Path, instrument: Instrument, mapping: Mapping, vault: Vault | None = None) -> Responses:
    """Import and check an export.

    Parameters
    ----------
    path : Path
        The file as the tool exported it.
    instrument : Instrument
    mapping : Mapping
        Made by `load_mapping` for this instrument.
    vault : Vault, optional
        Holds the secret for respondents' ids and the list of withdrawals; needed where the mapping names a
        respondent column.

    Raises
    ------
    InputError
        The file cannot be read; or unknown options, missing required answers, impossible values, each with line
        and column; or nobody is left.
    """
    if mapping.respondent and vault is None:
        raise InputError(
            "Respondents' ids need a secret.",
            [Problem("vault", f"column '{mapping.respondent}' identifies people", "pass open_vault(folder)")],
        )
    export = read_export(path, mapping)
    cells, steps = export.cells, dict(export.dropped)
    findings = Findings(export.source)

    cells = _require_consent(cells, instrument, mapping, findings, steps)
    respondents = _hash_respondents(cells, mapping, vault, findings)
    if vault is not None:
        gone = respondents.isin(vault.withdrawn()).fillna(False).to_numpy(dtype=bool)
        steps["withdrawn"] = int(gone.sum())
        cells, respondents = cells[~gone], respondents[~gone]
    times = pd.Series(pd.NaT, index=cells.index, dtype="datetime64[us]")
    if mapping.submitted:
        times = read_times(mapping.submitted, cells[mapping.submitted], mapping, findings)
    stay = keep_once(_duplicate_keys(cells, respondents, mapping), times, mapping.keep)
    steps["duplicate"] = int((~stay).sum())
    cells, respondents, times = cells[stay], respondents[stay], times[stay]

    columns = {"respondent": respondents, "submitted": times}
    for question in instrument.questions:
        if question.id in mapping.questions and not question.personal:
            columns |= read_question(question, mapping.questions[question.id], cells, mapping, findings)
    if findings.problems:
        raise InputError(f"{export.source} holds answers that cannot be.", findings.problems)
    if not len(cells):
        reasons = ", ".join(f"{rows} {step}" for step, rows in steps.items() if rows)
        raise InputError(
            f"{export.source} holds no responses.", [Problem(export.source, f"all rows were left out: {reasons}")]
        )
    table = pd.DataFrame(columns)
    table.attrs["source"] = export.source
    return Responses(instrument.id, table, _count(export.rows, steps, len(table)), export.source)


def merge_responses(parts: Sequence[Responses], keep: str = "last") -> Responses:
    """Imports of the same questionnaire as one, given in the order of time.

    Who answered in several of them counts once (``keep`` the first or last); the counts add up.

    Raises
    ------
    InputError
        Different questionnaires, columns or origins.
    """
    if not parts:
        raise InputError("There is nothing to merge.", [Problem("parts", "the list is empty")])
    first = parts[0]
    problems = [
        Problem(part.source, f"{what} differ from those of {first.source}", "merge only what belongs together")
        for part in parts[1:]
        for what, same in (
            ("questionnaire", part.instrument == first.instrument),
            ("columns", list(part.table) == list(first.table)),
            ("origin", part.origin == first.origin),
        )
        if not same
    ]
    if problems:
        raise InputError("These imports cannot be merged.", problems)
    table = pd.concat([part.table for part in parts])
    stay = keep_once(table["respondent"].reset_index(drop=True), table["submitted"].reset_index(drop=True), keep)
    table = table[stay]
    table.attrs["source"] = ", ".join(dict.fromkeys(part.source for part in parts))
    steps: dict[str, int] = {}
    for part in parts:
        for step, rows in part.counts.itertuples(index=False):
            steps[step] = steps.get(step, 0) + int(rows)
    total, _ = steps.pop("in the file"), steps.pop("kept")
    steps["duplicate"] = steps.get("duplicate", 0) + int((~stay).sum())
    return replace(first, table=table, counts=_count(total, steps, len(table)), source=table.attrs["source"])


def keep_once(keys: pd.Series, times: pd.Series, keep: str) -> np.ndarray:
    """Rows that stay when each key counts once: its first or last row by time, then by order. Missing keys all stay."""
    if keep not in ("first", "last"):
        raise InputError("There is no such rule.", [Problem("keep", f"got {keep!r}", "first or last")])
    order = np.argsort(times.to_numpy().astype("datetime64[us]").astype("int64"), kind="stable")  # NaT comes first
    ordered = keys.iloc[order]
    stay = np.empty(len(keys), dtype=bool)
    stay[order] = (~ordered.duplicated(keep=keep) | ordered.isna()).to_numpy(dtype=bool)
    return stay


def _require_consent(
    cells: pd.DataFrame, instrument: Instrument, mapping: Mapping, findings: Findings, steps: dict[str, int]
) -> pd.DataFrame:
    asked = instrument.participation
    if asked is None:
        return cells
    column = mapping.questions[asked.id].column
    yes, no, empty = read_boolean(cells[column], mapping)
    findings.note_texts(
        column, cells[column], ~(yes | no | empty), "{text} neither gives nor refuses consent", "see `booleans`"
    )
    steps["no consent"] = int((no | empty).sum())
    return cells[yes]


def _hash_respondents(cells: pd.DataFrame, mapping: Mapping, vault: Vault | None, findings: Findings) -> pd.Series:
    if not mapping.respondent or vault is None:
        return pd.Series(pd.NA, index=cells.index, dtype="string")
    column = cells[mapping.respondent].astype("str")
    empty = is_text(column, mapping.missing)
    if not mapping.respondent_may_be_empty:
        findings.note(
            mapping.respondent, cells.index[empty], "nothing identifies the respondent, who then cannot withdraw",
            "set `respondent: {column: …, may_be_empty: true}` if that is how it was meant",
        )  # fmt: skip
    hashes = np.array([None if blank else vault.hash(text) for text, blank in zip(column, empty, strict=True)], object)
    return pd.Series(hashes, index=cells.index, dtype="string")


def _duplicate_keys(cells: pd.DataFrame, respondents: pd.Series, mapping: Mapping) -> pd.Series:
    if mapping.duplicates_by == "respondent":
        return respondents
    if mapping.duplicates_by == "nothing" or (mapping.duplicates_by == "submission" and not mapping.submitted):
        return pd.Series(pd.NA, index=cells.index, dtype="Int64")
    aside = {mapping.respondent} if mapping.duplicates_by == "submission" else {mapping.respondent, mapping.submitted}
    answers = cells[[column for column in mapping.columns if column not in aside]]
    return pd.Series(
        answers.groupby(list(answers), sort=False, observed=True, dropna=False).ngroup(), index=cells.index
    )


def _count(total: int, steps: dict[str, int], kept: int) -> pd.DataFrame:
    rows = [("in the file", total), *steps.items(), ("kept", kept)]
    return pd.DataFrame(rows, columns=list(COUNTS)).astype({"step": "string", "rows": "Int64"})
