"""Which earlier artifact a run is compared with."""

import hashlib
import json

import pytest
from tfx.types import standard_artifacts

from components.baselines.resolvers import ForcedBlessing, LatestBlessedOther, Withdrawal
from components.decisions import Forced, RolledBack, set_properties
from serving.manifest import write_manifest


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


def resolve(models, blessings, candidate):
    inputs = {"subject": list(models), "blessing": list(blessings), "candidate": [candidate]}
    found = LatestBlessedOther(same_protocol=True).resolve_artifacts(None, inputs)
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
    models.append(model(4, "other"))
    assert resolve(models, [blessing(10, 1), blessing(11, 2)], models[3]) == [2]


def test_a_model_whose_files_are_gone_is_passed_over(model, tmp_path):
    models = [model(1), model(2), model(3)]
    (tmp_path / "2" / "Format-Serving" / "model.json").unlink()
    assert resolve(models, [blessing(10, 1), blessing(11, 2)], models[2]) == [1]


def test_an_older_model_that_was_blessed_again_is_the_one_to_beat(model):
    models = [model(1), model(2), model(3)]
    assert resolve(models, [blessing(10, 1), blessing(11, 2), blessing(12, 1)], models[2]) == [1]


def gate_blessing(number, of, blessed=1, evaluation=0, forced=False, first=None):
    artifact = blessing(number, of, blessed)
    artifact.set_int_custom_property("evaluation_id", evaluation)
    if forced:
        set_properties(artifact, Forced("ada@engine", "because", "2026-01-01T00:00:00+00:00").properties())
    if first:
        artifact.set_int_custom_property("forced_blessing_id", first)
    return artifact


def test_a_forced_blessing_counts_against_the_evaluators_no(model):
    models = [model(1), model(2), model(3)]
    given = [blessing(10, 1), gate_blessing(11, 1), blessing(12, 2, blessed=0), gate_blessing(13, 2, blessed=0)]
    assert resolve(models, given, models[2]) == [1]
    assert resolve(models, [*given, gate_blessing(14, 2, forced=True)], models[2]) == [2]


def test_the_gate_counts_before_an_evaluator_whose_run_went_no_further(model):
    models = [model(1), model(2), model(3)]
    given = [gate_blessing(11, 1), gate_blessing(14, 2, forced=True), blessing(15, 2, blessed=0)]
    assert resolve(models, given, models[2]) == [2]


def test_what_was_blessed_before_there_was_a_gate_still_counts(model):
    models = [model(1), model(2)]
    assert resolve(models, [blessing(10, 1)], models[1]) == [1]


def test_the_last_forced_blessing_of_an_evaluation_is_found_and_stays_the_one_found():
    evaluation = standard_artifacts.ModelEvaluation()
    evaluation.id = 7

    def found(*blessings):
        given = {"evaluation": [evaluation], "blessing": list(blessings)}
        resolved = ForcedBlessing().resolve_artifacts(None, given)
        assert resolved["evaluation"] == [evaluation]
        return [artifact.id for artifact in resolved["blessing"]]

    evaluators, refused = blessing(10, 1, blessed=0), gate_blessing(11, 1, blessed=0, evaluation=7)
    other = gate_blessing(12, 1, evaluation=6, forced=True)
    assert found() == found(evaluators, refused, other) == []
    forced = gate_blessing(13, 1, evaluation=7, forced=True)
    assert found(evaluators, forced, other, refused) == [13]
    stands = gate_blessing(14, 1, evaluation=7, forced=True, first=13)
    assert found(forced, stands) == [13]
    assert found(gate_blessing(15, 1, evaluation=7, forced=True), forced, stands) == [15]


def rolled_back(number, of, blessed):
    artifact = gate_blessing(number, of, blessed)
    set_properties(artifact, RolledBack("eve@engine", "stripes", "2026-01-01T00:00:00+00:00").properties())
    return artifact


def withdrawal(model, blessings):
    found = Withdrawal().resolve_artifacts(None, {"candidate": [model], "blessing": blessings})
    return [artifact.id for artifact in found["blessing"]]


def test_the_last_rollback_that_concerns_a_model_counts(model):
    given = [gate_blessing(11, 1), gate_blessing(12, 2), rolled_back(13, 2, 0), rolled_back(14, 1, 1)]
    models = [model(1), model(2), model(3)]
    assert [withdrawal(each, given) for each in models] == [[], [13], []]
    back = [*given, rolled_back(15, 1, 0), rolled_back(16, 2, 1)]
    assert [withdrawal(each, back) for each in models] == [[15], [], []]


def test_the_same_weights_trained_again_are_withdrawn_too(model, tmp_path):
    models = [model(1), model(2), model(3)]
    for number, content in ((1, b"one"), (2, b"two"), (3, b"two")):
        folder = tmp_path / str(number) / "Format-Serving"
        (folder / "weights.npz").write_bytes(content)
        write_manifest(folder)
    gone = rolled_back(13, 2, 0)
    gone.set_string_custom_property("weights_sha256", hashlib.sha256(b"two").hexdigest())
    assert [withdrawal(each, [gone]) for each in models] == [[], [13], [13]]


def test_a_verdict_of_the_gate_after_it_changes_no_withdrawal(model):
    given = [gate_blessing(12, 2), rolled_back(13, 2, 0), rolled_back(14, 1, 1), gate_blessing(15, 2, blessed=0)]
    assert withdrawal(model(2), given) == [13]


def test_what_was_put_back_is_the_one_to_beat(model):
    models = [model(1), model(2), model(3)]
    given = [gate_blessing(11, 1), gate_blessing(12, 2), rolled_back(13, 2, 0), rolled_back(14, 1, 1)]
    assert resolve(models, given, models[2]) == [1]
