"""A person who waits sees which cell it is, on a terminal and in a log; quick cells do not scroll by."""

from __future__ import annotations

import io
import re
import time

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis.reporting import progress
from analysis.reporting.progress import Progress, cell_names


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.delenv("MAKEFLAGS", raising=False)
    monkeypatch.setattr(progress, "_TICK_S", 0.01)
    monkeypatch.setattr(progress, "ANNOUNCE_S", 0.2)
    monkeypatch.setattr(progress, "HEARTBEAT_S", 0.5)


def names():
    cells = [
        new_markdown_cell("# Title\n\n## Attitudes\n\ntext"),
        new_code_cell("x"),
        new_code_cell("#| label: fig-a\ny"),
    ]
    return cell_names(new_notebook(cells=cells))


def watched(stream: io.StringIO, *seconds: float) -> str:
    with Progress("02_survey", stream) as shown:
        shown.names = names()
        for index, wait in enumerate(seconds, start=1):
            shown.start(index)
            time.sleep(wait)
        shown.done()
    return stream.getvalue()


def test_a_log_names_only_cells_that_take_time_and_has_a_heartbeat():
    first, *beats, last = watched(io.StringIO(), 0.05, 0.7).splitlines()
    assert first == "02_survey  cell 2/2  fig-a"
    assert beats and all(re.fullmatch(r"02_survey  cell 2/2  fig-a  \d s", beat) for beat in beats)
    assert re.fullmatch(r"02_survey  done in \d\.\d s \(2 cells\)", last)


def test_a_terminal_has_one_line_that_is_wiped_at_the_end():
    text = watched(Terminal(), 0.1, 0.1)
    assert "\r02_survey  cell 1/2  Attitudes  0 s\x1b[K" in text
    assert "\r02_survey  cell 2/2  fig-a  0 s\x1b[K" in text
    assert text.count("\n") == 1
    assert re.search(r"\x1b\[K02_survey  done in \d\.\d s \(2 cells\)\n", text)


def test_a_terminal_shared_by_parallel_jobs_gets_whole_lines(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", " -j2 --jobserver-auth=3,4")
    assert "\r" not in watched(Terminal(), 0.3)


def test_a_failed_run_has_no_summary():
    stream = io.StringIO()
    with pytest.raises(ValueError, match="cell"), Progress("02_survey", stream):
        raise ValueError("cell")
    assert stream.getvalue() == ""


def test_a_closed_stream_does_not_end_the_run():
    stream = io.StringIO()
    with Progress("02_survey", stream) as shown:
        shown.names = names()
        shown.start(1)
        stream.close()
        time.sleep(0.3)
        shown.done()
    assert not shown._thread.is_alive()


def test_an_injected_cell_is_not_counted():
    injected = new_code_cell("a = 2", metadata={"tags": ["injected-parameters"]})
    cells = [new_code_cell("a = 1"), injected, new_code_cell("# why\nprint(a)"), new_code_cell("")]
    named = cell_names(new_notebook(cells=cells))
    assert [str(name) for name in named] == [
        "code cell 1 of 3 (a = 1)",
        "code cell 1 of 3 (parameters from the profile)",
        "code cell 2 of 3 (print(a))",
        "code cell 3 of 3 (empty cell)",
    ]


def test_a_long_heading_is_cut():
    cells = [new_markdown_cell("# " + "word " * 30), new_code_cell("x")]
    title = cell_names(new_notebook(cells=cells))[1].title
    assert len(title) == 50 and title.endswith("…")
