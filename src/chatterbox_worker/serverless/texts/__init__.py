"""Several texts in one job: `{"texts": [{"id": "a", "text": "Hello.", ...}, ...], "format": "mp3", ...}`.

Fields next to `texts` are defaults for each text. A list that cannot be used (no list, no ids, an id twice, too much)
refuses the job before anything is spoken. An error in one text fails that text alone. A job with `candidates` is one
text spoken several times, each time with another seed.
"""

from chatterbox_worker.serverless.texts.answer import answer, stream
from chatterbox_worker.serverless.texts.request import MOST_TEXTS, Text, TextsJob, has_texts, parse

__all__ = ["MOST_TEXTS", "Text", "TextsJob", "answer", "has_texts", "parse", "stream"]
