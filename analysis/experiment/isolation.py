"""Work with libraries that were made to own the process, and leave the process as it was."""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np


class _Collector(logging.Handler):
    """Keeps what a logger warns of instead of printing it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().strip())


@contextmanager
def isolated(logger_name: str, environment: Mapping[str, str], threads: int) -> Iterator[Callable[[], list[str]]]:
    """Give a block its own generators, threads, environment, warning filters and a silent logger.

    Afterwards Python's, numpy's and torch's global generators, the numbers of threads of torch and OpenCV, the
    environment, numpy's print options and the logger are what they were. Not for several threads at a time.

    Yields
    ------
    callable
        Lists what the logger warned of so far, and which of torch's operations were not repeatable.
    """
    before = dict(os.environ)
    with warnings.catch_warnings(record=True) as caught, np.printoptions():
        warnings.simplefilter("default")
        import cv2
        import torch  # before the environment is set: a library may ask for one thread for good

        os.environ.update(environment)
        generators = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        counts = torch.get_num_threads(), cv2.getNumThreads()
        logger, collector = logging.getLogger(logger_name), _Collector()
        logged = logger.handlers, logger.level
        logger.handlers, logger.level = [collector], logging.WARNING
        torch.set_num_threads(threads)
        cv2.setNumThreads(0)
        try:
            yield lambda: [*collector.texts, *(str(w.message) for w in caught if "determinis" in str(w.message))]
        finally:
            logger.handlers, logger.level = logged
            random.setstate(generators[0])
            np.random.set_state(generators[1])  # noqa: NPY002
            torch.set_rng_state(generators[2])
            torch.set_num_threads(counts[0])
            cv2.setNumThreads(counts[1])
            for name in [name for name in os.environ if name not in before]:
                del os.environ[name]
            os.environ.update(before)
