"""
What a payload that cannot be decoded says it is called.

Its class may be unknown here, or its signature wrong; the id that it holds has to be freed all the same. Nothing of it
is executed: the instructions of a pickle are listed, not followed, and all they make but strings is forgotten.
"""

from __future__ import annotations

import json
import pickletools
from typing import Any, Dict, List, NamedTuple

MOST_OPERATIONS = 1_000_000
"""What is longer (it takes a second or more to read) is not read to its end, and has no name."""

_MARK = object()
_TEXT = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE")
_PUT = ("PUT", "BINPUT", "LONG_BINPUT")
_GET = ("GET", "BINGET", "LONG_BINGET")


class Claim(NamedTuple):
    """As in codec.Call; both are "" if the payload names none."""

    id: str = ""
    token: str = ""

    @property
    def given_id(self) -> str:
        return self.id if self.id != self.token else ""


def claim_of(body: bytes) -> Claim:
    """The names in a payload (without its trailer), whatever else it is. Raises nothing."""
    try:
        found = _names_in_json(body) if body.startswith(b"{") else _names_in_pickle(body)
        id_, token = found.get("id") or "", found.get("token") or found.get("id") or ""
        (id_ + token).encode()  # both become names in Redis: raises if they cannot
    except Exception:  # noqa: BLE001 -- it is as broken as it may be
        return Claim()
    return Claim(id_, token)


def _names_in_json(body: bytes) -> Dict[str, str]:
    task: Dict[str, Any] = json.loads(body)
    return {key: task[key] for key in ("id", "token") if isinstance(task.get(key), str)}


def _names_in_pickle(body: bytes) -> Dict[str, str]:
    """The strings under "id" and "token" in the outermost dict."""
    names: Dict[str, str] = {}
    stack: List[Any] = []
    memo: Dict[int, Any] = {}
    argument: Any
    for count, (operation, argument, _) in enumerate(pickletools.genops(body)):
        if count >= MOST_OPERATIONS:
            return {}
        name = operation.name
        if name in _TEXT:
            stack.append(argument)
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _PUT:
            memo[int(argument)] = stack[-1]
        elif name in _GET:
            stack.append(memo[int(argument)])
        else:
            items = _taken(stack, operation.stack_before)
            stack.extend([None] * len(operation.stack_after))
            if name in ("SETITEM", "SETITEMS") and len(stack) == 1:
                pairs = zip(items[::2], items[1::2])
                names.update((k, v) for k, v in pairs if k in ("id", "token") and isinstance(v, str))
    return names


def _taken(stack: List[Any], before: List[Any]) -> List[Any]:
    """Take what an operation needs off the stack; returns the items that a dict gets, if it is about that."""
    count = len(before)
    items: List[Any] = []
    if pickletools.stackslice in before:
        while stack[-1] is not _MARK:
            items.append(stack.pop())
        stack.pop()
        items.reverse()
        count = before.index(pickletools.markobject)
    elif count > 1:
        items = stack[1 - count :]
    if count:
        del stack[-count:]
    return items
