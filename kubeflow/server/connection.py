"""Connect to a server of Kubeflow Pipelines: find its address, send credentials, and retry requests.

Requests use `kfp_server_api`, the client that is generated from the published API v2beta1 and that `kfp.Client` uses. `kfp.Client`
itself stores a namespace in ~/.config/kfp/context.json and takes cookies from there, may store refresh tokens in
~/.config/kfp/credentials.json, and prints. This module writes no files, and its messages contain no token.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import tenacity

from common.errors import InputError
from kubeflow.server.credentials import Credentials, find_credentials, in_a_pod, pod_namespace

_IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
_TIMEOUT = (10, 60)  # seconds to connect and to answer; kfp_server_api silently ignores floats
_TRANSIENT = (502, 503, 504)
_T = TypeVar("_T")


class ServerFault(RuntimeError):
    """A fault of the server or the network that other arguments would not fix. Ends a command with exit status 1."""


class Unavailable(ServerFault):
    """The server does not answer, but did before; retrying may help."""


class Conflict(InputError):
    """An object of that name already exists."""


class NotFound(InputError):
    """There is no object of that id."""


class LostAnswer(Exception):
    """The answer was lost, so that the effect of the request is unknown; retrying may help."""


@dataclass(frozen=True)
class Retry:
    """The number of attempts, and the pauses between them: each is twice as long, minus a random part of up to a half."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 8.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after an attempt, counted from 1."""
        return min(self.longest, self.first * 2 ** (attempt - 1)) * (1 - self.chance() / 2)

    def call(self, send: Callable[[], _T], look_up: Callable[[], _T | None] = lambda: None) -> _T:
        """Send a request that may safely be sent twice, until there is an answer.

        Args:
            send: Sends the request.
            look_up: Called after the last lost answer; a result other than None is the answer.

        Raises:
            Unavailable: No attempt was answered.
        """

        def give_up(state: tenacity.RetryCallState) -> _T:
            result = look_up()
            if result is None:
                raise Unavailable(f"{state.outcome.exception()}, {self.attempts} times over") from None
            return result

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(LostAnswer),
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=lambda state: self.pause(state.attempt_number),
            sleep=self.sleep,
            retry_error_callback=give_up,
        )(send)

    def make(self, create: Callable[[], _T], look_up: Callable[[], _T | None]) -> _T:
        """Create an object that must not be created twice. After a lost answer, or a conflict, it is looked up first.

        Raises:
            Conflict: The server says that it exists, but it cannot be found.
            Unavailable: No attempt was answered, and the object does not exist.
        """
        lost = False

        def send() -> _T:
            nonlocal lost
            if lost and (result := look_up()) is not None:
                return result
            try:
                return create()
            except LostAnswer:
                lost = True
                raise
            except Conflict:
                result = look_up()
                if result is None:
                    raise
                return result

        return self.call(send, look_up)


