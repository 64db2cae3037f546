"""The model gate: the Evaluator's decision and the new pictures, or a person's decision against them."""

import dataclasses
import json
import math
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components import artifacts
from components.decisions import ELBO_BELOW, EVALUATION_ID, FORCED_BLESSING_ID, FRECHET_ABOVE, Forced, RolledBack, set_properties
from components.feature_extractor.description import DESCRIPTION, Description
from components.model_gate.executor import Executor
from components.sample_quality.figures import Distances, Quality
from tests.components.report.fakes import artifact, write_evaluation

LIMITS = {
    "max_label_accuracy_drop": 0.2,
    "max_drop": 1.0,
    "picture_limits": json.dumps({"max_frechet_rise": 0.5, "min_coverage": 0.5}),
}
FAILURE = "ELBO is -240.00 nats; the minimum is -200.00 (40.00 too low)"


@pytest.fixture
def gate(tmp_path):
    """Runs the gate on an evaluation that refused or blessed the model, and gives its blessing."""
    count = iter(range(100, 200))

    def run(refused, who="", why="", earlier=None, withdrawal=None, learned=None, last=None, elbos=None, quality=None):
        number = next(count)
        folder = tmp_path / str(number)
        now, before = elbos or (-240.0, None)
        baseline = None if before is None else {"elbo": before}
        bound = -200.0 if refused else None
        write_evaluation(folder / "evaluation", {"": {"elbo": now, "pictures": 20}}, baseline=baseline, bound=bound)
        evaluation = artifact(standard_artifacts.ModelEvaluation, folder / "evaluation")
        evaluation.id = 7
        decided = artifact(
            standard_artifacts.ModelBlessing,
            folder / "decided",
            blessed=0 if refused else 1,
            current_model_id=5,
            current_model="models/5",
            baseline_model="models/3",
        )
        blessing = artifact(standard_artifacts.ModelBlessing, folder / "blessing")
        inputs = {"evaluation": [evaluation], "evaluator_blessing": [decided], "forced_blessing": [earlier] if earlier else []}
        inputs["withdrawal"] = [withdrawal] if withdrawal else []
        if learned:
            (folder / "features").mkdir()
            (folder / "features" / DESCRIPTION).write_text(json.dumps(dataclasses.asdict(learned)))
            inputs["features"] = [artifact(artifacts.Features, folder / "features")]
        inputs["last_blessing"] = [last] if last else []
        if quality:
            (folder / "quality").mkdir()
            (folder / "quality" / "quality.json").write_text(json.dumps(quality.to_dict()))
            inputs["quality"] = [artifact(artifacts.Quality, folder / "quality")]
        Executor().Do(inputs, {"blessing": [blessing]}, {**LIMITS, "who": who, "why": why, "code": ""})
        blessing.id = number
        return blessing

    return run


def record(blessing):
    return json.loads(Path(blessing.uri, "blessing.json").read_text())


def files(blessing):
    return {path.name for path in Path(blessing.uri).iterdir()}


def test_what_the_evaluator_blessed_is_blessed(gate):
    blessing = gate(refused=False)
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("current_model_id") == 5
    assert blessing.get_string_custom_property("current_model") == "models/5"
    assert blessing.get_string_custom_property("baseline_model") == "models/3"
    assert blessing.get_int_custom_property(EVALUATION_ID) == 7
    assert files(blessing) == {"BLESSED", "blessing.json"}
    assert (record(blessing)["blessed"], record(blessing)["forced"], record(blessing)["failures"]) == (True, None, [])


def test_what_it_refused_is_refused(gate):
    blessing = gate(refused=True)
    assert blessing.get_int_custom_property("blessed") == 0
    assert Forced.read(blessing) is None
    assert files(blessing) == {"NOT_BLESSED", "blessing.json"}
    assert record(blessing)["failures"] == [FAILURE]


def test_a_person_can_overrule_it_and_is_recorded_with_what_was_worse(gate):
    blessing = gate(refused=True, who="ada@engine", why="the pictures are new")
    assert blessing.get_int_custom_property("blessed") == 1
    forced = Forced.read(blessing)
    assert (forced.who, forced.why) == ("ada@engine", "the pictures are new")
    assert forced.when.startswith("20") and "T" in forced.when
    assert files(blessing) == {"BLESSED", "blessing.json"}
    assert record(blessing)["forced"] == {"who": forced.who, "why": forced.why, "when": forced.when}
    assert record(blessing)["failures"] == [FAILURE]


