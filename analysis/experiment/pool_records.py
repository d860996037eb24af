"""What a reader of annotation files hands over before any image is opened."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

Mark = int | str
"""Where in its file a box stands: a line number, or words such as ``"object 3 (RBC)"``."""

Box = tuple[Mark, int, tuple[float, float, float, float]]
"""Mark, class, and corners ``x1, y1, x2, y2``."""


@dataclass(frozen=True, slots=True)
class Record:
    """One image and its boxes as annotated.

    Attributes
    ----------
    path : Path
    source : str
        The annotation file, for messages.
    split : {"", "train", "val", "test"}
    stated : tuple of int, optional
        Width and height as the annotation has them.
    boxes : list of Box
    shares : bool
        Whether corners are shares of the image's width and height, not pixels.
    """

    path: Path
    source: str
    split: str
    stated: tuple[int, int] | None
    boxes: list[Box]
    shares: bool = False


@dataclass(slots=True)
class Listing:
    """All records of a data set.

    Attributes
    ----------
    classes : list of str
    records : list of Record
    folders : set of Path
        Where its images lie.
    reported : set of Path
        Image files without a record that a problem names already.
    """

    classes: list[str]
    records: list[Record]
    folders: set[Path]
    reported: set[Path] = field(default_factory=set)


def to_number(value: object) -> float:
    """A coordinate as a finite float; NaN for anything that is none.

    >>> to_number("12.5"), to_number("left"), to_number(True)
    (12.5, nan, nan)
    """
    if isinstance(value, bool):
        return math.nan
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan
