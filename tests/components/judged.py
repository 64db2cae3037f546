"""The Evaluator with the project's thresholds, on models of which only the figures matter.

A model's figures on each picture are laid down in the examples; an exported model that reads them off takes the real one's
place. Everything after it is as in a run: TFMA's extractors, metrics and validation, and the blessing.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.evaluation.results import Evaluation, read_evaluation
from components.evaluator.executor import ReportedEvaluation
from pipeline.config.eval_config import FIGURES, evaluation_config
from pipeline.config.schema import EvaluationConfig
from pipeline.engines.arguments import LOCAL_BEAM

Figures = dict[str, np.ndarray]  # float [n] by the names of FIGURES


def figures(elbo: float, kl: float, bound: float = 1.0, gain: float = 5.0, pictures: int = 12) -> Figures:
    """Figures whose means are these, spread over pictures; the bound is so much above the ELBO."""
    spread = np.linspace(-1, 1, pictures)
    return {
        "elbo": elbo + spread,
        "importance_weighted": elbo + bound + spread,
        "reconstruction": -elbo - kl - spread,
        "kl": np.full(pictures, kl),
        "gain": gain + spread,
    }


class Reader(tf.Module):
    """Answers `evaluate` with the figures that the examples have under a name."""

    def __init__(self, name: str):
        super().__init__()
        self._features = {f"{name}/{figure}": tf.io.FixedLenFeature([], tf.float32) for figure in FIGURES}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serialised tf.Examples string [n] -> float32 [n] by the names of FIGURES."""
        found = tf.io.parse_example(examples, self._features)
        return {name.rpartition("/")[2]: value for name, value in found.items()}


@dataclasses.dataclass(frozen=True)
class Judged:
    """What the Evaluator left: its artifacts, and what is in them."""

    evaluation: Artifact
    blessing: Artifact

    @property
    def blessed(self) -> bool:
        """Whether the model was blessed."""
        return self.blessing.get_int_custom_property("blessed") == 1

    def read(self) -> Evaluation:
        """The figures and failures."""
        return read_evaluation(self.evaluation.uri)


class Bench:
    """Models by name, judged on the same pictures.

    Args:
        folder: For all files.
        models: Figures of each model.
    """

    def __init__(self, folder: Path, models: dict[str, Figures]):
        self.folder, self.artifacts = folder, 0
        self.examples = self.artifact(standard_artifacts.Examples)
        self.examples.split_names = artifact_utils.encode_split_names(["test"])
        path = Path(self.examples.uri, "Split-test", "data_tfrecord-00000-of-00001.gz")
        path.parent.mkdir()
        with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
            for i in range(len(next(iter(models.values()))["elbo"])):
                values = {f"{name}/{figure}": model[figure][i] for name, model in models.items() for figure in FIGURES}
                features = {name: tf.train.Feature(float_list=tf.train.FloatList(value=[v])) for name, v in values.items()}
                features["image/mean"] = tf.train.Feature(float_list=tf.train.FloatList(value=[1.0]))
                features["image/label"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"ab"[i % 2 : i % 2 + 1]]))
                writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
        self.models = {name: self._export(name) for name in models}

    def artifact(self, kind: type[Artifact]) -> Artifact:
        """A new artifact with an id and an empty folder."""
        self.artifacts += 1
        artifact = kind()
        artifact.id, artifact.uri = self.artifacts, str(self.folder / str(self.artifacts))
        Path(artifact.uri).mkdir(parents=True)
        return artifact

    def judge(self, config: EvaluationConfig, candidate: str, baseline: str | None = None) -> Judged:
        """Runs the Evaluator on a model, beside another if one is named."""
        inputs = {"examples": [self.examples], "model": [self.models[candidate]]}
        if baseline:
            inputs["baseline_model"] = [self.models[baseline]]
        kinds = {"evaluation": standard_artifacts.ModelEvaluation, "blessing": standard_artifacts.ModelBlessing}
        outputs = {key: [self.artifact(kind)] for key, kind in kinds.items()}
        parameters = {
            "eval_config": proto_utils.proto_to_json(evaluation_config(config)),
            "example_splits": json.dumps(["test"]),
            "fairness_indicator_thresholds": None,
        }
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=list(LOCAL_BEAM), tmp_dir=str(self.folder / "temporary"), unique_id="1"
        )
        ReportedEvaluation(context).Do(inputs, outputs, parameters)
        return Judged(*(artifacts[0] for artifacts in outputs.values()))

    def _export(self, name: str) -> Artifact:
        model, reader = self.artifact(standard_artifacts.Model), Reader(name)
        tf.saved_model.save(reader, str(Path(model.uri, "Format-Serving")), signatures={"evaluate": reader.evaluate})
        return model
