"""map: an input without end needs no more memory than a short one."""

from __future__ import annotations

from typing import Any


def test_a_million_inputs_need_no_more_memory_than_a_few(script: Any) -> None:
    done = script(
        """
        import asyncio, gc, itertools, sys
        from nb_aiopool import NbAioPool

        N = int(sys.argv[1])
        out = peak = alive = most = 0

        class Item:
            def __init__(self, number):
                global alive, most
                alive += 1
                most = max(most, alive)
                self.number = number

            def __del__(self):
                global alive
                alive -= 1

        def items():
            global out, peak
            for number in range(N):
                out += 1
                peak = max(peak, out)
                yield Item(number)

        async def job(item):
            if item.number % 7 == 0:
                await asyncio.sleep(0)
            return item.number

        async def main(ordered):
            global out
            objects, total = [], 0
            async for number in NbAioPool(10, 20).map(job, items(), ordered=ordered):
                out -= 1
                total += number
                if number % (N // 8) == N // 16:
                    gc.collect()
                    objects.append(len(gc.get_objects()))
            assert total == N * (N - 1) // 2
            assert max(objects[1:]) - min(objects[1:]) < 300, objects
            assert out == 0 and peak <= 30, (out, peak)

        for ordered in (True, False):
            asyncio.run(main(ordered))
        assert alive == 0 and most <= 33, (alive, most)
        """,
        "100000",
    )
    assert done.stdout == ""
