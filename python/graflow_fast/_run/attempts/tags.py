"""The scheduler's tags: which iteration an activation is, and which task runs in place of its node's own.

Owns their meaning from when a body asks until its attempt has completed. Decides nothing about order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graflow_fast._body.packing import unpacked

if TYPE_CHECKING:
    from graflow_fast._run.attempts.attempt import Attempt
    from graflow_fast.core.task import Executable


class Given:
    """A task to run in place of its node's own, and which iteration of it (as in `Tags`), if it is one."""

    __slots__ = ("iteration", "task")

    def __init__(self, task: Executable, iteration: tuple[str, Any, int] | None = None) -> None:
        self.task = task
        self.iteration = iteration


class Tags:
    """The tags of one run."""

    def __init__(self) -> None:
        #: By tag: an iteration's id, its data, and the node whose completion started its task.
        self._iterations: dict[int, tuple[str, Any, int]] = {}
        #: By tag: activations that run another task than the node's own.
        self._given: dict[int, Given] = {}
        self._last = 0

    def iterate(self, attempt: Attempt, name: str, data: Any) -> int:
        """Return the tag of an attempt's next iteration."""
        tag = self.new_tag(name, data, attempt.cause)
        given = self._given.get(attempt.tag)
        if given is not None:
            # Kept from the short ways, which would run the node's own task.
            self._given[tag] = Given(given.task, self._iterations.pop(tag))
        return tag

    def give(self, task: Executable) -> int:
        """Return the tag for an activation that runs this task in place of the node's own."""
        self._last += 1
        self._given[self._last] = Given(task)
        return self._last

    def new_tag(self, name: str, data: Any, cause: int) -> int:
        """Return the tag by which the scheduler will name an iteration; it is used once."""
        self._last += 1
        self._iterations[self._last] = (name, data, cause)
        return self._last

    def restored_tag(self, iteration: tuple[str, Any] | None, cause: int, task: Executable | None) -> int:
        """Return the tag for work from a checkpoint: an iteration (id, data), a task to run in place of the node's."""
        if iteration is None:
            return 0 if task is None else self.give(task)
        tag = self.new_tag(*iteration, cause)
        if task is not None:
            self._given[tag] = Given(task, self._iterations.pop(tag))
        return tag

    def task_of(self, tag: int) -> Executable | None:
        """Return the task that is to run in place of the node's own, None for the node's own."""
        given = self._given.get(tag)
        return None if given is None else given.task

    def _by_tag(self, tag: int) -> tuple[str, Any, int] | None:
        given = self._given.get(tag)
        return self._iterations[tag] if given is None else given.iteration

    def iteration(self, tag: int) -> tuple[str, Any] | None:
        """Return the id and data of the iteration with that tag, None for an ordinary activation."""
        found = self._by_tag(tag) if tag else None
        return None if found is None else (found[0], unpacked(found[1]))

    def meaning(self, tag: int) -> tuple[Executable | None, str | None, Any, int | None]:
        """Return of a tag the task to run in place of the node's own, the iteration's id and data, and its cause."""
        given = self._given.get(tag)
        if given is None:  # as mostly
            return None, *self._iterations[tag]
        return given.task, *(given.iteration or (None, None, None))

    def name_of(self, tag: int, name: str) -> str:
        """Return the id of the iteration with that tag, ``name`` for what is none."""
        found = self._by_tag(tag) if tag else None
        return name if found is None else found[0]

    def apply(self, attempt: Attempt, tag: int) -> None:
        """Let an attempt be that of an iteration, or of a given task; what the tag means is kept until `drop`."""
        attempt.tag = tag
        given = self._given.get(tag)
        if given is not None:
            attempt.task = given.task
        iteration = self._by_tag(tag)
        if iteration is not None:
            attempt.task_id, attempt.call, attempt.cause = iteration

    def drop(self, tag: int) -> None:
        """Forget what has completed."""
        if self._given.pop(tag, None) is None:
            del self._iterations[tag]
