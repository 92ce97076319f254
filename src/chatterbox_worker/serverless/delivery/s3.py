"""A bucket that large answers go to: S3 or a service with its API.

RunPod's convention for a worker's bucket is an endpoint URL with the bucket in its host
(`https://bucket.s3.eu-west-1.amazonaws.com`) and two keys; a job's own `s3Config` names endpoint and bucket apart. Both
are understood, and a bucket as the URL's path. The SDK's upload is not used: without keys it writes to the local
disk and returns that path as the URL, and it sends no content type for audio.

botocore signs, retries and reads the answers; its `before-send` event passes each request to httpx. A job's endpoint is
an address that a caller names, so it is connected to through `net`; the worker's own bucket may be private.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from chatterbox_worker import net
from chatterbox_worker.config import Settings, variable
from chatterbox_worker.errors import InvalidRequest, choices, quote
from chatterbox_worker.serverless.delivery.answer import NotDelivered

if TYPE_CHECKING:
    import httpx

EXPIRES_S = 7 * 86_400
"""Of a presigned URL: the most that Signature Version 4 allows."""

_S3_CONFIG = {"endpointUrl": "the endpoint", "bucketName": "the bucket", "accessId": "a key", "accessSecret": "a key"}
_LONGEST_FIELD_CHARS = 2048
_HOSTED = re.compile(  # bucket.s3.region.amazonaws.com and services with the same form, Spaces, R2
    r"(?P<bucket>[a-z0-9][a-z0-9.-]*?)\."
    r"(?P<host>s3[.-].+|[a-z0-9]+\.digitaloceanspaces\.com|[0-9a-f]{32}(\.[a-z]+)?\.r2\.cloudflarestorage\.com)"
)
_REGION = re.compile(
    r"(?:^|\.)(?:s3[.-])?(?P<region>[a-z]{2,}-?[a-z0-9-]*\d)\.(?:[a-z0-9-]+)\.(?:com|net|io)(?:\.cn)?$"
)
_DEFAULT_REGION = "us-east-1"  # what services without regions expect in a signature
_TIMEOUT_S, _CONNECT_S = 60.0, 5.0
_SLOWEST_BYTES_PER_S = 200_000  # to a job's bucket: what an upload may take in addition, with its retries
_LARGEST_ANSWER_BYTES = 1_000_000  # to an upload: an error is a few hundred bytes of XML


@dataclass(frozen=True, slots=True)
class Bucket:
    endpoint_url: str
    name: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    is_guarded: bool = False
    """Whether only public addresses may be connected to."""

    @classmethod
    def of_worker(cls, settings: Settings) -> Bucket | None:
        """The worker's own, from BUCKET_* variables; None if none is set.

        Raises:
            InvalidRequest: some of it is missing; names the variable.
        """
        needed = {
            "bucket_endpoint_url": settings.bucket_endpoint_url,
            "bucket_access_key_id": settings.bucket_access_key_id,
            "bucket_secret_access_key": settings.bucket_secret_access_key,
        }
        if not any(needed.values()):
            return None
        if missing := [variable(name) for name, value in needed.items() if not value]:
            raise InvalidRequest(f"a bucket needs {choices(missing)} too", field=missing[0])
        endpoint, name = _split(settings.bucket_endpoint_url or "", settings.bucket_name, variable("bucket_name"))
        return cls(endpoint, name, settings.bucket_access_key_id or "", settings.bucket_secret_access_key or "")

    @classmethod
    def of_job(cls, config: object, *, allow_private: bool) -> Bucket:
        """A job's own, from its top-level `s3Config`.

        Raises:
            InvalidRequest: it is not complete, or its endpoint is not a public address.
        """
        if not isinstance(config, dict):
            raise InvalidRequest(f"s3Config must be an object with {choices(_S3_CONFIG)}", field="s3Config")
        if unknown := [name for name in config if name not in _S3_CONFIG]:
            raise InvalidRequest(f"s3Config has {choices(_S3_CONFIG)}, not {quote(unknown[0])}", field="s3Config")
        for name in _S3_CONFIG:
            value = config.get(name)
            if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST_FIELD_CHARS:
                raise InvalidRequest(f"s3Config needs {name}, a string", field="s3Config")
        url, bucket, key_id, secret = (config[name].strip() for name in _S3_CONFIG)
        endpoint, name = _split(url, bucket, "s3Config.bucketName", field="s3Config")
        if not allow_private:  # checked again, with what the name then resolves to, by each connection
            try:
                net.resolve_public(urlsplit(endpoint).hostname or "")
            except net.AddressError as error:
                raise InvalidRequest(f"the endpoint in s3Config {error}", field="s3Config") from None
        return cls(endpoint, name, key_id, secret, is_guarded=not allow_private)

    def put(self, data: bytes, *, mimetype: str, suffix: str) -> str:
        """Upload under a name that cannot be guessed; a URL to get it by, for `EXPIRES_S` seconds.

        Raises:
            NotDelivered: the upload failed, after retries.
        """
        # Half a second and 20 MB, for workers that need it
        import httpx  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # noqa: PLC0415

        from chatterbox_worker.net.client import open_client  # noqa: PLC0415

        key = f"chatterbox/{datetime.now(UTC):%Y-%m-%d}/{secrets.token_urlsafe(24)}.{suffix}"
        try:
            within_s = _TIMEOUT_S + len(data) / _SLOWEST_BYTES_PER_S
            with open_client(allow_private=False, within_s=within_s) if self.is_guarded else httpx.Client() as http:
                client = self._client(_Sender(http))
                client.put_object(Bucket=self.name, Key=key, Body=data, ContentType=mimetype)
                url: str = client.generate_presigned_url(
                    "get_object", Params={"Bucket": self.name, "Key": key}, ExpiresIn=EXPIRES_S
                )
        except ClientError as error:
            reason = error.response.get("Error", {}).get("Code", "an error")
            raise NotDelivered(f"the bucket answered {reason}") from None
        except net.AddressError as error:
            raise NotDelivered(f"the bucket's endpoint {error}") from None
        except (BotoCoreError, ValueError) as error:  # ValueError: botocore's for an endpoint or a name that is not one
            raise NotDelivered(f"the bucket cannot be reached: {type(error).__name__}") from None
        return url

    def _client(self, sender: _Sender) -> Any:
        import botocore.session  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415

        is_amazon = ".amazonaws.com" in self.endpoint_url
        client = botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=_region(self.endpoint_url),
            config=Config(
                signature_version="s3v4",
                retries={"max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "virtual" if is_amazon else "path"},
                # not every S3 accepts the checksums that botocore adds by itself since 1.36
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        client.meta.events.register("before-send.s3", sender)
        return client


class _Sender:
    """Handles botocore's `before-send` event.

    A redirect is an error here: botocore answers one by asking for the bucket's region, and by asking again, without
    end, if that is redirected too. NotDelivered and AddressError are not botocore's errors, so it does not retry them.
    """

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def __call__(self, request: Any, **_: object) -> Any:
        import httpx  # noqa: PLC0415
        from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]  # noqa: PLC0415
        from botocore.exceptions import EndpointConnectionError, HTTPClientError  # noqa: PLC0415

        headers = {name: value for name, value in request.headers.items() if name.lower() != "expect"}
        try:
            with self._http.stream(
                request.method,
                request.url,
                content=request.body,
                headers=headers | {"Accept-Encoding": "identity"},
                timeout=httpx.Timeout(_TIMEOUT_S, connect=_CONNECT_S),
            ) as response:
                body = _Body()
                for piece in response.iter_raw():
                    body.write(piece)
                    if body.tell() > _LARGEST_ANSWER_BYTES:
                        raise HTTPClientError(error="the answer is too long")
                if response.is_redirect:
                    raise NotDelivered(f"the bucket answered {response.status_code}, a redirect")
                return AWSResponse(request.url, response.status_code, dict(response.headers), body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise EndpointConnectionError(endpoint_url=request.url, error=error) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise HTTPClientError(error=error) from error


class _Body(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        """As botocore reads it."""
        yield self.getvalue()


def _split(url: str, name: str | None, asked: str, *, field: str | None = None) -> tuple[str, str]:
    """The endpoint without the bucket, and the bucket."""
    parts = _parts(url, field)
    host, path = parts.netloc, parts.path.strip("/")
    if name is None and path:
        name, path = path, ""
    elif name is None and (hosted := _HOSTED.fullmatch(host)):
        name, host = hosted["bucket"], hosted["host"]
    elif name is not None:
        host = host.removeprefix(f"{name}.")
        path = "" if path == name else path
    if not name:
        raise InvalidRequest(f"{asked} is needed: the endpoint does not name a bucket", field=field or asked)
    return urlunsplit((parts.scheme, host, path, "", "")), name


def _parts(url: str, field: str | None) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None:
        raise InvalidRequest("the bucket's endpoint is not an http or https URL", field=field or "BUCKET_ENDPOINT_URL")
    return parts


def _region(endpoint_url: str) -> str:
    host = urlsplit(endpoint_url).hostname or ""
    if host.endswith(".r2.cloudflarestorage.com"):
        return "auto"
    found = _REGION.search(host)
    return _DEFAULT_REGION if found is None else found["region"]
