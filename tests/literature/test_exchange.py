"""Our tables as REFI-QDA and back: nothing of ours is lost, the schema holds, bytes repeat, QualCoder can read it."""

from __future__ import annotations

import hashlib
import xml.etree.ElementTree as ElementTree
import zipfile

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.base.tables import load_table
from analysis.literature.exchange import (
    Tables,
    codebook_table,
    export_codebook,
    export_project,
    import_codebook,
    import_project,
    project_tables,
)
from analysis.literature.exchange.markup import ORDER, child, local, our_guid

SCHEMA = ROOT.parent / "shared/data/refi_qda/refi.xsd"
TEXT = "First 😀 line\r\nsecond\fline, “quoted”\nthird"
NAMES = ("codebook", "documents", "segments", "codings", "participants")


def frame(columns: str, rows: list[tuple]) -> pd.DataFrame:
    index = pd.RangeIndex(2, len(rows) + 2, name="line")
    rows = [tuple(str(cell) if isinstance(cell, int) else cell for cell in row) for row in rows]
    made = pd.DataFrame(rows, columns=columns.split(), index=index, dtype="string")
    return made.astype({name: "Int64" for name in ("start", "end", "characters") if name in made})


@pytest.fixture
def tables() -> Tables:
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    return Tables(
        frame(
            "code parent name definition example theme origin source locator version",
            [
                ("data", None, "Data", "All about data", None, "Data", "deductive", "talele2024", "§5", "1.0"),
                ("drift", "data", "Drift", "Input\nchanges", "a \\n shift", "Data", "inductive", None, "§5: a", "1.0"),
                ("drift_2", "data", "drift", None, None, "Other", "inductive", None, None, "1.0"),
                ("team", None, "Team <&>", '"People"', None, None, "inductive", None, None, "1.0"),
            ],
        ),
        frame(
            "document title kind sha256 characters note",
            [
                ("talele2024", "Title: of it", "doctoral_thesis", digest, len(TEXT), "a note"),
                ("john2021", "Another", "conference_paper", None, None, None),
            ],
        ),
        frame(
            "segment document locator start end participant kind paraphrase",
            [
                ("J0001", "john2021", "§V", 5, 90, None, "statement", "what it says"),
                ("T0001", "talele2024", "p. 1", 6, 7, "T-P01", "quotation", "smiles"),
                ("T0002", "talele2024", "p. 2", 14, 25, None, "statement", None),
                ("T0003", "talele2024", "p. 2", 14, 25, "T-P02", "question", "the same place again"),
            ],
        ),
        frame(
            "segment code coder date",
            [
                ("J0001", "team", "A", "2026-11-21"),
                ("T0001", "data", "A", "2026-11-21"),
                ("T0001", "drift", "A", "2026-11-22"),
                ("T0001", "drift", "B", "2026-11-23"),
                ("T0003", "drift_2", "B", None),
            ],
        ),
        frame("participant document role note", [("T-P01", "talele2024", "Data Analyst", "the first")]),
    )


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "any name.txt").write_bytes(TEXT.encode())
    return folder


def same(one: Tables, other: Tables) -> bool:
    """Equal up to the order of rows, which is that of the tree and of the segments."""
    keys = {"codebook": ["code"], "documents": ["document"], "segments": ["segment"], "participants": ["participant"]}
    for name in NAMES:
        a, b = getattr(one, name), getattr(other, name)
        if a is None or b is None:
            assert a is b
            continue
        key = keys.get(name, ["segment", "code", "coder"])
        a, b = (each.sort_values(key).reset_index(drop=True) for each in (a, b))
        pd.testing.assert_frame_equal(a, b[a.columns], check_dtype=True)
        assert b.drop(columns=a.columns).isna().all(axis=None)
    return True


def in_schema_order(element: etree._Element) -> bool:
    """The order that the schema asks of children, for machines without the schema."""
    names = [local(each) for each in element]
    order = [ORDER[local(element)].index(name) for name in names] if names else []
    return order == sorted(order) and all(map(in_schema_order, element))


