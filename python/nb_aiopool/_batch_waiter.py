"""What somebody waits for who waits for the jobs of a batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Future = asyncio.Future[None]
else:
    _Future = asyncio.Future  # 3.8 has no subscript for it

__all__ = ["BatchWaiter"]


class BatchWaiter(_Future):
    """A future that knows the jobs it stands for, as that of a gather() does: a job may lend its slot to them."""

    __slots__ = ("_children",)

    def __init__(self, loop: asyncio.AbstractEventLoop, children: Any) -> None:
        super().__init__(loop=loop)
        self._children = children
