"""No input crashes the interpreter: every native method with every kind of nonsense, in a process of its own.

A crash shows the last call on stderr. Errors are expected here, and so is a pool that has been confused by them;
only the process has to live, and a pool that nobody has touched has to work.
"""

from __future__ import annotations

from typing import Any

import pytest

COMMON = """
    import asyncio, gc, itertools, sys, warnings
    from nb_aiopool import NbAioPool, _core

    warnings.simplefilter("ignore")
    sys.unraisablehook = lambda args: None

    async def value(result=None):
        return result

    async def held():
        await asyncio.get_running_loop().create_future()

    class Index:
        def __init__(self, number):
            self.number = number
        def __index__(self):
            if isinstance(self.number, Exception):
                raise self.number
            return self.number

    def junk():
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        done.set_result(1)
        return [None, 42, -1, 2**31, 2**63, 2**64, 2**200, 1.5, float("nan"), "x", b"x", [], [1], (), (1, 2), {},
                object(), object, type, value, len, Ellipsis, True, Index(3), Index(-3), Index(KeyError()), sys,
                iter([]), (i for i in ()), done, loop.create_future(), loop, NbAioPool, NbAioPool(1, 1), _core]

    def say(*what):
        try:
            text = repr(what)[:200]
        except BaseException:
            text = "unprintable"
        last.seek(0)
        last.truncate()
        last.write(text)
        last.flush()

    last = open(sys.argv[1], "w")

    def call(function, *args, **kwargs):
        say(function, args)
        try:
            answer = function(*args, **kwargs)
        except BaseException:
            return
        if asyncio.iscoroutine(answer):
            try:
                answer.send(None)
            except BaseException:
                pass
            answer.close()
        elif hasattr(answer, "__next__"):
            answer.close() if hasattr(answer, "close") else None

    def calls(target, names):
        for name in names:
            try:
                member = getattr(target(), name)
            except Exception:
                continue
            if not callable(member) or name in ("__class__", "__init_subclass__", "__subclasshook__"):
                continue
            for count in range(4):
                wide = junk() if count < 2 else junk()[::5]
                for args in itertools.product(wide, repeat=count):
                    call(getattr(target(), name), *args)

    def attributes(target):
        for name in dir(target()):
            for item in junk():
                if name == "__class__":
                    continue
                say("set", name, item)
                thing = target()
                try:
                    setattr(thing, name, item)
                    repr(thing)
                except BaseException:
                    pass
            thing = target()
            try:
                delattr(thing, name)
                repr(thing)
            except BaseException:
                pass

    async def still_works():
        pool = NbAioPool(2, 2)
        assert await pool.run(value(1)) == 1
        assert await pool.batch_run(value(i) for i in range(9)) == list(range(9))
        assert pool.stats()[:5] == (10, 10, 0, 0, 0)

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: None)
        attack()
        gc.collect()
        await asyncio.sleep(0)
        await still_works()
        print("works")

    def fresh():
        pool = NbAioPool(1, 2)
        for _ in range(2):
            pool.submit_nowait(held())
        return pool

    def fresh_job():
        return NbAioPool(1, 2).submit_nowait(held())
"""

RUN = """
    try:
        asyncio.run(main())
    except Exception:
        pass  # the end of the loop can fail where an attack has put nonsense into a pool that is still busy
    asyncio.run(still_works())
    print("alive")
"""

