"""The XML of REFI-QDA: parsed without trusting it, names put right, elements put in the schema's order.

A document type declaration has no place in the format and is the way in for entity expansion and
external entities, so any is refused before it takes effect. Names of elements and attributes are
compared without regard to case, and the namespace in any of the spellings that tools write
(``…:1.0``, ``…:1:0``, ``…:1.5``, none).
"""

from __future__ import annotations

import re
import uuid
import xml.sax
import xml.sax.handler
from dataclasses import dataclass, field

import defusedxml.sax
from defusedxml import DefusedXmlException
from lxml import etree

from analysis.base.errors import InputError, Problem

PROJECT = "urn:QDA-XML:project:1.0"
CODEBOOK = "urn:QDA-XML:codebook:1.0"
MAX_DEPTH = 120
MAX_ELEMENTS = 2_000_000
_NAMESPACE = re.compile(r"urn:qda-xml:(project|codebook):\d+[.:]\d+", re.IGNORECASE)
_GUID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
_OURS = uuid.UUID("6f0e2a52-5c0b-5a0e-9f5e-0c5a54c1d0a7")
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TEXT = ("Description", "PlainTextContent", "PlainTextSelection", "Coding", "NoteRef", "VariableValue")
_SELECTION = ("Description", "Coding", "NoteRef")
ORDER: dict[str, tuple[str, ...]] = {
    "Project": (
        "Users",
        "CodeBook",
        "Variables",
        "Cases",
        "Sources",
        "Notes",
        "Links",
        "Sets",
        "Graphs",
        "Description",
        "NoteRef",
    ),
    "CodeBook": ("Codes", "Sets"),
    "Codes": ("Code",),
    "Code": ("Description", "NoteRef", "Code"),
    "Users": ("User",),
    "Variables": ("Variable",),
    "Variable": ("Description",),
    "Cases": ("Case",),
    "Case": ("Description", "CodeRef", "VariableValue", "SourceRef", "SelectionRef"),
    "Sources": ("TextSource", "PictureSource", "PDFSource", "AudioSource", "VideoSource"),
    "TextSource": _TEXT,
    "Representation": _TEXT,
    "TextDescription": _TEXT,
    "Note": _TEXT,
    "PictureSource": ("Description", "TextDescription", "PictureSelection", "Coding", "NoteRef", "VariableValue"),
    "PDFSource": ("Description", "PDFSelection", "Representation", "Coding", "NoteRef", "VariableValue"),
    "AudioSource": ("Description", "Transcript", "AudioSelection", "Coding", "NoteRef", "VariableValue"),
    "VideoSource": ("Description", "Transcript", "VideoSelection", "Coding", "NoteRef", "VariableValue"),
    "Transcript": ("Description", "PlainTextContent", "SyncPoint", "TranscriptSelection", "NoteRef"),
    "PlainTextSelection": _SELECTION,
    "PictureSelection": _SELECTION,
    "PDFSelection": ("Description", "Representation", "Coding", "NoteRef"),
    "AudioSelection": _SELECTION,
    "VideoSelection": _SELECTION,
    "TranscriptSelection": _SELECTION,
    "Coding": ("CodeRef", "NoteRef"),
    "Notes": ("Note",),
    "Links": ("Link",),
    "Link": ("NoteRef",),
    "Sets": ("Set",),
    "Set": ("Description", "MemberCode", "MemberSource", "MemberNote"),
    "Graphs": ("Graph",),
    "Graph": ("Vertex", "Edge"),
    "VariableValue": (
        "VariableRef",
        "TextValue",
        "BooleanValue",
        "IntegerValue",
        "FloatValue",
        "DateValue",
        "DateTimeValue",
    ),
}
"""Element → the elements that it may hold, in the order of the schema (REFI-QDA 1.5, §5.2 and §5.3)."""

