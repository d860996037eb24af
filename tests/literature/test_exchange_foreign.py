"""Projects and codebooks that other programs write: read whole, oddities said, positions brought to one rule."""

from __future__ import annotations

import codecs
import itertools
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.literature.exchange import (
    codebook_table,
    export_project,
    import_codebook,
    import_project,
    project_tables,
)
from analysis.literature.exchange.positions import STANDARD, Rule, settle_positions

REFI = ROOT.parent / "shared/data/refi_qda"
needs_refi = pytest.mark.skipif(not REFI.is_dir(), reason="the ATLAS.ti project is not at hand")

G = "00000000-0000-0000-0000-{:012d}".format
TEXT = "Zürich 😀 is nice.\r\nThe 😀 food is good.\r\nBye."


def qde(
    *, ns: str = 'xmlns="urn:QDA-XML:project:1.0"', name: str = "Interviews", source: str = "", more: str = ""
) -> str:
    selections = "".join(
        f'<PlainTextSelection guid="{G(30 + n)}" name="{quote}" startPosition="{TEXT.index(quote)}" '
        f'endPosition="{TEXT.index(quote) + len(quote)}" creatingUser="{G(1)}">'
        f'<Coding guid="{G(40 + n)}" creationDateTime="2020-02-03T04:05:06Z"><CodeRef targetGUID="{{{G(10 + n)}}}"/>'
        "</Coding></PlainTextSelection>"
        for n, quote in enumerate(["nice", "food", "Bye."])
    )
    source = source or """name="Ann's talk.docx" plainTextPath="internal://a.txt\""""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Project {ns} name="{name}" origin="Program 1">'
        f'<Users><User guid="{G(1)}" name="Ann"/></Users><CodeBook><Codes>'
        f'<Code guid="{G(10)}" name="Place" isCodable="True" color="#abc"><Description>where</Description>'
        f'<NoteRef targetGUID="{G(50)}"/><Code guid="{{{G(11)}}}" name="Food &amp; drink" isCodable="true" '
        f'color="00ff00"/></Code><Code guid="{G(12)}" name="Food, drink" isCodable="false"/></Codes></CodeBook>'
        f'<Sources><TextSource guid="{G(20)}" {source}>'
        f"{selections}</TextSource></Sources>{more}</Project>"
    )


def write(folder: Path, members: dict[str, str | bytes], name: str = "p.qdpx") -> Path:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as file:
        for member, content in members.items():
            file.writestr(member, content)
    return folder / name


@needs_refi
def test_the_atlas_project_is_read_whole():
    project = import_project(REFI / "TestProject.qdpx")
    # Counted in the file; 14 codes, 8 selections (of text) and 16 codings as its data card says.
    assert (len(project.codes), len(project.codings)) == (14, 16)
    assert sum(selection.is_text for selection in project.selections) == 8
    assert (len(project.users), len(project.notes), len(project.links), len(project.sets)) == (3, 2, 1, 16)
    assert [(graph.vertices, graph.edges) for graph in project.graphs] == [(3, 2)]
    assert all(source.missing for source in project.sources)
    coke = next(code for code in project.codes if code.name == "Coke::diet Coke")
    assert (coke.description, coke.colour, coke.codable) == ("non sucré", "#966450", True)
    # Whole quotations in the names show that the end is the place behind the last character.
    whole = [each for each in project.selections if each.is_text and each.name in ("granola",)]
    assert [each.end - each.start for each in whole] == [len("granola")]


