"""`dead`: look at dead letters, give them another chance, delete them. No payload is ever decoded here."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any, Callable, List, Sequence

from . import servers
from .failure import FAILED, UNUSABLE, Failure
from .text import printable, table

if TYPE_CHECKING:
    from nb_aiopool.contrib.nb_aio_task.records import Burial

    from .graveyard import Graveyard

_DESCRIPTION = """\
Look at the dead letters of a queue (tasks that have failed for good), give them another chance, or delete them.
Their arguments stay as they are: nothing is decoded, so this is safe whoever has submitted them.
"""
_EXAMPLES = """\
examples:
  nb-aiopool dead list mails                    id, when it died, how often it was tried, and its error
  nb-aiopool dead list mails order-42 --full    the traceback of one
  nb-aiopool dead retry mails order-42          queue it again, with its counts at zero
  nb-aiopool dead retry mails                   all of them
  nb-aiopool dead delete mails                  all of them

QUEUE is the name that @aio_task was given, as `nb-aiopool queues` shows it.

exit status: 0; 1 if an ID is unknown or cannot be queued, or if the server cannot be reached or refuses
"""
_COLUMNS = ("id", "died at", "deliveries", "error")


def add_to(commands: Any) -> None:
    """Add this command to those of the parser."""
    parser = commands.add_parser(
        "dead",
        help="list, retry or delete dead letters",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="list|retry|delete", required=True)
    for name, run, help_ in (
        ("list", _list, "show dead letters, the oldest first"),
        ("retry", _retry, "queue dead letters again"),
        ("delete", _delete, "delete dead letters"),
    ):
        action = actions.add_parser(
            name,
            help=help_,
            description=f"{help_[0].upper()}{help_[1:]}.",
            epilog=_EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        action.add_argument("queue", metavar="QUEUE", help="the queue's name")
        action.add_argument("ids", nargs="*", default=[], metavar="ID", help="these only; without any: all")
        if name == "list":
            action.add_argument("--full", action="store_true", help="show the whole traceback of each")
        servers.add_url(action)
        action.set_defaults(run=run)


def _list(chosen: argparse.Namespace) -> int:
    def listed(graveyard: Graveyard) -> Any:
        return graveyard.look(chosen.ids)

    found, unknown = _with_graveyard(chosen, listed)
    if found and chosen.full:
        print("\n\n".join(_in_full(burial) for burial in found))
    elif found:
        print(table(_COLUMNS, [_row(burial) for burial in found], left=("died at", "error")))
    elif not unknown:
        print(f"{printable(chosen.queue)} has no dead letters")
    return _tell_of_unknown(chosen.queue, unknown)


def _retry(chosen: argparse.Namespace) -> int:
    def retried(graveyard: Graveyard) -> Any:
        return graveyard.retry(chosen.ids)

    number, unknown, kept = _with_graveyard(chosen, retried)
    if number or not (unknown or kept):
        print(f"{_letters(number)} of {printable(chosen.queue)} queued again")
    for name in kept:
        print(
            f"{printable(name)} stays a dead letter: another task with its id is alive, or its record cannot be read",
            file=sys.stderr,
        )
    status = _tell_of_unknown(chosen.queue, unknown)
    return FAILED if kept else status


def _delete(chosen: argparse.Namespace) -> int:
    def deleted(graveyard: Graveyard) -> Any:
        return graveyard.delete(chosen.ids)

    number, unknown = _with_graveyard(chosen, deleted)
    if number or not unknown:
        print(f"{_letters(number)} of {printable(chosen.queue)} deleted")
    return _tell_of_unknown(chosen.queue, unknown)


def _with_graveyard(chosen: argparse.Namespace, act: Callable[[Graveyard], Any]) -> Any:
    from nb_aiopool.contrib.nb_aio_task.options import checked_queue_name  # noqa: PLC0415

    try:
        queue = checked_queue_name(chosen.queue)
    except ValueError as error:
        raise Failure(str(error), UNUSABLE) from None

    async def run(patient: servers.Patient) -> Any:
        from .graveyard import Graveyard  # noqa: PLC0415

        graveyard = Graveyard(chosen.url, queue, patient)
        try:
            return await act(graveyard)
        finally:
            await graveyard.close()

    return servers.look(chosen.url, run)


def _tell_of_unknown(queue: str, unknown: Sequence[str]) -> int:
    for name in unknown:
        print(f"{printable(queue)} has no dead letter {printable(name)}", file=sys.stderr)
    return FAILED if unknown else 0


def _letters(number: int) -> str:
    return "1 dead letter" if number == 1 else f"{number:,} dead letters"


def _row(burial: Burial) -> List[str]:
    lines = burial.error.strip().splitlines()
    last = printable(lines[-1].strip()) if lines else ""
    return [printable(burial.name), _time(burial.died_at), str(burial.deliveries), last]


def _in_full(burial: Burial) -> str:
    error = "\n".join(f"  {printable(line)}" for line in burial.error.rstrip().splitlines())
    tried = "once" if burial.deliveries == 1 else f"{burial.deliveries} times"
    return f"{printable(burial.name)}  died at {_time(burial.died_at)}, delivered {tried}\n{error}"


def _time(when: float) -> str:
    from datetime import datetime  # noqa: PLC0415

    try:
        return datetime.fromtimestamp(when).astimezone().strftime("%Y-%m-%d %H:%M:%S") if when else "unknown"
    except (ValueError, OverflowError, OSError):
        return "unknown"
