"""A set of worker processes: start, replace, kill and end them, and say how they ended.

Owns processes and their descriptors. Must not know tasks; what travels to workers is the core's (`ProcessPool.core`).
"""

import contextlib
import errno
import os
import signal
import sys
import time
import warnings
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from collections.abc import Callable
from typing import Any, NamedTuple

from graflow_fast import _core
from graflow_fast._pool.cores import thread_environment
from graflow_fast._pool.fork_server import ForkServer, _path
from graflow_fast._pool.memory import buffers
from graflow_fast._pool.output import Stream, memory_file
from graflow_fast._pool.signals import postponed_signals
from graflow_fast._worker.main import CANNOT_START, DEFAULT_LOOP

#: What the coordinator has open for a pool, and for each of its workers, while they are started.
_OWN_DESCRIPTORS = 8
_DESCRIPTORS_PER_WORKER = 5
#: The output of this many ended workers is kept for whoever asks late.
_KEPT = 16
#: Pools may be started by workers of pools, but only so deep: a module that starts one when it is imported would go on
#: for ever.
_DEEPEST = 4
_DEPTH = "GRAFLOW_FAST_DEPTH"


class ExitInfo(NamedTuple):
    """How a worker ended."""

    pid: int
    #: The signal that killed it, or None.
    signal: int | None
    #: Its exit code, or None.
    code: int | None
    #: The most memory it had resident, in bytes; None if nobody could tell.
    peak_rss_bytes: int | None
    #: The end of what it wrote to its standard error.
    stderr_tail: str
    #: Where it was when it crashed, if Python's fault handler could write it.
    faulthandler_trace: str | None

    def __str__(self) -> str:
        if self.signal is not None:
            try:
                return f"killed by {signal.Signals(self.signal).name}"
            except ValueError:
                return f"killed by signal {self.signal}"
        return "ended" if self.code is None else f"exited with code {self.code}"


class CannotStart(RuntimeError):
    """Worker processes can't be started."""


class _Worker:
    def __init__(self) -> None:
        self.pid = 0
        streams: list[Stream] = []
        try:
            for name in ("graflow-stdout", "graflow-stderr", "graflow-journal"):
                streams.append(Stream(name))
        except OSError:
            for stream in streams:
                stream.close()
            raise
        self.stdout, self.stderr, self.journal = streams

    def close(self) -> None:
        self.stdout.close()
        self.stderr.close()
        self.journal.close()