_ELEMENTS = {name.lower(): name for pair in ORDER.items() for name in (pair[0], *pair[1])}
CORNERS = tuple(f"{corner}{axis}" for corner in ("first", "second") for axis in "XY")
_ATTRIBUTES = {
    name.lower(): name
    for name in (
        "guid",
        "name",
        "id",
        "origin",
        "creatingUserGUID",
        "creationDateTime",
        "modifyingUserGUID",
        "modifiedDateTime",
        "basePath",
        "isCodable",
        "color",
        "richTextPath",
        "plainTextPath",
        "creatingUser",
        "modifyingUser",
        "startPosition",
        "endPosition",
        "path",
        "currentPath",
        "page",
        *CORNERS,
        "begin",
        "end",
        "fromSyncPoint",
        "toSyncPoint",
        "timeStamp",
        "position",
        "representedGUID",
        "shape",
        "sourceVertex",
        "targetVertex",
        "direction",
        "lineStyle",
        "originGUID",
        "targetGUID",
        "typeOfVariable",
    )
}


@dataclass(slots=True)
class Findings:
    """What reading a file turned up: reasons to refuse it, and oddities that were coped with."""

    where: str
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def refuse(self, element: etree._Element | None, what: str, remedy: str) -> None:
        line = f":{element.sourceline}" if element is not None and element.sourceline else ""
        self.problems.append(Problem(f"{self.where}{line}", what, remedy))

    def raise_any(self, title: str) -> None:
        if self.problems:
            raise InputError(title, self.problems)


