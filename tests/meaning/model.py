"""The reference model: what a program means, as an interpreter that is slow, sequential and obviously right.

It follows the written contract, not the engine: members run one after the other in order, a scope is a copied
dictionary, and whether a join has to wait is answered by searching the graph from everything that can still run,
each time anew. It shares with the engine only the scripts (`program.make_player`).
"""

from __future__ import annotations

from typing import Any

from .filling import fill, items_of
from .graph import Graph, roots
from .policies import judge
from .program import Group, Map, Outcome, Program, Task, mask
from .scripts import make_player
from .state import (
    NOTHING,
    Activation,
    Branch,
    Carried,
    Context,
    CycleLimitExceededError,
    Failure,
    Returned,
    Scope,
    TooLong,
    Unsuitable,
)

#: What a body may raise.
RAISED = (ValueError, TypeError, CycleLimitExceededError)


class Model(Graph):
    """One run of one program."""

    scope_class: type[Scope] = Scope
    count_failed_steps = False  # graflow counts the steps of branches that replay, and no others

    def __init__(self, program: Program, budget: int = 400) -> None:
        super().__init__(program)
        self.budget = budget
        self.out: list[tuple[str, str]] = []  # kind and text
        self.told: list[str] = []  # what a tracer hears
        self.notes: set[str] = set()
        self.started: list[str] = []  # names in order, retries and members included
        self.finished: list[str] = []
        self.iterations = 0
        self.enqueued: set[str] = set()  # by the directives that were carried out last
        self.at_once = program.option("schedule") == "parallel"
        self.ran_in: dict[str, Branch] = {}

    def run(self) -> Outcome:
        """Interpret the program from its start."""
        starts = [self.program.start] if self.program.start else roots(self.program)
        if not starts or (len(starts) > 1 and not self.at_once):
            raise Unsuitable  # the engine says where it could start, which is not compared
        root = Branch(starts[0], self.scope_class())
        root.scope.notes = self.notes
        root.queue.extend(Activation(start, start) for start in starts)
        try:
            self.run_branch(root)
        except Failure as failure:
            return Outcome(error=mask_error(failure), failed=failure.failed, **self.said())
        scope = root.scope
        return Outcome(
            result=mask(repr(root.last)),
            channel=tuple((mask(key), mask(repr(value))) for key, value in scope.data.items()),
            sums=() if self.program.uses("terminate") else tuple(sorted((k, repr(v)) for k, v in scope.sums.items())),
            completed=tuple(mask(name) for name in root.completed),
            steps=root.steps,
            stop_reason=root.stopped or "completed",
            **self.said(),
        )

    def said(self) -> dict[str, Any]:
        """What was printed, logged and warned, and what a tracer was told."""
        return {
            "printed": mask("".join(text + "\n" for kind, text in self.out if kind in ("print", "write", "shell"))),
            "logged": tuple(mask(text) for kind, text in self.out if kind == "log"),
            "warned": tuple(mask(text) for kind, text in self.out if kind == "warn"),
            "traced": tuple(self.told) if self.program.traced else (),
            "notes": frozenset(self.notes),
        }

    def say(self, text: str, kind: str = "print") -> None:
        self.out.append((kind, text))

    def tell(self, what: str, name: str, more: str = "") -> None:
        self.told.append(f"{what} {mask(name)}{mask(more)}")

    # -- one branch ----------------------------------------------------------------------------------------------

    def run_branch(self, branch: Branch) -> None:
        """Run a branch until nothing is left in it, it is stopped, or it fails."""
        limit = self.program.max_steps
        while branch.queue or branch.delayed:
            if limit is not None and branch.steps >= limit:
                branch.stopped = "max_steps" if branch.parent is None else None
                return
            activation = (branch.queue or branch.delayed).popleft()
            self.budget -= 1
            if self.budget < 0:
                raise TooLong
            if self.ran_in.setdefault(activation.node, branch) is not branch and self.at_once:
                raise Unsuitable  # two branches run it at once: what it sees of the other is a matter of time
            self.started.append(activation.name)
            node = self.nodes[activation.node]
            if isinstance(node, Group):
                self.run_group(branch, node, activation)
            else:
                self.run_task(branch, activation.given or node, activation)
            if branch.stopped:
                return

    def run_task(self, branch: Branch, task: Task | Map, activation: Activation) -> None:
        """One attempt of a task, and what follows from it."""
        if not activation.retries:
            branch.cycles[task.id] = branch.cycles.get(task.id, 0) + 1
        ctx = Context(branch, activation, task.id, task.max_cycles if isinstance(task, Task) else None)
        self.tell("start", activation.name)
        try:
            result = self.play(task, ctx, self.say)
        except RAISED as error:
            assert isinstance(task, Task)
            self.tell("failed", activation.name)
            branch.scope.set(activation.name + ".__result__", error)
            self.retry(branch, task, activation, error)
            return
        self.tell("end", activation.name)
        if ctx.cancel is not None:
            raise Failure("GraflowWorkflowCanceledError", ctx.cancel)
        branch.scope.set(activation.name + ".__result__", result)
        if activation.name != task.id:
            branch.scope.set(task.id + ".__result__", result)
        branch.last = result
        self.finish(branch, activation.name)
        if ctx.terminate is not None:
            branch.stopped = "terminated"
            return
        returned = Returned(self.nodes[activation.node].id, result)
        goto = self.follow(branch, activation, ctx.directives, returned)
        if not any(kind == "iterate" for kind, _ in ctx.directives):
            self.settle(branch, activation.node, goto, returned)

    def play(self, task: Task | Map, ctx: Context, say: Any) -> Any:
        """Run a body, or all items of a map, and return the result."""
        activation, scope = ctx.activation, ctx.branch.scope
        if isinstance(task, Map):
            return self.play_map(task, ctx, say)
        arguments = self.fill(task, activation.name, scope, activation.cause)
        sees = ctx if task.form in ("context", "both", "shared") else None
        return make_player(task.plain())(sees, say, spawn, activation.data, arguments)

    def fill(self, task: Task, name: str, scope: Scope, cause: Any, item: Any = NOTHING) -> dict[str, Any]:
        """The arguments of a body."""
        return fill(task, name, scope, cause, item)

    def play_map(self, node: Map, ctx: Context, say: Any) -> list[Any]:
        """Run a task for each item, in order; then what they wrote and asked for counts, in order."""
        results: list[Any] = []
        errors: dict[str, Failure] = {}
        logs: list[list[tuple[Any, ...]]] = []
        for index, item in enumerate(items_of(node, ctx)):
            name = f"{ctx.activation.name}[{index}]"
            branch = Branch(name, self.scope_class(self.view_of_item(ctx.branch.scope, logs)))
            again = Branch("", Scope())  # where a retry is put
            inner = Context(branch, Activation(name, name, cause=ctx.activation.cause), name, None)
            again.queue.append(inner.activation)
            while again.queue or again.delayed:
                inner = Context(branch, (again.queue or again.delayed).popleft(), name, None)
                self.budget -= 1
                if self.budget < 0:
                    raise TooLong
                cause = inner.activation.cause if isinstance(node.items, tuple) else NOTHING
                sees = inner if node.task.form in ("context", "both", "shared") else None
                self.tell("start", name)
                try:
                    try:
                        arguments = self.fill(node.task, name, branch.scope, cause, item)
                    except TypeError:
                        if isinstance(node.items, tuple):
                            raise
                        raise Unsuitable from None  # nobody says whether the task before gives more than the items
                    results.append(make_player(node.task.plain())(sees, say, spawn, None, arguments))
                except RAISED as error:
                    self.tell("failed", name)
                    try:
                        self.retry(again, node.task, inner.activation, error)
                    except Failure as failure:
                        errors[name] = failure
                        results.append(error)
                else:
                    self.tell("end", name)
                    logs.append(branch.scope.log)
                    ctx.directives += inner.directives
                    ctx.terminate = inner.terminate
                    if inner.cancel is not None:
                        raise Failure("GraflowWorkflowCanceledError", inner.cancel)
            if ctx.terminate is not None:
                break
        for log in logs:
            ctx.branch.scope.replay(log)
        try:
            judge(node, errors, len(results))
        except Failure:
            self.tell("failed", ctx.activation.name)
            raise
        return results

    def view_of_item(self, scope: Scope, _logs: list[list[tuple[Any, ...]]]) -> Scope:
        """What an item sees: the channel as it was when the map started."""
        return scope

    def retry(self, branch: Branch, task: Task, activation: Activation, error: Exception) -> None:
        """Try again at the back of the queue, or fail the branch."""
        if activation.retries < task.max_retries:
            activation.retries += 1
            (branch.delayed if task.delay else branch.queue).append(activation)
            return
        name, text = type(error).__name__, mask(str(error))
        if activation.retries:
            count = f"retry_count={activation.retries + 1}, max_retries={task.max_retries}"
            message = f"RetryLimitExceededError(task_id={mask(activation.name)}, {count})"
            raise Failure("RetryLimitExceededError", message, f"{name}: {text}")
        if isinstance(error, CycleLimitExceededError):
            raise Failure(name, text)
        raise Failure("GraflowRuntimeError", f"An error occurred: {text} (caused by {text})", f"{name}: {text}")

    def finish(self, branch: Branch, name: str) -> None:
        """Count a completion; a node that completes again keeps its first place."""
        branch.steps += 1
        self.finished.append(name)
        if name not in branch.completed:
            branch.completed.append(name)

    def follow(
        self, branch: Branch, activation: Activation, directives: list[tuple[str, Any]], value: Any = NOTHING
    ) -> bool:
        """Carry out directives in call order; true if one of them was a goto."""
        goto = False
        self.enqueued.clear()
        for kind, asked in directives:
            if kind == "iterate":
                self.iterations += 1
                task_id = self.nodes[activation.node].id
                name = f"{task_id}_cycle_{branch.cycles[task_id]}_{self.iterations:08x}"
                self.tell("added", name, f" by {activation.name} again")
                branch.queue.append(
                    Activation(activation.node, name, asked, given=activation.given, cause=activation.cause)
                )
                continue
            target, leaves = asked
            if isinstance(target[0], Carried):
                node, given, cause = target[0]
            else:
                node, given = self.attach(branch, *target)
                cause = value
                self.tell("added", self.nodes[node].id if given is None else given.id, f" by {activation.name}")
            goto = goto or leaves
            if leaves and branch.parent and not self.reaches(branch, node):
                branch.gotos.append(Carried((node, given, cause)))
            else:
                branch.adopted.add(node)
                self.enqueued.add(node)
                self.activate(branch, node, given, cause)
        return goto

    def reaches(self, branch: Branch, node: str) -> bool:
        """Whether a branch can get to a node itself: by edges from its member, or from what it enqueued."""
        return node in self.closure({branch.head} | branch.adopted)

    # -- joins ---------------------------------------------------------------------------------------------------

    def activate(self, branch: Branch, node: str, given: Task | None = None, cause: Any = NOTHING) -> None:
        """Decide that a node shall run; what its predecessors did before counts no longer."""
        branch.fired.pop(node, None)
        branch.queue.append(Activation(node, self.nodes[node].id, given=given, cause=cause))

    def settle(self, branch: Branch, node: str, goto: bool, value: Any = NOTHING) -> None:
        """A node completed: start its successors in edge order, then whatever need not wait for it any longer.

        Those that its body has enqueued are started already.
        """
        targets = self.successors(node)
        follow = [] if goto else [t for t in targets if t not in self.enqueued]
        at_once = [t for t in follow if len(self.predecessors(t)) == 1 or self.in_loop(node, t)]
        fired = [t for t in follow if t not in at_once]
        can_run = self.closure({*self.alive(branch), *at_once, *fired})
        given_up = self.closure({node}) - can_run  # could run until now
        open_edges = {(s, t) for s in given_up for t in self.successors(s) if not self.in_loop(s, t)}
        behind: list[list[str]] = []  # nodes given up for good, whose edges are to be looked at

        def look(target: str) -> None:
            loop = self.loop(target)
            if any(p in can_run or (p, target) in open_edges for p in self.predecessors(target) if p not in loop):
                return
            if by := branch.fired.get(target):
                self.activate(branch, target, None, next(iter(by.values())) if len(by) == 1 else NOTHING)
            elif target in given_up and not any((p, t) in open_edges for t in loop for p in self.predecessors(t)):
                given_up.difference_update(loop)
                behind.append(loop)

        for target in targets:
            if target in at_once:
                open_edges.discard((node, target))
                self.activate(branch, target, None, value)
                continue
            if target in fired:
                branch.fired.setdefault(target, {})[node] = value
            if node in given_up and self.loop(node) == [node]:
                open_edges.discard((node, target))
                look(target)
        if node in given_up and self.loop(node) != [node]:
            behind.insert(0, self.loop(node))
        for loop in behind:
            for source, target in [(s, t) for s in loop for t in self.successors(s) if t not in loop]:
                open_edges.discard((source, target))
                look(target)

    def alive(self, branch: Branch) -> set[str]:
        """Nodes that are queued or delayed, and joins that have been reached and wait."""
        return {a.node for a in (*branch.queue, *branch.delayed)} | {n for n, by in branch.fired.items() if by}

    # -- groups --------------------------------------------------------------------------------------------------

    def run_group(self, branch: Branch, group: Group, activation: Activation) -> None:
        """Run the members in order, replay what they did in order, ask the policy, and go on as a task would."""
        errors: dict[str, Failure] = {}
        done: list[Branch] = []
        stopped = None
        branch.cycles[group.id] = branch.cycles.get(group.id, 0) + 1
        self.tell("start", group.id)
        for head in group.members:
            member = Branch(head, self.scope_class(branch.scope), branch)
            member.queue.append(Activation(head, self.nodes[head].id, cause=activation.cause))
            try:
                self.run_branch(member)
            except Failure as failure:
                if failure.error[0] == "GraflowWorkflowCanceledError":
                    raise
                branch.steps += member.steps if self.count_failed_steps else 0
                errors[self.nodes[head].id] = failure
                continue
            done.append(member)
            branch.cycles.update(member.cycles)
            stopped = member.stopped
            if stopped:
                break
        for member in done:
            self.join(branch, member)
        try:
            if not stopped:
                judge(group, errors, len(group.members))
        except Failure:
            self.tell("failed", group.id)
            raise
        self.tell("end", group.id)
        branch.scope.set(group.id + ".__result__", None)
        branch.last = None
        self.finish(branch, group.id)
        if stopped:
            branch.stopped = stopped
            return
        gotos = [("next", ((target, ""), True)) for member in done for target in member.gotos]
        key = activation.node
        self.settle(branch, key, self.follow(branch, Activation(key, group.id), gotos))

    def join(self, branch: Branch, member: Branch) -> None:
        """Take over what a member did."""
        branch.scope.replay(member.scope.log)
        branch.steps += member.steps
        for name, key in member.names.items():
            if self.known(branch, name) is None:
                branch.names[name] = key


def spawn(ctx: Context, target: Any, goto: bool, prefix: str) -> None:
    """`next_task` of the model: a known node by name, or a fragment."""
    ctx.directives.append(("next", ((target, prefix), goto)))


def mask_error(failure: Failure) -> tuple[str, str, str]:
    return failure.error[0], mask(failure.error[1]), mask(failure.error[2])


def predict(program: Program, budget: int = 400) -> Outcome:
    """What the program means."""
    return Model(program, budget).run()
