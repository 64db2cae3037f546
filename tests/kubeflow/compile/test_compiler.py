"""Compiling: every configuration for both targets, and what TFX's compiler does not add."""

from __future__ import annotations

import dataclasses
import re
import textwrap
import types
from pathlib import Path

import pytest
import yaml

from common.errors import InputError
from kubeflow.compile.compiler import COMPONENTS, compile_pipeline, dump, is_plain, name_of, tasks_of, train_job, write
from kubeflow.compile.lint import lint
from pipeline.config import inference
from pipeline.config.cluster import ClusterConfig, Resources, SecretKeys, Volume
from pipeline.config.loading import build_config, load_values, preset_names, preset_path
from pipeline.data.schemas import default_schema
from pipeline.running.request import make_config
from tests.project import ROOT
from trainer.workers.cluster import TrainJobSpec

SCHEMA = default_schema().read_text()
IMAGES = {"kfp": "s3://pictures/cats", "vertex": "gs://pictures/cats"}
CLUSTERS = {
    "kfp": ClusterConfig(push_to="s3://models/cats"),
    "vertex": ClusterConfig(root="gs://bucket/root", push_to="gs://models/cats"),
}


def compiled(target="kfp", values=None, **cluster):
    config = build_config(values or {})
    config = dataclasses.replace(config, cluster=dataclasses.replace(CLUSTERS[target], **cluster))
    return compile_pipeline(config, IMAGES[target], SCHEMA, target)


def containers(spec):
    found = spec["deploymentSpec"]["executors"].items()
    return {label.removesuffix("_executor"): executor["container"] for label, executor in found if "container" in executor}


@pytest.fixture(scope="module")
def plain():
    return compiled()


@pytest.fixture
def of_the_readme(tmp_path) -> Path:
    """The README's configuration, cats.yaml."""
    readme = (ROOT / "kubeflow/README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^    # cats.yaml\n(?:    .*\n)+", readme, re.MULTILINE)
    (tmp_path / "cats.yaml").write_text(textwrap.dedent(block))
    return tmp_path / "cats.yaml"


def test_the_readmes_configuration_needs_no_look_at_the_pictures(of_the_readme, monkeypatch):
    """They are in a store within the cluster, which the one who compiles does not reach."""

    def look(*_):
        raise AssertionError("it looks")

    monkeypatch.setattr(inference, "find_sources", look)
    built = make_config("s3://mlpipeline/pictures/{YYYY}-{MM}-{DD}", str(of_the_readme), [])
    assert built.preprocessing.height == 64 and built.cluster.push_to == "s3://mlpipeline/models/cats"
    # Where the margin alone is left open, that of 1,000 held-out pictures is taken, again without a look.
    values = load_values(of_the_readme)
    del values["evaluation"]
    of_the_readme.write_text(yaml.safe_dump(values))
    built = make_config("s3://mlpipeline/pictures", str(of_the_readme), [])
    assert built.evaluation.max_drop == inference.max_drop(64 * 64 * 3, 1000, built.model.likelihood)


def test_the_readmes_figures_are_those_of_a_look_at_its_number_of_pictures(of_the_readme):
    sources = types.SimpleNamespace(count=5000, containers=(), sample=(), file_splits={None: 5000})
    values, find = load_values(of_the_readme), lambda *_: sources
    looked = inference.complete({"preprocessing": values["preprocessing"]}, "s3://mlpipeline/pictures", find=find)
    assert {name: looked["training"][name] for name in values["training"]} == values["training"]
    assert looked["evaluation"]["max_drop"] == values["evaluation"]["max_drop"]


@pytest.mark.parametrize("target", ["kfp", "vertex"])
@pytest.mark.parametrize("preset", list(preset_names()))
def test_every_configuration_compiles_for_both_and_the_linter_has_nothing_against_it(preset, target):
    documents = compiled(target, load_values(preset_path(preset)))
    assert lint(dump(documents, target), target) == []
    tasks = dict(tasks_of(documents[0]))
    assert ("Tuner" in tasks) == (preset == "digits-search")
    assert ("LastModel" in tasks) == (target == "kfp"), "Vertex AI resolves, Kubeflow Pipelines asks the registry"


def test_the_spec_is_bare_and_of_the_one_schema(plain):
    (spec,) = plain
    assert spec["schemaVersion"] == "2.1.0" and spec["defaultPipelineRoot"] == ClusterConfig().root
    assert spec["pipelineInfo"]["name"] == "darkroom-pictures"
    assert "inputDefinitions" not in spec["root"], "no parameter whose default would be dropped"
    assert "&id" not in dump(plain, "kfp")


def test_everything_runs_through_the_entrypoint_and_knows_its_name(plain):
    for name, container in containers(plain[0]).items():
        assert container["command"][:3] == ["python", "-m", "kubeflow.entrypoint"]
        assert f"--component={name}" in container["command"] and "lifecycle" not in container


