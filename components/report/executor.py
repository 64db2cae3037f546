"""The executor of the report: read the artifacts, render the page, write it."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import Any

import tensorflow as tf
import yaml
from tfx.dsl.components.base import base_executor

from components.artifacts import Artifacts
from components.evaluation.results import MARGIN
from components.report.data import ReportData
from components.report.page import render
from components.report.sections.differences import compare
from components.report.sources.changes import read_sides
from components.report.sources.examples import View, read_data_set, read_held_out
from components.report.sources.explorer import Place, make_explorer, nearest, read_training_pictures
from components.report.sources.gates import read_copies, read_evaluation, read_push, read_quality, read_serving
from components.report.sources.model import query_model
from components.report.sources.run import read_model_facts, read_search, read_training
from trainer.config import PreprocessingConfig

MAX_HELD_OUT = 2_000
PAGE = "index.html"
EXPLORER = "explorer.html"
PICTURES = "pictures"


class Executor(base_executor.BaseExecutor):
    """See `components.report.component.Report`."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Write the report to the output artifact's folder."""
        run_id = (self._context.pipeline_run_id if self._context else None) or ""
        report = gather(input_dict, exec_properties, run_id, datetime.now(timezone.utc))
        write(report, output_dict["report"][0].uri)


def gather(inputs: Artifacts, parameters: dict[str, Any], run_id: str, when: datetime) -> ReportData:
    """Read the artifacts and query the model.

    Args:
        inputs: Artifacts by the names of the component's inputs; optional ones may be absent or empty.
        parameters: Values by the names of the component's parameters.
        run_id: Id of the pipeline's run.
        when: The date to show.
    """
    artifacts_by_name = {name: artifacts[0] for name, artifacts in inputs.items() if artifacts}
    model_folder = os.path.join(artifacts_by_name["model"].uri, "Format-Serving")
    examples_uri, config = artifacts_by_name["examples"].uri, parameters.get("config") or ""
    model, training = read_model_facts(model_folder), read_training(artifacts_by_name["model_run"].uri)
    view = View(_preprocessing(model.image_shape, config))
    held_out, seed = read_held_out(examples_uri, MAX_HELD_OUT), int(parameters.get("seed") or 0)
    labels = model.labels if model.conditional else ()
    margin = _section(config, "evaluation").get("max_drop")
    quality = read_quality(artifacts_by_name.get("quality"))
    answers = query_model(model_folder, held_out, view, training.kl_per_dimension, seed, labels)
    place = Place(model_folder, examples_uri)
    evaluation = read_evaluation(artifacts_by_name.get("evaluation"), artifacts_by_name.get("blessing"))
    # The margin of the configuration is a multiple of the standard deviation of the ELBO over seeds.
    seed_spread = margin / MARGIN if isinstance(margin, (int, float)) else None
    training_pictures = read_training_pictures(place, model, view)
    changes = None
    if "baseline_model" in artifacts_by_name and evaluation.baseline is not None:
        baseline = os.path.join(artifacts_by_name["baseline_model"].uri, "Format-Serving")
        changes = compare(*read_sides(model_folder, baseline, evaluation, seed_spread), same=True)
    return ReportData(
        title=parameters["title"],
        when=when,
        data=read_data_set(examples_uri, view),
        model=model,
        training=training,
        answers=answers,
        evaluation=evaluation,
        serving=read_serving(artifacts_by_name.get("infra_blessing")),
        push=read_push(artifacts_by_name.get("pushed_model")),
        quality=quality,
        copies=read_copies(artifacts_by_name.get("quality"), quality),
        search=read_search(artifacts_by_name.get("tuner_results")),
        seed_spread=seed_spread,
        changes=changes,
        neighbors=nearest(answers.generated, training_pictures),
        neighbors_of=len(training_pictures),
        run_id=run_id,
        config=config,
        locations={name.replace("_", " "): artifact.uri for name, artifact in artifacts_by_name.items()},
        explorer=make_explorer(place, parameters["title"], model, answers, training_pictures, training.kl_per_dimension),
    )


def write(report: ReportData, folder: str) -> None:
    """Write index.html, the explorer if there is one, and the pictures for other documents, to `folder`."""
    from components.report.static_images import static_images  # imports matplotlib, which a cached run does not need

    tf.io.gfile.makedirs(os.path.join(folder, PICTURES))
    for name, png in static_images(report).items():
        with tf.io.gfile.GFile(os.path.join(folder, PICTURES, name), "wb") as file:
            file.write(png)
    with tf.io.gfile.GFile(os.path.join(folder, PAGE), "wb") as file:
        file.write(render(report).encode("utf-8"))
    if report.explorer:
        with tf.io.gfile.GFile(os.path.join(folder, EXPLORER), "wb") as file:
            file.write(report.explorer.encode("utf-8"))


def _section(config: str, name: str) -> dict[str, Any]:
    document = yaml.safe_load(config) if config else None
    return dict((document or {}).get(name) or {})


def _preprocessing(shape: tuple[int, int, int], config: str) -> PreprocessingConfig:
    """Return the conversion to the model's shape, with the configuration's `preprocessing` if it is set."""
    settings = _section(config, "preprocessing")
    if "background" in settings:
        settings["background"] = tuple(settings["background"])
    height, width, channels = shape
    return PreprocessingConfig(**{**settings, "height": height, "width": width, "channels": channels})
