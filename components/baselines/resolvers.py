"""Resolvers for the earlier artifacts that a run is compared with. A missing artifact is an empty list, for an optional input."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from components import decisions
from components.artifacts import Artifacts
from components.decisions import Forced, RolledBack
from serving.manifest import sum_of


class LatestBlessedOther(ResolverStrategy):
    """The last artifact that a gate blessed, other than the candidate itself.

    In an unchanged run, TFX's `LatestBlessedModelStrategy` returns the candidate itself. The Evaluator's input then differs from
    that of the previous run, so it judges again, and the same model is pushed twice. Without the candidate, an unchanged run has
    unchanged inputs everywhere.

    Inputs by key: `subject`, all artifacts of a type; `blessing`, all blessings of the gate; `candidate`, the artifact of this run.

    Args:
        same_protocol: Only for models: whether to skip models with another protocol than the candidate's. The protocol covers
            everything besides the weights that figures depend on (`trainer` writes it to model.json). Nats of other pixels or
            likelihoods are not comparable. It is read from the candidate, not from the configuration, because a search may override
            the configuration.
    """

    def __init__(self, same_protocol: bool = False):
        self._same_protocol = same_protocol

    def resolve_artifacts(self, store: metadata_store.MetadataStore, input_dict: Artifacts) -> Artifacts:
        result = {key: [] for key in input_dict}
        result["candidate"] = input_dict["candidate"]
        own = {artifact.id for artifact in input_dict["candidate"]}
        subjects = {artifact.id: artifact for artifact in input_dict["subject"]}
        last_verdicts = _last_verdicts(input_dict["blessing"])
        judged_before = [last_verdicts[id_] for id_ in own if id_ in last_verdicts]
        if judged_before and judged_before[0].has_custom_property(decisions.BASELINE_ID):
            # The same pictures again: use the same baseline as before, even if they were accepted without a comparison.
            earlier = subjects.get(judged_before[0].get_int_custom_property(decisions.BASELINE_ID))
            if earlier:
                verdict = last_verdicts.get(earlier.id)
                result |= {"subject": [earlier], "blessing": [verdict] if verdict else []}
            return result
        for id_, blessing in _blessed(last_verdicts):
            if id_ in subjects and id_ not in own and self._comparable(subjects[id_], input_dict["candidate"]):
                return result | {"subject": [subjects[id_]], "blessing": [blessing]}
        return result

    def _comparable(self, artifact: types.Artifact, candidates: list[types.Artifact]) -> bool:
        if not self._same_protocol:
            return fileio.exists(artifact.uri)
        protocol = read_protocol(artifact)
        return protocol is not None and all(read_protocol(candidate) == protocol for candidate in candidates)


class StartingPoint(ResolverStrategy):
    """The model whose weights training starts from: the last blessed one.

    The same pictures start from the same model as before. Otherwise, in an unchanged run, the last blessed model would be the
    result of these pictures, and training would continue with every run.

    Inputs by key: `model`, all models; `blessing`, all blessings of models; `examples`, the examples of this run.
    """

    def resolve_artifacts(self, store: metadata_store.MetadataStore, input_dict: Artifacts) -> Artifacts:
        result = {key: [] for key in input_dict} | {"examples": input_dict["examples"]}
        models = {artifact.id: artifact for artifact in input_dict["model"]}
        model_id = _started_from(store, {artifact.id for artifact in input_dict["examples"]}, set(models))
        if model_id is None:
            model_id = next((id_ for id_, _ in _blessed(_last_verdicts(input_dict["blessing"])) if id_ in models), 0)
        if model_id in models and fileio.exists(models[model_id].uri):
            result["model"] = [models[model_id]]
        return result


def _last_verdicts(blessings: list[types.Artifact]) -> dict[int, types.Artifact]:
    """Return the decisive blessing of each judged artifact, by the artifact's id.

    For models, TFX's Evaluator writes one too. Our gate's is decisive: a person may overrule the Evaluator. Old work folders lack it.
    """
    ordered = sorted(blessings, key=lambda blessing: (blessing.has_custom_property(decisions.EVALUATION_ID), blessing.id))
    return {blessing.get_int_custom_property(decisions.SUBJECT_ID): blessing for blessing in ordered}


def _blessed(last_verdicts: dict[int, types.Artifact]) -> list[tuple[int, types.Artifact]]:
    """Return the ids of the blessed artifacts with their blessings, the last one first."""
    blessed = [item for item in last_verdicts.items() if item[1].get_int_custom_property(decisions.BLESSED) == 1]
    return sorted(blessed, key=lambda item: item[1].id, reverse=True)


def _started_from(store: metadata_store.MetadataStore, examples: set[int], models: set[int]) -> int | None:
    """Return the id of the model that the first training on these examples started from, 0 for none; None without a training."""
    events = store.get_events_by_artifact_ids(list(examples)) if examples else []
    users = sorted({event.execution_id for event in events if event.type == metadata_store_pb2.Event.INPUT})
    for execution in users:
        of_it = store.get_events_by_execution_ids([execution])
        given = {event.artifact_id for event in of_it if event.type == metadata_store_pb2.Event.OUTPUT}
        if given & models:
            bases = [event.artifact_id for event in of_it if event.path.steps and event.path.steps[0].key == "base_model"]
            return bases[0] if bases else 0
    return None


def read_protocol(model: types.Artifact) -> str | None:
    """Return the protocol of a model: everything besides its weights that its figures depend on. None if its files are gone."""
    path = os.path.join(path_utils.serving_model_path(model.uri), "model.json")
    if not fileio.exists(path):
        return None
    with fileio.open(path, "r") as file:
        return json.load(file).get("protocol")


def weights_sum(model: str) -> str:
    """Return the SHA-256 of an exported model's weights from its manifest, or '' if there is none."""
    return sum_of(Path(model), "weights.npz")