def test_the_names_that_are_known_beforehand_are_those_of_the_graph():
    """All of them are in the graph of a search that begins with the weights of the last blessed model."""
    values = load_values(preset_path("digits-search"))
    values["training"] = {**values.get("training", {}), "warm_start": True}
    assert set(containers(compiled(values=values)[0])) == set(COMPONENTS)


@pytest.mark.parametrize(("target", "of_models"), [("kfp", True), ("vertex", False)])
def test_what_gates_found_of_the_last_blessed_ones_reaches_the_gates_of_now(target, of_models):
    tasks = dict(tasks_of(compiled(target)[0]))

    def giver(task, key):
        return tasks[task]["inputs"]["artifacts"].get(key, {}).get("taskOutputArtifact")

    assert giver("DataGate", "baseline_blessing") == {"producerTask": "LastStatistics", "outputArtifactKey": "blessing"}
    last = {"producerTask": "LastModel", "outputArtifactKey": "blessing"}
    assert giver("ModelGate", "last_blessing") == (last if of_models else None)
    quality = {"producerTask": "SampleQuality", "outputArtifactKey": "quality"}
    assert giver("ModelGate", "quality") == giver("Report", "quality") == quality
    assert giver("SampleQuality", "baseline_model") == giver("Evaluator", "baseline_model")
    assert not of_models or giver("SampleQuality", "baseline_model")["producerTask"] == "LastModel"


