"""How speech goes back from a queue worker: inside the answer, through a bucket, over the volume, or piece by piece."""

from chatterbox_worker.serverless.delivery.answer import Unlogged, UnloggedText, facts, inline, serialized_bytes
from chatterbox_worker.serverless.delivery.choose import Delivery, Route

__all__ = ["Delivery", "Route", "Unlogged", "UnloggedText", "facts", "inline", "serialized_bytes"]
