"""Options of readers as text: every reader's own, and nothing else."""

from __future__ import annotations

import pytest

from analysis.base.errors import InputError
from analysis.kpi.sources.open import SOURCES
from analysis.kpi.sources.options import list_options, read_options


def test_options_are_those_of_the_reader():
    assert {"zone", "incident_labels", "deploy_workflows", "root_cause"} <= list_options("github").keys()
    assert {"project", "relationships"} <= list_options("devlake").keys()
    # Those that hold an object, not a text, have arguments of their own.
    assert not {"rules", "begin", "end"} & list_options("git").keys()
    assert "mapping" not in list_options("cdevents")
    assert all(list_options(kind) for kind in SOURCES)


def test_texts_become_what_the_option_holds():
    found = read_options("github", ["deploy_workflows=Release*, deploy.yml ", "before_first=Yes", "root_cause=a=b"])
    assert found == {"deploy_workflows": ("Release*", "deploy.yml"), "before_first": True, "root_cause": "a=b"}
    assert read_options("gitlab", ["rollbacks=false", "zone=UTC"]) == {"rollbacks": False, "zone": "UTC"}
    assert read_options("git", []) == {}


def test_everything_wrong_is_said_at_once():
    with pytest.raises(InputError) as error:
        read_options("devlake", ["zone", "colour=red", "relationships=maybe", "=x"])
    words = [problem.what for problem in error.value.problems]
    assert words == [
        "it is not of the form name=value",
        "the reader of devlake does not have it",
        "got 'maybe'",
        "it is not of the form name=value",
    ]


def test_no_such_kind():
    with pytest.raises(InputError, match="no such kind"):
        list_options("svn")
