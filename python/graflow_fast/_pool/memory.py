"""How much memory a process has that is its own to answer for.

Owns what the system says about a process's memory. Must not know limits, tasks or pools.
"""

from __future__ import annotations

_NAME = b"graflow-buffers"


def buffers(pid: int) -> int:
    """Return the bytes of shared buffers that a process has resident; 0 if it is gone.

    They are arguments and results, other processes have them, too, and they stay mapped for the next task: no task
    uses more memory for them. It takes a while to ask, so ask only about a process that seems too large.
    """
    total, inside = 0, False
    try:
        with open(f"/proc/{pid}/smaps", "rb") as lines:
            for line in lines:
                if line.startswith(b"Rss:"):
                    total += int(line.split()[1]) * 1024 if inside else 0
                elif b"-" in line.split(b" ", 1)[0]:  # the head of a mapping: addresses, rights, file
                    inside = _NAME in line
    except OSError:
        return 0
    return total
