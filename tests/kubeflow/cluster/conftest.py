"""The engine, the images, and a store, for the tests in containers; where there is no engine they are skipped, and say why."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.emulators.s3 import s3_server
from tests.kubeflow.cluster.base import base_name, ensure_base
from tests.kubeflow.cluster.engine import Engine, NoEngine, find_engine, make_usable
from tests.kubeflow.cluster.image import build
from tests.kubeflow.dockerfile import DOCKERFILE, SERVING


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


@pytest.fixture(scope="session")
def took():
    """Collect what took how long; it is printed at the end."""
    found: dict[str, float] = {}
    yield found
    print("\n" + "\n".join(f"{seconds:7.1f} s  {what}" for what, seconds in found.items()))


@pytest.fixture(scope="session")
def engine(tmp_path_factory, took) -> Engine:
    """An engine in which a container has run; its storage has the Dockerfile's base."""
    started = time.monotonic()
    try:
        found = find_engine()
        base = ensure_base(found)
        make_usable(found, base, tmp_path_factory.mktemp("engine"))
    except NoEngine as reason:
        pytest.skip(f"no containers here: {reason}")
    took["engine and base"] = time.monotonic() - started
    return found


@pytest.fixture(scope="session")
def image(engine, took) -> str:
    """The image of the steps."""
    started = time.monotonic()
    name = build(engine, DOCKERFILE, base_name())
    took["image of the steps"] = time.monotonic() - started
    return name


@pytest.fixture(scope="session")
def serving_image(engine, took) -> str:
    """The small image that draws pictures."""
    started = time.monotonic()
    name = build(engine, SERVING, base_name())
    took["serving image"] = time.monotonic() - started
    return name


@pytest.fixture(scope="module")
def store():
    """An S3 store."""
    with s3_server("store") as (client, environment):
        yield Store(client, environment)


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits as 8-bit pictures, and their labels."""
    return np.round(load_digits().images * 255 / 16).astype(np.uint8), load_digits().target
