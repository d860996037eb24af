"""The results store: what a notebook hands to the thesis, with where it came from.

A notebook opens one `Results`, gives it numbers, tables and figures, and saves once at its end::

    results = Results("02_survey", parameters={"confidence": confidence})
    results.number("survey.q6.agree_share", share, source="@dusengimana2023, §5.2.2", rows=q6)
    results.table("tbl-survey-q6", frame, source="@dusengimana2023", rows=q6)
    results.save()

Numbers have dotted keys and appear in the prose as ``{{< var survey.q6.agree_share >}}`` (also
``…_ci``, ``…_full`` and ``…_n`` where there is an interval or an n). Tables and figures are keyed
by the ``#| label:`` of the cell that shows them, ``tbl-…`` and ``fig-…``, and appear through
``{{< embed … >}}``. Each entry says its origin: published, measured, simulated, reconstructed or demo.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from analysis.base import provenance
from analysis.base.errors import Problem, ResultsError
from analysis.base.estimates import Estimate, format_value
from analysis.base.markdown import pipe_table
from analysis.base.paths import BUILD, NOTEBOOKS, relative, write_atomic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RUNNER = "WORKBENCH_RUN"
"""Set by the notebook runner: what somebody runs by hand in JupyterLab never reaches the report."""

Origin = Literal["published", "measured", "simulated", "reconstructed", "demo"]
ORIGINS: tuple[str, ...] = get_args(Origin)
LABELLED_ORIGINS = ("reconstructed", "demo")
"""Origins that the text must name where it uses such a number, so that nobody takes it for a finding."""

_NUMBER_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+")
_LABEL = re.compile(r"(fig|tbl)-[a-z0-9-]+")
FORMS = ("_ci", "_full", "_n")


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored result.

    Attributes
    ----------
    key : str
        Dotted key of a number, or cell label of a table or figure.
    kind : {"number", "table", "figure"}
    origin : Origin
    source : str
        Citation with locator, or the rule by which it was made.
    meaning : str
        One line: what the number says (numbers) or what is shown.
    value, text, unit, low, high, confidence, n, method, function
        As in `Estimate`; ``text`` is what is printed. Empty for tables and figures.
    interval_text : str
        The interval as printed, or empty.
    rows : dict of str to list of int
        File → file lines of the data rows behind it.
    file : str
        Stored table (CSV) or figure (SVG), relative to the results folder.
    shown : str
        Digest of the table or figure as the notebook shows it, which is what the report embeds.
    tolerance : float or None
        Relative difference that a run on another machine may make; None where there may be none.
    """

    key: str
    kind: str
    origin: str
    source: str
    meaning: str = ""
    value: float | str | None = None
    text: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    confidence: float | None = None
    n: int | None = None
    method: str = ""
    function: str = ""
    interval_text: str = ""
    rows: Mapping[str, Sequence[int]] = field(default_factory=dict)
    file: str = ""
    shown: str = ""
    notebook: str = ""
    tolerance: float | None = None

    def variants(self) -> dict[str, str]:
        """Key → printed text for every form in which the prose may use this number."""
        forms = {self.key: self.text}
        if self.interval_text:
            forms[f"{self.key}_ci"] = self.interval_text
            forms[f"{self.key}_full"] = f"{self.text} ({100 * (self.confidence or 0):g}% CI {self.interval_text})"
        if self.n is not None:
            forms[f"{self.key}_n"] = f"{self.n:,}"
        return forms


