"""The coordinator's handle on the template process: start it, ask it for workers, hear of their ends.

Owns the control socket and what came over it. Must not know links, claims or tasks. See `_worker/template.py` for the
protocol.

Neither side ever waits for the other to read while it has something to read itself: there may be hundreds of workers.
What has no limit in length (arguments, search path, environment) goes through files in memory, not through messages.
"""

import _socket
import contextlib
import errno
import fcntl
import marshal
import os
import select
import signal
import sys
import time
from collections.abc import Collection, Mapping
from typing import Any

from graflow_fast._pool.output import memory_file

#: What a worker runs, as ``module:function``, unless a pool says otherwise.
DEFAULT_LOOP = "graflow_fast._worker.loop:run"

# Nothing is garbage while modules are imported, and nobody waits for a first result as long as for these.
_BOOT = (
    "import gc, marshal, sys; gc.disable(); given = marshal.load(open({}, 'rb')); sys.path[:] = given[1]['path']; "
    "from graflow_fast._worker.template import main; main({}, {}, *given)"
)
#: The template's descriptors: the control socket, and the file with what its workers find around them.
_CONTROL, _GIVEN = 3, 4
_MESSAGE_BYTES = 1 << 16
#: Workers that are asked for before the first of them is there.
_UNANSWERED = 16
#: Seconds for the template to answer, and to end once its workers have had theirs.
_ANSWER = 30.0
_END = 1.0
#: Bytes of one variable, and the part of all that the system allows, with which the template is started. It is told of
#: the others afterwards.
_LONGEST_VARIABLE = 1 << 16
_PART_OF_ALL = 4


