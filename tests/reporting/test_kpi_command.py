"""``python -m analysis kpi``: table, JSON and page from files, and errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.kpi.dora import GROUPINGS
from analysis.kpi.event_files import write_events
from analysis.kpi.rules import RULE_SETS
from analysis.kpi.sources.open import SOURCES
from analysis.reporting import kpi_arguments
from tests.kpi.worked import log_of, row, ten_rows

START = 1_700_000_000
DAY = 86_400


@pytest.fixture
def events(tmp_path) -> Path:
    """The ten worked rows as an event table."""
    path = tmp_path / "shop.csv"
    write_events(log_of(*ten_rows()), path)
    return path


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """Twelve commits, a release every third day; v1.0.1 mends v1.0.0 a day later."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    path = tmp_path / "till"
    stream = []
    for mark in range(1, 13):
        stream += [
            f"commit refs/heads/main\nmark :{mark}\ncommitter A <a@example.org> {START + mark * DAY} +0000\n",
            f"data 4\nwork\n{f'from :{mark - 1}' if mark > 1 else 'deleteall'}\n",
            f"M 644 inline file\ndata {len(str(mark))}\n{mark}\n\n",
        ]
    for name, mark in (("v1.0.0", 3), ("v1.0.1", 4), ("v1.1.0", 8), ("v1.2.0", 12)):
        stream.append(f"reset refs/tags/{name}\nfrom :{mark}\n\n")
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream).encode(), check=True)
    return path


