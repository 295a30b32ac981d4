"""A task that was taken back when its run was stopped does not come to life in the next run on the same workers."""

from graflow_fast import parallel, task, workflow


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


def test_two_schedulers_share_no_ticket():
    from graflow_fast._core import Scheduler

    tickets = []
    for _ in range(2):
        scheduler = Scheduler()
        scheduler.start([scheduler.add_node()], 0.0)
        tickets.append(scheduler.next(0.0)[1])
    assert tickets[0] != tickets[1]
