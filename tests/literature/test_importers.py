"""Exports of every source are read whole, or what is not read is told with its line."""

from __future__ import annotations

import pandas as pd
import pytest
import rispy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.base.schemas import RECORDS
from analysis.literature.bibliographic import combine_imports, compute_import_counts, import_records
from analysis.literature.importers import ris
from analysis.literature.importers.cleaning import clean_text, latex_to_text
from analysis.literature.importers.drafts import FIELDS, KINDS
from analysis.literature.importers.identifiers import find_doi, find_isbns, find_issns, find_year, is_preprint
from analysis.literature.importers.recognise import SOURCES
from tests.literature import exports
from tests.literature.exports import RECORDS_IN, SAMPLES

SHARED = ROOT.parent / "shared" / "data" / "literature" / "exports"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the exports are not at hand")


@pytest.fixture
def read(tmp_path):
    """Import a text or bytes; any further words go to `import_records`."""

    def read(content: str | bytes, name: str = "export.txt", **words):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = import_records(path, **words)
        files = result.files.iloc[0]
        assert files["found"] == files["imported"] + files["left_out"] == len(result.records) + len(result.left_out)
        return result

    return read


# ---- the exports at hand ---------------------------------------------------------------------


@needs_shared
def test_ris_with_three_kinds_of_line_ends_is_read_whole():
    result = import_records(SHARED / "example.ris")
    assert result.files.loc[0, ["source", "found", "imported", "left_out"]].to_list() == ["ris", 25, 25, 0]
    assert result.report.empty
    records = result.records
    # The file has 25 "TY  -" and 24 DOIs; rispy 0.10 reads a single record from it.
    assert records["title"].notna().all()
    assert records["doi"].notna().sum() == 24
    assert records["kind"].value_counts().to_dict() == {"conference": 17, "article": 8}
    first, second = records.iloc[0], records.iloc[1]
    assert first[["title", "year", "volume", "issue", "pages", "doi", "issn"]].to_list() == [
        "The European Approach to the Exascale Challenge", 2019, "21", "1", "42-47", "10.1109/mcse.2018.2884139",
        "1558-366X",
    ]  # fmt: skip
    assert second["authors"].startswith("M. Bobák; L. Hluchy; ")
    assert second["authors"].count(";") == 13
    assert "Time-To-Failure(TMTTF )" in " ".join(records["abstract"].dropna())


@needs_shared
def test_ieee_csv_is_read_whole():
    result = import_records(SHARED / "ieee.csv")
    assert result.files.loc[0, ["source", "found", "imported"]].to_list() == ["ieee", 10, 10]
    first = result.records.iloc[0]
    assert first["title"] == 'Exascale Computing Trends: Adjusting to the "New Normal"\' for Computer Architecture'
    assert first[["authors", "pages", "raw_id", "database", "kind"]].to_list() == [
        "P. Kogge; J. Shalf", "16-26", "6634083", "IEEE Xplore", "article",
    ]  # fmt: skip
    assert result.records["doi"].notna().all()
    assert list(result.records["line"]) == list(range(2, 12))


@needs_shared
def test_springer_csv_is_read_whole_and_its_authors_told_apart():
    result = import_records(SHARED / "springer.csv")
    assert result.files.loc[0, ["source", "found", "imported"]].to_list() == ["springer", 18, 18]
    records = result.records.set_index("doi")
    assert records.at["10.1007/978-3-030-92127-9", "authors"] == (
        "Rafik A. Aliev; Janusz Kacprzyk; Witold Pedrycz; Mo Jamshidi; Mustafa Babanli; Fahreddin M. Sadikoglu"
    )
    assert records.at["10.1007/978-3-030-81561-5", "authors"] == (
        "Barnabás Bede; Martine Ceberio; Martine De Cock; Vladik Kreinovich"
    )
    assert records["kind"].value_counts().to_dict() == {"book": 9, "chapter": 5, "article": 4}


# ---- every source ----------------------------------------------------------------------------


