"""Limits that the context's controllers are told of hold wherever the task runs."""

from graflow.core.context import ExecutionContext
from graflow.core.graph import TaskGraph
from graflow.core.retry import RetryPolicy
from graflow.core.task import TaskWrapper


def fails(ctx):
    print("try", ctx.retry_count, ctx.max_retries)
    raise ValueError("x")


def loops(ctx):
    print("loop", ctx.cycle_count, ctx.max_cycles)
    ctx.next_iteration()


def attempt(name, prepare, **options):
    context = ExecutionContext.create(graph, name, **options)
    prepare(context)
    try:
        context.execute()
    except Exception as error:
        print(type(error).__name__)


graph = TaskGraph()
for name, body in (("start", lambda ctx: None), ("fails", fails), ("loops", loops)):
    graph.add_node(TaskWrapper(name, body, inject_context=True, register_to_context=False))
graph.add_edge("start", "loops")
policy = RetryPolicy(max_retries=2, initial_interval=0.01)

attempt("fails", lambda context: context.retry_controller.set_node_max_retries("fails", 1))
attempt("fails", lambda context: context.retry_controller.set_node_policy("fails", policy))
attempt("loops", lambda context: context.cycle_controller.set_node_max_cycles("loops", 2))
attempt("start", lambda context: context.cycle_controller.set_node_max_cycles("loops", 2))
attempt("loops", lambda context: None, default_max_cycles=3)
