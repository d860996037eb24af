from pathlib import Path

import pytest
import yaml

from inspection.settings import CLASSES, IMAGE_SIZE

TRAINING = yaml.safe_load(Path(__file__).parents[1].joinpath("training.yaml").read_text(encoding="utf-8"))


def test_training_and_serving_see_images_of_one_size():
    assert TRAINING["image_size"] == IMAGE_SIZE
    assert IMAGE_SIZE % 32 == 0


@pytest.mark.parametrize("name", ["epochs", "batch", "lr0", "lrf", "momentum", "weight_decay"])
def test_hyper_parameters_are_positive_numbers(name):
    assert TRAINING[name] > 0


def test_classes_have_names_of_their_own():
    assert len(set(CLASSES)) == len(CLASSES) > 0
