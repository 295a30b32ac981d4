"""`keep_results="none"` and `"needed"`: results are dropped once nobody still to run reads them without naming them.

Readers of a result are the task's successors and what it enqueued. A task added at run time that has no edges is
forgotten altogether when its result is, so a run of any length needs no more memory. Decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run

_ENQUEUE, _GOTO, _ITERATE = 0, 1, 2


class Forgetting:
    """What one run may forget."""

    def __init__(self, run: Run, keep: str) -> None:
        self.run = run
        #: Nodes with a higher id were added at run time.
        self._given = run.nodes.given
        self._readers: dict[int, int] = {}
        self._kept: set[int] = set()
        if keep == "needed":
            self._keep_what_is_needed()

    def _keep_what_is_needed(self) -> None:
        """Note the nodes nothing follows, and those that a body's parameter names."""
        nodes = self.run.nodes
        for node, name in enumerate(nodes.names):
            if not self.run.context.graph.successors(name):
                self._kept.add(node)
        for task in nodes.tasks:
            wrapped = task.task if task.is_map else task  # type: ignore[attr-defined]
            if isinstance(wrapped, TaskWrapper):
                named = [nodes.ids.get(parameter.name) for parameter in wrapped._definition.parameters]
                self._kept.update(node for node in named if node is not None)

    def completed(self, attempt: Attempt, directives: list[tuple[int, int, int]] | None) -> None:
        """Note that a task of the workflow's own branch completed; drop what nobody reads any more."""
        if attempt.branch.fork is not None:
            return
        run, node = self.run, attempt.node
        context = run.context
        if attempt.task_id is not attempt.base_id:
            context.channel.delete(f"{attempt.task_id}.__result__")
            self._unmark(attempt.task_id)
        kinds = [kind for kind, _, _ in directives or ()]
        if _ITERATE in kinds:
            return
        self._settle(node, attempt.cause, kinds)

    def group_completed(self, node: int, cause: int) -> None:
        """Note that a group of the workflow's own branch completed."""
        self._settle(node, cause, [])

    def _settle(self, node: int, cause: int, kinds: list[int]) -> None:
        scheduler = self.run.scheduler
        before = scheduler.predecessors(node)
        if cause >= 0 and cause not in before:
            before.append(cause)
        for source in before:
            left = self._readers.get(source)
            if left is not None:
                if left > 1:
                    self._readers[source] = left - 1
                else:
                    del self._readers[source]
                    self._drop(source)
        readers = 0 if _GOTO in kinds else len(scheduler.successors(node))
        readers += sum(kind in (_ENQUEUE, _GOTO) for kind in kinds)
        if readers:
            self._readers[node] = readers
        else:
            self._drop(node)

    def _drop(self, node: int) -> None:
        nodes = self.run.nodes
        if node not in self._kept:
            channel = self.run.context.channel
            for each in (node, *nodes.members.get(node, ())):
                channel.delete(f"{nodes.names[each]}.__result__")
        if node >= self._given and node not in nodes.members:
            self._forget(node)

    def _forget(self, node: int) -> None:
        """Forget a task that was added at run time, if nothing knows it any more."""
        run = self.run
        nodes, context = run.nodes, run.context
        definition = getattr(nodes.tasks[node], "_definition", None)
        if definition is None or definition.priority or not run.scheduler.renew_node(node):
            return
        name = nodes.names[node]
        nodes.release(node)
        context.graph.remove_node(name)
        context.cycle_controller.cycle_counts.pop(name, None)
        context.cycle_controller.node_max_cycles.pop(name, None)
        retries: Any = context.retry_controller
        for table in (retries.retry_counts, retries.node_policies, retries.node_max_retries):
            table.pop(name, None)
        self._unmark(name)

    def _unmark(self, task_id: str) -> None:
        context = self.run.context
        context._completed.discard(task_id)
        # It is among the last: only what completed meanwhile came after it.
        for index in range(len(context.completed_tasks) - 1, max(-1, len(context.completed_tasks) - 64), -1):
            if context.completed_tasks[index] == task_id:
                del context.completed_tasks[index]
                return
