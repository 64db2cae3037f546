"""The Report component: the results, figures and decisions of a run on one page."""

from __future__ import annotations

from tfx.types import standard_artifacts

from components import artifacts
from components.declaration import DeclaredComponent, Parameter
from components.report.executor import Executor


class Report(DeclaredComponent):
    """Write the self-contained pages `index.html` and `explorer.html`, and `pictures/*.png` for other documents."""

    EXECUTOR = Executor
    INPUTS = {
        "examples": standard_artifacts.Examples,  # with summary.json and rejects.jsonl
        "model": standard_artifacts.Model,  # the exported model
        "model_run": standard_artifacts.ModelRun,  # history, networks, KL per dimension
        "evaluation": standard_artifacts.ModelEvaluation,  # TFMA's results
        "blessing": standard_artifacts.ModelBlessing,  # the model gate's decision
    }
    OPTIONAL_INPUTS = {
        "infra_blessing": standard_artifacts.InfraBlessing,  # the serving check's decision, with serving_check.json
        "pushed_model": standard_artifacts.PushedModel,
        "tuner_results": standard_artifacts.TunerResults,  # of the search for hyperparameters, with trials.json
        "baseline_model": standard_artifacts.Model,  # the last blessed model, to show what changed
        "quality": artifacts.Quality,  # distances of generated and reconstructed pictures from held-out ones
    }
    PARAMETERS = {
        "title": Parameter(str),  # name of the data set or run
        "config": Parameter(str, ""),  # the configuration as YAML, shown unchanged
        "code": Parameter(str, ""),  # hash of the code, for the cache
        "seed": Parameter(int, 0),  # of the generated pictures and of the choice among held-out ones
    }
    OUTPUTS = {"report": artifacts.Report}
