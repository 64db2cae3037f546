"""The Kubernetes part of a compiled pipeline, as 2.17's driver reads it (backend/src/v2/driver/k8s.go, extendPodSpecPatch)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.kubeflow.emulator.values import Broken

# Fields of kubernetes_platform/proto/kubernetes_executor_config.proto; another one fails when the pipeline is compiled.
EMULATED = {"secretAsEnv", "pvcMount", "nodeSelector", "imagePullPolicy", "imagePullSecret", "activeDeadlineSeconds", "podMetadata"}
OTHERS = {
    *("secretAsVolume", "configMapAsVolume", "configMapAsEnv", "fieldPathAsEnv", "tolerations", "genericEphemeralVolume"),
    *("nodeAffinity", "podAffinity", "enabledSharedMemory", "emptyDirMounts", "securityContext", "initContainers"),
}
Resolve = Callable[[dict[str, Any]], Any]


class Pending(Exception):
    """A pod waits for what the cluster has not, and the run with it, without end."""


@dataclass(frozen=True)
class Nodes:
    """What the emulated cluster has for pods.

    Attributes:
        secrets: The keys and values of each Secret.
        claims: The names of persistent volume claims.
        labels: The labels of each node.
    """

    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    claims: tuple[str, ...] = ()
    labels: tuple[dict[str, str], ...] = ({},)


@dataclass
class Patch:
    """What the platform's part adds to a pod.

    Attributes:
        secrets: Of each environment variable the Secret, its key, and whether it may be missing.
        volumes: Claims and where they are mounted.
        node_selector: Labels that a node must have.
        deadline: Seconds after which the pod is killed; 0 is never.
    """

    secrets: dict[str, tuple[str, str, bool]] = field(default_factory=dict)
    volumes: list[tuple[str, str]] = field(default_factory=list)
    node_selector: dict[str, str] = field(default_factory=dict)
    deadline: int = 0


def executors_of(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what a compiled file's platform document says of each executor label.

    Raises:
        Broken: It has a field that 2.17 does not know.
    """
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        kubernetes = document.get("platforms", {}).get("kubernetes", {})
        found |= kubernetes.get("deploymentSpec", {}).get("executors", {})
    for label, config in found.items():
        for name in config:
            if name in OTHERS:
                raise NotImplementedError(f"{label}: {name} is not emulated")
            if name not in EMULATED:
                raise Broken(f'AddKubernetesSpec: failed to unmarshal kubernetes spec for {label}: unknown field "{name}"')
    return found


def patch_of(config: dict[str, Any], resolve: Resolve) -> Patch:
    """Return what the driver adds to a pod.

    Args:
        config: The executor's part of the platform document.
        resolve: Gives the value of a parameter's specification.

    Raises:
        Broken: Something is missing in it.
    """
    patch = Patch(deadline=int(config.get("activeDeadlineSeconds", 0)))
    for mount in config.get("pvcMount", ()):
        claim, path = _claim(mount, resolve), mount.get("mountPath", "")
        if not isinstance(claim, str) or not claim:
            raise Broken(f"failed to resolve pvc name: expected a non-empty string, got {claim!r}")
        if not path:
            raise Broken("failed to mount volume, missing mountpath or pvc name")
        patch.volumes.append((claim, path))
    policy = config.get("imagePullPolicy", "")
    if policy not in ("", "Always", "Never", "IfNotPresent"):
        raise Broken(f"unsupported value: {policy}. ImagePullPolicy should be one of 'Always', 'Never' or 'IfNotPresent'")
    patch.node_selector = dict(config.get("nodeSelector", {}).get("labels", {}))
    for secret in config.get("secretAsEnv", ()):
        name = resolve(secret["secretNameParameter"]) if "secretNameParameter" in secret else secret.get("secretName", "")
        if not name:
            raise Broken("missing either SecretName or SecretNameParameter for secret environment variable in executor config")
        for one in secret.get("keyToEnv", ()):
            patch.secrets[one["envVar"]] = (name, one["secretKey"], bool(secret.get("optional")))
    return patch


def _claim(mount: dict[str, Any], resolve: Resolve) -> Any:
    """The name of a claim (makeVolumeMountPatch); three of the ways to give it are deprecated."""
    if "pvcNameParameter" in mount:
        return resolve(mount["pvcNameParameter"])
    if mount.get("constant"):
        return mount["constant"]
    for key in ("taskOutputParameter", "componentInputParameter"):
        if mount.get(key):
            return resolve({key: mount[key]})
    raise Broken("failed to make podSpecPatch: volume mount: volume name not provided")


def admitted(patch: Patch, cluster: Nodes) -> dict[str, str]:
    """Return the environment variables that a pod's Secrets give, if the cluster can start it.

    Raises:
        Pending: It has not what the pod needs; Kubernetes waits until it has.
    """
    if not any(patch.node_selector.items() <= labels.items() for labels in cluster.labels):
        raise Pending(f"no node has the labels {patch.node_selector}")
    for claim, _ in patch.volumes:
        if claim not in cluster.claims:
            raise Pending(f'persistentvolumeclaim "{claim}" not found')
    environment = {}
    for variable, (secret, key, optional) in patch.secrets.items():
        if key in cluster.secrets.get(secret, {}):
            environment[variable] = cluster.secrets[secret][key]
        elif not optional:
            raise Pending(f"CreateContainerConfigError: couldn't find key {key} in Secret {secret}")
    return environment
