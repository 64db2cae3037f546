"""The way to the server, by a client contract test: who asks, what is retried, what is said, and that nothing is written."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading

import pytest

from common.errors import InputError
from kubeflow.server import credentials
from kubeflow.server.connection import Conflict, LostAnswer, Retry, ServerFault, Unavailable, connect, poll
from tests.kubeflow.api_server import TOKEN, api_server
from tests.kubeflow.published import RELEASES, usable
from tests.kubeflow.tiny_pipeline import connected, quick_retry, write_pipeline
from tests.project import ROOT


@pytest.fixture(params=RELEASES)
def server(request):
    with api_server(release=usable(request.param)) as running:
        yield running


@contextlib.contextmanager
def web_page(status=200, kind="text/html", location=""):
    """Something else that listens: a web page, or a sign-in that sends elsewhere."""

    class Page(http.server.BaseHTTPRequestHandler):
        asked = []

        def do_GET(self):
            self.asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(b"<html>Sign in</html>")

        def log_message(self, *_):
            pass

    listening = http.server.HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}", Page.asked
    finally:
        listening.shutdown()
        thread.join(10)
        listening.server_close()


def refusal(*arguments, kind=InputError, **more):
    with pytest.raises(kind) as error:
        connect(*arguments, **more)
    message = str(error.value)
    assert "\n" not in message and TOKEN not in message
    return message


def test_host_from_the_option_or_the_environment(server):
    assert connect(f"{server.url}/#/pipelines", environment={}).host == server.url
    assert connect(environment={"KFP_HOST": f"{server.url}/"}).page_url("runs/details/1") == f"{server.url}/#/runs/details/1"
    assert "--host" in refusal(environment={})


@pytest.mark.parametrize(
    "host", ["kubeflow.example.com", "localhost:8080", "ftp://a", "https://", "https://me:secret@a", "http://a?b=c"]
)
def test_what_is_no_address(host):
    message = refusal(host, environment={})
    assert "--host (or KFP_HOST)" in message and "secret" not in message


def test_tokens_from_the_environment_and_from_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with api_server(token=TOKEN) as server:
        for environment in ({"KFP_TOKEN": TOKEN}, {"KFP_TOKEN_FILE": str(file)}):
            connect(server.url, environment=environment)
        connection = connected(server, KFP_TOKEN_FILE=str(file))
        server.token = "a-renewed-token"
        file.write_text("a-renewed-token")
        connection.call("Healthz", "get_healthz")  # reads the file anew


def test_no_token_and_a_wrong_one():
    with api_server(token="another") as server:
        assert "a request without a token" in refusal(server.url, environment={})
        assert "denies access to the token in KFP_TOKEN (401)" in refusal(server.url, environment={"KFP_TOKEN": TOKEN})


def test_tokens_that_cannot_be(tmp_path):
    assert "both set" in refusal("http://a", environment={"KFP_TOKEN": TOKEN, "KFP_TOKEN_FILE": "b"})
    assert "cannot read KFP_TOKEN_FILE" in refusal("http://a", environment={"KFP_TOKEN_FILE": str(tmp_path / "none")})
    for content in ("", "two words", f"{TOKEN}\nsecond: header"):
        (tmp_path / "token").write_text(content)
        assert "is no token" in refusal("http://a", environment={"KFP_TOKEN_FILE": str(tmp_path / "token")})


@pytest.mark.parametrize(
    ("host", "goes"),
    [
        ("http://kubeflow.example.com", False),
        ("http://10.0.0.1:8888", False),
        ("http://3232235777", False),
        ("http://[2001:db8::1]:8888", False),
        ("http://[fe80::1]", False),
        ("http://localhost.example.com", False),
        ("http://ml-pipeline.svc.example.com", False),
        ("https://kubeflow.example.com", True),
        ("HTTPS://10.0.0.1", True),
        ("http://localhost:8888", True),
        ("http://127.0.0.1:8888", True),
        ("http://[::1]:8888", True),
        ("http://ml-pipeline:8888", True),
        ("http://ml-pipeline.kubeflow.svc:8888", True),
        ("http://ml-pipeline.kubeflow.svc.cluster.local:8888", True),
    ],
)
def test_a_token_does_not_go_over_a_network_in_the_clear(host, goes):
    def found():
        return credentials.find_credentials({"KFP_TOKEN": TOKEN}, host)

    if goes:
        assert found().token() == TOKEN
        return
    with pytest.raises(InputError, match="KFP_TOKEN is set, but http://.* is plain http://") as error:
        found()
    assert TOKEN not in str(error.value) and "\n" not in str(error.value)
    for name in ("KFP_TOKEN_FILE", "KFP_IAP_CLIENT_ID"):
        with pytest.raises(InputError, match=f"{name} is set, but"):
            credentials.find_credentials({name: "/nowhere"}, host)
    assert credentials.find_credentials({}, host).token is None


def test_the_pods_token_stays_in_the_cluster(tmp_path, server):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KF_PIPELINES_SA_TOKEN_PATH": str(file)}
    found = credentials.find_credentials(pod, "http://ml-pipeline.kubeflow.svc.cluster.local:8888")
    assert found.token() == TOKEN and found.described == "the pod's service account"
    file.write_text("renewed")
    assert found.token() == "renewed"
    assert credentials.find_credentials(pod, server.url).token is None
    assert (
        credentials.find_credentials({**pod, "KUBERNETES_SERVICE_HOST": ""}, "http://ml-pipeline.kubeflow.svc:8888").token is None
    )
    assert credentials.find_credentials({**pod, "KFP_TOKEN": "mine"}, "http://ml-pipeline.kubeflow.svc:8888").token() == "mine"


def test_in_a_pod_the_clusters_own_server_is_meant():
    message = refusal(environment={"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, retry=quick_retry())
    assert "cannot reach http://ml-pipeline.kubeflow.svc.cluster.local:8888" in message


def test_googles_proxy(monkeypatch):
    from google.auth.exceptions import DefaultCredentialsError, RefreshError
    from google.oauth2 import id_token

    class Google:
        valid, token, refreshed = False, None, 0

        def refresh(self, request):
            self.refreshed += 1
            self.valid, self.token = True, f"identity-{self.refreshed}"

    google = Google()
    monkeypatch.setattr(id_token, "fetch_id_token_credentials", lambda audience, request: google if audience == "client" else None)
    with api_server(token="identity-1") as server:
        connection = connected(server, KFP_IAP_CLIENT_ID="client")
        google.valid, server.token = False, "identity-2"  # it has expired: a new one is fetched
        connection.call("Healthz", "get_healthz")

    def refuse(*_, **__):
        raise RefreshError("no metadata server\nhere")

    monkeypatch.setattr(google, "refresh", refuse)
    google.valid = False
    assert "cannot get a token for KFP_IAP_CLIENT_ID: no metadata server here" in refusal(
        "http://a", environment={"KFP_IAP_CLIENT_ID": "client"}
    )

    def none(*_, **__):
        raise DefaultCredentialsError("nothing found")

    monkeypatch.setattr(id_token, "fetch_id_token_credentials", none)
    assert "no default credentials" in refusal("http://a", environment={"KFP_IAP_CLIENT_ID": "client"})


def test_namespaces():
    with api_server(multi_user=True) as server:
        assert connected(server, "team-a").namespace == "team-a"
        assert connected(server, KFP_NAMESPACE="team-b").namespace == "team-b"
        assert "give --namespace" in refusal(server.url, environment={})
    with api_server() as server:
        assert connected(server).namespace is None
        assert "leave --namespace team-a out" in refusal(server.url, "team-a", environment={})


def test_nobody_listens():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert f"cannot reach {url}: [Errno 111] Connection refused; is --host" in refusal(url, environment={})


def test_a_server_that_has_answered_and_then_listens_no_more_is_asked_again(server, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionRefusedError(111, "Connection refused")

    slept: list[float] = []
    connection = connected(server, slept=slept)
    with monkeypatch.context() as dropped:  # as where a forwarded port has dropped
        dropped.setattr("urllib3.util.connection.create_connection", refuse)
        with pytest.raises(Unavailable, match=r"cannot reach http://127.* Connection refused, 5 times over"):
            connection.call("Healthz", "get_healthz")
        assert slept == [0.5, 1, 2, 4]
        assert "is --host (or KFP_HOST) right?" in refusal(server.url, environment={})  # it has never answered this one
    connection.call("Healthz", "get_healthz")


def test_it_is_another_page_or_wants_a_sign_in(server):
    with web_page() as (url, _):
        assert "wants a sign-in" in refusal(url, environment={}) or "want a sign-in" in refusal(url, environment={})
    with web_page(302, location=f"{server.url}/login") as (url, asked):
        assert "it wants a sign-in" in refusal(url, environment={"KFP_TOKEN": TOKEN})
        assert len(asked) == 1 and not server.requests  # the redirection was not followed, least of all with the token
    with web_page(403) as (url, _):
        assert "forbids this to the token in KFP_TOKEN (403)" in refusal(url, environment={"KFP_TOKEN": TOKEN})
    with web_page(500) as (url, _):
        assert "fails (500)" in refusal(url, environment={}, kind=ServerFault)


@pytest.mark.parametrize("status", [502, 503, 504, 0])
def test_what_passes_is_asked_again_with_growing_pauses(server, status):
    slept: list[float] = []
    server.fail("get_healthz", status, times=4)
    connected(server, slept=slept)
    assert slept == [0.5, 1.0, 2.0, 4.0] and server.asked("get_healthz") == 5


def test_not_more_than_five_times(server):
    server.fail("get_healthz", 503, times=9)
    message = refusal(server.url, environment={}, retry=quick_retry(), kind=ServerFault)
    assert "answers 503 (told to fail), 5 times over" in message and server.asked("get_healthz") == 5


def test_chance_shortens_pauses_by_no_more_than_half():
    assert [Retry(chance=lambda: 1.0).pause(attempt) for attempt in (1, 2)] == [0.25, 0.5]
    assert [Retry(chance=lambda: 0.0).pause(attempt) for attempt in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]


def test_other_failures_are_not_repeated(server):
    server.fail("get_healthz", 500)
    refusal(server.url, environment={}, kind=ServerFault)
    assert server.asked("get_healthz") == 1


def test_patience_begins_anew_with_each_answer():
    now = [0.0]
    script = [*[False] * 59, "a", *[False] * 59, "b", *[False] * 99]

    def look():
        found = script.pop(0)
        if not found:
            raise Unavailable("nobody")
        return found

    def sleep(seconds):
        now[0] += seconds

    seen = poll(look, pause=10, patience=600, sleep=sleep, clock=lambda: now[0])
    assert (next(seen), next(seen)) == ("a", "b")
    with pytest.raises(Unavailable, match="nobody, and nobody has answered for 10 minutes"):
        next(seen)
    assert now[0] == 59 * 10 + 10 + 59 * 10 + 600


def test_making_looks_before_it_makes_again():
    made, looked = [], []

    def create():
        made.append(1)
        raise LostAnswer("gone")

    def found_at_last():
        looked.append(1)
        return "it" if len(looked) == 3 else None

    assert quick_retry().make(create, found_at_last) == "it"
    assert (len(made), len(looked)) == (3, 3)
    with pytest.raises(ServerFault, match="5 times over"):
        quick_retry().make(create, lambda: None)

    def conflict():
        raise Conflict("there")

    assert quick_retry().make(conflict, lambda: "it") == "it"
    with pytest.raises(Conflict):
        quick_retry().make(conflict, lambda: None)


def test_lists_are_read_to_their_end(server):
    connection = connected(server)
    for number in range(5):
        server.experiments[str(number)] = {"experiment_id": str(number), "display_name": f"e{number}", "created_at": server.now()}
    assert len(list(connection.pages("Experiment", "list_experiments", "experiments"))) == 5
    assert server.asked("list_experiments") == 3


def test_names_are_compared_to_the_letter(server):
    server.experiments["1"] = {"experiment_id": "1", "display_name": "Cats", "created_at": server.now()}
    connection = connected(server)
    assert not connection.named("Experiment", "list_experiments", "experiments", "cats")
    assert connection.named("Experiment", "list_experiments", "experiments", "Cats")


WATCHED = """
import os, sys
written = []
def watch(event, arguments):
    if event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        written.append(str(arguments[0]))
    if event in ("os.mkdir", "os.rename", "os.symlink", "os.link"):
        written.append(str(arguments[0]))
sys.dont_write_bytecode = True
import kfp_server_api
sys.addaudithook(watch)
from kubeflow.server.connection import connect
from kubeflow.server.submission import submit
run = submit(sys.argv[1], connect(), parameters=["epochs=1"])
assert "kfp" not in sys.modules, "kfp.Client reads and writes ~/.config/kfp"
print(written)
"""


def test_nothing_is_written(tmp_path):
    """Neither by any call that opens a file, nor in the home folder."""
    home = tmp_path / "home"
    home.mkdir()
    file = write_pipeline(tmp_path)
    with api_server(token=TOKEN, multi_user=True) as server:
        environment = {"HOME": str(home), "KFP_HOST": server.url, "KFP_TOKEN": TOKEN, "KFP_NAMESPACE": "team-a"}
        done = subprocess.run(
            [sys.executable, "-c", WATCHED, str(file)],
            cwd=ROOT,
            env={**environment, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
        assert len(server.runs) == 1 and TOKEN not in done.stderr
    assert not list(home.rglob("*"))
