"""How much memory this process has."""

from __future__ import annotations

from pathlib import Path

STATM = Path("/proc/self/statm")
STATUS = Path("/proc/self/status")


def resident() -> float:
    """Return the bytes that are resident now."""
    if STATM.exists():
        import resource  # noqa: PLC0415 - there is none on Windows

        return float(int(STATM.read_text(encoding="ascii").split()[1]) * resource.getpagesize())
    import psutil  # noqa: PLC0415 - where the system has no file that tells

    return float(psutil.Process().memory_info().rss)


def most_resident(seen: float) -> float:
    """Return the most that has been resident: what the system has noted, or else the most that was seen."""
    if STATUS.exists():
        for line in STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(int(line.split()[1]) * 1024)
    return seen
