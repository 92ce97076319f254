"""How an answer goes back from a queue worker: inline, through a bucket, over the volume, or in pieces."""

from chatterbox_worker.serverless.delivery.answer import Unlogged, UnloggedText, serialized_bytes
from chatterbox_worker.serverless.delivery.choose import Delivery, Route

__all__ = ["Delivery", "Route", "Unlogged", "UnloggedText", "serialized_bytes"]