def poll(
    send: Callable[[], _T],
    *,
    pause: float = 10.0,
    patience: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[_T]:
    """Poll a server for hours, while it may be unavailable for minutes, and yield each answer.

    Args:
        send: Sends the request.
        pause: Seconds between two requests.
        patience: Seconds without an answer after which to give up: enough to restore port forwarding or to move a server.
        sleep, clock: The functions that wait, and that return the time in seconds.

    Raises:
        Unavailable: The server has not answered for longer.
    """
    last_answer = clock()
    while True:
        try:
            answer = send()
        except Unavailable as error:
            silent = clock() - last_answer
            if silent >= patience:
                raise Unavailable(f"{error}, and nobody has answered for {silent / 60:.0f} minutes") from None
        else:
            last_answer = clock()
            yield answer
        sleep(pause)


class Connection:
    """A connection to the server of Kubeflow Pipelines at the URL `host`."""

    def __init__(self, host: str, credentials: Credentials, retry: Retry):
        self.host = host
        self.retry = retry
        self.namespace: str | None = None
        self._credentials = credentials
        self._client = _make_client(host, credentials)
        self._services: dict[str, Any] = {}
        self._answered = False

    def service(self, name: str) -> Any:
        """Return one of kfp_server_api's services, such as "Run" or "PipelineUpload"."""
        import kfp_server_api

        if name not in self._services:
            self._services[name] = getattr(kfp_server_api, f"{name}ServiceApi")(self._client)
        return self._services[name]

    def call(self, service: str, method: str, **arguments: Any) -> Any:
        """Send a request that may safely be sent twice: a method of a service of kfp_server_api. Return the answer as its model.

        Raises:
            InputError: The server refuses the request.
            ServerFault: The server fails, or does not answer.
        """
        return self.retry.call(lambda: self._once(service, method, arguments))

    def make(self, look_up: Callable[[], Any], service: str, method: str, **arguments: Any) -> Any:
        """Create an object, and never two of it. `look_up` returns the object if it exists, else None; see `call`."""
        return self.retry.make(lambda: self._once(service, method, arguments), look_up)

    def pages(self, service: str, method: str, items: str, **arguments: Any) -> Iterator[Any]:
        """Yield all items of a paged list, which the field `items` of an answer contains; see `call`."""
        token = ""
        while True:
            page = self.call(service, method, page_token=token, page_size=100, **arguments)
            yield from getattr(page, items) or ()
            token = page.next_page_token or ""
            if not token:
                return

    def named(self, service: str, method: str, items: str, name: str, **arguments: Any) -> list[Any]:
        """Return the items of a list whose displayed name is exactly `name`. The server's own comparison may ignore case."""
        return [each for each in self._equal(service, method, items, "display_name", name, arguments) if each.display_name == name]

    def renamed(self, service: str, method: str, items: str, name: str, **arguments: Any) -> list[Any]:
        """Return the items of a list that were created under a name and are displayed under another.

        Newer servers (2.14 and 2.17 do) keep both names, and refuse the first one again. Items whose displayed name differs only in
        case are left out.
        """
        result = self._equal(service, method, items, "name", name, arguments)
        return [each for each in result if each.display_name and each.display_name.lower() != name.lower()]

    def page_url(self, where: str) -> str:
        """Return the address of a page of the user interface."""
        return f"{self.host}/#/{where}"

    def _equal(self, service: str, method: str, items: str, key: str, value: str, arguments: Mapping[str, Any]) -> Iterator[Any]:
        predicate = {"operation": "EQUALS", "key": key, "stringValue": value}
        return self.pages(service, method, items, filter=json.dumps({"predicates": [predicate]}), **arguments)

    def _once(self, service: str, method: str, arguments: Mapping[str, Any]) -> Any:
        import kfp_server_api
        import urllib3.exceptions as transport

        ask = _method(self.service(service), service, method)
        body = [arguments["body"]] if "body" in arguments else []  # positional, because newer releases use another name
        others = {name: value for name, value in arguments.items() if name != "body"}
        try:
            answer, _, headers = ask(*body, **others, _return_http_data_only=False, _request_timeout=_TIMEOUT)
        except kfp_server_api.ApiException as error:
            raise self._explained(error) from None
        except (transport.NewConnectionError, transport.ConnectTimeoutError) as error:
            message = f"cannot reach {self.host}: {_reason(error)}"
            if self._answered:  # the address is right: port forwarding was lost, or the server restarts
                raise LostAnswer(message) from None
            raise InputError(f"{message}; is --host (or KFP_HOST) right?") from None
        except (transport.ProtocolError, transport.ReadTimeoutError) as error:
            raise LostAnswer(f"{self.host} broke off without an answer ({type(error).__name__})") from None
        except transport.HTTPError as error:
            raise InputError(f"cannot communicate with {self.host}: {self._clean(str(error))}") from None
        kind = headers.get("Content-Type", "application/json")
        if "json" not in kind:
            raise InputError(
                f"{self.host} answers with {kind.split(';')[0]}, not as the API of Kubeflow Pipelines: "
                "is it another page's address, or does it want a sign-in?"
            )
        self._answered = True
        return answer

    def _explained(self, error: Any) -> Exception:
        """Return an exception with a one-line message for an answer other than 2xx."""
        message = self._clean(_message(error.body) or str(error.reason))
        if error.status in _TRANSIENT:
            return LostAnswer(f"{self.host} answers {error.status} ({message})")
        if 300 <= error.status < 400:
            return InputError(
                f"{self.host} redirects ({error.status}): it wants a sign-in, or --host is not the address of its API"
            )
        if error.status == 401:
            return InputError(f"{self.host} denies access to {self._credentials.described} (401): {message}")
        if error.status == 403:
            where = f" in the namespace {self.namespace}" if self.namespace else ""
            return InputError(f"{self.host} forbids this to {self._credentials.described}{where} (403): {message}")
        kinds = {404: NotFound, 409: Conflict}
        if 400 <= error.status < 500:
            return kinds.get(error.status, InputError)(f"{self.host} refuses ({error.status}): {message}")
        return ServerFault(f"{self.host} fails ({error.status or 'TLS'}): {message}")

    def _clean(self, text: str) -> str:
        """Return a server's message as one short line, with the token removed."""
        for secret in self._credentials.secrets():
            text = text.replace(secret, "(the token)")
        return " ".join(text.split())[:300]


def connect(
    host: str | None = None, namespace: str | None = None, environment: Mapping[str, str] | None = None, retry: Retry | None = None
) -> Connection:
    """Find the server, and check that it answers.

    Args:
        host: Its URL; None takes KFP_HOST, or in a pod the cluster's own.
        namespace: The namespace on a server with many users; None takes KFP_NAMESPACE, or in a pod the pod's.
        environment: The source of KFP_HOST, KFP_NAMESPACE, KFP_TOKEN, KFP_TOKEN_FILE and KFP_IAP_CLIENT_ID; None is the process's.
        retry: How to retry requests.

    Raises:
        InputError: There is no server, it denies access, or the namespace is missing or not supported.
        ServerFault: The server fails.
    """
    environment = os.environ if environment is None else environment
    given = host or environment.get("KFP_HOST") or None
    if given is None and not in_a_pod(environment):
        raise InputError("no server is named: give --host https://... or set KFP_HOST")
    url = _checked(given or _IN_CLUSTER)
    connection = Connection(url, find_credentials(environment, url), retry or Retry())
    namespace = namespace or environment.get("KFP_NAMESPACE") or None
    if connection.call("Healthz", "get_healthz").multi_user:
        connection.namespace = namespace or pod_namespace(environment)
        if connection.namespace is None:
            raise InputError(f"{url} separates users by namespaces: give --namespace, or set KFP_NAMESPACE")
    elif namespace:
        raise InputError(f"{url} has no namespaces for users: leave --namespace {namespace} out, and KFP_NAMESPACE unset")
    return connection


def _checked(host: str) -> str:
    """Return the URL of a host without fragment and trailing slashes."""
    url = host.split("#")[0].rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"--host (or KFP_HOST) is no URL such as https://kubeflow.example.com: {host.split('@')[-1]!r}")
    if parts.username or parts.password or parts.query:
        raise InputError(
            f"--host (or KFP_HOST) for {parts.hostname} has a user, a password or a query: only an address belongs there"
        )
    return url


