"""Random programs of nested operations: no hang, the limit kept, right results, and books that balance."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Tuple

import pytest

from nested import WAYS, Nest
from support import accounting, turns

if TYPE_CHECKING:
    from nb_aiopool import NbAioPool

pytestmark = pytest.mark.limit(60)
SEED = int(os.environ.get("NB_AIOPOOL_SEED", "20261121"))
PROGRAMS = int(os.environ.get("NB_AIOPOOL_PROGRAMS", "40"))

# How one child may be waited for whose exception comes out of the wait.
RAISING = [
    "submit_and_await",
    "submit_and_gather",
    "gather_of_gathers",
    "run_each",
    "gather_of_runs",
    "gather_of_submits",
    "batch_run",
    "submit_with_future",
    "run_with_future",
    "map_collected",
    "wait_for_all",
    "wait_for_the_first",
    "wait_for_each",
    "shield_each",
    "as_completed",
    "tasks_one_by_one",
    "a_chain_of_tasks",
    "a_second_pool",
]
# How several may be, each of which may raise: the outcomes of all of them.
TOGETHER = ["first error", "errors"]
# The limit is not kept by these: some of the work goes on while the job that waited for it does so, too.
UPSETS = ["cancel", "time out", "event"]


class Failure(Exception):
    """What a node raises; it is equal to another one of the same node."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Failure) and other.args == self.args

    def __hash__(self) -> int:
        return hash(self.args)


class Operation(NamedTuple):
    name: str  # one of WAYS, TOGETHER, UPSETS, or "resize"
    children: Tuple[Node, ...]
    bare: bool  # the one child's exception is not caught by itself, but comes out of the wait
    survives: bool  # and is then caught here
    number: int  # of turns, or a limit


class Node(NamedTuple):
    """One job of a program: it gives way, does its operations one after another, and returns or raises."""

    number: int
    pauses: int
    fails: bool
    operations: Tuple[Operation, ...]


class Grower:
    """Makes the nodes of a program."""

    def __init__(self, rng: random.Random, upsets: bool) -> None:
        self.rng = rng
        self.count = 0
        # A program of few ways has them meet.
        self.names = [*rng.sample(list(WAYS), 3), *TOGETHER, "resize", *(UPSETS if upsets else [])]

    def node(self, depth: int) -> Node:
        rng = self.rng
        self.count += 1
        number = self.count
        operations = tuple(self.operation(depth) for _ in range(rng.randint(0, 2) if depth else 0))
        return Node(number, rng.randint(0, 3), rng.random() < 0.2, operations)

    def operation(self, depth: int) -> Operation:
        rng = self.rng
        if rng.random() < 0.3:
            name, children, bare = rng.choice(RAISING), 1, True
        else:
            name, children, bare = rng.choice(self.names), rng.randint(1, 4), False
        if name == "resize":
            children = 0
        nodes = tuple(self.node(depth - 1) for _ in range(children))
        return Operation(name, nodes, bare, rng.random() < 0.5, rng.randint(1, 3))


def expected(node: Node) -> Any:
    """What the node returns, computed without any pool; raises what it raises."""
    found: List[Any] = []
    for operation in node.operations:
        if operation.bare:
            child = outcome_of(operation.children[0])
            if isinstance(child, Failure) and not operation.survives:
                raise child
            found.append(child if isinstance(child, Failure) else [child])
        elif operation.name in ("cancel", "time out", "resize"):
            found.append(operation.name)
        else:
            found.append([outcome_of(child) for child in operation.children])
    if node.fails:
        raise Failure(node.number)
    return node.number, found


def outcome_of(node: Node) -> Any:
    try:
        return expected(node)
    except Failure as error:
        return error


