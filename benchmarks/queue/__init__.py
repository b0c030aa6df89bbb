"""How fast `nb_aiopool.contrib.nb_aio_task` is, and how fast other queues on Redis are, on the same machine in one run.

    python -m benchmarks.queue [--only PATTERN] [--rivals NAMES] [--quick] ...

`rivals` has one module for each queue. `workloads` says what is measured; a `site` has all that one sample needs: a
Redis server of its own, a `producer` process and `worker` processes, which write what they do into a `journal`. What
interleaves the samples and says what came out is shared with the other benchmarks.
"""

from __future__ import annotations