class ForcedBlessing(ResolverStrategy):
    """The blessing that a person forced for an evaluation, if any; the last one if there are several.

    It lets an unchanged run find its model blessed although its Evaluator refused it, without forcing it again. It is valid for one
    evaluation: the same model with another baseline or other bounds is judged anew.

    Inputs by key: `evaluation`, the evaluation of this run; `blessing`, all blessings of models.
    """

    def resolve_artifacts(self, store: metadata_store.MetadataStore, input_dict: Artifacts) -> Artifacts:
        own = {artifact.id for artifact in input_dict["evaluation"]}
        # Skip blessings derived from an earlier forced one: the result must stay the same, or every run would miss the cache.
        forced = [
            artifact
            for artifact in input_dict["blessing"]
            if Forced.read(artifact)
            and artifact.get_int_custom_property(decisions.EVALUATION_ID) in own
            and not artifact.has_custom_property(decisions.FORCED_BLESSING_ID)
        ]
        return {**input_dict, "blessing": sorted(forced, key=lambda a: a.id)[-1:]}


class Withdrawal(ResolverStrategy):
    """The rollback that took this run's model, or one with the same weights, out of service, unless it was reinstated since.

    Inputs by key: `candidate`, the model of this run; `blessing`, all blessings of models.
    """

    def resolve_artifacts(self, store: metadata_store.MetadataStore, input_dict: Artifacts) -> Artifacts:
        own = {artifact.id for artifact in input_dict["candidate"]}
        weights = {weights_sum(path_utils.serving_model_path(artifact.uri)) for artifact in input_dict["candidate"]} - {""}
        decided = [
            artifact
            for artifact in sorted(input_dict["blessing"], key=lambda artifact: artifact.id)
            if RolledBack.read(artifact)
            and (
                artifact.get_int_custom_property(decisions.SUBJECT_ID) in own
                or artifact.get_string_custom_property(decisions.WEIGHTS_SUM) in weights
            )
        ]
        return {
            **input_dict,
            "blessing": [artifact for artifact in decided[-1:] if not artifact.get_int_custom_property(decisions.BLESSED)],
        }
