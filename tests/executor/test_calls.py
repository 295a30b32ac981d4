"""What `Executor.submit` and `Executor.map` promise: results, order, errors, and what may travel."""

import asyncio
import concurrent.futures
import itertools
import logging
import os
import signal
import sys
import threading
import time
import warnings

import pytest

import graflow_fast
from graflow_fast.exceptions import LostMutationWarning, TaskSerializationError, WorkerCrashedError

PATIENCE = 30


class Unpicklable:
    def __reduce__(self):
        raise TypeError("no way to pickle this")


class Unloadable:
    """Can be pickled, and raises when it is loaded."""

    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise LookupError("no way to load this")


class UnpicklableError(Exception):
    def __init__(self, lock):
        super().__init__("cannot travel", lock)


class Point:
    def __init__(self, x):
        self.x = x

    def doubled(self):
        return Point(2 * self.x)


def test_the_result_of_a_call_is_that_of_its_future(shared):
    assert shared.submit(pow, 2, 5).result(PATIENCE) == 32
    assert shared.submit(divmod, 7, 2).result(PATIENCE) == (3, 1)
    assert shared.submit(int, "ff", base=16).result(PATIENCE) == 255


def test_keywords_may_have_any_name(shared):
    assert shared.submit(lambda **named: named, self=1, fn=2).result(PATIENCE) == {"self": 1, "fn": 2}
    with pytest.raises(TypeError):
        shared.submit(fn=pow)


def test_futures_are_those_of_the_standard_library(shared):
    future = shared.submit(pow, 2, 2)
    assert type(future) is concurrent.futures.Future
    assert concurrent.futures.wait([future], PATIENCE).done == {future}
    assert [each.result() for each in concurrent.futures.as_completed([future], PATIENCE)] == [4]


def test_calls_run_in_other_processes(shared):
    assert shared.submit(os.getpid).result(PATIENCE) != os.getpid()


def test_functions_need_not_be_importable(shared):
    factor = 3

    def times(value):
        return factor * value

    assert shared.submit(lambda: times(4)).result(PATIENCE) == 12
    assert shared.submit(times, 4).result(PATIENCE) == 12
    factor = 5  # what a function captures is looked at for each call
    assert shared.submit(times, 4).result(PATIENCE) == 20
    assert shared.submit(Point(4).doubled).result(PATIENCE).x == 8


def test_a_call_gets_its_arguments_as_they_were_when_it_was_submitted(shared):
    items = [1, 2]
    future = shared.submit(list, items)
    items.append(3)
    assert future.result(PATIENCE) == [1, 2]


def test_what_a_function_awaits_is_awaited(shared):
    async def later(value):
        await asyncio.sleep(0)
        return value

    assert shared.submit(later, 6).result(PATIENCE) == 6


def test_exceptions_keep_their_type_and_the_workers_traceback_as_cause(shared):
    def fail():
        raise KeyError("lost")

    error = shared.submit(fail).exception(PATIENCE)
    assert type(error) is KeyError
    assert error.args == ("lost",)
    assert 'raise KeyError("lost")' in str(error.__cause__)
    with pytest.raises(SystemExit):
        shared.submit(sys.exit, 3).result(PATIENCE)


@pytest.mark.parametrize(
    ("submit", "what"),
    [
        (lambda executor: executor.submit(len, Unpicklable()), "argument 1"),
        (lambda executor: executor.submit(dict, a=Unpicklable()), "argument 'a'"),
        (lambda executor: executor.submit(Unpicklable), "the result"),
        (lambda executor: executor.submit(threading.Lock().acquire), "function"),
    ],
    ids=["argument", "keyword", "result", "function"],
)
def test_what_cannot_be_pickled_is_an_error_of_its_call(shared, submit, what):
    error = submit(shared).exception(PATIENCE)
    assert isinstance(error, TaskSerializationError)
    assert what in str(error)
    assert shared.submit(pow, 1, 1).result(PATIENCE) == 1


def test_what_cannot_be_loaded_is_an_error_of_its_call(shared):
    assert "no way to load this" in str(shared.submit(len, Unloadable()).exception(PATIENCE))
    assert "no way to load this" in str(shared.submit(lambda: Unloadable()).exception(PATIENCE))
    assert shared.submit(pow, 1, 1).result(PATIENCE) == 1


def test_an_exception_that_cannot_be_pickled_tells_its_type_and_message(shared):
    def fail():
        raise UnpicklableError(threading.Lock())

    error = shared.submit(fail).exception(PATIENCE)
    assert "UnpicklableError" in str(error)
    assert "cannot travel" in str(error)


def test_large_values_cross(shared):
    data = bytes(range(256)) * 8192
    assert shared.submit(lambda given: given[::-1], data).result(PATIENCE) == data[::-1]


@pytest.mark.parametrize("end", [lambda: os._exit(7), lambda: os.kill(os.getpid(), signal.SIGKILL)])
def test_a_worker_that_dies_costs_one_call(shared, end):
    before = [shared.submit(pow, number, 2) for number in range(20)]
    crashed = shared.submit(end)
    after = [shared.submit(pow, number, 2) for number in range(20)]
    with pytest.raises(WorkerCrashedError):
        crashed.result(PATIENCE)
    assert [future.result(PATIENCE) for future in before + after] == [number**2 for number in range(20)] * 2


def test_callbacks_hear_of_the_end_and_may_submit(shared):
    heard = threading.Event()
    results = []

    def heard_of(future):
        results.append(future.result())
        shared.submit(pow, 2, 4).add_done_callback(lambda second: (results.append(second.result()), heard.set()))

    shared.submit(pow, 2, 3).add_done_callback(heard_of)
    assert heard.wait(PATIENCE)
    assert results == [8, 16]


