"""The pipes behind a worker's descriptors 1 and 2, by themselves: who empties them, and what is in the file then."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest

from graflow_fast._pool.output import PipedStream
from graflow_fast._worker.output_pipes import OutputPipes


@pytest.fixture
def stream() -> Iterator[PipedStream]:
    made = PipedStream("test")
    yield made
    made.close()


class Template:
    """What a template has of one worker."""

    def __init__(self, stream: PipedStream) -> None:
        self.poller = select.poll()
        self.pipes = OutputPipes(self.poller)
        self.pipe, self.news = os.dup(stream.pipe), os.eventfd(0, os.EFD_NONBLOCK)
        self.pipes.add(7, [self.pipe], [os.dup(stream.fd)], self.news)

    def turn(self) -> None:
        """Take in what the poller says, and wait for what is due then."""
        for fd, event in self.poller.poll(1000):
            assert self.pipes.take(fd, event)
        while self.pipes.next_due() < float("inf"):
            self.pipes.empty_due()


def test_the_template_moves_what_is_there_and_says_so(stream: PipedStream) -> None:
    template = Template(stream)
    os.write(stream.entry, b"one\n")
    template.turn()
    assert stream.drain() == b"one\n"
    assert os.eventfd_read(template.news) == 1
    os.write(stream.entry, b"two\n")
    template.turn()
    assert stream.drain() == b"two\n"
    template.pipes.end(7)
    stream.end()
    template.turn()


def test_all_of_a_worker_that_is_gone_is_kept_and_what_others_write_then_is_dropped(stream: PipedStream) -> None:
    template = Template(stream)
    os.write(stream.entry, b"last words\n")
    template.pipes.end(7)
    assert stream.drain() == b"last words\n"
    os.write(stream.entry, b"a daemon's")
    template.turn()
    with pytest.raises(BlockingIOError):
        os.read(stream.pipe, 1)
    assert stream.drain() == b""
    stream.hand_over()  # nobody can write to it any more
    template.turn()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(template.pipe)


def test_a_pipe_of_a_worker_that_has_closed_all_does_not_keep_the_template_busy(stream: PipedStream) -> None:
    template = Template(stream)
    stream.hand_over()
    template.turn()
    assert template.poller.poll(0) == []
    template.pipes.end(7)
    template.turn()
    assert template.poller.poll(0) == []


def test_what_nobody_has_moved_is_in_the_file_when_it_is_asked_for(stream: PipedStream) -> None:
    os.write(stream.entry, b"one\n")
    stream.gather()
    assert stream.drain() == b"one\n"
    os.write(stream.entry, b"another run's\n")
    stream.skip()
    os.write(stream.entry, b"two\n")
    stream.gather()
    stream.end()
    stream.gather()
    assert stream.drain() == b"two\n"


def test_nobody_waits_for_a_process_that_was_stopped_while_it_moved(stream: PipedStream) -> None:
    """It holds the lock: what is in the pipe stays there until it ends or goes on."""
    program = f"import fcntl, sys; fcntl.lockf({stream.fd}, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[stream.fd]
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        os.write(stream.entry, b"one\n")
        stream.gather()
        assert stream.drain() == b""
        holder.kill()
        holder.wait()
        stream.gather()
        assert stream.drain() == b"one\n"
    fcntl.lockf(stream.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
