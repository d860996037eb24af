"""Sources of a project: their texts, the selections in them, the codings of these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from analysis.literature.exchange.archive import Archive, member_key, unsafe_name
from analysis.literature.exchange.markup import (
    CORNERS,
    Findings,
    child,
    children,
    guid_key,
    is_guid,
    local,
    our_guid,
    text_of,
)
from analysis.literature.exchange.model import Coding, Selection, Source
from analysis.literature.exchange.positions import STANDARD, settle_positions

_TEXTS = ("Representation", "TextDescription", "Transcript")
_SELECTIONS = tuple(f"{kind}Selection" for kind in ("PlainText", "Picture", "PDF", "Audio", "Video", "Transcript"))
_BOUNDS = {
    "PlainTextSelection": ("startPosition", "endPosition"),
    "AudioSelection": ("begin", "end"),
    "VideoSelection": ("begin", "end"),
}
_AREA = ("page", *CORNERS, "fromSyncPoint", "toSyncPoint")
_SHOWN = 5


@dataclass(slots=True)
class Reading:
    """One import under way."""

    findings: Findings
    archive: Archive
    texts: Mapping[str, bytes]
    sources: list[Source]
    selections: list[Selection]
    codings: list[Coding]


def read_source(reading: Reading, element: etree._Element, parent: str, name: str = "") -> None:
    """One source, the texts that stand for it, their selections and codings."""
    findings = reading.findings
    guid = guid_of(element, findings)
    kind = local(element)
    content = read_text(reading, element)
    path = element.get("plainTextPath") or element.get("path") or element.get("richTextPath") or ""
    member = _member(reading.archive, path)
    name = element.get("name") or name or Path(re.sub(r"^\w+:/*", "", path)).name or guid
    source = Source(
        guid,
        name,
        text_of(element, "Description"),
        kind,
        parent,
        path,
        content,
        content is None and bool(path) and not member,
        "",
        *made_of(element),
        targets_of(element, "NoteRef"),
    )
    selections = [_selection(reading, each, guid) for each in children(element, *_SELECTIONS)]
    rule = ""
    if content is not None:
        selections, rule = _settled(content, selections, source, findings)
    reading.sources.append(replace(source, rule=rule))
    reading.selections += selections
    reading.codings += [_coding(each, guid, "", findings) for each in children(element, "Coding")]
    for each in children(element, *_TEXTS):
        read_source(reading, each, guid, name)


def _selection(reading: Reading, element: etree._Element, source: str) -> Selection:
    findings = reading.findings
    guid = guid_of(element, findings)
    kind = local(element)
    start = end = None
    if kind in _BOUNDS:
        start, end = (_whole(element, name, findings) for name in _BOUNDS[kind])
        if start is not None and end is not None and (start < 0 or end < start):
            findings.refuse(element, f"a selection from {start} to {end}", "it must not be negative or end early")
    elif kind == "TranscriptSelection":
        points = {guid_key(each.get("guid")): each for each in children(element.getparent(), "SyncPoint")}
        ends = [points.get(guid_key(element.get(name))) for name in ("fromSyncPoint", "toSyncPoint")]
        if all(each is not None and each.get("position") for each in ends):
            start, end = (_whole(each, "position", findings) for each in ends)
    reading.codings += [_coding(each, source, guid, findings) for each in children(element, "Coding")]
    return Selection(
        guid,
        element.get("name", ""),
        text_of(element, "Description"),
        kind,
        source,
        start,
        end,
        tuple((name, element.get(name)) for name in _AREA if element.get(name)),
        *made_of(element),
        targets_of(element, "NoteRef"),
    )


def _settled(
    content: str, selections: list[Selection], source: Source, findings: Findings
) -> tuple[list[Selection], str]:
    """Text selections by the standard's positions, and the rule that they followed."""
    texts = [each for each in selections if each.is_text and each.end is not None]
    settled = settle_positions(content, [(each.start, each.end) for each in texts], [each.name for each in texts])
    if settled.rule != STANDARD:
        findings.remarks.append(
            f"'{source.name}': positions count {settled.rule}; they were brought to code points "
            f"({settled.matched} of {settled.quoted} quotations fit)"
        )
    elif settled.matched and settled.matched < settled.quoted:
        findings.remarks.append(
            f"'{source.name}': {settled.quoted - settled.matched} of {settled.quoted} selections bear a name that "
            "is not their text: they were renamed, or their positions are wrong"
        )
    elif texts and not settled.matched and any(character > "\uffff" for character in content):
        findings.remarks.append(
            f"'{source.name}' holds characters that some programs count twice, and no quotation tells how they were "
            "counted here: code points were taken"
        )
    moved = dict(zip(map(id, texts), settled.spans, strict=True))
    outside = sum(end > len(content) for _, end in settled.spans)
    if outside:
        findings.remarks.append(f"'{source.name}': {outside} selections end behind the end of the text")
    placed = [
        replace(each, start=moved[id(each)][0], end=moved[id(each)][1]) if id(each) in moved else each
        for each in selections
    ]
    return placed, str(settled.rule)


