"""Calling a body without a scheduler: ``task.run()`` in unit tests and in custom handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING, fill_arguments
from graflow_fast._body.awaited import awaited
from graflow_fast._body.injected import function_of
from graflow_fast.core import registry
from graflow_fast.core.task_context import base_task_id

if TYPE_CHECKING:
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task import Executable, ParallelGroup, TaskWrapper


def run_directly(task: TaskWrapper, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call the task's body with its arguments filled; outside of a run, with a context made for this call."""
    from graflow_fast.core.context import ExecutionContext, TaskExecutionContext
    from graflow_fast.core.graph import TaskGraph

    context = task._execution_context
    if context is None:
        graph = TaskGraph()
        graph.add_node(task)
        context = ExecutionContext.create(graph, task.task_id)
    around = task_context = context.current_task_context
    if around is None:
        count_start(task, context)
    if task_context is None or task_context._base_task_id != base_task_id(task.task_id):
        task_context = TaskExecutionContext(task.task_id, context)
    previous = getattr(task_context, "previous", NOTHING)
    if not args and not kwargs:
        args = getattr(task_context, "iteration_data", task.__dict__.get("iteration_data", ()))
    body = function_of(task._definition)
    places = () if task._definition.injected is None else body.places  # type: ignore[attr-defined]
    handed = {name: kwargs.pop(name) for name in places if name in kwargs}  # by a test, instead of its context
    arguments = fill_arguments(
        task._definition, task.task_id, task._bound_kwargs, context.channel, previous, len(args), kwargs
    )
    outer, registry.running.task_context = registry.running.task_context, task_context
    context.current_task_context = task_context
    try:
        if task.inject_context:
            return awaited(body(task_context, *args, **arguments, **handed))
        return awaited(body(*args, **arguments, **handed))
    finally:
        registry.running.task_context = outer
        context.current_task_context = around


def count_start(task: Executable, context: ExecutionContext) -> None:
    """Note that a task starts outside of a run, and what its limits are."""
    name, definition = task.task_id, getattr(task, "_definition", None)
    if definition is None:
        context.cycle_controller.increment(base_task_id(name))
        return
    if definition.max_cycles is not None:
        context.cycle_controller.set_node_max_cycles(name, definition.max_cycles)
    if definition.retry_policy is not None:
        context.retry_controller.set_node_policy(name, definition.retry_policy)
    elif definition.max_retries is not None:
        context.retry_controller.set_node_max_retries(name, definition.max_retries)
    if not context.retry_controller.get_retry_count(name):  # a repetition is the same start
        context.cycle_controller.increment(base_task_id(name))


def run_group_directly(group: ParallelGroup, context: ExecutionContext) -> None:
    """Call the bodies of a group's members, store what they return, and ask the group's policy."""
    from graflow_fast._messages import message_of
    from graflow_fast.core.group_policy import resolve_group_policy
    from graflow_fast.core.handler import TaskResult

    results = {}
    for member in group.tasks:
        member.set_execution_context(context)
        raised: Exception | None = None
        try:
            context.set_result(member.task_id, member.run())
        except Exception as error:
            raised = error
            context.set_result(member.task_id, error)
        text = None if raised is None else message_of(raised)
        results[member.task_id] = TaskResult(member.task_id, raised is None, error=raised, error_message=text)
    policy = resolve_group_policy(group._execution_config["policy"])
    policy.on_group_finished(group.task_id, group.tasks, results, context)
