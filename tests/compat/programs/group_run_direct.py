"""A group's run() with a context of its own runs the members and stores their results."""

from graflow.core.context import ExecutionContext
from graflow.core.decorators import task
from graflow.core.workflow import workflow
from graflow.exceptions import ParallelGroupError

with workflow("w") as wf:

    @task
    def a():
        return 1

    @task
    def b():
        return 2

    @task
    def bad():
        raise ValueError("no")

    c = a(task_id="c")
    good = a | b
    context = ExecutionContext.create(wf.graph, good.task_id)
    good.set_execution_context(context)
    print(good.run(), context.get_result("a"), context.get_result("b"))

    worse = c | bad
    worse.set_execution_context(context)
    try:
        worse.run()
    except ParallelGroupError as error:
        print(error, error.successful_tasks)
    print(context.get_result("c"))
