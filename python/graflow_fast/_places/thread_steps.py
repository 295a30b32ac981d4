"""Plain steps in threads: begun and ended without a record of their attempt, unless somebody asks for one meanwhile.

Owns which of them are under way. How threads run calls is `threads`', which steps are plain `plain_steps`'.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from graflow_fast._body.awaited import awaited
from graflow_fast._places.plain_steps import StepContext
from graflow_fast.core import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from graflow_fast._actions import Action
    from graflow_fast._body.captured import Pieces
    from graflow_fast._places.host import StepHost
    from graflow_fast._places.plain_steps import PlainSteps
    from graflow_fast._places.threads import Threads
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.task_context import TaskExecutionContext

#: Seconds after which a step is a long one: what waits for its end in order may be shown at once.
_LONG = 0.05


class ThreadStep:
    """One of them.

    Attributes:
        action: by which the scheduler has asked for it; name: of its task; branch: that it runs in.
        started, ended: when its body was called and when it was over, in seconds since the epoch; 0 before that.
    """

    __slots__ = ("action", "branch", "ended", "name", "started")

    def __init__(self, action: Action, name: str) -> None:
        self.action = action
        self.name = name
        self.branch: int = action[3]
        self.started = self.ended = 0.0


class ThreadSteps:
    """The plain steps of one run that are in its threads."""

    def __init__(self, host: StepHost, steps: PlainSteps, threads: Callable[[], Threads]) -> None:
        self._host = host
        self._steps = steps
        self._threads = threads
        self._under_way: dict[int, ThreadStep] = {}
        #: A member's branch that has just ended, if somebody may wait for his turn to print.
        self._noted = 0

    def show(self) -> None:
        """Show what later members have said, now that the scheduler knows of one's end."""
        noted, self._noted = self._noted, 0
        if noted:
            self._steps.flows(noted)

    def start(self, action: Action) -> bool:
        """Start the attempt that an action asks for if it is a plain step that runs in a thread; say whether it is."""
        begun = self._steps.core.begin(action)
        if begun is None:
            return False
        name, function, takes_context, arguments = begun
        step = ThreadStep(action, name)
        self._under_way[action[1]] = step
        self._submit(step, function, takes_context, arguments or {})
        return True

    def _submit(
        self, step: ThreadStep, function: Callable[..., Any], takes_context: bool, arguments: dict[str, Any]
    ) -> None:
        ticket = step.action[1]
        context = StepContext(step, lambda branch_id: self._context_of(ticket, branch_id))

        def work(pieces: Pieces) -> tuple[Any, BaseException | None, TaskExecutionContext | None]:
            step.started = time.time()
            registry.running.task_context = context
            result: Any = None
            raised: BaseException | None = None
            try:
                if takes_context:  # of the workflow's own branch, in which nothing else is under way
                    made = registry.running.task_context = self._host.context.current_task_context = context.made()
                    result = awaited(function(made, **arguments))
                else:
                    result = awaited(function(**arguments))
            except BaseException as error:
                raised = error
            step.ended = time.time()
            registry.running.task_context = None
            return result, raised, context.given()

        def done(outcome: tuple[Any, BaseException | None, TaskExecutionContext | None], pieces: Pieces) -> None:
            self._done(step, *outcome, pieces)

        if not step.branch:
            self._host.context.current_task_context = context  # type: ignore[assignment]
        flows = not step.branch or self._steps.flows(step.branch)
        self._threads().submit_call(ticket, None, work, done, flows)

    def _context_of(self, ticket: int, branch_id: int) -> ExecutionContext:
        """Return the context of a branch to a body in a thread: records are made in the driver's."""
        host, threads = self._host, self._threads()
        if branch_id == 0:
            return host.context

        def made() -> ExecutionContext:
            branch = host.branches.branch(branch_id)
            threads.uses_channel(ticket, branch)
            return branch.context

        return threads.call_in_driver(made)  # type: ignore[no-any-return]

    def _done(
        self,
        step: ThreadStep,
        result: Any,
        raised: BaseException | None,
        context: TaskExecutionContext | None,
        pieces: Pieces,
    ) -> None:
        """Apply what became of a step, in the driver's thread."""
        host, action, branch_id = self._host, step.action, step.branch
        ticket = action[1]
        self._under_way.pop(ticket, None)
        host.bodies.ran()
        if not branch_id:
            host.context.current_task_context = None
        elif context is not None:
            context.execution_context.current_task_context = None
        if pieces:
            host.branches.output_of(branch_id).write(pieces)
        asked = None if context is None else context.directives
        attempt = host.attempts.running.pop(ticket, None)
        if (
            raised is None
            and asked is None
            and attempt is None
            and self._steps.core.complete(action, result, step.started)
        ):
            if branch_id == 0:
                host.last_result = result
            elif pieces or step.ended - step.started > _LONG:
                self._noted = branch_id
            return
        if attempt is None:
            attempt = host.attempts.of_step(action, step.started)
        if raised is not None:
            attempt.failed(raised)
        else:
            attempt.returned(result, asked)

    # --- for those who want to know which attempts there are

    def attempt(self, ticket: int) -> tuple[int, int, int, int, int, int | None] | None:
        """Return of a step its node, branch, cause, number, tag and version of the channel, None of an unknown one."""
        step = self._under_way.get(ticket)
        if step is None:
            return None
        _, _, node, branch_id, number, tag, cause = step.action
        return node, branch_id, cause, number, tag, None

    def forget(self, ticket: int) -> None:
        """Nothing will be applied of a step."""
        self._under_way.pop(ticket, None)

    def tickets(self) -> list[int]:
        """Return the tickets of all of them."""
        return sorted(self._under_way)
