"""What the model server's limits, metrics and swaps cost: beside the plainest FastAPI endpoint, and no server at all.

All three decode the same JPEG and run the same project code and model; the multiples in brackets compare them in
one run. p50 and p99 of each are printed (``-s``) and kept with the benchmark's data; all requests count, none is cut.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from analysis.base.paths import ROOT
from analysis.experiment.packages import build_package
from analysis.experiment.server_process import ModelServer

CLIENTS = 16
IMAGES = 800
SIZE = 96
GROUP = f"inspect {IMAGES} images, {CLIENTS} clients"

HANDLER = """
import cv2
import numpy as np

class Inspector:
    def __init__(self, session, settings):
        self.session, self.size = session, settings["image_size"]

    def inspect(self, image):
        image = cv2.resize(image, (self.size, self.size))[:, :, ::-1].transpose(2, 0, 1)
        values = self.session.run(None, {"image": np.ascontiguousarray(image)[None] / np.float32(255)})
        return [{"defect": "dent", "confidence": float(values[0].mean()), "box": [0, 0, 1, 1]}]
"""

PLAIN_SERVER = """
import sys
import cv2, numpy as np, onnxruntime
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
sys.path.insert(0, sys.argv[1])
from inspection.handler import Inspector

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
inspector = Inspector(onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", options), {"image_size": 96})
cv2.setNumThreads(1)
app = FastAPI()

def work(body):
    return inspector.inspect(cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR))

@app.post("/v1/inspect")
async def inspect(request: Request):
    return {"package": "", "detections": await run_in_threadpool(work, await request.body())}

if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), http="h11", loop="asyncio", log_level="error")
"""


def write_model(path: Path) -> Path:
    """Six convolutions of 3 × 3, about as long as a small detector takes: a millisecond or two."""
    draw = np.random.default_rng(1)
    nodes, weights, channels, name = [], [], 3, "image"
    for number, wanted in enumerate((16, 32, 64, 64, 64, 64)):
        kernel = draw.normal(0, 0.1, (wanted, channels, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"w{number}"))
        strides = [2, 2] if number < 3 else [1, 1]
        nodes.append(helper.make_node("Conv", [name, f"w{number}"], [f"c{number}"], strides=strides, pads=[1] * 4))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        channels, name = wanted, f"r{number}"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    graph = helper.make_graph(nodes, "net", [image], [helper.make_tensor_value_info(name, 1, None)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("bench")
    (root / "code").mkdir()
    (root / "code/__init__.py").write_text("")
    (root / "code/handler.py").write_text(HANDLER)
    build_package(root / "package", write_model(root / "model.onnx"), root / "code", ["dent"], SIZE, 0.25)
    return root / "package"


@pytest.fixture(scope="module")
def image() -> bytes:
    noise = np.random.default_rng(1).integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 2))[1].tobytes()


def load_clients():
    spec = importlib.util.spec_from_file_location("load_clients", ROOT / "tests/experiment/load_clients.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Client = load_clients().Client


async def send_all(port: int, image: bytes, seconds: list[float]) -> None:
    """The clients share out the images; each sends its next when the last is answered."""
    numbers = iter(range(IMAGES))

    async def work(client: Client) -> None:
        for number in numbers:
            started = time.perf_counter()
            status, _, _ = await client.send(str(number), image, "whole")
            seconds.append(time.perf_counter() - started)
            assert status == 200
        await client.close()

    await asyncio.gather(*(work(Client("127.0.0.1", port)) for _ in range(CLIENTS)))


def measure(benchmark, what: str, send) -> None:
    """Rounds after a warm-up, and quantiles over every request of every round."""
    seconds: list[float] = []
    send([])
    benchmark.pedantic(send, (seconds,), rounds=5)
    quantiles = {f"p{q:g}_ms": round(1e3 * float(np.percentile(seconds, q)), 2) for q in (50, 99, 99.9)}
    quantiles["per_s"] = round(len(seconds) / sum(benchmark.stats.stats.data))
    benchmark.extra_info |= quantiles
    print(f"\n{what}: {json.dumps(quantiles)}")
    assert len(seconds) == 5 * IMAGES


@pytest.mark.benchmark(group=GROUP)
def test_model_server(benchmark, package, image):
    with ModelServer(package) as server:
        port = int(server.url.rpartition(":")[2])
        measure(benchmark, "model server", lambda seconds: asyncio.run(send_all(port, image, seconds)))


@pytest.mark.benchmark(group=GROUP)
def test_plain_fastapi_endpoint(benchmark, package, image, tmp_path):
    """No limits, metrics, health or swapping; it would take any body into memory and lose requests on restart."""
    (tmp_path / "plain.py").write_text(PLAIN_SERVER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "plain.py", str(package), str(port)], cwd=tmp_path, env=environment)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        measure(benchmark, "plain FastAPI", lambda seconds: asyncio.run(send_all(port, image, seconds)))
    finally:
        process.terminate()
        process.wait()


@pytest.mark.benchmark(group=GROUP)
def test_no_server_at_all(benchmark, package, image):
    """The same code in a loop on one core, without HTTP: what the work itself costs."""
    from analysis.experiment.served import Served

    served = Served(package, 1)

    def send(seconds: list[float]) -> None:
        for _ in range(IMAGES):
            started = time.perf_counter()
            served.inspect(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR))
            seconds.append(time.perf_counter() - started)

    measure(benchmark, "no server", send)
