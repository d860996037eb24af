"""What participants were promised: pseudonyms that only this machine can make, and a way out at any time.

A **vault** is a folder that git ignores (it says so itself). It holds

- ``secret.key``: random bytes, readable by the owner alone, made on first use;
- ``secret.check``: a fingerprint by which a lost or exchanged secret is noticed;
- ``withdrawn.csv``: hashes of those who withdrew, and the day; nothing else about them;
- ``<name>.csv`` with ``<name>.counts.csv``: stored responses, without personal columns and without line numbers.

A respondent's id is a keyed hash (BLAKE2b, 128 bits) of the identifier in the export, normalised as `normalise`
does: without the secret it cannot be computed from an address. Keep a copy of the secret where you keep the
exports; without it nobody can be withdrawn.

Raw exports are not the vault's business: delete them yourself when somebody withdraws. If one is imported again, the
list of withdrawals keeps the person out.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import ROOT, relative, write_atomic
from analysis.survey.mapping import normalise

if TYPE_CHECKING:
    from analysis.survey.instrument import Instrument
    from analysis.survey.responses import Responses

PRIVATE = ROOT / "private" / "survey"
"""Where the vault lies unless told otherwise."""
SECRET, CHECK, LEDGER = "secret.key", "secret.check", "withdrawn.csv"
_CHECK_TEXT = b"this is the secret of this vault"


@dataclass(frozen=True)
class Vault:
    """A folder with its secret; opened by `open_vault`."""

    folder: Path
    hasher: Callable[..., hashlib.blake2b]

    def hash(self, identifier: str) -> str:
        """The respondent's id: 32 hexadecimal digits."""
        keyed = self.hasher()
        keyed.update(normalise(identifier).encode("utf-8"))
        return keyed.hexdigest()

    def withdrawn(self) -> set[str]:
        """Ids of those who withdrew."""
        path = self.folder / LEDGER
        if not path.is_file():
            return set()
        return set(_read_csv(path, ["respondent"])["respondent"])

    def tables(self) -> list[Path]:
        """Stored responses."""
        return sorted(
            path for path in self.folder.glob("*.csv") if path.name != LEDGER and not path.name.endswith(".counts.csv")
        )


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a withdrawal did: table → rows removed, and whether it had been noted before."""

    removed: dict[str, int]
    known: bool

    def text(self) -> str:
        rows = sum(self.removed.values())
        done = f"removed {rows} row{'s' * (rows != 1)}"
        tables = ", ".join(name for name, count in self.removed.items() if count)
        noted = "noted before" if self.known else "noted, so that a later import leaves the person out"
        return f"{done}{f' from {tables}' if tables else ''}; {noted}"


def open_vault(folder: Path = PRIVATE) -> Vault:
    """Open the vault, and make it with a new secret where there is none.

    Raises
    ------
    InputError
        The secret is gone although ids were made with it, is another one, is damaged, or others may read it.
    """
    secret, check = folder / SECRET, folder / CHECK
    if not secret.exists():
        left = [path.name for path in (check, folder / LEDGER) if path.exists()]
        if folder.is_dir():
            left += [path.name for path in folder.glob("*.csv") if path.name != LEDGER]
        if left:
            raise InputError(
                "The secret of the stored responses is lost.",
                [
                    Problem(
                        relative(secret),
                        f"no such file, but {', '.join(left)} rest on it",
                        f"put back your copy of {SECRET}. Without one, nobody can be withdrawn and no further export "
                        f"matched: only moving {relative(folder)} away and importing everything again helps, and "
                        "those who withdrew must be withdrawn again",
                    )
                ],
            )
        _make_secret(folder)
    key = secret.read_bytes()
    problems = []
    if len(key) != 32:
        problems.append(Problem(relative(secret), f"{len(key)} bytes, a secret has 32", "put back your copy"))
    elif check.exists() and check.read_text(encoding="utf-8").strip() != _fingerprint(key):
        problems.append(
            Problem(relative(secret), "not the secret with which the ids here were made", "put back your copy")
        )
    if os.name == "posix" and secret.stat().st_mode & 0o077:
        problems.append(Problem(relative(secret), "others may read it", f"chmod 600 {relative(secret)}"))
    if problems:
        raise InputError("The secret of the stored responses cannot be used.", problems)
    if not check.exists():
        write_atomic(check, _fingerprint(key) + "\n")
    base = hashlib.blake2b(key=key, digest_size=16, person=b"respondent")
    return Vault(folder, base.copy)


def store_responses(responses: Responses, vault: Vault, name: str = "") -> Path:
    """Write the table into the vault, as ``<name>.csv`` (the instrument's id unless told otherwise).

    Lines of the export are not written, of the time of submission only the day, and no line breaks within answers.
    """
    name = name or responses.instrument
    if not name.replace("_", "").replace("-", "").isalnum() or name == Path(LEDGER).stem:
        raise InputError("The responses cannot be stored.", [Problem("name", f"got {name!r}", "letters and digits")])
    table = responses.table.assign(submitted=responses.table["submitted"].dt.normalize())
    gone = table["respondent"].isin(vault.withdrawn())
    table = table[~gone.fillna(False).astype(bool)]
    for column in table.select_dtypes("string"):  # a line a response
        table[column] = table[column].str.replace(r"\s*[\r\n]+\s*", " ", regex=True)
    head = f"# origin: {responses.origin}; source: {Path(responses.source).name}\n"
    path = vault.folder / f"{name}.csv"
    write_atomic(path, head + table.to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n"))
    _private(path)
    counts = vault.folder / f"{name}.counts.csv"
    write_atomic(counts, responses.counts.to_csv(index=False, lineterminator="\n"))
    return path


def load_stored(instrument: Instrument, vault: Vault, name: str = "") -> Responses:
    """Stored responses, typed as `load_responses` typed them.

    Raises
    ------
    InputError
        Nothing is stored under the name, or its columns are not the instrument's.
    """
    from analysis.survey.responses import Responses

    name = name or instrument.id
    path = vault.folder / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(table.stem for table in vault.tables()) or "none"
        raise InputError("There are no such responses.", [Problem(relative(path), "no such file", f"stored: {known}")])
    head = path.read_text(encoding="utf-8").partition("\n")[0]
    origin, _, source = head.removeprefix("# origin: ").partition("; source: ")
    table = _read_csv(path, ["respondent", "submitted"])
    typed: dict[str, pd.Series] = {
        "respondent": table["respondent"].astype("string"),
        "submitted": pd.to_datetime(table["submitted"], format="%Y-%m-%d").astype("datetime64[us]"),
    }
    known = {question.id: question for question in instrument.questions}
    problems = []
    for column in table.columns[2:]:
        question = known.get(column.partition(".")[0])
        if question is None or question.personal:
            problems.append(Problem(f"{relative(path)}, column '{column}'", "the questionnaire does not know it"))
        elif column.endswith(".text") or question.kind == "text":
            typed[column] = table[column].astype("string")
        elif question.kind in ("multiple", "yes_no", "consent"):
            typed[column] = table[column].map({"True": True, "False": False}).astype("boolean")
        elif question.kind == "number":
            typed[column] = pd.to_numeric(table[column]).astype("Int64" if question.integer else "Float64")
        else:
            kind = pd.CategoricalDtype(list(question.option_ids), ordered=question.ordered)
            strange = set(table[column].dropna()) - set(question.option_ids)
            if strange:
                problems.append(Problem(f"{relative(path)}, column '{column}'", f"unknown: {sorted(strange)[:5]}"))
            typed[column] = table[column].where(~table[column].isin(strange)).astype(kind)
    if problems:
        raise InputError(f"{relative(path)} does not fit '{instrument.id}'.", problems)
    frame = pd.DataFrame(typed)
    frame.index = pd.RangeIndex(3, len(frame) + 3, name="line")
    frame.attrs["source"] = relative(path)
    counts = _read_csv(vault.folder / f"{name}.counts.csv", ["step", "rows"]).astype(
        {"step": "string", "rows": "Int64"}
    )
    return Responses(instrument.id, frame, counts, source or path.name, origin)


def withdraw_participant(
    identifier: str, folder: Path = PRIVATE, *, on: date | None = None, unseen: bool = False
) -> Withdrawal:
    """Remove a participant from every stored table, and note the hash so that no later import brings them back.

    The identifier is what the export's respondent column holds (an address or token), or the respondent's id itself.
    The note comes first: a withdrawal that is killed half-way is complete once it is given again.

    Parameters
    ----------
    identifier : str
    folder : Path
        The vault.
    on : date, optional
        Day to note; today unless told otherwise.
    unseen : bool
        Note it even if nobody of this identifier is stored (somebody who withdraws before the first import).

    Raises
    ------
    InputError
        Nobody of this identifier is stored or noted, which may be a typing error; or the vault cannot be opened.
    """
    if not identifier.strip():
        raise InputError("Nobody was named.", [Problem("ID", "it is empty", "make withdraw ID=…")])
    if not folder.is_dir() and not unseen:
        raise InputError("There are no stored responses.", [Problem(relative(folder), "no such folder")])
    vault = open_vault(folder)
    known = vault.withdrawn()
    tables = {path: _read_csv(path, ["respondent"]) for path in vault.tables()}
    ids = {vault.hash(identifier)}
    text = identifier.strip().lower()
    if text in known or any((table["respondent"] == text).any() for table in tables.values()):
        ids = {text}
    found = {path: table["respondent"].isin(ids) for path, table in tables.items()}
    if not any(mask.any() for mask in found.values()) and not ids & known and not unseen:
        raise InputError(
            "Nobody was withdrawn.",
            [
                Problem(
                    "ID",
                    "no stored response has it",
                    "is it spelt as in the export? To keep somebody out who is not stored yet, give UNSEEN=1",
                )
            ],
        )
    if not ids <= known:
        day = (on or date.today()).isoformat()
        ledger = folder / LEDGER
        lines = ledger.read_text(encoding="utf-8") if ledger.is_file() else "respondent,withdrawn\n"
        write_atomic(ledger, lines + "".join(f"{who},{day}\n" for who in sorted(ids)))
        _private(ledger)
    removed = {}
    for path, mask in found.items():
        removed[path.name] = int(mask.sum())
        if removed[path.name]:
            head = path.read_text(encoding="utf-8").partition("\n")[0]
            rest = tables[path][~mask]
            write_atomic(path, f"{head}\n" + rest.to_csv(index=False, lineterminator="\n"))
            _private(path)
        _recount(path.with_name(f"{path.stem}.counts.csv"), removed[path.name])
    return Withdrawal(removed, ids <= known)


def _recount(path: Path, gone: int) -> None:
    """Rows that left after the import stand under ``withdrawn``, and no longer under ``kept``."""
    if not gone or not path.is_file():
        return
    counts = _read_csv(path, ["step", "rows"])
    steps = {step: int(rows) for step, rows in counts.itertuples(index=False)}
    kept = steps.pop("kept") - gone
    steps["withdrawn"] = steps.get("withdrawn", 0) + gone
    frame = pd.DataFrame([*steps.items(), ("kept", kept)], columns=["step", "rows"])
    write_atomic(path, frame.to_csv(index=False, lineterminator="\n"))


def _make_secret(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if os.name == "posix":
        folder.chmod(0o700)
    write_atomic(folder / ".gitignore", "# private: never to be committed\n*\n")
    handle = os.open(folder / SECRET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))


def _fingerprint(key: bytes) -> str:
    return hashlib.blake2b(_CHECK_TEXT, key=key, digest_size=16, person=b"check").hexdigest()


def _private(path: Path) -> None:
    if os.name == "posix":
        path.chmod(0o600)


def _read_csv(path: Path, needed: list[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype="string", comment=None, skiprows=_head_lines(path), keep_default_na=False,
                            na_values=[""])  # fmt: skip
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{relative(path)} cannot be read.", [Problem(relative(path), str(error))]) from None
    missing = [column for column in needed if column not in table]
    if missing:
        raise InputError(
            f"{relative(path)} cannot be read.",
            [Problem(relative(path), f"no column {', '.join(missing)}", "restore it, or import the export again")],
        )
    return table


def _head_lines(path: Path) -> int:
    with path.open(encoding="utf-8") as file:
        return 1 if file.readline().startswith("#") else 0
