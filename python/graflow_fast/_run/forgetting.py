"""`keep_results="none"` and `"needed"`: results are dropped once nobody still to run reads them without naming them.

Readers of a result are the task's successors and what it enqueued. A task added at run time that has no edges is
forgotten altogether when its result is, so a run of any length needs no more memory. Decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._actions import ENQUEUE, GOTO, ITERATE
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._core import Scheduler
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast._run.nodes import NodeTable
    from graflow_fast.core.context import ExecutionContext

#: How a node stands that runs or will run.
_TO_RUN = ("queued", "delayed", "running")


class Forgetting:
    """What one run may forget."""

    def __init__(self, context: ExecutionContext, scheduler: Scheduler, nodes: NodeTable, keep: str) -> None:
        self.context = context
        self.scheduler = scheduler
        self.nodes = nodes
        #: Nodes with a higher id were added at run time.
        self._given = nodes.given
        self._readers: dict[int, int] = {}
        #: Those that completed again before all of their readers had run, so that the number says too little.
        self._again: set[int] = set()
        #: By group: the keys of all results that its members have left.
        self._left: dict[int, set[str]] = {}
        self._kept: set[int] = set()
        #: Those of them that a body's parameter names.
        self._named: set[int] = set()
        if keep == "needed":
            self._keep_what_is_needed()

    def _keep_what_is_needed(self) -> None:
        """Note the nodes nothing follows, and those that a body's parameter names."""
        nodes = self.nodes
        successors = self.context.graph.successors
        self._kept.update(node for node, name in enumerate(nodes.names) if not successors(name))
        seen: set[int] = set()  # many tasks may have one definition
        for task in nodes.tasks:
            wrapped = task.task if task.is_map else task  # type: ignore[attr-defined]
            if isinstance(wrapped, TaskWrapper) and id(wrapped._definition) not in seen:
                seen.add(id(wrapped._definition))
                named = [nodes.ids.get(parameter.name) for parameter in wrapped._definition.parameters]
                self._named.update(node for node in named if node is not None)
        self._kept |= self._named

    def completed(self, attempt: Attempt, directives: list[tuple[int, int, int]] | None) -> None:
        """Note that a task of the workflow's own branch completed; drop what nobody reads any more."""
        if attempt.branch.fork is not None:
            return
        node, context = attempt.node, self.context
        if attempt.task_id is not attempt.base_id:
            context.channel.delete(f"{attempt.task_id}.__result__")
            self._unmark(attempt.task_id)
        kinds = [kind for kind, _, _ in directives or ()]
        if ITERATE in kinds:
            return
        self._settle(node, attempt.cause, kinds)

    def group_completed(self, node: int, cause: int, left: set[str]) -> None:
        """Note that a group of the workflow's own branch completed, and under which keys its members left results."""
        self._left[node] = left
        self._settle(node, cause, [])

    def ended(self) -> None:
        """Drop what was still to be read when a task ended the workflow early and well: nobody will."""
        for node in list(self._readers):
            del self._readers[node]
            self._drop(node)

    def _settle(self, node: int, cause: int, kinds: list[int]) -> None:
        scheduler = self.scheduler
        before = scheduler.predecessors(node)
        if cause >= 0 and cause not in before:
            before.append(cause)
        for source in before:
            left = self._readers.get(source)
            if left is not None:
                if left > 1:
                    self._readers[source] = left - 1
                elif source in self._again and self._is_read(source):
                    continue
                else:
                    del self._readers[source]
                    if source != node:  # its result is a new one
                        self._drop(source)
        readers = 0 if GOTO in kinds else len(scheduler.successors(node))
        readers += sum(kind in (ENQUEUE, GOTO) for kind in kinds)
        if node in self._readers:
            self._again.add(node)
        if readers:
            self._readers[node] = readers
        else:
            self._drop(node)

    def _is_read(self, node: int) -> bool:
        """Whether what follows a node is still to run: it completed again before all that read its result had run."""
        standing = self.scheduler.standing
        return any(standing(reader) in _TO_RUN for reader in self.scheduler.successors(node))

    def _drop(self, node: int) -> None:
        nodes = self.nodes
        self._again.discard(node)
        if node not in self._kept:
            keys = {f"{nodes.names[node]}.__result__"}
            if node in self._left:
                still_read = self._named | self._readers.keys()
                keys |= self._left.pop(node) - {f"{nodes.names[each]}.__result__" for each in still_read}
            for key in keys:
                self.context.channel.delete(key)
        if node >= self._given and node not in nodes.members:
            self._forget(node)

    def _forget(self, node: int) -> None:
        """Forget a task that was added at run time, if nothing knows it any more."""
        nodes, context = self.nodes, self.context
        definition = getattr(nodes.tasks[node], "_definition", None)
        if definition is None or definition.priority or not self.scheduler.renew_node(node):
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
        context = self.context
        context._completed.discard(task_id)
        # It is among the last: only what completed meanwhile came after it.
        for index in range(len(context.completed_tasks) - 1, max(-1, len(context.completed_tasks) - 64), -1):
            if context.completed_tasks[index] == task_id:
                del context.completed_tasks[index]
                return
