"""Arms as policy tables: the three of the thesis, and switches that change exactly one practice."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment import delivery, operations
from analysis.experiment.arms import ARMS, DEVOPS, MLOPS, PRACTICES, parse_arm


def test_mlops_is_devops_and_more_and_manual_is_nothing():
    assert ARMS["manual"].practices == frozenset()
    assert ARMS["manual"].practices < ARMS["devops"].practices < ARMS["mlops"].practices == set(PRACTICES)
    assert len(set(DEVOPS)) == len(DEVOPS)
    assert len(set(MLOPS)) == len(MLOPS)
    assert all(PRACTICES.values())


@given(base=st.sampled_from(sorted(ARMS)), chosen=st.sets(st.sampled_from(sorted(PRACTICES)), max_size=5))
def test_a_switch_turns_over_its_practice_and_no_other(base, chosen):
    before = ARMS[base].practices
    text = base + "".join(("-" if practice in before else "+") + practice for practice in sorted(chosen))
    arm = parse_arm(text)
    assert arm.name == text
    assert arm.practices ^ before == chosen


def test_an_error_names_every_fault_of_a_name():
    with pytest.raises(InputError) as error:
        parse_arm("waterfall-luck+ci-canary")
    assert [problem.what for problem in error.value.problems] == [
        "unknown arm 'waterfall'",
        "unknown practice 'luck'",
    ]
    with pytest.raises(InputError) as error:
        parse_arm("devops+ci-canary-ci-ci")
    assert len(error.value.problems) == 3  # ci is there already, canary is not, and the second -ci finds none


@pytest.mark.parametrize("text", ["", "-ci", "mlops-", "MLOPS", "mlops ci", "mlops--ci"])
def test_a_name_that_is_none_is_refused(text):
    with pytest.raises(InputError):
        parse_arm(text)


def test_asking_for_a_practice_that_does_not_exist_is_a_defect():
    with pytest.raises(KeyError):
        ARMS["mlops"].has("magic")


def asked() -> Counter:
    """How often each practice is asked for in the code of the arms."""
    found: Counter = Counter()
    for module in (delivery, operations):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "has":
                found[node.args[0].value] += 1
    return found


def test_every_practice_is_asked_for_and_arms_are_never_asked_for_by_name():
    assert set(asked()) == set(PRACTICES)
    for module in (delivery, operations):
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert not [name for name in ARMS if f'"{name}"' in text]
