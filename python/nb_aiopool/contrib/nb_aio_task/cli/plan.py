"""What the `worker` command was asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import List, NamedTuple, Optional, Sequence


class Plan(NamedTuple):
    """The arguments that one worker process gets, whether it was started by a user or by a supervisor."""

    targets: Sequence[str]
    concurrency: Optional[int]
    burst: bool
    uvloop: bool

    def command(self) -> List[str]:
        """The command line of a process that does this, with the options that this interpreter was started with."""
        flags: List[str] = vars(subprocess)["_args_from_interpreter_flags"]()
        command = [sys.executable, *flags, "-m", "nb_aiopool", "worker", *self.targets]
        if self.concurrency is not None:
            command += ["--concurrency", str(self.concurrency)]
        if self.burst:
            command.append("--burst")
        if self.uvloop:
            command.append("--uvloop")
        return command
