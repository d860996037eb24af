"""Records of tagged lines: RIS, PubMed's nbib and Web of Science's plain text differ only in how a tag looks.

rispy reads well-formed RIS; on real exports it loses records (it begins one only where a line starts with ``TY`` after
LF, joins what lacks ``ER``, and keeps the first of a repeated tag), and tells no lines. Hence this reader, which ends
a record at ``ER`` *or* where the next one begins, keeps every text of every tag with its line, and tells what it mends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from analysis.literature.importers.drafts import LEFT_OUT, REPAIRED, Notice

TagOf = Callable[[str], "tuple[str, str] | None"]
_BETWEEN = re.compile(r"\s*(?:<?\d+\.?>?|record #?\d+(?: of \d+)?|[\w ]{2,60}:.*|=+|-+|\*+|FN .*|VR .*|EF)\s*", re.I)
"""What databases write between records: numbers, rules, ``Provider: …``."""


@dataclass(slots=True)
class TaggedRecord:
    """One record: for each tag its texts, each with its line and the lines that continue it."""

    line: int
    texts: dict[str, list[tuple[int, list[str]]]] = field(default_factory=dict)
    last: str = ""

    def add(self, tag: str, line: int, text: str) -> None:
        self.texts.setdefault(tag, []).append((line, [text.strip()]))
        self.last = tag

    def extend(self, text: str) -> None:
        self.texts[self.last][-1][1].append(text.strip())

    def values(self, *tags: str) -> list[str]:
        """Texts of the tags, those of the first tag first; continued lines joined by blanks."""
        return [text for tag in tags for _, parts in self.texts.get(tag, ()) if (text := " ".join(parts).strip())]

    def items(self, *tags: str) -> list[str]:
        """As `values`, but every continued line is an item of its own, as in lists of names or keywords."""
        return [part for tag in tags for _, parts in self.texts.get(tag, ()) for part in parts if part]

    def repeated(self, tags: Collection[str]) -> list[Notice]:
        """Notices on tags that belong to a record once and hold two different texts."""
        notices = []
        for tag in tags:
            found = [(line, " ".join(parts).strip()) for line, parts in self.texts.get(tag, ())]
            found = [(line, text) for line, text in found if text]
            if len({" ".join(text.split()).casefold() for _, text in found}) > 1:
                what = f"{tag} occurs again in the record of line {self.line}; the first was taken"
                notices.append(Notice(found[1][0], REPAIRED, what, "are two records run together? Look at the file"))
        return notices


def read_tagged(
    lines: list[str],
    tag_of: TagOf,
    starts: Collection[str],
    end: str = "",
    *,
    skip: Collection[str] = (),
    blank_ends: bool = False,
    essential: Collection[str] = (),
) -> tuple[list[TaggedRecord], list[Notice]]:
    """Split lines into records.

    Parameters
    ----------
    lines : list of str
    tag_of : callable
        Line → (tag, text), or None for a line that continues the last tag.
    starts : collection of str
        Tags that begin a record.
    end : str
        Tag that ends one; empty where the format has none.
    skip : collection of str
        Tags of the file, not of a record.
    blank_ends : bool
        Whether a blank line ends a record.
    essential : collection of str
        Tags of which one must be among those that stand outside a record for them to be a record whose beginning is
        missing; Ovid, for one, writes the journal's abbreviation after ``ER``.

    Returns
    -------
    (list of TaggedRecord, list of Notice)
        Records in the order of the file. Text outside of records and records without a beginning or end are told.
    """
    records: list[TaggedRecord] = []
    notices: list[Notice] = []
    opened: TaggedRecord | None = None
    stray = False

    def starts_with(record: TaggedRecord) -> bool:
        return any(tag in record.texts for tag in starts)

    def begin(line: int) -> TaggedRecord:
        record = TaggedRecord(line)
        records.append(record)
        return record

    def missing_end(line: int) -> None:
        if end and opened is not None and starts_with(opened):
            what = f"the record of line {opened.line} does not end with {end}; it was ended here"
            notices.append(
                Notice(line, REPAIRED, what, "was the file cut off or joined? Look at the record's last field")
            )

    for number, line in enumerate(lines, start=1):
        if not line.strip():
            if blank_ends:
                opened = None
            continue
        found = tag_of(line)
        if found is None:
            if opened is not None and opened.last:
                opened.extend(line)
            elif not _BETWEEN.fullmatch(line):
                if not stray:
                    shown = " ".join(line.split())[:60]
                    what = f"text outside any record: '{shown}'"
                    notices.append(Notice(number, REPAIRED, what, "does it belong to a record? Look at the file"))
                stray = True
            continue
        tag, text = found
        stray = False
        if tag in skip:
            continue
        if tag in starts:
            missing_end(number)
            opened = begin(number)
            opened.add(tag, number, text)
        elif tag == end:
            opened = None
        else:
            if opened is None:
                opened = begin(number)
            opened.add(tag, number, text)
    missing_end(len(lines))
    kept = []
    for record in records:
        if not end or starts_with(record):
            kept.append(record)
        elif any(record.values(tag) for tag in essential):
            kept.append(record)
            what = f"a record begins without {' or '.join(starts)}"
            notices.append(Notice(record.line, REPAIRED, what, "its type is not known; look at the file"))
        else:
            what = f"outside any record: {', '.join(record.texts)}"
            notices.append(Notice(record.line, REPAIRED, what, "does it belong to the record above? Look at the file"))
    return kept, notices


def drop_hollow(records: list[TaggedRecord], starts: Collection[str]) -> tuple[list[TaggedRecord], list[Notice]]:
    """Records that say something, and a notice for each one that has nothing but its type."""
    full = [r for r in records if any(r.values(tag) for tag in r.texts if tag not in starts)]
    hollow = [r for r in records if r not in full] if len(full) < len(records) else []
    return full, [Notice(r.line, LEFT_OUT, "a record without any field", "strike it, or export again") for r in hollow]
