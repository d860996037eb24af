"""The directory of the package names what there is."""

from __future__ import annotations

import importlib
import re

import pytest

import analysis.stats

LINES = re.findall(r"`(\w+)`: ([\w, …]+)", analysis.stats.__doc__)


@pytest.mark.parametrize(("module", "names"), LINES)
def test_every_name_is_there_and_described(module, names):
    found = importlib.import_module(f"analysis.stats.{module}")
    for name in names.replace("…", "").split(", "):
        if name:
            assert getattr(found, name).__doc__, name


def test_every_statistic_of_the_survey_is_listed():
    assert len(LINES) >= 26
    wanted = [
        "share", "BCa", "Cramér", "McNemar", "Cochran", "Cliff", "Vargha", "Dunn", "epsilon", "Friedman", "Kendall's W",
        "rank-biserial", "Spearman", "tau-b", "polychoric", "multinomial", "alpha", "omega", "ICC", "Fleiss",
        "Krippendorff", "AC1", "Holm", "Benjamini", "power", "TOST", "weighted",
    ]  # fmt: skip
    assert [word for word in wanted if word not in analysis.stats.__doc__] == []
