"""Annotations in pixels, as annotators deliver them, and the rows that training reads.

An annotated object is ``{"defect": name, "x": left, "y": top, "w": width, "h": height}`` in pixels. A row
is ``(class, x, y, width, height)`` with the box's centre and size as shares of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .settings import CLASSES

CLASS_INDEX = {name: index for index, name in enumerate(CLASSES)}
CLASS_NAMES = {index: name for name, index in CLASS_INDEX.items()}

Row = tuple[int, float, float, float, float]


def to_yolo(objects: Iterable[Mapping[str, Any]], width: int, height: int) -> list[Row]:
    """Rows of an image's objects, in their order.

    Raises ValueError for a defect that the project does not know.
    """
    rows = []
    for item in objects:
        if item["defect"] not in CLASS_INDEX:
            raise ValueError(f"unknown defect: {item['defect']!r}")

        x = item["x"] + item["w"] / 2
        y = item["y"] + item["h"] / 2
        size = (item["w"] / width, item["h"] / height)
        rows.append((CLASS_INDEX[item["defect"]], x / width, y / height, *size))

    return rows


def from_yolo(rows: Iterable[Row], width: int, height: int) -> list[dict[str, Any]]:
    """The objects of rows: the inverse of `to_yolo`, for showing labels over their image."""
    objects = []
    for index, x, y, w, h in rows:
        w, h = w * width, h * height
        x, y = x * width, y * height
        objects.append({"defect": CLASS_NAMES[index], "x": x - w / 2, "y": y - h / 2, "w": w, "h": h})

    return objects
