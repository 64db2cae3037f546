"""Amazon S3, by moto's server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

KEY, SECRET = "AKIAFORTESTSALONE", "a-secret-that-must-appear-nowhere"


@contextlib.contextmanager
def s3_server(bucket: str) -> Iterator[tuple[object, dict[str, str]]]:
    """A server with an empty bucket.

    Yields:
        A client for it, and the environment by which others find it.
    """
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        client = boto3.client("s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1")
        client.create_bucket(Bucket=bucket)
        yield client, environment
    finally:
        server.stop()