def test_round_trip_loses_nothing_of_ours(tables, corpus, tmp_path):
    written = export_project(tables, tmp_path / "out" / "p.qdpx", corpus)
    assert (written.with_text, written.without_text) == (("talele2024",), ("john2021",))
    assert (written.codes, written.segments, written.codings) == (4, 4, 5)
    project = import_project(written.path)
    assert same(tables, project_tables(project))
    assert [source.content for source in project.sources] == [TEXT, None]
    assert [source.missing for source in project.sources] == [False, True]
    assert "1 of 2 sources and their texts have no file in the archive: 'john2021'" in project.remarks
    smile = next(each for each in project.selections if each.name == "T0001")
    assert TEXT[smile.start : smile.end] == "😀"


def test_without_a_corpus_no_text_leaves(tables, tmp_path):
    written = export_project(tables, tmp_path / "p.qdpx")
    assert written.without_text == ("talele2024", "john2021")
    assert zipfile.ZipFile(written.path).namelist() == ["sources/", "project.qde"]
    assert same(tables, project_tables(import_project(written.path)))
    assert "second" not in zipfile.ZipFile(written.path).read("project.qde").decode()


def test_bytes_and_guids_repeat(tables, corpus, tmp_path):
    first = export_project(tables, tmp_path / "a.qdpx", corpus).path.read_bytes()
    assert export_project(tables, tmp_path / "b.qdpx", corpus).path.read_bytes() == first
    again = project_tables(import_project(tmp_path / "a.qdpx"))
    assert export_project(again, tmp_path / "c.qdpx", corpus).path.read_bytes() == first
    assert our_guid("code", "drift") == "1a986409-eacb-558f-8c06-df3ba00c8d50"  # must never change


def test_the_schema_order_holds(tables, corpus, tmp_path):
    path = export_project(tables, tmp_path / "p.qdpx", corpus).path
    root = etree.fromstring(zipfile.ZipFile(path).read("project.qde"))
    assert in_schema_order(root)
    assert [local(each) for each in root] == ["Users", "CodeBook", "Variables", "Cases", "Sources", "Sets"]


@pytest.mark.skipif(not SCHEMA.is_file(), reason="the REFI-QDA schema is not at hand")
def test_valid_under_the_schema(tables, corpus, tmp_path):
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    path = export_project(tables, tmp_path / "p.qdpx", corpus).path
    schema.assertValid(etree.fromstring(zipfile.ZipFile(path).read("project.qde")))
    # The schema of codebooks is the project's without notes (REFI-QDA 1.5, §5.2), so the codes of one fit the other.
    codebook = export_codebook(tables.codebook, tmp_path / "c.qdc").read_text(encoding="utf-8")
    codes = codebook[codebook.index("<Codes>") : codebook.index("</Codes>")]
    wrapped = f'<Project xmlns="urn:QDA-XML:project:1.0" name="x"><CodeBook>{codes}</Codes></CodeBook></Project>'
    schema.assertValid(etree.fromstring(wrapped))


def test_codebook_round_trip(tables, tmp_path):
    path = export_codebook(tables.codebook, tmp_path / "c.qdc")
    assert path.read_bytes() == export_codebook(tables.codebook, tmp_path / "d.qdc").read_bytes()
    codebook = import_codebook(path)
    back = codebook_table(codebook)
    pd.testing.assert_frame_equal(back, tables.codebook)
    assert back.attrs["source"].endswith("c.qdc")
    assert {group.name: len(group.codes) for group in codebook.sets} == {"Data": 2, "Other": 1}
    assert [code.name for code in codebook.codes] == ["Data", "Drift", "drift (drift_2)", "Team <&>"]
    assert codebook.codes[0].colour == codebook.codes[1].colour != codebook.codes[3].colour


def test_our_own_codebook_round_trips(tmp_path):
    ours = load_table("literature/codebook.csv")
    back = codebook_table(import_codebook(export_codebook(ours, tmp_path / "c.qdc")))
    a, b = (each.astype("string").sort_values("code").reset_index(drop=True) for each in (ours, back))
    pd.testing.assert_frame_equal(a, b)
    assert len(back) > 100


