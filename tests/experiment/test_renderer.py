"""Packages are the same for the same seed, truly labelled, and differ between domains by their conditions only."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.base.paths import ROOT
from analysis.experiment.drift import BASELINE, DOMAINS
from analysis.experiment.renderer import CLASSES, DEFECTS_A_PACKAGE, render, render_many
from analysis.experiment.scenes import Domain, Scene

SIZE = 96
COUNT = 400


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return render_many(BASELINE, 5, COUNT, SIZE)


def digest(scenes: list[Scene]) -> str:
    parts = (part.tobytes() for scene in scenes for part in (scene.image, scene.boxes, scene.classes))
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_same_seed_same_bytes_in_another_process():
    code = (
        "import hashlib\n"
        "from analysis.experiment.drift import DOMAINS\n"
        "from analysis.experiment.renderer import render_many\n"
        "scenes = render_many(DOMAINS['noisy'], 3, 12, 64)\n"
        "parts = (part.tobytes() for scene in scenes for part in (scene.image, scene.boxes, scene.classes))\n"
        "print(hashlib.sha256(b''.join(parts)).hexdigest())\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == digest(render_many(DOMAINS["noisy"], 3, 12, 64))


def test_a_scene_does_not_depend_on_what_was_drawn_before(scenes):
    part = render_many(BASELINE, 5, 20, SIZE, start=60)
    assert digest(part) == digest(scenes[60:80]) == digest([render(BASELINE, 5, i, SIZE) for i in range(60, 80)])


def test_a_package_without_room_for_another_defect_has_fewer():
    scene = render(BASELINE, 53442468804239975, 46, SIZE)  # two long defects on its left and in its middle
    assert len(scene.classes) == 2


def test_seeds_and_positions_give_different_scenes(scenes):
    assert len({scene.image.tobytes() for scene in scenes}) == COUNT
    assert digest(render_many(BASELINE, 6, 5, SIZE)) != digest(scenes[:5])


def test_images_and_labels_have_the_promised_form(scenes):
    for scene in scenes:
        assert scene.image.shape == (SIZE, SIZE, 3) and scene.image.dtype == np.uint8
        assert scene.boxes.shape == (len(scene.classes), 4) and scene.boxes.dtype == np.float64
        assert scene.classes.dtype == np.int64


def test_boxes_lie_inside_and_are_large_enough_to_be_found(scenes):
    boxes = np.concatenate([scene.boxes for scene in scenes])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert boxes.min() >= 0 and boxes.max() <= SIZE
    assert sides.min() > 0.03 * SIZE and sides.max() < 0.4 * SIZE
    assert np.median(sides.prod(axis=1)) > (0.12 * SIZE) ** 2


def test_width_and_height_cannot_be_mixed_up_unnoticed(scenes):
    """A box with its sides exchanged overlaps the true one by less than half, more often than not."""
    sides = np.concatenate([scene.boxes[:, 2:] - scene.boxes[:, :2] for scene in scenes])
    shorter, longer = sides.min(axis=1), sides.max(axis=1)
    overlap = shorter**2 / (2 * shorter * longer - shorter**2)
    assert np.mean(overlap < 0.5) > 0.5
    assert 0.3 < np.mean(sides[:, 0] > sides[:, 1]) < 0.75


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner)


def test_no_defect_hides_another(scenes):
    found = [overlap(a, b) for scene in scenes for a, b in combinations(scene.boxes, 2)]
    assert len(found) > COUNT / 2
    assert max(found) < 0.15


def test_number_of_defects_has_the_stated_shares():
    counts = np.bincount([len(scene.classes) for scene in render_many(BASELINE, 9, 1500, 32)], minlength=4)
    shares = np.array(DEFECTS_A_PACKAGE)
    assert len(counts) == 4
    assert np.abs(counts / 1500 - shares).max() < 4 * np.sqrt(0.25 / 1500)


def test_every_class_occurs_about_equally_often(scenes):
    counts = np.bincount(np.concatenate([scene.classes for scene in scenes]), minlength=len(CLASSES))
    assert len(CLASSES) >= 5
    assert counts.min() > 0.6 * counts.mean() and counts.max() < 1.5 * counts.mean()


@pytest.mark.parametrize("name", [name for name in DOMAINS if name != "baseline"])
def test_conditions_change_the_image_and_nothing_else(name, scenes):
    drifted = render_many(DOMAINS[name], 5, 40, SIZE)
    for before, after in zip(scenes, drifted, strict=False):
        np.testing.assert_array_equal(before.boxes, after.boxes)
        np.testing.assert_array_equal(before.classes, after.classes)
        assert np.abs(before.image.astype(float) - after.image).mean() > 5


@given(
    seed=st.integers(0, 2**40),
    index=st.integers(0, 10**6),
    light=st.floats(0.2, 1.5),
    wear=st.floats(0, 1),
    new_product=st.floats(0, 1),
)
@settings(max_examples=40, deadline=None)
def test_what_is_true_of_a_scene_does_not_depend_on_conditions_or_size(seed, index, light, wear, new_product):
    one = render(BASELINE, seed, index, 48)
    other = render(Domain(light=light, wear=wear, new_product=new_product), seed, index, 80)
    np.testing.assert_array_equal(one.classes, other.classes)
    np.testing.assert_allclose(one.boxes / 48, other.boxes / 80, atol=1e-9)


def test_a_share_of_packages_is_of_the_new_generation():
    old, new, mixed = (render_many(Domain(noise=0, new_product=share), 8, 120, 48) for share in (0, 1, 0.4))
    kinds = [
        (np.array_equal(m.image, o.image), np.array_equal(m.image, n.image))
        for o, n, m in zip(old, new, mixed, strict=True)
    ]
    assert all(a != b for a, b in kinds)
    assert 0.25 < np.mean([is_new for _, is_new in kinds]) < 0.55


def test_wear_shows_on_the_belt_only():
    new, worn = (render(Domain(noise=0, blur=0, wear=wear), 1, 0, 160).image.astype(int) for wear in (0, 1))
    change = np.abs(new - worn).max(axis=2)
    assert change[12:30, :].max() > 15
    assert change[75:85, 75:85].max() == 0


def cut(scene: Scene, box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = np.rint(box).astype(int)
    return scene.image[top:bottom, left:right].reshape(-1, 3).mean(axis=0)


def test_only_their_colour_tells_the_stains_apart(scenes):
    """Blue less red, averaged over the box: ink is the bluer one, rust the redder one, without overlap of medians."""
    lean = {"ink_stain": [], "rust_stain": []}
    for scene in scenes:
        for box, kind in zip(scene.boxes, scene.classes, strict=True):
            if CLASSES[kind] in lean:
                blue, _, red = cut(scene, box)
                lean[CLASSES[kind]].append(blue - red)
    assert min(map(len, lean.values())) > 50
    assert np.quantile(lean["ink_stain"], 0.1) > np.quantile(lean["rust_stain"], 0.9) + 10


def test_defects_stand_out_from_the_same_place_on_other_packages(scenes):
    """What lies in a box differs from the median scene far more than what lies beside every box."""
    usual = np.median([scene.image for scene in scenes], axis=0)
    inside = np.zeros((SIZE, SIZE), dtype=bool)
    ratios = []
    for scene in scenes:
        inside[:] = False
        for left, top, right, bottom in np.rint(scene.boxes).astype(int):
            inside[top:bottom, left:right] = True
        if inside.any():
            change = np.abs(scene.image - usual).mean(axis=2)[24:72, 24:72]
            here = inside[24:72, 24:72]
            if here.any():
                ratios.append(change[here].mean() / change[~here].mean())
    assert np.mean(np.array(ratios) > 1) > 0.8


def test_all_that_is_wrong_with_a_request_is_named():
    with pytest.raises(InputError) as caught:
        render(BASELINE, -1, -2, 8)
    assert [problem.where for problem in caught.value.problems] == ["seed", "index", "size"]
    assert render_many(BASELINE, 0, 0, SIZE) == []
