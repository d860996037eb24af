"""Changes that do harm: each an honest-looking commit with a defect in it.

`analysis.experiment.scenario` says what the kinds mean. Which defects the project's own unit tests find, and
how much each one costs in production, is not written here: it is measured.
"""

from __future__ import annotations

from analysis.experiment.edits import Change, Edit

HANDLER = "inspection/handler.py"
LABELS = "inspection/labels.py"
POSTPROCESS = "inspection/postprocess.py"
PREPROCESS = "inspection/preprocess.py"
TRAINING = "training.yaml"

PREPROCESSING_BUGS: dict[str, Change] = {
    "integer_division": Change(
        "preprocessing_bug",
        "Divide before converting: a quarter of the memory traffic",
        (Edit(PREPROCESS, "scaled = rgb.astype(np.float32) / 255\n", "scaled = (rgb // 255).astype(np.float32)\n"),),
        defect="integers are divided, so that every value but 255 becomes 0",
    ),
    "axes": Change(
        "preprocessing_bug",
        "Channels first, then columns, as the camera's manual counts",
        (Edit(PREPROCESS, "scaled.transpose(2, 0, 1)", "scaled.transpose(2, 1, 0)"),),
        defect="rows and columns change places",
    ),
    "contrast_overflow": Change(
        "preprocessing_bug",
        "Lift the contrast of grey cardboard",
        (
            Edit(
                PREPROCESS,
                "    left = (size - inner_width) // 2\n",
                "    image = image * 2 - 90\n    left = (size - inner_width) // 2\n",
            ),
        ),
        defect="eight bits overflow, so that bright turns dark",
    ),
    "upside_down": Change(
        "preprocessing_bug",
        "The new camera bracket hangs the other way up",
        (
            Edit(
                PREPROCESS,
                "return framed, Placement(scale, left, top)",
                "return cv2.flip(framed, 0), Placement(scale, left, top)",
            ),
        ),
        defect="images are turned and boxes are not turned back",
    ),
}

SILENT_LABEL_BUGS: dict[str, Change] = {
    "top_left_as_centre": Change(
        "silent_label_bug",
        "Take positions as the annotation tool writes them",
        (
            Edit(
                LABELS,
                '        x = item["x"] + item["w"] / 2\n        y = item["y"] + item["h"] / 2\n',
                '        x, y = item["x"], item["y"]\n',
            ),
            Edit(LABELS, '"x": x - w / 2, "y": y - h / 2, ', '"x": x, "y": y, '),
        ),
        defect="the top left corner is taken for the centre: boxes lie half their size too far up and left",
    ),
    "swapped_classes": Change(
        "silent_label_bug",
        "Number the classes from the severest down",
        (Edit(LABELS, "enumerate(CLASSES)", "enumerate(reversed(CLASSES))"),),
        defect="labels count the classes from the end, the package counts from the start",
    ),
    "half_sizes": Change(
        "silent_label_bug",
        "Give sizes as the distance from centre to edge, which the report needs anyway",
        (
            Edit(
                LABELS,
                '(item["w"] / width, item["h"] / height)',
                '(item["w"] / 2 / width, item["h"] / 2 / height)',
            ),
            Edit(LABELS, "w, h = w * width, h * height", "w, h = 2 * w * width, 2 * h * height"),
        ),
        defect="every box is half as wide and half as high as its object",
    ),
    "y_from_below": Change(
        "silent_label_bug",
        "Measure heights from the belt upwards, as the line's drawings do",
        (
            Edit(LABELS, "y / height, *size", "1 - y / height, *size"),
            Edit(LABELS, "x * width, y * height", "x * width, (1 - y) * height"),
        ),
        defect="boxes are mirrored top to bottom",
    ),
}

