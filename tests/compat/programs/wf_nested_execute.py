"""A task may build and execute a workflow of its own."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("outer") as outer:

    @task
    def run_inner():
        with workflow("inner") as inner:

            @task
            def x():
                return 20

            @task
            def y(x):
                return x + 1

            x >> y
            return inner.execute()

    @task
    def double(run_inner):
        return run_inner * 2

    run_inner >> double
    print(outer.execute(), list(outer.graph.nodes))
