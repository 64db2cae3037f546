"""Access files in cloud stores through Beam's own clients: gs://, s3:// and azfs://; hf://; and all other stores of Beam.

Credentials come from the environment or the cloud's default chain, never from a configuration.
"""

from __future__ import annotations

import functools
import os
import re
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

from common.errors import InputError
from components.image_example_gen.storage import hub

_EXTRAS = {"gs": "gcp", "s3": "aws", "azfs": "azure"}
_TIMEOUT_SECONDS = 20
_MAX_LETTERS = 200  # of an error message
_CLIENTS = threading.local()


def open_stored(uri: str) -> BinaryIO:
    """Open a file for reading its stored bytes. Raise OSError if the file cannot be opened."""
    if uri.startswith(hub.SCHEME):
        return hub.open_hub(uri)
    client = _client(uri)
    try:
        if client is not None:
            return client.open(uri)
        from apache_beam.io.filesystems import FileSystems

        return FileSystems.open(uri, compression_type="uncompressed")
    except OSError:
        raise
    except Exception as error:  # each store raises its own errors
        if _status(error) == 404:
            raise FileNotFoundError(uri) from error
        if _status(error) in (401, 403):
            raise PermissionError(uri) from error
        raise OSError(one_line(error)) from error


def write_empty(uri: str) -> None:
    """Write an empty file."""
    if uri.startswith("s3://"):  # Beam's client uploads in parts, and fails without any
        import boto3

        bucket, _, key = uri.removeprefix("s3://").partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"")
        return
    create_stored(uri).close()


def create_stored(uri: str) -> BinaryIO:
    """Open a file for writing, which replaces an existing one once it is closed; `write_empty` writes one without bytes."""
    client = _client(uri)
    if client is not None:
        return client.open(uri, "wb" if uri.startswith("s3:") else "w")
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.create(uri, compression_type="uncompressed")


def list_stored(folder: str) -> Iterator[tuple[str, int, float]]:
    """Yield path, size in bytes and modification time in seconds since 1970 of each file below a folder, in no order."""
    if folder.startswith(hub.SCHEME):
        yield from hub.list_hub(folder)
    elif client := _client(folder):
        for path, (size, changed) in client.list_files(folder, with_metadata=True):
            yield path, size, changed
    else:
        from apache_beam.io.filesystems import FileSystems

        # `match` would build the whole list.
        for file in FileSystems.get_filesystem(folder)._list(folder):
            yield file.path, file.size_in_bytes, file.last_updated_in_seconds


def is_stored_file(uri: str) -> bool:
    """Return whether a file exists."""
    if uri.startswith(hub.SCHEME):
        return hub.is_hub_file(uri)
    from apache_beam.io.filesystems import FileSystems

    if uri.endswith("/") or uri.count("/") < 3 + uri.startswith("azfs:"):  # a bucket, or a container of an account
        return False
    client = _client(uri)
    try:
        return client.exists(uri) if client is not None else FileSystems.exists(uri)
    except Exception as error:  # each store raises its own errors
        if _status(error) == 404:  # Azure raises for a missing file
            return False
        raise


def stat_stored(uri: str) -> tuple[int, float]:
    """Return size in bytes and modification time in seconds since 1970 of a file."""
    if uri.startswith(hub.SCHEME):
        return hub.stat_hub(uri)
    client = _client(uri)
    if client is not None:
        return client.size(uri), client.last_updated(uri)
    from apache_beam.io.filesystems import FileSystems

    (result,) = FileSystems.match([uri])[0].metadata_list
    return result.size_in_bytes, result.last_updated_in_seconds


def one_line(error: BaseException) -> str:
    """Return an error's message in one line: of nested errors the innermost, which has the cause; a long one is cut at a word."""
    if type(error).__name__ == "ClientAuthenticationError":  # Azure lists everything that it has tried
        return "there are no credentials: set AZURE_STORAGE_CONNECTION_STRING, or sign in by az login"
    inner: BaseException | None = error
    while inner is not None:
        error, inner = inner, _within(inner)
    message = re.sub(r"^<[^>]*>: ", "", " ".join(str(error).split())) or type(error).__name__
    return message if len(message) <= _MAX_LETTERS else f"{message[:_MAX_LETTERS].rpartition(' ')[0] or message[:_MAX_LETTERS]} ..."


def _within(error: BaseException) -> BaseException | None:
    """Return the nested error of Google's client, requests, urllib3 or urllib."""
    causes = (getattr(error, name, None) for name in ("cause", "reason", "original_error"))
    return next((each for each in (*causes, *error.args[:1]) if isinstance(each, BaseException)), None)


def _status(error: Exception) -> int | None:
    """Return the HTTP status of a store's answer, from any client's error."""
    return getattr(error, "code", None) or getattr(error, "status_code", None)


def _client(uri: str) -> Any:
    """Return this thread's client of a URI's store; None for stores without a client of their own in Beam.

    Beam's file systems create a client per file, which takes longer than fetching a small picture.
    """
    scheme = uri.partition("://")[0]
    if scheme not in _EXTRAS:
        return None
    key = "/".join(uri.split("/")[:3]) if scheme == "azfs" else scheme  # an account has its own address
    clients = _CLIENTS.__dict__.setdefault("clients", {})
    if key not in clients:
        try:
            clients[key] = _new_client(scheme, uri)
        except ImportError as error:
            raise InputError(f"{scheme}:// needs one more package: pip install 'apache-beam[{_EXTRAS[scheme]}]'") from error
        except InputError:
            raise
        except Exception as error:  # each cloud raises its own errors
            raise InputError(f"{uri} cannot be reached: {type(error).__name__}: {one_line(error)}") from error
    return clients[key]


@functools.lru_cache
def _check_bucket(bucket: str) -> None:
    """Check that an S3 bucket exists; otherwise Beam would retry for seven minutes."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

    try:
        settings = Config(connect_timeout=_TIMEOUT_SECONDS, read_timeout=_TIMEOUT_SECONDS, retries={"max_attempts": 2})
        boto3.client("s3", config=settings).head_bucket(Bucket=bucket)
    except NoCredentialsError:
        keys = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise InputError(f"s3://{bucket} needs credentials: {keys}") from None
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:  # 403 may mean that files can be read but not listed
            raise InputError(f"there is no bucket s3://{bucket}") from error
    except (BotoCoreError, ValueError) as error:  # an invalid address
        raise InputError(f"s3://{bucket} cannot be reached: {one_line(error)}") from error


def _new_client(scheme: str, uri: str) -> Any:
    from apache_beam.options.pipeline_options import PipelineOptions

    if scheme == "s3":
        _check_bucket(uri.split("/")[2])
        from apache_beam.io.aws.s3io import S3IO

        return S3IO(options=PipelineOptions([]))
    if scheme == "gs":
        from apache_beam.io.gcp.gcsio import GcsIO

        return GcsIO(pipeline_options=PipelineOptions([]))
    import azure.storage.blob  # noqa: F401
    from apache_beam.io.azure.blobstorageio import BlobStorageIO

    account = uri.split("/")[2]
    endpoint = [] if os.environ.get("AZURE_STORAGE_CONNECTION_STRING") else [f"https://{account}.blob.core.windows.net"]
    return BlobStorageIO(pipeline_options=PipelineOptions([f"--blob_service_endpoint={url}" for url in endpoint]))
