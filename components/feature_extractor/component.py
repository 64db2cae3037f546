"""FeatureExtractor: a feature space to compare sets of pictures in."""

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
    """Trains a small classifier of the pictures' labels; its last layer but one gives the features of a picture.

    Beside it, and in its place where pictures have no labels, it trains a network without labels, whose features see blur,
    noise and structure. It takes examples and the pixel graph and nothing of a model: TFX's cache answers with the same networks
    for every model on the same pictures, and their figures can be compared.

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
        """The component.

        Args:
            examples: The pictures (Examples); the split `train` is learned from.
            transform_graph: The pixel graph (TransformGraph).
            split: The held-out split that the classifier's accuracy is measured on.
            code: A hash of the code that this component runs, so that TFX's cache notices when it changes.
            seed: Of the networks; another seed makes another feature space.
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
