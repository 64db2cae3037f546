"""The linter: each rule by a pipeline that breaks it and no other, and stock TFX's own output."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from kubeflow.compile.lint import lint
from kubeflow.compile.rules import STOCK

GOOD: dict[str, Any] = {
    "pipelineInfo": {"name": "p"},
    "schemaVersion": "2.1.0",
    "root": {
        "dag": {
            "tasks": {
                "Read": {
                    "componentRef": {"name": "Read"},
                    "inputs": {"parameters": {"input_base": {"runtimeValue": {"constant": "s3://b"}}}},
                },
                "Train": {
                    "componentRef": {"name": "Train"},
                    "dependentTasks": ["Read"],
                    "cachingOptions": {"enableCache": True},
                    "inputs": {"artifacts": {"e": {"taskOutputArtifact": {"producerTask": "Read", "outputArtifactKey": "e"}}}},
                },
            }
        }
    },
    "components": {"Read": {"executorLabel": "read"}, "Train": {"executorLabel": "train"}},
    "deploymentSpec": {
        "executors": {
            "read": {"container": {"image": "i", "command": ["python", "-m", "kubeflow.entrypoint"]}},
            "train": {"container": {"image": "i", "args": ["a"]}},
        }
    },
}


def rules(spec: Any, target: str = "kfp") -> list[str]:
    text = spec if isinstance(spec, str) else yaml.safe_dump(spec)
    return [violation.rule for violation in lint(text, target)]


def changed(path: str, value: Any) -> dict[str, Any]:
    spec = copy.deepcopy(GOOD)
    *above, last = path.split("/")
    place = spec
    for key in above:
        place = place.setdefault(key, {})
    place[last] = value
    return spec


def test_nothing_stands_against_a_good_one():
    assert rules(GOOD) == rules(GOOD, "vertex") == []
    assert rules(yaml.safe_dump_all([GOOD, {"platforms": {}}])) == []


READ, TRAIN = "deploymentSpec/executors/read", "deploymentSpec/executors/train/container"
TASK = "root/dag/tasks/Train"


@pytest.mark.parametrize(
    ("path", "value", "rule", "vertex"),
    [
        ("schemaVersion", "2.0.0", "schema", False),
        (READ, {"resolver": {}}, "resolver", False),
        (f"{READ}/container/lifecycle", {"preCacheCheck": {"command": ["x"]}}, "driver", False),
        ("root/dag/tasks/Read/cachingOptions", {"enableCache": True}, "stale", False),
        (f"{TRAIN}/command", ["python", "-m", STOCK], "entrypoint", False),
        ("root/inputDefinitions", {"parameters": {"epochs": {"parameterType": "NUMBER_INTEGER"}}}, "parameter", False),
        ("components/Train/outputDefinitions", {"parameters": {"l": {"parameterType": "NUMBER_DOUBLE"}}}, "double", False),
        (f"{TRAIN}/resources", {"accelerator": {"type": "NVIDIA_TESLA_T4", "count": "1"}}, "accelerator", False),
        (f"{TRAIN}/args", ["tfx.components.infra_validator.executor.Executor"], "infra-validator", False),
        (f"{TASK}/retryPolicy", {"maxRetryCount": 2}, "retries", False),
        (f"{TASK}/retryPolicy", {"maxRetryCount": 2, "backoffMaxDuration": "3600s"}, "retries", False),
        (f"{TASK}/retryPolicy", {"maxRetryCount": 2, "backoffMaxDuration": "604800s", "backoffFactor": 1.5}, "retries", False),
        ("defaultPipelineRoot", "/mnt/artifacts", "root", False),
        (f"{TASK}/inputs/parameters", {"k": {"runtimeValue": {"constant": None}}}, "null", False),
        (f"{TASK}/inputs/parameters", {"k": {"runtimeValue": {"constant": "a $$ title"}}}, "dollar", False),
        (f"{TASK}/inputs/parameters", {"k": {"runtimeValue": {"constant": "of $(HOME)"}}}, "dollar", False),
        ("components/Train/outputDefinitions", {"artifacts": {"m": {"metadata": {"a": None}}}}, "null", False),
        ("components/Train/outputDefinitions", {"artifacts": {"executor-logs": {}}}, "name", False),
        ("components/root", {"executorLabel": "read"}, "name", False),
        ("components/a_b", {"executorLabel": "read"}, "name", False),
        ("root/dag/tasks/Read_more", {"componentRef": {"name": "Read"}}, "name", False),
        ("pipelineInfo/name", "My Pipeline", "name", False),
        ("pipelineInfo/name", "p" * 129, "name", False),
        ("components/Train/executorLabel", "other", "reference", True),
        (f"{TASK}/componentRef", {"name": "Other"}, "reference", True),
        (f"{TASK}/dependentTasks", ["Read_task"], "reference", True),
        (f"{TASK}/triggerPolicy", {"condition": "inputs.artifacts['other'].value > 1"}, "condition", True),
    ],
)
def test_each_rule_by_what_breaks_it(path, value, rule, vertex):
    spec = changed(path, value)
    assert rules(spec) == [rule]
    assert rules(spec, "vertex") == ([rule] if vertex else [])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{TASK}/retryPolicy", {"maxRetryCount": 2, "backoffMaxDuration": "604800s"}),
        (f"{TASK}/retryPolicy", {"maxRetryCount": 0}),
        ("defaultPipelineRoot", "s3://b/root"),
        ("components/Train/outputDefinitions", {"artifacts": {"m": {"metadata": {"a": 1, "b": ""}}}}),
        (f"{TASK}/inputs/parameters", {"k": {"runtimeValue": {"constant": ""}}}),
        (f"{TASK}/inputs/parameters", {"k": {"runtimeValue": {"constant": "^(cat|dog)$(?!x) costs $5"}}}),
        ("pipelineInfo/name", "darkroom-cats-2"),
    ],
)
def test_what_comes_close_to_a_rule_and_is_fine(path, value):
    assert rules(changed(path, value)) == []


EXIT = {
    "componentRef": {"name": "Exit"},
    "dependentTasks": ["Train"],
    "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
}


def gated(**tasks) -> dict[str, Any]:
    """A pipeline with a gate, `Train`, and an exit handler; `tasks` are more of them, by their executors."""
    spec = changed(
        "components/Train/outputDefinitions", {"artifacts": {"b": {"artifactType": {"schemaTitle": "tfx.ModelBlessing"}}}}
    )
    for name, executor in {"Exit": "kubeflow.container.verdict.NotificationExecutor", **tasks}.items():
        spec["root"]["dag"]["tasks"].setdefault(name, {"componentRef": {"name": name}, "dependentTasks": ["Train"]})
        spec["components"][name] = {"executorLabel": name}
        spec["deploymentSpec"]["executors"][name] = {"container": {"image": "i", "args": ["--executor_class_path", executor]}}
    spec["root"]["dag"]["tasks"]["Exit"] = EXIT
    return spec


def test_a_refusal_must_fail_a_task_of_the_graph():
    verdict = {"Verdict": "kubeflow.container.verdict.Executor"}
    assert rules(gated(**verdict)) == [], "behind the gate"
    assert rules(gated()) == ["no-verdict"]
    assert rules(gated(Exit="kubeflow.container.verdict.Executor")) == ["exit-handler"], "whose failure decides nothing"
    aside = gated(**verdict)
    aside["root"]["dag"]["tasks"]["Verdict"]["dependentTasks"] = ["Read"]
    assert rules(aside) == ["no-verdict"], "a gate that it is not behind"
    assert rules(gated(**verdict), "vertex") == []


def test_an_empty_folder_is_lost_in_the_upload():
    spec = copy.deepcopy(GOOD)
    spec["deploymentSpec"]["executors"]["read"]["container"]["args"] = ["tfx.components.pusher.executor.Executor"]
    assert rules(spec) == ["empty-output"]
    spec["deploymentSpec"]["executors"]["train"]["container"]["command"] = ["python", "-m", "kubeflow.entrypoint"]
    assert rules(spec) == []


@pytest.mark.parametrize("text", ["12e3", "1e-7", "0o17", "-3E+2"])
def test_a_string_that_the_server_reads_as_a_number(text):
    plain = yaml.safe_dump(GOOD) + f"sdkVersion: {text}\n"
    assert rules(plain) == ["string"] and rules(plain.replace(text, f"'{text}'")) == []
    assert rules(plain, "vertex") == []


def test_a_condition_on_what_the_task_is_given_is_fine():
    assert rules(changed(f"{TASK}/triggerPolicy", {"condition": "inputs.artifacts['e'].metadata['n'] > 1"})) == []


@pytest.mark.parametrize(
    ("kind", "found"),
    [("nvidia.com/gpu", {"kfp": [], "vertex": ["accelerator"]}), ("NVIDIA_L4", {"kfp": ["accelerator"], "vertex": []})],
)
def test_each_server_calls_accelerators_by_its_own_names(kind, found):
    spec = changed(f"{TRAIN}/resources", {"accelerator": {"type": kind, "count": "1"}})
    assert {target: rules(spec, target) for target in found} == found


def test_what_other_compilers_than_tfx_pass_on_is_fine():
    spec = changed("components/Train/outputDefinitions", {"parameters": {"l": {"parameterType": "NUMBER_DOUBLE"}}})
    assert rules(spec | {"sdkVersion": "tfx-1.16.0"}) == ["double"] and rules(spec | {"sdkVersion": "kfp-2.5.0"}) == []


@pytest.mark.parametrize(
    "text",
    [
        "a: 2001-13-45",
        '!!int "x"',
        "[" * 5000,
        "root: {dag: null}",
        "components: [1]",
        "root: {dag: {tasks: null}}",
        "a: {? {b: c} : d}",
    ],
)
def test_no_file_is_too_odd_for_a_sentence(text):
    for file in (text, yaml.safe_dump(GOOD) + text if text.endswith("}") and "root" not in text else text):
        (violation,) = lint(file)
        assert violation.rule in ("not-yaml", "no-pipeline") and "\n" not in str(violation)


@pytest.mark.parametrize(
    ("path", "value"),
    [("root/dag/tasks", [1]), ("root/dag/tasks/Train", [1]), ("components/Train", [2]), ("deploymentSpec/executors", 3)],
)
def test_what_is_not_laid_out_as_a_pipeline_is_said(path, value):
    assert rules(changed(path, value)) == ["no-pipeline"]
    assert "reference" in rules(changed("components", None)), "null says nothing"


def test_every_document_of_a_file_is_looked_at():
    platform = {"platforms": {"kubernetes": {}}}
    assert rules(yaml.safe_dump_all([GOOD, platform])) == [] and rules(yaml.safe_dump_all([GOOD, platform]), "vertex") == [
        "documents"
    ]
    assert rules(yaml.safe_dump_all([GOOD, GOOD])) == rules(yaml.safe_dump_all([GOOD, {"foo": "bar"}])) == ["documents"]
    assert rules(yaml.safe_dump_all([GOOD, platform, {"baz": 1}])) == ["documents"]


def test_files_that_are_no_pipeline():
    assert rules("a: [") == ["not-yaml"]
    assert rules("") == rules("[]") == rules("a: 1") == ["no-pipeline"]
    assert rules(json.dumps(GOOD)) == ["json"] and rules(json.dumps(GOOD), "vertex") == []
    assert rules(json.dumps({"pipelineSpec": GOOD})) == ["wrapped"] and rules(json.dumps({"pipelineSpec": GOOD}), "vertex") == []


def test_every_violation_is_a_sentence_with_its_place():
    (violation,) = lint(yaml.safe_dump(changed(READ, {"resolver": {}})))
    assert str(violation) == ("read: resolver executors are not implemented: let a component look for the artifact [resolver]")


def test_what_stock_tfx_compiles(tmp_path):
    from tfx.components import CsvExampleGen
    from tfx.dsl.components.common.resolver import Resolver
    from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import LatestArtifactStrategy
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runner
    from tfx.orchestration.pipeline import Pipeline
    from tfx.types import Channel, standard_artifacts

    resolver = Resolver(strategy_class=LatestArtifactStrategy, model=Channel(type=standard_artifacts.Model)).with_id("Last")
    pipeline = Pipeline("p", "s3://root", components=[CsvExampleGen(input_base="s3://data"), resolver], enable_cache=True)

    def compiled(name, **options):
        config = runner.KubeflowV2DagRunnerConfig(default_image="i", **options)
        runner.KubeflowV2DagRunner(config, output_dir=str(tmp_path), output_filename=name).run(pipeline)
        return set(rules((tmp_path / name).read_text()))

    assert compiled("p.yaml", use_pipeline_spec_2_1=True) == {"resolver", "driver", "stale", "entrypoint"}
    assert {"wrapped", "schema"} <= compiled("p.json")
