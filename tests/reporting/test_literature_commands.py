"""A review and a coding from the command line: what a user types, sees, and is refused."""

from __future__ import annotations

import csv
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from analysis.__main__ import main
from analysis.base.paths import ROOT
from analysis.base.schemas import RECORDS
from analysis.literature.bibliographic import Import
from analysis.literature.coding import load_coding
from analysis.literature.exchange import import_project
from analysis.literature.exchange.tables import COLUMNS
from analysis.literature.review import load_dedupe, load_import, load_records, save_import
from tests.literature import exports
from tests.literature.conftest import FILES, FOLDER, STAGES
from tests.literature.test_exchange_hostile import HOSTILE

SHARED = ROOT.parent / "shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the exports are not at hand")
SEEDS = ROOT.parent / "shared/seeds"
needs_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason="the coded documents are not at hand")


@pytest.fixture
def run(capsys):
    """Give a command that is to succeed; its output."""

    def run(*arguments: object) -> str:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


@pytest.fixture
def fails(capsys):
    """Give a command that is to be refused; the one error."""

    def fails(*arguments: object) -> str:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 1
        assert captured.err.count("error: ") == 1
        return captured.err

    return fails


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def decide(path: Path, choose) -> None:
    """Fill in a sheet: ``choose`` maps a row to (decision, reason)."""
    rows = rows_of(path)
    for row in rows:
        row["decision"], row["reason"] = choose(row)
        row["date"] = "2026-11-28"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def worked(tmp_path, run) -> Path:
    """The worked example of `tests/literature/screening` as the folder of a review."""
    review = tmp_path / "review"
    found = pd.read_csv(FOLDER / "records.csv")
    records = pd.DataFrame({name: found.get(name, pd.NA) for name in RECORDS.columns})
    records = records.assign(kind="article", file="records.csv", line=range(2, len(found) + 2))
    files = pd.DataFrame(
        [("records.csv", "csv", "utf-8", len(records), len(records), 0)],
        columns=["file", "source", "encoding", "found", "imported", "left_out"],
    )
    report = pd.DataFrame(columns=["file", "line", "outcome", "what", "remedy"])
    save_import(Import(records, report, files), review / "records.csv")
    prefer = ("Scopus", "IEEE Xplore", "OSF Registries", "Google")
    run("dedupe", review, *(word for name in prefer for word in ("--prefer", name)))
    for name in ("sources", "reasons", "assignments"):
        shutil.copy(FOLDER / f"{name}.csv", review)
    stages = "".join(f"{arm},{stage}\n" for arm, its in STAGES.items() for stage in its)
    (review / "stages.csv").write_text(f"arm,stage\n{stages}")
    (review / "sheets").mkdir()
    for path in FILES:
        shutil.copy(path, review / "sheets")
    return review


# ---- records and duplicates ---------------------------------------------------------------------


def test_files_are_counted_and_what_is_wrong_is_told_by_line(tmp_path, run):
    (tmp_path / "s.csv").write_text(exports.SCOPUS + '"broken","row"\n', encoding="utf-8")
    (tmp_path / "x.ris").write_text(exports.RIS, encoding="utf-8", newline="")
    out = tmp_path / "review" / "records.csv"
    said = run("import-records", tmp_path / "s.csv", tmp_path / "x.ris", "--database", "x.ris=JSTOR", "--out", out)
    assert re.search(r"s\.csv +scopus +utf-8 +2 +1 +1 +0\n", said)
    assert re.search(r"x\.ris +ris +utf-8 +2 +2 +0 +0\n", said)
    assert re.search(r"JSTOR +1 +2\n", said)
    assert "s.csv:4: left out: 2 cells where the header has 19" in said
    kept = load_import(out)
    assert (len(kept.records), kept.found, len(kept.left_out)) == (3, 4, 1)
    assert list(kept.records["database"]) == ["Scopus", "JSTOR", "JSTOR"]


def test_nothing_is_written_where_a_file_cannot_be_read(tmp_path, fails):
    (tmp_path / "s.csv").write_text(exports.SCOPUS + '"broken","row"\n', encoding="utf-8")
    (tmp_path / "w.ris").write_bytes(b"PK\x03\x04")
    out = tmp_path / "records.csv"
    told = fails("import-records", tmp_path / "s.csv", tmp_path / "w.ris", tmp_path / "no.bib", "--out", out)
    assert "a workbook or zip archive" in told
    assert "no.bib" in told
    assert "s.csv:4" in fails("import-records", tmp_path / "s.csv", "--strict", "--out", out)
    assert "source: 'word'" in fails("import-records", tmp_path / "s.csv", "--format", "word", "--out", out)
    assert "FILE=NAME" in fails("import-records", tmp_path / "s.csv", "--database", "z.ris=X", "--out", out)
    assert "ends in .csv" in fails("import-records", tmp_path / "s.csv", "--out", tmp_path / "records.xlsx")
    assert not out.exists()


