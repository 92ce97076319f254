"""A job's own bucket is reached at public addresses only; the worker's own may be private."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.parse import urlsplit

import httpx
import pytest

from chatterbox_worker.errors import InvalidRequest
from chatterbox_worker.serverless.delivery.answer import NotDelivered
from chatterbox_worker.serverless.delivery.s3 import Bucket
from support.addresses import NOT_PUBLIC
from support.buckets import running_bucket
from support.http_server import QuietHandler, serving
from support.network import DEAD, SERVED, FakeNetwork

HOST = "storage"


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, str]]:
    with running_bucket() as config:
        yield config


@pytest.fixture
def network(running: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    return FakeNetwork(monkeypatch, urlsplit(running["endpointUrl"]).port or 0)


def config_at(url: str, running: dict[str, str]) -> dict[str, str]:
    return {**running, "endpointUrl": url}


def put(bucket: Bucket, data: bytes = b"sound") -> str:
    return bucket.put(data, mimetype="audio/mpeg", suffix="mp3")


@pytest.mark.parametrize("address", [address for address in NOT_PUBLIC if "%" not in address])
def test_no_address_inside_is_a_jobs_bucket(address: str, running: dict[str, str]) -> None:
    url = f"http://[{address}]:9000" if ":" in address else f"http://{address}:9000"
    with pytest.raises(InvalidRequest, match="the endpoint in s3Config is not a public address") as refused:
        Bucket.of_job(config_at(url, running), allow_private=False)
    assert refused.value.field == "s3Config"


def test_an_endpoint_that_cannot_be_resolved_is_refused(running: dict[str, str], network: FakeNetwork) -> None:
    network.answers[HOST] = [()]
    with pytest.raises(InvalidRequest, match="the endpoint in s3Config cannot be resolved"):
        Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False)


def test_a_jobs_upload_arrives_whole_through_the_guard(running: dict[str, str], network: FakeNetwork) -> None:
    network.answers[HOST] = [(SERVED,)]
    data = bytes(range(256)) * 40_000  # 10 MB

    url = put(Bucket.of_job(config_at(f"http://{HOST}:9000", running), allow_private=False), data)

    assert set(network.connections) == {SERVED}
    parts = urlsplit(url)
    assert (parts.netloc, parts.path.split("/")[1]) == (f"{HOST}:9000", running["bucketName"])
    got = httpx.get(f"{running['endpointUrl']}{parts.path}?{parts.query}")
    assert (got.content, got.headers["Content-Type"]) == (data, "audio/mpeg")


@pytest.mark.parametrize("answers", [[(SERVED,), ("127.0.0.1",)], [(SERVED,), (SERVED, "::1")]])
def test_a_name_that_becomes_private_after_the_check_is_not_connected_to(
    answers: list[tuple[str, ...]], running: dict[str, str], network: FakeNetwork
) -> None:
    network.answers[HOST] = list(answers)
    bucket = Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False)

    with pytest.raises(NotDelivered, match="the bucket's endpoint is not a public address"):
        put(bucket)

    assert network.connections == []


def test_each_connection_goes_to_the_address_of_its_own_check(running: dict[str, str], network: FakeNetwork) -> None:
    network.answers[HOST] = [(SERVED,), (SERVED,), ("127.0.0.1",)]

    put(Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False))

    assert network.connections == [SERVED]
    assert network.lookups == [HOST, HOST]  # before anything is spoken, and for the connection


def test_the_host_that_the_bucket_is_put_in_front_of_is_checked_too(
    running: dict[str, str], network: FakeNetwork
) -> None:
    # The path makes it look like Amazon's, whose buckets are part of the host.
    network.answers = {HOST: [(SERVED,)], f"inside.{HOST}": [("127.0.0.1",)]}
    config = {**config_at(f"http://{HOST}/.amazonaws.com", running), "bucketName": "inside"}

    with pytest.raises(NotDelivered, match="the bucket's endpoint is not a public address"):
        put(Bucket.of_job(config, allow_private=False))

    assert network.connections == []


def test_a_private_bucket_of_a_job_is_used_if_the_operator_allows_it(running: dict[str, str]) -> None:
    url = put(Bucket.of_job(running, allow_private=True))
    assert httpx.get(url).content == b"sound"


def test_the_workers_own_bucket_may_be_private(running: dict[str, str], network: FakeNetwork) -> None:
    network.answers[HOST] = [("127.0.0.1",)]
    port = urlsplit(running["endpointUrl"]).port
    bucket = Bucket(f"http://{HOST}:{port}", running["bucketName"], running["accessId"], running["accessSecret"])

    put(bucket)

    assert set(network.connections) == {"127.0.0.1"}


def test_an_error_of_the_bucket_has_its_code(running: dict[str, str], network: FakeNetwork) -> None:
    network.answers[HOST] = [(SERVED,)]
    config = {**config_at(f"http://{HOST}", running), "bucketName": "missing"}
    with pytest.raises(NotDelivered, match="the bucket answered NoSuchBucket"):
        put(Bucket.of_job(config, allow_private=False))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between the tries."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)


@pytest.mark.usefixtures("impatient")
def test_a_bucket_that_refuses_connections_is_tried_again_and_named_without_its_keys(
    running: dict[str, str], network: FakeNetwork
) -> None:
    network.answers[HOST] = [(DEAD,)]
    bucket = Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False)

    with pytest.raises(NotDelivered, match=r"^the bucket cannot be reached: EndpointConnectionError$"):
        put(bucket)

    assert network.connections == [DEAD] * 4


class _Odd(QuietHandler):
    requests: list[tuple[str, bytes]]
    answers: list[tuple[int, dict[str, str], bytes]]

    def do_PUT(self) -> None:
        self.requests.append((self.path, self.rfile.read(int(self.headers["Content-Length"] or 0))))
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not status:
            return  # the connection is closed
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT  # noqa: N815


@contextmanager
def odd_bucket(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[tuple[type[_Odd], int]]:
    """A server that answers with these, one after the other."""
    handler = type("Handler", (_Odd,), {"requests": [], "answers": list(answers)})
    with serving(handler) as port:
        yield handler, port


@pytest.mark.usefixtures("impatient")
def test_a_server_error_is_tried_again_with_the_whole_body(
    running: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with odd_bucket((503, {}, b""), (200, {}, b"")) as (handler, port):
        FakeNetwork(monkeypatch, port).answers[HOST] = [(SERVED,)]
        put(Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False), b"x" * 300_000)

        assert [len(body) for _, body in handler.requests] == [300_000] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, running: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with odd_bucket((status, {"Location": "http://127.0.0.1:9/", "Content-Length": "0"}, b"")) as (_, port):
        network = FakeNetwork(monkeypatch, port)
        network.answers[HOST] = [(SERVED,)]
        with pytest.raises(NotDelivered, match=f"^the bucket answered {status}, a redirect$"):
            put(Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False))

    assert set(network.connections) == {SERVED}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [(200, {}, b"x" * 3_000_000), (0, {}, b"")], ids=["without end", "none"])
def test_a_bad_answer_is_given_up(
    answer: tuple[int, dict[str, str], bytes], running: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with odd_bucket(answer) as (_, port):
        network = FakeNetwork(monkeypatch, port)
        network.answers[HOST] = [(SERVED,)]
        with pytest.raises(NotDelivered, match="the bucket cannot be reached: HTTPClientError"):
            put(Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False))

    assert set(network.connections) == {SERVED}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("part", ["headers", "body"])
def test_an_answer_that_arrives_byte_by_byte_is_given_up(
    part: str, running: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatterbox_worker.serverless.delivery.s3._TIMEOUT_S", 0.2)
    head = b"HTTP/1.1 200 OK\r\n" if part == "headers" else b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"
    ended = threading.Event()

    class Slow(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(head)
            with contextlib.suppress(OSError):
                while not ended.wait(0.02):
                    self.wfile.write(b"x")

    with ThreadingTCPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        FakeNetwork(monkeypatch, server.server_address[1]).answers[HOST] = [(SERVED,)]
        started_s = time.monotonic()
        with pytest.raises(NotDelivered, match="the bucket cannot be reached"):
            put(Bucket.of_job(config_at(f"http://{HOST}", running), allow_private=False))
        assert time.monotonic() - started_s < 60  # it never ends by itself
        ended.set()
        server.shutdown()
        thread.join()
