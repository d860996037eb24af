"""A project or codebook that was read, as our tables.

What we wrote ourselves is known by the fields in its descriptions (`analysis.literature.exchange.fields`),
whatever GUIDs it bears by now: another program may have given new ones. What others wrote gets
identifiers made from its names. Our columns that a project cannot know stay empty, so tables from
elsewhere must be completed before `analysis.base.tables.check_table` accepts them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from analysis.base.paths import DATA, relative
from analysis.base.schemas import TABLES
from analysis.base.tables import load_table
from analysis.literature.exchange.fields import unpack_fields
from analysis.literature.exchange.model import Code, Codebook, CodeSet, Coding, Project, Selection, Source, Tables

COLUMNS: dict[str, tuple[str, ...]] = {
    name: tuple(TABLES[f"literature/{name}.csv"].columns)
    for name in ("codebook", "documents", "participants", "segments", "codings")
}
"""Columns that are always there; others are kept behind them."""

_NUMBERS = ("start", "end", "characters")


def load_tables(folder: Path = DATA) -> Tables:
    """Our own tables, checked; raises `InputError` as `analysis.base.tables.load_table` does."""
    names = ("codebook", "documents", "segments", "codings", "participants")
    return Tables(**{name: load_table(f"literature/{name}.csv", folder) for name in names})


def codebook_table(codebook: Codebook) -> pd.DataFrame:
    """The codes of a codebook, one row each, in the order of the tree.

    Returns
    -------
    DataFrame
        Columns of ``literature/codebook.csv``; ``theme`` of codes from elsewhere is the sets they are in.
    """
    rows, _ = _code_rows(codebook.codes, codebook.sets)
    return _frame(rows, "codebook", codebook.path)


def project_tables(project: Project) -> Tables:
    """The coding of a project: codes, texts, coded segments, codings, participants.

    Selections with one segment name, or of one source with the same bounds, are one segment; codings with the
    same segment, code and coder are one. A coding of a whole text becomes a segment from its start to its end.

    Returns
    -------
    Tables
        ``remarks`` say what has no place: selections of pictures, areas, audio and video, codings of sources
        without text, codings that name no known code, notes, links, graphs.
    """
    path = project.path
    remarks: list[str] = []
    guids: dict[str, str] = {}
    code_rows, codes = _code_rows(project.codes, project.sets)
    for guid, code in codes.items():
        guids.setdefault(f"code:{code}", guid)
    document_rows, documents = _document_rows(project.sources)
    for guid, document in documents.items():
        guids.setdefault(f"document:{document}", guid)
    participant_rows, spoken = _participant_rows(project, guids)
    segment_rows, segments = _segment_rows(project, documents, spoken)
    coding_rows = _coding_rows(project, codes, segments, guids, remarks)
    _say_left_out(project, remarks)
    return Tables(
        _frame(code_rows, "codebook", path),
        _frame(document_rows, "documents", path),
        _frame(sorted(segment_rows, key=lambda row: row["segment"]), "segments", path),
        _frame(sorted(coding_rows, key=lambda row: tuple(map(str, row.values()))), "codings", path),
        _frame(participant_rows, "participants", path) if participant_rows else None,
        guids,
        (*project.remarks, *remarks),
    )


def _code_rows(codes: Sequence[Code], sets: Sequence[CodeSet]) -> tuple[list[dict], dict[str, str]]:
    """Rows of the codebook, and GUID → code."""
    themes: dict[str, list[str]] = {}
    for group in sets:
        for guid in group.codes:
            themes.setdefault(guid, []).append(group.name)
    rows: dict[str, dict] = {}
    names: dict[str, str] = {}
    ours = {
        unpacked["code"] for code in codes if (unpacked := unpack_fields(code.description)[1]) and "code" in unpacked
    }
    for code in codes:
        if code.guid in names:
            continue  # one GUID for two codes, which reading has said
        definition, fields = unpack_fields(code.description)
        fields = fields or {}
        name = fields.get("code") or _free(_slug(code.name, "code"), {*rows, *ours})
        names[code.guid] = name
        if name in rows:
            continue  # a category and a code of one name, which QualCoder makes of a code with codes below it
        parent = names.get(code.parent, "")
        theme = "; ".join(themes.get(code.guid, []))
        rows[name] = {
            "code": name,
            "parent": parent if parent != name else rows[name]["parent"],
            "name": code.name,
            "definition": definition,
            **({} if fields else {"theme": theme}),
            **{key: value for key, value in fields.items() if key not in ("code", "parent")},
        }
    return list(rows.values()), names


def _document_rows(sources: Sequence[Source]) -> tuple[list[dict], dict[str, str]]:
    """Rows of documents, and GUID of the source → document; a PDF and the text that stands for it are one."""
    rows: dict[str, dict] = {}
    names: dict[str, str] = {}
    standing = {source.parent: source for source in sources if source.kind == "Representation"}
    for source in sorted(sources, key=lambda each: each.guid not in standing):  # a PDF before its text
        if source.kind == "Representation" and source.parent in names:
            names[source.guid] = names[source.parent]
            continue
        title, fields = unpack_fields(source.description)
        document = (fields or {}).get("document") or _free(_slug(Path(source.name).stem, "document"), rows)
        names[source.guid] = document
        if document in rows:
            continue
        text = standing[source.guid].content if source.guid in standing else source.content
        rows[document] = {"document": document, "title": title if fields is not None else source.name}
        if fields is None:
            rows[document]["note"] = source.description
        if text is not None:
            digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
            rows[document] |= {"sha256": digest, "characters": str(len(text))}
        rows[document] |= {key: value for key, value in (fields or {}).items() if key != "document"}
    order = [names[source.guid] for source in sources]
    return [rows[document] for document in dict.fromkeys(order)], names


def _participant_rows(project: Project, guids: dict[str, str]) -> tuple[list[dict], dict[str, str]]:
    """Rows of participants, and GUID of a selection, or of a source that is one case's alone → participant."""
    variables = {variable.guid: variable.name for variable in project.variables}
    rows: dict[str, dict] = {}
    spoken: dict[str, str] = {}
    about = Counter(source for case in project.cases if case.name for source in case.sources)
    for case in project.cases:
        if not case.name:
            continue  # MAXQDA and Quirkos hang variables of a document on a case without a name
        text, fields = unpack_fields(case.description)
        participant = (fields or {}).get("participant") or _free(case.name.strip(), rows)
        guids.setdefault(f"participant:{participant}", case.guid)
        spoken |= dict.fromkeys((source for source in case.sources if about[source] == 1), participant)
        spoken |= dict.fromkeys(case.selections, participant)
        if fields is None:
            fields = {_slug(variables.get(guid, guid), "variable"): value for guid, value in case.values}
            fields = {"name_in_source": case.name, **fields, "note": text}
        if set(fields) - {"participant"}:
            rows[participant] = {"participant": participant, **fields}
    return list(rows.values()), spoken


