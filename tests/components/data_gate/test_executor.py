"""The data gate on real statistics, the project's own schema, and TFX's own ExampleValidator."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tfx.components.example_validator.executor import Executor as Validator
from tfx.types import artifact_utils, standard_artifacts

import components.data_gate
from common.errors import GateRefused
from components.artifacts import DataBlessing
from components.data_gate.config import ValidationConfig
from components.data_gate.executor import Executor

SCHEMA = Path(components.data_gate.__file__).with_name("schema.pbtxt")
SPLITS = ["train", "eval"]


def pictures(n=300, seed=0, **changed):
    """Features of pictures as ImageExampleGen gives them; `changed` replaces some."""
    rng = np.random.default_rng(seed)
    features = {
        "image/encoded": [b"\x89PNG" + rng.bytes(20) for _ in range(n)],
        "image/format": ["png"] * n,
        "image/height": [28] * n,
        "image/width": [28] * n,
        "image/channels": [1] * n,
        "image/label": list(rng.choice(["cat", "dog"], n)),
        "image/path": [f"{i}.png" for i in range(n)],
        "image/sha256": [rng.bytes(32).hex() for _ in range(n)],
        "image/mean": rng.normal(70, 20, n).clip(0, 255).astype(np.float32),
        "image/std": rng.normal(80, 10, n).clip(0, 255).astype(np.float32),
        "image/exposure": ["usual"] * n,
        "image/reencoded_from": [""] * n,
    }
    return pd.DataFrame({name: changed.get(name, values) for name, values in features.items()})


class Gate:
    """Statistics, validation and the gate for tables of features, each time in folders of their own."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        self.schema = standard_artifacts.Schema()
        self.schema.uri = str(folder / "schema")
        (folder / "schema").mkdir()
        (folder / "schema" / "schema.pbtxt").write_text(SCHEMA.read_text())

    def artifact(self, kind):
        self.count += 1
        artifact = kind()
        artifact.id, artifact.uri = self.count, str(self.folder / str(self.count))
        Path(artifact.uri).mkdir()
        return artifact

    def statistics(self, table):
        artifact = self.artifact(standard_artifacts.ExampleStatistics)
        artifact.split_names = artifact_utils.encode_split_names(SPLITS)
        schema = tfdv.load_schema_text(str(SCHEMA))
        for split in SPLITS:
            folder = Path(artifact_utils.get_split_uri([artifact], split))
            folder.mkdir()
            made = tfdv.generate_statistics_from_dataframe(table, tfdv.StatsOptions(schema=schema))
            (folder / "FeatureStats.pb").write_bytes(made.SerializeToString())
        return artifact

    def judge(self, statistics, baseline=None, config=None, schema=None):
        anomalies, blessing = self.artifact(standard_artifacts.ExampleAnomalies), self.artifact(DataBlessing)
        inputs = {"statistics": [statistics], "schema": [schema or self.schema]}
        Validator().Do(inputs, {"anomalies": [anomalies]}, {"exclude_splits": "[]"})
        inputs |= {"anomalies": [anomalies], "baseline_statistics": [baseline] if baseline else []}
        config = json.dumps(dataclasses.asdict(config or ValidationConfig()))
        Executor().Do(inputs, {"blessing": [blessing]}, {"code": "", "config": config})
        return blessing


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    return Gate(tmp_path_factory.mktemp("gate"))


@pytest.fixture(scope="module")
def usual(gate):
    return gate.statistics(pictures())


def test_the_first_pictures_pass_on_the_schema_alone(gate, usual):
    blessing = gate.judge(usual)
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("current_model_id") == usual.id


def test_more_of_the_same_pass(gate, usual):
    gate.judge(gate.statistics(pictures(seed=1)), usual)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"image/mean": np.float32(255) - pictures()["image/mean"]}, ["brightness", "drifted"]),
        ({"image/mean": np.zeros(300, np.float32), "image/std": np.zeros(300, np.float32)}, ["brightness", "contrast"]),
        ({"image/label": ["cat"] * 300}, ["labels", "drifted"]),
    ],
    ids=["inverted", "black", "one label"],
)
def test_drift_is_refused_once_there_are_earlier_pictures(gate, usual, changed, words):
    odd = gate.statistics(pictures(seed=2, **changed))
    gate.judge(odd)  # without a baseline the schema alone decides
    with pytest.raises(GateRefused) as caught:
        gate.judge(odd, usual)
    assert caught.value.gate == "data"
    text = "; ".join(caught.value.reasons)
    for word in [*words, "train and eval pictures", "last accepted pictures"]:
        assert word in text, text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"image/channels": [5] * 300}, ["number of channels", "5"]),
        ({"image/format": ["tiff"] * 300}, ["file format", "tiff"]),
        ({"image/mean": np.full(300, 300, np.float32)}, ["brightness"]),
        ({"image/mean": np.full(300, np.nan, np.float32)}, ["brightness"]),
    ],
)
def test_what_the_schema_forbids_is_refused_at_once(gate, changed, words):
    with pytest.raises(GateRefused) as caught:
        gate.judge(gate.statistics(pictures(**changed)))
    for word in words:
        assert word in str(caught.value)


