"""The engine, the images, and a store, for the tests in containers; where there is no engine they are skipped, and say why."""

from __future__ import annotations

import fcntl
import io
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.emulators.s3 import s3_server
from tests.kubeflow.cluster.base import base_name, ensure_base
from tests.kubeflow.cluster.engine import Engine, NoEngine, find_engine, make_usable
from tests.kubeflow.cluster.image import build
from tests.kubeflow.dockerfile import DOCKERFILE, SERVING
from tests.project import darkroom


@dataclass
class Store:
    """An S3 server with one bucket, `store`.

    Attributes:
        client: boto3's.
        environment: By which others find it.
    """

    client: object
    environment: dict[str, str]

    def add_span(self, number: int, levels: np.ndarray, labels: np.ndarray) -> None:
        """Put digits into a span's folder; their labels are folders."""
        for index, (picture, label) in enumerate(zip(levels, labels)):
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            self.client.put_object(Bucket="store", Key=f"pictures/span-{number}/{label}/{index:04d}.png", Body=buffer.getvalue())

    def keys(self, prefix: str) -> list[str]:
        """Return the names below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="store", Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        """Return an object's bytes."""
        return self.client.get_object(Bucket="store", Key=key)["Body"].read()

    def verdicts(self, below: str = "models") -> dict[str, dict]:
        """Return what the registry says of each run that has ended."""
        prefix = f"{below}-registry/runs/"
        found = [key for key in self.keys(prefix) if key.endswith("/verdict.json")]
        return {key.removeprefix(prefix).removesuffix("/verdict.json"): json.loads(self.read(key)) for key in found}

    def versions(self, below: str = "models") -> set[str]:
        """Return the numbers of the pushed models."""
        return {key.split("/")[-2] for key in self.keys(f"{below}/") if key.endswith("/saved_model.pb")}


@pytest.fixture(scope="session")
def one_at_a_time():
    """A lock: two processes of one test run would build the same image at the same time."""
    with (Path(tempfile.gettempdir()) / "darkroom-cluster-test.lock").open("w") as file:

        class Lock:
            def __enter__(self):
                fcntl.flock(file, fcntl.LOCK_EX)

            def __exit__(self, *error):
                fcntl.flock(file, fcntl.LOCK_UN)

        yield Lock()


@pytest.fixture(scope="session")
def engine(tmp_path_factory, one_at_a_time) -> Engine:
    """An engine in which a container has run; its storage has the Dockerfile's base."""
    try:
        found = find_engine()
        with one_at_a_time:
            base = ensure_base(found)
        make_usable(found, base, tmp_path_factory.mktemp("engine"))
    except NoEngine as reason:
        pytest.skip(f"no containers here: {reason}")
    return found


@pytest.fixture(scope="session")
def image(engine, one_at_a_time) -> str:
    """The image of the steps."""
    with one_at_a_time:
        return build(engine, DOCKERFILE, base_name())


@pytest.fixture(scope="session")
def serving_image(engine, one_at_a_time) -> str:
    """The small image that draws pictures."""
    with one_at_a_time:
        return build(engine, SERVING, base_name())


@pytest.fixture(scope="module")
def store():
    """An S3 store."""
    with s3_server("store") as (client, environment):
        yield Store(client, environment)


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits as 8-bit pictures, and their labels."""
    return np.round(load_digits().images * 255 / 16).astype(np.uint8), load_digits().target


@pytest.fixture(scope="session")
def compiled():
    """What writes the YAML: `compiled(folder, image, images, *settings)` returns the file's path."""
    usual = (
        *("preprocessing.height=8", "preprocessing.width=8", "preprocessing.channels=1"),
        *("training.batch_size=32", "training.epochs=12", "evaluation.max_drop=5", "training.warm_start=true"),
        *("cluster.retries=1", "cluster.name=digits"),
    )

    def compile_(folder: Path, image: str, images: str, *settings: str) -> Path:
        options = [option for setting in (*usual, f"cluster.image={image}", *settings) for option in ("--set", setting)]
        ended = darkroom("compile", "--images", images, "--out", folder / "digits.yaml", *options)
        assert ended.status == 0, ended.err
        return folder / "digits.yaml"

    return compile_
