"""A package's digest is its identity: the same for the same bytes, another for any other, and never taken on trust."""

from __future__ import annotations

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.base.errors import InputError
from analysis.experiment.limits import Limits
from analysis.experiment.packages import build_package, digest_code, read_package


def build(tmp_path, name="package", **changes):
    code, model = tmp_path / "inspection", tmp_path / "weights.onnx"
    if not code.exists():
        (code / "inner").mkdir(parents=True)
        (code / "__init__.py").write_text("")
        (code / "handler.py").write_text("class Inspector: ...\n")
        (code / "inner/more.py").write_text("x = 1\n")
        model.write_bytes(b"a model")
    settings = {"classes": ["dent", "tear"], "image_size": 96, "confidence": 0.25} | changes
    return build_package(tmp_path / name, model, code, **settings)


def test_the_same_content_has_the_same_digest_wherever_it_lies(tmp_path):
    first = build(tmp_path, "first")
    (tmp_path / "inspection/__pycache__").mkdir()
    (tmp_path / "inspection/__pycache__/handler.cpython-311.pyc").write_bytes(b"compiled")
    second = build(tmp_path, "second")
    assert first.digest == second.digest
    assert not (second.folder / "inspection/__pycache__").exists()
    assert read_package(first.folder) == first
    assert first.settings == json.loads((first.folder / "package.json").read_bytes())


def test_any_difference_changes_the_digest(tmp_path):
    digests = {build(tmp_path, "plain").digest}
    digests.add(build(tmp_path, "a", classes=["tear", "dent"]).digest)
    digests.add(build(tmp_path, "b", image_size=128).digest)
    digests.add(build(tmp_path, "c", confidence=0.3).digest)
    (tmp_path / "inspection/inner/more.py").write_text("x = 2\n")
    digests.add(build(tmp_path, "d").digest)
    (tmp_path / "inspection/inner/more.py").rename(tmp_path / "inspection/more.py")
    digests.add(build(tmp_path, "e").digest)
    (tmp_path / "weights.onnx").write_bytes(b"another model")
    digests.add(build(tmp_path, "f").digest)
    assert len(digests) == 7


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=3)), max_size=4))
def test_code_digests_do_not_run_names_and_bytes_together(tmp_path_factory, files):
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for name, content in files:
        (one / name).write_bytes(content)
        (two / name).write_bytes(content)
    assert digest_code(one) == digest_code(two)
    (two / "ab").write_bytes(b"")
    assert digest_code(one) != digest_code(two)


def test_a_package_is_never_built_over_another(tmp_path):
    build(tmp_path)
    with pytest.raises(InputError, match="holds a package already"):
        build(tmp_path)


def test_half_a_package_is_built_again(tmp_path):
    folder = build(tmp_path).folder
    (folder / "package.json").unlink()
    (folder / "inspection/old.py").write_text("left over")
    again = build(tmp_path)
    assert not (folder / "inspection/old.py").exists()
    assert read_package(folder) == again


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"digest": "f" * 64}, "was edited"),
        ({"confidence": 0.5}, "was edited"),
        ({"model": "0" * 64}, "names model 000000000000, found"),
        ({"code": "short"}, "code is not a SHA-256"),
        ({"classes": []}, "classes is not a list"),
        ({"classes": ["dent", "dent"]}, "twice"),
        ({"image_size": 96.0}, "image_size is 96.0"),
        ({"image_size": True}, "image_size is True"),
        ({"confidence": float("nan")}, "confidence is nan"),
        ({"confidence": 2}, "confidence is 2"),
        ({"colour": "red"}, "unknown key colour"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, change, says):
    path = build(tmp_path).folder / "package.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=says):
        read_package(path.parent)


def test_all_that_is_wrong_is_named(tmp_path):
    folder = build(tmp_path).folder
    path = folder / "package.json"
    path.write_text(json.dumps({"classes": [], "image_size": 0}))
    with pytest.raises(InputError) as refused:
        read_package(folder)
    assert len(refused.value.problems) == 6
    shutil.rmtree(folder / "inspection")
    (folder / "model.onnx").unlink()
    with pytest.raises(InputError) as refused:
        read_package(folder)
    assert [problem.where.rpartition("/")[2] for problem in refused.value.problems] == [
        "model.onnx",
        "__init__.py",
        "handler.py",
    ]
    path.write_text("[]")
    with pytest.raises(InputError, match="not a package"):
        read_package(folder)


def test_limits_that_cannot_be_kept_are_refused():
    with pytest.raises(InputError) as refused:
        Limits(body_bytes=0, in_flight=2.5, header_s=-1, workers=-1)
    assert [problem.where for problem in refused.value.problems] == ["body_bytes", "in_flight", "header_s", "workers"]
    assert Limits(workers=0, header_s=1).header_s == 1
