"""Tables with one fault in them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd


def with_cell(tables, name: str, where: dict[str, object], column: str, value: object):
    """The tables with another value in one column, in the rows that ``where`` names."""
    frame = getattr(tables, name).copy()
    chosen = pd.Series(True, index=frame.index)
    for key, wanted in where.items():
        chosen &= frame[key] == wanted
    if not chosen.any():
        raise ValueError(f"no row of {name} has {where}")
    frame.loc[chosen, column] = value
    return replace(tables, **{name: frame})


def without_rows(tables, name: str, where: dict[str, object]):
    """The tables without the rows that ``where`` names."""
    frame = getattr(tables, name)
    chosen = pd.Series(True, index=frame.index)
    for key, wanted in where.items():
        chosen &= frame[key] == wanted
    if not chosen.any():
        raise ValueError(f"no row of {name} has {where}")
    kept = frame[~chosen]
    kept.attrs.update(frame.attrs)
    return replace(tables, **{name: kept})
