"""`queues`: what is where, in all queues of a server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, List, Sequence

from . import servers
from .text import printable, table

if TYPE_CHECKING:
    from .overview import Overview

_DESCRIPTION = """\
Show all queues of a Redis or Valkey server: how many tasks are queued, running (or read ahead by a worker), delayed
(also between two attempts) and dead, and how many workers hold a lease on the queue.
"""
_EXAMPLES = f"""\
examples:
  nb-aiopool queues
  nb-aiopool queues --url redis://queue.example.org:6379/2
  {servers.URL_VARIABLE}=rediss://user:secret@queue.example.org nb-aiopool queues

A queue is there as long as anything is kept of it; one that nothing was submitted to for a week disappears.

exit status: 0, or 1 if the server cannot be reached or refuses
"""
_COLUMNS = ("queue", "queued", "running", "delayed", "dead", "workers")


def add_to(commands: Any) -> None:
    """Add this command to those of the parser."""
    parser = commands.add_parser(
        "queues",
        help="show all queues of a server",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    servers.add_url(parser)
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    async def look(patient: servers.Patient) -> List[Overview]:
        from .overview import overviews  # noqa: PLC0415 -- needs redis-py

        return await overviews(chosen.url, patient)

    found = servers.look(chosen.url, look)
    if found:
        print(table(_COLUMNS, [_row(one) for one in found]))
    else:
        print("there are no queues on this server")
    return 0


def _row(one: Overview) -> Sequence[str]:
    numbers = (*one.counts, one.workers)
    return (printable(one.queue), *(f"{number:,}" for number in numbers))
