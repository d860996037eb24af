"""Commands of a coding: exchange with programs for qualitative analysis, and the texts that were coded."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative
from analysis.reporting.literature_commands import print_table, print_written

if TYPE_CHECKING:
    import pandas as pd

    from analysis.literature.corpus import Corpus

_ENDINGS = (".qdc", ".qdpx")


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Declare the commands of this module."""
    give = commands.add_parser("codes-export", help="write codebook (.qdc) or whole coding (.qdpx) as REFI-QDA")
    give.add_argument("out", type=Path, help="file to write; its ending says which")
    give.add_argument("--tables", type=Path, help="folder of tables (the project's own coding)")
    give.add_argument("--corpus", type=Path, help="folder of the texts, which then go into the project (CORPUS)")
    give.add_argument("--base", type=Path, help="the project that the tables came from: all else in it is kept")
    give.set_defaults(command=_export)

    take = commands.add_parser("codes-import", help="read a REFI-QDA codebook or project into tables")
    take.add_argument("file", type=Path, help=".qdc or .qdpx, of NVivo, ATLAS.ti, MAXQDA, QualCoder, Taguette, …")
    take.add_argument("--out", required=True, type=Path, help="folder for the tables; it must not hold such yet")
    take.add_argument("--texts", type=Path, help="folder for the texts that the project holds")
    take.set_defaults(command=_import)

    texts = commands.add_parser("corpus", help="are the texts in a folder those that were coded? what do they say?")
    texts.add_argument("folder", nargs="?", type=Path, help="folder of texts and PDFs (the variable CORPUS)")
    texts.add_argument("--tables", type=Path, help="folder of tables (the project's own coding)")
    texts.add_argument("--segment", action="append", default=[], metavar="ID", help="print this passage; repeatable")
    texts.add_argument("--code", metavar="CODE", help="print every passage of a code, and of codes below it")
    texts.set_defaults(command=_corpus)


def _export(options: argparse.Namespace) -> None:
    from analysis.literature.exchange import export_codebook, export_project, import_project, load_tables
    from analysis.literature.exchange.files import read_tables

    ending = options.out.suffix.lower()
    if ending not in _ENDINGS:
        problem = Problem("out", f"got '{options.out.name}'", "a codebook ends in .qdc, a project in .qdpx")
        raise InputError("The coding cannot be written.", [problem])
    base = import_project(options.base) if options.base else None
    tables = load_tables() if options.tables is None else read_tables(options.tables, base)
    if ending == ".qdc":
        export_codebook(tables.codebook, options.out)
        print(f"{len(tables.codebook)} codes")
    else:
        given = options.corpus or (Path(os.environ["CORPUS"]) if os.environ.get("CORPUS") else None)
        written = export_project(tables, options.out, given, base=base)
        print(f"{written.codes} codes, {written.segments} segments, {written.codings} codings")
        print(f"with their text: {', '.join(written.with_text) or 'none'}")
        if written.without_text:
            print(f"without: {', '.join(written.without_text)} (--corpus FOLDER adds what the folder holds)")
    print_written([options.out])


def _import(options: argparse.Namespace) -> None:
    from analysis.literature.exchange import codebook_table, import_codebook, import_project, project_tables
    from analysis.literature.exchange.files import save_codebook, save_tables, save_texts

    if options.file.suffix.lower() == ".qdc":
        if options.texts:
            problem = Problem("--texts", "a codebook holds no texts", "leave it out")
            raise InputError("The texts cannot be written.", [problem])
        codebook = import_codebook(options.file)
        print(f"{options.file.name}, written by {codebook.origin or 'an unnamed program'}: {len(codebook.codes)} codes")
        _print_remarks(codebook.remarks)
        print_written(save_codebook(codebook_table(codebook), options.out))
        return
    project = import_project(options.file)
    tables = project_tables(project)
    whole = sum(each.is_text for each in project.selections)
    print(
        f"{options.file.name}, written by {project.origin or 'an unnamed program'}: {len(project.codes)} codes, "
        f"{len(project.sources)} sources, {len(project.selections)} selections ({whole} of text), "
        f"{len(project.codings)} codings"
    )
    frames = {name: getattr(tables, name) for name in ("codebook", "documents", "segments", "codings", "participants")}
    print("tables: " + ", ".join(f"{name} {len(frame)}" for name, frame in frames.items() if frame is not None))
    _print_remarks(tables.remarks)
    written = save_tables(tables, options.out)
    if options.texts:
        written += save_texts(project, tables, options.texts)
    print_written(written)


