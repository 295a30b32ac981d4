"""ctx.execution_context is the run's context: its steps, completed tasks and current task so far.

executors: auto inline thread (a worker process has no run)
"""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:
    s = task("s")(lambda: None)

    @task(inject_context=True)
    def a(ctx):
        run = ctx.execution_context
        print(
            run.steps,
            run.completed_tasks,
            run.current_task_id,
            run.current_task_context is ctx,
            run.session_id == ctx.session_id,
        )
        print(run.get_result("s", 1), run.start_node, type(run).__name__)

    s >> a
    wf.execute()
