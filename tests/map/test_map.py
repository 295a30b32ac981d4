"""`task.map`: results, order and effects are the same wherever the items run."""

import itertools

import pytest
from mapped import double, run

from graflow_fast import task, workflow
from graflow_fast.exceptions import GraflowRuntimeError, GraflowWorkflowCanceledError, ParallelGroupError


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
