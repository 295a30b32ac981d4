"""A set of worker processes: start, replace, kill and end them, and say how they ended.

Owns processes and their descriptors. Must not know tasks; what travels to workers is the core's (`ProcessPool.core`).
There are no more workers than there has been work for: the core asks for them (the event `WANTED`).
"""

import contextlib
import os
import time
import warnings
from _socket import AF_UNIX, SOCK_STREAM, socketpair
from collections.abc import Callable

from graflow_fast import _core
from graflow_fast._pool.fork_server import DEFAULT_LOOP, ForkServer
from graflow_fast._pool.lost import Lost, Piece, is_running, read_status
from graflow_fast._pool.output import memory_file
from graflow_fast._pool.signals import postponed_signals
from graflow_fast._pool.starting import CannotStart, boot, cannot_start, check_nesting, environment
from graflow_fast._pool.worker_process import WorkerProcess
from graflow_fast._pool.written import Written

#: What the core tells of: the first item of an event.
REPORT, REQUEST, LOST, OVERTIME, OVERMEMORY, WANTED = range(6)

#: The output of this many ended workers is kept for whoever asks late.
_KEPT = 16
#: What the core says when a link ends and it can't tell why, and what it says when it can.
_LINK_ENDED, _PROCESS_ENDED, _CLOSED_ITS_LINK = "its link ended", "its process ended", "it closed its own link"
#: Seconds for the news of how a worker ended, when the news that it did is there. The template may be importing.
_EXIT = 5.0
#: Seconds that a process may take to end when its link has.
_ENDING = 0.5
#: So many templates in a row may be killed before their first worker is there: by a stranger, who will stop.
_MOST_LOST_TEMPLATES = 10


