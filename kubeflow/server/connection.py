"""The way to a server of Kubeflow Pipelines: where it is, who asks, and what is done when it does not answer.

What speaks is `kfp_server_api`, the client that is generated from the published API v2beta1 and on which `kfp.Client` is built.
`kfp.Client` itself would keep a namespace in ~/.config/kfp/context.json and take cookies from there, may keep refresh tokens in
~/.config/kfp/credentials.json, and prints. Nothing here writes a file, and no message holds a token.
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

from common.errors import InputError
from kubeflow.server.credentials import Credentials, find_credentials, in_a_pod, pod_namespace

_IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
_TIMEOUT = (10, 60)  # seconds to connect and to answer; kfp_server_api silently ignores one that is a float
_PASSING = (502, 503, 504)
_T = TypeVar("_T")


class ServerFault(RuntimeError):
    """The server's fault, or the way's to it: nothing that other arguments would mend. Ends a command with exit status 1."""


class Away(ServerFault):
    """Nobody answers, though somebody did before; to be patient may help."""


class Conflict(InputError):
    """There is one of that name already."""


class NotFound(InputError):
    """There is none of that id."""


class LostAnswer(Exception):
    """It is not known whether the server did what it was asked; asking again may help."""


@dataclass(frozen=True)
class Retry:
    """How often to ask, and how long to wait in between: twice as long each time, less up to a half by chance."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 8.0
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    chance: Callable[[], float] = field(default=random.random, repr=False)

    def pauses(self) -> Iterator[float | None]:
        """Seconds to wait after each attempt; None after the last."""
        for attempt in range(self.attempts - 1):
            yield min(self.longest, self.first * 2**attempt) * (1 - self.chance() / 2)
        yield None

    def call(self, once: Callable[[], _T]) -> _T:
        """Does what may be done twice.

        Raises:
            Away: No attempt was answered.
        """
        for pause in self.pauses():
            try:
                return once()
            except LostAnswer as lost:
                self._wait_or_give_up(pause, lost)
        raise AssertionError("the last pause is None")

    def make(self, create: Callable[[], _T], look_up: Callable[[], _T | None]) -> _T:
        """Creates what must not be created twice: after a lost answer, and where there is one already, it is looked up first.

        Raises:
            Conflict: There is one, it is said, but it cannot be found.
            Away: No attempt was answered, and there is none.
        """
        for pause in self.pauses():
            try:
                return create()
            except Conflict:
                found = look_up()
                if found is None:
                    raise
                return found
            except LostAnswer as lost:
                if pause is not None:
                    self.sleep(pause)
                found = look_up()
                if found is not None:
                    return found
                if pause is None:
                    raise Away(f"{lost}, {self.attempts} times over") from None
        raise AssertionError("the last pause is None")

    def _wait_or_give_up(self, pause: float | None, lost: LostAnswer) -> None:
        if pause is None:
            raise Away(f"{lost}, {self.attempts} times over") from None
        self.sleep(pause)


def looks(
    look: Callable[[], _T], pause: float, patience: float, sleep: Callable[[float], None], clock: Callable[[], float]
) -> Iterator[_T]:
    """What one sees who looks again and again, for hours, in which the server may be away for minutes.

    Args:
        look: Asks the server.
        pause: Seconds between two looks.
        patience: Seconds without any answer after which to give up.
        sleep, clock: What waits, and what says the time in seconds.

    Raises:
        Away: Nobody has answered for longer.
    """
    heard = clock()
    while True:
        try:
            found = look()
        except Away as away:
            silent = clock() - heard
            if silent >= patience:
                raise Away(f"{away}, and nobody has answered for {silent / 60:.0f} minutes") from None
        else:
            heard = clock()
            yield found
        sleep(pause)


