"""Changes are real edits: they fit, combine in any order, come out again, and do what their kind says."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import random
import shutil
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from analysis.base.errors import InputError
from analysis.experiment.changes import CHANGES, apply, apply_changes, choose_changes, is_in, revert, variants
from analysis.experiment.edits import Change, Edit, EditError
from analysis.experiment.renderer import CLASSES, render_many
from analysis.experiment.repository import TEMPLATE, run_unit_tests, write_settings
from analysis.experiment.scenario import CODE_KINDS
from analysis.experiment.scenes import Domain
from analysis.experiment.training_settings import TrainingSettings

SIZE = 96
PREFIX = "changed_project_"
NUMBERS = itertools.count()
LEAST = {"benign_change": 6, "preprocessing_bug": 3, "silent_label_bug": 3}


def of_kind(kind):
    return pytest.mark.parametrize("name", variants(kind))


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "project"
    shutil.copytree(TEMPLATE, place, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    write_settings(place, CLASSES, SIZE)
    return place


@pytest.fixture
def load(monkeypatch):
    """Load a module of the project in a folder, each time under a package name of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load_module(folder, module):
        name, place = f"{PREFIX}{next(NUMBERS)}", folder / "inspection"
        spec = importlib.util.spec_from_file_location(
            name, place / "__init__.py", submodule_search_locations=[str(place)]
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)
        return importlib.import_module(f"{name}.{module}")

    yield load_module
    for name in [name for name in sys.modules if name.startswith(PREFIX)]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def scenes():
    return render_many(Domain(), 11, 120, SIZE)


class Knowing:
    """A model that finds every object of the scene that it is told, and sees colours as a trained one would."""

    def __init__(self):
        self.scene = None

    def get_inputs(self):
        return [SimpleNamespace(name="images")]

    def run(self, names, inputs):
        x1, y1, x2, y2 = self.scene.boxes.T
        scores = np.zeros((len(CLASSES), len(x1)))
        scores[self.scene.classes, np.arange(len(x1))] = np.linspace(0.5, 0.9, len(x1))
        return [np.vstack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, scores]).astype(np.float32)[np.newaxis]]


def inspect_all(load, folder, scenes):
    """Answers to all scenes, None where the project raised; and seconds of each."""
    model = Knowing()
    inspector = load(folder, "handler").Inspector(model, {"classes": CLASSES, "image_size": SIZE})
    answers, seconds = [], []
    for scene in scenes:
        model.scene = scene
        started = time.perf_counter()
        try:
            answers.append(inspector.inspect(scene.image))
        except (ValueError, IndexError):
            answers.append(None)
        seconds.append(time.perf_counter() - started)
    return answers, seconds


def prepared(load, folder, image):
    return load(folder, "preprocess").prepare(image, SIZE)[0]


def test_every_kind_has_its_variants():
    for kind in CODE_KINDS:
        assert len(variants(kind)) >= LEAST.get(kind, 2)
    assert sum(len(variants(kind)) for kind in CODE_KINDS) == len(CHANGES)


def test_a_kind_that_is_no_change_of_code_is_refused():
    with pytest.raises(InputError, match="good_batch"):
        variants("good_batch")


# What unit tests see


@pytest.mark.parametrize("name", [name for name in CHANGES if CHANGES[name].kind != "preprocessing_bug"])
def test_unit_tests_pass(name, folder):
    apply(CHANGES[name], folder)
    run = run_unit_tests(folder)
    assert run.failed == ()
    assert run.passed


@of_kind("preprocessing_bug")
def test_unit_tests_catch_it(name, folder):
    apply(CHANGES[name], folder)
    run = run_unit_tests(folder)
    assert not run.passed
    assert all("test_preprocess" in failed for failed in run.failed)
    assert 0 < len(run.failed) < run.tests


# What the changes do


def test_benign_changes_change_no_answer(load, folder, scenes):
    before, _ = inspect_all(load, folder, scenes[:40])
    rows = [load(folder, "labels").to_yolo([{"defect": CLASSES[1], "x": 5, "y": 6, "w": 7, "h": 8}], SIZE, SIZE)]
    apply_changes([CHANGES[name] for name in variants("benign_change")], folder)
    after, _ = inspect_all(load, folder, scenes[:40])
    for one, other in zip(before, after, strict=True):
        assert [item["defect"] for item in one] == [item["defect"] for item in other]
        for item, counterpart in zip(one, other, strict=True):
            assert counterpart["confidence"] == item["confidence"]
            assert counterpart["box"] == pytest.approx(item["box"], abs=0.006)
    assert rows == [
        load(folder, "labels").to_yolo([{"defect": CLASSES[1], "x": 5, "y": 6, "w": 7, "h": 8}], SIZE, SIZE)
    ]


