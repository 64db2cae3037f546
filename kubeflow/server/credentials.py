"""Who asks a server of Kubeflow Pipelines: a token from the environment or a file, Google's sign-in proxy, the pod, or nobody.

Tokens are read anew for each request, since those in files and of proxies expire, and are written nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.errors import InputError

_POD_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # where Kubeflow Pipelines asks for it to be mounted
_POD_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass
class Credentials:
    """Whom requests come from.

    Attributes:
        described: That in words, without the secret.
        token: Gives the token of the moment; None where there is none.
    """

    described: str
    token: Callable[[], str] | None = field(default=None, repr=False)
    _seen: set[str] = field(default_factory=set, repr=False)

    def refresh(self, configuration: Any) -> None:
        """Puts the token of the moment where kfp_server_api takes it from."""
        token = self.token()
        self._seen.add(token)
        configuration.api_key["authorization"] = token

    def secrets(self) -> set[str]:
        """What no message may hold."""
        return {token for token in self._seen if token}


def find_credentials(environment: Mapping[str, str], host: str) -> Credentials:
    """Looks for credentials, in this order: KFP_TOKEN or KFP_TOKEN_FILE, KFP_IAP_CLIENT_ID, the pod's own, none.

    Args:
        environment: Where these are set.
        host: The server's URL: a pod's token goes to a server within the cluster only, and any token over http:// only to
            this machine or within a cluster.

    Raises:
        InputError: Both kinds of token are set, what is set cannot be used, or it would go over a network in the clear.
    """
    token, file, client = (environment.get(name) for name in ("KFP_TOKEN", "KFP_TOKEN_FILE", "KFP_IAP_CLIENT_ID"))
    if token and file:
        raise InputError("KFP_TOKEN and KFP_TOKEN_FILE are both set: unset one of them")
    if (token or file or client) and not _private(host):
        name = next(name for name in ("KFP_TOKEN", "KFP_TOKEN_FILE", "KFP_IAP_CLIENT_ID") if environment.get(name))
        raise InputError(
            f"{name} is set, but {host} is plain http://, by which anybody on the way could read the token: say https://, "
            "reach the server through kubectl port-forward, or unset it"
        )
    if token:
        return _of_token("the token in KFP_TOKEN", lambda: token)
    if file:
        return _of_token("the token in KFP_TOKEN_FILE", lambda: _read(Path(file)))
    if client:
        return _of_token("the token for KFP_IAP_CLIENT_ID", _iap_token(client))
    pod_token = environment.get("KF_PIPELINES_SA_TOKEN_PATH") or _POD_TOKEN
    if in_a_pod(environment) and _in_cluster(host) and Path(pod_token).exists():
        return _of_token("the pod's service account", _pod_token(pod_token))
    return Credentials("a request without a token (KFP_TOKEN, KFP_TOKEN_FILE and KFP_IAP_CLIENT_ID are unset)")


def in_a_pod(environment: Mapping[str, str]) -> bool:
    """Whether this is a pod of a Kubernetes cluster."""
    return bool(environment.get("KUBERNETES_SERVICE_HOST"))


def pod_namespace(environment: Mapping[str, str]) -> str | None:
    """The namespace of the pod that this is; None where it is none."""
    try:
        return Path(_POD_NAMESPACE).read_text(encoding="utf-8").strip() or None if in_a_pod(environment) else None
    except OSError:
        return None


def _of_token(described: str, token: Callable[[], str]) -> Credentials:
    """Credentials whose first token is fit for a header, or else said not to be."""

    def checked() -> str:
        value = token().strip()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise InputError(f"{described} is no token: it is empty, or has characters that no token has")
        return value

    checked()
    return Credentials(described, checked)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read KFP_TOKEN_FILE, {path}: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def _iap_token(client: str) -> Callable[[], str]:
    """Tokens for a server behind Google's Identity-Aware Proxy, by the default credentials of a service account."""
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token

    request = Request()
    try:
        credentials = id_token.fetch_id_token_credentials(client, request=request)
    except (GoogleAuthError, ValueError) as error:
        raise InputError(
            f"KFP_IAP_CLIENT_ID is set, but there are no default credentials of a service account: {_line(error)}"
        ) from None

    def token() -> str:
        try:
            if not credentials.valid:
                credentials.refresh(request)
        except GoogleAuthError as error:
            raise InputError(f"cannot get a token for KFP_IAP_CLIENT_ID: {_line(error)}") from None
        return credentials.token

    return token


def _pod_token(path: str) -> Callable[[], str]:
    """Tokens of the pod's service account, which the kubelet renews in a file, by kfp's own reader."""
    from types import SimpleNamespace

    from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

    reader = ServiceAccountTokenVolumeCredentials(path)

    def token() -> str:
        holder = SimpleNamespace(api_key={})
        try:
            reader.refresh_api_key_hook(holder)
        except OSError as error:
            raise InputError(f"cannot read the pod's token, {path}: {error.strerror}") from None
        return holder.api_key["authorization"]

    return token


def _in_cluster(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    return name.endswith((".svc", ".svc.cluster.local"))


def _private(host: str) -> bool:
    """Whether what is sent there is encrypted, or stays within this machine or a cluster."""
    parts = urlsplit(host)
    name = parts.hostname or ""
    # A name without a dot is a service's; one that begins with a digit, or has colons, is an address however it is written.
    service = name[:1].isalpha() and "." not in name and ":" not in name
    return parts.scheme == "https" or name in ("localhost", "127.0.0.1", "::1") or service or _in_cluster(host)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
