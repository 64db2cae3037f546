"""The executor on small real artifacts: handwritten digits with all, some and no labels."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tfx.types import standard_artifacts

from components import artifacts
from components.feature_extractor.description import Description, Features, read_features, write_features
from components.feature_extractor.executor import Executor, known_labels
from components.feature_extractor.splits import Split, choose
from components.sample_quality.figures import Quality
from components.sample_quality.measure import measure
from pipeline.verdict.nodes import summarize
from pipeline.verdict.outcomes import NodeOutcome, Output
from tests.components.digits import read_digits, write_digits
from tests.project import ROOT
from trainer.data import pixel_graph
from trainer.features import self_supervised


def run(examples: str, graph: str, folder: Path, split: str = "test") -> Features:
    """Runs the executor as TFX does, and reads what it wrote."""
    made = standard_artifacts.Examples(), standard_artifacts.TransformGraph(), artifacts.Features()
    for artifact, uri in zip(made, (examples, graph, str(folder))):
        artifact.uri = uri
    inputs = {"examples": [made[0]], "transform_graph": [made[1]]}
    Executor().Do(inputs, {"features": [made[2]]}, {"split": split, "seed": 0, "code": ""})
    return read_features(str(folder))


@pytest.fixture(scope="module")
def made(digits_uri: str, graph_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of labelled digits."""
    folder = tmp_path_factory.mktemp("features")
    run(digits_uri, graph_uri, folder)
    return folder


