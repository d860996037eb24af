"""The offline engine: the same sources as stock Quarto, rendered by pandoc and Typst from wheels.

Source lines → expanded Markdown (variables, embeds) → pandoc's document tree → numbering and
cross-references (`analysis.reporting.crossref`) → pandoc's writers with the report's own template
→ PDF by Typst, HTML by pandoc. Anything outside the subset is refused with file and line.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pypandoc
import typst
import yaml

from analysis.base.errors import Problem, ReportError
from analysis.base.paths import disk_full, relative, write_atomic
from analysis.reporting.constructs import check_constructs
from analysis.reporting.crossref import prepare, walk
from analysis.reporting.embeds import Embed, load_embeds
from analysis.reporting.sources import SHORTCODE, Document, Line, shortcodes

TEMPLATE = "template.typ"
STYLESHEET = "thesis.css"
_MISSING_CITATION = re.compile(r"[Cc]itation (\S+) not found")


def render_offline(document: Document, variables: Mapping[str, str], outputs: Mapping[str, Path], work: Path) -> None:
    """Render ``document`` to the files in ``outputs``.

    Parameters
    ----------
    document : Document
        Sources as read by `read_document`.
    variables : mapping of str to str
        What ``{{< var key >}}`` prints.
    outputs : mapping
        ``"typst"`` → path of the PDF, ``"html"`` → path of the HTML; either or both.
    work : Path
        Folder for intermediate files, inside the main file's folder.

    Raises
    ------
    ReportError
        Anything unsupported, unresolved or uncited, with file and line; every problem of one step.
    DiskFullError
        No room; earlier outputs stay.
    """
    problems = check_constructs(document)
    embeds, embed_problems = load_embeds(document)
    problems += embed_problems
    problems += [
        Problem(code.line.place, f"no result has the key '{code.arguments}'", "correct the key")
        for code in document.shortcodes("var")
        if code.arguments not in variables
    ]
    if problems:
        raise ReportError("The report cannot be rendered.", problems)
    work.mkdir(parents=True, exist_ok=True)
    source = compose(document, variables, embeds, work)
    tree = json.loads(_pandoc(["--from=markdown", "--to=json"], source, document))
    writers = {"typst": _write_pdf, "html": _write_html}
    with ThreadPoolExecutor(len(outputs)) as pool:
        jobs = {to: pool.submit(writers[to], document, tree, work) for to in outputs}
        rendered = {to: job.result() for to, job in jobs.items()}
    # Both or none, and the PDF last: make takes its time for that of the whole rendering.
    for to in sorted(rendered):
        write_atomic(outputs[to], rendered[to])


def compose(document: Document, variables: Mapping[str, str], embeds: Mapping[str, Embed], work: Path) -> str:
    """The report as one Markdown text: front matter, variables filled in, embedded outputs in place."""
    folder = document.path.parent

    def fill(line: Line) -> str:
        text = line.text
        for code in shortcodes(line):
            if code.name == "var":
                text = text.replace(code.text, variables[code.arguments], 1)
            elif code.name == "embed":
                text = embeds[code.arguments].source(work / "figures", folder)
        return text

    front = {
        key: SHORTCODE.sub(lambda match: variables[match["arguments"].strip()], value)
        if isinstance(value, str)
        else value
        for key, value in document.front.items()
    }
    header = yaml.safe_dump(front, allow_unicode=True, sort_keys=False) if front else ""
    return f"---\n{header}---\n\n" + "\n".join(fill(line) for line in document.lines) + "\n"


def _prepared(document: Document, tree: dict[str, Any], to: str) -> str:
    prepared, labels = prepare(tree, to)
    found = [*labels.problems, *_raw(tree), *_images(tree, document.path.parent)]
    problems = list(dict.fromkeys(_located(problem, document) for problem in found))
    if problems:
        raise ReportError("The report cannot be rendered.", problems)
    return json.dumps(prepared)


def _raw(tree: dict[str, Any]) -> list[Problem]:
    """Raw blocks that the source smuggled past the line check (pandoc knows more raw syntax than we do)."""
    return [
        Problem(
            node["c"][1].strip().splitlines()[0][:60], f"raw {node['c'][0]} is not supported", "write it in Markdown"
        )
        for node in walk(tree["blocks"])
        if node["t"] in ("RawBlock", "RawInline") and not node["c"][1].lstrip().startswith("<!--")
    ]


def _images(tree: dict[str, Any], folder: Path) -> list[Problem]:
    """Images that are no file below the main file's folder: a slip, or a web address."""
    targets = [unquote(node["c"][2][0]) for node in walk(tree["blocks"]) if node["t"] == "Image"]
    remedy = f"give its path from {relative(folder)}, without spaces"
    return [
        Problem(target, "no such image file", remedy)
        for target in targets
        if target.startswith("/") or " " in target or not (folder / target).is_file()
    ]


