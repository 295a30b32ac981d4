"""A small driver of the Rust scheduler alone: scripts and scopes of the model, order of the scheduler.

Bodies run when the scheduler says so; their reports come in an order that a seed decides, as if workers of different
speed had run them. What must come out is what the model says, whatever the seed.
"""

from __future__ import annotations

import random
from typing import Any

from .model import RAISED, Model
from .policies import judge
from .program import Group, Map, Program, Task
from .state import NOTHING, Activation, Branch, Context, Failure, Returned, Scope

RUN, FORK, BRANCH_ENDED, JOIN, ABANDON, FINISHED, OVERRUN = range(7)
ENQUEUE, GOTO, ITERATE, TERMINATE, CANCEL = range(5)
REASONS = ("completed", "terminated", "cancelled", "failed", "max_steps", "overrun")


class Driven(Model):
    """The model with its scheduling taken out and the scheduler's put in."""

    def __init__(self, program: Program, seed: int | None = None) -> None:
        from graflow_fast._core import Scheduler

        super().__init__(program)
        self.random = None if seed is None else random.Random(seed)  # None: report at once
        self.scheduler = Scheduler(parallel=False, max_steps=program.max_steps, execution_limit=10_000)
        self.ids: dict[str, int] = {}
        self.keys: list[str] = []
        self.branches: dict[int, Branch] = {}
        self.prints: dict[int, list[tuple[str, str]]] = {}
        self.failures: dict[int, Failure] = {}
        self.forks: dict[int, tuple[int, Group, int]] = {}  # first branch -> (parent branch, group, members)
        self.tags: dict[int, tuple[str, Any, Task | None]] = {}
        self.reports: dict[int, Any] = {}  # ticket -> what to call when the seed says so
        self.cancelled = ""
        self.now = 0.0
        self.register()

    def register(self) -> None:
        """Give the scheduler the nodes, members and edges that it does not know yet."""
        new = {key: node for key, node in self.nodes.items() if key not in self.ids}
        for key, node in new.items():
            self.ids[key] = self.scheduler.add_node(group=isinstance(node, Group), priority=0, lane=0)
            self.keys.append(key)
        for key, node in new.items():
            if isinstance(node, Group):
                self.scheduler.set_members(self.ids[key], [self.ids[member] for member in node.members])
        for source, target in self.edges:
            if source in new or target in new:
                self.scheduler.add_edge(self.ids[source], self.ids[target])

    def run_branch(self, branch: Branch) -> None:
        """Replace the model's interpreter: this is the whole run."""
        self.branches[0] = branch
        self.prints[0] = self.out
        starts = list(branch.queue)
        branch.queue.clear()
        self.scheduler.start([self.ids[activation.node] for activation in starts], self.now)
        while True:
            action = self.scheduler.next(self.now)
            if action is None:
                if self.scheduler.finished():
                    raise AssertionError("finished without saying so")
                self.go_on()
            elif action[0] == FINISHED:
                branch.steps = self.scheduler.steps
                self.end(branch, action)
                return
            else:
                self.carry_out(*action)

    def go_on(self) -> None:
        """Report one attempt, or let time pass until a retry is due."""
        if self.reports and self.random:
            ticket = self.random.choice(sorted(self.reports))
            self.reports.pop(ticket)(ticket)
            return
        deadline = self.scheduler.deadline()
        assert deadline is not None, "nothing runs, nothing is due, and the run is not over"
        self.now = max(self.now, deadline)

    def carry_out(self, kind: int, ticket: int, node: int, branch: int, number: int, tag: int, cause: int) -> None:
        """Do what the scheduler says."""
        key = self.keys[node]
        if kind == RUN:
            self.start_task(ticket, key, branch, number, tag, cause)
        elif kind == FORK:
            group, parent = self.nodes[key], self.branches[branch]
            assert isinstance(group, Group)
            self.started.append(group.id)
            parent.cycles[group.id] = parent.cycles.get(group.id, 0) + 1
            self.forks[tag] = (branch, group, len(group.members))
            for index, head in enumerate(group.members):
                self.branches[tag + index] = Branch(head, Scope(parent.scope), parent)
                self.prints[tag + index] = []
        elif kind == JOIN:
            self.join_group(ticket, tag, number, bool(cause))
        elif kind == ABANDON:
            self.reports.pop(ticket, None)
        elif kind == OVERRUN:
            raise AssertionError(f"{key} overran")

    def start_task(self, ticket: int, key: str, branch_id: int, number: int, tag: int, cause: int) -> None:
        """Run a body in its scope and keep the report."""
        branch, own = self.branches[branch_id], self.nodes[key]
        alias, data, given = self.tags[tag] if tag else (own.id, None, None)
        task = given or own
        assert not isinstance(task, Group)
        activation = Activation(key, alias, data, number, given, self.before(branch, cause))
        self.started.append(alias)
        if not number:
            branch.cycles[task.id] = branch.cycles.get(task.id, 0) + 1
        ctx = Context(branch, activation, task.id, task.max_cycles if isinstance(task, Task) else None)
        out = self.prints[branch_id]
        try:
            result = self.play(task, ctx, lambda text, kind="print": out.append((kind, text)))
        except RAISED as error:
            assert isinstance(task, Task)
            branch.scope.set(alias + ".__result__", error)
            self.reports[ticket] = self.failing(branch_id, task, activation, error)
        except Failure as failure:  # of a map
            self.reports[ticket] = self.refusing(branch_id, failure)
        else:
            self.reports[ticket] = self.completing(branch_id, task, activation, ctx, result)
        if self.random is None:
            self.reports.pop(ticket)(ticket)

    def before(self, branch: Branch, cause: int) -> Any:
        """What a branch sees of the task before: its last result."""
        node = None if cause < 0 else self.nodes[self.keys[cause]]
        if node is None or isinstance(node, Group):
            return NOTHING
        return Returned(node.id, branch.scope.get(f"{node.id}.__result__"))

    def failing(self, branch_id: int, task: Task, activation: Activation, error: Exception) -> Any:
        """A report that a body raised."""

        def report(ticket: int) -> None:
            try:
                self.retry(Branch("", Scope()), task, activation, error)
            except Failure as failure:
                self.failures[branch_id] = failure
                self.scheduler.fail(ticket, None, self.now)
            else:
                self.scheduler.fail(ticket, task.delay, self.now)

        return report

    def refusing(self, branch_id: int, failure: Failure) -> Any:
        """A report that a map failed for good."""

        def report(ticket: int) -> None:
            self.failures[branch_id] = failure
            self.scheduler.fail(ticket, None, self.now)

        return report

    def completing(self, branch_id: int, task: Task | Map, activation: Activation, ctx: Context, result: Any) -> Any:
        """A report that a body returned."""
        branch = self.branches[branch_id]

        def report(ticket: int) -> None:
            directives = []
            for kind, value in ctx.directives:
                if kind == "iterate":
                    self.iterations += 1
                    tag = len(self.tags) + 1
                    name = f"{task.id}_cycle_{branch.cycles[task.id]}_{self.iterations:08x}"
                    self.tags[tag] = (name, value, activation.given)
                    directives.append((ITERATE, self.ids[activation.node], tag))
                    continue
                target, goto = value
                key, given = self.attach(branch, *target)
                self.register()
                tag = 0
                if given is not None:
                    tag = len(self.tags) + 1
                    self.tags[tag] = (given.id, None, given)
                directives.append((GOTO if goto else ENQUEUE, self.ids[key], tag))
            if ctx.terminate is not None:
                directives.append((TERMINATE, self.ids[activation.node], 0))
            if ctx.cancel is not None:
                self.cancelled = ctx.cancel
                directives.append((CANCEL, self.ids[activation.node], 0))
            else:
                branch.scope.set(activation.name + ".__result__", result)
                if activation.name != task.id:
                    branch.scope.set(task.id + ".__result__", result)
                branch.last = result
                if activation.name not in branch.completed:
                    branch.completed.append(activation.name)
            self.scheduler.complete(ticket, directives, self.now)

        return report

    def join_group(self, ticket: int, first: int, count: int, stopped: bool) -> None:
        """Replay the members that count, ask the policy, and answer."""
        parent_id, group, _ = self.forks[first]
        parent = self.branches[parent_id]
        errors: dict[str, Failure] = {}
        for index in range(count):
            member = self.branches[first + index]
            self.prints[parent_id] += self.prints[first + index]
            if first + index in self.failures:
                errors[self.nodes[member.head].id] = self.failures[first + index]
                continue
            self.join(parent, member)
            parent.cycles.update(member.cycles)
        try:
            if not stopped:
                judge(group, errors, len(group.members))
        except Failure as failure:
            self.failures[parent_id] = failure
            self.scheduler.fail(ticket, None, self.now)
            return
        parent.scope.set(group.id + ".__result__", None)
        parent.last = None
        if group.id not in parent.completed:
            parent.completed.append(group.id)
        self.scheduler.complete(ticket, None, self.now)

    def end(self, root: Branch, action: tuple[int, ...]) -> None:
        """The run is over: say why as the model does."""
        reason = REASONS[action[4]]
        if reason == "cancelled":
            raise Failure("GraflowWorkflowCanceledError", self.cancelled)
        if reason == "failed":
            raise self.failures[0]
        root.stopped = None if reason == "completed" else reason