def _segment_rows(
    project: Project, documents: Mapping[str, str], spoken: Mapping[str, str]
) -> tuple[list[dict], dict[tuple[str, str], str]]:
    """Rows of segments, and (GUID of the source, GUID of the selection) → segment."""
    texts = {source.guid: source for source in project.sources}
    rows: dict[str, dict] = {}
    names: dict[tuple[str, str], str] = {}
    places: dict[tuple[str, int, int], str] = {}
    pending: list[tuple[tuple[str, str], str, int, int, str, dict]] = []
    whole = [
        Selection("", "", "", "whole", coding.source, 0, len(texts[coding.source].content))
        for coding in project.codings
        if not coding.selection and coding.source in texts and texts[coding.source].content is not None
    ]
    for selection in (*(each for each in project.selections if each.is_text), *dict.fromkeys(whole)):
        text, fields = unpack_fields(selection.description)
        document = documents[selection.source]
        key = (selection.source, selection.guid)
        place = (document, selection.start, selection.end)
        segment = (fields or {}).get("segment", "")
        if segment and rows.get(segment, {}).get("place", place) == place:
            names[key] = segment
            places.setdefault(place, segment)
            rows.setdefault(segment, {"segment": segment, "place": place, "paraphrase": text, **fields})
        else:  # not ours, or ours and moved: a segment of its own
            fields = {name: value for name, value in (fields or {}).items() if name != "segment"}
            speaker = spoken.get(selection.guid) or spoken.get(selection.source, "")
            fields.setdefault("participant", speaker)
            pending.append((key, document, selection.start, selection.end, text, fields))
    number = 0
    for key, document, start, end, text, fields in pending:
        place = (document, start, end)
        if place not in places:
            number += 1
            while f"X{number:04d}" in rows:
                number += 1
            places[place] = f"X{number:04d}"
            rows[places[place]] = {"segment": places[place], "place": place, "paraphrase": text, **fields}
        names[key] = places[place]
    for row in rows.values():
        row["document"], start, end = row.pop("place")
        row |= {"start": str(start), "end": str(end)}
    return list(rows.values()), names


