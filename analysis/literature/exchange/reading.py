"""Read REFI-QDA codebooks and projects into `Codebook` and `Project`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from lxml import etree

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.literature.exchange.archive import MAX_READ_BYTES, open_archive
from analysis.literature.exchange.markup import (
    Findings,
    child,
    children,
    guid_key,
    local,
    parse_markup,
    text_of,
)
from analysis.literature.exchange.model import (
    Case,
    Code,
    Codebook,
    CodeSet,
    Graph,
    Link,
    Note,
    Project,
    User,
    Variable,
)
from analysis.literature.exchange.sources import (
    Reading,
    guid_of,
    listed,
    made_of,
    read_source,
    read_text,
    say_missing,
    targets_of,
    text_members,
)

_SOURCES = ("TextSource", "PictureSource", "PDFSource", "AudioSource", "VideoSource")


def import_codebook(path: Path | str) -> Codebook:
    """Read a codebook (``.qdc``).

    Raises
    ------
    InputError
        No such file, too large, not well-formed, a document type declaration, another root, or a code
        without a name. Names the file and the line.
    """
    path = Path(path)
    findings = Findings(relative(path))
    title = f"{findings.where} cannot be read."
    if not path.is_file():
        raise InputError(title, [Problem(findings.where, "no such file", "check the path")])
    if path.stat().st_size > MAX_READ_BYTES:
        problem = Problem(findings.where, f"more than {MAX_READ_BYTES:,} bytes", "this is no codebook")
        raise InputError(title, [problem])
    data = path.read_bytes()
    if data[:4] == b"PK\x03\x04":
        problem = Problem(findings.where, "an archive, not a codebook", "import it as a project")
        raise InputError(title, [problem])
    root = parse_markup(data, findings, "CodeBook")
    codes = _codes(root, findings)
    sets = _sets(child(root, "Sets"))
    findings.raise_any(title)
    return Codebook(path, root.get("origin", ""), codes, sets, tuple(findings.remarks), etree.tostring(root))


def import_project(path: Path | str) -> Project:
    """Read a project (``.qdpx``).

    Returns
    -------
    Project
        With everything odd said in ``remarks``: missing files, positions counted by another rule,
        references that lead nowhere, unknown elements, other namespaces.

    Raises
    ------
    InputError
        An archive that is not safe (see `analysis.literature.exchange.archive.open_archive`) or not whole, XML
        that is not well-formed or declares a document type, a path of a source that leads out of the archive, a
        position that is not a number, a code without a name. All violations are listed with their lines.
    """
    archive = open_archive(path)
    findings = Findings(f"{relative(archive.path)}/{archive.project}", remarks=list(archive.remarks))
    root = parse_markup(archive.read(archive.project), findings, "Project")
    texts = text_members(root, archive, findings)
    findings.raise_any(f"{relative(archive.path)} is not safe to read.")
    reading = Reading(findings, archive, archive.read_all(texts), [], [], [])
    codes = _codes(child(root, "CodeBook"), findings)
    for element in children(child(root, "Sources"), *_SOURCES):
        read_source(reading, element, "")
    notes = tuple(
        Note(
            guid_of(element, findings),
            element.get("name", ""),
            read_text(reading, element) or "",
            text_of(element, "Description"),
            *made_of(element),
        )
        for element in children(child(root, "Notes"), "Note")
    )
    say_missing(reading)
    project = Project(
        archive.path,
        root.get("name", ""),
        root.get("origin", ""),
        text_of(root, "Description"),
        tuple(
            User(guid_of(each, findings), each.get("name", ""), each.get("id", ""))
            for each in children(child(root, "Users"), "User")
        ),
        codes,
        tuple(
            Variable(
                guid_of(each, findings),
                each.get("name", ""),
                each.get("typeOfVariable", ""),
                text_of(each, "Description"),
            )
            for each in children(child(root, "Variables"), "Variable")
        ),
        tuple(_case(each, findings) for each in children(child(root, "Cases"), "Case")),
        tuple(reading.sources),
        tuple(reading.selections),
        tuple(reading.codings),
        notes,
        tuple(
            Link(
                guid_of(each, findings),
                each.get("name", ""),
                each.get("direction", ""),
                guid_key(each.get("originGUID")),
                guid_key(each.get("targetGUID")),
            )
            for each in children(child(root, "Links"), "Link")
        ),
        _sets(child(root, "Sets")),
        tuple(
            Graph(
                guid_of(each, findings),
                each.get("name", ""),
                len(children(each, "Vertex")),
                len(children(each, "Edge")),
            )
            for each in children(child(root, "Graphs"), "Graph")
        ),
        (),
        archive.members,
        etree.tostring(root),
    )
    findings.raise_any(f"{relative(archive.path)} cannot be read.")
    _say_dangling(project, findings)
    return replace(project, remarks=tuple(findings.remarks))


def _codes(codebook: etree._Element | None, findings: Findings) -> tuple[Code, ...]:
    """Codes in the order of the tree; every code stands behind its parent."""
    found: list[Code] = []

    def walk(element: etree._Element, parent: str) -> None:
        guid = guid_of(element, findings)
        name = element.get("name", "")
        if not name.strip():
            findings.refuse(element, "a code without a name", "name it in the program that wrote it")
        colour = element.get("color", "").strip()
        if colour and not re.fullmatch(r"#?([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", colour):
            findings.remarks.append(f"line {element.sourceline}: colour '{colour}' of '{name}' was not understood")
            colour = ""
        colour = colour.lstrip("#").upper()
        if len(colour) == 3:
            colour = "".join(2 * digit for digit in colour)
        codable = element.get("isCodable", "true").strip().lower() not in ("false", "0", "no")
        found.append(
            Code(
                guid,
                name,
                text_of(element, "Description"),
                parent,
                f"#{colour}" if colour else "",
                codable,
                targets_of(element, "NoteRef"),
            )
        )
        for each in children(element, "Code"):
            walk(each, guid)

    for each in children(None if codebook is None else child(codebook, "Codes"), "Code"):
        walk(each, "")
    twice = [guid for guid, count in Counter(code.guid for code in found).items() if count > 1]
    if twice:
        findings.remarks.append(
            f"{len(twice)} GUIDs stand for more than one code, the first of which is taken: {listed(twice)}"
        )
    return tuple(found)


def _case(element: etree._Element, findings: Findings) -> Case:
    values = []
    for each in children(element, "VariableValue"):
        reference = child(each, "VariableRef")
        value = "".join("".join(part.itertext()) for part in each if local(part) not in ("", "VariableRef"))
        values.append(("" if reference is None else guid_key(reference.get("targetGUID")), value))
    return Case(
        guid_of(element, findings),
        element.get("name", ""),
        text_of(element, "Description"),
        targets_of(element, "CodeRef"),
        targets_of(element, "SourceRef"),
        targets_of(element, "SelectionRef"),
        tuple(values),
    )


def _sets(element: etree._Element | None) -> tuple[CodeSet, ...]:
    return tuple(
        CodeSet(
            guid_key(each.get("guid")),
            each.get("name", ""),
            text_of(each, "Description"),
            targets_of(each, "MemberCode"),
            targets_of(each, "MemberSource"),
            targets_of(each, "MemberNote"),
        )
        for each in children(element, "Set")
    )


def _say_dangling(project: Project, findings: Findings) -> None:
    """References that lead nowhere."""
    codes = {code.guid for code in project.codes}
    users = {user.guid for user in project.users}
    for what, found, known in (
        ("codes", [coding.code for coding in project.codings if coding.code], codes),
        ("users", [each.user for each in (*project.selections, *project.codings) if each.user], users),
    ):
        lost = sorted({guid for guid in found if guid not in known})
        if lost:
            findings.remarks.append(f"{what} that are used and not listed: {listed(lost)}")