@pytest.mark.parametrize("source", SAMPLES)
def test_a_source_is_recognised_by_what_stands_in_it(read, source):
    result = read(SAMPLES[source], name="savedrecs.dat")
    assert result.files.loc[0, "source"] == source
    assert len(result.records) == RECORDS_IN.get(source, 1)
    assert result.report.empty
    assert list(result.records.columns) == list(RECORDS.columns)
    assert result.records["title"].notna().all()


@pytest.mark.parametrize("source", SAMPLES)
@pytest.mark.parametrize(
    ("encoding", "end"),
    [("utf-8-sig", "\r"), ("utf-16", "\r\n"), ("utf-16-le", "\n"), ("utf-16-be", "\r\n"), ("utf-32", "\r")],
)
def test_no_encoding_or_line_end_changes_a_record(read, source, encoding, end):
    plain = read(SAMPLES[source].lstrip("\ufeff"), name="a.txt").records
    text = SAMPLES[source].lstrip("\ufeff").replace("\r\n\n\r", "\n\n").replace("\r\n", "\n").replace("\r", "\n")
    other = read(text.replace("\n", end).encode(encoding), name="a.txt").records
    assert list(other["record"]) == list(plain["record"])


def test_every_source_has_a_sample():
    assert set(SAMPLES) == set(SOURCES)


def test_ris_fields(read):
    first, second = (row for _, row in read(exports.RIS).records.iterrows())
    assert first.drop(["record", "file", "raw_id", "isbn", "abstract"]).to_list() == [
        "not stated", 1, "article", "Release trains for learned models", "Müller, A.; Yılmaz, B.", 2021,
        "Journal of Trains", "7", "2", "11-19", "10.1234/abc.5", "1234-5678", "https://example.org/a",
        "models; release", "English",
    ]  # fmt: skip
    assert second[["title", "year", "kind", "line"]].to_list() == ["Second & last study", 2019, "conference", 21]


def test_nbib_fields(read):
    first = read(exports.NBIB).records.iloc[0]
    shown = ["database", "title", "authors", "year", "venue", "pages", "doi", "issn", "keywords", "raw_id"]
    assert first[shown].to_list() == [
        "PubMed", "Monitoring of models in hospitals: a title that goes on.", "Nowak, Anna; Li, Wei", 2020,
        "Journal of wards", "5-9", "10.1000/wards.1", "1234-5679", "monitoring", "12345678",
    ]  # fmt: skip


def test_web_of_science_fields_agree_between_its_forms(read):
    text = read(exports.WOS_TEXT).records.iloc[0]
    assert text[["title", "authors", "kind", "pages", "issn", "keywords", "abstract", "raw_id"]].to_list() == [
        "Mapping drift in real estate", "Toh, Ming Liang; Ek, Sara", "article", "3-8", "0039-6265; 1752-2706",
        "drift; estate", "A text. AI is in it.", "WOS:000111",
    ]  # fmt: skip
    tab = read(exports.WOS_TAB, name="b.txt").records
    assert tab["title"].to_list() == ['A "quoted" word, and 5" screens', "Ravens"]
    assert tab["authors"].to_list() == ["Toh, ML; Ek, S", "Poe, E"]
    assert tab["kind"].to_list() == ["article", "conference"]
    sheet = read(exports.WOS_SHEET, name="c.csv").records.iloc[0]
    assert sheet[["title", "authors", "year", "raw_id"]].to_list() == ["Mapping drift", "Toh, Ming", 2022, "WOS:1"]


def test_scopus_fields_old_and_new(read):
    new = read(exports.SCOPUS).records.iloc[0]
    assert new[["title", "authors", "pages", "abstract", "keywords", "issn", "raw_id"]].to_list() == [
        'Drift, "seen" early', "Liu, Fengyuan; Li, Chun", "A7", "Two lines", "drift; wards", "2055-2076", "2-s2.0-1",
    ]  # fmt: skip
    result = read(exports.SCOPUS_OLD, name="old.csv")
    assert result.records["authors"].to_list() == ["Phillips J.C.; Braun R.", "Kalé L."]
    # Scopus' header names one funding text where rows have several: read, and told.
    assert result.records["kind"].to_list() == ["conference", "article"]
    assert result.report["line"].to_list() == [3]


