"""`explain` says in one sentence what became of a task: while the workflow runs, and after it has ended in any way."""

import contextlib
import re
import warnings

import pytest

from graflow_fast.core.composition import parallel
from graflow_fast.core.context import ExecutionContext
from graflow_fast.core.decorators import task
from graflow_fast.core.engine import WorkflowEngine
from graflow_fast.core.graph import TaskGraph
from graflow_fast.core.workflow import workflow
from graflow_fast.exceptions import GraflowRuntimeError
from graflow_fast.trace import NoopTracer

pytestmark = pytest.mark.parametrize("executor", ["inline", "thread", "process"])


def nothing():
    """A body."""


def ended(wf, executor, start=None, **options):
    """Run a workflow to its end, however it ends, and return its context."""
    context = wf._prepare(start, options.pop("max_steps", None), None, wf.settings.merged({"executor": executor}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(GraflowRuntimeError):
            WorkflowEngine().execute(context)
    return context


def test_completed(executor):
    """A start, a successor, a join, a group and its member."""
    with workflow("w") as wf:
        a, b, c, d, e, f = (task(name)(nothing) for name in "abcdef")
        a >> b
        a >> c
        b >> d
        c >> d
        d >> (e | f).set_group_name("pair")
        context = ended(wf, executor)
    assert context.explain("a") == "Task 'a' ran because the workflow starts there."
    assert context.explain("b") == "Task 'b' ran because 'a' completed."
    assert context.explain("d") == (
        "Task 'd' ran because all of its predecessors that could run had completed: 'b', 'c'."
    )
    assert context.explain("pair") == "Group 'pair' ran because 'd' completed."
    assert context.explain("f") == "Task 'f' ran because it is a member of group 'pair'."


def test_failed(executor):
    """The task that failed says with what; what comes after it did not run."""
    with workflow("w") as wf:

        @task
        def a():
            raise ValueError("no such file")

        b = task("b")(nothing)
        c = task("c")(nothing)
        a >> b >> c
        context = ended(wf, executor)
    assert context.explain("a") == (
        "Task 'a' ran because the workflow starts there, and failed with ValueError: no such file."
    )
    assert context.explain("b") == "Task 'b' did not run because 'a' failed."
    assert context.explain("c") == "Task 'c' did not run: the workflow failed before 'b' had completed."


def test_retried(executor):
    """A retry is told, whether it helped or not."""
    with workflow("w") as wf:

        @task(inject_context=True, max_retries=1)
        def a(ctx):
            if ctx.retry_count == 0:
                raise ValueError("first")

        @task(max_retries=1)
        def b():
            raise ValueError("always")

        a >> b
        context = ended(wf, executor)
    assert context.explain("a") == "Task 'a' ran again because an attempt of it had failed."
    assert context.explain("b") == (
        "Task 'b' ran again because an attempt of it had failed, and failed with ValueError: always."
    )


def test_cancelled_and_terminated(executor):
    """Who ended the workflow says so; what waited says what it waited for."""
    for call, said in (("cancel", "cancelled"), ("terminate", "terminated")):
        with workflow(call) as wf:

            @task(inject_context=True)
            def a(ctx, call=call):
                getattr(ctx, f"{call}_workflow")("bad data")

            b = task("b")(nothing)
            a >> b
            context = ended(wf, executor)
        assert context.explain("a") == (
            f"Task 'a' ran because the workflow starts there, and {said} the workflow: bad data."
        )
        assert context.explain("b") == f"Task 'b' did not run because 'a' {said} the workflow."


def test_max_steps(executor):
    """What was next, and what comes after that."""
    with workflow("w") as wf:
        a, b, c, d = (task(name)(nothing) for name in "abcd")
        a >> b >> d
        a >> c
        context = ended(wf, executor, max_steps=2)
    assert context.explain("b") == "Task 'b' ran because 'a' completed."
    assert (
        context.explain("c")
        == "Task 'c' was to run because 'a' completed, but the workflow stopped at max_steps first."
    )
    with workflow("w") as wf:
        a, b, c = (task(name)(nothing) for name in "abc")
        a >> b >> c
        context = ended(wf, executor, max_steps=1)
    assert context.explain("c") == "Task 'c' did not run: the workflow stopped at max_steps before 'b' had completed."


def test_skipped_and_jumped(executor):
    """A jump: its target, what it skipped, and what that skipped in turn."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def a(ctx):
            ctx.next_task(ctx.graph.get_node("rescue"), goto=True)

        b, c, _ = (task(name)(nothing) for name in ("b", "c", "rescue"))
        a >> b >> c
        context = ended(wf, executor, "a")
    assert context.explain("rescue") == "Task 'rescue' ran because 'a' jumped to it with next_task(goto=True)."
    assert context.explain("b") == "Task 'b' was skipped because 'a' jumped elsewhere."
    assert context.explain("c") == "Task 'c' was skipped because all of its predecessors were skipped: 'b'."


def test_enqueued_and_iterated(executor):
    """What next_task and next_iteration asked for, by the iteration's own id as well."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def a(ctx):
            ctx.next_task(ctx.graph.get_node("extra"))

        @task(inject_context=True)
        def extra(ctx):
            if ctx.cycle_count < 2:
                ctx.next_iteration()

        context = ended(wf, executor, "a")
    again = "ran again because it had asked for another iteration with next_iteration()."
    assert context.explain("extra") == f"Task 'extra' {again}"
    (iteration,) = (name for name in context.completed_tasks if "_cycle_" in name)
    assert context.explain(iteration) == f"Task '{iteration}' {again}"
    with workflow("w") as wf:
        task("a", inject_context=True)(lambda ctx: ctx.next_task(ctx.graph.get_node("b")) and None)
        task("b")(nothing)
        context = ended(wf, executor, "a")
    assert context.explain("b") == "Task 'b' ran because 'a' asked for it with next_task()."


def test_never_reached(executor):
    """Nothing leads there, or only a group that did not run."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def a(ctx):
            ctx.next_task(ctx.graph.get_node("end"), goto=True)

        b, c, _, _ = (task(name)(nothing) for name in ("b", "c", "end", "lone"))
        a >> (b | c).set_group_name("pair")
        context = ended(wf, executor, "a")
    assert context.explain("lone") == "Task 'lone' did not run: nothing that ran leads to it."
    assert context.explain("pair") == "Group 'pair' was skipped because 'a' jumped elsewhere."
    assert context.explain("c") == (
        "Task 'c' did not run: it is a member of group 'pair', which was skipped because 'a' jumped elsewhere."
    )


def test_unknown(executor):
    """A name that is none gets a hint; a context that has not run says so."""
    with workflow("w") as wf:
        task("publish")(nothing)
        context = ended(wf, executor)
    assert context.explain("pubish") == "There is no task 'pubish' in this workflow. Did you mean 'publish'?"
    assert context.explain("zzz") == "There is no task 'zzz' in this workflow."
    fresh = ExecutionContext.create(TaskGraph(), "a")
    assert fresh.explain("a") == "Nothing is known of task 'a': this context has not been executed in this process."


def test_members_of_a_failed_group(executor):
    """A member that failed, one that did not, and the group."""
    with workflow("w") as wf:
        a = task("a")(nothing)

        @task
        def b():
            raise KeyError("k")

        (a | b).set_group_name("pair") >> task("c")(nothing)
        context = ended(wf, executor, "pair")
    assert context.explain("a") == "Task 'a' ran because it is a member of group 'pair'."
    assert context.explain("b") == "Task 'b' ran because it is a member of group 'pair', and failed with KeyError: 'k'."
    assert re.fullmatch(
        r"Group 'pair' ran because the workflow starts there, and failed with ParallelGroupError: .*1 task.*failed\.",
        context.explain("pair"),
    )
    assert context.explain("c") == "Task 'c' did not run because 'pair' failed."


def test_members_behind_a_stop(executor):
    """Whether a member behind one that ends the workflow had begun is a matter of timing, and does not show."""
    for call, said in (("cancel", "cancelled"), ("terminate", "terminated")):
        with workflow("w") as wf:

            @task(inject_context=True)
            def a(ctx, call=call):
                getattr(ctx, f"{call}_workflow")("enough")

            (a | (task("b")(nothing) >> task("c")(nothing))).set_group_name("pair")
            context = ended(wf, executor, "pair")
        assert (
            context.explain("a")
            == f"Task 'a' ran because it is a member of group 'pair', and {said} the workflow: enough."
        )
        for name in "bc":
            assert context.explain(name) == (
                f"Task '{name}' was given up: 'a', which comes before it in group 'pair', {said} the workflow."
            )


def test_behind_a_member_that_failed_or_jumped(executor):
    """What would have followed says why it did not; a definition of others says that it is one."""
    with workflow("w") as wf:

        @task
        def a():
            raise KeyError("k")

        (a >> task("b")(nothing)) | task("c")(nothing)
        definition = task("definition")(nothing)
        definition(task_id="made") >> task("x")(nothing)
        context = ended(wf, executor, "ParallelGroup_1")
    assert context.explain("b") == "Task 'b' did not run because 'a' failed."
    assert (
        context.explain("definition") == "Task 'definition' did not run: it is the definition that others were made of."
    )
    assert context.explain("made") == "Task 'made' did not run: nothing that ran leads to it."
    with workflow("w") as wf:

        @task(inject_context=True)
        def jumps(ctx):
            ctx.next_task(ctx.graph.get_node("rescue"), goto=True)

        (jumps | task("c")(nothing)).set_group_name("pair") >> task("e")(nothing)
        task("rescue")(nothing)
        context = ended(wf, executor, "pair")
    assert context.explain("e") == "Task 'e' was skipped because a member of group 'pair' jumped elsewhere."


def test_during_the_run(executor):
    """A body asks about itself, what was before it, what waits, what has its turn, and what nothing leads to."""
    with workflow("w") as wf:
        first, waiting, last = (task(name)(nothing) for name in ("first", "waiting", "last"))
        task("lone")(nothing)

        @task(inject_context=True)
        def asks(ctx):
            return [ctx.explain(name) for name in ("first", "asks", "waiting", "last", "lone", "frist")]

        first >> asks >> last
        first >> waiting >> last
        result = ended(wf, executor, "first").get_result("asks")
    assert result == [
        "Task 'first' ran because the workflow starts there.",
        "Task 'asks' is running because 'first' completed.",
        "Task 'waiting' waits for its turn to run because 'first' completed.",
        "Task 'last' waits for 'waiting', 'asks'.",
        "Task 'lone' has not run: nothing that has run so far leads to it.",
        "There is no task 'frist' in this workflow. Did you mean 'first'?",
    ]


def test_during_a_group(executor):
    """A member asks about itself, its group, and what comes after it in its branch and after the group."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def asks(ctx):
            return [ctx.explain(name) for name in ("asks", "pair", "next", "after")]

        other, following, after = (task(name)(nothing) for name in ("other", "next", "after"))
        asks >> following
        (asks | other).set_group_name("pair") >> after
        result = ended(wf, executor, "pair").get_result("asks")
    assert result == [
        "Task 'asks' is running because it is a member of group 'pair'.",
        "Group 'pair' is running because the workflow starts there.",
        "Task 'next' waits for 'asks'.",
        "Task 'after' waits for 'pair'.",
    ]


def test_failed_and_ran_well_the_next_time(executor):
    """A member whose failure its group tolerated runs again, by name or by another group: the last time counts."""
    for how in ("next_task", "goto", "nested", "twice", "traced"):
        tracer = Listening() if how == "traced" else None
        with workflow(how, tracer=tracer) as wf:

            @task(inject_context=True)
            def m(ctx):
                if ctx.get_channel().get("go", 0) < 1:
                    raise ValueError("boom")
                return "fine"

            @task(inject_context=True)
            def again(ctx):
                ctx.get_channel().set("go", 1)
                ctx.next_task(m, goto=how == "goto")

            n, side = task("n")(nothing), task("side")(nothing)
            tolerant = parallel(m, n).with_execution(policy="best_effort")
            if how == "nested":
                start = parallel(tolerant >> again, side).task_id
            else:
                start = tolerant.task_id
                tolerant >> again
            if how == "twice":
                again >> task("more", inject_context=True)(lambda ctx: ctx.next_task(m))
        context = ended(wf, executor, start)
        assert context.stop_reason == "completed"
        reason = {"goto": "'again' jumped to it with next_task(goto=True)"}.get(
            how, f"'{'more' if how == 'twice' else 'again'}' asked for it with next_task()"
        )
        assert context.explain("m") == f"Task 'm' ran because {reason}."


def test_ran_well_and_failed_the_next_time(executor):
    """The failure is the last that is known of it."""
    with workflow("w") as wf:

        @task(inject_context=True)
        def m(ctx):
            if ctx.get_channel().get("go", 0):
                raise ValueError("boom")

        @task(inject_context=True)
        def again(ctx):
            ctx.get_channel().set("go", 1)

        m >> again >> parallel(m, task("n")(nothing)).with_execution(policy="best_effort")
        context = ended(wf, executor, "m")
    assert context.explain("m").endswith("and failed with ValueError: boom.")


class Listening(NoopTracer):
    """A tracer that wants to hear of each task."""

    def on_task_queued(self, task, context):
        pass