def test_the_exit_handler_runs_whatever_happens(plain):
    task = plain[0]["root"]["dag"]["tasks"]["Notification"]
    assert task["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED" and task["dependentTasks"] == ["tfx-dag"]


@pytest.mark.parametrize("target", ["kfp", "vertex"])
def test_the_verdict_is_behind_every_task_of_the_graph(target):
    spec = compiled(target, load_values(preset_path("digits-search")))[0]
    tasks = spec["components"]["comp-tfx-dag"]["dag"]["tasks"]
    behind, new = {"Verdict"}, {"Verdict"}
    while new:
        new = {other for name in new for other in tasks[name].get("dependentTasks", ())} - behind
        behind |= new
    assert behind >= {"DataGate", "ModelGate", "ServingCheck", "SampleQuality", "Pusher", "Report"}
    assert behind == set(tasks) or target == "vertex", "its resolvers have tasks that nothing names"
    assert not any("Verdict" in task.get("dependentTasks", ()) for task in tasks.values())


def test_components_are_called_as_those_of_the_sdk(plain):
    (spec,) = plain
    assert all(name.startswith("comp-") for name in spec["components"])
    assert {task["componentRef"]["name"] for _, task in tasks_of(spec)} == set(spec["components"])


# Each is a number, a time, a truth or nothing to some version of YAML.
ODD = ("12e3", "0x1F", "0o17", "017", "1_000", "1:30:00", ".inf", "-.INF", ".NaN", "yes", "No", "ON", "y", "null", "~", "", "1.", "+1",
       "2026-01-01", "=", "<<", "0b11", "1e-7", "!x", "&x", "*x", "- x", "a: b", "# x", "{a}", "x #y", " x", "true", "'", '"')  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_no_parser_takes_a_string_for_anything_else(text):
    given = {"a": text, text or "key": ["x", text]}
    written = dump([{"pipelineInfo": {"name": "p"}, **given}], "kfp")
    assert {key: yaml.safe_load(written)[key] for key in given} == given
    plain = [event.value for event in yaml.parse(written) if isinstance(event, yaml.ScalarEvent) and event.style is None]
    assert all(is_plain(value) for value in plain) and (text in ("a: b", "x #y") or text not in plain)


def test_words_stay_as_they_are():
    assert "- Trainer\n" in dump([{"pipelineInfo": {"name": "p"}, "a": ["Trainer"]}], "kfp")


def test_the_cache_leaves_alone_what_depends_on_more_than_its_inputs(plain):
    cached = {name for name, task in tasks_of(plain[0]) if task.get("cachingOptions", {}).get("enableCache")}
    assert not cached & {"ImageExampleGen", "LastModel", "LastStatistics", "Pusher", "Verdict", "Notification"}
    assert {"Trainer", "Transform", "Evaluator"} <= cached
    (without,) = compiled(caching=False)
    assert not any(task.get("cachingOptions", {}).get("enableCache") for _, task in tasks_of(without))


def test_retries_with_backoff_but_not_for_a_gate_that_would_say_the_same():
    (spec,) = compiled(retries=3, backoff_seconds=30)
    policies = {name: task.get("retryPolicy") for name, task in tasks_of(spec)}
    assert policies["Trainer"] == {
        "maxRetryCount": 3,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "2592000s",
    }
    assert policies["DataGate"] is policies["Verdict"] is policies["Notification"] is None
    commands = {name: container["command"] for name, container in containers(spec).items()}
    assert commands["Trainer"][-2:] == ["--retries=3", "--pause=30"]
    assert not any("--retries=3" in commands[name] for name in ("DataGate", "Verdict", "Notification"))
    assert not any(task.get("retryPolicy") for _, task in tasks_of(compiled(retries=0)[0]))


def test_resources_by_component():
    resources = {"default": Resources(0.5, 2), "Trainer": Resources(8, 32, 1)}
    (spec,) = compiled(resources=resources)
    found = containers(spec)
    assert found["Trainer"]["resources"] == {
        "cpuLimit": 8.0, "cpuRequest": 8.0, "memoryLimit": 32.0, "memoryRequest": 32.0,
        "accelerator": {"type": "nvidia.com/gpu", "count": "1"},
    }  # fmt: skip
    assert found["Report"]["resources"]["cpuLimit"] == 0.5 and "accelerator" not in found["Report"]["resources"]


def test_what_is_not_said_of_resources_stays_usual():
    (spec,) = compiled(resources={"Trainer": Resources(gpus=1), "Report": Resources(cpu=2)})
    found = {name: container["resources"] for name, container in containers(spec).items()}
    assert (found["Trainer"]["cpuLimit"], found["Trainer"]["memoryLimit"]) == (4.0, 8.0), "a GPU takes nothing away"
    assert found["Trainer"]["accelerator"] == {"type": "nvidia.com/gpu", "count": "1"}
    assert (found["Report"]["cpuLimit"], found["Report"]["memoryLimit"]) == (2.0, 4.0)
    assert (found["Pusher"]["cpuLimit"], found["Pusher"]["memoryLimit"]) == (1.0, 4.0)
    for name, hint in (
        ("Trianer", r"did you mean Trainer\?"),
        ("X", "there are default, DataGate, .*Verdict"),
        ("StartingPoint", ""),
    ):
        with pytest.raises(InputError, match=f"there is no component {name}; {hint}"):
            compiled(resources={name: Resources(gpus=1)})
    (vertex,) = compiled("vertex", resources={"Trainer": Resources(gpus=1, gpu_kind="NVIDIA_TESLA_T4")})
    assert containers(vertex)["Trainer"]["resources"]["accelerator"]["type"] == "NVIDIA_TESLA_T4"


def test_secrets_volumes_and_nodes_are_a_second_document():
    _, platform = compiled(
        secrets=(SecretKeys("s3-credentials", {"key": "AWS_SECRET_ACCESS_KEY"}),),
        volumes=(Volume("pictures", "/mnt/pictures"),),
        node_selector={"disk": "ssd"},
    )
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["Trainer_executor"] == {
        "secretAsEnv": [{"secretName": "s3-credentials", "keyToEnv": [{"secretKey": "key", "envVar": "AWS_SECRET_ACCESS_KEY"}]}],
        "pvcMount": [{"constant": "pictures", "mountPath": "/mnt/pictures"}],
        "nodeSelector": {"labels": {"disk": "ssd"}},
    }


@pytest.mark.parametrize(
    ("images", "target", "cluster", "words"),
    [
        ("/home/me/cats", "kfp", {}, "a folder of this machine"),
        ("minio://b/cats", "kfp", {}, "AWS_ENDPOINT_URL"),
        ("s3://b/cats", "kfp", {"push_to": "/models"}, "cluster.push_to"),
        ("gs://b/cats", "vertex", {"root": "s3://b"}, "Vertex AI keeps artifacts in gs://"),
        ("gs://b/cats", "vertex", {"root": "gs://b", "node_selector": {"a": "b"}}, "Vertex AI has none"),
        ("gs://b/cats", "vertex", {"root": "gs://b"}, "cluster.push_to is s3://mlpipeline/models/darkroom-pictures.*must be gs://"),
        (
            "gs://b/cats",
            "vertex",
            {"root": "gs://b", "push_to": "gs://m", "resources": {"Trainer": Resources(gpus=1)}},
            "gpu_kind is not said: on Vertex AI it must be a kind such as NVIDIA_TESLA_T4",
        ),
    ],
)
def test_what_would_fail_hours_later_is_said_now(images, target, cluster, words):
    config = dataclasses.replace(build_config({}), cluster=ClusterConfig(**cluster))
    with pytest.raises(InputError, match=words):
        compile_pipeline(config, images, SCHEMA, target)


def test_what_lies_on_a_mounted_volume_is_a_path():
    config = dataclasses.replace(build_config({}), cluster=ClusterConfig(volumes=(Volume("v", "/mnt"),), push_to="/mnt/models"))
    assert compile_pipeline(config, "/mnt/cats", SCHEMA, "kfp")
    assert compile_pipeline(config, "/mnt", SCHEMA, "kfp")


def test_infra_validator_is_refused_in_words():
    config = build_config({"serving_check": {"kind": "infra_validator"}})
    with pytest.raises(InputError, match="infra_validator does not compile"):
        compile_pipeline(config, "s3://b/cats", SCHEMA, "kfp")


def test_names_that_a_cluster_takes():
    assert name_of(build_config({"title": "My  Cats & Dogs!"})) == "darkroom-my-cats-dogs"
    assert name_of(build_config({"cluster": {"name": "cats"}})) == "cats"
    with pytest.raises(InputError, match="cluster.name"):
        build_config({"cluster": {"name": "Cats"}})
    other = name_of(build_config({"title": "\u65e5\u672c"}))
    assert other.startswith("darkroom-") and other != name_of(build_config({"title": "\u732b"})), "each has its own"
    assert ClusterConfig().push_folder("a") != ClusterConfig().push_folder("b")


@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ({"push_to": "models"}, "cluster.push_to: must be a URI"),
        ({"push_to": "http://a/b"}, "cluster.push_to: must be a URI"),
        ({"root": "/tmp/x"}, "cluster.root: must be a URI"),
        ({"root": "http://x/y"}, "cluster.root: must be a URI"),
        ({"volumes": [{"claim": "v", "path": "data"}]}, "must be an absolute path in the container"),
        ({"volumes": [{"claim": "My Claim", "path": "/data"}]}, "must be a Kubernetes name"),
        ({"secrets": [{"name": "Bad Name!", "env": {"A": "B"}}]}, "must be a Kubernetes name"),
        ({"secrets": [{"name": "s", "env": {"A": "1X Y"}}]}, "must be the name of an environment variable"),
        ({"image": "my image:latest"}, "cluster.image"),
    ],
)
def test_what_a_cluster_would_refuse_is_refused_here(cluster, words):
    with pytest.raises(InputError, match=words):
        build_config({"cluster": cluster})


