"""What a run would be made of, without running it: the graph as the scheduler gets it, and where bodies would run.

Owns the way from a context to a plan. The plan itself is `_record/plan.py`'s; nothing here calls a body or starts a
worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._core import Scheduler
from graflow_fast._places.placement import INLINE, Placement, of_backend
from graflow_fast._record.plan import Drawn, Plan, plan_of
from graflow_fast._record.simulation import Model
from graflow_fast._run.branches.branches import RootBranch
from graflow_fast._run.nodes import NodeTable, function_name
from graflow_fast._run.resources import Resources
from graflow_fast.exceptions import GraflowError, GraflowRuntimeError

if TYPE_CHECKING:
    from os import PathLike

    from graflow_fast._record.columns import Columns
    from graflow_fast._run.settings import Settings
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handler import TaskHandler


def plan(context: ExecutionContext, handlers: dict[str, TaskHandler]) -> Plan:
    """Return what a run of a context would do.

    Args:
        context: what would run.
        handlers: those of the user, by name.

    Raises:
        GraflowRuntimeError: there is no such start.
        ConfigError: a task asks for more than there is.
    """
    settings: Settings = context.settings
    scheduler = Scheduler()  # only to make the nodes as a run does; the plan has one of its own
    nodes = NodeTable(scheduler, context.graph, RootBranch(context), Resources(settings, scheduler))
    placement = Placement(settings, handlers)
    placement.check([*nodes.definitions.values(), *nodes.others])
    roots = [nodes.resolve(name) for name in context.pending]
    if None in roots:
        raise GraflowRuntimeError(f"Node '{list(context.pending)[roots.index(None)]}' not found in graph")
    parallel = settings.schedule == "parallel"
    model = Model(
        names=nodes.names,
        groups=set(nodes.members),
        members=nodes.members,
        edges=[node for edge in scheduler.edges() for node in edge],
        roots=[root for root in roots if root is not None],
        options=nodes.lanes.options,
        lanes={lane: (limit, demand) for lane, limit, demand in nodes.lanes.made},
        totals=dict(nodes.lanes.totals()),
        parallel=parallel,
        max_steps=context.max_steps,
        max_concurrency=settings.max_concurrency,
    )
    drawn = Drawn(
        model,
        [function_name(task) for task in nodes.tasks],
        _Where(nodes, placement, parallel),
        _growing(nodes),
        [node for node, task in enumerate(nodes.tasks) if task.is_template],
    )
    name = getattr(context._workflow, "name", "workflow")
    inline = placement.executor == "inline"
    return plan_of(name, drawn, 1 if inline else settings.resolved_workers(), _measured(settings.record, name))


class _Where:
    """Whether the body of a node would run on a worker or in a thread."""

    def __init__(self, nodes: NodeTable, placement: Placement, parallel: bool) -> None:
        self._nodes = nodes
        self._placement = placement
        self._parallel = parallel
        self._group_of = {member: group for group, members in nodes.members.items() for member in members}
        self._own = _Branch(None, None)

    def __call__(self, node: int, in_branch: bool) -> bool:
        task: Any = self._nodes.tasks[node]
        branch = self._branch_of(node) if in_branch else self._own
        if task.is_map:
            return self._placement.of_items(task, branch) != INLINE  # type: ignore[arg-type]
        return self._placement.of(task, branch, self._parallel and not in_branch) != INLINE  # type: ignore[arg-type]

    def _branch_of(self, node: int) -> _Branch:
        """What `Placement` asks of a member's branch; of tasks behind a member, that they are in one."""
        group = self._group_of.get(node)
        if group is None:
            return _Branch(True, None)
        config: Any = getattr(self._nodes.tasks[group], "_execution_config", {})
        around = self._branch_of(group) if group in self._group_of else self._own
        return _Branch(True, of_backend(config.get("backend"), around))  # type: ignore[arg-type]


class _Branch:
    """What `Placement` asks of a branch."""

    def __init__(self, fork: bool | None, placement: str | None) -> None:
        self.fork = fork
        self.placement = placement


def _growing(nodes: NodeTable) -> list[int]:
    """Return the nodes whose bodies get a context, so may add tasks."""
    definitions = (getattr(task, "_definition", None) for task in nodes.tasks)
    return [node for node, each in enumerate(definitions) if each is not None and each.inject_context]


def _measured(record: bool | str | PathLike[str], workflow: str) -> Columns | None:
    """Return the latest recorded run of a workflow in the store that a run would write to, None without one."""
    from graflow_fast._record.loading import load_run
    from graflow_fast._store import list_runs

    store = None if isinstance(record, bool) else record
    try:
        for row in list_runs(store):
            if row["workflow"] == workflow and row["state"] == "finished":
                return load_run(store, row["id"]).columns()
    except (OSError, GraflowError):
        return None  # there is no store, or it was not recorded
    return None
