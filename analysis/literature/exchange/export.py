"""Write our tables as REFI-QDA codebooks and projects, alone or into a project that they came from.

Everything is added or brought up to date by GUID and nothing is removed, so a project from another
program keeps its pictures, areas, notes, links, graphs and unknown elements when its tables come
back. Without such a project the same steps start from an empty one.

Some choices follow what readers expect: ``project.qde`` and ``sources/`` (the standard, §8.1) with
the folder present even when empty, and one selection for each coder of a segment, because QualCoder
takes the coder from the selection and not from the coding (``refi.py``, ``load_codings_for_text``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from lxml import etree

from analysis.base.errors import InputError, Problem
from analysis.base.paths import write_atomic
from analysis.literature.exchange.archive import MAX_HELD_BYTES, member_key, open_archive, write_archive
from analysis.literature.exchange.checks import check_codebook, check_tables, find_texts
from analysis.literature.exchange.fields import pack_fields
from analysis.literature.exchange.markup import (
    CODEBOOK,
    ORDER,
    PROJECT,
    child,
    children,
    guid_key,
    insert_child,
    local,
    our_guid,
    to_bytes,
)
from analysis.literature.exchange.model import Project, Tables

NAME = "DevOps–MLOps workbench"
_COLOURS = (
    "#1F4E79",
    "#C9772B",
    "#2E7D5B",
    "#8E3B6E",
    "#B8A11E",
    "#5B6ABF",
    "#A4561A",
    "#3C8DA3",
    "#7A7A7A",
    "#C2453D",
)
"""One colour for each root of the codebook, in turn: QualCoder draws colours at random where there are none."""


@dataclass(frozen=True, slots=True)
class Written:
    """What went into a project: the file, counts, and which documents went without their text."""

    path: Path
    codes: int
    segments: int
    codings: int
    with_text: tuple[str, ...]
    without_text: tuple[str, ...]


def export_codebook(codebook: pd.DataFrame, path: Path | str) -> Path:
    """Write a codebook (``.qdc``).

    Parameters
    ----------
    codebook : DataFrame
        ``literature/codebook.csv``.
    path : Path
        The file; replaced whole or not at all.

    Raises
    ------
    InputError
        As `analysis.literature.exchange.checks.check_tables`.
    """
    check_codebook(codebook)
    root = etree.Element(f"{{{CODEBOOK}}}CodeBook", origin=NAME, nsmap={None: CODEBOOK})
    _write_codes(root, codebook, {})
    _write_themes(root, codebook, {})
    return write_atomic(Path(path), to_bytes(root))


def export_project(
    tables: Tables, path: Path | str, corpus: Path | str | None = None, *, base: Project | None = None, name: str = NAME
) -> Written:
    """Write the coding as a project (``.qdpx``).

    Parameters
    ----------
    tables : Tables
        As `analysis.literature.exchange.tables.load_tables` or `project_tables` gives them.
    path : Path
        The file; replaced whole or not at all.
    corpus : Path, optional
        Folder with the plain texts (`analysis.literature.exchange.checks.find_texts`). Texts leave the
        machine only this way; without it every document is written as one whose file is missing, which
        the format allows and programs such as QualCoder cannot open.
    base : Project, optional
        The project that the tables come from: everything else that it holds is kept.
    name : str
        Name of a new project.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        As `analysis.literature.exchange.checks.check_tables` and `find_texts`; or the archive of
        ``base`` is gone.
    """
    check_tables(tables)
    path = Path(path)
    texts = find_texts(tables.documents, tables.segments, Path(corpus)) if corpus is not None else {}
    root = _root(base, name, tables.codings)
    guids = tables.guids
    _write_users(root, tables.codings, guids)
    if len(tables.codebook):
        codebook = child(root, "CodeBook")
        _write_codes(insert_child(root, "CodeBook") if codebook is None else codebook, tables.codebook, guids)
    if base is None:
        _write_themes(root, tables.codebook, guids)
    files = _write_documents(root, tables.documents, texts, guids)
    selections = _write_segments(root, tables, guids)
    _write_participants(root, tables, selections, guids)
    folder, kept = _kept(base)
    members = {**kept, **{f"{folder}/{file}": text for file, text in files.items()}}
    write_archive(path, {"project.qde": to_bytes(root), **dict(sorted(members.items()))}, (folder,))
    known = [*texts, *_with_file(base, tables)]
    return Written(
        path,
        len(tables.codebook),
        len(tables.segments),
        len(tables.codings),
        tuple(document for document in tables.documents["document"] if document in known),
        tuple(document for document in tables.documents["document"] if document not in known),
    )


def _root(base: Project | None, name: str, codings: pd.DataFrame) -> etree._Element:
    if base is not None:
        root = etree.fromstring(base.document, etree.XMLParser(resolve_entities=False, no_network=True))
        settled = {(each.source, each.guid): each for each in base.selections if each.is_text}
        for element in root.iter(f"{{{PROJECT}}}PlainTextSelection"):
            each = settled.get((guid_key(element.getparent().get("guid")), guid_key(element.get("guid"))))
            if each is not None:  # a project that counts otherwise is written by the standard's rule
                element.set("startPosition", str(each.start))
                element.set("endPosition", str(each.end))
        return root
    dates = codings["date"].dropna() if "date" in codings else []
    made = {"creationDateTime": _time(min(dates))} if len(dates) else {}
    return etree.Element(f"{{{PROJECT}}}Project", {"name": name, "origin": NAME, **made}, nsmap={None: PROJECT})


def _kept(base: Project | None) -> tuple[str, dict[str, bytes]]:
    """What the folder of the sources is called, and the files of a project, without any folder around it all."""
    if base is None:
        return "sources", {}
    archive = open_archive(base.path)
    read = archive.read_all(list(archive.members.values()), MAX_HELD_BYTES)
    files = {
        "/".join(name.replace("\\", "/").split("/")[-len(key.split("/")) :]): read[name]
        for key, name in archive.members.items()
    }
    folders = {name.split("/")[0] for name in files if member_key(name).startswith("sources/")}
    return min(folders, default="sources"), files


def _write_users(root: etree._Element, codings: pd.DataFrame, guids: Mapping[str, str]) -> None:
    users = child(root, "Users")
    for coder in sorted(set(codings["coder"])):
        guid = _guid(guids, "coder", coder)
        if users is None:
            users = insert_child(root, "Users")
        if _find(users, "User", guid) is None:
            insert_child(users, "User", guid=guid, name=coder)


def _write_codes(codebook: etree._Element, rows: pd.DataFrame, guids: Mapping[str, str]) -> None:
    """Codes below their parents; in a project, codes that are there keep their place and colour."""
    if rows.empty:
        return
    codes = child(codebook, "Codes")
    codes = insert_child(codebook, "Codes") if codes is None else codes
    by_code = {row["code"]: row for row in _rows(rows)}
    taken: dict[str, str] = {}
    colours = _colours(by_code)
    for code, row in by_code.items():
        taken.setdefault(row["name"].casefold(), code)
    made: dict[str, etree._Element] = {}
    there = {guid_key(each.get("guid")): each for each in codes.iter(f"{{{etree.QName(codes).namespace}}}Code")}

    def write(code: str) -> etree._Element:
        if code in made:
            return made[code]
        row = by_code[code]
        parent = write(row["parent"]) if row.get("parent") else codes
        unique = taken[row["name"].casefold()] == code  # QualCoder reads one code of each name
        name = row["name"] if unique else f"{row['name']} ({code})"
        fields = {key: value for key, value in row.items() if key not in ("parent", "name", "definition")}
        description = pack_fields(row.get("definition", ""), fields | ({} if unique else {"name": row["name"]}))
        guid = _guid(guids, "code", code)
        element = there.get(guid_key(guid))
        if element is None:
            element = insert_child(parent, "Code", guid=guid, name=name, isCodable="true", color=colours[code])
        elif unique:
            element.set("name", name)
        _describe(element, description)
        made[code] = element
        return element

    for code in by_code:
        write(code)


def _colours(by_code: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    roots = [code for code, row in by_code.items() if not row.get("parent")]
    colours = {}
    for code in by_code:
        top = code
        while by_code[top].get("parent"):
            top = by_code[top]["parent"]
        colours[code] = _COLOURS[roots.index(top) % len(_COLOURS)]
    return colours


def _write_themes(root: etree._Element, rows: pd.DataFrame, guids: Mapping[str, str]) -> None:
    """Each theme as a set of its codes."""
    attribute = "guid" if local(root) == "CodeBook" else "targetGUID"
    themes: dict[str, list[str]] = {}
    for row in _rows(rows):
        for theme in filter(None, row.get("theme", "").split("; ")):
            themes.setdefault(theme, []).append(row["code"])
    sets = insert_child(root, "Sets") if themes else None
    for theme, codes in themes.items():
        group = insert_child(sets, "Set", guid=our_guid("theme", theme), name=theme)
        for code in codes:
            insert_child(group, "MemberCode", **{attribute: _guid(guids, "code", code)})


def _write_documents(
    root: etree._Element, rows: pd.DataFrame, texts: Mapping[str, bytes], guids: Mapping[str, str]
) -> dict[str, bytes]:
    """Documents as text sources; gives the files of those whose text is known."""
    files = {}
    for row in _rows(rows):
        document = row["document"]
        guid = _guid(guids, "document", document)
        element = _find(root, "", guid)
        if element is None:
            sources = child(root, "Sources")
            sources = insert_child(root, "Sources") if sources is None else sources
            element = insert_child(
                sources, "TextSource", guid=guid, name=document, plainTextPath=f"internal://{guid}.txt"
            )
        _describe(element, pack_fields(row.get("title", ""), {k: v for k, v in row.items() if k != "title"}))
        if document in texts and local(element) == "TextSource":
            file = f"{guid.lower()}.txt"
            element.set("plainTextPath", f"internal://{file}")
            files[file] = texts[document]
    return files


def _write_segments(root: etree._Element, tables: Tables, guids: Mapping[str, str]) -> dict[str, list[str]]:
    """Segments as selections, one for each coder; gives the GUIDs of the selections of each segment."""
    sources = {
        row["document"]: _text_holder(_find(root, "", _guid(guids, "document", row["document"])))
        for row in _rows(tables.documents)
    }
    codings: dict[str, dict[str, list[dict]]] = {}
    for row in sorted(_rows(tables.codings), key=lambda row: (row["segment"], row["coder"], row["code"])):
        codings.setdefault(row["segment"], {}).setdefault(row["coder"], []).append(row)
    elements = {
        (id(source), guid_key(each.get("guid"))): each
        for source in sources.values()
        for each in children(source, "PlainTextSelection", "TranscriptSelection")
    }
    codings_there = {guid_key(each.get("guid")) for each in root.iter(f"{{{PROJECT}}}Coding")}
    selections: dict[str, list[str]] = {}
    for row in _rows(tables.segments):
        source = sources[row["document"]]
        fields = {k: v for k, v in row.items() if k not in ("document", "start", "end", "paraphrase")}
        description = pack_fields(row.get("paraphrase", ""), fields)
        for coder, given in (codings.get(row["segment"]) or {"": []}).items():
            new = [each for each in given if guid_key(_coding_guid(guids, each)) not in codings_there]
            guid = _guid(guids, "selection", row["segment"], coder)
            if not guid and given and not new:
                continue  # codings of the whole document, which stand where they stood
            guid = guid or our_guid("selection", row["segment"], coder)
            element = elements.get((id(source), guid_key(guid)))
            if element is None and "PlainTextSelection" not in ORDER[local(source)]:
                element = elements.get((id(source), guids.get(f"selection:{row['segment']}:", "")))
                if element is None:
                    what = f"'{row['document']}' is a {local(source)} and has no text to code"
                    problem = Problem(f"segment '{row['segment']}'", what, "code a text")
                    raise InputError("The tables cannot be written as a project.", [problem])
            dates = [each["date"] for each in given if each.get("date")]
            if element is None:
                made = {"creatingUser": _guid(guids, "coder", coder)} if coder else {}
                made |= {"creationDateTime": _time(min(dates))} if dates else {}
                place = {"startPosition": row["start"], "endPosition": row["end"]}
                element = insert_child(source, "PlainTextSelection", guid=guid, name=row["segment"], **place, **made)
            elif local(element) == "PlainTextSelection":
                element.set("startPosition", row["start"])
                element.set("endPosition", row["end"])
            _describe(element, description)
            for each in new:
                code, key = each["code"], _coding_guid(guids, each)
                made = {"creationDateTime": _time(each["date"])} if each.get("date") else {}
                coding = insert_child(element, "Coding", guid=key, creatingUser=_guid(guids, "coder", coder), **made)
                insert_child(coding, "CodeRef", targetGUID=_guid(guids, "code", code))
            selections.setdefault(row["segment"], []).append(guid)
    return selections


def _coding_guid(guids: Mapping[str, str], row: Mapping[str, str]) -> str:
    return _guid(guids, "coding", row["segment"], row["code"], row["coder"])


def _write_participants(
    root: etree._Element, tables: Tables, selections: Mapping[str, list[str]], guids: Mapping[str, str]
) -> None:
    """Participants as cases with their segments, and their columns as variables."""
    named = _rows(tables.participants) if tables.participants is not None else []
    rows = {row["participant"]: row for row in named}
    spoken: dict[str, list[str]] = {}
    for row in _rows(tables.segments):
        if row.get("participant"):
            spoken.setdefault(row["participant"], []).extend(selections.get(row["segment"], []))
    for participant in sorted({*rows, *spoken}):
        row = rows.get(participant, {"participant": participant})
        values = {key: value for key, value in row.items() if key not in ("participant", "note")}
        guid = _guid(guids, "participant", participant)
        cases = child(root, "Cases")
        cases = insert_child(root, "Cases") if cases is None else cases
        case = _find(cases, "Case", guid)
        if case is None:
            case = insert_child(cases, "Case", guid=guid, name=participant)
            for variable, value in values.items():
                held = insert_child(case, "VariableValue")
                insert_child(held, "VariableRef", targetGUID=_variable(root, variable))
                insert_child(held, "TextValue", value)
        _describe(case, pack_fields("", row))
        there = {guid_key(each.get("targetGUID")) for each in children(case, "SelectionRef")}
        for each in dict.fromkeys(spoken.get(participant, [])):
            if guid_key(each) not in there:
                insert_child(case, "SelectionRef", targetGUID=each)


def _variable(root: etree._Element, name: str) -> str:
    """GUID of the variable of that name, which is made where there is none."""
    variables = child(root, "Variables")
    variables = insert_child(root, "Variables") if variables is None else variables
    guid = our_guid("variable", name)
    if _find(variables, "Variable", guid) is None:
        insert_child(variables, "Variable", guid=guid, name=name, typeOfVariable="Text")
    return guid


def _rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Rows as text, without the cells that are empty."""
    return [
        {str(key): str(value) for key, value in row.items() if pd.notna(value) and value != ""}
        for row in frame.to_dict("records")
    ]


