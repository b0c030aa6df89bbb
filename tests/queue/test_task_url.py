"""Which URLs of servers are taken where a task is defined, and what is said of the others."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from nb_aiopool.contrib.nb_aio_task import AioTask, aio_task


def defined(url: Any) -> AioTask[Any]:
    @aio_task("q", redis_url=url)
    async def function() -> None: ...

    return function


def refusal(url: str) -> str:
    with pytest.raises(ValueError, match="redis_url") as caught:
        defined(url)
    return str(caught.value)


@pytest.fixture(params=["with redis-py", "without redis-py"])
def redis_py(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "with redis-py":
        pytest.importorskip("redis")
    else:
        monkeypatch.setitem(sys.modules, "nb_aiopool.contrib.nb_aio_task.redis_py", None)


@pytest.mark.parametrize("value", [None, 3, b"redis://localhost"])
def test_a_url_is_a_string(value: Any) -> None:
    with pytest.raises(TypeError, match="redis_url must be a str .*, not ") as caught:
        defined(value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "localhost",
        "localhost:6379",
        "http://localhost",
        "redis:localhost",
        "REDIS://localhost",
        "redis://h:port/0",
        "redis://h:99999/0",
        "redis://[::1/0",
    ],
)
def test_a_url_that_cannot_be_used_is_refused(value: str) -> None:
    assert repr(value) in refusal(value)


@pytest.mark.parametrize("database", ["abc", "-1", "1.5", "1/2", "\u0661", "+1", "1_0", "%2d1"])
def test_a_database_is_a_number(database: str) -> None:
    said = refusal("redis://user:geheim@host/" + database)
    assert "the database must be a number, at least 0, not %r" % database in said
    assert "geheim" not in said


@pytest.mark.usefixtures("redis_py")
@pytest.mark.parametrize(
    ("option", "value", "right"),
    [
        ("db", "abc", "a whole number, at least 0"),
        ("db", "-1", "a whole number, at least 0"),
        ("max_connections", "many", "a whole number, at least 0"),
        ("health_check_interval", "1.5", "a whole number, at least 0"),
        ("protocol", "RESP3", "a whole number, at least 0"),
        ("socket_timeout", "abc", "a number of seconds, at least 0"),
        ("socket_timeout", "-1", "a number of seconds, at least 0"),
        ("socket_timeout", "nan", "a number of seconds, at least 0"),
        ("socket_connect_timeout", "1e300", "a number of seconds, at least 0"),
    ],
)
@pytest.mark.parametrize(
    "beginning", ["redis://user:geheim@host/0", "rediss://host", "unix:///run/redis@1.sock"]
)
def test_an_option_of_another_kind_is_refused(beginning: str, option: str, value: str, right: str) -> None:
    said = refusal(f"{beginning}?{option}={value}&password=geheim")
    assert f"the option {option} must be {right}, not {value!r}" in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    "beginning", ["redis://user:geheim@host/0", "rediss://host", "unix:///run/redis.sock"]
)
@pytest.mark.parametrize("option", ["nonsense", "Socket_timeout", "timeout"])
def test_an_option_that_redis_py_does_not_have_is_refused(beginning: str, option: str) -> None:
    pytest.importorskip("redis")
    said = refusal(f"{beginning}?{option}=1&password=geheim")
    assert f"redis-py has no option {option}: mend its name, or leave it out" in said
    assert "geheim" not in said


def test_an_option_for_tls_without_tls_is_refused() -> None:
    pytest.importorskip("redis")
    said = refusal("redis://host/0?ssl_ca_certs=/etc/ssl/redis.pem")
    assert "the option ssl_ca_certs is one for TLS: begin with rediss://" in said


def test_what_redis_py_says_against_a_value_is_passed_on() -> None:
    pytest.importorskip("redis")
    assert "redis-py says: " in refusal("rediss://host/0?ssl_cert_reqs=perhaps")


def test_where_there_is_no_redis_py_names_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nb_aiopool.contrib.nb_aio_task.redis_py", None)
    assert defined("redis://host/0?nonsense=1")


@pytest.mark.usefixtures("redis_py")
@pytest.mark.parametrize(
    "value",
    [
        "http://user:geheim@host/0",
        "redis://user:geheim@host:port",
        "redis://user:geheim@host:port/0",
        "redis://user:ge/heim@host/0",
        "redis://user:ge?heim@host/0",
        "redis://user:ge#heim@host/x",
        "redis://user:ge@heim@host/x",
        "redis://:1/geheim@host/0",
    ],
)
def test_a_password_in_a_bad_url_is_not_shown(value: str) -> None:
    assert "heim" not in refusal(value)


def test_a_password_that_ends_a_url_too_soon_is_said_how_to_write() -> None:
    for character in "/?#":
        assert "a user or password needs %2F for /" in refusal(f"redis://user:a{character}b@host/0")
    assert defined("redis://user:a%2Fb%3Fc%23d%40@host/0")
    assert "password needs" not in refusal("redis://user:geheim@host/x")


@pytest.mark.usefixtures("redis_py")
@pytest.mark.parametrize(
    "value",
    [
        "redis://localhost",
        "redis://:password@localhost:6379/3?health_check_interval=30",
        "rediss://user:password@[::1]:6380/0?ssl_cert_reqs=none",
        "unix:///run/redis.sock?db=2",
        "redis://first,second:6379/15/?socket_timeout=2.5&socket_connect_timeout=0&client_name=a@b",
        "redis://host?db=3",
        "redis://host/?db=",
        "unix://user:password@/run/redis.sock?socket_timeout=5",
        "rediss://host?ssl_check_hostname=no&ssl_keyfile=/k&ssl_certfile=/c&ssl_ca_certs=/p",
        "memory://",
        "memory://name",
    ],
)
def test_a_url_is_taken_as_it_is_and_connects_nothing(value: str) -> None:
    assert defined(value).redis_url == value
