"""A Discord bot with one command, /speak, that answers with an mp3. DISCORD_TOKEN comes from the developer portal.

`pip install discord.py`, then `DISCORD_TOKEN=... python discord_bot.py`
"""

from __future__ import annotations

import io
import os

import discord
from discord import app_commands

from chatterbox_worker.client import AsyncRunPodServerlessClient, ClientError


class SpeechBot(discord.Client):
    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.none())
        self.tree = app_commands.CommandTree(self)
        self.tree.add_command(speak)

    async def setup_hook(self) -> None:
        self.speech = AsyncRunPodServerlessClient()
        await self.tree.sync()

    async def close(self) -> None:
        await self.speech.close()
        await super().close()


async def answer(interaction: discord.Interaction, speech: AsyncRunPodServerlessClient, text: str) -> None:
    await interaction.response.defer(thinking=True)  # Discord expects a response within three seconds
    try:
        audio = await speech.audio(await speech.runsync(text, format="mp3"))
    except ClientError as error:
        await interaction.followup.send(f"That did not work: {error}")
        return
    await interaction.followup.send(file=discord.File(io.BytesIO(audio), "speech.mp3"))


@app_commands.command(description="Say something")
async def speak(interaction: discord.Interaction, text: app_commands.Range[str, 1, 1000]) -> None:
    assert isinstance(interaction.client, SpeechBot)  # noqa: S101
    await answer(interaction, interaction.client.speech, text)


if __name__ == "__main__":
    SpeechBot().run(os.environ["DISCORD_TOKEN"])  # noqa: TID251  an example is not the package
