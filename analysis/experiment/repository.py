"""The project under study in a git repository of its own: commits in virtual time, and its unit tests.

Who commits, when and with what settings comes from here alone, never from the machine's git configuration,
so that the same changes at the same virtual times give the same commits everywhere.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from analysis.base.errors import InputError, Problem, WorkbenchError
from analysis.base.paths import disk_errors, relative, write_atomic
from analysis.experiment.defective_changes import BAD_HYPERPARAMETERS, TRAINING

TEMPLATE = Path(__file__).parent / "project"
"""The project as it is before anybody changes it."""

AUTHOR, EMAIL = "Inspection team", "team@inspection.example"
MARK = "workbench-scratch"
"""File in ``.git`` that tells a scratch repository from anybody's own."""

NOT_FILES = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
OUTPUT_LINES = 8
_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
    "core.fileMode=false",
    "core.excludesFile=/dev/null",
    "core.attributesFile=/dev/null",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
)


class RepositoryError(WorkbenchError):
    """Git refused to do what was asked of it in a scratch repository."""


@dataclass(frozen=True, slots=True)
class TestRun:
    """Unit tests as they ran.

    Attributes
    ----------
    passed : bool
        At least one test ran and none failed.
    tests : int
        How many ran.
    failed : tuple of str
        Names of those that failed, sorted; what pytest said where it could not run them.
    seconds : float
        Wall-clock time of the whole run.
    """

    __test__: ClassVar[bool] = False  # not a test itself, whatever pytest makes of the name

    passed: bool
    tests: int
    failed: tuple[str, ...]
    seconds: float