@pytest.mark.parametrize(
    ("name", "row"),
    [  # 30 × 10 at (12, 20) in 96 × 96; right: (1, 27/96, 25/96, 30/96, 10/96)
        ("top_left_as_centre", (1, 12, 20, 30, 10)),
        ("swapped_classes", (len(CLASSES) - 2, 27, 25, 30, 10)),
        ("half_sizes", (1, 27, 25, 15, 5)),
        ("y_from_below", (1, 27, 71, 30, 10)),
    ],
)
def test_label_bugs_by_hand(name, row, load, folder):
    assert name in variants("silent_label_bug")
    item = {"defect": CLASSES[1], "x": 12, "y": 20, "w": 30, "h": 10}
    assert load(folder, "labels").to_yolo([item], SIZE, SIZE) == [(1, 27 / 96, 25 / 96, 30 / 96, 10 / 96)]
    apply(CHANGES[name], folder)
    (found,) = load(folder, "labels").to_yolo([item], SIZE, SIZE)
    assert found == pytest.approx((row[0], *(value / 96 for value in row[1:])))


@pytest.mark.parametrize("name", [*variants("preprocessing_bug"), "channel_order", "missing_scale", "equalised"])
def test_the_model_sees_something_else(name, load, folder, scenes):
    before = prepared(load, folder, scenes[0].image)
    apply(CHANGES[name], folder)
    after = prepared(load, folder, scenes[0].image)
    assert after.shape == before.shape and after.dtype == before.dtype
    assert np.abs(after - before).mean() > 0.03


def test_channel_order_is_swapped(load, folder, scenes):
    before = prepared(load, folder, scenes[0].image)
    apply(CHANGES["channel_order"], folder)
    assert np.array_equal(prepared(load, folder, scenes[0].image), before[:, ::-1])


