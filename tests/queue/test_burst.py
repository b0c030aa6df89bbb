"""When the workers of a burst agree that it is over."""

from __future__ import annotations

from nb_aiopool.contrib.nb_aio_task.burst import Burst


def quiet(burst: Burst, member: str, era: int) -> bool:
    return burst.report(member, era, drained=True, started=False)


def test_one_alone_ends_as_soon_as_its_queue_is_drained() -> None:
    burst = Burst()
    assert not burst.report("a", burst.era, drained=False, started=True)
    assert burst.report("a", burst.era, drained=True, started=True)


def test_nobody_ends_before_all_are_drained() -> None:
    burst = Burst(2)
    assert not quiet(burst, "a", burst.era)
    assert not burst.report("b", burst.era, drained=False, started=True)
    assert not quiet(burst, "a", burst.era)
    assert not quiet(burst, "a", burst.era)


def test_all_have_to_look_again_after_the_last_has_become_quiet() -> None:
    burst = Burst(2)
    assert not burst.report("b", burst.era, drained=False, started=True)
    assert not quiet(burst, "a", burst.era)
    # What b has done meanwhile may have been a submission to a.
    assert not quiet(burst, "b", burst.era)
    assert quiet(burst, "a", burst.era)
    assert quiet(burst, "b", burst.era)


def test_a_look_that_was_begun_before_that_does_not_count() -> None:
    burst = Burst(2)
    assert not quiet(burst, "a", burst.era)
    era = burst.era
    assert not quiet(burst, "b", era)
    assert not quiet(burst, "a", era)
    assert quiet(burst, "a", burst.era)


def test_one_that_has_done_something_between_two_looks_is_not_quiet() -> None:
    burst = Burst(2)
    assert not quiet(burst, "a", burst.era)
    assert not quiet(burst, "b", burst.era)
    assert not burst.report("a", burst.era, drained=True, started=True)
    assert not quiet(burst, "b", burst.era)
    assert not quiet(burst, "a", burst.era)
    assert quiet(burst, "b", burst.era)


def test_one_that_has_left_is_not_waited_for() -> None:
    burst = Burst(2)
    assert not quiet(burst, "a", burst.era)
    burst.leave("b")
    assert quiet(burst, "a", burst.era)


def test_one_that_finds_something_after_the_end_does_it() -> None:
    burst = Burst(2)
    burst.leave("b")
    assert quiet(burst, "a", burst.era)
    burst.leave("a")
    assert not burst.report("c", burst.era, drained=False, started=True)
    assert quiet(burst, "c", burst.era)


def test_nobody_ends_as_long_as_something_is_to_come_back() -> None:
    held = True
    burst = Burst(held=lambda: held)
    assert not quiet(burst, "a", burst.era)
    held = False
    assert quiet(burst, "a", burst.era)
    held = True
    assert not quiet(burst, "b", burst.era)
