"""The FeatureExtractor component: a feature space for comparing sets of pictures."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.feature_extractor import artifacts, executor


class FeatureExtractorSpec(ComponentSpec):
    """Inputs, outputs and parameters of `FeatureExtractor`."""

    PARAMETERS = {
        "split": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {"features": ChannelParameter(type=artifacts.Features)}


class FeatureExtractor(base_component.BaseComponent):
    """Train a small classifier of the pictures' labels; its penultimate layer gives the features of a picture.

    It also trains a network without labels, whose features capture blur, noise and structure. That network replaces the classifier
    if the pictures have no labels. The inputs are examples and the pixel graph, not a model: for all models on the same pictures,
    TFX's cache returns the same networks, so their figures are comparable.

    The output `features` is a `darkroom.Features` artifact.
    """

    SPEC_CLASS = FeatureExtractorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        split: str,
        code: str,
        seed: int = 0,
    ):
        """Create the component.

        Args:
            examples: The pictures (Examples); training uses the split `train`.
            transform_graph: The pixel graph (TransformGraph).
            split: The held-out split on which the classifier's accuracy is measured.
            code: A hash of the code that this component runs, so that a change of it misses TFX's cache.
            seed: Seed of the networks; another seed gives another feature space.
        """
        super().__init__(
            FeatureExtractorSpec(
                examples=examples,
                transform_graph=transform_graph,
                split=split,
                seed=seed,
                code=code,
                features=channel.Channel(type=artifacts.Features),
            )
        )
