"""What workers are told of a body: its arguments, the values it may ask for, the view of the channel that it names.

Owns one run's views, when what functions capture is looked at again, and the shared memory that running attempts may
still ask for. Knows nothing of what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.packing import packed_value
from graflow_fast._core import Filler, by_definition
from graflow_fast._places.process.definitions import DefinitionTable
from graflow_fast._places.process.disturbances import Disturbances
from graflow_fast._places.process.initializers import INITIALIZER, initializer_of
from graflow_fast._places.process.program.state import program_state
from graflow_fast._wire import crossing
from graflow_fast._wire.serialization import explain_unpicklable
from graflow_fast._wire.shared.values import Copies
from graflow_fast.core.task import TaskWrapper

if TYPE_CHECKING:
    from graflow_fast._core import Pool
    from graflow_fast._places.attempt import Branch, Fork
    from graflow_fast._places.host import PoolHost
    from graflow_fast.core.context import ExecutionContext
    from graflow_fast.core.definition import Definition


class Sending:
    """Packs what one run sends to its workers."""

    def __init__(self, host: PoolHost, core: Pool, table: DefinitionTable) -> None:
        self.host = host
        self.core = core
        self.table = table
        self._root_view: int | None = None
        #: The views that workers were told of, with the shared memory that each names.
        self.views: dict[int, list[Any]] = {}
        #: By view: what it says, if that is nothing in shared memory, and how many questions had been answered by then.
        self._said: dict[int, tuple[tuple[Any, ...], int]] = {}
        #: A view that nothing names any more, for the next group if it says the same.
        self._spare: int | None = None
        #: How many questions of bodies have been answered: workers keep the answers with the view.
        self.questions = 0
        self.disturbances = Disturbances(host)
        #: By ticket: the shared memory that a running attempt may still ask for.
        self._held: dict[int, list[Any]] = {}
        self.copies = Copies()
        self._bodies_seen = 0
        self._program: tuple[int, bytes] | None = None
        self._program_seen = 0
        self._initializer = None if host.settings.initializer is None else initializer_of(host.settings.initializer)

    def copies_for(self, in_root: bool) -> Copies:
        """Return the buffers that need not be sent again, none if code of the user may have changed them."""
        sequential = in_root and not self.host.parallel
        if self.copies and (sequential or self._bodies_seen != self.host.bodies.count):
            self.copies.clear()
        self._bodies_seen = self.host.bodies.count
        return self.copies

    def hold(self, ticket: int, held: list[Any]) -> None:
        """Hold shared memory for as long as an attempt is running that was told of it."""
        self._held.setdefault(ticket, []).extend(held)

    def release(self, ticket: int) -> None:
        """Let go of what an attempt held: it is running no longer."""
        if self._held:
            self._held.pop(ticket, None)

    def pack_bound(self, task_id: str, bound: dict[str, Any], in_root: bool) -> bytes:
        """Return bound arguments as bytes.

        Args:
            task_id: the task.
            bound: its arguments.
            in_root: whether the task is one of the workflow's own branch, so that others may have run before it.

        Raises:
            TaskSerializationError: one of them can't be pickled.
        """
        try:
            return crossing.dumps(bound, self.copies_for(in_root))
        except Exception as error:
            from graflow_fast._wire.pickling import try_to_dump

            for name, value in bound.items():
                try:
                    try_to_dump(value)
                except Exception as inner:
                    raise explain_unpicklable(task_id, f"argument '{name}'", value, inner, name) from inner
            raise explain_unpicklable(task_id, "arguments", bound, error) from error

    def declared(self, branch: Branch, definition: Definition) -> dict[str, bytes | None]:
        """Return the channel's values for the parameters of a body, as bytes."""
        return {key: packed_value(branch.channel, key, self.copies) for key in Filler.of(definition).keys}

    def view(self, branch: Branch) -> int:
        """Return the key of what workers are told of the channel for a branch."""
        fork = branch.fork
        if fork is None:
            if self._root_view is None:
                self._root_view = self.define_view(self.host.context, False, {})
            return self._root_view
        return self.fork_view(fork)

    def fork_view(self, fork: Fork) -> int:
        """Return the key of what they are told for the members of a group."""
        if fork.view is None:
            self.copies.clear()
            fork.view = self.define_view(fork.parent.context, True, self._fork_values(fork))
        return fork.view

    def _fork_values(self, fork: Fork) -> dict[str, bytes | None]:
        """Return the values that the members declare, to be sent once to each worker."""
        values: dict[str, bytes | None] = {}
        for member in by_definition(fork.tasks, TaskWrapper):
            if isinstance(member, TaskWrapper) and Filler.of(member._definition).keys:
                values.update(self.declared(fork.parent, member._definition))
        return values

    def define_view(self, context: ExecutionContext, shared: bool, values: dict[str, bytes | None]) -> int:
        """Tell the workers of a context, and of these values of its channel; return the key."""
        content = (
            shared,
            context.session_id,
            context.trace_id,
            context.scope_name,
            context.cycle_controller.default_max_cycles,
            context.default_max_retries,
            self.host.settings.seed,
            self._program_state(),
            0 if self._initializer is None else self.table.share_definition(self._initializer, INITIALIZER),
            values,
        )
        if self.disturbances.may_have_been():  # what functions capture may have changed since the last fork
            self.table.epoch += 1
        self.table.forget_gone()
        key, self._spare = self._spare, None
        if key is not None:
            if self._said[key] == (content, self.questions):
                return key
            self._forget_view(key)
        return self._tell_view(content)

    def _tell_view(self, content: tuple[Any, ...]) -> int:
        key: int = next(self.table.keys)
        held: list[Any] = []
        self.core.define(key, crossing.marshalled(content) or crossing.pack(content, held))
        self.views[key] = held
        if not held:
            self._said[key] = content, self.questions
        return key

    def _program_state(self) -> tuple[int, bytes]:
        """Return what the program has set for its process; bodies that ran here may have set more."""
        if self._program is None or self._program_seen != self.host.bodies.count:
            self._program_seen = self.host.bodies.count
            self._program = program_state.look()
        return self._program

    def forget_view(self, key: int) -> None:
        """Note that nothing names a view any more; the workers are told when it can't be the next group's."""
        self.copies.clear()
        said = self._said.get(key)
        if said is None or said[1] != self.questions:
            self._forget_view(key)
            return
        if self._spare is not None:
            self._forget_view(self._spare)
        self._spare = key

    def _forget_view(self, key: int) -> None:
        del self.views[key]
        self._said.pop(key, None)
        self.core.forget(key)

    def close(self) -> None:
        """Forget everything that was sent."""
        self._held.clear()
        self.copies.clear()
        for key in self.views:
            self.core.forget(key)