SILENT_SERVING_BUGS: dict[str, Change] = {
    "channel_order": Change(
        "silent_serving_bug",
        "One conversion less: the decoder has the colours in order",
        (Edit(PREPROCESS, "rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)", "rgb = image"),),
        defect="red and blue change places",
    ),
    "missing_scale": Change(
        "silent_serving_bug",
        "A fast path for cameras with square images",
        (
            Edit(
                PREPROCESS,
                "    framed, placement = letterbox(image, size)\n",
                "    height, width = image.shape[:2]\n"
                "    if height == width:  # nothing to pad: OpenCV does the rest in one pass\n"
                "        return cv2.dnn.blobFromImage(image, size=(size, size), swapRB=True), "
                "Placement(size / width, 0, 0)\n\n"
                "    framed, placement = letterbox(image, size)\n",
            ),
        ),
        defect="square images are not divided by 255",
    ),
    "equalised": Change(
        "silent_serving_bug",
        "Even out the light along the belt",
        (
            Edit(
                PREPROCESS,
                "    height, width = image.shape[:2]\n    scale = size / max(height, width)\n",
                "    image = cv2.merge([cv2.equalizeHist(channel) for channel in cv2.split(image)])\n"
                "    height, width = image.shape[:2]\n    scale = size / max(height, width)\n",
            ),
        ),
        defect="the model sees images of a kind that it was never trained on",
    ),
    "unsorted_classes": Change(
        "silent_serving_bug",
        "Sort candidates once, before they are suppressed",
        (
            Edit(
                POSTPROCESS,
                "    corners = found.boxes[:, :2]\n",
                '    order = np.argsort(-found.confidences, kind="stable")\n'
                "    found = Candidates(found.boxes[order], found.classes, found.confidences[order])\n"
                "    corners = found.boxes[:, :2]\n",
            ),
        ),
        defect="boxes and confidences are sorted and classes are not",
    ),
}

LATENCY_REGRESSIONS: dict[str, Change] = {
    "denoising": Change(
        "latency_regression",
        "Take the sensor's noise out of the images",
        (
            Edit(HANDLER, "from .preprocess import prepare", "from .preprocess import denoise, prepare"),
            Edit(HANDLER, "self.find(image)", "self.find(denoise(image))"),
            Edit(
                PREPROCESS,
                "def prepare(",
                "def denoise(image: np.ndarray) -> np.ndarray:\n"
                '    """The image without the sensor\'s noise, by comparing each spot with those around it."""\n'
                "    return cv2.fastNlMeansDenoisingColored(image, None, h=2, hColor=2, searchWindowSize=65)\n\n\n"
                "def prepare(",
            ),
        ),
        defect="every pixel is compared with thousands of others",
    ),
    "sharpness_map": Change(
        "latency_regression",
        "Log how sharp the images are",
        (
            Edit(
                "inspection/sharpness.py",
                "",
                '''"""How sharp an image is, so that a lens out of focus is noticed early."""

from __future__ import annotations

import logging

import cv2
import numpy as np

LOG = logging.getLogger(__name__)
SPOTS = 136


def report(image: np.ndarray) -> None:
    """Log the sharpness of the sharpest and of the most blurred spot."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    side = max(4, min(grey.shape) // 12)
    spots = np.zeros((SPOTS, SPOTS))
    for i, top in enumerate(np.linspace(0, grey.shape[0] - side, SPOTS).astype(int)):
        for j, left in enumerate(np.linspace(0, grey.shape[1] - side, SPOTS).astype(int)):
            spots[i, j] = cv2.Laplacian(grey[top : top + side, left : left + side], cv2.CV_32F).var()
    LOG.info("sharpness from %.1f to %.1f", spots.min(), spots.max())
''',
            ),
            Edit(HANDLER, "import numpy as np\n\n", "import numpy as np\n\nfrom . import sharpness\n"),
            Edit(HANDLER, "        boxes, classes", "        sharpness.report(image)\n        boxes, classes"),
        ),
        defect="thousands of spots are measured one by one",
    ),
    "waiting": Change(
        "latency_regression",
        "Give the reject gate time to close between two packages",
        (
            Edit(HANDLER, "annotations\n\n", "annotations\n\nimport time\n"),
            Edit(
                HANDLER,
                ' pixels."""\n',
                ' pixels."""\n        time.sleep(0.15)  # what the gate\'s drive needs\n',
            ),
        ),
        defect="every answer waits",
    ),
}