def test_ieee_fields_below_a_line_with_the_query(read):
    first = read(exports.IEEE).records.iloc[0]
    assert first[["line", "title", "authors", "pages", "issn", "keywords", "kind", "raw_id"]].to_list() == [
        3, 'On "new" chips', "P. Kogge; J. -P. Nominé", "16-26", "1558-366X", "a; b", "article", "6634083",
    ]  # fmt: skip
    society = read(exports.IEEE_SOCIETY, name="s.csv").records.iloc[0]
    assert society[["authors", "abstract"]].to_list() == ["Joseph Rottman; Erran Poe", "Solvers' level"]


def test_acm_fields_from_csv_and_bibtex(read):
    table = read(exports.ACM_CSV, source="acm").records.iloc[0]
    assert table[["database", "authors", "pages", "doi", "isbn", "keywords", "kind"]].to_list() == [
        "ACM Digital Library", "Ann Poe; Bo Ek", "1-9", "10.1145/3292500.1", "9781450362016", "serving; models",
        "conference",
    ]  # fmt: skip
    entry = read(exports.BIBTEX, name="acm.bib", source="acm").records.iloc[0]
    assert entry[["database", "title", "authors", "year", "venue", "pages", "isbn"]].to_list() == [
        "ACM Digital Library", "MLOps & Drift: 95% of O(n^2) Cases",
        "Günther, Józef; World Health Organization and Partners", 2019, "Proceedings of KDD", "123-129",
        "9781450362016",
    ]  # fmt: skip


def test_bibtex_strings_equal_keys_and_lines(read):
    records = read(exports.BIBTEX).records
    assert records["line"].to_list() == [3, 10, 11]
    assert records["title"].to_list()[1:] == ["First", "Second"]
    assert records["venue"].to_list()[1:] == ["Journal of Systems", "J"]


def test_springer_pubmed_and_zotero_tables(read):
    springer = read(exports.SPRINGER).records.iloc[0]
    assert springer[["authors", "kind", "doi"]].to_list() == [
        "Araz R. Aliev; Ian McDonald", "chapter", "10.1007/978-3-030-92127-9_33",
    ]  # fmt: skip
    pubmed = read(exports.PUBMED_CSV, name="p.csv").records.iloc[0]
    assert pubmed[["authors", "volume", "issue", "pages"]].to_list() == ["Smith A; Walter B", "1", "2", "10-11"]
    zotero = read(exports.ZOTERO, name="z.csv").records.iloc[0]
    assert zotero[["authors", "kind", "pages"]].to_list() == ["Doe, Jane; Roe, Rik", "article", "1-9"]


def test_every_kind_that_a_source_gives_is_a_kind_of_the_table():
    from analysis.literature.importers import acm, bibtex, ieee, nbib, scopus, springer

    given = {*ris.KINDS.values(), *acm.KINDS.values(), *bibtex.KINDS.values(), *scopus.KINDS.values()}
    given |= {kind for pairs in (ieee.KINDS, nbib.KINDS, springer.KINDS) for _, kind in pairs}
    assert given <= set(KINDS)
    assert [name for name in RECORDS.columns if name in FIELDS] == list(FIELDS)


def test_ris_agrees_with_rispy_where_rispy_can_read(read, tmp_path):
    text = exports.RIS.replace("\r\n\n\r", "\n").replace("\r\n      ", " ").replace("\r\n", "\n").replace("\r", "\n")
    theirs = rispy.loads(text)
    ours = read(text).records
    assert [row["authors"] for row in theirs] == [names.split("; ") for names in ours["authors"]]
    assert theirs[0]["title"] == ours.loc[0, "title"]
    named = {tag for tags in ris.MAPPING.values() for tag in tags} & set(rispy.TAG_KEY_MAPPING)
    assert {"TI", "T1", "AU", "PY", "DO", "SN", "KW", "AB", "N2", "T2", "JO"} <= named


# ---- what is wrong with real files -----------------------------------------------------------


