"""The RunPod entry point: what a job may hold, and what goes back.

`job["input"]` is one of
1. our own fields: `{"text": "Hello.", "model": "turbo", "voice": "alice", "format": "mp3", ...}` (docs/API.md);
2. the shape of RunPod's public Chatterbox endpoint: `{"prompt": "Hello.", "voice_url": "https://..."}`;
   the answer then has `audio_url`, a data URI, in place of `audio_base64`;
3. what RunPod builds from its `/openai/v1/*` routes: `{"openai_route": "/v1/audio/speech", "openai_input": {...}}`;
4. several texts: `{"texts": [{"id": "a", "text": "Hello."}, ...], "format": "mp3", ...}`, each failing alone
   (serverless/texts);
5. an action: `{"action": "info"}`, `convert`, `text.preview`, `models.list`, `voices.list`, `voices.save`,
   `voices.export`, `voices.delete`, `lexicon.list`, `lexicon.save`, `lexicon.delete`, `outputs.list`, `outputs.get`,
   `outputs.delete`.
Next to the input a job may have `s3Config`, a bucket of its own for a large answer.

What goes back is JSON that fits RunPod's limit, or `{"error": "<sentence>", "message": "<the same>", "code": "...",
"field": "..."}`, which makes the job FAILED. With CHATTERBOX_STREAM=1 the handler is a generator instead
(serverless/delivery/streaming.py). A failed start does not end the worker: every job is answered with the reason.

The work is done in `chatterbox_worker.serverless`: `worker` answers a job, `loop` runs the SDK, `protocol` takes jobs
and posts results in its place.
"""

from __future__ import annotations

from chatterbox_worker import command

if __name__ == "__main__":
    command.begin()  # the SDK takes the signals over once it runs

from chatterbox_worker.config import ensure_variable, environment


def main() -> None:
    """Load the models once, then serve jobs."""
    # Not at import: the SDK's forkserver would import this file and load the models twice.
    from chatterbox_worker.engines.deferred import defer_imports  # noqa: PLC0415
    from chatterbox_worker.serverless import joblog  # noqa: PLC0415
    from chatterbox_worker.serverless.sdk_import import import_sdk  # noqa: PLC0415

    env = environment()
    joblog.configure(as_json=bool(env.get("RUNPOD_ENDPOINT_ID")))
    defer_imports()
    sdk = import_sdk()  # before the rest: it mostly waits
    # Neither has plugins here; to find none, each would read the metadata of every installed package.
    ensure_variable("PYDANTIC_DISABLE_PLUGINS", "__all__")
    ensure_variable("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
    from chatterbox_worker.serverless.loop import serve, start  # noqa: PLC0415  # 0.6 s of imports

    serve(*start(env), sdk)


if __name__ == "__main__":
    main()