def run(capsys, *arguments) -> str:
    assert main(["kpi", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def fails(capsys, *arguments) -> str:
    assert main(["kpi", *map(str, arguments)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def data(capsys, *arguments) -> dict:
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    return json.loads(run(capsys, *arguments, "--format", "json"), parse_constant=refuse)


def test_table_of_the_worked_log(events, capsys):
    out = run(capsys, events)
    lines = out.splitlines()
    assert lines[0] == "shop: DORA 2025"
    lead, _level = (line.split() for line in lines if line.startswith("Change lead time  "))
    assert lead == ["Change", "lead", "time", "24.0", "h", "none", "3", "changes"]
    assert "Change fail rate: failed deployments by deployments" in out
    assert "no interval: it takes 6 values" in out
    assert all(line == line.rstrip() for line in lines)


def test_columns_of_the_table_are_aligned(events, capsys):
    lines = run(capsys, events).splitlines()
    rule = next(place for place, line in enumerate(lines) if set(line) == {"-", " "})
    block = lines[rule - 1 : lines.index("", rule)]
    edges = [place for place, letter in enumerate(block[1]) if letter == " "]
    assert all(len(line) <= place or line[place] == " " for line in block for place in edges)


def test_json_has_every_estimate_with_what_it_rests_on(events, capsys):
    found = data(capsys, events)
    assert list(found) == [
        "format",
        "log",
        "rules",
        "confidence",
        "metrics",
        "ml_metrics",
        "levels",
        "trend",
        "sensitivity",
        "multiverse",
        "before_after",
        "findings",
    ]
    wanted = [
        "metric",
        "name",
        "service",
        "period",
        "value",
        "low",
        "high",
        "confidence",
        "n",
        "unit",
        "method",
        "definition",
        "note",
    ]
    assert all(list(item) == wanted for item in found["metrics"])
    rate = next(item for item in found["metrics"] if item["metric"] == "change_fail_rate")
    # Wilson for 1 of 3 (Newcombe 1998, eq. 2 by hand): centre (1/3 + z²/6) / (1 + z²/3)
    assert (rate["value"], rate["n"], rate["method"]) == (1 / 3, 3, "Wilson score interval")
    assert (rate["low"], rate["high"]) == pytest.approx((0.0615, 0.7923), abs=1e-4)
    assert found["log"]["deployments"] == 3 and found["log"]["kind"] == "table"
    assert found["rules"]["key"] == "dora2025"


def test_what_is_missing_is_null_in_json(tmp_path, capsys):
    path = tmp_path / "quiet.csv"
    write_events(log_of(row("change.committed", 0, "c1"), row("service.deployed", 5, "d1", change="c1")), path)
    recovery = next(item for item in data(capsys, path)["metrics"] if item["metric"] == "recovery_time_h")
    assert recovery["value"] is None and recovery["n"] == 0
    assert recovery["note"] == "nothing to recover from"


def test_findings_keep_line_reason_and_remedy(tmp_path, capsys):
    path = tmp_path / "odd.csv"
    write_events(log_of(*ten_rows(), row("no.such.type", 3, "x")), path)
    findings = data(capsys, path)["findings"]
    (odd,) = [item for item in findings["rows"] if item["finding"] == "unknown type"]
    assert odd["line"] and "no.such.type" in odd["what"] and odd["remedy"]
    assert {"finding": "unknown type", "treatment": "left out", "count": 1} in findings["counts"]
    assert "unknown type: 1 (left out)" in run(capsys, path)


def test_weeks_have_rows_of_their_own_and_a_trend(events, capsys):
    found = data(capsys, events, "--by", "week")
    weeks = {item["period"]: item["n"] for item in found["metrics"] if item["metric"] == "deployments_per_week"}
    assert weeks["2026-01-05"] == 3
    assert {item["metric"] for item in found["trend"]} >= {"deployments_per_week"}
    assert "period" in run(capsys, events, "--by", "week")


def test_rules_by_name_and_all_of_them(events, capsys):
    assert data(capsys, events, "--rules", "fourkeys")["rules"]["name"] == "Four Keys (SQL)"
    found = data(capsys, events, "--rules", "all")
    assert {item["rules"] for item in found["multiverse"]} == {rules.name for rules in RULE_SETS.values()}
    assert "The same log under other rules" in run(capsys, events, "--rules", "all")


def test_a_stretch_and_a_service(events, capsys):
    found = data(capsys, events, "--from", "2026-01-06T06:00", "--to", "2026-01-08T08:30+01:00", "--service", "shop")
    assert found["log"]["begin"] == "2026-01-06T06:00:00+00:00"
    assert found["log"]["end"] == "2026-01-08T07:30:00+00:00"
    assert found["log"]["deployments"] == 2  # d2 at 72 h, d3 at 78 h; d1 (24 h) was before


def test_another_name_of_production_counts_everywhere(tmp_path, capsys):
    path = tmp_path / "live.csv"
    live = [item | ({"environment": "Live"} if "environment" in item else {}) for item in ten_rows()]
    write_events(log_of(*live, row("service.deployed", 10, "d0", environment="staging")), path)
    out = run(capsys, path)
    assert "Uncounted: 4 deployments elsewhere (Live 3, staging 1) · 2 incidents elsewhere (Live 2)" in out
    found = data(capsys, path, "--production", "live", "--rules", "all")
    assert (found["log"]["deployments"], found["log"]["incidents"]) == (3, 2)
    devlake = [item["n"] for item in found["multiverse"] if item["rules"] == "DevLake"]
    assert devlake == [0, 0, 1, 3, 1, 0, 1]
    assert "1 deployment elsewhere (staging 1)" in run(capsys, path, "--production", "live")


def test_what_findings_advise_can_be_said(tmp_path, capsys):
    api = "https://api.github.com/repos/octo/shop"
    deployed = {"id": 1, "sha": "a" * 40, "environment": "eu-1", "created_at": "2026-01-05T08:00:00", "url": f"{api}/1"}
    issue = {"number": 7, "created_at": "2026-01-05T09:00:00", "labels": [{"name": "outage"}], "state": "open"}
    for name, record in (("deployments", deployed), ("issues", issue | {"url": f"{api}/issues/7"})):
        (tmp_path / f"{name}.json").write_text(json.dumps([record]))
    message = fails(capsys, tmp_path)  # nothing is left, and why is said
    assert "deployments.json:1: created_at: the time 2026-01-05T08:00:00.000000 has no zone" in message
    assert "say zone=…" in message
    options = ["--zone", "UTC", "--option", "incident_labels=outage,incident", "--production", "eu-1"]
    found = data(capsys, tmp_path, *options)
    assert (found["log"]["deployments"], found["log"]["failed_deployments"]) == (1, 1)
    assert "does not have it" in fails(capsys, tmp_path, "--option", "colour=red")


def test_before_and_after(tmp_path, capsys):
    rows = [
        row("service.deployed", 168 * week + 5 * number, f"d{week}-{number}", change=f"c{week}-{number}")
        for week in range(30)
        for number in range((2 if week < 15 else 8) + week % 2)
    ]
    path = tmp_path / "long.csv"
    write_events(log_of(*rows, weeks=30), path)
    found = data(capsys, path, "--change", "2026-04-20")["before_after"]
    level = next(item for item in found if item["series"] == "deployments" and item["effect"] == "level_change")
    assert level["low"] < 8.5 / 2.5 < level["high"] and level["low"] > 2
    assert "level change" in run(capsys, path, "--change", "2026-04-20")


def test_repository_with_the_sensitivity_of_its_rule(repository, capsys):
    found = data(capsys, repository)
    assert found["log"]["kind"] == "git" and found["log"]["version"] == "1.2.0"
    rates = {item["rule"]: item["value"] for item in found["sensitivity"]}
    assert rates["as it is"] == rates["hotfixes only"] == 0.25 and rates["neither"] == 0
    assert "hotfix within 30 days" in run(capsys, repository)


def test_options_of_repositories(repository, tmp_path, capsys):
    rules = tmp_path / "rules.yaml"
    rules.write_text("hotfix_version: never\n")
    assert data(capsys, repository, "--git-rules", rules)["log"]["failed_deployments"] == 0
    assert data(capsys, repository, "--deployments", "merges", "--unit", "merge")["log"]["deployments"] == 12
    assert data(capsys, repository, "--tag-pattern", r"v(?P<version>1\.0\..*)")["log"]["deployments"] == 2


def test_page_of_a_repository(repository, tmp_path, capsys):
    out = run(capsys, repository, "--format", "page", "--out", tmp_path / "out", "--name", "The Till!")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["The-Till.html", "The-Till.pdf"]
    assert out.splitlines() == [str(tmp_path / "out/The-Till.html"), str(tmp_path / "out/The-Till.pdf")]
    html = (tmp_path / "out/The-Till.html").read_text(encoding="utf-8")
    assert "The Till!" in html and "Change fail rate if" in html


def test_out_writes_text_and_json_to_files(events, tmp_path, capsys):
    run(capsys, events, "--out", tmp_path / "o")
    run(capsys, events, "--out", tmp_path / "o", "--format", "json")
    assert (tmp_path / "o/shop.txt").read_text(encoding="utf-8").startswith("shop: DORA 2025")
    assert json.loads((tmp_path / "o/shop.json").read_text(encoding="utf-8"))["format"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rules", "acme"], "one of: dora2025"),
        (["--from", "31.1.2026"], "write 2026-01-31"),
        (["--to", "2020-01-01"], "nothing was watched before 2020-01-01"),
        (["--service", "nobody"], "services: shop"),
        (["--by", "hour"], "some of: service, week, month"),
        (["--by", "week", "--format", "page"], "A page tells nothing apart"),
        (["--confidence", "95"], "between 0 and 1"),
        (["--change", "2031-01-01"], "a day within the log"),
        (["--year", "2025"], "seven team profiles"),
        (["--kind", "svn"], "one of: git"),
        (["--deployments", "tags", "--unit", "commit"], "is read as table"),
        (["--mapping", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_errors_say_what_to_do(events, capsys, arguments, words):
    assert words in fails(capsys, events, *arguments)


def test_errors_of_the_path(tmp_path, capsys):
    assert "does not exist" in fails(capsys, tmp_path / "nowhere")
    (tmp_path / "picture.png").write_bytes(b"x")
    assert "is no event log that is known" in fails(capsys, tmp_path / "picture.png")
    empty = tmp_path / "empty.csv"
    empty.write_text("source,id,time,type,subject\n")
    assert "empty" in fails(capsys, empty)


def test_an_option_of_other_sources_is_refused_not_ignored(repository, capsys):
    message = fails(capsys, repository, "--zone", "UTC", "--mapping", "x.yaml")
    assert "--zone" in message and "--mapping" in message


def test_lists_of_the_arguments_are_those_of_the_modules():
    assert tuple(RULE_SETS) == kpi_arguments.RULES
    assert set(SOURCES) == set(kpi_arguments.KINDS)
    assert GROUPINGS == kpi_arguments.GROUPINGS


def test_times_of_json_are_those_of_the_log(events, capsys):
    found = data(capsys, events)["log"]
    begin, end = (datetime.fromisoformat(found[name]) for name in ("begin", "end"))
    assert begin.tzinfo is not None and end - begin <= timedelta(weeks=4)
    assert begin == datetime(2026, 1, 5, tzinfo=UTC)