def test_a_record_without_its_end_is_ended_where_the_next_begins(read):
    result = read("TY  - JOUR\nTI  - One\nTY  - JOUR\nTI  - Two\nER  - \nTI  - Three\nAU  - X, Y\nER  -")
    assert result.records["title"].to_list() == ["One", "Two", "Three"]
    assert result.report[["line", "outcome"]].to_numpy().tolist() == [[3, "repaired"], [6, "repaired"]]
    assert "record of line 1 does not end with ER" in result.report.loc[0, "what"]
    assert "begins without TY" in result.report.loc[1, "what"]


def test_two_records_run_together_are_told(read):
    result = read("TY  - JOUR\nTI  - One\nDO  - 10.1234/a\n\nTI  - Two\nDO  - 10.1234/b\nER  - \n")
    assert result.report["line"].to_list() == [5, 6]
    assert result.report["what"].str.contains("occurs again in the record of line 1").all()


def test_text_that_looks_like_a_tag_continues_the_text(read):
    result = read("TY  - JOUR\nTI  - One\nAB  - We use\nAI - based tools\nML-based ones\nER  - \n")
    assert result.records.loc[0, "abstract"] == "We use AI - based tools ML-based ones"
    loose = read("TY - JOUR\nTI - One\nAU - A, B\nER -\n", name="b.ris")
    assert loose.records[["title", "authors"]].to_numpy().tolist() == [["One", "A, B"]]


def test_a_missing_title_is_told_and_an_empty_record_is_counted(read):
    text = "TY  - JOUR\nAU  - Doe, J\nDO  - 10.1234/a\nER  - \nTY  - JOUR\nER  - \nTY  - JOUR\nTI  - T\nER  - \n"
    result = read(text)
    assert len(result.records) == 2
    assert result.report[["line", "outcome"]].to_numpy().tolist() == [[1, "repaired"], [5, "left_out"]]
    with pytest.raises(InputError, match=r"1 of 3 records .*\n.*export.txt:5: a record without any field"):
        result.require_complete()


def test_unreadable_identifiers_are_told_and_left_empty(read):
    result = read("TY  - JOUR\nTI  - T\nPY  - in press\nDO  - see page\nSN  - 12\nER  - \n")
    assert result.records.loc[0, ["year", "doi", "issn"]].isna().all()
    assert result.report["what"].str.split(" ").str[0].to_list() == ["year", "DOI", "ISSN"]


def test_lines_of_another_encoding_are_read_and_told(read):
    first, second = "TY  - JOUR\nTI  - Größe – “one”\nER  - \n", "TY  - JOUR\nTI  - Größe 二\nER  - \n"
    result = read(first.encode("cp1252") + second.encode())
    assert result.records["title"].to_list() == ["Größe – “one”", "Größe 二"]
    assert result.report["line"].to_list() == [2]
    assert "Windows-1252" in result.report.loc[0, "what"]
    named = read("TY  - JOUR\nTI  - Ł\nER  - \n".encode("cp1250"), name="b.ris", encoding="cp1250")
    assert named.records.loc[0, "title"] == "Ł"


def test_an_open_quotation_mark_costs_one_row(read):
    header = "Document Title,Authors,Publication Title,Publication Year,DOI\n"
    rows = [f'"Title {n}","A. Poe; B. Ek","J, of X",20{n:02d},10.1109/x.{n}\n' for n in range(10, 20)]
    rows[3] = rows[3].replace('"A. Poe; B. Ek"', '"A. Poe; B. Ek')
    result = read(header + "".join(rows))
    assert result.files.loc[0, ["found", "imported", "left_out"]].to_list() == [10, 9, 1]
    assert result.left_out["line"].to_list() == [5]
    assert "Title 14" in result.records["title"].to_list()


def test_an_open_quotation_mark_in_the_first_cell_does_not_swallow_the_next_row(read):
    # csv reads rows 2 and 3 as one row of three cells, as many as the header has.
    result = read('Title,Authors,Year\n"Lost title,A. Poe,2001\n"Next title",B. Ek,2002\nThird,C. Du,2003\n')
    assert result.records["title"].to_list() == ["Lost title", "Next title", "Third"]
    assert result.report[["line", "outcome"]].to_numpy().tolist() == [[2, "repaired"]]


