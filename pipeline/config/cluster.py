"""The configuration section `cluster`: how the pipeline runs on a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from annotated_types import Ge, Gt
from pydantic import AfterValidator

EVERY = "default"  # the key of the resources of all components that are not named


def _matching(pattern: str, rule: str, repeat: bool = True) -> AfterValidator:
    """Return a validator of text that a cluster would reject only later. With `repeat`, its message repeats the value."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{rule}, not {value!r}" if repeat else rule)
        return value

    return AfterValidator(check)


PipelineName = Annotated[str, _matching(r"[a-z0-9][a-z0-9-]{0,127}", "must be of small letters, digits and hyphens")]
Image = Annotated[str, _matching(r"\S+", "must be an image's name without spaces")]
Root = Annotated[str, _matching(r"(minio|s3|gs)://[^/\s]\S*", "must be a URI of minio://, s3:// or gs://")]
_FOLDER_RULE = "must be a URI of s3://, gs:// or azfs://, or an absolute path of a volume"
Folder = Annotated[str, _matching(r"((minio|s3|gs|azfs)://[^/]|/)(?s:.*)", _FOLDER_RULE)]
_NAME_RULE = "must be a Kubernetes name of small letters, digits, hyphens and dots"
KubernetesName = Annotated[str, _matching(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", _NAME_RULE)]
MountPath = Annotated[str, _matching(r"/(?s:.*)", "must be an absolute path in the container")]
# The value may be the secret itself in place of the variable's name.
_VARIABLE_RULE = "must be the name of an environment variable, such as DARKROOM_WEBHOOK"
Variable = Annotated[str, _matching(r"[A-Za-z_][A-Za-z0-9_]*", _VARIABLE_RULE, repeat=False)]


@dataclass(frozen=True)
class Resources:
    """The resources of a component's container.

    Attributes:
        cpu: Number of processors, both requested and the limit. null takes the usual number of the component.
        memory_gb: Memory in gigabytes, both requested and the limit. A component that uses more is killed.
        gpus: Number of GPUs; null takes the number of `default`, which is none.
        gpu_kind: The cluster's name for the GPUs: on Kubeflow a Kubernetes resource, null for nvidia.com/gpu; on Vertex AI a kind
            such as NVIDIA_TESLA_T4.
    """

    cpu: Annotated[float, Gt(0)] | None = None
    memory_gb: Annotated[float, Gt(0)] | None = None
    gpus: Annotated[int, Ge(0)] | None = None
    gpu_kind: str | None = None

    def over(self, other: Resources) -> Resources:
        """Return these resources, with unset values taken from `other`."""
        given = {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) is not None}
        return replace(other, **given)


DEFAULT = Resources(cpu=1, memory_gb=4, gpus=0)
LARGE = Resources(cpu=4, memory_gb=8)
DEFAULTS = {"Trainer": LARGE, "Tuner": LARGE}


@dataclass(frozen=True)
class SecretKeys:
    """A Kubernetes Secret whose values become environment variables. Darkroom never sees the values.

    Attributes:
        name: The name of the Secret.
        env: The environment variable of each key of the Secret.
    """

    name: KubernetesName
    env: Mapping[str, Variable]


@dataclass(frozen=True)
class Volume:
    """A persistent volume claim and its mount path.

    Attributes:
        claim: The name of the claim.
        path: An absolute path in the container.
    """

    claim: KubernetesName
    path: MountPath


@dataclass(frozen=True)
class ClusterConfig:
    """How `darkroom compile` sets up the pipeline for Kubeflow Pipelines or Vertex AI. Runs on this machine ignore this section.

    Attributes:
        name: The name of the pipeline on the cluster; null derives it from the title.
        image: The container image; null takes the name that `make image` gives it, darkroom and the version. See
            `kubeflow/Dockerfile`.
        root: Where artifacts go: minio://, s3:// or gs://; on Vertex AI gs://. `submit` and `schedule` send it to the server.
        push_to: The folder that models are pushed to, one subfolder per version: a URI, or a path on a mounted volume. null is
            `s3://mlpipeline/models/<name>`, one folder per pipeline.
        registry: The folder where runs leave data for later runs: accepted statistics, and the result of each step. null is
            `<push_to>-registry`.
        resources: The resources of components by name; `default` is for all others. The usual values are 1 CPU and 4 GB, for the
            Trainer and the Tuner 4 CPUs and 8 GB.
        caching: Whether unchanged results are taken from earlier runs. Pictures are always read again. On Kubeflow all steps that
            depend on them run again as well, because examples get a new name in each run.
        retries: How often a failed component is retried. The server determines who retries, and after which failures; see
            kubeflow/README.md. The data gate is not retried: its answer would be the same.
        backoff_seconds: The pause before the first retry, in seconds; each further pause is twice as long.
        secrets: Secrets that become environment variables of every component, such as the credentials of a store.
        volumes: Volumes that every component mounts.
        node_selector: Labels that a node must have.
        workers_folder: A folder of one of `volumes`, which several pods must be able to mount (ReadWriteMany). With it, the workers
            of `training.strategy: multi_worker` are pods of a Kubeflow Trainer job, each with the resources of the Trainer. null
            makes them processes of the Trainer's pod.
        webhook_env: The environment variable that holds the address to post the verdict to. If it is not set, nothing is posted.
            Take it from a secret: everyone who knows such an address can post to it.
    """

    name: PipelineName | None = None
    image: Image | None = None
    root: Root = "minio://mlpipeline/v2/artifacts"
    push_to: Folder | None = None
    registry: Folder | None = None
    resources: Mapping[str, Resources] = field(default_factory=dict)
    caching: bool = True
    retries: Annotated[int, Ge(0)] = 2
    backoff_seconds: Annotated[int, Gt(0)] = 60
    secrets: tuple[SecretKeys, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    workers_folder: MountPath | None = None
    webhook_env: Variable = "DARKROOM_WEBHOOK"

    def push_folder(self, name: str) -> str:
        """Return the folder that the models of the named pipeline are pushed to."""
        return self.push_to or f"s3://mlpipeline/models/{name}"

    def registry_folder(self, name: str) -> str:
        """Return the registry folder of the named pipeline."""
        return self.registry or f"{self.push_folder(name).rstrip('/')}-registry"

    def resources_of(self, component: str) -> Resources:
        """Return the resources of a component.

        Each value comes from the first that sets it: the component's own entry, its usual values, the entry `default`, the usual
        values of all components.
        """
        nothing = Resources()
        usual = self.resources.get(EVERY, nothing).over(DEFAULT)
        return self.resources.get(component, nothing).over(DEFAULTS.get(component, nothing)).over(usual)
