"""The places of one run as one: made when a body first runs there, waited for at once, closed together.

Owns which of them there are. Where a body runs is the table of placement's, what runs next the scheduler's.
"""

from __future__ import annotations

import os
from _thread import TIMEOUT_MAX, allocate_lock
from typing import TYPE_CHECKING, Any

from graflow_fast._places.inline import Inline
from graflow_fast._places.placement import INLINE, PROCESS, THREAD
from graflow_fast._places.plain_steps import PlainSteps
from graflow_fast.exceptions import GraflowRuntimeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._actions import Action
    from graflow_fast._places.attempt import Fork, Map, TaskAttempt
    from graflow_fast._places.host import PoolHost
    from graflow_fast._places.place import ItemPlace, TaskPlace
    from graflow_fast._places.process.processes import Processes
    from graflow_fast._places.thread_steps import ThreadSteps
    from graflow_fast._places.threads import ThreadPlace


def call_initializer(initializer: Callable[[], Any]) -> None:
    """Call a run's initializer in this process, where bodies of it may run.

    Raises:
        GraflowRuntimeError: it raised something.
    """
    try:
        initializer()
    except Exception as error:
        name = getattr(initializer, "__qualname__", repr(initializer))
        raise GraflowRuntimeError(f"The initializer '{name}' failed, so no body was run", error) from error


