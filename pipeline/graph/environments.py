"""The nodes that differ between environments: the sources of the schema and of the baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.dsl.components.common.resolver import Resolver, ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.types import BaseChannel, Channel, standard_artifacts

from components.artifacts import DataBlessing
from components.baselines.registry import LastModel, LastStatistics
from components.baselines.resolvers import ForcedBlessing, LatestBlessedOther, StartingPoint, Withdrawal
from components.curated_schema.component import CuratedSchema


class Source(NamedTuple):
    """A node, its output channel, and the channel of that output's blessing; each is None if absent."""

    node: BaseNode | None
    channel: BaseChannel | None
    blessing: BaseChannel | None = None


NONE = Source(None, None)


class Environment:
    """The base of `Local` and `Cluster`."""

    registry: str  # the folder where runs leave data for later runs; '' if it is not needed
    checkpoints: str  # where training saves its progress; '' for nowhere
    train_job: Mapping[str, Any] | None  # the fields of `TrainJobSpec`, if the workers of a training are pods

    def schema(self) -> Source:
        """Return the curated schema, which people write; it is not inferred from the data that it validates."""
        raise NotImplementedError

    def last_statistics(self, candidate: BaseChannel) -> Source:
        """Return the statistics of the last accepted pictures, the baseline for drift."""
        raise NotImplementedError

    def starting_point(self, examples: BaseChannel) -> Source:
        """Return the last blessed model, to start training from."""
        raise NotImplementedError

    def last_model(self, candidate: BaseChannel) -> Source:
        """Return the last blessed model, the baseline for the new one."""
        raise NotImplementedError

    def forced_blessing(self, evaluation: BaseChannel) -> Source:
        """Return the blessing that a person forced on this evaluation, which stays valid."""
        return NONE

    def withdrawal(self, candidate: BaseChannel) -> Source:
        """Return the record of a rollback that took this model out of service."""
        return NONE

    def last(self, before: BaseNode) -> BaseNode | None:
        """Return a final node that fails after a refusal, or None if the caller detects refusals."""
        return None


@dataclass(frozen=True)
class Local(Environment):
    """One machine: ML Metadata provides the history."""

    schema_folder: str  # a folder that contains only the curated schema, `schema.pbtxt`
    checkpoints: str = ""
    registry: str = ""
    train_job: Mapping[str, Any] | None = None

    def schema(self) -> Source:
        node = Importer(source_uri=self.schema_folder, artifact_type=standard_artifacts.Schema).with_id("Schema")
        return Source(node, node.outputs["result"])

    def last_statistics(self, candidate: BaseChannel) -> Source:
        statistics, blessing = Channel(type=standard_artifacts.ExampleStatistics), Channel(type=DataBlessing)
        return _resolved(
            "LastStatistics", "subject", LatestBlessedOther, subject=statistics, blessing=blessing, candidate=candidate
        )

    def starting_point(self, examples: BaseChannel) -> Source:
        return _resolved("StartingPoint", "model", StartingPoint, model=_models(), blessing=_blessings(), examples=examples)

    def last_model(self, candidate: BaseChannel) -> Source:
        config = {"same_protocol": True}
        return _resolved(
            "LastModel", "subject", LatestBlessedOther, config, subject=_models(), blessing=_blessings(), candidate=candidate
        )

    def forced_blessing(self, evaluation: BaseChannel) -> Source:
        return _resolved("ForcedBlessing", "blessing", ForcedBlessing, evaluation=evaluation, blessing=_blessings())

    def withdrawal(self, candidate: BaseChannel) -> Source:
        return _resolved("Withdrawal", "blessing", Withdrawal, candidate=candidate, blessing=_blessings())


@dataclass(frozen=True)
class Cluster(Environment):
    """Kubeflow Pipelines or Vertex AI: the registry provides the history. Blessings cannot be forced there."""

    schema_text: str  # the curated schema in TFDV's text format
    registry: str
    push_to: str  # the folder that models are pushed to
    verdict: BaseNode  # the component that fails if a gate refused the model
    # Whether a resolver provides the last blessed model: Vertex AI has two resolvers, open-source Kubeflow Pipelines has none. It
    # returns the last blessed model of any protocol.
    resolver: bool = False
    checkpoints: str = ""
    train_job: Mapping[str, Any] | None = None

    def schema(self) -> Source:
        node = CuratedSchema(text=self.schema_text).with_id("Schema")
        return Source(node, node.outputs["schema"])

    def last_statistics(self, candidate: BaseChannel) -> Source:
        node = LastStatistics(registry=self.registry)
        return Source(node, node.outputs["statistics"], node.outputs["blessing"])

    def starting_point(self, examples: BaseChannel) -> Source:
        return self._last("StartingPoint", None)

    def last_model(self, candidate: BaseChannel) -> Source:
        return self._last("LastModel", candidate)

    def _last(self, name: str, candidate: BaseChannel | None) -> Source:
        if not self.resolver:
            node = LastModel(candidate=candidate, push_to=self.push_to, registry=self.registry).with_id(name)
            return Source(node, node.outputs["model"], node.outputs["blessing"])
        return _resolved(name, "model", LatestBlessedModelStrategy, model=_models(), model_blessing=_blessings())

    def last(self, before: BaseNode) -> BaseNode | None:
        self.verdict.add_upstream_node(before)
        return self.verdict


def _models() -> Channel:
    return Channel(type=standard_artifacts.Model)


def _blessings() -> Channel:
    return Channel(type=standard_artifacts.ModelBlessing)


def _resolved(
    name: str, key: str, strategy: type[ResolverStrategy], config: dict[str, Any] | None = None, **channels: BaseChannel
) -> Source:
    """Return a resolver with the given name and strategy, and its output under `key`."""
    node = Resolver(strategy_class=strategy, config=config, **channels).with_id(name)
    return Source(node, node.outputs[key], node.outputs["blessing"] if "blessing" in channels else None)
