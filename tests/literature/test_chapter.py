"""The chapter on the documents and the ledger of findings belong together."""

from __future__ import annotations

import re

from analysis.base.paths import ROOT
from analysis.base.tables import load_table
from analysis.literature.findings import TOPICS

CHAPTERS = ROOT / "report/chapters"


def chapter() -> str:
    (path,) = CHAPTERS.glob("*-themes.qmd")
    return path.read_text(encoding="utf-8")


def test_every_finding_is_discussed_and_every_mark_is_a_finding():
    marks = set(re.findall(r"\bF\d\d\b", chapter()))
    findings = list(load_table("literature/findings.csv")["finding"])
    assert marks == set(findings)
    assert f"{findings[0]} to {findings[-1]}" in chapter()


def test_findings_are_discussed_under_the_table_that_lists_them():
    findings = load_table("literature/findings.csv").set_index("finding")["topic"]
    places = {topic: chapter().index(f"#tbl-coding-{topic} >}}") for topic in TOPICS}
    assert sorted(places.values()) == list(places.values())
    ends = dict(zip(places, [*list(places.values())[1:], chapter().index("## Answer to RQ4")], strict=True))
    for finding, topic in findings.items():
        assert f"{finding}" in chapter()[places[topic] : ends[topic]], f"{finding} is not discussed under {topic}"