class Places:
    """Where the bodies of one run are called."""

    def __init__(self, host: PoolHost) -> None:
        self._host = host
        settings = host.settings
        if settings.initializer is not None and settings.resolved_executor() != PROCESS:
            call_initializer(settings.initializer)
        #: What runs plain steps, None where the tracer wants to hear of each.
        self._steps = PlainSteps(host) if host.silent else None
        #: Those of the workflow's own branch in a durable run, which are all that are plain there; None in others.
        journal = host.plain_journal()
        self.plain_steps = None if journal is None else PlainSteps(host, journal)
        self.inline = Inline(host, self._steps or self.plain_steps)
        self._threads: ThreadPlace | None = None
        self._thread_steps: ThreadSteps | None = None
        self._processes: Processes | None = None
        #: Held while nobody wants the driver to wake from a mere waiting for a time.
        self._alarm = allocate_lock()
        self._alarm.acquire()
        #: Who wakes the driver does not meet who closes what it waits at.
        self._waking = allocate_lock()
        self._closed = False

    def named(self, name: str) -> TaskPlace:
        """Return a place, made when it is first asked for."""
        if name == INLINE:
            return self.inline
        if name == THREAD:
            return self._threads or self._begin_threads()
        assert name == PROCESS, name
        return self._processes or self._begin_processes()

    def _begin_threads(self) -> ThreadPlace:
        from graflow_fast._places.threads import ThreadPlace

        self._threads = ThreadPlace(self._host)
        self._let_wake()
        return self._threads

    def _begin_processes(self) -> Processes:
        from graflow_fast._places.process.processes import Processes
        from graflow_fast._pool.signals import postponed_signals

        with postponed_signals():
            self._processes = Processes(self._host)
        if self._host.shown is not None:
            self._host.shown.watch(self._processes.core)
        self._let_wake()
        return self._processes

    def _let_wake(self) -> None:
        """Let whoever has news of threads wake the pool, which is where the driver waits when there is one."""
        if self._threads is not None and self._processes is not None:
            self._threads.wake(self._processes.core.wake_fd())

    # --- work

    def next(self, now: float) -> Action | None:
        """Return the scheduler's next action for the driver: what the pool takes from it by itself is left out."""
        if self._processes is not None:
            action = self._processes.next(now)
        else:
            action = self._host.scheduler.next(now) if self._steps is None else self._steps.core.next(now)
        if self._thread_steps is not None:
            self._thread_steps.show()
        return action

    def start(self, action: Action) -> bool:
        """Start the attempt that an action asks for if that needs no record of it; say whether it does."""
        if self._steps is not None and self._in_threads(self._steps).start(action):
            return True
        if self._processes is None:
            _, _, node, branch_id, _, tag, _ = action
            host = self._host
            task = (host.tags.task_of(tag) if tag else None) or host.nodes.tasks[node]
            if task.is_map or host.placement.of(task, host.branches.branch(branch_id), host.parallel) != PROCESS:
                return False
            self._begin_processes()
        return self._processes is not None and self._processes.start(action)

    def _in_threads(self, steps: PlainSteps) -> ThreadSteps:
        if self._thread_steps is None:
            from graflow_fast._places.thread_steps import ThreadSteps

            self._thread_steps = ThreadSteps(self._host, steps, lambda: self._threads or self._begin_threads())
            self._host.attempts.sources.append(self._thread_steps)
        return self._thread_steps

    def submit(self, attempt: TaskAttempt) -> None:
        """Have the body of an attempt run where it belongs."""
        host = self._host
        self.named(host.placement.of(attempt.task, attempt.branch, host.parallel)).submit(attempt)

    def for_map(self, owner: Map) -> ItemPlace:
        """Return where the items of a map run."""
        return self.named(self._host.placement.of_items(owner.task, owner.attempt.branch)).for_map(owner)

    def give_up(self, ticket: int) -> bool:
        """Stop an attempt whose outcome no longer matters, wherever it runs; False when it runs nowhere."""
        return any(place.give_up(ticket) for place in (self._threads, self._processes) if place is not None)

    def open_fork(self, fork: Fork) -> None:
        """Let members of a group run in the pool, if some do or might."""
        if self._processes is not None or self._host.placement.members_in_pool(fork.placement):
            (self._processes or self._begin_processes()).open_fork(fork)

    def end_fork(self, fork: Fork) -> None:
        """Forget what was told of a group that has joined."""
        if self._processes is not None:
            self._processes.end_fork(fork)

    # --- waiting

    def busy(self) -> bool:
        """Say whether there will be news."""
        return any(place.busy() for place in (self._threads, self._processes) if place is not None)

    def wait(self, timeout: float | None, alone: bool) -> bool:
        """Wait for news and take them in; False when there is nothing to wait for, not even a time.

        Args:
            timeout: seconds to wait at most.
            alone: whether the pool may go on by itself as long as nobody else is needed.
        """
        threads, processes = self._threads, self._processes
        if processes is not None and processes.busy():
            if threads is not None and threads.busy() and threads.collect(0.0):
                timeout = 0.0
            processes.collect(timeout, alone and threads is None)
        elif threads is not None and threads.busy():
            threads.collect(timeout)
        elif timeout is not None:
            self._alarm.acquire(timeout=min(timeout, TIMEOUT_MAX))
        else:
            return processes is not None and processes.is_full()
        return True

    def wake(self) -> None:
        """Let the driver, which may be waiting, look around; from any thread."""
        with self._waking:
            if self._closed:
                return
            if self._alarm.locked():
                self._alarm.release()
            if self._threads is not None:
                self._threads.wake_driver()
            if self._processes is not None:
                try:
                    os.write(self._processes.core.wake_fd(), b"\0")
                except BlockingIOError:  # full of bytes that nobody has read: it is awake
                    return

    def call_in_driver(self, function: Callable[[], Any]) -> Any:
        """Call a function in the driver's thread, whichever this one is, and return its result."""
        return function() if self._threads is None else self._threads.call_in_driver(function)

    # --- the end

    def close(self, interrupted: bool = False) -> None:
        """Stop what still runs; ``interrupted``: by Ctrl-C or the like."""
        with self._waking:
            self._closed = True
        try:
            if self._steps is not None:
                self._steps.close()
            if self.plain_steps is not None:
                self.plain_steps.close()
            if self._threads is not None:
                self._threads.close()
        finally:  # whatever happens there, processes are not left behind
            if self._processes is not None:
                self._processes.close(interrupted)
