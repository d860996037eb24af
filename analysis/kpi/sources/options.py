"""Options of a source's reader as a user writes them: ``incident_labels=outage,incident``.

Findings name the option that would read a log otherwise ("say incident_labels=[…]"); this is how a command takes it.
Which options there are, and what they hold, is read off the reader's own signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from analysis.base.errors import InputError, Problem
from analysis.kpi.sources.open import get_reader

_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def list_options(kind: str) -> dict[str, type]:
    """Options of a kind of source that can be written as text, each with what it holds: str, bool or tuple.

    >>> list_options("cdevents")
    {'zone': <class 'str'>, 'name': <class 'str'>}
    """
    found: dict[str, type] = {}
    for name, parameter in list(inspect.signature(get_reader(kind)).parameters.items())[1:]:
        holds = str(parameter.annotation)
        if holds.startswith("Sequence[str]"):
            found[name] = tuple
        elif holds == "bool":
            found[name] = bool
        elif holds.startswith(("str", "Literal[")):
            found[name] = str
    return found


def read_options(kind: str, texts: Iterable[str]) -> dict[str, Any]:
    """Options of a kind of source from texts ``name=value``; several values of one are separated by commas.

    >>> read_options("github", ["incident_labels=outage,incident", "rollbacks=no"])
    {'incident_labels': ('outage', 'incident'), 'rollbacks': False}

    Raises
    ------
    InputError
        A text of another form, an option that the reader does not have, or a value that is none; all of them.
    """
    known = list_options(kind)
    given: dict[str, Any] = {}
    problems = []
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        holds = known.get(name)
        if not sign or not name:
            problems.append(Problem(f"'{text}'", "it is not of the form name=value", "such as zone=Europe/Berlin"))
        elif holds is None:
            remedy = f"it has: {', '.join(known)}" if known else "it has none"
            problems.append(Problem(f"option '{name}'", f"the reader of {kind} does not have it", remedy))
        elif holds is bool and value.lower() not in _WORDS:
            problems.append(Problem(f"option '{name}'", f"got '{value}'", "yes or no"))
        elif holds is bool:
            given[name] = _WORDS[value.lower()]
        else:
            given[name] = tuple(part.strip() for part in value.split(",") if part.strip()) if holds is tuple else value
    if problems:
        raise InputError("An option of the source cannot be used.", problems)
    return given
