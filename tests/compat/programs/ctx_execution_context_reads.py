"""What a body reads of its execution context is the same wherever it runs."""

from graflow.core.decorators import task
from graflow.core.workflow import workflow

with workflow("w") as wf:

    @task
    def first():
        return "first"

    @task(inject_context=True)
    def second(ctx):
        run = ctx.execution_context
        print(run.start_node, run.steps, run.completed_tasks, run.current_task_id, run.default_max_retries)
        print(run.config, run.goto_called, run.terminate_called, run.cancel_called, run.ctrl_message)
        print(run.checkpoint_requested, run.checkpoint_metadata, run.last_checkpoint_path, run.parent_context)
        print(run.is_completed(), run.queue.size(), run.queue.to_list(), run.current_task_context is ctx)
        print(run.cycle_controller.get_cycle_count("first"), run.cycle_controller.get_cycle_count("second"))
        print(sorted(run.get_checkpoint_state()), run.get_checkpoint_state()["steps"], type(run.tracer).__name__)
        print(run.get_result("first"), run.set_result("extra", 1), run.get_result("extra"))
        return "second"

    @task(inject_context=True)
    def third(ctx):
        ctx.execution_context.mark_task_completed("marked")
        ctx.execution_context.increment_step()
        print(ctx.execution_context.completed_tasks, ctx.execution_context.steps)

    first >> second >> third
    _, context = wf.execute(ret_context=True)
    print(context.completed_tasks, context.steps)
