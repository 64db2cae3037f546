"""The graph: every component, its purpose, and the artifacts between them. It is the same for every orchestrator."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx.components import Evaluator, ExampleValidator, InfraValidator, Pusher, StatisticsGen, Trainer, Transform
from tfx.dsl.components.base import executor_spec
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import infra_validator_pb2, pusher_pb2, trainer_pb2, transform_pb2
from tfx.types import Channel

import components.data_gate.statistics
import components.decisions
import components.feature_extractor
import components.image_example_gen
import components.model_gate
import components.pusher
import components.report
import components.sample_quality
import components.serving_check
import components.tuner
import trainer.config
from common import errors
from common.code_hash import code_hash
from components.data_gate.component import DataGate
from components.evaluation import results
from components.evaluator.executor import ReportedEvaluation
from components.feature_extractor import description
from components.feature_extractor.component import FeatureExtractor
from components.image_example_gen.component import ImageExampleGen
from components.model_gate.component import ModelGate
from components.pusher.executor import AtomicPush
from components.report.component import Report
from components.sample_quality import figures
from components.sample_quality.component import SampleQuality
from components.serving_check.component import ServingCheck
from components.tuner.component import Tuner
from pipeline.config.eval_config import evaluation_config, picture_limits
from pipeline.config.schema import Config, ServingCheckConfig
from pipeline.graph.environments import NONE, Environment
from serving import c_api, explorer, manifest, picture_files, saved_model, signatures
from serving.explorer import program
from trainer import data, features, golden, metrics, preprocessing
from trainer.tuning import trials


def create_pipeline(
    *,
    name: str,
    root: str,
    images: str,
    environment: Environment,
    push_to: str,
    config: Config,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
    beam_args: Sequence[str] = (),
    enable_cache: bool = True,
    accept_drift: bool = False,
    push_anew: str = "",
    bless_who: str = "",
    bless_why: str = "",
) -> Pipeline:
    """Build the graph, and do nothing else.

    Args:
        name: The pipeline's name; runs of one name share their history.
        root: Where artifacts go.
        images: Where the pictures are; see `ImageExampleGen`.
        environment: The source of the schema and of the baselines, which depends on the orchestrator.
        push_to: The folder that models are pushed to, one subfolder per version.
        config: The configuration.
        metadata: Where ML Metadata is kept; None if the orchestrator provides it.
        beam_args: Arguments for the components that run on Beam.
        enable_cache: Whether components with unchanged inputs, parameters and code are skipped.
        accept_drift: Accept the pictures as the new baseline: they are not compared with earlier ones.
        push_anew: A value that has not been used before makes the Pusher run regardless of the cache.
        bless_who: The person who asks to bless the model even if the model gate refuses it, as user@host.
        bless_why: The reason for that; empty for no such request.

    Returns:
        The pipeline.
    """
    # Converts pictures to tf.Examples in splits. Pictures that cannot be decoded are rejected here, so that no later step fails.
    example_gen = ImageExampleGen(images=images, config=config.data, code=code_hash(components.image_example_gen, picture_files))
    # Computes statistics of each feature: sizes, labels, brightness, contrast.
    statistics_gen = StatisticsGen(
        examples=example_gen.outputs["examples"], stats_options=components.data_gate.statistics.options()
    )
    # Provides the requirements on the pictures.
    schema = environment.schema()
    # Compares the statistics with the schema.
    validator = ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema.channel)
    # Finds the statistics of the last accepted pictures.
    last_statistics = environment.last_statistics(statistics_gen.outputs["statistics"])
    # Ends the run if there are anomalies or drift.
    data_gate = DataGate(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema.channel,
        anomalies=validator.outputs["anomalies"],
        baseline_statistics=None if accept_drift else last_statistics.channel,
        baseline_blessing=None if accept_drift else last_statistics.blessing,
        examples=example_gen.outputs["examples"],
        config=config.validation,
        registry=environment.registry,
        code=code_hash(components.data_gate, components.decisions),
    )
    # Writes the graph from a file's bytes to pixels, which training and serving share. Nothing is materialized: decoding is
    # cheaper than writing and reading float pixels.
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema.channel,
        preprocessing_fn="trainer.preprocessing.preprocessing_fn",
        splits_config=transform_pb2.SplitsConfig(analyze=["train"]),
        materialize=False,
        disable_statistics=True,
        custom_config={
            "preprocessing": config.trainer().to_dict()["preprocessing"],
            "code": code_hash(trainer.config, preprocessing),
        },
    )
    transform.add_upstream_node(data_gate)
    # Tries other values of configuration fields in short trainings, if the configuration asks for it.
    tuner = hyperparameter_search(config, example_gen, transform) if config.tuning.trials else None
    # Finds the last blessed model, if training continues from it.
    starting_point = environment.starting_point(example_gen.outputs["examples"]) if config.training.warm_start else NONE
    # Builds, trains and exports the VAE. The best values of the search override the configuration.
    train = Trainer(
        run_fn="trainer.task.run_fn",
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema.channel,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        base_model=starting_point.channel,
        custom_config={
            "trainer": config.trainer().to_dict(),
            "code": code_hash(trainer, manifest, program),
            "checkpoints": environment.checkpoints,
            "train_job": environment.train_job,
        },
    )
    judged_on = "test" if config.data.test_share else "eval"
    # Fits the features for comparing pictures. It uses the pictures and no model, so that metrics of models are comparable.
    feature_extractor = FeatureExtractor(
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        split=judged_on,
        code=code_hash(components.feature_extractor, data, features, preprocessing),
    )
    # Finds the last blessed model.
    last_model = environment.last_model(train.outputs["model"])
    # Measures how close new pictures of this model and of the last blessed one are to held-out pictures. ModelGate decides.
    sample_quality = SampleQuality(
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        model=train.outputs["model"],
        features=feature_extractor.outputs["features"],
        baseline_model=last_model.channel,
        split=judged_on,
        seed=config.training.seed,
        code=code_hash(
            *(components.sample_quality, components.feature_extractor, errors, c_api, saved_model, signatures),
            *(data, features, metrics, preprocessing),
        ),
    )
    # Evaluates the model on pictures that were not used in training, and blesses it or not.
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=train.outputs["model"],
        baseline_model=last_model.channel,
        eval_config=evaluation_config(config.evaluation),
        example_splits=[judged_on],
    )
    # TFX's executor with progress reports: an importance-weighted bound of many samples takes minutes.
    evaluator.executor_spec = executor_spec.BeamExecutorSpec(ReportedEvaluation)
    # Finds a blessing that was forced on this evaluation, which stays valid.
    forced_blessing = environment.forced_blessing(evaluator.outputs["evaluation"])
    # Finds a rollback from this model. Such a model is not pushed again.
    withdrawal = environment.withdrawal(train.outputs["model"])
    # Decides on the Evaluator's blessing and the quality of new pictures, unless a person overrides them.
    model_gate = ModelGate(
        evaluation=evaluator.outputs["evaluation"],
        evaluator_blessing=evaluator.outputs["blessing"],
        forced_blessing=forced_blessing.channel,
        withdrawal=withdrawal.channel,
        features=feature_extractor.outputs["features"],
        last_blessing=last_model.blessing,
        quality=sample_quality.outputs["quality"],
        max_label_accuracy_drop=config.evaluation.max_label_accuracy_drop,
        max_drop=config.evaluation.max_drop,
        picture_limits=picture_limits(config.evaluation),
        who=bless_who,
        why=bless_why,
        code=code_hash(components.model_gate, components.decisions, results, description, figures),
    )
    # Runs the exported model as a server does.
    check, infra_blessing = serving_check(config.serving_check, example_gen, train)
    # Pushes a model that both have blessed.
    pusher = Pusher(
        model=train.outputs["model"],
        model_blessing=model_gate.outputs["blessing"],
        infra_blessing=infra_blessing,
        push_destination=pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_to)),
        custom_config={"code": code_hash(components.pusher), "push_anew": push_anew, "registry": environment.registry},
    )
    pusher.executor_spec = executor_spec.BeamExecutorSpec(AtomicPush)
    # Writes the report.
    report = Report(
        examples=example_gen.outputs["examples"],
        model=train.outputs["model"],
        model_run=train.outputs["model_run"],
        evaluation=evaluator.outputs["evaluation"],
        blessing=model_gate.outputs["blessing"],
        infra_blessing=infra_blessing,
        pushed_model=pusher.outputs["pushed_model"],
        tuner_results=tuner.outputs["tuner_results"] if tuner else None,
        quality=sample_quality.outputs["quality"],
        baseline_model=last_model.channel,
        title=config.title,
        config=config.essence(),
        seed=config.training.seed,
        code=code_hash(
            components.report,
            components.decisions,
            results,
            figures,
            c_api,
            saved_model,
            signatures,
            explorer,
            preprocessing,
            trials,
        ),
    )
    nodes = [
        example_gen,
        statistics_gen,
        schema.node,
        validator,
        last_statistics.node,
        data_gate,
        transform,
        tuner,
        starting_point.node,
        train,
        feature_extractor,
        last_model.node,
        sample_quality,
        evaluator,
        forced_blessing.node,
        withdrawal.node,
        model_gate,
        check,
        pusher,
        report,
        # Fails after a refusal, if the caller does not detect it.
        environment.last(report),
    ]
    return Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[node for node in nodes if node is not None],
        enable_cache=enable_cache,
        metadata_connection_config=metadata,
        beam_pipeline_args=list(beam_args),
    )


def hyperparameter_search(config: Config, example_gen: BaseComponent, transform: BaseComponent) -> BaseComponent:
    """Return the component that searches for better values of configuration fields."""
    return Tuner(
        tuner_fn="trainer.tuning.task.tuner_fn",
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config={
            "trainer": config.trainer().to_dict(),
            "tuning": dataclasses.asdict(config.tuning),
            "code": code_hash(trainer, components.tuner),
        },
    )


def serving_check(config: ServingCheckConfig, example_gen: BaseComponent, train: BaseComponent) -> tuple[BaseComponent, Channel]:
    """Return the component that tests the exported model, and its blessing."""
    if config.kind == "c_api":
        check = ServingCheck(
            model=train.outputs["model"],
            model_run=train.outputs["model_run"],
            timeout_seconds=config.timeout_seconds,
            code=code_hash(components.serving_check, components.decisions, c_api, errors, manifest, signatures, golden),
        )
        return check, check.outputs["blessing"]
    check = InfraValidator(
        model=train.outputs["model"],
        examples=example_gen.outputs["examples"],
        serving_spec=infra_validator_pb2.ServingSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[config.tensorflow_serving_tag]),
            local_docker=infra_validator_pb2.LocalDockerConfig(),
        ),
        request_spec=infra_validator_pb2.RequestSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(signature_names=["evaluate"]), num_examples=4
        ),
        validation_spec=infra_validator_pb2.ValidationSpec(max_loading_time_seconds=config.timeout_seconds, num_tries=2),
    )
    return check, check.outputs["blessing"]
