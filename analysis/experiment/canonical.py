"""One text for one value: JSON with sorted keys, no spaces and ASCII only, so that equal means equal bytes.

Event logs are compared line by line and work is named by a digest; both need that a value has one form,
and that nothing is silently turned into something else on its way there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.base.errors import InputError, Problem


def plain(value: Any, where: str) -> Any:
    """``value`` as it comes back from JSON: dict, list, str, int, float, bool or None, all the way down.

    Tuples become lists and numpy scalars Python numbers; nothing else is converted.

    Parameters
    ----------
    value : any
    where : str
        What the value is, for errors.

    Raises
    ------
    InputError
        Values that JSON does not hold: NaN and infinity, keys that are not text, paths, dates, arrays,
        sets, other objects; all listed.

    >>> plain({"b": (1, 2), "a": None}, "inputs")
    {'b': [1, 2], 'a': None}
    """
    problems: list[Problem] = []
    result = _plain(value, where, problems)
    if problems:
        raise InputError(f"{where} cannot be written as JSON.", problems)
    return result


def _plain(value: Any, where: str, problems: list[Problem]) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            problems.append(Problem(where, f"is {value}", "give None for what is not known"))
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                problems.append(Problem(where, f"has the key {key!r}", "keys are text"))
        return {key: _plain(item, f"{where}.{key}", problems) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]", problems) for i, item in enumerate(value)]
    problems.append(Problem(where, f"is of type {type(value).__name__}", "give text, numbers, lists or mappings"))
    return value


def canonical(value: Any, where: str) -> bytes:
    """The one JSON text of ``value``: order of keys, tuples or lists make no difference; 1 and 1.0 do.

    Raises
    ------
    InputError
        As `plain`.

    >>> canonical({"b": 1.5, "a": ["é"]}, "inputs")
    b'{"a":["\\\\u00e9"],"b":1.5}'
    """
    return json.dumps(plain(value, where), sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest(content: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(content).hexdigest()
