"""The parser of the command line, and the way from there to a command."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Optional, Sequence

from nb_aiopool._version import __version__

from . import dead, queues, worker
from .failure import FAILED, Failure

_DESCRIPTION = """\
Run workers of nb_aio_task queues, look at the queues, and deal with dead letters.
"""
_EXAMPLES = """\
examples:
  nb-aiopool worker mails                  run the tasks that mails.py defines
  nb-aiopool queues                        what waits, runs and has died
  nb-aiopool dead retry mails              give the dead letters of the queue "mails" another chance

Each command has a --help of its own. `python -m nb_aiopool` is the same program.
"""
_INTERRUPTED = 130  # what a shell makes of a program that Ctrl-C has ended


def main(arguments: Optional[Sequence[str]] = None, prog: str = "nb-aiopool") -> int:
    """
    Run one command; returns its exit status.

    Requires: called in the main thread, with no event loop running there.
    """
    _let_anything_be_printed()
    chosen = _parser(prog).parse_args(arguments)
    try:
        status = int(chosen.run(chosen))
        sys.stdout.flush()
    except Failure as failure:
        print(f"{prog} {chosen.command}: error: {failure}", file=sys.stderr)
        return failure.status
    except (
        BrokenPipeError
    ):  # `… | head` has seen enough; the interpreter must not meet that again when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED
    return status


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nb_aiopool {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (worker, queues, dead):
        command.add_to(commands)
    return parser


def _let_anything_be_printed() -> None:
    """Ids and errors may hold what the terminal's encoding does not."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
