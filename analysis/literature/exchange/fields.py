"""Our columns inside a description.

REFI-QDA has a name, a description and a colour for a code, and less for a selection. Everything
else of a row travels as lines at the end of the description, where a person can read them in any
program and where they survive programs that give everything a new GUID. Notes would be the other
way, but earlier releases of QualCoder drop a code that has one (``refi.py``, ``sub_codes``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_MARK = "[workbench]"
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escaped: plain for plain, escaped in _ESCAPES.items()}


def pack_fields(text: str, fields: Mapping[str, str]) -> str:
    """Free text with named fields behind it; fields without a value are left out.

    >>> print(pack_fields("What it is.", {"code": "drift", "example": ""}))
    What it is.
    <BLANKLINE>
    [workbench]
    code: drift
    """
    lines = [f"{key}: {_escape(value)}" for key, value in fields.items() if value]
    return (text + "\n\n" if text else "") + "\n".join([_MARK, *lines])


def unpack_fields(description: str) -> tuple[str, dict[str, str] | None]:
    """The free text and the fields of `pack_fields`; None where the description is not ours.

    Line breaks of any kind are understood, because programs rewrite them.

    >>> unpack_fields("What it is.\\n\\n[workbench]\\ncode: drift")
    ('What it is.', {'code': 'drift'})
    >>> unpack_fields("Somebody's memo")
    ("Somebody's memo", None)
    """
    for text in (description, description.replace("\r\n", "\n").replace("\r", "\n")):
        before, mark, after = ("\n" + text).rpartition(f"\n{_MARK}\n")
        if not mark and ("\n" + text).endswith(f"\n{_MARK}"):
            before, mark, after = ("\n" + text).removesuffix(f"\n{_MARK}"), _MARK, ""
        if mark:
            lines = [line.partition(": ") for line in after.split("\n") if ": " in line]
            fields = {key: re.sub(r"\\[\\nr]", lambda m: _UNESCAPES[m[0]], value) for key, _, value in lines}
            return before[1:].removesuffix("\n"), fields
    return description, None


def _escape(value: str) -> str:
    return re.sub(r"[\\\n\r]", lambda found: _ESCAPES[found[0]], value)