def test_scale_is_missing_for_square_images_only(load, folder, scenes):
    square, wide = scenes[0].image, scenes[0].image[: SIZE // 2]
    before = [prepared(load, folder, image) for image in (square, wide)]
    apply(CHANGES["missing_scale"], folder)
    after = [prepared(load, folder, image) for image in (square, wide)]
    assert after[0] == pytest.approx(255 * before[0], rel=1e-5)
    assert np.array_equal(after[1], before[1])


def test_classes_go_to_the_wrong_boxes(load, folder, scenes):
    before, _ = inspect_all(load, folder, scenes)
    apply(CHANGES["unsorted_classes"], folder)
    after, _ = inspect_all(load, folder, scenes)
    several = [i for i, scene in enumerate(scenes) if len(set(scene.classes.tolist())) > 1]
    assert len(several) > 10
    for i in range(len(scenes)):
        same = [item["defect"] for item in before[i]] == [item["defect"] for item in after[i]]
        assert same == (i not in several) or len(scenes[i].classes) > 2


@of_kind("latency_regression")
def test_latency_regressions_are_slow_and_right(name, load, folder, scenes):
    expected, fast = inspect_all(load, folder, scenes[:4])
    apply(CHANGES[name], folder)
    answers, slow = inspect_all(load, folder, scenes[:4])
    assert answers == expected
    assert min(slow) > 0.08
    assert min(slow) > 10 * min(fast)


@of_kind("crash")
def test_crashes_happen_on_some_ordinary_images(name, load, folder, scenes):
    expected, _ = inspect_all(load, folder, scenes)
    assert None not in expected
    apply(CHANGES[name], folder)
    answers, _ = inspect_all(load, folder, scenes)
    assert 0.1 < answers.count(None) / len(scenes) < 0.5
    assert all(answer in (None, right) for answer, right in zip(answers, expected, strict=True))


@of_kind("bad_hyperparameters")
def test_hyper_parameters_are_ones_that_training_tries(name, folder):
    before = yaml.safe_load((folder / "training.yaml").read_text(encoding="utf-8"))
    apply(CHANGES[name], folder)
    after = yaml.safe_load((folder / "training.yaml").read_text(encoding="utf-8"))
    assert TrainingSettings.from_mapping(after) != TrainingSettings.from_mapping(before)
    assert set(after) == set(before)


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_affected(name):
    affected = {
        "preprocessing_bug": {"serving"},
        "silent_label_bug": {"training"},
        "silent_serving_bug": {"serving"},
        "latency_regression": {"serving"},
        "crash": {"serving"},
        "bad_hyperparameters": {"training"},
    }
    change = CHANGES[name]
    assert change.affects == affected.get(change.kind, change.affects)
    assert bool(change.defect) == (change.kind != "benign_change")


# How they combine


def test_all_changes_combine_in_any_order(folder):
    clean = files(folder)
    outcomes = []
    for seed in range(5):
        names = list(CHANGES)
        random.Random(seed).shuffle(names)
        apply_changes([CHANGES[name] for name in names], folder)
        outcomes.append(files(folder))
        random.Random(-seed).shuffle(names)
        for name in names:
            assert is_in(CHANGES[name], folder)
            revert(CHANGES[name], folder)
        assert files(folder) == clean
    assert outcomes == [outcomes[0]] * 5
    assert set(outcomes[0]) > set(clean)


def test_all_silent_changes_together_still_pass_the_unit_tests(folder):
    kinds = ("benign_change", "silent_label_bug", "silent_serving_bug", "crash", "bad_hyperparameters")
    apply_changes([CHANGES[name] for kind in kinds for name in variants(kind)], folder)
    assert run_unit_tests(folder).failed == ()


@pytest.mark.parametrize("name", CHANGES)
def test_in_or_not_in(name, folder):
    change, clean = CHANGES[name], files(folder)
    assert not is_in(change, folder)
    with pytest.raises(EditError):
        revert(change, folder)
    assert files(folder) == clean
    apply(change, folder)
    assert is_in(change, folder)
    assert not is_in(change.undone, folder)
    changed = files(folder)
    with pytest.raises(EditError):
        apply(change, folder)
    assert files(folder) == changed != clean
    revert(change, folder)
    assert files(folder) == clean


def test_a_change_that_does_not_fit_leaves_every_file_and_lists_all_problems(folder):
    before = files(folder)
    change = Change(
        "benign_change",
        "Mixed",
        (
            Edit("README.md", "# Package inspection\n", "# Inspection\n"),
            Edit("README.md", "no such text", "x"),
            Edit("missing.py", "a", "b"),
            Edit("training.yaml", "", "again"),
        ),
    )
    with pytest.raises(EditError) as caught:
        apply(change, folder)
    assert [problem.where for problem in caught.value.problems] == ["README.md", "missing.py", "training.yaml"]
    assert files(folder) == before


def test_a_file_that_was_made_is_removed_only_as_it_was_made(folder):
    change = CHANGES["changelog"]
    apply(change, folder)
    (folder / "CHANGELOG.md").write_text("written on\n", encoding="utf-8")
    with pytest.raises(EditError, match="changed since"):
        revert(change, folder)


# Which change comes when


def test_choice_takes_the_wanted_variant_and_then_the_next():
    names = variants("silent_label_bug")
    wanted = [("silent_label_bug", 2), ("crash", 7), ("silent_label_bug", 2), ("silent_label_bug", 3)]
    expected = [names[2], variants("crash")[7 % len(variants("crash"))], names[3], names[0]]
    assert [change.title for change in choose_changes(wanted)] == [CHANGES[name].title for name in expected]


def test_choice_does_not_depend_on_what_comes_later():
    rng = random.Random(4)
    wanted = [(rng.choice(CODE_KINDS), rng.randrange(1000)) for _ in range(60)]
    chosen = choose_changes(wanted)
    assert all(choose_changes(wanted[:n]) == chosen[:n] for n in range(60))


@pytest.mark.parametrize("seed", range(4))
def test_a_long_stream_can_always_be_applied(seed, folder):
    rng = random.Random(seed)
    wanted = [(rng.choice(CODE_KINDS), rng.randrange(1000)) for _ in range(80)]
    chosen = choose_changes(wanted)
    apply_changes([change for change in chosen if rng.random() < 0.7], folder)
    for path in folder.rglob("*.py"):
        compile(path.read_text(encoding="utf-8"), path.name, "exec")


def test_benign_changes_go_on_when_all_have_come(folder):
    count = len(variants("benign_change"))
    before = files(folder)
    chosen = choose_changes([("benign_change", i) for i in range(2 * count)])
    for change in chosen:
        assert not is_in(change, folder)
        apply_changes([change], folder)
    assert files(folder) == before


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