ATTACKS = {
    "attributes of a pool": """
        def attack():
            attributes(fresh)
    """,
    "methods of a job": """
        def attack():
            calls(fresh_job, [name for name in dir(_core.Job) if name not in ("__del__",)])
    """,
    "attributes of a job": """
        def attack():
            attributes(fresh_job)
    """,
    "types made without their constructors": """
        def attack():
            for native in vars(_core).values():
                if not isinstance(native, type):
                    continue
                for base in native.__mro__:
                    call(base.__new__, native)
                call(native)
                call(native, 1)
                call(type, "Sub", (native,), {})
            pool = NbAioPool.__new__(NbAioPool)
            calls(lambda: NbAioPool.__new__(NbAioPool), [name for name in dir(_core.Pool) if name != "__del__"])
            attributes(lambda: NbAioPool.__new__(NbAioPool))
    """,
    "a pool that is made twice": """
        def attack():
            pool = fresh()
            for args in ((5, 5), (1,), (), (0, 0), (-1,), ("x",)):
                call(pool.__init__, *args)
                call(pool.submit_nowait, value())
            gc.collect()
    """,
    "the methods of Future on a job": """
        def attack():
            future = asyncio.Future
            loop = asyncio.get_running_loop()
            for method in (
                lambda job: future.set_result(job, 1),
                lambda job: future.set_exception(job, ValueError()),
                lambda job: future.cancel(job),
                lambda job: future.__init__(job),
                lambda job: future.__init__(job, loop=loop),
                lambda job: future.__init__(job, loop=asyncio.new_event_loop()),
                lambda job: future.__del__(job),
                lambda job: job.__init__(),
                lambda job: future.__setstate__(job, {}),
            ):
                for count in range(3):
                    pool = NbAioPool(1, 5)
                    jobs = [pool.submit_nowait(value(i)) for i in range(4)]
                    for job in jobs:
                        call(method, job)
                    call(jobs[0].cancel)
                    for _ in range(count):
                        loop.call_soon(gc.collect)
                    loop.call_soon(repr, jobs)
    """,
    "arrivals that are driven by hand": """
        def attack():
            for first, second in itertools.product(("send", "throw", "close", "__next__"), repeat=2):
                pool = NbAioPool(1, 1)
                for _ in range(2):
                    pool.submit_nowait(held())
                arrival = pool._native_offer(held(), True, None)
                for name in (first, second, "close", first):
                    for args in ((), (None,), (ValueError,), (ValueError(), None, None, None)):
                        call(getattr(arrival, name), *args)
                iter(arrival), repr(arrival), arrival._job
                del arrival
            # Before 3.10 a type cannot be made immutable: then the package is broken, but does not crash.
            for type_ in (_core.Job, _core.Turn, _core.Arrival, _core.Pool, _core.Lineage):
                state = type_._nb_aiopool_state
                call(delattr, type_, "_nb_aiopool_state")
                call(fresh)
                call(setattr, type_, "_nb_aiopool_state", state)
    """,
    "copies": """
        def attack():
            import copy, pickle
            for thing in (fresh(), fresh_job(), fresh()._native_offer(held(), True, None)):
                for way in (copy.copy, copy.deepcopy, pickle.dumps):
                    call(way, thing)
                for protocol in range(6):
                    call(thing.__reduce_ex__, protocol)
    """,
    "a job that changes its class": """
        def attack():
            class Other(asyncio.Future):
                pass
            for kind in (Other, asyncio.Future, asyncio.Task, object, NbAioPool, _core.Pool):
                job, pool = fresh_job(), fresh()
                call(setattr, job, "__class__", kind)
                call(setattr, pool, "__class__", kind)
                call(repr, job)
                call(repr, pool)
    """,
}


# In parts: all the pools of one live until the loop turns, and the collector looks at each of them again and again.
for part in range(4):
    ATTACKS["methods of a pool, part %d" % (part + 1)] = (
        """
        def attack():
            calls(fresh, [name for name in dir(_core.Pool) if name not in ("__del__",)][%d::4])
    """
        % part
    )


@pytest.mark.limit(120)
@pytest.mark.parametrize("attack", ATTACKS)
def test_no_nonsense_crashes_the_interpreter(attack: str, script: Any, tmp_path: Any) -> None:
    last = tmp_path / "last"
    done = script(COMMON + indented(ATTACKS[attack]) + RUN, str(last), timeout=110, check=False)
    shown = "%s\nlast call: %s\n%s" % (done.returncode, last.read_text(encoding="utf-8"), done.stderr[-3000:])
    assert done.returncode == 0, shown
    assert done.stdout == "works\nalive\n", shown


def indented(source: str) -> str:
    """The attack at the depth of the code around it."""
    return "".join(line[4:] if line.startswith("        ") else line for line in source.splitlines(True))
