"""`task.map`: results, order, effects and failures are the same wherever the items run."""

import itertools

import pytest

from graflow_fast import task, workflow
from graflow_fast.core.retry import RetryPolicy
from graflow_fast.exceptions import (
    GraflowRuntimeError,
    GraflowWorkflowCanceledError,
    ParallelGroupError,
    RetryLimitExceededError,
    TaskSerializationError,
)

EXECUTORS = ["inline", "thread", "process"]


@pytest.fixture(params=EXECUTORS)
def executor(request):
    return request.param


def run(wf, executor, **options):
    return wf.execute(executor=executor, max_workers=2, ret_context=True, **options)


def double(x):
    return x * 2


def test_between_two_tasks(executor):
    with workflow("w") as wf:
        work = task("work")(double)

        @task
        def load():
            return [1, 2, 3]

        @task
        def total(values):
            return sum(values)

        load >> work.map() >> total
        result, context = run(wf, executor)
    assert result == 12
    assert context.completed_tasks == ["load", "work_map", "total"]
    assert context.get_result("work_map") == [2, 4, 6]


@pytest.mark.parametrize("count", [0, 1, 7, 20_000])
def test_any_iterable_any_number(executor, count):
    with workflow("w") as wf:
        task("work")(double).map(i for i in range(count))
        assert run(wf, executor)[0] == [2 * i for i in range(count)]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_given_chunks(executor, chunk):
    with workflow("w") as wf:
        task("work")(double).map(range(50), chunk=chunk)
        assert run(wf, executor)[0] == [2 * i for i in range(50)]


def test_items_of_another_task(executor):
    with workflow("w") as wf:
        work = task("work")(double)

        @task
        def load():
            return [1, 2]

        @task
        def between():
            return "something else"

        load >> between >> work.map(load) >> work.map("load", task_id="again")
        assert run(wf, executor)[1].get_result("again") == [2, 4]


def test_names_are_unique_in_a_workflow():
    with workflow("w"):
        work = task("work")(double)
        assert [work.map([]).task_id, work.map([]).task_id, work.map([], task_id="m").task_id] == [
            "work_map",
            "work_map_2",
            "m",
        ]


def test_other_parameters_are_filled_as_usual(executor):
    with workflow("w") as wf:

        @task
        def work(x, bound, from_channel, default=4):
            return x, bound, from_channel, default

        work(task_id="w", bound=2).map("ab")
        with pytest.raises(GraflowRuntimeError, match="task 'ab'"):
            run(wf, executor)
    with workflow("w2") as wf:
        work(task_id="w", bound=2).map(["a", "b"])
        result, _ = run(wf, executor, initial_channel={"from_channel": 3})
    assert result == [("a", 2, 3, 4), ("b", 2, 3, 4)]


def test_a_bound_first_parameter_leaves_the_item_the_next(executor):
    with workflow("w") as wf:

        @task
        def power(base, exponent):
            return base**exponent

        power(task_id="p", base=2).map([1, 2, 3])
        assert run(wf, executor)[0] == [2, 4, 8]


def test_items_of_a_chunk_do_not_share_mutable_arguments():
    with workflow("w") as wf:

        @task
        def work(x, seen):
            seen.append(x)
            return seen

        work.map([1, 2, 3], chunk=3)
        assert run(wf, "process", initial_channel={"seen": [0]})[0] == [[0, 1], [0, 2], [0, 3]]


def test_effects_in_item_order(executor, capsys):
    with workflow("w") as wf:

        @task(inject_context=True)
        def work(ctx, x):
            channel = ctx.get_channel()
            seen = channel.get("all")
            channel.append("all", x)
            channel.set("last", x)
            channel.atomic_add("count")
            print(ctx.task_id)
            return seen

        work.map(range(40))
        result, context = run(wf, executor)
    assert result == [None] * 40  # the channel as it was at the start
    assert context.channel.get("all") == list(range(40))
    assert context.channel.get("last") == 39
    assert context.channel.get("count") == 40
    assert capsys.readouterr().out == "".join(f"work_map[{i}]\n" for i in range(40))