def test_rows_of_a_wrong_length(read):
    text = "Item Title,Item DOI,Authors,Publication Year,URL\nOne,10.1007/a,Ann Poe,2001,x\n"
    text += "Two, more,10.1007/b,Ann Poe,2002,y\n"
    result = read(text + "Three,10.1007/c,Ann Poe,2003\nFour,10.1007/d\n,,,,\n")
    assert result.records["title"].to_list() == ["One", "Three"]
    assert result.report[["line", "outcome"]].to_numpy().tolist() == [[3, "left_out"], [4, "repaired"], [5, "left_out"]]


def test_cells_of_several_lines_and_joined_exports(read):
    text = SAMPLES["scopus"] + SAMPLES["scopus"].replace("2-s2.0-1", "2-s2.0-9")
    result = read(text)
    assert result.records["line"].to_list() == [2, 5]  # the header in between is no record
    assert result.records["abstract"].to_list() == ["Two lines", "Two lines"]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_and_excels_first_line(read, separator):
    header = separator.join(["Title", "Author", "Year", "DOI"])
    row = separator.join(["A, b", "Poe, Ann", "2001", "10.1234/x"])
    result = read(f"sep={separator}\n{header}\n{row}\n")
    assert result.records[["title", "authors", "line"]].to_numpy().tolist() == [["A, b", "Poe, Ann", 3]]


def test_a_broken_bibtex_entry_costs_itself_alone(read):
    damaged = '@article{b,\n title={Two "x,\n year={{2002}\n= oops\n}'
    result = read(f"@article{{a, title={{One}}, year={{2001}}}}\n\n{damaged}\n\n@article{{c, title={{Three}}}}")
    assert result.records["title"].to_list() == ["One", "Three"]
    assert result.left_out["line"].to_list() == [3]


def test_bibtex_that_can_be_mended_is_mended_and_told(read):
    text = (
        "@article{, title={No key}, year={2001}}\n@article{b, title={No brace}, year={2002}\n\n"
        "@article{c,\n title={No comma}\n year={2003}\n}\n@article{d, title={Twice}, title={Other}, year=2004}\n"
        "@article{e, title={At {LeQua @ CLEF}}, author={A\n@home and B}}\n"
    )
    result = read(text)
    assert result.records["title"].to_list() == ["No key", "No brace", "No comma", "Twice", "At LeQua @ CLEF"]
    assert result.report["line"].to_list() == [1, 2, 4, 8]
    assert set(result.report["outcome"]) == {"repaired"}


def test_braces_within_a_bibtex_text_that_do_not_match_cost_no_record(read):
    # As EBSCOhost writes keywords that it took from a page's script.
    words = "Keywords = {prices, @type:Person}, a() { var x = '/'},"
    text = f"@article{{9,\nAuthor = {{Poe, Ann}},\n{words}\nTitle = {{Sharing}},\n}}"
    result = read(f"@article{{8,\nTitle = {{Before}},\n}}\n{text}\n@article{{7,\nTitle = {{After}},\n}}\n")
    assert result.records["title"].to_list() == ["Before", "Sharing", "After"]
    assert result.records.loc[1, "authors"] == "Poe, Ann"
    assert result.report[["line", "outcome"]].to_numpy().tolist() == [[4, "repaired"]]


def test_enw_records_that_begin_with_their_title(read):
    # As AIS eLibrary writes them: the type second, or not at all.
    text = "%T One\n%0 Journal Article\n%A Guo, Wenbo\n%A Cai, Zhao\n%D 2021\n%8 September  1, 2021\n%P i-ii\n\n\n"
    text += "%T Two\n%B Quarterly\n%D 2020\n%X 95 % of it\n%of that\n"
    result = read(text)
    assert result.files.loc[0, ["source", "found"]].to_list() == ["enw", 2]
    assert result.records["title"].to_list() == ["One", "Two"]
    assert result.records["authors"].fillna("").to_list() == ["Guo, Wenbo; Cai, Zhao", ""]
    assert result.records["year"].to_list() == [2021, 2020]
    assert result.records.loc[1, "abstract"] == "95 % of it %of that"


