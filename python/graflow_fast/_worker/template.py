"""The template process: a clean, single-threaded interpreter that forks workers on request.

Owns the workers as their parent: it forks, signals and reaps them, which makes it the one place where a process id
cannot have been reused. Must not know tasks or frames. It talks to the coordinator in small marshalled tuples over one
socket (protocol below) and ends, with all its workers, when that socket or the coordinator ends.

To the template: ``("boot",)`` with the descriptor of a file that holds what the workers from then on find around them,
``("fork", number)`` with nine descriptors (link, claims, journal; of standard output and error the files, the pipes,
and the pipes' entries), ``("kill", number, grace)``,
``("preload", module)``, ``("end", grace)``.
From it: ``("forked", number, pid)`` with a process descriptor, ``("failed", number, why)``,
``("exited", number, status, peak_rss_bytes)``.
Workers go by the numbers that the coordinator gives them, each once: process ids are used again.
"""

from __future__ import annotations

# A cold start waits for these: no more than what is needed, and nothing that imports much.
import _socket
import errno
import gc
import marshal
import os
import select
import sys
import time

from graflow_fast._worker.output_pipes import OutputPipes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import Any
else:
    import _signal as signal

MESSAGE_BYTES = 1 << 16
#: What a worker is given, and which of that the template keeps: see above.
_DESCRIPTORS = 9
_FILES, _PIPES = slice(3, 5), slice(5, 7)
_NEVER = float("inf")
#: Seconds after the first worker was asked for until everything else is imported: a first result is there by then.
_COMPLETION = 0.1
#: Seconds for workers to leave by themselves when their links have ended, before they are asked to (SIGTERM).
_LEAVE = 0.05
#: Seconds for bodies to end after that when the program is gone.
_LAST_GRACE = 0.3


