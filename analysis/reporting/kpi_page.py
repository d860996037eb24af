"""The one-page report on a project's delivery, as HTML that stands alone and as a PDF of exactly one page.

Both show the same `analysis.reporting.kpi_content.KpiPage`; the HTML has also, folded, why the definitions differ.
"""

from __future__ import annotations

import base64
import json
import re
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import typst

from analysis.base.errors import Problem, ReportError
from analysis.base.paths import BUILD, require_space, write_atomic
from analysis.reporting.kpi_content import KpiPage, shorten
from analysis.reporting.kpi_figures import Picture

PAGES = BUILD / "kpis"
"""Where pages go unless told otherwise."""

_HERE = Path(__file__).parent
_ORDER = ("lead", "recovery", "activity", "levels", "multiverse")
_WIDE = ("activity", "levels", "multiverse")
_NOTE = 190  # letters of a note on paper; the rest is in the table and the JSON


def write_page(page: KpiPage, folder: Path, name: str) -> tuple[Path, Path]:
    """Write ``<name>.html`` and ``<name>.pdf`` into the folder; both or none is new.

    Raises
    ------
    ReportError
        Typst could not set the page.
    DiskFullError
        No room.
    """
    require_space(folder, 10)
    pdf, html = render_pdf(page), render_html(page)
    return write_atomic(folder / f"{name}.html", html), write_atomic(folder / f"{name}.pdf", pdf)


def name_file(name: str) -> str:
    """A file name that every system takes.

    >>> name_file("evidentlyai/evidently: 2 days"), name_file("…")
    ('evidentlyai-evidently-2-days', 'kpis')
    """
    return re.sub(r"[^\w.+-]+", "-", name, flags=re.ASCII).strip("-.")[:80] or "kpis"


def render_pdf(page: KpiPage) -> bytes:
    """The page as PDF: one sheet of A4, whatever it holds."""
    data = {
        "title": page.title,
        "subtitle": page.subtitle,
        "facts": page.facts,
        "interval": page.interval_title,
        "metrics": [row | {"note": shorten(row["note"], _NOTE)} for row in _rows(page.metrics)],
        "ml": _rows(page.ml_metrics),
        "pictures": {
            key: {"title": one.title, "caption": shorten(one.caption, 330), "svg": one.svg}
            for key, one in page.pictures.items()
        },
        "notes": page.notes,
        "limits": page.limits,
    }
    # The letters of the figures, which Typst does not carry: for names in scripts that its own do not have.
    fonts = Path(matplotlib.get_data_path()) / "fonts/ttf"
    try:
        return typst.compile(
            (_HERE / "kpi_page.typ").read_bytes(),
            sys_inputs={"page": json.dumps(data)},
            font_paths=[fonts],
            ignore_system_fonts=True,
        )
    except typst.TypstError as error:
        what = (str(error).strip().splitlines() or ["unknown error"])[0]
        raise ReportError("Typst could not set the page.", [Problem("kpi_page.typ", what)]) from None


def render_html(page: KpiPage) -> str:
    """The page as one HTML file that needs no other."""
    style = (_HERE / "kpi_page.css").read_text(encoding="utf-8")
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in page.facts)
    pictures = "".join(_figure(page.pictures[key], wide=key in _WIDE) for key in _ORDER)
    notes = "".join(f"<p><b>{escape(name)}:</b> {escape(words)}</p>" for name, words in page.notes)
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(page.title)}: delivery metrics</title><style>{style}</style></head><body>",
        f'<header><h1>{escape(page.title)}</h1><p class="muted">{escape(page.subtitle)}</p></header>',
        f"<dl>{facts}</dl>",
        _metrics(page.metrics, "Metric", page.interval_title),
        f'<div class="pictures">{pictures}</div>',
        _metrics(page.ml_metrics, "Models", page.interval_title) if len(page.ml_metrics) else "",
        f"<section>{notes}</section>",
        _folded("Why the definitions differ on this log", page.reasons),
        _folded("All findings, counted", page.findings),
        f"<footer>{escape(page.limits)}</footer></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _rows(table: pd.DataFrame) -> list[dict[str, str]]:
    columns = ["metric", "value", "interval", "n", "definition", "note"]
    return [dict(zip(columns, row, strict=True)) for row in table[columns].itertuples(index=False)]


def _metrics(table: pd.DataFrame, title: str, interval: str) -> str:
    head = f'<th>{title}</th><th class="number">Value</th><th class="number">{escape(interval)}</th>'
    head += '<th class="number">n</th><th>Definition</th>'
    body = "".join(
        f'<tr><th scope="row">{escape(row["metric"])}</th><td class="number value">{escape(row["value"])}</td>'
        f'<td class="number">{escape(row["interval"])}</td><td class="number">{escape(row["n"])}</td>'
        f'<td class="definition">{escape(row["definition"])} <span class="note">{escape(row["note"])}</span></td></tr>'
        for row in _rows(table)
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _figure(picture: Picture, *, wide: bool) -> str:
    if picture.svg:
        code = base64.b64encode(picture.svg.encode()).decode()
        alt = escape(f"{picture.title}. {picture.caption}", quote=True)
        inside = f'<img alt="{alt}" src="data:image/svg+xml;base64,{code}">'
        inside += f"<figcaption>{escape(picture.caption)}</figcaption>"
    else:
        inside = f'<p class="nothing">{escape(picture.caption)}</p>'
    kind = "wide" if wide else "half"
    return f'<figure class="{kind}"><h2>{escape(picture.title)}</h2>{inside}</figure>'


def _folded(title: str, table: pd.DataFrame) -> str:
    if table.empty:
        return ""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in table.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return (
        f"<details><summary>{escape(title)}</summary><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></details>"
    )


def _text(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
