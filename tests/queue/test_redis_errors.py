"""Which answers of Redis are taken for an outage: as redis-py raises them, which takes their codes off."""

from __future__ import annotations

import pytest

pytest.importorskip("redis")

from redis.connection import DefaultParser

from nb_aiopool.contrib.nb_aio_task.errors import BrokerError, Outage
from nb_aiopool.contrib.nb_aio_task.redis_errors import translated

PASSING = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "LOADING Redis is loading the dataset in memory",
    "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.",
    "READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "NOREPLICAS Not enough good replicas to write.",
    "UNBLOCKED client unblocked via CLIENT UNBLOCK",
    "ERR max number of clients reached",
]
LASTING = [
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOAUTH Authentication required.",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "ERR invalid password",
    "ERR DB index is out of range",
    "ERR unknown command 'BLMOVE'",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
]


def raised(answer: str) -> Exception:
    error = translated(DefaultParser.parse_error(answer))
    assert isinstance(error, (BrokerError, Outage))
    return error


@pytest.mark.parametrize("answer", PASSING)
def test_what_will_pass_is_an_outage(answer: str) -> None:
    assert isinstance(raised(answer), Outage)


@pytest.mark.parametrize("answer", LASTING)
def test_what_will_not_pass_by_itself_is_an_error(answer: str) -> None:
    assert not isinstance(raised(answer), Outage)


@pytest.mark.parametrize(
    "answer",
    [
        "NOPERM this user has no permissions to run the 'unlink' command",
        "NOPERM this user has no permissions to access one of the keys used as arguments",
        "NOPERM User worker has no permissions to run the 'unlink' command",
        "ERR The user executing the script can't run this command or subcommand script: 5d79, on @user_script:1.",
        "ERR The user executing the script can't access at least one of the keys mentioned",
        "ERR ACL failure in script: User worker has no permissions to run the 'unlink' command script: 5d79",
    ],
)
def test_a_user_without_rights_is_told_where_they_are_listed(answer: str) -> None:
    error = raised(answer)
    assert type(error) is BrokerError
    assert "docs/queue/operating.md" in str(error) and "6.2" not in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        "ERR unknown command 'BLMOVE'",
        "ERR unknown command `BLMOVE`, with args beginning with: `a`, ",
        "ERR Error running script (call to f_5d79): @user_script:1: Unknown Redis command called from Lua script",
        "ERR wrong number of arguments for 'lpop' command",
    ],
)
def test_a_server_that_is_too_old_is_said_to_be(answer: str) -> None:
    assert str(raised(answer)).endswith("It needs Redis 6.2 or newer, or Valkey")


@pytest.mark.parametrize("answer", ["ERR Protocol error: invalid bulk length", "ERR value is out of range"])
def test_one_that_may_not_be_is_not(answer: str) -> None:
    assert "6.2" not in str(raised(answer))


def test_a_key_of_another_program_is_not_taken_for_an_old_server() -> None:
    error = raised("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert type(error) is BrokerError
    assert "another name" in str(error) and "6.2" not in str(error)
