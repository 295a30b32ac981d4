"""What a run that is resumed from a checkpoint does: all that was under way or waiting, nothing that counted twice."""

import pytest

from graflow_fast import chain, parallel, task, workflow
from graflow_fast.core.checkpoint import CheckpointManager
from graflow_fast.trace import NoopTracer

EXECUTORS = pytest.mark.parametrize("executor", ["auto", "inline", "thread", "process"])

#: Seconds until a test gives up waiting for something that takes a moment.
LONG = 60


def resumed(path, executor=None, schedule=None):
    """Run a checkpoint to its end; return the context."""
    context, _ = CheckpointManager.resume_from_checkpoint(str(path))
    given = {"executor": executor, "schedule": schedule}
    context.settings = context.settings.merged({name: value for name, value in given.items() if value is not None})
    context.execute()
    assert context.stop_reason == "completed"
    return context


def note(ctx, name):
    """Write in the channel that something was done."""
    ctx.get_channel().append("done", name)


def once(ctx, path):
    """Write a checkpoint now, if this body has not done so before."""
    if not ctx.get_channel().exists("asked"):
        ctx.get_channel().set("asked", True)
        ctx.checkpoint(path=str(path), deferred=False)


@EXECUTORS
@pytest.mark.parametrize("place", [0, 1, 2])
def test_asked_for_by_a_member(executor, place, tmp_path):
    """The group goes on as a whole, and so does all that follows; each effect counts once."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def start(ctx):
            note(ctx, "start")
            return 7

        def member(number):
            @task(f"m{number}", inject_context=True)
            def body(ctx):
                note(ctx, f"m{number} begins")
                if number == place:
                    once(ctx, path)
                note(ctx, f"m{number}")
                return number

            return body

        @task(inject_context=True)
        def last(ctx):
            note(ctx, "last")
            return [ctx.get_result(f"m{number}") for number in range(3)]

        start >> parallel(*map(member, range(3))).set_group_name("g") >> last
        first, context = wf.execute("start", executor=executor, ret_context=True)
    again = resumed(path, executor)
    assert again.get_result("last") == first == [0, 1, 2]
    assert again.completed_tasks == context.completed_tasks == ["start", "g", "last"]
    # What the member had written before is there, so it begins a second time after it.
    expected = context.get_channel().get("done")
    second = list(expected)
    second.insert(second.index(f"m{place} begins"), f"m{place} begins")
    assert again.get_channel().get("done") == second


@EXECUTORS
def test_asked_for_in_the_middle_of_a_branch(executor, tmp_path):
    """By what a member is followed by, an iteration, a task it enqueued: the branch begins again, and counts once."""
    for kind in ("follower", "iteration", "enqueued", "nested"):
        path = tmp_path / kind
        with workflow(kind) as wf:

            @task(inject_context=True)
            def asks(ctx):
                note(ctx, "asks")
                once(ctx, path)

            @task(inject_context=True)
            def member(ctx, data=None):
                note(ctx, f"member {data}")
                if kind == "enqueued":
                    ctx.next_task(asks)
                if kind == "iteration":
                    if data == 1:
                        once(ctx, path)
                    if data != 2:
                        ctx.next_iteration((data or 0) + 1)

            other = task("other", inject_context=True)(lambda ctx: note(ctx, "other"))
            last = task("last", inject_context=True)(lambda ctx: note(ctx, "last"))
            if kind == "follower":
                group = parallel(other, chain(member, asks))
            elif kind == "nested":
                group = parallel(
                    other, chain(member, parallel(asks, task("beside")(lambda: None)).set_group_name("inner"))
                )
            else:
                group = parallel(other, member)
            group.set_group_name("g") >> last
            _, context = wf.execute("g", executor=executor, ret_context=True)
        again = resumed(path, executor)
        assert again.completed_tasks == context.completed_tasks == ["g", "last"]
        expected = context.get_channel().get("done")
        if kind == "nested":
            assert [name for name in again.get_channel().get("done") if name != "asks"] == [
                name for name in expected if name != "asks"
            ]
        else:
            assert again.get_channel().get("done") == expected


@EXECUTORS
def test_asked_for_by_a_member_of_a_group_within_a_group(executor, tmp_path):
    """All groups around begin again."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def asks(ctx):
            once(ctx, path)
            note(ctx, "asks")

        def said(name):
            return task(name, inject_context=True)(lambda ctx, name=name: note(ctx, name))

        inner = parallel(said("a"), asks, said("b")).set_group_name("inner")
        parallel(said("x"), inner, said("y")).set_group_name("outer") >> said("last")
        _, context = wf.execute("outer", executor=executor, ret_context=True)
    again = resumed(path, executor)
    assert again.completed_tasks == ["outer", "last"]
    assert again.get_channel().get("done") == context.get_channel().get("done") == ["x", "a", "asks", "b", "y", "last"]