class Program:
    """Runs a tree of nodes in pools: each level is in the pool after that of the level above."""

    def __init__(self, nests: List[Nest]) -> None:
        self.nests = nests
        self.limits = [nest.pool.max_concurrency for nest in nests]  # the highest so far
        self.coros: List[Any] = []

    async def job(self, node: Node, at: int) -> Any:
        nest = self.nests[at]
        await nest.step(node.pauses)
        found: List[Any] = []
        for operation in node.operations:
            try:
                found.append(await self.operate(operation, (at + 1) % len(self.nests)))
            except Failure as error:
                if not (operation.bare and operation.survives):
                    raise
                found.append(error)
            finally:
                for each in self.nests:
                    accounting(each.pool)
            await nest.step()
        if node.fails:
            raise Failure(node.number)
        return node.number, found

    async def caught(self, node: Node, at: int) -> Any:
        try:
            return await self.job(node, at)
        except Failure as error:
            return error

    async def operate(self, operation: Operation, at: int) -> Any:
        pool, name = self.nests[at].pool, operation.name
        if name == "resize":
            pool.max_concurrency = operation.number
            pool.max_queue_size = operation.number - 1
            self.limits[at] = max(self.limits[at], operation.number)
            return name
        raises = operation.bare or name in TOGETHER
        coros = [(self.job if raises else self.caught)(child, at) for child in operation.children]
        self.coros += coros
        if name in WAYS:
            return await WAYS[name](pool, coros)
        jobs = [await pool.submit(coro) for coro in coros]
        return await OPERATIONS[name](jobs, operation.number)

    async def settle(self) -> None:
        """Wait for what an upset has left, and close what has never been begun because of it."""
        while True:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if left:
                _, hanging = await asyncio.wait(left, timeout=10)
                assert not hanging
            elif all(nest.pool.running == 0 for nest in self.nests):
                break
            for nest in self.nests:
                await asyncio.wait_for(nest.pool.join(), 10)
            await turns(2)
        for coro in self.coros:
            if inspect.getcoroutinestate(coro) == inspect.CORO_CREATED:
                coro.close()


# -- What is done with jobs that have been submitted -------------------------------------------------------------------


async def first_error(jobs: List[Any], _: int) -> Any:
    """Be woken by the first exception, and wait for the rest after that."""
    await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
    return await errors(jobs, _)


async def errors(jobs: List[Any], _: int) -> Any:
    return list(await asyncio.gather(*jobs, return_exceptions=True))


async def cancel(jobs: List[Any], n: int) -> Any:
    async def cancel_them() -> None:
        await turns(n)
        for job in jobs:
            job.cancel()

    task = asyncio.ensure_future(cancel_them())
    await asyncio.gather(*jobs, return_exceptions=True)
    await task
    return "cancel"


async def time_out(jobs: List[Any], n: int) -> Any:
    """What wait_for does, after some turns and not some time: a seed is to do the same whenever it is run."""
    gathered = asyncio.gather(*jobs, return_exceptions=True)
    own = asyncio.ensure_future(turns(n))
    await asyncio.wait([own, gathered], return_when=asyncio.FIRST_COMPLETED)
    gathered.cancel()
    await asyncio.wait([own, gathered])
    return "time out"


async def event(jobs: List[Any], n: int) -> Any:
    own = asyncio.ensure_future(turns(n))
    await asyncio.wait([own, *jobs], return_when=asyncio.FIRST_COMPLETED)
    await turns(n)
    found = [await job for job in jobs]
    await own
    return found


OPERATIONS: Dict[str, Any] = {
    "first error": first_error,
    "errors": errors,
    "cancel": cancel,
    "time out": time_out,
    "event": event,
}


async def submitted(pool: NbAioPool, coro: Any) -> Any:
    return await (await pool.submit(coro))


async def run_program(seed: int, pools: int, upsets: bool) -> None:
    rng = random.Random(seed)
    grower = Grower(rng, upsets)
    roots = [grower.node(3) for _ in range(rng.randint(1, 4))]
    nests = [Nest(rng.randint(1, 3), rng.choice([0, 1, 2, 20])) for _ in range(pools)]
    program = Program(nests)
    pool = nests[0].pool
    calls = [
        pool.run(program.job(root, 0)) if rng.random() < 0.5 else submitted(pool, program.job(root, 0))
        for root in roots
    ]
    found = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10)
    assert list(found) == [outcome_of(root) for root in roots]
    await program.settle()
    for nest, limit in zip(nests, program.limits):
        # A job that the other pool's work wakes goes on at once, whoever has its slot.
        assert upsets or nest.peak <= limit + pools - 1
        nest.at_rest()


# In two pools, what an upset leaves behind may have a slot of one and wait for the other: no pool sees such a circle.
@pytest.mark.parametrize(("upsets", "pools"), [(False, 1), (False, 2), (True, 1)])
async def test_random_programs(upsets: bool, pools: int, reports: List[Dict[str, Any]]) -> None:
    for seed in range(SEED, SEED + PROGRAMS):
        print("NB_AIOPOOL_SEED=%d" % seed)
        await run_program(seed, pools, upsets)
        # A gather() or a submitter that was cancelled retrieves nothing.
        assert [one for one in reports if not upsets or "never retrieved" not in one["message"]] == []
    while reports:  # to drop a report may drop what makes another
        reports.clear()
