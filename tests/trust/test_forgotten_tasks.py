"""What a warm pool was told of tasks that are gone is forgotten, by the program and by its workers."""

import gc

import psutil

from graflow_fast import task, workflow

MEGABYTE = 1 << 20


def run_once(number):
    data = bytes([number % 256]) * (4 * MEGABYTE)

    def again(ctx):
        """Names itself, as a task that goes on does."""
        if len(data) and ctx.cycle_count < 2:
            ctx.next_task(ctx.graph.get_node("again"))
        return task is not None

    with workflow("forgotten") as wf:

        @task
        def first():
            return len(data)

        @task
        def other():
            return data[0]

        first >> (task(id="again", inject_context=True, max_cycles=5)(again) | other)
        wf.execute(executor="process", max_workers=1)
    del wf, first, other, again
    gc.collect()  # a workflow and its tasks name each other, so they are gone when they are collected


def resident():
    """Bytes of this process, and of the largest of its children, after a run that forgets what is gone."""
    gc.collect()
    with workflow("small") as wf:
        task(lambda: None)
        wf.execute(executor="process", max_workers=1)
    this = psutil.Process()
    return this.memory_info().rss, max(child.memory_info().rss for child in this.children(recursive=True))


def test_many_runs_with_tasks_of_their_own_leave_nothing_behind():
    for number in range(25):  # until the allocators have what they need
        run_once(number)
    before = resident()
    for number in range(40):
        run_once(number)
    after = resident()
    # 40 times three functions with four megabytes each would be 480.
    assert after[0] - before[0] < 100 * MEGABYTE
    assert after[1] - before[1] < 100 * MEGABYTE