def test_a_secret_in_the_place_of_a_variables_name_is_refused_and_not_repeated():
    with pytest.raises(InputError, match="must be the name of an environment variable") as refused:
        build_config({"cluster": {"webhook_env": "https://hooks.example.com/very-secret"}})
    assert "very-secret" not in str(refused.value)


def test_a_file_that_is_written_whole(plain, tmp_path):
    write(plain, "kfp", tmp_path / "new" / "p.yaml")
    assert list(yaml.safe_load_all((tmp_path / "new" / "p.yaml").read_text())) == plain
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["p.yaml"]
    with pytest.raises(InputError, match="must be called"):
        write(plain, "kfp", tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot write"):
        write(plain, "kfp", tmp_path / "new" / "p.yaml" / "q.yaml")


WORKERS = {"training": {"strategy": "multi_worker", "workers": 3}}
SHARED = {"volumes": (Volume("claim", "/shared"),), "workers_folder": "/shared/workers", "node_selector": {"pool": "big"}}


def test_workers_in_pods_get_the_steps_image_resources_and_volumes():
    config = dataclasses.replace(build_config(WORKERS), cluster=dataclasses.replace(CLUSTERS["kfp"], **SHARED))
    spec = TrainJobSpec(**train_job(config, "darkroom:1"))
    assert spec == TrainJobSpec(
        "darkroom:1", "/shared/workers", {"cpu": "4", "memory": "8000M"}, {"claim": "/shared"}, {"pool": "big"}
    )
    of_one = dataclasses.replace(config, training=build_config({}).training)
    in_its_own_pod = dataclasses.replace(config, cluster=dataclasses.replace(config.cluster, workers_folder=None))
    assert train_job(of_one, "darkroom:1") is None and train_job(in_its_own_pod, "darkroom:1") is None


@pytest.mark.parametrize(("target", "given"), [("kfp", {**SHARED, "volumes": ()}), ("vertex", {"workers_folder": "/shared"})])
def test_workers_in_pods_need_a_volume_of_kubernetes(target, given):
    with pytest.raises(InputError, match=r"cluster.workers_folder"):
        compiled(target, WORKERS, **given)


def test_steps_run_on_the_engine_of_the_configuration_as_far_as_a_pod_can():
    values = {"beam": {"engine": "direct-mp", "arguments": ["--pickle_library=cloudpickle"]}}
    spec, *_ = compiled("kfp", values, resources={"default": Resources(cpu=2.5)})
    for name in ("ImageExampleGen", "Evaluator"):
        command = " ".join([*containers(spec)[name]["command"], *containers(spec)[name].get("args", [])])
        assert (
            "--direct_running_mode=multi_processing --direct_num_workers=3 " in command
            and "--pickle_library=cloudpickle" in command
        )
    with pytest.raises(InputError, match="portable does not compile"):
        compiled("kfp", {"beam": {"engine": "portable", "job_server": "localhost:8099"}})