def test_a_missing_feature_is_refused(gate):
    with pytest.raises(GateRefused, match="labels"):
        gate.judge(gate.statistics(pictures().drop(columns="image/label")))


def test_a_sentence_is_said_once_for_all_splits(gate, usual):
    odd = gate.statistics(pictures(**{"image/mean": np.zeros(300, np.float32)}))
    with pytest.raises(GateRefused) as caught:
        gate.judge(odd, usual)
    assert len(caught.value.reasons) == len(set(caught.value.reasons)) == 1


@pytest.mark.parametrize("exposure", ["near-black", "near-white", "near-constant"])
def test_too_many_pictures_of_nothing_are_refused_at_once(gate, exposure):
    odd = gate.statistics(pictures(**{"image/exposure": [exposure] * 180 + ["usual"] * 120}))
    config = ValidationConfig(max_near_constant=0.5)
    with pytest.raises(GateRefused) as caught:
        gate.judge(odd, config=config)
    reason = f"train pictures: 60% of them are {exposure}; validation.max_{exposure.replace('-', '_')} allows 50%"
    hint = "; masks of levels 0 and 1 need data.levels=1" if exposure == "near-black" else ""
    assert caught.value.reasons[0] == reason + hint
    assert caught.value.evidence[0]["values"] == (exposure,)
    gate.judge(odd, config=ValidationConfig(max_near_black=0.7, max_near_white=None))


def test_labels_that_come_and_go(gate, usual):
    more = gate.statistics(pictures(**{"image/label": ["cat", "dog", "dog", "fox", "cat", "dog"] * 50}))
    lenient = ValidationConfig(drift_labels=None)
    with pytest.raises(GateRefused, match="a label is new: the last accepted pictures have no 'fox'"):
        gate.judge(more, usual, lenient)
    with pytest.raises(GateRefused, match="a label has vanished: the last accepted pictures have 'fox'"):
        gate.judge(usual, more, lenient)
    gate.judge(more, usual, ValidationConfig(drift_labels=None, label_set="free"))


def test_labels_that_the_schema_names(gate, tmp_path):
    schema = tfdv.load_schema_text(str(SCHEMA))
    label = next(feature for feature in schema.feature if feature.name == "image/label")
    label.string_domain.value.extend(["cat", "dog", "hen"])
    artifact = standard_artifacts.Schema()
    artifact.uri = str(tmp_path)
    tfdv.write_schema_text(schema, str(tmp_path / "schema.pbtxt"))
    with pytest.raises(GateRefused) as caught:
        gate.judge(gate.statistics(pictures(**{"image/label": ["cat", "fox", "dog"] * 100})), schema=artifact)
    text = "; ".join(caught.value.reasons)
    assert "values missing from the schema: fox" in text and "a label has vanished: the schema lists 'hen'" in text
    assert {"feature": "image/label", "values": ("fox",)}.items() <= caught.value.evidence[0].items()


def test_how_far_each_feature_is_from_the_pictures_before_is_said_either_way(gate, usual):
    passed = json.loads(Path(gate.judge(usual).uri, "verdict.json").read_text())
    assert passed["drift"] == {}, "there were none before"
    passed = json.loads(Path(gate.judge(gate.statistics(pictures(seed=1)), usual).uri, "verdict.json").read_text())
    assert set(passed["drift"]) >= {"image/mean", "image/std", "image/label"} and 0 < passed["drift"]["image/mean"] < 0.3
    brighter = pictures(seed=1, **{"image/mean": np.full(300, 250.0, np.float32)})
    with pytest.raises(GateRefused) as refusal:
        gate.judge(gate.statistics(brighter), usual)
    assert refusal.value.drift["image/mean"] > 0.9 and refusal.value.drift["image/label"] < 0.3


def test_thresholds_are_the_configurations(gate, usual):
    brighter = gate.statistics(pictures(seed=3, **{"image/mean": pictures(seed=3)["image/mean"] + np.float32(15)}))
    gate.judge(brighter, usual)
    with pytest.raises(GateRefused, match="brightness .* 0.01 is allowed"):
        gate.judge(brighter, usual, ValidationConfig(drift_brightness=0.01))
    inverted = gate.statistics(pictures(seed=2, **{"image/mean": np.float32(255) - pictures()["image/mean"]}))
    gate.judge(inverted, usual, ValidationConfig(drift_brightness=None))
