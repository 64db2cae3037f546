"""The images under test, built by their Dockerfiles and kept in the engine's storage by what they are built from."""

from __future__ import annotations

import configparser
import hashlib
import os
from pathlib import Path

from tests.kubeflow.cluster.engine import Engine
from tests.kubeflow.dockerfile import ROOT, context

SECRET = "ca"  # the CA bundle's name in the Dockerfiles
REPOSITORY = "localhost/darkroom-cluster-test"
KEPT = 3  # images of each kind


def build(engine: Engine, dockerfile: Path, base: str) -> str:
    """Return the name of the image of a Dockerfile, built unless the storage has that of the same inputs.

    An edit of the sources builds the last layers anew: the engine has kept the others. Images of much earlier inputs go.

    Args:
        engine: Where.
        dockerfile: In the checkout's folder kubeflow/.
        base: The image that FROM names.

    Raises:
        RuntimeError: The build failed.
    """
    kind = dockerfile.name.removeprefix("Dockerfile").strip(".") or "steps"
    inputs = hashlib.sha256(engine.image_id(base).encode())
    for name in (dockerfile.relative_to(ROOT).as_posix(), *context(dockerfile)):
        inputs.update(f"{name}\0".encode() + hashlib.sha256((ROOT / name).read_bytes()).digest())
    image = f"{REPOSITORY}-{kind}:{inputs.hexdigest()[:16]}"
    if engine.has_image(image):
        return image
    ignore = dockerfile.with_name(f"{dockerfile.name}.dockerignore")
    of_engine = ["--layers", "--pull=never", f"--ignorefile={ignore}"] if engine.name == "podman" else []
    engine.call("build", *of_engine, f"--file={dockerfile}", *network_of_this_machine(), f"--tag={image}", str(ROOT))
    # Newest first; the last few stay, as another test run may be about to use them.
    named = engine.call("images", "--format={{.Repository}}:{{.Tag}}").stdout.split()
    for earlier in [name for name in named if name.startswith(f"{REPOSITORY}-{kind}:")][KEPT:]:
        engine.call("image", "rm", earlier, check=False)
    return image


def network_of_this_machine() -> list[str]:
    """Return the options by which a build reaches the registries as this machine does: certificates, and an index if one is set."""
    settings = pip_settings()
    candidates = (
        os.environ.get("PIP_CERT"),
        settings.get("cert"),
        os.environ.get("SSL_CERT_FILE"),
        "/etc/ssl/certs/ca-certificates.crt",
    )
    bundle = next((path for path in candidates if path and Path(path).is_file()), None)
    options = [f"--secret=id={SECRET},src={bundle}"] if bundle else []
    index = os.environ.get("PIP_INDEX_URL") or settings.get("index-url")
    if index:
        options += [f"--build-arg=PIP_INDEX_URL={index}", f"--build-arg=UV_DEFAULT_INDEX={index}"]
    return [*options, "--network=host"]


def pip_settings() -> dict[str, str]:
    """Return the section [global] of this machine's configuration of pip."""
    found: dict[str, str] = {}
    files = ["/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf", os.environ.get("PIP_CONFIG_FILE", "")]
    for name in files:
        parser = configparser.RawConfigParser()
        if name and parser.read(os.path.expanduser(name)) and parser.has_section("global"):
            found |= dict(parser.items("global"))
    return found