def _make_client(host: str, credentials: Credentials) -> Any:
    """Return a client of kfp_server_api that sends each request once and follows no redirects."""
    import functools

    import kfp_server_api

    configuration = kfp_server_api.Configuration(host=host)
    configuration.retries = False  # otherwise urllib3 would repeat some requests
    if credentials.token is not None:
        configuration.api_key["authorization"] = "set before each request"
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.refresh_api_key_hook = credentials.refresh
    client = kfp_server_api.ApiClient(configuration)
    pool = client.rest_client.pool_manager
    pool.request = functools.partial(pool.request, redirect=False)
    return client


def _method(service: Any, name: str, method: str) -> Callable[..., Any]:
    """Return a service's method. Releases of kfp_server_api after 2.0 call `create_run` of Run `run_service_create_run`."""
    prefix = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    full = f"{prefix}_service_{method}_with_http_info"
    return getattr(service, full, None) or getattr(service, f"{method}_with_http_info")


def _message(body: object) -> str:
    """Return the error message in an answer's body."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        content = json.JSONDecoder().raw_decode(text.strip())[0]  # some releases write two JSON bodies in a row
    except ValueError:
        return "" if "<html" in text.lower() else text
    if not isinstance(content, dict):
        return str(content)
    return str(next((content[key] for key in ("error_message", "message", "error") if content.get(key)), text))


def _reason(error: Exception) -> str:
    """Return why a connection failed, without the object addresses at the start of urllib3's messages."""
    return str(error).split(">: ")[-1].removeprefix("Failed to establish a new connection: ")
