"""Where a run of a workflow starts, and what is said when that is not clear.

Owns the search among nodes, free tasks of the module and the only task there is. Runs nothing.
"""

from __future__ import annotations

import gc

from graflow_fast._hints import did_you_mean
from graflow_fast.core import registry
from graflow_fast.exceptions import GraphCompilationError

TYPE_CHECKING = False  # `typing` is slow to import
if TYPE_CHECKING:
    from graflow_fast.core.task import Executable
    from graflow_fast.core.workflow import WorkflowContext


def find_starts(workflow: WorkflowContext, start_node: str | None, all_roots: bool) -> list[str]:
    """Return the nodes that a run starts at.

    Args:
        workflow: what runs.
        start_node: the one that was asked for, also the name of a free task; None: the one without predecessors.
        all_roots: whether there may be several without predecessors.

    Raises:
        GraphCompilationError: there is no start, or more than one.
    """
    if start_node is not None:
        if not isinstance(start_node, str):
            name = getattr(start_node, "task_id", None)
            hint = f"execute({name!r})" if isinstance(name, str) else f"not {type(start_node).__name__}"
            raise GraphCompilationError(f"start_node takes the id of a task: {hint}")
        if not workflow.graph.has_node(start_node):
            free = workflow.find_free_task(start_node)
            if free is None:
                raise GraphCompilationError(
                    f"Start node '{start_node}' is neither in workflow '{workflow.name}' nor a task of the module that "
                    f"built it. {_names_for(workflow, start_node)}"
                )
            registry.attach(free, workflow, skip_if_exists=True)
        return [start_node]
    if not workflow.graph.nodes:
        return [_adopt_only_task(workflow)]
    roots = workflow.graph.get_start_nodes()
    if len(roots) == 1 or (roots and all_roots):
        return roots
    if roots:
        raise GraphCompilationError(
            f"Multiple start nodes found, please specify one: {', '.join(sorted(roots))} "
            f"(execute(start_node=...), or schedule='parallel' to start all)"
        )
    raise GraphCompilationError(
        f"No start node specified and no nodes with no predecessors found in workflow '{workflow.name}': "
        "every task follows another one (a cycle needs execute(start_node=...))"
    )


def _names_for(workflow: WorkflowContext, name: str) -> str:
    """Return the tasks that a name which is none may have meant."""
    free = [task.task_id for task in registry.free_tasks_of(workflow._module_globals).living()]
    names = list(dict.fromkeys([*workflow.graph.nodes, *workflow.graph.member_ids(), *free]))
    if hint := did_you_mean(name, names):
        return hint
    return f"There are: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" if names else "It has no tasks."


def _adopt_only_task(workflow: WorkflowContext) -> str:
    """An empty workflow runs the one task of its module that no workflow has used."""
    candidates = _unused_tasks(workflow)
    if len(candidates) > 1:
        gc.collect()  # tasks of finished functions may linger in reference cycles
        candidates = _unused_tasks(workflow)
    if len(candidates) > 1:
        frame = registry.calling_frame()
        visible = {id(value) for value in (*frame.f_locals.values(), *frame.f_globals.values())}
        candidates = [task for task in candidates if id(task) in visible] or candidates
    if len(candidates) != 1:
        names = ", ".join(sorted(task.task_id for task in candidates))
        found = f"there are several that no workflow has used: {names}" if names else "there is none"
        raise GraphCompilationError(
            f"Workflow '{workflow.name}' is empty. It would adopt the one unused task of its module, but {found}"
        )
    registry.attach(candidates[0], workflow, skip_if_exists=True)
    return candidates[0].task_id


def _unused_tasks(workflow: WorkflowContext) -> list[Executable]:
    living = registry.free_tasks_of(workflow._module_globals).living()
    return [task for task in living if task._owner is None and not task.is_template]
