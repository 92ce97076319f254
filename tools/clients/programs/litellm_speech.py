"""LiteLLM: its speech, and its health check, which sends nothing but OpenAI's names."""

import asyncio
import sys
from importlib.metadata import version

import litellm

arguments = {"model": "openai/tts-1", "api_base": f"{sys.argv[1]}/v1", "api_key": "none"}


async def main() -> None:
    spoken = litellm.speech(**arguments, voice="alloy", input="Hello from LiteLLM.")
    assert len(spoken.content) > 5000
    healthy = await litellm.ahealth_check(arguments, mode="audio_speech", prompt="test", input=["test"])
    assert "error" not in healthy, healthy
    print("ok litellm", version("litellm"))


asyncio.run(main())
