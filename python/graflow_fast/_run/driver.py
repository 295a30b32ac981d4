"""The driver of one run: it asks the scheduler what to do next, has that done where it belongs, and waits.

Owns the loop and the parts of a run. It decides nothing about what may run (the scheduler does), where and how bodies
are called (their places), nor what becomes of them (`outcomes`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from graflow_fast._actions import (
    ABANDON,
    BRANCH_ENDED,
    BRANCH_FAILED,
    BRANCH_STOPPED,
    FINISHED,
    FORK,
    JOIN,
    OVERRUN,
    RUN,
    TERMINATED,
    Action,
)
from graflow_fast._body.packing import unpacked
from graflow_fast._body.scope import LiveStore
from graflow_fast._core import Branches, Scheduler, give_back_memory
from graflow_fast._hints import with_hint
from graflow_fast._places.bodies import Bodies
from graflow_fast._places.placement import Placement
from graflow_fast._places.places import Places
from graflow_fast._run import explain, listeners
from graflow_fast._run.attempts.attempt import Attempt
from graflow_fast._run.attempts.attempts import Attempts
from graflow_fast._run.attempts.directives import Requested
from graflow_fast._run.attempts.failures import Failures
from graflow_fast._run.attempts.outcomes import Outcomes
from graflow_fast._run.attempts.tags import Tags
from graflow_fast._run.branches.branches import RootBranch
from graflow_fast._run.branches.concurrency import Concurrency
from graflow_fast._run.branches.groups import Groups
from graflow_fast._run.branches.parts import BranchParts
from graflow_fast._run.branches.restored import ended_before
from graflow_fast._run.branches.table import BranchTable
from graflow_fast._run.forgetting import Forgetting
from graflow_fast._run.nodes import NodeTable
from graflow_fast._run.outside import Outside
from graflow_fast._run.resources import Resources
from graflow_fast._run.stop import finish
from graflow_fast._run.tracing import Tracing
from graflow_fast.core import registry
from graflow_fast.exceptions import GraflowRuntimeError, StepLimitExceededError

if TYPE_CHECKING:
    from graflow_fast._core import PlainJournal, StepCounts, Versions
    from graflow_fast._places.place import Place
    from graflow_fast._run.journal.journal import Journal
    from graflow_fast._run.journal.replay import Replay
    from graflow_fast._run.log import Log
    from graflow_fast._run.maps.maps import Maps
    from graflow_fast._run.progress import Shown
    from graflow_fast._run.recording import Recording
    from graflow_fast._run.settings import Settings
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.handler import TaskHandler

EXECUTION_LIMIT = 10_000

#: The scheduler's lane of all tasks of the workflow's own branch, where several may run at once.
ROOT_LANE = (1 << 32) - 1

#: After so many tasks added at run time, pages between what they left are given back to the system.
_MANY_ADDED = 100_000

#: Seconds that members declared before one that cancels may take to end, since in order they would have run first.
CANCEL_GRACE = 0.5


class Run:
    """One execution of a context's graph."""

    def __init__(self, context: ExecutionContext, handlers: dict[str, TaskHandler]) -> None:
        settings: Settings = context.settings
        self.context = context
        self.settings = settings
        self.handlers = handlers
        self.parallel: bool = settings.schedule == "parallel"
        self.live_output: bool = settings.output == "live"
        self.scheduler: Scheduler = Scheduler(
            parallel=self.parallel,
            max_steps=None if context.max_steps is None else max(0, context.max_steps - context.steps),
            execution_limit=EXECUTION_LIMIT,
            cancel_grace=CANCEL_GRACE,
        )
        self.journal: Journal | None = None
        #: What time it is; in a durable run that catches up, what time it was.
        self.clock: Callable[[], float] = time.monotonic
        #: What lets a durable run catch up, None where there is nothing to catch up with.
        self.replay: Replay | None = None
        if settings.durable:
            listeners.open_journal(self)
        #: The workflow that is current where the run was started.
        self.workflow_around = registry.current_workflow.get()
        #: Steps counted before this run, or by hand during it.
        self.steps_before: int = context.steps
        self.last_result: object = None
        #: Whether it has ended, however.
        self.closed = False
        self._step_counts: StepCounts | None = None
        self._make_state()
        self._make_parts()
        if self.journal is not None:
            listeners.attach_journal(self, self.journal)
        if self.parallel:
            self._limit_concurrency()

    def _make_state(self) -> None:
        """Make what there is before anything runs: nodes, branches, what is kept of them."""
        context, keep = self.context, self.settings.keep_results
        self.root = RootBranch(context)
        self.resources = Resources(self.settings, self.scheduler)
        self.nodes: NodeTable = NodeTable(self.scheduler, context.graph, self.root, self.resources)
        self.live: LiveStore = LiveStore(context.channel)
        #: What concurrent tasks see of each other, None in a sequential run.
        self.concurrency: Concurrency | None = None
        if self.parallel:
            self.concurrency = Concurrency(self.root, self.live, self.live_output)
        self.branches = BranchTable(self.root, self.concurrency, lambda: Branches(BranchParts(self)))
        self.placement = Placement(self.settings, self.handlers)
        #: What drops results and tasks that nobody needs any more, None when all are kept.
        self.forgetting: Forgetting | None = None
        if keep != "all":
            self.forgetting = Forgetting(context, self.scheduler, self.nodes, keep)

    def _make_parts(self) -> None:
        """Make what carries out the scheduler's actions and takes in what becomes of bodies."""
        context, nodes = self.context, self.nodes
        self.failures = Failures()
        self.tags = Tags()
        self.tracing = Tracing(context, self.scheduler, nodes, self.tags, self.keeps_all)
        #: Whether the tracer need not be told of each task.
        # Nor is it of those that run the short way, where nobody looks for a checkpoint that was asked for before.
        self.silent = self.tracing.silent and context._checkpoint_asked is None and self.journal is None
        record = getattr(context.tracer, "_record", None)
        #: Notes for the tracer that a step ran, None when nobody wants to know.
        self.note_task: Callable[..., None] | None = record.note if self.silent and record is not None else None
        self.requested = Requested(context, nodes, self.tags, self.failures, self.tracing)
        self.requested.checkpoint, context._checkpoint_asked = context._checkpoint_asked, None
        outcomes = Outcomes(self)
        self.attempts = Attempts(nodes, self.branches, self.tags, self.failures, self.tracing, outcomes)
        self.bodies = Bodies(nodes, self.handlers)
        self.places = Places(self)
        self.outside = Outside(self)
        self.recording: Recording | None = None
        #: What shows the run while it goes, None when nobody looks.
        self.shown: Shown | None = None
        #: What tells `logging` of it, None in a program that does not log.
        self.log: Log | None = None
        self._groups = Groups(self)
        self._maps: Maps | None = None

    def _limit_concurrency(self) -> None:
        """Say how many tasks of a parallel schedule may be under way.

        The pool takes more than it has workers, so that none waits for the next task; but where priorities say who
        comes first, nobody is sent ahead of his turn.
        """
        settings = self.settings
        workers = settings.resolved_workers()
        ranked = any(definition.priority for definition in self.nodes.definitions)
        ahead = self.placement.members_in_pool(None) and not ranked and not self.live_output
        if settings.max_concurrency is not None or not ahead:
            limit = min(workers, settings.max_concurrency or workers)
            self.scheduler.set_lane_limit(ROOT_LANE, limit)

    def plain_journal(self) -> PlainJournal | None:
        """Return what writes down how plain steps end, None where there are none, or somebody wants to hear of each."""
        if self.journal is None or not self.tracing.silent or self.requested.checkpoint is not None:
            return None
        return self.journal.of_plain_steps(self.live.keys)

    def step_counts(self) -> StepCounts:
        """Return what counts the starts and completions of the workflow's own tasks, by node."""
        if self._step_counts is None:
            self._step_counts = self.context.count_steps(self.nodes.names, self.nodes.ids, self.nodes.plain)
        return self._step_counts

    @property
    def keeps_all(self) -> bool:
        """Whether no result is forgotten before the end."""
        return self.forgetting is None

    @property
    def is_durable(self) -> bool:
        """Whether all that ends is written down, so that another process can go on."""
        return self.journal is not None

    @property
    def versions(self) -> Versions | None:
        """What keeps old values of the channel for concurrent tasks, None in a sequential run."""
        return None if self.concurrency is None else self.concurrency.versions.core

    @property
    def group_count(self) -> int:
        """How many groups without a name the workflow has made."""
        return self.nodes.group_count

    # --- the loop

    def execute(self) -> Any:
        """Run to the end; return the last task's result or raise what ended the run."""
        for _ in self.steps():
            pass
        return unpacked(self.last_result) if self.journal is None else self.journal.opened(self.last_result)

    def steps(self) -> Generator[None, None, None]:
        """Run to the end, handing control back whenever there is news to wait for."""
        context = self.context
        context._run = self
        context.stop_reason = None
        context._ending_forgotten = False
        context._run_steps = lambda: self.steps_before + self.scheduler.steps
        self.placement.check([*self.nodes.definitions.values(), *self.nodes.others])
        workflow = context._workflow
        self.nodes.group_count = workflow._group_counter if workflow is not None else len(self.nodes.members)
        listeners.begin(self, self._notice)
        try:
            self._start()
        except BaseException as error:  # there is no such node
            listeners.refused(self, error)
            raise
        last_before = context.graph.begin_run()
        self.outside.begin()
        try:
            action = self.scheduler.next(time.monotonic()) if self.replay is None else self._catch_up(self.replay)
            while True:
                while action is not None:
                    action = self._carry_out(action)
                if self.scheduler.finished():
                    break
                self._wait()
                yield
                action = self.next()
        except BaseException as error:
            self._close(interrupted=not isinstance(error, Exception))
            listeners.end(self, error)
            raise
        else:
            self._close()
            listeners.end(self, None)
        finally:
            context.graph.end_run(last_before)
            context._steps = self.steps_before + self.scheduler.steps
            context._run_steps = None

    def _start(self) -> None:
        context = self.context
        now = self.clock()
        names = list(context.pending)
        context.pending.clear()
        if context.resume_state is not None:
            from graflow_fast._run.resume import resume

            resume(self, names, now)
            return
        starts = []
        for name in names:
            node = self.nodes.resolve(name)
            if node is None:
                available = ", ".join(self.nodes.names[:5])
                error = GraflowRuntimeError(f"Node '{name}' not found in graph. Available nodes: {available}...")
                raise with_hint(error, name, self.nodes.names)
            starts.append(node)
        self.tracing.told = len(starts)
        self.scheduler.start(starts, now)

    def next(self) -> Action | None:
        """Return the scheduler's next action, None when something must be waited for first."""
        if not self.silent and not self.tracing.silent:
            self.tracing.queued()
        if self._maps is not None and self._maps.active and self._maps.blocks() and not self.outside.asked:
            return None
        return self.places.next(time.monotonic())

    def _carry_out(self, action: Action) -> Action | None:
        """Do one action; return the next one."""
        kind, _, node, branch_id, number, _, _ = action
        if kind == RUN:
            following = self.places.inline.go_on(action)
            if following is not action:
                return following
            self._run_task(action)
        elif kind == FINISHED:
            finish(self, node, number, branch_id)
            if number == TERMINATED and self.forgetting is not None:
                self.forgetting.ended()
            return None
        else:
            self._notice(action)
        return self.next()

    def _notice(self, action: Action) -> None:
        """Do an action that neither starts a body nor ends the run."""
        kind, ticket, node, branch_id, number, tag, cause = action
        if kind == FORK:
            self._groups.fork(ticket, node, branch_id, tag, cause)
        elif kind == BRANCH_ENDED:
            fork = self.branches.fork_of(branch_id)
            fork.end_kept()
            if tag == BRANCH_STOPPED:
                fork.stop_after(number)
            fork.end_branch(self.branches.take_branch(branch_id), number, tag != BRANCH_FAILED)
        elif kind == JOIN:
            self._groups.join(ticket, node, number, tag, bool(cause))
        elif kind == ABANDON:
            self._abandon(ticket)
        elif kind == OVERRUN:
            branch = self.branches.branch(branch_id)
            branch.failure = StepLimitExceededError(self.nodes.names[node], EXECUTION_LIMIT + 1, EXECUTION_LIMIT)
            self.failures.note(node, branch.failure, self.nodes.names[node], branch)

    def _wait(self) -> None:
        """Wait until a body reports or a deadline passes."""
        deadline = self.scheduler.deadline()
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        if self._maps is not None and self._maps.active:
            self.outside.in_body = True
            timeout = self._maps.pump(timeout)
            self.outside.in_body = False
            if timeout == 0.0 and not self.places.busy():
                return
        some_news = self.places.wait(timeout, alone=self.silent and self._maps is None)
        self.outside.answer()
        if not (some_news or self.outside.asked):
            raise GraflowRuntimeError(
                "Internal error: nothing is running and nothing may start, but the run is not finished. "
                f"In flight: {self.scheduler.in_flight()}; waiting: {self.scheduler.pending_work()}"
            )

    def _run_task(self, action: Action) -> None:
        """Have a body run where it belongs."""
        if ended_before(self, action) or self.places.start(action):
            return
        attempt = self.attempts.of_action(action)
        place: Place[Attempt] = self.map_side() if attempt.task.is_map else self.places
        place.submit(attempt)

    def _abandon(self, ticket: int) -> None:
        attempt = self.attempts.take(ticket)
        if attempt is None:
            return
        assert isinstance(attempt, Attempt), "the scheduler knows no chunks"
        self.failures.given_up.add(attempt.node)
        if self._maps is None or not self._maps.give_up(ticket):
            self.places.give_up(ticket)
        self.tracing.ended(attempt, None)

    def _catch_up(self, replay: Replay) -> Action | None:
        """Let what ended in earlier processes end again, and what had begun begin; return the next action."""
        begun = replay.catch_up()
        listeners.caught_up(self)
        for action in begun:
            self._run_task(action)
        return self.next()

    # --- the end

    def _close(self, interrupted: bool = False) -> None:
        self.closed = True
        try:
            if self._maps is not None:
                self._maps.close()
        finally:
            try:
                self.places.close(interrupted)
            finally:
                self.branches.end()
                self.outside.close()
        if len(self.nodes.names) - self.nodes.given >= _MANY_ADDED:
            give_back_memory()

    def in_own_thread(self, function: Callable[[], Any]) -> Any:
        """Call a function in the driver's thread, whichever this one is, and return its result."""
        return self.places.call_in_driver(function)

    def explain(self, task_id: str, context: ExecutionContext) -> str:
        """Say in one sentence why a task ran, waits or was skipped; ``context`` is that of the branch that asks."""
        return explain.sentence(self, task_id, self.branches.branch_of(context))

    def map_side(self) -> Maps:
        """Return what runs this run's maps, made when it is first asked for."""
        if self._maps is None:
            from graflow_fast._run.maps.maps import Maps

            self._maps = Maps(self)
        return self._maps
