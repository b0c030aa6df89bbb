"""The mapping whose entries have an end, against a naive one, and the memory that it gives back."""

from __future__ import annotations

import random
from typing import Dict, Tuple

from nb_aiopool.contrib.nb_aio_task.expiring import Expiring


def test_it_holds_what_a_naive_mapping_holds() -> None:
    for seed in range(30):
        rng = random.Random(seed)
        ours: Expiring[int] = Expiring()
        naive: Dict[str, Tuple[int, int]] = {}
        now = 0
        for step in range(500):
            name = str(rng.randrange(8))
            action = rng.randrange(10)
            if action < 5:
                end = now + rng.randrange(20)
                ours.put(name, step, now, end)
                naive[name] = (end, step)
            elif action == 5:
                ours.pop(name)
                naive.pop(name, None)
            elif action == 6:
                odd = step % 2
                ours.keep_only(lambda value, odd=odd: value % 2 == odd)  # type: ignore[misc]
                naive = {key: entry for key, entry in naive.items() if entry[1] % 2 == odd}
            else:
                now += rng.randrange(4)
            for key in map(str, range(8)):
                end, value = naive.get(key, (now, None))
                assert ours.get(key, now) == (value if end > now else None), (seed, step)


def test_what_has_expired_is_given_back() -> None:
    ours: Expiring[int] = Expiring()
    for now in range(10_000):
        ours.put(str(now), now, now, now + 10)
        assert len(ours) <= 11
    assert len(ours._ends) <= 2 * 11 + 100


def test_an_entry_that_is_replaced_again_and_again_takes_the_memory_of_one() -> None:
    ours: Expiring[int] = Expiring()
    for number in range(10_000):
        ours.put("a", number, 0, 1000 + number)
        ours.put(str(number), number, 0, 10**9)
        ours.pop(str(number))
    assert len(ours) == 1
    assert len(ours._ends) <= 102
    assert ours.get("a", 10_998) == 9_999 and ours.get("a", 10_999) is None


def test_an_entry_that_was_put_in_again_outlives_its_first_end() -> None:
    ours: Expiring[int] = Expiring()
    ours.put("a", 1, 0, 10)
    ours.put("a", 2, 0, 20)
    ours.put("b", 3, 15, 30)
    assert ours.get("a", 15) == 2
