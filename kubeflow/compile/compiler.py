"""Compile the graph to a file for Kubeflow Pipelines or Vertex AI."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import math
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import yaml

from common.errors import InputError
from common.writing import is_stream, shown, write_text
from pipeline.config.cluster import DEFAULTS, EVERY, ClusterConfig
from pipeline.config.schema import Config
from pipeline.engines.arguments import beam_args

Target = Literal["kfp", "vertex"]
ENTRYPOINT = ("python", "-m", "kubeflow.entrypoint")
# Never retried: the result would be the same.
FINAL = ("DataGate", "Verdict", "Notification")
# Never cached: their results depend on more than their inputs, and no driver runs that would detect a change.
ALWAYS = ("ImageExampleGen", "LastStatistics", "LastModel", "StartingPoint", "Pusher", "Verdict", "Notification")
# Seconds from a task's first start in which it may be retried. It is compiled to Argo's `maxDuration`, which limits the time of all
# attempts, not a single pause. Without it the limit is 0, and nothing is retried.
ALL_TRIES = 30 * 24 * 3600
# All components that a graph on a cluster can contain. The list finds a mistyped name before the slow import of TFX.
COMPONENTS = (
    *("ImageExampleGen", "StatisticsGen", "Schema", "ExampleValidator", "LastStatistics", "DataGate", "Transform", "Tuner"),
    *("StartingPoint", "Trainer", "FeatureExtractor", "LastModel", "SampleQuality", "Evaluator", "ModelGate", "ServingCheck"),
    *("Pusher", "Report", "Verdict", "Notification"),
)
COMPONENT = "comp-"  # prefix of component names, the same as in the SDK of Kubeflow Pipelines
USUAL_GPU = "nvidia.com/gpu"
Document = dict[str, Any]
_WORDS = frozenset(("y", "yes", "n", "no", "true", "false", "on", "off", "null", "nan", "inf", "infinity"))


def compile_pipeline(config: Config, images: str, schema: str, target: Target) -> list[Document]:
    """Compile the graph.

    Args:
        config: The configuration.
        images: Where the pictures are, as the cluster sees it: a URI, or a path on a mounted volume.
        schema: The curated schema in TFDV's text format.
        target: Open-source Kubeflow Pipelines or Vertex AI.

    Returns:
        The PipelineSpec (schema 2.1.0). For `kfp` also the platform document, if the configuration has secrets, volumes or a node
        selector.

    Raises:
        InputError: The graph cannot run there.
    """
    check(config, images, target)
    # Imported here because it takes many seconds.
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner as runner

    from kubeflow.container.verdict import Notification, Verdict
    from pipeline.graph.environments import Cluster
    from pipeline.graph.pipeline import create_pipeline

    cluster, name = config.cluster, name_of(config)
    registry, push_to = cluster.registry_folder(name), cluster.push_folder(name)
    parameters = {"registry": registry, "title": config.title, "images": images}
    image = cluster.image or f"darkroom:{version('darkroom-tfx')}"
    environment = Cluster(
        schema, registry, push_to, Verdict(**parameters), resolver=target == "vertex", train_job=train_job(config, image)
    )
    pipeline = create_pipeline(
        name=name,
        root=cluster.root,
        images=images,
        environment=environment,
        push_to=push_to,
        config=config,
        beam_args=engine_args(config),
        enable_cache=cluster.caching,
    )
    compiler = runner.KubeflowV2DagRunner(
        runner.KubeflowV2DagRunnerConfig(
            default_image=image,
            default_commands=[*ENTRYPOINT, f"--registry={registry}", f"--pipeline={name}"],
            use_pipeline_spec_2_1=True,
        )
    )
    compiler.set_exit_handler(Notification(**parameters, webhook_env=cluster.webhook_env))
    spec = compiler.run(pipeline, write_out=False)["pipelineSpec"]
    # The server does not read this root; `submit` and `schedule` send it.
    spec["defaultPipelineRoot"] = cluster.root
    _rename_components(spec)
    for task_name, task in tasks_of(spec):
        _complete_task(task_name, task, cluster)
    containers = {
        label.removesuffix("_executor"): executor["container"]
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "container" in executor
    }
    _check_resources(cluster, {*containers, *DEFAULTS})
    for component, container in containers.items():
        _complete_container(component, container, cluster)
    platform = platform_spec(spec, cluster) if target == "kfp" else None
    return [spec] if platform is None else [spec, platform]


def engine_args(config: Config) -> list[str]:
    """Return the arguments for Beam of every step. Without `beam.workers`, `direct-mp` has a process per processor of a usual step."""
    workers = config.beam.workers or math.ceil(config.cluster.resources_of(EVERY).cpu or 1)
    return beam_args(dataclasses.replace(config.beam, workers=workers))


def train_job(config: Config, image: str) -> Document | None:
    """Return the fields of `trainer.workers.train_job.TrainJobSpec`; None if the workers are processes of the Trainer's pod."""
    cluster = config.cluster
    if cluster.workers_folder is None or config.training.strategy != "multi_worker":
        return None
    given = cluster.resources_of("Trainer")
    resources = {"cpu": f"{given.cpu:g}", "memory": f"{math.ceil(given.memory_gb * 1000)}M"}
    if given.gpus:
        resources[given.gpu_kind or USUAL_GPU] = str(given.gpus)
    return {
        "image": image,
        "folder": cluster.workers_folder,
        "resources": resources,
        "volumes": {volume.claim: volume.path for volume in cluster.volumes},
        "node_selector": dict(cluster.node_selector),
    }


