"""The SampleQuality component: distances of generated and reconstructed pictures from held-out ones."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.feature_extractor.artifacts import Features
from components.sample_quality import artifacts, executor

MOST_PICTURES = 10_000


class SampleQualitySpec(ComponentSpec):
    """Inputs, outputs and parameters of `SampleQuality`."""

    PARAMETERS = {
        "split": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
        "pictures": ExecutionParameter(type=int),
        "code": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "transform_graph": ChannelParameter(type=standard_artifacts.TransformGraph),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "features": ChannelParameter(type=Features),
        "baseline_model": ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {"quality": ChannelParameter(type=artifacts.Quality)}


class SampleQuality(base_component.BaseComponent):
    """Compare generated pictures with equally many held-out ones, and reconstructed ones with their originals.

    It also searches for copies of training pictures, and measures the last blessed model's new pictures by the same features and
    held-out pictures. It judges nothing and stops nothing: if there are too few held-out pictures, or the model does not
    answer, it writes the reason in place of figures.

    The output `quality` is a `darkroom.Quality` artifact.
    """

    SPEC_CLASS = SampleQualitySpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: channel.BaseChannel,
        transform_graph: channel.BaseChannel,
        model: channel.BaseChannel,
        features: channel.BaseChannel,
        split: str,
        seed: int,
        code: str,
        pictures: int = MOST_PICTURES,
        baseline_model: channel.BaseChannel | None = None,
    ):
        """Create the component.

        Args:
            examples: The pictures (Examples).
            transform_graph: The pixel graph (TransformGraph).
            model: The exported model (Model).
            features: The feature space for comparisons (Features), from FeatureExtractor.
            split: The held-out split.
            seed: Seed of the generated pictures.
            code: A hash of the code that this component runs, so that a change of it misses TFX's cache.
            pictures: Maximum number of compared pictures on either side.
            baseline_model: The last blessed model (Model), whose new pictures are measured too; optional.
        """
        super().__init__(
            SampleQualitySpec(
                examples=examples,
                transform_graph=transform_graph,
                model=model,
                features=features,
                baseline_model=baseline_model,
                split=split,
                seed=seed,
                pictures=pictures,
                code=code,
                quality=channel.Channel(type=artifacts.Quality),
            )
        )
