"""Log lines of the command, unless the user's own module has seen to logging."""

from __future__ import annotations

import logging

_FORMAT = "%(asctime)s %(levelname)s [%(process)d] %(message)s"
_CLEAR_LINE = "\r\x1b[K"


def configure(*, over_a_bar: bool) -> None:
    """
    Log from INFO on to stderr if the root logger has no handler yet.

    `over_a_bar` is for a terminal whose last line shows a progress bar, of this process or of another: log lines take
    its place, and it is drawn again below them.
    """
    if logging.getLogger().handlers:
        return
    logging.basicConfig(level=logging.INFO, format=(_CLEAR_LINE if over_a_bar else "") + _FORMAT)
