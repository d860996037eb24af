"""Project archives (``.qdpx``): read without trusting them, written the same every time.

An archive from elsewhere is untrusted. Nothing is ever unpacked to disk: members are checked by
their names, kinds and sizes before the first byte is decompressed, and read one by one into memory.
The standard asks for one ``project.qde`` beside a flat folder ``sources`` (REFI-QDA 1.5, §8.1); real
tools write ``Project.qde``, ``<name>.qde``, ``Sources`` and, re-packed by hand, one folder around it all.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from analysis.base.errors import InputError, Problem
from analysis.base.paths import relative, write_atomic

MAX_MEMBERS = 20_000
MAX_TOTAL_BYTES = 4 * 2**30
MAX_READ_BYTES = 64 * 2**20
"""Most that is decompressed of one member: the project file, or one plain text."""
MAX_RATIO = 200
"""Bytes for one compressed byte. XML and prose stay under 20; deflate can reach 1,032."""
_RATIO_FROM_BYTES = 2**20
MAX_HELD_BYTES = 512 * 2**20
"""Most that is held of all plain texts together."""

_ARCHIVES = frozenset((".zip", ".qdpx", ".jar", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"))
_ZIP_DOCUMENTS = frozenset((".docx", ".docm", ".xlsx", ".pptx", ".odt", ".ods", ".odp", ".epub", ".pages", ".kmz"))
_LITTER = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")
_STORED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DATE = (1980, 1, 1, 0, 0, 0)
_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Archive:
    """A checked archive.

    Attributes
    ----------
    path : Path
        The file.
    project : str
        Name of the member that holds the project.
    members : mapping of str to str
        Files other than the project: name without the folder around it, normalised by `member_key` → name.
    remarks : tuple of str
        What was odd, and how it was read.
    """

    path: Path
    project: str
    members: Mapping[str, str]
    remarks: tuple[str, ...] = ()

    def read(self, name: str) -> bytes:
        """One member whole.

        Raises
        ------
        InputError
            It is larger than `MAX_READ_BYTES`, or damaged.
        """
        return self.read_all([name])[name]

    def read_all(self, names: list[str], limit: int = MAX_READ_BYTES) -> dict[str, bytes]:
        """Several members whole; raises `InputError` as `read` does, for the first that fails."""
        read = {}
        with _reading(self.path), zipfile.ZipFile(self.path) as file:
            total = sum(file.getinfo(name).file_size for name in names)
            if total > MAX_HELD_BYTES:
                problem = Problem(
                    relative(self.path), f"{total:,} bytes of text, at most {MAX_HELD_BYTES:,} are read", "split it"
                )
                raise InputError(f"{relative(self.path)} cannot be read.", [problem])
            for name in names:
                if file.getinfo(name).file_size > limit:
                    raise InputError(
                        f"{relative(self.path)} cannot be read.",
                        [
                            Problem(
                                f"{relative(self.path)}, member '{name}'",
                                f"{file.getinfo(name).file_size:,} bytes, at most {limit:,} are read",
                                "export the project in parts",
                            )
                        ],
                    )
                try:
                    read[name] = file.read(name)
                except _READ_ERRORS as error:
                    raise InputError(
                        f"{relative(self.path)} cannot be read.",
                        [
                            Problem(
                                f"{relative(self.path)}, member '{name}'",
                                f"damaged: {error}",
                                "export the project again",
                            )
                        ],
                    ) from None
        return read


def member_key(name: str) -> str:
    """How members are told apart: by name without regard to case, composition, or the slash's direction.

    >>> member_key("Sources\\\\A.TXT") == member_key("sources/./a.txt")
    True
    """
    parts = [part for part in unicodedata.normalize("NFC", name).replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(parts).casefold()


def unsafe_name(name: str) -> str:
    """Why a path must not be followed; empty where it may.

    >>> unsafe_name("sources/../../x")
    "leads out of the archive ('..')"
    >>> unsafe_name("sources/x.txt")
    ''
    """
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        return "is an absolute path"
    if ".." in plain.split("/"):
        return "leads out of the archive ('..')"
    if any(unicodedata.category(character) == "Cc" for character in plain):
        return "holds control characters"
    return ""


def open_archive(path: Path | str) -> Archive:
    """Check an archive and find the project in it.

    Raises
    ------
    InputError
        Not a ZIP archive; a member with a path that is absolute or leads out, that is a link or a device,
        encrypted, named twice, an archive itself, or compressed beyond `MAX_RATIO`; too many members; too
        large; no project file at the root, or several. All violations are listed.
    """
    path = Path(path)
    where = relative(path)
    if not path.is_file():
        raise InputError(f"{where} cannot be read.", [Problem(where, "no such file", "check the path")])
    with _reading(path), zipfile.ZipFile(path) as file:
        infos = file.infolist()
        problems = _check_members(file, infos, where)
    if problems:
        raise InputError(f"{where} is not safe to read.", problems)
    return _find_project(path, [info.filename for info in infos if not info.is_dir()])


def build_archive(members: Mapping[str, bytes], folders: tuple[str, ...] = ()) -> bytes:
    """A ZIP archive whose bytes depend on names and contents alone: no times, no compression library."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name in folders:
            entry = zipfile.ZipInfo(name.rstrip("/") + "/", _DATE)
            entry.create_system, entry.external_attr = 3, (stat.S_IFDIR | 0o755) << 16 | 0x10
            file.writestr(entry, b"")
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            file.writestr(entry, content)
    return buffer.getvalue()


