"""A run in virtual time: the real scheduler, told of attempts that take as long as somebody says.

Owns the clock, the workers' time and in which order ends are told. What an attempt takes and what it asks for is
`Bodies`' business: read from a record (`replaying`), or guessed for a plan. Runs no body and knows no words.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from graflow_fast._actions import ABANDON, FINISHED, FORK, JOIN, RUN
from graflow_fast._core import Scheduler

#: The scheduler's lane of all tasks of the workflow's own branch.
ROOT_LANE = (1 << 32) - 1
#: The same that a run takes: members declared before one that cancels have so long to end.
_CANCEL_GRACE = 0.5


@dataclass
class Model:
    """What of a workflow the scheduler has to know.

    Attributes:
        names: The name of each node.
        groups: The groups, by node.
        members: The members of each group.
        edges: Source, target, source, target, ... by node.
        roots: Where it starts, in order.
        options: Priority and lane of the nodes that have any.
        lanes: Limit (None: none) and demand, in units by resource, of each lane.
        totals: How many units of each resource there are.
        parallel: Whether the workflow's own branch runs everything that is ready.
        max_steps: At most so many steps in a branch; None: no limit.
        max_concurrency: At most so many tasks of a parallel schedule at once; None: no limit.
    """

    names: Sequence[str]
    groups: frozenset[int] | set[int]
    members: Mapping[int, Sequence[int]]
    edges: array[int] | Sequence[int]
    roots: Sequence[int]
    options: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    lanes: Mapping[int, tuple[int | None, Sequence[tuple[int, int]]]] = field(default_factory=dict)
    totals: Mapping[int, int] = field(default_factory=dict)
    parallel: bool = False
    max_steps: int | None = None
    max_concurrency: int | None = None


class Attempt(NamedTuple):
    """What one attempt takes, in seconds, and what comes of it."""

    ran: float
    #: From the moment that it could start to the start of its body.
    before: float = 0.0
    #: From the end of its body to the moment that the scheduler hears of it.
    after: float = 0.0
    #: Whether it runs on a worker; else in the calling thread, which does nothing else meanwhile.
    on_worker: bool = True
    fails: bool = False
    #: After how many seconds it is tried again, if it fails; None: never.
    retry_delay: float | None = None
    #: What it asks for, as the scheduler takes it.
    directives: Sequence[tuple[int, int, int]] = ()
    #: Of a map: what each of its chunks waits and takes.
    chunks: Sequence[tuple[float, float]] = ()


class Bodies(Protocol):
    """What is known of attempts."""

    def attempt(self, node: int, branch: int) -> Attempt:
        """Return what the next attempt of a node takes; ``branch`` is 0 for the workflow's own."""

    def join(self, node: int) -> tuple[float, bool]:
        """Return what the join of a group takes, and whether the group's policy is content."""


class Span(NamedTuple):
    """One attempt, as it ran in virtual time."""

    node: int
    branch: int
    start: float
    end: float


