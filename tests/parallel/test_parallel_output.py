"""What concurrent tasks of `schedule="parallel"` print: each one's output is shown whole."""

import time

import pytest

from graflow_fast import task, workflow


@pytest.mark.parametrize("executor", ["thread", "auto"])
def test_output_is_released_whole(executor, capsys):
    with workflow("w") as wf:

        @task
        def say(name):
            for _ in range(20):
                print(name)
                time.sleep(0.001)

        for name in "abcd":
            say(task_id=name, name=name) >> task(f"after{name}")(lambda: None)
        wf.execute(schedule="parallel", executor=executor, max_workers=4)
    lines = capsys.readouterr().out.split()
    assert len(lines) == 80
    assert all(len(set(lines[start : start + 20])) == 1 for start in range(0, 80, 20))


@pytest.mark.parametrize("executor", ["thread", "auto"])
def test_output_of_maps_is_released_whole(executor, capsys):
    with workflow("w") as wf:

        @task
        def say(item):
            print(item)
            time.sleep(0.001)

        for name in "ab":
            say.map([name] * 20, chunk=1) >> task(f"after{name}")(lambda value: None)
        wf.execute(schedule="parallel", executor=executor, max_workers=2)
    lines = capsys.readouterr().out.split()
    assert len(lines) == 40
    assert len(set(lines[:20])) == len(set(lines[20:])) == 1