@needs_refi
def test_the_atlas_project_goes_through_our_tables_unharmed(tmp_path):
    project = import_project(REFI / "TestProject.qdpx")
    tables = project_tables(project)
    assert (len(tables.codebook), len(tables.segments), len(tables.codings)) == (14, 8, 9)
    said = tables.remarks[-1]
    for part in ("1 × PictureSelection", "4 × PDFSelection", "2 × VideoSelection", "7 × codings", "2 × notes"):
        assert part in said
    back = import_project(export_project(tables, tmp_path / "p.qdpx", base=project).path)
    etree.XMLSchema(etree.parse(REFI / "refi.xsd")).assertValid(etree.fromstring(back.document))
    before, after = (etree.fromstring(each.document) for each in (project, back))
    for name in ("Users", "Notes", "Links", "Sets", "Graphs", "PictureSource", "VideoSource", "AudioSource"):
        pairs = zip(before.iter(f"{{*}}{name}"), after.iter(f"{{*}}{name}"), strict=True)
        for one, other in pairs:
            for each in (one, other):  # our fields were added to descriptions of sources
                for description in list(each.iter("{*}Description")) if name.endswith("Source") else []:
                    description.getparent().remove(description)
            assert canonical(one) == canonical(other)
    for kind in ("codes", "selections", "codings", "sources"):
        assert [each.guid for each in getattr(back, kind)] == [each.guid for each in getattr(project, kind)]
    assert back.codings == project.codings


def canonical(element: etree._Element) -> str:
    return etree.canonicalize(etree.tostring(element, with_tail=False).decode(), strip_text=True)


@pytest.mark.parametrize("project", ["project.qde", "Project.qde", "Interviews 2020.QDE", "PROJECT.qde"])
@pytest.mark.parametrize("text", ["sources/a.txt", "Sources/A.TXT", "SOURCES/a.txt"])
def test_names_in_any_case(project, text, tmp_path):
    read = import_project(write(tmp_path, {project: qde(), text: TEXT.encode()}))
    assert read.sources[0].content == TEXT
    assert read.remarks == ()


@pytest.mark.parametrize(
    "ns",
    [
        'xmlns="urn:QDA-XML:project:1:0"',
        'xmlns="urn:QDA-XML:project:1.5"',
        'xmlns="urn:qda-xml:project:1.0"',
        "",
    ],
)
def test_other_namespaces(ns, tmp_path):
    read = import_project(write(tmp_path, {"p.qde": qde(ns=ns), "sources/a.txt": TEXT.encode()}))
    assert (len(read.codes), len(read.selections), len(read.codings)) == (3, 3, 3)
    assert "was read as urn:QDA-XML:project:1.0" in read.remarks[0]


def test_prefixes_and_spellings(tmp_path):
    text = qde(ns='xmlns:q="urn:QDA-XML:project:1.0"')
    text = text.replace("</", "</q:").replace("<", "<q:").replace("<q:/q:", "</q:").replace("<q:?", "<?")
    text = (
        text.replace("CodeBook", "Codebook").replace("startPosition", "StartPosition").replace("isCodable", "iscodable")
    )
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    assert [code.codable for code in read.codes] == [True, True, False]
    assert [each.start for each in read.selections] == [TEXT.index(quote) for quote in ("nice", "food", "Bye.")]
    assert "Codebook, StartPosition, iscodable" in read.remarks[0]


@pytest.mark.parametrize("encode", [codecs.BOM_UTF8.__add__, bytes, lambda data: data.decode().encode("utf-16")])
def test_byte_order_marks(encode, tmp_path):
    text = qde().replace(' encoding="utf-8"', "").encode()
    read = import_project(write(tmp_path, {"p.qde": encode(text), "sources/a.txt": encode(TEXT.encode())}))
    assert read.sources[0].content == TEXT
    assert [TEXT[each.start : each.end] for each in read.selections] == ["nice", "food", "Bye."]


