"""Create a voice from recordings: `python scripts/clone_voice.py --input_dir DIR --output_voice_id ID`."""

from __future__ import annotations

import sys

from chatterbox_worker.clone.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
