"""Producer processes of the chaos tests: they submit until they are killed, and tell what they were told is queued."""

from __future__ import annotations

import subprocess
import sys
from typing import List

PROGRAM = """
import asyncio, sys
from nb_aiopool.contrib.nb_aio_task import aio_task

@aio_task(sys.argv[2], redis_url=sys.argv[1])
async def work(label): ...

async def main():
    for number in range(1_000_000):
        labels = ["%s-%d-%d" % (sys.argv[3], number, n) for n in range(5)]
        await asyncio.gather(*[work.submit(label) for label in labels])
        print("\\n".join(labels), flush=True)
        await asyncio.sleep(float(sys.argv[4]))

asyncio.run(main())
"""


class Producers:
    """``with Producers(url, queue, 3) as producers:`` runs three for the length of the block, and kills them."""

    def __init__(self, url: str, queue: str, count: int, pause: float = 0.0) -> None:
        self.told: List[str] = []
        """The tasks of which a producer was told that they are queued; complete once the block is left."""
        self._arguments = [sys.executable, "-c", PROGRAM, url, queue]
        self._count = count
        self._pause = pause
        self._processes: List[subprocess.Popen[bytes]] = []

    def wait_for(self, count: int) -> None:
        """Wait until each has been told of so many more."""
        for process in self._processes:
            assert process.stdout is not None
            self.told += [process.stdout.readline().decode().strip() for _ in range(count)]

    def __enter__(self) -> Producers:
        for number in range(self._count):
            arguments = [*self._arguments, str(number), str(self._pause)]
            self._processes.append(
                subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            # The last line may have been cut by the kill.
            self.told += process.communicate()[0].decode().split("\n")[:-1]
