"""A voice from recordings: `python -m chatterbox_worker.clone --input-dir DIR --output-voice-id NAME` (docs/VOICES.md)."""
