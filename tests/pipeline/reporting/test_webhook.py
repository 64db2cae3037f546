"""Posting a verdict, to real servers."""

import shutil
import socket
import ssl
import subprocess
import threading
import traceback

import pytest

from pipeline.reporting.webhook import NotPosted, post
from pipeline.verdict.verdict import Verdict
from tests.hook import hook

SECRET = "/hush-4711"
VERDICT = Verdict(run="20260101-000000", title="größer", images="/p", started="2026-01-01T00:00:00+00:00")


def refused(address, **how):
    with pytest.raises(NotPosted) as caught:
        post(address, VERDICT, **how)
    assert SECRET[1:] not in "".join(traceback.format_exception_only(caught.type, caught.value))
    assert caught.value.__cause__ is None and (caught.value.__suppress_context__ or caught.value.__context__ is None)
    return str(caught.value)


def test_the_verdict_arrives_as_json():
    with hook() as server:
        post(server.address + SECRET, VERDICT)
    ((method, path, kind, body),) = server.received
    assert (method, path, kind) == ("POST", SECRET, "application/json")
    assert body["title"] == "größer" and set(body) == set(vars(VERDICT))


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_a_server_that_does_not_take_it(status):
    with hook(status=status) as server:
        assert f"the answer was {status}" in refused(server.address + SECRET)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with hook() as other, hook(status=status, headers={"Location": other.address + "/there"}) as server:
        assert "redirect" in refused(server.address + SECRET)
    assert not other.received


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "refused" in refused(f"http://127.0.0.1:{free.getsockname()[1]}{SECRET}")


def test_a_server_that_does_not_answer():
    with hook(silent=True) as server:
        assert "no answer within 0.3 seconds" in refused(server.address + SECRET, seconds=0.3)


def test_a_server_that_answers_a_byte_at_a_time_is_not_waited_for():
    """Each byte comes within a socket's own time limit."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def trickle():
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not ended.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=trickle, daemon=True)
        thread.start()
        try:
            assert "no answer" in refused(f"http://127.0.0.1:{listening.getsockname()[1]}{SECRET}", seconds=0.5)
        finally:
            ended.set()
            thread.join()


def test_what_is_no_http():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet():
            connection, _ = listening.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(b"220 mail\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert refused(f"http://127.0.0.1:{listening.getsockname()[1]}{SECRET}") == "BadStatusLine"
        thread.join()


@pytest.mark.parametrize(
    "address", [f"file://{SECRET}", SECRET, f"http://{'a' * 70}{SECRET}", f"http://h.invalid{SECRET}", f"https://a b{SECRET}"]
)
def test_addresses_that_lead_nowhere(address):
    assert refused(address, seconds=20)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate of 127.0.0.1, and the server's side of TLS with it."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    words = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hook -addext subjectAltName=IP:127.0.0.1"
    words += f" -keyout {key} -out {made}"
    subprocess.run(words.split(), check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


def test_tls_with_a_certificate_that_the_system_trusts(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with hook(certificate[1]) as server:
        post(server.address + SECRET, VERDICT)
        assert len(server.received) == 1
        name = server.address.replace("127.0.0.1", "localhost")
        assert "certificate is not trusted" in refused(name + SECRET)


def test_tls_with_one_that_it_does_not(certificate):
    with hook(certificate[1]) as server:
        assert "certificate is not trusted: self" in refused(server.address + SECRET)
    assert not server.received