def test_exports_of_one_name_in_two_folders_are_told_apart(tmp_path, run, fails):
    for folder, content in (("scopus", exports.SCOPUS), ("acm", exports.ENW)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "export.txt").write_text(content, encoding="utf-8")
    (tmp_path / "acm/.DS_Store").write_bytes(b"x")
    out = tmp_path / "records.csv"
    run("import-records", tmp_path / "scopus/export.txt", tmp_path / "acm", "--out", out)
    assert list(load_import(out).files["file"]) == ["acm/export.txt", "scopus/export.txt"]
    (tmp_path / "empty").mkdir()
    assert "there are none" in fails("import-records", tmp_path / "empty", "--out", out)


@needs_shared
def test_the_exports_at_hand_are_read_whole(tmp_path, run):
    names = ("example.ris", "ieee.csv", "springer.csv")
    out = tmp_path / "records.csv"
    said = run("import-records", *(SHARED / "literature/exports" / name for name in names), "--out", out)
    for name, count in zip(names, (25, 10, 18), strict=True):
        assert re.search(rf"{re.escape(name)} +\w+ +utf-8 +{count} +{count} +0 +0\n", said)
    assert "25 records do not say where they were found" in said
    assert len(load_records(out)) == 53


def test_a_merge_is_undone_and_made_by_hand_and_both_last(tmp_path, run, fails):
    twice = exports.SCOPUS.replace("10.1177/2", "10.1177/20")
    ris = "TY  - JOUR\nTI  - Drift, seen early\nAU  - Liu, Fengyuan\nPY  - 2026\nDO  - 10.1177/20\nER  - \n"
    (tmp_path / "s.csv").write_text(twice, encoding="utf-8")
    (tmp_path / "x.ris").write_text(ris)
    records = tmp_path / "records.csv"
    run("import-records", tmp_path / "s.csv", tmp_path / "x.ris", "--out", records)
    assert "2 records, 1 works" in run("dedupe", tmp_path, "--prefer", "Scopus")
    (merge,) = rows_of(tmp_path / "merges.csv")
    assert (merge["rule"], merge["state"]) == ("doi", "merged")
    winners = {row["field"]: row["database"] for row in rows_of(tmp_path / "winners.csv")}
    assert winners["title"] == "Scopus"

    assert "2 records, 2 works" in run("dedupe", records, "--undo", merge["merge"])
    assert "was undone before" in fails("dedupe", records, "--undo", merge["merge"])
    assert "2 records, 2 works" in run("dedupe", records)  # decided for good
    assert rows_of(tmp_path / "merges.csv")[0]["state"] == "undone"
    pair = (merge["first"], merge["second"])
    assert rows_of(tmp_path / "to_decide.csv")[0]["first_title"]
    assert "say why" in fails("dedupe", records, "--merge", *pair)
    assert "2 records, 1 works" in run("dedupe", records, "--merge", *pair, "--because", "the same text")
    assert "2 records, 1 works" in run("dedupe", records)
    result, _ = load_dedupe(tmp_path)
    assert (result.merges["rule"].to_list(), result.prefer) == (["by_hand"], ("Scopus",))
    assert "When two records are one work" in run("dedupe", "--rule")


def test_works_that_were_edited_are_not_counted(worked, fails):
    text = (worked / "works.csv").read_text(encoding="utf-8")
    (worked / "works.csv").write_text(text.replace("Pipelines in", "Pipes in", 1), encoding="utf-8")
    assert "is not what its records and merges give" in fails("prisma", worked)


# ---- screening ----------------------------------------------------------------------------------


