"""The search for who waits for what: it runs no code of what it looks at, and odd objects do not mislead it."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import Any, Callable, Dict, List

import pytest

from nb_aiopool._nesting import leads_to


def touchy(called: List[str]) -> Any:
    """An object, and a type, all of whose attributes are code that must not run."""

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            called.append("type." + name)
            raise LookupError(name)

        def __hash__(cls) -> int:
            called.append("type.__hash__")
            return 1

        def __eq__(cls, other: object) -> bool:
            called.append("type.__eq__")
            return False

    class Touchy(metaclass=Meta):
        __slots__ = ("a_slot",)

        @property
        def __class__(self) -> Any:  # type: ignore[override]
            called.append("__class__")
            return dict

        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            called.append("__dict__")
            return {}

        def __getattr__(self, name: str) -> Any:
            called.append(name)
            raise LookupError(name)

        def __hash__(self) -> int:
            called.append("__hash__")
            return 1

        def __iter__(self) -> Any:
            called.append("__iter__")
            return iter(())

    return object.__new__(Touchy)  # type: ignore[call-overload]


async def test_nothing_that_is_looked_at_is_called() -> None:
    loop, called = asyncio.get_running_loop(), []  # type: ignore[var-annotated]
    future, awaited = loop.create_future(), loop.create_future()
    thing = touchy(called)

    def callback(_: Any, thing: Any = thing) -> None: ...

    future.add_done_callback(callback)
    future.add_done_callback(functools.partial(callback, thing=[thing]))

    async def wait(thing: Any) -> None:
        assert thing is not None
        await future

    task = loop.create_task(wait(thing))
    await asyncio.sleep(0)
    called.clear()
    assert not leads_to(future, awaited)
    assert not leads_to(task, awaited)
    assert called == []
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Holder:
    def __init__(self, held: Any) -> None:
        self.held = held


class SlotHolder:
    __slots__ = ("held",)

    def __init__(self, held: Any) -> None:
        self.held = held


class ListOfOwn(List[Any]):
    def __iter__(self) -> Any:
        raise LookupError("must not be called")


class DictOfOwn(Dict[str, Any]):
    def values(self) -> Any:
        raise LookupError("must not be called")


def closure(held: Any) -> Any:
    def function() -> Any:
        return held

    return function


WAYS: Dict[str, Callable[[Any], Any]] = {
    "an attribute": Holder,
    "a slot": SlotHolder,
    "a list": lambda held: [1, held],
    "a list of an own type": lambda held: ListOfOwn([held]),
    "a dict": lambda held: {"it": held},
    "a dict of an own type": lambda held: DictOfOwn(it=held),
    "a deque": lambda held: deque([held]),
    "a set": lambda held: {held},
    "a closure": closure,
    "a method": lambda held: Holder(held).__init__,  # type: ignore[misc]
    "a partial": lambda held: functools.partial(print, held),
    "a keyword of a partial": lambda held: functools.partial(print, file=held),
}


@pytest.mark.parametrize("way", WAYS)
async def test_what_a_callback_holds_is_found(way: str) -> None:
    loop = asyncio.get_running_loop()
    future, awaited, other = loop.create_future(), loop.create_future(), loop.create_future()
    held = WAYS[way](awaited)

    def callback(_: Any) -> Any:
        return held

    future.add_done_callback(callback)
    assert leads_to(future, awaited)
    assert not leads_to(future, other)


async def test_an_object_whose_type_has_no_module_does_not_lead_anywhere() -> None:
    loop = asyncio.get_running_loop()
    future, awaited = loop.create_future(), loop.create_future()

    class NoModule:
        pass

    NoModule.__module__ = None  # type: ignore[assignment]

    async def wait(thing: Any) -> None:
        assert thing is not None
        await future

    task = loop.create_task(wait(NoModule()))
    await asyncio.sleep(0)
    assert not leads_to(task, awaited)
    future.set_result(None)
    await task
