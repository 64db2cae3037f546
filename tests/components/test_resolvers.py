"""Which earlier artifact a run is compared with."""

import json

import pytest
from tfx.types import standard_artifacts

from components.resolvers import LatestBlessedOther


@pytest.fixture
def model(tmp_path):
    def make(number, protocol="p"):
        artifact = standard_artifacts.Model()
        artifact.id, artifact.uri = number, str(tmp_path / str(number))
        folder = tmp_path / str(number) / "Format-Serving"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(json.dumps({"protocol": protocol}))
        return artifact

    return make


def blessing(number, of, blessed=1):
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = number
    artifact.set_int_custom_property("blessed", blessed)
    artifact.set_int_custom_property("current_model_id", of)
    return artifact


def resolve(models, blessings, candidate, protocol="p"):
    inputs = {"subject": list(models), "blessing": list(blessings), "candidate": [candidate]}
    found = LatestBlessedOther(protocol=protocol).resolve_artifacts(None, inputs)
    assert found["candidate"] == [candidate]
    return [artifact.id for artifact in found["subject"]]


def test_the_first_run_has_none(model):
    candidate = model(1)
    assert resolve([candidate], [], candidate) == []


def test_an_unchanged_run_sees_what_the_run_before_saw(model):
    first, second = model(1), model(2)
    before = resolve([first, second], [blessing(10, 1)], second)
    after = resolve([first, second], [blessing(10, 1), blessing(11, 2)], second)
    assert before == after == [1]


def test_the_newest_blessed_one_is_taken_and_refused_ones_are_not(model):
    models = [model(i) for i in (1, 2, 3, 4)]
    blessings = [blessing(10, 1), blessing(11, 2), blessing(12, 3, blessed=0)]
    assert resolve(models, blessings, models[3]) == [2]


def test_the_last_verdict_on_a_model_counts(model):
    models = [model(1), model(2)]
    assert resolve(models, [blessing(11, 1, blessed=0), blessing(10, 1)], models[1]) == []


def test_models_of_another_protocol_are_passed_over(model):
    models = [model(1), model(2, "other"), model(3)]
    assert resolve(models, [blessing(10, 1), blessing(11, 2)], models[2]) == [1]


def test_a_model_whose_files_are_gone_is_passed_over(model, tmp_path):
    models = [model(1), model(2), model(3)]
    (tmp_path / "2" / "Format-Serving" / "model.json").unlink()
    assert resolve(models, [blessing(10, 1), blessing(11, 2)], models[2]) == [1]


def test_an_older_model_that_was_blessed_again_is_the_one_to_beat(model):
    models = [model(1), model(2), model(3)]
    assert resolve(models, [blessing(10, 1), blessing(11, 2), blessing(12, 1)], models[2]) == [1]
