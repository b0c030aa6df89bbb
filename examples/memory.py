"""How much memory this process has, with nothing but the standard library."""

from __future__ import annotations

import sys
from pathlib import Path


def megabytes() -> str:
    """Resident memory, or the most there has been where the system tells only that."""
    try:
        if sys.platform == "linux":
            return f"{linux_pages() * page_size() / 1e6:.1f} MB"
        if sys.platform == "win32":
            return f"{windows_working_set() / 1e6:.1f} MB"
        return f"{peak() / 1e6:.1f} MB at most"
    except (ImportError, OSError, ValueError):
        return "memory unknown"


def linux_pages() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


def page_size() -> int:
    import resource  # noqa: PLC0415 - there is none on Windows

    return resource.getpagesize()


def peak() -> int:
    import resource  # noqa: PLC0415 - there is none on Windows

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def windows_working_set() -> int:
    import ctypes  # noqa: PLC0415 - costs time and is needed on Windows only
    from ctypes import wintypes  # noqa: PLC0415

    class Counters(ctypes.Structure):
        _fields_ = [
            ("size", wintypes.DWORD),
            ("page_faults", wintypes.DWORD),
            *((name, ctypes.c_size_t) for name in ("peak", "current", "a", "b", "c", "d", "e", "f")),
        ]

    counters = Counters()
    counters.size = ctypes.sizeof(counters)
    process = wintypes.HANDLE(-1)  # the pseudo handle of the process itself
    if not ctypes.windll.psapi.GetProcessMemoryInfo(process, ctypes.byref(counters), counters.size):
        raise OSError("GetProcessMemoryInfo failed")
    return int(counters.current)
