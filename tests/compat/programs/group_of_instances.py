"""Instances of one task side by side in a group."""

from graflow.core.decorators import task
from graflow.core.task import parallel
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True)
    def collect(ctx):
        return [ctx.get_result(f"square_{i}") for i in range(4)]

    @task
    def begin():
        pass

    @task
    def square(n):
        return n * n

    members = [square(task_id=f"square_{i}", n=i) for i in range(4)]
    begin >> parallel(*members).set_group_name("squares") >> collect
    print(wf.execute(start_node="begin"))
