"""Looking at objects without running any code of theirs: no property, metaclass, `__class__` or `__getattr__`.

Whoever is looked at need not know, and need not be well: what cannot be seen this way is taken for absent.
"""

from __future__ import annotations

from collections import deque
from types import CellType, FunctionType, GetSetDescriptorType, MemberDescriptorType
from typing import Any, Callable, Dict, Iterator, Tuple, cast

__all__ = [
    "attribute_of",
    "contents_of",
    "contents_of_cells",
    "fields_of",
    "is_future",
    "is_kind_of",
    "items_of",
    "module_of",
    "name_of",
]

# The descriptors of `type` itself, which no metaclass overrides.
_of_type = type.__dict__
_mro = _of_type["__mro__"].__get__
_dict = _of_type["__dict__"].__get__
_module = _of_type["__module__"].__get__
_name = _of_type["__name__"].__get__
_values = cast("Callable[[Any], Any]", dict.values)
_SEQUENCES: Tuple[Any, ...] = (list, tuple, set, frozenset, deque)
_NATIVE: Tuple[Any, ...] = (GetSetDescriptorType, MemberDescriptorType)


def _find(kind: Any, name: str) -> Any:
    """Return what a type or its bases define under a name; None if nothing."""
    for base in _mro(kind):
        found = _dict(base).get(name)
        if found is not None:
            return found
    return None


def _instance_dict(thing: Any) -> Dict[str, Any]:
    for base in _mro(type(thing)):
        getter = _dict(base).get("__dict__")
        if type(getter) is GetSetDescriptorType:  # and not a property of that name
            return cast("Dict[str, Any]", getter.__get__(thing))
    return {}


def attribute_of(thing: Any, name: str) -> Any:
    """Return an attribute that is a native field or in the instance's dict; None if it is neither, or not set."""
    found = _find(type(thing), name)
    if type(found) in _NATIVE:
        try:
            return found.__get__(thing)
        except AttributeError:
            return None
    return _instance_dict(thing).get(name)


def fields_of(thing: Any) -> Iterator[Any]:
    """Yield what an object holds in its dict and its slots."""
    yield from list(_instance_dict(thing).values())
    for base in _mro(type(thing)):
        for member in list(_dict(base).values()):
            if type(member) is MemberDescriptorType:
                try:
                    yield member.__get__(thing)
                except AttributeError:  # not set
                    continue


def items_of(thing: Any) -> Iterator[Any]:
    """Yield the items of a collection, the values of a dict, and nothing of anything else."""
    if is_kind_of(thing, dict):
        yield from list(_values(thing))
        return
    for kind in _SEQUENCES:
        if is_kind_of(thing, kind):
            yield from list(kind.__iter__(thing))


def contents_of_cells(function: FunctionType) -> Iterator[Any]:
    """Yield the variables of outer functions that a function uses."""
    for cell in function.__closure__ or ():
        yield from contents_of(cell)


def contents_of(cell: CellType) -> Iterator[Any]:
    """Yield what a cell holds, if anything."""
    try:
        yield cell.cell_contents
    except ValueError:  # not filled yet
        return


def is_kind_of(thing: Any, *kinds: Any) -> bool:
    """As isinstance(), for plain classes, without asking the object what it claims to be."""
    return issubclass(type(thing), kinds)


def is_future(thing: Any) -> bool:
    """Return whether an object is awaited as asyncio's futures are."""
    return _find(type(thing), "_asyncio_future_blocking") is not None


def module_of(thing: Any) -> str:
    """Return the name of the module that defines the type of an object, or an empty string."""
    try:
        name = _module(type(thing))
    except AttributeError:
        return ""
    return name if type(name) is str else ""


def name_of(thing: Any) -> str:
    """Return the name of the type of an object."""
    return cast("str", _name(type(thing)))