def _check_resources(cluster: ClusterConfig, components: Collection[str]) -> None:
    """Raise InputError if resources are set for an unknown component."""
    unknown = sorted(set(cluster.resources) - {*components, EVERY})
    if unknown:
        near = difflib.get_close_matches(unknown[0], components, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {EVERY}, {', '.join(sorted(components))}"
        raise InputError(f"cluster.resources: there is no component {unknown[0]}; {hint}")


def _rename_components(spec: Document) -> None:
    for _, task in tasks_of(spec):
        task["componentRef"]["name"] = COMPONENT + task["componentRef"]["name"]
    spec["components"] = {COMPONENT + name: component for name, component in spec["components"].items()}


def check(config: Config, images: str, target: Target) -> None:
    """Raise InputError for errors that would otherwise appear hours later."""
    cluster = config.cluster
    _check_resources(cluster, COMPONENTS)
    name = name_of(config)
    mounted = tuple(f"{volume.path.rstrip('/')}/" for volume in cluster.volumes)
    for what, place in (
        ("the pictures", images),
        ("cluster.push_to", cluster.push_folder(name)),
        ("cluster.registry", cluster.registry_folder(name)),
    ):
        if "://" not in place and not f"{place}/".startswith(mounted):
            raise InputError(
                f"{what}: {place} is a folder of this machine; on a cluster it must be a URI, or lie on one of cluster.volumes"
            )
        if place.startswith("minio://"):
            raise InputError(
                f"{what}: {place}: only cluster.root may be minio://; here it is s3://, with AWS_ENDPOINT_URL for MinIO"
            )
    workers_folder = cluster.workers_folder
    if workers_folder is not None and not f"{workers_folder}/".startswith(mounted):
        raise InputError(
            f"cluster.workers_folder: {workers_folder} must lie on one of cluster.volumes, which the workers' pods mount"
        )
    if target == "vertex":
        _check_vertex(cluster, name)
    if config.beam.engine == "portable":
        raise InputError(
            "beam.engine: portable does not compile for a cluster: the engine's workers do not see the files of a step's pod; use "
            "direct or direct-mp"
        )
    if config.serving_check.kind == "infra_validator":
        raise InputError("serving_check.kind: infra_validator does not compile for a cluster; c_api does the same without docker")


def _check_vertex(cluster: ClusterConfig, name: str) -> None:
    if cluster.secrets or cluster.volumes or cluster.node_selector or cluster.workers_folder:
        raise InputError(
            "cluster.secrets, cluster.volumes, cluster.node_selector and cluster.workers_folder are Kubernetes', which Vertex AI "
            "has none of"
        )
    if not cluster.root.startswith("gs://"):
        raise InputError(f"cluster.root is {cluster.root}, but Vertex AI keeps artifacts in gs:// alone")
    for what, place in (("push_to", cluster.push_folder(name)), ("registry", cluster.registry_folder(name))):
        if not place.startswith("gs://"):
            raise InputError(f"cluster.{what} is {place}: on Vertex AI, where no Secret brings credentials, it must be gs://")
    for component, given in cluster.resources.items():
        if (given.gpus and not given.gpu_kind) or "/" in (given.gpu_kind or ""):
            kind = given.gpu_kind or "not said"
            raise InputError(
                f"cluster.resources.{component}.gpu_kind is {kind}: on Vertex AI it must be a kind such as NVIDIA_TESLA_T4"
            )


def name_of(config: Config) -> str:
    """Return the pipeline's name on the cluster."""
    if config.cluster.name:
        return config.cluster.name
    letters = re.sub("[^a-z0-9]+", "-", config.title.lower()).strip("-")
    # A title without such letters gets a hash, so that its name is unique.
    return f"darkroom-{letters or hashlib.sha256(config.title.encode()).hexdigest()[:8]}"[:128].strip("-")


def tasks_of(spec: Document) -> list[tuple[str, Document]]:
    """Return all tasks by name, including those of inner graphs."""
    graphs = [spec["root"]["dag"], *(body["dag"] for body in spec["components"].values() if "dag" in body)]
    return [item for graph in graphs for item in graph["tasks"].items()]


def dump(documents: list[Document], target: Target) -> str:
    """Return the text of the file."""
    name = documents[0]["pipelineInfo"]["name"]
    where = {"kfp": "Kubeflow Pipelines", "vertex": "Vertex AI"}[target]
    return f"# The pipeline {name}, compiled for {where}.\n" + yaml.dump_all(documents, Dumper=_Plain, sort_keys=True)


class _Plain(yaml.SafeDumper):
    """Write YAML without aliases, and quote strings that some parsers read as another type."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if is_plain(data) or "\n" in data else "'")


_Plain.add_representer(str, _Plain.represent_str)


def is_plain(text: str) -> bool:
    """Return True if YAML 1.1 and 1.2 read an unquoted text as a string, unlike numbers, times and words such as yes."""
    return bool(re.match(r"[A-Za-z_]", text)) and text.lower() not in _WORDS


def check_suffix(path: Path) -> None:
    """Raise InputError if a file is not called *.yaml, which Kubeflow Pipelines requires."""
    with suppress(OSError):  # `write_text` reports the error
        if path.suffix not in (".yaml", ".yml") and not is_stream(path):
            raise InputError(f"{path} must be called *.yaml: a PipelineSpec of this schema is refused as JSON")


def write(documents: list[Document], target: Target, path: Path) -> None:
    """Write the file completely or not at all, or write to a pipe or standard output; see `common.writing.written`.

    Raise InputError if it cannot be written, or is not called *.yaml, which Kubeflow Pipelines requires.
    """
    check_suffix(path)
    try:
        write_text(dump(documents, target), path)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"cannot write {shown(path)}: {error.strerror}") from error


def _complete_task(name: str, task: Document, cluster: ClusterConfig) -> None:
    """Add what TFX's compiler does not support: retries, and tasks that are never cached."""
    if name in ALWAYS:
        task.pop("cachingOptions", None)
    if cluster.retries and name not in FINAL and "tfx-dag" not in name:
        task["retryPolicy"] = {
            "maxRetryCount": cluster.retries,
            "backoffDuration": f"{cluster.backoff_seconds}s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": f"{ALL_TRIES}s",
        }


def _complete_container(name: str, container: Document, cluster: ClusterConfig) -> None:
    """Add resources, and remove the driver. Open-source Kubeflow Pipelines ignores it, and the entrypoint runs it instead."""
    container.pop("lifecycle", None)
    container["command"] = [*container["command"], f"--component={name}"]
    if cluster.retries and name not in FINAL:
        container["command"] += [f"--retries={cluster.retries}", f"--pause={cluster.backoff_seconds}"]
    given = cluster.resources_of(name)
    amounts = {"cpu": float(given.cpu), "memory": float(given.memory_gb)}
    resources: Document = {f"{name}{bound}": amount for name, amount in amounts.items() for bound in ("Limit", "Request")}
    if given.gpus:
        resources["accelerator"] = {"type": given.gpu_kind or USUAL_GPU, "count": str(given.gpus)}
    container["resources"] = resources


def platform_spec(spec: Document, cluster: ClusterConfig) -> Document | None:
    """Return the document for the `kubernetes` platform of Kubeflow Pipelines; None if no such setting is used."""
    if not (cluster.secrets or cluster.volumes or cluster.node_selector):
        return None
    each: Document = {}
    if cluster.secrets:
        each["secretAsEnv"] = [_secret(secret.name, secret.env) for secret in cluster.secrets]
    if cluster.volumes:
        each["pvcMount"] = [{"constant": volume.claim, "mountPath": volume.path} for volume in cluster.volumes]
    if cluster.node_selector:
        each["nodeSelector"] = {"labels": dict(cluster.node_selector)}
    labels = [label for label, executor in spec["deploymentSpec"]["executors"].items() if "container" in executor]
    executors = dict.fromkeys(labels, each)
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _secret(name: str, env: Mapping[str, str]) -> Document:
    keys = [{"secretKey": key, "envVar": variable} for key, variable in sorted(env.items())]
    return {"secretName": name, "keyToEnv": keys}
