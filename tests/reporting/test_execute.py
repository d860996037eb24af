"""A notebook run ends: done, or with an error that names cell and cause; no kernel is left, no half file.

Every test that runs a notebook starts a real kernel.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from analysis.base.errors import DiskFullError, NotebookError
from analysis.base.paths import ROOT
from analysis.reporting import execute
from analysis.reporting.execute import run_notebook

MARK = "WORKBENCH_TEST"


@pytest.fixture
def mark(monkeypatch):
    """A value in the environment of every process of this test; afterwards none may be left."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    yield value
    assert processes(value) == []


def processes(value: str) -> list[psutil.Process]:
    """Other processes that carry the mark, however they were started."""
    found = []
    for process in psutil.process_iter():
        try:
            dead = process.status() == psutil.STATUS_ZOMBIE
            if not dead and process.pid != os.getpid() and process.environ().get(MARK) == value:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(condition, seconds: float = 20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def write(folder: Path, *cells: str, name: str = "01_a", parameters: str = "") -> Path:
    """A notebook; a cell that starts with '# ' is prose."""
    made = [new_markdown_cell(c) if c.startswith("# ") else new_code_cell(c) for c in cells]
    if parameters:
        made.insert(1, new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    kernel = {"name": "devops-mlops-workbench", "display_name": "x", "language": "python"}
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": kernel}), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def run(notebook: Path, profile: str = "") -> Path:
    path = notebook.parent / "p.yaml"
    path.write_text(profile)
    return run_notebook(notebook, path, notebook.parent / "build", io.StringIO())


def failure(notebook: Path, profile: str = "") -> str:
    with pytest.raises(NotebookError) as error:
        run(notebook, profile)
    return str(error.value)


def left_in_build(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "build/notebooks").iterdir())


def printed(path: Path) -> str:
    cells = nbformat.read(path, 4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", ()))


def test_a_run_takes_the_profile_and_nothing_of_the_users_set_up(tmp_path, monkeypatch, mark):
    startup = tmp_path / "ipython/profile_default/startup/00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("print('the user was here')")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONSTARTUP", str(startup))
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "no-kernels-here"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    notebook = write(
        tmp_path,
        "# Title",
        "#| label: tbl-a\nimport os, analysis\nprint(rate, type(rate).__name__, word)",
        "print(os.getcwd(), analysis.__file__, hash('a'), os.environ['WANDB_MODE'], os.environ['MPLBACKEND'])",
        "print(get_ipython().history_manager.hist_file)",
        parameters="rate: float = 0.5\nword: str = 'a'",
    )
    stale = tmp_path / "build/notebooks/01_a.failed.ipynb"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    done = run(notebook, '01_a: {rate: 2, word: "{b}\\"\\\\"}')
    assert done == tmp_path / "build/notebooks/01_a.ipynb"
    assert left_in_build(tmp_path) == ["01_a.ipynb"]
    seed = subprocess.run(
        [sys.executable, "-c", "print(hash('a'))"],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
    ).stdout.strip()
    assert printed(done).splitlines() == [
        '2.0 float {b}"\\',
        f"{tmp_path} {ROOT / 'analysis/__init__.py'} {seed} offline module://matplotlib_inline.backend_inline",
        ":memory:",
    ]
    cells = nbformat.read(done, 4).cells
    assert any(cell.source.startswith("#| label: tbl-a") for cell in cells)
    assert nbformat.read(notebook, 4).cells[2].outputs == []


def test_progress_and_processes_that_cells_leave_behind(tmp_path, mark):
    notebook = write(
        tmp_path, "# Survey", "import subprocess, time", "c = subprocess.Popen(['sleep', '600'])\ntime.sleep(1.3)"
    )
    (tmp_path / "p.yaml").write_text("")
    stream = io.StringIO()
    run_notebook(notebook, tmp_path / "p.yaml", tmp_path / "build", stream)
    lines = stream.getvalue().splitlines()
    assert "01_a  cell 2/2  Survey" in lines
    assert lines[-1].startswith("01_a  done in ") and lines[-1].endswith(" s (2 cells)")


def test_an_input_error_is_passed_on_in_full(tmp_path, mark):
    cell = "from analysis.base.errors import InputError, Problem\n"
    cell += (
        "raise InputError('bad.csv is wrong.', [Problem('bad.csv:3', 'no n', 'add it'), Problem('bad.csv:9', 'no k')])"
    )
    done = tmp_path / "build/notebooks/01_a.ipynb"
    done.parent.mkdir(parents=True)
    done.write_text("an earlier success")
    text = failure(write(tmp_path, "# Title", "x = 1", "# Load\n\ntext", f"#| label: tbl-a\n{cell}", "y = 1"))
    assert "01_a.ipynb failed in code cell 2 (tbl-a)" in text
    assert "code cell 2 of 3 (tbl-a), under 'Load': InputError: bad.csv is wrong." in text
    assert "bad.csv:3: no n" in text and "→ add it" in text and "bad.csv:9: no k" in text
    assert "at: raise InputError(" in text
    assert "\x1b" not in text
    assert "build/notebooks/01_a.failed.ipynb" in text
    assert done.read_text() == "an earlier success"
    assert left_in_build(tmp_path) == ["01_a.failed.ipynb", "01_a.ipynb"]
    saved = nbformat.read(tmp_path / "build/notebooks/01_a.failed.ipynb", 4)
    assert any(output.ename == "InputError" for cell in saved.cells for output in cell.get("outputs", ()))


TRIVIAL = ["x = 1"] * 200


@pytest.mark.parametrize(
    ("cells", "timeout", "expected"),
    [
        (
            ["import os", "os.kill(os.getpid(), 9)", "1"],
            60,
            "code cell 2 of 3 (os.kill(os.getpid(), 9)), under 'Title': KernelDied: the kernel was killed by SIGKILL",
        ),
        (["import os", "os._exit(3)"], 60, "KernelDied: the kernel ended with exit status 3"),
        (
            ["import os, threading", "threading.Timer(0.1, os.kill, (os.getpid(), 9)).start()", *TRIVIAL],
            60,
            "KernelDied: the kernel was killed by SIGKILL",
        ),
        (["import sys", "sys.exit(0)", "1"], 60, "SystemExit: 0; a notebook must run to its end"),
        (
            ["import time", "time.sleep(600)", "1"],
            1,
            "code cell 2 of 3 (time.sleep(600)), under 'Title': CellTimeout: not finished within 1 s",
        ),
        (["import time", "time.sleep(600)"], 0.3, "CellTimeout: not finished within 1 s"),
        (
            [
                "import signal\nfor s in (1, 2, 15):\n    signal.signal(s, signal.SIG_IGN)",
                "import time\nwhile True:\n    try:\n        time.sleep(600)\n    except BaseException:\n        pass",
            ],
            1,
            "CellTimeout: not finished within 1 s",
        ),
        (["import re", "re.match('(a+)+$', 'a' * 60 + 'b')"], 1, "CellTimeout: not finished within 1 s"),
        (["import os, signal", "os.kill(os.getpid(), signal.SIGSTOP)"], 1, "CellTimeout: not finished within 1 s"),
    ],
    ids=[
        "killed",
        "exited",
        "killed-between-cells",
        "sys-exit",
        "hung",
        "below-a-second",
        "deaf",
        "hung-in-c",
        "stopped",
    ],
)
def test_a_run_that_cannot_go_on_ends_at_once(tmp_path, mark, cells, timeout, expected):
    begun = time.monotonic()
    text = failure(write(tmp_path, "# Title", *cells), f"cell_timeout_s: {timeout}")
    assert time.monotonic() - begun < 10
    assert expected in text
    assert left_in_build(tmp_path) == ["01_a.failed.ipynb"]
    saved = nbformat.read(tmp_path / "build/notebooks/01_a.failed.ipynb", 4)
    assert any(output.output_type == "error" for cell in saved.cells for output in cell.get("outputs", ()))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (
            "os.kill(os.getpid(), 9)",
            "did not start: Kernel died before replying to kernel_info; the kernel was killed by SIGKILL",
        ),
        ("time.sleep(600)", "did not start: Kernel didn't respond in 2 seconds"),
        ("sys.stderr.write('ImportError: libzmq\\n'); os._exit(1)", "exit status 1; ImportError: libzmq"),
    ],
    ids=["killed", "hung", "broken"],
)
def test_a_kernel_that_does_not_come_up_is_an_error(tmp_path, monkeypatch, mark, fault, expected):
    site = tmp_path / "site/sitecustomize.py"
    site.parent.mkdir()
    site.write_text(f"import os, sys, time\nif 'ipykernel_launcher' in sys.orig_argv: {fault}\n")
    monkeypatch.setenv("PYTHONPATH", str(site.parent))
    monkeypatch.setattr(execute, "START_TIMEOUT_S", 2)
    begun = time.monotonic()
    text = failure(write(tmp_path, "# Title", "1"))
    assert time.monotonic() - begun < 10
    assert expected in text and "ipykernel_launcher" in text


