"""What labelling, training and serving agree on."""

CLASSES = (
    "dent",
    "tear",
    "ink_stain",
    "rust_stain",
    "loose_tape",
    "crushed_corner",
)
IMAGE_SIZE = 96
"""Side of the model's square input in pixels."""

CONFIDENCE = 0.05
"""Detections below are not reported. Low on purpose: whoever reads the detections decides."""

IOU = 0.6
"""Of two boxes of one class that overlap more, the weaker one is dropped."""

MAX_DETECTIONS = 50

PADDING = 114
"""Grey value beside images that are not square, as in training."""
