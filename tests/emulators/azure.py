"""Azure Blob Storage, by Azurite, which npm installs into the environment's folder."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Azurite's own account, which every installation of it has: github.com/Azure/Azurite, "Default storage account".
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_HERE = Path(__file__).parent


def install() -> Path:
    """Azurite's program, installed as its lock file says where it is not yet; else the test is skipped with the reason."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("Azurite needs Node.js and npm, which are not here")
    lock = _HERE / "package-lock.json"
    folder = Path(sys.prefix) / "azurite"
    program = folder / "node_modules/.bin/azurite-blob"
    if not (program.exists() and (folder / lock.name).read_bytes() == lock.read_bytes()):
        folder.mkdir(exist_ok=True)
        for name in ("package.json", lock.name):
            shutil.copy(_HERE / name, folder)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"npm could not install Azurite: {done.stderr.strip()[-200:]}")
    return program


@contextlib.contextmanager
def azure_server(container: str) -> Iterator[tuple[object, dict[str, str]]]:
    """A server with an empty container.

    Yields:
        A client for the container, and the environment by which others find it.
    """
    from azure.storage.blob import BlobServiceClient

    with tempfile.TemporaryDirectory(prefix="azurite-") as folder:  # it writes where it stands
        command = [str(install()), "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            url = next((found[0] for line in server.stdout if (found := re.search(r"http://[\d.]+:\d+", line))), None)
            assert url, "Azurite ended before it listened"
            connection = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url}/{ACCOUNT};"
            yield (
                BlobServiceClient.from_connection_string(connection).create_container(container),
                {"AZURE_STORAGE_CONNECTION_STRING": connection},
            )
        finally:
            server.terminate()
            server.wait(timeout=20)
            server.stdout.close()