def test_a_fault_in_the_profile_starts_nothing(tmp_path, mark):
    notebook = write(tmp_path, "# Title", "print(rate)", parameters="rate: float = 0.5")
    assert "did you mean 'rate'" in failure(notebook, "01_a: {rates: 1}")
    assert "no later cell reads it" in failure(write(tmp_path, "# Title", "print(1)", parameters="rate: float = 0.5"))
    assert not (tmp_path / "build").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
@pytest.mark.parametrize("when", ["first", "later"])
def test_a_full_disk_leaves_no_half_notebook(tmp_path, mark, when):
    running = tmp_path / "build/notebooks/01_a.running.ipynb"
    running.parent.mkdir(parents=True)
    cell = f"import os\nos.replace({str(tmp_path / 'full')!r}, {str(running)!r})"
    (running if when == "first" else tmp_path / "full").symlink_to("/dev/full")
    with pytest.raises(DiskFullError, match=r"No space left in .*build/notebooks"):
        run(write(tmp_path, "# Title", "x = 1" if when == "first" else cell, "y = 1"))
    assert left_in_build(tmp_path) == []


COMMAND = "import sys; from pathlib import Path; from analysis.reporting.execute import run_notebook; "
COMMAND += "run_notebook(*map(Path, sys.argv[1:]))"


