"""`worker`: from `MODULE[:TASK]` to tasks, and the errors on the way."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, Callable, Iterator, List

import pytest

from nb_aiopool.contrib.nb_aio_task.cli.failure import Failure
from nb_aiopool.contrib.nb_aio_task.cli.loading import load

if TYPE_CHECKING:
    from pathlib import Path

    from cli_support import Cli

HEAD = "from nb_aiopool.contrib.nb_aio_task import aio_task\n"
TASKS = HEAD + (
    "@aio_task('a', redis_url='memory://')\nasync def one(): ...\n"
    "@aio_task('b', redis_url='memory://')\nasync def two(): ...\n"
    "again = one\n"
    "number = 7\n"
)


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Writes modules into the current directory."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])

    def write(name: str, source: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


def names(tasks: List[Any]) -> List[str]:
    return [task.definition.name for task in tasks]


def refusal(*targets: str) -> str:
    with pytest.raises(Failure) as refused:
        load(targets)
    assert refused.value.status == 2
    return str(refused.value)


def test_all_tasks_of_a_module_each_once(write: Callable[[str, str], None]) -> None:
    write("shop1.py", TASKS)
    assert names(load(["shop1"])) == ["one", "two"]
    assert names(load(["shop1:two", "shop1", "shop1:again"])) == ["two", "one"]


def test_tasks_that_a_module_has_imported_are_its_own(write: Callable[[str, str], None]) -> None:
    write("shop2.py", TASKS)
    write("front2.py", "from shop2 import two as renamed\n")
    assert names(load(["front2"])) == ["two"]


def test_packages(write: Callable[[str, str], None]) -> None:
    write("pack3/__init__.py", "")
    write("pack3/tasks.py", TASKS)
    assert names(load(["pack3.tasks:one"])) == ["one"]
    assert "module 'pack3' has no tasks" in refusal("pack3")


def test_a_module_that_is_not_there(write: Callable[[str, str], None], tmp_path: Path) -> None:
    said = refusal("no_such_module_4")
    assert said.startswith("module 'no_such_module_4' is not found")
    assert str(tmp_path) in said
    write("shop4.py", TASKS)
    said = refusal("shop4.py")
    assert said.startswith("module 'shop4.py' is not found")
    assert said.endswith("Give the module, not the file: shop4")
    assert "module 'no_such_package_4.tasks' is not found" in refusal("no_such_package_4.tasks")


@pytest.mark.parametrize("target", ["", ":task", ".relative", "dir/tasks.py"])
def test_what_is_no_module_name(target: str) -> None:
    assert refusal(target).startswith(f"{target!r} names no module: write MODULE or MODULE:TASK")


def test_a_module_that_raises_shows_its_own_traceback(write: Callable[[str, str], None]) -> None:
    write("shop5.py", "def broken():\n    return 1 / 0\n\nbroken()\n")
    said = refusal("shop5")
    assert said.startswith("module 'shop5' cannot be loaded, it raised ZeroDivisionError:\nTraceback")
    assert said.endswith("ZeroDivisionError: division by zero")
    assert 'shop5.py", line 2, in broken' in said
    assert "importlib" not in said
    assert "loading.py" not in said


def test_a_module_that_needs_what_is_not_installed_is_found_itself(
    write: Callable[[str, str], None],
) -> None:
    write("shop6.py", "import no_such_dependency_6\n")
    said = refusal("shop6")
    assert said.startswith("module 'shop6' cannot be loaded, it raised ModuleNotFoundError:")
    assert 'shop6.py", line 1' in said


@pytest.mark.parametrize(
    "source", ["raise SystemExit(0)", "import sys; sys.exit('done')", "class X(BaseException): ...\nraise X"]
)
def test_a_module_that_wants_to_end_the_program(write: Callable[[str, str], None], source: str) -> None:
    write("shop7.py", source)
    assert "cannot be loaded, it raised " in refusal("shop7")
    sys.modules.pop("shop7", None)


def test_a_syntax_error(write: Callable[[str, str], None]) -> None:
    write("shop8.py", "async def f(:\n")
    said = refusal("shop8")
    assert "it raised SyntaxError:" in said
    assert 'shop8.py", line 1' in said


def test_a_task_that_is_not_there_names_those_that_are(write: Callable[[str, str], None]) -> None:
    write("shop9.py", TASKS)
    assert refusal("shop9:three") == "module 'shop9' has no task 'three'; its tasks are: again, one, two"
    assert refusal("shop9:") == "module 'shop9' has no task ''; its tasks are: again, one, two"
    said = refusal("shop9:number")
    assert said == "'number' of module 'shop9' is not a task, but an int; its tasks are: again, one, two"
    assert "'aio_task' of module 'shop9' is not a task, but a function" in refusal("shop9:aio_task")
    write("empty9.py", "")
    assert refusal("empty9:one") == "module 'empty9' has no task 'one'; it has no tasks at all"


def test_a_module_without_tasks(write: Callable[[str, str], None], tmp_path: Path) -> None:
    write("empty10.py", HEAD)
    said = refusal("empty10")
    assert said == f"module 'empty10' has no tasks ({tmp_path / 'empty10.py'}): define one with @aio_task"


def test_the_command_ends_with_status_2_and_says_why(cli: Cli) -> None:
    for target, said in (
        ("no_such_module", "module 'no_such_module' is not found"),
        ("cli_jobs:nothing", "module 'cli_jobs' has no task 'nothing'; its tasks are: "),
        ("json", "module 'json' has no tasks"),
    ):
        done = cli.run("worker", target)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"python -m nb_aiopool worker: error: {said}")
        assert done.stderr.count("\n") == 1


def test_a_wrong_password_is_one_clear_line(cli: Cli) -> None:
    url = cli.url.replace("redis://", "redis://user:secret@")
    done = cli.run("worker", "cli_jobs:count", "cli_jobs:hold", CLI_TEST_URL=url)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("python -m nb_aiopool worker: error: Redis refuses the connection: ")
    assert "secret" not in done.stderr


@pytest.mark.parametrize("processes", ["1", "2"])
def test_without_redis_py_it_says_what_to_install(cli: Cli, tmp_path: Path, processes: str) -> None:
    (tmp_path / "redis.py").write_text("raise ModuleNotFoundError('hidden', name='redis')", encoding="utf-8")
    (tmp_path / "plain.py").write_text(HEAD + "@aio_task('a')\nasync def one(): ...\n", encoding="utf-8")
    done = cli.run("worker", "plain", "--processes", processes, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "redis:// needs redis-py: pip install 'nb_aiopool[redis]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_uvloop_it_says_what_to_install(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text(
        "raise ModuleNotFoundError('hidden', name='uvloop')", encoding="utf-8"
    )
    done = cli.run("worker", "cli_jobs:count", "--uvloop", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "--uvloop needs uvloop: pip install 'nb_aiopool[uvloop]'" in done.stderr
    assert "Traceback" not in done.stderr
