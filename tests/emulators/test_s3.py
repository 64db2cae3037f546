"""Servers of S3 side by side."""

from __future__ import annotations

from tests.emulators.s3 import s3_server


def test_two_servers_share_nothing() -> None:
    with s3_server("store") as (first, _), s3_server("store") as (second, _):
        first.put_object(Bucket="store", Key="a", Body=b"1")
        assert "Contents" not in second.list_objects_v2(Bucket="store") and "Contents" in first.list_objects_v2(Bucket="store")
