"""Voices from recordings: `python -m chatterbox_worker.clone --input-dir DIR --output-voice-id ID` (docs/VOICES.md)."""
