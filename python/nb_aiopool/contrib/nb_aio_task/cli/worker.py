"""`worker`: run the tasks of some modules, in this process or in several."""

from __future__ import annotations

import argparse
import os
from typing import Any

from nb_aiopool.contrib.nb_aio_task.limits import MOST_AT_A_TIME

from .failure import UNUSABLE, Failure
from .plan import Plan

_DESCRIPTION = """\
Run the tasks that MODULE defines with @aio_task: all that are in its namespace, or the one that is named.
Modules are looked for in the current directory first. Several queues share one event loop.
"""
_EXAMPLES = """\
examples:
  nb-aiopool worker shop.tasks                       all tasks of shop/tasks.py
  nb-aiopool worker shop.tasks:send_mail --concurrency 200
  nb-aiopool worker shop.tasks reports --processes 4
  nb-aiopool worker shop.tasks --burst               do what there is, then end

SIGTERM or SIGINT (Ctrl-C) stops it: nothing more is fetched, what had not started goes back to the front of its
queue, and running tasks finish. A second signal cancels them and hands them back. kill -9 loses nothing either: the
tasks start again on another worker when their lease has run out.

exit status:
  0  stopped by a signal, or --burst has done everything; what is a dead letter in the end counts as done
  1  the server refuses the connection, something is not installed, or a process has died while it was stopping
  2  wrong arguments, or a module or task that cannot be loaded
"""


def add_to(commands: Any) -> None:
    """Add this command to those of the parser."""
    parser = commands.add_parser(
        "worker",
        help="run the tasks of modules",
        usage="%(prog)s MODULE[:TASK] ... [--processes N] [--concurrency N] [--burst] [--uvloop]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "targets", nargs="+", metavar="MODULE[:TASK]", help="as in an import statement: shop.tasks:send_mail"
    )
    parser.add_argument(
        "--processes",
        type=_at_least_one,
        default=1,
        metavar="N",
        help="how many processes, with an event loop each (default: 1); one that dies is started again",
    )
    parser.add_argument(
        "--concurrency",
        type=_at_least_one,
        metavar="N",
        help="how many calls of each task run at a time in each process (default: its own max_concurrency)",
    )
    parser.add_argument(
        "--burst",
        action="store_true",
        help="end when nothing is queued or delayed, and what its processes that died held is done as well; a"
        " terminal shows the progress meanwhile",
    )
    parser.add_argument("--uvloop", action="store_true", help="run on uvloop, which has to be installed")
    parser.add_argument("--leash", type=int, metavar="FD", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run)


def _run(chosen: argparse.Namespace) -> int:
    plan = Plan(chosen.targets, chosen.concurrency, chosen.burst, chosen.uvloop)
    if chosen.processes == 1:
        from .serving import serve  # noqa: PLC0415 -- `--help` need not load asyncio

        return serve(plan, chosen.leash)
    if os.name != "posix":
        raise Failure("--processes works on POSIX systems only: start several workers side by side", UNUSABLE)
    from .supervisor import supervise  # noqa: PLC0415

    return supervise(plan, chosen.processes)


def _at_least_one(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= MOST_AT_A_TIME:
        raise argparse.ArgumentTypeError(
            f"must be a whole number, at least 1 and at most {MOST_AT_A_TIME}, not {text!r}"
        )
    return number
