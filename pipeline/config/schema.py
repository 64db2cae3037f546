"""The configuration: its sections and their typed fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le

from components.data_gate.config import ValidationConfig
from components.image_example_gen.config import DataConfig
from pipeline.config.beam import BeamConfig
from pipeline.config.cluster import ClusterConfig
from pipeline.config.metadata import MetadataConfig
from pipeline.config.mlflow import MlflowConfig
from pipeline.config.notify import NotifyConfig
from serving.picture_files import MAX_MEGAPIXELS
from trainer.config import GenerationConfig, ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.tuning.config import TuningConfig

Margin = Annotated[float, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
# Sections that do not affect a run's results, only where they are computed, kept and reported.
BESIDES = ("beam", "metadata", "notify", "mlflow")


@dataclass(frozen=True)
class EvaluationConfig:
    """The criteria for blessing a model: means over held-out pictures in nats per picture, and metrics of new pictures.

    null turns a criterion off.

    Attributes:
        min_elbo: Minimum ELBO.
        min_importance_weighted: Minimum importance-weighted bound.
        max_reconstruction: Maximum reconstruction term.
        min_kl: Minimum KL divergence. Below it, codes carry no information about the pictures: the model has collapsed.
        max_kl: Maximum KL divergence.
        min_gain: Minimum of the ELBO minus the likelihood of the mean training picture.
        max_drop: Maximum drop of the ELBO and of the importance-weighted bound below the last blessed model's. The choice follows
            from the measured noise of training, see docs/configuration.md#by-what-a-model-is-blessed.
        max_reconstruction_rise: Maximum rise of the reconstruction term above the last blessed model's where the ELBO is lower.
            The choice is three times `max_drop`.
        max_kl_rise: Maximum rise of the KL divergence above the last blessed model's where the ELBO is lower.
        max_label_accuracy_drop: Maximum drop of the label accuracy below the last blessed model's, if the labels are the same. The
            label accuracy is the share of held-out pictures that a classifier trained on the labels names correctly. Labels in
            disorder cannot be learned.
        max_frechet_rise: Maximum rise of the Frechet distance of new pictures above the last blessed model's, as a fraction of the
            latter, beyond the noise of the generation seed, see docs/configuration.md#by-what-new-pictures-are-judged.
        max_two_sample: Maximum accuracy of a classifier that tells new pictures from held-out ones, 0.5 (chance) to 1.
        max_copies: Maximum share of new pictures that are near-copies of training pictures, beyond the share of held-out pictures
            that are.
        min_high_frequencies: Minimum power of the high spatial frequencies of new pictures, as a fraction of that of held-out
            pictures. Below it, new pictures are fog.
        min_coverage: Minimum ratio of two shares of held-out pictures: those with a new picture near by, and those with a
            reconstruction near by. Below it, codes are drawn from regions where few pictures' codes lie.
    """

    min_elbo: float | None = None
    min_importance_weighted: float | None = None
    max_reconstruction: float | None = None
    min_kl: float | None = None
    max_kl: float | None = None
    min_gain: float | None = -1.0  # refuses a broken model on any data, but not a first try of one epoch; 0 is stricter
    max_drop: Margin | None = 1.0
    max_reconstruction_rise: Margin | None = 3.0  # more than for the ELBO: another seed moves the two terms in opposite directions
    max_kl_rise: Margin | None = None  # at about the same ELBO, more information in the codes is not worse
    max_label_accuracy_drop: Share | None = 0.2
    max_frechet_rise: Margin | None = 0.5  # five standard deviations of the difference between two seeds of training
    max_two_sample: Annotated[float, Ge(0.5), Le(1)] | None = None  # a classifier recognizes most pictures of small models
    max_copies: Share | None = 0.1
    min_high_frequencies: Margin | None = 0.05  # real pictures with a blur of 1 pixel reach 0.03; presets reach 0.16 or more
    min_coverage: Share | None = 0.45  # codes drawn at temperature 0.2 reach 0.39 at most; presets reach 0.55 or more


@dataclass(frozen=True)
class ServingCheckConfig:
    """How the exported model is tested before it is pushed.

    Attributes:
        kind: `c_api` runs the model in a clean process through TensorFlow's C API, as TensorFlow Serving does; `infra_validator`
            is TFX's own InfraValidator, which starts TensorFlow Serving and needs docker.
        timeout_seconds: The time limit of either kind, in seconds.
        tensorflow_serving_tag: Image tag of TensorFlow Serving, for `infra_validator`; any from 2.16 on reads the models of both lines.
    """

    kind: Literal["c_api", "infra_validator"] = "c_api"
    timeout_seconds: Annotated[int, Gt(0)] = 300
    tensorflow_serving_tag: str = "2.21.0"


@dataclass(frozen=True)
class Config:
    """The complete configuration of a run.

    Attributes:
        title: The subject of the pictures, for the report and the model card.
        schema: A custom schema (TFDV's text format) that the data must meet; null takes the project's. `darkroom schema accept`
            writes one.
        data: How pictures are read, labeled and split.
        validation: Requirements on the pictures beside the schema.
        preprocessing: The size and color that pictures are converted to.
        model: The variational autoencoder.
        training: How the model is trained.
        tuning: The search for better values of `model` and `training` before training.
        generation: How the model generates new pictures.
        evaluation: The criteria for blessing a model.
        serving_check: How the exported model is tested.
        beam: Which engine processes the pictures; it does not affect the results of a run.
        cluster: How the pipeline runs on Kubeflow Pipelines or Vertex AI.
        notify: Who is notified of how a run ended.
        mlflow: Where MLflow records runs.
        metadata: Where ML Metadata is kept; it does not affect the results of a run.
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
    beam: BeamConfig = field(default_factory=BeamConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    metadata: MetadataConfig = field(default_factory=MetadataConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    mlflow: MlflowConfig = field(default_factory=MlflowConfig)

    def to_yaml(self) -> str:
        """Return the configuration as YAML that reads back to an equal one.

        Of a secret webhook address only scheme and host are written.
        """
        return _dumped(self.to_values())

    def to_values(self) -> dict[str, Any]:
        """Return the values of `to_yaml`, by section and field."""
        notify = {**dataclasses.asdict(self.notify), "webhook": self.notify.written_webhook}
        values: dict[str, Any] = plain({**dataclasses.asdict(self), "notify": notify})
        return values

    def essence(self) -> str:
        """Return as YAML the sections that affect the results of a run, those not in `BESIDES`."""
        return _dumped({name: value for name, value in dataclasses.asdict(self).items() if name not in BESIDES})

    def trainer(self) -> TrainerConfig:
        """Return the part of the configuration that the Trainer gets."""
        preprocessing = dataclasses.replace(self.preprocessing, depth=self.data.depth)
        # The limit of megapixels rejects pictures, but does not change the accepted ones.
        files = dataclasses.replace(self.data.pictures, max_megapixels=MAX_MEGAPIXELS)
        return TrainerConfig(preprocessing, self.model, self.training, self.generation, self.title, files)


def _dumped(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(plain(values), sort_keys=False, allow_unicode=True)


def plain(value: Any) -> Any:
    """Return a value with lists and dictionaries in place of tuples and mappings."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (tuple, list)) else value