class Connection:
    """A server of Kubeflow Pipelines that has been reached.

    Args:
        host: Its URL.
        credentials: Who asks.
        retry: What to do when it does not answer.
    """

    def __init__(self, host: str, credentials: Credentials, retry: Retry):
        self.host = host
        self.retry = retry
        self.namespace: str | None = None
        self._credentials = credentials
        self._client = _make_client(host, credentials)
        self._services: dict[str, Any] = {}
        self._answered = False

    def service(self, name: str) -> Any:
        """One of kfp_server_api's services, such as "Run" or "PipelineUpload"."""
        import kfp_server_api

        if name not in self._services:
            self._services[name] = getattr(kfp_server_api, f"{name}ServiceApi")(self._client)
        return self._services[name]

    def call(self, service: str, method: str, **arguments: Any) -> Any:
        """Asks what may be asked twice.

        Args:
            service: A service of kfp_server_api.
            method: A method of that.
            arguments: The method's own.

        Returns:
            The answer as kfp_server_api's model of it.

        Raises:
            InputError: The server refuses.
            ServerFault: It fails, or does not answer.
        """
        return self.retry.call(lambda: self._once(service, method, arguments))

    def make(self, look_up: Callable[[], Any], service: str, method: str, **arguments: Any) -> Any:
        """Asks for something new, and never for two of it.

        Args:
            look_up: Finds it if it is there, else None.
            service, method, arguments: As for `call`.
        """
        return self.retry.make(lambda: self._once(service, method, arguments), look_up)

    def pages(self, service: str, method: str, items: str, **arguments: Any) -> Iterator[Any]:
        """Everything in a list that the server gives page by page.

        Args:
            service, method, arguments: As for `call`.
            items: The field of the answer that has the list.
        """
        token = ""
        while True:
            page = self.call(service, method, page_token=token, page_size=100, **arguments)
            yield from getattr(page, items) or ()
            token = page.next_page_token or ""
            if not token:
                return

    def named(self, service: str, method: str, items: str, name: str, **arguments: Any) -> list[Any]:
        """What in a list has exactly a name; the server's own comparison may take capitals for small letters."""
        return [each for each in self._equal(service, method, items, "display_name", name, arguments) if each.display_name == name]

    def renamed(self, service: str, method: str, items: str, name: str, **arguments: Any) -> list[Any]:
        """What in a list was made by a name and is shown by another: newer servers (2.14 and 2.17 do) keep both, and refuse the first one again.

        What is shown by the same name in other letters is none of it.
        """
        found = self._equal(service, method, items, "name", name, arguments)
        return [each for each in found if each.display_name and each.display_name.lower() != name.lower()]

    def page_url(self, where: str) -> str:
        """The address of a page of the user interface."""
        return f"{self.host}/#/{where}"

    def _equal(self, service: str, method: str, items: str, key: str, value: str, arguments: Mapping[str, Any]) -> Iterator[Any]:
        predicate = {"operation": "EQUALS", "key": key, "stringValue": value}
        return self.pages(service, method, items, filter=json.dumps({"predicates": [predicate]}), **arguments)

    def _once(self, service: str, method: str, arguments: Mapping[str, Any]) -> Any:
        import kfp_server_api
        import urllib3.exceptions as transport

        ask = _method(self.service(service), service, method)
        body = [arguments["body"]] if "body" in arguments else []  # by its place: its name is another in newer releases
        others = {name: value for name, value in arguments.items() if name != "body"}
        try:
            answer, _, headers = ask(*body, **others, _return_http_data_only=False, _request_timeout=_TIMEOUT)
        except kfp_server_api.ApiException as error:
            raise self._explained(error) from None
        except (transport.NewConnectionError, transport.ConnectTimeoutError) as error:
            words = f"cannot reach {self.host}: {_reason(error)}"
            if self._answered:  # the address is right: a forwarded port has dropped, or the server starts anew
                raise LostAnswer(words) from None
            raise InputError(f"{words}; is --host (or KFP_HOST) right?") from None
        except (transport.ProtocolError, transport.ReadTimeoutError) as error:
            raise LostAnswer(f"{self.host} broke off without an answer ({type(error).__name__})") from None
        except transport.HTTPError as error:
            raise InputError(f"cannot speak with {self.host}: {self._clean(str(error))}") from None
        kind = headers.get("Content-Type", "application/json")
        if "json" not in kind:
            raise InputError(
                f"{self.host} answers with {kind.split(';')[0]}, not as the API of Kubeflow Pipelines: "
                "is it another page's address, or does it want a sign-in?"
            )
        self._answered = True
        return answer

    def _explained(self, error: Any) -> Exception:
        """An answer other than 2xx, in a line."""
        said = self._clean(_message(error.body) or str(error.reason))
        if error.status in _PASSING:
            return LostAnswer(f"{self.host} answers {error.status} ({said})")
        if 300 <= error.status < 400:
            return InputError(
                f"{self.host} sends elsewhere ({error.status}): it wants a sign-in, or --host is not its API's address"
            )
        if error.status == 401:
            return InputError(f"{self.host} does not let in {self._credentials.described} (401): {said}")
        if error.status == 403:
            where = f" in the namespace {self.namespace}" if self.namespace else ""
            return InputError(f"{self.host} forbids this to {self._credentials.described}{where} (403): {said}")
        kinds = {404: NotFound, 409: Conflict}
        if 400 <= error.status < 500:
            return kinds.get(error.status, InputError)(f"{self.host} refuses ({error.status}): {said}")
        return ServerFault(f"{self.host} fails ({error.status or 'TLS'}): {said}")

    def _clean(self, text: str) -> str:
        """A server's words in one line of sensible length, without the token if it repeats that."""
        for secret in self._credentials.secrets():
            text = text.replace(secret, "(the token)")
        return " ".join(text.split())[:300]