def test_nested_codes_notes_colours(tmp_path):
    more = (
        f'<Notes><Note guid="{G(50)}" name="Memo" plainTextPath="internal://{G(50)}.txt" '
        f'creatingUser="{G(1)}"/></Notes>'
    )
    members = {"p.qde": qde(more=more), "sources/a.txt": TEXT.encode(), f"sources/{G(50)}.txt": b"thought"}
    read = import_project(write(tmp_path, members))
    assert [(code.parent, code.colour) for code in read.codes] == [("", "#AABBCC"), (G(10), "#00FF00"), ("", "")]
    assert read.codes[0].notes == (G(50),)
    assert (read.notes[0].text, read.notes[0].user) == ("thought", G(1))
    tables = project_tables(read)
    assert list(tables.codebook["code"]) == ["place", "food_drink", "food_drink_2"]
    assert list(tables.codebook["parent"].fillna("")) == ["", "place", ""]
    assert tables.documents["document"].item() == "ann_s_talk"
    assert tables.documents["characters"].item() == len(TEXT)
    assert tables.codings[["segment", "coder", "date"]].to_numpy().tolist() == [
        ["X0001", "Ann", "2020-02-03"],
        ["X0002", "Ann", "2020-02-03"],
        ["X0003", "Ann", "2020-02-03"],
    ]


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ('name="a" plainTextPath="internal://gone.txt"', True),
        ('name="a" plainTextPath="absolute:///C:/Users/ann/a.txt"', True),
        ('name="a" plainTextPath="relative:///a.txt"', True),
        ('name="a" plainTextPath="C:\\Users\\ann\\a.txt"', True),
        ('plainTextPath="a.txt"', False),
        ('plainTextPath="internal:///a.txt"', False),
        ('richTextPath="internal://a.docx"', True),
        ('name="a"', False),
    ],
)
def test_paths_of_sources(source, missing, tmp_path):
    read = import_project(write(tmp_path, {"p.qde": qde(source=source), "sources/a.txt": TEXT.encode()}))
    assert read.sources[0].missing is missing
    assert any("no file in the archive" in remark for remark in read.remarks) is missing
    assert (read.sources[0].content == TEXT) is ('"a.txt"' in source or ("///a.txt" in source and "internal" in source))
    assert len(project_tables(read).segments) == 3


def test_repacked_in_a_folder(tmp_path):
    members = {"Study/p.qde": qde(), "Study/sources/a.txt": TEXT.encode(), "__MACOSX/Study/._p.qde": b"x"}
    read = import_project(write(tmp_path, members))
    assert read.sources[0].content == TEXT
    assert any("'study/', which was taken for the root" in remark for remark in read.remarks)
    back = export_project(project_tables(read), tmp_path / "b.qdpx", base=read).path
    with zipfile.ZipFile(back) as file:
        assert file.namelist() == ["sources/", "project.qde", "sources/a.txt"]
    assert any("1 files of the operating system" in remark for remark in read.remarks)


def test_a_text_that_is_not_utf8_is_said(tmp_path):
    read = import_project(write(tmp_path, {"p.qde": qde(), "sources/a.txt": TEXT.encode("utf-8") + b"\xff"}))
    assert read.sources[0].content is None
    assert any("'sources/a.txt' is not UTF-8" in remark for remark in read.remarks)


def test_references_that_lead_nowhere_are_said(tmp_path):
    text = qde().replace(f"{{{G(11)}}}", G(99)).replace(f'creatingUser="{G(1)}"', f'creatingUser="{G(98)}"')
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    assert any(f"codes that are used and not listed: '{G(12)}'" in each for each in read.remarks) is False
    assert any(f"users that are used and not listed: '{G(98)}'" in each for each in read.remarks)
    text = qde().replace(f'targetGUID="{{{G(12)}}}"', f'targetGUID="{G(97)}"')
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    tables = project_tables(read)
    assert any(f"codes that are used and not listed: '{G(97)}'" in remark for remark in tables.remarks)
    assert "1 codings name a code that the project does not list: left out of the tables" in tables.remarks
    assert len(tables.codings) == 2


def test_positions_that_are_no_numbers_are_refused_by_line(tmp_path):
    text = qde().replace("<PlainTextSelection", "\n<PlainTextSelection")
    text = text.replace('startPosition="12"', 'startPosition="99"')
    bad = text.replace(f'endPosition="{TEXT.index("food") + 4}"', 'endPosition=""')
    with pytest.raises(InputError) as caught:
        import_project(write(tmp_path, {"p.qde": bad, "sources/a.txt": TEXT.encode()}))
    assert [problem.where.rpartition(":")[2] for problem in caught.value.problems] == ["2", "3"]


