"""The configuration: typed, validated, read from YAML and overridden from the command line."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le
from pydantic import TypeAdapter, ValidationError

from components.data_gate.config import ValidationConfig
from components.image_example_gen.config import DataConfig
from pipeline.cluster_config import ClusterConfig
from pipeline.metadata_config import MetadataConfig
from pipeline.mlflow_config import MlflowConfig
from pipeline.notify_config import NotifyConfig
from pipeline.search_space import checked_tuning
from serving.picture_files import MAX_MEGAPIXELS
from trainer.config import GenerationConfig, ModelConfig, PreprocessingConfig, TrainerConfig, TrainingConfig
from trainer.errors import InputError
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
            configuration leaves it out, `pipeline.auto` derives it from the measured noise of training.
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


def load_values(path: Path) -> dict[str, Any]:
    """Reads a configuration file, unvalidated.

    Raises:
        InputError: It cannot be read, or is not a YAML mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the configuration {path}: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"the configuration {path}{where} is not YAML: {getattr(error, 'problem', error)}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"the configuration {path} must be a mapping such as 'training: {{epochs: 20}}'")
    if isinstance(values.get("notify"), dict) and True in values["notify"]:  # to YAML the word `on` is true
        values["notify"]["on"] = values["notify"].pop(True)
    return values


def apply_overrides(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Lays `--set key.key=value` over a configuration's values; values are read as YAML.

    Raises:
        InputError: One of them is not of that form.
    """
    values = _copy(values)
    for override in overrides:
        name, equals, text = override.partition("=")
        keys = name.strip().split(".")
        if not equals or not all(keys):
            raise InputError(f"--set {override!r} is not of the form key=value, such as training.epochs=20")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise InputError(f"--set {override!r}: the value is not YAML") from None
        target = values
        for key in keys[:-1]:
            target = target.setdefault(key, {})
            if not isinstance(target, dict):
                raise InputError(f"--set {override!r}: {key} is a value, not a section")
        target[keys[-1]] = value
    return values


def build_config(values: Mapping[str, Any], source: str = "the configuration") -> Config:
    """Validates values.

    Args:
        values: As read from YAML.
        source: Where they come from, for the message.

    Returns:
        The configuration.

    Raises:
        InputError: A field is unknown or its value is not allowed; one line that names every such field.
    """
    _check_names(Config, values, "", source)
    try:
        built = _ADAPTER.validate_python({key: value for key, value in values.items() if value is not None})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {_words(e)}" for e in error.errors()]
        raise InputError(f"in {source}: {'; '.join(problems)}") from None
    endless = list(_endless(built))
    if endless:
        raise InputError(f"in {source}: {'; '.join(f'{name} must be a finite number, not {value}' for name, value in endless)}")
    try:
        _check_together(built)
        return dataclasses.replace(built, tuning=checked_tuning(built.tuning, built.trainer()))
    except (InputError, ValueError) as error:
        raise InputError(f"in {source}: {error}") from None


def _endless(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Numbers that are infinite or none at all, each with its field's name."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _endless(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _endless(each, name)
    elif isinstance(value, float) and not math.isfinite(value):
        yield name, value


def _check_together(config: Config) -> None:
    """What each section by itself cannot know.

    Raises:
        InputError: Two fields do not go together.
    """
    lowest, highest = config.evaluation.min_kl, config.evaluation.max_kl
    if None not in (lowest, highest) and lowest > highest:
        raise InputError(f"evaluation.min_kl, {lowest:g}, is above evaluation.max_kl, {highest:g}: no model has both")
    if config.preprocessing.depth not in (8, config.data.depth):
        raise InputError("preprocessing.depth is set by data.depth: leave it out, and set data.depth")
    if config.data.depth == 16 and config.tuning.trials and config.tuning.objective == "bits_per_dimension":
        raise InputError("tuning.objective: bits_per_dimension is of 256 levels, and data.depth is 16; use elbo")
    model, training = config.model, config.training
    optimal = model.likelihood == "gaussian" and model.sigma == "optimal"
    if optimal and training.strategy == "mirrored" and training.jit_compile:
        raise InputError(
            "model.sigma: optimal is summed over all replicas within a step, which training.jit_compile cannot under "
            "training.strategy: mirrored; set one of the three otherwise"
        )


_ADAPTER: TypeAdapter[Config] = TypeAdapter(Config)


def _check_names(kind: type, values: Any, prefix: str, source: str) -> None:
    """Unknown fields get a message that lists what is allowed, with the likeliest first."""
    if values is None:  # a section of which every field is commented out
        return
    if not isinstance(values, Mapping):
        raise InputError(f"in {source}: {prefix.rstrip('.')} must be a section with fields, not {values!r}")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for name, value in values.items():
        if name not in fields:
            near = difflib.get_close_matches(str(name), fields, n=1)
            guess = f"; did you mean {prefix}{near[0]}" if near else ""
            raise InputError(f"in {source}: unknown field {prefix}{name}{guess}; allowed: {', '.join(fields)}")
        default = fields[name].default_factory
        if dataclasses.is_dataclass(default):
            _check_names(default, value, f"{prefix}{name}.", source)


def _words(error: Mapping[str, Any]) -> str:
    if error["type"] == "value_error":  # a section's own words, on fields that do not go together
        return str(error["ctx"]["error"])
    if error["loc"][:2] == ("notify", "webhook"):  # a secret
        return f"{error['msg'][0].lower()}{error['msg'][1:]}"
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, not {error['input']!r}"


def _dumped(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump(_plain(values), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(item) if isinstance(item, Mapping) else item for key, item in values.items()}


def preset_names() -> Iterator[str]:
    """The names of the configurations that come with the project."""
    return (path.stem for path in sorted(_presets().glob("*.yaml")))


def preset_path(name: str) -> Path | None:
    """The file of a configuration that comes with the project, None where there is none of that name."""
    path = _presets() / f"{name}.yaml"
    return path if path.is_file() else None


def _presets() -> Path:
    import configs

    return Path(configs.__file__).parent