def write_archive(path: Path, members: Mapping[str, bytes], folders: tuple[str, ...] = ()) -> Path:
    """`build_archive` into a file, whole or not at all."""
    return write_atomic(path, build_archive(members, folders))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except _READ_ERRORS as error:
        raise InputError(
            f"{relative(path)} cannot be read.",
            [Problem(relative(path), f"not a sound ZIP archive: {error}", "export the project again as .qdpx")],
        ) from None


def _check_members(file: zipfile.ZipFile, infos: list[zipfile.ZipInfo], where: str) -> list[Problem]:
    problems = []
    if len(infos) > MAX_MEMBERS:
        return [Problem(where, f"{len(infos):,} members, at most {MAX_MEMBERS:,} are read", "export it in parts")]
    total = sum(info.file_size for info in infos)
    if total > MAX_TOTAL_BYTES:
        problems.append(
            Problem(
                where,
                f"unpacks to {total:,} bytes, at most {MAX_TOTAL_BYTES:,} are read",
                "leave audio and video outside the project",
            )
        )
    counts = Counter(member_key(info.filename) for info in infos)
    for info in infos:
        name = info.orig_filename  # as stored: zipfile cuts names at a NUL
        reasons = [_why_not(file, info)]
        if counts[member_key(info.filename)] > 1:
            reasons.append(("named more than once (capital letters aside)", "keep one of them"))
        problems += [
            Problem(f"{where}, member {name!r}", what, remedy) for what, remedy in filter(None, reasons) if what
        ]
    return problems


def _why_not(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[str, str] | None:
    """The first reason to refuse one member, and the remedy."""
    unsafe = unsafe_name(info.orig_filename)
    if unsafe:
        return f"its path {unsafe}", "do not open this archive with other programs either"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.create_system == 3 and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or device, not a file", "export the project again with the files themselves"
    if info.flag_bits & 0x2041:  # bits 0 and 6: encrypted; 13: masked headers
        return "encrypted", "export the project without a password"
    if info.compress_type not in _STORED:
        return f"compressed by method {info.compress_type}, which is not read", "re-pack it with deflate"
    if info.file_size > _RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        ratio = info.file_size / max(info.compress_size, 1)
        return f"unpacks to {ratio:,.0f} times its size, at most {MAX_RATIO} is read", "it looks like a ZIP bomb"
    suffix = PurePosixPath(info.filename.lower()).suffix
    try:
        inner = suffix in _ARCHIVES or (suffix not in _ZIP_DOCUMENTS and _starts_as_zip(file, info))
    except _READ_ERRORS as error:
        return f"damaged: {error}", "export the project again"
    if inner:
        return "an archive inside the archive", "sources are texts, pictures, PDF, audio and video only"
    return None


def _starts_as_zip(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with file.open(info) as member:
        return member.read(4) == b"PK\x03\x04"


def _find_project(path: Path, names: list[str]) -> Archive:
    where = relative(path)
    remarks = []
    litter = [name for name in names if _is_litter(name)]
    if litter:
        remarks.append(f"{len(litter)} files of the operating system were left out, such as {litter[0]}")
    names = [name for name in names if not _is_litter(name)]
    plain = {name: member_key(name) for name in names}
    roots = [name for name, key in plain.items() if key.endswith(".qde") and "/" not in key]
    folder = ""
    if not roots:
        tops = {key.split("/")[0] for key in plain.values()}
        inner = [name for name, key in plain.items() if key.endswith(".qde") and key.count("/") == 1]
        if len(tops) == 1 and inner:
            roots, folder = inner, f"{tops.pop()}/"
            remarks.append(f"everything lies in one folder, '{folder}', which was taken for the root")
    if len(roots) != 1:
        found = ", ".join(repr(name) for name in sorted(roots or names)[:8]) or "nothing"
        what = "several project files" if roots else "no project file"
        raise InputError(
            f"{where} holds no single project.",
            [Problem(where, f"{what} at the root: found {found}", "there must be exactly one *.qde")],
        )
    members = {key.removeprefix(folder): name for name, key in plain.items() if name != roots[0]}
    return Archive(path, roots[0], members, tuple(remarks))


def _is_litter(name: str) -> bool:
    key = member_key(name)
    return key.startswith(_LITTER[0]) or key.split("/")[-1] in _LITTER