class Simulation:
    """One run of a model, once."""

    def __init__(
        self, model: Model, bodies: Bodies, workers: int, available: Sequence[float] = (), begins: float = 0.0
    ) -> None:
        """Make it.

        Args:
            model: What runs.
            bodies: What it takes.
            workers: How many workers there are.
            available: When each of the first workers is there; those behind come when the last of these does.
            begins: When the first task may start.
        """
        self._bodies = bodies
        self._workers = max(1, workers)
        latest = max(available, default=0.0)
        self._free = [available[number] if number < len(available) else latest for number in range(self._workers)]
        heapq.heapify(self._free)
        # As in a run: where priorities say who comes first, nobody is sent ahead of his turn.
        ranked = any(priority for priority, _ in model.options.values())
        self._room = self._workers * (1 if ranked else 2)
        self._scheduler = _scheduler_of(model, self._workers)
        self._roots = list(model.roots)
        self._groups = model.groups
        #: Ends that the scheduler has not heard of: when it will, in which order they began, ticket, what came of it.
        self._ends: list[tuple[float, int, int, Attempt]] = []
        self._count = 0
        self._given_up: set[int] = set()
        self._in_pool = 0
        self._now = begins
        self.spans: list[Span] = []
        self.reason = 0
        self._kept = False

    def run(self, keep_spans: bool = False) -> float:
        """Let it run to its end; return how many seconds it takes.

        Args:
            keep_spans: Whether ``spans`` shall have what ran when.
        """
        self._kept = keep_spans
        scheduler = self._scheduler
        scheduler.start(self._roots, self._now)
        while not scheduler.finished():
            action = scheduler.next(self._now) if self._in_pool < self._room else None
            if action is None:
                if not self._wait():
                    break  # a graph that leads nowhere: nothing can ever happen again
                continue
            kind, ticket, node, branch, number = action[:5]
            if kind == RUN:
                self._begin(ticket, node, branch)
            elif kind == JOIN:
                seconds, is_content = self._bodies.join(node)
                self._now += seconds
                if is_content:
                    scheduler.complete(ticket, None, self._now)
                else:
                    scheduler.fail(ticket, None, self._now)
            elif kind == ABANDON:
                self._given_up.add(ticket)
            elif kind == FINISHED:
                self.reason = number
            else:
                assert kind >= FORK  # groups begin and branches end by themselves
        return self._now

    def _wait(self) -> bool:
        """Go on to the next thing that happens; False: there is none."""
        deadline = self._scheduler.deadline() if self._in_pool < self._room else None
        if self._ends and (deadline is None or self._ends[0][0] <= deadline):
            when, _, ticket, attempt = heapq.heappop(self._ends)
            self._now = max(self._now, when)
            self._in_pool -= 1
            self._tell(ticket, attempt)
            return True
        if deadline is None:
            return False
        self._now = max(self._now, deadline)
        return True

    def _begin(self, ticket: int, node: int, branch: int) -> None:
        attempt = self._bodies.attempt(node, branch)
        if attempt.chunks and attempt.on_worker:
            end = self._now
            for before, ran in attempt.chunks:
                start = max(self._now, heapq.heappop(self._free)) + before
                heapq.heappush(self._free, start + ran)
                end = max(end, start + ran)
                self._note(node, branch, start, start + ran)
        elif attempt.on_worker:
            start = max(self._now, heapq.heappop(self._free)) + attempt.before
            end = start + attempt.ran
            heapq.heappush(self._free, end)
            self._note(node, branch, start, end)
        else:
            for before, ran in attempt.chunks or ((attempt.before, attempt.ran),):
                start = self._now + before
                self._now = start + ran
                self._note(node, branch, start, self._now)
            self._now += attempt.after
            self._tell(ticket, attempt)
            return
        self._count += 1
        self._in_pool += 1
        heapq.heappush(self._ends, (end + attempt.after, self._count, ticket, attempt))

    def _tell(self, ticket: int, attempt: Attempt) -> None:
        if ticket in self._given_up:
            self._given_up.discard(ticket)
        elif attempt.fails:
            self._scheduler.fail(ticket, attempt.retry_delay, self._now)
        else:
            self._scheduler.complete(ticket, list(attempt.directives) or None, self._now)

    def _note(self, node: int, branch: int, start: float, end: float) -> None:
        if self._kept:
            self.spans.append(Span(node, branch, start, end))


def _scheduler_of(model: Model, workers: int) -> Scheduler:
    """Return the scheduler of a run, with its graph."""
    scheduler = Scheduler(parallel=model.parallel, max_steps=model.max_steps, cancel_grace=_CANCEL_GRACE)
    options = model.options
    for node in range(len(model.names)):
        priority, lane = options.get(node, (0, 0))
        scheduler.add_node(group=node in model.groups, priority=priority, lane=lane)
    for resource, total in model.totals.items():
        scheduler.set_resource(resource, total)
    for lane, (limit, demand) in model.lanes.items():
        if limit is not None:
            scheduler.set_lane_limit(lane, limit)
        if demand:
            scheduler.set_lane_demand(lane, list(demand))
    if model.parallel and model.max_concurrency is not None:
        scheduler.set_lane_limit(ROOT_LANE, min(workers, model.max_concurrency))
    for group, members in model.members.items():
        scheduler.set_members(group, list(members))
    for place in range(0, len(model.edges), 2):
        scheduler.add_edge(model.edges[place], model.edges[place + 1])
    return scheduler
