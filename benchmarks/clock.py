"""The clock for work that never waits.

CPU time says how long such work takes on a machine that does nothing else; time on the wall would count also what the
machine does besides.
"""

from __future__ import annotations

import time

# Where the CPU time is counted in ticks of milliseconds (on Windows), a sample is too short for it.
FINE = time.get_clock_info("process_time").resolution < 1e-5
now = time.process_time if FINE else time.perf_counter
