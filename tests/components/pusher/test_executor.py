"""Pushing: complete or absent, never half."""

import errno
import json
import os
import time

import pytest
from tfx.proto import pusher_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.decisions import ACCURACY
from components.pusher import executor
from components.pusher.executor import AtomicPush, push
from components.pusher.versions import versions


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model" / "Format-Serving"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return folder


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_versions_count_up_whatever_the_clock_says(tmp_path, model):
    base = tmp_path / "serving"
    assert [push(model, base).name for _ in range(3)] == ["1", "2", "3"]
    (base / "41").mkdir()
    assert push(model, base).name == "42"
    assert versions(base) == [1, 2, 3, 41, 42]
    assert content(base / "42") == content(model)


def test_a_version_is_as_old_as_its_push(tmp_path, model):
    os.utime(model, (1e9, 1e9))
    begin = time.time()
    assert push(model, tmp_path / "serving").stat().st_mtime >= begin - 1


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_push_that_fails_in_the_middle_leaves_nothing(tmp_path, model, monkeypatch, error):
    base = tmp_path / "serving"
    synced = []

    def fail_on_the_second(descriptor):
        synced.append(descriptor)
        if len(synced) == 2:
            raise error

    monkeypatch.setattr(executor.os, "fsync", fail_on_the_second)
    with pytest.raises((OSError, KeyboardInterrupt)):
        push(model, base)
    assert len(synced) == 2
    assert list(base.iterdir()) == []


def test_what_a_killed_push_left_is_cleared_away_and_never_served(tmp_path, model):
    base = tmp_path / "serving"
    (base / f"{executor.UNFINISHED}123").mkdir(parents=True)
    assert versions(base) == []
    push(model, base)
    assert [p.name for p in base.iterdir()] == ["1"]


@pytest.mark.parametrize(("model_ok", "infra_ok"), [(1, 1), (1, 0), (0, 1)])
def test_only_what_both_gates_blessed_is_pushed(tmp_path, model, model_ok, infra_ok):
    def artifact(kind, name, **properties):
        made = kind()
        made.uri = str(tmp_path / name)
        for key, value in properties.items():
            made.set_int_custom_property(key, value)
        return made

    pushed = artifact(standard_artifacts.PushedModel, "pushed")
    (tmp_path / "pushed").mkdir()
    inputs = {
        "model": [artifact(standard_artifacts.Model, "model")],
        "model_blessing": [artifact(standard_artifacts.ModelBlessing, "blessing", blessed=model_ok)],
        "infra_blessing": [artifact(standard_artifacts.InfraBlessing, "infra", blessed=infra_ok)],
    }
    base = str(tmp_path / "serving")
    destination = pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=base))
    inputs["model_blessing"][0].set_float_custom_property(ACCURACY, 0.75)
    properties = {
        "push_destination": proto_utils.proto_to_json(destination),
        "custom_config": json.dumps({"registry": f"{base}-registry"}),
    }
    AtomicPush().Do(inputs, {"pushed_model": [pushed]}, properties)
    both = model_ok and infra_ok
    assert pushed.get_int_custom_property("pushed") == both
    assert versions(tmp_path / "serving") == ([1] if both else [])
    assert (tmp_path / "serving-registry/blessings/1.json").is_file() == both, "what the gate found, for the runs after this one"
    if both:
        assert pushed.get_string_custom_property("pushed_destination") == f"{base}/1"
        again = artifact(standard_artifacts.PushedModel, "pushed")
        AtomicPush().Do(inputs, {"pushed_model": [again]}, {"push_destination": proto_utils.proto_to_json(destination)})
        assert versions(tmp_path / "serving") == [1], "it is in service already, blessed anew or not"
        assert again.get_string_custom_property("pushed_version") == "1"
