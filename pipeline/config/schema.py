"""The configuration: its sections and their fields, typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le

from components.data_gate.config import ValidationConfig
from components.image_example_gen.config import DataConfig
from pipeline.config.cluster import ClusterConfig
from pipeline.config.metadata import MetadataConfig
from pipeline.config.mlflow import MlflowConfig
from pipeline.config.notify import NotifyConfig
from serving.picture_files import MAX_MEGAPIXELS
from trainer.config import GenerationConfig, ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.tuning.config import TuningConfig

Margin = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
BESIDES = ("metadata", "notify", "mlflow")  # sections that change nothing about what a run gives, only what keeps or tells it


@dataclass(frozen=True)
class EvaluationConfig:
    """By what a model is blessed: means over the held-out pictures, nats per picture, and figures of new pictures; null asks
    for nothing.

    Attributes:
        min_elbo: The ELBO that a model must reach.
        min_importance_weighted: The importance-weighted bound that it must reach.
        max_reconstruction: The reconstruction term that it must not exceed.
        min_kl: The KL divergence that it must reach: below, its codes say nothing of the pictures.
        max_kl: The KL divergence that it must not exceed.
        min_gain: By how much the ELBO must beat the likelihood of the mean training picture.
        max_drop: By how much the ELBO and the importance-weighted bound may be below the last blessed model's; where the
            configuration leaves it out, `pipeline.config.inference` derives it from the measured noise of training.
        max_reconstruction_rise: By how much the reconstruction term may be above the last blessed model's where the ELBO is
            lower; left out, three times `max_drop`.
        max_kl_rise: The same for the KL divergence.
        max_label_accuracy_drop: By how much the share of held-out pictures that a classifier names right, which was trained on
            the labels, may be below that of the last blessed model's pictures, where the labels are the same: labels in disorder
            cannot be learned.
        max_frechet_rise: How far the Frechet distance of new pictures may be above that of the last blessed model's, as a share of
            it, beyond the noise of the generation seed.
        max_two_sample: How often a classifier may tell new pictures from held-out ones, 0.5 (chance) to 1.
        max_copies: Share of new pictures that may be near-copies of training pictures, beyond the share of held-out ones that are.
        min_high_frequencies: The power of the high spatial frequencies of new pictures that must be reached, as a share of that of
            held-out ones: below it they are fog.
        min_coverage: The share of held-out pictures that have a new one near by must reach so much of the share that have a rebuilt
            one near by: below it, codes are drawn from where few pictures' codes lie.
    """

    min_elbo: float | None = None
    min_importance_weighted: float | None = None
    max_reconstruction: float | None = None
    min_kl: float | None = None
    max_kl: float | None = None
    min_gain: float | None = -1.0  # refuses a broken model, whatever the data, and not a first try of one epoch; 0 is stricter
    max_drop: Margin | None = 1.0
    max_reconstruction_rise: Margin | None = 3.0  # more than the ELBO: another seed moves the terms against each other
    max_kl_rise: Margin | None = None  # at about the same ELBO, more of the picture in its code is not worse
    max_label_accuracy_drop: Share | None = 0.2
    max_frechet_rise: Margin | None = 0.5  # five standard deviations of the difference between two seeds of training
    max_two_sample: Annotated[float, Ge(0.5), Le(1)] | None = None  # of small models a classifier tells most pictures
    max_copies: Share | None = 0.1
    min_high_frequencies: Margin | None = 0.05  # real pictures have 0.03 behind a blur of 1 pixel; presets from 0.16 on
    min_coverage: Share | None = 0.45  # codes drawn at a temperature of 0.2 come to 0.39 at the most; presets to 0.55 at least


@dataclass(frozen=True)
class ServingCheckConfig:
    """Who tries the exported model before it is pushed.

    Attributes:
        kind: `c_api` runs it in a clean process through TensorFlow's C API, as TensorFlow Serving does; `infra_validator`
            is TFX's own InfraValidator, which starts TensorFlow Serving and needs docker.
        timeout_seconds: For either.
        tensorflow_serving_tag: Image tag of TensorFlow Serving, for `infra_validator`.
    """

    kind: Literal["c_api", "infra_validator"] = "c_api"
    timeout_seconds: Annotated[int, Gt(0)] = 300
    tensorflow_serving_tag: str = "2.16.1"


@dataclass(frozen=True)
class Config:
    """A run's whole configuration.

    Attributes:
        title: What the pictures are, for the report and the model card.
        schema: A schema of one's own (TFDV's text format) that the data must meet; null takes the project's.
        data: How pictures are read, labelled and divided.
        validation: What they must be like beside the schema.
        preprocessing: What pictures are brought to.
        model: The variational autoencoder.
        training: How it is fitted.
        tuning: The search for better values of `model` and `training` before that.
        generation: How it makes new pictures.
        evaluation: By what it is judged.
        serving_check: By what its export is tried.
        cluster: How it runs on Kubeflow Pipelines or Vertex AI.
        notify: Who is told how it ended.
        mlflow: Where MLflow keeps a record of it.
        metadata: Where ML Metadata is kept; of no effect on what comes of a run.
    """

    title: str = "pictures"
    schema: str | None = None
    data: DataConfig = field(default_factory=DataConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    preprocessing: PreprocessingConfig = field(default_factory=PreprocessingConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    serving_check: ServingCheckConfig = field(default_factory=ServingCheckConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    metadata: MetadataConfig = field(default_factory=MetadataConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    mlflow: MlflowConfig = field(default_factory=MlflowConfig)

    def to_yaml(self) -> str:
        """As a file that reads back to the same configuration, but for a secret address: of that scheme and host are left."""
        notify = {**dataclasses.asdict(self.notify), "webhook": self.notify.written_webhook}
        return _dumped({**dataclasses.asdict(self), "notify": notify})

    def essence(self) -> str:
        """The same of all that a run's end depends on: another address to post it to makes no other run."""
        return _dumped({name: value for name, value in dataclasses.asdict(self).items() if name not in BESIDES})

    def trainer(self) -> TrainerConfig:
        """The part that the Trainer is told."""
        preprocessing = dataclasses.replace(self.preprocessing, depth=self.data.depth)
        # What refuses pictures changes none of those that are left.
        files = dataclasses.replace(self.data.pictures, max_megapixels=MAX_MEGAPIXELS)
        return TrainerConfig(preprocessing, self.model, self.training, self.generation, self.title, files)


def _dumped(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(_plain(values), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