def _coding_rows(
    project: Project,
    codes: Mapping[str, str],
    segments: Mapping[tuple[str, str], str],
    guids: dict[str, str],
    remarks: list[str],
) -> list[dict]:
    users = {user.guid: user.name or user.ident for user in project.users}
    selections = {(each.source, each.guid): each for each in project.selections}
    rows: dict[tuple[str, str, str], dict] = {}
    lost = 0
    for coding in project.codings:
        segment, code = segments.get((coding.source, coding.selection)), codes.get(coding.code)
        if segment is None:
            continue  # counted with the selections that have no place
        if code is None:
            lost += 1
            continue
        selection = selections.get((coding.source, coding.selection))
        user = coding.user or (selection.user if selection else "")
        coder = users.get(user, "") or "unknown"
        date = _date(coding, selection)
        if user in users:
            guids.setdefault(f"coder:{coder}", user)
        guids.setdefault(f"selection:{segment}:{coder}", coding.selection)
        guids.setdefault(f"coding:{segment}:{code}:{coder}", coding.guid)
        rows.setdefault((segment, code, coder), {"segment": segment, "code": code, "coder": coder, "date": date})
    for (_, guid), segment in segments.items():
        guids.setdefault(f"selection:{segment}:", guid)
    if lost:
        remarks.append(f"{lost} codings name a code that the project does not list: left out of the tables")
    return list(rows.values())


def _date(coding: Coding, selection: Selection | None) -> str:
    said = coding.created or (selection.created if selection else "")
    return said[:10] if re.match(r"\d{4}-\d{2}-\d{2}", said) else ""


def _say_left_out(project: Project, remarks: list[str]) -> None:
    kinds: dict[str, int] = {}
    for each in project.selections:
        if not each.is_text:
            kinds[each.kind] = kinds.get(each.kind, 0) + 1
    shown = {(each.source, each.guid) for each in project.selections if each.is_text}
    texts = {source.guid for source in project.sources if source.content is not None}
    codings = sum(
        (coding.source, coding.selection) not in shown if coding.selection else coding.source not in texts
        for coding in project.codings
    )
    held = {
        "codings of these or of whole sources without text": codings,
        "notes": len(project.notes),
        "links": len(project.links),
        "graphs": len(project.graphs),
    }
    parts = [f"{count} × {name}" for name, count in {**kinds, **held}.items() if count]
    if parts:
        remarks.append(f"left out of the tables, kept in the project: {', '.join(parts)}")


def _slug(name: str, otherwise: str) -> str:
    """An identifier made of a name.

    >>> _slug("Coke::diet Coke", "code")
    'coke_diet_coke'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return f"{otherwise}_{slug}".strip("_") if not slug or slug[0].isdigit() else slug


def _free(name: str, taken) -> str:
    """The name, with a number behind it where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _frame(rows: Sequence[Mapping[str, str]], table: str, path: Path) -> pd.DataFrame:
    """Typed as a loaded table: text and whole numbers, empty cells missing, lines as index."""
    extra = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in COLUMNS[table]]
    frame = pd.DataFrame(
        [{key: value or None for key, value in row.items()} for row in rows],
        columns=[*COLUMNS[table], *extra],
        index=pd.RangeIndex(2, len(rows) + 2, name="line"),
        dtype="string",
    )
    for name in set(_NUMBERS) & set(frame):
        frame[name] = pd.to_numeric(frame[name], errors="coerce").astype("Int64")
    frame.attrs["source"] = relative(path)
    return frame
