"""env/setup.sh on machines that lack something, and after an interruption; the Python is a stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TOOLS = ("awk", "cat", "cksum", "cp", "date", "df", "dirname", "grep", "head")
TOOLS += ("ls", "mkdir", "mv", "rm", "sed", "sh", "tail")

PYTHON = """\
#!/bin/sh
# Python {version} as far as setup.sh asks for it; logs what it is told to do.
case "$*" in
*'"%d.%d.%d"'*) echo {version} ;;
*version_info*) exit {unfit} ;;
*_base_executable*) echo "{path}" ;;
*ensurepip*) {ensurepip} ;;
'-m venv '*) echo venv >>"{log}"; mkdir -p "$3/bin"; : >"$3/pyvenv.cfg"; cp "{path}" "$3/bin/python" ;;
'-m pip install '*) echo install >>"{log}"; printf 'Collecting a\\nInstalling collected packages: a\\n'; {install} ;;
'-m pip check '*) {check} ;;
'-m ipykernel install '*) echo kernel >>"{log}" ;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A clone, and a PATH that holds only what the test puts there."""

    clone: Path
    programs: Path

    @property
    def log(self) -> Path:
        """What the Python was told to do."""
        return self.clone.parent / "log"

    def put(self, name: str, script: str) -> None:
        """Install a program."""
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def put_python(self, name: str = "python3.11", version: str = "3.11.7", **behaviour: str) -> None:
        """Install a stand-in for Python."""
        unfit = int(tuple(map(int, version.split("."))) < (3, 11))
        defaults = {"ensurepip": ":", "install": ":", "check": ":"} | behaviour
        path = self.programs / name
        self.put(name, PYTHON.format(version=version, unfit=unfit, path=path, log=self.log, **defaults))

    def setup(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run setup.sh."""
        return subprocess.run(
            [shutil.which("sh") or "/bin/sh", "env/setup.sh", *arguments],
            cwd=self.clone,
            env={"PATH": str(self.programs), "LC_ALL": "C"} | variables,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def sets_up(self, **variables: str) -> list[str]:
        """Run setup.sh, assert that it ends well, and return what Python was told to do."""
        self.log.unlink(missing_ok=True)
        done = self.setup(**variables)
        assert done.returncode == 0, done.stderr
        return self.log.read_text().split() if self.log.exists() else []

    def refuses(self, **variables: str) -> str:
        """Run setup.sh, assert that it fails with one sentence, and return that."""
        done = self.setup(**variables)
        assert done.returncode == 1, done.stdout + done.stderr
        assert done.stderr.startswith("setup: ") and done.stderr.count("\n") == 1, done.stderr
        assert not (self.clone / ".venv/.ready").exists()
        return done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with git, space and Python 3.11."""
    machine = Machine(tmp_path / "clone", tmp_path / "bin")
    machine.programs.mkdir()
    shutil.copytree(ROOT / "env", machine.clone / "env")
    for tool in TOOLS:
        (machine.programs / tool).symlink_to(shutil.which(tool) or tool)
    machine.put("git", "#!/bin/sh\necho git version 2\n")
    machine.put("df", "#!/bin/sh\necho Filesystem; echo disk 90000000 0 50000000 1% /\n")
    machine.put_python()
    return machine


def test_sets_up_once(machine):
    assert machine.setup("--check").returncode == 1
    assert machine.sets_up() == ["venv", "install", "kernel"]
    assert machine.setup("--check").returncode == 0
    assert machine.sets_up() == []


def test_no_python(machine):
    (machine.programs / "python3.11").unlink()
    assert "Python 3.11 or 3.12 is needed and was not found; install it" in machine.refuses()


def test_only_old_pythons(machine):
    (machine.programs / "python3.11").unlink()
    machine.put_python("python3", "3.9.18")
    machine.put_python("python", "2.7.18")
    assert "was not found (python3 is 3.9.18, python is 2.7.18); install it" in machine.refuses()


def test_first_fit_is_taken(machine):
    (machine.programs / "python3.11").unlink()
    machine.put("python3.12", "#!/bin/sh\necho 'shim: not installed' >&2\nexit 127\n")
    machine.put_python("python3", "3.10.1")
    machine.put_python("python", "3.12.1")
    assert "making .venv with Python 3.12.1" in machine.setup().stdout


def test_named_python_is_too_old(machine):
    machine.put_python("python3.9", "3.9.18")
    assert "is needed, and PYTHON=python3.9 is 3.9.18; name a newer one" in machine.refuses(PYTHON="python3.9")


def test_named_python_does_not_exist(machine):
    assert "PYTHON=python4 is not a Python that runs" in machine.refuses(PYTHON="python4")


def test_newer_python_goes_on_with_a_word(machine):
    machine.put_python("python3.13", "3.13.0")
    done = machine.setup(PYTHON="python3.13")
    assert done.returncode == 0
    assert "Python 3.13.0 is newer than 3.11 and 3.12, on which this is tested; going on\n" in done.stdout


def test_no_git(machine):
    (machine.programs / "git").unlink()
    assert "git is needed and does not run here; install it" in machine.refuses()


def test_git_that_only_asks_to_be_installed(machine):
    machine.put("git", "#!/bin/sh\necho 'xcrun: error: invalid active developer path' >&2\nexit 1\n")
    assert "macOS: xcode-select --install" in machine.refuses()


def test_no_venv_module(machine):
    machine.put_python(ensurepip="exit 1")
    assert "sudo apt install python3.11-venv" in machine.refuses()


def test_too_little_disk(machine):
    machine.put("df", "#!/bin/sh\necho Filesystem; echo disk 90000000 0 307200 99% /\n")
    assert "9000 MB of free disk are needed for .venv and 300 MB are there" in machine.refuses()


def test_read_only_folder(machine):
    machine.put("mkdir", "#!/bin/sh\necho 'mkdir: Permission denied' >&2\nexit 1\n")
    assert ".venv cannot be made here; check the permissions of ." in machine.refuses()


def test_foreign_folder_is_not_touched(machine, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    message = machine.refuses(VENV=str(tmp_path / "precious"))
    assert "was not made by `make setup` and does not hold what env/requirements.lock pins" in message
    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["file"]


def test_failed_install_names_the_cause_and_the_next_run_recovers(machine):
    machine.put_python(install="echo 'WARNING: retrying' >&2; echo 'ERROR: No network' >&2; exit 1")
    message = machine.refuses()
    assert "pip could not install the packages: No network (all it said: .venv/setup-errors.log)" in message
    machine.put_python()
    assert machine.sets_up() == ["venv", "install", "kernel"]


def test_packages_that_do_not_fit(machine):
    machine.put_python(check="echo 'a 1 requires b, which is not installed.'; exit 1")
    assert "do not fit together (a 1 requires b, which is not installed.)" in machine.refuses()


@pytest.mark.parametrize("survivors", [(), (".setup",), (".setup", "pyvenv.cfg", "bin/python")])
def test_interrupted_set_up_starts_again(machine, survivors):
    (machine.clone / ".venv").mkdir()
    if survivors:
        (machine.clone / ".venv/bin").mkdir()
    for name in survivors:
        (machine.clone / ".venv" / name).touch()
    assert machine.sets_up() == ["venv", "install", "kernel"]


def test_interrupted_before_the_kernel_only_adds_the_kernel(machine):
    machine.sets_up()
    (machine.clone / ".venv/.ready").unlink()
    assert machine.sets_up() == ["kernel"]


def test_other_lock_makes_a_fresh_environment(machine):
    machine.sets_up()
    with (machine.clone / "env/requirements.lock").open("a") as lock:
        lock.write("another==1.0\n")
    assert machine.setup("--check").returncode == 1
    assert machine.sets_up() == ["venv", "install", "kernel"]


def test_moved_clone_makes_a_fresh_environment(machine, tmp_path):
    machine.sets_up()
    machine.clone.rename(tmp_path / "moved")
    moved = Machine(tmp_path / "moved", machine.programs)
    assert moved.setup("--check").returncode == 1
    assert moved.sets_up() == ["venv", "install", "kernel"]


def test_lost_interpreter_makes_a_fresh_environment(machine):
    machine.sets_up()
    (machine.clone / ".venv/bin/python").unlink()
    (machine.clone / ".venv/bin/python").symlink_to("/gone/python3.11")
    assert machine.sets_up() == ["venv", "install", "kernel"]


def test_shared_environment_changes_its_kernel_only(machine, tmp_path):
    shared = str(tmp_path / "shared")
    machine.sets_up(VENV=shared)
    shutil.copytree(machine.clone, tmp_path / "second")
    second = Machine(tmp_path / "second", machine.programs)
    assert second.sets_up(VENV=shared) == ["kernel"]


def test_conda_environment_is_checked_and_never_changed(machine, tmp_path):
    conda = tmp_path / "conda"
    (conda / "bin").mkdir(parents=True)
    shutil.copy(machine.programs / "python3.11", conda / "bin/python")
    assert machine.sets_up(VENV=str(conda)) == ["install", "kernel"]  # "install" is pip install --dry-run
    (conda / ".packages").unlink()
    machine.put_python(install="exit 1")
    shutil.copy(machine.programs / "python3.11", conda / "bin/python")
    assert "bring it up to date (conda: conda env update -f environment.yml)" in machine.refuses(VENV=str(conda))
    assert (conda / "bin/python").exists()


def test_works_from_any_folder(machine):
    done = subprocess.run(
        ["/bin/sh", str(machine.clone / "env/setup.sh")],
        cwd="/",
        env={"PATH": str(machine.programs), "CDPATH": os.sep},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (machine.clone / ".venv/.ready").is_file()
