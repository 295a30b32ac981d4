"""max_retries: the task runs again until it succeeds; retry_count counts, cycle_count does not."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task(inject_context=True, max_retries=3)
    def a(ctx):
        print("try", ctx.retry_count, ctx.max_retries, ctx.cycle_count)
        if ctx.retry_count < 2:
            raise ValueError(f"try {ctx.retry_count}")
        return "ok"

    b = task("b")(lambda a: a.upper())
    a >> b
    result, ctx = wf.execute(ret_context=True)
    print(result, ctx.completed_tasks, ctx.steps, ctx.retry_controller.retry_counts, ctx.get_result("a"))
    print(
        ctx.retry_controller.get_retry_count("a"),
        ctx.retry_controller.get_last_error("a"),
        ctx.cycle_controller.cycle_counts,
    )
