"""A live operation is done once for each call: a body that is run again without being charged repeats none.

An attempt that failed (by an exception, or charged with its worker's death) is not undone, so the next one adds again.
"""

import os
import signal

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast._places.process import live_journal
from graflow_fast._places.process.live_journal import LiveJournal
from graflow_fast._places.process.losses import Losses
from graflow_fast.exceptions import GraflowRuntimeError


def die_once(path):
    """Kill this worker, the first time that this is called for that path."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def replayed(monkeypatch):
    """How many answers were given from memory."""
    seen = []
    answer = LiveJournal.answer

    def noted(self, ticket, part, turn, question, perform):
        performed = []

        def perform_now():
            performed.append(True)
            return perform()

        found = answer(self, ticket, part, turn, question, perform_now)
        if not performed:
            seen.append(part)
        return found

    monkeypatch.setattr(LiveJournal, "answer", noted)
    return seen


def test_an_attempt_that_failed_is_not_undone():
    @task(inject_context=True, max_retries=2)
    def adds(ctx):
        drawn = ctx.get_channel().atomic_add("n", 1)
        if drawn < 3:
            raise ValueError("again")
        return drawn

    with workflow("failing") as wf:
        adds
    result, context = wf.execute(executor="process", max_workers=1, ret_context=True)
    assert result == context.get_channel().get("n") == 3


def test_an_attempt_charged_with_a_crash_is_not_undone(tmp_path):
    path = str(tmp_path / "died")

    @task(inject_context=True, max_retries=1)
    def adds(ctx):
        drawn = ctx.get_channel().atomic_add("n", 1)
        die_once(path)
        return drawn

    with workflow("crashing") as wf:
        parallel(adds, task(id="other")(lambda: None))
    context = wf.execute(executor="process", max_workers=1, ret_context=True)[1]
    assert context.get_result("adds") == context.get_channel().get("n") == 2


def test_a_report_that_was_on_its_way_when_the_worker_died_costs_no_second_addition(tmp_path, replayed):
    """Reports travel in batches; a task whose report was not out yet runs again, and gets what it got before."""

    @task(inject_context=True, max_retries=5)
    def adds(ctx, number, path):
        if number % 10 == 9:
            die_once(f"{path}.{number}")
        return ctx.get_channel().atomic_add("n", 1)

    for run in range(20):
        path = str(tmp_path / f"run{run}")
        with workflow("batches") as wf:
            parallel(*(adds(task_id=f"a{number}", number=number, path=path) for number in range(200)))
        context = wf.execute(executor="process", max_workers=1, ret_context=True)[1]
        assert context.get_channel().get("n") == 200
        assert sorted(context.get_result(f"a{number}") for number in range(200)) == list(range(1, 201))
        if replayed:
            return
    pytest.fail("no report was ever lost")


def test_items_of_a_lost_chunk_add_once(tmp_path, replayed):
    path = str(tmp_path / "died")

    @task(inject_context=True)
    def adds(ctx, number):
        if number == 5:
            die_once(path)
        return ctx.get_channel().atomic_add("n", 1)

    with workflow("map") as wf:
        adds.map(range(10), chunk=10)
    result, context = wf.execute(executor="process", max_workers=1, ret_context=True)
    assert result == list(range(1, 11))
    assert context.get_channel().get("n") == 10
    assert len(replayed) == 5


class AllOfThem(set):
    """Every worker that dies was meant for another task."""

    def __contains__(self, worker):
        return True


@pytest.fixture
def _always_anothers_fault(monkeypatch):
    made = Losses.__init__

    def all_killed(self, processes):
        made(self, processes)
        self._killed_workers = AllOfThem()

    monkeypatch.setattr(Losses, "__init__", all_killed)


@pytest.mark.usefixtures("_always_anothers_fault")
@pytest.mark.parametrize("is_map", [False, True])
def test_a_body_whose_worker_was_killed_for_another_ones_sake_is_as_new(tmp_path, capsys, replayed, is_map):
    """The kill may hit the task behind the one it was meant for: no retry is used up, nothing is said or done twice."""
    path = str(tmp_path / "died")

    @task(inject_context=True)
    def unlucky(ctx, number):
        drawn = ctx.get_channel().atomic_add("n", 1)
        print("drawn", drawn)
        die_once(path)
        return drawn, ctx.retry_count

    with workflow("unlucky") as wf:
        members = [task(id="other")(lambda: None)]
        parallel(unlucky.map([0], task_id="it", chunk=1) if is_map else unlucky(task_id="it", number=0), *members)
    context = wf.execute(executor="process", max_workers=1, ret_context=True)[1]
    assert context.get_result("it") == ([(1, 0)] if is_map else (1, 0))
    assert capsys.readouterr().out == "drawn 1\n"
    assert len(replayed) == 1


class Store:
    """Operations on one number, and how often each was done."""

    def __init__(self):
        self.journal = LiveJournal()
        self.value = 0

    def body(self, *operations, ticket=1):
        """Do a body's operations as from its beginning; return its answers."""
        return [self._do(ticket, turn, operation) for turn, operation in enumerate(operations)]

    def _do(self, ticket, turn, operation):
        def perform():
            if operation == "get":
                return self.value
            self.value = self.value + 1 if operation == "add" else operation
            return self.value

        name = operation if operation in ("get", "add") else "set"
        return self.journal.answer(ticket, (0, "body"), turn, (name, "key", operation), perform)


