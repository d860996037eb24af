"""The texts behind the coding, on the user's own disk: are they those that were coded, and what do they say?

Texts are under their authors' copyright and never part of this project; ``documents.csv`` keeps the SHA-256 and the
length of each. A file is a coded text only if its digest says so, since offsets hold for those very characters. Text
files are tried as they are, then without a byte-order mark and with line ends put right, which copying between
machines changes; of a PDF it is the text that pypdf extracts that counts. A file that bears a document's name or title
and is none of these is a *different* text: nothing is shown from it.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative

SUFFIXES = (".txt", ".md", ".text", ".pdf")
STATES = {
    "same": "the text that was coded",
    "repaired": "the text that was coded, after its line ends or byte-order mark were put right",
    "different": "another text of this name or title: offsets do not hold",
    "missing": "no file in the folder",
}
"""What a folder can hold of a document → in words."""

MAX_BYTES = 200 * 2**20
_HEAD = 4_000
"""Characters at the beginning of a file in which a title is looked for."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder held against the documents.

    Attributes
    ----------
    documents : DataFrame
        One row a document: ``document``, ``state`` (of `STATES`), ``file`` (missing where there is none),
        ``characters`` (as coded), ``found`` (of the file at hand; missing where there is none).
    texts : mapping of str to str
        Document → text, where the state is ``same`` or ``repaired``.
    strangers : DataFrame
        Files that are none of the documents: ``file``, ``sha256``, ``characters``, ``note`` (why it has no text).
    """

    documents: pd.DataFrame
    texts: Mapping[str, str]
    strangers: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    forms: tuple[tuple[str, str], ...]  # (digest, text), as it is first
    note: str = ""


def open_corpus(folder: Path, documents: pd.DataFrame) -> Corpus:
    """Hold a folder, and those in it, against the documents.

    Parameters
    ----------
    folder : Path
        Files ending in one of `SUFFIXES` are read, whatever their names.
    documents : DataFrame
        ``literature/documents.csv``.

    Raises
    ------
    InputError
        The folder does not exist.
    """
    if not folder.is_dir():
        problem = Problem(relative(folder), "no such folder", "name the folder with the texts")
        raise InputError("The corpus cannot be read.", [problem])
    files = [_read(path, folder) for path in _list(folder)]
    by_digest: dict[str, tuple[_File, int]] = {}
    for file in files:
        for place, (digest, _) in enumerate(file.forms):
            known = by_digest.get(digest)
            if known is None or place < known[1]:
                by_digest[digest] = file, place
    rows, texts, used = [], {}, set()
    unmatched = []
    for row in documents.itertuples():
        hit = None if pd.isna(row.sha256) else by_digest.get(row.sha256)
        if hit is None:
            unmatched.append(row)
            continue
        file, place = hit
        used.add(file.name)
        texts[row.document] = file.forms[place][1]
        state = "same" if place == 0 else "repaired"
        rows.append((row.document, state, file.name, row.characters, len(texts[row.document])))
    for row in unmatched:
        other = next((file for file in files if file.name not in used and _is_about(file, row)), None)
        if other is None:
            rows.append((row.document, "missing", None, row.characters, None))
        else:
            used.add(other.name)
            found = len(other.forms[0][1]) if other.forms else None
            rows.append((row.document, "different", other.name, row.characters, found))
    order = {document: place for place, document in enumerate(documents["document"])}
    rows.sort(key=lambda row: order[row[0]])
    table = pd.DataFrame(rows, columns=["document", "state", "file", "characters", "found"])
    table = table.astype({"document": "string", "state": "string", "file": "string", "characters": "Int64",
                          "found": "Int64"})  # fmt: skip
    strangers = [
        (file.name, file.forms[0][0] if file.forms else None, len(file.forms[0][1]) if file.forms else None, file.note)
        for file in files
        if file.name not in used
    ]
    others = pd.DataFrame(strangers, columns=["file", "sha256", "characters", "note"])
    return Corpus(table, texts, others.astype({"characters": "Int64"}))


def find_offset_faults(segments: pd.DataFrame, corpus: Mapping[str, str]) -> list[Problem]:
    """Segments that do not lie in their text: negative, empty, or beyond the end; with white space at an edge.

    White space at an edge of a passage is a sign that the offsets were counted in another text.
    """
    where = segments.attrs.get("source", "segments")
    problems = []
    for row in segments[segments["document"].isin(list(corpus))].itertuples():
        at, text = f"{where}:{row.Index}, columns 'start' and 'end'", corpus[row.document]
        if row.start < 0 or row.end <= row.start:
            what = f"'{row.segment}' is {row.start}–{row.end} of a text of {len(text)} characters"
        elif row.end > len(text):
            what = f"'{row.segment}' ends at {row.end}, beyond the text's {len(text)} characters"
        elif (passage := text[row.start : row.end]) != passage.strip():
            what = f"'{row.segment}' begins or ends with white space"
        else:
            continue
        problems.append(Problem(at, what, "count the offsets again, in this very text, in characters"))
    return problems


def compute_coverage(documents: pd.DataFrame, segments: pd.DataFrame) -> pd.DataFrame:
    """How much of each document is coded; characters in several segments count once.

    Parameters
    ----------
    documents, segments : DataFrame
        The tables of these names under ``literature/``.

    Returns
    -------
    DataFrame
        One row a document: ``document``, ``segments``, ``coded`` (characters within a segment), ``characters``,
        ``share`` (of the characters, 0 to 1; missing where the length is unknown).
    """
    rows = []
    for row in documents.itertuples():
        own = segments[segments["document"] == row.document].sort_values(["start", "end"])
        coded = reached = 0
        for start, end in zip(own["start"], own["end"], strict=True):
            coded += max(0, int(end) - max(int(start), reached))
            reached = max(reached, int(end))
        length = None if pd.isna(row.characters) else int(row.characters)
        rows.append((row.document, len(own), coded, length, coded / length if length else None))
    table = pd.DataFrame(rows, columns=["document", "segments", "coded", "characters", "share"])
    return table.astype({"characters": "Int64", "share": "Float64"})


def read_passages(segments: pd.DataFrame, wanted: Sequence[str], corpus: Corpus) -> list[tuple[pd.Series, str]]:
    """The rows of segments with their words, in the order asked for.

    Raises
    ------
    InputError
        A segment that does not exist, or whose document is missing or different here. All are listed.
    """
    rows = {row["segment"]: row for _, row in segments.iterrows()}
    states = dict(zip(corpus.documents["document"], corpus.documents["state"], strict=True))
    problems, found = [], []
    for name in wanted:
        row = rows.get(name)
        if row is None:
            problems.append(Problem(f"segment '{name}'", "does not exist", "see the column 'segment' of segments.csv"))
        elif row["document"] not in corpus.texts:
            state = STATES[states.get(row["document"], "missing")]
            problems.append(
                Problem(f"segment '{name}'", f"{row['document']}: {state}", "put the text that was coded there")
            )
        else:
            found.append((row, corpus.texts[row["document"]][row["start"] : row["end"]]))
    if problems:
        raise InputError("The passages cannot be shown.", problems)
    return found


def _list(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in SUFFIXES and path.is_file():
            yield path


def _read(path: Path, folder: Path) -> _File:
    name = path.relative_to(folder).as_posix()
    if path.stat().st_size > MAX_BYTES:
        return _File(name, (), f"larger than {MAX_BYTES // 2**20} MB, not read")
    if path.suffix.lower() == ".pdf":
        return _read_pdf(path, name)
    content = path.read_bytes()
    forms = {}
    plain = content.removeprefix(b"\xef\xbb\xbf")
    unix = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for form in (content, plain, unix, unix.replace(b"\n", b"\r\n"), unix.rstrip(b"\n") + b"\n", unix.rstrip(b"\n")):
        try:
            forms.setdefault(hashlib.sha256(form).hexdigest(), form.decode("utf-8"))
        except UnicodeDecodeError:
            return _File(name, (), "not UTF-8 text")
    return _File(name, tuple(forms.items()))


def _read_pdf(path: Path, name: str) -> _File:
    """The text of all pages, one after the other with a line end between them; the digest is that of this text."""
    import pypdf  # here, since only PDFs need it
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it mends is of no use to who reads this
    try:
        reader = pypdf.PdfReader(path)
        text = "\n".join(page.extract_text() or "" for page in reader.pages)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        return _File(name, (), f"not a readable PDF: {' '.join(str(error).split()) or type(error).__name__}")
    if not text.strip():
        return _File(name, (), "a PDF without text (scanned?)")
    data = text.encode("utf-8", "replace")
    return _File(name, ((hashlib.sha256(data).hexdigest(), data.decode("utf-8")),))


def _is_about(file: _File, document: object) -> bool:
    """Whether a file's name is the document's, or the document's title stands at its beginning."""
    if Path(file.name).stem.casefold() == str(document.document).casefold():
        return True
    title = _words(str(document.title)) if pd.notna(document.title) else ""
    return bool(file.forms) and len(title.split()) >= 4 and title in _words(file.forms[0][1][:_HEAD])


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))
