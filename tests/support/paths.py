"""Where the project and the programs that tests start lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
WORKERS = Path(__file__).with_name("workers")
