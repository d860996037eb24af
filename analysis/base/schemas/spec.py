"""What a table is to look like: `TableSpec`, and `column` for one of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandera.pandas as pa


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table.

    Attributes
    ----------
    file : str
        Path under ``data/``, POSIX slashes.
    title : str
        What one row is.
    key : tuple of str
        Columns that together identify a row.
    columns : mapping of str to pandera.Column
        Built with `column`; order is the order in the file.
    references : mapping of str to (str, str)
        Column → (file, column) whose values it must be among.
    """

    file: str
    title: str
    key: tuple[str, ...]
    columns: Mapping[str, pa.Column]
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def schema(self) -> pa.DataFrameSchema:
        """The pandera schema: strict, coercing, unique on the key."""
        return pa.DataFrameSchema(dict(self.columns), name=self.file, strict=True, coerce=True, unique=list(self.key))


def column(
    dtype: str,
    description: str,
    *,
    unit: str = "",
    allowed: Sequence[str] = (),
    nullable: bool = False,
    low: float | None = None,
    high: float | None = None,
    pattern: str = "",
) -> pa.Column:
    """One column: pandas dtype, what it means, unit, allowed values, bounds.

    ``dtype`` is a nullable pandas dtype: ``string``, ``Int64``, ``Float64`` or ``boolean``.
    An empty cell is a missing value and is refused unless ``nullable``.
    """
    checks = []
    if allowed:
        checks.append(pa.Check.isin(list(allowed), error=f"one of: {', '.join(allowed)}"))
    if low is not None:
        checks.append(pa.Check.ge(low, error=f"at least {low:g}"))
    if high is not None:
        checks.append(pa.Check.le(high, error=f"at most {high:g}"))
    if pattern:
        checks.append(pa.Check.str_matches(rf"^(?:{pattern})\Z", error=f"text like {pattern}"))
    metadata = {"unit": unit, "allowed": tuple(allowed), "low": low, "high": high}
    return pa.Column(dtype, checks, nullable=nullable, description=description, metadata=metadata)
