"""Which model training starts from."""

from __future__ import annotations

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import standard_artifacts

from components.baselines.resolvers import StartingPoint


@pytest.fixture
def store():
    config = pb.ConnectionConfig()
    config.fake_database.SetInParent()
    return metadata_store.MetadataStore(config)


class History:
    """What was trained on what, as ML Metadata knows it."""

    def __init__(self, store, folder):
        self.store, self.folder = store, folder
        self.types = {name: store.put_artifact_type(pb.ArtifactType(name=name)) for name in ("Model", "Examples", "ModelBlessing")}
        self.trainer = store.put_execution_type(pb.ExecutionType(name="Trainer"))
        self.models, self.blessings = [], []

    def artifact(self, kind):
        made = {"Model": standard_artifacts.Model, "Examples": standard_artifacts.Examples}[kind]()
        made.uri = str(self.folder / kind)
        (self.folder / kind).mkdir(exist_ok=True)
        (made.id,) = self.store.put_artifacts([pb.Artifact(type_id=self.types[kind], uri=made.uri)])
        return made

    def train(self, examples, base=None, blessed=True):
        model = self.artifact("Model")
        (execution,) = self.store.put_executions([pb.Execution(type_id=self.trainer)])
        events = [(examples, "examples", pb.Event.INPUT), (model, "model", pb.Event.OUTPUT)]
        events += [(base, "base_model", pb.Event.INPUT)] if base else []
        for artifact, key, kind in events:
            event = pb.Event(artifact_id=artifact.id, execution_id=execution, type=kind)
            event.path.steps.add().key = key
            self.store.put_events([event])
        blessing = standard_artifacts.ModelBlessing()
        blessing.id = 1000 + len(self.blessings)
        blessing.set_int_custom_property("blessed", int(blessed))
        blessing.set_int_custom_property("current_model_id", model.id)
        self.models.append(model)
        self.blessings.append(blessing)
        return model

    def start(self, examples):
        inputs = {"model": list(self.models), "blessing": list(self.blessings), "examples": [examples]}
        found = StartingPoint().resolve_artifacts(self.store, inputs)
        assert found["examples"] == [examples]
        return found["model"]


def test_nothing_to_start_from_and_then_the_last_blessed_one(store, tmp_path):
    history = History(store, tmp_path)
    one, two, three = (history.artifact("Examples") for _ in range(3))
    assert history.start(one) == []
    first = history.train(one)
    assert history.start(two) == [first]
    history.train(two, first, blessed=False)
    assert history.start(three) == [first], "a refused one is no start"


def test_the_same_pictures_start_from_what_they_started_from(store, tmp_path):
    history = History(store, tmp_path)
    one, two = history.artifact("Examples"), history.artifact("Examples")
    first = history.train(one)
    assert history.start(one) == [], "not from the model that they gave"
    second = history.train(two, first)
    assert history.start(two) == [first] and history.start(one) == []
    history.train(two, second)  # with another configuration, say
    assert history.start(two) == [first]


def test_a_model_whose_files_are_gone_is_no_start(store, tmp_path):
    history = History(store, tmp_path)
    next_ones = history.artifact("Examples")
    first = history.train(history.artifact("Examples"))
    assert history.start(next_ones) == [first]
    (tmp_path / "Model").rmdir()
    assert history.start(next_ones) == []