class Results:
    """What one notebook run produces; written by `save`, all or nothing.

    Parameters
    ----------
    notebook : str
        Stem of the notebook, for example ``"02_survey"``.
    parameters : mapping
        The values of its parameters cell.
    folder : Path, optional
        Where results lie. By default ``report/build/results/<notebook>`` where the notebook runner
        runs it, and ``report/build/interactive/<notebook>`` where a person does.
    """

    def __init__(self, notebook: str, parameters: Mapping[str, Any], folder: Path | None = None) -> None:
        self.notebook = notebook
        self.parameters = dict(parameters)
        in_report = folder is not None or RUNNER in os.environ
        self.folder = folder or BUILD / ("results" if in_report else "interactive") / notebook
        self._note = "" if in_report else f" to {relative(self.folder)}; the report takes what `make report` runs"
        # Taken now, not on saving: what is edited while the notebook runs did not make its results.
        self._digests = provenance.dependencies(NOTEBOOKS / f"{notebook}.ipynb")
        self._reads = provenance.count_reads()
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, bytes] = {}

    def number(
        self,
        key: str,
        value: Estimate | float | int | str,
        *,
        source: str,
        meaning: str,
        origin: Origin = "published",
        rows: pd.DataFrame | Sequence[pd.DataFrame] = (),
        unit: str = "",
        digits: int = 1,
        text: str = "",
        tolerance: float | None = None,
    ) -> str:
        """Store one number (or short fact) and return it as printed.

        Parameters
        ----------
        key : str
            Dotted key, for example ``"survey.q6.agree_share"``.
        value : Estimate, int, float or str
            Anything inferred comes as an `Estimate`; bare values are counts and facts.
        source : str
            Citation with locator, or the rule by which it was made.
        meaning : str
            What it says, one line, for the appendix that lists every number.
        rows : DataFrame or sequence of DataFrame
            Rows of loaded tables behind it; their file and lines are recorded.
        digits : int
            Decimals printed.
        text : str
            Printed form, where the usual one does not fit (dates, for instance).
        tolerance : float, optional
            For what is measured anew at every run: the relative difference that `make verify` accepts. On a
            text it says that another machine may say something else.

        Raises
        ------
        ResultsError
            Malformed or repeated key, unknown origin, missing source or meaning, or a value or bound
            that is not a finite number.
        """
        if not _NUMBER_KEY.fullmatch(key) or key.endswith(FORMS):
            raise ResultsError(
                f"'{key}' is not a number key.",
                [
                    Problem(
                        "",
                        f"expected dotted lower-case words, not ending in {', '.join(FORMS)}",
                        "for example survey.q6.agree_share",
                    )
                ],
            )
        estimate = value if isinstance(value, Estimate) else None
        if isinstance(value, Estimate):
            text = text or value.text(digits)
        elif not isinstance(value, str):
            text = text or format_value(_plain(value), unit, digits)
        self._add(
            Entry(
                key=key,
                kind="number",
                origin=origin,
                source=source,
                meaning=meaning,
                value=_significant(estimate.value if estimate else value),
                text=text or str(value),
                unit=estimate.unit if estimate else unit,
                low=_significant(estimate.low) if estimate else None,
                high=_significant(estimate.high) if estimate else None,
                confidence=estimate.confidence if estimate else None,
                n=_plain(estimate.n) if estimate else None,
                method=estimate.method if estimate else "",
                function=estimate.function if estimate else "",
                interval_text=estimate.interval_text(digits) if estimate else "",
                rows=_row_lines(rows),
                tolerance=tolerance,
            )
        )
        return self._entries[key].text

    def table(
        self,
        key: str,
        frame: pd.DataFrame,
        *,
        source: str,
        meaning: str = "",
        origin: Origin = "published",
        rows: pd.DataFrame | Sequence[pd.DataFrame] = (),
        widths: Sequence[int] = (),
        align: str = "",
    ) -> Any:
        """Store a table and return it for display as the cell's last expression.

        Parameters
        ----------
        key : str
            The cell's ``#| label:``, ``tbl-…``.
        frame : DataFrame
            Columns headed and cells formatted as printed; the index is not shown.
        widths : sequence of int
            Relative column widths; given, the table takes the full text width and cells wrap.
        align : str
            One letter a column, ``l``, ``c`` or ``r``; numbers right, text left by default.
        """
        self._check_label(key, "tbl")
        self._files[f"{key}.csv"] = frame.to_csv(index=False, lineterminator="\n").encode()
        import pandas as pd
        from IPython.display import Markdown

        numeric = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
        cells = [["" if pd.isna(value) else value for value in row] for row in frame.itertuples(index=False)]
        letters = align or "".join("r" if flag else "l" for flag in numeric)
        markdown = pipe_table(list(frame.columns), cells, widths, letters)
        shown = content_digest(markdown.encode())
        self._add(Entry(key, "table", origin, source, meaning, rows=_row_lines(rows), file=f"{key}.csv", shown=shown))
        return Markdown(markdown)

    def figure(
        self,
        key: str,
        figure: Figure,
        *,
        source: str,
        meaning: str = "",
        origin: Origin = "published",
        rows: pd.DataFrame | Sequence[pd.DataFrame] = (),
    ) -> Any:
        """Store a figure as SVG and return it for display as the cell's last expression.

        ``key`` is the cell's ``#| label:``, ``fig-…``. The matplotlib figure is closed.
        """
        self._check_label(key, "fig")
        import matplotlib.pyplot as plt
        from IPython.display import SVG

        buffer = io.BytesIO()
        with plt.rc_context({"svg.hashsalt": key}):
            figure.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight", pad_inches=0.03)
        plt.close(figure)
        self._files[f"{key}.svg"] = buffer.getvalue()
        picture = SVG(buffer.getvalue().decode())
        shown = content_digest(picture.data.encode())
        self._add(Entry(key, "figure", origin, source, meaning, rows=_row_lines(rows), file=f"{key}.svg", shown=shown))
        return picture

    def save(self) -> str:
        """Write everything to the results folder; ``results.json`` last. Returns one line to print.

        Raises
        ------
        DiskFullError
            The device is full; the previous results stay as they were.
        ResultsError
            A table was loaded that the notebook's dependencies do not hold: make would not notice a change of it.
        """
        if RUNNER in os.environ and (unforeseen := provenance.unforeseen_reads(self._digests, self._reads)):
            remedy = "load it by its literal name in the notebook, or declare it in READS of the module that loads it"
            raise ResultsError(
                f"{self.notebook} read data that it does not name.",
                [Problem(path, "read, but not among the dependencies", remedy) for path in unforeseen],
            )
        for name, content in self._files.items():
            write_atomic(self.folder / name, content)
        entries = {key: asdict(entry) | {"notebook": self.notebook} for key, entry in sorted(self._entries.items())}
        record = {
            "notebook": self.notebook,
            "parameters": self.parameters,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": provenance.machine(),
            "commit": provenance.commit(),
            "digests": self._digests,
            "files": {name: content_digest(content) for name, content in sorted(self._files.items())},
            "entries": entries,
            "entries_digest": content_digest(canonical(entries)),
        }
        write_atomic(self.folder / "results.json", json.dumps(record, indent=1, ensure_ascii=False, default=str))
        kept = {*self._files, "results.json"}
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in kept:
                path.unlink()
        counts = [sum(entry.kind == kind for entry in self._entries.values()) for kind in ("number", "table", "figure")]
        return "saved {} numbers, {} tables, {} figures".format(*counts) + self._note

    def _check_label(self, key: str, prefix: str) -> None:
        if not _LABEL.fullmatch(key) or not key.startswith(f"{prefix}-"):
            raise ResultsError(
                f"'{key}' is not a label for this.",
                [Problem("", f"expected {prefix}-… in lower case", "use the cell's '#| label:'")],
            )

    def _add(self, entry: Entry) -> None:
        problems = []
        if entry.origin not in ORIGINS:
            problems.append(Problem(entry.key, f"origin '{entry.origin}' is unknown", f"one of: {', '.join(ORIGINS)}"))
        if not entry.source.strip():
            problems.append(
                Problem(entry.key, "no source", "say where it comes from (citation and place, or the rule)")
            )
        if entry.kind == "number" and not entry.meaning.strip():
            problems.append(Problem(entry.key, "no meaning", "say in one line what the number says"))
        if entry.tolerance is not None and (entry.origin not in ("measured", "simulated") or not entry.tolerance >= 0):
            what = f"a tolerance of {entry.tolerance} on a {entry.origin} number"
            problems.append(Problem(entry.key, what, "give one of 0 or more, to measured or simulated numbers only"))
        problems += [
            Problem(entry.key, f"its {name} is {value}", "store what can be computed, and say in words what cannot")
            for name, value in (("value", entry.value), ("low bound", entry.low), ("high bound", entry.high))
            if isinstance(value, float) and not math.isfinite(value)
        ]
        for other in self._entries:
            if other == entry.key or other.startswith(f"{entry.key}.") or entry.key.startswith(f"{other}."):
                problems.append(Problem(entry.key, f"collides with the key '{other}'", "give one of them another name"))
        if problems:
            raise ResultsError(f"Results of {self.notebook} cannot take '{entry.key}'.", problems)
        self._entries[entry.key] = entry


def _row_lines(rows: pd.DataFrame | Sequence[pd.DataFrame]) -> dict[str, list[int]]:
    frames = [rows] if hasattr(rows, "attrs") else list(rows)
    lines: dict[str, set[int]] = {}
    for frame in frames:
        source = frame.attrs.get("source")
        if source is None or frame.index.name != "line":
            raise ResultsError(
                "The rows given do not say where they come from.",
                [
                    Problem(
                        "rows=",
                        "no source file or line index",
                        "pass rows of a table read by load_table, not a summary of it",
                    )
                ],
            )
        lines.setdefault(source, set()).update(int(line) for line in frame.index)
    return {source: sorted(found) for source, found in sorted(lines.items())}


def _significant(value: float | int | str | None) -> float | int | str | None:
    """Ten significant digits, so that the same inputs give the same bytes on every machine."""
    value = _plain(value)
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _plain(value: Any) -> Any:
    """A numpy scalar as Python's own number: JSON would write it as text."""
    return value.item() if hasattr(value, "item") else value


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()


def content_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
