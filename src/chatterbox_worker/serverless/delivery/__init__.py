"""How an answer goes back from a queue worker: inline, through a bucket, over the volume, or in pieces."""

from chatterbox_worker.serverless.delivery.answer import Answer, Failure, Unlogged, UnloggedText, serialized_bytes
from chatterbox_worker.serverless.delivery.choose import Delivery, Route

__all__ = ["Answer", "Delivery", "Failure", "Route", "Unlogged", "UnloggedText", "serialized_bytes"]
