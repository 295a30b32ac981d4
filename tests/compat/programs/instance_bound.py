"""t(task_id=..., **bound) makes instances with parameters of their own."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def start():
        return "started"

    @task
    def load(path, limit=10):
        return f"{path}:{limit}"

    one = load(task_id="one", path="a.csv")
    two = load(task_id="two", path="b.csv", limit=5)
    start >> one >> two
    result, ctx = wf.execute(start_node="start", ret_context=True)
    print(one.task_id, two.task_id, repr(one))
    print(result, ctx.get_result("one"), ctx.completed_tasks)
