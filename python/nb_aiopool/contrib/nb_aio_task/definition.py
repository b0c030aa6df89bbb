"""What a task is, apart from where it runs: its function, its options and how its calls are written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Awaitable, Callable, NamedTuple

from .codec import Codec
from .keys import LIST_PREFIX
from .records import Records
from .signing import Signer

if TYPE_CHECKING:
    from .options import Options


class Definition(NamedTuple):
    """Shared by everything that serves one AioTask."""

    function: Callable[..., Awaitable[Any]]
    name: str
    queue: str
    options: Options
    codec: Codec
    records: Records

    @property
    def list_name(self) -> str:
        """The name of the list in Redis, which is also what signatures are bound to."""
        return LIST_PREFIX + self.queue


def define(function: Callable[..., Awaitable[Any]], queue: str, options: Options) -> Definition:
    list_name = LIST_PREFIX + queue
    signer = Signer(options.sign_key)
    use_pickle = bool(options.use_pickle)
    return Definition(
        function,
        getattr(function, "__qualname__", None) or repr(function),
        queue,
        options,
        Codec(list_name, use_pickle=use_pickle, signer=signer),
        Records(list_name, use_pickle=use_pickle, signer=signer),
    )
