"""Bodies in workers that were given up, but ended by themselves before they were killed."""

import os
import time
from pathlib import Path

from graflow_fast import parallel, task, workflow
from graflow_fast._places.process import losses


def wait_until(condition):
    """In a worker: bounded, since a body that waits for ever would hide what went wrong."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)  # lint: ignore - between two looks


def test_what_c_code_wrote_in_a_body_that_was_given_up_is_not_shown(tmp_path, capfd, monkeypatch):
    """Nor is it taken for what the worker's next task wrote."""
    monkeypatch.setattr(losses, "_PATIENCE", 60.0)
    folder = str(tmp_path)

    @task(inject_context=True)
    def first(ctx):
        wait_until(lambda: "terminated" in ctx.explain("stops"))  # the stop has been heard ...
        ctx.explain("stops")  # ... and carried out, when this is answered
        Path(folder, "stopped").touch()

    @task(inject_context=True)
    def stops(ctx):
        wait_until(Path(folder, "late began").exists)
        ctx.terminate_workflow("enough")

    @task
    def late():
        Path(folder, "late began").touch()
        wait_until(Path(folder, "stopped").exists)
        os.write(1, b"late\n")

    @task
    def says(number):
        """One on each worker."""
        Path(folder, str(number)).touch()
        wait_until(lambda: all(Path(folder, str(other)).exists() for other in range(3)))
        os.write(1, b"said\n")

    with workflow("given up") as wf:
        following = parallel(*(says(task_id=f"s{number}", number=number) for number in range(3)))
        parallel(first, stops, late).set_group_name("members")
        first >> following
    wf.execute(executor="process", max_workers=3, start_node="members")
    assert capfd.readouterr().out == "said\n" * 3