class _Template:
    """The fork server's state: its control socket and its children."""

    def __init__(self, control: _socket.socket, coordinator: int, boot: dict[str, Any]) -> None:
        self.control = control
        self.boot = boot
        self.children: dict[int, tuple[int, int]] = {}  # process descriptor -> number, pid
        self.pids: dict[int, int] = {}  # number -> pid
        self.deadlines: dict[int, float] = {}  # pid -> when SIGTERM becomes SIGKILL
        self.poller = select.poll()
        self.output = OutputPipes(self.poller)
        self.poller.register(control.fileno(), select.POLLIN)
        # The socket may also be open in children that the user's program forked: watch the process itself, too.
        self.coordinator = os.pidfd_open(coordinator)
        self.poller.register(self.coordinator, select.POLLIN)
        self.ending = False
        #: When the first workers have been started and there is time to import the rest; None when that is done.
        self.completion: float | None = _NEVER
        if os.getppid() != coordinator:
            os._exit(0)

    def serve(self) -> None:
        grace = 0.0
        while True:
            ended = False
            ready = self.poller.poll(self._patience())
            if self.completion is not None and time.monotonic() >= self.completion:
                self._complete()
            for fd, event in ready:
                if self.output.take(fd, event):
                    continue
                if fd in self.children:
                    self._reap(fd)
                elif fd == self.coordinator:
                    ended, grace = True, _LAST_GRACE
                elif (answer := self._take_request()) is not None:
                    ended, grace = True, answer
            self._kill_overdue()
            self.output.empty_due()
            if ended:
                break
        self._end(grace)

    def _patience(self) -> int | None:
        due = min([self.output.next_due(), *self.deadlines.values()])
        if self.completion is not None:
            due = min(due, self.completion)
        return None if due == _NEVER else max(0, int((due - time.monotonic()) * 1000) + 1)

    def _complete(self) -> None:
        """Import what the workers that are started from now on will find imported.

        All at once: whoever asks for a worker meanwhile gets one that need not do it itself.
        """
        from graflow_fast._worker.main import preload_rest

        preload_rest()
        gc.freeze()
        gc.enable()
        self.completion = None

    def _take_request(self) -> float | None:
        """Handle one request; the grace in seconds when it was the last one."""
        try:
            data, ancillary, _, _ = self.control.recvmsg(
                MESSAGE_BYTES, _socket.CMSG_SPACE(_DESCRIPTORS * 4), _socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            data, ancillary = b"", []  # the coordinator has ended without reading all that it was told
        fds = [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]
        if not data:
            self.poller.unregister(self.control.fileno())
            return 0.0 if self.ending else _LAST_GRACE
        request = marshal.loads(data)
        if request[0] == "fork" and not self.ending:
            if self.completion == _NEVER:
                self.completion = time.monotonic() + _COMPLETION
            self._fork(request[1], fds)
        elif request[0] == "boot" and fds:
            self.boot = marshal.load(open(fds[0], "rb"))  # noqa: SIM115  # which closes it
        elif request[0] == "preload":
            _preload(request[1])
        elif request[0] == "kill":
            self._kill(request[1], request[2])
        elif request[0] == "end":
            return float(request[1])
        return None

    def _fork(self, number: int, fds: list[int]) -> None:
        pid = 0
        try:
            if len(fds) < _DESCRIPTORS:  # the system gives what there is room for
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            fds.append(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))
            template = os.getpid()
            pid = os.fork()
            if pid == 0:
                from graflow_fast._worker.main import main

                main(template, self.boot, *fds)  # never returns
            child = os.pidfd_open(pid)
        except OSError as error:
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            self._tell(("failed", number, error.strerror))
            for fd in fds:
                os.close(fd)
            return
        files, pipes, news = fds[_FILES], fds[_PIPES], fds[-1]
        for fd in set(fds).difference(files, pipes, (news,)):
            os.close(fd)
        self.output.add(number, pipes, files, news)
        try:
            os.setpgid(pid, pid)  # as the child does: whoever comes first
        except OSError:
            pass
        self.children[child] = (number, pid)
        self.pids[number] = pid
        self.poller.register(child, select.POLLIN)
        self._tell(("forked", number, pid), child)

    def _kill(self, number: int, grace: float) -> None:
        pid = self.pids.get(number)
        if pid is None:
            return
        if grace > 0:
            _signal_group(pid, signal.SIGTERM)
            _signal_group(pid, signal.SIGCONT)  # a stopped one would not hear it
            self.deadlines[pid] = time.monotonic() + grace
        else:
            _signal_group(pid, signal.SIGKILL)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for pid in [pid for pid, due in self.deadlines.items() if due <= now]:
            del self.deadlines[pid]
            _signal_group(pid, signal.SIGKILL)

    def _reap(self, child: int) -> None:
        number, pid = self.children.pop(child)
        del self.pids[number]
        self.poller.unregister(child)
        os.close(child)
        self.deadlines.pop(pid, None)
        # Not reaped yet, so the number is still its own: whatever it has left in its group goes with it.
        _signal_group(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        self.output.end(number)
        self._tell(("exited", number, status, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)))

    def _tell(self, message: tuple[Any, ...], fd: int | None = None) -> None:
        ancillary = [] if fd is None else [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))]
        try:
            self.control.sendmsg([marshal.dumps(message)], ancillary)
        except OSError:
            pass  # the coordinator is gone; the poll will say so

    def _end(self, grace: float) -> None:
        """Let workers leave, whose links have ended; ask those that stay, and kill what is left after `grace`."""
        self.ending = True
        self.poller.unregister(self.coordinator)
        begun = time.monotonic()
        asked = False
        while self.children and (left := begun + grace - time.monotonic()) > 0:
            self.output.empty_due()
            if not asked and time.monotonic() >= begun + _LEAVE:
                asked = True
                for pid in self.pids.values():
                    _signal_group(pid, signal.SIGTERM)
                    _signal_group(pid, signal.SIGCONT)
            left = min(left if asked else _LEAVE, max(0.0, self.output.next_due() - time.monotonic()))
            for fd, event in self.poller.poll(left * 1000 + 1):
                if self.output.take(fd, event):
                    continue
                if fd in self.children:
                    self._reap(fd)
                elif (answer := self._take_request()) is not None:
                    grace = answer  # somebody is in a hurry
        for pid in self.pids.values():
            _signal_group(pid, signal.SIGKILL)
        for fd in list(self.children):
            self._reap(fd)


def _preload(module: str) -> None:
    try:
        __import__(module)
    except Exception:
        pass  # a worker that needs it will say why


def _signal_group(pid: int, number: int) -> None:
    for send in (os.killpg, os.kill):  # the group may not exist yet, in the first moment after the fork
        try:
            send(pid, number)
        except OSError:
            continue
        return


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing. A handler and not SIG_IGN, as that would be inherited by what tasks execute."""


def main(control_fd: int, coordinator: int, environment: dict[str, str], boot: dict[str, Any]) -> None:
    """Serve until the coordinator is done or gone. The collector is off until everything is imported.

    The first workers, for which somebody waits, are forked with no more than what runs a plain task; they import the
    rest when they need it. Later ones inherit it.

    Args:
        control_fd: the socket to the coordinator.
        coordinator: its process.
        environment: variables that were too much for the system to start a process with.
        boot: what workers find around them, until the coordinator says otherwise.
    """
    from graflow_fast._worker.main import close_descriptors, preload

    close_descriptors(keep={0, 1, 2, control_fd})
    os.set_inheritable(control_fd, False)
    signal.signal(signal.SIGINT, _ignore)
    os.environ.update(environment)
    template = _Template(_socket.socket(fileno=control_fd), coordinator, boot)

    import site

    if sys.flags.no_site and not hasattr(sys.modules["builtins"], "exit"):
        site.setquit()
        site.setcopyright()
        site.sethelper()
    preload()
    gc.freeze()
    template.serve()
    os._exit(0)
