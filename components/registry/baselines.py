"""What a run on a cluster is compared with: asked of the registry, where this machine asks ML Metadata by resolvers.

Open-source Kubeflow Pipelines has no resolvers. A component must give its output; one that found nothing marks it `absent`,
and the container's entrypoint then leaves it out of the inputs of whoever asked for it.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.utils import path_utils

from components.registry import store
from components.resolvers import read_protocol

ABSENT = "absent"  # custom property of an artifact that stands for none
VERSION = "registry_version"
STATISTICS, MODELS, RUNS = "statistics", "models", "runs"  # below the registry
SPLITS = "splits.json"


class LastModelExecutor(base_executor.BaseExecutor):
    """See `LastModel`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the last pushed model that can be compared with the candidate, or marks the output absent."""
        model = artifact_utils.get_single_instance(output_dict["model"])
        protocols = {read_protocol(candidate) for candidate in input_dict.get("candidate", ())}
        for number, folder in store.newest_first(exec_properties["push_to"]):
            if not protocols or json.loads(store.read(f"{folder}/model.json")).get("protocol") in protocols:
                store.download(folder, path_utils.serving_model_path(model.uri))
                model.set_int_custom_property(VERSION, number)
                return
        model.set_int_custom_property(ABSENT, 1)


class LastStatisticsExecutor(base_executor.BaseExecutor):
    """See `LastStatistics`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the statistics that passed last, or marks the output absent."""
        statistics = artifact_utils.get_single_instance(output_dict["statistics"])
        last = next(store.newest_first(f"{exec_properties['registry']}/{STATISTICS}"), None)
        if last is None:
            statistics.set_int_custom_property(ABSENT, 1)
            return
        number, folder = last
        store.download(folder, statistics.uri)
        with open(os.path.join(statistics.uri, SPLITS), encoding="utf-8") as file:
            statistics.split_names = artifact_utils.encode_split_names(json.load(file))
        statistics.set_int_custom_property(VERSION, number)


def record_statistics(statistics: types.Artifact, registry: str) -> None:
    """Writes statistics that have passed into the registry, unless they are those that it has last."""
    with open(os.path.join(statistics.uri, SPLITS), "w", encoding="utf-8") as file:
        json.dump(artifact_utils.decode_split_names(statistics.split_names), file)
    store.add(statistics.uri, f"{registry}/{STATISTICS}")


class LastModelSpec(ComponentSpec):
    """Inputs, outputs and parameters of `LastModel`."""

    PARAMETERS = {"push_to": ExecutionParameter(type=str)}
    INPUTS = {"candidate": ChannelParameter(type=standard_artifacts.Model, optional=True)}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class LastModel(base_component.BaseComponent):
    """The model that was pushed last.

    Args:
        candidate: This run's model: its figures must be comparable with those of the one that is looked for; None: any will do.
        push_to: Where models are pushed to, a folder each version.
    """

    SPEC_CLASS = LastModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(LastModelExecutor)

    def __init__(self, *, candidate: types.BaseChannel | None, push_to: str):
        spec = LastModelSpec(candidate=candidate, push_to=push_to, model=types.Channel(type=standard_artifacts.Model))
        super().__init__(spec=spec)


class LastStatisticsSpec(ComponentSpec):
    """Inputs, outputs and parameters of `LastStatistics`."""

    PARAMETERS = {"registry": ExecutionParameter(type=str)}
    INPUTS: dict[str, ChannelParameter] = {}
    OUTPUTS = {"statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics)}


class LastStatistics(base_component.BaseComponent):
    """The statistics of the last pictures that the data gate let pass.

    Args:
        registry: The registry's folder.
    """

    SPEC_CLASS = LastStatisticsSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(LastStatisticsExecutor)

    def __init__(self, *, registry: str):
        channel = types.Channel(type=standard_artifacts.ExampleStatistics)
        super().__init__(spec=LastStatisticsSpec(registry=registry, statistics=channel))
