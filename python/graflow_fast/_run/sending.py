"""What workers are told of a body: its arguments, the values it may ask for, the view of the channel that it names.

Owns one run's views and the shared memory that running attempts may still ask for. Knows nothing of what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._core import by_definition
from graflow_fast._run import crossing
from graflow_fast._run.arguments import NOTHING
from graflow_fast._run.branches import Branch, Fork
from graflow_fast._run.definitions import DefinitionTable
from graflow_fast._run.packing import packed_value
from graflow_fast._run.serialization import explain_unpicklable
from graflow_fast._shared.values import Copies
from graflow_fast.channels._packed import Packed
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._run.attempt import Attempt
    from graflow_fast._run.driver import Run


class Sending:
    """Packs what one run sends to its workers."""

    def __init__(self, run: Run, core: Any, table: DefinitionTable) -> None:
        self.run = run
        self.core = core
        self.table = table
        self._root_view: int | None = None
        #: The views that workers were told of, with the shared memory that each names.
        self.views: dict[int, list[Any]] = {}
        #: By ticket: the shared memory that a running attempt may still ask for.
        self._held: dict[int, list[Any]] = {}
        self.copies = Copies()
        #: Arguments that kept a member or step from the short way, as bytes: the driver asks for them next.
        self._refused: tuple[dict[str, Any], bytes] | None = None
        self._bodies_seen = 0

    def copies_for(self, branch: Branch | None) -> Copies:
        """Return the buffers that need not be sent again, none if code of the user may have changed them."""
        sequential = branch is not None and branch.fork is None and not self.run.parallel
        if self.copies and (sequential or self._bodies_seen != self.run.bodies.count):
            self.copies.clear()
        self._bodies_seen = self.run.bodies.count
        return self.copies

    def hold(self, ticket: int, held: list[Any]) -> None:
        """Hold shared memory for as long as an attempt is running that was told of it."""
        self._held.setdefault(ticket, []).extend(held)

    def release(self, ticket: int) -> None:
        """Let go of what an attempt held: it is running no longer."""
        if self._held:
            self._held.pop(ticket, None)

    def pack_plain(self, bound: dict[str, Any]) -> bytes:
        """Pack a plain member's arguments; with arguments in shared memory, which must be held, it is not plain."""
        data = crossing.dumps(bound, self.copies_for(None))
        if data[0] == crossing.SHARED_MARK:
            self.refuse(bound, data)
            raise NotPlain
        return data

    def refuse(self, bound: dict[str, Any], data: bytes) -> None:
        """Keep the bytes of arguments that are too much for a short way: they are asked for next."""
        self._refused = (bound, data)

    def pack_bound(self, task_id: str, bound: dict[str, Any], branch: Branch) -> bytes:
        if self._refused is not None:
            (refused, data), self._refused = self._refused, None
            if refused.keys() == bound.keys() and all(refused[name] is value for name, value in bound.items()):
                return data
        try:
            return crossing.dumps(bound, self.copies_for(branch))
        except Exception as error:
            from graflow_fast._run.pickling import try_to_dump

            for name, value in bound.items():
                try:
                    try_to_dump(value)
                except Exception as inner:
                    raise explain_unpicklable(task_id, f"argument '{name}'", value, inner, name) from inner
            raise explain_unpicklable(task_id, "arguments", bound, error) from error

    def extra(self, attempt: Attempt, definition: Any) -> dict[str, Any] | None:
        """Return what a worker must know beyond the plain case, None in the plain case."""
        if not definition.inject_context and not definition.parameters:
            return None
        branch = attempt.branch
        extra: dict[str, Any] = {}
        if attempt.task_id is not attempt.base_id:
            extra["base"] = attempt.base_id
        if attempt.call is not NOTHING and attempt.call is not None:
            extra["call"] = attempt.call.data if type(attempt.call) is Packed else crossing.dumps(attempt.call)
        context = branch._context
        if context is not None:
            cycles = context.cycle_controller
            count = cycles.get_cycle_count(attempt.base_id)
            if count > 1:
                extra["cycles"] = count
            if attempt.number:
                extra["retries"] = attempt.number
            limits = limits_set_by_hand(context, definition, attempt.task_id, attempt.base_id)
            if limits:
                extra["limits"] = limits
        if branch.fork is None:
            extra["group_count"] = self.run.group_count
            extra["values"] = self.declared(branch, definition)
        else:
            if attempt.task_id != branch.fork.member_name(branch.index):
                extra["member"] = branch.fork.member_name(branch.index)
            if branch.log():
                extra["values"] = self.declared(branch, definition)
        self._add_previous(attempt, definition, extra)
        return extra or None

    def _add_previous(self, attempt: Attempt, definition: Any, extra: dict[str, Any]) -> None:
        if attempt.cause < 0 or not any(parameter.required for parameter in definition.parameters):
            return
        if self.run.nodes.tasks[attempt.cause].is_group:
            return
        packed = packed_value(attempt.branch.channel, f"{self.run.nodes.names[attempt.cause]}.__result__", self.copies)
        if packed is not None:
            extra["previous"] = packed

    def declared(self, branch: Branch, definition: Any) -> dict[str, bytes | None]:
        """Return the channel's values for the parameters of a body, as bytes."""
        if not definition.resolve_keyword_args:
            return {}
        values: dict[str, bytes | None] = {}
        for parameter in definition.parameters:
            for key in (parameter.result_key, parameter.name):
                values[key] = packed_value(branch.channel, key, self.copies)
        return values

    def view(self, branch: Branch) -> int:
        fork = branch.fork
        if fork is None:
            if self._root_view is None:
                self._root_view = self.define_view(self.run.context, False, {})
            return self._root_view
        return self.fork_view(fork)

    def fork_view(self, fork: Fork) -> int:
        if fork.view is None:
            self.copies.clear()
            fork.view = self.define_view(fork.parent.context, True, self._fork_values(fork))
        return fork.view

    def _fork_values(self, fork: Fork) -> dict[str, bytes | None]:
        """Return the values that the members declare, to be sent once to each worker."""
        values: dict[str, bytes | None] = {}
        for member in by_definition(fork.group.tasks, TaskWrapper):
            if isinstance(member, TaskWrapper):
                values.update(self.declared(fork.parent, member._definition))
        return values

    def define_view(self, context: Any, shared: bool, values: dict[str, bytes | None]) -> int:
        key: int = next(self.table.keys)
        content = (
            shared,
            context.session_id,
            context.trace_id,
            context.scope_name,
            context.cycle_controller.default_max_cycles,
            context.default_max_retries,
            self.run.settings.seed,
            values,
        )
        held: list[Any] = []
        self.core.define(key, crossing.marshalled(content) or crossing.pack(content, held))
        self.views[key] = held
        # User code may have run since the last fork, so captured state is looked at again.
        self.table.epoch += 1
        self.table.forget_gone()
        return key

    def forget_view(self, key: int) -> None:
        """Tell the workers that nothing names a view any more."""
        del self.views[key]
        self.copies.clear()
        self.core.forget(key)

    def close(self) -> None:
        """Forget everything that was sent."""
        self._held.clear()
        self.copies.clear()
        for key in self.views:
            self.core.forget(key)


def limits_set_by_hand(context: Any, definition: Any, task_id: str, base_id: str) -> dict[str, int]:
    """Return the limits of a task that its context's controllers were told of, not its definition."""
    limits: dict[str, int] = {}
    cycles, retries = context.cycle_controller, context.retry_controller
    if definition.max_cycles is None and base_id in cycles.node_max_cycles:
        limits["max_cycles"] = cycles.node_max_cycles[base_id]
    if definition.max_retries is None:
        for name in (task_id, base_id):
            if name in retries.node_max_retries or retries.get_policy_for_node(name):
                limits["max_retries"] = retries.get_max_retries_for_node(name)
                break
    return limits


class NotPlain(Exception):
    """A member can't take the short way."""
