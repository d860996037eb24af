"""Where torch computes: the device asked for, its name and the memory it took."""

from __future__ import annotations

import platform
import resource
from pathlib import Path

from analysis.base.errors import InputError, Problem


def find_device(device: str) -> str:
    """``cpu`` or the index of a GPU that is there; ``auto`` is the first GPU, or the CPU where there is none.

    Raises
    ------
    InputError
        A GPU that torch does not see.
    """
    import torch

    if device == "auto":
        return "0" if torch.cuda.is_available() else "cpu"
    count = torch.cuda.device_count()
    if device == "cpu" or (device.isdigit() and int(device) < count):
        return device
    problem = Problem("device", f"is {device!r}, and torch sees {count} GPUs", "give 'cpu', 'auto' or an index")
    raise InputError("There is no such device.", [problem])


def device_name(device: str) -> str:
    """The model of the GPU or CPU as its maker names it."""
    if device != "cpu":
        import torch

        return torch.cuda.get_device_name(int(device))
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def peak_memory_mb(device: str) -> float:
    """Most memory held so far: by torch on the GPU, or by this process."""
    if device != "cpu":
        import torch

        return torch.cuda.max_memory_allocated(int(device)) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if platform.system() == "Darwin" else 2**10)
