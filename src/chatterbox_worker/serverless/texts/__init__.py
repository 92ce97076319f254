"""Many texts in one job: `{"texts": [{"id": "a", "text": "Hello.", ...}, ...], "format": "mp3", ...}`.

What stands beside `texts` is the default of each. What makes the list itself unusable refuses the job before anything is
spoken: no list, no ids, an id twice, too much. What is wrong with one text fails that text alone.
"""

from chatterbox_worker.serverless.texts.answer import answer, streamed
from chatterbox_worker.serverless.texts.request import MOST_TEXTS, Text, Texts, asks_for_many, parse

__all__ = ["MOST_TEXTS", "Text", "Texts", "answer", "asks_for_many", "parse", "streamed"]