def test_where_nothing_was_refused_nothing_is_recorded_as_forced(gate):
    blessing = gate(refused=False, who="ada@engine", why="to be sure")
    assert blessing.get_int_custom_property("blessed") == 1
    assert Forced.read(blessing) is None
    assert record(blessing)["forced"] is None


@pytest.mark.parametrize(("who", "why"), [("", ""), ("ada@engine", "the pictures are new")])
def test_a_forced_blessing_stands_and_stays_the_same(gate, who, why):
    first = gate(refused=True, who="ada@engine", why="the pictures are new")
    set_properties(first, Forced("ada@engine", "the pictures are new", "2026-01-01T00:00:00+00:00").properties())
    again = gate(refused=True, who=who, why=why, earlier=first)
    assert again.get_int_custom_property("blessed") == 1
    assert Forced.read(again) == Forced.read(first)
    assert again.get_int_custom_property(FORCED_BLESSING_ID) == first.id


def test_another_reason_is_another_blessing(gate):
    first = gate(refused=True, who="ada@engine", why="the pictures are new")
    again = gate(refused=True, who="bob@engine", why="as Ada says", earlier=first)
    assert Forced.read(again).who == "bob@engine"
    assert not again.has_custom_property(FORCED_BLESSING_ID)


@pytest.fixture
def withdrawal(tmp_path):
    """The rollback that took the model out of service, decided between the gate's first and its later runs."""
    found = artifact(standard_artifacts.ModelBlessing, tmp_path / "withdrawal", blessed=0, current_model_id=5)
    found.id = 150
    set_properties(found, RolledBack("eve@engine", "grey stripes", "2026-01-01T00:00:00+00:00").properties())
    return found


def test_a_model_from_which_a_person_rolled_back_is_refused_whatever_the_evaluator_says(gate, withdrawal):
    blessing = gate(refused=False, withdrawal=withdrawal)
    assert blessing.get_int_custom_property("blessed") == 0 and files(blessing) == {"NOT_BLESSED", "blessing.json"}
    words = "this model was withdrawn by a rollback on 2026-01-01T00:00:00+00:00 by eve@engine: grey stripes"
    assert record(blessing)["failures"] == [words]
    assert record(gate(refused=True, withdrawal=withdrawal))["failures"] == [FAILURE, words]


def test_what_a_person_decided_last_counts(gate, withdrawal):
    before = gate(refused=True, who="ada@engine", why="it is good")
    assert before.id < withdrawal.id
    assert gate(refused=True, earlier=before, withdrawal=withdrawal).get_int_custom_property("blessed") == 0
    before.id = 151
    assert gate(refused=True, earlier=before, withdrawal=withdrawal).get_int_custom_property("blessed") == 1
    anew = gate(refused=False, who="ada@engine", why="the stripes are meant", withdrawal=withdrawal)
    assert anew.get_int_custom_property("blessed") == 1 and Forced.read(anew).why == "the stripes are meant"


def learned(accuracy, held_out=1000, labels=("big", "small")):
    """What a classifier has learned of the labels."""
    return Description("encoder", labels=labels, held_out=held_out, accuracy=accuracy)


def test_labels_that_can_be_learned_far_worse_than_before_are_in_disorder(gate):
    last = gate(refused=False, learned=learned(0.95))
    blessing = gate(refused=False, learned=learned(0.5), last=last)
    assert blessing.get_int_custom_property("blessed") == 0
    (words,) = record(blessing)["failures"]
    assert (
        "labels 50.0% of 1,000 held-out pictures correctly, 95.0% at the last blessed model" in words and "a drop of 20%" in words
    )
    forced = gate(refused=False, learned=learned(0.5), last=last, who="ada@engine", why="they are harder now")
    assert forced.get_int_custom_property("blessed") == 1 and record(forced)["failures"] == [words]


@pytest.mark.parametrize(
    "now",
    [
        learned(0.8),  # within what is allowed
        learned(0.5, held_out=8),  # chance
        learned(0.5, labels=("big", "middle", "small")),  # other labels
        learned(None),
        None,
    ],
)
def test_what_is_no_disorder_is_blessed(gate, now):
    blessing = gate(refused=False, learned=now, last=gate(refused=False, learned=learned(0.95)))
    assert blessing.get_int_custom_property("blessed") == 1 and record(blessing)["failures"] == []


