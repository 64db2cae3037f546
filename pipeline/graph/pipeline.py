"""The graph: every component, what it is for, and what flows between them. The same for every orchestrator."""

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

import common.errors
import components.data_gate.statistics
import components.evaluation.results
import components.feature_extractor
import components.feature_extractor.description
import components.image_example_gen
import components.model_gate
import components.pusher
import components.report
import components.sample_quality
import components.sample_quality.figures
import components.serving_check
import components.tuner
import serving.c_api
import serving.manifest
import serving.picture_files
import serving.signatures
import trainer.config
import trainer.data
import trainer.features
import trainer.golden
import trainer.metrics
import trainer.preprocessing
import trainer.tuning.trials
from common.code_hash import code_hash
from components.data_gate.component import DataGate
from components.evaluator.executor import ReportedEvaluation
from components.feature_extractor.component import FeatureExtractor
from components.image_example_gen.component import ImageExampleGen
from components.model_gate.component import ModelGate
from components.pusher.executor import AtomicPush
from components.report.component import Report
from components.sample_quality.component import SampleQuality
from components.serving_check.component import ServingCheck
from components.tuner.component import Tuner
from pipeline.config.eval_config import evaluation_config, picture_limits
from pipeline.config.schema import Config, ServingCheckConfig
from pipeline.graph.environments import NONE, Environment


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
    """Builds the graph, and nothing else.

    Args:
        name: The pipeline's name; runs of one name share their history.
        root: Where artifacts go.
        images: Where the pictures are; see `ImageExampleGen`.
        environment: Where the schema comes from and what a run is compared with, which differs by the orchestrator.
        push_to: Where models are pushed to, a folder each version.
        config: The configuration.
        metadata: Where ML Metadata is kept; None where the orchestrator brings its own.
        beam_args: For the components that run on Beam.
        enable_cache: Whether components whose inputs, parameters and code have not changed are skipped.
        accept_drift: Takes the pictures as the new usual ones: they are not compared with those before.
        push_anew: Anything that has not been said before has the model pushed whatever the cache says.
        bless_who: Who asks for the model to be blessed even if the model gate refuses it, as user@host.
        bless_why: For what reason; empty asks for nothing.

    Returns:
        The pipeline.
    """
    # Pictures become tf.Examples in splits; what cannot be decoded is refused here, so that nothing fails on it later.
    example_gen = ImageExampleGen(
        images=images, config=config.data, code=code_hash(components.image_example_gen, serving.picture_files)
    )
    # What the pictures are like, feature by feature: sizes, labels, brightness, contrast.
    statistics_gen = StatisticsGen(
        examples=example_gen.outputs["examples"], stats_options=components.data_gate.statistics.options()
    )
    # What the pictures must be like.
    schema = environment.schema()
    # Compares the two.
    validator = ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema.channel)
    # The last pictures that passed.
    last_statistics = environment.last_statistics(statistics_gen.outputs["statistics"])
    # Ends the run where there are anomalies or drift.
    data_gate = DataGate(
        statistics=statistics_gen.outputs["statistics"],
        schema=schema.channel,
        anomalies=validator.outputs["anomalies"],
        baseline_statistics=None if accept_drift else last_statistics.channel,
        baseline_blessing=None if accept_drift else last_statistics.blessing,
        examples=example_gen.outputs["examples"],
        config=config.validation,
        registry=environment.registry,
        code=code_hash(components.data_gate),
    )
    # The pixel graph, from a file's bytes to pixels, for training and serving alike. Nothing is materialised: decoding is
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
            "code": code_hash(trainer.config, trainer.preprocessing),
        },
    )
    transform.add_upstream_node(data_gate)
    # Tries other values of the configuration's fields in short trainings, where the configuration asks for that.
    tuner = hyperparameter_search(config, example_gen, transform) if config.tuning.trials else None
    # The last good model, where training is to go on from it.
    starting_point = environment.starting_point(example_gen.outputs["examples"]) if config.training.warm_start else NONE
    # Builds, fits and exports the VAE; the best values of the search are laid over the configuration.
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
            "code": code_hash(trainer, serving.manifest),
            "checkpoints": environment.checkpoints,
        },
    )
    judged_on = "test" if config.data.test_share else "eval"
    # What pictures are compared by: it knows the pictures and no model, so that figures of different models can be compared.
    feature_extractor = FeatureExtractor(
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        split=judged_on,
        code=code_hash(components.feature_extractor, trainer.data, trainer.features, trainer.preprocessing),
    )
    # The last good model.
    last_model = environment.last_model(train.outputs["model"])
    # How near its new pictures and those of the last good model come to held-out ones. It measures; ModelGate judges.
    sample_quality = SampleQuality(
        examples=example_gen.outputs["examples"],
        transform_graph=transform.outputs["transform_graph"],
        model=train.outputs["model"],
        features=feature_extractor.outputs["features"],
        baseline_model=last_model.channel,
        split=judged_on,
        seed=config.training.seed,
        code=code_hash(
            components.sample_quality,
            components.feature_extractor,
            common.errors,
            trainer.data,
            trainer.features,
            trainer.metrics,
            trainer.preprocessing,
        ),
    )
    # Blesses the model, or does not, on pictures that took no part in training.
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=train.outputs["model"],
        baseline_model=last_model.channel,
        eval_config=evaluation_config(config.evaluation),
        example_splits=[judged_on],
    )
    # TFX's own, with progress shown: a bound of many samples takes minutes.
    evaluator.executor_spec = executor_spec.BeamExecutorSpec(ReportedEvaluation)
    # A blessing that was forced on this very evaluation stands.
    forced_blessing = environment.forced_blessing(evaluator.outputs["evaluation"])
    # Nor is a model pushed again from which a person has rolled back.
    withdrawal = environment.withdrawal(train.outputs["model"])
    # The Evaluator's decision and what the new pictures are like, or a person's decision against them.
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
        code=code_hash(
            components.model_gate,
            components.evaluation.results,
            components.feature_extractor.description,
            components.sample_quality.figures,
        ),
    )
    # Tries the exported model as a server would.
    check, infra_blessing = serving_check(config.serving_check, example_gen, train)
    # Ships a model that both have blessed.
    pusher = Pusher(
        model=train.outputs["model"],
        model_blessing=model_gate.outputs["blessing"],
        infra_blessing=infra_blessing,
        push_destination=pusher_pb2.PushDestination(filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=push_to)),
        custom_executor_spec=executor_spec.BeamExecutorSpec(AtomicPush),
        custom_config={"code": code_hash(components.pusher), "push_anew": push_anew, "registry": environment.registry},
    )
    # Shows a person all of it.
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
        title=config.title,
        config=config.essence(),
        seed=config.training.seed,
        code=code_hash(
            components.report,
            components.evaluation.results,
            components.model_gate,
            components.sample_quality.figures,
            trainer.preprocessing,
            trainer.tuning.trials,
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
        # Fails where a gate has refused the model, if nobody else would see it.
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
    """The component that looks for better values of the configuration's fields."""
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
    """The component that tries the exported model, and its blessing."""
    if config.kind == "c_api":
        check = ServingCheck(
            model=train.outputs["model"],
            model_run=train.outputs["model_run"],
            timeout_seconds=config.timeout_seconds,
            code=code_hash(
                components.serving_check,
                serving.c_api,
                common.errors,
                serving.manifest,
                serving.signatures,
                trainer.golden,
            ),
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
            tensorflow_serving=infra_validator_pb2.TensorFlowServingRequestSpec(signature_names=["evaluate"]),
            num_examples=4,
        ),
        validation_spec=infra_validator_pb2.ValidationSpec(max_loading_time_seconds=config.timeout_seconds, num_tries=2),
    )
    return check, check.outputs["blessing"]
