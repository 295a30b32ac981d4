"""How many cores there are to use, and how many threads each worker may start on them.

Counting what the machine has would start 64 workers in a container that was given two cores; and libraries that start a
thread per core in every worker would make 4 096 threads of them.
"""

import math
import os

from graflow_fast._body.resources import THREAD_VARIABLES


def usable_cores() -> int:
    """The cores this process may use: by affinity and by its control group's quota, at least one."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    quota = _quota_v2() or _quota_v1()
    return max(1, min(cores, math.ceil(quota)) if quota else cores)


def usable_memory() -> int:
    """The bytes this process may use: what the machine has, or less by its control group's limit."""
    import psutil  # type: ignore[import-untyped]

    limits = [int(psutil.virtual_memory().total)]
    path = _group("0::")
    while path is not None:
        text = _read(f"/sys/fs/cgroup{path.rstrip('/')}/memory.max")
        limits += [int(text)] if text.isdigit() else []
        path = os.path.dirname(path) if path != "/" else None
    for place in {_group("memory"), "/"} - {None}:
        text = _read(f"/sys/fs/cgroup/memory{place}/memory.limit_in_bytes")
        limits += [int(text)] if text.isdigit() else []
    return min(limits)


def thread_environment(workers: int) -> dict[str, str]:
    """The variables to set for workers so that all their threads together fit; what the user set is left alone."""
    threads = str(max(1, usable_cores() // max(1, workers)))
    return {name: threads for name in THREAD_VARIABLES if name not in os.environ}


def _quota_v2() -> float | None:
    """The smallest quota from our control group up to the root."""
    quotas = []
    path = _group("0::")
    while path is not None:
        words = _read(f"/sys/fs/cgroup{path.rstrip('/')}/cpu.max").split()
        if len(words) == 2 and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
        path = os.path.dirname(path) if path != "/" else None
    return min(quotas, default=None)


def _quota_v1() -> float | None:
    quotas = []
    for path in {_group("cpu"), "/"} - {None}:
        base = f"/sys/fs/cgroup/cpu{path}"
        quota, period = _read(f"{base}/cpu.cfs_quota_us"), _read(f"{base}/cpu.cfs_period_us")
        if quota and period and int(quota) > 0 and int(period) > 0:
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _group(wanted: str) -> str | None:
    """Our path in the unified hierarchy (``0::``) or in that of a controller."""
    for line in _read("/proc/self/cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if (wanted == "0::" and number == "0" and not controllers) or wanted in controllers.split(","):
            return path
    return None


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
