"""Find baselines on a cluster in the registry; local runs use resolvers on ML Metadata instead.

Open-source Kubeflow Pipelines has no resolvers, and a component must return its outputs. A component without a result marks its
output `absent`; the container's entrypoint then removes it from the inputs of downstream components.
"""

from __future__ import annotations

import json
import os
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

from components.artifacts import Artifacts, DataBlessing
from components.baselines import store
from components.baselines.resolvers import read_protocol
from components.decisions import ACCURACY, ELBO_BELOW, FRECHET_ABOVE, LABELS, PICTURES, REJECTS, SPANS, get_property, set_properties
from components.declaration import DeclaredComponent, Parameter

ABSENT = "absent"  # custom property of an artifact that stands for a missing one
VERSION = "registry_version"
STATISTICS, BLESSINGS, RUNS = "statistics", "blessings", "runs"  # folders of the registry
KEPT_FIGURES = (ELBO_BELOW, FRECHET_ABOVE, ACCURACY, PICTURES, LABELS)  # of a pushed model's blessing, for the next gate
PASSED = "passed.json"  # beside statistics: further facts about them


class LastModelExecutor(base_executor.BaseExecutor):
    """See `LastModel`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copy the last pushed model that is comparable with the candidate, and its blessing, or mark them absent."""
        model = artifact_utils.get_single_instance(output_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        blessing.set_int_custom_property(ABSENT, 1)
        protocols = {read_protocol(candidate) for candidate in input_dict.get("candidate", ())}
        for number, folder in store.newest_first(exec_properties["push_to"]):
            if not protocols or json.loads(store.read(f"{folder}/model.json")).get("protocol") in protocols:
                store.download(folder, path_utils.serving_model_path(model.uri))
                model.set_int_custom_property(VERSION, number)
                restore_blessing(blessing, exec_properties["registry"], number)
                return
        model.set_int_custom_property(ABSENT, 1)


class LastStatisticsExecutor(base_executor.BaseExecutor):
    """See `LastStatistics`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Copy the last accepted statistics and their blessing, or mark both absent."""
        statistics = artifact_utils.get_single_instance(output_dict["statistics"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        last = next(store.newest_first(f"{exec_properties['registry']}/{STATISTICS}"), None)
        if last is None:
            for output in (statistics, blessing):
                output.set_int_custom_property(ABSENT, 1)
            return
        number, folder = last
        store.download(folder, statistics.uri)
        with open(os.path.join(statistics.uri, PASSED), encoding="utf-8") as file:
            passed = json.load(file)
        statistics.split_names = artifact_utils.encode_split_names(passed["splits"])
        statistics.set_int_custom_property(VERSION, number)
        set_properties(blessing, {REJECTS: passed[REJECTS], SPANS: passed[SPANS]})


def record_statistics(statistics: types.Artifact, registry: str, passed: dict[str, Any]) -> None:
    """Write accepted statistics to the registry, unless its last entry is equal; `passed` are facts from the gate's blessing."""
    with open(os.path.join(statistics.uri, PASSED), "w", encoding="utf-8") as file:
        json.dump({"splits": artifact_utils.decode_split_names(statistics.split_names), **passed}, file)
    store.add(statistics.uri, f"{registry}/{STATISTICS}")


def record_blessing(blessing: types.Artifact, registry: str, version: int) -> None:
    """Write the model gate's figures for a pushed model to the registry; nothing if there are none."""
    values = {name: get_property(blessing, name) for name in KEPT_FIGURES if blessing.has_custom_property(name)}
    if values:
        store.write(f"{registry}/{BLESSINGS}/{version}.json", json.dumps(values).encode())


def restore_blessing(blessing: types.Artifact, registry: str, version: int) -> None:
    """Set the properties that `record_blessing` wrote for a version; leave the output absent if there are none."""
    folder, name = f"{registry}/{BLESSINGS}", f"{version}.json"
    if name in store.list_tree(folder):
        values = json.loads(store.read(f"{folder}/{name}"))
        set_properties(blessing, {name: values[name] for name in KEPT_FIGURES if name in values} | {ABSENT: 0})


class LastModel(DeclaredComponent):
    """The last pushed model."""

    EXECUTOR = LastModelExecutor
    OPTIONAL_INPUTS = {"candidate": standard_artifacts.Model}  # this run's; the figures of both must be comparable. None: any model
    PARAMETERS = {
        "push_to": Parameter(str),  # where models are pushed to, one folder per version
        "registry": Parameter(str),  # the registry's folder
    }
    OUTPUTS = {"model": standard_artifacts.Model, "blessing": standard_artifacts.ModelBlessing}


class LastStatistics(DeclaredComponent):
    """The statistics of the last pictures that the data gate accepted."""

    EXECUTOR = LastStatisticsExecutor
    PARAMETERS = {"registry": Parameter(str)}  # the registry's folder
    OUTPUTS = {"statistics": standard_artifacts.ExampleStatistics, "blessing": DataBlessing}