def _located(problem: Problem, document: Document) -> Problem:
    """Put file and line before a problem that knows only the words it was found at."""
    words = problem.where
    place = document.find(words)
    if place == document.find("\0") and len(words.split()) > 3:
        place = document.find(" ".join(words.split()[:3]))
    return Problem(place, f"{words}: {problem.what}" if words else problem.what, problem.remedy)


def _write_pdf(document: Document, tree: dict[str, Any], work: Path) -> bytes:
    folder = document.path.parent
    source = _pandoc(
        [
            "--from=json",
            "--to=typst-citations",
            "--standalone",
            f"--template={folder / TEMPLATE}",
            "--wrap=none",
            *_COMMON,
        ],
        _prepared(document, tree, "typst"),
        document,
    )
    write_atomic(work / f"{document.path.stem}.typ", source)  # for whoever wants to look at it
    try:
        # As text: a file must lie inside the root, and the build folder may be a link to another disk.
        return typst.compile(source.encode(), root=folder, ignore_system_fonts=True)
    except typst.TypstError as error:
        raise ReportError("Typst could not set the PDF.", [_typst_problem(error, document)]) from None


def _write_html(document: Document, tree: dict[str, Any], work: Path) -> bytes:
    folder = document.path.parent
    css = folder / STYLESHEET
    arguments = ["--from=json", "--to=html5", "--standalone", "--embed-resources", "--mathml", "--toc", "--toc-depth=3"]
    arguments += ["--number-sections", f"--resource-path={folder}", "--metadata=link-citations:true"]
    arguments += [f"--css={css}"] if css.is_file() else []
    return _pandoc([*arguments, *_COMMON], _prepared(document, tree, "html"), document).encode()


_COMMON = ["--citeproc", "--syntax-highlighting=none"]


def _pandoc(arguments: list[str], text: str, document: Document) -> str:
    """Run pandoc in the report's folder; any warning is an error that names its place."""
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), *arguments],
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=document.path.parent,
        check=False,
    )
    problems = []
    for message in done.stderr.strip().splitlines():
        missing = _MISSING_CITATION.search(message)
        if missing:
            key = missing[1].strip("'\"`")
            problems.append(
                Problem(document.find(f"@{key}"), f"citation @{key} is not in the bibliography", "add the entry")
            )
        elif message.strip():
            problems.append(Problem(document.find("\0"), message.strip(), ""))
    if done.returncode or problems:
        if "No space left" in done.stderr:
            raise disk_full(document.path.parent)
        raise ReportError("pandoc refuses the report.", problems or [Problem("", f"exit status {done.returncode}")])
    return done.stdout


def _typst_problem(error: typst.TypstError, document: Document) -> Problem:
    message = str(error).strip().splitlines()[0] if str(error).strip() else "unknown error"
    label = re.search(r"label `<([^>]+)>`", message)
    place = document.find(f"@{label[1]}") if label else document.find("\0")
    return Problem(place, message, "if the sources look right, the template is at fault")
