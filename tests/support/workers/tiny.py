"""The real worker or server on a tiny checkpoint. Takes end early, because random weights do not stop by themselves.

python tests/support/workers/tiny.py queue|http
"""

from __future__ import annotations

import sys

import handler
from chatterbox_worker.engines.chatterbox.engine import ChatterboxEngine
from chatterbox_worker.server.__main__ import main as serve_http

_TOKENS = 20  # 0.8 s


def main(edge: str) -> int:
    defaults = ChatterboxEngine.__init__.__kwdefaults__
    assert defaults is not None
    defaults["max_tokens"] = _TOKENS
    if edge == "http":
        return serve_http([])
    handler.main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
