from __future__ import annotations

import pytest

from analysis.base.tables import load_table
from analysis.requirements.challenges import compute_passages, compute_support, load_challenges
from analysis.requirements.form import load_form

DOCUMENTS = ["proposal2024", "dusengimana2023", "john2021", "talele2024", "john2025"]


@pytest.fixture(scope="session")
def form():
    return load_form()


@pytest.fixture(scope="session")
def tables():
    return load_challenges()


@pytest.fixture(scope="session")
def coding():
    """The tables of the coding by name: segments, codings, codebook, participants."""
    names = ("segments", "codings", "codebook", "participants")
    return {name: load_table(f"literature/{name}.csv") for name in names}


@pytest.fixture(scope="session")
def passages(tables, coding):
    return compute_passages(tables, coding["segments"], coding["codings"], coding["participants"])


@pytest.fixture(scope="session")
def support(passages, tables):
    return compute_support(passages, tables, DOCUMENTS)
