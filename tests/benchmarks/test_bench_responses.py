"""A million response rows, imported and checked: time and memory, beside the loop over rows that one writes first.

Both read the same questions, times and respondents, and check the same rules; compare microseconds a row, since the
loop gets fewer rows. The limits of the large import (15 s, 2 GB) are asserted.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.base.paths import ROOT
from analysis.survey.instrument import load_instrument
from analysis.survey.mapping import build_mapping, draft_mapping
from analysis.survey.privacy import open_vault
from analysis.survey.responses import load_responses

MANY, FEW = 1_000_000, 20_000
MOST_S, MOST_GB = 15.0, 2.0
GROUP = "import and check responses"
INSTRUMENT = load_instrument("practitioners")
CONTENT = draft_mapping(INSTRUMENT, "google_forms") | {"respondent": {"column": "Token"}}

IMPORT = """
import json, resource, sys, time
from pathlib import Path
from tests.benchmarks.test_bench_responses import CONTENT, INSTRUMENT
from analysis.survey.mapping import build_mapping
from analysis.survey.privacy import open_vault
from analysis.survey.responses import load_responses

mapping, vault = build_mapping(CONTENT, INSTRUMENT), open_vault(Path(sys.argv[2]))
start = time.perf_counter()
responses = load_responses(Path(sys.argv[1]), INSTRUMENT, mapping, vault)
took = time.perf_counter() - start
status = Path("/proc/self/status")
if status.is_file():  # ru_maxrss would start from the peak of the process that started this one
    peak = 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"n": responses.n, "seconds": took, "gigabytes": peak / 1e9}))
"""


def write_export(path: Path, rows: int) -> Path:
    """As Google Forms exports it, with a remark from every third respondent."""
    rng = np.random.default_rng(1)
    times = pd.Timestamp("2023-01-30") + pd.to_timedelta(rng.integers(0, 30 * 86_400, rows), unit="s")
    columns: dict[str, object] = {"Timestamp": times.strftime("%Y/%m/%d %I:%M:%S %p")}
    for question in INSTRUMENT.questions:
        labels = [option.label for option in question.options] or ["Yes", "No"]
        columns[question.wording] = np.array(labels, dtype=object)[rng.integers(0, len(labels), rows)]
        if question.kind == "text":
            columns[question.wording] = [f"remark, number {row}" if row % 3 == 0 else "" for row in range(rows)]
    columns["Token"] = [f"token-{row:07d}@example.org" for row in range(rows)]
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("few") / "export.csv", FEW)


@pytest.mark.benchmark(group=f"{GROUP}: {MANY:,} rows")
def test_a_million_rows(benchmark, tmp_path):
    """In a process of its own, so that its peak of memory is its own."""
    path = write_export(tmp_path / "export.csv", MANY)
    command = [sys.executable, "-c", IMPORT, str(path), str(tmp_path / "vault")]

    def run() -> dict:
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)

    done = benchmark.pedantic(run, rounds=3)
    benchmark.extra_info |= done
    print(f"\n{done['n']:,} rows: {done['seconds']:.1f} s, peak {done['gigabytes']:.2f} GB")
    assert done["n"] == MANY
    assert done["seconds"] < MOST_S and done["gigabytes"] < MOST_GB


@pytest.mark.benchmark(group=f"{GROUP}: {FEW:,} rows")
def test_few_rows(benchmark, few, tmp_path):
    mapping, vault = build_mapping(CONTENT, INSTRUMENT), open_vault(tmp_path / "vault")
    responses = benchmark.pedantic(load_responses, (few, INSTRUMENT, mapping, vault), rounds=5, warmup_rounds=1)
    assert responses.n == FEW


def read_row_by_row(path: Path) -> list[dict]:
    """The loop that one writes first: csv, a dictionary a row, every rule asked of every row."""
    problems, kept, seen = [], {}, set()
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            if not any(cell.strip() for cell in row.values()):
                continue
            answer: dict[str, object] = {"respondent": hashlib.blake2b(row["Token"].encode(), key=b"k").hexdigest()}
            try:
                answer["submitted"] = datetime.strptime(row["Timestamp"], "%Y/%m/%d %I:%M:%S %p")
            except ValueError:
                problems.append((line, "Timestamp"))
            for question in INSTRUMENT.questions:
                text = row[question.wording].strip()
                if question.required and not text:
                    problems.append((line, question.id))
                elif question.options:
                    found = [option.id for option in question.options if option.label.casefold() == text.casefold()]
                    if not found:
                        problems.append((line, question.id))
                    answer[question.id] = found[0] if found else None
                elif question.kind == "yes_no":
                    if text.casefold() not in ("yes", "no"):
                        problems.append((line, question.id))
                    answer[question.id] = text.casefold() == "yes"
                else:
                    answer[question.id] = text or None
            who = answer["respondent"]
            if who not in seen or answer["submitted"] >= kept[who]["submitted"]:
                kept[who] = answer
            seen.add(who)
    assert not problems
    return list(kept.values())


@pytest.mark.benchmark(group=f"{GROUP}: {FEW:,} rows")
def test_a_loop_over_few_rows(benchmark, few):
    assert len(benchmark.pedantic(read_row_by_row, (few,), rounds=5, warmup_rounds=1)) == FEW
