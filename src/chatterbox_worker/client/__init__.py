"""A client for this worker on RunPod, in the cloud or on the local queue.

    # endpoint and key may also come from RUNPOD_ENDPOINT_ID and RUNPOD_API_KEY
    with RunPodServerlessClient(endpoint_id="abc123", api_key="...") as client:
        response = client.runsync(text="Hello world", format="mp3")
        client.save_audio(response, "output.mp3")

`AsyncRunPodServerlessClient` has the same calls for asyncio.
Results are typed (`response.speech.duration_s`) and can be read as JSON (`response["output"]["seed"]`).
Built on httpx, not on RunPod's own client, which returns None for a failed job and so loses the reason.
`flows` has what each call does, once, as generators of steps; `sync` and `aio` only carry the steps out.
"""

from __future__ import annotations

from chatterbox_worker.answer import SpokenCheck, SpokenWord
from chatterbox_worker.client.aio import AsyncRunPodServerlessClient, AsyncSpeechStream
from chatterbox_worker.client.errors import (
    AnswerLost,
    AudioOnVolume,
    ClientError,
    NoAudio,
    NotFound,
    RequestRefused,
    RequestTooLarge,
    Unauthorized,
    Unavailable,
)
from chatterbox_worker.client.fields import ConversionFields, SpeechFields, TextFields, TurnFields
from chatterbox_worker.client.job_errors import JobCancelled, JobFailed, JobTimedOut, StillRunning
from chatterbox_worker.client.sync import RunPodServerlessClient, SpeechStream
from chatterbox_worker.client.types import (
    Job,
    LexiconEntry,
    OutputEntry,
    SavedVoice,
    Speech,
    StreamChunk,
    TextError,
    TextResult,
    VoiceEntry,
)
from chatterbox_worker.client.wire import Patience

__all__ = [
    "AnswerLost",
    "AsyncRunPodServerlessClient",
    "AsyncSpeechStream",
    "AudioOnVolume",
    "ClientError",
    "ConversionFields",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobTimedOut",
    "LexiconEntry",
    "NoAudio",
    "NotFound",
    "OutputEntry",
    "Patience",
    "RequestRefused",
    "RequestTooLarge",
    "RunPodServerlessClient",
    "SavedVoice",
    "Speech",
    "SpeechFields",
    "SpeechStream",
    "SpokenCheck",
    "SpokenWord",
    "StillRunning",
    "StreamChunk",
    "TextError",
    "TextFields",
    "TextResult",
    "TurnFields",
    "Unauthorized",
    "Unavailable",
    "VoiceEntry",
]
