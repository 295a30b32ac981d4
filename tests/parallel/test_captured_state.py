"""What a body in the calling process changes is what a later body in the pool captures, each time anew."""

import pytest

from graflow_fast import task, workflow

SEEN: list[int] = []


@pytest.mark.parametrize("handler", ["direct", "thread"])
def test_each_step_in_the_pool_captures_what_the_steps_before_it_left(handler):
    SEEN.clear()
    captured = []
    with workflow("captured") as wf:

        @task(handler=handler)
        def add():
            SEEN.append(1)
            captured.append(1)

        @task(handler="process")
        def see():
            return len(SEEN), len(captured)

        steps = [
            step
            for n in range(4)
            for step in (add(task_id=f"add{n}"), see(task_id=f"see{n}"), see(task_id=f"again{n}"))
        ]
        chained = steps[0]
        for step in steps[1:]:
            chained = chained >> step
        _, context = wf.execute(ret_context=True, max_workers=1)
    for name in ("see", "again"):
        assert [context.get_result(f"{name}{n}") for n in range(4)] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_items_of_a_map_in_the_calling_process_count_too():
    SEEN.clear()
    with workflow("captured") as wf:

        @task(handler="direct")
        def add(item):
            SEEN.append(item)

        @task(handler="process")
        def see():
            return len(SEEN)

        see(task_id="first") >> add.map([1, 2, 3]) >> see(task_id="last")
        _, context = wf.execute(ret_context=True, max_workers=1)
    assert (context.get_result("first"), context.get_result("last")) == (0, 3)
