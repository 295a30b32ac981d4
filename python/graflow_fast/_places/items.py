"""Chunks of a map's items in this process: in the calling thread, or in threads.

Owns how the body of a map is called here. Knows nothing of retries or item order.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.arguments import NOTHING
from graflow_fast._body.captured import CapturedThreads, Pieces, capture
from graflow_fast._body.items import Body, Outcome, run_items
from graflow_fast._body.scope import Operation, replay

if TYPE_CHECKING:
    from graflow_fast._places.attempt import Chunk, Map
    from graflow_fast._places.host import Host
    from graflow_fast._places.threads import Threads


class ItemsHere:
    """What the places of one map in this process have in common."""

    workers = 1
    in_caller = False
    crosses = False

    def __init__(self, host: Host, owner: Map) -> None:
        self.host = host
        self.map = owner
        limit = owner.definition.max_concurrency
        self.limit: int | None = None if limit is None else int(limit)
        if owner.definition.resources is not None:
            self.limit = host.resources.at_once(owner.definition)

    def replay(self, log: list[Operation]) -> None:
        """Do the items' writes on the channel of the map's branch."""
        replay(log, self.map.attempt.branch.channel, self.host.live)

    def close(self, interrupted: bool = False) -> None:
        """Nothing is held."""

    def body(self, chunk: Chunk) -> Body:
        """Return how the body is called in this process."""
        owner, host = self.map, self.host
        task = owner.task.task
        channel = owner.attempt.branch.channel
        parent = owner.attempt.branch.context
        prior = chunk.prior

        def context_of(item_id: str) -> Any:
            own = host.live.branch_channel(f"{channel.name}_{item_id}", channel, host.live)
            if prior:
                replay(prior, own, host.live)
                own.log.clear()
            context = parent.create_branch_context(item_id, own)
            context._group = owner.attempt.base_id
            context.cycle_controller.cycle_counts[item_id] = 1  # it has started, as any body has
            if chunk.number:
                context.retry_controller = parent.retry_controller
            return context

        previous = host.bodies.previous_of(owner.attempt) if owner.task.has_own_items else NOTHING
        handler = host.handlers.get(task.handler_type)
        body = Body(
            owner.definition,
            owner.name,
            lambda: task._bound_kwargs,
            context_of,
            previous,
            handler,
            spread=owner.task.spread,
        )
        definition = owner.definition
        if definition.is_surrounded:
            from graflow_fast._places.surrounded import body_of

            body.func = body_of(definition, parent.session_id)
        return body


class InlineItems(ItemsHere):
    """The calling thread, one chunk at a time."""

    in_caller = True

    def has_room(self, under_way: int) -> bool:
        """One at a time."""
        return under_way == 0

    def submit(self, chunk: Chunk) -> None:
        """Run the chunk now, up to the first item that fails; what is behind it is given back."""
        owner = self.map
        items = chunk.items
        context = owner.attempt.branch.context
        outer = context.current_task_context
        started = time.monotonic()
        body = self.body(chunk)

        def run() -> Outcome:
            return run_items(
                body, items, chunk.first, detailed=owner.detailed, caught=Exception, until_failure=chunk.size > 1
            )

        try:
            is_first = chunk.is_oldest and owner.attempt.branch.flows()
            if is_first:
                chunk.show_said()
            if is_first or self.host.live_output:
                outcome = run()
            else:  # an earlier item is still to be tried again, or an earlier member runs: what these print comes first
                with CapturedThreads(), capture() as pieces:
                    outcome = run()
                if pieces:
                    outcome.pieces.append((len(outcome.results) - 1, pieces))
        finally:
            context.current_task_context = outer
        done = len(outcome.results)
        if done < chunk.size and outcome.failures:
            chunk.cut(done)
        chunk.measured(done, time.monotonic() - started, 0)
        chunk.returned(outcome, None)

    def give_up(self, ticket: int) -> bool:
        """Nothing to stop: whoever asks is in this thread."""
        return False


class ThreadItems(ItemsHere):
    """Threads of this process."""

    def __init__(self, host: Host, owner: Map, threads: Threads) -> None:
        super().__init__(host, owner)
        self.workers = host.settings.resolved_workers()
        self.threads = threads

    def has_room(self, under_way: int) -> bool:
        """As many as there are threads."""
        return under_way < (self.workers if self.limit is None else min(self.limit, self.workers))

    def submit(self, chunk: Chunk) -> None:
        """Have a thread run the chunk."""
        owner, running = self.map, self.host.attempts.running
        running[chunk.ticket] = chunk
        items = list(chunk.items)
        first = chunk.first
        body = self.body(chunk)

        def work(pieces: Pieces) -> tuple[Outcome, float]:
            started = time.monotonic()
            outcome = run_items(body, items, first, detailed=owner.detailed, take_output=pieces.take)
            return outcome, time.monotonic() - started

        def done(result: tuple[Outcome, float], _: Pieces) -> None:
            del running[chunk.ticket]
            outcome, seconds = result
            chunk.measured(chunk.size, seconds, 0)
            chunk.returned(outcome, None)

        self.threads.submit_call(chunk.ticket, None, work, done)

    def give_up(self, ticket: int) -> bool:
        """Let nothing come of a chunk any more."""
        self.host.attempts.running.pop(ticket, None)
        return self.threads.give_up(ticket)
