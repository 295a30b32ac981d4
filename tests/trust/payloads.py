"""Bodies that misbehave, each in its own way. Knows nothing of what should come of them."""

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time


def segfault():
    faulthandler._sigsegv()


def null_pointer():
    ctypes.string_at(0)


def abort():
    os.abort()


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def hard_exit():
    os._exit(3)


def hard_exit_zero():
    os._exit(0)


def soft_exit():
    sys.exit(7)


def exit_with_words():
    sys.exit("enough of this")


def interrupt():
    raise KeyboardInterrupt


def deep_recursion():
    return deep_recursion()


def deep_c_recursion():
    nested = []
    for _ in range(1_000_000):
        nested = [nested]
    return nested


class Plain(Exception):
    pass


def plain_raise():
    raise Plain("as it should be", 3)


def notes_and_chain():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise Plain("outer") from error


def result_with_lock():
    return {"rows": [1, 2, {"guard": threading.Lock()}]}


class RaisesInReduce:
    def __reduce__(self):
        raise ValueError("I stay here")


def result_raising_in_reduce():
    return [RaisesInReduce()]


class RaisesInGetstate:
    def __getstate__(self):
        raise ValueError("no state for you")


def result_raising_in_getstate():
    return RaisesInGetstate()


def _refuse_to_load():
    raise ValueError("I refuse to be loaded")


class RaisesOnLoad:
    def __reduce__(self):
        return _refuse_to_load, ()


def result_raising_on_load():
    return RaisesOnLoad()


class ExitsInReduce:
    def __reduce__(self):
        os._exit(9)


def result_exiting_in_reduce():
    return ExitsInReduce()


class HoldsLock(Exception):
    def __init__(self, message):
        super().__init__(message)
        self.guard = threading.Lock()


def raise_unpicklable():
    raise HoldsLock("with a lock inside")


class NeedsTwo(Exception):
    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def raise_needs_two():
    raise NeedsTwo(404, "not there")


class FailsToLoad(Exception):
    def __reduce__(self):
        return _refuse_to_load, ()


def raise_fails_to_load():
    raise FailsToLoad("only here")


class NoMessage(Exception):
    def __str__(self):
        raise RuntimeError("no message either")


def raise_without_message():
    raise NoMessage("x")


def raise_recursive_causes():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one


def raise_long_chain():
    last = None
    for number in range(3000):
        error = ValueError(number)
        error.__cause__ = last
        last = error
    raise last


def raise_group():
    raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])  # noqa: F821


def raise_base_exception():
    class Odd(BaseException):
        pass

    raise Odd("neither exit nor error")


def eat_memory():
    kept = []
    while True:
        kept.append(bytearray(b"x" * (8 << 20)))


def never_return():
    threading.Event().wait()


def never_return_in_c():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    libc = ctypes.PyDLL(None)  # holds the interpreter lock
    while True:
        libc.sleep(1000)


def stop_itself():
    os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def spin():
    while True:
        pass


def fork_lingering():
    if os.fork() == 0:
        time.sleep(1000)
        os._exit(0)
    return "parent"


def fork_returning():
    """The child comes back from the body, too."""
    return "parent" if os.fork() else "child"


def spawn_lingering():
    subprocess.Popen(["sleep", "1000"])
    return "started"


def close_descriptors():
    os.close(0)
    os.close(1)
    os.close(2)
    print("still talking")
    return "closed"


def close_streams():
    sys.stdout.close()
    sys.stderr.close()
    return "closed"


def close_everything():
    os.closerange(0, 256)
    return "closed"


def lose_streams():
    sys.stdout = sys.stderr = None
    return "lost"


def write_to_descriptor():
    os.write(1, b"straight to 1\n")
    os.write(2, b"straight to 2\n")
    return "written"


def print_from_c():
    ctypes.CDLL(None).puts(b"from C")
    return "put"


def print_then_die():
    print("last words")
    os.kill(os.getpid(), signal.SIGKILL)


def leave_thread():
    threading.Thread(target=threading.Event().wait).start()
    return "left"


def change_surroundings():
    os.chdir("/")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(0)
    sys.path.clear()
    return "changed"


def fill_descriptors():
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    kept = []
    try:
        while True:
            kept.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return error.errno


def good():
    return "good"