@pytest.fixture
def in_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-supervised network learns next to nothing: what it sees is tested elsewhere."""
    monkeypatch.setattr(self_supervised, "STEPS", (10, 10))


def test_labelled_pictures_make_a_classifier(made: Path) -> None:
    features = read_features(str(made))
    description, classifier = features.description, features.classifier
    assert description.kind == "classifier" and description.reason is None
    assert features.network is classifier
    assert description.hash == classifier.hash() and len(description.hash) == 64
    assert description.pictures == 900 and description.held_out == 200
    assert description.labels == tuple("0123456789")
    assert description.accuracy > 0.85 > description.chance
    assert classifier.features(read_digits()[0][:5]).shape == (5, description.dimensions)


def test_beside_a_classifier_there_is_a_network_without_labels(made: Path) -> None:
    features = read_features(str(made))
    assert features.self_supervised.hash() == features.description.self_supervised_hash != features.description.hash
    assert features.description.self_supervised_shape == (8, 8, 1)


@pytest.mark.slow
def test_another_process_makes_the_same(made: Path, digits_uri: str, graph_uri: str, tmp_path: Path) -> None:
    script = (
        "import sys; from components.feature_extractor.executor import extract; "
        "found = extract(sys.argv[1], sys.argv[2], 'test', 0).description; "
        "open(sys.argv[3], 'w').write(found.hash + found.self_supervised_hash)"
    )
    command = [sys.executable, "-c", script, digits_uri, graph_uri, str(tmp_path / "hash")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    description = read_features(str(made)).description
    assert (tmp_path / "hash").read_text() == description.hash + description.self_supervised_hash


@pytest.mark.parametrize(
    "rename",
    [lambda i, label: "", lambda i, label: "rare" if i < 19 else "common"],
    ids=["no labels", "one label and a rare one"],
)
@pytest.mark.usefixtures("in_few_steps")
def test_without_labels_to_learn_features_are_self_supervised(rename, graph_uri: str, tmp_path: Path) -> None:
    examples = write_digits(tmp_path / "examples", {"train": 100, "test": 50}, rename)
    features = run(str(examples), graph_uri, tmp_path / "features")
    description, network = features.description, features.self_supervised
    assert features.classifier is None and features.network is network
    assert description.kind == "self_supervised" and description.hash == description.self_supervised_hash == network.hash()
    assert description.reason == "fewer than 2 labels have 20 training pictures"
    assert (description.pictures, description.image_shape, description.accuracy) == (100, (8, 8, 1), None)
    assert network.features(read_digits()[0][:5]).shape == (5, description.dimensions)
    assert sorted(path.name for path in (tmp_path / "features").iterdir()) == ["features.json", "self_supervised.npz"]


def test_artifacts_of_earlier_versions_are_read(made: Path, tmp_path: Path) -> None:
    described = json.loads((made / "features.json").read_text())
    for added in ("self_supervised_hash", "self_supervised_shape"):
        del described[added]
    (tmp_path / "features.json").write_text(json.dumps(described))
    (tmp_path / "weights.npz").write_bytes((made / "weights.npz").read_bytes())
    features = read_features(str(tmp_path))
    assert features.network is features.classifier and features.self_supervised is None
    write_features(str(tmp_path / "encoder"), Features(Description("encoder", reason="there are no labels")))
    assert read_features(str(tmp_path / "encoder")).network is None


@pytest.mark.usefixtures("in_few_steps")
def test_unlabelled_and_rare_pictures_are_left_out(graph_uri: str, tmp_path: Path) -> None:
    names = {"0": "round", "8": "round", "1": "upright", "7": "upright", "4": ""}
    examples = write_digits(
        tmp_path / "examples", {"train": 400, "eval": 100}, lambda i, label: "rare" if i < 5 else names.get(label, "")
    )
    description = run(str(examples), graph_uri, tmp_path / "features", split="eval").description
    assert description.labels == ("round", "upright")
    labels = read_digits()[1]
    assert description.pictures == sum(names.get(label, "") != "" for label in labels[5:400])
    assert description.accuracy > 0.9


@pytest.mark.usefixtures("in_few_steps")
def test_without_held_out_pictures_there_is_no_accuracy(graph_uri: str, tmp_path: Path) -> None:
    examples = write_digits(tmp_path / "examples", {"train": 300})
    features = run(str(examples), graph_uri, tmp_path / "features")
    description = features.description
    assert features.classifier is not None
    assert (description.accuracy, description.chance, description.held_out) == (None, None, 0)
    assert description.reason is None and (features.self_supervised, description.self_supervised_hash) == (None, None)


@pytest.mark.parametrize(("splits", "few"), [({"train": 100, "test": 49}, "49 test"), ({"train": 49, "test": 60}, "49 training")])
def test_no_network_is_trained_for_pictures_too_few_to_be_compared(splits, few: str, graph_uri: str, tmp_path: Path) -> None:
    examples = str(write_digits(tmp_path / "examples", splits, lambda i, label: ""))
    features = run(examples, graph_uri, tmp_path / "features")
    assert features == Features(Description("none", reason=f"there are only {few} pictures; at least 50 are needed"))
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["features.json"]
    outcome = NodeOutcome("FeatureExtractor", "done", 0.1, {"features": Output(str(tmp_path / "features"), {})})
    assert summarize(outcome).text == f"not trained: {features.description.reason}"
    # SampleQuality does not ask for a network then, and gives the same reason. There is no model either.
    measured = measure(examples, graph_uri, "", str(tmp_path / "features"), split="test", seed=0, max_pictures=100)
    assert measured == Quality(reason=features.description.reason, split="test")


def test_shuffled_labels_are_found_among_pictures_too_few_to_be_compared(graph_uri: str, tmp_path: Path) -> None:
    examples = str(write_digits(tmp_path / "examples", {"train": 400, "test": 40}, lambda i, label: label))
    features = run(examples, graph_uri, tmp_path / "features")
    assert features.description.kind == "classifier" and features.self_supervised is None
    assert features.description.held_out == 40 and features.description.accuracy > 0.8 > features.description.chance


@pytest.mark.parametrize("name", ["hash", "self_supervised_hash"])
def test_other_weights_than_described_are_refused(name: str, made: Path, tmp_path: Path) -> None:
    described = json.loads((made / "features.json").read_text())
    (tmp_path / "features.json").write_text(json.dumps({**described, name: hashlib.sha256(b"").hexdigest()}))
    for weights in ("weights.npz", "self_supervised.npz"):
        (tmp_path / weights).write_bytes((made / weights).read_bytes())
    with pytest.raises(ValueError, match="is not the network"):
        read_features(str(tmp_path))


def test_labels_that_can_be_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.array(["b"] * 20 + ["a"] * 30 + ["c"] * 19 + [""] * 50 + ["d"] * 25, object)
    assert known_labels(labels) == ["a", "b", "d"]
    monkeypatch.setattr("components.feature_extractor.executor.MAX_LABELS", 2)
    assert known_labels(labels) == ["a", "d"]
    assert known_labels(np.array([], object)) == []


def test_a_split_knows_where_its_pictures_were_found(tmp_path: Path) -> None:
    values = [{"image/path": f"folder/{i}.png".encode()} if i != 2 else {} for i in range(5)]
    feature = lambda value: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    with tf.io.TFRecordWriter(str(tmp_path / "records"), "GZIP") as writer:
        for one in values:
            features = {name: feature(value) for name, value in {"image/encoded": b"", **one}.items()}
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    (tmp_path / "Split-train").mkdir()
    (tmp_path / "records").rename(tmp_path / "Split-train" / "data_tfrecord-00000-of-00001.gz")
    assert Split(str(tmp_path), "train").paths(np.array([0, 2, 3])) == ["folder/0.png", "", "folder/3.png"]


def test_a_split_gives_the_chosen_pictures_in_order(digits_uri: str, graph_uri: str) -> None:
    split, graph = Split(digits_uri, "test"), pixel_graph(tft.TFTransformOutput(graph_uri))
    pictures, labels = read_digits()
    assert split.labels.tolist() == labels[900:1100]
    chosen = choose(200, 150, seed=3)
    assert len(set(chosen)) == 150 and (np.diff(chosen) > 0).all()
    decoded = list(split.decode(chosen, graph))
    np.testing.assert_array_equal(np.concatenate(decoded), pictures[900:1100][chosen])
    assert list(split.decode(chosen[:0], graph)) == []
    assert len(Split(digits_uri, "eval")) == 0
    assert len(choose(5, 10, seed=0)) == 5
