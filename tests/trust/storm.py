"""T1: workers killed while a large group runs. Owns the storm and the count of what came of it."""

import contextlib
import os
import random
import signal
import threading
import time
import warnings

import psutil

from graflow_fast import parallel, task, workflow

#: The figures that must be 0.
LOSSES = ("wrong results", "lost effects", "doubled effects", "out of order")


class Storm(threading.Thread):
    """Sends a signal to a random worker of this process every so often, until stopped.

    With ``fading`` above 1 each pause is so many times as long as the last: on a busy machine workers that are killed
    every few milliseconds would never begin a task.
    """

    def __init__(self, every: float, number: int = signal.SIGKILL, seed: int = 0, fading: float = 1.0) -> None:
        super().__init__(daemon=True)
        self.every = every
        self.fading = fading
        self.number = number
        self.random = random.Random(seed)
        self.sent = 0
        self._over = threading.Event()

    def run(self) -> None:
        me = psutil.Process()
        while not self._over.wait(self.every):
            found = workers(me)
            if found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.random.choice(found), self.number)
                    self.sent += 1
                    self.every *= self.fading

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc_info):
        self._over.set()
        self.join()


def workers(me: psutil.Process | None = None) -> list[int]:
    """The process ids of the workers of this process: the children of its templates."""
    found = []
    for child in (me or psutil.Process()).children():
        with contextlib.suppress(psutil.Error):
            found += [each.pid for each in child.children()]
    return found


def work(ctx, number):
    total = 0
    for value in range(200):
        total += value * number
    channel = ctx.get_channel()
    channel.append("log", number)
    return total


def run_group(tasks: int, **options):
    """Run a group whose members compute, append and return; give back the context."""
    warnings.simplefilter("ignore")
    body = task(id="work", inject_context=True, max_retries=1000)(work)
    with workflow("storm") as wf:
        parallel(*(body(task_id=f"w{number}", number=number) for number in range(tasks)))
    return wf.execute(max_workers=2, ret_context=True)[1]


def kill_storm(tasks: int, every: float = 0.05, seed: int = 0, fading: float = 1.0) -> dict[str, float]:
    """Run a group under a storm; say what was injected and what was lost."""
    expected = sum(range(200))
    begun = time.monotonic()
    with Storm(every, seed=seed, fading=fading) as storm:
        context = run_group(tasks)
    log = context.channel.get("log")
    wrong = sum(context.get_result(f"w{number}") != expected * number for number in range(tasks))
    return {
        "tasks": tasks,
        "kills": storm.sent,
        "seconds": round(time.monotonic() - begun, 1),
        "wrong results": wrong,
        "lost effects": tasks - len(set(log)),
        "doubled effects": len(log) - len(set(log)),
        "out of order": int(log != sorted(log)),
    }
