"""Both components in a pipeline: the classifier is made once, whatever model comes after."""

from __future__ import annotations

import json
from pathlib import Path

from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.types import standard_artifacts

from components.feature_extractor.component import FeatureExtractor
from components.sample_quality.component import SampleQuality
from components.sample_quality.figures import Quality, comparable
from pipeline.running.runner import run_pipeline
from pipeline.verdict.nodes import summarize
from pipeline.verdict.outcomes import NodeOutcome
from pipeline.verdict.verdict import Verdict
from tests.components.digits import read_digits
from tests.components.sample_quality.models import Handed


class Silent:
    """An observer that does nothing."""

    def started(self, name: str) -> None:
        """See `pipeline.verdict.outcomes.Observer`."""

    def finished(self, outcome: NodeOutcome) -> None:
        """See `pipeline.verdict.outcomes.Observer`."""


def run(examples: str, graph: str, model: Path, folder: Path, run_id: str) -> dict[str, NodeOutcome]:
    """Runs both components on a model."""
    kinds = standard_artifacts.Examples, standard_artifacts.TransformGraph, standard_artifacts.Model
    imported = [
        Importer(source_uri=str(uri), artifact_type=kind).with_id(kind.__name__)
        for uri, kind in zip((examples, graph, model), kinds)
    ]
    examples_channel, graph_channel, model_channel = (importer.outputs["result"] for importer in imported)
    inputs = {"examples": examples_channel, "transform_graph": graph_channel}
    extractor = FeatureExtractor(**inputs, split="test", code="1")
    quality = SampleQuality(**inputs, model=model_channel, features=extractor.outputs["features"], split="test", seed=0, code="1")
    made = pipeline.Pipeline(
        pipeline_name="quality",
        pipeline_root=str(folder / "artifacts"),
        components=[*imported, extractor, quality],
        enable_cache=True,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(folder / "metadata.db")),
    )
    return run_pipeline(made, run_id, "local", Silent())


def test_models_after_one_another_are_measured_by_the_same_classifier(digits_uri: str, graph_uri: str, tmp_path: Path) -> None:
    pictures = read_digits()[0]
    found, states, lines = [], [], []
    for i, shown in enumerate((pictures[1100:], 255 - pictures[1100:])):
        model = tmp_path / f"model-{i}"
        Handed(shown).save(model)
        outcomes = run(digits_uri, graph_uri, model, tmp_path, f"run-{i}")
        verdict = Verdict(run="", title="", images="", started="")
        verdict.add("SampleQuality", "done", 1.0, summarize(outcomes["SampleQuality"]).parts)
        found.append(Quality.from_dict(verdict.quality))
        states.append((outcomes["FeatureExtractor"].state, outcomes["SampleQuality"].state))
        lines.append([summarize(outcomes[name]).text for name in ("FeatureExtractor", "SampleQuality")])
    assert states == [("done", "done"), ("cached", "done")]
    assert comparable(found[0].generated, found[1].generated)
    assert found[0].generated.frechet_distance < found[1].generated.frechet_distance
    short = found[0].generated.features_hash[:12]
    assert lines[0][0].startswith(f"classifier {short} of 10 labels, ") and lines[0][0].endswith("% of 200 held-out pictures right")
    assert lines[0][1].startswith(f"Frechet distance {found[0].generated.frechet_distance:.4g} (floor ")
    assert lines[0][1].endswith(f"classifier {short}, 200 pictures")
    json.dumps(found[0].to_dict(), allow_nan=False)
