"""Chatterbox speech on RunPod: one core behind a queue worker, an HTTP server and Python."""

__version__ = "0.1.0"
