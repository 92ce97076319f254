"""The memory that an upload takes, measured as the peak of a server's process; and what conversions cost a stream."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from chatterbox_worker.config import environment
from support.paths import ROOT

MOST_MB = 300

_SERVER = """
import asyncio, json, resource, sys
from pathlib import Path
import httpx2
from chatterbox_worker.config import Settings
from chatterbox_worker.server.app import create_app

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

async def post(app, path, fields, file):
    # the status, the size and the error of the answer; nothing of a sound is kept here
    request = httpx2.Request("POST", "http://127.0.0.1" + path, files={"file": ("b.flac", file)}, data=fields)
    body, status, size, text = [request.read()], 0, 0, b""

    async def receive():
        return {"type": "http.request", "body": body.pop()} if body else await asyncio.Event().wait()

    async def send(message):
        nonlocal status, size, text
        status = message.get("status", status)
        size += len(message.get("body", b""))
        if status >= 400:
            text += message.get("body", b"")

    headers = [(name.lower(), value) for name, value in request.headers.raw]
    await app(
        {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
         "headers": headers, "client": ("127.0.0.1", 1), "server": ("server", 80), "scheme": "http",
         "http_version": "1.1", "asgi": {"version": "3.0"}, "app": app}, receive, send)
    return status, size, json.loads(text)["error"] if text else ""

async def main(path, folder, fields, file):
    folders = {name: Path(folder) / name for name in ("voices_dir", "cache_dir")}
    app = create_app(Settings(models=("preview",), **folders))
    async with app.router.lifespan_context(app):
        assert (await post(app, path, fields, Path(folder, "small.wav").read_bytes()))[0] in (200, 201)
        data = Path(file).read_bytes()
        before = peak_mb()
        status, size, error = await post(app, path, fields, data)
        print(json.dumps([status, error, size, peak_mb() - before]))

asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4]))
"""


def _flac(seconds: float, rate: int, channels: int) -> bytes:
    """Next to silence, so that it is small: a click every second."""
    buffer = io.BytesIO()
    second = np.zeros((rate, channels), np.int16)
    second[: rate // 100] = 8_000
    with soundfile.SoundFile(buffer, "w", rate, channels, format="FLAC", subtype="PCM_16") as file:
        for _ in range(round(seconds)):
            file.write(second)
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "fields", "sound", "status"),
    [
        ("/convert", {"format": "pcm", "sample_rate": "48000"}, (1_795, 48_000, 2), 200),
        ("/convert", {"format": "mp3"}, (1_795, 192_000, 1), 400),
        ("/voices", {"voice_id": "a"}, (300, 192_000, 2), 201),
        ("/voices", {"voice_id": "a"}, (299, 192_000, 8), 400),
    ],
)
def test_what_a_small_file_unpacks_to_does_not_fill_the_memory(
    tmp_path: Path, path: str, fields: dict[str, str], sound: tuple[int, int, int], status: int
) -> None:
    soundfile.write(tmp_path / "small.wav", np.full(48_000, 0.1), 24_000)
    (tmp_path / "large.flac").write_bytes(_flac(*sound))
    assert (tmp_path / "large.flac").stat().st_size < 5_000_000
    arguments = [path, str(tmp_path), json.dumps(fields), str(tmp_path / "large.flac")]
    done = subprocess.run(
        [sys.executable, "-c", _SERVER, *arguments],
        capture_output=True, text=True, check=True, env=environment() | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    got, error, size, grown_mb = json.loads(done.stdout.splitlines()[-1])
    assert got == status, error
    assert status == 201 or (error == "") == (status == 200)
    assert grown_mb < MOST_MB, f"{grown_mb} MB for an answer of {size} bytes"
