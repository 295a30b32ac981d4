"""A task that was taken back when its run was stopped does not come to life in the next run on the same workers."""

import os
import time

import pytest

from graflow_fast import parallel, task, workflow
from graflow_fast.exceptions import GraflowWorkflowCanceledError


def stopped_run():
    with workflow("w") as wf:

        @task(inject_context=True)
        def stop(ctx):
            ctx.terminate_workflow("enough")

        @task
        def old(i):
            return "old"

        parallel(stop, *[old(task_id=f"o{i}", i=i) for i in range(300)])
        wf.execute(executor="process", max_workers=2)


def test_results_are_those_of_this_run():
    for _ in range(100):
        stopped_run()
        with workflow("w2") as wf:

            @task
            def new(i):
                return i

            parallel(*[new(task_id=f"n{i}", i=i) for i in range(300)])
            _, context = wf.execute(executor="process", max_workers=2, ret_context=True)
        assert [context.get_result(f"n{i}") for i in range(300)] == list(range(300))


def cancelled_run(sign):
    with workflow("cancelled") as wf:

        @task(inject_context=True)
        def stop(ctx):
            while not sign.exists():
                time.sleep(0.001)
            ctx.cancel_workflow("enough")

        @task
        def old(i):
            os.write(1, b"old\n")
            sign.touch()
            time.sleep(0.001)  # so that both end at about the same time

        parallel(stop, *[old(task_id=f"o{i}", i=i) for i in range(3)])
        with pytest.raises(GraflowWorkflowCanceledError):
            wf.execute(executor="process", max_workers=2)


@pytest.mark.parametrize("output", ["live", "ordered"])
def test_what_abandoned_tasks_wrote_is_not_shown_by_the_next_run(tmp_path, capfd, output):
    for n in range(30):
        cancelled_run(tmp_path / f"{n}")
        capfd.readouterr()
        with workflow("next") as wf:

            @task
            def new(i):
                os.write(1, b"new\n")
                time.sleep(0.06)  # a look at what is written, when it is shown at once

            parallel(*[new(task_id=f"n{i}", i=i) for i in range(2)])
            wf.execute(executor="process", max_workers=2, output=output)
        assert capfd.readouterr().out == "new\nnew\n"


def tickets_of_a_chain(length):
    from graflow_fast._core import Scheduler

    scheduler = Scheduler()
    scheduler.add_nodes(length)
    for node in range(length - 1):
        scheduler.add_edge(node, node + 1)
    scheduler.start([0], 0.0)
    tickets = []
    for _ in range(length):
        tickets.append(scheduler.next(0.0)[1])
        scheduler.complete(tickets[-1], None, 0.0)
    return tickets


def test_no_two_schedulers_share_a_ticket():
    """However many there are, and however long a run is."""
    lengths = [10_000, *[1] * 1100, 10_000, 10_000]
    tickets = [ticket for length in lengths for ticket in tickets_of_a_chain(length)]
    assert len(set(tickets)) == sum(lengths)
    assert min(tickets) > 0
    assert max(tickets) < 1 << 61


def test_of_workers_that_are_gone_nothing_is_skipped():
    """A pool whose template was killed has closed what they wrote to when its run ends."""
    from graflow_fast._pool.output import Stream

    stream = Stream("gone")
    stream.close()
    stream.skip()