def _coding(element: etree._Element, source: str, selection: str, findings: Findings) -> Coding:
    reference = child(element, "CodeRef")
    code = "" if reference is None else guid_key(reference.get("targetGUID"))
    if not code:
        findings.remarks.append(f"line {element.sourceline}: a coding that names no code")
    return Coding(
        guid_of(element, findings), code, source, selection, *made_of(element), targets_of(element, "NoteRef")
    )


def guid_of(element: etree._Element, findings: Findings) -> str:
    """Its GUID as compared; where it has none it is given one, made of its place in the document."""
    guid = guid_key(element.get("guid"))
    if not is_guid(guid):
        said = f"GUID '{guid}'" if guid else "no GUID"
        findings.remarks.append(f"line {element.sourceline}: <{local(element)}> has {said}")
    if not guid:
        element.set("guid", our_guid("place", element.getroottree().getpath(element)))
    return guid or guid_key(element.get("guid"))


def made_of(element: etree._Element) -> tuple[str, str]:
    """Who made it and when; who changed it last where only that is said."""
    user = element.get("creatingUser") or element.get("modifyingUser")
    return guid_key(user), element.get("creationDateTime") or element.get("modifiedDateTime") or ""


def targets_of(element: etree._Element, name: str) -> tuple[str, ...]:
    # The codebook schema calls the attribute guid, the project schema targetGUID.
    return tuple(guid_key(each.get("targetGUID") or each.get("guid")) for each in children(element, name))


def _whole(element: etree._Element, name: str, findings: Findings) -> int | None:
    value = element.get(name, "")
    if re.fullmatch(r"\s*[+-]?\d{1,18}\s*", value):
        return int(value)
    findings.refuse(element, f"{name} is '{value}', expected a whole number", "export the project again")
    return None


def _member(archive: Archive, path: str) -> str:
    """Member of the archive that a path names; empty where it lies outside or is not there."""
    scheme, _, rest = path.partition("://")
    if not rest:
        rest = path  # some programs write the bare name
    elif scheme.lower() != "internal":
        return ""
    for name in (rest, unquote(rest)):
        key = member_key(name)
        for candidate in (f"sources/{key}", key):
            if key and candidate in archive.members:
                return archive.members[candidate]
    return ""


def text_members(root: etree._Element, archive: Archive, findings: Findings) -> list[str]:
    """Members that hold plain texts; paths that lead out of the archive are refused."""
    names = []
    for element in root.iter(etree.Element):
        for attribute in ("plainTextPath", "richTextPath", "path"):
            path = element.get(attribute) if local(element) else None
            if not path:
                continue
            scheme, _, rest = path.partition("://")
            internal = scheme.lower() == "internal" and rest
            inside = rest.lstrip("/") if internal else "" if rest else path
            unsafe = unsafe_name(inside) or unsafe_name(unquote(inside))
            if not internal and "absolute" in unsafe:
                continue  # a file elsewhere, which is never looked for
            if unsafe:
                findings.refuse(element, f"{attribute} '{path}' {unsafe}", "do not trust this file")
            elif attribute == "plainTextPath" and _member(archive, path):
                names.append(_member(archive, path))
    return sorted(set(names))


def read_text(reading: Reading, element: etree._Element) -> str | None:
    """Plain text of a source or note, from the document or the archive; None where there is none."""
    inline = child(element, "PlainTextContent")
    if inline is not None:
        return "".join(inline.itertext())
    name = _member(reading.archive, element.get("plainTextPath") or "")
    data = reading.texts.get(name)
    if data is None:
        return None
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if encoding != "utf-8-sig":
        reading.findings.remarks.append(f"'{name}' is {encoding}, not UTF-8 as the standard asks")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        reading.findings.remarks.append(f"'{name}' is not UTF-8 (byte {error.start}): its text was left out")
        return None


def say_missing(reading: Reading) -> None:
    missing = [source.name for source in reading.sources if source.missing]
    if missing:
        reading.findings.remarks.append(
            f"{len(missing)} of {len(reading.sources)} sources and their texts have no file in the archive: "
            + listed(missing)
        )


def listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more
