"""How fast the pool is, and how fast everything else is on the same machine at the same time.

    python -m benchmarks [--only PATTERN] [--quick] ...

`rivals` has one module for each way to run coroutines, `workloads` one for each kind of work. `sample` takes one
sample, in a process of its own; `harness` interleaves the samples; `report`, `plot`, `saved` and `compare` say what
came out.
"""

from __future__ import annotations