def test_a_body_goes_on_where_it_was():
    store = Store()
    assert store.body("add", "add") == [1, 2]
    assert store.body("add", "add", "add") == [1, 2, 3]
    assert store.value == 3


def test_a_body_that_does_something_else_this_time_is_on_its_own_from_there():
    store = Store()
    assert store.body("add", 7, "add") == [1, 7, 8]
    assert store.body("add", "add", "add") == [1, 9, 10]


def test_what_was_read_and_not_acted_upon_is_read_again():
    store = Store()
    assert store.body("get", 5, "get") == [0, 5, 5]
    store.value = 9
    assert store.body("get", 5, "get") == [0, 5, 9]


def test_another_attempt_remembers_nothing():
    store = Store()
    store.body("add")
    store.journal.forget(1)
    assert store.body("add", ticket=1) == [2]
    assert store.body("add", ticket=2) == [3]


def test_many_operations_are_remembered():
    store = Store()
    operations = ["add"] * 30_000
    assert store.body(*operations) == store.body(*operations)
    assert store.value == 30_000


def test_a_body_that_did_more_than_is_remembered_fails_rather_than_repeat_it(monkeypatch):
    """And tells its task; what it does beyond what it did the last time is not reached."""
    monkeypatch.setattr(live_journal, "_MOST", 100)
    store = Store()
    store.body(*["add"] * 150, "get")
    assert store.body(*["add"] * 100) == list(range(1, 101))
    for _ in range(2):
        with pytest.raises(GraflowRuntimeError, match="Task 'body' lost its worker.*100 live operations"):
            store.body(*["add"] * 150)
    assert store.value == 150


def test_large_answers_are_remembered_up_to_a_size(monkeypatch):
    monkeypatch.setattr(live_journal, "_MOST_BYTES", 1000)
    journal = LiveJournal()
    part = (0, "body")
    for turn in range(20):
        journal.answer(1, part, turn, ("get", "key", ()), lambda: b"x" * 100)
    assert len(journal.known[1][part].answers) == 10
    journal.answer(1, part, 0, ("set", "key", ()), lambda: None)
    assert (journal.known[1][part].size, journal.known[1][part].count) == (0, 1)


def test_operations_are_told_apart_without_their_arguments_help():
    """Arrays have no single answer to ``==``; equal amounts of another type are another question."""
    np = pytest.importorskip("numpy")
    journal = LiveJournal()
    amounts = [np.arange(3), np.arange(3), np.zeros(3)]
    done = []
    for _ in range(2):
        for turn, amount in enumerate(amounts):
            journal.answer(1, (0, "body"), turn, ("atomic_add", "n", (amount,)), lambda: done.append(1))
    assert len(done) == 3


@pytest.mark.parametrize("max_retries", [None, 1])
def test_a_lost_body_that_did_too_much_fails_or_is_retried(tmp_path, monkeypatch, max_retries):
    """It fails with the reason; with retries it has a new attempt, which adds again, as after any failure."""
    monkeypatch.setattr(live_journal, "_MOST", 50)
    path = str(tmp_path / "died")

    @task(inject_context=True, max_retries=max_retries)
    def adds(ctx):
        for _ in range(80):
            drawn = ctx.get_channel().atomic_add("n", 1)
        die_once(path)
        return drawn

    made = Losses.__init__

    def all_killed(self, processes):
        made(self, processes)
        self._killed_workers = AllOfThem()

    monkeypatch.setattr(Losses, "__init__", all_killed)
    with workflow("much") as wf:
        parallel(adds, task(id="other")(lambda: None))
    if max_retries is None:
        with pytest.raises(GraflowRuntimeError) as caught:
            wf.execute(executor="process", max_workers=1)
        assert "Task 'adds' lost its worker" in str(caught.value.__cause__)
    else:
        context = wf.execute(executor="process", max_workers=1, ret_context=True)[1]
        assert context.get_result("adds") == context.get_channel().get("n") == 160


def test_a_read_whose_key_was_not_live_the_last_time_lets_nothing_be_done_twice():
    """The body reads a key, adds and draws; by the time that it is run again, another body has made the key live."""
    journal, done = LiveJournal(), []

    def ask(turn, operation, key, arguments=None):
        return journal.answer(1, (0, "body"), turn, (operation, key, arguments), lambda: done.append(key) or len(done))

    assert [ask(0, "add", "n", 1), ask(1, "get", "n"), ask(2, "add", "n", 2)] == [1, 2, 3]
    # Again, with two reads that were no operations before; then once more, as it was at first.
    again = [("get", "x"), ("add", "n", 1), ("get", "n"), ("get", "x"), ("add", "n", 2), ("add", "m", 1)]
    assert [ask(turn, *question) for turn, question in enumerate(again)] == [4, 1, 2, 5, 3, 6]
    assert [ask(0, "add", "n", 1), ask(1, "get", "n"), ask(2, "add", "n", 2), ask(3, "add", "m", 1)] == [1, 2, 3, 6]
    assert done == ["n", "n", "n", "x", "x", "m"]
