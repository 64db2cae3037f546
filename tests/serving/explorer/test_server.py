"""The explorer's server: what it answers about pictures, and whom it answers."""

from __future__ import annotations

import base64
import io
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.errors import InputError
from serving.explorer import server as module
from serving.explorer.find import page_of
from serving.explorer.page import render_again
from serving.explorer.server import ExplorerServer, unusual
from serving.manifest import write_manifest
from serving.pushed import PushedModel
from tests.serving import tiny_model
from tests.serving.explorer import tiny_program


@pytest.fixture(scope="module")
def model(work: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedModel]:
    folder = shutil.copytree(work / "serving" / "3", tmp_path_factory.mktemp("explored") / "3")
    tiny_program.save(folder)
    about = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**about, "held_out_elbo": [-1e6, -50.0, -10.0]}))
    write_manifest(folder)
    pushed = PushedModel(folder)
    yield pushed
    pushed.close()


@contextmanager
def serving(model: PushedModel, **fields: object) -> Iterator[ExplorerServer]:
    server = ExplorerServer(model, page_of(model.path, None), **fields)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def ask(server: ExplorerServer, path: str = "", data: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """The status and the content of an answer; names of headers have _ in place of -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}/{path}", data, named)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def levels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_a_picture_gets_the_models_own_answers(model: PushedModel, tmp_path: Path) -> None:
    content = tiny_model.picture((8, 8, 1), 1)
    (tmp_path / "1.png").write_bytes(content)
    with serving(model) as server:
        status, answer = ask(server, "picture", content)
    found = json.loads(answer)
    assert status == 200
    np.testing.assert_allclose(found["code"], model.encode([tmp_path / "1.png"]).values["mean"][0], rtol=1e-6)
    assert found["elbo"] == pytest.approx(model.score([tmp_path / "1.png"]).values["elbo"][0])
    np.testing.assert_array_equal(levels(found["original"]), np.asarray(Image.open(tmp_path / "1.png")))
    np.testing.assert_array_equal(
        levels(found["reconstruction"]), model.reconstruct([tmp_path / "1.png"]).values["images"][0, ..., 0]
    )
    assert 0 <= found["unusual"] <= 1 and found["label"] is None


def test_a_conditional_model_says_the_label(conditional_work: Path) -> None:
    pushed = PushedModel(conditional_work / "serving" / "1")
    server = ExplorerServer(pushed, PAGE)
    found = server.describe(tiny_model.picture((20, 9, 3), 2))
    assert found["label"] in tiny_model.LABELS and found["unusual"] is None
    server._server.server_close()
    pushed.close()


PAGE = '<h1>x</h1><script type="application/json" id="data">{}</script><script type="text/plain" id="weights"></script>'


def test_what_cannot_be_read_gets_a_sentence(model: PushedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with serving(model) as server:
        for data, status, words in (
            (b"not a picture", 422, "cannot be read as a picture"),
            (tiny_model.picture((8, 8, 1), 1)[:-20], 422, "This file cannot be read as a picture"),
            (b"x" * 1001, 413, "A picture has at most"),
            (b"", 411, "empty"),
        ):
            found, answer = ask(server, "picture", data)
            assert found == status and words in json.loads(answer)["error"]
        assert ask(server, "other", b"x")[0] == 404 and ask(server, "favicon.ico")[0] == 404
        assert ask(server, "picture", tiny_model.picture((8, 8, 1), 1))[0] == 200, "it goes on"


def test_pages_of_other_sites_are_refused(model: PushedModel) -> None:
    """Another site reaches 127.0.0.1 by a name of its own (DNS rebinding), or from its own origin."""
    picture = tiny_model.picture((8, 8, 1), 1)
    with serving(model) as server:
        own = f"127.0.0.1:{server.port}"
        assert ask(server)[0] == 200 and ask(server, Host=f"localhost:{server.port}")[0] == 200
        assert ask(server, Host="evil.example")[0] == 403
        assert ask(server, "picture", picture, Origin="http://evil.example")[0] == 403
        assert ask(server, "picture", picture, Origin=f"http://{own}")[0] == 200


def test_other_addresses_need_a_token(model: PushedModel) -> None:
    with pytest.raises(InputError, match="--host 0.0.0.0 is reachable for others: choose a --token"):
        ExplorerServer(model, PAGE, "0.0.0.0")
    picture = tiny_model.picture((8, 8, 1), 1)
    with serving(model, host="0.0.0.0", token="tök en") as server:
        assert ask(server)[0] == 403 and ask(server, "?token=wrong")[0] == 403
        assert ask(server, "?token=t%C3%B6k%20en", Host="box.example:80")[0] == 200
        assert ask(server, "picture", picture)[0] == 403
    with serving(model, token="secret") as server:
        assert ask(server, "picture", picture, X_Darkroom_Token="secret")[0] == 200


def test_a_taken_port_is_a_sentence(model: PushedModel) -> None:
    with serving(model) as server, pytest.raises(InputError, match=rf"cannot listen on 127.0.0.1, port {server.port}: .*--port"):
        ExplorerServer(model, PAGE, port=server.port)


def test_the_served_page_may_ask_its_own_server_alone(model: PushedModel) -> None:
    page = page_of(model.path, None)
    served = render_again(page, api={"limit": 7})
    assert "connect-src" not in page and "connect-src 'self'; base-uri" in served
    assert '"api": {"limit": 7}' in served and "nothing leaves the page" in page and "nothing leaves the page" not in served
    with pytest.raises(ValueError, match="not an explorer's"):
        render_again("<html>")


def test_how_unusual_a_score_is() -> None:
    quantiles = [-40.0, -20.0, -10.0]
    assert [unusual(elbo, quantiles) for elbo in (-50.0, -20.0, 0.0)] == [1.0, 0.5, 0.0]
    assert unusual(-20.0, None) is None
