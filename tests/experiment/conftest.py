"""A package to serve that costs nothing to make: a model of one operator, and a handler that tells its version."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from analysis.experiment.packages import build_package

HANDLER = """
import numpy as np

from .version import VERSION


class Inspector:
    def __init__(self, session, settings):
        self.session = session
        self.settings = settings

    def inspect(self, image):
        mean = self.session.run(None, {"image": image[None].astype(np.float32)})[0]
        height, width = image.shape[:2]
        return [{"defect": VERSION, "confidence": float(mean.ravel()[0]) / 255, "box": [0, 0, width, height]}]
"""


def write_model(path: Path, weights: int = 0) -> Path:
    """The mean of an image; ``weights`` more numbers ride along, so that forgetting to free them shows."""
    nodes = [helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0)]
    if weights:
        nodes = [
            helper.make_node("ReduceMean", ["image"], ["plain"], keepdims=0),
            helper.make_node("ReduceMin", ["ballast"], ["zero"], keepdims=0),
            helper.make_node("Sub", ["plain", "zero"], ["mean"]),
        ]
    ballast = np.random.default_rng(weights).integers(0, 9, weights).astype(np.float32)
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, None, None, 3])],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(ballast, "ballast")] if weights else [],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def make_package(tmp_path_factory):
    """Build packages, all in one folder: by version, and with another handler or a bigger model where wanted."""
    root = tmp_path_factory.mktemp("serving")

    def make(version: str, handler: str = HANDLER, weights: int = 0) -> Path:
        code = root / "code" / version / "inspection"
        code.mkdir(parents=True)
        (code / "__init__.py").write_text("", encoding="utf-8")
        (code / "version.py").write_text(f"VERSION = {version!r}\n", encoding="utf-8")
        (code / "handler.py").write_text(handler, encoding="utf-8")
        model = write_model(root / f"{version}.onnx", weights)
        folder = root / "packages" / version
        build_package(folder, model, code, ["dent", "tear"], 32, 0.25)
        return folder

    return make
