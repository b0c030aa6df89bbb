"""The files of the sdist and the wheel that scripts/package has built, against those that git has.

NB_AIOPOOL_DIST names the directory with one of each.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import List, Set

import pytest

from nb_aiopool import __version__

ROOT = Path(__file__).resolve().parent.parent
DIST = Path(os.environ.get("NB_AIOPOOL_DIST", "nowhere"))
STEM = f"nb_aiopool-{__version__}"
INFO = f"{STEM}.dist-info"

pytestmark = pytest.mark.skipif(
    "NB_AIOPOOL_DIST" not in os.environ, reason="scripts/package runs these tests"
)


def only(pattern: str) -> Path:
    """The one file in the directory that has such a name."""
    (path,) = DIST.glob(pattern)
    return path


@pytest.fixture
def tracked() -> Set[str]:
    """The files that git has, but for those that only the repository needs."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git repository: there is nothing to compare with")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    names = {name for name in listed.stdout.decode("utf-8").split("\0") if name}
    return {name for name in names if not name.startswith((".ci/", ".github/"))}


@pytest.fixture
def sdist() -> List[tarfile.TarInfo]:
    with tarfile.open(only("*.tar.gz")) as archive:
        return archive.getmembers()


@pytest.fixture
def wheel() -> Set[str]:
    with zipfile.ZipFile(only("*.whl")) as archive:
        return {name for name in archive.namelist() if not name.endswith("/")}


def test_one_sdist_and_one_wheel_are_named_after_the_version() -> None:
    names = sorted(path.name for path in DIST.iterdir())
    assert len(names) == 2, names
    assert all(name.startswith(f"{STEM}-") or name == f"{STEM}.tar.gz" for name in names), names


def test_the_wheel_of_linux_says_which_c_library_it_needs() -> None:
    name = only("*.whl").name
    assert "-linux_" not in name
    assert "linux" not in name or re.search(r"[-.](manylinux_2|musllinux_1)_\d+_", name), name


def test_the_sdist_holds_what_git_has_and_no_more(tracked: Set[str], sdist: List[tarfile.TarInfo]) -> None:
    files = {member.name for member in sdist if not member.isdir()}
    assert files == {f"{STEM}/{name}" for name in tracked | {"PKG-INFO"}}


def test_the_sdist_holds_plain_files_and_the_scripts_can_be_run(sdist: List[tarfile.TarInfo]) -> None:
    assert {member.name for member in sdist if not (member.isfile() or member.isdir())} == set()
    runnable = {member.name for member in sdist if member.isfile() and member.mode & 0o100}
    assert {f"{STEM}/scripts/{name}" for name in ("lint", "package", "sanitize", "test")} <= runnable


def test_the_wheel_holds_the_package_and_no_more(tracked: Set[str], wheel: Set[str]) -> None:
    package = {name[len("python/") :] for name in tracked if name.startswith("python/")}
    assert {"nb_aiopool/py.typed", "nb_aiopool/_core.pyi"} <= package
    assert any(name.endswith(".lua") for name in package)
    about = {f"{INFO}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "licenses/LICENSE")}
    if "[project.scripts]" in (ROOT / "pyproject.toml").read_text(encoding="utf-8"):
        about.add(f"{INFO}/entry_points.txt")
    native = {name for name in wheel if re.fullmatch(r"nb_aiopool/_core\.[^/]*(so|pyd)", name)}
    assert len(native) == 1, native
    assert wheel == package | about | native


def test_both_say_the_same_about_the_package() -> None:
    with zipfile.ZipFile(only("*.whl")) as archive:
        of_wheel = message_from_bytes(archive.read(f"{INFO}/METADATA"))
    with tarfile.open(only("*.tar.gz")) as tar:
        file = tar.extractfile(f"{STEM}/PKG-INFO")
        assert file is not None
        of_sdist = message_from_bytes(file.read())
    assert of_wheel["Version"] == __version__
    assert of_wheel["License-File"] == "LICENSE"
    assert of_wheel.items() == of_sdist.items()
    assert of_wheel.get_payload() == of_sdist.get_payload()
