"""What bodies do with the log and with ``sys.stdout`` means the same in a worker process as inline."""

import copy
import datetime
import io
import logging
import subprocess
import sys
import warnings

import pytest

from graflow_fast import task, workflow

EXECUTORS = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


@pytest.fixture
def log(monkeypatch):
    """What the root logger writes, with an attribute that is given to it as ``extra``."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s order=%(order)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    return stream


@EXECUTORS
@pytest.mark.parametrize(
    "order",
    [{"id": 1, "tags": ["new"]}, (1, None), datetime.date(2024, 1, 2), {1}, b"x", 1.5],
    ids=lambda o: type(o).__name__,
)
def test_extra_attributes_of_log_records(executor, order, log):
    """Whatever they are."""
    with workflow("shop") as wf:

        @task
        def book(order):
            logging.getLogger("shop").warning("booked", extra={"order": order})

        book(task_id="b", order=order)
        wf.execute("b", executor=executor)
    assert log.getvalue() == f"booked order={order}\n"


@EXECUTORS
@pytest.mark.parametrize("can_travel", [True, False])
def test_a_message_that_is_a_dictionary_stays_one(executor, can_travel, monkeypatch):
    """As structlog's do, whose formatters want what was said by name; and as it was when it was said."""
    seen = []

    class Keeps(logging.Handler):
        def emit(self, record):
            seen.append((copy.copy(record.msg), record.args, record.getMessage()))

    monkeypatch.setattr(logging.getLogger(), "handlers", [Keeps()])
    with workflow("shop") as wf:

        @task
        def book(can_travel):
            event = {"event": "booked", "by": "ada" if can_travel else print.__self__}
            logging.getLogger("shop").warning(event)
            if can_travel:
                event["by"] = "nobody"

        book(task_id="b", can_travel=can_travel)
        wf.execute("b", executor=executor)
    ((said, arguments, text),) = seen
    assert arguments is None or arguments == ()
    if can_travel:
        assert (said, text) == ({"event": "booked", "by": "ada"}, "{'event': 'booked', 'by': 'ada'}")
    assert type(said) is dict
    assert said["event"] == "booked"


@EXECUTORS
def test_an_extra_attribute_that_cannot_travel_is_shown_as_its_text(executor, log):
    with workflow("shop") as wf:

        @task
        def book():
            class Local:
                def __init__(self):
                    self.sent = lambda: None

                def __repr__(self):
                    return "a local thing"

            logging.getLogger("shop").warning("booked", extra={"order": Local()})

        book(task_id="b")
        wf.execute("b", executor=executor)
    assert log.getvalue() == "booked order=a local thing\n"


@EXECUTORS
def test_stdout_has_the_methods_of_a_text_stream(executor, capsys):
    """Bytes by its buffer, another encoding, lines."""
    with workflow("w") as wf:

        @task
        def body():
            print("first")
            if hasattr(sys.stdout, "reconfigure"):  # what stands for it under pytest may have none
                sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)
            sys.stdout.flush()
            sys.stdout.buffer.write("bytes é\n".encode())
            sys.stdout.buffer.writelines([b"more ", b"bytes\n"])
            sys.stdout.buffer.flush()
            sys.stdout.writelines(["last", "\n"])
            return sys.stdout.writable(), sys.stdout.closed

        body
        assert wf.execute(executor=executor) == (True, False)
    assert capsys.readouterr().out == "first\nbytes é\nmore bytes\nlast\n"


class Plain(UserWarning):
    """A category of the program's."""


class Told(UserWarning):
    """One whose constructor takes something else than it keeps."""

    def __init__(self, row, *, column):
        super().__init__(f"{row} {column}")
        self.row = row


@EXECUTORS
def test_warnings_have_the_programs_categories(executor):
    @task
    def warn():
        warnings.warn("a text", Plain, stacklevel=1)
        warnings.warn(Told(3, column="b"), stacklevel=1)
        warnings.warn("usual", DeprecationWarning, stacklevel=1)

    with workflow("warns") as wf:
        warn
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wf.execute(executor=executor, max_workers=1)
    assert [(each.category, type(each.message), str(each.message)) for each in caught] == [
        (Plain, Plain, "a text"),
        (Told, Told, "3 b"),
        (DeprecationWarning, DeprecationWarning, "usual"),
    ]
    assert caught[1].message.row == 3


def test_warnings_have_the_categories_of_a_script(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        """
import sys, warnings
from graflow_fast import task, workflow

class Told(UserWarning):
    def __init__(self, row, *, column):
        super().__init__(f"{row} {column}")
        self.row = row

with workflow("warns") as wf:

    @task
    def warn():
        warnings.warn(Told(3, column="b"))

    with warnings.catch_warnings(record=True) as caught:
        wf.execute(executor="process", max_workers=1)
    print(caught[0].category is Told, caught[0].message, caught[0].message.row)
"""
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True 3 b 3\n", "")