def test_a_coding_of_a_whole_text_is_a_segment(tmp_path):
    coding = f'<Coding guid="{G(60)}"><CodeRef targetGUID="{G(10)}"/></Coding></TextSource>'
    text = qde().replace("</TextSource>", coding)
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    tables = project_tables(read)
    whole = tables.segments[tables.segments["start"] == 0]
    assert whole[["start", "end"]].to_numpy().tolist() == [[0, len(TEXT)]]
    back = import_project(export_project(tables, tmp_path / "b.qdpx", base=read).path)
    assert len(back.codings) == 4


def test_cases_become_participants(tmp_path):
    more = (
        f'<Variables><Variable guid="{G(70)}" name="Role" typeOfVariable="Text"/></Variables>'
        f'<Cases><Case guid="{G(71)}" name="Anna"><VariableValue><VariableRef targetGUID="{G(70)}"/>'
        f'<TextValue>Manager</TextValue></VariableValue><SourceRef targetGUID="{G(20)}"/></Case></Cases>'
    )
    text = qde().replace("<Sources>", more + "<Sources>")
    tables = project_tables(import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()})))
    assert tables.participants[["participant", "role"]].to_numpy().tolist() == [["Anna", "Manager"]]
    assert set(tables.segments["participant"]) == {"Anna"}


def test_a_codebook_of_nvivo(tmp_path):
    """NVivo 12 for Mac: namespace with a colon, capital letters, nested codes, a set that names codes by guid."""
    (tmp_path / "c.qdc").write_text(
        '<?xml version="1.0" encoding="UTF-8" standalone="no" ?><CodeBook origin="NVivo 12 For Mac" '
        'xmlns="urn:QDA-XML:codebook:1:0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="urn:QDA-XML:codebook:1:0 Codebook.xsd"><Codes><Code color="#0000FF" guid="{G(1)}" '
        f'isCodable="true" name="Trust"><Description>in models</Description><Code guid="{G(2)}" isCodable="true" '
        f'name="Broken"/></Code></Codes><Sets><Set guid="{G(3)}" name="Feelings"><MemberCode guid="{G(2)}"/></Set>'
        "</Sets></CodeBook>"
    )
    table = codebook_table(import_codebook(tmp_path / "c.qdc"))
    assert table[["code", "parent", "theme"]].fillna("").to_numpy().tolist() == [
        ["trust", "", ""],
        ["broken", "trust", "Feelings"],
    ]
    assert table["definition"].iloc[0] == "in models"


COUNTING = {
    Rule(): lambda text: len(text),
    Rule(utf16=True): lambda text: len(text.encode("utf-16-le")) // 2,
    Rule(breaks="one"): lambda text: len(text.replace("\r\n", "\n")),
    Rule(utf16=True, breaks="one"): lambda text: len(text.replace("\r\n", "\n").encode("utf-16-le")) // 2,
    Rule(mark=True): lambda text: len("\ufeff" + text),
}


@pytest.mark.parametrize("rule", COUNTING, ids=str)
def test_positions_of_other_programs_are_brought_to_code_points(rule, tmp_path):
    count, text = COUNTING[rule], qde()
    for quote in ("nice", "food", "Bye."):
        start = TEXT.index(quote)
        end = start + len(quote)
        text = text.replace(f'"{start}"', f'"{count(TEXT[:start])}!"').replace(f'"{end}"', f'"{count(TEXT[:end])}!"')
    read = import_project(write(tmp_path, {"p.qde": text.replace("!", ""), "sources/a.txt": TEXT.encode()}))
    assert [TEXT[each.start : each.end] for each in read.selections] == ["nice", "food", "Bye."]
    assert read.sources[0].rule == str(rule)
    assert any("3 of 3 quotations fit" in remark for remark in read.remarks) is (rule != STANDARD)
    back = import_project(export_project(project_tables(read), tmp_path / "b.qdpx", base=read).path)
    assert back.sources[0].rule == "code points"
    assert [(each.start, each.end) for each in back.selections] == [(each.start, each.end) for each in read.selections]


