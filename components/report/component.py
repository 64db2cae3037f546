"""The Report component: the results, figures and decisions of a run on one page."""

from __future__ import annotations

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import channel, standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.report import artifacts, executor
from components.sample_quality.artifacts import Quality


class ReportSpec(ComponentSpec):
    """Inputs, outputs and parameters of `Report`."""

    PARAMETERS = {
        "title": ExecutionParameter(type=str),
        "config": ExecutionParameter(type=str),
        "code": ExecutionParameter(type=str),
        "seed": ExecutionParameter(type=int),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_run": ChannelParameter(type=standard_artifacts.ModelRun),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel, optional=True),
        "tuner_results": ChannelParameter(type=standard_artifacts.TunerResults, optional=True),
        "quality": ChannelParameter(type=Quality, optional=True),
    }
    OUTPUTS = {"report": ChannelParameter(type=artifacts.Report)}


class Report(base_component.BaseComponent):
    """Write `index.html`, one self-contained page, and `pictures/*.png` for other documents.

    The output `report` is a `darkroom.Report` artifact.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        examples: channel.BaseChannel,
        model: channel.BaseChannel,
        model_run: channel.BaseChannel,
        evaluation: channel.BaseChannel,
        blessing: channel.BaseChannel,
        infra_blessing: channel.BaseChannel | None = None,
        pushed_model: channel.BaseChannel | None = None,
        tuner_results: channel.BaseChannel | None = None,
        quality: channel.BaseChannel | None = None,
        title: str,
        config: str = "",
        code: str = "",
        seed: int = 0,
    ):
        """Create the component.

        Args:
            examples: The pictures (Examples) with summary.json and rejects.jsonl.
            model: The exported model (Model).
            model_run: History, networks, KL per dimension (ModelRun).
            evaluation: TFMA's results (ModelEvaluation).
            blessing: The model gate's decision (ModelBlessing).
            infra_blessing: The serving check's decision (InfraBlessing) with serving_check.json.
            pushed_model: The pushed model (PushedModel).
            tuner_results: The results of the search for hyperparameters (TunerResults) with trials.json.
            quality: Distances of generated and reconstructed pictures from held-out ones (darkroom.Quality).
            title: Name of the data set or run.
            config: The configuration as YAML, shown unchanged.
            code: Hash of the code, so that a change of it misses the cache.
            seed: Seed of the generated pictures and of the choice among held-out ones.
        """
        inputs = {
            "examples": examples,
            "model": model,
            "model_run": model_run,
            "evaluation": evaluation,
            "blessing": blessing,
            "infra_blessing": infra_blessing,
            "pushed_model": pushed_model,
            "tuner_results": tuner_results,
            "quality": quality,
        }
        super().__init__(
            ReportSpec(
                **{name: value for name, value in inputs.items() if value is not None},
                title=title,
                config=config,
                code=code,
                seed=seed,
                report=channel.Channel(type=artifacts.Report),
            )
        )