class ForkServer:
    """A running template process.

    Attributes:
        exits: of workers whose end nobody has asked for yet, by number: wait status and peak memory in bytes.
    """

    def __init__(self, environment: Mapping[str, str], boot: Mapping[str, object]) -> None:
        """Start the process.

        Args:
            environment: its variables, and those of its workers.
            boot: what workers find around them; see `fork`.
        """
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        self._control = ours
        self._errors = self._process = -1
        self.exits: dict[int, tuple[int, int]] = {}
        self._forked: dict[int, tuple[int, int]] = {}  # number -> pid, pidfd
        self._failed: dict[int, str] = {}
        self._is_gone = False
        self._unanswered: set[int] = set()
        self._boot = dict(boot)
        self._open = True
        self.pid = 0
        lent: list[int] = []
        try:
            self._errors = memory_file("graflow-template")
            at_once, later = _split(environment)
            lent.append(_file_with((later, self._boot)))
            for fd in (*lent, self._errors, theirs.fileno()):
                lent.append(_copy_above(fd))
            given, errors, control = lent[1:]
            interpreter = _interpreter()
            self.pid = os.posix_spawn(
                interpreter,
                [interpreter, *_interpreter_flags(), "-c", _BOOT.format(_GIVEN, _CONTROL, os.getpid())],
                at_once,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, errors, 1),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                    (os.POSIX_SPAWN_DUP2, control, _CONTROL),
                    (os.POSIX_SPAWN_DUP2, given, _GIVEN),
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
            for fd in lent:
                os.close(fd)

    def fork(self, number: int, boot: Mapping[str, object], fds: list[int]) -> None:
        """Ask for a worker; `forked` has the answer.

        Args:
            number: what it is called from here on; no other worker ever was.
            boot: its loop, arguments, search path, directory and prefixes.
            fds: its descriptors.
        """
        if boot != self._boot:
            given = _file_with(dict(boot))
            try:
                self._send(("boot",), [given])
            finally:
                os.close(given)
            self._boot = dict(boot)
        self._await(lambda: len(self._unanswered) < _UNANSWERED)
        self._send(("fork", number), fds)
        self._unanswered.add(number)

    def preload(self, module: str) -> None:
        """Have a module imported before the next worker is started."""
        self._send(("preload", module))

    def kill(self, number: int, grace: float) -> None:
        """End a worker and its process group: SIGTERM, and SIGKILL after `grace` seconds."""
        self._send(("kill", number, grace))

    def has_answered(self, number: int) -> bool:
        """Whether `forked` would not wait."""
        try:
            while number in self._unanswered and self._receive(0.0):
                pass
        except RuntimeError:
            return True  # the template is gone
        return number not in self._unanswered

    def forked(self, number: int) -> tuple[int, int]:
        """The pid and process descriptor of a worker that was asked for; waits.

        Raises:
            RuntimeError: it could not be started, or the template is gone.
        """
        self._await(lambda: number not in self._unanswered)
        if number in self._failed:
            raise RuntimeError(self._failed.pop(number))
        return self._forked.pop(number)

    def wait_for_exit(self, number: int, wait: float) -> tuple[int, int] | None:
        """The wait status and peak memory in bytes of a worker, told once; None if it doesn't end in time."""
        deadline = time.monotonic() + wait
        while number not in self.exits:
            left = deadline - time.monotonic()
            try:
                if not self._receive(max(0.0, left)) and left <= 0:
                    return None
            except RuntimeError:
                return None
        return self.exits.pop(number)

    def forget_exits(self, known: Collection[int]) -> None:
        """Drop the ends of all workers but these: nobody will ask for them."""
        for number in [number for number in self.exits if number not in known]:
            del self.exits[number]

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
        """False once the template has ended, or its link, which it does first."""
        if not self._open or self._is_gone:
            return False
        try:
            return os.waitpid(self.pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            return False

    def _send(self, message: tuple[Any, ...], fds: Collection[int] = ()) -> None:
        raw = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, raw)] if fds else []
        data = [marshal.dumps(message)]
        deadline = time.monotonic() + _ANSWER
        while True:
            try:
                self._control.sendmsg(data, ancillary, _socket.MSG_DONTWAIT)
                break
            except BlockingIOError:
                self._take_while_full(deadline)
            except OSError as error:
                self._is_gone = True
                raise RuntimeError(f"the template process is gone ({error})" + self._said()) from None
        self._wake()

    def _take_while_full(self, deadline: float) -> None:
        """Wait for room in the socket; what the template says meanwhile is taken in, or it would wait for that."""
        self._wake()
        poller = select.poll()
        poller.register(self._control.fileno(), select.POLLIN | select.POLLOUT)
        for _, happened in poller.poll(500):
            if happened & ~select.POLLOUT:
                self._receive(0.0)
        self._check_deadline(deadline)

    def _await(self, condition: Any) -> None:
        """Take in what the template says until the condition holds."""
        deadline = time.monotonic() + _ANSWER
        while not condition():
            if not self._receive(0.5):
                self._wake()
                self._check_deadline(deadline)

    def _check_deadline(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise RuntimeError("the template process does not answer" + self._said())

    def _wake(self) -> None:
        """Let the template go on in case somebody stopped it (SIGSTOP): without it no worker starts, or is killed."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGCONT)

    def _receive(self, wait: float) -> bool:
        """Take in one message; False if none comes in time."""
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
            self._is_gone = True
            raise RuntimeError("the template process is gone" + self._said())
        kind, number, *rest = marshal.loads(data)
        if kind == "forked":
            fds = [fd for _, _, raw in ancillary for fd in memoryview(raw).cast("i")]
            self._unanswered.discard(number)
            if fds:
                self._forked[number] = (rest[0], fds[0])
            else:  # the system had no descriptor left to give us, so this worker can't be watched over
                self._failed[number] = os.strerror(errno.EMFILE)
                self.kill(number, 0.0)
        elif kind == "failed":
            self._unanswered.discard(number)
            self._failed[number] = rest[0]
        elif kind == "exited":
            self.exits[number] = (rest[0], rest[1])
        return True

    def _said(self) -> str:
        """What the template has written, as the end of an error."""
        try:
            text = os.pread(self._errors, 1 << 16, 0).decode(errors="replace").strip()
        except OSError:
            return ""
        return f":\n{text[-4000:]}" if text else ""


def _file_with(content: Any) -> int:
    """Return the descriptor of a file in memory with this content, to be read from its start."""
    fd = memory_file("graflow-boot")
    try:
        data = marshal.dumps(content)
        written = 0
        while written < len(data):
            written += os.pwrite(fd, data[written:], written)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _copy_above(fd: int) -> int:
    """Return a copy of a descriptor above those that a template has: the program may have closed its standard ones."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _GIVEN + 1)


def _split(environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables that a new process can be started with, and those that are too much for the system."""
    sizes = {name: len(os.fsencode(name)) + len(os.fsencode(value)) + 16 for name, value in environment.items()}
    most = os.sysconf("SC_ARG_MAX") // _PART_OF_ALL
    if sum(sizes.values()) <= most and max(sizes.values(), default=0) <= _LONGEST_VARIABLE:
        return dict(environment), {}
    at_once: dict[str, str] = {}
    for name in sorted(sizes, key=sizes.__getitem__):
        most -= sizes[name]
        if most < 0 or sizes[name] > _LONGEST_VARIABLE:
            break
        at_once[name] = environment[name]
    return at_once, {name: value for name, value in environment.items() if name not in at_once}


def _interpreter() -> str:
    """Return the file of the interpreter, for the template.

    Raises:
        OSError: there is none: the program is frozen into one file, or has Python embedded.
    """
    if not getattr(sys, "frozen", False):
        version = "python{}.{}".format(*sys.version_info)
        beside = [os.path.join(prefix, "bin", version) for prefix in (sys.exec_prefix, sys.base_exec_prefix)]
        for path in (sys.executable, getattr(sys, "_base_executable", None), *beside):
            if path and os.access(path, os.X_OK):
                return path
    why = "the program is frozen" if getattr(sys, "frozen", False) else "sys.executable names none"
    raise OSError(
        errno.ENOEXEC,
        f"there is no Python interpreter to start them with ({why}). Run with executor='thread' or 'inline', or set "
        "sys.executable to an interpreter that has graflow_fast and this program's packages",
    )


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
