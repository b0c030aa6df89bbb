"""Defining a task: what is accepted, and how what is not is refused: at once, by name, and with what is right."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Dict

import pytest

from nb_aiopool.contrib.nb_aio_task import AioTask, aio_task

URL = "memory://"


def defined(**options: Any) -> AioTask[Any]:
    @aio_task("q", redis_url=options.pop("redis_url", URL), **options)
    async def function() -> None: ...

    return function


def test_the_task_looks_like_its_function() -> None:
    @aio_task("mails", redis_url=URL)
    async def send(address: str, text: str = "") -> str:
        """Send a mail."""
        return address + text

    assert isinstance(send, AioTask)
    assert (send.__name__, send.__doc__, send.__module__) == ("send", "Send a mail.", __name__)
    assert list(inspect.signature(send).parameters) == ["address", "text"]
    assert send.__qualname__ in repr(send) and "nb_aio_task:mails" in repr(send)


def test_the_attributes_of_1_0_are_there_with_its_defaults() -> None:
    async def function() -> None: ...

    decorated = aio_task("q")(function)
    assert decorated.func is function
    assert decorated.queue_name == "nb_aio_task:q"
    assert decorated.redis_url == "redis://localhost:6379/0"
    assert (decorated.max_concurrency, decorated.max_queue_size, decorated.use_pickle) == (50, 1000, True)
    constructed = AioTask(function, "q")
    assert (constructed.max_concurrency, constructed.max_queue_size, constructed.use_pickle) == (
        100,
        100,
        True,
    )


def test_the_options_of_1_0_may_be_given_by_position() -> None:
    async def function() -> None: ...

    for task in (aio_task("q", 3, URL, 7, False)(function), AioTask(function, "q", 3, URL, 7, False)):
        assert task.queue_name == "nb_aio_task:q"
        assert (task.max_concurrency, task.redis_url, task.max_queue_size, task.use_pickle) == (
            3,
            URL,
            7,
            False,
        )


def test_the_newer_options_have_to_be_named() -> None:
    with pytest.raises(TypeError):
        aio_task("q", 3, URL, 7, False, 2)  # type: ignore[misc]


def plain() -> None: ...


def generator() -> Any:
    yield


async def agenerator() -> Any:
    yield


class AsyncCall:
    async def __call__(self) -> None: ...


@pytest.mark.parametrize("function", [plain, generator, agenerator, lambda: None])
def test_a_function_that_is_not_async_is_refused_by_its_name(function: Any) -> None:
    with pytest.raises(TypeError, match="async def") as caught:
        aio_task("q", redis_url=URL)(function)
    assert function.__qualname__ in str(caught.value)


@pytest.mark.parametrize("function", [AsyncCall(), 3, None, functools.partial(plain)])
def test_what_has_no_name_is_refused_as_it_shows_itself(function: Any) -> None:
    with pytest.raises(TypeError, match="async def") as caught:
        aio_task("q", redis_url=URL)(function)
    assert repr(function) in str(caught.value)


def test_a_partial_of_an_async_function_is_one() -> None:
    async def function(x: int) -> int:
        return x

    assert "functools.partial" in repr(aio_task("q", redis_url=URL)(functools.partial(function, 1)))


def test_the_decorator_without_its_parentheses_says_how_to_write_it() -> None:
    with pytest.raises(TypeError, match=r"@aio_task\('queue_name'\)") as caught:

        @aio_task  # type: ignore[arg-type]
        async def forgotten() -> None: ...

    assert "forgotten" in str(caught.value)


@pytest.mark.parametrize("name", [None, 3, b"q", ["q"]])
def test_a_queue_name_is_a_string(name: Any) -> None:
    with pytest.raises(TypeError, match="queue_name must be a str, not") as caught:
        aio_task(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["", "a{b", "a}b", "{a}", "{}", "a\0b", "\ud800"])
def test_a_queue_name_that_redis_would_take_otherwise_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="queue_name") as caught:
        aio_task(name)
    assert not name or repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "a:b", "ä", "邮件", "a\nb", "*", "x" * 1000])
def test_any_other_queue_name_will_do(name: str) -> None:
    async def function() -> None: ...

    assert aio_task(name, redis_url=URL)(function).queue_name == "nb_aio_task:" + name


NUMBERS: Dict[str, Any] = {
    "max_concurrency": 1,
    "max_queue_size": 0,
    "max_retries": 0,
    "max_deliveries": 1,
}
SECONDS: Dict[str, Any] = {"retry_delay": 0, "lease": 1, "result_ttl": 0, "timeout": 0.001}


@pytest.mark.parametrize("option", NUMBERS)
@pytest.mark.parametrize("value", [1.0, "1", None, True, [1]])
def test_a_number_is_an_int(option: str, value: Any) -> None:
    with pytest.raises(TypeError, match="%s must be an int, not " % option) as caught:
        defined(**{option: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("option", NUMBERS)
def test_a_number_has_a_least_value(option: str) -> None:
    defined(**{option: NUMBERS[option]})
    least = NUMBERS[option]
    with pytest.raises(ValueError, match="%s must be at least %d, not %d" % (option, least, least - 1)):
        defined(**{option: least - 1})


@pytest.mark.parametrize("option", NUMBERS)
def test_a_number_has_a_largest_value(option: str) -> None:
    most = 10**9 if option == "max_concurrency" else 2**63 - 1
    defined(**{option: most})
    with pytest.raises(ValueError, match="%s must be at most %d, not %d" % (option, most, most + 1)):
        defined(**{option: most + 1})


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", ["1", True, [1], 1j])
def test_seconds_are_a_number(option: str, value: Any) -> None:
    with pytest.raises(TypeError, match="%s must be a number of seconds, not " % option) as caught:
        defined(**{option: value})
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("option", SECONDS)
@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), float("-inf"), 1e300])
def test_seconds_are_finite_and_have_a_least_value(option: str, value: Any) -> None:
    defined(**{option: SECONDS[option]})
    with pytest.raises(ValueError, match="^%s must be" % option):
        defined(**{option: value})


def test_a_lease_shorter_than_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lease must be .* at least 1.* 0\.9"):
        defined(lease=0.9)


def test_a_timeout_of_no_time_is_refused() -> None:
    assert defined(timeout=None)
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds, or None for no limit, not 0"):
        defined(timeout=0)


@pytest.mark.parametrize("value", ["yes", None, 1.0, 0, 1])
def test_use_pickle_is_a_flag(value: Any) -> None:
    with pytest.raises(TypeError, match="use_pickle must be True .*, not ") as caught:
        defined(use_pickle=value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", [3, True, ["k"], bytearray(b"k")])
def test_a_key_is_a_string(value: Any) -> None:
    with pytest.raises(TypeError, match="sign_key must be a str or bytes.*, not " + type(value).__name__):
        defined(sign_key=value)


@pytest.mark.parametrize("value", ["", b""])
def test_an_empty_key_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="sign_key is empty"):
        defined(sign_key=value)


def test_a_key_is_not_shown() -> None:
    task = defined(sign_key="a secret")
    assert "a secret" not in repr(task)
    with pytest.raises(TypeError) as caught:
        defined(sign_key=["a secret"])
    assert "a secret" not in str(caught.value)


@pytest.mark.parametrize("option", ["delay", "at", "id", "priority"])
def test_options_of_a_submission_are_no_options_of_a_task(option: str) -> None:
    with pytest.raises(TypeError, match=option):
        defined(**{option: 1})