class ProcessPool:
    """Worker processes that are started when there is work for them and replaced when they die.

    Use it from one thread at a time. After a `LOST` event call `lost` and `refill`, after a `WANTED` event `grow`.

    Attributes:
        size: how many workers there may be.
        at_end: what its user wants to be called when the pool ends.
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
        self._wanted = 1  # workers that there has been work for
        self._workers: dict[int, WorkerProcess] = {}  # by number; ended ones stay for a while
        self._killed: set[int] = set()  # told to die, and not yet gone
        self._awaited: list[int] = []  # asked for, and not yet known to be there
        self._lost_templates = 0  # one after the other, before a worker of theirs was there
        self._has_started = self._has_warned = False
        #: Why no worker can be started, once that is known.
        self._failure: str | None = None
        self.at_end: list[Callable[[], None]] = []

    @property
    def core(self) -> _core.Pool:
        """The core that talks to the workers, once it was seen that there can be one."""
        self.start()
        if not self._has_started:
            self._await_workers()
            self._has_started = True
        assert self._core is not None
        return self._core

    def start(self, needs_cloudpickle: Callable[[], bool] = lambda: False) -> None:
        """Begin starting the first worker, without waiting for it.

        Args:
            needs_cloudpickle: says whether the first tasks do, so that it is imported once for all workers; asked when
                the first process is on its way.
        """
        self._check()
        if self._core is not None:
            return
        check_nesting()
        with postponed_signals():
            try:
                self._core = self._new_core()
                self._core.set_capacity(self.size)
                self._server = self._new_server()
            except OSError as error:
                self._core = None
                raise cannot_start(self.size, error) from error
            if needs_cloudpickle():
                self._server.preload("graflow_fast._wire.pickling")
            self._fork_missing()

    def grow(self, workers: int) -> None:
        """Begin starting workers until there are so many, or as many as there may be, without waiting for them."""
        self.start()
        self._wanted = max(self._wanted, min(workers, self.size))
        self._fork_missing()

    def gather(self) -> None:
        """Take in which of the workers that were begun are there by now; begin others if their template was killed."""
        if self._awaited and self._server is not None:
            server = self._server
            try:
                self._await_workers([number for number in self._awaited if server.has_answered(number)])
            except CannotStart as error:
                if server.is_alive() or self._lost_templates >= _MOST_LOST_TEMPLATES:
                    self._failure = str(error)  # whoever refills the pool is told
                else:
                    self._lost_templates += 1
                    self.refill()

    @property
    def has_failed(self) -> bool:
        """Whether there are no workers, and none can be started."""
        return self._failure is not None and self._core is not None and not self._core.workers()

    def check_failure(self) -> None:
        """Raise why no worker can be started, once that is known.

        Raises:
            CannotStart: that.
        """
        if self._failure is not None:
            raise CannotStart(self._failure)

    def refill(self) -> None:
        """Begin starting workers in the place of those that are gone, without waiting for them."""
        core = self.core
        if len(core.workers()) >= self._wanted:
            return
        self.check_failure()
        self._renew_server()
        self._fork_missing()
        self._forget_old()

    def _renew_server(self) -> None:
        """Start another template if there is none any more."""
        assert self._server is not None
        with postponed_signals():
            if not self._server.is_alive():
                with contextlib.suppress(CannotStart):  # none of them comes: there are to be others
                    self._await_workers()
                self._server.end(0)
                try:
                    self._server = self._new_server()
                except OSError as error:
                    raise cannot_start(self.size, error) from error

    def pid(self, worker: int) -> int:
        """The process of a worker."""
        self._await_workers()
        return self._workers[worker].pid

    def kill(self, worker: int, grace: float = 0.0) -> None:
        """End a worker and its process group: SIGTERM, and SIGKILL after `grace` seconds. `LOST` follows."""
        self._check()
        if self._server is not None and worker in self._workers:
            self._killed.add(worker)
            if grace <= 0 and self._core is not None:
                self._core.kill_worker(worker)  # the template may be importing something, and has its group to kill
            with contextlib.suppress(RuntimeError):  # the template is gone, and all workers with it
                self._server.kill(worker, grace)

    def recycle(self, worker: int) -> None:
        """Let a worker finish what it has begun and end, and start another one at once."""
        core = self.core
        if worker in core.workers():
            core.stop_worker(worker)
            self.refill()

    def lost(self, ticket: int, worker: int, has_begun: bool, reason: str) -> Lost:
        """What is known of a death that a `LOST` event tells of; waits a moment for the news of how it ended."""
        self._check()
        self.gather()
        found = self._workers.get(worker)
        signal = code = peak = None
        was_killed_here = False
        said, written = list[Piece](), list[Piece]()
        if found is not None:
            was_killed_here = self.find_exit(found)
            if found.exit is not None:
                status, peak = found.exit
                signal, code = (None, None) if was_killed_here else read_status(status)
            if ticket >= 0:
                said = found.said(ticket)[0]
            rest = found.written()
            said, written = rest.fill(said), rest.rest()
        if self._core is not None and self._core.has_closed_its_link(worker):
            reason = _CLOSED_ITS_LINK
        elif reason == _LINK_ENDED:  # and the core has killed what was still there
            reason = _PROCESS_ENDED if code is not None else _CLOSED_ITS_LINK
        pid = 0 if found is None else found.pid
        lost = Lost(ticket, worker, pid, has_begun, reason, signal, code, peak, said, written)
        if lost.could_not_start and found is not None:
            text = found.stderr.tail().decode(errors="replace")
            self._failure = f"workers cannot start:\n{text}"
        return lost

    def find_exit(self, found: WorkerProcess) -> bool:
        """Note how a worker whose link has ended did so itself; return whether it had to be killed for that."""
        was_killed_here = False
        if found.exit is None and self._server is not None:
            found.exit = self._server.wait_for_exit(found.number, _ENDING)
        if found.exit is None and self._server is not None:
            was_killed_here = is_running(found.pid)  # without a link, so it is of no use
            with contextlib.suppress(RuntimeError):
                self._server.kill(found.number, 0.0)
            found.exit = self._server.wait_for_exit(found.number, _EXIT)
        found.end()
        return was_killed_here

    def written_by(self, worker: int, until: tuple[int, int] | None = None) -> Written:
        """What a worker has written to its descriptors since the last call, up to these positions."""
        found = self._workers.get(worker)
        return Written() if found is None else found.written(until)

    def process_of(self, worker: int) -> WorkerProcess | None:
        """What is known of a worker's process, if there is one."""
        return self._workers.get(worker)

    def said_by(self, worker: int, ticket: int, at: int = 0) -> tuple[list[Piece], int]:
        """What a task has printed, logged and warned so far in a worker, from a place on; and where that ends."""
        found = self._workers.get(worker)
        return ([], at) if found is None else found.said(ticket, at)

    def speaker(self, worker: int) -> int | None:
        """The ticket of the task that said something last in a worker, if any did."""
        found = self._workers.get(worker)
        return None if found is None else found.speaker()

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
                for event in core.poll(max(0.0, deadline - time.monotonic())):
                    if event[0] == LOST:
                        self.lost(*event[1:])
            if self._dying(core):
                return False
            self.refill()
        except (RuntimeError, OSError):
            return False  # workers cannot be started any more
        for worker in self._workers.values():
            worker.skip_written()
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

    def _new_server(self) -> ForkServer:
        return ForkServer(self._environment(), self._boot())

    def _new_core(self) -> _core.Pool:
        return _core.Pool()

    def _boot(self) -> dict[str, object]:
        """What workers find around them."""
        return boot(self.loop)

    def _environment(self) -> dict[str, str]:
        """The variables of workers."""
        return environment(self.size)

    def _fork(self) -> None:
        assert self._core is not None
        assert self._server is not None
        with contextlib.ExitStack() as opened:
            worker = WorkerProcess()
            opened.callback(worker.close)
            ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
            opened.enter_context(contextlib.closing(ours))
            opened.enter_context(contextlib.closing(theirs))
            claims = memory_file("graflow-claims")
            opened.callback(os.close, claims)
            copy = os.dup(claims)
            worker.number = number = self._core.add_worker(ours.detach(), copy, 0)
            self._workers[number] = worker
            opened.callback(self._core.remove_worker, number)
            self._server.fork(number, self._boot(), [theirs.fileno(), claims, *worker.descriptors()])
            opened.pop_all()
            theirs.close()
            os.close(claims)
        worker.hand_over()
        self._awaited.append(number)

    def _fork_missing(self) -> None:
        """Begin starting as many workers as are missing, or as many as the system allows, but at least one."""
        while True:
            try:
                self._fork_some()
                return
            except CannotStart:
                assert self._server is not None
                if self._server.is_alive() or self._lost_templates >= _MOST_LOST_TEMPLATES:
                    raise
                self._lost_templates += 1  # it was killed while it was asked for them
                self._renew_server()

    def _fork_some(self) -> None:
        assert self._core is not None
        for _ in range(self._wanted - len(self._core.workers())):
            with postponed_signals():
                try:
                    self._fork()
                except (OSError, RuntimeError) as error:
                    self._do_with_less(error)
                    break

    def _do_with_less(self, error: Exception) -> None:
        """A worker could not be started: say so, and go on with those that there are."""
        assert self._core is not None
        found = len(self._core.workers())
        if not found:
            raise cannot_start(self.size, error) from error
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(f"{cannot_start(self.size, error)} Going on with {found}.", RuntimeWarning, stacklevel=2)

    def _await_workers(self, numbers: list[int] | None = None) -> None:
        """Take in that workers are there, all that were asked for unless it is said which."""
        for number in self._awaited[::-1] if numbers is None else numbers:
            assert self._core is not None
            assert self._server is not None
            self._awaited.remove(number)
            try:
                pid, pidfd = self._server.forked(number)
            except RuntimeError as error:
                self._core.remove_worker(number)
                self._workers.pop(number).close()
                self._do_with_less(error)
                continue
            self._workers[number].pid = pid
            self._lost_templates = 0
            if number in self._core.workers():
                self._core.set_process(number, pid, pidfd)
            else:
                os.close(pidfd)

    def _check(self) -> None:
        if os.getpid() != self._owner:
            raise RuntimeError("this pool belongs to the parent process")
        if self.closed:
            raise RuntimeError("the pool was shut down")

    def _forget_old(self) -> None:
        """Close the output of workers that ended long ago."""
        assert self._core is not None
        alive = set(self._core.workers())
        ended = [index for index in self._workers if index not in alive]
        for index in ended[:-_KEPT]:
            self._workers.pop(index).close()
        if self._server is not None:
            self._server.forget_exits(self._workers)