def test_without_quotations_code_points_are_taken_and_said(tmp_path):
    text = qde().replace('name="nice"', 'name="line:1"').replace('name="food"', "").replace('name="Bye."', "")
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    assert any("no quotation tells how they were counted" in remark for remark in read.remarks)
    assert read.selections[0].start == TEXT.index("nice")


def test_renamed_selections_and_ends_behind_the_text_are_said(tmp_path):
    text = (
        qde().replace('name="nice"', 'name="my favourite"').replace(f'endPosition="{len(TEXT)}"', 'endPosition="999"')
    )
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    assert any("1 of 3 selections bear a name that is not their text" in remark for remark in read.remarks)
    assert any("1 selections end behind the end of the text" in remark for remark in read.remarks)


def test_shortened_quotations_and_inclusive_ends():
    text = "one two three four"
    settled = settle_positions(text, [(4, 6), (8, 17)], ["two", "three …"])
    assert (settled.rule, settled.spans) == (Rule(inclusive=True), ((4, 7), (8, 18)))
    assert settle_positions(text, [(4, 13)], ["two  thr..."]).rule == STANDARD


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_counting_is_undone_where_quotations_tell(data):
    text = data.draw(st.text(st.sampled_from("ab😀𝛑 \r\n"), min_size=4, max_size=40))
    rule, count = data.draw(st.sampled_from(list(COUNTING.items())[:4]))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), min_size=2, max_size=6)))
    if rule.breaks:  # a place between CR and LF does not exist for such a program
        cuts = [cut for cut in cuts if text[cut - 1 : cut + 1] != "\r\n"]
    spans = list(itertools.pairwise(cuts))
    given_spans = [(count(text[:start]), count(text[:end])) for start, end in spans]
    quotes = [text[start:end] for start, end in spans]
    settled = settle_positions(text, given_spans, quotes)
    fitting = sum(
        " ".join(text[start:end].split()) == " ".join(quote.split())
        for (start, end), quote in zip(settled.spans, quotes, strict=True)
        if len(" ".join(quote.split())) >= 3
    )
    assert settled.matched == settled.quoted == fitting


def test_missing_and_repeated_guids_are_coped_with_and_said(tmp_path):
    text = qde().replace(f'<Code guid="{G(12)}"', "<Code").replace(f'guid="{G(31)}"', f'guid="{G(30)}"')
    text = text.replace(
        f'<Code guid="{G(10)}"', f'<Code guid="{G(10)}" name="Twice" isCodable="true"/><Code guid="{G(10)}"'
    )
    read = import_project(write(tmp_path, {"p.qde": text, "sources/a.txt": TEXT.encode()}))
    assert any("<Code> has no GUID" in remark for remark in read.remarks)
    assert f"1 GUIDs stand for more than one code, the first of which is taken: '{G(10)}'" in read.remarks
    tables = project_tables(read)
    assert list(tables.codebook["code"]) == ["twice", "food_drink", "food_drink_2"]
    back = import_project(export_project(tables, tmp_path / "b.qdpx", base=read).path)
    assert [code.guid for code in back.codes] == [code.guid for code in read.codes]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_is_either_harmless_or_said(tmp_path, flips):
    data = bytearray(write(tmp_path, {"p.qde": qde(), "sources/a.txt": TEXT.encode()}).read_bytes())
    for place, value in flips:
        data[int(place * len(data))] = value
    (tmp_path / "d.qdpx").write_bytes(data)
    try:
        project = import_project(tmp_path / "d.qdpx")
    except InputError as error:
        assert error.problems
    else:
        assert len(project_tables(project).codings) <= 3