def test_a_review_from_records_to_the_figure(tmp_path, run, fails):
    rows = "".join(
        f"TY  - JOUR\nTI  - Operations of model {word}\nAU  - Poe, Ann\nPY  - 2020\nDO  - 10.1234/{word}\nER  - \n"
        for word in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    )
    (tmp_path / "x.ris").write_text(rows)
    review = tmp_path / "review"
    run("import-records", tmp_path / "x.ris", "--database", "IEEE Xplore", "--out", review / "records.csv")
    assert "begin with: import-records" in fails("screening-status", tmp_path / "nowhere")
    assert "remove duplicates first" in fails("screening-status", review)
    run("dedupe", review)
    said = run("assign-screening", review, "--reviewers", "Ana", "Ben B.", "--overlap", "0.4", "--seed", "3")
    assert "10 records at stage title_abstract, 4 of them read by two" in said
    sheets = sorted((review / "sheets").iterdir())
    assert [path.name for path in sheets] == ["title_abstract_Ana.csv", "title_abstract_Ben_B.csv"]
    assert "Ben" not in sheets[0].read_text(encoding="utf-8")  # blind
    assert "all that reached it are assigned" in fails("assign-screening", review, "--reviewers", "Ana", "Ben B.")

    shared = {row["record"] for row in rows_of(sheets[0])} & {row["record"] for row in rows_of(sheets[1])}
    disputed = min(shared)
    decide(sheets[0], lambda row: ("exclude", "off_topic") if row["record"] == disputed else ("include", ""))
    assert re.search(r"title_abstract +Ben B\. +7 +0 +7\n", run("screening-status", review))
    decide(sheets[1], lambda row: ("include", ""))
    said = run("screening-status", review, "--adjudicator", "Cleo")
    assert "title_abstract: 1 disputed, 0 of them adjudicated" in said
    assert "exclude (off_topic); include" in said
    decide(review / "sheets/title_abstract_adjudication_Cleo.csv", lambda row: ("exclude", "off_topic"))
    said = run("screening-agreement", review, "--resamples", "200")
    assert "4 records read by two or more" in said
    assert re.search(r"Percent agreement +75\.0%", said)

    assert "9 records at stage full_text" in run(
        "assign-screening", review, "--reviewers", "Ana", "--stage", "full_text", "--overlap", "0"
    )
    decide(review / "sheets/full_text_Ana.csv", lambda row: ("include", ""))
    out = [review / f"flow{ending}" for ending in (".svg", ".pdf", ".png", ".csv")]
    said = run("prisma", review, *(word for path in out for word in ("--out", path)))
    assert "broken" not in said
    heads = [path.read_bytes()[:5] for path in out]
    assert (heads[1], heads[2][1:4]) == (b"%PDF-", b"PNG")
    assert b"<svg" in out[0].read_bytes()
    first = out[0].read_bytes()
    run("prisma", review, "--out", out[0])
    assert out[0].read_bytes() == first
    counts = {(row["arm"], row["step"]): row["count"] for row in rows_of(out[3]) if not row["detail"]}
    assert [counts["databases", step] for step in ("identified", "screened", "excluded", "assessed", "included")] == [
        "10", "10", "1", "9", "9",
    ]  # fmt: skip


def test_the_worked_example_gives_its_numbers(worked, run):
    said = run("prisma", worked, "--out", worked / "flow.csv")
    assert "19 equations: holds 19" in said
    counts = {(row["arm"], row["step"]): row["count"] for row in rows_of(worked / "flow.csv") if not row["detail"]}
    # By hand from the tables of the example; see tests/literature/test_prisma.py.
    assert counts["databases", "identified"] == "30"
    assert counts["all", "included"] == "10"


def test_a_decision_taken_out_breaks_the_equation(worked, fails):
    sheet = worked / "sheets/ledger_ana.csv"
    lines = sheet.read_text(encoding="utf-8").splitlines(keepends=True)
    sheet.write_text("".join([*lines[:2], *lines[3:]]), encoding="utf-8")
    for arguments in (("prisma", worked), ("screening-status", worked, "--complete")):
        told = fails(*arguments)
        assert "title and abstract: in = excluded + passed is broken: 26 in ≠ 11 excluded + 14 passed (25)" in told
        assert "no decision of Ana" in told


def test_a_decision_entered_twice_breaks_the_equation(worked, fails):
    sheet = worked / "sheets/ledger_ana.csv"
    lines = sheet.read_text(encoding="utf-8").splitlines(keepends=True)
    sheet.write_text("".join([*lines, lines[3]]), encoding="utf-8")
    for arguments in (("prisma", worked), ("screening-status", worked)):
        told = fails(*arguments)
        assert (
            "in = excluded + passed is broken: 26 in ≠ 11 excluded + 16 passed (27); 1 decided more than once" in told
        )
        assert "2 decisions of Ana on" in told


def test_a_long_list_of_faults_is_cut_short_but_never_its_equations(worked, fails):
    (worked / "sheets/ledger_ana.csv").unlink()
    told = fails("screening-status", worked, "--complete")
    assert told.count("no decision of Ana") <= 20
    assert "more of such rows" in told
    assert "in = excluded + passed is broken" in told


def test_the_published_flow_keeps_what_is_unknown(run, fails):
    said = run("prisma", "--published")
    assert re.search(r"Both arms +Reports included +21\n", said)
    assert "unknown" in said
    assert "give the folder of a review, or --published" in fails("prisma")
    assert "ends in one of" in fails("prisma", "--published", "--out", "flow.docx")


# ---- exchange and corpus -------------------------------------------------------------------------


