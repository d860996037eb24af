"""What the server calls: one image in, its defects out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .postprocess import decode, suppress, to_image
from .preprocess import prepare
from .settings import CLASSES, CONFIDENCE, IMAGE_SIZE, IOU, MAX_DETECTIONS


class Inspector:
    """Finds defects with a loaded model.

    ``session`` is an onnxruntime session; ``settings`` are those of the package that the model came in
    and win over `inspection.settings`. Keeps no state, so that threads may share it.
    """

    def __init__(self, session: Any, settings: Mapping[str, Any]) -> None:
        self.session = session
        self.input_name = session.get_inputs()[0].name
        self.classes = tuple(settings.get("classes", CLASSES))
        self.image_size = int(settings.get("image_size", IMAGE_SIZE))
        self.confidence = float(settings.get("confidence", CONFIDENCE))

    def inspect(self, image: np.ndarray) -> list[dict[str, Any]]:
        """Defects in a BGR image of 8 bits, best first: name, confidence, and box x1, y1, x2, y2 in pixels."""
        height, width = image.shape[:2]

        boxes, classes, confidences = self.find(image)

        answer = [
            {
                "defect": self.classes[index],
                "confidence": float(confidence),
                "box": [float(value) for value in box],
            }
            for box, index, confidence in zip(boxes, classes, confidences, strict=True)
        ]

        return answer

    def find(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes, classes and confidences of the defects, as arrays; what the model is evaluated by."""
        tensor, placement = prepare(image, self.image_size)

        (output,) = self.session.run(None, {self.input_name: tensor})

        candidates = decode(output, self.confidence)
        found = suppress(candidates, IOU, MAX_DETECTIONS)

        boxes = to_image(found.boxes, placement, image.shape[1], image.shape[0])
        return boxes, found.classes, found.confidences
