"""Create a voice from recordings: `python scripts/clone_voice.py --input_dir DIR --output_voice_id ID`."""

from __future__ import annotations

from chatterbox_worker import command

if __name__ == "__main__":
    command.begin()  # before the imports that take long

from chatterbox_worker.clone.__main__ import main

if __name__ == "__main__":
    command.run(main)
