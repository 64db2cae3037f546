"""A stand-in for the API server of Kubeflow Pipelines, for client contract tests: what it shows is that the client speaks the
published API v2beta1, not that anything runs in a cluster.

It keeps what it is given, checks every request and every answer against `api_schema`, and fails when it is told to. What it knows
of the server's ways beyond the schema: names of pipelines and of their versions are unique (409), comparisons by name do not tell
capitals from small letters, a page has an end, a cron of five fields is taken without a word, and a run that is not given a value
for each parameter is refused, since default values are lost on the way.

As release 2.17 it also answers as that does, by backend/src/apiserver of its sources: pipelines and versions have a name beside
the one that is shown, and are unique by it (model/pipeline.go; server/api_converter.go, toModelPipeline); dates that are not known
are of 1970, plugins leave outputs in runs (toApiRun), and tasks are named as Argo's nodes (common/util/workflow.go, NodeStatuses);
a recurring run has the server's namespace (resource/resource_manager.go, CreateJob) and is ENABLED at once (toApiRecurringRun);
errors have no field `error` (grpc-gateway's second version), those of uploads have other fields (pipeline_upload_server.go).
"""

from __future__ import annotations

import contextlib
import email
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from tests.kubeflow.api_schema import ENDPOINTS, faults, filter_faults, find_endpoint
from tests.kubeflow.api_state import WORK, ApiServer, Fault, Refused

TOKEN = "a-token-that-must-appear-nowhere"
UNPUBLISHED = {"get_healthz": ("commit_sha", "tag_name")}  # what 2.17 answers all the same: main.go, newHealthzResponse
_SORTS = ("created_at desc", "created_at", "")


@contextlib.contextmanager
def api_server(**options: Any) -> Iterator[ApiServer]:
    """A server on this machine; at the end there must have been no request and no answer that the API does not know."""
    state = ApiServer(**options)

    class Handler(_Handler):
        server_state = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing it waits for all
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
        assert not thread.is_alive()
    assert not state.problems, state.problems


class _Handler(BaseHTTPRequestHandler):
    server_state: ApiServer
    timeout = 10

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_PUT = do_PATCH = do_GET

    def _serve(self) -> None:
        state = self.server_state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with state.lock:
            parts = urlsplit(self.path)
            found = find_endpoint(self.command, parts.path)
            name = found[0] if found else ""
            state.requests.append(name or f"{self.command} {parts.path}")
            fault = state.due(name, after=False)
            if fault:
                return self._break(fault)
            try:
                status, answer = 200, self._answer(found, parts.query, body)
            except Refused as refusal:
                status, answer = refusal.status, self._refusal(str(refusal), name)
            if status == 200:
                known = {key: value for key, value in answer.items() if key not in UNPUBLISHED.get(name, ())}
                wrong = faults(ENDPOINTS[name].answers, known, release=state.release)
                state.problems += [f"answer of {name}: {each}" for each in wrong]
            fault = state.due(name, after=True)
        if fault:
            return self._break(fault)
        self._send(status, answer, twice=status == 409 and "upload" in name and not state.newest)

    def _send(self, status: int, answer: object, twice: bool = False) -> None:
        text = json.dumps(answer).encode() * (2 if twice else 1)  # after a conflict some releases go on to a second body
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _refusal(self, words: str, endpoint: str = "") -> dict[str, Any]:
        """The body of an answer that says no."""
        if "upload" in endpoint:
            return {"error_message": words, "error_details": words}
        return {"code": 3, "message": words, **({"details": []} if self.server_state.newest else {"error": words})}

    def _break(self, fault: Fault) -> None:
        if fault.status:
            return self._send(fault.status, self._refusal("told to fail"))
        self.close_connection = True
        self.connection.shutdown(2)

    def _answer(self, found: tuple[str, dict] | None, query: str, body: bytes) -> Any:
        state = self.server_state
        if found is None:
            return self._problem(f"{self.command} {self.path} is no endpoint", 404)
        name, named = found
        endpoint = ENDPOINTS[name]
        if state.token is not None and self.headers.get("authorization") != f"Bearer {state.token}":
            raise Refused(401, f"not authenticated: {self.headers.get('authorization')}")  # repeats the token, as some do
        values = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        wrong = [f"query {key!r} is unknown" for key in values if key not in endpoint.query]
        if values.get("filter"):
            wrong += filter_faults(values["filter"], state.release)
        if values.get("page_size") and not values["page_size"].isdigit():
            wrong.append(f"page_size {values['page_size']!r} is no number")
        if values.get("sort_by", "") not in _SORTS:
            wrong.append(f"sort_by {values['sort_by']!r} is none")
        if endpoint.upload:
            wrong += [f"query {key!r} is missing" for key in endpoint.needs if not values.get(key)]
            given = self._uploaded(body, wrong)
        else:
            given = self._json(endpoint, body, wrong)
        if wrong:
            return self._problem(f"{name}: {'; '.join(wrong)}", 400)
        named = {key: unquote(value) for key, value in named.items()}
        return WORK[name](state, given, **named, **values)

    def _json(self, endpoint: Any, body: bytes, wrong: list[str]) -> Any:
        if endpoint.takes is None:
            if body:
                wrong.append("a body where none belongs")
            return None
        if self.headers.get("Content-Type") != "application/json":
            wrong.append(f"Content-Type {self.headers.get('Content-Type')!r}")
        try:
            value = json.loads(body)
        except ValueError as error:
            wrong.append(f"no JSON: {error}")
            return None
        wrong += faults(endpoint.takes, value, needs=endpoint.needs, release=self.server_state.release)
        return value

    def _uploaded(self, body: bytes, wrong: list[str]) -> Any:
        """The pipeline of a multipart upload: its documents."""
        head = f"Content-Type: {self.headers.get('Content-Type')}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + body).get_payload()
        if (
            not isinstance(parts, list)
            or len(parts) != 1
            or parts[0].get_param("name", header="content-disposition") != "uploadfile"
        ):
            wrong.append("no multipart/form-data with the one part `uploadfile`")
            return None
        if not (parts[0].get_filename() or "").endswith((".yaml", ".yml")):
            wrong.append(f"the file's name is {parts[0].get_filename()!r}")
        try:
            documents = list(yaml.safe_load_all(parts[0].get_payload(decode=True)))
            assert documents[0]["pipelineInfo"]["name"] and documents[0]["root"]
            return documents
        except (yaml.YAMLError, AssertionError, KeyError, TypeError, IndexError):
            wrong.append("the file is no pipeline")
            return None

    def _problem(self, message: str, status: int) -> Any:
        self.server_state.problems.append(message)
        raise Refused(status, message)
