"""A Telegram bot that answers every text with a voice message. TELEGRAM_TOKEN comes from @BotFather.

`pip install python-telegram-bot`, then `TELEGRAM_TOKEN=... python telegram_bot.py`
"""

from __future__ import annotations

import os
from typing import Any

from telegram import Update
from telegram.constants import ChatAction
from telegram.ext import Application, ContextTypes, MessageHandler, filters

from chatterbox_worker.client import AsyncRunPodServerlessClient, ClientError

LONGEST_CHARS = 1000
CLIENT = "speech"


async def speak(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
    message = update.effective_message
    if message is None or not message.text:
        return
    if len(message.text) > LONGEST_CHARS:
        await message.reply_text(f"At most {LONGEST_CHARS} characters, please.")
        return
    client: AsyncRunPodServerlessClient = context.bot_data[CLIENT]
    await message.reply_chat_action(ChatAction.RECORD_VOICE)
    try:
        job = await client.runsync(message.text, format="opus", sample_rate=48_000)  # required for a voice message
        audio = await client.audio(job)
    except ClientError as error:
        await message.reply_text(f"That did not work: {error}")
        return
    await message.reply_voice(audio, duration=round(job.speech.duration_s))


async def connect(application: Application[Any, Any, Any, Any, Any, Any]) -> None:
    application.bot_data[CLIENT] = AsyncRunPodServerlessClient()


async def disconnect(application: Application[Any, Any, Any, Any, Any, Any]) -> None:
    await application.bot_data[CLIENT].close()


if __name__ == "__main__":
    token = os.environ["TELEGRAM_TOKEN"]  # noqa: TID251  an example is not the package
    bot = Application.builder().token(token).post_init(connect).post_shutdown(disconnect).build()
    bot.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, speak))
    bot.run_polling()
