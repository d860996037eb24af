"""What the workbench adds to the tools it stands on: `make bench` prints each beside its alternative.

The multiples in brackets are the result: 1.0 is the faster one of a group, in the same run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pypandoc
import pytest
import typst
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis.base.paths import REPORT
from analysis.reporting.execute import run_notebook
from analysis.reporting.offline import compose, render_offline
from analysis.reporting.render import find_quarto
from analysis.reporting.sources import read_document

SECTIONS = 60
WORDS = "Words of a paragraph that runs over a few lines, with *emphasis*, `code` and 84 answers. " * 8


def notebook(folder: Path) -> Path:
    """Fourteen cells that cost nothing, as long as the notebooks of the study."""
    parameters = new_code_cell("confidence: float = 0.95", metadata={"tags": ["parameters"]})
    cells = [new_markdown_cell("# Costs nothing"), parameters]
    cells += [new_code_cell(f"x{i} = confidence + {i}") for i in range(12)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / "01_bench.ipynb")
    (folder / "bench.yaml").write_text("01_bench: {}\n", encoding="utf-8")
    return folder / "01_bench.ipynb"


@pytest.mark.benchmark(group="run a notebook of 13 cells")
def test_workbench_runner(benchmark, tmp_path):
    path = notebook(tmp_path)
    with (tmp_path / "log").open("w") as log:
        out = benchmark.pedantic(
            run_notebook, (path, tmp_path / "bench.yaml", tmp_path / "build", log), rounds=5, warmup_rounds=1
        )
    assert len(nbformat.read(out, 4).cells) >= 14


@pytest.mark.benchmark(group="run a notebook of 13 cells")
def test_plain_papermill(benchmark, tmp_path):
    path = notebook(tmp_path)
    arguments = (str(path), str(tmp_path / "out.ipynb"))
    benchmark.pedantic(
        papermill.execute_notebook,
        arguments,
        {"progress_bar": False, "kernel_name": "python3"},
        rounds=5,
        warmup_rounds=1,
    )
    assert (tmp_path / "out.ipynb").is_file()


def thesis(folder: Path) -> Path:
    """Sixty sections with a table each and references between them: about fifty pages."""
    parts = ['---\ntitle: "Bench"\nauthor: "A. Author"\n---\n\n# Only {#sec-only}\n']
    for i in range(SECTIONS):
        table = f"| A | B |\n|---|---|\n| {{{{< var survey.n >}}}} | x |\n\n: Words {{#tbl-t{i}}}\n"
        parts.append(f"## Section {{#sec-s{i}}}\n\n{WORDS}\n\nSee @tbl-t{i} and @sec-s{(i + 1) % SECTIONS}.\n\n{table}")
    for name in ("template.typ", "thesis.css", "_quarto.yml"):
        (folder / name).write_bytes((REPORT / name).read_bytes())
    (folder / "_variables.yml").write_text('survey:\n  n: "84"\n', encoding="utf-8")
    (folder / "thesis.qmd").write_text("\n".join(parts), encoding="utf-8")
    return folder / "thesis.qmd"


@pytest.mark.benchmark(group="render 60 sections to PDF")
def test_offline_engine(benchmark, tmp_path):
    path = thesis(tmp_path)

    def render() -> None:
        render_offline(read_document(path), {"survey.n": "84"}, {"typst": tmp_path / "out.pdf"}, tmp_path / "work")

    benchmark.pedantic(render, rounds=5, warmup_rounds=1)
    assert (tmp_path / "out.pdf").stat().st_size > 10_000


@pytest.mark.benchmark(group="render 60 sections to PDF")
def test_pandoc_and_typst_alone(benchmark, tmp_path):
    """The same text without checks, numbering or references resolved: the floor."""
    text = compose(read_document(thesis(tmp_path)), {"survey.n": "84"}, {}, tmp_path).replace("@", "")

    def render() -> None:
        command = [pypandoc.get_pandoc_path(), "--from=markdown", "--to=typst", "--standalone"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=tmp_path)
        (tmp_path / "plain.typ").write_text(done.stdout, encoding="utf-8")
        typst.compile(tmp_path / "plain.typ", output=tmp_path / "plain.pdf")

    benchmark.pedantic(render, rounds=5, warmup_rounds=1)
    assert (tmp_path / "plain.pdf").stat().st_size > 10_000


if find_quarto():

    @pytest.mark.benchmark(group="render 60 sections to PDF")
    def test_stock_quarto(benchmark, tmp_path):
        path = thesis(tmp_path)
        command = [str(find_quarto()), "render", path.name, "--to", "typst"]
        benchmark.pedantic(
            subprocess.run,
            (command,),
            {"cwd": tmp_path, "capture_output": True, "check": True},
            rounds=3,
            warmup_rounds=1,
        )
        assert (tmp_path / "build/quarto/thesis.pdf").is_file()


@pytest.mark.benchmark(group="start the render command")
def test_import_of_the_render_command(benchmark):
    """Rendering must not wait for the statistics libraries."""
    command = [sys.executable, "-c", "import analysis.reporting.render, analysis.reporting.offline"]
    benchmark.pedantic(subprocess.run, (command,), {"check": True}, rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="start the render command")
def test_import_of_the_statistics_libraries(benchmark):
    command = [sys.executable, "-c", "import pandas, statsmodels.api, seaborn"]
    benchmark.pedantic(subprocess.run, (command,), {"check": True}, rounds=5, warmup_rounds=1)
