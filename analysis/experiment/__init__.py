"""The experiment: the same seeded stream of project events under different arms, with stages that really happen."""

import os

# onnxruntime reads this when it is first imported; without it, it collects usage for its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
