"""The project under study as it starts: right by hand-worked values, small, fast, and usable as a served package."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from analysis.experiment.repository import TEMPLATE, run_unit_tests
from analysis.experiment.training_settings import TrainingSettings

SOURCES = sorted((TEMPLATE / "inspection").glob("*.py"))


def load(name, folder=TEMPLATE):
    """The project's package under a name of its own, as a server loads it."""
    place = folder / "inspection"
    spec = importlib.util.spec_from_file_location(name, place / "__init__.py", submodule_search_locations=[str(place)])
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project():
    """Modules of the clean template by their short name; forgotten afterwards."""
    load("clean_template")
    yield lambda module: importlib.import_module(f"clean_template.{module}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "clean_template"]:
        del sys.modules[name]


class Session:
    """Answers every image with the same candidates: rows of x, y, w, h and the scores of the classes."""

    def __init__(self, *rows):
        self.output = np.array(rows, dtype=np.float32).T[np.newaxis]

    def get_inputs(self):
        return [SimpleNamespace(name="images")]

    def run(self, names, inputs):
        assert inputs["images"].dtype == np.float32
        return [self.output]


def test_its_own_unit_tests_pass():
    run = run_unit_tests(TEMPLATE)
    assert run.failed == ()
    assert run.passed
    assert run.tests >= 30


def test_it_needs_nothing_that_a_server_lacks():
    for path in [*SOURCES, *(TEMPLATE / "tests").glob("*.py")]:
        imported = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module)
        tops = {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names)
        assert tops <= {"numpy", "cv2"} | ({"inspection", "pytest", "yaml"} if path.parent.name == "tests" else set())


def test_labels_by_hand(project):
    # 40 × 30 at (10, 20) in 160 × 120: centre (30, 35)
    objects = [{"defect": project("settings").CLASSES[2], "x": 10, "y": 20, "w": 40, "h": 30}]
    assert project("labels").to_yolo(objects, 160, 120) == [(2, 30 / 160, 35 / 120, 0.25, 0.25)]


def test_input_by_hand(project):
    image = np.zeros((1, 2, 3), dtype=np.uint8)
    image[0, 0] = (255, 51, 0)  # blue, green, red
    tensor = project("preprocess").to_tensor(image)
    assert tensor[0, :, 0, 0] == pytest.approx([0, 0.2, 1])
    assert tensor[0, :, 0, 1] == pytest.approx([0, 0, 0])


THEIRS = """
import sys
import numpy as np
from ultralytics.data.augment import LetterBox
np.save(sys.argv[2], LetterBox((96, 96), auto=False, scaleup=True)(image=np.load(sys.argv[1])))
"""


def test_input_is_what_ultralytics_feeds_its_models_in_training(project, tmp_path):
    image = np.random.default_rng(5).integers(0, 255, (75, 131, 3), dtype=np.uint8)
    np.save(tmp_path / "image.npy", image)
    command = [sys.executable, "-c", THEIRS, tmp_path / "image.npy", tmp_path / "theirs.npy"]
    environment = os.environ | {"YOLO_CONFIG_DIR": str(tmp_path), "YOLO_OFFLINE": "true"}
    subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True)
    ours, _ = project("preprocess").letterbox(image, 96)
    assert np.array_equal(ours, np.load(tmp_path / "theirs.npy"))


def test_answer_by_hand(project):
    # the input is 160 × 120 scaled by 0.4 with eight rows of grey above and below
    session = Session([20, 28, 8, 8, 0.1, 0.8], [20.5, 28, 8, 8, 0.1, 0.5], [40, 28, 8, 16, 0.6, 0.3])
    inspector = project("handler").Inspector(session, {"classes": ["a", "b"], "image_size": 64, "confidence": 0.05})
    answer = inspector.inspect(np.zeros((120, 160, 3), dtype=np.uint8))
    assert [item["defect"] for item in answer] == ["b", "a"]
    assert [item["confidence"] for item in answer] == pytest.approx([0.8, 0.6])
    assert answer[0]["box"] == pytest.approx([40, 40, 60, 60])
    assert answer[1]["box"] == pytest.approx([90, 30, 110, 70])
    assert all(type(value) is float for item in answer for value in (item["confidence"], *item["box"]))


def test_two_packages_live_side_by_side(tmp_path):
    other = tmp_path / "inspection"
    other.mkdir()
    for path in SOURCES:
        text = path.read_text(encoding="utf-8").replace("CONFIDENCE = 0.05", "CONFIDENCE = 0.5")
        (other / path.name).write_text(text, encoding="utf-8")
    load("package_one")
    load("package_two", tmp_path)
    try:
        found = []
        for name in ("package_one", "package_two"):
            handler = importlib.import_module(f"{name}.handler")
            inspector = handler.Inspector(Session([20, 28, 8, 8, 0.2, 0.1]), {"image_size": 64})
            found.append(len(inspector.inspect(np.zeros((64, 64, 3), dtype=np.uint8))))
        assert found == [1, 0]
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("package_one", "package_two")]:
            del sys.modules[name]


def test_threads_share_an_inspector(project):
    inspector = project("handler").Inspector(Session([20, 28, 8, 8, 0.2, 0.9]), {"image_size": 64})
    images = [np.full((64 + 8 * i, 64, 3), 90, dtype=np.uint8) for i in range(8)]
    expected = [inspector.inspect(image) for image in images]
    answers = [[] for _ in images]

    def work(i):
        for _ in range(20):
            answers[i].append(inspector.inspect(images[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(images))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer == wanted for wanted, given in zip(expected, answers, strict=True) for answer in given)


def test_it_costs_little_besides_the_model(project):
    rng = np.random.default_rng(1)
    rows = np.hstack([rng.uniform(10, 86, (189, 2)), rng.uniform(5, 30, (189, 2)), rng.uniform(0, 0.06, (189, 6))])
    inspector = project("handler").Inspector(Session(*rows), {"image_size": 96})
    image = rng.integers(0, 255, (96, 96, 3), dtype=np.uint8)
    seconds = []
    for _ in range(50):
        started = time.perf_counter()
        inspector.inspect(image)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.003  # 0.3 ms on an idle core; busy machines get ten times that


def test_hyper_parameters_are_settings_of_a_training():
    values = yaml.safe_load((TEMPLATE / "training.yaml").read_text(encoding="utf-8"))
    settings = TrainingSettings.from_mapping(values)
    assert (settings.lr0, settings.optimizer) == (0.0004, "AdamW")