def test_a_last_model_whose_labels_nobody_learned_says_nothing(gate):
    assert gate(refused=False, learned=learned(0.1), last=gate(refused=False)).get_int_custom_property("blessed") == 1


def test_models_do_not_slide_down_a_little_at_a_time(gate):
    first = gate(refused=False, elbos=(-100.0, None))
    assert first.get_float_custom_property(ELBO_BELOW) == 0
    second = gate(refused=False, last=first, elbos=(-100.6, -100.0))
    assert second.get_int_custom_property("blessed") == 1 and second.get_float_custom_property(ELBO_BELOW) == pytest.approx(0.6)
    third = gate(refused=False, last=second, elbos=(-101.2, -100.6))
    assert third.get_int_custom_property("blessed") == 0, "each step is allowed, both are not"
    (words,) = record(third)["failures"]
    assert words.startswith("ELBO is 1.20 nats worse than the best earlier model's") and "1.00 is allowed in total" in words
    better = gate(refused=False, last=second, elbos=(-100.1, -100.6))
    assert better.get_int_custom_property("blessed") == 1 and better.get_float_custom_property(ELBO_BELOW) == pytest.approx(0.1)
    best = gate(refused=False, last=second, elbos=(-90.0, -100.6))
    assert best.get_float_custom_property(ELBO_BELOW) == 0, "new ones are judged by it"
    forced = gate(refused=False, last=second, elbos=(-101.2, -100.6), who="ada@engine", why="new pictures")
    assert forced.get_int_custom_property("blessed") == 1 and forced.get_float_custom_property(ELBO_BELOW) == 0


MADE = Distances(14.0, 9.5, 1.0, 0.98, 0.2, 1.6, 0.8, "classifier", "a" * 64, "b" * 64, 1000)
FOG = Quality(generated=dataclasses.replace(MADE, coverage=0.01), rebuilt=MADE)
FEW = Quality(reason="there are only 12 test pictures; at least 50 are needed")


def beside(frechet_distance):
    """New pictures of a model, beside those of the last one, which have a Frechet distance of 14."""
    return Quality(generated=dataclasses.replace(MADE, frechet_distance=frechet_distance), baseline=MADE)


def test_a_model_whose_elbo_holds_and_whose_pictures_are_bad_is_refused(gate):
    blessing = gate(refused=False, quality=FOG)
    assert blessing.get_int_custom_property("blessed") == 0 and files(blessing) == {"NOT_BLESSED", "blessing.json"}
    (words,) = record(blessing)["failures"]
    assert "cover 1.0% of the held-out ones" in words
    both = gate(refused=True, quality=FOG)
    assert record(both)["failures"] == [FAILURE, words]


def test_a_person_can_overrule_what_the_pictures_say_and_it_stands(gate):
    forced = gate(refused=False, quality=FOG, who="ada@engine", why="fog is meant")
    assert forced.get_int_custom_property("blessed") == 1 and Forced.read(forced).why == "fog is meant"
    assert len(record(forced)["failures"]) == 1
    again = gate(refused=False, quality=FOG, earlier=forced)
    assert again.get_int_custom_property("blessed") == 1 and Forced.read(again) == Forced.read(forced)


def test_pictures_that_were_not_measured_refuse_nothing_and_it_is_recorded(gate):
    blessing = gate(refused=False, quality=FEW)
    assert blessing.get_int_custom_property("blessed") == 1 and record(blessing)["failures"] == []
    assert record(blessing)["unjudged"] == [f"new pictures were not judged: {FEW.reason}"]
    assert record(gate(refused=False, quality=Quality(generated=MADE, rebuilt=MADE)))["unjudged"] == []


def test_pictures_do_not_get_worse_a_little_at_a_time(gate):
    first = gate(refused=False, quality=Quality(generated=MADE))
    assert first.get_float_custom_property(FRECHET_ABOVE) == 0
    second = gate(refused=False, last=first, quality=beside(14 * 1.3))
    assert second.get_int_custom_property("blessed") == 1
    assert second.get_float_custom_property(FRECHET_ABOVE) == pytest.approx(math.log(1.3))
    third = gate(refused=False, last=second, quality=beside(14 * 1.3))
    assert third.get_int_custom_property("blessed") == 0, "each step is allowed, both are not"
    forced = gate(refused=False, last=second, quality=beside(14 * 1.3), who="ada@engine", why="new pictures")
    assert forced.get_int_custom_property("blessed") == 1 and forced.get_float_custom_property(FRECHET_ABOVE) == 0