class ScratchRepository:
    """A git repository in a folder that the workbench owns and may delete.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder).absolute()

    def create(
        self, template: Path, when: datetime, prepare: Callable[[Path], object] | None = None, message: str = "Start"
    ) -> str:
        """Start over with a copy of ``template`` as the first commit; returns its sha.

        Parameters
        ----------
        prepare : callable, optional
            Called with the folder before the first commit, for example to write settings.

        Raises
        ------
        InputError
            The folder holds something that is no scratch repository; it is left alone.
        """
        if self.path.exists():
            if not (self.path / ".git" / MARK).is_file() and any(self.path.iterdir()):
                where = relative(self.path)
                problem = Problem(where, "holds files that are not the workbench's", "name an empty or a new folder")
                raise InputError("No scratch repository can be made here.", [problem])
            shutil.rmtree(self.path)
        with disk_errors(self.path.parent):
            (self.path / ".git").mkdir(parents=True)
            (self.path / ".git" / MARK).touch()
            shutil.copytree(template, self.path, ignore=NOT_FILES, dirs_exist_ok=True)
        self._git("init", "--quiet", "--template=", "--initial-branch=main")
        if prepare is not None:
            prepare(self.path)
        return self.commit(message, when)

    def replace_files(self, files: Path) -> None:
        """Make the working tree hold the files of a folder and nothing else; nothing is committed."""
        with disk_errors(self.path):
            for path in self.path.iterdir():
                if path.name != ".git":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            shutil.copytree(files, self.path, ignore=NOT_FILES, dirs_exist_ok=True)

    def commit(self, message: str, when: datetime) -> str:
        """Commit everything as it is; returns the sha. A commit may hold no change: what it says is its message."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--no-verify", "--message", message, when=when)
        return self.head()

    def revert(self, sha: str, when: datetime) -> str:
        """Commit the opposite of an earlier commit; returns the new sha.

        Raises
        ------
        RepositoryError
            Later commits changed the same lines; files and history stay as they were.
            `analysis.experiment.edits.revert` and a commit do it whatever came later.
        """
        try:
            self._git("revert", "--no-edit", sha, when=when)
        except RepositoryError:
            self._git("reset", "--quiet", "--hard", "HEAD")
            raise
        return self.head()

    def head(self) -> str:
        """Sha of the last commit."""
        return self._git("rev-parse", "HEAD").strip()

    def tree(self, subfolder: str = "", commit: str = "HEAD") -> str:
        """Hash of the files alone, of all of them or of one folder or file: the same files, the same hash."""
        return self._git("rev-parse", f"{commit}:{subfolder}").strip()

    def snapshot(self, target: Path, subfolder: str = "inspection", commit: str = "HEAD") -> Path:
        """Write the committed files under ``target``, with their path in the project; returns where they are.

        Raises
        ------
        RepositoryError
            No such commit or folder.
        """
        archive = self._run("archive", "--format=tar", commit, *([subfolder] if subfolder else []))
        with disk_errors(target.parent), tarfile.open(fileobj=io.BytesIO(archive)) as files:
            target.mkdir(parents=True, exist_ok=True)
            files.extractall(target, filter="data")
        return target / subfolder

    def _git(self, *arguments: str, when: datetime | None = None) -> str:
        return self._run(*arguments, when=when).decode("utf-8")

    def _run(self, *arguments: str, when: datetime | None = None) -> bytes:
        options = [part for option in _OPTIONS for part in ("-c", option)]
        # named outright, so that git never looks for a repository in the folders above
        places = [f"--git-dir={self.path / '.git'}", f"--work-tree={self.path}"]
        command = ["git", *options, *places, *arguments]
        done = subprocess.run(command, cwd=self.path, env=self._environment(when), capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace").strip()
            problem = Problem(relative(self.path), said or f"git ended with {done.returncode}")
            raise RepositoryError(f"git {arguments[0]} failed.", [problem])
        return done.stdout

    def _environment(self, when: datetime | None) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        home = str(self.path / ".git")
        settings = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
        settings |= {"HOME": home, "XDG_CONFIG_HOME": home, "LC_ALL": "C", "TZ": "UTC", "GIT_DEFAULT_HASH": "sha1"}
        for role in ("AUTHOR", "COMMITTER"):
            settings |= {f"GIT_{role}_NAME": AUTHOR, f"GIT_{role}_EMAIL": EMAIL}
            if when is not None:
                settings[f"GIT_{role}_DATE"] = f"{_seconds(when)} +0000"
        return kept | settings


def _seconds(when: datetime) -> int:
    if when.tzinfo is None:
        raise InputError("A commit needs a time with its zone.", [Problem("when", f"got {when}", "give it in UTC")])
    return int(when.astimezone(UTC).timestamp())


def write_settings(
    folder: Path,
    classes: Sequence[str],
    image_size: int,
    confidence: float = 0.05,
    training: Mapping[str, int | float | bool | str] | None = None,
) -> None:
    """Fit the project in ``folder`` to a data set and a profile, before its first commit.

    Parameters
    ----------
    folder : Path
    classes : sequence of str
        Names of the defects, in the model's order.
    image_size : int
        Side of the model's input; a multiple of 32.
    confidence : float
        Detections below are not reported.
    training : mapping, optional
        Other values for ``training.yaml``. Not for those that changes of the scenario edit.

    Raises
    ------
    InputError
        Values that cannot be, or names that the files do not have; all at once.
    """
    settings, hyper = folder / "inspection" / "settings.py", folder / TRAINING
    training = dict(training or {})
    text, hyper_text = settings.read_text(encoding="utf-8"), hyper.read_text(encoding="utf-8")
    problems = list(_unusable(classes, image_size, confidence, training, hyper_text))
    if problems:
        raise InputError("The project cannot be set up like this.", problems)
    names = "".join(f"    {json.dumps(name, ensure_ascii=False)},\n" for name in classes)
    text = _substitute(text, r"^CLASSES = \(\n(?:    .*\n)*\)$", f"CLASSES = (\n{names})", "CLASSES")
    text = _substitute(text, r"^IMAGE_SIZE = .*$", f"IMAGE_SIZE = {int(image_size)}", "IMAGE_SIZE")
    text = _substitute(text, r"^CONFIDENCE = .*$", f"CONFIDENCE = {float(confidence)!r}", "CONFIDENCE")
    for name, value in {**training, "image_size": int(image_size)}.items():
        hyper_text = _substitute(hyper_text, rf"^{name}: [^ \n]+", f"{name}: {json.dumps(value)}", name)
    write_atomic(settings, text)
    write_atomic(hyper, hyper_text)


def _unusable(classes, image_size, confidence, training, hyper_text):
    for name in classes:
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            yield Problem("classes", f"{name!r} is no name", "give every class a name of one line")
    if not classes or len(set(classes)) < len(classes):
        yield Problem("classes", f"got {list(classes)}", "at least one, and no name twice")
    if isinstance(image_size, bool) or int(image_size) != image_size or image_size < 32 or image_size % 32:
        yield Problem("image_size", f"got {image_size}", "a multiple of 32")
    if not 0 < confidence < 1:
        yield Problem("confidence", f"got {confidence}", "a number between 0 and 1")
    edited = {edit.old.split(":")[0] for change in BAD_HYPERPARAMETERS.values() for edit in change.edits}
    for name in training:
        if name in edited:
            yield Problem(f"training.{name}", "changes of the scenario edit it", f"set it in the template's {TRAINING}")
        elif not re.search(rf"^{re.escape(str(name))}: ", hyper_text, re.MULTILINE):
            yield Problem(f"training.{name}", f"is not in {TRAINING}", "use one of its names")


def _substitute(text: str, pattern: str, new: str, name: str) -> str:
    changed, count = re.subn(pattern, lambda _: new, text, flags=re.MULTILINE)
    if count != 1:
        raise InputError("The project has no place for a setting.", [Problem(name, f"found {count} times, not once")])
    return changed


def run_unit_tests(folder: Path, timeout_s: float = 120) -> TestRun:
    """Run the unit tests of the project in ``folder``, in a process of their own.

    Nothing is written into the folder. Configuration, plug-ins and modules of the workbench and of the person
    who runs it are out of reach. A run that takes longer than ``timeout_s`` is ended and counts as failed.
    """
    folder = Path(folder).absolute()
    with tempfile.TemporaryDirectory(prefix="unit-tests-") as place:
        report = Path(place) / "report.xml"
        options = ["-c", folder / "pyproject.toml", "--rootdir", folder, "-p", "no:cacheprovider", "--tb=no", "-q"]
        options += [f"--basetemp={place}/base", f"--junitxml={report}", "-o", "junit_family=xunit2"]
        command = [sys.executable, "-I", "-B", "-m", "pytest", *map(str, options)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "COV"))}
        environment = kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return TestRun(False, 0, (f"not finished within {timeout_s:g} s",), time.perf_counter() - started)
        seconds = time.perf_counter() - started
        cases = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
    failed = tuple(sorted(_name(case) for case in cases if _went_wrong(case)))
    if process.returncode and not failed:
        said = output.decode("utf-8", "replace").strip().splitlines()[-OUTPUT_LINES:]
        failed = ("\n".join(["pytest could not run the tests", *said]),)
    return TestRun(process.returncode == 0 and bool(cases), len(cases), failed, seconds)


def _went_wrong(case: ElementTree.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def _name(case: ElementTree.Element) -> str:
    return "::".join(part for part in (case.get("classname"), case.get("name")) if part)