def test_strict_names_every_item_that_failed(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            if x in (17, 40):
                raise ValueError(f"bad {x}")
            return x

        work.map(range(60))
        with pytest.raises(
            ParallelGroupError, match=r"2 of 60 items failed: work_map\[17\] \(ValueError: bad 17\)"
        ) as info:
            run(wf, executor)
    assert [name for name, _ in info.value.failed_tasks] == ["work_map[17]", "work_map[40]"]
    assert len(info.value.successful_tasks) == 58
    assert isinstance(info.value.__cause__.__cause__, ValueError)


def test_best_effort_leaves_the_exception_in_its_place(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            return 1 // x

        work.map([1, 0, -1]).with_execution(policy="best_effort")
        result, _ = run(wf, executor)
    assert isinstance(result.pop(1), ZeroDivisionError)
    assert result == [1, -1]


def test_fail_fast_ends_an_endless_map(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            if x >= 100:
                raise ValueError(x)
            return x

        work.map(itertools.count(), fail_fast=True)
        with pytest.raises(ParallelGroupError) as info:
            run(wf, executor)
    assert [name for name, _ in info.value.failed_tasks] == ["work_map[100]"]
    assert len(info.value.successful_tasks) == 100


def test_stop_iteration_in_a_body_is_a_failure_not_the_end(executor):
    with workflow("w") as wf:

        @task
        def work(x):
            return next(iter([])) if x == 3 else x

        work.map(range(6)).with_execution(policy="best_effort")
        result, _ = run(wf, executor)
    assert isinstance(result.pop(3), StopIteration)
    assert result == [0, 1, 2, 4, 5]


def test_retries_see_their_own_writes_and_print_in_place(executor, capsys):
    with workflow("w") as wf:

        @task(max_retries=2, inject_context=True)
        def work(ctx, x):
            print(x, ctx.retry_count, ctx.get_channel().get("w"))
            ctx.get_channel().set("w", x)
            if x % 4 == 1 and ctx.retry_count < 2:
                raise ValueError(x)
            return x

        work.map(range(6))
        result, context = run(wf, executor)
    assert result == list(range(6))
    lines = ["0 0 None", "1 0 None", "1 1 1", "1 2 1", "2 0 None", "3 0 None", "4 0 None", "5 0 None", "5 1 5", "5 2 5"]
    assert capsys.readouterr().out.splitlines() == lines
    assert context.retry_controller.retry_counts == {}


def test_a_waiting_retry_holds_up_nobody(executor):
    with workflow("w") as wf:

        @task(retry_policy=RetryPolicy(max_retries=1, initial_interval=0.3), inject_context=True)
        def work(ctx, x):
            order = ctx.get_channel().atomic_add("order")
            if x == 0 and ctx.retry_count == 0:
                raise ValueError
            return order

        work.map(range(50))
        result, _ = run(wf, executor)
    assert max(result) == result[0] == 51


def test_exhausted_retries(executor):
    with workflow("w") as wf:

        @task(max_retries=1)
        def work(x):
            raise ValueError(x)

        work.map([7])
        with pytest.raises(ParallelGroupError) as info:
            run(wf, executor)
    assert isinstance(info.value.__cause__, RetryLimitExceededError)
    assert info.value.__cause__.task_id == "work_map[0]"


def test_terminate_ends_at_its_item(executor, capsys):
    with workflow("w") as wf:

        @task(inject_context=True)
        def work(ctx, x):
            print(x)
            if x == 20:
                ctx.terminate_workflow("enough")
            return x

        @task
        def after(values):
            raise AssertionError

        work.map(itertools.count()) >> after
        result, context = run(wf, executor)
    assert result == list(range(21))
    assert context.stop_reason == "terminated"
    assert capsys.readouterr().out.split() == [str(i) for i in range(21)]


def test_cancel(executor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def work(ctx, x):
            if x == 20:
                ctx.cancel_workflow("no more")

        work.map(itertools.count())
        with pytest.raises(GraflowWorkflowCanceledError, match="^no more$"):
            run(wf, executor)


def test_next_task_from_items(executor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def work(ctx, x):
            @task
            def extra():
                return x

            if x in (5, 3):
                ctx.next_task(extra(task_id=f"extra{x}"))
            return x

        @task
        def after(values):
            return len(values)

        work.map(range(6)) >> after
        _, context = run(wf, executor)
    assert context.completed_tasks == ["work_map", "extra3", "extra5", "after"]


def test_next_iteration_from_an_item_is_refused(executor):
    with workflow("w") as wf:

        @task(inject_context=True)
        def work(ctx, x):
            ctx.next_iteration()

        work.map([1])
        with pytest.raises(ParallelGroupError, match=r"Item 'work_map\[0\]' called next_iteration"):
            run(wf, executor)


def test_a_map_enqueued_by_a_task(executor):
    with workflow("w") as wf:
        work = task("work")(double)

        @task(inject_context=True)
        def start(ctx):
            ctx.next_task(work.map([1, 2]))
            ctx.next_task(work.map([3, 4]))

        start >> task("end")(lambda: None)
        _, context = run(wf, executor)
    assert context.completed_tasks == ["start", "start.work_map", "start.work_map_2", "end"]
    assert context.get_result("start.work_map_2") == [6, 8]


def test_maps_as_members(executor, capsys):
    with workflow("w") as wf:

        @task
        def work(x):
            print(x)
            return x

        @task
        def member():
            print("member")

        @task
        def end():
            return None

        (work.map([1, 2]) | member | work.map([3, 4])) >> end
        _, context = run(wf, executor)
    assert context.get_result("work_map_2") == [3, 4]
    assert capsys.readouterr().out.split() == ["1", "2", "member", "3", "4"]


def test_unordered_has_every_result_once(executor):
    with workflow("w") as wf:
        task("work")(double).map(range(1000), ordered=False)
        assert sorted(run(wf, executor)[0]) == [2 * i for i in range(1000)]


def test_an_iterator_that_raises_fails_the_map(executor):
    def items():
        yield 1
        raise OSError("disk")

    with workflow("w") as wf:
        task("work")(double).map(items())
        with pytest.raises(GraflowRuntimeError) as info:
            run(wf, executor)
    assert isinstance(info.value.__cause__, OSError)


def test_a_used_up_iterator_is_an_error():
    with workflow("w") as wf:
        task("work")(double).map(iter([1, 2]))
        assert wf.execute() == [2, 4]
        with pytest.raises(GraflowRuntimeError, match="used up"):
            wf.execute()


def test_no_items_at_all_is_an_error():
    with workflow("w") as wf:
        task("work")(double).map()
        with pytest.raises(GraflowRuntimeError, match="'work_map' has no items"):
            wf.execute()


def test_tracers_hear_of_every_item(executor):
    from graflow_fast.trace.base import Tracer

    class Spans(Tracer):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_task_start(self, task, context):
            self.seen.append(task.task_id)

        def on_task_end(self, task, context, result=None, error=None):
            self.seen.append(f"/{task.task_id}{'!' if error else ''}")

        def clone(self, trace_id):
            return self

        def _nothing(self, *args):
            pass

        _output_trace_start = _output_trace_end = _output_span_start = _output_span_end = _nothing
        _output_event = _output_attach_to_trace = _nothing

    tracer = Spans()
    with workflow("w", tracer=tracer) as wf:

        @task
        def work(x):
            return 1 // x

        work.map([1, 0]).with_execution(policy="best_effort")
        run(wf, executor)
    assert tracer.seen == ["work_map", "work_map[0]", "/work_map[0]", "work_map[1]", "/work_map[1]!", "/work_map"]


@pytest.mark.parametrize("where", ["item", "result"])
def test_the_unpicklable_fails_one_item(where):
    def items():
        return [1, (i for i in ()), 3] if where == "item" else [1, 2, 3]

    with workflow("w") as wf:

        @task
        def work(x):
            return (i for i in ()) if x == 2 else 0

        work.map(items()).with_execution(policy="best_effort")
        result, _ = run(wf, "process")
    assert isinstance(result.pop(1), TaskSerializationError)
    assert result == [0, 0]
