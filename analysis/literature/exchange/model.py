"""What a REFI-QDA project holds, as plain records.

The records are a reading of the document, which is kept beside them: elements that no record
describes are still there. GUIDs are compared by `analysis.literature.exchange.markup.guid_key`
(capital letters, no braces); empty text stands for what is not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd


@dataclass(frozen=True, slots=True)
class User:
    """A coder: ``guid``, ``name`` and, in some programs, initials (``ident``)."""

    guid: str
    name: str
    ident: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """A code. ``parent`` is a GUID or empty; ``colour`` is #RRGGBB or empty; ``notes`` are GUIDs of notes."""

    guid: str
    name: str
    description: str
    parent: str
    colour: str
    codable: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A document, or a plain text that stands for one.

    Attributes
    ----------
    guid, name, description : str
        As given; a text that stands for a document takes over its name where it has none.
    kind : str
        Element: ``TextSource``, ``PDFSource``, ``Representation``, ``Transcript`` …
    parent : str
        GUID of the document that a ``Representation``, ``TextDescription`` or ``Transcript`` stands for.
    path : str
        Where its file is said to be.
    content : str or None
        The plain text, without byte order mark, line breaks as in the file; None where there is none.
    missing : bool
        It is said to have a file, and the archive does not hold it.
    rule : str
        How positions in it were counted (`analysis.literature.exchange.positions.Rule`).
    user, created : str
        GUID of the user, date and time.
    notes : tuple of str
        GUIDs of notes.
    """

    guid: str
    name: str
    description: str
    kind: str
    parent: str
    path: str
    content: str | None
    missing: bool
    rule: str = ""
    user: str = ""
    created: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """A part of a source.

    Attributes
    ----------
    guid, name, description : str
        As given. Two views of one passage may share a GUID (ATLAS.ti: area and text of a PDF).
    kind : str
        Element: ``PlainTextSelection``, ``PDFSelection`` …
    source : str
        GUID of the source.
    start, end : int or None
        In a text: code points from zero, end exclusive. In audio and video: milliseconds. Else None.
    area : tuple of (str, str)
        The other attributes that say where: page, firstX, fromSyncPoint …
    user, created : str
        GUID of the user, date and time.
    notes : tuple of str
        GUIDs of notes.
    """

    guid: str
    name: str
    description: str
    kind: str
    source: str
    start: int | None
    end: int | None
    area: tuple[tuple[str, str], ...] = ()
    user: str = ""
    created: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether start and end are places in a plain text."""
        return self.kind in ("PlainTextSelection", "TranscriptSelection") and self.start is not None


@dataclass(frozen=True, slots=True)
class Coding:
    """A code given to a selection, or to a whole source where ``selection`` is empty; all are GUIDs but ``created``."""

    guid: str
    code: str
    source: str
    selection: str
    user: str = ""
    created: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A memo: ``text`` is its plain text, empty where its file is missing."""

    guid: str
    name: str
    text: str
    description: str
    user: str = ""
    created: str = ""


@dataclass(frozen=True, slots=True)
class Variable:
    """A property of cases or sources; ``kind`` is Text, Boolean, Integer, Float, Date or DateTime."""

    guid: str
    name: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class Case:
    """A person or thing by which sources and selections are grouped; ``values`` are (GUID of the variable, value)."""

    guid: str
    name: str
    description: str
    codes: tuple[str, ...]
    sources: tuple[str, ...]
    selections: tuple[str, ...]
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CodeSet:
    """A group of codes, sources or notes (GUIDs)."""

    guid: str
    name: str
    description: str
    codes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A named relation between two things."""

    guid: str
    name: str
    direction: str
    origin: str
    target: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A drawing: how many shapes and lines it has. The drawing itself stays in the document."""

    guid: str
    name: str
    vertices: int
    edges: int


@dataclass(frozen=True, slots=True)
class Codebook:
    """A codebook as read: ``origin`` is the program that wrote it, ``remarks`` what was odd, ``document`` the XML."""

    path: Path
    origin: str
    codes: tuple[Code, ...]
    sets: tuple[CodeSet, ...]
    remarks: tuple[str, ...]
    document: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Project:
    """A project as read.

    Attributes
    ----------
    path : Path
        The archive.
    name, origin, description : str
        Of the project; the program that wrote it.
    users, codes, variables, cases, sources, selections, codings, notes, links, sets, graphs : tuple
        In the order of the document.
    remarks : tuple of str
        What was odd or could not be read, for the person who imports it.
    members : mapping of str to str
        Files of the archive: `analysis.literature.exchange.archive.member_key` → name.
    document : bytes
        The XML, names put right, nothing left out.
    """

    path: Path
    name: str
    origin: str
    description: str
    users: tuple[User, ...]
    codes: tuple[Code, ...]
    variables: tuple[Variable, ...]
    cases: tuple[Case, ...]
    sources: tuple[Source, ...]
    selections: tuple[Selection, ...]
    codings: tuple[Coding, ...]
    notes: tuple[Note, ...]
    links: tuple[Link, ...]
    sets: tuple[CodeSet, ...]
    graphs: tuple[Graph, ...]
    remarks: tuple[str, ...]
    members: Mapping[str, str] = field(repr=False)
    document: bytes = field(repr=False)


@dataclass(frozen=True)
class Tables:
    """The tables of the coding, as `analysis.base.tables.load_table` gives them.

    Attributes
    ----------
    codebook, documents, segments, codings : DataFrame
        ``literature/codebook.csv`` and so on.
    participants : DataFrame or None
        ``literature/participants.csv``; without it, segments keep the names of participants only.
    guids : mapping of str to str
        For tables that come from a project: what is what in it, so that they can be written back into it.
    remarks : tuple of str
        What the project held and the tables do not.
    """

    codebook: pd.DataFrame
    documents: pd.DataFrame
    segments: pd.DataFrame
    codings: pd.DataFrame
    participants: pd.DataFrame | None = None
    guids: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
