"""Changes that do what their title says. They keep a team busy, and every check has to let them pass."""

from __future__ import annotations

from analysis.experiment.edits import Change, Edit

KIND = "benign_change"


def _benign(title: str, *edits: Edit) -> Change:
    return Change(KIND, title, edits)


BENIGN: dict[str, Change] = {
    "log_model": _benign(
        "Log what was loaded",
        Edit(
            "inspection/handler.py",
            "from collections.abc import Mapping\n",
            "import logging\nfrom collections.abc import Mapping\n",
        ),
        Edit(
            "inspection/handler.py",
            '\n\nclass Inspector:\n    """Finds defects',
            '\nLOG = logging.getLogger(__name__)\n\n\nclass Inspector:\n    """Finds defects',
        ),
        Edit(
            "inspection/handler.py",
            '        self.confidence = float(settings.get("confidence", CONFIDENCE))\n',
            '        self.confidence = float(settings.get("confidence", CONFIDENCE))\n'
            '        LOG.info("%d classes, images of %d pixels", len(self.classes), self.image_size)\n',
        ),
    ),
    "explain_classes": _benign(
        "README: how a new defect is added",
        Edit(
            "README.md",
            "## Development\n",
            "## A new kind of defect\n\nAdd its name at the end of `CLASSES`, have a batch labelled that holds at least"
            " fifty of it,\nand train from scratch once.\n\n## Development\n",
        ),
    ),
    "explain_outcome": _benign(
        "README: what the server returns",
        Edit(
            "README.md",
            "## Releases\n",
            "## Answers\n\nEvery defect has a name, a confidence between 0 and 1, and a box in pixels of the image that"
            " was\nsent. An empty list is a package without defects.\n\n## Releases\n",
        ),
    ),
    "test_far_objects": _benign(
        "Test labels of objects at the border",
        Edit(
            "tests/test_labels_border.py",
            "",
            """import pytest

from inspection.labels import from_yolo, to_yolo
from inspection.settings import CLASSES


@pytest.mark.parametrize("corner", [(0, 0), (150, 0), (0, 112), (150, 112)])
def test_objects_at_the_border_come_back(corner):
    item = {"defect": CLASSES[0], "x": corner[0], "y": corner[1], "w": 10, "h": 8}
    (back,) = from_yolo(to_yolo([item], 160, 120), 160, 120)
    assert back == {key: pytest.approx(value) for key, value in item.items()}
""",
        ),
    ),
    "test_many_candidates": _benign(
        "Test suppression with many candidates",
        Edit(
            "tests/test_suppression.py",
            "",
            """import numpy as np

from inspection.postprocess import Candidates, suppress


def test_a_hundred_boxes_on_one_defect_become_one():
    rng = np.random.default_rng(3)
    boxes = np.array([20, 20, 60, 60]) + rng.uniform(-2, 2, (100, 4))
    found = suppress(Candidates(boxes, np.zeros(100, dtype=np.int64), np.linspace(0.9, 0.1, 100)), 0.6, 50)
    assert len(found.boxes) == 1
    assert found.confidences[0] == 0.9
""",
        ),
    ),
    "refuse_other_images": _benign(
        "Say what is wrong with an image that is not colour",
        Edit(
            "inspection/preprocess.py",
            '    """The model\'s input for an image, and how the image lies in it."""\n',
            '    """The model\'s input for an image, and how the image lies in it.\n\n'
            "    Raises ValueError for an image that has not three channels of 8 bits.\n"
            '    """\n'
            "    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:\n"
            '        raise ValueError(f"not a colour image of 8 bits: shape {image.shape}, {image.dtype}")\n',
        ),
        Edit(
            "tests/test_refusals.py",
            "",
            """import numpy as np
import pytest

from inspection.preprocess import prepare


@pytest.mark.parametrize(("shape", "kind"), [((40, 50), np.uint8), ((40, 50, 4), np.uint8), ((40, 50, 3), float)])
def test_an_image_that_is_not_colour_is_refused(shape, kind):
    image = np.zeros(shape, dtype=kind)
    with pytest.raises(ValueError, match="not a colour image"):
        prepare(image, 64)
""",
        ),
    ),
    "name_padding": _benign(
        "Let cameras with a black frame choose their own padding",
        Edit(
            "inspection/preprocess.py",
            "def letterbox(image: np.ndarray, size: int) -> tuple[np.ndarray, Placement]:\n",
            "def letterbox(image: np.ndarray, size: int, padding: int = PADDING) -> tuple[np.ndarray, Placement]:\n",
        ),
        Edit("inspection/preprocess.py", "value=(PADDING,) * 3)", "value=(padding,) * 3)"),
    ),
    "fewer_objects": _benign(
        "Thirty detections are enough for a package",
        Edit("inspection/settings.py", "MAX_DETECTIONS = 50\n", "MAX_DETECTIONS = 30\n"),
    ),
    "changelog": _benign(
        "Start a change log",
        Edit(
            "CHANGELOG.md",
            "",
            "# Changes\n\nWhat a release brought, in the words of those who use it. The newest comes first.\n",
        ),
    ),
    "round_boxes": _benign(
        "Report boxes to a hundredth of a pixel",
        Edit("inspection/handler.py", "[float(value) for value in box]", "[round(float(value), 2) for value in box]"),
    ),
}
"""Every benign change under a short name."""
