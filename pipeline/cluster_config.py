"""What a person may set about running on a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt

EVERY = "default"  # the resources of components that are not named


@dataclass(frozen=True)
class Resources:
    """What a component's container gets.

    Attributes:
        cpu: Processors: as many are asked for, and no more are given.
        memory_gb: Memory in gigabytes, likewise; a component that takes more is killed.
        gpus: Graphics processors.
        gpu_kind: What the cluster calls them: on Kubeflow a Kubernetes resource such as nvidia.com/gpu, on Vertex AI a kind
            such as NVIDIA_TESLA_T4.
    """

    cpu: Annotated[float, Gt(0)] = 1.0
    memory_gb: Annotated[float, Gt(0)] = 4.0
    gpus: Annotated[int, Ge(0)] = 0
    gpu_kind: str = "nvidia.com/gpu"


@dataclass(frozen=True)
class SecretKeys:
    """A Kubernetes Secret of which values become environment variables; the values themselves are never seen here.

    Attributes:
        name: The Secret's name.
        env: The environment variable of each of its keys.
    """

    name: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Volume:
    """A persistent volume claim and where it is mounted.

    Attributes:
        claim: The claim's name.
        path: An absolute path in the container.
    """

    claim: str
    path: str


def _usual() -> dict[str, Resources]:
    return {EVERY: Resources(), "Trainer": Resources(cpu=4, memory_gb=8), "Tuner": Resources(cpu=4, memory_gb=8)}


@dataclass(frozen=True)
class ClusterConfig:
    """How `darkroom compile` has the pipeline run on Kubeflow Pipelines or Vertex AI. Runs on this machine do not heed it.

    Attributes:
        name: The pipeline's name there; null takes the title's.
        image: The container image; null takes what `make image` calls it, darkroom and the version. See `kubeflow/Dockerfile`.
        root: Where artifacts go: minio://, s3:// or gs://; on Vertex AI gs://.
        push_to: Where models are pushed to, a folder each version; a URI, or a path of a mounted volume.
        registry: Where runs leave what later ones need: statistics that passed, and what came of each step; null is
            `<push_to>-registry`.
        resources: What the component of each name gets; `default` is for those that are not named.
        caching: Whether what has not changed is taken from earlier runs. Pictures are always read anew.
        retries: How often a component that failed is tried again. The data gate is not: it would say the same.
        backoff_seconds: The pause before the first retry; each further one is twice as long.
        secrets: Secrets that become environment variables of every component, such as a store's credentials.
        volumes: Volumes that every component mounts.
        node_selector: Labels that a node must have.
        webhook_env: The environment variable that holds the address which the verdict is posted to; where it is not set,
            nothing is posted. A secret's, for such addresses let anyone post who knows them.
    """

    name: str | None = None
    image: str | None = None
    root: str = "minio://mlpipeline/v2/artifacts"
    push_to: str = "s3://mlpipeline/models"
    registry: str | None = None
    resources: Mapping[str, Resources] = field(default_factory=_usual)
    caching: bool = True
    retries: Annotated[int, Ge(0)] = 2
    backoff_seconds: Annotated[int, Gt(0)] = 60
    secrets: tuple[SecretKeys, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    webhook_env: str = "DARKROOM_WEBHOOK"

    def __post_init__(self) -> None:
        """Checks what a cluster would refuse late.

        Raises:
            ValueError: A name or a place is of no use; in a person's words.
        """
        for where, value in (("root", self.root), ("push_to", self.push_to), ("registry", self.registry)):
            if value is not None and not re.match(r"(\w+://[^/]+|/)", value):
                raise ValueError(f"cluster.{where} must be a URI such as s3://bucket/path or an absolute path, not {value!r}")
        if self.name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", self.name):
            raise ValueError(f"cluster.name must be of small letters, digits and hyphens, not {self.name!r}")

    @property
    def registry_folder(self) -> str:
        """Where the registry is."""
        return self.registry or f"{self.push_to.rstrip('/')}-registry"

    def resources_of(self, component: str) -> Resources:
        """What a component gets."""
        return self.resources.get(component) or self.resources.get(EVERY) or Resources()
