"""What a run on a cluster is compared with."""

from __future__ import annotations

import json

from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.registry import store
from components.registry.baselines import ABSENT, VERSION, LastModelExecutor, LastStatisticsExecutor, record_statistics


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
    found = artifact(standard_artifacts.Model, folder)
    LastModelExecutor().Do({"candidate": [candidate]}, {"model": [found]}, {"push_to": str(push_to)})
    return found


def test_the_last_pushed_model_of_the_same_protocol(tmp_path):
    push_to, candidate = tmp_path / "models", model(tmp_path / "new", "a", b"new")
    assert last_model(candidate, push_to, tmp_path / "none").get_int_custom_property(ABSENT) == 1
    for number, (protocol, weights) in enumerate([("a", b"1"), ("a", b"2"), ("b", b"3")], 1):
        pushed = model(tmp_path / f"m{number}", protocol, weights)
        assert store.add(path_utils.serving_model_path(pushed.uri), str(push_to)) == number
    found = last_model(candidate, push_to, tmp_path / "found")
    assert found.get_int_custom_property(VERSION) == 2 and not found.has_custom_property(ABSENT)
    assert (tmp_path / "found/Format-Serving/saved_model.pb").read_bytes() == b"2"
    other = model(tmp_path / "other", "c", b"new")
    assert last_model(other, push_to, tmp_path / "none-either").get_int_custom_property(ABSENT) == 1


def last_statistics(registry, folder):
    found = artifact(standard_artifacts.ExampleStatistics, folder)
    LastStatisticsExecutor().Do({}, {"statistics": [found]}, {"registry": str(registry)})
    return found


def test_the_statistics_that_passed_last_with_their_splits(tmp_path):
    registry = tmp_path / "registry"
    assert last_statistics(registry, tmp_path / "none").get_int_custom_property(ABSENT) == 1
    for content in (b"1", b"2", b"2"):
        statistics = artifact(standard_artifacts.ExampleStatistics, tmp_path / "statistics")
        statistics.split_names = artifact_utils.encode_split_names(["train", "eval"])
        (tmp_path / "statistics/Split-train").mkdir(exist_ok=True)
        (tmp_path / "statistics/Split-train/FeatureStats.pb").write_bytes(content)
        record_statistics(statistics, str(registry))
    found = last_statistics(registry, tmp_path / "found")
    assert found.get_int_custom_property(VERSION) == 2, "the same statistics are recorded once"
    assert artifact_utils.decode_split_names(found.split_names) == ["train", "eval"]
    assert (tmp_path / "found/Split-train/FeatureStats.pb").read_bytes() == b"2"
