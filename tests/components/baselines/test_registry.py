"""What a run on a cluster is compared with."""

from __future__ import annotations

import json

from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.artifacts import DataBlessing
from components.baselines import store
from components.baselines.registry import (
    ABSENT,
    VERSION,
    LastModelExecutor,
    LastStatisticsExecutor,
    record_blessing,
    record_statistics,
)
from components.decisions import ACCURACY, ELBO_BELOW, FRECHET_ABOVE, LABELS, PICTURES, REJECTS, SPANS


def artifact(kind, folder):
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


def model(folder, protocol: str, weights: bytes):
    made = artifact(standard_artifacts.Model, folder)
    serving = folder / "Format-Serving"
    serving.mkdir()
    (serving / "model.json").write_text(json.dumps({"protocol": protocol}))
    (serving / "saved_model.pb").write_bytes(weights)
    return made


def last_model(candidate, push_to, folder):
    found, blessing = artifact(standard_artifacts.Model, folder), artifact(standard_artifacts.ModelBlessing, folder / "blessing")
    places = {"push_to": str(push_to), "registry": f"{push_to}-registry"}
    LastModelExecutor().Do({"candidate": [candidate]}, {"model": [found], "blessing": [blessing]}, places)
    return found, blessing


def test_the_last_pushed_model_of_the_same_protocol(tmp_path):
    push_to, candidate = tmp_path / "models", model(tmp_path / "new", "a", b"new")
    assert [each.get_int_custom_property(ABSENT) for each in last_model(candidate, push_to, tmp_path / "none")] == [1, 1]
    for number, (protocol, weights) in enumerate([("a", b"1"), ("a", b"2"), ("b", b"3")], 1):
        pushed = model(tmp_path / f"m{number}", protocol, weights)
        assert store.add(path_utils.serving_model_path(pushed.uri), str(push_to)) == number
    found, blessing = last_model(candidate, push_to, tmp_path / "found")
    assert blessing.get_int_custom_property(ABSENT) == 1, "nothing was recorded of it"
    assert found.get_int_custom_property(VERSION) == 2 and not found.has_custom_property(ABSENT)
    assert (tmp_path / "found/Format-Serving/saved_model.pb").read_bytes() == b"2"
    other = model(tmp_path / "other", "c", b"new")
    assert [each.get_int_custom_property(ABSENT) for each in last_model(other, push_to, tmp_path / "none-either")] == [1, 1]


def test_what_the_gate_found_of_the_last_pushed_model(tmp_path):
    push_to, candidate = tmp_path / "models", model(tmp_path / "new", "a", b"new")
    for number in (1, 2):
        store.add(path_utils.serving_model_path(model(tmp_path / f"m{number}", "a", b"%d" % number).uri), str(push_to))
    nothing = artifact(standard_artifacts.ModelBlessing, tmp_path / "nothing")
    record_blessing(nothing, f"{push_to}-registry", 2)
    assert last_model(candidate, push_to, tmp_path / "f1")[1].get_int_custom_property(ABSENT) == 1
    for version, accuracy in ((1, 0.25), (2, 1.0)):
        blessing = artifact(standard_artifacts.ModelBlessing, tmp_path / f"b{version}")
        blessing.set_float_custom_property(ACCURACY, accuracy)
        blessing.set_int_custom_property(PICTURES, 10 * version)
        blessing.set_string_custom_property(LABELS, "abc")
        blessing.set_float_custom_property(ELBO_BELOW, 0.5)
        blessing.set_float_custom_property(FRECHET_ABOVE, 0.1 * version)
        record_blessing(blessing, f"{push_to}-registry", version)
    _, found = last_model(candidate, push_to, tmp_path / "f2")
    assert (found.get_float_custom_property(ACCURACY), found.get_int_custom_property(PICTURES)) == (1.0, 20)
    assert (found.get_float_custom_property(ELBO_BELOW), found.get_float_custom_property(FRECHET_ABOVE)) == (0.5, 0.2)
    assert found.get_string_custom_property(LABELS) == "abc" and not found.get_int_custom_property(ABSENT)


def last_statistics(registry, folder):
    found, blessing = artifact(standard_artifacts.ExampleStatistics, folder), artifact(DataBlessing, folder / "blessing")
    LastStatisticsExecutor().Do({}, {"statistics": [found], "blessing": [blessing]}, {"registry": str(registry)})
    return found, blessing


def test_the_statistics_that_passed_last_with_their_splits(tmp_path):
    registry = tmp_path / "registry"
    assert [each.get_int_custom_property(ABSENT) for each in last_statistics(registry, tmp_path / "none")] == [1, 1]
    for content in (b"1", b"2", b"2"):
        statistics = artifact(standard_artifacts.ExampleStatistics, tmp_path / "statistics")
        statistics.split_names = artifact_utils.encode_split_names(["train", "eval"])
        (tmp_path / "statistics/Split-train").mkdir(exist_ok=True)
        (tmp_path / "statistics/Split-train/FeatureStats.pb").write_bytes(content)
        record_statistics(statistics, str(registry), {REJECTS: 0.125, SPANS: "{}"})
    found, blessing = last_statistics(registry, tmp_path / "found")
    assert blessing.get_string_custom_property(SPANS) == "{}"
    assert blessing.get_float_custom_property(REJECTS) == 0.125 and not blessing.has_custom_property(ABSENT)
    assert found.get_int_custom_property(VERSION) == 2, "the same statistics are recorded once"
    assert artifact_utils.decode_split_names(found.split_names) == ["train", "eval"]
    assert (tmp_path / "found/Split-train/FeatureStats.pb").read_bytes() == b"2"
