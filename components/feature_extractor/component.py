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
    """Trains a small classifier of the pictures' labels; what its last layer but one says of a picture are its features.

    It takes examples and the pixel graph and nothing of a model: TFX's cache answers with the same classifier for every
    model on the same pictures, and their figures can be compared. Where pictures have no labels it says that the features
    are to be those of each model's own encoder.

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
            seed: Of the classifier; another seed makes another feature space.
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
