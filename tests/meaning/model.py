"""The reference model: what a program means, as an interpreter that is slow, sequential and obviously right.

It follows the written contract, not the engine: members run one after the other in order, a scope is a copied
dictionary, and whether a join has to wait is answered by searching the graph from everything that can still run,
each time anew. It shares with the engine only the scripts (`program.make_player`).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from .program import Group, Outcome, Program, Task, make_player, mask
from .state import Activation, Branch, Context, CycleLimitExceededError, Failure, Scope, TooLong


class Model:
    """One run of one program."""

    count_failed_steps = False  # graflow counts the steps of branches that replay, and no others

    def __init__(self, program: Program, budget: int = 400) -> None:
        self.program, self.budget = program, budget
        # A node of the program has its name as its key; those made in a branch have keys of their own.
        self.nodes: dict[str, Task | Group] = {node.id: node for node in program.nodes}
        self.edges: list[tuple[str, str]] = []
        for edge in program.edges:
            self.add_edge(*edge)
        self.out: list[str] = []
        self.started: list[str] = []  # names in order, retries and members included
        self.finished: list[str] = []
        self.iterations = 0

    def run(self) -> Outcome:
        """Interpret the program from its start."""
        start = self.program.start or only_root(self.program)
        root = Branch(start, Scope())
        root.queue.append(Activation(start, start))
        try:
            self.run_branch(root)
        except Failure as failure:
            return Outcome(printed=self.printed(), error=mask_error(failure), failed=failure.failed)
        scope = root.scope
        return Outcome(
            result=repr(root.last),
            channel=tuple((mask(key), mask(repr(value))) for key, value in scope.data.items()),
            sums=() if self.program.uses("terminate") else tuple(sorted((k, repr(v)) for k, v in scope.sums.items())),
            completed=tuple(mask(name) for name in root.completed),
            steps=root.steps,
            stop_reason=root.stopped or "completed",
            printed=self.printed(),
        )

    def printed(self) -> str:
        return mask("".join(line + "\n" for line in self.out))

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
            self.started.append(activation.name)
            node = self.nodes[activation.node]
            if isinstance(node, Group):
                self.run_group(branch, node, activation.node)
            else:
                self.run_task(branch, activation.given or node, activation)
            if branch.stopped:
                return

    def run_task(self, branch: Branch, task: Task, activation: Activation) -> None:
        """One attempt of a task, and what follows from it."""
        if not activation.retries:
            branch.cycles[task.id] = branch.cycles.get(task.id, 0) + 1
        ctx = Context(branch, activation, task.id, task.max_cycles)
        try:
            result = make_player(task.plain())(ctx, self.out.append, spawn, activation.data)
        except (ValueError, TypeError, CycleLimitExceededError) as error:
            branch.scope.set(activation.name + ".__result__", error)
            self.retry(branch, task, activation, error)
            return
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
        goto = self.follow(branch, activation, ctx.directives)
        if not any(kind == "iterate" for kind, _ in ctx.directives):
            self.settle(branch, activation.node, goto)

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

    def follow(self, branch: Branch, activation: Activation, directives: list[tuple[str, Any]]) -> bool:
        """Carry out directives in call order; true if one of them was a goto."""
        goto = False
        for kind, value in directives:
            if kind == "iterate":
                self.iterations += 1
                task_id = self.nodes[activation.node].id
                name = f"{task_id}_cycle_{branch.cycles[task_id]}_{self.iterations:08x}"
                branch.queue.append(Activation(activation.node, name, value, given=activation.given))
                continue
            target, leaves = value
            node, given = self.attach(branch, *target)
            goto = goto or leaves
            if leaves and branch.parent and not self.reaches(branch, node):
                branch.gotos.append((node, given))
            else:
                branch.adopted.add(node)
                self.activate(branch, node, given)
        return goto

    def reaches(self, branch: Branch, node: str) -> bool:
        """Whether a branch can get to a node itself: by edges from its member, or from what it enqueued."""
        return node in self.closure({branch.head} | branch.adopted)

    # -- joins ---------------------------------------------------------------------------------------------------

    def activate(self, branch: Branch, node: str, given: Task | None = None) -> None:
        """Decide that a node shall run; what its predecessors did before counts no longer."""
        branch.fired.pop(node, None)
        branch.queue.append(Activation(node, self.nodes[node].id, given=given))

    def settle(self, branch: Branch, node: str, goto: bool) -> None:
        """A node completed: start its successors in edge order, then whatever need not wait for it any longer."""
        targets = self.successors(node)
        at_once = [t for t in targets if not goto and (len(self.predecessors(t)) == 1 or self.in_loop(node, t))]
        fired = [t for t in targets if not goto and t not in at_once]
        can_run = self.closure({*self.alive(branch), *at_once, *fired})
        given_up = self.closure({node}) - can_run  # could run until now
        open_edges = {(s, t) for s in given_up for t in self.successors(s) if not self.in_loop(s, t)}
        behind: list[list[str]] = []  # nodes given up for good, whose edges are to be looked at

        def look(target: str) -> None:
            loop = self.loop(target)
            if any(p in can_run or (p, target) in open_edges for p in self.predecessors(target) if p not in loop):
                return
            if branch.fired.get(target):
                self.activate(branch, target)
            elif target in given_up and not any((p, t) in open_edges for t in loop for p in self.predecessors(t)):
                given_up.difference_update(loop)
                behind.append(loop)

        for target in targets:
            if target in at_once:
                open_edges.discard((node, target))
                self.activate(branch, target)
                continue
            if target in fired:
                branch.fired.setdefault(target, set()).add(node)
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

    def closure(self, start: set[str]) -> set[str]:
        """All that can be reached by edges from `start`, itself included."""
        found, todo = set(start), list(start)
        while todo:
            for successor in self.successors(todo.pop()):
                if successor not in found:
                    found.add(successor)
                    todo.append(successor)
        return found

    def in_loop(self, source: str, target: str) -> bool:
        """Whether an edge lies inside a loop: its source can be reached back from its target."""
        return source in self.closure({target})

    def loop(self, node: str) -> list[str]:
        """The nodes that can be reached from a node and reach it back, in order of definition; at least itself."""
        return [other for other in self.nodes if other in self.closure({node}) and node in self.closure({other})]

    # -- groups --------------------------------------------------------------------------------------------------

    def run_group(self, branch: Branch, group: Group, key: str) -> None:
        """Run the members in order, replay what they did in order, ask the policy, and go on as a task would."""
        errors: dict[str, Failure] = {}
        done: list[Branch] = []
        stopped = None
        branch.cycles[group.id] = branch.cycles.get(group.id, 0) + 1
        for head in group.members:
            member = Branch(head, Scope(branch.scope), branch)
            member.queue.append(Activation(head, self.nodes[head].id))
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
        if not stopped:
            self.judge(group, errors)
        branch.scope.set(group.id + ".__result__", None)
        branch.last = None
        self.finish(branch, group.id)
        if stopped:
            branch.stopped = stopped
            return
        gotos = [("next", ((target, ""), True)) for member in done for target in member.gotos]
        self.settle(branch, key, self.follow(branch, Activation(key, group.id), gotos))

    def join(self, branch: Branch, member: Branch) -> None:
        """Take over what a member did."""
        branch.scope.replay(member.scope.log)
        branch.steps += member.steps
        for name, key in member.names.items():
            if self.known(branch, name) is None:
                branch.names[name] = key

    def judge(self, group: Group, errors: dict[str, Failure]) -> None:
        """Ask the policy whether a group with these failed members failed."""
        good, message, first = len(group.members) - len(errors), "", next(iter(errors.values()), None)
        if group.policy == "strict" and errors:
            message = f"Parallel group {group.id} failed: {len(errors)} task(s) failed"
        elif group.policy[0] == "at_least" and good < group.policy[1]:
            message = f"Only {good}/{group.policy[1]} tasks succeeded in group {group.id}"
        elif group.policy[0] == "critical":
            errors = {head: errors[head] for head in group.policy[1] if head in errors}
            message = f"Critical tasks failed: {list(errors)}" if errors else ""
        if message and first:
            failed = tuple((head, failure.error[1]) for head, failure in errors.items())
            raise Failure("ParallelGroupError", message, f"{first.error[0]}: {first.error[1]}", failed)

    # -- the graph -----------------------------------------------------------------------------------------------

    def successors(self, node: str) -> list[str]:
        return [target for source, target in self.edges if source == node]

    def predecessors(self, node: str) -> list[str]:
        return [source for source, target in self.edges if target == node]

    def add_edge(self, source: str, target: str) -> None:
        if (source, target) not in self.edges:
            self.edges.append((source, target))

    def known(self, branch: Branch | None, name: str) -> str | None:
        """The node that a name stands for in a branch: its own, or one that was made around it before it started."""
        while branch is not None:
            if name in branch.names:
                return branch.names[name]
            branch = branch.parent
        return name if name in self.nodes else None

    def attach(self, branch: Branch, target: Any, prefix: str) -> tuple[str, Task | None]:
        """The node that is meant, and the task to run there if it is not the node's own."""
        if isinstance(target, str):
            return target, None
        if len(target) == 2 and target[0] in self.nodes:  # carried from a branch
            return target
        if target[0] == "task":
            task = Task(prefix + target[1][0], *target[1][1:])
            node = self.known(branch, task.id)
            return (self.define(branch, task), None) if node is None else (node, task)
        return self.place(branch, target, prefix)[0], None

    def define(self, branch: Branch, node: Task | Group) -> str:
        """Make a node; its name stands for it, if it stands for no other."""
        key = f"{node.id}#{len(self.nodes)}"
        if self.known(branch, node.id) is None:
            branch.names[node.id] = key
        self.nodes[key] = node
        return key

    def place(self, branch: Branch, part: Any, prefix: str) -> tuple[str, str]:
        """Put a part into the graph: its first and its last node."""
        if part[0] == "task":
            key = self.define(branch, Task(prefix + part[1][0], *part[1][1:]))
            return key, key
        if part[0] == "group":
            heads = [self.place(branch, member, prefix)[0] for member in part[2]]
            policy = ("critical", tuple(prefix + m for m in part[3][1])) if part[3][0] == "critical" else part[3]
            key = self.define(branch, Group(prefix + part[1], tuple(heads), policy))
            return key, key
        ends = [self.place(branch, inner, prefix) for inner in part[1]]
        for (_, last), (first, _) in pairwise(ends):
            self.add_edge(last, first)
        return ends[0][0], ends[-1][1]


def spawn(ctx: Context, target: Any, goto: bool, prefix: str) -> None:
    """`next_task` of the model: a known node by name, or a fragment."""
    ctx.directives.append(("next", ((target, prefix), goto)))


def mask_error(failure: Failure) -> tuple[str, str, str]:
    return failure.error[0], mask(failure.error[1]), mask(failure.error[2])


def only_root(program: Program) -> str:
    """The one node with successors and without predecessors that is no member of a group."""
    members = {member for node in program.nodes if isinstance(node, Group) for member in node.members}
    targets = {target for _, target in program.edges}
    roots = {source for source, _ in program.edges} - targets - members
    (root,) = roots or {program.nodes[0].id}
    return root


def predict(program: Program, budget: int = 400) -> Outcome:
    """What the program means."""
    return Model(program, budget).run()
