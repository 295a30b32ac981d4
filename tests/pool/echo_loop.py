"""A worker loop for tests: the first byte of a payload says what to do with the rest."""

import os
import signal
import sys
import time


def run(link):
    while (task := link.next()) is not None:
        ticket, payload = task
        if payload[:1] == b"h":  # take so long to get ready
            time.sleep(float(payload[1:]))
        link.begin_body()
        what, rest = payload[:1], payload[1:]
        if what == b"h":
            link.report(ticket, 0, b"ready", b"")
        elif what == b"e":  # echo
            link.report(ticket, 7, rest, b"fx")
        elif what == b"s":  # sleep
            time.sleep(float(rest))
            link.report(ticket, 0, str(os.getpid()).encode(), b"")
        elif what == b"S":  # spin for so much CPU time
            end = time.thread_time() + float(rest)
            while time.thread_time() < end:
                pass
            link.report(ticket, 0, b"", b"")
        elif what == b"r":  # request, and report the reply
            link.report(ticket, 0, link.request(ticket, rest), b"")
        elif what == b"d":  # report a definition
            link.report(ticket, 0, link.definition(int(rest)) or b"", repr(link.take_forgotten()).encode())
        elif what == b"k":  # die by a signal
            os.kill(os.getpid(), int(rest or signal.SIGKILL))
        elif what == b"x":  # leave with a code
            os._exit(int(rest))
        elif what == b"b":  # a large result
            link.report(ticket, 0, b"\xab" * int(rest), b"")
        elif what == b"p":  # print
            os.write(1, rest)
            os.write(2, rest.upper())
            link.report(ticket, 0, b"", b"")
        elif what == b"w":  # write raw bytes to the link's descriptor
            fd, _, raw = rest.partition(b":")
            os.write(_link_fd() if fd == b"link" else int(fd), raw)
            time.sleep(60)
        elif what == b"l":  # live epoch
            link.report(ticket, 0, str(link.live_epoch()).encode(), b"")
        elif what == b"c":  # close every descriptor
            os.closerange(0, 1000)
            time.sleep(60)
        elif what == b"f":  # fork; the child comes back into the loop
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            link.report(ticket, 0, b"parent" if child else b"child", b"")
        elif what == b"g":  # leave a grandchild behind that holds everything open
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            os._exit(9)
        elif what == b"q":  # what an expression gives here
            link.report(ticket, 0, repr(eval(rest, {"os": os, "sys": sys})).encode(), b"")
        elif what == b"m":  # have so much memory for a while
            kept = bytearray(b"x" * int(rest))
            time.sleep(30)
            del kept
        elif what == b"v":  # an environment variable
            link.report(ticket, 0, os.environ.get(rest.decode(), "").encode(), b"")
        else:
            raise ValueError(payload)


def _link_fd():
    for fd in range(3, 100):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                return fd
        except OSError:
            continue
    raise RuntimeError("no link")
