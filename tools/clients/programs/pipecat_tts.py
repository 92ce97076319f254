"""Pipecat's class for OpenAI's speech, with its default model and voice."""

import asyncio
import sys
from importlib.metadata import version

from pipecat.frames.frames import ErrorFrame, TTSAudioRawFrame
from pipecat.services.openai.tts import OpenAITTSService


async def main() -> None:
    service = OpenAITTSService(api_key="none", base_url=f"{sys.argv[1]}/v1")
    service._sample_rate = 24_000  # set by a pipeline's start, which this one method does not need
    audio = b""
    async for frame in service.run_tts("Hello from Pipecat.", "context"):
        assert not isinstance(frame, ErrorFrame), frame
        if isinstance(frame, TTSAudioRawFrame):
            audio += frame.audio
    assert len(audio) > 20_000, len(audio)
    print("ok pipecat-ai", version("pipecat-ai"))


asyncio.run(main())