def test_several_threads_submit(shared):
    sums = []

    def submit():
        futures = [shared.submit(lambda a, b: a + b, number, 1) for number in range(50)]
        sums.append(sum(future.result(PATIENCE) for future in futures))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sums == [1275] * 4


def test_asyncio_awaits_calls(shared):
    async def main():
        loop = asyncio.get_running_loop()
        wrapped = asyncio.wrap_future(shared.submit(pow, 2, 6))
        return await asyncio.gather(loop.run_in_executor(shared, pow, 2, 7), wrapped)

    assert asyncio.run(main()) == [128, 64]


def test_what_a_call_says_is_shown_here(shared, capfd, caplog):
    def say():
        print("printed")
        os.write(1, b"written\n")
        print("complained", file=sys.stderr)
        logging.getLogger("a.call").warning("logged")
        warnings.warn("warned", stacklevel=1)

    with pytest.warns(UserWarning, match="warned"):
        shared.submit(say).result(PATIENCE)
    out, err = capfd.readouterr()
    assert out == "printed\nwritten\n"
    assert "complained\n" in err
    assert [record.getMessage() for record in caplog.records] == ["logged"]


def test_a_call_leaves_no_change_of_its_process_behind(make):
    executor = make(1)
    executor.submit(lambda: os.environ.update(LEFT_BEHIND="1")).result(PATIENCE)
    assert executor.submit(os.environ.get, "LEFT_BEHIND").result(PATIENCE) is None


def test_a_change_of_what_was_captured_is_warned_of(shared):
    found = []

    def find():
        found.append(1)
        return len(found)

    with pytest.warns(LostMutationWarning, match="found"):
        assert shared.submit(find).result(PATIENCE) == 1


# --- map


def test_map_yields_results_in_order(shared):
    assert list(shared.map(pow, range(10), range(10))) == list(map(pow, range(10), range(10)))
    assert list(shared.map(pow, range(6), itertools.repeat(2))) == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize("chunksize", [3, 6, 50])
def test_map_by_chunks_yields_the_same(shared, chunksize):
    assert list(shared.map(pow, range(40), range(40), chunksize=chunksize)) == list(map(pow, range(40), range(40)))


@pytest.mark.parametrize("chunksize", [1, 2, 10])
def test_map_raises_what_a_call_raised_where_its_result_would_be(shared, chunksize):
    results = shared.map(divmod, [1, 1, 1, 1], [2, 3, 0, 5], chunksize=chunksize)
    assert next(results) == (0, 1)
    assert next(results) == (0, 1)
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []


def test_a_chunk_yields_the_results_before_one_that_cannot_be_pickled(shared):
    results = shared.map(lambda number: number if number < 2 else Unpicklable(), range(4), chunksize=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(TaskSerializationError, match="the result"):
        next(results)


def test_map_refuses_what_has_no_meaning(shared):
    for chunksize in (0, -1):
        with pytest.raises(ValueError, match="chunksize must be >= 1"):
            shared.map(str, [1], chunksize=chunksize)
    with pytest.raises(TypeError, match="buffersize must be an integer or None"):
        shared.map(str, [1], buffersize=1.0)
    for buffersize in (0, -1):
        with pytest.raises(ValueError, match="buffersize must be None or > 0"):
            shared.map(str, [1], buffersize=buffersize)


def test_map_by_a_timeout_raises_when_a_result_is_late(shared, tmp_path):
    def wait(gate):
        while not gate.exists():
            time.sleep(0.005)

    results = shared.map(wait, [tmp_path / "gate"], timeout=0.05)
    with pytest.raises(concurrent.futures.TimeoutError):
        next(results)
    (tmp_path / "gate").touch()


@pytest.mark.parametrize(("chunksize", "buffersize"), [(1, 1), (1, 4), (3, 2)])
def test_map_takes_no_more_items_than_its_buffer_holds(shared, chunksize, buffersize):
    taken = itertools.count()
    results = shared.map(str, taken, chunksize=chunksize, buffersize=buffersize)
    assert [next(results) for _ in range(5)] == ["0", "1", "2", "3", "4"]
    results.close()
    chunks = -(-5 // chunksize) + buffersize
    assert next(taken) <= chunks * chunksize


def test_map_submits_at_once(shared):
    assert shared.map(str, iter([])) is not None
    taken = iter(range(5))
    results = shared.map(str, taken)
    assert next(taken, None) is None
    assert list(results) == list("01234")


def test_a_chunk_that_lost_its_worker_is_an_error_of_map(shared):
    def end(number):
        return number if number < 4 else os._exit(1)

    results = shared.map(end, range(6), chunksize=2)
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(WorkerCrashedError):
        next(results)


# --- made anywhere


def test_a_call_may_have_an_executor_of_its_own(shared):
    def inner():
        with graflow_fast.Executor(1) as executor:
            return executor.submit(pow, 3, 3).result()

    assert shared.submit(inner).result(PATIENCE) == 27


def test_a_forked_child_has_workers_of_its_own(make):
    executor = make(1)
    worker = executor.submit(os.getpid).result(PATIENCE)
    child = os.fork()
    if not child:
        try:
            other = executor.submit(os.getpid).result(PATIENCE)
            executor.shutdown()
            os._exit(0 if other != worker else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert executor.submit(os.getpid).result(PATIENCE) == worker
