"""Where the original is: it has our import name, so it cannot be installed beside us."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from pathlib import Path
from typing import Iterator, Optional, Tuple

from benchmarks.rivals import Unavailable

ORIGINAL = "nb_aiopool==1.0"


@contextlib.contextmanager
def original_package(python: str, given: Optional[str], wanted: bool) -> Iterator[Tuple[Optional[str], str]]:
    """Give a folder that holds the original package, or None and why there is none.

    A folder that was asked for by name has to be right; one that pip cannot fill only means one rival less.
    """
    if not wanted:
        yield None, "not asked for"
    elif given is not None:
        if not Path(given, "nb_aiopool", "nb_aiopool.py").is_file():
            raise Unavailable(f"--original: there is no nb_aiopool/nb_aiopool.py in {given}")
        yield str(Path(given).resolve()), ""
    else:
        with tempfile.TemporaryDirectory() as folder:
            command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, ORIGINAL]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                yield folder, ""
            else:
                yield None, f"pip could not fetch {ORIGINAL}; give a folder that has it with --original"
