"""The nodes that differ by where the graph runs: where the schema comes from, and what a run is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver, ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.baselines.registry import LastModel, LastStatistics
from components.baselines.resolvers import ForcedBlessing, LatestBlessedOther, StartingPoint, Withdrawal
from components.curated_schema.component import CuratedSchema
from components.data_gate.artifacts import DataBlessing


class Source(NamedTuple):
    """A node, what is taken of it, and the blessing of that; each None where there is no such thing."""

    node: BaseNode | None
    channel: BaseChannel | None
    blessing: BaseChannel | None = None


NONE = Source(None, None)


class Environment(Protocol):
    """See `Local` and `Cluster`."""

    registry: str
    checkpoints: str

    def schema(self) -> Source:
        """The curated schema: what the pictures must be like, written by people and not inferred from what it is to judge."""

    def last_statistics(self, candidate: BaseChannel) -> Source:
        """The last pictures that passed, to see drift by."""

    def starting_point(self, examples: BaseChannel) -> Source:
        """The last good model, to start training from."""

    def last_model(self, candidate: BaseChannel) -> Source:
        """The last good model, to judge the new one by."""

    def forced_blessing(self, evaluation: BaseChannel) -> Source:
        """A blessing that was forced on this very evaluation, which stands."""

    def withdrawal(self, candidate: BaseChannel) -> Source:
        """The rollback that took this very model out of service."""

    def last(self, before: BaseNode) -> BaseNode | None:
        """What comes behind the last node, and fails where the run did not go well; None where who started it sees that."""


@dataclass(frozen=True)
class Local:
    """One machine: ML Metadata knows what was before.

    Attributes:
        schema_folder: A folder that holds the curated schema, `schema.pbtxt`, alone.
        checkpoints: Where training leaves how far it has come; '' for nowhere.
        registry: None is needed.
    """

    schema_folder: str
    checkpoints: str = ""
    registry: str = ""

    def schema(self) -> Source:
        """See `Environment`."""
        node = Importer(source_uri=self.schema_folder, artifact_type=standard_artifacts.Schema).with_id("Schema")
        return Source(node, node.outputs["result"])

    def last_statistics(self, candidate: BaseChannel) -> Source:
        """See `Environment`."""
        statistics, blessing = Channel(type=standard_artifacts.ExampleStatistics), Channel(type=DataBlessing)
        return _resolved(
            "LastStatistics", "subject", LatestBlessedOther, subject=statistics, blessing=blessing, candidate=candidate
        )

    def starting_point(self, examples: BaseChannel) -> Source:
        """See `Environment`."""
        return _resolved("StartingPoint", "model", StartingPoint, model=_models(), blessing=_blessings(), examples=examples)

    def last_model(self, candidate: BaseChannel) -> Source:
        """See `Environment`."""
        config = {"same_protocol": True}
        return _resolved(
            "LastModel", "subject", LatestBlessedOther, config, subject=_models(), blessing=_blessings(), candidate=candidate
        )

    def forced_blessing(self, evaluation: BaseChannel) -> Source:
        """See `Environment`."""
        return _resolved("ForcedBlessing", "blessing", ForcedBlessing, evaluation=evaluation, blessing=_blessings())

    def withdrawal(self, candidate: BaseChannel) -> Source:
        """See `Environment`."""
        return _resolved("Withdrawal", "blessing", Withdrawal, candidate=candidate, blessing=_blessings())

    def last(self, before: BaseNode) -> BaseNode | None:
        """See `Environment`."""
        return None


@dataclass(frozen=True)
class Cluster:
    """Kubeflow Pipelines or Vertex AI: the registry knows what was before. Nobody can force a blessing there.

    Attributes:
        schema_text: The curated schema in TFDV's text format.
        registry: The folder where runs leave what the runs after them need.
        push_to: Where models are pushed to.
        verdict: The component that fails where a gate has refused the model.
        resolver: Whether the last good model comes from a resolver: Vertex AI has two of them, open-source Kubeflow
            Pipelines none. It is the last one blessed, of whatever protocol.
        checkpoints: None are left, for a pod's folders end with it.
    """

    schema_text: str
    registry: str
    push_to: str
    verdict: BaseNode
    resolver: bool = False
    checkpoints: str = ""

    def schema(self) -> Source:
        """See `Environment`."""
        node = CuratedSchema(text=self.schema_text).with_id("Schema")
        return Source(node, node.outputs["schema"])

    def last_statistics(self, candidate: BaseChannel) -> Source:
        """See `Environment`."""
        node = LastStatistics(registry=self.registry)
        return Source(node, node.outputs["statistics"], node.outputs["blessing"])

    def starting_point(self, examples: BaseChannel) -> Source:
        """See `Environment`."""
        return self._last("StartingPoint", None)

    def last_model(self, candidate: BaseChannel) -> Source:
        """See `Environment`."""
        return self._last("LastModel", candidate)

    def _last(self, name: str, candidate: BaseChannel | None) -> Source:
        if not self.resolver:
            node = LastModel(candidate=candidate, push_to=self.push_to, registry=self.registry).with_id(name)
            return Source(node, node.outputs["model"], node.outputs["blessing"])
        return _resolved(name, "model", LatestBlessedModelStrategy, model=_models(), model_blessing=_blessings())

    def forced_blessing(self, evaluation: BaseChannel) -> Source:
        """See `Environment`."""
        return NONE

    def withdrawal(self, candidate: BaseChannel) -> Source:
        """See `Environment`."""
        return NONE

    def last(self, before: BaseNode) -> BaseNode | None:
        """See `Environment`."""
        self.verdict.add_upstream_node(before)
        return self.verdict


def _models() -> Channel:
    """All models that there are."""
    return Channel(type=standard_artifacts.Model)


def _blessings() -> Channel:
    """All blessings of models."""
    return Channel(type=standard_artifacts.ModelBlessing)


def _resolved(
    name: str, key: str, strategy: type[ResolverStrategy], config: dict[str, Any] | None = None, **channels: BaseChannel
) -> Source:
    """A resolver of a name and strategy, and what it gives under a key."""
    node = Resolver(strategy_class=strategy, config=config, **channels).with_id(name)
    return Source(node, node.outputs[key], node.outputs["blessing"] if "blessing" in channels else None)
