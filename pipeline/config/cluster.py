"""The configuration section `cluster`: how the pipeline runs on a cluster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Annotated

from annotated_types import Ge, Gt

EVERY = "default"  # the key of the resources of all components that are not named


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

    name: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Volume:
    """A persistent volume claim and its mount path.

    Attributes:
        claim: The name of the claim.
        path: An absolute path in the container.
    """

    claim: str
    path: str


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
        webhook_env: The environment variable that holds the address to post the verdict to. If it is not set, nothing is posted.
            Take it from a secret: everyone who knows such an address can post to it.
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
        """Check values that a cluster would reject only later.

        Raises:
            ValueError: A name or a location is not valid; with a message for the user.
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
                    # The message does not repeat the value: it may be the secret itself in place of the variable's name.
                    raise ValueError(f"cluster.{where}: the name of an environment variable is wanted, such as DARKROOM_WEBHOOK")
        claims = [("secrets", secret.name) for secret in self.secrets] + [("volumes", volume.claim) for volume in self.volumes]
        for where, name in claims:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
                raise ValueError(f"cluster.{where}: {name!r} is no Kubernetes name: small letters, digits, hyphens and dots")
        for volume in self.volumes:
            if not volume.path.startswith("/"):
                raise ValueError(f"cluster.volumes: {volume.path!r} must be an absolute path in the container")

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
        rest = self.resources.get(EVERY, nothing).over(DEFAULT)
        return self.resources.get(component, nothing).over(DEFAULTS.get(component, nothing)).over(rest)