def test_which_members_run_again(tmp_path, capsys):
    """The one that completed is not run again; the one that asked, and the one behind it, are."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def asks(ctx):
            print("asks")
            once(ctx, path)

        parallel(
            task("a")(lambda: print("a")),
            task("b")(lambda: print("b")) >> task("after_b")(lambda: print("after_b")),
            asks,
            task("d")(lambda: print("d")),
        ).set_group_name("g") >> task("last")(lambda: print("last"))
        wf.execute("g", executor="inline")
    assert capsys.readouterr().out.split() == ["a", "b", "after_b", "asks", "d", "last"]
    resumed(path, "inline")
    assert capsys.readouterr().out.split() == ["b", "after_b", "asks", "d", "last"]


@EXECUTORS
def test_asked_for_by_an_item_of_a_map(executor, tmp_path):
    """The map begins again, with all that follows."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def work(ctx, item):
            if item == 2:
                ctx.checkpoint(path=str(path), deferred=False)
            return item * 10

        start = task("start")(lambda: None)
        chain(start, work.map(range(4), task_id="m"), task("last")(lambda m: sum(m)))
        assert wf.execute("start", executor=executor) == 60
    again = resumed(path, executor)
    assert (again.get_result("last"), again.completed_tasks) == (60, ["start", "m", "last"])


@EXECUTORS
@pytest.mark.parametrize("when", ["deferred", "now"])
def test_other_tasks_are_under_way(executor, when, tmp_path):
    """In a parallel schedule: those that run at that moment are not forgotten, groups and maps among them."""
    path = tmp_path / "point"
    gate = tmp_path / "gate"
    with workflow("w") as wf:

        def wait():
            import time

            deadline = time.monotonic() + 60
            while not gate.exists() and time.monotonic() < deadline:
                time.sleep(0.005)

        @task(inject_context=True)
        def slow(ctx):
            note(ctx, "slow")
            wait()

        @task(inject_context=True)
        def member(ctx):
            wait()
            note(ctx, "member")

        @task(inject_context=True)
        def asks(ctx):
            note(ctx, "asks")
            if when == "now":
                once(ctx, path)
                gate.touch()
            else:
                ctx.checkpoint(path=str(path))

        @task(inject_context=True)
        def opens(ctx):
            note(ctx, "opens")
            gate.touch()

        @task(inject_context=True)
        def last(ctx):
            note(ctx, "last")

        start = task("start")(lambda: None)
        group = parallel(member, task("n")(lambda: None)).set_group_name("g")
        start >> slow >> last
        start >> group >> last
        start >> task("item")(lambda item: wait()).map([1], task_id="m") >> last
        start >> asks >> opens >> last
        options = {"schedule": "parallel", "executor": executor, "max_workers": 5}
        if executor == "inline":  # where nothing runs beside anything
            gate.touch()
        _, context = wf.execute("start", ret_context=True, **options)
    again = resumed(path, executor, "parallel")
    assert sorted(again.completed_tasks) == sorted(context.completed_tasks)
    assert len(again.completed_tasks) == len(set(again.completed_tasks)) == 7
    expected = sorted(context.get_channel().get("done"))
    if when == "now":  # what the task had written when it asked is there
        expected = sorted([*expected, "asks"])
    assert sorted(again.get_channel().get("done")) == expected


