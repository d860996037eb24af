"""Source lines know their file and number through includes; code is told from prose."""

from __future__ import annotations

import pytest

from analysis.base.errors import ReportError
from analysis.reporting.sources import read_document


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_keep_file_and_number_through_nested_includes(tmp_path):
    write(tmp_path, "a/one.qmd", "one\n\n{{< include b/two.qmd >}}\nend\n")
    write(tmp_path, "b/two.qmd", "two\n")
    main = write(tmp_path, "thesis.qmd", "---\ntitle: T\n---\nstart\n\n{{< include a/one.qmd >}}\n")
    document = read_document(main)
    places = [(line.text, line.file.name, line.number) for line in document.lines if line.text]
    assert places == [("start", "thesis.qmd", 4), ("one", "one.qmd", 1), ("two", "two.qmd", 1), ("end", "one.qmd", 4)]
    assert document.front == {"title": "T"}


def test_shortcodes_in_code_are_words_not_shortcodes(tmp_path):
    fenced = "```\n{{< var e.f >}}\n```\n\n~~~~\n```\n{{< var g.h >}}\n~~~~\n"
    text = "`{{< var a.b >}}` and {{< var c.d >}}\n\n" + fenced + "{{< var i.j >}}\n"
    document = read_document(write(tmp_path, "thesis.qmd", text))
    assert [(code.arguments, code.line.number) for code in document.shortcodes("var")] == [("c.d", 1), ("i.j", 11)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "does not exist"),
        ({"thesis.qmd": "---\ntitle: x\n"}, r"thesis.qmd:1: no closing ---"),
        ({"thesis.qmd": "---\ntitle: x\nbad: [1\n---\n"}, r"thesis\.qmd:\d"),
        ({"thesis.qmd": "a\n{{< include no.qmd >}}\n"}, r"thesis\.qmd:2: no file .*no\.qmd"),
        ({"thesis.qmd": "{{< include a.qmd >}}\n", "a.qmd": "\n{{< include a.qmd >}}"}, r"a\.qmd:2: .* already"),
    ],
)
def test_unreadable_sources_are_named(files, message, tmp_path):
    for name, text in files.items():
        write(tmp_path, name, text)
    with pytest.raises(ReportError, match=message):
        read_document(tmp_path / "thesis.qmd")
