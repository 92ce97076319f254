"""A real S3 API on localhost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]
from moto.server import ThreadedMotoServer

KEYS = {"accessId": "AKIDMARKER", "accessSecret": "hush-hush-secret"}


def client(endpoint_url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        aws_access_key_id=KEYS["accessId"],
        aws_secret_access_key=KEYS["accessSecret"],
        region_name="us-east-1",
    )


@contextmanager
def running_bucket(name: str = "speech") -> Iterator[dict[str, str]]:
    """An empty bucket on a server of its own, as a job's `s3Config`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        config = {"endpointUrl": f"http://{host}:{port}", "bucketName": name, **KEYS}
        client(config["endpointUrl"]).create_bucket(Bucket=name)
        yield config
    finally:
        server.stop()
