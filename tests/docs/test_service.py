"""The web service of the serving guide."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.project import ROOT
from tests.serving import tiny_model


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example's address."""
    work = tmp_path_factory.mktemp("work")
    tiny_model.save(tiny_model.ConditionalModel(), work / "serving" / "1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "docs/examples"), "--port", str(port), "service:app"]
    environment = {**os.environ, "WORK": str(work), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert any("running on" in line for line in server.stdout), "it ended before it listened"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def test_the_web_service_draws(service: str) -> None:
    assert json.loads(get(f"{service}/"))["version"] == "1"
    sheet = np.asarray(Image.open(io.BytesIO(get(f"{service}/new.png?seed=7&count=4"))))
    assert sheet.ndim == 2 and get(f"{service}/new.png?seed=7&count=4") == get(f"{service}/new.png?seed=7&count=4")


@pytest.mark.parametrize("query", ["seed=-1", "count=0", "count=65", "temperature=9", "label=nothing%20of%20that%20name"])
def test_what_it_cannot_draw_is_the_callers_mistake(service: str, query: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        get(f"{service}/new.png?{query}")
    assert error.value.code == 422 and error.value.read()