def _guid(guids: Mapping[str, str], kind: str, *names: str) -> str:
    """Where the tables come from a project, the GUID there; else our own."""
    found, ours = guids.get(":".join((kind, *names))), our_guid(kind, *names)
    return ours if found is None or found == guid_key(ours) else found


def _find(root: etree._Element, name: str, guid: str) -> etree._Element | None:
    """The element with a GUID, below ``root``; of any kind of source where no name is given."""
    key = guid_key(guid)
    wanted = (name,) if name else ("TextSource", "PictureSource", "PDFSource", "AudioSource", "VideoSource",
                                   "Representation", "TextDescription", "Transcript")  # fmt: skip
    for each in root.iter(*(f"{{{etree.QName(root).namespace}}}{one}" for one in wanted)):
        if guid_key(each.get("guid")) == key:
            return each
    return None


def _text_holder(source: etree._Element) -> etree._Element:
    """A PDF's selections lie in the text that stands for it."""
    held = child(source, "Representation") if local(source) == "PDFSource" else None
    return source if held is None else held


def _describe(element: etree._Element, text: str) -> None:
    found = child(element, "Description")
    if found is None:
        insert_child(element, "Description", text)
    else:
        for each in list(found):
            found.remove(each)
        found.text = text


def _time(day: str) -> str:
    return f"{day}T00:00:00Z"


def _with_file(base: Project | None, tables: Tables) -> list[str]:
    """Documents whose text the project holds already."""
    if base is None:
        return []
    held = {source.guid: source.content is not None for source in base.sources}
    stands = {source.parent: source.guid for source in base.sources if source.kind == "Representation"}
    documents = []
    for document in tables.documents["document"]:
        guid = guid_key(_guid(tables.guids, "document", document))
        if held.get(guid) or held.get(stands.get(guid, "")):
            documents.append(document)
    return documents
