"""One small document for each supported construct: same words and numbers from every engine at hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

CONFORMANCE = Path(__file__).parent / "conformance"
DOCUMENTS = sorted(path.stem for path in CONFORMANCE.glob("*.qmd"))


def in_order(wanted: list[str], words: str) -> list[str]:
    """Those of ``wanted`` that do not follow one another in ``words``."""
    missing, start = [], 0
    for text in wanted:
        found = words.find(text, start)
        if found < 0:
            missing.append(text)
        else:
            start = found + len(text)
    return missing


@pytest.mark.parametrize("name", DOCUMENTS)
def test_words_and_numbers(name, engine, project):
    expected = yaml.safe_load((CONFORMANCE / f"{name}.yaml").read_text(encoding="utf-8"))
    project.write((CONFORMANCE / f"{name}.qmd").read_text(encoding="utf-8"))
    pdf, html = project.render(engine)
    assert in_order(expected["pdf"], pdf) == [], pdf
    wanted = expected.get("html", [text for text in expected["pdf"] if "Chapter" not in text])
    assert in_order(wanted, html) == [], html
    assert [text for text in expected.get("absent_pdf", []) if text in pdf] == []
    assert [text for text in expected.get("absent_html", []) if text in html] == []
    assert "??" not in pdf + html
