"""scripts/check_release.py lets through the tag of the version with a dated changelog entry, and no other."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Callable

import pytest

CHECK = Path(__file__).resolve().parent.parent / "scripts" / "check_release.py"
Check = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """``check(tag, version, entry)`` runs the script in a tree of that version with that heading on top."""

    def check(tag: str, version: str, entry: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "scripts").mkdir()
        shutil.copy(CHECK, tmp_path / "scripts")
        package = tmp_path / "python" / "nb_aiopool"
        package.mkdir(parents=True)
        (package / "_version.py").write_text(
            f'"""The version."""\n\n__version__ = "{version}"\n', encoding="utf-8"
        )
        changelog = f"# Changelog\n\n{entry}\n\n### Added\n- One.\n\n## 1.0.0 - 2025-01-01\n"
        (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
        command = [sys.executable, str(tmp_path / "scripts" / "check_release.py"), tag]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return check


@pytest.mark.parametrize("version", ["2.1.0", "10.0.11", "2.1.0rc1"])
def test_the_tag_of_the_version_is_let_through(check: Check, version: str) -> None:
    done = check(f"v{version}", version, f"## {version} - 2026-02-28")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("tag", ["2.1.0", "v2.1", "v2.1.0rc1", "v2.1.0 ", "v1.0.0", ""])
def test_another_tag_is_refused_with_both_in_the_message(check: Check, tag: str) -> None:
    done = check(tag, "2.1.0", "## 2.1.0 - 2026-02-28")
    assert done.returncode == 1
    assert repr(tag) in done.stderr
    assert "needs the tag v2.1.0\n" in done.stderr


@pytest.mark.parametrize(
    "entry",
    [
        "## 2.1.0",
        "## Unreleased",
        "## 2.0.9 - 2026-02-28",
        "## 2.1.0 - 2026-02-30",
        "## 2.1.0 - soon",
        "## 2.1.0 - 20260228",
        "",
    ],
)
def test_an_entry_that_is_missing_or_undated_is_refused(check: Check, entry: str) -> None:
    done = check("v2.1.0", "2.1.0", entry)
    assert done.returncode == 1
    assert "'## 2.1.0 - <year>-<month>-<day>' has to be" in done.stderr


def test_a_version_that_is_none_is_refused(check: Check) -> None:
    done = check("v2.1", "2.1", "## 2.1 - 2026-02-28")
    assert done.returncode == 1
    assert "no version of the form" in done.stderr
