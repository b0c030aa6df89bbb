from __future__ import annotations
def save(path, runs, workloads): raise NotImplementedError
