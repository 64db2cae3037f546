"""What a person may set about running on a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from annotated_types import Ge, Gt

EVERY = "default"  # the resources of components that are not named


@dataclass(frozen=True)
class Resources:
    """What a component's container gets.

    Attributes:
        cpu: Processors: as many are asked for, and no more are given; null takes what is usual for the component.
        memory_gb: Memory in gigabytes, likewise; a component that takes more is killed.
        gpus: Graphics processors; null takes those of `default`, which are none.
        gpu_kind: What the cluster calls them: on Kubeflow a Kubernetes resource, null for nvidia.com/gpu; on Vertex AI a kind
            such as NVIDIA_TESLA_T4.
    """

    cpu: Annotated[float, Gt(0)] | None = None
    memory_gb: Annotated[float, Gt(0)] | None = None
    gpus: Annotated[int, Ge(0)] | None = None
    gpu_kind: str | None = None

    def over(self, other: Resources) -> Resources:
        """These, and where they say nothing those of `other`."""
        said = {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) is not None}
        return replace(other, **said)


USUAL = Resources(cpu=1, memory_gb=4, gpus=0)
LARGE = Resources(cpu=4, memory_gb=8)
USUAL_OF = {"Trainer": LARGE, "Tuner": LARGE}


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


@dataclass(frozen=True)
class ClusterConfig:
    """How `darkroom compile` has the pipeline run on Kubeflow Pipelines or Vertex AI. Runs on this machine do not heed it.

    Attributes:
        name: The pipeline's name there; null takes the title's.
        image: The container image; null takes what `make image` calls it, darkroom and the version. See `kubeflow/Dockerfile`.
        root: Where artifacts go: minio://, s3:// or gs://; on Vertex AI gs://. `submit` and `schedule` send it to the server.
        push_to: Where models are pushed to, a folder each version; a URI, or a path of a mounted volume. null is
            `s3://mlpipeline/models/<name>`, a folder for each pipeline.
        registry: Where runs leave what later ones need: statistics that passed, and what came of each step; null is
            `<push_to>-registry`.
        resources: What the component of each name gets, as far as it is said; `default` is for all that are not named. Usual
            are 1 CPU and 4 GB, for the Trainer and the Tuner 4 and 8.
        caching: Whether what has not changed is taken from earlier runs. Pictures are always read anew, and on Kubeflow
            what is made of them is made anew as well, for examples get a new name in each run.
        retries: How often a component that failed is tried again; by whom, and after which failures, depends on the server:
            kubeflow/README.md. The data gate is not: it would say the same.
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
    push_to: str | None = None
    registry: str | None = None
    resources: Mapping[str, Resources] = field(default_factory=dict)
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
        if not re.fullmatch(r"(minio|s3|gs)://[^/\s]\S*", self.root):
            raise ValueError(f"cluster.root must be a URI of minio://, s3:// or gs://, not {self.root!r}")
        for where, value in (("push_to", self.push_to), ("registry", self.registry)):
            if value is not None and not re.match(r"((minio|s3|gs|azfs)://[^/]+|/)", value):
                raise ValueError(
                    f"cluster.{where} must be a URI of s3://, gs:// or azfs://, or an absolute path of a volume, not {value!r}"
                )
        if self.name is not None and not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,127}", self.name):
            raise ValueError(f"cluster.name must be of small letters, digits and hyphens, not {self.name!r}")
        if self.image is not None and not re.fullmatch(r"\S+", self.image):
            raise ValueError(f"cluster.image must be an image's name without spaces, not {self.image!r}")
        self._check_kubernetes()

    def _check_kubernetes(self) -> None:
        variables = {"webhook_env": [self.webhook_env]}
        variables |= {f"secrets, {secret.name}": list(secret.env.values()) for secret in self.secrets}
        for where, names in variables.items():
            for name in names:
                if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                    # Not repeated: in the place of the variable's name may be what belongs into the variable.
                    raise ValueError(f"cluster.{where}: the name of an environment variable is wanted, such as DARKROOM_WEBHOOK")
        claims = [("secrets", secret.name) for secret in self.secrets] + [("volumes", volume.claim) for volume in self.volumes]
        for where, name in claims:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
                raise ValueError(f"cluster.{where}: {name!r} is no Kubernetes name: small letters, digits, hyphens and dots")
        for volume in self.volumes:
            if not volume.path.startswith("/"):
                raise ValueError(f"cluster.volumes: {volume.path!r} must be an absolute path in the container")

    def push_folder(self, name: str) -> str:
        """Where the models of the pipeline of that name are pushed to."""
        return self.push_to or f"s3://mlpipeline/models/{name}"

    def registry_folder(self, name: str) -> str:
        """Where the registry of the pipeline of that name is."""
        return self.registry or f"{self.push_folder(name).rstrip('/')}-registry"

    def resources_of(self, component: str) -> Resources:
        """What a component gets, each value from the first that says it: its own entry, what is usual for it, `default`."""
        nothing = Resources()
        rest = self.resources.get(EVERY, nothing).over(USUAL)
        return self.resources.get(component, nothing).over(USUAL_OF.get(component, nothing)).over(rest)