def test_ris_without_types_is_read_and_told(read):
    # As CiteSource writes it; PubMed's form has two blanks before its dash too, and no ER.
    text = "C1  - 1001\nAU  - Poe, Ann\nTI  - One\nPY  - 2001\nER  - \n\nAU  - Ek, Bo\nTI  - Two\nER  - \n"
    result = read(text)
    assert result.files.loc[0, ["source", "found", "imported"]].to_list() == ["ris", 2, 2]
    assert result.records[["title", "authors"]].to_numpy().tolist() == [["One", "Poe, Ann"], ["Two", "Ek, Bo"]]
    assert result.report["line"].to_list() == [1, 7]
    assert read(exports.NBIB, name="p.nbib").files.loc[0, "source"] == "nbib"


def test_the_source_cell_of_embase_holds_journal_year_and_pages(read):
    text = "Title,Author Names,Source,Abstract\n"
    text += '"Cysts","Liu R., Adler D.G.","Endoscopic Ultrasound (2014) 3:3 (152-160). Date of Publication: 2014",A\n'
    text += (
        '"More","Liu R.","Int. J. Cases (2019) 54 (83-86). Date of Publication: 2019",B\n"None","Ek B.","Unknown",C\n'
    )
    records = read(text).records
    wanted = ["venue", "year", "volume", "issue", "pages"]
    assert records.loc[0, wanted].to_list() == ["Endoscopic Ultrasound", 2014, "3", "3", "152-160"]
    assert records.loc[1, ["venue", "year", "volume", "pages"]].to_list() == ["Int. J. Cases", 2019, "54", "83-86"]
    assert records.loc[2, wanted].isna().all()


def test_tables_of_other_tools_by_their_headings(read):
    wanted = ["title", "authors", "year", "venue", "pages", "doi"]
    dimensions = read(
        "\"About the data: exported on Jan 1, 2024. Criteria: 'mlops'\"\nRank,Publication ID,DOI,Title,Source title,"
        'PubYear,Volume,Pagination,Authors\n1,pub.1,10.1234/a,One,J. D,2022,3,1-9,"Doe, Jane; Roe, Rik"\n'
    ).records
    assert dimensions.loc[0, wanted].to_list() == ["One", "Doe, Jane; Roe, Rik", 2022, "J. D", "1-9", "10.1234/a"]
    openalex = read(
        "id,doi,title,publication_year,authorships.author.display_name,primary_location.source.display_name,"
        "biblio.first_page,biblio.last_page\nhttps://openalex.org/W1,https://doi.org/10.1234/o,Two,2021,Ann Poe|Bo Ek,"
        "J. O,5,8\n"
    ).records
    assert openalex.loc[0, wanted].to_list() == ["Two", "Ann Poe; Bo Ek", 2021, "J. O", "5-8", "10.1234/o"]
    covidence = read('Title,Authors,Published Year,Journal,DOI\nThree,"Poe A,Ek B",2020,J. C,10.1234/c\n').records
    assert covidence.loc[0, [*wanted[:4], "doi"]].to_list() == ["Three", "Poe A; Ek B", 2020, "J. C", "10.1234/c"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"PK\x03\x04rest", "a workbook or zip archive"),
        (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html><html>", "was the session over"),
        (b"<?xml version='1.0'?><xml/>", "XML is not read"),
        (b"Dear all,\nplease find attached", "it begins with 'Dear all,'"),
        (b"Title,Authors,Year,Source title\n", "nothing stands in it"),
        (b"TY  - JOUR\nER  - \n", "a record without any field"),
    ],
)
def test_files_without_records_are_refused_with_a_reason(read, content, told):
    with pytest.raises(InputError) as caught:
        read(content)
    assert told in str(caught.value)


