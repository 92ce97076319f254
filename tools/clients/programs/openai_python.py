"""OpenAI's official library for Python."""

import asyncio
import sys
from pathlib import Path

import openai

url, sample = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)

assert "tts-1-hd" in [model.id for model in client.models.list()]
assert client.models.retrieve("tts-1").id == "tts-1"
whole = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello from Python.")
assert len(whole.content) > 5000
with client.audio.speech.with_streaming_response.create(
    model="tts-1", voice="nova", input="Hello from Python.", response_format="pcm", stream_format="audio"
) as stream:
    assert sum(map(len, stream.iter_bytes())) > 20_000
try:
    client.audio.speech.create(model="tts-1", voice="alloy", input="")
except openai.BadRequestError as error:
    assert error.param == "input", error
else:
    raise AssertionError("an empty input was spoken")
with Path(sample).open("rb") as file:
    voice = client.audio.voices.create(name="made-by-python", audio_sample=file, consent="cons_1")
assert (voice.id, voice.object) == ("made-by-python", "audio.voice")
assert client.audio.voices.delete(voice.id).deleted


async def events() -> None:
    asynchronous = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    async with asynchronous.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Hello from Python.", stream_format="sse"
    ) as stream:
        lines = [line async for line in stream.iter_lines() if line]
    assert '"speech.audio.done"' in lines[-1], lines[-1]


asyncio.run(events())
print("ok openai", openai.__version__)
