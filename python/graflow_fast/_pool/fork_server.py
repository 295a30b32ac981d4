"""The coordinator's handle on the template process: start it, ask it for workers, hear of their ends.

Owns the control socket and what came over it. Must not know links, claims or tasks. See `_worker/template.py` for the
protocol.
"""

import _socket
import contextlib
import errno
import marshal
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from graflow_fast._pool.output import memory_file

# Nothing is garbage while modules are imported, and nobody waits for a first result as long as for these.
_BOOT = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[3:]; "
    "from graflow_fast._worker.template import main; main({}, {})"
)
_CONTROL = 3  # the template's descriptor
_MESSAGE_BYTES = 1 << 16
#: Seconds for the template to answer, and to end once its workers have had theirs.
_ANSWER = 30.0
_END = 1.0


class ForkServer:
    """A running template process."""

    def __init__(self, environment: dict[str, str]) -> None:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._control = ours
        self._errors = self._process = -1
        self.exits: dict[int, tuple[int, int]] = {}  # pid -> status, peak rss
        self._forked: dict[int, tuple[int, int]] = {}  # number -> pid, pidfd
        self._failed: dict[int, str] = {}
        self._open = True
        self.pid = 0
        try:
            self._errors = memory_file("graflow-template")
            self.pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *_interpreter_flags(), "-c", _BOOT.format(_CONTROL, os.getpid()), "-", "-", *_path()],
                {**os.environ, **environment},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, self._errors, 1),
                    (os.POSIX_SPAWN_DUP2, self._errors, 2),
                    (os.POSIX_SPAWN_DUP2, theirs.fileno(), _CONTROL),
                ],
                setpgroup=0,
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGCHLD],
            )
            self._process = os.pidfd_open(self.pid)
        except BaseException:
            ours.close()  # which ends the template, if it has begun
            for fd in (self._errors, self._process):
                if fd >= 0:
                    os.close(fd)
            if self.pid:
                os.waitpid(self.pid, 0)
            raise
        finally:
            theirs.close()

    def fork(self, number: int, boot: Mapping[str, object], fds: list[int]) -> None:
        """Ask for a worker; `forked` has the answer."""
        raw = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
        self._send(("fork", number, boot), [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, raw)])

    def preload(self, module: str) -> None:
        """Have a module imported before the next worker is started."""
        self._send(("preload", module))

    def kill(self, pid: int, grace: float) -> None:
        """End a worker and its process group: SIGTERM, and SIGKILL after `grace` seconds."""
        self._send(("kill", pid, grace))

    def forked(self, number: int) -> tuple[int, int]:
        """The pid and process descriptor of a worker that was asked for; waits."""
        deadline = time.monotonic() + _ANSWER
        while number not in self._forked:
            if number in self._failed:
                raise RuntimeError(self._failed.pop(number))
            if not self._receive(0.5):
                self._wake()
                if time.monotonic() > deadline:
                    raise RuntimeError("the template process does not answer" + self._said())
        return self._forked.pop(number)

    def wait_for_exit(self, pid: int, wait: float) -> tuple[int, int] | None:
        """The wait status and peak memory in bytes of a worker, if it ends in time."""
        deadline = time.monotonic() + wait
        while pid not in self.exits:
            left = deadline - time.monotonic()
            try:
                if not self._receive(max(0.0, left)) and left <= 0:
                    return None
            except RuntimeError:
                return None
        return self.exits[pid]

    def end(self, grace: float) -> None:
        """End the template and its workers, and wait for that; whatever interrupts the waiting ends them at once."""
        if not self._open:
            return
        self._open = False
        try:
            with contextlib.suppress(RuntimeError):
                self._send(("end", grace))
            self._await_end(grace + _END)
        except BaseException:
            self._control.close()  # which the template takes for a request to hurry
            self._await_end(_END)
            raise
        finally:
            self._control.close()
            for _, pidfd in self._forked.values():
                os.close(pidfd)
            os.close(self._errors)
            os.close(self._process)

    def _await_end(self, wait: float) -> None:
        """Wait for the template's end, and make it end if it takes too long: its workers end with it."""
        deadline = time.monotonic() + wait
        poller = select.poll()
        poller.register(self._process, select.POLLIN)
        if self._control.fileno() >= 0:
            poller.register(self._control.fileno(), select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            ready = poller.poll(left * 1000)
            if any(fd == self._process for fd, _ in ready):
                break
            try:
                if ready:
                    self._receive(0.0)  # so that it is never kept from telling us more
            except RuntimeError:
                poller.unregister(self._control.fileno())
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):  # the program reaps its children itself
            os.waitpid(self.pid, 0)

    def disown(self) -> None:
        """In a forked child: close our copies of the descriptors."""
        if self._open:
            self._open = False
            self._control.close()
            os.close(self._errors)
            os.close(self._process)

    def is_alive(self) -> bool:
        """False once the template has ended."""
        if not self._open:
            return False
        try:
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def _send(self, message: tuple[Any, ...], ancillary: list[tuple[int, int, bytes]] | None = None) -> None:
        try:
            self._control.sendmsg([marshal.dumps(message)], ancillary or [])
        except OSError as error:
            raise RuntimeError(f"the template process is gone ({error})" + self._said()) from None
        self._wake()

    def _wake(self) -> None:
        """Let the template go on in case somebody stopped it (SIGSTOP): without it no worker starts, or is killed."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGCONT)

    def _receive(self, wait: float) -> bool:
        poller = select.poll()
        poller.register(self._control.fileno(), select.POLLIN)
        if not poller.poll(wait * 1000):
            return False
        try:
            data, ancillary, _, _ = self._control.recvmsg(
                _MESSAGE_BYTES, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            data, ancillary = b"", []
        if not data:
            raise RuntimeError("the template process is gone" + self._said())
        message = marshal.loads(data)
        if message[0] == "forked":
            fds = [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]
            if fds:
                self._forked[message[1]] = (message[2], fds[0])
            else:  # the system had no descriptor left to give us, so this worker can't be watched over
                self.kill(message[2], 0.0)
                self._failed[message[1]] = os.strerror(errno.EMFILE)
        elif message[0] == "failed":
            self._failed[message[1]] = message[2]
        elif message[0] == "exited":
            self.exits[message[1]] = (message[2], message[3])
        return True

    def _said(self) -> str:
        """What the template has written, as the end of an error."""
        try:
            text = os.pread(self._errors, 1 << 16, 0).decode(errors="replace").strip()
        except OSError:
            return ""
        return f":\n{text[-4000:]}" if text else ""


def _path() -> list[str]:
    return [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]


def _interpreter_flags() -> list[str]:
    """The options under which this interpreter runs, for the template.

    Unbuffered, so that what C code prints is in the worker's file when its task ends, and when the worker dies.
    """
    flags = ["-u", *(["-S"] if _can_skip_site() else [])]
    for name, option in (
        ("dont_write_bytecode", "B"),
        ("bytes_warning", "b"),
        ("optimize", "O"),
        ("no_user_site", "s"),
    ):
        if count := getattr(sys.flags, name):
            flags.append("-" + option * int(count))
    for key, value in sys._xoptions.items():
        flags += ["-X", key if value is True else f"{key}={value}"]
    for option in sys.warnoptions:
        flags += ["-W", option]
    return flags


def _can_skip_site() -> bool:
    """True if `site` has done nothing but what the template gets told: the search path."""
    if "sitecustomize" in sys.modules or "usercustomize" in sys.modules:
        return False
    # Import hooks of editable installs are put there by .pth files.
    return not any("editable" in getattr(finder, "__name__", type(finder).__name__).lower() for finder in sys.meta_path)
