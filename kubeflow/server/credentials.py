"""Find the credentials for a server of Kubeflow Pipelines: a token, Google's Identity-Aware Proxy, the pod's own, or none.

Tokens are read again for each request, because those in files and of proxies expire. They are never written to files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.errors import InputError

_POD_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # the mount path that Kubeflow Pipelines documents
_POD_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


@dataclass
class Credentials:
    """The credentials of requests."""

    described: str  # their description without the secret
    token: Callable[[], str] | None = field(default=None, repr=False)  # returns the current token; None if there is none
    _seen: set[str] = field(default_factory=set, repr=False)

    def refresh(self, configuration: Any) -> None:
        """Set the current token in kfp_server_api's configuration."""
        token = self.token()
        self._seen.add(token)
        configuration.api_key["authorization"] = token

    def secrets(self) -> set[str]:
        """Return the tokens that no message may contain."""
        return {token for token in self._seen if token}


def find_credentials(environment: Mapping[str, str], host: str) -> Credentials:
    """Find credentials in this order: KFP_TOKEN or KFP_TOKEN_FILE, KFP_IAP_CLIENT_ID, the pod's own, none.

    Args:
        environment: The source of these variables.
        host: The URL of the server. A pod's token is sent only to a server within the cluster. Over http:// a token is sent only to
            this machine or within a cluster.

    Raises:
        InputError: Both kinds of token are set, a variable is not usable, or the token would be sent over a network unencrypted.
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
        return _of_token("the token in KFP_TOKEN_FILE", lambda: _read(file, "KFP_TOKEN_FILE"))
    if client:
        return _of_token("the token for KFP_IAP_CLIENT_ID", _iap_token(client))
    pod_token = environment.get("KF_PIPELINES_SA_TOKEN_PATH") or _POD_TOKEN
    if in_a_pod(environment) and _in_cluster(host) and Path(pod_token).exists():
        return _of_token("the pod's service account", lambda: _read(pod_token, "the pod's token"))  # the kubelet renews the file
    return Credentials("a request without a token (KFP_TOKEN, KFP_TOKEN_FILE and KFP_IAP_CLIENT_ID are unset)")


def in_a_pod(environment: Mapping[str, str]) -> bool:
    """Return True if this process runs in a pod of a Kubernetes cluster."""
    return bool(environment.get("KUBERNETES_SERVICE_HOST"))


def pod_namespace(environment: Mapping[str, str]) -> str | None:
    """Return the namespace of this pod; None outside a pod."""
    try:
        return Path(_POD_NAMESPACE).read_text(encoding="utf-8").strip() or None if in_a_pod(environment) else None
    except OSError:
        return None


def _of_token(described: str, token: Callable[[], str]) -> Credentials:
    """Return credentials, after checking that the first token is valid in a header."""

    def checked() -> str:
        value = token().strip()
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            raise InputError(f"{described} is no token: it is empty, or has characters that no token has")
        return value

    checked()
    return Credentials(described, checked)


def _read(path: str, name: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {name}, {path}: {getattr(error, 'strerror', None) or 'it is no text'}") from None


def _iap_token(client: str) -> Callable[[], str]:
    """Return a function that gets tokens for Google's Identity-Aware Proxy from a service account's default credentials."""
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


def _in_cluster(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    return name.endswith((".svc", ".svc.cluster.local"))


def _private(host: str) -> bool:
    """Return True if requests to the host are encrypted, or stay within this machine or a cluster."""
    parts = urlsplit(host)
    name = parts.hostname or ""
    # A name without a dot is that of a service. A name that begins with a digit, or has colons, is an address.
    service = name[:1].isalpha() and "." not in name and ":" not in name
    return parts.scheme == "https" or name in ("localhost", "127.0.0.1", "::1") or service or _in_cluster(host)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