def test_wrong_words_are_refused(read, tmp_path):
    with pytest.raises(InputError, match="'endnote' is no source of records"):
        read(exports.RIS, source="endnote")
    with pytest.raises(InputError, match="is not what springer writes"):
        read(exports.RIS, source="springer")
    with pytest.raises(InputError, match="'utf-7000' is no encoding"):
        read(exports.RIS, encoding="utf-7000")
    with pytest.raises(InputError, match="cannot be read"):
        import_records(tmp_path / "nowhere.ris")


# ---- pieces ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("H<sub>2</sub>O &lt;i&gt;x&lt;/i&gt; &amp;amp; y", "H2O x & y"),
        ("p < 0.05 and q > 3", "p < 0.05 and q > 3"),
        ("<jats:title>Aim</jats:title><jats:p>To see</jats:p>", "Aim To see"),
        ("a\u00adb\u200bc\ufeff\u00a0d\u2028e", "abc d e"),
        ("cafe\u0301 &#8211; &eacute;", "café – é"),
        ('<inline-formula><tex-math notation="LaTeX">$k$</tex-math></inline-formula>-means', "$k$-means"),
        ("List<String> and vector<int>", "List<String> and vector<int>"),
    ],
)
def test_markup_goes_and_text_stays(text, clean):
    assert clean_text(text) == clean
    assert clean_text(clean) == clean


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"{\'E}t{\'e} \v{S}koda {\L}uk{\'a}{\v s} \"{o} \c{C}elik {\ss} {\O}", "Été Škoda Łukáš ö Çelik ß Ø"),
        (r"50% of R&D in C# costs \$5", "50% of R&D in C# costs $5"),
        (r"H$_2$O and $\alpha$--$\beta$", "H_2O and α–β"),
        ("{{Deep}} {L}earning {``}x''", "Deep Learning “x”"),
        ("plain text", "plain text"),
        (r"100\% {of} a~b -- ``c'' \& d\_e", "100% of a b – “c” & d_e"),
        ("costs $5 million", "costs $5 million"),
    ],
)
def test_latex(latex, text):
    assert latex_to_text(latex) == text


@given(st.lists(st.sampled_from([r"\%", r"\&", r"\_", "{a}", "--", "``", "''", "~", " b", "5%", " & "]), max_size=12))
def test_latex_that_is_not_parsed_is_read_as_the_parser_would(parts):
    text = "x" + "x".join(parts)
    assert latex_to_text(text) == latex_to_text(text + r"\'e").removesuffix("é")


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("https://doi.org/10.1000/ABC.", "10.1000/abc"),
        ("doi:10.1002/(SICI)1097-0258(19980815)17:15/16<1661::AID-SIM968>3.0.CO;2-2",
         "10.1002/(sici)1097-0258(19980815)17:15/16<1661::aid-sim968>3.0.co;2-2"),
        ("10.1016/S0140-6736(05)67889-X)", "10.1016/s0140-6736(05)67889-x"),
        ("http://dx.doi.org/10.1007%2Fs10%5f1", "10.1007/s10_1"),
        (r"10.1007/978-1-4\_3", "10.1007/978-1-4_3"),
        ("10.48550/arXiv.2103.00020v2", "10.48550/arxiv.2103.00020"),
        ("10.1101/2020.03.22.002386v3.full", "10.1101/2020.03.22.002386"),
        ("10.1145/1.2 [doi]", "10.1145/1.2"),
        ("10.1", None),
        ("see 10 Main St.", None),
    ],
)  # fmt: skip
def test_dois_have_one_form(text, doi):
    assert find_doi(text) == doi
    if doi:
        assert find_doi(doi) == doi
        assert find_doi(f" https://doi.org/{doi.upper()} ") == doi