@needs_shared
def test_a_project_of_another_program_goes_into_tables_and_back(tmp_path, run, fails):
    project = SHARED / "refi_qda/TestProject.qdpx"
    said = run("codes-import", project, "--out", tmp_path / "one")
    assert "14 codes" in said
    assert "(8 of text), 16 codings" in said
    assert "left out of the tables, kept in the project" in said
    assert "may hold work" in fails("codes-import", project, "--out", tmp_path / "one")
    run("codes-export", tmp_path / "back.qdpx", "--tables", tmp_path / "one", "--base", project)
    said = run("codes-import", tmp_path / "back.qdpx", "--out", tmp_path / "two")
    assert "14 codes, 17 sources, 15 selections (8 of text), 16 codings" in said
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()


def test_our_codebook_comes_back_as_it_was(tmp_path, run, fails):
    codebook = load_coding().codebook
    assert f"{len(codebook)} codes" in run("codes-export", tmp_path / "own.qdc")
    run("codes-import", tmp_path / "own.qdc", "--out", tmp_path / "own")
    back = {row["code"]: row for row in rows_of(tmp_path / "own/codebook.csv")}
    for row in codebook.fillna("").to_dict("records"):
        assert back[row["code"]] == row
    assert "ends in .qdc" in fails("codes-export", tmp_path / "own.docx")
    assert "holds no texts" in fails(
        "codes-import", tmp_path / "own.qdc", "--out", tmp_path / "b", "--texts", tmp_path / "t"
    )


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_with_one_error_and_writes_nothing(tmp_path, fails, kind):
    content, told = HOSTILE[kind]
    path = tmp_path / "p.qdpx"
    path.write_bytes(content)
    said = fails("codes-import", path, "--out", tmp_path / "out", "--texts", tmp_path / "texts")
    assert all(part in said for part in told)
    assert [each.name for each in tmp_path.iterdir()] == ["p.qdpx"]


def test_a_document_that_is_no_file_name_is_written_nowhere(tmp_path, run, fails):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "codebook.csv").write_text(f"{','.join(COLUMNS['codebook'])}\na,,A{',' * 7}\n")
    (tables / "documents.csv").write_text(f"{','.join(COLUMNS['documents'])}\n../evil,T,,,,\n")
    (tables / "segments.csv").write_text(f"{','.join(COLUMNS['segments'])}\nS1,../evil,,0,2,,,\n")
    (tables / "codings.csv").write_text(f"{','.join(COLUMNS['codings'])}\nS1,a,A,2026-11-28\n")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "evil.txt").write_text("Evil text")
    run("codes-export", tmp_path / "plain.qdpx", "--tables", tables)
    guid = import_project(tmp_path / "plain.qdpx").sources[0].guid
    with zipfile.ZipFile(tmp_path / "plain.qdpx") as plain, zipfile.ZipFile(tmp_path / "p.qdpx", "w") as file:
        file.writestr("project.qde", plain.read("project.qde"))
        file.writestr(f"sources/{guid}.txt", "Evil text")
    (tmp_path / "evil.txt").unlink()
    told = fails("codes-import", tmp_path / "p.qdpx", "--out", tmp_path / "out", "--texts", tmp_path / "texts")
    assert "'../evil': is no plain file name" in told
    assert not (tmp_path / "evil.txt").exists()
    (tables / "codings.csv").write_text("segment,code,coder\n")
    assert "lacks ['date']" in fails("codes-export", tmp_path / "q.qdpx", "--tables", tables)


@needs_seeds
def test_the_corpus_is_recognised_and_gives_a_passage(tmp_path, run, fails, monkeypatch):
    coding = load_coding()
    monkeypatch.delenv("CORPUS", raising=False)
    assert "set the variable CORPUS" in fails("corpus")
    said = run("corpus", SEEDS)
    assert f"{len(coding.segments)} of {len(coding.segments)} segments lie within" in said
    monkeypatch.setenv("CORPUS", str(SEEDS))
    row = coding.segments.set_index("segment").loc["T0001"]
    said = run("corpus", "--segment", "T0001")
    assert f"T0001  talele2024, {row['locator']}, characters {row['start']}–{row['end']}" in said
    assert "codes: research_design" in said
    own = [name for name in coding.segments["segment"] if name in
           set(coding.codings.loc[coding.codings["code"] == "research_design", "segment"])]  # fmt: skip
    assert set(own) <= set(re.findall(r"^([TDJPM]\d{4})  ", run("corpus", "--code", "research_design"), re.M))
    assert "does not exist" in fails("corpus", "--segment", "T9999")
    assert "is not in the codebook" in fails("corpus", "--code", "nothing")
    (tmp_path / "talele2024.txt").write_text("another text")
    assert "is not the text of talele2024 that was coded" in fails("corpus", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "holds no coded document" in fails("corpus", tmp_path / "empty")