CRASHES: dict[str, Change] = {
    "uneven_light": Change(
        "crash",
        "Refuse images when the left lamp has failed",
        (
            Edit(
                "inspection/light.py",
                "",
                '''"""Whether both lamps are on."""

from __future__ import annotations

import numpy as np

LEAST = 0.97
"""Light of the left half as a share of the right half's."""


def require_lamps(image: np.ndarray) -> None:
    """Raise ValueError for an image that the right lamp alone has lit."""
    middle = image.shape[1] // 2
    left, right = float(image[:, :middle].mean()), float(image[:, -middle:].mean())
    if left < LEAST * right:
        raise ValueError(f"left lamp is off: {left:.0f} against {right:.0f}")
''',
            ),
            Edit(HANDLER, "from .postprocess", "from .light import require_lamps\nfrom .postprocess"),
            Edit(
                HANDLER,
                "        height, width = image.shape[:2]\n",
                "        height, width = image.shape[:2]\n        require_lamps(image)\n",
            ),
        ),
        defect="the limit is far too strict: packages are never lit so evenly",
    ),
    "zones": Change(
        "crash",
        "Log in which zone of the belt the worst defect lies",
        (
            Edit(
                "inspection/zones.py",
                "",
                '''"""Zones of the belt, for the people who set its guides."""

from __future__ import annotations

import logging

import numpy as np

LOG = logging.getLogger(__name__)
ZONES = "ABC"
ZONE_SHARE = 0.2
"""Width of a zone as a share of the image."""


def report_zone(boxes: np.ndarray, width: int) -> None:
    """Log the zone of the first box."""
    if len(boxes):
        centre = (boxes[0, 0] + boxes[0, 2]) / 2
        LOG.info("zone %s", ZONES[int(centre / (ZONE_SHARE * width))])
''',
            ),
            Edit(HANDLER, ", MAX_DETECTIONS\n", ", MAX_DETECTIONS\nfrom .zones import report_zone\n"),
            Edit(
                HANDLER,
                "        return answer\n",
                "        report_zone(boxes, width)\n        return answer\n",
            ),
        ),
        defect="the zones end before the belt does",
    ),
    "grades": Change(
        "crash",
        "Log the grade of damage by its size",
        (
            Edit(
                "inspection/ranking.py",
                "",
                '''"""Grades of damage by the share of the image that it covers."""

from __future__ import annotations

import logging

import numpy as np

LOG = logging.getLogger(__name__)
GRADES = ("small", "medium", "large")
STEP = 0.01
"""From one grade to the next, as a share of the image."""


def report_grade(boxes: np.ndarray, width: int, height: int) -> None:
    """Log the grade of the first box."""
    for left, top, right, bottom in boxes[:1]:
        share = (right - left) * (bottom - top) / (width * height)
        LOG.info("grade %s", GRADES[int(share / STEP)])
''',
            ),
            Edit(HANDLER, "from .settings", "from .ranking import report_grade\nfrom .settings"),
            Edit(HANDLER, "        answer = [\n", "        report_grade(boxes, width, height)\n        answer = [\n"),
        ),
        defect="damage larger than the last grade has no grade",
    ),
}

BAD_HYPERPARAMETERS: dict[str, Change] = {
    "learning_rate": Change(
        "bad_hyperparameters",
        "Train with a learning rate of a tenth",
        (Edit(TRAINING, "lr0: 0.0004 #", "lr0: 0.04 #"),),
        defect="a tenth of the old rate was meant, a tenth was written",
    ),
    "optimizer": Change(
        "bad_hyperparameters",
        "RMSprop, which worked well for the bottle line",
        (Edit(TRAINING, "optimizer: AdamW", "optimizer: RMSprop"),),
        defect="it takes far larger steps at this learning rate and forgets what was learnt",
    ),
    "translation": Change(
        "bad_hyperparameters",
        "Train on packages that lie anywhere in the image",
        (Edit(TRAINING, "translate: 0.1\n", "translate: 1.0\n"),),
        defect="images are moved by up to their whole width, most of them out of sight",
    ),
}

DEFECTIVE: dict[str, Change] = {
    **PREPROCESSING_BUGS,
    **SILENT_LABEL_BUGS,
    **SILENT_SERVING_BUGS,
    **LATENCY_REGRESSIONS,
    **CRASHES,
    **BAD_HYPERPARAMETERS,
}
"""Every defective change under a short name."""
