"""LiveKit's class for OpenAI's speech, with its default model and voice."""

import asyncio
import sys
from importlib.metadata import version

from livekit.agents import utils
from livekit.plugins import openai


async def main() -> None:
    await utils.http_context.__aenter__() if hasattr(utils.http_context, "__aenter__") else None
    tts = openai.TTS(base_url=f"{sys.argv[1]}/v1", api_key="none")
    seconds = 0.0
    async with tts.synthesize("Hello from LiveKit.") as stream:
        async for event in stream:
            seconds += event.frame.samples_per_channel / event.frame.sample_rate
    assert seconds > 0.4, seconds
    await tts.aclose()
    print("ok livekit-plugins-openai", version("livekit-plugins-openai"))


asyncio.run(main())
