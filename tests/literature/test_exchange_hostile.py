"""Archives made to do harm: each is refused with what and where, and nothing is written anywhere."""

from __future__ import annotations

import io
import stat
import struct
import zipfile

import pytest

from analysis.base.errors import InputError
from analysis.literature.exchange import archive as archives
from analysis.literature.exchange import import_codebook, import_project
from analysis.literature.exchange.archive import build_archive
from analysis.literature.exchange.markup import MAX_DEPTH

NS = 'xmlns="urn:QDA-XML:project:1.0"'
PLAIN = f'<Project {NS} name="x"/>'.encode()


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def encrypted() -> bytes:
    """The flag alone: bit 0 of the general-purpose flags, in the local header and in the directory."""
    data = bytearray(zipped(("project.qde", PLAIN), ("sources/a.txt", b"a"), method=zipfile.ZIP_STORED))
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    local = struct.unpack("<I", data[at + 42 : at + 46])[0]
    data[local + 6] |= 1
    return bytes(data)


def damaged() -> bytes:
    data = zipped(("project.qde", PLAIN), method=zipfile.ZIP_STORED)
    return data.replace(PLAIN, PLAIN.replace(b'"x"', b'"y"'), 1)


def laughs(open_tag: str, close_tag: str) -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY l0 "ha">{entities}]>\n{open_tag}&l9;{close_tag}'.encode()


DESCRIBED = (f'<Project {NS} name="x"><Description>', "</Description></Project>")