def _print_remarks(remarks: tuple[str, ...]) -> None:
    for remark in remarks:
        print(f"  - {remark}")


def _corpus(options: argparse.Namespace) -> None:
    import pandas as pd

    from analysis.literature.corpus import STATES, compute_coverage, find_offset_faults, open_corpus
    from analysis.literature.exchange import load_tables
    from analysis.literature.exchange.files import read_tables

    named = options.folder or (Path(os.environ["CORPUS"]) if os.environ.get("CORPUS") else None)
    if named is None:
        problem = Problem("folder", "is not named", "corpus FOLDER, or set the variable CORPUS")
        raise InputError("There is no corpus to look at.", [problem])
    tables = load_tables() if options.tables is None else read_tables(options.tables)
    corpus = open_corpus(named, tables.documents)
    if options.segment or options.code:
        _print_passages(options, tables, corpus)
        return
    coverage = compute_coverage(tables.documents, tables.segments).set_index("document")
    shown = corpus.documents.join(coverage[["segments", "share"]], on="document")
    shown["share"] = [None if pd.isna(share) else f"{share:.0%}" for share in shown["share"]]
    print_table(shown.rename(columns={"share": "coded", "found": "characters here"}))
    for state in [name for name in STATES if name in set(corpus.documents["state"])]:
        print(f"  {state}: {STATES[state]}")
    if len(corpus.strangers):
        print("\nfiles that are none of these documents:")
        print_table(corpus.strangers)
    faults = find_offset_faults(tables.segments, corpus.texts)
    different = corpus.documents[corpus.documents["state"] == "different"]
    faults += [
        Problem(f"{relative(named)}/{row.file}", f"is not the text of {row.document} that was coded",
                "put the very file there; documents.csv has its SHA-256")
        for row in different.itertuples()
    ]  # fmt: skip
    if faults:
        raise InputError("The corpus does not fit the coding.", faults)
    if not corpus.texts:
        problem = Problem(relative(named), "none of the coded documents is there", "see the SHA-256 in documents.csv")
        raise InputError("The corpus holds no coded document.", [problem])
    held = tables.segments["document"].isin(list(corpus.texts))
    print(f"\n{int(held.sum())} of {len(held)} segments lie within the texts at hand, each with its words")


def _print_passages(options: argparse.Namespace, tables: object, corpus: Corpus) -> None:
    from analysis.literature.corpus import read_passages

    wanted = list(options.segment)
    if options.code:
        wanted += _segments_of(options.code, tables.codebook, tables.codings)
    codes = tables.codings.groupby("segment")["code"].agg(lambda given: ", ".join(dict.fromkeys(given)))
    for row, text in read_passages(tables.segments, list(dict.fromkeys(wanted)), corpus):
        speaker = "" if row.isna().get("participant", True) else f", {row['participant']}"
        place = "" if row.isna().get("locator", True) else f" {row['locator']},"
        print(f"{row['segment']}  {row['document']},{place} characters {row['start']}–{row['end']}{speaker}")
        print(f"  codes: {codes.get(row['segment'], 'none')}\n")
        print("\n".join(f"    {line}" for line in text.splitlines()) + "\n")


def _segments_of(code: str, codebook: pd.DataFrame, codings: pd.DataFrame) -> list[str]:
    """Segments of a code and of those below it, in the order of the codings."""
    parents = dict(zip(codebook["code"], codebook["parent"].fillna(""), strict=True))
    if code not in parents:
        problem = Problem(f"code '{code}'", "is not in the codebook", "see the column 'code' of codebook.csv")
        raise InputError("The passages cannot be shown.", [problem])
    within, grown = {code}, True
    while grown:
        more = {each for each, parent in parents.items() if parent in within} - within
        grown = bool(more)
        within |= more
    return list(dict.fromkeys(codings.loc[codings["code"].isin(within), "segment"]))
