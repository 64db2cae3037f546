"""Amazon S3, by moto's server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

KEY, SECRET = "AKIAFORTESTSALONE", "a-secret-that-must-appear-nowhere"


# Ends with its standard input, so that it does not outlive a test run that is killed.
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[tuple[object, dict[str, str]]]:
    """A server with an empty bucket, in a process of its own: all of moto's servers of one process have the same content.

    Yields:
        A client for it, and the environment by which others find it.
    """
    import boto3

    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        environment = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            client = boto3.client(
                "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
            )
            client.create_bucket(Bucket=bucket)
            yield client, environment
        finally:
            server.kill()