class _Scan(xml.sax.handler.ContentHandler):
    """Counts without building anything: depth and number of elements."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.depth, self.elements, self.locator = 0, 0, 0, None

    def setDocumentLocator(self, locator) -> None:
        self.locator = locator

    def startElement(self, name, attrs) -> None:
        self.depth += 1
        self.elements += 1
        if self.depth > MAX_DEPTH:
            raise _Excess(f"elements lie {self.depth} deep, at most {MAX_DEPTH} are read")
        if self.elements > MAX_ELEMENTS:
            raise _Excess(f"more than {MAX_ELEMENTS:,} elements")

    def endElement(self, name) -> None:
        self.depth -= 1


class _Excess(Exception):
    pass


def parse_markup(data: bytes, findings: Findings, root: str) -> etree._Element:
    """Parse one document safely and put its names right.

    Parameters
    ----------
    data : bytes
        The file.
    findings : Findings
        Takes the remarks; its ``where`` names the file in errors.
    root : str
        Local name of the root that is expected: ``Project`` or ``CodeBook``.

    Returns
    -------
    lxml element
        Known elements and attributes spelt as in the schema and in namespace `PROJECT` or `CODEBOOK`;
        everything else as it was.

    Raises
    ------
    InputError
        Not well-formed, a document type declaration, too deep, too many elements, another root.
    """
    scan = _Scan()
    title = f"{findings.where} cannot be read."
    try:
        defusedxml.sax.parseString(data, scan, forbid_dtd=True)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
        tree = etree.fromstring(data, parser)
    except DefusedXmlException:
        line = scan.locator.getLineNumber() if scan.locator else 1
        what = "it declares a document type or entities, which the format does not have"
        problem = Problem(f"{findings.where}:{line}", what, "do not trust this file; export the project again")
        raise InputError(title, [problem]) from None
    except _Excess as error:
        problem = Problem(f"{findings.where}:{scan.locator.getLineNumber()}", str(error), "it looks like an attack")
        raise InputError(title, [problem]) from None
    except (xml.sax.SAXException, etree.XMLSyntaxError, UnicodeError, LookupError, ValueError) as error:
        line = error.getLineNumber() if isinstance(error, xml.sax.SAXParseException) else getattr(error, "lineno", 1)
        message = error.getMessage() if isinstance(error, xml.sax.SAXException) else str(error)
        problem = Problem(f"{findings.where}:{line}", f"not well-formed XML: {message}", "export the project again")
        raise InputError(title, [problem]) from None
    _put_right(tree, CODEBOOK if root == "CodeBook" else PROJECT, findings)
    if local(tree) != root:
        findings.refuse(tree, f"its root is <{local(tree) or tree.tag}>, expected <{root}>", "choose the right file")
        findings.raise_any(title)
    return tree


def local(element: etree._Element) -> str:
    """Name of a known element without its namespace; empty for anything else, comments included."""
    if not isinstance(element.tag, str):
        return ""
    namespace, _, name = element.tag.rpartition("}")
    return name if namespace.lstrip("{") in (PROJECT, CODEBOOK) and name.lower() in _ELEMENTS else ""


def child(element: etree._Element, name: str) -> etree._Element | None:
    """The first child of that name."""
    return next((each for each in element if local(each) == name), None)


def children(element: etree._Element | None, *names: str) -> list[etree._Element]:
    """The children of these names, in the order of the document; none of nothing."""
    return [] if element is None else [each for each in element if local(each) in names]


def text_of(element: etree._Element, name: str) -> str:
    """Text of the child of that name, empty where there is none."""
    found = child(element, name)
    return "" if found is None else "".join(found.itertext())


def guid_key(value: str | None) -> str:
    """A GUID as it is compared: no braces, capital letters; empty where there is none.

    >>> guid_key("{7c108712-b650-4892-ac0b-fc9a10190c3b}")
    '7C108712-B650-4892-AC0B-FC9A10190C3B'
    """
    return (value or "").strip().strip("{}").upper()


def is_guid(value: str) -> bool:
    """Whether a `guid_key` has the form of a GUID."""
    return bool(_GUID.fullmatch(value))


def our_guid(kind: str, *names: str) -> str:
    """The GUID of one of our own things: the same for the same name, on every machine (RFC 4122, version 5)."""
    return str(uuid.uuid5(_OURS, "\x1f".join((kind, *names))))


def insert_child(parent: etree._Element, name: str, text: str | None = None, /, **attributes: str) -> etree._Element:
    """Add a child where the schema wants it: behind everything that may not follow it."""
    order = ORDER[local(parent)]
    rank = order.index(name)
    namespace = etree.QName(parent).namespace
    made = etree.Element(f"{{{namespace}}}{name}", {key: value for key, value in attributes.items() if value})
    made.text = text
    for each in parent.iterchildren(reversed=True):  # from behind: what is added mostly belongs at the end
        if local(each) in order and order.index(local(each)) <= rank:
            each.addnext(made)
            return made
    parent.insert(0, made)
    return made


def illegal_character(text: str) -> str:
    """The first character that XML 1.0 cannot hold, as U+XXXX; empty where there is none."""
    found = _ILLEGAL.search(text)
    return f"U+{ord(found.group()):04X}" if found else ""


def to_bytes(root: etree._Element) -> bytes:
    """The document as UTF-8, indented where no text is touched, with a declaration and a final line break."""
    etree.indent(root, "  ")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _put_right(tree: etree._Element, namespace: str, findings: Findings) -> None:
    seen, respelt, strange = set(), set(), {}
    for element in tree.iter():
        if not isinstance(element.tag, str):
            continue
        found, _, name = element.tag.rpartition("}")
        found = found.lstrip("{")
        known = name.lower() in _ELEMENTS and (not found or _NAMESPACE.fullmatch(found))
        if not known:
            strange.setdefault(element.tag, element.sourceline)
            continue
        if found != namespace:
            seen.add(found or "none")
        if _ELEMENTS[name.lower()] != name:
            respelt.add(name)
        element.tag = f"{{{namespace}}}{_ELEMENTS[name.lower()]}"
        for key in list(element.attrib):
            right = _ATTRIBUTES.get(key.lower(), key)
            if right != key and right not in element.attrib:
                respelt.add(key)
                element.set(right, element.attrib.pop(key))
    etree.cleanup_namespaces(tree)
    if seen:
        findings.remarks.append(f"namespace {', '.join(sorted(seen))} was read as {namespace}")
    if respelt:
        findings.remarks.append(f"other spellings were read as the schema has them: {', '.join(sorted(respelt))}")
    findings.remarks += [
        f"line {line}: unknown element {tag}: not read; it stays in the document" for tag, line in strange.items()
    ]
