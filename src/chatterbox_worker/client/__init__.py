"""A client for this worker on RunPod, in the cloud or on the local queue: `RunPodServerlessClient` and its async twin.

    with RunPodServerlessClient(endpoint_id="abc123", api_key="...") as client:   # or RUNPOD_ENDPOINT_ID, RUNPOD_API_KEY
        response = client.runsync(text="Hello world", format="mp3")
        client.save_audio(response, "output.mp3")

Results are typed (`response.speech.duration_s`) and read like the JSON they came as (`response["output"]["seed"]`).
Built on httpx, not on RunPod's own client, which answers None for a failed job and so loses the reason.
What to do is in `flows`, once, as generators of steps; `sync` and `aio` only carry the steps out.
"""

from __future__ import annotations

from chatterbox_worker.client.aio import AsyncRunPodServerlessClient, AsyncSpeechStream
from chatterbox_worker.client.errors import (
    AnswerLost,
    ClientError,
    JobCancelled,
    JobFailed,
    JobTimedOut,
    NoAudio,
    NotFound,
    RequestRefused,
    StillRunning,
    Unauthorized,
    Unavailable,
)
from chatterbox_worker.client.sync import RunPodServerlessClient, SpeechStream
from chatterbox_worker.client.types import (
    Job,
    SavedVoice,
    Speech,
    SpeechFields,
    StreamChunk,
    TextError,
    TextFields,
    TextResult,
    VoiceEntry,
)
from chatterbox_worker.client.wire import Patience

__all__ = [
    "AnswerLost",
    "AsyncRunPodServerlessClient",
    "AsyncSpeechStream",
    "ClientError",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobTimedOut",
    "NoAudio",
    "NotFound",
    "Patience",
    "RequestRefused",
    "RunPodServerlessClient",
    "SavedVoice",
    "Speech",
    "SpeechFields",
    "SpeechStream",
    "StillRunning",
    "StreamChunk",
    "TextError",
    "TextFields",
    "TextResult",
    "Unauthorized",
    "Unavailable",
    "VoiceEntry",
]