class ProcessPool:
    """Worker processes that are started on first use and replaced when they die.

    Use it from one thread at a time. After a `LOST` event call `refill`.
    """

    def __init__(self, workers: int, loop: str = DEFAULT_LOOP) -> None:
        if workers < 1:
            raise ValueError(f"a pool needs at least one worker, not {workers}")
        self.size = workers
        self.loop = loop
        self.closed = False
        self._owner = os.getpid()
        self._core: _core.Pool | None = None
        self._server: ForkServer | None = None
        self._workers: dict[int, _Worker] = {}  # by the core's index; ended ones stay for a while
        self._killed: set[int] = set()  # told to die, and not yet gone
        self._awaited: list[int] = []  # asked for, and not yet known to be there
        self._has_warned = False
        #: What its user wants to be called when the pool ends.
        self.at_end: list[Callable[[], None]] = []

    @property
    def core(self) -> _core.Pool:
        """The core that talks to the workers, with all of them started."""
        self.start()
        self._await_workers()
        assert self._core is not None
        return self._core

    def start(self, needs_cloudpickle: Callable[[], bool] = lambda: False) -> None:
        """Begin starting the workers, without waiting for them.

        Args:
            needs_cloudpickle: says whether the first tasks do, so that it is imported once for all workers; asked when
                the first process is on its way.
        """
        self._check()
        if self._core is not None:
            return
        if _depth() >= _DEEPEST:
            raise CannotStart(
                f"A pool of workers was asked for inside of {_DEEPEST} others, each in a worker of the one before. "
                "Mostly this is a module that runs a workflow when it is imported, which workers do to find its "
                'functions: put the call of execute() behind `if __name__ == "__main__":`, or into a function'
            )
        with postponed_signals():
            try:
                self._core = _core.Pool()
                self._server = ForkServer(_environment(self.size))
            except OSError as error:
                self._core = None
                raise self._cannot_start(error) from error
            if needs_cloudpickle():
                self._server.preload("graflow_fast._run.pickling")
            self._fork_missing()

    def refill(self) -> list[int]:
        """Start workers in the place of those that are gone; the new ones."""
        core = self.core
        assert self._server is not None
        if len(core.workers()) >= self.size:
            return []
        self._check_that_workers_can_start()
        with postponed_signals():
            if not self._server.is_alive():
                self._server.end(0)
                try:
                    self._server = ForkServer(_environment(self.size))
                except OSError as error:
                    raise self._cannot_start(error) from error
            new = self._fork_missing()
            self._await_workers()
            self._forget_old()
        return [worker for worker in new if worker in self._workers]

    def pid(self, worker: int) -> int:
        """The process of a worker."""
        self._await_workers()
        return self._workers[worker].pid

    def kill(self, worker: int, grace: float = 0.0) -> None:
        """End a worker and its process group: SIGTERM, and SIGKILL after `grace` seconds. `LOST` follows."""
        self._check()
        self._await_workers()
        if self._server is not None and worker in self._workers:
            with contextlib.suppress(RuntimeError):  # the template is gone, and all workers with it
                self._killed.add(worker)
                self._server.kill(self._workers[worker].pid, grace)

    def recycle(self, worker: int) -> None:
        """Let a worker finish what it has begun and end, and start another one at once."""
        core = self.core
        if worker in core.workers():
            core.stop_worker(worker)
            self.refill()

    def exit_info(self, pid: int, wait: float = 1.0) -> ExitInfo:
        """How a worker ended; waits a moment for the news."""
        self._check()
        exit = self._server.wait_for_exit(pid, wait) if self._server is not None else None
        worker = next((worker for worker in self._workers.values() if worker.pid == pid), None)
        text = worker.stderr.tail().decode(errors="replace") if worker is not None else ""
        at = text.rfind("Fatal Python error:")
        trace = text[at:].strip() if at >= 0 else None
        if exit is None:
            return ExitInfo(pid, None, None, None, text, trace)
        status, peak = exit
        if os.WIFSIGNALED(status):
            return ExitInfo(pid, os.WTERMSIG(status), None, peak, text, trace)
        return ExitInfo(pid, None, os.WEXITSTATUS(status), peak, text, trace)

    def drain_output(self, worker: int, until: tuple[int, int] | None = None) -> tuple[bytes, bytes]:
        """What a worker has written to its standard output and error since the last call, up to these positions."""
        found = self._workers.get(worker)
        if found is None:
            return b"", b""
        if until is None:
            return found.stdout.drain(), found.stderr.drain()
        return found.stdout.drain(until[0]), found.stderr.drain(until[1])

    def drain_lines(self, worker: int) -> tuple[bytes, bytes]:
        """What `drain_output` would return, but whole lines only."""
        found = self._workers.get(worker)
        return (b"", b"") if found is None else (found.stdout.drain_lines(), found.stderr.drain_lines())

    def pieces_of(self, worker: int, ticket: int, at: int = 0) -> tuple[list[tuple[int, Any]], int]:
        """What a task has printed, logged and warned so far in a worker, from a place on; and where that ends."""
        found = self._workers.get(worker)
        if found is None:
            return [], at
        from graflow_fast._worker import journal

        return journal.read(found.journal.fd, ticket, at)

    def speaker(self, worker: int) -> int | None:
        """The ticket of the task that said something last in a worker, if any did."""
        found = self._workers.get(worker)
        if found is None:
            return None
        from graflow_fast._worker import journal

        return journal.speaker(found.journal.fd)

    def worker_memory(self, worker: int, enough: int) -> int:
        """The memory that a worker and its children have resident, in bytes, without shared buffers; 0 if it is gone.

        Up to ``enough`` shared buffers may be counted: leaving them out takes time.
        """
        import psutil  # type: ignore[import-untyped]

        total = 0
        try:
            process = psutil.Process(self.pid(worker))
            for each in (process, *process.children(recursive=True)):
                total += each.memory_info().rss
            if total > enough:
                total -= buffers(process.pid)
        except (psutil.Error, KeyError, OSError):
            pass  # it is gone, or there is no descriptor left to look with
        return total

    def shutdown(self, grace: float = 0.2) -> None:
        """End all workers: idle ones at once, others are killed after `grace` seconds, or when this is interrupted."""
        if self.closed or os.getpid() != self._owner:
            return
        self.closed = True
        try:
            if self._core is not None:
                for index in self._core.workers():
                    self._core.remove_worker(index)  # closes its link, which an idle worker takes as the end
        finally:
            self._core = None
            try:
                if self._server is not None:
                    self._server.end(grace)
            finally:
                self._close_all()

    def settle(self, wait: float = 0.25) -> bool:
        """After a run: wait a moment for what was given up and whoever was killed; True if nothing is left."""
        if self.closed or self._core is None:
            return not self.closed
        core = self.core
        deadline = time.monotonic() + wait
        try:
            # A worker may report its task after it was told to die and before it does.
            while (core.backlog() or self._dying(core)) and time.monotonic() < deadline:
                core.poll(max(0.0, deadline - time.monotonic()))
            if self._dying(core):
                return False
            self.refill()
        except (RuntimeError, OSError):
            return False  # workers cannot be started any more
        return core.backlog() == 0

    def _dying(self, core: _core.Pool) -> bool:
        self._killed.intersection_update(core.workers())
        return bool(self._killed)

    def disown(self) -> None:
        """In a forked child: close our copies of the descriptors, and touch nothing else."""
        self.closed = True
        self._core = None
        if self._server is not None:
            self._server.disown()
        self._close_all()

    def _close_all(self) -> None:
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        for call in self.at_end:
            call()
        self.at_end.clear()

    def _fork(self) -> int:
        assert self._core is not None
        assert self._server is not None
        boot = {
            "loop": self.loop,
            "path": _path(),
            "argv": sys.argv,
            "cwd": os.getcwd(),
            "prefix": sys.prefix,
            "exec_prefix": sys.exec_prefix,
        }
        with contextlib.ExitStack() as opened:
            worker = _Worker()
            opened.callback(worker.close)
            ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
            opened.enter_context(contextlib.closing(ours))
            opened.enter_context(contextlib.closing(theirs))
            claims = memory_file("graflow-claims")
            opened.callback(os.close, claims)
            copy = os.dup(claims)
            index = self._core.add_worker(ours.detach(), copy, 0)
            self._workers[index] = worker
            opened.callback(self._core.remove_worker, index)
            self._server.fork(
                index, boot, [theirs.fileno(), claims, worker.stdout.fd, worker.stderr.fd, worker.journal.fd]
            )
            opened.pop_all()
            theirs.close()
            os.close(claims)
        self._awaited.append(index)
        return index

    def _fork_missing(self) -> list[int]:
        """Start as many workers as are missing, or as many as the system allows, but at least one."""
        assert self._core is not None
        new = []
        while len(self._core.workers()) < self.size:
            try:
                new.append(self._fork())
            except (OSError, RuntimeError) as error:
                self._do_with_less(error)
                break
        return new

    def _do_with_less(self, error: Exception) -> None:
        """A worker could not be started: say so, and go on with those that there are."""
        assert self._core is not None
        found = len(self._core.workers())
        if not found:
            raise self._cannot_start(error) from error
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(f"{self._cannot_start(error)} Going on with {found}.", RuntimeWarning, stacklevel=2)

    def _cannot_start(self, error: Exception) -> CannotStart:
        reason = str(getattr(error, "strerror", None) or error)
        text = f"A pool of {self.size} worker processes can't be started: {reason}."
        if reason == os.strerror(errno.EMFILE):
            import resource

            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            text += (
                f" This program may have {limit} files open, and needs {_OWN_DESCRIPTORS} for a pool and "
                f"{_DESCRIPTORS_PER_WORKER} for each worker: raise the limit (ulimit -n), close files, "
                "or use fewer workers."
            )
        return CannotStart(text)

    def _await_workers(self) -> None:
        while self._awaited:
            assert self._core is not None
            assert self._server is not None
            index = self._awaited.pop()
            try:
                pid, pidfd = self._server.forked(index)
            except RuntimeError as error:
                self._core.remove_worker(index)
                self._workers.pop(index).close()
                self._do_with_less(error)
                continue
            self._workers[index].pid = pid
            if index in self._core.workers():
                self._core.set_process(index, pid, pidfd)
            else:
                os.close(pidfd)

    def _check(self) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError("this pool belongs to the parent process")
        if self.closed:
            raise RuntimeError("the pool was shut down")

    def _check_that_workers_can_start(self) -> None:
        """Stop replacing workers that fail before they run anything."""
        assert self._server is not None
        for pid, (status, _) in self._server.exits.items():
            if os.WIFEXITED(status) and os.WEXITSTATUS(status) == CANNOT_START:
                raise CannotStart(f"workers cannot start:\n{self.exit_info(pid).stderr_tail}")

    def _forget_old(self) -> None:
        """Close the output of workers that ended long ago."""
        assert self._core is not None
        alive = set(self._core.workers())
        ended = [index for index in self._workers if index not in alive]
        for index in ended[:-_KEPT]:
            self._workers.pop(index).close()


def _depth() -> int:
    """Return how many pools this process is inside of."""
    depth = os.environ.get(_DEPTH, "")
    return int(depth) if depth.isdecimal() else 0


def _environment(workers: int) -> dict[str, str]:
    return {**thread_environment(workers), _DEPTH: str(_depth() + 1)}
