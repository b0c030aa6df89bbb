"""How a command ends that cannot do what it was asked to."""

from __future__ import annotations

FAILED = 1
"""The exit status when the server, a missing package or an unknown id is to blame."""
UNUSABLE = 2
"""The exit status when what was asked for makes no sense, or cannot be loaded; argparse uses it as well."""


class Failure(Exception):
    """Ends the command with this status; the message is one clear line for stderr, and a traceback if there is one."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status