_CELL = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), st.sampled_from("\n\t\r\\:")
    ),
    min_size=1,
    max_size=12,
).map(str.strip)
_MAYBE = st.one_of(st.none(), st.just("[workbench]\ncode: x"), _CELL.map(lambda value: value or None))
_IDS = ["a", "b", "c"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_text_survives(tmp_path, data):
    def draw(strategy=_MAYBE):
        return data.draw(strategy)

    codes = [
        (code, draw(st.sampled_from([None, *_IDS[:at]])), draw(_CELL) or "n", draw(), draw(), "inductive")
        for at, code in enumerate(_IDS)
    ]
    spans = [sorted((draw(st.integers(0, 99)), draw(st.integers(0, 99)))) for _ in _IDS]
    segments = [
        (f"S{at}", draw(st.sampled_from(_IDS)), draw(), *spans[at], draw(st.sampled_from([None, "P1", "P2"])), draw())
        for at in range(3)
    ]
    triples = draw(
        st.sets(st.tuples(st.sampled_from(["S0", "S1", "S2"]), st.sampled_from(_IDS), st.sampled_from("AB")))
    )
    tables = Tables(
        frame("code parent name definition example origin", codes),
        frame("document title note", [(document, draw(), draw()) for document in _IDS]),
        frame("segment document locator start end participant paraphrase", segments),
        frame("segment code coder date", [(*triple, "2026-11-21") for triple in sorted(triples)]),
    )
    project = import_project(export_project(tables, tmp_path / "p.qdpx").path)
    assert same(tables, project_tables(project))
    assert in_schema_order(etree.fromstring(project.document))


def test_tables_that_do_not_fit_are_refused_with_every_fault(tables, tmp_path):
    tables.codings.loc[2, "code"] = "nowhere"
    tables.codings.loc[3, "date"] = "2026-02-30"
    tables.segments.loc[4, "document"] = "gone"
    tables.segments.loc[2, "end"] = 1
    tables.codebook.loc[2, "parent"] = "drift"
    with pytest.raises(InputError) as caught:
        export_project(tables, tmp_path / "p.qdpx")
    text = str(caught.value)
    assert "codings:2, column 'code': 'nowhere' is not in column 'code' of codebook" in text
    assert "codings:3, column 'date': '2026-02-30' is no date" in text
    assert "segments:4, column 'document': 'gone'" in text
    assert "segments:2: from 5 to 1" in text
    assert "codebook:2, column 'parent': 'data' is its own ancestor" in text
    assert not (tmp_path / "p.qdpx").exists()


def test_keys_and_characters_are_checked_first(tables, tmp_path):
    tables.codebook.loc[3, "code"] = "data"
    tables.codebook.loc[5, "definition"] = "a\x0bb"
    tables.segments.loc[2, "segment"] = "a:b"
    with pytest.raises(InputError) as caught:
        export_project(tables, tmp_path / "p.qdpx")
    assert {problem.where for problem in caught.value.problems} == {
        "codebook:3",
        "codebook:5, column 'definition'",
        "segments:2, column 'segment'",
    }
    assert "U+000B" in str(caught.value)
    with pytest.raises(InputError, match="columns \\['name'\\] are missing"):
        export_codebook(tables.codebook.drop(columns="name"), tmp_path / "c.qdc")


def test_another_text_than_the_coded_one_is_refused(tables, corpus, tmp_path):
    (corpus / "any name.txt").write_text("changed")
    (corpus / "talele2024.txt").write_text("changed too")
    with pytest.raises(InputError, match=r"talele2024\.txt is not the text that was coded"):
        export_project(tables, tmp_path / "p.qdpx", corpus)
    tables.documents["sha256"] = pd.Series(pd.NA, index=tables.documents.index, dtype="string")
    with pytest.raises(InputError, match="25 is behind the end") as caught:
        export_project(tables, tmp_path / "p.qdpx", corpus)
    assert len(caught.value.problems) == 2
    with pytest.raises(InputError, match="no such folder"):
        export_project(tables, tmp_path / "p.qdpx", tmp_path / "nowhere")


def test_codes_from_another_program_keep_their_project(tables, tmp_path):
    """A project that went through our tables keeps what they have no place for, and takes what was added."""
    export_project(tables, tmp_path / "base.qdpx")
    archive = zipfile.ZipFile(tmp_path / "base.qdpx")
    qde = archive.read("project.qde").decode()
    extra = (
        '<Links><Link guid="00000000-0000-0000-0000-000000000001" name="see" direction="OneWay"/></Links>'
        '<x:odd xmlns:x="urn:other" x:kept="yes">text</x:odd>'
    )
    drift = our_guid("code", "drift")
    with zipfile.ZipFile(tmp_path / "foreign.qdpx", "w") as file:
        file.writestr("My study.qde", qde.replace("<Sets>", extra + "<Sets>").replace(drift, f"{{{drift.upper()}}}"))
        file.writestr("Sources/picture.png", b"\x89PNG")
    project = import_project(tmp_path / "foreign.qdpx")
    assert any("unknown element {urn:other}odd" in remark for remark in project.remarks)
    read = project_tables(project)
    assert "left out of the tables, kept in the project: 1 × links" in read.remarks
    more = frame("segment code coder date", [("T0002", "data", "C", "2026-12-01")])
    codings = pd.concat([read.codings, more]).reset_index(drop=True)
    changed = Tables(read.codebook, read.documents, read.segments, codings, read.participants, read.guids)
    export_project(changed, tmp_path / "back.qdpx", base=project)
    back = import_project(tmp_path / "back.qdpx")
    assert same(changed, project_tables(back))
    assert [link.name for link in back.links] == ["see"]
    assert len(back.sets) == len(project.sets) == 2
    document = back.document.decode()
    assert '<x:odd xmlns:x="urn:other" x:kept="yes">text</x:odd>' in document
    assert zipfile.ZipFile(tmp_path / "back.qdpx").read("Sources/picture.png") == b"\x89PNG"
    assert [user.name for user in back.users] == ["A", "B", "C"]


def read_as_qualcoder(path, folder) -> dict:
    """What QualCoder makes of a project, by the assumptions of its importer in a few lines.

    QualCoder, ``src/qualcoder/refi.py``, class RefiImport, commit c3204641 (2026-08-22) and, where it was
    stricter, the release of 2023 (``qualcoder/refi.py``): `import_project` (extracts, looks for ``sources`` or
    ``Sources``, opens ``project.qde``), `sub_codes`, `parse_users`, `load_text_source`, `load_codings_for_text`,
    `name_creating_user_create_date_source_path_helper`, `parse_cases`, and the unique keys of its tables.
    """
    ns = "{urn:QDA-XML:project:1.0}"
    zipfile.ZipFile(path).extractall(folder)
    assert any((folder / name).is_dir() for name in ("sources", "Sources"))  # 2023: listdir without a net
    sources = "sources" if (folder / "sources").is_dir() else "Sources"
    root = ElementTree.parse(folder / "project.qde").getroot()
    assert root.get("origin") is not None  # `"ATLAS" in self.software_name` fails on None
    users = {user.get("guid"): user.get("name") for user in root.iter(f"{ns}User")}
    codes, parents = {}, {}

    def sub_codes(element, parent):
        others = [each for each in element if each.tag not in (f"{ns}Description", f"{ns}Code")]
        assert others == []  # 2023: a code with anything else inside is not read
        name = element.get("name")
        assert name not in codes.values()  # code_name.name is unique: the second is passed over
        assert len(element.get("color")) == 7 and element.get("color")[0] == "#"  # color_matcher
        codes[element.get("guid")], parents[name] = name, parent
        for each in element.findall(f"{ns}Code"):
            sub_codes(each, name)

    for code in next(iter(root.find(f"{ns}CodeBook"))):
        sub_codes(code, None)
    rows, annotations, texts = set(), [], {}
    for source in root.iter(f"{ns}TextSource"):
        file = folder / sources / source.get("plainTextPath").split("internal:/")[1].lstrip("/")
        assert "/" not in source.get("name")  # it becomes a file name
        text = file.read_bytes().decode("utf-8")
        raw = file.read_bytes().split(b"\n")[0]
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # universal newlines
        text = text.replace("\n", "\n ") if raw.endswith(b"\r") else text
        texts[source.get("name")] = text
        for each in source.findall(f"{ns}PlainTextSelection"):
            start, end = int(each.get("startPosition")), int(each.get("endPosition"))
            memo = each.findtext(f"{ns}Description")
            owner = users.get(each.get("creatingUser"), "default")  # of the selection, not of the coding
            codings = each.findall(f"{ns}Coding")
            if not codings:
                annotations.append((source.get("name"), start, end, memo))
                continue
            assert each.get("creationDateTime").replace("T", " ")  # 2023: None fails
            for coding in codings:
                row = (codes[next(iter(coding)).get("targetGUID")], source.get("name"), start, end, owner)
                rows.add(row)  # code_text is unique on these
    cases = {case.get("name"): case.findtext(f"{ns}Description") for case in root.iter(f"{ns}Case")}
    return {"codes": parents, "rows": rows, "annotations": annotations, "texts": texts, "cases": cases}


def test_qualcoder_reads_our_projects(tables, corpus, tmp_path):
    tables.codings.loc[6, "date"] = "2026-11-21"
    (corpus / "john2021.txt").write_text("x" * 100)
    # QualCoder keeps positions over Windows line breaks only where the first line has one.
    read = read_as_qualcoder(export_project(tables, tmp_path / "p.qdpx", corpus).path, tmp_path / "q")
    assert read["codes"] == {"Data": None, "Drift": "Data", "drift (drift_2)": "Data", "Team <&>": None}
    assert read["rows"] == {
        ("Team <&>", "john2021", 5, 90, "A"),
        ("Data", "talele2024", 6, 7, "A"),
        ("Drift", "talele2024", 6, 7, "A"),
        ("Drift", "talele2024", 6, 7, "B"),
        ("drift (drift_2)", "talele2024", 14, 25, "B"),
    }
    assert read["texts"]["talele2024"][6:7] == "😀"
    assert [(name, start, end) for name, start, end, _ in read["annotations"]] == [("talele2024", 14, 25)]
    assert set(read["cases"]) == {"T-P01", "T-P02"}


def test_our_fields_survive_qualcoder(tables, corpus, tmp_path):
    """QualCoder writes new GUIDs, selections named by their text, and a category beside a code that has codes below it.

    `text_selection_xml`, `codebook_xml`, `add_sub_categories` and `get_codes` of the same file.
    """
    tables.codings.loc[6, "date"] = "2026-11-21"
    project = import_project(export_project(tables, tmp_path / "p.qdpx", corpus).path)
    root = etree.fromstring(project.document)
    for place, element in enumerate(root.iter("{*}PlainTextSelection")):
        element.set("guid", f"00000000-0000-0000-0000-{place:012d}")
        element.set(
            "name", TEXT[int(element.get("startPosition")) : int(element.get("endPosition"))].replace("\f", " ")
        )
    data = next(root.iter("{*}Code"))
    twin = etree.Element(data.tag, {**data.attrib, "guid": our_guid("twin", "x")})
    twin.text = None
    twin.append(etree.fromstring(etree.tostring(child(data, "Description"))))
    data.set("isCodable", "false")
    data.insert(1, twin)
    with zipfile.ZipFile(tmp_path / "q.qdpx", "w") as file:
        file.writestr("project.qde", b"\xef\xbb\xbf" + etree.tostring(root))
        for name in project.members.values():
            file.writestr(name, zipfile.ZipFile(project.path).read(name))
    assert same(tables, project_tables(import_project(tmp_path / "q.qdpx")))