HOSTILE: dict[str, tuple[bytes, list[str]]] = {
    "path that climbs out": (
        zipped(("project.qde", PLAIN), ("sources/../../evil.txt", b"x")),
        ["member 'sources/../../evil.txt'", "leads out of the archive"],
    ),
    "path that climbs out, Windows slashes": (
        zipped(("project.qde", PLAIN), ("sources\\..\\..\\evil.txt", b"x")),
        ["evil.txt'", "leads out of the archive"],
    ),
    "absolute path": (zipped(("project.qde", PLAIN), ("/tmp/evil.txt", b"x")), ["'/tmp/evil.txt'", "an absolute path"]),
    "drive": (zipped(("project.qde", PLAIN), ("C:/evil.txt", b"x")), ["'C:/evil.txt'", "an absolute path"]),
    "control character": (zipped(("project.qde", PLAIN), ("a\x1b[2Jb.txt", b"x")), ["control characters"]),
    "symbolic link": (
        zipped(("project.qde", PLAIN), (entry("sources/a.txt", stat.S_IFLNK | 0o777), b"/etc/passwd")),
        ["'sources/a.txt'", "a link or device"],
    ),
    "device": (
        zipped(("project.qde", PLAIN), (entry("sources/a", stat.S_IFCHR | 0o666), b"")),
        ["'sources/a'", "a link or device"],
    ),
    "ZIP bomb": (
        zipped(("project.qde", PLAIN), ("sources/a.txt", bytes(8_000_000))),
        ["'sources/a.txt'", "times its size, at most 200"],
    ),
    "project as ZIP bomb": (
        zipped(("project.qde", f'<Project {NS} name="{" " * 4_000_000}"/>'.encode())),
        ["'project.qde'", "times its size"],
    ),
    "archive inside": (
        zipped(("project.qde", PLAIN), ("sources/inner.ZIP", zipped(("a", b"a")))),
        ["'sources/inner.ZIP'", "an archive inside the archive"],
    ),
    "archive inside, in disguise": (
        zipped(("project.qde", PLAIN), ("sources/a.txt", zipped(("a", b"a")))),
        ["'sources/a.txt'", "an archive inside the archive"],
    ),
    "names that are one on some disks": (
        zipped(("project.qde", PLAIN), ("sources/a.txt", b"1"), ("Sources/A.TXT", b"2")),
        ["'sources/a.txt'", "'Sources/A.TXT'", "named more than once"],
    ),
    "encrypted": (encrypted(), ["'sources/a.txt'", "encrypted"]),
    "other compression": (
        zipped(("project.qde", PLAIN), method=zipfile.ZIP_LZMA),
        ["'project.qde'", "compressed by method 14"],
    ),
    "damaged": (damaged(), ["'project.qde'", "damaged"]),
    "two projects": (
        zipped(("project.qde", PLAIN), ("other.QDE", PLAIN)),
        ["several project files", "'other.QDE', 'project.qde'"],
    ),
    "no project": (zipped(("readme.txt", b"x")), ["no project file", "'readme.txt'"]),
    "nothing": (zipped(), ["no project file", "found nothing"]),
    "no archive": (b"not a zip", ["not a sound ZIP archive"]),
    "cut off": (zipped(("project.qde", PLAIN))[:-30], ["not a sound ZIP archive"]),
    "billion laughs": (zipped(("project.qde", laughs(*DESCRIBED))), ["project.qde:1", "document type or entities"]),
    "external entity": (
        zipped(
            ("project.qde", f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{"&e;".join(DESCRIBED)}'.encode())
        ),
        ["project.qde:1", "document type or entities"],
    ),
    "external document type": (
        zipped(("project.qde", b'\n<!DOCTYPE Project SYSTEM "http://127.0.0.1:9/x.dtd">' + PLAIN)),
        ["project.qde:2", "document type or entities"],
    ),
    "document type in UTF-16": (
        zipped(("project.qde", ('<!DOCTYPE x [<!ENTITY e "x">]>' + PLAIN.decode()).encode("utf-16"))),
        ["document type or entities"],
    ),
    "too deep": (
        zipped(("project.qde", f"<Project {NS}>{'<Code>' * 5000}{'</Code>' * 5000}</Project>".encode())),
        [f"deep, at most {MAX_DEPTH}"],
    ),
    "text from outside": (
        zipped(
            (
                "project.qde",
                f'<Project {NS} name="x"><Sources>\n<TextSource guid="1" plainTextPath="internal://../../etc/passwd"/>\n'
                '<TextSource guid="2" plainTextPath="internal://%2e%2e/secret.txt"/></Sources></Project>'.encode(),
            )
        ),
        ["project.qde:2", "project.qde:3", "leads out of the archive"],
    ),
    "not well-formed": (zipped(("project.qde", b"<Project>\n<Users></Project>")), ["project.qde:2", "not well-formed"]),
    "wrong encoding": (
        zipped(("project.qde", f'<Project {NS} name="caf\xe9"/>'.encode("latin-1"))),
        ["project.qde:1", "not well-formed"],
    ),
    "another document": (zipped(("project.qde", b"<html/>")), ["its root is <html>, expected <Project>"]),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused_cleanly(case, tmp_path):
    data, said = HOSTILE[case]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "evil.qdpx"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        import_project(path)
    for part in (*said, "evil.qdpx"):
        assert part in str(caught.value)
    assert all(problem.where and problem.what and problem.remedy for problem in caught.value.problems)
    assert [each.relative_to(tmp_path).as_posix() for each in sorted(tmp_path.rglob("*"))] == ["in", "in/evil.qdpx"]


def test_every_bad_member_is_named(tmp_path):
    path = tmp_path / "evil.qdpx"
    path.write_bytes(zipped(("project.qde", PLAIN), ("../a", b""), ("/b", b""), ("c.zip", b"")))
    with pytest.raises(InputError, match="is not safe to read") as caught:
        import_project(path)
    assert len(caught.value.problems) == 3


def test_limits_of_number_and_size(tmp_path, monkeypatch):
    path = tmp_path / "big.qdpx"
    path.write_bytes(zipped(("project.qde", PLAIN), ("sources/a.txt", b"12345"), ("sources/b.txt", b"12345")))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(InputError, match="3 members, at most 2"):
        import_project(path)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 20)
    with pytest.raises(InputError, match="unpacks to"):
        import_project(path)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 2000)
    monkeypatch.setattr(archives, "MAX_HELD_BYTES", 10)
    with pytest.raises(InputError, match="bytes of text, at most 10"):
        import_project(path)
    monkeypatch.undo()
    assert import_project(path).name == "x"


def test_a_size_that_lies_gives_no_more_than_it_says(tmp_path):
    """The directory says 10 bytes where a million unpack: ten are read, and their checksum is wrong."""
    data = bytearray(zipped(("project.qde", PLAIN + b" " * 1_000_000)))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    path = tmp_path / "lies.qdpx"
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        import_project(path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (laughs('<CodeBook xmlns="urn:QDA-XML:codebook:1.0"><Codes>', "</Codes></CodeBook>"), "document type"),
        (build_archive({"project.qde": PLAIN}), "an archive, not a codebook"),
        (PLAIN, "expected <CodeBook>"),
        (b"", "not well-formed"),
        (b'<CodeBook xmlns="urn:QDA-XML:codebook:1.0"><Codes>\n<Code guid="1"/></Codes></CodeBook>', "evil.qdc:2"),
    ],
)
def test_hostile_codebooks_are_refused_cleanly(data, said, tmp_path):
    path = tmp_path / "evil.qdc"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        import_codebook(path)
    assert said in str(caught.value)


def test_no_such_file(tmp_path):
    for read in (import_project, import_codebook):
        with pytest.raises(InputError, match="no such file"):
            read(tmp_path / "none")
