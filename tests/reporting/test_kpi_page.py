"""The one-page report: one page whatever it holds, the same content in both formats, nothing from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from io import BytesIO

import pandas as pd
import pypdf
import pytest

from analysis.kpi.before_after import compare_before_after
from analysis.kpi.checks import check_log
from analysis.kpi.events import EventLog
from analysis.kpi.findings import Finding, build_findings
from analysis.kpi.rules import DORA_2025, FOUR_KEYS
from analysis.kpi.samples import collect_samples
from analysis.reporting.kpi_content import breakable, build_page, describe_log, shorten
from analysis.reporting.kpi_page import name_file, render_html, render_pdf, write_page
from tests.kpi.worked import log_of, row, ten_rows

A4 = (595.28, 841.89)


def checked(*rows, **about) -> EventLog:
    return check_log(log_of(*rows, **about))


def pages(pdf: bytes) -> list[pypdf.PageObject]:
    return list(pypdf.PdfReader(BytesIO(pdf)).pages)


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text().split()) for page in pages(pdf))


def starts_of_text(page: pypdf.PageObject) -> list[tuple[float, float]]:
    found = []

    def visit(text, transform, matrix, *_):
        if text.strip():
            x, y = matrix[4], matrix[5]
            a, b, c, d, e, f = transform
            found.append((a * x + c * y + e, b * x + d * y + f))

    page.extract_text(visitor_text=visit)
    return found


@pytest.fixture(scope="module")
def worked():
    return build_page(checked(*ten_rows()), place="worked.jsonl")


def model_rows() -> list[dict]:
    rows = []
    for number in range(6):
        begin = 20 * number
        rows += [
            row("dataset.changed", begin, f"batch{number}", change=f"batch{number}"),
            row("training.started", begin + 1, f"run{number}", change=f"batch{number}"),
            row("training.finished", begin + 2, f"run{number}", change=f"batch{number}", value=60.0, outcome="success"),
            row("model.promoted", begin + 3, f"model{number}", change=f"batch{number}", cause=f"run{number}"),
            row("observation.recorded", begin, f"w{number}", outcome="success", value=0.7 + number / 50, target=0.75),
        ]
    return rows


def test_pdf_is_one_sheet_of_a4_with_everything(worked):
    (page,) = pages(render_pdf(worked))
    assert tuple(map(float, page.mediabox.upper_right)) == pytest.approx(A4, abs=1)
    text = text_of(render_pdf(worked))
    for words in (
        "3 changes · 3 deployments (1 failed) · 2 incidents (1 open) · 1 service: shop",
        "Change lead time",
        "Deployment rework rate",
        "24.0 h",
        "DORA 2025",
        "What this page can and cannot say",
    ):
        assert words in text


def test_both_formats_say_the_same(worked):
    html = re.sub(r"<[^>]+>", " ", render_html(worked))
    pdf = text_of(render_pdf(worked))
    for value in [*worked.metrics["value"], *worked.metrics["n"]]:
        assert value in html and value in pdf


def test_same_log_same_bytes(worked):
    again = build_page(checked(*ten_rows()), place="worked.jsonl")
    assert render_html(again) == render_html(worked)
    assert again.pictures == worked.pictures


def test_html_stands_alone(worked):
    needed: list[str] = []
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            needed.extend(value for name, value in attrs if name in ("src", "href") and value)
            if tag not in ("meta", "img"):
                opened.append(tag)
            if tag == "img":
                assert dict(attrs)["alt"]

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    html = render_html(worked)
    Reader().feed(html.removeprefix("<!doctype html>"))
    assert opened == []
    assert len(needed) == 5 and all(address.startswith("data:image/svg+xml;base64,") for address in needed)
    assert "<link" not in html and "@import" not in html and "<script" not in html


LONG = "a-service-whose-name-somebody-generated-" * 12


@pytest.mark.parametrize("name", [LONG, f"{'x' * 400} {'机器学习流水线' * 30} #let *x* = $y$ <b>&amp;\\"])
def test_no_name_overflows_the_page(name):
    rows = [item | {"service": f"{name}{number}"} for number, item in enumerate(ten_rows() * 3)]
    rows = [item | {"id": f"{place}", "subject": item["subject"] + str(place)} for place, item in enumerate(rows)]
    findings = build_findings(
        [Finding(name, 1, name, f"{kind} {name}", name, "kept", name) for kind in "abcdefghij" for _ in range(3)]
    )
    log = replace(checked(*rows), name=name, findings=findings)
    page = build_page(log, name=name, place=f"/home/{name}/{name}.jsonl")
    (sheet,) = pages(render_pdf(page))
    places = starts_of_text(sheet)
    assert places and all(0 < x < A4[0] and 0 < y < A4[1] for x, y in places)
    assert len(page.title) <= 70
    assert "<b>&amp;" not in render_html(page)


def test_markup_in_names_is_text(worked):
    page = replace(worked, title='#import "x" <script>alert(1)</script>')
    assert "<script>" not in render_html(page)
    assert '#import "x" <script>alert(1)</script>' in text_of(render_pdf(page))


def test_no_incident_is_said_and_not_drawn():
    log = checked(row("change.committed", 0, "c1"), row("service.deployed", 5, "d1", change="c1"))
    page = build_page(log)
    assert page.pictures["recovery"].svg == ""
    assert "Nothing to recover from" in page.pictures["recovery"].caption
    assert "Nothing to recover from" in text_of(render_pdf(page))
    shown = page.metrics.set_index("key")
    assert shown.loc["recovery_time_h", "value"] == "no value"
    # 0% of a log that never speaks of failures is said to be no more than that, beside the level too.
    assert "no incident and no rollback at all" in page.pictures["levels"].caption


def test_lead_times_from_the_proposal_are_called_so():
    rows = [row("change.created", 0, "c1"), row("service.deployed", 5, "d1", change="c1")]
    pictures = build_page(check_log(log_of(*rows, weeks=0.5))).pictures
    assert pictures["lead"].caption.startswith("From proposal: median 5.0 h")
    assert "Dashed" not in pictures["activity"].caption  # half a week: no trend is drawn, and none spoken of


def test_a_log_without_deployments_still_is_a_page():
    log = checked(row("change.committed", 0, "c1"), row("change.merged", 3, "c1"))
    page = build_page(log)
    assert {key for key, one in page.pictures.items() if one.svg} == {"levels", "multiverse"}
    assert page.pictures["activity"].caption == "The log has no deployment to production."
    assert len(pages(render_pdf(page))) == 1


def test_rules_without_recovery_time_show_the_time_to_restore():
    page = build_page(checked(*ten_rows()), rules=FOUR_KEYS)
    assert "mttr_h" in set(page.metrics["key"]) and "recovery_time_h" not in set(page.metrics["key"])
    assert dict(page.notes)["Rules"].startswith("Four Keys (SQL)")
    assert len(pages(render_pdf(page))) == 1


def test_models_are_on_the_page_where_there_are_any(worked):
    assert worked.ml_metrics.empty
    page = build_page(checked(*ten_rows(), *model_rows()))
    values = page.ml_metrics.set_index("key")["value"]
    assert values["promotion_rate"] == "100.0%" and values["compute_s_per_promotion"] == "60.0 s"
    pdf = render_pdf(page)
    assert len(pages(pdf)) == 1
    assert "Promotion rate" in text_of(pdf) and "Promotion rate" in render_html(page)


def test_sensitivity_and_a_change_are_stated():
    sensitivity = pd.DataFrame(
        {"rule": ["as it is", "neither"], "value": [0.3, 0.0], "low": [0.2, 0.0], "high": [0.4, 0.1]}
    )
    log = checked(*ten_rows())
    effects = compare_before_after(log, date(2026, 1, 14))
    page = build_page(log, sensitivity=sensitivity, change=date(2026, 1, 14), effects=effects)
    notes = dict(page.notes)
    assert "as it is 30.0% (20.0–40.0%); neither 0.0% (0.0–10.0%)" in notes["Change fail rate if"]
    assert "no series is long enough" in notes["Since 14 January 2026"]
    assert "Dotted: 14 January 2026." in page.pictures["activity"].caption


def test_findings_are_counted_with_their_treatment():
    log = checked(*ten_rows(), row("service.deployed", 200, "d9"), row("no.such.type", 210, "?"))
    facts = dict(describe_log(log, collect_samples(log, DORA_2025)))
    assert "unknown type: 1 (left out)" in facts["Findings"]
    assert "deployment without changes: 1 (kept)" in facts["Findings"]


def test_definitions_do_not_repeat_what_they_share(worked):
    assert not worked.metrics["definition"].str.contains("environment").any()
    assert "Production: environment production or prod" in dict(worked.notes)["Rules"]
    assert worked.metrics.set_index("key").loc["lead_time_commit_h_p90", "definition"] == "the same, for 90% of them"


def test_files(worked, tmp_path):
    html, pdf = write_page(worked, tmp_path / "kpis", "shop")
    assert (html.name, pdf.name) == ("shop.html", "shop.pdf")
    assert pdf.read_bytes().startswith(b"%PDF") and html.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("name", "file"), [("a/b c", "a-b-c"), ("../..", "kpis"), ("日本", "kpis"), ("x" * 300, "x" * 80)]
)
def test_file_names(name, file):
    assert name_file(name) == file


def test_long_words_can_be_broken_and_short_texts_stay():
    assert breakable("short words " * 20) == "short words " * 20
    assert "\u200b" in breakable("y" * 60)
    assert breakable("y" * 60).replace("\u200b", "") == "y" * 60
    assert shorten("one  two", 20) == "one two"
    assert len(shorten("z" * 500, 70)) == 70