@EXECUTORS
def test_the_value_of_the_task_before_is_there_again(executor, tmp_path):
    """A task that asks and takes what the task before returned is given it in the resumed run, too."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def asks(ctx, value):
            once(ctx, path)
            return value + 1

        chain(task("a")(lambda: 41), asks, task("c")(lambda given: given * 2))
        assert wf.execute("a", executor=executor) == 84
    assert resumed(path, executor).get_result("c") == 84


@EXECUTORS
def test_made_by_hand_in_a_body(executor, tmp_path):
    """`CheckpointManager` itself, in a body that runs in the calling process: the body is not forgotten."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True, handler="direct")
        def by_hand(ctx):
            if not ctx.get_channel().exists("asked"):
                ctx.get_channel().set("asked", True)
                CheckpointManager.create_checkpoint(ctx.execution_context, path=str(path))
            return 1

        chain(task("a")(lambda: 0), by_hand, task("c")(lambda: 2))
        wf.execute("a", executor=executor)
    assert resumed(path, executor).completed_tasks == ["a", "by_hand", "c"]


@EXECUTORS
def test_asked_for_by_an_iteration(executor, tmp_path):
    """The iteration that asked goes on, with its data."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def loop(ctx, data=0):
            note(ctx, data)
            if data == 2:
                once(ctx, path)
            if data < 4:
                ctx.next_iteration(data + 1)
            return data

        chain(task("a")(lambda: None), loop, task("last")(lambda loop: loop))
        assert wf.execute("a", executor=executor) == 4
    assert resumed(path, executor).get_channel().get("done") == [0, 1, 2, 2, 3, 4]


def test_a_group_that_is_tried_again_has_forgotten_what_was_kept(tmp_path):
    """What a checkpoint kept is for the first time; a second try of the group runs all members."""
    path = tmp_path / "point"
    with workflow("w") as wf:

        @task(inject_context=True)
        def asks(ctx):
            once(ctx, path)
            return 1

        @task(inject_context=True)
        def again(ctx):
            if ctx.get_channel().get("rounds", 0) < 2:
                ctx.get_channel().set("rounds", ctx.get_channel().get("rounds", 0) + 1)
                ctx.next_task(group, goto=True)

        a = task("a", inject_context=True)(lambda ctx: note(ctx, "a"))
        group = parallel(a, asks).set_group_name("g")
        group >> again >> task("last")(lambda: None)
        _, context = wf.execute("g", executor="inline", ret_context=True)
    assert context.get_channel().get("done") == resumed(path).get_channel().get("done") == ["a"] * 3


class Listening(NoopTracer):
    """A tracer that wants to hear of each task."""

    def on_task_queued(self, task, context):
        pass


@EXECUTORS
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("traced", [False, True], ids=["untraced", "traced"])
def test_deferred(executor, schedule, traced, tmp_path):
    """A task that asks for one after it has completed is not run again, nor is anything else."""
    path = tmp_path / "point"
    with workflow("w", tracer=Listening() if traced else None) as wf:

        @task(inject_context=True)
        def asks(ctx):
            note(ctx, "asks")
            ctx.checkpoint(path=str(path))

        before, after = (task(n, inject_context=True)(lambda ctx, n=n: note(ctx, n)) for n in ("before", "after"))
        chain(before, asks, after)
        wf.execute("before", executor=executor, schedule=schedule)
    assert resumed(path, executor, schedule).get_channel().get("done") == ["before", "asks", "after"]
