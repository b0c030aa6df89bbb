"""``python -m benchmarks.queue``."""

from __future__ import annotations

import sys

from benchmarks.queue.command import main

if __name__ == "__main__":
    sys.exit(main())