def start(notebook: Path, cwd: Path = ROOT, **env: str) -> subprocess.Popen:
    (notebook.parent / "p.yaml").write_text("")
    arguments = [notebook, notebook.parent / "p.yaml", notebook.parent / "build"]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **env},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_runner_takes_its_kernel_along(tmp_path, mark, sent):
    ready = tmp_path / "ready"
    notebook = write(tmp_path, "# Title", f"import time\nopen({str(ready)!r}, 'w').close()\ntime.sleep(600)")
    runner = start(notebook, TMPDIR=str(tmp_path))  # a long path: no room for sockets, so this one runs over TCP
    wait_for(ready.exists)
    assert any("ipykernel_launcher" in " ".join(process.cmdline()) for process in processes(mark))
    runner.send_signal(sent)
    error = runner.communicate(timeout=10)[1]
    assert runner.returncode == {signal.SIGTERM: 143}.get(sent, -sent)
    assert "never retrieved" not in error
    wait_for(lambda: not processes(mark), 5)
    kept = [] if sent != signal.SIGKILL else ["01_a.running.ipynb"]
    assert left_in_build(tmp_path) == kept


def test_two_copies_of_the_tree_run_side_by_side_each_with_its_own_code(tmp_path, mark):
    runners = []
    for name in ("one", "two"):
        tree = tmp_path / name
        shutil.copytree(ROOT / "analysis", tree / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
        (tree / "notebooks").mkdir()
        notebook = write(tree / "notebooks", "# Title", "import analysis\nprint(analysis.__file__)")
        runners.append((tree, start(notebook, cwd=tree, PYTHONPATH=str(ROOT))))
    for tree, runner in runners:
        assert runner.wait(60) == 0, runner.stderr.read()
        runner.stderr.close()
        assert printed(tree / "notebooks/build/notebooks/01_a.ipynb").strip() == str(tree / "analysis/__init__.py")