def test_other_identifiers():
    assert find_issns("00155555, 1234-567x (Electronic); 978-3-16-148410-0") == ["0015-5555", "1234-567X"]
    assert find_isbns("978-3-16-148410-0; 0-306-40615-2; 1234-5678") == ["9783161484100", "0306406152"]
    years = ["1 Jan.-Feb. 2019", "2018//", "20170812", "no", "12345"]
    assert [find_year(text) for text in years] == [2019, 2018, 2017, None, None]
    assert is_preprint("10.48550/arxiv.1", None, None)
    assert is_preprint("10.1101/2020.1.1.1", None, None)
    assert is_preprint(None, "CoRR", None)
    assert not is_preprint("10.1101/gr.1", "Genome Research", None)
    assert not is_preprint("10.1145/1", "arXiv", None)


# ---- nothing is lost, and nothing depends on files -------------------------------------------

_TITLES = st.text(st.characters(codec="utf-8", categories=("L", "Zs", "Po")), min_size=1, max_size=30).filter(
    lambda text: any(ch.isalpha() for ch in clean_text(text))
)
_QUIET = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(st.lists(st.tuples(_TITLES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans()), min_size=1, max_size=8))
@_QUIET
def test_every_ris_record_is_counted(tmp_path, records):
    text = "".join(
        f"TY  - JOUR{end}TI  - x{title}{end}" + (f"ER  - {end}" if closed else "") for title, end, closed in records
    )
    path = tmp_path / "a.ris"
    path.write_bytes(text.encode())
    result = import_records(path)
    assert len(result.records) == len(records)
    assert (result.report["outcome"] == "repaired").sum() == sum(not closed for *_, closed in records)


@given(st.lists(_TITLES, min_size=2, max_size=8), st.data())
@_QUIET
def test_damage_to_one_row_costs_no_other(tmp_path, titles, data):
    rows = ['"x{}","Ann Poe","J ""x"", y",2001'.format(title.replace('"', '""')) for title in titles]
    broken = data.draw(st.integers(0, len(rows) - 1))
    at = data.draw(st.integers(0, len(rows[broken])))
    rows[broken] = rows[broken][:at] + '"' + rows[broken][at:]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["Title,Authors,Journal,Year", *rows]), encoding="utf-8", newline="")
    try:
        result = import_records(path)
    except InputError:
        assert len(rows) == 1
        return
    whole = {clean_text(f"x{title}") for number, title in enumerate(titles) if number != broken}
    assert whole <= set(result.records["title"])
    assert len(result.records) + len(result.left_out) >= len(rows)


@given(st.permutations(range(6)), st.integers(1, 5))
@_QUIET
def test_order_and_splitting_of_files_change_no_id(tmp_path, order, cut):
    # Each record twice, the first one without a year.
    year = ["AB  - x", "PY  - 2001", "PY  - 2002"]
    parts = [f"TY  - JOUR\nTI  - Title {n // 2}\nAU  - Doe, J\n{year[n // 2]}\nER  - \n" for n in range(6)]
    (tmp_path / "all.ris").write_text("".join(parts))
    shuffled = [parts[n] for n in order]
    (tmp_path / "one.ris").write_text("".join(shuffled[:cut]))
    (tmp_path / "two.ris").write_text("".join(shuffled[cut:]))
    whole = import_records(tmp_path / "all.ris")
    split = combine_imports([import_records(tmp_path / "two.ris"), import_records(tmp_path / "one.ris")])
    assert sorted(split.records["record"]) == sorted(whole.records["record"])
    assert whole.records["record"].is_unique
    assert split.found == whole.found == 6


def test_combined_imports_keep_files_and_databases(read):
    combined = combine_imports([
        read(exports.RIS, name="a.ris", database="JSTOR"), read(exports.SCOPUS, name="b.csv"),
        read(exports.NBIB, name="c"),
    ])  # fmt: skip
    counts = compute_import_counts(combined)
    assert counts["database"].to_list() == ["JSTOR", "PubMed", "Scopus"]
    assert counts[["files", "records"]].to_numpy().tolist() == [[1, 2], [1, 2], [1, 1]]
    assert combined.files["file"].to_list() == ["a.ris", "b.csv", "c"]
    with pytest.raises(InputError, match="was imported twice"):
        combine_imports([combined, read(exports.RIS, name="a.ris")])
    assert isinstance(combined.records["year"].dtype, pd.Int64Dtype)