def connect(
    host: str | None = None,
    namespace: str | None = None,
    environment: Mapping[str, str] | None = None,
    retry: Retry | None = None,
) -> Connection:
    """Finds the server, and asks whether it is there.

    Args:
        host: Its URL; None takes KFP_HOST, or in a pod the cluster's own.
        namespace: Whose runs are meant on a server with many users; None takes KFP_NAMESPACE, or in a pod the pod's.
        environment: Where KFP_HOST, KFP_NAMESPACE, KFP_TOKEN, KFP_TOKEN_FILE and KFP_IAP_CLIENT_ID are; None is the process's.
        retry: What to do when it does not answer.

    Raises:
        InputError: There is no server there, it does not let us in, or the namespace is missing or too much.
        ServerFault: The server fails.
    """
    environment = os.environ if environment is None else environment
    given = host or environment.get("KFP_HOST") or None
    if given is None and not in_a_pod(environment):
        raise InputError("no server is named: say --host https://... or set KFP_HOST")
    url = _checked(given or _IN_CLUSTER)
    connection = Connection(url, find_credentials(environment, url), retry or Retry())
    namespace = namespace or environment.get("KFP_NAMESPACE") or None
    if connection.call("Healthz", "get_healthz").multi_user:
        connection.namespace = namespace or pod_namespace(environment)
        if connection.namespace is None:
            raise InputError(f"{url} keeps users apart by namespaces: say --namespace, or set KFP_NAMESPACE")
    elif namespace:
        raise InputError(f"{url} has no namespaces for users: leave --namespace {namespace} out, and KFP_NAMESPACE unset")
    return connection


def _checked(host: str) -> str:
    """A host's URL without what does not belong to it."""
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
    """kfp_server_api's client, which asks once and follows no redirection with what it sends."""
    import functools

    import kfp_server_api

    configuration = kfp_server_api.Configuration(host=host)
    configuration.retries = False  # else urllib3 would repeat some requests by itself
    if credentials.token is not None:
        configuration.api_key["authorization"] = "set before each request"
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.refresh_api_key_hook = credentials.refresh
    client = kfp_server_api.ApiClient(configuration)
    pool = client.rest_client.pool_manager
    pool.request = functools.partial(pool.request, redirect=False)
    return client


def _method(service: Any, name: str, method: str) -> Callable[..., Any]:
    """A service's method: `create_run` of Run is called `run_service_create_run` by releases of kfp_server_api after 2.0."""
    prefix = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    full = f"{prefix}_service_{method}_with_http_info"
    return getattr(service, full, None) or getattr(service, f"{method}_with_http_info")


def _message(body: object) -> str:
    """What an answer's body says is wrong."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        said = json.JSONDecoder().raw_decode(text.strip())[0]  # some releases write two bodies after another
    except ValueError:
        return "" if "<html" in text.lower() else text
    if not isinstance(said, dict):
        return str(said)
    return str(next((said[key] for key in ("error_message", "message", "error") if said.get(key)), text))


def _reason(error: Exception) -> str:
    """Why there was no connection, without the addresses of objects that urllib3 puts in front."""
    return str(error).split(">: ")[-1].removeprefix("Failed to establish a new connection: ")
