"""A small clone to try the Makefile on: real Makefile and dependency rules, stubs for the slow commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SETUP = f"""\
if [ "${{1:-}}" = --check ]; then test -f "$VENV/.ready"; exit; fi
echo setup >>calls.txt
mkdir -p "$VENV/bin"
printf '#!/bin/sh\\nexec "%s" "$@"\\n' '{sys.executable}' >"$VENV/bin/python"
chmod +x "$VENV/bin/python"
touch "$VENV/.ready"
"""

COMMANDS = '''\
"""Records every call in calls.txt and leaves the files that the real command leaves."""
import os, sys, time
from pathlib import Path
from analysis.base.errors import WorkbenchError
from analysis.base.provenance import write_makefile_rules

command, *rest = sys.argv[1:]
build = Path("report/build")
with open("calls.txt", "a") as calls:
    calls.write(" ".join([command, *rest]) + "\\n")

def leave(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made")

if command == "deps":
    try:
        write_makefile_rules(Path(rest[0]))
    except WorkbenchError as error:
        sys.exit(f"error: {error}")
elif command == "run":
    name = rest[0]
    if Path("break").exists() and Path("break").read_text() == name:
        leave(build / "results" / name / "results.json")
        sys.exit(f"error: {name} failed")
    if Path("hang").exists():
        leave(Path("hanging"))
        time.sleep(30)
    leave(build / "results" / name / "results.json", build / "notebooks" / f"{name}.ipynb")
elif command == "dictionary":
    leave(build / "generated" / "_data_dictionary.qmd")
elif command == "render":
    leave(Path("report/_variables.yml"), build / "thesis.pdf", build / "thesis.html")
'''


@dataclass(frozen=True)
class Clone:
    """A clone with two notebooks: 01_alpha uses analysis/alpha.py and data/alpha/a.csv, 02_beta analysis/beta.py."""

    folder: Path

    def __truediv__(self, path: str) -> Path:
        return self.folder / path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start make; its process group is its own, so that it can be interrupted like from a terminal."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return subprocess.Popen(
            [os.environ.get("MAKE", "make"), *arguments],
            cwd=self.folder,
            env=environment | {"LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def make(self, *arguments: str, fails: bool = False) -> str:
        """Run make, assert how it ends, and return what it printed."""
        process = self.start(*arguments)
        output = process.communicate(timeout=60)[0]
        assert (process.returncode != 0) == fails, output
        return output

    def calls(self) -> list[str]:
        """Commands called since the last look, without ``deps``; sorted, since -j2 has no order."""
        log = self / "calls.txt"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return sorted(call for call in calls if not call.startswith("deps "))

    def age(self) -> None:
        """Let a minute pass, so that what is touched next is newer even where times are whole seconds."""
        for path in self.folder.rglob("*"):
            if path.is_file():
                stat = path.stat()
                os.utime(path, (stat.st_atime - 60, stat.st_mtime - 60))

    def built(self, *arguments: str) -> Clone:
        """Build the report once and forget the calls."""
        self.make("report", *arguments)
        self.calls()
        self.age()
        return self

    def write_notebook(self, name: str, *lines: str) -> None:
        """Write a notebook of one code cell."""
        cell = {"cell_type": "code", "source": "\n".join(lines), "metadata": {}, "outputs": []}
        text = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        (self / f"notebooks/{name}.ipynb").write_text(text)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A fresh clone: nothing built, no environment. The space in its path is meant."""
    folder = tmp_path / "my clone"
    files = {
        "env/setup.sh": SETUP,
        "env/requirements.lock": "",
        "analysis/__main__.py": COMMANDS,
        "analysis/alpha.py": "from analysis.shared import x",
        "analysis/beta.py": "from analysis.shared import x",
        "analysis/shared.py": "x = 1",
        "analysis/reporting/appendix.py": "",
        "data/alpha/a.csv": "a\n1\n",
        "report/thesis.qmd": "",
        "report/_quarto.yml": "",
        "report/chapters/01-one.qmd": "",
        "report/references.bib": "",
        "notebooks/profiles/quick.yaml": "",
        "notebooks/profiles/full.yaml": "",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copy(ROOT / "analysis/__init__.py", folder / "analysis")
    shutil.copytree(ROOT / "analysis/base", folder / "analysis/base", ignore=shutil.ignore_patterns("__pycache__"))
    clone = Clone(folder)
    clone.write_notebook("00_start_here", "from analysis.base import paths")
    store = "from analysis.base.results import Results"
    clone.write_notebook("01_alpha", store, "from analysis import alpha", "table = 'alpha/a.csv'")
    clone.write_notebook("02_beta", store, "from analysis import beta")
    clone.age()
    return clone


@pytest.fixture
def wait_for() -> Callable[[Path], None]:
    """Wait until a file is there."""

    def wait(path: Path, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not path.exists():
            assert time.monotonic() < end, f"{path} never came"
            time.sleep(0.02)

    return wait
