"""The images under test, built by their Dockerfiles and kept in the engine's storage by what they are built from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tests.kubeflow.cluster.engine import Engine
from tests.kubeflow.dockerfile import ROOT, context, line_arguments

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
    engine.call(
        "build", *of_engine, f"--file={dockerfile}", *line_arguments(), *network_of_this_machine(), f"--tag={image}", str(ROOT)
    )
    # Newest first; the last few stay, as another test run may be about to use them.
    named = engine.call("images", "--format={{.Repository}}:{{.Tag}}").stdout.split()
    for earlier in [name for name in named if name.startswith(f"{REPOSITORY}-{kind}:")][KEPT:]:
        engine.call("image", "rm", earlier, check=False)
    return image


def network_of_this_machine() -> list[str]:
    """Return the options by which a build reaches the registries as this machine does: certificates, and pip's configuration."""
    of_pip = [os.environ.get("PIP_CONFIG_FILE"), os.path.expanduser("~/.config/pip/pip.conf"), "/etc/pip.conf"]
    bundles = [os.environ.get("PIP_CERT"), os.environ.get("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt"]
    options = ["--network=host"]
    for secret, candidates in (("ca", bundles), ("pip", of_pip)):  # as the Dockerfiles call them
        found = next((path for path in candidates if path and Path(path).is_file()), None)
        options += [f"--secret=id={secret},src={found}"] if found else []
    return options
